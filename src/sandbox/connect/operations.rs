//! Operations on connectors: what was asked, step by step, and how it ended.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PAGE_SIZE;
use super::arn::{self, Kind};
use super::connectors::{Connector, Settings, StateDescription};
use super::things;
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::{iso8601, not_found, path_value};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

/// The API's `ConnectorOperationType`, without those that nothing here starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum OperationKind {
    UpdateWorkerSetting,
    UpdateConnectorConfiguration,
    PauseConnector,
    ResumeConnector,
    RestartConnector,
}

/// An operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Operation {
    arn: String,
    connector: String,
    kind: OperationKind,
    created: Millis,
    /// When an update that doesn't become healthy starts to be rolled back.
    rolled_back: Option<Millis>,
    ended: Millis,
    error: Option<StateDescription>,
    change: Option<Change>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    origin: Settings,
    target: Settings,
}

impl Operation {
    /// An update, which takes `settle`; one with an error takes as long again to be rolled back.
    pub(super) fn update(
        connector: &str,
        kind: OperationKind,
        now: Millis,
        settle: Millis,
        error: Option<&StateDescription>,
        origin: &Settings,
        target: &Settings,
    ) -> Self {
        Self {
            arn: arn::of_operation(connector),
            connector: connector.to_owned(),
            kind,
            created: now,
            rolled_back: error.map(|_| now + settle),
            ended: now + if error.is_some() { 2 * settle } else { settle },
            error: error.cloned(),
            change: Some(Change { origin: origin.clone(), target: target.clone() }),
        }
    }

    /// A pause, a resumption, a restart.
    pub(super) fn plain(connector: &str, kind: OperationKind, now: Millis, ended: Millis) -> Self {
        let arn = arn::of_operation(connector);
        Self {
            arn,
            connector: connector.to_owned(),
            kind,
            created: now,
            rolled_back: None,
            ended,
            error: None,
            change: None,
        }
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// When it has ended, either way.
    pub(super) fn ended(&self) -> Millis {
        self.ended
    }

    /// The API's `ConnectorOperationState`.
    fn state(&self, now: Millis) -> &'static str {
        let (under_way, complete) = match self.kind {
            OperationKind::PauseConnector => ("PAUSE_IN_PROGRESS", "PAUSE_COMPLETE"),
            OperationKind::ResumeConnector => ("RESUME_IN_PROGRESS", "RESUME_COMPLETE"),
            OperationKind::RestartConnector => ("RESTART_IN_PROGRESS", "RESTART_COMPLETE"),
            OperationKind::UpdateWorkerSetting | OperationKind::UpdateConnectorConfiguration => {
                ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
            }
        };
        match self.rolled_back {
            _ if now < self.created + self.forward() / 10 => "PENDING",
            Some(_) if now >= self.ended => "ROLLBACK_COMPLETE",
            Some(rolled_back) if now >= rolled_back => "ROLLBACK_IN_PROGRESS",
            None if now >= self.ended => complete,
            _ => under_way,
        }
    }

    /// How long it goes forward.
    fn forward(&self) -> Millis {
        self.rolled_back.unwrap_or(self.ended) - self.created
    }

    /// The steps, of which a pause and its like have none.
    fn steps(&self, now: Millis) -> Vec<Value> {
        let middle = match self.kind {
            OperationKind::UpdateWorkerSetting => "UPDATE_WORKER_SETTING",
            OperationKind::UpdateConnectorConfiguration => "UPDATE_CONNECTOR_CONFIGURATION",
            _ => return Vec::new(),
        };
        let kinds = ["INITIALIZE_UPDATE", middle, "VALIDATE_UPDATE", "FINALIZE_UPDATE"];
        let fails = self.rolled_back.is_some();
        // A healthy update passes all four in its time; another one spends the end of it in the third.
        let steps = if fails { 3 } else { 4 };
        let elapsed = now.saturating_sub(self.created);
        let passed = (elapsed * steps).checked_div(self.forward()).unwrap_or(steps).min(steps);
        let state = |index: u64| match index {
            2 if fails && passed == steps => "FAILED",
            3 if fails && passed == steps => "CANCELLED",
            index if index < passed => "COMPLETED",
            index if index == passed => "IN_PROGRESS",
            _ => "PENDING",
        };
        kinds.iter().zip(0..).map(|(kind, index)| json!({"stepType": kind, "stepState": state(index)})).collect()
    }

    fn summary(&self, now: Millis) -> Value {
        let mut info = json!({
            "connectorOperationArn": self.arn,
            "connectorOperationType": self.kind,
            "connectorOperationState": self.state(now),
            "creationTime": iso8601(self.created),
        });
        if now >= self.ended {
            info["endTime"] = json!(iso8601(self.ended));
        }
        info
    }

    fn describe(&self, now: Millis) -> Value {
        let mut info = self.summary(now);
        info["connectorArn"] = json!(self.connector);
        info["operationSteps"] = json!(self.steps(now));
        if let Some(error) = self.error.as_ref().filter(|_| self.rolled_back.is_some_and(|from| now >= from)) {
            info["errorInfo"] = json!(error);
        }
        match (&self.change, self.kind) {
            (Some(change), OperationKind::UpdateConnectorConfiguration) => {
                info["originConnectorConfiguration"] = json!(change.origin.configuration);
                info["targetConnectorConfiguration"] = json!(change.target.configuration);
            }
            (Some(change), _) => {
                info["originWorkerSetting"] = worker_setting(&change.origin);
                info["targetWorkerSetting"] = worker_setting(&change.target);
            }
            (None, _) => {}
        }
        info
    }
}

fn worker_setting(settings: &Settings) -> Value {
    let mut setting = json!({"capacity": settings.capacity, "plugins": settings.plugins()});
    match settings.worker_configuration() {
        Value::Null => setting["useDefaultWorkerConfiguration"] = json!(true),
        configuration => setting["workerConfiguration"] = configuration,
    }
    setting
}

/// The operations of a connector are a table of their own, by ARN.
fn table(connector: &str) -> String {
    format!("connect.operations {connector}")
}

/// Adds an operation.
pub(super) fn put(transaction: &mut Transaction<'_>, operation: &Operation) -> Result<(), Refusal> {
    transaction.put(&table(&operation.connector), &operation.arn, operation)?;
    Ok(())
}

/// Removes the operations of a connector that is gone.
pub(super) fn forget(transaction: &mut Transaction<'_>, connector: &str) {
    let table = table(connector);
    for (arn, _) in transaction.list::<Operation>(&table) {
        transaction.delete(&table, &arn);
    }
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "connectorOperationArn");
    arn::check(arn, Kind::Operation)?;
    let operation = world.store.read(|transaction| {
        let (connector, _) = things::find::<Connector>(transaction, &arn::of_connector(arn))?;
        let missing = || not_found(format!("The connector operation {arn} doesn't exist."));
        transaction.get::<Operation>(&table(&connector.arn), arn).ok_or_else(missing)
    })?;
    Ok(Reply::json(&operation.describe(now())))
}

pub(super) fn list(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let arn = path_value(path, "connectorArn");
    let page = Page::of(call, format!("ListConnectorOperations {arn}"), PAGE_SIZE)?;
    let operations = world.store.read(|transaction| {
        let (connector, _) = things::find::<Connector>(transaction, arn)?;
        Ok::<_, Refusal>(transaction.list::<Operation>(&table(&connector.arn)))
    })?;
    let now = now();
    // The latest first: what a person looks for.
    let mut entries: Vec<(String, Value)> = operations
        .into_iter()
        .map(|(arn, operation)| (format!("{:020} {arn}", Millis::MAX - operation.created), operation.summary(now)))
        .collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Reply::json(&page.reply("connectorOperations", entries)))
}

#[cfg(test)]
mod tests {
    use super::super::connectors::tests::connector;
    use super::{Operation, OperationKind, StateDescription};

    fn update(error: Option<&StateDescription>) -> Operation {
        let settings = connector().condition.settings;
        let arn = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/a/b-1";
        Operation::update(arn, OperationKind::UpdateConnectorConfiguration, 1000, 100, error, &settings, &settings)
    }

    fn steps(operation: &Operation, now: u64) -> Vec<String> {
        let steps = operation.steps(now);
        steps.iter().map(|step| step["stepState"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn an_update_goes_to_its_end() {
        let operation = update(None);
        let states = [1000, 1050, 1100].map(|now| operation.state(now));
        assert_eq!(states, ["PENDING", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]);
        assert_eq!(steps(&operation, 1050), ["COMPLETED", "COMPLETED", "IN_PROGRESS", "PENDING"]);
        assert_eq!(steps(&operation, 1100), ["COMPLETED"; 4]);
        assert!(operation.describe(1099).get("endTime").is_none());
    }

    #[test]
    fn a_sick_update_is_rolled_back_and_says_why_only_then() {
        let operation = update(Some(&StateDescription::new("Code", "why")));
        let states = [1050, 1100, 1200].map(|now| operation.state(now));
        assert_eq!(states, ["UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
        assert_eq!(steps(&operation, 1200), ["COMPLETED", "COMPLETED", "FAILED", "CANCELLED"]);
        assert!(operation.describe(1099).get("errorInfo").is_none());
        assert_eq!(operation.describe(1100)["errorInfo"]["message"], "why");
    }
}
