//! The MSK Connect connector: the S3 sink.
//!
//! An update that does not pass MSK Connect's health checks is rolled back without a word: the connector shows RUNNING
//! again, with its old configuration. So every update's operation is followed to its end, and what is there is read
//! back. <https://docs.aws.amazon.com/msk/latest/developerguide/mkc-connectors.html>

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kafkaconnect::operation::describe_connector::DescribeConnectorOutput;
use aws_sdk_kafkaconnect::types::{ConnectorOperationState, ConnectorState, ConnectorSummary};
use tokio::time::{Instant, sleep};

use super::Shared;
use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found, sent};
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, Output, Outputs, Owner, Progress, Removal,
    Resource, Result, State,
};
use crate::manifest::{self, Capacity};

mod config;
mod request;
mod settings;

use settings::Settings;

/// How long a connector may take to be created, changed or deleted. Creation takes 5 to 20 minutes.
const CONNECTOR_TIMEOUT: Duration = Duration::from_secs(45 * 60);
/// How long a role that was just made may not be assumable yet: IAM's changes take seconds to reach MSK Connect.
const ROLE_PROPAGATION: Duration = Duration::from_secs(120);
const ROLE_PAUSE: Duration = Duration::from_secs(2);

/// The resources that a connector is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) cluster: Address,
    pub(crate) plugin: Address,
    pub(crate) role: Address,
    pub(crate) bucket: Address,
    pub(crate) worker_configuration: Option<Address>,
    pub(crate) topics: Vec<Address>,
}

impl Parts {
    fn all(&self) -> Vec<Address> {
        [&self.cluster, &self.plugin, &self.role, &self.bucket]
            .into_iter()
            .chain(&self.worker_configuration)
            .chain(&self.topics)
            .cloned()
            .collect()
    }
}

/// A declared connector.
#[derive(Debug)]
pub(crate) struct Connector {
    context: Shared,
    declared: manifest::Connector,
    auth: manifest::Auth,
    /// The connector's properties, in full.
    properties: std::collections::BTreeMap<String, String>,
    parts: Parts,
    address: Address,
    needs: Vec<Address>,
}

/// The address of a connector.
pub(crate) fn address(name: &str) -> Address {
    Address::new("connector", name)
}

impl Connector {
    /// `topics` are all topics that the manifest declares.
    pub(crate) fn new(
        context: Shared,
        declared: &manifest::Connector,
        auth: manifest::Auth,
        topics: &[manifest::Topic],
        parts: Parts,
    ) -> Self {
        let properties = config::properties(declared, topics, &context.clients.region, parts.bucket.name());
        Self {
            address: address(&declared.name),
            needs: parts.all(),
            context,
            declared: declared.clone(),
            auth,
            properties,
            parts,
        }
    }

    /// The classes that its plugin must bring.
    pub(crate) fn classes(&self) -> Vec<&str> {
        config::classes(&self.properties)
    }

    fn connect(&self) -> &aws_sdk_kafkaconnect::Client {
        &self.context.clients.connect
    }

    /// The connector of our name, where there is one.
    async fn find(&self) -> Result<Option<ConnectorSummary>> {
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

    async fn describe(&self, arn: &str) -> Result<Option<DescribeConnectorOutput>> {
        Ok(found(self.connect().describe_connector().connector_arn(arn).send().await)?)
    }

    async fn owner(&self, arn: &str) -> Result<Owner> {
        let tags = sent(self.connect().list_tags_for_resource().resource_arn(arn).send().await)?;
        let tags = tags.tags.unwrap_or_default();
        Ok(self.context.tags.owner(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }

    fn state(&self, connector: &DescribeConnectorOutput) -> State {
        let mut there = settings::observed(connector);
        // Where the manifest sets no limit, whatever MSK Connect fills in is as good.
        if let (Some(Capacity::Autoscaling { max_tasks, .. }), Capacity::Autoscaling { max_tasks: None, .. }) =
            (&mut there.capacity, &self.declared.capacity)
        {
            *max_tasks = None;
        }
        State {
            fields: there.fields(),
            output: Output::new()
                .with("arn", connector.connector_arn().unwrap_or_default())
                .with("version", connector.current_version().unwrap_or_default()),
            label: None,
        }
    }

    /// What the manifest asks for, as far as its parts exist.
    fn settings<'a>(&'a self, known: &'a Outputs) -> Settings<'a> {
        settings::declared(&self.declared, self.auth, &self.properties, &self.parts, known)
    }

    /// Waits until it runs.
    async fn running(&self, arn: &str, progress: &Progress) -> Result<State> {
        let connector = wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen {
                None => Look::Failed("it went away while it was waited for; apply again".to_owned()),
                Some(connector) => self.judge(connector),
            },
        )
        .await?;
        connector.map(|connector| self.state(&connector)).ok_or_else(|| "it went away".into())
    }

    fn judge(&self, connector: &DescribeConnectorOutput) -> Look {
        match connector.connector_state() {
            Some(ConnectorState::Running) => Look::Settled,
            Some(ConnectorState::Failed) => {
                Look::Failed(format!("it FAILED: {}; {}", reason(connector), self.where_to_look()))
            }
            Some(ConnectorState::Deleting) => Look::Failed("somebody is deleting it; apply again".to_owned()),
            Some(state) => Look::Pending(state.to_string()),
            None => Look::Pending("in no state".to_owned()),
        }
    }

    fn where_to_look(&self) -> String {
        let logs = self.declared.log_delivery.as_ref().and_then(|logs| logs.cloudwatch.as_deref());
        let logs = match logs {
            Some(group) => format!("the worker log in CloudWatch Logs group {group} has the details"),
            None => "`connector.log_delivery` would keep a worker log with the details".to_owned(),
        };
        format!("correct the manifest and apply again ({logs})")
    }

    async fn send_create(&self, known: &Outputs, progress: &Progress) -> Result<String> {
        let deadline = Instant::now() + ROLE_PROPAGATION;
        loop {
            let request = request::create(&self.declared, &self.settings(known), self.context.tags.for_creation())?;
            let answer = sent(request.send_with(self.connect()).await);
            match answer {
                Ok(answer) => return answer.connector_arn.ok_or_else(|| "AWS did not tell its ARN".into()),
                Err(failure) if is_role_unready(&failure) && Instant::now() < deadline => {
                    progress.note("waiting for IAM to make the role known");
                    sleep(ROLE_PAUSE).await;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Follows an operation to its end. A rollback is a failure, though the connector runs.
    async fn followed(&self, operation: &str, progress: &Progress) -> Result<()> {
        wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || async {
                let call = self.connect().describe_connector_operation().connector_operation_arn(operation);
                Ok(sent(call.send().await)?)
            },
            |seen| {
                use ConnectorOperationState as Is;
                match seen.connector_operation_state() {
                    Some(Is::UpdateComplete) => Look::Settled,
                    Some(state @ (Is::RollbackComplete | Is::RollbackFailed | Is::UpdateFailed)) => {
                        let info = seen.error_info();
                        let why = words(info.and_then(|info| info.code()), info.and_then(|info| info.message()));
                        Look::Failed(format!(
                            "MSK Connect did not accept the change ({state}): {why}; the connector {}; {}",
                            if *state == Is::RollbackComplete {
                                "runs on as it was before"
                            } else {
                                "may not be running"
                            },
                            self.where_to_look()
                        ))
                    }
                    Some(state) => Look::Pending(state.to_string()),
                    None => Look::Pending("in no state".to_owned()),
                }
            },
        )
        .await?;
        Ok(())
    }

    /// Makes one group of changes, of the version that is there, and waits until the connector runs with it.
    async fn update_group(
        &self,
        group: request::Group,
        state: &State,
        known: &Outputs,
        progress: &Progress,
    ) -> Result<State> {
        let (arn, version) = (state.output.require("arn")?, state.output.require("version")?);
        let request = self.connect().update_connector().connector_arn(arn).current_version(version);
        let answer = sent(request::update(request, group, &self.settings(known))?.send().await)?;
        if let Some(operation) = answer.connector_operation_arn() {
            self.followed(operation, progress).await?;
        }
        self.running(arn, progress).await
    }
}

/// Why a connector is in the state that it is in.
fn reason(connector: &DescribeConnectorOutput) -> String {
    let description = connector.state_description();
    words(description.and_then(|why| why.code()), description.and_then(|why| why.message()))
}

fn words(code: Option<&str>, message: Option<&str>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "MSK Connect gave no reason".to_owned(),
    }
}

/// Whether MSK Connect can't assume the role, which passes when the role is new.
fn is_role_unready(failure: &Failure) -> bool {
    failure.message.to_lowercase().contains("assume")
}

#[async_trait]
impl Resource for Connector {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, known: &Outputs) -> Fields {
        self.settings(known).fields()
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        let was = |expected: &str| matches!(&change.from, Some(Field::Known(state)) if state == expected);
        match change.field.as_str() {
            "state" if was("DELETING") => OnChange::Replace("it is being deleted".to_owned()),
            "state" if was("FAILED") => {
                OnChange::Replace("it FAILED, and a failed connector can't be changed".to_owned())
            }
            "state" | "plugin" | "plugin_revision" | "worker_configuration" | "worker_configuration_revision" => {
                OnChange::Update
            }
            "config.connector.class" => {
                OnChange::Replace("MSK Connect can't change connector.class in place".to_owned())
            }
            field if field.starts_with("config.") || field.starts_with("capacity.") => OnChange::Update,
            field => OnChange::Replace(format!("MSK Connect fixes {field} when a connector is created")),
        }
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let Some(summary) = self.find().await? else { return Ok(Observed::absent()) };
        let arn = summary.connector_arn().unwrap_or_default();
        let (connector, owner) = futures::try_join!(self.describe(arn), self.owner(arn))?;
        Ok(connector.map_or_else(Observed::absent, |connector| Observed::present(self.state(&connector), owner)))
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let arn = self.send_create(known, progress).await?;
        self.running(&arn, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let arn = change.current.output.require("arn")?;
        if change.touches("state") && change.current.fields.get("state") == Some(&Field::Known("PAUSED".into())) {
            sent(self.connect().resume_connector().connector_arn(arn).send().await)?;
        }
        // Whatever an earlier run began must be over before the next change is taken.
        let mut state =
            if change.touches("state") { self.running(arn, progress).await? } else { change.current.clone() };
        for group in request::Group::ALL {
            // Read anew after each group: an earlier run may have been killed between two of them.
            let left = crate::engine::diff::diff(&self.desired(known), &state.fields);
            if left.iter().any(|change| group.has(&change.field)) {
                state = self.update_group(group, &state, known, progress).await?;
            }
        }
        Ok(state)
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let arn = state.output.require("arn")?;
        // One that is on its way takes no delete until it has arrived.
        wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen.as_ref().and_then(DescribeConnectorOutput::connector_state) {
                None
                | Some(
                    ConnectorState::Running
                    | ConnectorState::Failed
                    | ConnectorState::Paused
                    | ConnectorState::Deleting,
                ) => Look::Settled,
                Some(state) => Look::Pending(state.to_string()),
            },
        )
        .await?;
        if state.fields.get("state") != Some(&Field::Known("DELETING".into())) {
            found(self.connect().delete_connector().connector_arn(arn).send().await)?;
        }
        wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen {
                None => Look::Settled,
                Some(connector) => match connector.connector_state() {
                    Some(ConnectorState::Failed) => {
                        Look::Failed(format!("its deletion FAILED: {}; delete it again", reason(connector)))
                    }
                    Some(state) => Look::Pending(state.to_string()),
                    None => Look::Pending("DELETING".to_owned()),
                },
            },
        )
        .await?;
        Ok(Removal::Gone)
    }
}
