//! The manifest: what a valid one holds, in types that need no further checks.
//!
//! [`load`] is the way in: text, positions, variables, shape, meaning, each in a file of its own, and every problem
//! of a manifest reported at once with its file, line and column.
//!
//! ```text
//! text ──▶ tree with places ──▶ variables put in ──▶ keys and types right ──▶ what it means ──▶ Manifest
//!            yaml.rs               variables.rs        shape.rs, raw.rs         validate.rs
//! ```
//!
//! Each stage tells what it finds wrong, leaves that out, and hands the rest on; what was left out is not told to be
//! missing by the next.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

mod api;
mod arn;
mod client;
mod digest;
mod kafka_version;
mod load;
mod nearest;
mod problem;
mod quantity;
mod raw;
mod serverless;
mod shape;
#[cfg(test)]
mod tests;
mod validate;
mod variables;
mod yaml;

pub use api::{Api, ApiReference, Authorization, Backend};
pub(crate) use client::Version;
pub use client::{Checksums, Client, Instance, RestProxy};
pub(crate) use kafka_version::has_topic_api;
pub use load::{Overrides, load};
pub(crate) use nearest::suggestion;
pub use problem::{Problem, Problems};
pub use quantity::parse_duration;
pub(crate) use serverless::misfits as serverless_misfits;

/// One pipeline, as declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// Where it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    /// With the environment, identifies the pipeline; goes into the tags.
    pub name: String,
    /// With the name, identifies the pipeline; goes into the tags.
    pub environment: String,
    /// Where it is to exist.
    pub target: Target,
    /// The AWS region, `us-east-1`.
    pub region: String,
    /// The only account that may be touched; 12 digits.
    pub account: Option<String>,
    /// How long after its making a thing may be swept.
    pub ttl: Option<Duration>,
    /// The MSK cluster.
    pub cluster: Option<Cluster>,
    /// The topics, with the defaults filled in.
    pub topics: Vec<Topic>,
    /// The bucket that the connector writes to.
    pub bucket: Option<Bucket>,
    /// The connector plugin.
    pub plugin: Option<Plugin>,
    /// The MSK Connect worker configuration.
    pub worker_configuration: Option<WorkerConfiguration>,
    /// The role that the connector, and the clients, work as.
    pub role: Option<Role>,
    /// The S3 sink connector.
    pub connector: Option<Connector>,
    /// The API Gateway proxy.
    pub api: Option<Api>,
    /// The machine with Kafka's tools and the REST proxy.
    pub client: Option<Client>,
    /// SHA-256 of the resolved manifest, in hex: what was declared, whatever its comments, order and variables.
    #[serde(skip)]
    pub digest: String,
    /// What is allowed, but seldom meant; ordered by place.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

impl Manifest {
    /// Whether there is a cluster whose clients log in with IAM.
    pub(crate) fn logs_in_with_iam(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.auth == Auth::Iam)
    }
}

/// Where a pipeline is to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Target {
    /// The embedded local AWS.
    Sandbox,
    /// AWS, or what `--endpoint-url` points at.
    Aws,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sandbox" => Ok(Self::Sandbox),
            "aws" => Ok(Self::Aws),
            _ => Err(format!("\"{text}\" is no target; expected sandbox or aws")),
        }
    }
}

/// An existing MSK cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// How it is found.
    pub reference: ClusterReference,
    /// How clients authenticate.
    pub auth: Auth,
    /// Which listeners clients use.
    pub access: Access,
    /// By which way its topics are managed.
    pub topics_via: TopicsVia,
    /// What the sandbox pretends that it is; counts for target sandbox alone.
    pub pretended: Option<Pretended>,
}

/// By which way topics are managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TopicsVia {
    /// MSK's topic API where the cluster has it, the Kafka protocol otherwise.
    Auto,
    /// MSK's topic API.
    Api,
    /// The Kafka protocol.
    Kafka,
}

/// What the sandbox pretends that a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Pretended {
    /// A provisioned cluster of this Kafka version.
    Provisioned(String),
    /// A Serverless cluster.
    Serverless,
}

/// How a cluster is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ClusterReference {
    /// By its name, which is unique in an account and region.
    Name(String),
    /// By its ARN.
    Arn(String),
}

/// How clients authenticate to the brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Auth {
    /// MSK IAM over TLS.
    Iam,
    /// TLS, no authentication.
    Tls,
    /// Neither.
    Plaintext,
    /// SASL/SCRAM over TLS.
    Scram {
        /// The ARN of the secret in Secrets Manager that has the user and the password.
        secret: String,
    },
    /// TLS, with a certificate of the client's own.
    Mtls {
        /// The file of the certificate, in PEM.
        certificate: PathBuf,
        /// The file of its private key, in PEM.
        key: PathBuf,
    },
}

/// Which listeners clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Access {
    /// Those within the VPC.
    Private,
    /// Those on the internet.
    Public,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions; at least 1, which it also is unless declared.
    pub partitions: i32,
    /// How many replicas each partition has; at least 1, and 3 unless declared.
    pub replication_factor: i32,
    /// Topic configuration, as Kafka spells it: durations in milliseconds, sizes in bytes.
    pub config: BTreeMap<String, String>,
    /// Whether `destroy` leaves it.
    pub retain: bool,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Whether the tool makes it; otherwise it must exist and is never removed.
    pub create: bool,
    /// Whether `destroy` leaves a bucket that has objects; otherwise it is emptied first.
    pub retain: bool,
}

/// A connector plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plugin {
    /// What its content-named versions start with.
    pub name: String,
    /// Where its archive comes from.
    pub source: PluginSource,
    /// What the archive's key in the bucket starts with; empty, or ending in a slash.
    pub prefix: String,
    /// Whether MSK Connect gets it as a custom plugin; otherwise the archive is only uploaded.
    pub register: bool,
}

/// Where a plugin's archive comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PluginSource {
    /// A ZIP or JAR file.
    File(PathBuf),
    /// A folder, zipped so that equal contents give equal bytes.
    Folder(PathBuf),
    /// An HTTPS download.
    Url {
        /// Where it is.
        url: String,
        /// The SHA-256 that it must have, in lower-case hex.
        sha256: String,
    },
    /// An object that is there already; never written or removed.
    S3 {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
}

/// A worker configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerConfiguration {
    /// What its content-named versions start with.
    pub name: String,
    /// Kafka Connect worker properties.
    pub properties: BTreeMap<String, String>,
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether the tool makes it; otherwise only our trust statements in it are ours.
    pub create: bool,
    /// Who may assume it.
    pub trust: Vec<Trust>,
    /// ARNs of managed policies to attach.
    pub managed_policies: Vec<String>,
    /// Policy statements on top of the generated ones, each a JSON object in IAM's spelling.
    pub statements: Vec<serde_json::Value>,
}

impl Role {
    /// Whether EC2 instances may work as it.
    pub(crate) fn trusts_ec2(&self) -> bool {
        self.trust.iter().any(Trust::is_ec2)
    }
}

/// EC2's name, in China too.
pub(crate) const EC2: [&str; 2] = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"];

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Trust {
    /// An AWS service, `ec2.amazonaws.com`.
    Service(String),
    /// The role itself.
    Itself,
    /// A user, role or account, by ARN.
    Arn(String),
}

impl Trust {
    /// Whether it is EC2.
    pub(crate) fn is_ec2(&self) -> bool {
        matches!(self, Self::Service(service) if EC2.contains(&service.as_str()))
    }
}

/// An S3 sink connector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Connector {
    /// Its name; also names its consumer group, `connect-NAME`.
    pub name: String,
    /// The Kafka Connect version, `3.7.x`.
    pub kafka_connect_version: String,
    /// How much of MSK Connect it takes.
    pub capacity: Capacity,
    /// Which topics it reads.
    pub topics: TopicSelection,
    /// Connector properties, on top of the S3 sink defaults for JSON.
    pub config: BTreeMap<String, String>,
    /// Where its workers run; the cluster's own network where absent.
    pub network: Option<Network>,
    /// Where its workers' logs go.
    pub log_delivery: Option<LogDelivery>,
}

/// How much of MSK Connect a connector takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Capacity {
    /// A fixed number of workers.
    Provisioned {
        /// MSK Connect units per worker: 1, 2, 4 or 8.
        mcu_count: i32,
        /// How many workers, 1 to 10.
        workers: i32,
    },
    /// As many workers as the load asks for.
    Autoscaling {
        /// MSK Connect units per worker: 1, 2, 4 or 8.
        mcu_count: i32,
        /// The fewest workers, 1 to 10.
        min_workers: i32,
        /// The most workers, 1 to 10.
        max_workers: i32,
        /// CPU percentage below which workers are removed, 1 to 100.
        scale_in_cpu: i32,
        /// CPU percentage above which workers are added, 1 to 100.
        scale_out_cpu: i32,
        /// The most tasks, where it is set.
        max_tasks: Option<i32>,
    },
}

/// Which topics a connector reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TopicSelection {
    /// All that the manifest declares.
    All,
    /// These, by name.
    List(Vec<String>),
    /// Those whose whole name matches a Java regular expression.
    Regex(String),
}

/// Where a connector's workers run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
}

/// Where a connector's workers' logs go; fixed when it is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogDelivery {
    /// A CloudWatch Logs log group.
    pub cloudwatch: Option<String>,
    /// A bucket, and a prefix within it.
    pub s3: Option<(String, Option<String>)>,
    /// A Firehose delivery stream.
    pub firehose: Option<String>,
}
