//! What the proxy refuses, and how it says so.

use http::{HeaderValue, Response, StatusCode, header};
use s3s::Body;
use serde_json::json;

use super::media;

/// A refusal. The code is the status, or that times a hundred plus a number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: u32,
    pub(super) message: String,
    /// The methods of a resource that hasn't got the one that was asked for.
    allow: Option<&'static str>,
}

impl Problem {
    /// A refusal with a code of its own.
    pub(super) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), allow: None }
    }

    /// A refusal that HTTP has words for.
    pub(super) fn http(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        Self::new(status, status.as_u16().into(), format!("HTTP {} {reason}", status.as_u16()))
    }

    /// The path leads to a part of the real proxy that this one hasn't got.
    pub(super) fn not_here(what: &str) -> Self {
        let Self { status, code, message, .. } = Self::http(StatusCode::NOT_FOUND);
        Self::new(status, code, format!("{message}: the sandbox's REST proxy has no {what}"))
    }

    pub(super) fn no_such_method(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::http(StatusCode::METHOD_NOT_ALLOWED) }
    }

    pub(super) fn no_such_topic() -> Self {
        Self::new(StatusCode::NOT_FOUND, 40401, "Topic not found.")
    }

    pub(super) fn no_such_partition() -> Self {
        Self::new(StatusCode::NOT_FOUND, 40402, "Partition not found.")
    }

    /// The body isn't JSON, or not of the right shape.
    pub(super) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 400, message)
    }

    /// The body can be read, and breaks a rule.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, 422, message)
    }

    /// A format that needs schemas.
    pub(super) fn no_schema_registry() -> Self {
        let message = "Payload error. Schema Registry must be configured when using schemas. The sandbox has none: send \
                       application/vnd.kafka.json.v2+json or application/vnd.kafka.binary.v2+json";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, 42206, message)
    }

    pub(super) fn write(self) -> Response<Body> {
        let body = json!({"error_code": self.code, "message": self.message}).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        // What is refused before it is known which resource answers is answered in the server's default type.
        let media =
            if self.code < 1000 && self.status != StatusCode::UNPROCESSABLE_ENTITY { media::JSON } else { media::V2 };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}
