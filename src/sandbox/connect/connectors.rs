//! Connectors: the record, its states, and describing, listing and deleting them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arn::Kind;
use super::capacity::Capacity;
use super::operations;
use super::things::{self, Thing};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::{Tags, bad_request, iso8601, path_value};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

/// The API's `ConnectorState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Running,
    Creating,
    Updating,
    Deleting,
    Failed,
    Paused,
    Restarting,
    Pausing,
    Resuming,
}

impl State {
    /// As the API writes it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Creating => "CREATING",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
            Self::Paused => "PAUSED",
            Self::Restarting => "RESTARTING",
            Self::Pausing => "PAUSING",
            Self::Resuming => "RESUMING",
        }
    }
}

/// Why something is in the state that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateDescription {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl StateDescription {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// A plugin or worker configuration that a connector uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) arn: String,
    pub(crate) revision: i64,
}

/// What UpdateConnector can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) capacity: Capacity,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) plugin: Used,
    pub(crate) worker_configuration: Option<Used>,
}

impl Settings {
    /// `plugins`, as descriptions have it.
    pub(super) fn plugins(&self) -> Value {
        json!([{"customPlugin": {"customPluginArn": self.plugin.arn, "revision": self.plugin.revision}}])
    }

    /// `workerConfiguration`, as descriptions have it; null where it is the default one.
    pub(super) fn worker_configuration(&self) -> Value {
        self.worker_configuration
            .as_ref()
            .map_or(Value::Null, |used| json!({"workerConfigurationArn": used.arn, "revision": used.revision}))
    }
}

/// What only creation decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fixed {
    pub(super) description: Option<String>,
    /// `kafkaCluster`, as descriptions have it.
    pub(super) kafka_cluster: Value,
    /// `IAM` or `NONE`.
    pub(crate) authentication: String,
    /// `TLS` or `PLAINTEXT`.
    pub(crate) encryption: String,
    pub(crate) kafka_connect_version: String,
    pub(super) log_delivery: Option<Value>,
    pub(super) network_type: String,
    pub(crate) role: String,
}

impl Fixed {
    /// The addresses of the brokers.
    pub(crate) fn bootstrap_servers(&self) -> &str {
        self.kafka_cluster.pointer("/apacheKafkaCluster/bootstrapServers").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A connector when nothing is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Condition {
    pub(super) state: State,
    pub(crate) settings: Settings,
    pub(super) version: String,
    pub(super) description: Option<StateDescription>,
}

/// What is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The state that is shown meanwhile.
    pub(super) state: State,
    /// When it has settled.
    pub(super) until: Millis,
    /// What it comes to: decided when it began. Nothing where the connector goes away.
    pub(super) then: Option<Condition>,
}

/// A connector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Connector {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(super) created: Millis,
    pub(crate) fixed: Fixed,
    pub(super) condition: Condition,
    pub(super) pending: Option<Pending>,
    pub(super) tags: Tags,
}

impl Thing for Connector {
    const TABLE: &'static str = "connect.connectors";
    const KIND: Kind = Kind::Connector;
    type State = State;

    fn name(&self) -> &str {
        &self.name
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn state(&self, now: Millis) -> Option<State> {
        self.at(now).map(|(state, _)| state)
    }

    fn tags(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Connector {
    /// The state at a moment, with what is in force then; nothing once it is gone.
    pub(crate) fn at(&self, now: Millis) -> Option<(State, &Condition)> {
        match &self.pending {
            None => Some((self.condition.state, &self.condition)),
            Some(pending) if now < pending.until => Some((pending.state, &self.condition)),
            Some(pending) => pending.then.as_ref().map(|condition| (condition.state, condition)),
        }
    }

    /// Starts a change. The caller has seen that none is under way.
    pub(super) fn begin(&mut self, now: Millis, pending: Pending) {
        if let Some((_, condition)) = self.at(now) {
            self.condition = condition.clone();
        }
        self.pending = Some(pending);
    }

    /// Whether what is in force, or what a change that is under way leads to, is as wanted. False once it is gone.
    fn uses(&self, now: Millis, wanted: impl Fn(&Settings) -> bool) -> bool {
        let Some((_, condition)) = self.at(now) else { return false };
        let then =
            self.pending.as_ref().filter(|pending| now < pending.until).and_then(|pending| pending.then.as_ref());
        wanted(&condition.settings) || then.is_some_and(|condition| wanted(&condition.settings))
    }

    fn summary(&self, state: State, condition: &Condition) -> Value {
        let fixed = &self.fixed;
        let mut info = json!({
            "capacity": condition.settings.capacity,
            "connectorArn": self.arn,
            "connectorName": self.name,
            "connectorState": state,
            "creationTime": iso8601(self.created),
            "currentVersion": condition.version,
            "kafkaCluster": fixed.kafka_cluster,
            "kafkaClusterClientAuthentication": {"authenticationType": fixed.authentication},
            "kafkaClusterEncryptionInTransit": {"encryptionType": fixed.encryption},
            "kafkaConnectVersion": fixed.kafka_connect_version,
            "networkType": fixed.network_type,
            "plugins": condition.settings.plugins(),
            "serviceExecutionRoleArn": fixed.role,
        });
        let absent = [
            ("connectorDescription", fixed.description.as_ref().map(|text| json!(text))),
            ("logDelivery", fixed.log_delivery.clone()),
            ("workerConfiguration", Some(condition.settings.worker_configuration())),
        ];
        for (member, value) in absent {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                info[member] = value;
            }
        }
        info
    }

    fn describe(&self, state: State, condition: &Condition) -> Value {
        let mut info = self.summary(state, condition);
        info["connectorConfiguration"] = json!(condition.settings.configuration);
        if let Some(description) = condition.description.as_ref().filter(|_| state == State::Failed) {
            info["stateDescription"] = json!(description);
        }
        info
    }
}

/// The name of a connector that uses something, or is about to.
pub(super) fn user_of(transaction: &Transaction<'_>, uses: impl Fn(&Settings) -> bool) -> Option<String> {
    let now = now();
    let mut connectors = transaction.list::<Connector>(Connector::TABLE).into_iter().map(|(_, connector)| connector);
    connectors.find(|connector| connector.uses(now, &uses)).map(|connector| connector.name)
}

/// Removes what was deleted and is gone.
pub(super) fn sweep(transaction: &mut Transaction<'_>) {
    for arn in things::sweep::<Connector>(transaction) {
        operations::forget(transaction, &arn);
    }
}

/// What is answered where a connector isn't there.
pub(super) fn gone(arn: &str) -> Refusal {
    things::missing(Kind::Connector, arn)
}

/// Refuses a version that isn't the present one.
pub(super) fn check_version(sent: &str, condition: &Condition) -> Result<(), Refusal> {
    if sent == condition.version {
        return Ok(());
    }
    Err(bad_request(format!(
        "Invalid parameter currentVersion: '{sent}' isn't the connector's current version. Describe it and try again."
    )))
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "connectorArn");
    let (connector, _) = world.store.read(|transaction| things::find::<Connector>(transaction, arn))?;
    let (state, condition) = connector.at(now()).ok_or_else(|| gone(arn))?;
    Ok(Reply::json(&connector.describe(state, condition)))
}

pub(super) fn list(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let now = now();
    things::list(world, call, "connectorNamePrefix", "connectors", |connector: &Connector, _| {
        let (state, condition) = connector.at(now)?;
        Some(connector.summary(state, condition))
    })
}

pub(super) fn delete(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let arn = path_value(path, "connectorArn");
    world.store.transact(|transaction| {
        let (mut connector, _) = things::find::<Connector>(transaction, arn)?;
        let now = now();
        let (state, condition) = connector.at(now).ok_or_else(|| gone(arn))?;
        if !matches!(state, State::Running | State::Failed | State::Paused) {
            return Err(bad_request(format!("The connector {arn} can't be deleted while it is {}.", state.label())));
        }
        if let Some(version) = call.query("currentVersion") {
            check_version(version, condition)?;
        }
        connector.begin(now, Pending { state: State::Deleting, until: world.settled_at(), then: None });
        transaction.put(Connector::TABLE, arn, &connector)?;
        Ok(Reply::json(&json!({"connectorArn": arn, "connectorState": State::Deleting})))
    })
}

/// The connector of a name that was created last, in any region.
pub(super) fn latest(world: &World, name: &str) -> Option<Connector> {
    let now = now();
    let connectors = world.store.read(|transaction| transaction.list::<Connector>(Connector::TABLE));
    let connectors = connectors.into_iter().map(|(_, connector)| connector);
    let there = connectors.filter(|connector| connector.name == name && connector.at(now).is_some());
    there.max_by_key(|connector| connector.created)
}

/// The ARNs of the connectors of all regions that are RUNNING, each with its version: another one after each change.
pub(crate) fn running(world: &World) -> Vec<(String, String)> {
    let now = now();
    let connectors = world.store.read(|transaction| transaction.list::<Connector>(Connector::TABLE));
    let running = connectors.into_iter().filter_map(|(arn, connector)| match connector.at(now)? {
        (State::Running, condition) => Some((arn, condition.version.clone())),
        _ => None,
    });
    running.collect()
}

/// A connector that is RUNNING has FAILED. Nothing happens to one that something was done to meanwhile.
///
/// # Errors
/// Where it can't be written.
pub(super) fn fail(world: &World, failed: &Connector, why: StateDescription) -> Result<(), Refusal> {
    world.store.transact(|transaction| {
        let now = now();
        let version = |connector: &Connector| connector.at(now).map(|(_, condition)| condition.version.clone());
        let Ok((mut connector, State::Running)) = things::find::<Connector>(transaction, &failed.arn) else {
            return Ok(());
        };
        if version(&connector) != version(failed) {
            return Ok(());
        }
        if let Some((_, condition)) = connector.at(now) {
            let condition = Condition { state: State::Failed, description: Some(why), ..condition.clone() };
            connector.condition = condition;
            connector.pending = None;
        }
        transaction.put(Connector::TABLE, &failed.arn, &connector)?;
        Ok(())
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use super::*;

    pub(in crate::sandbox::connect) fn connector() -> Connector {
        let settings = Settings {
            capacity: Capacity::parse(&json!({"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}})).unwrap(),
            configuration: BTreeMap::from([("tasks.max".to_owned(), "1".to_owned())]),
            plugin: Used { arn: "plugin".to_owned(), revision: 1 },
            worker_configuration: None,
        };
        Connector {
            arn: "arn".to_owned(),
            name: "sink".to_owned(),
            region: "us-east-1".to_owned(),
            created: 0,
            fixed: Fixed {
                description: None,
                kafka_cluster: json!({"apacheKafkaCluster": {"bootstrapServers": "127.0.0.1:1"}}),
                authentication: "IAM".to_owned(),
                encryption: "TLS".to_owned(),
                kafka_connect_version: "3.7.x".to_owned(),
                log_delivery: None,
                network_type: "IPV4".to_owned(),
                role: "role".to_owned(),
            },
            condition: Condition { state: State::Running, settings, version: "K1".to_owned(), description: None },
            pending: None,
            tags: Tags::new(),
        }
    }

    fn told(connector: &Connector, now: Millis) -> Option<(State, &str)> {
        connector.at(now).map(|(state, condition)| (state, condition.version.as_str()))
    }

    #[test]
    fn a_change_shows_what_was_until_it_has_settled() {
        let mut connector = connector();
        let then = Condition { version: "K2".to_owned(), ..connector.condition.clone() };
        connector.begin(10, Pending { state: State::Updating, until: 20, then: Some(then) });
        assert_eq!(told(&connector, 19), Some((State::Updating, "K1")));
        assert_eq!(told(&connector, 20), Some((State::Running, "K2")));
        connector.begin(30, Pending { state: State::Deleting, until: 40, then: None });
        assert_eq!(told(&connector, 39), Some((State::Deleting, "K2")));
        assert_eq!(told(&connector, 40), None);
    }

    #[test]
    fn what_is_in_force_and_what_a_change_leads_to_is_in_use() {
        let mut connector = connector();
        let mut then = connector.condition.clone();
        then.settings.plugin.arn = "other".to_owned();
        connector.begin(10, Pending { state: State::Updating, until: 20, then: Some(then) });
        let used = |now| ["plugin", "other"].map(|arn| connector.uses(now, |settings| settings.plugin.arn == arn));
        assert_eq!(used(19), [true, true]);
        assert_eq!(used(20), [false, true]);
    }

    #[test]
    fn labels_are_those_of_the_api() {
        assert_eq!(serde_json::to_value(State::Restarting).unwrap(), State::Restarting.label());
    }
}
