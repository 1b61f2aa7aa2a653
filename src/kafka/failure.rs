//! What a request that failed says, in the words of MSK's topic API, so that it reads the same by whichever way topics
//! are managed.

use std::error::Error;
use std::fmt;

use krafka::KrafkaError;
use krafka::error::ErrorCode;

/// A request that brokers refused, or that never reached them.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Kafka's name of the request: `CreateTopics`.
    pub operation: &'static str,
    /// What MSK's topic API calls such a failure: `TopicExistsException`.
    pub code: &'static str,
    /// The brokers' words, or what went wrong on the way; ends in what to do, where that is known.
    pub message: String,
}

/// The codes of failures, as MSK's topic API spells them.
pub(super) const DENIED: &str = "ForbiddenException";
pub(super) const UNAUTHENTICATED: &str = "UnauthorizedException";
pub(super) const UNREACHABLE: &str = "ClusterConnectivityException";
const TIMED_OUT: &str = "KafkaTimeoutException";
const REFUSED: &str = "KafkaRequestException";

impl Failure {
    pub(super) fn of(operation: &'static str, error: &KrafkaError) -> Self {
        let (code, message) = match error {
            KrafkaError::Broker { code, message } => (word(*code), said(*code, message)),
            KrafkaError::Auth { .. } => (UNAUTHENTICATED, error.to_string()),
            KrafkaError::Timeout { .. } => (TIMED_OUT, error.to_string()),
            KrafkaError::Network(_) => (UNREACHABLE, error.to_string()),
            other => (REFUSED, other.to_string()),
        };
        Self { operation, code, message }
    }

    /// Whether it failed in that way.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether the caller may not do it.
    pub fn is_denied(&self) -> bool {
        self.is(DENIED)
    }

    /// Whether the brokers could not be reached.
    pub fn is_unreachable(&self) -> bool {
        self.is(UNREACHABLE)
    }
}

fn word(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TopicAlreadyExists => "TopicExistsException",
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => "UnknownTopicOrPartitionException",
        ErrorCode::NotController => "NotControllerException",
        ErrorCode::ReassignmentInProgress => "ReassignmentInProgressException",
        ErrorCode::RequestTimedOut => TIMED_OUT,
        ErrorCode::ThrottlingQuotaExceeded => "TooManyRequestsException",
        ErrorCode::TopicAuthorizationFailed
        | ErrorCode::ClusterAuthorizationFailed
        | ErrorCode::GroupAuthorizationFailed => DENIED,
        ErrorCode::SaslAuthenticationFailed => UNAUTHENTICATED,
        _ => REFUSED,
    }
}

/// What a broker said, and Kafka's name of it where the words don't have it.
fn said(code: ErrorCode, message: &str) -> String {
    let name = format!("{code:?}");
    if message.is_empty() || message == name { name } else { format!("{name}: {message}") }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.operation, self.code, self.message)
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_reads_as_the_topic_api_says_it() {
        let exists = KrafkaError::Broker { code: ErrorCode::TopicAlreadyExists, message: "Topic 't' exists".into() };
        let failure = Failure::of("CreateTopics", &exists);
        assert!(failure.is("TopicExistsException"));
        assert_eq!(failure.to_string(), "CreateTopics: TopicExistsException: TopicAlreadyExists: Topic 't' exists");
        let denied = KrafkaError::Broker {
            code: ErrorCode::TopicAuthorizationFailed,
            message: "TopicAuthorizationFailed".into(),
        };
        assert!(Failure::of("CreateTopics", &denied).is_denied());
    }
}
