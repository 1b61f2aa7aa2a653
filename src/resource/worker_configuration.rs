//! The MSK Connect worker configuration: Java properties, under a name that tells its contents.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kafkaconnect::operation::describe_worker_configuration::DescribeWorkerConfigurationOutput;
use aws_sdk_kafkaconnect::types::WorkerConfigurationState;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::content_name::{self, ContentName, InUse, Listed};
use super::{Shared, secrecy};
use crate::aws::wait::{Look, wait_until};
use crate::aws::{found, sent};
use crate::engine::{
    Address, Change, FieldChange, Fields, Observed, OnChange, Output, Outputs, Progress, Removal, Resource, Result,
    State,
};
use crate::manifest;

mod properties;

/// The most that MSK Connect gives on a page.
const PAGE: i32 = 100;
/// How long one may take to settle; AWS takes seconds.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The address of a worker configuration.
pub(crate) fn address(name: &str) -> Address {
    Address::new("worker_configuration", name)
}

/// A worker configuration.
#[derive(Debug)]
pub(crate) struct WorkerConfiguration {
    context: Shared,
    address: Address,
    properties: BTreeMap<String, String>,
    /// What AWS is given.
    text: String,
    name: ContentName,
    wanted: String,
}

impl WorkerConfiguration {
    /// The worker configuration of the manifest.
    pub(crate) fn new(context: Shared, configuration: &manifest::WorkerConfiguration) -> Self {
        let text = properties::written(&configuration.properties);
        let sha256 = hex::encode(Sha256::digest(&text));
        let name = ContentName::new(&configuration.name, Some(&sha256));
        Self {
            context,
            address: address(&configuration.name),
            properties: configuration.properties.clone(),
            text,
            wanted: name.current().unwrap_or_default(),
            name,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let connect = &self.context.clients.connect;
        let pages = connect.list_worker_configurations().name_prefix(prefix).into_paginator().page_size(PAGE).items();
        let configurations = sent(pages.send().collect::<std::result::Result<Vec<_>, _>>().await)?;
        let listed = configurations.into_iter().map(|one| Listed::new(one.name, one.worker_configuration_arn));
        Ok(listed.flatten().collect())
    }

    async fn describe(&self, arn: &str) -> Result<Option<DescribeWorkerConfigurationOutput>> {
        let call = self.context.clients.connect.describe_worker_configuration().worker_configuration_arn(arn);
        Ok(found(call.send().await)?)
    }

    async fn is_going(&self, arn: &str) -> Result<bool> {
        let seen = self.describe(arn).await?;
        Ok(seen.is_none_or(|seen| seen.worker_configuration_state() == Some(&WorkerConfigurationState::Deleting)))
    }
}

fn fields(properties: &BTreeMap<String, String>, state: &str) -> Fields {
    let mut fields = Fields::new().with("state", state);
    for (key, value) in properties {
        fields.set(format!("properties.{key}"), secrecy::field(key, value));
    }
    fields
}

fn state(configuration: &DescribeWorkerConfigurationOutput) -> State {
    let name = configuration.name().unwrap_or_default();
    let revision = configuration.latest_revision();
    let properties = revision.and_then(|revision| revision.properties_file_content()).and_then(decoded);
    State {
        // What can't be read is not what we wrote: no properties, so that all of them differ.
        fields: fields(&properties.unwrap_or_default(), condition(configuration)),
        output: Output::new()
            .with("arn", configuration.worker_configuration_arn().unwrap_or_default())
            .with("name", name)
            .with("revision", revision.map_or(0, |revision| revision.revision())),
        label: Some(name.to_owned()),
    }
}

fn decoded(content: &str) -> Option<BTreeMap<String, String>> {
    properties::read(&BASE64_STANDARD.decode(content).ok()?)
}

fn condition(configuration: &DescribeWorkerConfigurationOutput) -> &str {
    configuration.worker_configuration_state().map_or("", |state| state.as_str())
}

#[async_trait]
impl Resource for WorkerConfiguration {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &[]
    }

    fn desired(&self, _: &Outputs) -> Fields {
        fields(&self.properties, WorkerConfigurationState::Active.as_str())
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        match change.field.as_str() {
            "state" => OnChange::Replace("it is being deleted".to_owned()),
            _ => OnChange::Replace("a worker configuration can't be changed".to_owned()),
        }
    }

    async fn read(&self, _: &Outputs) -> Result<Observed> {
        let listed = self.list(self.name.prefix()).await?;
        let describe = async |arn: String| Ok(self.describe(&arn).await?.as_ref().map(state));
        content_name::observe(&self.context, &self.name, listed, describe).await
    }

    async fn create(&self, _: &Outputs, progress: &Progress) -> Result<State> {
        let call = self
            .context
            .clients
            .connect
            .create_worker_configuration()
            .name(&self.wanted)
            .properties_file_content(BASE64_STANDARD.encode(&self.text))
            .set_tags(Some(self.context.tags.for_creation()));
        let arn = match sent(call.send().await) {
            Ok(made) => made
                .worker_configuration_arn
                .ok_or("MSK Connect did not tell the new worker configuration's ARN; apply again")?,
            Err(failure) if failure.is("ConflictException") => {
                let listed = self.list(&self.wanted).await?;
                content_name::already_made(&self.context, &self.wanted, listed, failure).await?
            }
            Err(failure) => return Err(failure.into()),
        };
        let judge = |seen: &Option<DescribeWorkerConfigurationOutput>| match seen {
            Some(seen) if seen.worker_configuration_state() == Some(&WorkerConfigurationState::Active) => Look::Settled,
            Some(seen) => Look::Pending(condition(seen).to_owned()),
            // A new one may not be there yet for the server that answers.
            None => Look::Pending("CREATING".to_owned()),
        };
        let seen = wait_until(LIMIT, |state| progress.note(state), || self.describe(&arn), judge).await?;
        seen.as_ref().map(state).ok_or_else(|| "it went away while it was waited for; apply again".into())
    }

    async fn update(&self, _: &Change, _: &Outputs, _: &Progress) -> Result<State> {
        Err("a worker configuration can't be changed; plan again".into())
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let arn = state.output.require("arn")?;
        let call = self.context.clients.connect.delete_worker_configuration().worker_configuration_arn(arn);
        match found(call.send().await) {
            Err(failure) if failure.is("BadRequestException") && !self.is_going(arn).await? => {
                return Err(InUse(failure).into());
            }
            // An attempt whose answer was lost, or an earlier run, has deleted it already.
            Err(failure) if !failure.is("BadRequestException") => return Err(failure.into()),
            _ => {}
        }
        let judge = |seen: &Option<DescribeWorkerConfigurationOutput>| match seen {
            Some(seen) => Look::Pending(condition(seen).to_owned()),
            None => Look::Settled,
        };
        wait_until(LIMIT, |state| progress.note(state), || self.describe(arn), judge).await?;
        Ok(Removal::Gone)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kafkaconnect::types::WorkerConfigurationRevisionDescription;

    use super::*;

    fn described(content: &str) -> State {
        let revision = WorkerConfigurationRevisionDescription::builder().properties_file_content(content).build();
        let seen = DescribeWorkerConfigurationOutput::builder()
            .worker_configuration_state(WorkerConfigurationState::Active)
            .latest_revision(revision)
            .build();
        state(&seen)
    }

    #[test]
    fn properties_are_compared_by_what_they_mean() {
        let wanted = BTreeMap::from([("a.b".to_owned(), "c d".to_owned())]);
        let written_by_hand = BASE64_STANDARD.encode("# by hand\na.b : c d\n");
        assert_eq!(described(&written_by_hand).fields, fields(&wanted, "ACTIVE"));
        assert_ne!(described("not Base64").fields, fields(&wanted, "ACTIVE"));
    }
}
