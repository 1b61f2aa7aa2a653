//! The MSK Connect custom plugin: a copy that AWS makes of the archive, under a name that tells its contents.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kafkaconnect::operation::describe_custom_plugin::DescribeCustomPluginOutput;
use aws_sdk_kafkaconnect::types::{
    CustomPluginContentType, CustomPluginLocation, CustomPluginState, S3Location, StateDescription,
};

use super::Shared;
use super::content_name::{self, ContentName, InUse, Listed};
use super::object::format_of;
use crate::archive::{Archive, Format};
use crate::aws::wait::{Look, wait_until};
use crate::aws::{found, sent};
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, Output, Outputs, Progress, Removal, Resource,
    Result, State,
};
use crate::manifest;

/// The most that MSK Connect gives on a page.
const PAGE: i32 = 100;
/// How long a plugin may take to settle; AWS takes seconds for a small archive and minutes for a large one.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The Java that the workers of a Kafka Connect version run on; `None` for versions that are not known here. From
/// <https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-plugins.html>.
pub(crate) fn java_of(kafka_connect_version: &str) -> Option<u16> {
    match kafka_connect_version {
        "2.7.1" => Some(11),
        "3.7.x" => Some(17),
        _ => None,
    }
}

/// The address of a plugin.
pub(crate) fn address(name: &str) -> Address {
    Address::new("plugin", name)
}

/// A custom plugin.
#[derive(Debug)]
pub(crate) struct Plugin {
    context: Shared,
    address: Address,
    /// The object that it is a copy of.
    object: [Address; 1],
    name: String,
    /// The contents' SHA-256, where the archive is on this machine. Another object's is known once it is read.
    sha256: Option<String>,
    format: Format,
}

impl Plugin {
    /// The plugin that is made of `object`. Without the `archive` of a source that is on this machine, as a destroy
    /// may be, all of the plugin's versions are leftovers.
    pub(crate) fn new(context: Shared, plugin: &manifest::Plugin, object: Address, archive: Option<&Archive>) -> Self {
        Self {
            context,
            address: address(&plugin.name),
            object: [object],
            name: plugin.name.clone(),
            sha256: archive.map(|archive| archive.sha256().to_owned()),
            format: format_of(&plugin.source),
        }
    }

    fn content_name(&self, known: &Outputs) -> ContentName {
        let sha256 = self.sha256.as_deref().or_else(|| known.text(&self.object[0], "sha256"));
        ContentName::new(&self.name, sha256)
    }

    fn content_type(&self) -> CustomPluginContentType {
        match self.format {
            Format::Zip => CustomPluginContentType::Zip,
            Format::Jar => CustomPluginContentType::Jar,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let connect = &self.context.clients.connect;
        let pages = connect.list_custom_plugins().name_prefix(prefix).into_paginator().page_size(PAGE).items();
        let plugins = sent(pages.send().collect::<std::result::Result<Vec<_>, _>>().await)?;
        Ok(plugins.into_iter().filter_map(|plugin| Listed::new(plugin.name, plugin.custom_plugin_arn)).collect())
    }

    async fn describe(&self, arn: &str) -> Result<Option<DescribeCustomPluginOutput>> {
        let call = self.context.clients.connect.describe_custom_plugin().custom_plugin_arn(arn);
        Ok(found(call.send().await)?)
    }

    fn state(&self, plugin: &DescribeCustomPluginOutput) -> State {
        let name = plugin.name().unwrap_or_default();
        let revision = plugin.latest_revision();
        // MSK Connect doesn't tell while it is still reading the archive, or where it can't.
        let told = revision.and_then(|revision| revision.content_type()).cloned();
        let content_type = told.unwrap_or_else(|| self.content_type());
        let digits = ContentName::new(&self.name, None).digits_of(name).unwrap_or_default().to_owned();
        State {
            fields: Fields::new()
                .with("content", digits)
                .with("content_type", content_type.as_str())
                .with("state", condition(plugin)),
            output: Output::new()
                .with("arn", plugin.custom_plugin_arn().unwrap_or_default())
                .with("name", name)
                .with("revision", revision.map_or(0, |revision| revision.revision())),
            label: Some(name.to_owned()),
        }
    }

    /// Waits until it can be used.
    async fn usable(&self, arn: &str, progress: &Progress) -> Result<State> {
        let plugin = wait_until(LIMIT, |state| progress.note(state), || self.describe(arn), judge).await?;
        plugin
            .map(|plugin| self.state(&plugin))
            .ok_or_else(|| "it went away while it was waited for; apply again".into())
    }

    /// Waits until it is in no state that passes by itself: only then it can be deleted.
    async fn still(&self, arn: &str, progress: &Progress) -> Result<()> {
        let is_moving = |plugin: &DescribeCustomPluginOutput| {
            matches!(plugin.custom_plugin_state(), Some(CustomPluginState::Creating | CustomPluginState::Updating))
        };
        let judge = |plugin: &Option<DescribeCustomPluginOutput>| match plugin {
            Some(plugin) if is_moving(plugin) => Look::Pending(condition(plugin)),
            _ => Look::Settled,
        };
        wait_until(LIMIT, |state| progress.note(state), || self.describe(arn), judge).await?;
        Ok(())
    }

    async fn is_going(&self, arn: &str) -> Result<bool> {
        let plugin = self.describe(arn).await?;
        Ok(plugin.is_none_or(|plugin| plugin.custom_plugin_state() == Some(&CustomPluginState::Deleting)))
    }
}

/// The state, and where it is a bad one, why.
fn condition(plugin: &DescribeCustomPluginOutput) -> String {
    let state = plugin.custom_plugin_state().map_or("", |state| state.as_str());
    let parts = |why: &StateDescription| [why.code.clone(), why.message.clone()];
    let why: Vec<String> = plugin.state_description().map(parts).into_iter().flatten().flatten().collect();
    if !state.ends_with("FAILED") || why.is_empty() {
        return state.to_owned();
    }
    format!("{state}: {}", why.join(": ").trim_end_matches('.'))
}

fn judge(plugin: &Option<DescribeCustomPluginOutput>) -> Look {
    // A new plugin may not be there yet for the server that answers.
    let Some(plugin) = plugin else {
        return Look::Pending(CustomPluginState::Creating.as_str().to_owned());
    };
    let condition = condition(plugin);
    match plugin.custom_plugin_state() {
        Some(CustomPluginState::Active) => Look::Settled,
        Some(CustomPluginState::CreateFailed | CustomPluginState::UpdateFailed) => Look::Failed(format!(
            "{condition}; correct the archive, or what the caller may read of it, and apply again: a failed plugin is replaced"
        )),
        Some(CustomPluginState::Deleting) => Look::Failed("it is being deleted; apply again".to_owned()),
        _ => Look::Pending(condition),
    }
}

#[async_trait]
impl Resource for Plugin {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.object
    }

    fn desired(&self, known: &Outputs) -> Fields {
        Fields::new()
            .with_output("content", self.content_name(known).digits())
            .with("content_type", self.content_type().as_str())
            .with("state", CustomPluginState::Active.as_str())
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        let state = match &change.from {
            Some(Field::Known(value)) if change.field == "state" => value.as_str(),
            _ => None,
        };
        match state {
            Some("CREATING" | "UPDATING") => OnChange::Update,
            Some(state) => OnChange::Replace(format!("it is {state}")),
            None => OnChange::Replace("a custom plugin can't be changed".to_owned()),
        }
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        let name = self.content_name(known);
        let listed = self.list(name.prefix()).await?;
        let describe = async |arn: String| Ok(self.describe(&arn).await?.map(|plugin| self.state(&plugin)));
        content_name::observe(&self.context, &name, listed, describe).await
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let object = |key| known.require(&self.object[0], key);
        let name =
            self.content_name(known).current().ok_or("the archive's contents are not known; check its source")?;
        let bucket = format!("arn:{}:s3:::{}", self.context.clients.partition, object("bucket")?);
        let place = S3Location::builder().bucket_arn(bucket).file_key(object("key")?).build()?;
        let call = self
            .context
            .clients
            .connect
            .create_custom_plugin()
            .name(&name)
            .content_type(self.content_type())
            .location(CustomPluginLocation::builder().s3_location(place).build())
            .set_tags(Some(self.context.tags.for_creation()));
        let arn = match sent(call.send().await) {
            Ok(made) => made.custom_plugin_arn.ok_or("MSK Connect did not tell the new plugin's ARN; apply again")?,
            Err(failure) if failure.is("ConflictException") => {
                content_name::already_made(&self.context, &name, self.list(&name).await?, failure).await?
            }
            Err(failure) => return Err(failure.into()),
        };
        self.usable(&arn, progress).await
    }

    /// Waits for what a run that was killed began.
    async fn update(&self, change: &Change, _: &Outputs, progress: &Progress) -> Result<State> {
        self.usable(change.current.output.require("arn")?, progress).await
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let arn = state.output.require("arn")?;
        self.still(arn, progress).await?;
        let call = self.context.clients.connect.delete_custom_plugin().custom_plugin_arn(arn);
        match found(call.send().await) {
            Err(failure) if failure.is("BadRequestException") && !self.is_going(arn).await? => {
                return Err(InUse(failure).into());
            }
            // An attempt whose answer was lost, or an earlier run, has deleted it already.
            Err(failure) if !failure.is("BadRequestException") => return Err(failure.into()),
            _ => {}
        }
        let judge = |plugin: &Option<DescribeCustomPluginOutput>| match plugin {
            Some(plugin) => Look::Pending(condition(plugin)),
            None => Look::Settled,
        };
        wait_until(LIMIT, |state| progress.note(state), || self.describe(arn), judge).await?;
        Ok(Removal::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(state: CustomPluginState) -> DescribeCustomPluginOutput {
        let why = StateDescription::builder().code("AccessDenied").message("no such key.").build();
        DescribeCustomPluginOutput::builder().custom_plugin_state(state).state_description(why).build()
    }

    #[test]
    fn a_failed_plugin_is_told_with_its_reason_and_one_that_passes_is_not() {
        assert_eq!(condition(&plugin(CustomPluginState::CreateFailed)), "CREATE_FAILED: AccessDenied: no such key");
        assert_eq!(condition(&plugin(CustomPluginState::Active)), "ACTIVE");
    }

    #[test]
    fn only_an_active_plugin_can_be_used() {
        assert_eq!(judge(&Some(plugin(CustomPluginState::Active))), Look::Settled);
        assert_eq!(judge(&Some(plugin(CustomPluginState::Creating))), Look::Pending("CREATING".to_owned()));
        assert_eq!(judge(&None), Look::Pending("CREATING".to_owned()));
        let failed = judge(&Some(plugin(CustomPluginState::CreateFailed)));
        assert!(matches!(failed, Look::Failed(why) if why.contains("no such key") && why.contains("apply again")));
    }
}
