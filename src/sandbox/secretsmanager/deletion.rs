//! DeleteSecret and RestoreSecret.

use serde_json::Value;

use super::refusals::{invalid_parameter, invalid_request, not_found};
use super::secret::{Secret, new_arn};
use super::values::SECRET_ID;
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::{Request, seconds};
use crate::sandbox::rest_json::shape::{INTEGER, Member, Shape, optional};
use crate::sandbox::world::{Millis, now};

const DELETE: &[Member] =
    &[SECRET_ID, optional("RecoveryWindowInDays", INTEGER), optional("ForceDeleteWithoutRecovery", Shape::Flag)];

const DAY: Millis = 24 * 60 * 60 * 1000;
const DEFAULT_WINDOW: i64 = 30;

pub(super) fn delete(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(DELETE)?;
    let id = request.text("SecretId").unwrap_or_default();
    let (window, at_once) = (request.number("RecoveryWindowInDays"), request.flag("ForceDeleteWithoutRecovery"));
    if window.is_some() && at_once {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let window = window.unwrap_or(DEFAULT_WINDOW);
    if !(7..=30).contains(&window) {
        return Err(invalid_parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
    }
    request.world.store.transact(|transaction| {
        let Some(mut secret) = Secret::lookup(transaction, request.region, id) else {
            // By force, what isn't there is deleted too.
            return if at_once { Ok(nothing(request.region, id)) } else { Err(not_found()) };
        };
        let mut reply = secret.named_in_reply();
        if at_once {
            secret.remove(transaction);
            reply["DeletionDate"] = seconds(now());
            return Ok(reply);
        }
        if secret.deletion.is_some() {
            return Err(invalid_request(
                "You can't perform this operation on the secret because it was already scheduled for deletion.",
            ));
        }
        let gone = now() + window as Millis * DAY;
        secret.deletion = Some(gone);
        secret.put(transaction)?;
        reply["DeletionDate"] = seconds(gone);
        Ok(reply)
    })
}

/// What is told of a secret that was deleted by force and wasn't there.
fn nothing(region: &str, id: &str) -> Value {
    let (arn, name) = match id.rsplit_once(":secret:") {
        Some((_, name)) => (id.to_owned(), name),
        None => (new_arn(region, id), id),
    };
    serde_json::json!({"ARN": arn, "Name": name, "DeletionDate": seconds(now())})
}

pub(super) fn restore(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(&[SECRET_ID])?;
    let id = request.text("SecretId").unwrap_or_default();
    request.world.store.transact(|transaction| {
        let mut secret = Secret::find(transaction, request.region, id)?;
        secret.deletion = None;
        secret.put(transaction)?;
        Ok(secret.named_in_reply())
    })
}
