//! UpdateSecret: the description, the key, and a new current value.

use serde_json::Value;

use super::secret::Secret;
use super::values::SECRET_ID;
use super::version::{BINARY, CURRENT, Content, TEXT, TOKEN, token};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::shape::{Member, Shape, optional};
use crate::sandbox::world::now;

pub(super) const DESCRIPTION: Member = optional("Description", Shape::Text { min: 0, max: 2048 });
pub(super) const KEY: Member = optional("KmsKeyId", Shape::Text { min: 0, max: 2048 });

const UPDATE: &[Member] = &[SECRET_ID, TOKEN, DESCRIPTION, KEY, TEXT, BINARY];

/// The key that a request names: an empty one is Secrets Manager's own.
pub(super) fn key(request: &Request<'_>) -> Option<String> {
    request.text("KmsKeyId").filter(|key| !key.is_empty()).map(str::to_owned)
}

/// Makes a value that came with a request the current one, and tells its version in the reply.
///
/// # Errors
/// Where its version is there with another value.
pub(super) fn take(
    request: &Request<'_>,
    secret: &mut Secret,
    content: Option<Content>,
    reply: &mut Value,
) -> Result<(), Refusal> {
    let Some(content) = content else { return Ok(()) };
    let id = token(request)?;
    secret.add(id, content, &[CURRENT])?;
    reply["VersionId"] = id.into();
    Ok(())
}

pub(super) fn update(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(UPDATE)?;
    let content = Content::of(request)?;
    let id = request.text("SecretId").unwrap_or_default();
    request.world.store.transact(|transaction| {
        let mut secret = Secret::usable(transaction, request.region, id)?;
        let mut reply = secret.named_in_reply();
        if let Some(description) = request.text("Description") {
            secret.description = Some(description.to_owned());
            secret.changed = now();
        }
        if request.text("KmsKeyId").is_some() {
            secret.kms_key = key(request);
            secret.changed = now();
        }
        take(request, &mut secret, content, &mut reply)?;
        secret.put(transaction)?;
        Ok(reply)
    })
}
