//! What is told of a secret: everything but its values.

use serde_json::{Map, Value, json};

use super::secret::Secret;
use super::values::SECRET_ID;
use super::version::Version;
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::{Request, seconds};

pub(super) fn describe(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(&[SECRET_ID])?;
    let id = request.text("SecretId").unwrap_or_default();
    let secret = request.world.store.read(|transaction| Secret::find(transaction, request.region, id))?;
    Ok(described(&secret, "VersionIdsToStages"))
}

/// A description. Its versions stand under `versions`: those that have labels.
pub(super) fn described(secret: &Secret, versions: &str) -> Value {
    let is_labelled = |version: &&Version| !version.stages.is_empty();
    let stages: Map<String, Value> =
        secret.versions.iter().filter(is_labelled).map(|it| (it.id.clone(), json!(it.stages))).collect();
    let tags: Vec<Value> = secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mut told = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": seconds(secret.created),
        "LastChangedDate": seconds(secret.changed),
        "Tags": tags,
    });
    let optional = [
        ("Description", secret.description.as_ref().map(|description| json!(description))),
        ("KmsKeyId", secret.kms_key.as_ref().map(|key| json!(key))),
        ("LastAccessedDate", secret.accessed.map(seconds)),
        ("DeletedDate", secret.deletion.map(seconds)),
        (versions, (!stages.is_empty()).then_some(Value::Object(stages))),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            told[member] = value;
        }
    }
    told
}
