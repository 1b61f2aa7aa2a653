//! Custom plugins. The file is read once, when the plugin is created; what becomes of the object later changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::archive::{self, Classes};
use super::arn::{self, Kind};
use super::connectors::{self, StateDescription};
use super::things::{self, Thing};
use crate::sandbox::call::{Call, PathValues, Refusal, Reply};
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, check, optional, required};
use crate::sandbox::rest_json::{Tags, bad_request, iso8601, path_value, tags_of};
use crate::sandbox::s3;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

/// A plugin's classes, by its ARN: too many to be read with every list of plugins.
const CLASSES: &str = "connect.plugin-classes";
const QUOTA: usize = 100;

const S3_LOCATION: &[Member] =
    &[required("bucketArn", TEXT), required("fileKey", TEXT), optional("objectVersion", TEXT)];
const CREATE: &[Member] = &[
    required("contentType", Shape::OneOf(&["JAR", "ZIP"])),
    optional("description", Shape::Text { min: 0, max: 1024 }),
    required("location", Shape::Object(&[required("s3Location", Shape::Object(S3_LOCATION))])),
    required("name", Shape::Text { min: 1, max: 128 }),
    optional("tags", Shape::Map),
];

/// A custom plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plugin {
    arn: String,
    name: String,
    region: String,
    description: Option<String>,
    created: Millis,
    /// Until then it is CREATING.
    settled: Millis,
    /// When it is gone, once it was deleted.
    gone: Option<Millis>,
    content_type: String,
    location: Value,
    file_size: usize,
    /// Why it is CREATE_FAILED, where it is.
    failure: Option<StateDescription>,
    tags: Tags,
}

impl Thing for Plugin {
    const TABLE: &'static str = "connect.plugins";
    const KIND: Kind = Kind::Plugin;
    type State = &'static str;

    fn name(&self) -> &str {
        &self.name
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn state(&self, now: Millis) -> Option<&'static str> {
        match self.gone {
            Some(gone) if now >= gone => None,
            Some(_) => Some("DELETING"),
            None if now < self.settled => Some("CREATING"),
            None if self.failure.is_some() => Some("CREATE_FAILED"),
            None => Some("ACTIVE"),
        }
    }

    fn tags(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Plugin {
    fn describe(&self, state: &str) -> Value {
        let mut info = json!({
            "creationTime": iso8601(self.created),
            "customPluginArn": self.arn,
            "customPluginState": state,
            "name": self.name,
        });
        if let Some(description) = &self.description {
            info["description"] = json!(description);
        }
        match (&self.failure, state) {
            (_, "CREATING") => {}
            (Some(failure), _) => info["stateDescription"] = json!(failure),
            (None, _) => info["latestRevision"] = self.revision(),
        }
        info
    }

    /// There is only ever one: a plugin can't be changed.
    fn revision(&self) -> Value {
        let mut revision = json!({
            "contentType": self.content_type,
            "creationTime": iso8601(self.created),
            "fileDescription": {"fileSize": self.file_size},
            "location": self.location,
            "revision": 1,
        });
        if let Some(description) = &self.description {
            revision["description"] = json!(description);
        }
        revision
    }
}

/// What became of reading the file.
struct File {
    size: usize,
    classes: Result<Classes, StateDescription>,
}

pub(super) async fn create(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let request = call.json()?;
    check(&request, CREATE)?;
    let name = request["name"].as_str().unwrap_or_default();
    arn::check_name(name, "name")?;
    let tags = tags_of(&request)?;
    let location = &request["location"]["s3Location"];
    let bucket_arn = location["bucketArn"].as_str().unwrap_or_default();
    let bucket = bucket_arn.strip_prefix("arn:aws:s3:::").filter(|bucket| !bucket.is_empty()).ok_or_else(|| {
        bad_request(format!("Invalid parameter bucketArn: expected arn:aws:s3:::BUCKET, got '{bucket_arn}'."))
    })?;
    world.store.read(|transaction| check_room(transaction, &call.region, name))?;
    let file = fetch(world, bucket, location["fileKey"].as_str().unwrap_or_default()).await?;
    let plugin = Plugin {
        arn: arn::new(Kind::Plugin, &call.region, name),
        name: name.to_owned(),
        region: call.region.clone(),
        description: request["description"].as_str().map(str::to_owned),
        created: now(),
        settled: world.settled_at(),
        gone: None,
        content_type: request["contentType"].as_str().unwrap_or_default().to_owned(),
        location: request["location"].clone(),
        file_size: file.size,
        failure: file.classes.as_ref().err().cloned(),
        tags,
    };
    world.store.transact(|transaction| {
        sweep(transaction);
        check_room(transaction, &call.region, name)?;
        transaction.put(Plugin::TABLE, &plugin.arn, &plugin)?;
        if let Ok(classes) = &file.classes {
            transaction.put(CLASSES, &plugin.arn, classes)?;
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(Reply::json(
        &json!({"customPluginArn": plugin.arn, "customPluginState": "CREATING", "name": name, "revision": 1}),
    ))
}

fn check_room(transaction: &Transaction<'_>, region: &str, name: &str) -> Result<(), Refusal> {
    let plugins = things::all::<Plugin>(transaction, region);
    if plugins.iter().any(|(plugin, _)| plugin.name == name) {
        return Err(arn::name_taken(Kind::Plugin, name));
    }
    if plugins.len() >= QUOTA {
        return Err(arn::quota_reached("Maximum custom plugins", QUOTA));
    }
    Ok(())
}

async fn fetch(world: &World, bucket: &str, key: &str) -> Result<File, Refusal> {
    let Some(bytes) = s3::object(world, bucket, key).await else {
        let message = format!("The object {key} in the bucket {bucket} doesn't exist, or MSK Connect can't read it.");
        return Ok(File { size: 0, classes: Err(StateDescription::new("InvalidInput.S3ObjectNotFound", message)) });
    };
    let size = bytes.len();
    // Reading a large archive takes long enough to hold up other calls.
    let classes = tokio::task::spawn_blocking(move || archive::classes(&bytes))
        .await
        .map_err(|error| Refusal::new(500, "InternalServerErrorException", error.to_string()))?;
    let classes = classes.map_err(|why| {
        let message = format!("The file {key} isn't a valid ZIP or JAR file: {why}.");
        StateDescription::new("InvalidInput.InvalidCustomPluginFile", message)
    });
    Ok(File { size, classes })
}

/// Removes what was deleted and is gone.
pub(super) fn sweep(transaction: &mut Transaction<'_>) {
    for arn in things::sweep::<Plugin>(transaction) {
        transaction.delete(CLASSES, &arn);
    }
}

/// A plugin's classes.
pub(super) fn classes(world: &World, arn: &str) -> Classes {
    world.store.read(|transaction| transaction.get(CLASSES, arn)).unwrap_or_default()
}

pub(super) fn describe(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "customPluginArn");
    let (plugin, state) = world.store.read(|transaction| things::find::<Plugin>(transaction, arn))?;
    Ok(Reply::json(&plugin.describe(state)))
}

pub(super) fn list(world: &World, call: &Call) -> Result<Reply, Refusal> {
    things::list(world, call, "namePrefix", "customPlugins", |plugin: &Plugin, state| {
        let mut summary = plugin.describe(state);
        summary.as_object_mut()?.remove("stateDescription");
        Some(summary)
    })
}

pub(super) fn delete(world: &World, path: &PathValues) -> Result<Reply, Refusal> {
    let arn = path_value(path, "customPluginArn");
    world.store.transact(|transaction| {
        let (mut plugin, state) = things::find::<Plugin>(transaction, arn)?;
        if !matches!(state, "ACTIVE" | "CREATE_FAILED") {
            return Err(bad_request(format!("The custom plugin {arn} can't be deleted while it is {state}.")));
        }
        if let Some(user) = connectors::user_of(transaction, |settings| settings.plugin.arn == arn) {
            return Err(bad_request(format!(
                "The custom plugin {arn} is in use by the connector {user}. Delete the connector first."
            )));
        }
        plugin.gone = Some(world.settled_at());
        transaction.put(Plugin::TABLE, arn, &plugin)?;
        Ok(Reply::json(&json!({"customPluginArn": arn, "customPluginState": "DELETING"})))
    })
}
