//! The sandbox's own calls about instances: what one would do in the EC2 console.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::instance::{Instance, Ping, TABLE, is_id};
use super::machine::{MACHINES, Machine};
use super::system::System;
use super::units;
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::rest_json::{Tags, check_tags};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{World, now};

/// How often, and after how long, a folder is tried to be removed again in which something still runs.
const REMOVE_ATTEMPTS: u32 = 20;
const REMOVE_AGAIN: Duration = Duration::from_millis(100);

/// An instance as a call declares it. What isn't given stays as it was, or is what [`Instance::new`] makes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    id: String,
    region: Option<String>,
    tags: Option<Tags>,
    os: Option<System>,
    #[serde(default, deserialize_with = "given")]
    address: Option<Option<String>>,
    ping: Option<Ping>,
    managed: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    role: Option<Option<String>>,
    /// Whether one of its id, or with its tags, is left as it is.
    #[serde(default)]
    if_absent: bool,
}

/// A member that is given, be it as null.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Makes an instance, or changes one.
///
/// # Errors
/// What is wrong with the declaration, and where the instance can't be kept.
pub(crate) fn declare(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let invalid = |problem: String| Refusal::new(400, "BadRequest", problem);
    let declared: Declaration =
        serde_json::from_slice(&call.body).map_err(|error| invalid(format!("not an instance: {error}")))?;
    if !is_id(&declared.id) {
        return Err(invalid(format!("id: expected i- and 17 letters or digits, got \"{}\"", declared.id)));
    }
    check_tags(declared.tags.as_ref().unwrap_or(&Tags::new()))?;
    let instance = world.store.transact(|transaction| {
        let there = Instance::find(transaction, &declared.id);
        if declared.if_absent
            && let Some(instance) = there.clone().or_else(|| tagged(transaction, &declared))
        {
            return Ok(instance);
        }
        let is_there = there.is_some();
        let region = declared.region.as_deref();
        let mut instance = there.unwrap_or_else(|| Instance::new(&declared.id, region.unwrap_or("us-east-1")));
        let moves = region.is_some_and(|region| region != instance.region);
        if is_there && (moves || declared.os.is_some_and(|os| os != instance.os)) {
            return Err(invalid(format!("{}: region and os are those it was made with", declared.id)));
        }
        instance.os = declared.os.unwrap_or(instance.os);
        instance.tags = declared.tags.unwrap_or(instance.tags);
        instance.address = declared.address.unwrap_or(instance.address);
        instance.managed = declared.managed.unwrap_or(instance.managed);
        instance.role = declared.role.unwrap_or(instance.role);
        instance.ping = declared.ping.unwrap_or(instance.ping);
        instance.lost = match instance.ping {
            Ping::Online => None,
            Ping::ConnectionLost => instance.lost.or_else(|| Some(now())),
        };
        transaction.put(TABLE, &instance.id, &instance)?;
        Ok(instance)
    })?;
    Machine::of(world, &instance.id).make(&instance)?;
    Ok(Reply::json(&told(world, &instance)))
}

/// An instance that has the tags of a declaration.
fn tagged(transaction: &Transaction<'_>, declared: &Declaration) -> Option<Instance> {
    let tags = declared.tags.as_ref().filter(|tags| !tags.is_empty())?;
    let region = declared.region.as_deref().unwrap_or("us-east-1");
    let has_them = |instance: &Instance| tags.iter().all(|(key, value)| instance.tags.get(key) == Some(value));
    let all = transaction.list::<Instance>(TABLE).into_iter().map(|(_, instance)| instance);
    all.into_iter().find(|instance| instance.region == region && has_them(instance))
}

/// Tells of an instance.
///
/// # Errors
/// 404 where there is none of that id.
pub(crate) fn tell(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let id = call.query("id").unwrap_or_default();
    let instance = world.store.read(|transaction| Instance::find(transaction, id));
    let instance = instance.ok_or_else(|| Refusal::new(404, "NotFound", format!("there is no instance '{id}'")))?;
    Ok(Reply::json(&told(world, &instance)))
}

fn told(world: &World, instance: &Instance) -> Value {
    let machine = Machine::of(world, &instance.id);
    json!({
        "id": instance.id,
        "region": instance.region,
        "tags": instance.tags,
        "os": instance.os,
        "address": instance.address,
        "ping": instance.ping,
        "managed": instance.managed,
        "role": instance.role,
        "folder": machine.folder(),
        "root": machine.root(),
        "units": units::told(world, &instance.id),
    })
}

/// Removes the folders of instances that there aren't any more.
///
/// # Errors
/// Where one can't be removed.
pub(crate) async fn forget_machines(world: &World) -> io::Result<()> {
    let mut attempts = 0;
    loop {
        match remove_unknown(world) {
            // What runs there is told to end at the same time.
            Err(_) if attempts < REMOVE_ATTEMPTS => tokio::time::sleep(REMOVE_AGAIN).await,
            done => return done,
        }
        attempts += 1;
    }
}

fn remove_unknown(world: &World) -> io::Result<()> {
    let there: Vec<(String, Instance)> = world.store.read(|transaction| transaction.list(TABLE));
    let there: BTreeSet<String> = there.into_iter().map(|(id, _)| id).collect();
    let folders = match fs::read_dir(world.folder.join(MACHINES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folders => folders?,
    };
    for folder in folders {
        let folder = folder?;
        if folder.file_name().to_str().is_none_or(|name| !there.contains(name)) {
            fs::remove_dir_all(folder.path())?;
        }
    }
    Ok(())
}
