//! ARNs and names of MSK Connect, and the quotas on what they name.

use crate::sandbox::call::Refusal;
use crate::sandbox::rest_json::{bad_request, unique_suffix};
use crate::sandbox::world::ACCOUNT;

/// What MSK Connect's ARNs begin with after `arn:aws:kafkaconnect:REGION:ACCOUNT:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plugin,
    WorkerConfiguration,
    Connector,
    Operation,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Plugin => "custom-plugin",
            Self::WorkerConfiguration => "worker-configuration",
            Self::Connector => "connector",
            Self::Operation => "connector-operation",
        }
    }

    /// As messages call it.
    pub(super) fn noun(self) -> String {
        self.label().replace('-', " ")
    }

    /// The parameter that has such an ARN.
    fn parameter(self) -> &'static str {
        match self {
            Self::Plugin => "customPluginArn",
            Self::WorkerConfiguration => "workerConfigurationArn",
            Self::Connector => "connectorArn",
            Self::Operation => "connectorOperationArn",
        }
    }

    /// How many parts follow the label: a name and an id, and for operations one more id.
    fn parts(self) -> usize {
        if self == Self::Operation { 3 } else { 2 }
    }
}

/// A new ARN for something of a name.
pub(super) fn new(kind: Kind, region: &str, name: &str) -> String {
    format!("arn:aws:kafkaconnect:{region}:{ACCOUNT}:{}/{name}/{}", kind.label(), unique_suffix())
}

/// A new ARN for an operation of a connector.
pub(super) fn of_operation(connector: &str) -> String {
    format!("{}/{}", connector.replace(":connector/", ":connector-operation/"), unique_suffix())
}

/// The ARN of the connector that an operation is of.
pub(super) fn of_connector(operation: &str) -> String {
    let connector = operation.replace(":connector-operation/", ":connector/");
    connector.rsplit_once('/').map_or_else(String::new, |(connector, _)| connector.to_owned())
}

/// Which kind of thing an ARN of this account names.
pub(super) fn kind(arn: &str) -> Option<Kind> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "kafkaconnect", _, ACCOUNT, resource] = parts.as_slice() else { return None };
    let mut names = resource.split('/');
    let label = names.next()?;
    let kinds = [Kind::Plugin, Kind::WorkerConfiguration, Kind::Connector, Kind::Operation];
    let kind = kinds.into_iter().find(|kind| kind.label() == label)?;
    let names: Vec<&str> = names.collect();
    (names.len() == kind.parts() && names.iter().all(|name| !name.is_empty())).then_some(kind)
}

/// Refuses an ARN that isn't of a kind.
pub(super) fn check(arn: &str, expected: Kind) -> Result<(), Refusal> {
    if kind(arn) == Some(expected) {
        return Ok(());
    }
    let (parameter, label) = (expected.parameter(), expected.label());
    Err(bad_request(format!("Invalid parameter {parameter}: expected the ARN of a {label}, got '{arn}'.")))
}

/// Refuses a name that MSK Connect doesn't take.
pub(super) fn check_name(name: &str, parameter: &str) -> Result<(), Refusal> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_'));
    if fits {
        return Ok(());
    }
    Err(bad_request(format!(
        "Invalid parameter {parameter}: use letters, digits, '-' and '_', and begin with a letter or digit, got '{name}'."
    )))
}

/// A name that something else of its kind has.
pub(super) fn name_taken(kind: Kind, name: &str) -> Refusal {
    Refusal::new(409, "ConflictException", format!("A {} with the name {name} already exists.", kind.label()))
}

/// A quota that is used up. MSK Connect has no error of its own for it: its model gives 429 for "Limit exceeded.
/// Resource limit reached.", the same that it gives to a caller who is too fast.
pub(super) fn quota_reached(quota: &str, limit: usize) -> Refusal {
    let message = format!("Limit exceeded. The quota '{quota}' of {limit} per account is reached.");
    Refusal::new(429, "TooManyRequestsException", message)
}

#[cfg(test)]
mod tests {
    use super::{Kind, check_name, kind, new, of_connector, of_operation};

    #[test]
    fn arns_tell_their_kind() {
        let connector = new(Kind::Connector, "us-east-1", "sink");
        assert_eq!(kind(&connector), Some(Kind::Connector));
        let operation = of_operation(&connector);
        assert_eq!(kind(&operation), Some(Kind::Operation));
        assert_eq!(of_connector(&operation), connector);
        for wrong in [
            "sink",
            "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink",
            "arn:aws:kafka:us-east-1:000000000000:cluster/a/b",
        ] {
            assert_eq!(kind(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert!(check_name("0a1b-connector_2", "name").is_ok());
        for wrong in ["", "-a", "a b", "a/b", "ä"] {
            assert!(check_name(wrong, "name").is_err(), "{wrong}");
        }
    }
}
