//! Which failures are tried again, and how patiently.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;

/// How often a call is made before its failure is told. DeleteRestApi is allowed once in 30 seconds for a whole
/// account; with these pauses a call waits out several such windows.
const ATTEMPTS: u32 = 10;
const FIRST_CALL_ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// The SDK's standard mode, exponential backoff with jitter, with the patience that AWS's control planes need.
pub fn config() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF)
}

/// For the first call of a run: credentials and addresses that are wrong are to be told at once.
pub fn brief() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(FIRST_CALL_ATTEMPTS)
}

/// Troubles that pass by themselves: Kafka's own, as the MSK topic API names them, and IAM's, which takes one change of
/// a role at a time.
const PASSING: [&str; 6] = [
    "ConcurrentModification",
    "ControllerMovedException",
    "NotControllerException",
    "ReassignmentInProgressException",
    "ClusterConnectivityException",
    "KafkaTimeoutException",
];

/// Quotas, which no waiting helps. API Gateway answers them with 429, which looks like throttling.
pub(super) const QUOTAS: [&str; 4] =
    ["LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException", "TooManyBuckets"];

/// MSK Connect has one error code for calls that come too fast and for quotas that are used up: "Limit exceeded.
/// Resource limit reached." <https://docs.aws.amazon.com/MSKC/latest/mskc/API_CreateConnector.html>
const EITHER: &str = "TooManyRequestsException";

/// Whether the words that came with status 429 tell of a quota rather than of calls that came too fast.
pub(super) fn is_quota(message: &str) -> bool {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    says(&["quota", "limit exceeded", "limit reached", "exceeds the limit", "maximum"])
        && !says(&["rate", "throttl", "request limit", "per second"])
}

/// The error code of an answer: in a header, sometimes followed by a colon and an address, or, as IAM has it, in XML.
fn code<'a>(response: &'a HttpResponse, body: &'a str) -> Option<&'a str> {
    let in_header = response.headers().get("x-amzn-errortype").and_then(|header| header.split(':').next());
    in_header.or_else(|| body.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code))
}

/// Tells passing troubles and quotas apart where the SDK's own classifiers do not.
#[derive(Clone, Copy, Debug)]
pub struct KnownCodes;

impl ClassifyRetry for KnownCodes {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else { return RetryAction::NoActionIndicated };
        let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
        let code = code(response, &body);
        // Only what creates or changes can meet a quota; what reads was merely too fast.
        let reads = context.request().is_some_and(|request| request.method() == "GET");
        match code {
            Some(code) if PASSING.contains(&code) => RetryAction::server_error(),
            Some(code) if QUOTAS.contains(&code) => RetryAction::RetryForbidden,
            Some(EITHER) if !reads && is_quota(&body) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "known codes"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Tells of each call that is made again, since a call that is made ten times can take minutes.
#[derive(Clone)]
pub struct TellRetries(Arc<dyn Fn(u32, String) + Send + Sync>);

/// What came of the attempt before this one.
#[derive(Debug)]
struct Before(String);

impl Storable for Before {
    type Storer = StoreReplace<Self>;
}

impl TellRetries {
    /// Tells `sink` a line for each, with the number of the attempt that begins, from 2 on.
    pub fn new(sink: impl Fn(u32, String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }
}

impl fmt::Debug for TellRetries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TellRetries")
    }
}

#[dyn_dispatch_hint]
impl Intercept for TellRetries {
    fn name(&self) -> &'static str {
        "tell retries"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempt = config.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
        if attempt > 1 {
            let call = config.load::<Metadata>().map_or("a call", Metadata::name);
            let why = config.load::<Before>().map_or("no answer came", |before| &before.0);
            (self.0)(attempt, format!("{call}: {why}; tried again, attempt {attempt} of {ATTEMPTS}"));
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(response) = context.response() {
            let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
            let code = code(response, &body).map(|code| format!(" {code}")).unwrap_or_default();
            let status = response.status().as_u16();
            config.interceptor_state().store_put(Before(format!("HTTP status {status}{code}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_and_rates_are_told_apart_by_words() {
        for quota in [
            "Limit exceeded. Resource limit reached.",
            "Limit exceeded. The quota 'Maximum custom plugins' of 100 per account is reached.",
            "You have reached the maximum number of worker configurations.",
        ] {
            assert!(is_quota(quota), "{quota}");
        }
        for rate in ["Too Many Requests", "Rate exceeded", "Request limit exceeded", "Throttled: quota of calls"] {
            assert!(!is_quota(rate), "{rate}");
        }
    }
}
