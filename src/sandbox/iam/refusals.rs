//! IAM's error codes with the statuses that its model gives them.

use crate::sandbox::call::Refusal;

pub(super) fn no_such_entity(message: impl Into<String>) -> Refusal {
    Refusal::new(404, "NoSuchEntity", message)
}

pub(super) fn already_exists(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "EntityAlreadyExists", message)
}

pub(super) fn delete_conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "DeleteConflict", message)
}

pub(super) fn limit_exceeded(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "LimitExceeded", message)
}

pub(super) fn invalid_input(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidInput", message)
}

pub(super) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "MalformedPolicyDocument", message)
}

pub(super) fn unmodifiable(role: &str) -> Refusal {
    let message =
        format!("Cannot perform the operation on the protected role '{role}' - this role is only modifiable by AWS");
    Refusal::new(400, "UnmodifiableEntity", message)
}
