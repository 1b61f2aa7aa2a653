//! Tags of plugins, worker configurations and connectors.

use serde_json::json;

use super::arn::{self, Kind};
use super::connectors::Connector;
use super::plugins::Plugin;
use super::things::{self, Thing};
use super::worker_configurations::WorkerConfiguration;
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, Shape, check, required};
use crate::sandbox::rest_json::{Tags, bad_request, check_tags, path_value, tag_keys, tags_of};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::World;

const TAG: &[Member] = &[required("tags", Shape::Map)];

/// Changes the tags of whatever an ARN names, and answers what they are then.
fn change(
    world: &World,
    path: &PathValues,
    change: impl FnOnce(&mut Tags) -> Result<bool, Refusal>,
) -> Result<Tags, Refusal> {
    let arn = path_value(path, "resourceArn");
    world.store.transact(|transaction| match arn::kind(arn) {
        Some(Kind::Plugin) => change_record::<Plugin>(transaction, arn, change),
        Some(Kind::WorkerConfiguration) => change_record::<WorkerConfiguration>(transaction, arn, change),
        Some(Kind::Connector) => change_record::<Connector>(transaction, arn, change),
        Some(Kind::Operation) | None => {
            Err(bad_request(format!("Invalid parameter resourceArn: nothing that can be tagged has the ARN '{arn}'.")))
        }
    })
}

fn change_record<T: Thing>(
    transaction: &mut Transaction<'_>,
    arn: &str,
    change: impl FnOnce(&mut Tags) -> Result<bool, Refusal>,
) -> Result<Tags, Refusal> {
    let (mut record, _) = things::find::<T>(transaction, arn)?;
    if change(record.tags())? {
        transaction.put(T::TABLE, arn, &record)?;
    }
    Ok(std::mem::take(record.tags()))
}

pub(super) fn tag(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, TAG)?;
    let added = tags_of(&request)?;
    change(world, path, |tags| {
        tags.extend(added);
        check_tags(tags)?;
        Ok(true)
    })?;
    Ok(Reply::json(&json!({})))
}

pub(super) fn untag(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let keys = tag_keys(call)?;
    change(world, path, |tags| {
        tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(true)
    })?;
    Ok(Reply::json(&json!({})))
}

pub(super) fn list(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let tags = change(world, path, |_| Ok(false))?;
    Ok(Reply::json(&json!({"tags": tags})))
}
