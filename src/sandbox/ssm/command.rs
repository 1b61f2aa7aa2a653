//! Commands, and what becomes of each on each of its instances.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox::json_rpc::seconds;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, now};

/// Commands by `REGION/ID`. The status counts its records.
pub(super) const COMMANDS: &str = "ssm/commands";
/// Invocations by `COMMAND/INSTANCE`.
pub(super) const INVOCATIONS: &str = "ssm/invocations";
/// The keys of the invocations that aren't over.
pub(super) const OPEN: &str = "ssm/open";

/// The document that there is.
pub(super) const DOCUMENT: &str = "AWS-RunShellScript";
/// Its only step.
pub(super) const PLUGIN: &str = "aws:runShellScript";

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Pending,
    InProgress,
    Cancelling,
    Success,
    Cancelled,
    Failed,
    TimedOut,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Cancelling => "Cancelling",
            Self::Success => "Success",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
        }
    }

    pub(super) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress | Self::Cancelling)
    }
}

/// What was sent. It has no `Debug`: scripts may have secrets in them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) comment: String,
    pub(super) document_version: String,
    pub(super) parameters: Value,
    pub(super) instance_ids: Vec<String>,
    pub(super) targets: Value,
    pub(super) max_concurrency: String,
    pub(super) max_errors: String,
    pub(super) requested: Millis,
    /// How long it may take until it begins, in seconds.
    pub(super) timeout: u64,
    /// When it is over whatever happened.
    pub(super) expires: Millis,
}

pub(super) fn command_key(region: &str, id: &str) -> String {
    format!("{region}/{id}")
}

impl Command {
    /// Those of a region, the latest first. The texts sort like that.
    pub(super) fn all(transaction: &Transaction<'_>, region: &str) -> Vec<(String, Self)> {
        let all = transaction.list_prefix::<Self>(COMMANDS, &command_key(region, ""), "");
        let mut all: Vec<_> =
            all.into_iter().map(|(_, command)| (place(command.requested, &command.id), command)).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    pub(super) fn find(transaction: &Transaction<'_>, region: &str, id: &str) -> Option<Self> {
        transaction.get(COMMANDS, &command_key(region, id))
    }

    /// How the API tells of it, and of what became of it.
    pub(super) fn told(&self, invocations: &[Invocation]) -> Value {
        let (status, details) = overall(invocations);
        let count = |counts: fn(&Invocation) -> bool| invocations.iter().filter(|each| counts(each)).count();
        json!({
            "CommandId": self.id,
            "DocumentName": DOCUMENT,
            "DocumentVersion": self.document_version,
            "Comment": self.comment,
            "ExpiresAfter": seconds(self.expires),
            "Parameters": self.parameters,
            "InstanceIds": self.instance_ids,
            "Targets": self.targets,
            "RequestedDateTime": seconds(self.requested),
            "Status": status.name(),
            "StatusDetails": details,
            "OutputS3Region": self.region,
            "OutputS3BucketName": "",
            "OutputS3KeyPrefix": "",
            "MaxConcurrency": self.max_concurrency,
            "MaxErrors": self.max_errors,
            "TargetCount": invocations.len(),
            "CompletedCount": count(|each| each.status.is_over()),
            "ErrorCount": count(Invocation::is_error),
            "DeliveryTimedOutCount": count(Invocation::is_undelivered),
            "ServiceRole": "",
            "NotificationConfig": {"NotificationArn": "", "NotificationEvents": []},
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
            "TimeoutSeconds": self.timeout,
        })
    }
}

/// Where something stands in a list that has the latest first.
pub(super) fn place(requested: Millis, id: &str) -> String {
    format!("{:020} {id}", Millis::MAX - requested)
}

/// A command on one of its instances.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Invocation {
    pub(super) command: String,
    pub(super) instance: String,
    pub(super) requested: Millis,
    /// When it is too late to begin.
    pub(super) undelivered: Millis,
    pub(super) status: Status,
    /// What the status is in detail: `ExecutionTimedOut`.
    pub(super) details: String,
    /// What the script ended with; -1 until then.
    pub(super) code: i64,
    pub(super) started: Option<Millis>,
    pub(super) ended: Option<Millis>,
}

pub(super) fn invocation_key(command: &str, instance: &str) -> String {
    format!("{command}/{instance}")
}

/// How a script ended that time or somebody ended: what the agent tells of it, SIGKILL's number and 128.
const STOPPED: i64 = 137;

impl Invocation {
    /// What has just been sent.
    pub(super) fn new(command: &Command, instance: &str) -> Self {
        Self {
            command: command.id.clone(),
            instance: instance.to_owned(),
            requested: command.requested,
            undelivered: command.requested + command.timeout * 1000,
            status: Status::Pending,
            details: Status::Pending.name().to_owned(),
            code: -1,
            started: None,
            ended: None,
        }
    }

    /// That of a command on an instance, as it is now.
    pub(super) fn find(transaction: &Transaction<'_>, command: &str, instance: &str) -> Option<Self> {
        transaction.get::<Self>(INVOCATIONS, &invocation_key(command, instance)).map(|it| it.at(now()))
    }

    /// Those of a command, as they are now.
    pub(super) fn of(transaction: &Transaction<'_>, command: &str) -> Vec<Self> {
        let found = transaction.list_prefix::<Self>(INVOCATIONS, &invocation_key(command, ""), "");
        found.into_iter().map(|(_, invocation)| invocation.at(now())).collect()
    }

    /// The same at a moment: what nobody has come for in time won't begin any more.
    fn at(mut self, at: Millis) -> Self {
        if self.status == Status::Pending && at >= self.undelivered {
            self.status = Status::TimedOut;
            "DeliveryTimedOut".clone_into(&mut self.details);
        }
        self
    }

    fn is_error(&self) -> bool {
        matches!(self.status, Status::Failed | Status::TimedOut) && !self.is_undelivered()
    }

    fn is_undelivered(&self) -> bool {
        self.details == "DeliveryTimedOut"
    }

    pub(super) fn set(&mut self, status: Status) {
        self.status = status;
        status.name().clone_into(&mut self.details);
    }

    /// Notes that it is over.
    pub(super) fn end(&mut self, ending: &Ending) {
        self.set(ending.status());
        match ending {
            Ending::Ended(code) => self.code = *code,
            Ending::TooLong => {
                "ExecutionTimedOut".clone_into(&mut self.details);
                self.code = STOPPED;
            }
            Ending::Cancelled => self.code = if self.started.is_some() { STOPPED } else { -1 },
            Ending::Lost => "Undeliverable".clone_into(&mut self.details),
        }
        self.ended = Some(now());
    }

    /// Keeps it. What is over isn't looked at again.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(super) fn put(&self, transaction: &mut Transaction<'_>) -> std::io::Result<()> {
        let key = invocation_key(&self.command, &self.instance);
        if self.status.is_over() {
            transaction.delete(OPEN, &key);
        } else {
            transaction.put(OPEN, &key, &true)?;
        }
        transaction.put(INVOCATIONS, &key, self)
    }
}

/// How an invocation comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The script ended, with a code.
    Ended(i64),
    /// It was still running at the end of its `executionTimeout`.
    TooLong,
    /// Somebody cancelled it.
    Cancelled,
    /// The sandbox ended under it.
    Lost,
}

impl Ending {
    fn status(self) -> Status {
        match self {
            Self::Ended(0) => Status::Success,
            Self::Ended(_) | Self::Lost => Status::Failed,
            Self::TooLong => Status::TimedOut,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

/// What has become of a command as a whole. (The status that AWS tells of one that has met no instance is unconfirmed,
/// its details aren't.)
fn overall(invocations: &[Invocation]) -> (Status, String) {
    let first = |status: Status| invocations.iter().find(|each| each.status == status);
    let told = |status: Status| (status, status.name().to_owned());
    if invocations.is_empty() {
        return (Status::Failed, "NoInstancesInTag".to_owned());
    }
    if invocations.iter().all(|each| each.status == Status::Pending) {
        return told(Status::Pending);
    }
    if first(Status::Cancelling).is_some() {
        return told(Status::Cancelling);
    }
    if invocations.iter().any(|each| !each.status.is_over()) {
        return told(Status::InProgress);
    }
    let worst = [Status::Failed, Status::TimedOut, Status::Cancelled].into_iter().find_map(first);
    worst.map_or_else(|| told(Status::Success), |each| (each.status, each.details.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Command, Ending, Invocation, Status, overall, place};

    fn command() -> Command {
        Command {
            id: "c".to_owned(),
            region: "us-east-1".to_owned(),
            comment: String::new(),
            document_version: "$DEFAULT".to_owned(),
            parameters: Value::Null,
            instance_ids: Vec::new(),
            targets: Value::Null,
            max_concurrency: "50".to_owned(),
            max_errors: "0".to_owned(),
            requested: 1_000,
            timeout: 30,
            expires: 0,
        }
    }

    fn ended(ending: Ending) -> Invocation {
        let mut invocation = Invocation { started: Some(0), ..Invocation::new(&command(), "i-01234567") };
        invocation.end(&ending);
        invocation
    }

    #[test]
    fn what_is_not_begun_in_time_is_undelivered() {
        let invocation = Invocation::new(&command(), "i-01234567");
        assert_eq!(invocation.clone().at(30_999).status, Status::Pending);
        let late = invocation.at(31_000);
        assert_eq!((late.status, late.details.as_str(), late.code), (Status::TimedOut, "DeliveryTimedOut", -1));
        let told = command().told(&[late]);
        assert_eq!((&told["DeliveryTimedOutCount"], &told["ErrorCount"]), (&1.into(), &0.into()));
    }

    #[test]
    fn each_end_has_its_status_and_code() {
        let told = |ending| {
            let invocation = ended(ending);
            (invocation.status.name(), invocation.details, invocation.code)
        };
        assert_eq!(told(Ending::Ended(0)), ("Success", "Success".to_owned(), 0));
        assert_eq!(told(Ending::Ended(3)), ("Failed", "Failed".to_owned(), 3));
        assert_eq!(told(Ending::TooLong), ("TimedOut", "ExecutionTimedOut".to_owned(), 137));
        assert_eq!(told(Ending::Cancelled), ("Cancelled", "Cancelled".to_owned(), 137));
        assert_eq!(told(Ending::Lost), ("Failed", "Undeliverable".to_owned(), -1));
    }

    #[test]
    fn a_command_is_what_its_worst_invocation_is_once_all_are_over() {
        let (good, bad, late) = (ended(Ending::Ended(0)), ended(Ending::Ended(1)), ended(Ending::TooLong));
        let pending = Invocation::new(&command(), "i-76543210");
        let name = |invocations: &[Invocation]| overall(invocations).1;
        assert_eq!(name(std::slice::from_ref(&pending)), "Pending");
        assert_eq!(name(&[pending, bad.clone()]), "InProgress");
        assert_eq!(name(&[good.clone(), late.clone()]), "ExecutionTimedOut");
        assert_eq!(name(&[late, bad, good.clone()]), "Failed");
        assert_eq!(name(&[good]), "Success");
        assert_eq!(name(&[]), "NoInstancesInTag");
    }

    #[test]
    fn the_latest_comes_first() {
        assert!(place(2, "a") < place(1, "a") && place(1, "a") < place(1, "b"));
    }
}
