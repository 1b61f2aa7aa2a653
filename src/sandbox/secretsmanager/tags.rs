//! Tags of secrets.

use serde_json::{Value, json};

use super::refusals::invalid_parameter;
use super::secret::Secret;
use super::values::SECRET_ID;
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::shape::{Member, Shape, optional, required};
use crate::sandbox::rest_json::{Tags, check_tags};

const KEY: Shape = Shape::Text { min: 1, max: 128 };
const ONE: Shape = Shape::Object(&[optional("Key", KEY), optional("Value", Shape::Text { min: 0, max: 256 })]);

/// The shape of a list of tags.
pub(super) const LIST: Shape = Shape::List(&ONE);

const TAG: &[Member] = &[SECRET_ID, required("Tags", LIST)];
const UNTAG: &[Member] = &[SECRET_ID, required("TagKeys", Shape::List(&KEY))];

/// The tags in a list.
///
/// # Errors
/// `InvalidParameterException` where a key is AWS's own or comes twice, and where there are too many.
pub(super) fn given(list: &[Value]) -> Result<Tags, Refusal> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    let tags: Tags = list.iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
    if tags.len() < list.len() {
        return Err(invalid_parameter("A tag key comes twice in the request."));
    }
    checked(tags)
}

fn checked(tags: Tags) -> Result<Tags, Refusal> {
    check_tags(&tags).map_err(|refusal| invalid_parameter(refusal.message))?;
    Ok(tags)
}

pub(super) fn tag(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(TAG)?;
    let added = given(request.list("Tags"))?;
    change(request, |mut tags| {
        tags.extend(added);
        checked(tags)
    })
}

pub(super) fn untag(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(UNTAG)?;
    change(request, |mut tags| {
        for key in request.list("TagKeys").iter().filter_map(Value::as_str) {
            tags.remove(key);
        }
        Ok(tags)
    })
}

fn change(request: &Request<'_>, change: impl FnOnce(Tags) -> Result<Tags, Refusal>) -> Result<Value, Refusal> {
    let id = request.text("SecretId").unwrap_or_default();
    request.world.store.transact(|transaction| {
        let mut secret = Secret::usable(transaction, request.region, id)?;
        secret.tags = change(secret.tags)?;
        secret.put(transaction)?;
        Ok(json!({}))
    })
}
