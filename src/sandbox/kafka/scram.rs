//! The secrets of clients that log in with SASL/SCRAM
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html>): which ones a cluster is
//! associated with, and what passwords they give.
//!
//! `InvalidSecretArn` and its sentences about names and access are AWS's (seen in aws-controllers-k8s/community's issue
//! 2546 and aws/aws-cdk's issue 34794). AWS documents no other codes; what else is wrong with a secret is told with it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::access;
use super::clusters::{self, Cluster, Kind};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, check, required};
use crate::sandbox::rest_json::{bad_request, path_value};
use crate::sandbox::secretsmanager;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, World};

/// What the names of secrets must begin with.
const PREFIX: &str = "AmazonMSK_";
/// The most secrets that one call names
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-limitations.html>).
const MOST: usize = 10;
const PAGE_SIZE: usize = 100;

const SECRETS: &[Member] = &[required("secretArnList", Shape::List(&TEXT))];

/// The associations of a cluster are a table of their own, by the ARNs of the secrets.
fn table(cluster: &Cluster) -> String {
    format!("kafka.scram-secrets {}", cluster.arn)
}

/// What a secret's value is.
#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    fn of(secret: &secretsmanager::Found) -> Option<Self> {
        let credentials: Self = serde_json::from_str(secret.text.as_deref()?).ok()?;
        (!credentials.username.is_empty() && !credentials.password.is_empty()).then_some(credentials)
    }
}

/// The password that the secrets of a cluster give for a user at present.
pub(crate) fn scram_password(world: &World, cluster: &Cluster, user: &str) -> Option<String> {
    world.store.read(|transaction| {
        let arns = transaction.list::<Value>(&table(cluster)).into_iter().map(|(arn, _)| arn);
        let mut credentials = arns.filter_map(|arn| Credentials::of(&secretsmanager::find(transaction, &arn)?));
        credentials.find(|credentials| credentials.username == user).map(|credentials| credentials.password)
    })
}

/// Removes the associations of a cluster that goes away.
pub(super) fn forget(transaction: &mut Transaction<'_>, cluster: &Cluster) {
    let table = table(cluster);
    for (arn, _) in transaction.list::<Value>(&table) {
        transaction.delete(&table, &arn);
    }
}

pub(super) fn associate(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    each(world, path, call, |transaction, cluster, arn| match fault(transaction, cluster, arn) {
        Some(fault) => Err(fault),
        None => Ok(transaction.put(&table(cluster), arn, &json!({}))?),
    })
}

pub(super) fn disassociate(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    each(world, path, call, |transaction, cluster, arn| {
        if transaction.get::<Value>(&table(cluster), arn).is_none() {
            return Err(Fault("The provided secret isn't associated with the cluster.".to_owned()));
        }
        transaction.delete(&table(cluster), arn);
        Ok(())
    })
}

pub(super) fn list(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let arn = path_value(path, "clusterArn");
    let page = Page::of(call, format!("ListScramSecrets {arn}"), PAGE_SIZE)?;
    let secrets = world.store.read(|transaction| {
        let (cluster, _) = clusters::find(transaction, arn)?;
        let Kind::Provisioned { .. } = cluster.kind else { return Err(clusters::serverless()) };
        Ok(transaction.list::<Value>(&table(&cluster)))
    })?;
    let secrets = secrets.into_iter().map(|(arn, _)| (arn.clone(), Value::String(arn)));
    Ok(Reply::json(&page.reply("secretArnList", secrets)))
}

/// Why one of several secrets is left unprocessed.
struct Fault(String);

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Does something with each secret of a call, and answers which of them it could not be done with.
fn each(
    world: &World,
    path: &PathValues,
    call: &Call,
    work: impl Fn(&mut Transaction<'_>, &Cluster, &str) -> Result<(), Fault>,
) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, SECRETS)?;
    let secrets: Vec<&str> =
        request["secretArnList"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !(1..=MOST).contains(&secrets.len()) {
        let message = format!("Specify from 1 to {MOST} secrets in a call, got {}.", secrets.len());
        return Err(bad_request(message).at_parameter("secretArnList"));
    }
    let arn = path_value(path, "clusterArn");
    world.store.transact(|transaction| {
        let cluster = with_scram(transaction, arn)?;
        let mut unprocessed = Vec::new();
        for secret in secrets {
            if let Err(Fault(message)) = work(transaction, &cluster, secret) {
                unprocessed.push(json!({
                    "secretArn": secret, "errorCode": "InvalidSecretArn", "errorMessage": message}));
            }
        }
        Ok(Reply::json(&json!({"clusterArn": arn, "unprocessedScramSecrets": unprocessed})))
    })
}

/// The cluster of an ARN, where clients can log in to it with SCRAM.
fn with_scram(transaction: &Transaction<'_>, arn: &str) -> Result<Cluster, Refusal> {
    let (cluster, state) = clusters::find(transaction, arn)?;
    let Kind::Provisioned { settings, .. } = &cluster.kind else { return Err(clusters::serverless()) };
    if !clusters::answers(state) {
        return Err(bad_request(format!("The cluster must be ACTIVE; it is {state}.")).at_parameter("clusterArn"));
    }
    if !access::enables(settings, "sasl/scram") {
        let message = "SASL/SCRAM authentication isn't turned on for the cluster. Turn it on with UpdateSecurity.";
        return Err(bad_request(message).at_parameter("clusterArn"));
    }
    Ok(cluster)
}

/// Why a cluster can't use a secret.
fn fault(transaction: &Transaction<'_>, cluster: &Cluster, arn: &str) -> Option<Fault> {
    let own = format!("arn:aws:secretsmanager:{}:{ACCOUNT}:secret:", cluster.region);
    let fault = |message: &str| Some(Fault(message.to_owned()));
    let Some(name) = arn.strip_prefix(&own) else {
        return fault("The provided secret must be in the account and the Region of the cluster.");
    };
    if !name.starts_with(PREFIX) {
        let message = "The provided secret arn cannot be used with Amazon MSK. Secret names must have the prefix";
        return fault(&format!("{message} '{PREFIX}'"));
    }
    let Some(secret) = secretsmanager::find(transaction, arn) else {
        return fault("Amazon MSK wasn't able to access the provided secret.");
    };
    if !secret.has_own_key {
        return fault(
            "The provided secret is encrypted with the default key. You can't use this secret with Amazon MSK: name a key of your own as its KmsKeyId.",
        );
    }
    if Credentials::of(&secret).is_none() {
        return fault(
            "The value of the provided secret isn't what Amazon MSK expects: {\"username\": \"NAME\", \"password\": \"PASSWORD\"}.",
        );
    }
    None
}

#[cfg(test)]
mod tests;
