//! CreateSecret.

use serde_json::Value;

use super::refusals::{exists, invalid_parameter, invalid_request};
use super::secret::Secret;
use super::version::{BINARY, Content, TEXT, TOKEN};
use super::{tags, updates};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::shape::{Member, Shape, optional, required};

const CREATE: &[Member] = &[
    required("Name", Shape::Text { min: 1, max: 512 }),
    TOKEN,
    updates::DESCRIPTION,
    updates::KEY,
    TEXT,
    BINARY,
    optional("Tags", tags::LIST),
];

pub(super) fn create(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(CREATE)?;
    let name = request.text("Name").unwrap_or_default();
    check_name(name)?;
    if !request.list("AddReplicaRegions").is_empty() {
        return Err(invalid_parameter("The sandbox doesn't replicate secrets: leave out AddReplicaRegions."));
    }
    let content = Content::of(request)?;
    let tags = tags::given(request.list("Tags"))?;
    request.world.store.transact(|transaction| {
        if let Some(there) = Secret::lookup(transaction, request.region, name) {
            return same_again(request, &there, content.as_ref());
        }
        let mut secret = Secret::new(request.region, name);
        secret.description = request.text("Description").map(str::to_owned);
        secret.kms_key = updates::key(request);
        secret.tags = tags;
        let mut reply = secret.named_in_reply();
        updates::take(request, &mut secret, content, &mut reply)?;
        secret.put(transaction)?;
        Ok(reply)
    })
}

/// The answer to a call whose secret is there: the one that made it may come twice.
fn same_again(request: &Request<'_>, secret: &Secret, content: Option<&Content>) -> Result<Value, Refusal> {
    if secret.deletion.is_some() {
        return Err(invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    let made = request.text("ClientRequestToken").and_then(|id| secret.version(id));
    match (made, content) {
        (Some(version), Some(content)) if version.content == *content => {
            let mut reply = secret.named_in_reply();
            reply["VersionId"] = version.id.as_str().into();
            Ok(reply)
        }
        _ => Err(exists(format!("The operation failed because the secret {} already exists.", secret.name))),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.chars().all(|each| each.is_ascii_alphanumeric() || "-/_+=.@!".contains(each)) {
        return Ok(());
    }
    let message =
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
    Err(Refusal::new(400, "ValidationException", message))
}
