//! The kinds of resources: one file each, behind [`crate::engine::Resource`], and the only registry of them.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::archive::Archive;
use crate::archive::classes::check_classes;
use crate::aws::clients::Clients;
use crate::engine::graph::{Graph, GraphError};
use crate::engine::{Address, Outputs, Resource, Result as EngineResult};
use crate::kafka::Brokers;
use crate::manifest::{Client, Manifest, PluginSource, TopicSelection};

mod backend;
mod bucket;
mod client_host;
mod cluster;
mod connector;
mod content_name;
mod existing;
mod instance;
mod object;
mod ownership;
mod plugin;
mod rest_api;
mod role;
mod secrecy;
mod topic;
mod topic_commands;
mod worker_configuration;

pub use ownership::Tags;
pub use rest_api::Door;
pub use topic_commands::topic_commands;

pub(crate) use backend::address as backend_address;
pub(crate) use client_host::folder as client_folder;

use backend::Backend;
use client_host::Blueprint;
use instance::Expected;

/// What every kind works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The clients.
    pub clients: Clients,
    /// The tags that say whose a thing is.
    pub tags: Tags,
}

/// A context, shared by the resources of one graph.
pub type Shared = Arc<Context>;

/// What a graph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To make what is declared, or to look at it.
    Make,
    /// To remove it. The plugin's archive is not looked for then: all that was made of it is told by names and tags.
    Remove,
}

/// Why a valid manifest makes no graph.
pub type Unbuildable = Box<dyn std::error::Error + Send + Sync>;

/// The resources that a manifest declares.
///
/// Looks into the plugin's archive, where it is on this machine, so that a class that it lacks is told now and not by a
/// connector that fails ten minutes later.
///
/// # Errors
/// Where the plugin's archive can't be read or lacks what the connector needs, or a policy statement isn't one.
pub async fn graph(manifest: &Manifest, context: &Shared, purpose: Purpose) -> Result<Graph, Unbuildable> {
    let mut builder = Builder { manifest, context, purpose, resources: Vec::new() };
    builder.cluster_and_topics();
    builder.bucket();
    let plugin = builder.plugin().await?;
    builder.worker_configuration();
    builder.role()?;
    builder.connector(plugin.as_deref()).await?;
    let backend = backend::of(manifest, &context.clients).await?;
    builder.client(backend.as_ref()).await?;
    builder.api(backend);
    builder.graph().map_err(Into::into)
}

struct Builder<'a> {
    manifest: &'a Manifest,
    context: &'a Shared,
    purpose: Purpose,
    resources: Vec<Box<dyn Resource>>,
}

impl Builder<'_> {
    fn shared(&self) -> Shared {
        Arc::clone(self.context)
    }

    fn add(&mut self, resource: impl Resource + 'static) {
        self.resources.push(Box::new(resource));
    }

    fn graph(self) -> Result<Graph, GraphError> {
        Graph::new(self.resources)
    }

    fn cluster_and_topics(&mut self) {
        let topics = &self.manifest.topics;
        let Some(declared) = &self.manifest.cluster else { return };
        let doors = Arc::new(topic::Doors::new(self.context, topics));
        let managed = (!topics.is_empty()).then(|| cluster::Topics {
            declared: topics.clone(),
            doors: Arc::clone(&doors),
            are_needed: self.purpose == Purpose::Make || topics.iter().any(|topic| !topic.retain),
        });
        self.add(cluster::Cluster::new(self.shared(), declared, managed));
        for topic in topics {
            self.add(topic::Topic::new(topic, cluster::address(declared), Arc::clone(&doors)));
        }
    }

    fn bucket(&mut self) {
        if let Some(declared) = &self.manifest.bucket {
            self.add(bucket::Bucket::new(self.shared(), declared));
        }
    }

    /// The plugin and the object that it is a copy of.
    async fn plugin(&mut self) -> Result<Option<Arc<Archive>>, Unbuildable> {
        let Some(declared) = &self.manifest.plugin else { return Ok(None) };
        let archive = match self.purpose {
            Purpose::Make => object::prepare(&declared.source).await?,
            Purpose::Remove => None,
        };
        let object: Box<dyn Resource> = match &declared.source {
            PluginSource::S3 { bucket, key } => {
                Box::new(object::ExistingObject::new(self.shared(), &declared.name, bucket, key))
            }
            _ => {
                let bucket = self.manifest.bucket.as_ref().ok_or("an uploaded plugin needs a bucket")?;
                let place = (bucket::address(&bucket.name), bucket.name.clone());
                Box::new(object::Object::new(self.shared(), declared, place, archive.clone()))
            }
        };
        let address = object.address().clone();
        self.resources.push(object);
        if declared.register {
            self.add(plugin::Plugin::new(self.shared(), declared, address, archive.as_deref()));
        }
        Ok(archive)
    }

    fn worker_configuration(&mut self) {
        if let Some(declared) = &self.manifest.worker_configuration {
            self.add(worker_configuration::WorkerConfiguration::new(self.shared(), declared));
        }
    }

    fn role(&mut self) -> Result<(), Unbuildable> {
        if let Some(declared) = &self.manifest.role {
            self.resources.push(role::declared(self.shared(), declared, grants(self.manifest))?);
        }
        Ok(())
    }

    async fn connector(&mut self, archive: Option<&Archive>) -> Result<(), Unbuildable> {
        let Manifest { connector: Some(declared), cluster: Some(cluster), bucket: Some(bucket), .. } = self.manifest
        else {
            return Ok(());
        };
        let (Some(plugin), Some(role)) = (&self.manifest.plugin, &self.manifest.role) else { return Ok(()) };
        let parts = connector::Parts {
            cluster: cluster::address(cluster),
            plugin: plugin::address(&plugin.name),
            role: role::address(&role.name),
            bucket: bucket::address(&bucket.name),
            worker_configuration: self
                .manifest
                .worker_configuration
                .as_ref()
                .map(|declared| worker_configuration::address(&declared.name)),
            topics: self.manifest.topics.iter().map(|topic| topic::address(&topic.name)).collect(),
        };
        let connector = connector::Connector::new(self.shared(), declared, &cluster.auth, &self.manifest.topics, parts);
        if let Some(archive) = archive {
            check_plugin(archive, &connector, &declared.kafka_connect_version).await?;
        }
        self.add(connector);
        Ok(())
    }

    /// The client's machine, and what is installed on it. Without an instance, both are a person's affair.
    async fn client(&mut self, backend: Option<&Backend>) -> Result<(), Unbuildable> {
        let Some(Client { instance: Some(declared), .. }) = &self.manifest.client else { return Ok(()) };
        let Some(blueprint) = Blueprint::of(self.manifest, self.context).await? else { return Ok(()) };
        let is_backend = matches!(backend, Some(Backend::Instance { .. }));
        let expected = Expected { role: client_host::expected_role(self.manifest), public_address: is_backend };
        self.add(instance::Instance::new(self.shared(), declared, expected));
        self.add(client_host::ClientHost::new(self.shared(), blueprint, declared));
        Ok(())
    }

    fn api(&mut self, backend: Option<Backend>) {
        if let (Some(declared), Some(backend)) = (&self.manifest.api, backend) {
            self.add(rest_api::RestApi::new(self.shared(), declared, backend));
        }
    }
}

/// Looks whether the plugin brings what the connector names, in a form that its Java can load. A download that has not
/// come yet is looked at when it is there.
async fn check_plugin(
    archive: &Archive,
    connector: &connector::Connector,
    kafka_connect_version: &str,
) -> Result<(), Unbuildable> {
    let (Some(_), Some(java)) = (archive.length(), plugin::java_of(kafka_connect_version)) else { return Ok(()) };
    let path = archive.path(&|_, _| {}).await?.to_owned();
    let classes: Vec<String> = connector.classes().into_iter().map(str::to_owned).collect();
    let check = move || check_classes(&path, &classes.iter().map(String::as_str).collect::<Vec<_>>(), java);
    let checked = tokio::task::spawn_blocking(check).await?;
    Ok(checked.map_err(|error| format!("{}: {error}", connector.address()))?)
}

/// What the role is needed for.
fn grants(manifest: &Manifest) -> role::Grants {
    let names = || manifest.topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
    let connector = manifest.connector.as_ref();
    role::Grants {
        cluster: manifest.cluster.as_ref().map(cluster::address),
        iam_auth: manifest.logs_in_with_iam(),
        connector: connector.map(|connector| role::Connector {
            name: connector.name.clone(),
            sources: match &connector.topics {
                TopicSelection::All => role::Sources::Named(names()),
                TopicSelection::List(listed) => role::Sources::Named(listed.clone()),
                TopicSelection::Regex(regex) => role::Sources::Matching(regex.clone()),
            },
        }),
        bucket: manifest.bucket.as_ref().map(|bucket| bucket.name.clone()),
        dead_letter_topic: connector
            .and_then(|connector| connector.config.get("errors.deadletterqueue.topic.name").cloned()),
        // The REST proxy behind the API writes as this role, and so do those who are at the client's machine.
        client_topics: if manifest.api.is_some() || manifest.client.is_some() { names() } else { Vec::new() },
        is_client: manifest.client.is_some(),
    }
}

/// The brokers that the manifest's clients use, and who this tool is to them.
///
/// # Errors
/// Where the manifest has no cluster, the cluster no such listener, or the credentials can't be had.
pub async fn brokers(manifest: &Manifest, context: &Shared, outputs: &Map<String, Value>) -> EngineResult<Brokers> {
    let declared = manifest.cluster.as_ref().ok_or("the manifest declares no cluster")?;
    let servers = outputs.get("bootstrap_brokers").and_then(Value::as_str);
    cluster::brokers(context, declared, servers.ok_or("the cluster has no listener as `cluster.auth` asks for")?).await
}

/// What `pipeline outputs` gives, in the order in which it is told. What does not exist is absent.
pub fn outputs(manifest: &Manifest, known: &Outputs) -> Map<String, Value> {
    const LISTENERS: [&str; 8] = [
        "bootstrap_brokers",
        "bootstrap_brokers_plaintext",
        "bootstrap_brokers_tls",
        "bootstrap_brokers_scram",
        "bootstrap_brokers_iam",
        "bootstrap_brokers_public_tls",
        "bootstrap_brokers_public_scram",
        "bootstrap_brokers_public_iam",
    ];
    let mut outputs = Map::new();
    let mut give = |name: &str, address: Option<&Address>, key: &str| {
        if let Some(value) = address.and_then(|address| known.of(address)?.get(key)) {
            outputs.insert(name.to_owned(), value.clone());
        }
    };
    let cluster = manifest.cluster.as_ref().map(cluster::address);
    give("cluster_arn", cluster.as_ref(), "arn");
    for listener in LISTENERS {
        give(listener, cluster.as_ref(), listener);
    }
    give("zookeeper", cluster.as_ref(), "zookeeper");
    let topics = manifest.topics.iter().filter_map(|topic| known.text(&topic::address(&topic.name), "arn"));
    let topics: Vec<Value> = topics.map(Value::from).collect();
    if !topics.is_empty() {
        outputs.insert("topic_arns".to_owned(), topics.into());
    }
    let worker_configuration = manifest.worker_configuration.as_ref();
    let api = manifest.api.as_ref().map(rest_api::address);
    for (name, address, key) in [
        ("bucket", manifest.bucket.as_ref().map(|declared| bucket::address(&declared.name)), "name"),
        ("plugin_arn", manifest.plugin.as_ref().map(|declared| plugin::address(&declared.name)), "arn"),
        (
            "worker_configuration_arn",
            worker_configuration.map(|declared| worker_configuration::address(&declared.name)),
            "arn",
        ),
        ("role_arn", manifest.role.as_ref().map(|declared| role::address(&declared.name)), "arn"),
        ("connector_arn", manifest.connector.as_ref().map(|declared| connector::address(&declared.name)), "arn"),
        ("api_id", api.clone(), "id"),
        ("invoke_url", api, "invoke_url"),
    ] {
        if let Some(value) = address.and_then(|address| known.of(&address)?.get(key)) {
            outputs.insert(name.to_owned(), value.clone());
        }
    }
    outputs
}
