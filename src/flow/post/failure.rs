//! Why a post did not end with an outcome for each record, and what follows from that.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A topic that isn't there, in the REST proxy's numbers.
const UNKNOWN_TOPIC: i64 = 40401;

/// Why a post as a whole came to nothing, as far as one can tell.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// No connection: nothing was sent.
    #[error("cannot connect to {server}; check that it is the right address and that something listens there")]
    Unreachable {
        /// Where to.
        server: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// Sent, at least in part, and never answered.
    #[error("no answer came, so what was sent may or may not have arrived")]
    Unanswered(#[source] reqwest::Error),
    /// Answered with an error.
    #[error("{0}")]
    Answered(Answer),
    /// Not signed.
    #[error("cannot sign the post; check credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, SSO login)")]
    Unsigned(#[source] Box<dyn Error + Send + Sync>),
    /// The body can't be sent twice, which a body of bytes always can.
    #[error("the post cannot be made again")]
    Unrepeatable,
}

/// An answer that says nothing of single records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The REST proxy's error code. An answer of API Gateway's own has none.
    pub code: Option<i64>,
    /// What was said.
    pub message: String,
    /// How long to wait before the next try, where that was told.
    pub retry_after: Option<Duration>,
}

impl PostError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        let url = error.url().map(|url| url.origin().ascii_serialization());
        let server = url.unwrap_or_else(|| "the API".to_owned());
        let error = error.without_url();
        if !error.is_connect() {
            return Self::Unanswered(error);
        }
        Self::Unreachable { server, source: error }
    }

    /// What went wrong, with the cause of all that was in between.
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(next) = cause.and_then(Error::source) {
            cause = Some(next);
        }
        if let Some(cause) = cause {
            text.push_str(": ");
            text.push_str(&cause.to_string());
        }
        text
    }

    pub(super) fn unsigned(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unsigned(error.into())
    }

    /// Whether the same post may succeed later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unanswered(_) => true,
            Self::Answered(answer) => matches!(answer.status, 429 | 500 | 502 | 503 | 504),
            Self::Unsigned(_) | Self::Unrepeatable => false,
        }
    }

    /// Whether records may have been written all the same.
    ///
    /// That holds for every server error: 504 is a backend that was slow, not one that did nothing, and the REST proxy
    /// answers 500 for a whole post of which some records are written.
    pub fn in_doubt(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Answered(answer) => answer.status >= 500 || (200..300).contains(&answer.status),
            Self::Unreachable { .. } | Self::Unsigned(_) | Self::Unrepeatable => false,
        }
    }

    /// Whether it is a single record that is refused, perhaps, and the others would be taken without it.
    pub fn concerns_content(&self) -> bool {
        matches!(self, Self::Answered(Answer { status: 400 | 413 | 422, .. }))
    }

    /// How long to wait before the next try, where that was told.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered(answer) => answer.retry_after,
            _ => None,
        }
    }
}

impl Answer {
    /// What to do about it.
    fn advice(&self) -> &'static str {
        match (self.status, self.code) {
            (_, Some(UNKNOWN_TOPIC)) => "apply the manifest, or send to a topic that exists",
            (403, None) if self.message == "Missing Authentication Token" => {
                "the API has no such path at this stage: apply the manifest, which deploys it"
            }
            (403, None) if self.message == "Forbidden" => {
                "the API key is missing or isn't of the stage's usage plan, or there is no such stage: check \
                 `api.authorization`, and apply the manifest"
            }
            (403, None) => "the caller needs execute-api:Invoke on this API: check the credentials and their policies",
            (401 | 403, Some(_)) => "the REST proxy may not write to this topic: check its role and client settings",
            (401, None) => "check `api.authorization` and the credentials",
            (404, _) => "what is behind the API has no /topics: check that `api.backend` is a REST proxy",
            (413, _) => "send fewer bytes in a post: lower --batch",
            (429, _) => "the API is throttled: lower --rate, or raise the stage's limits",
            (502..=504, _) => "check that the REST proxy runs and that `api.backend` is its present address",
            (200..=299, _) => "what is behind the API isn't a REST proxy: check `api.backend`",
            (300..=399, _) => "posts are not redirected: check `api.backend`",
            _ => "see the REST proxy's log",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, message, .. } = self;
        write!(formatter, "HTTP status {status}")?;
        if let Some(code) = code {
            write!(formatter, ", error {code}")?;
        }
        if !message.is_empty() {
            write!(formatter, ": {}", message.trim_end_matches('.'))?;
        }
        write!(formatter, "; {}", self.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: Option<i64>, message: &str) -> PostError {
        PostError::Answered(Answer { status, code, message: message.to_owned(), retry_after: None })
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for status in [429, 500, 502, 503, 504] {
            assert!(answered(status, None, "").passes(), "{status}");
        }
        for status in [200, 302, 400, 401, 403, 404, 413, 415, 422, 501] {
            assert!(!answered(status, None, "").passes(), "{status}");
        }
    }

    #[test]
    fn only_a_refusal_leaves_no_doubt() {
        assert!(!answered(429, None, "").in_doubt() && !answered(404, Some(UNKNOWN_TOPIC), "").in_doubt());
        for status in [200, 500, 502, 503, 504] {
            assert!(answered(status, None, "").in_doubt(), "{status}");
        }
    }

    #[test]
    fn an_answer_ends_in_an_action() {
        let told = |status, code, message| answered(status, code, message).to_string();
        assert_eq!(
            told(404, Some(UNKNOWN_TOPIC), "Topic not found."),
            "HTTP status 404, error 40401: Topic not found; apply the manifest, or send to a topic that exists"
        );
        assert!(told(403, None, "Missing Authentication Token").contains("which deploys it"));
        assert!(told(403, None, "User: x is not authorized").contains("execute-api:Invoke"));
        assert!(told(504, None, "Endpoint request timed out").contains("that the REST proxy runs"));
        assert!(told(403, Some(40301), "not authorized").contains("may not write to this topic"));
    }
}
