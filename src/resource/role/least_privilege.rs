//! What the role may do: the least that this manifest needs, and what the manifest adds to that.
//!
//! The actions are those that MSK's and MSK Connect's documentation of IAM access control, and Confluent's of the S3
//! sink, ask for.

use std::fmt;

use crate::engine::{Address, Result};
use crate::iam_document::{Document, Malformed, Statement};
use crate::resource::Context;

use super::{Wanted, topic_pattern};

/// How many characters IAM takes in a role's inline policies, white space aside.
const LONGEST_POLICY: usize = 10_240;
/// The topics in which MSK Connect keeps a connector's offsets, configuration and state, and the groups of its workers.
const CONNECT_INTERNAL: &str = "__amazon_msk_connect_*";

/// What a role is needed for, as far as the manifest tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    /// The cluster, whose output `arn` is its ARN; where there is one.
    pub(crate) cluster: Option<Address>,
    /// Whether the cluster authenticates with IAM. Otherwise the role needs nothing of it.
    pub(crate) iam_auth: bool,
    /// The connector that works as the role.
    pub(crate) connector: Option<Connector>,
    /// The bucket that the connector writes to.
    pub(crate) bucket: Option<String>,
    /// The topic that the connector writes what it can't store to.
    pub(crate) dead_letter_topic: Option<String>,
    /// The topics that clients, such as the REST proxy, write to and read as the role; empty where there are none.
    pub(crate) client_topics: Vec<String>,
    /// Whether a machine logs in as the role, be it to no topic.
    pub(crate) is_client: bool,
}

/// A connector that works as the role.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    /// Its name.
    pub(crate) name: String,
    /// The topics that it reads.
    pub(crate) sources: Sources,
}

/// The topics that a connector reads.
#[derive(Clone, Debug)]
pub(crate) enum Sources {
    /// These, by name.
    Named(Vec<String>),
    /// Those whose whole name matches a Java regular expression.
    Matching(String),
}

/// How topics are named in the policy.
#[derive(Clone, Copy)]
enum Naming {
    /// Each by itself.
    Each,
    /// All of a list by what their names start with, where that is something.
    ByPrefix,
}

/// A cluster's ARN, `arn:…:cluster/NAME/UUID`, from which those of its topics and groups are made.
#[derive(Clone, Copy)]
struct Cluster<'a>(&'a str);

impl Cluster<'_> {
    fn topic(self, name: impl fmt::Display) -> String {
        self.part("topic", name)
    }

    fn group(self, name: impl fmt::Display) -> String {
        self.part("group", name)
    }

    fn part(self, kind: &str, name: impl fmt::Display) -> String {
        format!("{}/{name}", self.0.replacen(":cluster/", &format!(":{kind}/"), 1))
    }
}

/// What a role of ours may do.
#[derive(Debug)]
pub(super) struct Permissions {
    grants: Grants,
    partition: String,
    /// The role's ARN, where it may assume itself.
    itself: Option<String>,
    declared: Vec<Statement>,
}

impl Permissions {
    /// What `grants` ask for, and the manifest's own `statements`; `itself` is the role's ARN where it trusts itself.
    pub(super) fn new(
        context: &Context,
        grants: Grants,
        itself: Option<String>,
        statements: &[serde_json::Value],
    ) -> std::result::Result<Self, Malformed> {
        let partition = context.clients.partition.clone();
        let mut permissions = Self { grants, partition, itself, declared: Vec::new() };
        let mut taken: Vec<String> =
            permissions.generated(None, Naming::Each).into_iter().map(|(sid, _)| sid).collect();
        for (index, json) in statements.iter().enumerate() {
            let mut statement = Statement::from_json(json).map_err(|malformed| Malformed {
                place: format!("role.statements[{index}].{}", malformed.place),
                ..malformed
            })?;
            // A name makes it one and the same statement, wherever it stands among the others.
            let sid = statement.sid.take().unwrap_or_else(|| format!("Declared{}", index + 1));
            if taken.contains(&sid) {
                return Err(Malformed {
                    place: format!("role.statements[{index}].Sid"),
                    problem: format!("{sid} names another statement already; choose another name"),
                });
            }
            taken.push(sid.clone());
            statement.sid = Some(sid);
            permissions.declared.push(statement);
        }
        Ok(permissions)
    }

    /// The cluster whose ARN must be known before the policy is.
    pub(super) fn cluster(&self) -> Option<&Address> {
        self.grants.cluster.as_ref().filter(|_| self.grants.iam_auth)
    }

    /// The inline policy's statements, given the cluster's ARN. Topics that are too many for a policy are granted by
    /// what their names start with.
    pub(super) fn statements(&self, cluster: Option<&str>) -> Vec<Wanted> {
        let each = self.all(cluster, Naming::Each);
        if document(&each).size() <= LONGEST_POLICY { each } else { self.all(cluster, Naming::ByPrefix) }
    }

    /// The inline policy, given the cluster's ARN; `None` where the role needs none.
    ///
    /// # Errors
    /// Where it is longer than IAM takes.
    pub(super) fn document(&self, cluster: Option<&str>) -> Result<Option<Document>> {
        let document = document(&self.statements(cluster));
        let size = document.size();
        if size > LONGEST_POLICY {
            return Err(format!(
                "expected an inline policy of at most {LONGEST_POLICY} characters, got {size}; give the topics a \
                 common prefix, select them with connector.topics.regex, or move role.statements into a managed policy"
            )
            .into());
        }
        Ok(Some(document).filter(|document| !document.statements.is_empty()))
    }

    fn all(&self, cluster: Option<&str>, naming: Naming) -> Vec<Wanted> {
        let declared =
            self.declared.iter().filter_map(|statement| Some((statement.sid.clone()?, Some(statement.clone()))));
        self.generated(cluster, naming).into_iter().chain(declared).collect()
    }

    fn generated(&self, cluster: Option<&str>, naming: Naming) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if self.cluster().is_some() {
            self.cluster_statements(cluster.map(Cluster), naming, &mut wanted);
        }
        self.bucket_statements(&mut wanted);
        if let Some(itself) = &self.itself {
            let sid = "AssumeItself";
            let statement = Statement::allow(sid).doing(["sts:AssumeRole"]).on([itself.as_str()]);
            wanted.push((sid.to_owned(), Some(statement)));
        }
        wanted
    }

    fn cluster_statements(&self, cluster: Option<Cluster>, naming: Naming, wanted: &mut Vec<Wanted>) {
        let mut allow = |sid: &str, actions: &[&str], resources: &dyn Fn(Cluster) -> Vec<String>| {
            let statement = cluster.map(|cluster| {
                let actions: Vec<_> = actions.iter().map(|action| format!("kafka-cluster:{action}")).collect();
                let resources = resources(cluster);
                let (actions, resources) = (actions.iter().map(String::as_str), resources.iter().map(String::as_str));
                Statement::allow(sid).doing(actions).on(resources)
            });
            wanted.push((sid.to_owned(), statement));
        };
        let topics = |names: &[String], cluster: Cluster| -> Vec<String> {
            named(names, naming).iter().map(|name| cluster.topic(name)).collect()
        };
        let Grants { connector, dead_letter_topic, client_topics, is_client, .. } = &self.grants;
        if connector.is_none() && client_topics.is_empty() && !is_client {
            return;
        }

        // Producers are idempotent by default since Kafka 3.2.
        let idempotently = if client_topics.is_empty() { None } else { Some("WriteDataIdempotently") };
        let on_cluster: Vec<_> = ["Connect", "DescribeCluster"].into_iter().chain(idempotently).collect();
        allow("Cluster", &on_cluster, &|cluster| vec![cluster.0.to_owned()]);
        if let Some(connector) = connector {
            let sources = match &connector.sources {
                Sources::Named(names) => names.clone(),
                Sources::Matching(regex) => topic_pattern::of_regex(regex),
            };
            if !sources.is_empty() {
                allow("SourceTopics", &["ReadData", "DescribeTopic"], &|cluster| topics(&sources, cluster));
            }
            allow("ConnectTopics", &["CreateTopic", "WriteData", "ReadData", "DescribeTopic"], &|cluster| {
                vec![cluster.topic(CONNECT_INTERNAL)]
            });
            allow("ConnectGroups", &["AlterGroup", "DescribeGroup"], &|cluster| {
                vec![cluster.group(CONNECT_INTERNAL), cluster.group("connect-*")]
            });
            if let Some(topic) = dead_letter_topic {
                allow("DeadLetterTopic", &["CreateTopic", "WriteData", "DescribeTopic"], &|cluster| {
                    vec![cluster.topic(topic)]
                });
            }
        }
        if !client_topics.is_empty() {
            allow("ClientTopics", &["CreateTopic", "WriteData", "ReadData", "DescribeTopic"], &|cluster| {
                topics(client_topics, cluster)
            });
            // Console consumers and the REST proxy's instances name their groups as they like.
            allow("ClientGroups", &["AlterGroup", "DescribeGroup"], &|cluster| vec![cluster.group("*")]);
        }
    }

    fn bucket_statements(&self, wanted: &mut Vec<Wanted>) {
        let Some(bucket) = &self.grants.bucket else { return };
        let arn = format!("arn:{}:s3:::{bucket}", self.partition);
        let mut allow = |sid: &str, actions: &[&str], resource: &str| {
            let actions: Vec<_> = actions.iter().map(|action| format!("s3:{action}")).collect();
            let statement = Statement::allow(sid).doing(actions.iter().map(String::as_str)).on([resource]);
            wanted.push((sid.to_owned(), Some(statement)));
        };
        allow("Buckets", &["ListAllMyBuckets"], "*");
        allow("Bucket", &["ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"], &arn);
        let objects = ["PutObject", "GetObject", "AbortMultipartUpload", "ListMultipartUploadParts"];
        allow("Objects", &objects, &format!("{arn}/*"));
    }
}

/// The document of those statements that are known.
fn document(wanted: &[Wanted]) -> Document {
    Document::new(wanted.iter().filter_map(|(_, statement)| statement.clone()).collect())
}

/// Topic names, or patterns of them.
fn named(names: &[String], naming: Naming) -> Vec<String> {
    match (naming, common_prefix(names)) {
        (Naming::ByPrefix, prefix) if names.len() > 1 && !prefix.is_empty() => vec![format!("{prefix}*")],
        _ => names.to_vec(),
    }
}

/// What all names start with, up to the first wildcard in one.
fn common_prefix(names: &[String]) -> &str {
    let Some((first, others)) = names.split_first() else { return "" };
    let shared =
        |other: &String| first.chars().zip(other.chars()).take_while(|(a, b)| a == b && !"*?".contains(*a)).count();
    let length = others.iter().map(shared).min().unwrap_or(0);
    first.char_indices().nth(length).map_or(first, |(end, _)| &first[..end])
}
