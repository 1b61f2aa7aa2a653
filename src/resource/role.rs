//! The IAM role that the connector, and the clients, work as.
//!
//! A role that is declared with `create: true` is ours as a whole: its trust policy, one inline policy called
//! `pipeline`, the managed policies attached to it, and, where EC2 may assume it, an instance profile of its name.
//! Statements or attachments that others add to these are drift, and are removed. Inline policies of other names are
//! neither shown nor touched; they go with the role. The same goes for its description, path, boundary and session
//! length.
//!
//! Of a role that is declared with `create: false` only the trust statements that carry this pipeline's name are ours;
//! several pipelines may so share one role, as long as none of them declares it `create: true`.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use crate::aws::wait::{Look, wait_until};
use crate::engine::{Address, Field, Fields, Output, Progress, Resource, Result, State};
use crate::iam_document::{Document, Malformed, Statement, VERSION};
use crate::manifest;
use crate::resource::Shared;

mod instance_profile;
mod least_privilege;
mod owned;
mod remote;
mod shared;
mod topic_pattern;
mod trust;

/// How long IAM may go on telling what was there before a write.
const READ_BACK: Duration = Duration::from_secs(60);

pub(crate) use least_privilege::{Connector, Grants, Sources};

/// The role that a manifest declares, which is to be granted what `grants` says.
///
/// Its outputs are `arn` and `name`.
///
/// # Errors
/// Where one of its `statements` is not a policy statement, or two have the same name.
pub(crate) fn declared(
    context: Shared,
    declared: &manifest::Role,
    grants: Grants,
) -> std::result::Result<Box<dyn Resource>, Malformed> {
    Ok(if declared.create {
        Box::new(owned::OwnedRole::new(context, declared, grants)?)
    } else {
        Box::new(shared::SharedRole::new(context, declared, &grants))
    })
}

/// The address of a role.
pub(crate) fn address(name: &str) -> Address {
    Address::new("role", name)
}

/// A statement that should be there, by its name; `None` where it depends on what does not exist yet.
type Wanted = (String, Option<Statement>);

/// Statements that are known, by their names.
fn named(statements: Vec<Statement>) -> Vec<Wanted> {
    statements.into_iter().map(|statement| (statement.sid.clone().unwrap_or_default(), Some(statement))).collect()
}

/// Sets the fields of wanted statements, one each: `trust.PipelineEc2`.
fn want(fields: &mut Fields, prefix: &str, wanted: Vec<Wanted>) {
    for (sid, statement) in wanted {
        let value = statement.map_or(Field::AfterApply, |statement| Field::Known(statement.to_json()));
        fields.set(format!("{prefix}.{sid}"), value);
    }
}

/// Sets the fields of the statements that are there. One that means what a wanted one means is spelled as that one, so
/// that fields are equal when meanings are.
fn show<'a>(fields: &mut Fields, prefix: &str, there: impl Iterator<Item = &'a Statement>, wanted: &[Wanted]) {
    for (index, statement) in there.enumerate() {
        let twin = wanted.iter().filter_map(|(_, wanted)| wanted.as_ref()).find(|wanted| *wanted == statement);
        let value = twin.map_or_else(|| explained(statement), Statement::to_json);
        let number = index + 1;
        let name = statement.sid.clone().unwrap_or_else(|| format!("#{number}"));
        let mut key = format!("{prefix}.{name}");
        if fields.get(&key).is_some() {
            key = format!("{key}#{number}");
        }
        fields.set(key, Field::Known(value));
    }
}

/// Shows that a document is of another version than ours, in which policy variables are plain text.
fn show_version(fields: &mut Fields, prefix: &str, document: &Document) {
    if document.version() != VERSION {
        fields.set(format!("{prefix}.version"), Field::Known(document.version().into()));
    }
}

/// A statement for people: a principal that is gone says so, since its id alone tells nothing.
fn explained(statement: &Statement) -> Value {
    let gone: Vec<_> = statement.deleted_principals().collect();
    let spell = |principal: &str| match gone.contains(&principal) {
        true => format!("{principal} (deleted since; a new one of its name does not match)"),
        false => principal.to_owned(),
    };
    statement.clone().respell_principals(spell).to_json()
}

/// What others need to know of a role.
fn output(arn: &str, name: &str) -> Output {
    Output::new().with("arn", arn).with("name", name)
}

/// What `read` tells once IAM shows what was written.
async fn settled<F>(desired: &Fields, progress: &Progress, read: impl FnMut() -> F + Send) -> Result<State>
where
    F: Future<Output = Result<Option<State>>> + Send,
{
    // Not all of IAM answers alike for a while: what one part shows, another may not know.
    let judge = |seen: &Option<State>| match seen {
        Some(state) if state.fields == *desired => Look::Settled,
        Some(_) => Look::Pending("shown by IAM as it was before".to_owned()),
        None => Look::Pending("not yet visible".to_owned()),
    };
    let seen = wait_until(READ_BACK, |state| progress.note(state), read, judge).await?;
    seen.ok_or_else(|| "it is gone again; apply again".into())
}

#[cfg(test)]
mod tests;
