//! Updates of a provisioned cluster's security and connectivity. The cluster is UPDATING for a while, as it was before, and
//! its brokers answer all the time.

use serde_json::{Value, json};
use uuid::Uuid;

use super::access;
use super::clusters::{self, Kind, TABLE, Update};
use super::creation::{AUTHENTICATION, CONNECTIVITY, ENCRYPTION, merge};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, TEXT, check, optional, required};
use crate::sandbox::rest_json::{bad_request, path_value, version};
use crate::sandbox::world::World;

const CONNECTIVITY_UPDATE: &[Member] = &[required("connectivityInfo", CONNECTIVITY), required("currentVersion", TEXT)];

const SECURITY_UPDATE: &[Member] = &[
    optional("clientAuthentication", AUTHENTICATION),
    required("currentVersion", TEXT),
    optional("encryptionInfo", ENCRYPTION),
];

pub(super) fn update_connectivity(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CONNECTIVITY_UPDATE)?;
    update(world, path, &request, |settings| {
        merge(&mut settings["brokerNodeGroupInfo"]["connectivityInfo"], &request["connectivityInfo"]);
        Ok(())
    })
}

pub(super) fn update_security(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, SECURITY_UPDATE)?;
    update(world, path, &request, |settings| {
        let fixed = |settings: &Value| {
            let encryption = &settings["encryptionInfo"];
            (encryption["encryptionAtRest"].clone(), encryption["encryptionInTransit"]["inCluster"].clone())
        };
        let before = fixed(settings);
        for member in ["clientAuthentication", "encryptionInfo"] {
            if let Some(value) = request.get(member).filter(|value| !value.is_null()) {
                merge(&mut settings[member], value);
            }
        }
        if fixed(settings) == before {
            return Ok(());
        }
        let message = "Encryption at rest and within the cluster are chosen when a cluster is created.";
        Err(bad_request(message).at_parameter("encryptionInfo"))
    })
}

/// Begins an update of what `change` does to a cluster's settings.
fn update(
    world: &World,
    path: &PathValues,
    request: &Value,
    change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
) -> Result<Reply, Refusal> {
    let arn = path_value(path, "clusterArn");
    world.store.transact(|transaction| {
        let (mut cluster, state) = clusters::find(transaction, arn)?;
        let mut kind = cluster.kind.clone();
        let Kind::Provisioned { settings, .. } = &mut kind else { return Err(clusters::serverless()) };
        if state != "ACTIVE" {
            return Err(bad_request(format!("You can't update cluster {arn} while it is {state}.")));
        }
        clusters::check_version(&cluster, request["currentVersion"].as_str())?;
        change(settings)?;
        access::check(settings)?;
        if kind == cluster.kind {
            return Err(bad_request("The request doesn't change the cluster."));
        }
        cluster.update = Some(Update { settled: world.settled_at(), kind, version: version() });
        transaction.put(TABLE, arn, &cluster)?;
        let operation = cluster.arn_of("cluster-operation", &Uuid::new_v4().to_string());
        Ok(Reply::json(&json!({"clusterArn": arn, "clusterOperationArn": operation})))
    })
}
