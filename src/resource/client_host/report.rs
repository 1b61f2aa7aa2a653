//! What a machine says of itself: the lines that `observe.sh` prints.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::engine::Result;

/// A file whose content is longer than this isn't looked into.
const LONGEST: u64 = 256 * 1024;

/// What a machine has, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: Installed,
    public_hostname: Option<String>,
    public_ipv4: Option<String>,
    /// The role that its instance profile gives it.
    pub(crate) role: Option<String>,
    /// Its property files, with what is secret hidden; those that are too long for a report are absent.
    pub(crate) properties: BTreeMap<String, String>,
}

/// What `setup.sh state` says. What isn't there is `None`.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Whether `setup.sh` has done anything that it has not undone again.
    pub(crate) begun: bool,
    /// The pipeline that it is set up for, `NAME (ENVIRONMENT)`.
    pub(crate) owner: Option<String>,
    pub(crate) java: Option<String>,
    pub(crate) kafka: Option<String>,
    pub(crate) kafka_scala: Option<String>,
    pub(crate) iam_jar: Option<String>,
    pub(crate) rest_proxy: Option<String>,
    /// SHA-256 of the files, by name.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) service: Service,
    /// The names of earlier versions that are still unpacked.
    pub(crate) old: Vec<String>,
}

/// How the REST proxy's service is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Service {
    /// Whether it starts with the machine.
    pub(crate) enabled: bool,
    /// Whether it runs.
    pub(crate) active: bool,
    /// Whether it was started with what is installed now.
    pub(crate) current: bool,
}

impl Report {
    /// Reads what a machine printed.
    ///
    /// # Errors
    /// Where it isn't a whole report.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let unreadable = |what: &str| {
            format!(
                "the machine's report of itself can't be read: {what}; look at the command's output in Systems Manager"
            )
        };
        let mut lines: BTreeMap<&str, &str> = BTreeMap::new();
        let mut properties = BTreeMap::new();
        let mut is_whole = false;
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "end" => is_whole = true,
                "file" => {
                    let (name, packed) = rest.split_once(' ').unwrap_or((rest, ""));
                    if packed != "too-long" {
                        let content = unpacked(packed).ok_or_else(|| unreadable(name))?;
                        properties.insert(name.to_owned(), content);
                    }
                }
                _ => {
                    lines.insert(word, rest.trim());
                }
            }
        }
        if !is_whole {
            return Err(unreadable("its end is missing").into());
        }
        let state = lines.get("state").ok_or_else(|| unreadable("it has no state"))?;
        let state = serde_json::from_str(state).map_err(|error| unreadable(&error.to_string()))?;
        let told = |name: &str| lines.get(name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
        Ok(Self {
            state,
            public_hostname: told("public-hostname"),
            public_ipv4: told("public-ipv4"),
            role: told("role"),
            properties,
        })
    }

    /// The name that the machine has on the internet, or else its address there.
    pub(crate) fn address(&self) -> Option<&str> {
        self.public_hostname.as_deref().or(self.public_ipv4.as_deref())
    }
}

fn unpacked(packed: &str) -> Option<String> {
    let packed = BASE64_STANDARD.decode(packed).ok()?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const STATE: &str = r#"state {"begun":false,"owner":null,"os":"amzn 2023","java":"17.0.9","kafka":null,"kafka_scala":null,"iam_jar":null,"rest_proxy":null,"files":{},"service":{"enabled":false,"active":false,"current":false},"old":[]}"#;

    #[test]
    fn a_fresh_machine_has_nothing_but_what_is_the_systems() {
        let report = Report::read(&format!("{STATE}\npublic-ipv4 203.0.113.7\nrole r\nend\n")).unwrap();
        assert!(!report.state.begun);
        assert_eq!((report.state.java.as_deref(), report.role.as_deref()), (Some("17.0.9"), Some("r")));
        assert_eq!(report.address(), Some("203.0.113.7"));
        let named = Report::read(&format!("{STATE}\npublic-ipv4 203.0.113.7\npublic-hostname h\nend")).unwrap();
        assert_eq!((named.address(), named.role.as_deref()), (Some("h"), None));
    }

    #[test]
    fn files_are_unpacked_and_long_ones_left_out() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"a=b\n").unwrap();
        let packed = BASE64_STANDARD.encode(packed.finish().unwrap());
        let text = format!("{STATE}\nfile client.properties {packed}\nfile kafka-rest.properties too-long\nend\n");
        let properties = Report::read(&text).unwrap().properties;
        assert_eq!(properties.into_iter().collect::<Vec<_>>(), [("client.properties".to_owned(), "a=b\n".to_owned())]);
    }

    #[test]
    fn what_was_cut_off_is_no_report() {
        for (text, word) in [(STATE, "end is missing"), ("end", "no state"), ("state {}\nend", "missing field")] {
            let error = Report::read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
