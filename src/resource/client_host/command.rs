//! Commands on an instance, over Systems Manager.

use std::time::Duration;

use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;
use aws_sdk_ssm::types::CommandInvocationStatus;

use crate::aws::clients::Clients;
use crate::aws::sent;
use crate::aws::wait::{Look, wait_until};
use crate::engine::Result;

/// What Systems Manager runs a script with (<https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html>,
/// `aws:runShellScript`).
const DOCUMENT: &str = "AWS-RunShellScript";
/// How long an instance that is online may take to take a command. 30 seconds is the least that SendCommand takes.
const DELIVERY: Duration = Duration::from_secs(120);
/// How long a command may run: Apache's archive of Kafka, 120 MB, was seen to come at 60 KB/s, and another run may be
/// at work for a while before.
pub(crate) const EXECUTION: Duration = Duration::from_secs(2 * 3600);
/// The same for one that only asks.
const ANSWER: Duration = Duration::from_secs(120);
/// How many lines of what a failed command said are shown.
const SHOWN: usize = 20;

/// How a command ended on the machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What it exited with.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) output: String,
    /// What it complained.
    pub(crate) complaint: String,
}

impl Ended {
    /// The last lines that it printed.
    pub(crate) fn last_lines(&self) -> String {
        // The agent's own last line says the exit code once more.
        let tells = |line: &&str| !line.trim().is_empty() && !line.starts_with("failed to run commands: ");
        let lines: Vec<&str> = self.output.lines().chain(self.complaint.lines()).filter(tells).collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

/// Runs a script on an instance, for as long as `limit`, and waits for its end. The state of the command is told to `tell`.
///
/// # Errors
/// Where the command can't be sent, or doesn't come to its end.
pub(crate) async fn run(
    limit: Duration,
    clients: &Clients,
    instance: &str,
    comment: &str,
    script: &str,
    tell: impl FnMut(&str) + Send,
) -> Result<Ended> {
    let call = clients
        .ssm
        .send_command()
        .document_name(DOCUMENT)
        .instance_ids(instance)
        .comment(comment)
        .parameters("commands", vec![script.to_owned()])
        .parameters("executionTimeout", vec![limit.as_secs().to_string()])
        .timeout_seconds(i32::try_from(DELIVERY.as_secs())?);
    let sent_command = sent(call.send().await)?;
    let id = sent_command.command.and_then(|command| command.command_id);
    let id = id.ok_or("Systems Manager did not tell the id of the command that it took; try again")?;
    let get = || async {
        let call = clients.ssm.get_command_invocation().command_id(&id).instance_id(instance);
        match sent(call.send().await) {
            Ok(seen) => Ok(Some(seen)),
            // It is heard of a moment later.
            Err(failure) if failure.is("InvocationDoesNotExist") => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    };
    // Beyond these, Systems Manager's own end of a command should have been seen.
    let seen = wait_until(DELIVERY + limit + DELIVERY, tell, get, |seen| judge(seen.as_ref())).await?;
    let seen = seen.ok_or("Systems Manager forgot the command; try again")?;
    Ok(Ended {
        code: seen.response_code(),
        output: seen.standard_output_content().unwrap_or_default().to_owned(),
        complaint: seen.standard_error_content().unwrap_or_default().to_owned(),
    })
}

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html>
fn judge(seen: Option<&GetCommandInvocationOutput>) -> Look {
    use CommandInvocationStatus as Status;
    let Some(seen) = seen else { return Look::Pending("sent".to_owned()) };
    let details = seen.status_details().unwrap_or_default();
    match seen.status() {
        Some(Status::Success) => Look::Settled,
        // The details of a script that ended by itself are the same word.
        Some(Status::Failed) if seen.response_code() >= 0 && details == "Failed" => Look::Settled,
        Some(Status::Pending | Status::InProgress | Status::Delayed) | None => Look::Pending(details.to_owned()),
        Some(Status::Cancelled | Status::Cancelling) => {
            Look::Failed("somebody cancelled the command in Systems Manager; apply again".to_owned())
        }
        Some(status) => Look::Failed(match details {
            "ExecutionTimedOut" => {
                "the machine was not done with it in time; look what it is at, then apply again".to_owned()
            }
            "DeliveryTimedOut" | "Undeliverable" => format!(
                "Systems Manager could not deliver the command ({details}); see that the instance runs and \
                 amazon-ssm-agent on it, then apply again"
            ),
            _ => format!(
                "Systems Manager ended the command ({}, {details}); look at it there, then apply again",
                status.as_str()
            ),
        }),
    }
}

/// Runs a script that only asks, and tells what it printed.
///
/// # Errors
/// As [`run`], and where the script fails.
pub(crate) async fn ask(clients: &Clients, instance: &str, script: &str) -> Result<String> {
    let ended = run(ANSWER, clients, instance, "pipeline: what is there", script, |_| {}).await?;
    if ended.code == 0 {
        return Ok(ended.output);
    }
    Err(format!(
        "it could not say what it has: the command ended with {}; see to what its last lines say, then try again:\n{}",
        ended.code,
        ended.last_lines()
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: CommandInvocationStatus, details: &str, code: i32) -> Look {
        let seen = GetCommandInvocationOutput::builder().status(status).status_details(details).response_code(code);
        judge(Some(&seen.build()))
    }

    #[test]
    fn a_script_that_ended_is_told_from_a_command_that_did_not() {
        use CommandInvocationStatus as Status;
        assert_eq!(judged(Status::Success, "Success", 0), Look::Settled);
        assert_eq!(judged(Status::Failed, "Failed", 66), Look::Settled);
        assert_eq!(judged(Status::InProgress, "InProgress", -1), Look::Pending("InProgress".to_owned()));
        assert_eq!(judge(None), Look::Pending("sent".to_owned()));
        for (status, details, word) in [
            (Status::TimedOut, "ExecutionTimedOut", "not done with it in time"),
            (Status::TimedOut, "DeliveryTimedOut", "deliver"),
            (Status::Failed, "Undeliverable", "deliver"),
            (Status::Cancelled, "Cancelled", "cancelled"),
            (Status::Failed, "InvalidPlatform", "InvalidPlatform"),
        ] {
            let look = judged(status, details, -1);
            assert!(matches!(&look, Look::Failed(why) if why.contains(word)), "{details}: {look:?}");
        }
    }

    #[test]
    fn the_end_of_what_was_said_is_shown() {
        let output: String = (1..=100).map(|line| format!("line {line}\n\n")).collect();
        let complaint = "failed to run commands: exit status 1".to_owned();
        let shown = Ended { code: 1, output, complaint }.last_lines();
        assert_eq!((shown.lines().next(), shown.lines().count()), (Some("line 81"), SHOWN));
    }
}
