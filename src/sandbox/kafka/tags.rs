//! Tags of clusters. Topics have none.

use serde_json::json;

use super::clusters::{self, Cluster, TABLE};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, Shape, check, required};
use crate::sandbox::rest_json::{Tags, check_tags, path_value, tag_keys, tags_of};
use crate::sandbox::world::World;

const TAG: &[Member] = &[required("tags", Shape::Map)];

/// The tags that a cluster has now; none where it is gone.
pub(crate) fn of(world: &World, cluster: &Cluster) -> Tags {
    let found = world.store.read(|transaction| clusters::find(transaction, &cluster.arn));
    found.map(|(cluster, _)| cluster.tags).unwrap_or_default()
}

pub(super) fn tag(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, TAG)?;
    let added = tags_of(&request)?;
    let arn = path_value(path, "resourceArn");
    world.store.transact(|transaction| {
        let (mut cluster, _) = clusters::find(transaction, arn)?;
        cluster.tags.extend(added);
        check_tags(&cluster.tags)?;
        transaction.put(TABLE, arn, &cluster)?;
        Ok(Reply::empty(204))
    })
}

pub(super) fn untag(world: &World, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let keys = tag_keys(call)?;
    let arn = path_value(path, "resourceArn");
    world.store.transact(|transaction| {
        let (mut cluster, _) = clusters::find(transaction, arn)?;
        cluster.tags.retain(|key, _| !keys.contains(&key.as_str()));
        transaction.put(TABLE, arn, &cluster)?;
        Ok(Reply::empty(204))
    })
}

pub(super) fn list(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "resourceArn");
    let (cluster, _) = world.store.read(|transaction| clusters::find(transaction, arn))?;
    Ok(Reply::json(&json!({"tags": cluster.tags})))
}
