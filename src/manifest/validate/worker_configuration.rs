//! The worker configuration.

use super::super::nearest::nearest;
use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{WorkerConfiguration, raw};
use super::{names, settings};

/// What MSK Connect sets itself and refuses to be told; the first part of the keys that start so. All of this is from
/// <https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-supported-worker-config-properties.html>.
const REFUSED_STARTS: [&str; 17] = [
    "access.control.",
    "admin.",
    "admin.listeners.https.",
    "client.",
    "connect.",
    "inter.worker.",
    "internal.",
    "listeners.https.",
    "metrics.",
    "metrics.context.",
    "rest.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
    "topic.tracking.",
    "worker.",
];
const REFUSED: [&str; 13] = [
    "bootstrap.servers",
    "config.storage.topic",
    "connections.max.idle.ms",
    "connector.client.config.override.policy",
    "group.id",
    "listeners",
    "metric.reporters",
    "plugin.path",
    "receive.buffer.bytes",
    "response.http.headers.config",
    "scheduled.rebalance.max.delay.ms",
    "send.buffer.bytes",
    "status.storage.topic",
];
/// Of producers and consumers, only these can be set.
const PRODUCER: [&str; 16] = [
    "acks",
    "batch.size",
    "buffer.memory",
    "compression.type",
    "enable.idempotence",
    "key.serializer",
    "linger.ms",
    "max.request.size",
    "metadata.max.age.ms",
    "metadata.max.idle.ms",
    "partitioner.class",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.ms",
    "value.serializer",
];
const CONSUMER: [&str; 19] = [
    "allow.auto.create.topics",
    "auto.offset.reset",
    "check.crcs",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "heartbeat.interval.ms",
    "key.deserializer",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.ms",
    "session.timeout.ms",
    "value.deserializer",
];

pub(super) fn worker_configuration(raw: &At<raw::WorkerConfiguration>, findings: &mut Findings) -> WorkerConfiguration {
    if let Err(problem) = names::connect("worker configuration", &raw.name, names::LONGEST_BEFORE_CONTENT) {
        findings.problem(raw.name.at, problem);
    }
    for (key, value) in &raw.properties.value {
        if let Err(problem) = is_settable(key) {
            findings.problem(value.key_at, problem);
        }
    }
    for key in ["key.converter", "value.converter"] {
        if !raw.properties.contains_key(key) {
            findings.problem(
                raw.properties.key_at,
                format!(
                    "{key} is missing, which MSK Connect wants; \
                    add it, e.g. org.apache.kafka.connect.storage.StringConverter"
                ),
            );
        }
    }
    let properties = settings::settings(&raw.properties, findings);
    WorkerConfiguration { name: raw.name.value.clone(), properties }
}

fn is_settable(key: &str) -> Result<(), String> {
    for (start, known) in [("producer.", PRODUCER.as_slice()), ("consumer.", CONSUMER.as_slice())] {
        let Some(rest) = key.strip_prefix(start) else { continue };
        if known.contains(&rest) {
            return Ok(());
        }
        let advice = nearest(rest, known.iter().copied())
            .map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {start}{near}?"));
        return Err(format!("MSK Connect doesn't let {key} be set; {advice}"));
    }
    if REFUSED.contains(&key) || REFUSED_STARTS.iter().any(|start| key.starts_with(start)) {
        return Err(format!("MSK Connect sets {key} itself and refuses to be told; remove it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_settable;

    #[test]
    fn what_msk_connect_keeps_to_itself_is_refused() {
        for key in [
            "bootstrap.servers",
            "group.id",
            "sasl.mechanism",
            "security.protocol",
            "plugin.path",
            "ssl.protocol",
            "consumer.group.id",
        ] {
            assert!(is_settable(key).is_err(), "{key}");
        }
        for key in [
            "key.converter",
            "value.converter.schemas.enable",
            "offset.flush.interval.ms",
            "consumer.max.poll.records",
            "offset.storage.topic",
        ] {
            assert_eq!(is_settable(key), Ok(()), "{key}");
        }
    }
}
