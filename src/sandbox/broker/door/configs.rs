//! Configurations: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs. Those of topics can be changed; of brokers
//! nothing is told.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Altered;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::rights::{Action, Rights};
use super::{Session, text};
use crate::sandbox::kafka::{self, Change, Configs, Fault};
use crate::sandbox::world::now;

/// `ConfigResource.Type`.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// `DescribeConfigsResponse.ConfigSource`.
pub(super) const DYNAMIC_TOPIC: i8 = 1;
/// The same: the brokers' own.
pub(super) const SERVER_DEFAULT: i8 = 5;
/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// What configurations come to; a key without a value goes back to the default.
type Values = Vec<(String, Option<String>)>;

/// An outcome with the words that go with it.
type Outcome = Result<(), (ResponseError, String)>;

impl Session {
    pub(super) fn describe_configs(
        &self,
        request: &DescribeConfigsRequest,
        rights: &Rights<'_>,
    ) -> DescribeConfigsResponse {
        let describe = |resource: &DescribeConfigsResource| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            let refused = |error: ResponseError, message: &str| {
                result.clone().with_error_code(error.code()).with_error_message(Some(text(message)))
            };
            let may = match resource.resource_type {
                BROKER => rights.check_cluster(Action::DescribeClusterDynamicConfiguration),
                TOPIC => rights.check(Action::DescribeTopicDynamicConfiguration, &resource.resource_name),
                _ => {
                    return refused(ResponseError::InvalidRequest, "Only topics and brokers have configurations here.");
                }
            };
            match may {
                Err(error) => return refused(error, &error.to_string()),
                Ok(()) if resource.resource_type == BROKER => return result,
                Ok(()) => {}
            }
            let Some(view) = kafka::topic(&self.world, &self.broker.cluster, &resource.resource_name) else {
                return refused(
                    ResponseError::UnknownTopicOrPartition,
                    "This server does not host this topic-partition.",
                );
            };
            let is_asked = |key: &str| {
                let keys = resource.configuration_keys.as_ref();
                keys.is_none_or(|keys| keys.iter().any(|asked| asked.as_str() == key))
            };
            let set = &view.content.configs;
            let configs = kafka::in_force(set).into_iter().filter(|(key, _)| is_asked(key));
            result.with_configs(configs.map(|(key, value)| told(set, &key, &value, request.include_synonyms)).collect())
        };
        DescribeConfigsResponse::default().with_results(request.resources.iter().map(describe).collect())
    }

    pub(super) fn alter_configs(&self, request: &AlterConfigsRequest, rights: &Rights<'_>) -> AlterConfigsResponse {
        let responses = request.resources.iter().map(|resource| {
            let configs: Configs = resource
                .configs
                .iter()
                .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
                .collect();
            let change = Change::Reconfigure(configs);
            let outcome = alterable(resource.resource_type, &resource.resource_name, rights)
                .and_then(|()| self.alter(&resource.resource_name, change, request.validate_only));
            let (code, message) = told_outcome(outcome);
            Altered::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
        });
        AlterConfigsResponse::default().with_responses(responses.collect())
    }

    pub(super) fn incremental_alter_configs(
        &self,
        request: &IncrementalAlterConfigsRequest,
        rights: &Rights<'_>,
    ) -> IncrementalAlterConfigsResponse {
        let responses = request.resources.iter().map(|resource| {
            let name = &resource.resource_name;
            let outcome = alterable(resource.resource_type, name, rights)
                .and_then(|()| self.values(name, &resource.configs))
                .and_then(|values| self.alter(name, Change::Configure(values), request.validate_only));
            let (code, message) = told_outcome(outcome);
            AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
        });
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    }

    fn alter(&self, name: &str, change: Change, only_try: bool) -> Outcome {
        self.attempt(only_try, |transaction| kafka::change(transaction, &self.broker.cluster, name, change, now()))
            .map_err(|Fault { error, message, .. }| (error, message))
    }

    /// What single operations come to: lists can be added to and taken from.
    fn values(&self, topic: &str, operations: &[AlterableConfig]) -> Result<Values, (ResponseError, String)> {
        let present = kafka::topic(&self.world, &self.broker.cluster, topic);
        let mut values: BTreeMap<String, Option<String>> = BTreeMap::new();
        for operation in operations {
            let key = operation.name.to_string();
            let list = || {
                let config = present.as_ref().and_then(|view| view.config(&key)).unwrap_or_default();
                config.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            };
            let given = operation.value.as_ref().map_or("", StrBytes::as_str);
            let value = match operation.config_operation {
                DELETE => None,
                SET => Some(given.to_owned()),
                APPEND => {
                    let mut items = list();
                    let new: Vec<String> = given.split(',').map(str::to_owned).collect();
                    items.extend(new.into_iter().filter(|item| !list().contains(item)));
                    Some(items.join(","))
                }
                SUBTRACT => {
                    let mut items = list();
                    items.retain(|item| !given.split(',').any(|gone| gone == item));
                    Some(items.join(","))
                }
                other => return Err((ResponseError::InvalidRequest, format!("There is no operation {other}."))),
            };
            if values.insert(key.clone(), value).is_some() {
                let message = format!("Error due to duplicate config keys: {key}");
                return Err((ResponseError::InvalidRequest, message));
            }
        }
        Ok(values.into_iter().collect())
    }
}

/// Sees that the configurations of something may be changed.
fn alterable(kind: i8, name: &str, rights: &Rights<'_>) -> Outcome {
    if kind != TOPIC {
        let message = "Only the configurations of topics can be changed here.";
        return Err((ResponseError::InvalidRequest, message.to_owned()));
    }
    rights.check(Action::AlterTopicDynamicConfiguration, name).map_err(|error| (error, error.to_string()))
}

fn told_outcome(outcome: Outcome) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err((error, message)) => (error.code(), Some(text(&message))),
    }
}

fn told(set: &Configs, key: &str, value: &str, with_synonyms: bool) -> DescribeConfigsResourceResult {
    let source = if set.contains_key(key) { DYNAMIC_TOPIC } else { SERVER_DEFAULT };
    let synonym = |source: i8, value: &str| {
        DescribeConfigsSynonym::default().with_name(text(key)).with_value(Some(text(value))).with_source(source)
    };
    let mut synonyms = Vec::new();
    if with_synonyms {
        synonyms.push(synonym(source, value));
        if let Some(default) = kafka::in_force(&Configs::new()).get(key).filter(|_| source == DYNAMIC_TOPIC) {
            synonyms.push(synonym(SERVER_DEFAULT, default));
        }
    }
    DescribeConfigsResourceResult::default()
        .with_name(text(key))
        .with_value(Some(text(value)))
        .with_config_source(source)
        .with_synonyms(synonyms)
}
