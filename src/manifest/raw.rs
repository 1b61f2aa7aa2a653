//! A manifest as it is written: what has the right type, before it is known whether it means something.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::yaml::At;

/// Kafka's settings, whose keys are Kafka's own.
pub(super) type Settings = At<BTreeMap<String, At<String>>>;

/// One text or several.
pub(super) type Texts = At<Vec<At<String>>>;

/// IAM's condition operators, each with the keys that it looks at and the values that it looks for.
pub(super) type Condition = At<BTreeMap<String, At<BTreeMap<String, Texts>>>>;

/// Everything; what a manifest can't be without may have been left out for its problems.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: Option<At<String>>,
    pub(super) environment: Option<At<String>>,
    pub(super) target: Option<At<String>>,
    pub(super) region: Option<At<String>>,
    pub(super) account: Option<At<String>>,
    /// In milliseconds.
    pub(super) ttl: Option<At<i64>>,
    pub(super) cluster: Option<At<Cluster>>,
    pub(super) topic_defaults: Option<At<TopicDefaults>>,
    pub(super) topics: Option<At<Vec<At<Topic>>>>,
    pub(super) bucket: Option<At<Bucket>>,
    pub(super) plugin: Option<At<Plugin>>,
    pub(super) worker_configuration: Option<At<WorkerConfiguration>>,
    pub(super) role: Option<At<Role>>,
    pub(super) connector: Option<At<Connector>>,
    pub(super) api: Option<At<Api>>,
    pub(super) client: Option<At<Client>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) name: Option<At<String>>,
    pub(super) arn: Option<At<String>>,
    pub(super) auth: Option<At<Auth>>,
    pub(super) access: Option<At<String>>,
    pub(super) topics_via: Option<At<String>>,
    pub(super) sandbox: Option<At<Pretended>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Auth {
    /// `iam`, `tls` or `plaintext`.
    Word(String),
    /// One of these is there.
    With { scram: Option<At<String>>, mtls: Option<At<Certificate>> },
}

#[derive(Debug, Deserialize)]
pub(super) struct Certificate {
    pub(super) cert: At<String>,
    pub(super) key: At<String>,
}

/// One of these is there.
#[derive(Debug, Deserialize)]
pub(super) struct Pretended {
    pub(super) kafka_version: Option<At<String>>,
    pub(super) serverless: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct TopicDefaults {
    pub(super) partitions: Option<At<i64>>,
    pub(super) replication_factor: Option<At<i64>>,
    pub(super) config: Option<Settings>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Topic {
    pub(super) name: At<String>,
    pub(super) partitions: Option<At<i64>>,
    pub(super) replication_factor: Option<At<i64>>,
    pub(super) config: Option<Settings>,
    pub(super) on_destroy: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bucket {
    pub(super) name: At<String>,
    pub(super) create: Option<At<bool>>,
    pub(super) on_destroy: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Plugin {
    pub(super) name: At<String>,
    pub(super) source: At<String>,
    pub(super) sha256: Option<At<String>>,
    pub(super) prefix: Option<At<String>>,
    pub(super) register: Option<At<bool>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WorkerConfiguration {
    pub(super) name: At<String>,
    pub(super) properties: Settings,
}

#[derive(Debug, Deserialize)]
pub(super) struct Role {
    pub(super) name: At<String>,
    pub(super) create: Option<At<bool>>,
    pub(super) trust: Option<At<Vec<At<Trust>>>>,
    pub(super) managed_policies: Option<At<Vec<At<String>>>>,
    pub(super) statements: Option<At<Vec<At<Statement>>>>,
}

/// One of these is there.
#[derive(Debug, Deserialize)]
pub(super) struct Trust {
    pub(super) service: Option<At<String>>,
    #[serde(rename = "self")]
    pub(super) itself: Option<At<bool>>,
    pub(super) arn: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    pub(super) sid: Option<At<String>>,
    pub(super) effect: At<String>,
    pub(super) action: Option<Texts>,
    pub(super) not_action: Option<Texts>,
    pub(super) resource: Option<Texts>,
    pub(super) not_resource: Option<Texts>,
    pub(super) condition: Option<Condition>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connector {
    pub(super) name: At<String>,
    pub(super) kafka_connect_version: Option<At<String>>,
    pub(super) capacity: Option<At<Capacity>>,
    pub(super) autoscaling: Option<At<Autoscaling>>,
    pub(super) topics: Option<At<Selection>>,
    pub(super) config: Option<Settings>,
    pub(super) network: Option<At<Network>>,
    pub(super) log_delivery: Option<At<LogDelivery>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Capacity {
    pub(super) mcu_count: Option<At<i64>>,
    pub(super) workers: Option<At<i64>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Autoscaling {
    pub(super) mcu_count: Option<At<i64>>,
    pub(super) min_workers: Option<At<i64>>,
    pub(super) max_workers: At<i64>,
    pub(super) scale_in_cpu: Option<At<i64>>,
    pub(super) scale_out_cpu: Option<At<i64>>,
    pub(super) max_tasks: Option<At<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Selection {
    /// `all`, the only word that there is.
    All(#[expect(dead_code, reason = "it only tells serde that a word is expected")] String),
    List(Vec<At<String>>),
    Regex {
        regex: At<String>,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct Network {
    pub(super) subnets: At<Vec<At<String>>>,
    pub(super) security_groups: At<Vec<At<String>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LogDelivery {
    pub(super) cloudwatch: Option<At<CloudWatch>>,
    pub(super) s3: Option<At<LogBucket>>,
    pub(super) firehose: Option<At<Firehose>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CloudWatch {
    pub(super) log_group: At<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LogBucket {
    pub(super) bucket: At<String>,
    pub(super) prefix: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Firehose {
    pub(super) delivery_stream: At<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Api {
    pub(super) name: Option<At<String>>,
    pub(super) id: Option<At<String>>,
    pub(super) backend: At<String>,
    pub(super) stage: Option<At<String>>,
    pub(super) cors: Option<At<bool>>,
    pub(super) authorization: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Client {
    pub(super) instance: Option<At<Instance>>,
    pub(super) address: Option<At<String>>,
    pub(super) kafka_version: Option<At<String>>,
    pub(super) java_version: Option<At<i64>>,
    pub(super) iam_jar_version: Option<At<String>>,
    pub(super) rest_proxy: Option<At<RestProxy>>,
    pub(super) mirror: Option<At<String>>,
    pub(super) checksums: Option<At<Checksums>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Instance {
    Id(String),
    With { tag: At<BTreeMap<String, At<String>>> },
}

#[derive(Debug, Deserialize)]
pub(super) struct RestProxy {
    pub(super) version: Option<At<String>>,
    pub(super) port: Option<At<i64>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Checksums {
    pub(super) kafka: Option<At<String>>,
    pub(super) iam_jar: Option<At<String>>,
    pub(super) rest_proxy: Option<At<String>>,
}
