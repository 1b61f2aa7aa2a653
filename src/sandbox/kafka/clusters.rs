//! Clusters: the record, its states, and describing, listing and deleting them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::brokers::Listener;
use super::{scram, versions};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::{Tags, bad_request, iso8601, not_found, path_value};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis, World, now};

/// Clusters by ARN.
pub(super) const TABLE: &str = "kafka.clusters";
const PAGE_SIZE: usize = 20;

/// A cluster, as it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(super) created: Millis,
    /// Until then it is CREATING.
    pub(super) settled: Millis,
    /// When it is gone, once it was deleted.
    pub(super) gone: Option<Millis>,
    /// What `currentVersion` says.
    pub(crate) version: String,
    pub(super) tags: Tags,
    pub(crate) kind: Kind,
    /// A change that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<Update>,
    /// The bootstrap strings of brokers that run elsewhere, by listener. Where there are any, the sandbox runs none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) elsewhere: BTreeMap<Listener, String>,
}

/// A change of a cluster. Until it has settled the cluster is UPDATING, and as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Update {
    pub(super) settled: Millis,
    /// What the cluster becomes, and what its `currentVersion` is then.
    pub(super) kind: Kind,
    pub(super) version: String,
}

/// The two types of clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Brokers that one can count.
    Provisioned {
        kafka_version: String,
        brokers: u32,
        /// The members of a description that creation decided, defaults filled in.
        settings: Value,
    },
    /// No brokers to see, IAM only; the settings as in a description.
    Serverless { settings: Value },
}

impl Cluster {
    /// `CREATING`, `ACTIVE`, `UPDATING`, `DELETING`; nothing once it is gone.
    pub(crate) fn state(&self, now: Millis) -> Option<&'static str> {
        match self.gone {
            Some(gone) if now >= gone => None,
            Some(_) => Some("DELETING"),
            None if now < self.settled => Some("CREATING"),
            None if self.update.as_ref().is_some_and(|update| now < update.settled) => Some("UPDATING"),
            None => Some("ACTIVE"),
        }
    }

    /// The cluster as a change has left it that has settled by then.
    fn at(mut self, now: Millis) -> Self {
        if let Some(Update { kind, version, .. }) = self.update.take_if(|update| now >= update.settled) {
            self.kind = kind;
            self.version = version;
        }
        self
    }

    /// Whether the sandbox runs its brokers; those of other clusters run elsewhere.
    pub(crate) fn has_own_brokers(&self) -> bool {
        self.elsewhere.is_empty()
    }

    /// The UUID with its number, at the end of the ARN.
    pub(crate) fn uuid(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// An ARN of something in this cluster: `kind` is `topic`, `group`, or another noun of MSK's authorisation.
    pub(crate) fn arn_of(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:kafka:{}:{ACCOUNT}:{kind}/{}/{}/{name}", self.region, self.name, self.uuid())
    }

    /// Its description as it is now; null once it is gone.
    pub(super) fn describe(&self) -> Value {
        self.state(now()).map_or(Value::Null, |state| self.describe_v2(state))
    }

    fn describe_v2(&self, state: &str) -> Value {
        let mut info = self.common(state);
        match &self.kind {
            Kind::Provisioned { .. } => {
                info.insert("clusterType".to_owned(), json!("PROVISIONED"));
                info.insert("provisioned".to_owned(), Value::Object(self.provisioned()));
            }
            Kind::Serverless { settings } => {
                info.insert("clusterType".to_owned(), json!("SERVERLESS"));
                info.insert("serverless".to_owned(), settings.clone());
            }
        }
        Value::Object(info)
    }

    /// The older description, which knows provisioned clusters only.
    fn describe_v1(&self, state: &str) -> Value {
        let mut info = self.common(state);
        info.extend(self.provisioned());
        Value::Object(info)
    }

    fn common(&self, state: &str) -> Map<String, Value> {
        let info = json!({
            "clusterArn": self.arn, "clusterName": self.name, "creationTime": iso8601(self.created),
            "currentVersion": self.version, "state": state, "tags": self.tags,
        });
        into_map(info)
    }

    fn provisioned(&self) -> Map<String, Value> {
        let Kind::Provisioned { kafka_version, brokers, settings } = &self.kind else { return Map::new() };
        let mut info = into_map(settings.clone());
        info.insert("currentBrokerSoftwareInfo".to_owned(), json!({"kafkaVersion": kafka_version}));
        info.insert("numberOfBrokerNodes".to_owned(), json!(brokers));
        if !versions::is_kraft(kafka_version) {
            info.insert("zookeeperConnectString".to_owned(), json!(self.zookeeper(2181)));
            info.insert("zookeeperConnectStringTls".to_owned(), json!(self.zookeeper(2182)));
        }
        info
    }

    /// What MSK's ZooKeeper addresses look like. Nothing listens there: no tool should need it any more.
    fn zookeeper(&self, port: u16) -> String {
        let id: String = self.uuid().chars().take(6).collect();
        let host = |n| format!("z-{n}.{}.{id}.c2.kafka.{}.amazonaws.com:{port}", self.name, self.region);
        [1, 2, 3].map(host).join(",")
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Refuses what isn't the ARN of a cluster of this account.
pub(super) fn check_arn(arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let resource: Vec<&str> = parts.get(5).map(|resource| resource.split('/').collect()).unwrap_or_default();
    let is_cluster = matches!(parts.as_slice(), ["arn", "aws", "kafka", _, ACCOUNT, _])
        && matches!(resource.as_slice(), ["cluster", name, uuid] if !name.is_empty() && !uuid.is_empty());
    if is_cluster {
        return Ok(());
    }
    let expected = format!("arn:aws:kafka:REGION:{ACCOUNT}:cluster/NAME/UUID-N");
    Err(bad_request(format!("One or more of the parameters are not valid: expected {expected}, got '{arn}'."))
        .at_parameter("clusterArn"))
}

/// Whether brokers answer in a state.
pub(super) fn answers(state: &str) -> bool {
    matches!(state, "ACTIVE" | "UPDATING")
}

/// The clusters of all regions, those too that are gone and not yet removed.
pub(super) fn every(transaction: &Transaction<'_>) -> impl Iterator<Item = Cluster> {
    let now = now();
    transaction.list::<Cluster>(TABLE).into_iter().map(move |(_, cluster)| cluster.at(now))
}

/// The cluster of an ARN, and its state.
pub(super) fn find(transaction: &Transaction<'_>, arn: &str) -> Result<(Cluster, &'static str), Refusal> {
    check_arn(arn)?;
    let now = now();
    transaction
        .get::<Cluster>(TABLE, arn)
        .map(|cluster| cluster.at(now))
        .and_then(|cluster| cluster.state(now).map(|state| (cluster, state)))
        .ok_or_else(|| not_found("The requested cluster doesn't exist.").at_parameter("clusterArn"))
}

/// The clusters of a region, ordered by name, with their states.
pub(crate) fn clusters(world: &World, region: &str) -> Vec<(Cluster, &'static str)> {
    world.store.read(|transaction| all(transaction, region))
}

/// The same, within a transaction.
pub(super) fn all(transaction: &Transaction<'_>, region: &str) -> Vec<(Cluster, &'static str)> {
    let now = now();
    let mut clusters: Vec<_> = every(transaction)
        .filter(|cluster| cluster.region == region)
        .filter_map(|cluster| cluster.state(now).map(|state| (cluster, state)))
        .collect();
    clusters.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    clusters
}

fn found(world: &World, path: &PathValues) -> Result<(Cluster, &'static str), Refusal> {
    world.store.read(|transaction| find(transaction, path_value(path, "clusterArn")))
}

/// The refusal of what is for provisioned clusters only.
pub(super) fn serverless() -> Refusal {
    bad_request("This operation cannot be performed on serverless clusters.").at_parameter("clusterArn")
}

/// Refuses a request that was made for another version of a cluster.
pub(super) fn check_version(cluster: &Cluster, version: Option<&str>) -> Result<(), Refusal> {
    if version.is_none_or(|version| version == cluster.version) {
        return Ok(());
    }
    Err(bad_request("The version in your request doesn't match the cluster's current version.")
        .at_parameter("currentVersion"))
}

pub(super) fn describe_v1(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let (cluster, state) = found(world, path)?;
    if matches!(cluster.kind, Kind::Serverless { .. }) {
        return Err(serverless());
    }
    Ok(Reply::json(&json!({"clusterInfo": cluster.describe_v1(state)})))
}

pub(super) fn describe_v2(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let (cluster, state) = found(world, path)?;
    Ok(Reply::json(&json!({"clusterInfo": cluster.describe_v2(state)})))
}

pub(super) fn list_v1(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let provisioned = |cluster: &Cluster| matches!(cluster.kind, Kind::Provisioned { .. });
    list(world, call, "ListClusters", provisioned, Cluster::describe_v1)
}

pub(super) fn list_v2(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let kind = call.query("clusterTypeFilter");
    if kind.is_some_and(|kind| !matches!(kind, "PROVISIONED" | "SERVERLESS")) {
        return Err(
            bad_request("clusterTypeFilter must be PROVISIONED or SERVERLESS.").at_parameter("clusterTypeFilter")
        );
    }
    let wanted = |cluster: &Cluster| match &cluster.kind {
        Kind::Provisioned { .. } => kind != Some("SERVERLESS"),
        Kind::Serverless { .. } => kind != Some("PROVISIONED"),
    };
    list(world, call, "ListClustersV2", wanted, Cluster::describe_v2)
}

fn list(
    world: &World,
    call: &Call,
    operation: &str,
    wanted: impl Fn(&Cluster) -> bool,
    describe: impl Fn(&Cluster, &str) -> Value,
) -> Result<Reply, Refusal> {
    let prefix = call.query("clusterNameFilter").unwrap_or_default();
    let page = Page::of(call, format!("{operation} {} {prefix}", call.region), PAGE_SIZE)?;
    let entries = clusters(world, &call.region)
        .into_iter()
        .filter(|(cluster, _)| cluster.name.starts_with(prefix) && wanted(cluster))
        .map(|(cluster, state)| (cluster.name.clone(), describe(&cluster, state)));
    Ok(Reply::json(&page.reply("clusterInfoList", entries)))
}

pub(super) fn delete(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let arn = path_value(path, "clusterArn");
    let (reply, topics) = world.store.transact(|transaction| {
        let (mut cluster, state) = find(transaction, arn)?;
        if state != "ACTIVE" {
            return Err(bad_request(format!("You can't delete cluster {arn} while it is {state}.")));
        }
        check_version(&cluster, call.query("currentVersion"))?;
        cluster.gone = Some(world.settled_at());
        transaction.put(TABLE, arn, &cluster)?;
        scram::forget(transaction, &cluster);
        let topics = super::topics::forget(transaction, &cluster);
        Ok::<_, Refusal>((Reply::json(&json!({"clusterArn": arn, "state": "DELETING"})), topics))
    })?;
    topics.into_iter().try_for_each(|topic| world.logs.forget(topic))?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::check_arn;

    #[test]
    fn only_cluster_arns_of_this_account_pass() {
        assert!(check_arn("arn:aws:kafka:us-east-1:000000000000:cluster/c/11-1").is_ok());
        for arn in [
            "c",
            "arn:aws:kafka:us-east-1:000000000001:cluster/c/11-1",
            "arn:aws:kafka:us-east-1:000000000000:cluster/c",
            "arn:aws:kafka:us-east-1:000000000000:topic/c/11-1/t",
        ] {
            assert!(check_arn(arn).is_err(), "{arn}");
        }
    }
}
