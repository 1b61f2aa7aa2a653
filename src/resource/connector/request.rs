//! What MSK Connect is asked to do.

use std::collections::HashMap;

use aws_sdk_kafkaconnect::operation::create_connector::builders::CreateConnectorInputBuilder;
use aws_sdk_kafkaconnect::operation::update_connector::builders::UpdateConnectorFluentBuilder;
use aws_sdk_kafkaconnect::types::{
    ApacheKafkaCluster, AutoScaling, AutoScalingUpdate, Capacity as Wire, CapacityUpdate, CloudWatchLogsLogDelivery,
    CustomPlugin, CustomPluginUpdate, FirehoseLogDelivery, KafkaCluster, KafkaClusterClientAuthentication,
    KafkaClusterClientAuthenticationType, KafkaClusterEncryptionInTransit, KafkaClusterEncryptionInTransitType,
    LogDelivery, Plugin, PluginUpdate, ProvisionedCapacity, ProvisionedCapacityUpdate, S3LogDelivery, ScaleInPolicy,
    ScaleInPolicyUpdate, ScaleOutPolicy, ScaleOutPolicyUpdate, Vpc, WorkerConfiguration, WorkerConfigurationUpdate,
    WorkerLogDelivery,
};

use super::settings::Settings;
use crate::engine::Result;
use crate::manifest::{self, Capacity};

/// What one UpdateConnector may change: one kind of thing a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Plugin,
    WorkerConfiguration,
    Config,
    Capacity,
}

impl Group {
    /// In the order in which they are made: code before the configuration that may need it.
    pub(super) const ALL: [Self; 4] = [Self::Plugin, Self::WorkerConfiguration, Self::Config, Self::Capacity];

    /// Whether a field belongs to it.
    pub(super) fn has(self, field: &str) -> bool {
        match self {
            Self::Plugin => matches!(field, "plugin" | "plugin_revision"),
            Self::WorkerConfiguration => matches!(field, "worker_configuration" | "worker_configuration_revision"),
            Self::Config => field.starts_with("config."),
            Self::Capacity => field.starts_with("capacity."),
        }
    }
}

fn known<'a>(value: Option<&'a str>, what: &str) -> Result<&'a str> {
    value.ok_or_else(|| format!("the {what} is not known").into())
}

fn properties(settings: &Settings<'_>) -> HashMap<String, String> {
    settings.properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A CreateConnector request.
pub(super) fn create(
    declared: &manifest::Connector,
    settings: &Settings<'_>,
    tags: HashMap<String, String>,
) -> Result<CreateConnectorInputBuilder> {
    let vpc = Vpc::builder()
        .set_subnets(Some(strings(&settings.subnets)))
        .set_security_groups(Some(strings(&settings.security_groups)))
        .build()?;
    let cluster = ApacheKafkaCluster::builder()
        .bootstrap_servers(known(settings.brokers, "cluster's bootstrap string")?)
        .vpc(vpc)
        .build()?;
    let plugin = CustomPlugin::builder()
        .custom_plugin_arn(known(settings.plugin, "plugin's ARN")?)
        .revision(settings.plugin_revision)
        .build()?;
    let worker_configuration = match settings.worker_configuration {
        None => None,
        Some(arn) => Some(
            WorkerConfiguration::builder()
                .worker_configuration_arn(known(arn, "worker configuration's ARN")?)
                .revision(settings.worker_configuration_revision)
                .build()?,
        ),
    };
    let authentication = KafkaClusterClientAuthentication::builder()
        .authentication_type(KafkaClusterClientAuthenticationType::from(settings.authentication))
        .build()?;
    let encryption = KafkaClusterEncryptionInTransit::builder()
        .encryption_type(KafkaClusterEncryptionInTransitType::from(settings.encryption))
        .build()?;
    let request = aws_sdk_kafkaconnect::operation::create_connector::CreateConnectorInput::builder()
        .connector_name(&declared.name)
        .kafka_connect_version(settings.kafka_connect_version)
        .set_connector_configuration(Some(properties(settings)))
        .capacity(capacity(&declared.capacity)?)
        .kafka_cluster(KafkaCluster::builder().apache_kafka_cluster(cluster).build())
        .kafka_cluster_client_authentication(authentication)
        .kafka_cluster_encryption_in_transit(encryption)
        .plugins(Plugin::builder().custom_plugin(plugin).build())
        .set_worker_configuration(worker_configuration)
        .service_execution_role_arn(known(settings.role, "role's ARN")?)
        .set_tags(Some(tags));
    Ok(request.set_log_delivery(declared.log_delivery.as_ref().map(log_delivery).transpose()?))
}

fn capacity(declared: &Capacity) -> Result<Wire> {
    let wire = Wire::builder();
    Ok(match *declared {
        Capacity::Provisioned { mcu_count, workers } => wire
            .provisioned_capacity(ProvisionedCapacity::builder().mcu_count(mcu_count).worker_count(workers).build())
            .build(),
        Capacity::Autoscaling { mcu_count, min_workers, max_workers, scale_in_cpu, scale_out_cpu, max_tasks } => {
            let scaling = AutoScaling::builder()
                .mcu_count(mcu_count)
                .min_worker_count(min_workers)
                .max_worker_count(max_workers)
                .scale_in_policy(ScaleInPolicy::builder().cpu_utilization_percentage(scale_in_cpu).build())
                .scale_out_policy(ScaleOutPolicy::builder().cpu_utilization_percentage(scale_out_cpu).build())
                .set_max_autoscaling_task_count(max_tasks)
                .build();
            wire.auto_scaling(scaling).build()
        }
    })
}

fn capacity_update(declared: &Capacity) -> Result<CapacityUpdate> {
    let wire = CapacityUpdate::builder();
    Ok(match *declared {
        Capacity::Provisioned { mcu_count, workers } => {
            let fixed = ProvisionedCapacityUpdate::builder().mcu_count(mcu_count).worker_count(workers).build();
            wire.provisioned_capacity(fixed).build()
        }
        Capacity::Autoscaling { mcu_count, min_workers, max_workers, scale_in_cpu, scale_out_cpu, max_tasks } => {
            let scaling = AutoScalingUpdate::builder()
                .mcu_count(mcu_count)
                .min_worker_count(min_workers)
                .max_worker_count(max_workers)
                .scale_in_policy(ScaleInPolicyUpdate::builder().cpu_utilization_percentage(scale_in_cpu).build())
                .scale_out_policy(ScaleOutPolicyUpdate::builder().cpu_utilization_percentage(scale_out_cpu).build())
                .set_max_autoscaling_task_count(max_tasks)
                .build();
            wire.auto_scaling(scaling).build()
        }
    })
}

fn log_delivery(declared: &manifest::LogDelivery) -> Result<LogDelivery> {
    let mut worker = WorkerLogDelivery::builder();
    if let Some(group) = &declared.cloudwatch {
        worker = worker.cloud_watch_logs(CloudWatchLogsLogDelivery::builder().enabled(true).log_group(group).build());
    }
    if let Some((bucket, prefix)) = &declared.s3 {
        worker = worker.s3(S3LogDelivery::builder().enabled(true).bucket(bucket).set_prefix(prefix.clone()).build());
    }
    if let Some(stream) = &declared.firehose {
        worker = worker.firehose(FirehoseLogDelivery::builder().enabled(true).delivery_stream(stream).build());
    }
    Ok(LogDelivery::builder().worker_log_delivery(worker.build()).build())
}

/// Adds one group to an UpdateConnector request.
pub(super) fn update(
    request: UpdateConnectorFluentBuilder,
    group: Group,
    settings: &Settings<'_>,
) -> Result<UpdateConnectorFluentBuilder> {
    Ok(match group {
        Group::Plugin => {
            let plugin = CustomPluginUpdate::builder()
                .custom_plugin_arn(known(settings.plugin, "plugin's ARN")?)
                .revision(settings.plugin_revision)
                .build()?;
            request.plugins(PluginUpdate::builder().custom_plugin(plugin).build())
        }
        Group::WorkerConfiguration => match settings.worker_configuration {
            None => request.use_default_worker_configuration(true),
            Some(arn) => request.worker_configuration(
                WorkerConfigurationUpdate::builder()
                    .worker_configuration_arn(known(arn, "worker configuration's ARN")?)
                    .revision(settings.worker_configuration_revision)
                    .build()?,
            ),
        },
        Group::Config => request.set_connector_configuration(Some(properties(settings))),
        Group::Capacity => {
            let declared = settings.capacity.as_ref().ok_or("the capacity is not known")?;
            request.capacity(capacity_update(declared)?)
        }
    })
}
