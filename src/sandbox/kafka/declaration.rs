//! The cluster of a manifest, declared by a private call: it exists then, ACTIVE, in the shape that it is told to have.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::brokers::Listener;
use super::clusters::{self, Cluster, Kind, TABLE, Update};
use super::creation::{DEFAULT_SECURITY_GROUP, check_name, new, provisioned_of, serverless_of, sweep};
use super::{access, versions};
use crate::sandbox::call::Refusal;
use crate::sandbox::rest_json::{Tags, bad_request, version};
use crate::sandbox::world::{ACCOUNT, World, now};

/// The version of Kafka of a cluster that isn't told another.
const DEFAULT_VERSION: &str = "3.8.x";
const SUBNETS: [&str; 3] = ["subnet-0a5b0c5d0e5f0000a", "subnet-0a5b0c5d0e5f0000b", "subnet-0a5b0c5d0e5f0000c"];
/// The private certificate authority that clients' certificates are said to be from. There is none behind it.
const AUTHORITY: &str = "0a5b0c5d-0e5f-4000-8000-000000000002";

/// What a cluster is to be. Whatever isn't given is as it was, or, in a new cluster, by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declaration {
    /// The name of the cluster, or else its ARN.
    pub(crate) name: Option<String>,
    pub(crate) arn: Option<String>,
    /// Where it is, if it is named; an ARN says it by itself.
    pub(crate) region: String,
    /// One that MSK offers. A cluster that has another takes this one on, and keeps its topics. By default `3.8.x`.
    pub(crate) kafka_version: Option<String>,
    /// Whether it is one of MSK Serverless. By default it is a provisioned one.
    pub(crate) serverless: Option<bool>,
    /// Who may reach it. By default clients in its VPC.
    pub(crate) access: Option<Access>,
    /// The bootstrap strings of brokers that run elsewhere, by listener: the sandbox tells these, and no others, and runs
    /// no brokers of its own. None: it runs its own again. By default it does.
    pub(crate) bootstrap_brokers: Option<BTreeMap<Listener, String>>,
}

/// Which clients may reach a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// Those in its VPC. A cluster that was public isn't any more, and has no other way to authenticate for that.
    Private,
    /// Everybody, encrypted and authenticated: unauthenticated access and plaintext are turned off.
    Public,
}

/// Makes sure that a cluster exists, is ACTIVE, and is as it is declared. Answers its description, as DescribeClusterV2's
/// `clusterInfo` has it. Declaring the same again changes nothing.
///
/// # Errors
/// 400 where there is no such cluster on AWS; 409 where the name belongs to a cluster with another ARN, or to one that is
/// provisioned and should be serverless, or the reverse.
pub(crate) fn declare_cluster(world: &World, declaration: &Declaration) -> Result<Value, Refusal> {
    declaration.check()?;
    let declared = declaration.fresh()?;
    world.store.transact(|transaction| {
        sweep(transaction);
        let mut others = clusters::all(transaction, &declared.region).into_iter();
        let mut cluster = match others.find(|(other, _)| other.name == declared.name) {
            // One that is on its way out doesn't come back: a new one takes its place.
            Some((other, "DELETING")) => {
                transaction.delete(TABLE, &other.arn);
                declared
            }
            Some((other, _)) if declaration.arn.as_ref().is_some_and(|arn| *arn != other.arn) => {
                return Err(other_arn(&other));
            }
            Some((other, _)) => settled(other),
            None => declared,
        };
        declaration.shape(&mut cluster)?;
        transaction.put(TABLE, &cluster.arn, &cluster)?;
        Ok(cluster.describe())
    })
}

/// The cluster when what was under way has come to its end.
fn settled(mut cluster: Cluster) -> Cluster {
    cluster.settled = cluster.settled.min(now());
    if let Some(Update { kind, version, .. }) = cluster.update.take() {
        cluster.kind = kind;
        cluster.version = version;
    }
    cluster
}

impl Declaration {
    /// A cluster of a name, of which nothing else is said.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), region: "us-east-1".to_owned(), ..Self::default() }
    }

    /// Refuses what no cluster can be.
    fn check(&self) -> Result<(), Refusal> {
        if self.serverless == Some(true) {
            let given = [
                (self.kafka_version.is_some(), "kafka_version", "its Kafka version can't be chosen"),
                (self.access == Some(Access::Public), "access", "it can't be reached from outside of its VPC"),
                (self.bootstrap_brokers.is_some(), "bootstrap_brokers", "its brokers are the sandbox's"),
            ];
            if let Some((_, key, why)) = given.into_iter().find(|(is_given, ..)| *is_given) {
                let message = format!("{key} doesn't go with serverless: {why}. Leave out one of the two.");
                return Err(bad_request(message).at_parameter(key));
            }
        }
        if let Some(version) = self.kafka_version.as_deref().filter(|version| !versions::is_offered(version)) {
            let nearest = versions::nearest(version);
            let message = format!("MSK offers no Kafka '{version}'; the nearest that it offers is {nearest}.");
            return Err(bad_request(message).at_parameter("kafka_version"));
        }
        let strings = self.bootstrap_brokers.iter().flatten();
        strings.map(|(_, servers)| servers).find(|servers| !are_addresses(servers)).map_or(Ok(()), |servers| {
            let message = format!("'{servers}' names no brokers: expected HOST:PORT, or several with commas between.");
            Err(bad_request(message).at_parameter("bootstrap_brokers"))
        })
    }

    /// The cluster as it is made where there is none.
    fn fresh(&self) -> Result<Cluster, Refusal> {
        let kind = |region: &str| if self.serverless == Some(true) { serverless() } else { provisioned(region) };
        let cluster = match (&self.name, &self.arn) {
            (Some(name), None) => new(name, &self.region, kind(&self.region)?, Tags::new(), now()),
            (None, Some(arn)) => {
                clusters::check_arn(arn)?;
                let region = arn.split(':').nth(3).unwrap_or_default();
                let name = arn.split('/').nth(1).unwrap_or_default();
                Cluster { arn: arn.clone(), ..new(name, region, kind(region)?, Tags::new(), now()) }
            }
            _ => return Err(bad_request("not a cluster: expected either name or arn")),
        };
        check_name(&cluster.name)?;
        Ok(cluster)
    }

    /// Whether it is to be serverless, where that is said or follows from what is.
    fn wants_serverless(&self) -> Option<bool> {
        let is_of_provisioned =
            self.kafka_version.is_some() || self.access == Some(Access::Public) || self.bootstrap_brokers.is_some();
        self.serverless.or_else(|| is_of_provisioned.then_some(false))
    }

    /// Makes a cluster what is declared.
    fn shape(&self, cluster: &mut Cluster) -> Result<(), Refusal> {
        let is_serverless = matches!(cluster.kind, Kind::Serverless { .. });
        if self.wants_serverless().is_some_and(|wanted| wanted != is_serverless) {
            return Err(other_kind(cluster, is_serverless));
        }
        if let Some(elsewhere) = &self.bootstrap_brokers {
            cluster.elsewhere.clone_from(elsewhere);
        }
        let mut kind = cluster.kind.clone();
        if let Kind::Provisioned { kafka_version, settings, .. } = &mut kind {
            if let Some(version) = &self.kafka_version {
                kafka_version.clone_from(version);
            }
            match self.access {
                Some(Access::Public) => access::open(settings),
                Some(Access::Private) => access::close(settings),
                None => {}
            }
            access::check(settings)?;
        }
        if cluster.kind != kind {
            cluster.kind = kind;
            cluster.version = version();
        }
        Ok(())
    }
}

/// Whether a text is a bootstrap string.
fn are_addresses(servers: &str) -> bool {
    let is_address = |server: &str| {
        let address = server.trim().rsplit_once(':');
        address.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    servers.split(',').all(is_address)
}

fn other_arn(other: &Cluster) -> Refusal {
    let Cluster { name, arn, .. } = other;
    let message = format!("The sandbox has a cluster {name} with the ARN {arn}; name it by that, or delete it first.");
    Refusal::new(409, "ConflictException", message)
}

fn other_kind(cluster: &Cluster, is_serverless: bool) -> Refusal {
    let (is, wanted) = if is_serverless { ("serverless", "provisioned") } else { ("provisioned", "serverless") };
    let message = format!(
        "The sandbox's cluster {} is {is}, and no cluster becomes {wanted}: choose another name for the cluster, or forget everything with `pipeline sandbox reset`.",
        cluster.name
    );
    Refusal::new(409, "ConflictException", message)
}

/// Three brokers that can be reached in every way that a connector or a client may want to.
fn provisioned(region: &str) -> Result<Kind, Refusal> {
    let authority = format!("arn:aws:acm-pca:{region}:{ACCOUNT}:certificate-authority/{AUTHORITY}");
    let request = json!({
        "kafkaVersion": DEFAULT_VERSION,
        "numberOfBrokerNodes": 3,
        "brokerNodeGroupInfo": {
            "clientSubnets": SUBNETS,
            "securityGroups": [DEFAULT_SECURITY_GROUP],
            "instanceType": "kafka.m7g.large",
        },
        "clientAuthentication": {
            "sasl": {"iam": {"enabled": true}, "scram": {"enabled": true}},
            "tls": {"certificateAuthorityArnList": [authority], "enabled": true},
            "unauthenticated": {"enabled": true},
        },
        "encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS_PLAINTEXT", "inCluster": true}},
    });
    provisioned_of(&request, region)
}

fn serverless() -> Result<Kind, Refusal> {
    serverless_of(&json!({"vpcConfigs": [{"subnetIds": SUBNETS, "securityGroupIds": [DEFAULT_SECURITY_GROUP]}]}))
}

#[cfg(test)]
mod tests;
