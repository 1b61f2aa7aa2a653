//! AWS as the kinds use it: clients, what failed calls mean, retries, and the only poll loop.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

pub mod addresses;
pub mod clients;
pub mod retry;
pub mod wait;

/// Error codes that say that a thing does not exist. Services spell it in their own ways; HEAD requests have no body,
/// so S3's code is made of the status.
const ABSENT: [&str; 8] = [
    "NotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchTagSet",
    "NotFound",
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

/// A call that AWS refused, or that never reached it.
#[derive(Debug)]
pub struct Failure {
    /// AWS's error code: `ConflictException`. Absent where no answer came.
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
        self.code_in(&ABSENT)
    }

    /// Whether the caller may not do it.
    pub fn is_denied(&self) -> bool {
        self.code_in(&DENIED)
    }

    fn code_in(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// What to do about it, where the code alone tells.
    fn advice(&self) -> Option<&'static str> {
        if self.is_denied() {
            Some("grant the caller that action, or use other credentials")
        } else if self.code_in(&UNKNOWN_CALLER) {
            Some("check the credentials, and that this machine's clock is right")
        } else {
            None
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message)?,
            None => f.write_str(&self.message)?,
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

impl<E, R> From<SdkError<E, R>> for Failure
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
    R: fmt::Debug,
{
    fn from(error: SdkError<E, R>) -> Self {
        let Some(refusal) = error.as_service_error() else {
            return Self { code: None, message: DisplayErrorContext(&error).to_string(), request_id: None };
        };
        Self {
            code: refusal.code().map(str::to_owned),
            message: refusal.message().unwrap_or("AWS gave no message").to_owned(),
            request_id: refusal.request_id().map(str::to_owned),
        }
    }
}

/// What a call answered.
///
/// # Errors
/// Where AWS refused it, or could not be reached.
pub fn sent<T, E>(result: Result<T, E>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    result.map_err(Failure::from)
}

/// What a call found: `None` where AWS says that the thing does not exist.
///
/// # Errors
/// As [`sent`].
pub fn found<T, E>(result: Result<T, E>) -> Result<Option<T>, Failure>
where
    Failure: From<E>,
{
    match sent(result) {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}
