//! What is done to a connector that is there: UpdateConnector, and pausing, resuming and restarting it.

use serde_json::{Value, json};

use super::connectors::{self, Condition, Connector, Pending, Settings, State, StateDescription, check_version};
use super::operations::{self, Operation, OperationKind};
use super::things::{self, Thing};
use super::{capacity, creation, health};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, Shape, check, optional};
use crate::sandbox::rest_json::{bad_request, path_value, version};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

const UPDATE: &[Member] = &[
    optional("capacity", capacity::UPDATE),
    optional("connectorConfiguration", Shape::Map),
    optional("plugins", creation::PLUGINS),
    optional("workerConfiguration", creation::WORKER_CONFIGURATION),
    optional("useDefaultWorkerConfiguration", Shape::Flag),
    optional("skipHealthValidation", Shape::Flag),
];

/// The members of a worker setting, which may go together, but not with a connector configuration.
const WORKER_SETTING: [&str; 4] = ["capacity", "plugins", "workerConfiguration", "useDefaultWorkerConfiguration"];

pub(super) fn update(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, UPDATE)?;
    let arn = path_value(path, "connectorArn");
    let sent_version = call
        .query("currentVersion")
        .ok_or_else(|| bad_request("1 validation error detected: Value null at 'currentVersion' failed to satisfy constraint: Member must not be null"))?;
    let skips_health = request["skipHealthValidation"] == json!(true);
    let connector = world.store.read(|transaction| find_updatable(transaction, arn, sent_version, skips_health))?;
    let origin = settings_now(&connector)?;
    let target = target_of(&request, &origin)?;
    creation::check_role(world, &connector)?;
    world.store.read(|transaction| check_target(transaction, &connector, &target))?;
    let outcome = if skips_health { Ok(()) } else { health::examine(world, &connector, &target)? };
    let outcome = outcome.and_then(|()| take_rollback(world));

    let now = now();
    let settle = world.settled_at() - now;
    let kind = if origin.configuration == target.configuration && !is_configuration(&request) {
        OperationKind::UpdateWorkerSetting
    } else {
        OperationKind::UpdateConnectorConfiguration
    };
    world.store.transact(|transaction| {
        let mut connector = find_updatable(transaction, arn, sent_version, skips_health)?;
        check_target(transaction, &connector, &target)?;
        let (state, condition) = connector.at(now).ok_or_else(|| connectors::gone(arn))?;
        let operation = Operation::update(arn, kind, now, settle, outcome.as_ref().err(), &origin, &target);
        // A rollback ends as RUNNING with what was there before, and nothing in the connector says so.
        let settings = if outcome.is_ok() { target.clone() } else { origin.clone() };
        let then = Condition { state, settings, version: version(), description: condition.description.clone() };
        let pending = Pending { state: State::Updating, until: operation.ended(), then: Some(then) };
        connector.begin(now, pending);
        transaction.put(Connector::TABLE, arn, &connector)?;
        operations::put(transaction, &operation)?;
        Ok(Reply::json(&json!({
            "connectorArn": arn,
            "connectorState": State::Updating,
            "connectorOperationArn": operation.arn(),
        })))
    })
}

fn is_configuration(request: &Value) -> bool {
    request.get("connectorConfiguration").is_some_and(|value| !value.is_null())
}

fn settings_now(connector: &Connector) -> Result<Settings, Refusal> {
    connector.at(now()).map(|(_, condition)| condition.settings.clone()).ok_or_else(|| connectors::gone(&connector.arn))
}

/// The connector, where it is of the version that the caller saw and in a state that takes an update.
fn find_updatable(
    transaction: &Transaction<'_>,
    arn: &str,
    sent_version: &str,
    skips_health: bool,
) -> Result<Connector, Refusal> {
    let (connector, _) = things::find::<Connector>(transaction, arn)?;
    let (state, condition) = connector.at(now()).ok_or_else(|| connectors::gone(arn))?;
    match state {
        State::Running => {}
        State::Paused if skips_health => {}
        State::Paused => {
            return Err(bad_request("A paused connector can only be updated with skipHealthValidation set to true."));
        }
        other => {
            let state = other.label();
            return Err(bad_request(format!("The connector {arn} must be RUNNING to be updated; it is {state}.")));
        }
    }
    check_version(sent_version, condition)?;
    Ok(connector)
}

/// What the request makes of the settings.
fn target_of(request: &Value, origin: &Settings) -> Result<Settings, Refusal> {
    let given = |member: &str| request.get(member).filter(|value| !value.is_null());
    let worker_setting = WORKER_SETTING.iter().any(|member| given(member).is_some_and(|value| *value != json!(false)));
    let mut target = origin.clone();
    match (given("connectorConfiguration"), worker_setting) {
        (Some(_), true) => {
            return Err(bad_request(
                "Update either the connector configuration or the worker setting in a call, not both.",
            ));
        }
        (None, false) => {
            return Err(bad_request(
                "Specify what to update: connectorConfiguration, capacity, plugins or workerConfiguration.",
            ));
        }
        (Some(configuration), false) => {
            target.configuration = creation::configuration_of(configuration)?;
            if target.configuration.get("connector.class") != origin.configuration.get("connector.class") {
                return Err(bad_request("Invalid parameter connectorConfiguration: connector.class can't be changed."));
            }
            return Ok(target);
        }
        (None, true) => {}
    }
    if let Some(capacity) = given("capacity") {
        target.capacity = capacity::Capacity::parse(capacity)?;
        if target.capacity == origin.capacity {
            return Err(bad_request("Invalid parameter capacity: it is the connector's present capacity."));
        }
    }
    if let Some(plugins) = given("plugins") {
        target.plugin = creation::plugin_of(plugins)?;
    }
    let default = given("useDefaultWorkerConfiguration") == Some(&json!(true));
    match (given("workerConfiguration"), default) {
        (Some(_), true) => {
            return Err(bad_request("Specify either workerConfiguration or useDefaultWorkerConfiguration, not both."));
        }
        (Some(configuration), false) => target.worker_configuration = creation::worker_configuration_of(configuration),
        (None, true) => target.worker_configuration = None,
        (None, false) => {}
    }
    Ok(target)
}

fn check_target(transaction: &Transaction<'_>, connector: &Connector, target: &Settings) -> Result<(), Refusal> {
    creation::check_used(transaction, target)?;
    creation::check_workers(&creation::others(transaction, connector), target)
}

/// The injected fault: an update that would be fine is rolled back, as happens when a task falls ill by itself.
fn take_rollback(world: &World) -> Result<(), StateDescription> {
    if !world.take_fault("kafkaconnect", "UpdateConnector", "rollback") {
        return Ok(());
    }
    Err(StateDescription::new(
        "UnknownError",
        "The connector's tasks didn't become healthy with the new settings. See the worker logs.",
    ))
}

pub(super) fn pause(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let conflict = |message: String| Refusal::new(409, "ConflictException", message);
    change_state(world, path, State::Running, State::Pausing, State::Paused, OperationKind::PauseConnector, conflict)
}

pub(super) fn resume(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let conflict = |message: String| Refusal::new(409, "ConflictException", message);
    change_state(world, path, State::Paused, State::Resuming, State::Running, OperationKind::ResumeConnector, conflict)
}

pub(super) fn restart(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    // RestartConnector's model has no ConflictException.
    let kind = OperationKind::RestartConnector;
    change_state(world, path, State::Running, State::Restarting, State::Running, kind, bad_request)
}

fn change_state(
    world: &World,
    path: &PathValues,
    from: State,
    through: State,
    to: State,
    kind: OperationKind,
    refuse: impl Fn(String) -> Refusal,
) -> Result<Reply, Refusal> {
    let arn = path_value(path, "connectorArn");
    world.store.transact(|transaction| {
        let (mut connector, _) = things::find::<Connector>(transaction, arn)?;
        let now: Millis = now();
        let (state, condition) = connector.at(now).ok_or_else(|| connectors::gone(arn))?;
        if state != from {
            let (from, state) = (from.label(), state.label());
            return Err(refuse(format!("The connector {arn} must be {from} for this; it is {state}.")));
        }
        let then = Condition { state: to, version: version(), ..condition.clone() };
        let until = world.settled_at();
        connector.begin(now, Pending { state: through, until, then: Some(then) });
        let operation = Operation::plain(arn, kind, now, until);
        transaction.put(Connector::TABLE, arn, &connector)?;
        operations::put(transaction, &operation)?;
        Ok(Reply::json(&json!({"connectorArn": arn, "connectorOperationArn": operation.arn()})))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::connectors::tests::connector;
    use super::{Settings, target_of};
    use serde_json::{Value, json};

    fn origin() -> Settings {
        let mut settings = connector().condition.settings;
        settings.configuration.insert("connector.class".to_owned(), "a.Sink".to_owned());
        settings
    }

    fn refused(request: Value) -> String {
        target_of(&request, &origin()).unwrap_err().message
    }

    #[test]
    fn a_configuration_is_replaced_as_a_whole() {
        let request = json!({"connectorConfiguration": {"connector.class": "a.Sink", "x": "1"}});
        let target = target_of(&request, &origin()).unwrap();
        assert_eq!(target.configuration.keys().collect::<Vec<_>>(), ["connector.class", "x"]);
    }

    #[test]
    fn worker_settings_go_together_but_not_with_a_configuration() {
        let capacity = json!({"provisionedCapacity": {"mcuCount": 2, "workerCount": 1}});
        let plugins = json!([{"customPlugin": {"customPluginArn": "other", "revision": 1}}]);
        let target = target_of(&json!({"capacity": capacity, "plugins": plugins}), &origin()).unwrap();
        assert_eq!(target.plugin.arn, "other");
        assert!(refused(json!({"capacity": capacity, "connectorConfiguration": {}})).contains("not both"));
    }

    #[test]
    fn what_changes_nothing_or_too_much_is_refused() {
        let same = json!({"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}});
        assert!(refused(json!({"capacity": same})).contains("present capacity"));
        assert!(refused(json!({})).contains("Specify what to update"));
        assert!(refused(json!({"useDefaultWorkerConfiguration": false})).contains("Specify what to update"));
        let other = json!({"connector.class": "b.Sink"});
        assert!(refused(json!({"connectorConfiguration": other})).contains("can't be changed"));
    }
}
