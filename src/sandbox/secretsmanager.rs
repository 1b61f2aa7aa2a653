//! Secrets Manager: secrets, their versions, and when they go.
//!
//! The rules are those of its API reference
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html>). Values stand in the store and in
//! replies, and nowhere else: what holds one has no `Debug`, and no refusal repeats one.

mod creation;
mod deletion;
mod description;
mod listing;
mod permissions;
mod refusals;
mod secret;
mod tags;
mod updates;
mod values;
mod version;

pub(super) use permissions::needs;

use super::call::{Call, PathValues, Refusal, Reply};
use super::json_rpc::{self, Operations};
use super::store::Transaction;
use super::world::World;
use secret::Secret;

const OPERATIONS: Operations = &[
    ("CreateSecret", creation::create),
    ("DeleteSecret", deletion::delete),
    ("DescribeSecret", description::describe),
    ("GetSecretValue", values::get),
    ("ListSecrets", listing::list),
    ("PutSecretValue", values::put),
    ("RestoreSecret", deletion::restore),
    ("TagResource", tags::tag),
    ("UntagResource", tags::untag),
    ("UpdateSecret", updates::update),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    OPERATIONS.iter().map(|(name, _)| *name).collect()
}

/// The operation of a call, where it is one of Secrets Manager's.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    json_rpc::operation(OPERATIONS, "secretsmanager", call)
}

/// Answers a call.
///
/// # Errors
/// What Secrets Manager refuses, with its code.
pub(crate) fn handle(world: &World, operation: &str, call: &Call) -> Result<Reply, Refusal> {
    json_rpc::handle(OPERATIONS, world, operation, call)
}

/// A secret as another service reads it that was given its ARN.
pub(crate) struct Found {
    /// Whether it is encrypted with a key of the customer's, and not with the one that Secrets Manager has by default.
    pub(crate) has_own_key: bool,
    /// Its current value, where that is a text.
    pub(crate) text: Option<String>,
}

/// The secret of a complete ARN, where it is there and isn't marked for deletion.
pub(crate) fn find(transaction: &Transaction<'_>, arn: &str) -> Option<Found> {
    let region = arn.split(':').nth(3)?;
    let secret = Secret::lookup(transaction, region, arn).filter(|secret| secret.arn == arn)?;
    if secret.deletion.is_some() {
        return None;
    }
    let text = secret.at_stage(version::CURRENT).and_then(|version| version.content.text());
    Some(Found { has_own_key: secret.has_own_key(), text: text.map(str::to_owned) })
}
