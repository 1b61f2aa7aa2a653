//! ListCommands and ListCommandInvocations: the latest come first.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::command::{Command, DOCUMENT, Invocation, PLUGIN, Status, place};
use super::instance::{Instance, is_id};
use super::invocation::{Printed, is_heard_of};
use super::output;
use super::refusals::{invalid, invalid_token, refusal};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::{Request, seconds};
use crate::sandbox::pages;
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, optional, required};
use crate::sandbox::world::Millis;

const FILTER: Shape = Shape::Object(&[required("key", TEXT), required("value", Shape::Text { min: 1, max: 128 })]);
const LIST: &[Member] = &[
    optional("CommandId", Shape::Text { min: 36, max: 36 }),
    optional("InstanceId", TEXT),
    optional("MaxResults", Shape::Whole { min: 1, max: 50 }),
    optional("NextToken", TEXT),
    optional("Filters", Shape::List(&FILTER)),
    optional("Details", Shape::Flag),
];

const PAGE_SIZE: i64 = 50;

pub(super) fn commands(request: &Request<'_>) -> Result<Value, Refusal> {
    let filters = check(request)?;
    let found = request.world.store.read(|transaction| {
        let all = Command::all(transaction, request.region).into_iter();
        let with = |(place, command): (String, Command)| {
            let invocations = Invocation::of(transaction, &command.id);
            (place, command, invocations)
        };
        all.map(with).collect::<Vec<_>>()
    });
    let instance = request.text("InstanceId");
    let found = found.into_iter().filter(|(_, command, invocations)| {
        let is_on = |id: &str| invocations.iter().any(|invocation| invocation.instance == id);
        let told = command.told(invocations);
        let status = told["Status"].as_str().unwrap_or_default();
        is_wanted(request, command)
            && instance.is_none_or(is_on)
            && filters.iter().all(|filter| filter.holds(command, status))
    });
    let told = found.map(|(place, command, invocations)| (place, command.told(&invocations)));
    page(request, "ListCommands", "Commands", told.collect())
}

pub(super) fn invocations(request: &Request<'_>) -> Result<Value, Refusal> {
    let filters = check(request)?;
    let found = request.world.store.read(|transaction| {
        let all = Command::all(transaction, request.region).into_iter().map(|(_, command)| command);
        let shown = all.filter(|command| is_wanted(request, command) && is_heard_of(request.world, command));
        let with = |command: Command| {
            let invocations = Invocation::of(transaction, &command.id).into_iter();
            invocations.map(move |invocation| (command.clone(), invocation)).collect::<Vec<_>>()
        };
        let named = |(command, invocation): (Command, Invocation)| {
            let name = Instance::find(transaction, &invocation.instance).and_then(|it| it.tags.get("Name").cloned());
            (command, invocation, name.unwrap_or_default())
        };
        shown.flat_map(with).map(named).collect::<Vec<_>>()
    });
    let instance = request.text("InstanceId");
    let mut told = Vec::new();
    for (command, invocation, name) in found {
        let is_wanted = instance.is_none_or(|id| invocation.instance == id)
            && filters.iter().all(|filter| filter.holds(&command, invocation.status.name()));
        if is_wanted {
            let place = place(command.requested, &format!("{} {}", command.id, invocation.instance));
            told.push((place, described(request, &command, &invocation, &name)?));
        }
    }
    page(request, "ListCommandInvocations", "CommandInvocations", told)
}

fn described(request: &Request<'_>, command: &Command, invocation: &Invocation, name: &str) -> Result<Value, Refusal> {
    let mut told = json!({
        "CommandId": command.id,
        "InstanceId": invocation.instance,
        "InstanceName": name,
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": command.document_version,
        "RequestedDateTime": seconds(command.requested),
        "Status": invocation.status.name(),
        "StatusDetails": invocation.details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": [],
        "ServiceRole": "",
        "NotificationConfig": {"NotificationArn": "", "NotificationEvents": []},
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
    });
    if request.flag("Details") {
        let printed = Printed::of(request.world, invocation)?;
        // A plugin can't be about to be cancelled.
        let (status, details) = match invocation.status {
            Status::Cancelling => (Status::InProgress.name(), Status::InProgress.name()),
            status => (status.name(), invocation.details.as_str()),
        };
        let mut plugin = json!({
            "Name": PLUGIN,
            "Status": status,
            "StatusDetails": details,
            "ResponseCode": invocation.code,
            "Output": output::both(&printed.output, &printed.error),
            "StandardOutputUrl": "",
            "StandardErrorUrl": "",
            "OutputS3Region": command.region,
            "OutputS3BucketName": "",
            "OutputS3KeyPrefix": "",
        });
        let moments = [("ResponseStartDateTime", invocation.started), ("ResponseFinishDateTime", invocation.ended)];
        for (member, at) in moments {
            if let Some(at) = at {
                plugin[member] = seconds(at);
            }
        }
        told["CommandPlugins"] = json!([plugin]);
    }
    Ok(told)
}

fn check<'a>(request: &'a Request<'_>) -> Result<Vec<Filter<'a>>, Refusal> {
    request.check(LIST)?;
    if request.text("InstanceId").is_some_and(|id| !is_id(id)) {
        return Err(invalid("InstanceId is no id of an instance."));
    }
    request.list("Filters").iter().map(Filter::of).collect()
}

fn is_wanted(request: &Request<'_>, command: &Command) -> bool {
    request.text("CommandId").is_none_or(|id| command.id == id)
}

fn page(request: &Request<'_>, list: &str, member: &str, entries: Vec<(String, Value)>) -> Result<Value, Refusal> {
    let body = &request.body;
    let list = format!("{list} {} {} {} {}", request.region, body["CommandId"], body["InstanceId"], body["Filters"]);
    let after = request.text("NextToken").map(|token| pages::after_of(token, &list).ok_or_else(invalid_token));
    let size = request.number("MaxResults").unwrap_or(PAGE_SIZE) as usize;
    let (page, last) = pages::cut(entries, after.transpose()?.as_deref(), size);
    let mut reply = Map::from_iter([(member.to_owned(), Value::Array(page))]);
    if let Some(last) = last {
        reply.insert("NextToken".to_owned(), pages::token_after(&list, &last).into());
    }
    Ok(Value::Object(reply))
}

/// A condition on commands.
enum Filter<'a> {
    After(Millis),
    Before(Millis),
    Status(&'a str),
    IsOver(bool),
    Document(&'a str),
}

impl<'a> Filter<'a> {
    fn of(filter: &'a Value) -> Result<Self, Refusal> {
        let (key, value) = (filter["key"].as_str().unwrap_or_default(), filter["value"].as_str().unwrap_or_default());
        let moment = || {
            let at = OffsetDateTime::parse(value, &Rfc3339);
            at.map(|at| at.unix_timestamp().unsigned_abs() * 1000)
                .map_err(|_| invalid(format!("{key}: expected a time as 2024-02-13T00:00:00Z, got {value}")))
        };
        match key {
            "InvokedAfter" => moment().map(Self::After),
            "InvokedBefore" => moment().map(Self::Before),
            "Status" => Ok(Self::Status(value)),
            "ExecutionStage" => Ok(Self::IsOver(value == "Complete")),
            "DocumentName" => Ok(Self::Document(value)),
            _ => Err(refusal("InvalidFilterKey", format!("{key} is no key that commands are filtered by."))),
        }
    }

    /// Whether it holds for a command, or an invocation of it, which has that status.
    fn holds(&self, command: &Command, status: &str) -> bool {
        match self {
            Self::After(at) => command.requested >= *at,
            Self::Before(at) => command.requested < *at,
            Self::Status(wanted) => status == *wanted,
            Self::IsOver(wanted) => ["Pending", "InProgress", "Cancelling"].contains(&status) != *wanted,
            Self::Document(name) => *name == DOCUMENT,
        }
    }
}
