//! What a client machine is set up with: the folder of files that `setup.sh` works from, made from what is declared and
//! what the cluster says. Pure; who writes them, and where to, is others' affair.
//!
//! The scripts are the same for every machine. What differs stands in `settings.sh` and in the two property files.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::manifest::{Auth, Client};
use crate::shell::quoted;

mod archives;
mod guide;
mod properties;

pub(crate) use archives::{SCALA, Source};
pub(crate) use properties::{PLACEHOLDER, login, read};

/// The account that the REST proxy's service runs as, and whose group may read the properties.
const ACCOUNT: &str = "pipeline-client";
/// Where a client's own certificate and key are, for those who log in with them.
const KEYSTORE: &str = "/etc/pipeline-client/client.pem";

/// The names of the files that a machine gets, as the scripts know them.
pub(crate) const CLIENT_PROPERTIES: &str = "client.properties";
pub(crate) const REST_PROPERTIES: &str = "kafka-rest.properties";
const PROFILE: &str = "profile.sh";
const SERVICE: &str = "kafka-rest.service";

/// The script, and those that it reads.
const SCRIPTS: [(&str, &str); 3] = [
    ("setup.sh", include_str!("client_host/setup.sh")),
    ("archives.sh", include_str!("client_host/archives.sh")),
    ("report.sh", include_str!("client_host/report.sh")),
];
const OBSERVE: &str = include_str!("client_host/observe.sh");
const PROFILE_TEXT: &str = include_str!("client_host/profile.sh");
const SERVICE_TEXT: &str = include_str!("client_host/pipeline-rest-proxy.service");

/// What a machine is to be set up for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// The pipeline's name.
    pub(crate) name: &'a str,
    /// Its environment.
    pub(crate) environment: &'a str,
    /// What is declared.
    pub(crate) client: &'a Client,
    /// How clients log in.
    pub(crate) auth: &'a Auth,
    /// The brokers of the listener that clients use, `HOST:PORT,…`.
    pub(crate) servers: &'a str,
    /// The cluster's ZooKeeper nodes, where it has some.
    pub(crate) zookeeper: Option<&'a str>,
    /// The role that clients assume. Without one, they are what the machine's instance profile makes them.
    pub(crate) role_arn: Option<&'a str>,
    /// The manifest's role, by name.
    pub(crate) role: Option<&'a str>,
    /// The authorities that sign the brokers' certificates, in PEM, where it isn't one that every Java trusts.
    pub(crate) authorities: Option<&'a str>,
    /// Where archives come from.
    pub(crate) source: Source<'a>,
}

/// The files of a set-up, by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folder(BTreeMap<&'static str, String>);

impl Setup<'_> {
    /// Everything that a machine is set up from.
    pub(crate) fn folder(&self) -> Folder {
        let mut folder = Folder::of_scripts(self.settings());
        folder.0.insert(PROFILE, PROFILE_TEXT.to_owned());
        folder.0.insert(CLIENT_PROPERTIES, properties::of_client(self).to_string());
        if self.client.rest_proxy.is_some() {
            folder.0.insert(REST_PROPERTIES, properties::of_rest_proxy(self).to_string());
            folder.0.insert(SERVICE, SERVICE_TEXT.to_owned());
        }
        folder
    }

    /// What a person should know who has the folder before them.
    pub(crate) fn guide(&self) -> String {
        guide::text(self)
    }

    /// The version of the MSK IAM jar, where one is needed.
    pub(crate) fn iam_jar(&self) -> Option<&str> {
        (*self.auth == Auth::Iam).then_some(self.client.iam_jar_version.as_str())
    }

    /// What `setup.sh` reads of this machine.
    fn settings(&self) -> String {
        let rest_proxy = self.client.rest_proxy.as_ref();
        let mut settings = vec![
            ("OWNER", owner_of(self.name, self.environment)),
            ("JAVA_VERSION", self.client.java_version.to_string()),
            ("KAFKA_VERSION", self.client.kafka_version.clone()),
            ("KAFKA_SCALA", SCALA.to_owned()),
            ("IAM_JAR_VERSION", self.iam_jar().unwrap_or_default().to_owned()),
            ("REST_PROXY_VERSION", rest_proxy.map_or_else(String::new, |proxy| proxy.version.clone())),
            ("REST_PROXY_PORT", rest_proxy.map_or_else(String::new, |proxy| proxy.port.to_string())),
            ("BOOTSTRAP_SERVERS", self.servers.to_owned()),
        ];
        for archive in archives::of(self) {
            let [url, sum, sum_url] = archive.settings;
            settings.extend([(url, archive.url), (sum, archive.sum), (sum_url, archive.sum_url)]);
        }
        written(&settings)
    }
}

/// Whether what stands in a file of a machine is told of it, and compared line by line.
pub(crate) fn is_looked_into(file: &str) -> bool {
    [CLIENT_PROPERTIES, REST_PROPERTIES].contains(&file)
}

/// What a pipeline is called on the machines that are set up for it.
pub(crate) fn owner_of(name: &str, environment: &str) -> String {
    format!("{name} ({environment})")
}

/// The settings, as `setup.sh` reads them.
fn written(settings: &[(&str, String)]) -> String {
    let mut text = "# shellcheck shell=bash disable=SC2034\n\
                        # What setup.sh installs, and where it comes from. A _SUM is what an archive must be; where it is\n\
                        # empty, the file at its _SUM_URL says so.\n"
            .to_owned();
    for (name, value) in settings {
        text.push_str(&format!("{name}={}\n", quoted(value)));
    }
    text
}

impl Folder {
    /// The scripts, and their settings.
    fn of_scripts(settings: String) -> Self {
        let scripts = SCRIPTS.into_iter().map(|(name, text)| (name, text.to_owned()));
        Self(scripts.chain([("settings.sh", settings)]).collect())
    }

    /// The files, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// The files that the machine keeps, of which `setup.sh state` tells the SHA-256.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.iter().filter(|(name, _)| [CLIENT_PROPERTIES, PROFILE, REST_PROPERTIES, SERVICE].contains(name))
    }

    /// A script that unpacks the folder on a machine, runs `setup.sh` with one argument after another until one fails,
    /// and leaves nothing behind.
    ///
    /// Of the output the end is kept: Systems Manager keeps the start of what is too long
    /// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html>, 24,000
    /// characters), and it is the end that tells.
    ///
    /// # Errors
    /// None that memory has.
    pub(crate) fn command(&self, arguments: &[&str]) -> io::Result<String> {
        let run = format!(
            "ended=0\nfor step in {}; do\n    bash setup.sh \"$step\" >>output 2>&1 || {{ ended=$? && break; }}\ndone\n\
             tail -c {LONGEST_OUTPUT} output\nexit $ended\n",
            arguments.join(" ")
        );
        script(self.iter(), &run)
    }
}

/// How much of a step's output is shown, in bytes: what is told of one is far less.
const LONGEST_OUTPUT: usize = 6_000;

/// A script that says what a machine has, and where it is; see `observe.sh` for what it prints.
///
/// # Errors
/// None that memory has.
pub(crate) fn observe_command() -> io::Result<String> {
    script(SCRIPTS.into_iter().chain([("observe.sh", OBSERVE)]), "bash observe.sh\n")
}

/// A script that removes what `setup.sh` installed, unless it did so for another pipeline.
///
/// # Errors
/// None that memory has.
pub(crate) fn remove_command(owner: &str) -> io::Result<String> {
    Folder::of_scripts(written(&[("OWNER", owner.to_owned())])).command(&["remove"])
}

/// A script with files in it. They are packed, as a command of Systems Manager has at most 64 KiB.
fn script<'a>(files: impl Iterator<Item = (&'static str, &'a str)>, run: &str) -> io::Result<String> {
    let mut script =
        "#!/bin/bash\nset -eu\numask 077\nfolder=$(mktemp -d)\ntrap 'rm -rf \"$folder\"' EXIT\ncd \"$folder\"\n"
            .to_owned();
    for (name, text) in files {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text.as_bytes())?;
        let packed = BASE64_STANDARD.encode(packed.finish()?);
        script.push_str(&format!("base64 -d <<'.' | gzip -d >{name}\n"));
        // Lines that a person may scroll past.
        for line in packed.as_bytes().chunks(120) {
            script.push_str(&String::from_utf8_lossy(line));
            script.push('\n');
        }
        script.push_str(".\n");
    }
    script.push_str(run);
    Ok(script)
}

#[cfg(test)]
mod tests;
