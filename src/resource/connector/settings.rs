//! What a connector is made of, in one form for what the manifest asks and for what MSK Connect says.

use std::collections::BTreeMap;

use aws_sdk_kafkaconnect::operation::describe_connector::DescribeConnectorOutput;
use aws_sdk_kafkaconnect::types::{CapacityDescription, LogDeliveryDescription};
use serde_json::Value;

use super::Parts;
use crate::engine::{Field, Fields, Outputs};
use crate::manifest::{self, Auth, Capacity};
use crate::resource::cluster::whose_brokers;
use crate::resource::secrecy;

/// A connector, in normal form. `None` stands for what its parts give once they exist.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) name: &'a str,
    pub(super) state: &'a str,
    pub(super) kafka_connect_version: &'a str,
    pub(super) capacity: Option<Capacity>,
    pub(super) properties: Vec<(&'a str, &'a str)>,
    pub(super) plugin: Option<&'a str>,
    pub(super) plugin_revision: i64,
    /// The outer option: whether there is one at all.
    pub(super) worker_configuration: Option<Option<&'a str>>,
    pub(super) worker_configuration_revision: i64,
    pub(super) role: Option<&'a str>,
    pub(super) brokers: Option<&'a str>,
    pub(super) authentication: &'a str,
    pub(super) encryption: &'a str,
    pub(super) subnets: Vec<&'a str>,
    pub(super) security_groups: Vec<&'a str>,
    pub(super) logs: BTreeMap<&'static str, String>,
}

impl Settings<'_> {
    /// As the engine compares it.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new()
            .with("name", self.name)
            .with("state", self.state)
            .with("kafka_connect_version", self.kafka_connect_version)
            .with_output("plugin", self.plugin)
            .with("plugin_revision", self.plugin_revision)
            .with_output("role", self.role)
            .with_output("cluster.brokers", self.brokers.map(whose_brokers).as_deref())
            .with("cluster.authentication", self.authentication)
            .with("cluster.encryption", self.encryption)
            .with("network.subnets", self.subnets.clone())
            .with("network.security_groups", self.security_groups.clone());
        if let Some(arn) = self.worker_configuration {
            fields = fields
                .with_output("worker_configuration", arn)
                .with("worker_configuration_revision", self.worker_configuration_revision);
        }
        for (key, value) in capacity_fields(self.capacity.as_ref()) {
            fields.set(format!("capacity.{key}"), Field::Known(value.into()));
        }
        for &(key, value) in &self.properties {
            fields.set(format!("config.{key}"), secrecy::field(key, value));
        }
        for (key, value) in &self.logs {
            fields.set(format!("log_delivery.{key}"), Field::Known(value.as_str().into()));
        }
        fields
    }
}

fn capacity_fields(capacity: Option<&Capacity>) -> Vec<(&'static str, i32)> {
    match capacity {
        None => Vec::new(),
        Some(Capacity::Provisioned { mcu_count, workers }) => vec![("mcu_count", *mcu_count), ("workers", *workers)],
        Some(Capacity::Autoscaling { mcu_count, min_workers, max_workers, scale_in_cpu, scale_out_cpu, max_tasks }) => {
            let mut fields = vec![
                ("mcu_count", *mcu_count),
                ("min_workers", *min_workers),
                ("max_workers", *max_workers),
                ("scale_in_cpu", *scale_in_cpu),
                ("scale_out_cpu", *scale_out_cpu),
            ];
            fields.extend(max_tasks.map(|count| ("max_tasks", count)));
            fields
        }
    }
}

/// What the manifest asks for.
pub(super) fn declared<'a>(
    connector: &'a manifest::Connector,
    auth: &Auth,
    properties: &'a BTreeMap<String, String>,
    parts: &Parts,
    known: &'a Outputs,
) -> Settings<'a> {
    let network = |own: fn(&manifest::Network) -> &Vec<String>, key| match &connector.network {
        Some(network) => sorted(own(network).iter().map(String::as_str)),
        None => sorted(texts(known.of(&parts.cluster).and_then(|cluster| cluster.get(key)))),
    };
    let revision = |part: &_| known.of(part).and_then(|output| output.get("revision")).and_then(Value::as_i64);
    Settings {
        name: &connector.name,
        state: "RUNNING",
        kafka_connect_version: &connector.kafka_connect_version,
        capacity: Some(connector.capacity.clone()),
        properties: properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        plugin: known.text(&parts.plugin, "arn"),
        plugin_revision: revision(&parts.plugin).unwrap_or(1),
        worker_configuration: parts.worker_configuration.as_ref().map(|part| known.text(part, "arn")),
        worker_configuration_revision: parts.worker_configuration.as_ref().and_then(revision).unwrap_or(1),
        role: known.text(&parts.role, "arn"),
        // The workers are in the VPC, whatever clients are.
        brokers: known.text(
            &parts.cluster,
            match auth {
                Auth::Iam => "bootstrap_brokers_iam",
                Auth::Plaintext => "bootstrap_brokers_plaintext",
                Auth::Tls | Auth::Scram { .. } | Auth::Mtls { .. } => "bootstrap_brokers_tls",
            },
        ),
        authentication: if *auth == Auth::Iam { "IAM" } else { "NONE" },
        encryption: if *auth == Auth::Plaintext { "PLAINTEXT" } else { "TLS" },
        subnets: network(|network| &network.subnets, "subnets"),
        security_groups: network(|network| &network.security_groups, "security_groups"),
        logs: connector.log_delivery.as_ref().map(declared_logs).unwrap_or_default(),
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts
}

fn declared_logs(logs: &manifest::LogDelivery) -> BTreeMap<&'static str, String> {
    let mut fields = BTreeMap::new();
    if let Some(group) = &logs.cloudwatch {
        fields.insert("cloudwatch", group.clone());
    }
    if let Some((bucket, prefix)) = &logs.s3 {
        fields.insert("s3", place(bucket, prefix.as_deref()));
    }
    if let Some(stream) = &logs.firehose {
        fields.insert("firehose", stream.clone());
    }
    fields
}

fn place(bucket: &str, prefix: Option<&str>) -> String {
    format!("s3://{bucket}/{}", prefix.unwrap_or_default())
}

/// What MSK Connect says.
pub(super) fn observed(connector: &DescribeConnectorOutput) -> Settings<'_> {
    let cluster = connector.kafka_cluster().and_then(|cluster| cluster.apache_kafka_cluster());
    let vpc = cluster.and_then(|cluster| cluster.vpc());
    let plugin = connector.plugins().first().and_then(|plugin| plugin.custom_plugin());
    let worker = connector.worker_configuration();
    let mut properties: Vec<(&str, &str)> = connector
        .connector_configuration()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let capacity = connector.capacity().and_then(capacity);
    // Where MSK Connect scales, it sets the number of tasks itself.
    // <https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-capacity.html>
    properties.retain(|(key, _)| *key != "tasks.max" || !matches!(capacity, Some(Capacity::Autoscaling { .. })));
    properties.sort_unstable();
    Settings {
        name: connector.connector_name().unwrap_or_default(),
        state: connector.connector_state().map_or("", |state| state.as_str()),
        kafka_connect_version: connector.kafka_connect_version().unwrap_or_default(),
        capacity,
        properties,
        plugin: Some(plugin.and_then(|plugin| plugin.custom_plugin_arn()).unwrap_or_default()),
        plugin_revision: plugin.map_or(0, |plugin| plugin.revision()),
        worker_configuration: worker.map(|worker| worker.worker_configuration_arn()),
        worker_configuration_revision: worker.map_or(0, |worker| worker.revision()),
        role: Some(connector.service_execution_role_arn().unwrap_or_default()),
        brokers: Some(cluster.and_then(|cluster| cluster.bootstrap_servers()).unwrap_or_default()),
        authentication: connector
            .kafka_cluster_client_authentication()
            .and_then(|authentication| authentication.authentication_type())
            .map_or("", |kind| kind.as_str()),
        encryption: connector
            .kafka_cluster_encryption_in_transit()
            .and_then(|encryption| encryption.encryption_type())
            .map_or("", |kind| kind.as_str()),
        subnets: sorted(vpc.map(|vpc| vpc.subnets()).unwrap_or_default().iter().map(String::as_str)),
        security_groups: sorted(vpc.map(|vpc| vpc.security_groups()).unwrap_or_default().iter().map(String::as_str)),
        logs: connector.log_delivery().map(observed_logs).unwrap_or_default(),
    }
}

fn capacity(capacity: &CapacityDescription) -> Option<Capacity> {
    if let Some(fixed) = capacity.provisioned_capacity() {
        return Some(Capacity::Provisioned { mcu_count: fixed.mcu_count(), workers: fixed.worker_count() });
    }
    let scaling = capacity.auto_scaling()?;
    Some(Capacity::Autoscaling {
        mcu_count: scaling.mcu_count(),
        min_workers: scaling.min_worker_count(),
        max_workers: scaling.max_worker_count(),
        scale_in_cpu: scaling.scale_in_policy().map_or(0, |policy| policy.cpu_utilization_percentage()),
        scale_out_cpu: scaling.scale_out_policy().map_or(0, |policy| policy.cpu_utilization_percentage()),
        max_tasks: Some(scaling.max_autoscaling_task_count()).filter(|count| *count > 0),
    })
}

fn observed_logs(logs: &LogDeliveryDescription) -> BTreeMap<&'static str, String> {
    let mut fields = BTreeMap::new();
    let Some(worker) = logs.worker_log_delivery() else { return fields };
    if let Some(logs) = worker.cloud_watch_logs().filter(|logs| logs.enabled()) {
        fields.insert("cloudwatch", logs.log_group().unwrap_or_default().to_owned());
    }
    if let Some(logs) = worker.s3().filter(|logs| logs.enabled()) {
        fields.insert("s3", place(logs.bucket().unwrap_or_default(), logs.prefix()));
    }
    if let Some(logs) = worker.firehose().filter(|logs| logs.enabled()) {
        fields.insert("firehose", logs.delivery_stream().unwrap_or_default().to_owned());
    }
    fields
}
