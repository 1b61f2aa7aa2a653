//! Finds the connector, and tells whose it is.

use aws_sdk_kafkaconnect::operation::describe_connector::DescribeConnectorOutput;
use aws_sdk_kafkaconnect::types::{ConnectorState, ConnectorSummary};

use super::Connector;
use crate::aws::{Failure, found, sent};
use crate::engine::{Owner, Result};
use crate::resource::content_name::ContentName;

impl Connector {
    /// The connector of our name, where there is one.
    pub(super) async fn find(&self) -> Result<Option<ConnectorSummary>> {
        let list = self.connect().list_connectors().connector_name_prefix(&self.declared.name);
        let mut pages = list.into_paginator().items().send();
        while let Some(connector) = pages.next().await {
            let connector = sent(connector)?;
            if connector.connector_name() == Some(&self.declared.name) {
                return Ok(Some(connector));
            }
        }
        Ok(None)
    }

    /// A connector of ours that has another name and runs a version of our plugin: this one, before it was renamed.
    pub(super) async fn find_renamed(&self) -> Result<Option<ConnectorSummary>> {
        let versions = ContentName::new(self.parts.plugin.name(), None);
        let mut pages = self.connect().list_connectors().into_paginator().items().send();
        while let Some(connector) = pages.next().await {
            let connector = sent(connector)?;
            if plugin_name(&connector).is_some_and(|name| versions.digits_of(name).is_some())
                && self.owner(connector.connector_arn().unwrap_or_default()).await? == Some(Owner::Ours)
            {
                return Ok(Some(connector));
            }
        }
        Ok(None)
    }

    pub(super) async fn describe(&self, arn: &str) -> Result<Option<DescribeConnectorOutput>> {
        Ok(found(self.connect().describe_connector().connector_arn(arn).send().await)?)
    }

    /// Whose the connector of that ARN is; `None` where it is gone.
    pub(super) async fn owner(&self, arn: &str) -> Result<Option<Owner>> {
        let tags = found(self.connect().list_tags_for_resource().resource_arn(arn).send().await)?;
        let tags = tags.map(|answer| answer.tags.unwrap_or_default());
        Ok(tags.map(|tags| self.context.tags.owner(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))))
    }

    /// The ARN of the connector that has our name, if it is ours: a call whose answer was lost is made again, and then
    /// meets its own work.
    pub(super) async fn already_made(&self, conflict: Failure) -> Result<String> {
        let Some(arn) = self.find().await?.and_then(|connector| connector.connector_arn) else {
            return Err(conflict.into());
        };
        match self.owner(&arn).await? {
            Some(Owner::Ours) => Ok(arn),
            Some(Owner::Foreign(why)) => {
                Err(format!("a connector of that name was made just now, and {why}; plan again").into())
            }
            _ => Err(conflict.into()),
        }
    }

    pub(super) async fn is_going(&self, arn: &str) -> Result<bool> {
        let seen = self.describe(arn).await?;
        Ok(seen.is_none_or(|connector| connector.connector_state() == Some(&ConnectorState::Deleting)))
    }
}

/// The name of the plugin that a connector runs: `arn:…:custom-plugin/NAME/UUID`.
fn plugin_name(connector: &ConnectorSummary) -> Option<&str> {
    let plugin = connector.plugins().first()?.custom_plugin()?;
    plugin.custom_plugin_arn()?.split('/').nth(1)
}
