//! CreateConnector: what it refuses at once, and what becomes of the rest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::arn::{self, Kind};
use super::capacity::{self, Capacity};
use super::connectors::{self, Condition, Connector, Fixed, Pending, Settings, State, StateDescription, Used};
use super::health;
use super::plugins::Plugin;
use super::things::{self, Thing};
use super::worker_configurations::WorkerConfiguration;
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::iam::{self, Assumption};
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{bad_request, tags_of, version};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, World, now};

/// Workers in an account, over all connectors.
const WORKER_QUOTA: usize = 60;
const KAFKA_CONNECT_VERSIONS: [&str; 2] = ["2.7.1", "3.7.x"];
/// Who assumes the role of a connector.
pub(super) const SERVICE: &str = "kafkaconnect.amazonaws.com";

const REVISION: Member = required("revision", Shape::Whole { min: 1, max: i64::MAX });

/// `plugins`, alike for creation and update.
pub(super) const PLUGINS: Shape = Shape::List(&Shape::Object(&[required(
    "customPlugin",
    Shape::Object(&[required("customPluginArn", TEXT), REVISION]),
)]));

/// `workerConfiguration`, alike for creation and update.
pub(super) const WORKER_CONFIGURATION: Shape = Shape::Object(&[required("workerConfigurationArn", TEXT), REVISION]);

const VPC: &[Member] = &[optional("securityGroups", Shape::List(&TEXT)), required("subnets", Shape::List(&TEXT))];

const KAFKA_CLUSTER: &[Member] = &[required(
    "apacheKafkaCluster",
    Shape::Object(&[required("bootstrapServers", TEXT), required("vpc", Shape::Object(VPC))]),
)];

const LOG_DELIVERY: &[Member] = &[required(
    "workerLogDelivery",
    Shape::Object(&[
        optional("cloudWatchLogs", Shape::Object(&[required("enabled", Shape::Flag), optional("logGroup", TEXT)])),
        optional("firehose", Shape::Object(&[required("enabled", Shape::Flag), optional("deliveryStream", TEXT)])),
        optional(
            "s3",
            Shape::Object(&[required("enabled", Shape::Flag), optional("bucket", TEXT), optional("prefix", TEXT)]),
        ),
    ]),
)];

const CREATE: &[Member] = &[
    required("capacity", capacity::CREATE),
    required("connectorConfiguration", Shape::Map),
    optional("connectorDescription", Shape::Text { min: 0, max: 1024 }),
    required("connectorName", Shape::Text { min: 1, max: 128 }),
    required("kafkaCluster", Shape::Object(KAFKA_CLUSTER)),
    required(
        "kafkaClusterClientAuthentication",
        Shape::Object(&[required("authenticationType", Shape::OneOf(&["NONE", "IAM"]))]),
    ),
    required(
        "kafkaClusterEncryptionInTransit",
        Shape::Object(&[required("encryptionType", Shape::OneOf(&["PLAINTEXT", "TLS"]))]),
    ),
    required("kafkaConnectVersion", TEXT),
    optional("logDelivery", Shape::Object(LOG_DELIVERY)),
    optional("networkType", Shape::OneOf(&["IPV4", "DUAL"])),
    required("plugins", PLUGINS),
    required("serviceExecutionRoleArn", TEXT),
    optional("workerConfiguration", WORKER_CONFIGURATION),
    optional("tags", Shape::Map),
];

pub(super) fn create(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["connectorName"].as_str().unwrap_or_default();
    arn::check_name(name, "connectorName")?;
    let settings = Settings {
        capacity: Capacity::parse(&request["capacity"])?,
        configuration: configuration_of(&request["connectorConfiguration"])?,
        plugin: plugin_of(&request["plugins"])?,
        worker_configuration: worker_configuration_of(&request["workerConfiguration"]),
    };
    let mut connector = Connector {
        arn: arn::new(Kind::Connector, &call.region, name),
        name: name.to_owned(),
        region: call.region.clone(),
        created: now(),
        fixed: fixed_of(&request)?,
        condition: Condition { state: State::Creating, settings, version: version(), description: None },
        pending: None,
        tags: tags_of(&request)?,
    };
    check_role(world, &connector)?;
    world.store.read(|transaction| check_room(transaction, &connector))?;
    let outcome = health::examine(world, &connector, &connector.condition.settings)?;
    let then = settled(&connector, outcome);
    connector.pending = Some(Pending { state: State::Creating, until: world.settled_at(), then: Some(then) });
    world.store.transact(|transaction| {
        connectors::sweep(transaction);
        check_room(transaction, &connector)?;
        transaction.put(Connector::TABLE, &connector.arn, &connector)?;
        Ok::<_, Refusal>(())
    })?;
    Ok(Reply::json(&json!({"connectorArn": connector.arn, "connectorName": name, "connectorState": State::Creating})))
}

/// What a connector comes to: RUNNING, or FAILED and why.
fn settled(connector: &Connector, outcome: Result<(), StateDescription>) -> Condition {
    let state = if outcome.is_ok() { State::Running } else { State::Failed };
    Condition { state, description: outcome.err(), ..connector.condition.clone() }
}

/// Reads `connectorConfiguration`.
pub(super) fn configuration_of(value: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let configuration: BTreeMap<String, String> = serde_json::from_value(value.clone())
        .map_err(|_| bad_request("Invalid parameter connectorConfiguration: expected a map of strings."))?;
    if configuration.get("connector.class").is_none_or(String::is_empty) {
        return Err(bad_request("Invalid parameter connectorConfiguration: connector.class is required."));
    }
    Ok(configuration)
}

/// Reads `plugins`, which the API has as a list, of which MSK Connect takes one.
pub(super) fn plugin_of(value: &Value) -> Result<Used, Refusal> {
    let plugins = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let [plugin] = plugins else {
        return Err(bad_request(format!(
            "Invalid parameter plugins: MSK Connect takes exactly one custom plugin, got {}.",
            plugins.len()
        )));
    };
    let plugin = &plugin["customPlugin"];
    Ok(used(plugin, "customPluginArn"))
}

/// Reads `workerConfiguration`, where there is one.
pub(super) fn worker_configuration_of(value: &Value) -> Option<Used> {
    value.is_object().then(|| used(value, "workerConfigurationArn"))
}

fn used(value: &Value, member: &str) -> Used {
    Used {
        arn: value[member].as_str().unwrap_or_default().to_owned(),
        revision: value["revision"].as_i64().unwrap_or_default(),
    }
}

fn fixed_of(request: &Value) -> Result<Fixed, Refusal> {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kafka_connect_version = text("/kafkaConnectVersion");
    if !KAFKA_CONNECT_VERSIONS.contains(&kafka_connect_version.as_str()) {
        return Err(bad_request(format!(
            "Invalid parameter kafkaConnectVersion: valid values are {}, got '{kafka_connect_version}'.",
            KAFKA_CONNECT_VERSIONS.join(" and ")
        )));
    }
    let fixed = Fixed {
        description: request["connectorDescription"].as_str().map(str::to_owned),
        kafka_cluster: request["kafkaCluster"].clone(),
        authentication: text("/kafkaClusterClientAuthentication/authenticationType"),
        encryption: text("/kafkaClusterEncryptionInTransit/encryptionType"),
        kafka_connect_version,
        log_delivery: request.get("logDelivery").cloned(),
        network_type: request["networkType"].as_str().unwrap_or("IPV4").to_owned(),
        role: text("/serviceExecutionRoleArn"),
    };
    if fixed.authentication == "IAM" && fixed.encryption != "TLS" {
        return Err(bad_request(
            "Invalid parameter kafkaClusterEncryptionInTransit: IAM authentication needs encryption in transit by TLS.",
        ));
    }
    check_network(request)?;
    check_log_delivery(request)?;
    Ok(fixed)
}

fn check_network(request: &Value) -> Result<(), Refusal> {
    let vpc = &request["kafkaCluster"]["apacheKafkaCluster"]["vpc"];
    for (member, prefix) in [("subnets", "subnet-"), ("securityGroups", "sg-")] {
        let ids: Vec<&str> = vpc[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if ids.is_empty() {
            return Err(bad_request(format!("Invalid parameter {member}: specify at least one.")));
        }
        if let Some(wrong) = ids.iter().find(|id| !id.starts_with(prefix)) {
            return Err(bad_request(format!(
                "Invalid parameter {member}: expected ids like {prefix}0a1b…, got '{wrong}'."
            )));
        }
    }
    Ok(())
}

fn check_log_delivery(request: &Value) -> Result<(), Refusal> {
    for (destination, member) in [("cloudWatchLogs", "logGroup"), ("firehose", "deliveryStream"), ("s3", "bucket")] {
        let delivery = &request["logDelivery"]["workerLogDelivery"][destination];
        let named = delivery[member].as_str().is_some_and(|name| !name.is_empty());
        if delivery["enabled"] == json!(true) && !named {
            return Err(bad_request(format!(
                "Invalid parameter logDelivery: {destination} is enabled and needs {member}."
            )));
        }
    }
    Ok(())
}

/// Refuses a role that can't be one at once. Whether it trusts MSK Connect shows only later, when it is assumed; a role
/// that IAM hasn't made known everywhere yet can't be looked at, so that is told at once too.
pub(super) fn check_role(world: &World, connector: &Connector) -> Result<(), Refusal> {
    let role = &connector.fixed.role;
    let invalid = |why: &str| bad_request(format!("Invalid parameter serviceExecutionRoleArn: {why}"));
    let name = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    match name {
        Some((_, name)) if name.starts_with("aws-service-role/") => {
            return Err(invalid("A service linked role ARN cannot be provided as service execution role ARN."));
        }
        Some((ACCOUNT, name)) if !name.is_empty() => {}
        _ => return Err(invalid(&format!("expected arn:aws:iam::{ACCOUNT}:role/NAME, got '{role}'."))),
    }
    match iam::service_may_assume(world, role, SERVICE, ACCOUNT, &connector.arn) {
        Assumption::Allowed | Assumption::NotTrusted => Ok(()),
        Assumption::NoSuchRole => Err(invalid(&format!("The role {role} doesn't exist."))),
        Assumption::NotYet => Err(invalid(&format!("The role {role} cannot be assumed by {SERVICE}."))),
    }
}

/// Refuses a connector for which there is no room: its name is taken, a quota is used up, or what it uses isn't there.
fn check_room(transaction: &Transaction<'_>, connector: &Connector) -> Result<(), Refusal> {
    let others = others(transaction, connector);
    if others.iter().any(|other| other.name == connector.name) {
        return Err(arn::name_taken(Kind::Connector, &connector.name));
    }
    check_used(transaction, &connector.condition.settings)?;
    check_workers(&others, &connector.condition.settings)
}

/// The other connectors of a connector's region.
pub(super) fn others(transaction: &Transaction<'_>, connector: &Connector) -> Vec<Connector> {
    let all = things::all::<Connector>(transaction, &connector.region).into_iter().map(|(other, _)| other);
    all.filter(|other| other.arn != connector.arn).collect()
}

/// Refuses more workers than the quota, given the other connectors.
pub(super) fn check_workers(others: &[Connector], settings: &Settings) -> Result<(), Refusal> {
    let workers =
        |connector: &Connector| connector.at(now()).map_or(0, |(_, condition)| condition.settings.capacity.workers());
    let total: usize = others.iter().map(workers).sum();
    if total + settings.capacity.workers() > WORKER_QUOTA {
        return Err(arn::quota_reached("Maximum connect workers", WORKER_QUOTA));
    }
    Ok(())
}

/// Refuses a plugin or worker configuration that isn't there to be used.
pub(super) fn check_used(transaction: &Transaction<'_>, settings: &Settings) -> Result<(), Refusal> {
    let plugin = &settings.plugin;
    let (_, state) = things::find::<Plugin>(transaction, &plugin.arn)?;
    if state != "ACTIVE" {
        return Err(bad_request(format!("The custom plugin {} must be ACTIVE; it is {state}.", plugin.arn)));
    }
    check_revision(plugin)?;
    let Some(configuration) = &settings.worker_configuration else { return Ok(()) };
    let (_, state) = things::find::<WorkerConfiguration>(transaction, &configuration.arn)?;
    if state != "ACTIVE" {
        return Err(bad_request(format!("The worker configuration {} is {state}.", configuration.arn)));
    }
    check_revision(configuration)
}

/// Neither plugins nor worker configurations ever get a second revision.
fn check_revision(used: &Used) -> Result<(), Refusal> {
    if used.revision == 1 {
        return Ok(());
    }
    Err(crate::sandbox::rest_json::not_found(format!("{} has no revision {}.", used.arn, used.revision)))
}
