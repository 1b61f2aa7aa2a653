//! What a call that failed says: which call, why, and what to do about it.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use super::retry::{QUOTAS, is_quota};

/// Error codes that say that a thing does not exist. Services spell it in their own ways.
const ABSENT: [&str; 9] = [
    "NotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchTagSet",
    "NotFound",
    "ResourceNotFoundException",
    "UnknownTopicOrPartitionException",
];

/// Error codes that say that the caller may not do a thing.
const DENIED: [&str; 5] =
    ["AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedException", "UnauthorizedOperation"];

/// Error codes that say that AWS does not know the caller.
const UNKNOWN_CALLER: [&str; 7] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ExpiredToken",
    "ExpiredTokenException",
];

/// What the SDK calls layers of its own, which tells nobody anything.
const LAYERS: [&str; 4] = ["dispatch failure", "io error", "other", "request has timed out"];

/// A call that AWS refused, or that never reached it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The operation, as AWS calls it: `CreateTopic`.
    pub operation: &'static str,
    /// The service, as IAM calls it: `kafkaconnect`.
    pub service: &'static str,
    /// The HTTP status. Absent where no answer came.
    pub status: Option<u16>,
    /// AWS's error code: `ConflictException`. Absent where no answer came, and in answers without a body.
    pub code: Option<String>,
    /// AWS's words, or what went wrong on the way.
    pub message: String,
    /// What AWS's support asks for.
    pub request_id: Option<String>,
}

impl Failure {
    /// Whether AWS answered with that code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the thing that was asked for does not exist.
    pub fn is_absent(&self) -> bool {
        self.code_in(&ABSENT) || self.is_bare(404)
    }

    /// Whether the caller may not do it.
    pub fn is_denied(&self) -> bool {
        self.code_in(&DENIED) || self.is_bare(403)
    }

    /// Whether a quota is used up, which waiting does not help.
    pub fn is_quota(&self) -> bool {
        self.code_in(&QUOTAS) || (self.status == Some(429) && is_quota(&self.message))
    }

    /// Answers to HEAD requests have no body, and so no code: the status is all that they tell.
    fn is_bare(&self, status: u16) -> bool {
        self.code.is_none() && self.status == Some(status)
    }

    fn code_in(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// What to do about it, where the code alone tells.
    fn advice(&self) -> Option<String> {
        if self.is_denied() {
            // AWS's own words mostly name the action; the answer to a HEAD can't.
            let action = Some(self.action()).filter(|action| !self.message.contains(action.as_str()));
            let action = action.unwrap_or_else(|| "that action".to_owned());
            Some(format!("grant the caller {action}, or use other credentials"))
        } else if self.code_in(&UNKNOWN_CALLER) {
            Some("check the credentials, and that this machine's clock is right".to_owned())
        } else if self.is_quota() {
            let which = self.quota();
            Some(format!("{which} is used up: delete what is no longer needed, or ask for more in Service Quotas"))
        } else {
            None
        }
    }

    /// The quota that the operation counts against, which AWS's words may not name.
    fn quota(&self) -> &'static str {
        match self.operation {
            "CreateConnector" | "UpdateConnector" => "the account's quota of MSK Connect workers",
            "CreateCustomPlugin" => "the account's quota of custom plugins",
            "CreateWorkerConfiguration" => "the account's quota of worker configurations",
            "CreateRole" => "the account's quota of roles",
            "CreateInstanceProfile" => "the account's quota of instance profiles",
            "CreateBucket" => "the account's quota of buckets",
            "CreateRestApi" => "the account's quota of REST APIs",
            "CreateStage" => "the REST API's quota of stages",
            _ => "a quota",
        }
    }

    /// The IAM action that the operation needs. API Gateway's and some of S3's are not called like their operations.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/>
    fn action(&self) -> String {
        let name = match (self.service, self.operation) {
            ("apigateway", _) => "the management of REST APIs (apigateway:*)",
            ("s3", "HeadBucket" | "ListObjectsV2") => "s3:ListBucket",
            ("s3", "HeadObject") => "s3:GetObject",
            ("s3", "ListObjectVersions") => "s3:ListBucketVersions",
            ("s3", "DeleteObjects") => "s3:DeleteObject",
            ("s3", "ListMultipartUploads") => "s3:ListBucketMultipartUploads",
            ("s3", "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload") => "s3:PutObject",
            (service, operation) => return format!("{service}:{operation}"),
        };
        name.to_owned()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, "{code}: {}", self.message)?,
            (None, Some(status)) => write!(f, "HTTP status {status}: {}", self.message)?,
            (None, None) => f.write_str(&self.message)?,
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl Error for Failure {}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let (service, operation) = call_of::<E>();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let failed = Self { operation, service, status, code: None, message: String::new(), request_id: None };
        match error.as_service_error() {
            None => Self { message: unanswered(&error), ..failed },
            Some(refusal) => Self {
                code: refusal.code().map(str::to_owned),
                message: refusal.message().map_or_else(|| wordless(refusal, status), str::to_owned),
                request_id: refusal.request_id().map(str::to_owned),
                ..failed
            },
        }
    }
}

/// The service and operation of an error's type: `aws_sdk_kafka::operation::create_topic::CreateTopicError`. The
/// compiler does not promise names of that form; whatever it gives, only what people read depends on it.
fn call_of<E>() -> (&'static str, &'static str) {
    let path = std::any::type_name::<E>();
    let service = path.split("::").next().unwrap_or(path);
    let operation = path.rsplit("::").next().unwrap_or(path);
    (service.trim_start_matches("aws_sdk_"), operation.trim_end_matches("Error"))
}

/// What there is to tell where AWS did not say why. An answer of success that makes no sense is a refusal to the SDK.
fn wordless(refusal: &(impl Error + 'static), status: Option<u16>) -> String {
    match status {
        Some(200..=299) => with_causes("the answer can't be read".to_owned(), refusal),
        _ => "AWS gave no message".to_owned(),
    }
}

/// Why no answer came.
fn unanswered<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let told = match error {
        SdkError::TimeoutError(_) => "no answer came in time".to_owned(),
        SdkError::DispatchFailure(_) => "the call did not get through".to_owned(),
        other => other.to_string(),
    };
    with_causes(told, error)
}

/// What was told, and what caused the error, without the SDK's names for its own layers.
fn with_causes(mut told: String, error: &(impl Error + 'static)) -> String {
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) && !LAYERS.contains(&text.as_str()) {
            told.push_str(": ");
            told.push_str(&text);
        }
        next = cause.source();
    }
    told
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use aws_sdk_kafka::operation::create_topic::CreateTopicError;

    use super::*;

    fn failure(code: Option<&str>, status: u16, message: &str) -> Failure {
        let (service, operation) = call_of::<CreateTopicError>();
        let (code, message) = (code.map(str::to_owned), message.to_owned());
        Failure { operation, service, status: Some(status), code, message, request_id: None }
    }

    #[test]
    fn a_refusal_names_the_call_and_what_to_grant() {
        let denied = failure(Some("AccessDeniedException"), 403, "no");
        assert_eq!(
            denied.to_string(),
            "CreateTopic: AccessDeniedException: no; grant the caller kafka:CreateTopic, or use other credentials"
        );
        let named = failure(Some("AccessDeniedException"), 403, "not authorized to perform: kafka:CreateTopic");
        assert!(named.to_string().ends_with("; grant the caller that action, or use other credentials"), "{named}");
    }

    #[test]
    fn an_answer_without_a_body_is_known_by_its_status() {
        assert!(failure(None, 403, "").is_denied() && failure(None, 404, "").is_absent());
        assert!(!failure(Some("ExpiredToken"), 403, "").is_denied());
    }

    #[test]
    fn a_quota_is_no_throttling() {
        let quota = failure(Some("TooManyRequestsException"), 429, "Limit exceeded. Resource limit reached.");
        assert!(quota.to_string().contains("; a quota is used up: delete what"), "{quota}");
        assert!(!failure(Some("TooManyRequestsException"), 429, "Too Many Requests").is_quota());
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_told_as_such() {
        let answer = HttpResponse::new(200.try_into().unwrap(), "{}".into());
        let error = SdkError::service_error(CreateTopicError::unhandled("expected a boolean"), answer);
        let expected = "CreateTopic: HTTP status 200: the answer can't be read: expected a boolean";
        assert_eq!(Failure::from(error).to_string(), expected);
    }

    #[test]
    fn what_never_got_there_is_told_without_the_sdk_s_insides() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let connector = aws_smithy_runtime_api::client::result::ConnectorError::io(refused.into());
        let error: SdkError<CreateTopicError, HttpResponse> = SdkError::dispatch_failure(connector);
        assert_eq!(Failure::from(error).to_string(), "CreateTopic: the call did not get through: connection refused");
    }
}
