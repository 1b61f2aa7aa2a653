//! How API Gateway refuses: its error codes, the messages that several operations share, and the collected violations
//! of a request's shape.

use crate::sandbox::call::Refusal;
use crate::sandbox::world::ACCOUNT;

pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "BadRequestException", message)
}

pub(super) fn not_found(message: impl Into<String>) -> Refusal {
    Refusal::new(404, "NotFoundException", message)
}

pub(super) fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "ConflictException", message)
}

/// A quota that isn't a rate: waiting doesn't help.
pub(super) fn limit_exceeded(message: impl Into<String>) -> Refusal {
    Refusal::new(429, "LimitExceededException", message)
}

/// A body that isn't of the operation's shape.
pub(super) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "SerializationException", message)
}

pub(super) fn no_api(id: &str) -> Refusal {
    not_found(format!("Invalid API identifier specified {ACCOUNT}:{id}"))
}

/// Also what everything below a resource answers where the API itself doesn't exist.
pub(super) fn no_resource() -> Refusal {
    not_found("Invalid Resource identifier specified")
}

pub(super) fn no_method() -> Refusal {
    not_found("Invalid Method identifier specified")
}

pub(super) fn no_integration() -> Refusal {
    not_found("Invalid Integration identifier specified")
}

pub(super) fn no_response() -> Refusal {
    not_found("Invalid Response status code specified")
}

pub(super) fn no_deployment() -> Refusal {
    not_found("Invalid Deployment identifier specified")
}

pub(super) fn no_stage() -> Refusal {
    not_found("Invalid stage identifier specified")
}

pub(super) fn no_key() -> Refusal {
    not_found("Invalid API Key identifier specified")
}

pub(super) fn no_plan() -> Refusal {
    not_found("Invalid Usage Plan ID specified")
}

/// What the service's model forbids, told all at once before anything is looked at.
#[derive(Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// A value that is given must be one of these. `member` is its path in the request, `order` how AWS lists them.
    pub(super) fn one_of(&mut self, member: &str, value: Option<&str>, order: &[&str]) {
        if let Some(value) = value.filter(|value| !order.contains(value)) {
            let allowed = order.join(", ");
            self.add(member, value, &format!("Member must satisfy enum value set: [{allowed}]"));
        }
    }

    /// A status code has three digits and starts with 1 to 5.
    pub(super) fn status_code(&mut self, value: Option<&str>) {
        let Some(value) = value else { return };
        let valid = value.len() == 3
            && value.bytes().all(|byte| byte.is_ascii_digit())
            && value.bytes().next().is_some_and(|byte| (b'1'..=b'5').contains(&byte));
        if !valid {
            self.add("statusCode", value, r"Member must satisfy regular expression pattern: [1-5]\d\d");
        }
    }

    /// Any other constraint.
    pub(super) fn add(&mut self, member: &str, value: &str, constraint: &str) {
        self.0.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// # Errors
    /// `ValidationException` with all of them, where there are any.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let errors = match self.0.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            count => format!("{count} validation errors"),
        };
        Err(Refusal::new(400, "ValidationException", format!("{errors} detected: {}", self.0.join("; "))))
    }
}
