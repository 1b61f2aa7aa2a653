//! Worker configurations: made once, never changed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arn::{self, Kind};
use super::connectors;
use super::things::{self, Thing};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{Tags, bad_request, iso8601, path_value, tags_of};
use crate::sandbox::world::{Millis, World, now};

const QUOTA: usize = 100;

const CREATE: &[Member] = &[
    optional("description", Shape::Text { min: 0, max: 1024 }),
    required("name", Shape::Text { min: 1, max: 128 }),
    required("propertiesFileContent", TEXT),
    optional("tags", Shape::Map),
];

// The next lists: https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-supported-worker-config-properties.html

const REQUIRED: &[&str] = &["key.converter", "value.converter"];

const PRODUCER: &[&str] = &[
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

const CONSUMER: &[&str] = &[
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

const FORBIDDEN_PREFIXES: &[&str] = &[
    "access.control.",
    "admin.",
    "client.",
    "connect.",
    "inter.worker.",
    "internal.",
    "listeners.https.",
    "metrics.",
    "rest.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
    "topic.tracking.",
    "worker.",
];

const FORBIDDEN: &[&str] = &[
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

/// A worker configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WorkerConfiguration {
    arn: String,
    name: String,
    region: String,
    description: Option<String>,
    created: Millis,
    /// When it is gone, once it was deleted.
    gone: Option<Millis>,
    /// Base64, as it was sent.
    content: String,
    tags: Tags,
}

impl Thing for WorkerConfiguration {
    const TABLE: &'static str = "connect.worker-configurations";
    const KIND: Kind = Kind::WorkerConfiguration;
    type State = &'static str;

    fn name(&self) -> &str {
        &self.name
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn state(&self, now: Millis) -> Option<&'static str> {
        match self.gone {
            Some(gone) if now >= gone => None,
            Some(_) => Some("DELETING"),
            None => Some("ACTIVE"),
        }
    }

    fn tags(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl WorkerConfiguration {
    /// The properties, by key.
    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let text = STANDARD.decode(&self.content).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        parse(&text.unwrap_or_default())
    }

    fn summary(&self, state: &str) -> Value {
        let mut info = json!({
            "creationTime": iso8601(self.created),
            "latestRevision": {"creationTime": iso8601(self.created), "revision": 1},
            "name": self.name,
            "workerConfigurationArn": self.arn,
            "workerConfigurationState": state,
        });
        if let Some(description) = &self.description {
            info["description"] = json!(description);
            info["latestRevision"]["description"] = json!(description);
        }
        info
    }
}

/// Reads a Java properties file: comments, `=` or `:` or a blank between key and value, lines that go on after `\`.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let mut logical = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if logical.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\') {
            logical.push_str(begun);
            continue;
        }
        logical.push_str(line);
        let (key, value) = split(&logical);
        properties.insert(key, value);
        logical.clear();
    }
    properties
}

fn split(line: &str) -> (String, String) {
    let end = line.find(|each: char| matches!(each, '=' | ':') || each.is_whitespace()).unwrap_or(line.len());
    let value = line[end..].trim_start().trim_start_matches(['=', ':']);
    (line[..end].to_owned(), value.trim().to_owned())
}

/// Why a property may not be in a worker configuration.
fn fault(key: &str) -> Option<String> {
    let unknown = |prefix: &str, known: &[&str]| {
        key.strip_prefix(prefix).is_some_and(|rest| !known.contains(&rest)).then(|| format!("{key} isn't supported"))
    };
    let forbidden = FORBIDDEN.contains(&key) || FORBIDDEN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    forbidden
        .then(|| format!("{key} isn't allowed: MSK Connect sets it"))
        .or_else(|| unknown("producer.", PRODUCER))
        .or_else(|| unknown("consumer.", CONSUMER))
}

fn check_content(content: &str) -> Result<(), Refusal> {
    let invalid = |what: &str| bad_request(format!("Invalid parameter propertiesFileContent: {what}."));
    let text = STANDARD
        .decode(content)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid("expected the Base64 of a properties file"))?;
    let properties = parse(&text);
    if let Some(missing) = REQUIRED.iter().find(|key| !properties.contains_key(**key)) {
        return Err(invalid(&format!("{missing} is required")));
    }
    let faults: Vec<String> = properties.keys().filter_map(|key| fault(key)).collect();
    if faults.is_empty() { Ok(()) } else { Err(invalid(&faults.join("; "))) }
}

pub(super) fn create(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["name"].as_str().unwrap_or_default();
    arn::check_name(name, "name")?;
    let content = request["propertiesFileContent"].as_str().unwrap_or_default();
    check_content(content)?;
    let configuration = WorkerConfiguration {
        arn: arn::new(Kind::WorkerConfiguration, &call.region, name),
        name: name.to_owned(),
        region: call.region.clone(),
        description: request["description"].as_str().map(str::to_owned),
        created: now(),
        gone: None,
        content: content.to_owned(),
        tags: tags_of(&request)?,
    };
    world.store.transact(|transaction| {
        things::sweep::<WorkerConfiguration>(transaction);
        let others = things::all::<WorkerConfiguration>(transaction, &call.region);
        if others.iter().any(|(other, _)| other.name == name) {
            return Err(arn::name_taken(Kind::WorkerConfiguration, name));
        }
        if others.len() >= QUOTA {
            return Err(arn::quota_reached("Maximum worker configurations", QUOTA));
        }
        transaction.put(WorkerConfiguration::TABLE, &configuration.arn, &configuration)?;
        Ok(())
    })?;
    let mut reply = configuration.summary("ACTIVE");
    if let Some(reply) = reply.as_object_mut() {
        reply.remove("description");
    }
    Ok(Reply::json(&reply))
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "workerConfigurationArn");
    let (configuration, state) =
        world.store.read(|transaction| things::find::<WorkerConfiguration>(transaction, arn))?;
    let mut info = configuration.summary(state);
    info["latestRevision"]["propertiesFileContent"] = json!(configuration.content);
    Ok(Reply::json(&info))
}

pub(super) fn list(world: &World, call: &Call) -> Result<Reply, Refusal> {
    things::list(world, call, "namePrefix", "workerConfigurations", |configuration: &WorkerConfiguration, state| {
        Some(configuration.summary(state))
    })
}

pub(super) fn delete(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "workerConfigurationArn");
    world.store.transact(|transaction| {
        let (mut configuration, state) = things::find::<WorkerConfiguration>(transaction, arn)?;
        if state != "ACTIVE" {
            return Err(bad_request(format!("The worker configuration {arn} can't be deleted while it is {state}.")));
        }
        let uses = |settings: &connectors::Settings| {
            settings.worker_configuration.as_ref().is_some_and(|used| used.arn == arn)
        };
        if let Some(user) = connectors::user_of(transaction, uses) {
            return Err(bad_request(format!(
                "The worker configuration {arn} is in use by the connector {user}. Delete the connector first."
            )));
        }
        configuration.gone = Some(world.settled_at());
        transaction.put(WorkerConfiguration::TABLE, arn, &configuration)?;
        Ok(Reply::json(&json!({"workerConfigurationArn": arn, "workerConfigurationState": "DELETING"})))
    })
}

#[cfg(test)]
mod tests {
    use super::{STANDARD, check_content, fault, parse};
    use base64::Engine;

    #[test]
    fn properties_are_read_as_java_does() {
        let text = "# a comment\n! another\na=1\n b : 2\nc 3\nd=x\\\n   y\ne=\nf=k=v\n";
        let told: Vec<(String, String)> = parse(text).into_iter().collect();
        let expected = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "xy"), ("e", ""), ("f", "k=v")];
        assert_eq!(told, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_msk_connect_sets_itself_is_refused() {
        for key in [
            "bootstrap.servers",
            "group.id",
            "sasl.mechanism",
            "security.protocol",
            "plugin.path",
            "producer.x",
            "consumer.y",
        ] {
            assert!(fault(key).is_some(), "{key}");
        }
        for key in [
            "key.converter",
            "offset.storage.topic",
            "producer.acks",
            "consumer.auto.offset.reset",
            "offset.flush.interval.ms",
        ] {
            assert!(fault(key).is_none(), "{key}");
        }
    }

    #[test]
    fn both_converters_are_required() {
        let content = |text: &str| check_content(&STANDARD.encode(text));
        assert!(content("key.converter=a\nvalue.converter=b").is_ok());
        assert!(content("key.converter=a").is_err());
        assert!(check_content("key.converter=a").is_err());
    }
}
