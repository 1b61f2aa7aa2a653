//! The MSK Connect connector: the S3 sink.
//!
//! An update that does not pass MSK Connect's health checks is rolled back without a word: the connector shows RUNNING
//! again, with its old configuration. So every update's operation is followed to its end, and what is there is read
//! back. <https://docs.aws.amazon.com/msk/latest/developerguide/mkc-connectors.html>

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kafkaconnect::operation::describe_connector::DescribeConnectorOutput;
use aws_sdk_kafkaconnect::types::{ConnectorOperationState, ConnectorState};
use tokio::time::{Instant, sleep};

use super::Shared;
use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found, sent};
use crate::engine::diff::diff;
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, Output, Outputs, Progress, Removal, Resource,
    Result, State,
};
use crate::manifest::{self, Capacity};

mod config;
mod find;
mod request;
mod settings;

use settings::Settings;

/// How long a connector may take to be created, changed or deleted. Creation takes 5 to 20 minutes.
const CONNECTOR_TIMEOUT: Duration = Duration::from_secs(45 * 60);
/// How long a new connector may not be there yet for the server that answers.
const VISIBLE: Duration = Duration::from_secs(30);
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
        auth: &manifest::Auth,
        topics: &[manifest::Topic],
        parts: Parts,
    ) -> Self {
        let properties = config::properties(declared, topics, &context.clients.region, parts.bucket.name());
        Self {
            address: address(&declared.name),
            needs: parts.all(),
            context,
            declared: declared.clone(),
            auth: auth.clone(),
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
        settings::declared(&self.declared, &self.auth, &self.properties, &self.parts, known)
    }

    /// Waits until it runs.
    async fn running(&self, arn: &str, progress: &Progress) -> Result<State> {
        let began = Instant::now();
        let connector = wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen {
                None if began.elapsed() < VISIBLE => Look::Pending("not yet to be seen".to_owned()),
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
                Err(failure) if failure.is("ConflictException") => return self.already_made(failure).await,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Waits until it is in no state that passes by itself: only then it takes a change, or a deletion.
    async fn still(&self, arn: &str, progress: &Progress) -> Result<Option<DescribeConnectorOutput>> {
        use ConnectorState as Is;
        wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen.as_ref().and_then(DescribeConnectorOutput::connector_state) {
                None | Some(Is::Running | Is::Failed | Is::Paused | Is::Deleting) => Look::Settled,
                Some(state) => Look::Pending(state.to_string()),
            },
        )
        .await
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
        let answer = sent(request::update(request, group, &self.settings(known))?.send().await);
        match answer.map(|answer| answer.connector_operation_arn) {
            Ok(operation) => {
                if let Some(operation) = operation {
                    self.followed(&operation, progress).await?;
                }
                self.running(arn, progress).await
            }
            // The version is another one by now. If that is our own work, of a call whose answer was lost, all is well.
            Err(failure) => {
                self.still(arn, progress).await?;
                let state = self.running(arn, progress).await?;
                let left = diff(&self.desired(known), &state.fields);
                if left.iter().any(|change| group.has(&change.field)) { Err(failure.into()) } else { Ok(state) }
            }
        }
    }
}

/// Why a connector is in the state that it is in.
fn reason(connector: &DescribeConnectorOutput) -> String {
    let description = connector.state_description();
    words(description.and_then(|why| why.code()), description.and_then(|why| why.message()))
}

fn words(code: Option<&str>, message: Option<&str>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {}", message.trim_end_matches('.')),
        (Some(text), None) | (None, Some(text)) => text.trim_end_matches('.').to_owned(),
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
            "name" => OnChange::Replace(
                "MSK Connect fixes a connector's name, and one of another name reads its topics from their start"
                    .to_owned(),
            ),
            "config.connector.class" => {
                OnChange::Replace("MSK Connect can't change connector.class in place".to_owned())
            }
            field if field.starts_with("config.") || field.starts_with("capacity.") => OnChange::Update,
            field => OnChange::Replace(format!("MSK Connect fixes {field} when a connector is created")),
        }
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let found = match self.find().await? {
            Some(summary) => Some(summary),
            None => self.find_renamed().await?,
        };
        let Some(summary) = found else { return Ok(Observed::absent()) };
        let arn = summary.connector_arn().unwrap_or_default();
        let (connector, owner) = futures::try_join!(self.describe(arn), self.owner(arn))?;
        // It may have gone since it was listed.
        let there = connector.zip(owner);
        Ok(there.map_or_else(Observed::absent, |(connector, owner)| Observed::present(self.state(&connector), owner)))
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let arn = self.send_create(known, progress).await?;
        self.running(&arn, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let arn = change.current.output.require("arn")?;
        let mut state = change.current.clone();
        if change.touches("state") {
            // Whatever an earlier run began must be over before the next change is taken.
            let still = self.still(arn, progress).await?;
            if still.and_then(|connector| connector.connector_state) == Some(ConnectorState::Paused) {
                sent(self.connect().resume_connector().connector_arn(arn).send().await)?;
            }
            state = self.running(arn, progress).await?;
        }
        for group in request::Group::ALL {
            // Read anew after each group: an earlier run may have been killed between two of them.
            let left = diff(&self.desired(known), &state.fields);
            if left.iter().any(|change| group.has(&change.field)) {
                state = self.update_group(group, &state, known, progress).await?;
            }
        }
        Ok(state)
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let arn = state.output.require("arn")?;
        let Some(connector) = self.still(arn, progress).await? else { return Ok(Removal::Gone) };
        let had_failed = connector.connector_state() == Some(&ConnectorState::Failed);
        if connector.connector_state() != Some(&ConnectorState::Deleting) {
            match found(self.connect().delete_connector().connector_arn(arn).send().await) {
                // An attempt whose answer was lost, or another run, is deleting it already.
                Err(failure) if !self.is_going(arn).await? => return Err(failure.into()),
                _ => {}
            }
        }
        wait_until(
            CONNECTOR_TIMEOUT,
            |state| progress.note(state),
            || self.describe(arn),
            |seen| match seen {
                None => Look::Settled,
                Some(connector) => match connector.connector_state() {
                    Some(ConnectorState::Failed) if !had_failed => {
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
