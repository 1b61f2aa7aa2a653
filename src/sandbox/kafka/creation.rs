//! How clusters come to be by CreateClusterV2.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::clusters::{self, Cluster, Kind, TABLE};
use super::{access, versions};
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::rest_json::shape::{INTEGER, Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{Tags, bad_request, tags_of, unique_suffix, version};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis, World, now};

const ENABLED: Shape = Shape::Object(&[optional("enabled", Shape::Flag)]);
const TEXTS: Shape = Shape::List(&TEXT);

pub(super) const CONNECTIVITY: Shape = Shape::Object(&[
    optional("publicAccess", Shape::Object(&[optional("type", Shape::OneOf(&["DISABLED", "SERVICE_PROVIDED_EIPS"]))])),
    optional("networkType", Shape::OneOf(&["IPV4", "DUAL"])),
]);

const STORAGE: Shape = Shape::Object(&[optional(
    "ebsStorageInfo",
    Shape::Object(&[
        optional("volumeSize", Shape::Whole { min: 1, max: 16384 }),
        optional(
            "provisionedThroughput",
            Shape::Object(&[optional("enabled", Shape::Flag), optional("volumeThroughput", INTEGER)]),
        ),
    ]),
)]);

const BROKER_GROUP: Shape = Shape::Object(&[
    optional("brokerAZDistribution", Shape::OneOf(&["DEFAULT"])),
    required("clientSubnets", TEXTS),
    required("instanceType", Shape::Text { min: 5, max: 32 }),
    optional("securityGroups", TEXTS),
    optional("storageInfo", STORAGE),
    optional("connectivityInfo", CONNECTIVITY),
]);

pub(super) const AUTHENTICATION: Shape = Shape::Object(&[
    optional("sasl", Shape::Object(&[optional("scram", ENABLED), optional("iam", ENABLED)])),
    optional("tls", Shape::Object(&[optional("certificateAuthorityArnList", TEXTS), optional("enabled", Shape::Flag)])),
    optional("unauthenticated", ENABLED),
]);

pub(super) const ENCRYPTION: Shape = Shape::Object(&[
    optional("encryptionAtRest", Shape::Object(&[required("dataVolumeKMSKeyId", TEXT)])),
    optional(
        "encryptionInTransit",
        Shape::Object(&[
            optional("clientBroker", Shape::OneOf(&["TLS", "TLS_PLAINTEXT", "PLAINTEXT"])),
            optional("inCluster", Shape::Flag),
        ]),
    ),
]);

const PROVISIONED: &[Member] = &[
    required("brokerNodeGroupInfo", BROKER_GROUP),
    optional("clientAuthentication", AUTHENTICATION),
    optional(
        "configurationInfo",
        Shape::Object(&[required("arn", TEXT), required("revision", Shape::Whole { min: 1, max: i64::MAX })]),
    ),
    optional("encryptionInfo", ENCRYPTION),
    optional(
        "enhancedMonitoring",
        Shape::OneOf(&["DEFAULT", "PER_BROKER", "PER_TOPIC_PER_BROKER", "PER_TOPIC_PER_PARTITION"]),
    ),
    optional("openMonitoring", Shape::Object(&[])),
    required("kafkaVersion", Shape::Text { min: 1, max: 128 }),
    optional("loggingInfo", Shape::Object(&[required("brokerLogs", Shape::Object(&[]))])),
    required("numberOfBrokerNodes", Shape::Whole { min: 1, max: 15 }),
    optional("storageMode", Shape::OneOf(&["LOCAL", "TIERED"])),
];

const VPC: Shape = Shape::Object(&[required("subnetIds", TEXTS), optional("securityGroupIds", TEXTS)]);

const SERVERLESS: &[Member] = &[
    required("vpcConfigs", Shape::List(&VPC)),
    optional("clientAuthentication", Shape::Object(&[optional("sasl", Shape::Object(&[optional("iam", ENABLED)]))])),
];

const CREATE: &[Member] = &[
    required("clusterName", Shape::Text { min: 1, max: 64 }),
    optional("tags", Shape::Map),
    optional("provisioned", Shape::Object(PROVISIONED)),
    optional("serverless", Shape::Object(SERVERLESS)),
];

pub(super) fn create(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["clusterName"].as_str().unwrap_or_default();
    check_name(name)?;
    let kind = match (request.get("provisioned"), request.get("serverless")) {
        (Some(provisioned), None) => provisioned_of(provisioned, &call.region)?,
        (None, Some(serverless)) => serverless_of(serverless)?,
        _ => return Err(bad_request("Specify exactly one of provisioned and serverless.").at_parameter("provisioned")),
    };
    let cluster = new(name, &call.region, kind, tags_of(&request)?, world.settled_at());
    world.store.transact(|transaction| {
        sweep(transaction);
        if clusters::all(transaction, &call.region).iter().any(|(other, _)| other.name == name) {
            return Err(name_taken(name));
        }
        transaction.put(TABLE, &cluster.arn, &cluster)?;
        Ok(())
    })?;
    let kind = if matches!(cluster.kind, Kind::Provisioned { .. }) { "PROVISIONED" } else { "SERVERLESS" };
    Ok(Reply::json(&json!({"clusterArn": cluster.arn, "clusterName": name, "clusterType": kind, "state": "CREATING"})))
}

/// A cluster of that kind, with an ARN of its own, which is CREATING until `settled`.
pub(super) fn new(name: &str, region: &str, kind: Kind, tags: Tags, settled: Millis) -> Cluster {
    Cluster {
        arn: format!("arn:aws:kafka:{region}:{ACCOUNT}:cluster/{name}/{}", unique_suffix()),
        name: name.to_owned(),
        region: region.to_owned(),
        created: now(),
        settled,
        gone: None,
        version: version(),
        tags,
        kind,
        update: None,
        elsewhere: BTreeMap::new(),
    }
}

fn name_taken(name: &str) -> Refusal {
    Refusal::new(409, "ConflictException", format!("A resource with the name {name} already exists."))
        .at_parameter("clusterName")
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '-');
    if fits {
        return Ok(());
    }
    Err(bad_request(format!(
        "A cluster's name has letters, digits and hyphens, and begins with a letter or digit: got '{name}'."
    ))
    .at_parameter("clusterName"))
}

pub(super) fn provisioned_of(request: &Value, region: &str) -> Result<Kind, Refusal> {
    let group = &request["brokerNodeGroupInfo"];
    let kafka_version = request["kafkaVersion"].as_str().unwrap_or_default().to_owned();
    if !versions::is_offered(&kafka_version) {
        return Err(bad_request(format!(
            "Unsupported KafkaVersion [{kafka_version}]. Valid values: see ListKafkaVersions."
        ))
        .at_parameter("kafkaVersion"));
    }
    let subnets = group["clientSubnets"].as_array().map_or(0, Vec::len);
    if !(2..=3).contains(&subnets) {
        return Err(bad_request("Specify either two or three client subnets, each in another Availability Zone.")
            .at_parameter("clientSubnets"));
    }
    let brokers = request["numberOfBrokerNodes"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    if !(brokers as usize).is_multiple_of(subnets) {
        return Err(bad_request(
            "The number of broker nodes must be a multiple of Availability Zones in the client subnets.",
        )
        .at_parameter("numberOfBrokerNodes"));
    }
    let instance = group["instanceType"].as_str().unwrap_or_default();
    if !instance.starts_with("kafka.") && !instance.starts_with("express.") {
        return Err(bad_request(format!("Unsupported InstanceType [{instance}].")).at_parameter("instanceType"));
    }
    access::check_encryption(request)?;
    if access::is_public(request) {
        // https://docs.aws.amazon.com/msk/latest/developerguide/public-access.html
        return Err(bad_request(
            "Public access can only be turned on for a cluster that exists, by UpdateConnectivity.",
        )
        .at_parameter("publicAccess"));
    }
    Ok(Kind::Provisioned { kafka_version, brokers, settings: settings_of(request, region) })
}

/// The description's members that the request decides, with MSK's defaults for those that it leaves out.
fn settings_of(request: &Value, region: &str) -> Value {
    let mut settings = json!({
        "brokerNodeGroupInfo": {
            "brokerAZDistribution": "DEFAULT",
            "securityGroups": [DEFAULT_SECURITY_GROUP],
            "storageInfo": {"ebsStorageInfo": {"volumeSize": 100}},
            "connectivityInfo": {"publicAccess": {"type": "DISABLED"}, "networkType": "IPV4"},
        },
        "encryptionInfo": {
            "encryptionAtRest": {"dataVolumeKMSKeyId": format!("arn:aws:kms:{region}:{ACCOUNT}:key/{KEY}")},
            "encryptionInTransit": {"clientBroker": "TLS", "inCluster": true},
        },
        "enhancedMonitoring": "DEFAULT",
        "storageMode": "LOCAL",
        "customerActionStatus": "NONE",
    });
    for member in [
        "brokerNodeGroupInfo",
        "clientAuthentication",
        "encryptionInfo",
        "enhancedMonitoring",
        "openMonitoring",
        "loggingInfo",
        "storageMode",
    ] {
        if let Some(value) = request.get(member) {
            merge(&mut settings[member], value);
        }
    }
    // Who asks for no authentication at all gets unauthenticated access.
    if settings.get("clientAuthentication").is_none() {
        settings["clientAuthentication"] = json!({"unauthenticated": {"enabled": true}});
    }
    settings
}

/// Lays `over` on `base`: structures are merged, everything else is replaced.
pub(super) fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

pub(super) fn serverless_of(request: &Value) -> Result<Kind, Refusal> {
    let vpcs = request["vpcConfigs"].as_array().cloned().unwrap_or_default();
    if vpcs.is_empty() || vpcs.iter().any(|vpc| vpc["subnetIds"].as_array().is_none_or(|subnets| subnets.len() < 2)) {
        return Err(bad_request(
            "A serverless cluster needs a VPC with at least two subnets in different Availability Zones.",
        )
        .at_parameter("vpcConfigs"));
    }
    let settings = json!({"vpcConfigs": vpcs, "clientAuthentication": {"sasl": {"iam": {"enabled": true}}}});
    Ok(Kind::Serverless { settings })
}

/// The key that MSK makes for an account that names none.
const KEY: &str = "0a5b0c5d-0e5f-4000-8000-000000000001";
pub(super) const DEFAULT_SECURITY_GROUP: &str = "sg-0a5b0c5d0e5f00001";
/// Removes what was deleted and is gone.
pub(super) fn sweep(transaction: &mut Transaction<'_>) {
    let now = now();
    for (arn, cluster) in transaction.list::<Cluster>(TABLE) {
        if cluster.state(now).is_none() {
            transaction.delete(TABLE, &arn);
        }
    }
}
