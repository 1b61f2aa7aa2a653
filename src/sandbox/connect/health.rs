//! Whether a connector would work: what MSK Connect finds out in the minutes after a call is decided here at once.
//!
//! In the order in which a connector meets them: its role, the cluster, the rights of the worker, the configuration,
//! the topics, and where the records go.
//!
//! `InvalidInput.InvalidConnectorConfiguration` and its words are AWS's (seen in terraform-aws-modules' issue 10 of
//! terraform-aws-msk-kafka-cluster). AWS documents no other codes; the rest follow that one's form.

mod classes;
mod configuration;
mod permissions;
mod topics;

use std::collections::BTreeMap;

use super::archive::Classes;
use super::connectors::{Connector, Settings, StateDescription};
use super::creation::SERVICE;
use super::plugins;
use super::things;
use super::worker::{DEFAULT_REGION, Sink};
use super::worker_configurations::WorkerConfiguration;
use classes::CONNECTOR;
pub(super) use permissions::require;

use crate::sandbox::call::Refusal;
use crate::sandbox::iam::{self, Assumption};
use crate::sandbox::kafka::{self, Cluster, Listener};
use crate::sandbox::s3;
use crate::sandbox::world::{ACCOUNT, World};

/// The classes of this connector are known well enough to look at what it is configured with.
pub(super) const S3_SINK: &str = "io.confluent.connect.s3.S3SinkConnector";

/// A connector, with the settings that it is to have.
struct Subject<'a> {
    world: &'a World,
    connector: &'a Connector,
    settings: &'a Settings,
    cluster: Cluster,
    classes: Classes,
    /// The configuration of its workers.
    worker: BTreeMap<String, String>,
}

type Finding = Result<(), StateDescription>;

/// Looks whether a connector would run with some settings. The inner error is why it wouldn't.
///
/// # Errors
/// Where the sandbox itself fails.
pub(super) fn examine(world: &World, connector: &Connector, settings: &Settings) -> Result<Finding, Refusal> {
    if let Err(fault) = check_trust(world, connector) {
        return Ok(Err(fault));
    }
    let cluster = match reach_cluster(world, connector)? {
        Ok(cluster) => cluster,
        Err(fault) => return Ok(Err(fault)),
    };
    let worker = match &settings.worker_configuration {
        Some(used) => {
            world.store.read(|transaction| things::find::<WorkerConfiguration>(transaction, &used.arn))?.0.properties()
        }
        None => BTreeMap::new(),
    };
    let classes = plugins::classes(world, &settings.plugin.arn);
    Ok(Subject { world, connector, settings, cluster, classes, worker }.examine())
}

/// Whether MSK Connect may assume the role of a connector.
pub(super) fn check_trust(world: &World, connector: &Connector) -> Finding {
    let role = &connector.fixed.role;
    match iam::service_may_assume(world, role, SERVICE, ACCOUNT, &connector.arn) {
        Assumption::Allowed => Ok(()),
        Assumption::NoSuchRole | Assumption::NotTrusted | Assumption::NotYet => Err(StateDescription::new(
            "InvalidInput.InvalidServiceExecutionRole",
            format!(
                "MSK Connect can't assume the service execution role {role}. Its trust policy must let {SERVICE} assume it for {}.",
                connector.arn
            ),
        )),
    }
}

/// The cluster behind the bootstrap servers, where it listens there as the connector means to talk to it.
///
/// # Errors
/// Where the sandbox itself fails.
pub(super) fn reach_cluster(
    world: &World,
    connector: &Connector,
) -> Result<Result<Cluster, StateDescription>, Refusal> {
    let servers = connector.fixed.bootstrap_servers();
    let fault = |why: String| Err(StateDescription::new("InvalidInput.InvalidBootstrapServers", why));
    let Some((cluster, listener)) = kafka::cluster_behind(world, &connector.region, servers)? else {
        return Ok(fault(format!(
            "Unable to connect to the bootstrap servers {servers}: no cluster listens there. Take them from GetBootstrapBrokers."
        )));
    };
    if !cluster.has_own_brokers() {
        return Ok(fault(format!(
            "Unable to connect to the bootstrap servers {servers}: those brokers run outside of the sandbox, whose workers read its own only."
        )));
    }
    let expected = match (connector.fixed.authentication.as_str(), connector.fixed.encryption.as_str()) {
        ("IAM", _) => Listener::Iam,
        (_, "TLS") => Listener::Tls,
        _ => Listener::Plaintext,
    };
    if listener == expected {
        return Ok(Ok(cluster));
    }
    let Connector { fixed, .. } = connector;
    Ok(fault(format!(
        "Unable to connect to the bootstrap servers {servers}: authentication {} with encryption {} needs the cluster's {expected:?} listener, and that is its {listener:?} one.",
        fixed.authentication, fixed.encryption
    )))
}

impl Subject<'_> {
    fn examine(&self) -> Finding {
        self.check_worker_permissions()?;
        self.connector_fault().map_or(Ok(()), |fault| Err(invalid(fault)))?;
        self.check_configuration()?;
        if !self.is_sink() {
            return Ok(());
        }
        let topics = self.source_topics()?;
        self.check_topic_permissions(&topics)?;
        if self.is_s3_sink() {
            self.check_bucket()?;
            self.check_bucket_permissions()?;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.settings.configuration.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The full name of the connector's class.
    fn class(&self) -> String {
        classes::full_name(&self.classes, CONNECTOR, self.get("connector.class").unwrap_or_default())
    }

    fn is_s3_sink(&self) -> bool {
        self.class() == S3_SINK
    }

    /// By its name, which is how a person would tell too: what a class does can't be seen from outside.
    fn is_sink(&self) -> bool {
        self.class().contains("Sink")
    }

    fn check_bucket(&self) -> Finding {
        let bucket = self.get("s3.bucket.name").unwrap_or_default();
        let region = self.get("s3.region").unwrap_or(DEFAULT_REGION);
        match s3::bucket_region(self.world, bucket) {
            None => Err(invalid(format!("Non-existent S3 bucket: {bucket}"))),
            Some(found) if found == region => Ok(()),
            Some(found) => Err(invalid(format!(
                "The S3 bucket {bucket} is in the region {found}, and s3.region is {region}: requests are answered with 301 PermanentRedirect"
            ))),
        }
    }
}

/// The full name of a connector's class.
pub(super) fn class(world: &World, settings: &Settings) -> String {
    let name = settings.configuration.get("connector.class").map_or("", |name| name.trim());
    classes::full_name(&plugins::classes(world, &settings.plugin.arn), CONNECTOR, name)
}

/// All that is wrong with the configuration of a connector of some class, in Kafka Connect's words.
pub(super) fn invalid_configuration(faults: &[String], class: &str) -> StateDescription {
    invalid(format!(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above list of errors at the endpoint `/connector-plugins/{class}/config/validate`",
        faults.len(),
        faults.join("\n"),
    ))
}

/// A configuration that the connector doesn't take, in AWS's words.
fn invalid(message: impl std::fmt::Display) -> StateDescription {
    StateDescription::new(
        "InvalidInput.InvalidConnectorConfiguration",
        format!("The connector configuration is invalid. Message: {message}"),
    )
}
