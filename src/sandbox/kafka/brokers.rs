//! Brokers: the addresses at which clients reach a cluster, and its nodes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::clusters::{self, Cluster, Kind};
use super::{access, topics, versions};
use crate::sandbox::authority::ClientCertificates;
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::{iso8601, path_value};
use crate::sandbox::world::{World, now};

/// A bootstrap string names three brokers, however many there are.
const BOOTSTRAP_BROKERS: usize = 3;
const PAGE_SIZE: usize = 10;

/// A way to reach a cluster's brokers. The public ones are for clients outside of the cluster's VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Listener {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS, without authentication or with certificates.
    Tls,
    /// SASL/SCRAM over TLS.
    Scram,
    /// IAM over TLS.
    Iam,
    /// TLS with certificates, for everybody who can reach the brokers.
    PublicTls,
    /// SASL/SCRAM over TLS, likewise.
    PublicScram,
    /// IAM over TLS, likewise.
    PublicIam,
}

impl Listener {
    const ALL: [Self; 7] =
        [Self::Plaintext, Self::Tls, Self::Scram, Self::Iam, Self::PublicTls, Self::PublicScram, Self::PublicIam];

    /// The member of GetBootstrapBrokers' reply.
    fn member(self) -> &'static str {
        match self {
            Self::Plaintext => "bootstrapBrokerString",
            Self::Tls => "bootstrapBrokerStringTls",
            Self::Scram => "bootstrapBrokerStringSaslScram",
            Self::Iam => "bootstrapBrokerStringSaslIam",
            Self::PublicTls => "bootstrapBrokerStringPublicTls",
            Self::PublicScram => "bootstrapBrokerStringPublicSaslScram",
            Self::PublicIam => "bootstrapBrokerStringPublicSaslIam",
        }
    }

    /// What it is called where people read it, and in the names of its ports.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "tls",
            Self::Scram => "scram",
            Self::Iam => "iam",
            Self::PublicTls => "public-tls",
            Self::PublicScram => "public-scram",
            Self::PublicIam => "public-iam",
        }
    }

    /// The listeners that a cluster's authentication, encryption and public access open.
    pub(crate) fn of(cluster: &Cluster) -> Vec<Self> {
        let settings = match &cluster.kind {
            Kind::Serverless { .. } => return vec![Self::Iam],
            Kind::Provisioned { settings, .. } => settings,
        };
        let enabled = |method| access::enables(settings, method);
        let in_transit = access::in_transit(settings);
        let is_public = access::is_public(settings);
        let is_open = |listener: &Self| match listener {
            Self::Plaintext => in_transit != Some("TLS") && enabled("unauthenticated"),
            Self::Tls => in_transit != Some("PLAINTEXT") && (enabled("unauthenticated") || enabled("tls")),
            Self::Scram => enabled("sasl/scram"),
            Self::Iam => enabled("sasl/iam"),
            Self::PublicTls => is_public && enabled("tls"),
            Self::PublicScram => is_public && enabled("sasl/scram"),
            Self::PublicIam => is_public && enabled("sasl/iam"),
        };
        Self::ALL.into_iter().filter(is_open).collect()
    }
}

/// Whether the TLS listener of a cluster asks clients for certificates. One of clusters that take unauthenticated clients
/// too takes those that have none.
pub(crate) fn client_certificates(cluster: &Cluster) -> ClientCertificates {
    match &cluster.kind {
        Kind::Provisioned { settings, .. } if access::enables(settings, "tls") => {
            if access::enables(settings, "unauthenticated") {
                ClientCertificates::Requested
            } else {
                ClientCertificates::Required
            }
        }
        Kind::Provisioned { .. } | Kind::Serverless { .. } => ClientCertificates::Unasked,
    }
}

/// Where a broker listens on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokerAddress {
    /// Counted from 1.
    pub(crate) id: i32,
    /// On the loopback interface.
    pub(crate) port: u16,
}

/// Where a cluster's brokers listen in one way, whether that way is open or not. Broker N of a listener has the port that
/// the sandbox keeps under the name `broker-LISTENER-N-REGION-CLUSTER`.
///
/// # Errors
/// Where no port is to be had.
pub(crate) fn addresses(world: &World, cluster: &Cluster, listener: Listener) -> Result<Vec<BrokerAddress>, Refusal> {
    let address = |id: u32| {
        let name = format!("broker-{}-{id}-{}-{}", listener.label(), cluster.region, cluster.name);
        world.port(&name).map(|port| BrokerAddress { id: id as i32, port })
    };
    (1..=topics::brokers(cluster)).map(address).collect()
}

/// The bootstrap strings of a cluster, by listener: real addresses of this machine, or those of the brokers elsewhere that
/// it was declared with.
///
/// # Errors
/// Where no port is to be had.
pub(crate) fn bootstrap(world: &World, cluster: &Cluster) -> Result<Vec<(Listener, String)>, Refusal> {
    if !cluster.has_own_brokers() {
        return Ok(cluster.elsewhere.iter().map(|(listener, addresses)| (*listener, addresses.clone())).collect());
    }
    let most = match &cluster.kind {
        Kind::Provisioned { .. } => BOOTSTRAP_BROKERS,
        // One name that stands for them all.
        Kind::Serverless { .. } => 1,
    };
    let text = |listener: Listener| {
        let addresses = addresses(world, cluster, listener)?.into_iter().take(most);
        let texts: Vec<String> = addresses.map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
        Ok((listener, texts.join(",")))
    };
    Listener::of(cluster).into_iter().map(text).collect()
}

/// The cluster of a region, of those whose brokers answer, that listens at every one of some addresses, and the listener.
///
/// # Errors
/// Where no port is to be had.
pub(crate) fn cluster_behind(
    world: &World,
    region: &str,
    servers: &str,
) -> Result<Option<(Cluster, Listener)>, Refusal> {
    for (cluster, state) in clusters::clusters(world, region) {
        if !clusters::answers(state) {
            continue;
        }
        for (listener, addresses) in bootstrap(world, &cluster)? {
            let known: Vec<&str> = addresses.split(',').collect();
            if servers.split(',').all(|server| known.contains(&server.trim())) {
                return Ok(Some((cluster, listener)));
            }
        }
    }
    Ok(None)
}

pub(super) fn get_bootstrap_brokers(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "clusterArn");
    let (cluster, state) = world.store.read(|transaction| clusters::find(transaction, arn))?;
    if !clusters::answers(state) {
        let message = format!("Bootstrap brokers can't be told while the cluster is {state}.");
        return Err(Refusal::new(409, "ConflictException", message));
    }
    let strings: Map<String, Value> = bootstrap(world, &cluster)?
        .into_iter()
        .map(|(listener, addresses)| (listener.member().to_owned(), Value::String(in_another_order(&addresses))))
        .collect();
    Ok(Reply::json(&strings))
}

/// MSK names brokers in another order each time.
fn in_another_order(addresses: &str) -> String {
    let mut addresses: Vec<&str> = addresses.split(',').collect();
    let count = addresses.len();
    addresses.rotate_left(now() as usize % count);
    addresses.join(",")
}

pub(super) fn list_nodes(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let arn = path_value(path, "clusterArn");
    let (cluster, _) = world.store.read(|transaction| clusters::find(transaction, arn))?;
    let Kind::Provisioned { kafka_version, brokers, settings } = &cluster.kind else {
        return Err(clusters::serverless());
    };
    let page = Page::of(call, format!("ListNodes {arn}"), PAGE_SIZE)?;
    let mut nodes: Vec<(String, Value)> = (1..=*brokers)
        .map(|id| (format!("broker-{id:02}"), broker_node(&cluster, kafka_version, settings, id)))
        .collect();
    // MSK lists what keeps the metadata too: a client that counts brokers has to look at what each node is.
    nodes.extend((1..=3).map(|id| (format!("metadata-{id:02}"), metadata_node(&cluster, kafka_version, id))));
    Ok(Reply::json(&page.reply("nodeInfoList", nodes)))
}

fn broker_node(cluster: &Cluster, kafka_version: &str, settings: &Value, id: u32) -> Value {
    let group = &settings["brokerNodeGroupInfo"];
    let subnets: Vec<&str> =
        group["clientSubnets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let subnet = subnets.get((id as usize - 1) % subnets.len().max(1)).copied().unwrap_or_default();
    json!({
        "addedToClusterTime": iso8601(cluster.created),
        "brokerNodeInfo": {
            "attachedENIId": format!("eni-0a5b0c5d0e5f{id:05x}"),
            "brokerId": f64::from(id),
            "clientSubnet": subnet,
            "clientVpcIpAddress": format!("10.0.{id}.10"),
            "currentBrokerSoftwareInfo": {"kafkaVersion": kafka_version},
            "endpoints": ["127.0.0.1"],
        },
        "instanceType": group["instanceType"],
        "nodeARN": cluster.arn_of("broker", &format!("node-{id}")),
        "nodeType": "BROKER",
    })
}

fn metadata_node(cluster: &Cluster, kafka_version: &str, id: u32) -> Value {
    let host = |letter: char| {
        let uuid: String = cluster.uuid().chars().take(6).collect();
        format!("{letter}-{id}.{}.{uuid}.c2.kafka.{}.amazonaws.com", cluster.name, cluster.region)
    };
    if versions::is_kraft(kafka_version) {
        return json!({"controllerNodeInfo": {"endpoints": [host('c')]}});
    }
    json!({"zookeeperNodeInfo": {
        "attachedENIId": format!("eni-0a5b0c5d0e60{id:05x}"),
        "clientVpcIpAddress": format!("10.0.{id}.20"),
        "endpoints": [host('z')],
        "zookeeperId": f64::from(id),
        "zookeeperVersion": "3.5.8",
    }})
}
