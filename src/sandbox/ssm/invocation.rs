//! GetCommandInvocation: what became of a command on an instance, and what it printed.

use serde_json::{Value, json};
use uuid::Uuid;

use super::command::{Command, DOCUMENT, Invocation, PLUGIN};
use super::instance::is_id;
use super::machine::Machine;
use super::output::{self, STANDARD_ERROR, STANDARD_OUTPUT};
use super::refusals::{invalid, no_invocation, refusal};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::iso8601;
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, optional, required};
use crate::sandbox::world::{Millis, World, now};

const GET: &[Member] = &[
    required("CommandId", Shape::Text { min: 36, max: 36 }),
    required("InstanceId", TEXT),
    optional("PluginName", Shape::Text { min: 4, max: usize::MAX }),
];

pub(super) fn get(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(GET)?;
    let text = |member: &str| request.text(member).unwrap_or_default();
    let (id, instance) = (text("CommandId"), text("InstanceId"));
    if Uuid::parse_str(id).is_err() {
        return Err(refusal("InvalidCommandId", format!("{id} is no id of a command.")));
    }
    if !is_id(instance) {
        return Err(invalid(format!("{instance} is no id of an instance.")));
    }
    if request.text("PluginName").is_some_and(|name| name != PLUGIN) {
        return Err(refusal("InvalidPluginName", format!("The document's only plugin is {PLUGIN}.")));
    }
    let found = request.world.store.read(|transaction| {
        let command = Command::find(transaction, request.region, id)?;
        let invocation = Invocation::find(transaction, id, instance)?;
        Some((command, invocation))
    });
    let (command, invocation) =
        found.filter(|(command, _)| is_heard_of(request.world, command)).ok_or_else(no_invocation)?;
    let printed = Printed::of(request.world, &invocation)?;
    let moment = |at: Option<Millis>| at.map(iso8601).unwrap_or_default();
    let elapsed = invocation.started.zip(invocation.ended).map(|(from, to)| duration(to.saturating_sub(from)));
    Ok(json!({
        "CommandId": id,
        "InstanceId": instance,
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": command.document_version,
        "PluginName": PLUGIN,
        "ResponseCode": invocation.code,
        "ExecutionStartDateTime": moment(invocation.started),
        "ExecutionElapsedTime": elapsed.unwrap_or_default(),
        "ExecutionEndDateTime": moment(invocation.ended),
        "Status": invocation.status.name(),
        "StatusDetails": invocation.details,
        "StandardOutputContent": output::cut(&printed.output, STANDARD_OUTPUT),
        "StandardOutputUrl": "",
        "StandardErrorContent": output::cut(&printed.error, STANDARD_ERROR),
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
    }))
}

/// Whether the invocations of a command show already: they do only a moment after SendCommand.
pub(super) fn is_heard_of(world: &World, command: &Command) -> bool {
    now() >= command.requested + world.settings.lag.as_millis() as Millis
}

/// What a command has printed. AWS tells it when the command is over.
pub(super) struct Printed {
    pub(super) output: String,
    pub(super) error: String,
}

impl Printed {
    /// That of an invocation.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(super) fn of(world: &World, invocation: &Invocation) -> Result<Self, Refusal> {
        let folder = Machine::of(world, &invocation.instance).of_command(&invocation.command);
        if !invocation.status.is_over() {
            return Ok(Self { output: String::new(), error: String::new() });
        }
        let unread = |error: std::io::Error| {
            Refusal::new(500, "InternalServerError", format!("the sandbox could not read what was printed: {error}"))
        };
        let output = output::read(&folder.join("stdout"), STANDARD_OUTPUT).map_err(unread)?;
        let error = output::read(&folder.join("stderr"), STANDARD_ERROR).map_err(unread)?;
        Ok(Self { output, error })
    }
}

/// A duration as ISO 8601 has it: `PT1.5S`.
fn duration(millis: Millis) -> String {
    format!("PT{}S", millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_seconds_with_a_fraction() {
        assert_eq!([duration(0), duration(7), duration(61_500)], ["PT0S", "PT0.007S", "PT61.5S"]);
    }
}
