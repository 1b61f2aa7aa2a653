//! What Secrets Manager refuses with. Its refusals are 400, all of them.

use crate::sandbox::call::Refusal;

pub(super) fn not_found() -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// The refusal where a secret is there, and a value of it isn't.
pub(super) fn no_value(which: &str) -> Refusal {
    let message = format!("Secrets Manager can't find the specified secret value for {which}");
    Refusal::new(400, "ResourceNotFoundException", message)
}

pub(super) fn exists(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ResourceExistsException", message)
}

pub(super) fn invalid_parameter(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidParameterException", message)
}

pub(super) fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidRequestException", message)
}

pub(super) fn marked_for_deletion() -> Refusal {
    invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
}
