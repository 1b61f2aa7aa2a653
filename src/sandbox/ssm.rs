//! Systems Manager: machines that run commands without anybody's logging in to them.
//!
//! ```text
//! private call ──▶ Instance, Machine (its folder)          SendCommand ──▶ Command, an Invocation for each instance
//!                      │                                                        │
//!                      ├──▶ metadata service                                    ▼
//!                      └──▶ units (the REST proxy) ◀── systemctl ◀── execution: the script runs in the machine's folder
//! ```
//!
//! The rules are those of its API reference and user guide
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/Welcome.html>). There is one document,
//! `AWS-RunShellScript`. What a command prints stands in files of the machine's folder, in full; replies cut it.
//!
//! A command runs on this machine as whoever runs the sandbox, in a folder that it must take for the root of its own:
//! `PIPELINE_ROOT` names it. Commands that would change this machine (package managers, systemctl, useradd) are scripts
//! that stand in for them.

mod command;
mod declaration;
mod description;
mod execution;
mod instance;
mod invocation;
mod listing;
mod machine;
mod metadata;
mod output;
mod parameters;
mod permissions;
mod refusals;
mod sending;
mod system;
mod units;

pub(super) use declaration::{declare, forget_machines, tell};
pub(super) use execution::{due, recover, run};
pub(super) use instance::is_public_name;
pub(super) use metadata::answer as metadata;
pub(super) use permissions::needs;
pub(super) use units::{Proxy, answer as unit, proxies, serve_proxy};

use super::call::{Call, PathValues, Refusal, Reply};
use super::json_rpc::{self, Operations};
use super::world::World;

const OPERATIONS: Operations = &[
    ("CancelCommand", sending::cancel),
    ("DescribeInstanceInformation", description::describe),
    ("GetCommandInvocation", invocation::get),
    ("ListCommandInvocations", listing::invocations),
    ("ListCommands", listing::commands),
    ("SendCommand", sending::send),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    OPERATIONS.iter().map(|(name, _)| *name).collect()
}

/// The operation of a call, where it is one of Systems Manager's.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    json_rpc::operation(OPERATIONS, "ssm", call)
}

/// Answers a call.
///
/// # Errors
/// What Systems Manager refuses, with its code.
pub(crate) fn handle(world: &World, operation: &str, call: &Call) -> Result<Reply, Refusal> {
    json_rpc::handle(OPERATIONS, world, operation, call)
}
