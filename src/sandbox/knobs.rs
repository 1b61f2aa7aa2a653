//! What a person can turn: latency, settling, lag, throttling, faults, and the record of calls.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::services::{self, SERVICES};
use super::world::{Fault, Settings};

/// A setting that isn't one.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct InvalidSetting {
    name: String,
    problem: String,
}

impl Settings {
    /// The settings of the environment's `PIPELINE_SANDBOX_{LATENCY,SETTLE,LAG,THROTTLE,FAULT,CALLS}`, over the
    /// defaults. A caller that has flags of its own sets them over these. `duration` parses `2s` and the like, so that
    /// the sandbox reads them as the manifest does; several faults are separated by commas or spaces.
    ///
    /// # Errors
    /// The first variable whose value is not one.
    pub fn from_env<E: ToString>(duration: impl Fn(&str) -> Result<Duration, E>) -> Result<Self, InvalidSetting> {
        Self::from_variables(|name| std::env::var(name).ok(), duration)
    }

    fn from_variables<E: ToString>(
        variable: impl Fn(&str) -> Option<String>,
        duration: impl Fn(&str) -> Result<Duration, E>,
    ) -> Result<Self, InvalidSetting> {
        let find = |knob: &str| {
            let name = format!("PIPELINE_SANDBOX_{knob}");
            variable(&name).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        let time = |knob: &str, default: Duration| match find(knob) {
            Some((name, value)) => {
                duration(&value).map_err(|error| InvalidSetting { name, problem: error.to_string() })
            }
            None => Ok(default),
        };
        let defaults = Self::default();
        let mut settings = Self {
            latency: time("LATENCY", defaults.latency)?,
            settle: time("SETTLE", defaults.settle)?,
            lag: time("LAG", defaults.lag)?,
            calls: find("CALLS").map(|(_, value)| value.into()),
            ..defaults
        };
        if let Some((name, value)) = find("THROTTLE") {
            settings.throttle = yes_or_no(&value).map_err(|problem| InvalidSetting { name, problem })?;
        }
        if let Some((name, value)) = find("FAULT") {
            let texts = value.split([',', ' ', '\n']).filter(|text| !text.is_empty());
            settings.faults = texts
                .map(str::parse)
                .collect::<Result<_, InvalidFault>>()
                .map_err(|error| InvalidSetting { name, problem: error.to_string() })?;
        }
        Ok(settings)
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        other => Err(format!("expected true or false, got \"{other}\"")),
    }
}

/// A text that names no fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "\"{fault}\" is not a fault: {problem}; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2"
)]
pub struct InvalidFault {
    fault: String,
    problem: String,
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let invalid = |problem: String| InvalidFault { fault: text.to_owned(), problem };
        let parts: Vec<&str> = text.split(':').collect();
        let [service, operation, what, times] = parts[..] else {
            return Err(invalid(format!("expected four parts between colons, got {}", parts.len())));
        };
        if !SERVICES.contains(&service) {
            return Err(invalid(format!("expected one of the services {}, got \"{service}\"", SERVICES.join(", "))));
        }
        // One of a misspelt operation would never strike, and nobody would know.
        let operations = services::operations().into_iter().find(|(name, _)| *name == service).map(|(_, all)| all);
        let operations = operations.unwrap_or_default();
        if !operations.contains(&operation) {
            let alike = |known: &&str| strsim::jaro_winkler(known, operation);
            let nearest = operations.iter().copied().max_by(|one, other| alike(one).total_cmp(&alike(other)));
            let nearest = nearest.unwrap_or_default();
            return Err(invalid(format!("expected an operation of {service}, as {nearest}, got \"{operation}\"")));
        }
        match Harm::parse(what) {
            None => {
                return Err(invalid(format!(
                    "expected an HTTP status from 400 to 599, an AWS error code, timeout, reset, hang, lost or rollback, got \"{what}\""
                )));
            }
            Some(Harm::Rollback) if (service, operation) != ("kafkaconnect", "UpdateConnector") => {
                return Err(invalid("only kafkaconnect:UpdateConnector is ever rolled back".to_owned()));
            }
            Some(_) => {}
        }
        match times.parse() {
            Ok(times) if times > 0 => {
                Ok(Self { service: service.to_owned(), operation: operation.to_owned(), what: what.to_owned(), times })
            }
            _ => Err(invalid(format!("expected a number of times from 1, got \"{times}\""))),
        }
    }
}

/// AWS writes operations and error codes alike: letters and digits, a capital first, dots in some codes of old.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Answers with an HTTP status, and the error code that the service's protocol has for it.
    Status(u16),
    /// Answers with an AWS error code, and the status that goes with it.
    Code(String),
    /// Answers nothing for longer than a client waits, then closes.
    Timeout,
    /// Drops the connection, as a load balancer that dies does.
    Reset,
    /// Never answers.
    Hang,
    /// Does what is asked, and then drops the connection: the caller can't know that it was done. A call that is refused
    /// is answered, and doesn't use the fault up.
    Lost,
    /// Not a harm to the call: MSK Connect takes it, and rolls the update back later.
    Rollback,
}

impl Harm {
    pub(crate) fn parse(what: &str) -> Option<Self> {
        match what {
            "timeout" => Some(Self::Timeout),
            "reset" => Some(Self::Reset),
            "hang" => Some(Self::Hang),
            "lost" => Some(Self::Lost),
            "rollback" => Some(Self::Rollback),
            code if is_name(code) => Some(Self::Code(code.to_owned())),
            number => number.parse().ok().filter(|status| (400..600).contains(status)).map(Self::Status),
        }
    }

    /// Whether it strikes before anything is done.
    pub(crate) fn comes_first(&self) -> bool {
        !matches!(self, Self::Lost | Self::Rollback)
    }
}

/// A call, as `--calls` records it.
#[derive(Debug, Serialize)]
pub(crate) struct CallRecord<'a> {
    /// When it came in, RFC 3339.
    pub(crate) time: String,
    /// The service, as its endpoint is called.
    pub(crate) service: &'a str,
    /// The operation; `-` where the call named none that exists.
    pub(crate) operation: &'a str,
    /// The HTTP status; 0 where it was left without an answer.
    pub(crate) status: u16,
    /// Milliseconds until the answer began.
    pub(crate) duration_ms: u64,
}

/// RFC 3339, always with milliseconds, so that lines sort by it.
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The present, as `CallRecord` has it.
pub(crate) fn timestamp() -> String {
    OffsetDateTime::now_utc().format(MILLISECONDS).unwrap_or_default()
}

/// The file of all calls, where one is wanted.
pub(crate) struct CallLog(Option<Mutex<File>>);

impl CallLog {
    /// Opens the file for appending, so that several commands may share it.
    ///
    /// # Errors
    /// Where the file can't be opened.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self(file.map(Mutex::new)))
    }

    /// Appends a call as one line in one write. A disk that is full must not fail the call, so that is let pass.
    pub(crate) fn append(&self, record: &CallRecord<'_>) {
        if let Some(file) = &self.0
            && let Ok(mut line) = serde_json::to_vec(record)
        {
            line.push(b'\n');
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn faults_are_parsed() {
        let fault: Fault = "kafkaconnect:CreateConnector:500:2".parse().unwrap();
        assert_eq!((fault.service.as_str(), fault.operation.as_str()), ("kafkaconnect", "CreateConnector"));
        assert_eq!((fault.what.as_str(), fault.times), ("500", 2));
        for what in ["timeout", "reset", "hang", "lost", "ThrottlingException", "599"] {
            assert!(format!("s3:PutObject:{what}:1").parse::<Fault>().is_ok(), "{what}");
        }
        assert!("kafkaconnect:UpdateConnector:rollback:1".parse::<Fault>().is_ok());
    }

    #[test]
    fn what_is_no_fault_is_told_with_the_way_out() {
        let problem = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        insta::assert_snapshot!([
            "kafka:CreateTopic:500",
            "msk:CreateTopic:500:1",
            "kafka:createTopik:500:1",
            "s3:PutObject:rollback:1",
            "kafka:CreateTopic:200:1",
            "kafka:CreateTopic:explode:1",
            "kafka:CreateTopic:500:0",
        ].map(problem).join("\n"), @r#"
        "kafka:CreateTopic:500" is not a fault: expected four parts between colons, got 3; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "msk:CreateTopic:500:1" is not a fault: expected one of the services apigateway, iam, kafka, kafkaconnect, s3, secretsmanager, ssm, sts, got "msk"; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "kafka:createTopik:500:1" is not a fault: expected an operation of kafka, as CreateTopic, got "createTopik"; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "s3:PutObject:rollback:1" is not a fault: only kafkaconnect:UpdateConnector is ever rolled back; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "kafka:CreateTopic:200:1" is not a fault: expected an HTTP status from 400 to 599, an AWS error code, timeout, reset, hang, lost or rollback, got "200"; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "kafka:CreateTopic:explode:1" is not a fault: expected an HTTP status from 400 to 599, an AWS error code, timeout, reset, hang, lost or rollback, got "explode"; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "kafka:CreateTopic:500:0" is not a fault: expected a number of times from 1, got "0"; write service:Operation:what:times, as kafkaconnect:CreateConnector:500:2
        "#);
    }

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let seconds = |text: &str| match text.strip_suffix('s').and_then(|number| number.parse().ok()) {
            Some(seconds) => Ok(Duration::from_secs(seconds)),
            None => Err(format!("expected a duration, got \"{text}\"")),
        };
        Settings::from_variables(find, seconds).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_sets_every_knob() {
        let set = settings(&[
            ("PIPELINE_SANDBOX_LATENCY", "5s"),
            ("PIPELINE_SANDBOX_SETTLE", "6s"),
            ("PIPELINE_SANDBOX_LAG", "7s"),
            ("PIPELINE_SANDBOX_THROTTLE", "true"),
            ("PIPELINE_SANDBOX_FAULT", "iam:GetRole:503:1, s3:PutObject:reset:2"),
            ("PIPELINE_SANDBOX_CALLS", "/tmp/calls"),
        ])
        .unwrap();
        assert_eq!([set.latency, set.settle, set.lag].map(|time| time.as_secs()), [5, 6, 7]);
        assert!(set.throttle);
        assert_eq!(set.faults.iter().map(|fault| fault.times).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(set.calls.as_deref(), Some(Path::new("/tmp/calls")));
    }

    #[test]
    fn an_empty_environment_leaves_the_defaults_and_a_bad_one_is_named() {
        let set = settings(&[("PIPELINE_SANDBOX_SETTLE", "")]).unwrap();
        assert_eq!([set.latency, set.settle, set.lag].map(|time| time.as_secs()), [0, 2, 1]);
        assert_eq!(
            settings(&[("PIPELINE_SANDBOX_LAG", "soon")]).unwrap_err(),
            "PIPELINE_SANDBOX_LAG: expected a duration, got \"soon\""
        );
        assert_eq!(
            settings(&[("PIPELINE_SANDBOX_THROTTLE", "maybe")]).unwrap_err(),
            "PIPELINE_SANDBOX_THROTTLE: expected true or false, got \"maybe\""
        );
    }
}
