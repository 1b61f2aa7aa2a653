//! The MSK cluster: read-only. It is found, looked at, and never made, changed or deleted.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kafka::operation::get_bootstrap_brokers::GetBootstrapBrokersOutput;
use aws_sdk_kafka::types::{Cluster as Description, ClusterState, ClusterType};
use serde_json::Value;

use super::Shared;
use super::existing::{Found, seen};
use super::topic::{Doors, Via};
use crate::aws::{found, sent};
use crate::engine::{Address, Observed, Output, Outputs, Result};
use crate::manifest::{self, ClusterReference, TopicsVia};

mod listeners;
mod login;

pub(crate) use listeners::whose_brokers;
pub(crate) use login::brokers;

/// The output that tells by which way topics are managed; absent where they can't be.
pub(crate) const TOPICS_VIA: &str = "topics_via";

/// An existing cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    context: Shared,
    declared: manifest::Cluster,
    /// The topics that are to be managed on it, where there are any.
    topics: Option<Topics>,
    address: Address,
}

/// The topics that are to be managed on a cluster.
#[derive(Debug)]
pub(crate) struct Topics {
    pub(crate) declared: Vec<manifest::Topic>,
    /// The ways to them.
    pub(crate) doors: Arc<Doors>,
    /// Whether nothing can be done without them.
    pub(crate) are_needed: bool,
}

/// The address of a manifest's cluster.
pub(crate) fn address(declared: &manifest::Cluster) -> Address {
    let name = match &declared.reference {
        ClusterReference::Name(name) => name,
        // arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID
        ClusterReference::Arn(arn) => arn.split('/').nth(1).unwrap_or(arn),
    };
    Address::new("cluster", name)
}

impl Cluster {
    pub(crate) fn new(context: Shared, declared: &manifest::Cluster, topics: Option<Topics>) -> Self {
        Self { context, declared: declared.clone(), topics, address: address(declared) }
    }

    async fn find(&self) -> Result<Option<Description>> {
        let kafka = &self.context.clients.kafka;
        match &self.declared.reference {
            ClusterReference::Arn(arn) => {
                let answer = found(kafka.describe_cluster_v2().cluster_arn(arn).send().await)?;
                Ok(answer.and_then(|answer| answer.cluster_info))
            }
            ClusterReference::Name(name) => {
                let mut pages = kafka.list_clusters_v2().cluster_name_filter(name).into_paginator().items().send();
                while let Some(cluster) = pages.next().await {
                    let cluster = sent(cluster)?;
                    // The filter is a prefix.
                    if cluster.cluster_name() == Some(name) {
                        return Ok(Some(cluster));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Why nothing can be done with this cluster.
    fn unready(&self, cluster: &Description) -> Option<String> {
        match cluster.state() {
            Some(state @ (ClusterState::Creating | ClusterState::Deleting | ClusterState::Failed)) => {
                Some(format!("it is {state}; wait until it is ACTIVE, or name another cluster"))
            }
            _ => None,
        }
    }

    /// By which way its topics are managed, or why they can't be.
    fn way(&self, cluster: &Description) -> std::result::Result<Via, String> {
        let lacks = self.without_topic_api(cluster);
        match (self.declared.topics_via, lacks) {
            (TopicsVia::Kafka, _) | (TopicsVia::Auto, Some(_)) => Ok(Via::Kafka),
            (TopicsVia::Api | TopicsVia::Auto, None) => Ok(Via::Api),
            (TopicsVia::Api, Some(why)) => Err(format!("{why}; use `cluster.topics_via: auto`, or kafka")),
        }
    }

    /// Why the topic API does not manage its topics.
    fn without_topic_api(&self, cluster: &Description) -> Option<String> {
        if is_serverless(cluster) {
            return Some("it is Serverless, whose topics the MSK topic API does not manage".to_owned());
        }
        let version = version(cluster)?;
        (!manifest::has_topic_api(version)?)
            .then(|| format!("it runs Kafka {version}, and the MSK topic API needs 3.6.0 or later"))
    }

    /// What topics are declared to have that this cluster doesn't give them.
    fn misfits(&self, cluster: &Description, topics: &Topics) -> Vec<String> {
        if !is_serverless(cluster) {
            return Vec::new();
        }
        let of = |topic: &manifest::Topic| {
            let misfits = manifest::serverless_misfits(topic).into_iter();
            misfits.map(|(key, why)| format!("{key} of topic {} {why}", topic.name)).collect::<Vec<_>>()
        };
        topics.declared.iter().flat_map(of).collect()
    }

    /// How topics are managed on it, once that is seen to be possible; none where it need not be, and isn't.
    async fn topics_via(
        &self,
        cluster: &Description,
        topics: &Topics,
        servers: Option<&str>,
    ) -> Result<std::result::Result<Option<Via>, String>> {
        let via = match self.way(cluster) {
            Ok(via) => via,
            Err(why) => return Ok(Err(why)),
        };
        let misfits = self.misfits(cluster, topics);
        if !misfits.is_empty() {
            return Ok(Err(misfits.join("; ")));
        }
        topics.doors.see(is_serverless(cluster));
        if let (Via::Kafka, Some(servers)) = (via, servers) {
            let opened = async { topics.doors.open(&brokers(&self.context, &self.declared, servers).await?).await };
            match opened.await {
                Err(_) if !topics.are_needed => return Ok(Ok(None)),
                opened => opened?,
            }
        }
        Ok(Ok(Some(via)))
    }

    fn output(&self, cluster: &Description, brokers: &GetBootstrapBrokersOutput) -> Output {
        let (subnets, security_groups) = network(cluster);
        let mut output = Output::new()
            .with("arn", cluster.cluster_arn().unwrap_or_default())
            .with("name", cluster.cluster_name().unwrap_or_default())
            .with("subnets", subnets)
            .with("security_groups", security_groups);
        if let Some(used) = listeners::used(&self.declared, brokers) {
            output = output.with("bootstrap_brokers", sorted(used));
        }
        for (name, addresses) in listeners::all(brokers) {
            output = output.with(&format!("bootstrap_brokers_{name}"), sorted(addresses));
        }
        if is_serverless(cluster) {
            output = output.with("serverless", true);
        }
        if let Some(version) = version(cluster) {
            output = output.with("kafka_version", version);
        }
        if let Some(zookeeper) = cluster.provisioned().and_then(|cluster| cluster.zookeeper_connect_string()) {
            output = output.with("zookeeper", sorted(zookeeper));
        }
        output
    }
}

/// A list of hosts, which AWS tells in another order each time.
fn sorted(hosts: &str) -> String {
    let mut hosts: Vec<&str> = hosts.split(',').collect();
    hosts.sort_unstable();
    hosts.join(",")
}

fn version(cluster: &Description) -> Option<&str> {
    cluster.provisioned()?.current_broker_software_info()?.kafka_version()
}

/// The subnets and security groups of the brokers, sorted.
fn network(cluster: &Description) -> (Value, Value) {
    let mut subnets = Vec::new();
    let mut groups = Vec::new();
    if let Some(nodes) = cluster.provisioned().and_then(|provisioned| provisioned.broker_node_group_info()) {
        subnets.extend_from_slice(nodes.client_subnets());
        groups.extend_from_slice(nodes.security_groups());
    }
    for vpc in cluster.serverless().map(|serverless| serverless.vpc_configs()).unwrap_or_default() {
        subnets.extend_from_slice(vpc.subnet_ids());
        groups.extend_from_slice(vpc.security_group_ids());
    }
    subnets.sort();
    groups.sort();
    (subnets.into(), groups.into())
}

fn is_serverless(cluster: &Description) -> bool {
    cluster.cluster_type() == Some(&ClusterType::Serverless)
}

#[async_trait]
impl Found for Cluster {
    fn at(&self) -> &Address {
        &self.address
    }

    fn missing(&self) -> String {
        let clients = &self.context.clients;
        format!(
            "account {} has no such MSK cluster in {}; make it first, or correct `cluster`, `region` or the credentials",
            clients.account, clients.region
        )
    }

    async fn look(&self, _known: &Outputs) -> Result<Observed> {
        let Some(cluster) = self.find().await? else { return Ok(Observed::absent()) };
        let arn = cluster.cluster_arn().unwrap_or_default();
        if let Some(why) = self.unready(&cluster) {
            return Ok(seen(Some(why), Output::new().with("arn", arn)));
        }
        let brokers = sent(self.context.clients.kafka.get_bootstrap_brokers().cluster_arn(arn).send().await)?;
        let mut output = self.output(&cluster, &brokers);
        let mut unusable = listeners::missing(&self.declared, &brokers);
        if let Some(topics) = &self.topics {
            let via = self.topics_via(&cluster, topics, output.text("bootstrap_brokers")).await?;
            match via {
                Ok(Some(via)) => output = output.with(TOPICS_VIA, via.as_str()),
                Ok(None) => {}
                Err(why) => unusable = Some(why),
            }
        }
        Ok(seen(unusable, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Access, Auth};

    #[test]
    fn a_cluster_is_addressed_by_its_name_however_it_is_found() {
        let arn = "arn:aws:kafka:us-east-1:123456789012:cluster/events/7a5c-1".to_owned();
        let declared = manifest::Cluster {
            reference: ClusterReference::Arn(arn),
            auth: Auth::Iam,
            access: Access::Private,
            topics_via: TopicsVia::Auto,
            pretended: None,
        };
        assert_eq!(address(&declared).to_string(), "cluster/events");
    }
}
