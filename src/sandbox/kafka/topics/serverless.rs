//! What MSK Serverless lets nobody choose: it keeps three replicas of everything, and most configurations to itself
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html>).

use kafka_protocol::ResponseError;

use super::changes::Fault;
use super::configs::{Configs, in_force};

/// The replicas of every partition.
const REPLICATION: i64 = 3;

/// The configurations of topics that can be set, in order.
const CONFIGURABLE: [&str; 7] = [
    CLEANUP_POLICY,
    "compression.type",
    MAX_MESSAGE_BYTES,
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
];

/// Can be set when a topic is created, and never after.
const CLEANUP_POLICY: &str = "cleanup.policy";

const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const LARGEST_MESSAGE: i64 = 8 << 20;

fn invalid(message: String) -> Fault {
    Fault::new(ResponseError::InvalidConfig, message, "configs")
}

/// Refuses another number of replicas than there always are.
pub(super) fn check_replication(factor: i64) -> Result<(), Fault> {
    if factor == REPLICATION {
        return Ok(());
    }
    let message = format!(
        "Replication factor must be {REPLICATION} in MSK Serverless clusters, or left to the brokers as -1; got {factor}."
    );
    Err(Fault::new(ResponseError::InvalidReplicationFactor, message, "replicationFactor"))
}

/// Refuses configurations that can't be set, whatever their values.
pub(super) fn check_configs(configs: &Configs) -> Result<(), Fault> {
    if let Some(key) = configs.keys().find(|key| !CONFIGURABLE.contains(&key.as_str())) {
        return Err(invalid(format!("Configuration {key} can't be set in MSK Serverless clusters.")));
    }
    let largest = configs.get(MAX_MESSAGE_BYTES).and_then(|value| value.parse::<i64>().ok());
    match largest.filter(|bytes| *bytes > LARGEST_MESSAGE) {
        Some(bytes) => Err(invalid(format!(
            "Invalid value {bytes} for configuration {MAX_MESSAGE_BYTES}: MSK Serverless takes at most {LARGEST_MESSAGE}"
        ))),
        None => Ok(()),
    }
}

/// The same for those of a topic that is there.
pub(super) fn check_change(before: &Configs, after: &Configs) -> Result<(), Fault> {
    check_configs(after)?;
    let policy = |configs| in_force(configs).remove(CLEANUP_POLICY);
    if policy(before) == policy(after) {
        return Ok(());
    }
    Err(invalid(format!(
        "Configuration {CLEANUP_POLICY} can only be set when a topic is created in MSK Serverless clusters."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(pairs: &[(&str, &str)]) -> Configs {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn there_are_always_three_replicas() {
        assert_eq!(check_replication(3), Ok(()));
        for factor in [1, 2, 4] {
            let fault = check_replication(factor).err().map(|fault| fault.error);
            assert_eq!(fault, Some(ResponseError::InvalidReplicationFactor));
        }
    }

    #[test]
    fn few_configurations_can_be_set() {
        let code = |pairs: &[(&str, &str)]| check_configs(&configs(pairs)).err().map(|fault| fault.error);
        assert_eq!(
            code(&[("cleanup.policy", "compact"), ("retention.ms", "1"), ("max.message.bytes", "8388608")]),
            None
        );
        assert_eq!(code(&[("max.message.bytes", "8388609")]), Some(ResponseError::InvalidConfig));
        assert_eq!(code(&[("min.insync.replicas", "2")]), Some(ResponseError::InvalidConfig));
    }

    #[test]
    fn how_a_topic_is_cleaned_stays() {
        let change = |before, after| check_change(&configs(before), &configs(after)).is_ok();
        let compact = &[("cleanup.policy", "compact")];
        assert!(change(compact, &[("cleanup.policy", "compact"), ("retention.ms", "1")]));
        assert!(change(&[], &[("cleanup.policy", "delete")]), "that is the default");
        assert!(!change(compact, &[]));
        assert!(!change(&[], compact));
    }

    #[test]
    fn the_keys_are_in_order() {
        assert!(CONFIGURABLE.is_sorted());
    }
}
