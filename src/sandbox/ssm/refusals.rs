//! What Systems Manager refuses with. Its refusals are 400, all of them.

use crate::sandbox::call::Refusal;
use crate::sandbox::world::ACCOUNT;

pub(super) fn refusal(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(400, code, message)
}

/// The refusal of instances that aren't there, aren't managed, or are offline.
pub(super) fn not_valid(ids: &[&str]) -> Refusal {
    let message = format!("Instances [[{}]] not in a valid state for account {ACCOUNT}", ids.join(", "));
    refusal("InvalidInstanceId", message)
}

pub(super) fn invalid_parameters(message: impl Into<String>) -> Refusal {
    refusal("InvalidParameters", message)
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    refusal("ValidationException", message)
}

pub(super) fn invalid_token() -> Refusal {
    refusal("InvalidNextToken", "The specified token is not valid.")
}

/// The refusal where nobody knows of a command on an instance, or not yet. AWS says nothing more.
pub(super) fn no_invocation() -> Refusal {
    refusal("InvocationDoesNotExist", "")
}
