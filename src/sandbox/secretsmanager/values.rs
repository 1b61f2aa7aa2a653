//! GetSecretValue and PutSecretValue.

use serde_json::{Map, Value, json};

use super::refusals::{invalid_parameter, invalid_request, no_value};
use super::secret::Secret;
use super::version::{BINARY, CURRENT, Content, TEXT, TOKEN, Version, token};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::shape::{Member, Shape, optional, required};

pub(super) const SECRET_ID: Member = required("SecretId", Shape::Text { min: 1, max: 2048 });
const STAGE: Shape = Shape::Text { min: 1, max: 256 };

const GET: &[Member] =
    &[SECRET_ID, optional("VersionId", Shape::Text { min: 32, max: 64 }), optional("VersionStage", STAGE)];

const PUT: &[Member] = &[SECRET_ID, TOKEN, TEXT, BINARY, optional("VersionStages", Shape::List(&STAGE))];

/// The most staging labels of a version.
const MOST_STAGES: usize = 20;

pub(super) fn get(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(GET)?;
    let id = request.text("SecretId").unwrap_or_default();
    request.world.store.transact(|transaction| {
        let mut secret = Secret::usable(transaction, request.region, id)?;
        let version = wanted(&secret, request.text("VersionId"), request.text("VersionStage"))?;
        let mut reply = into_map(secret.named_in_reply());
        reply.extend(version.told());
        secret.was_read();
        secret.put(transaction)?;
        Ok(Value::Object(reply))
    })
}

fn into_map(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// The version of an id, or of a staging label, or the current one.
fn wanted<'a>(secret: &'a Secret, id: Option<&str>, stage: Option<&str>) -> Result<&'a Version, Refusal> {
    let Some(id) = id else {
        let stage = stage.unwrap_or(CURRENT);
        return secret.at_stage(stage).ok_or_else(|| no_value(&format!("staging label: {stage}")));
    };
    let version = secret.version(id).ok_or_else(|| no_value(&format!("VersionId: {id}")))?;
    if stage.is_some_and(|stage| !version.stages.iter().any(|label| label == stage)) {
        return Err(invalid_request("You provided a VersionStage that is not associated to the provided VersionId."));
    }
    Ok(version)
}

pub(super) fn put(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(PUT)?;
    let id = request.text("SecretId").unwrap_or_default();
    let content = Content::of(request)?
        .ok_or_else(|| invalid_request("You must provide either SecretString or SecretBinary."))?;
    let token = token(request)?;
    let mut stages: Vec<&str> = request.list("VersionStages").iter().filter_map(Value::as_str).collect();
    if stages.len() > MOST_STAGES {
        return Err(invalid_parameter(format!("A version can have at most {MOST_STAGES} staging labels.")));
    }
    if stages.is_empty() {
        stages.push(CURRENT);
    }
    request.world.store.transact(|transaction| {
        let mut secret = Secret::usable(transaction, request.region, id)?;
        secret.add(token, content, &stages)?;
        secret.put(transaction)?;
        let mut reply = secret.named_in_reply();
        reply["VersionId"] = token.into();
        reply["VersionStages"] = json!(secret.version(token).map(|version| &version.stages));
        Ok(reply)
    })
}
