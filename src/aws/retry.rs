//! Which failures are tried again, and how patiently.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_types::retry::RetryConfig;

/// How often a call is made before its failure is told. DeleteRestApi is allowed once in 30 seconds for a whole
/// account; with these pauses a call waits out several such windows.
const ATTEMPTS: u32 = 10;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// The SDK's standard mode, exponential backoff with jitter, with the patience that AWS's control planes need.
pub fn config() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF)
}

/// Kafka's own troubles that pass by themselves, as the MSK topic API names them.
const PASSING: [&str; 5] = [
    "ControllerMovedException",
    "NotControllerException",
    "ReassignmentInProgressException",
    "ClusterConnectivityException",
    "KafkaTimeoutException",
];

/// Quotas, which no waiting helps. API Gateway answers them with 429, which looks like throttling.
const QUOTAS: [&str; 3] = ["LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException"];

/// Tells passing troubles and quotas apart where the SDK's own classifiers do not.
#[derive(Clone, Copy, Debug)]
pub struct KnownCodes;

impl ClassifyRetry for KnownCodes {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        // The services that have these codes tell them in a header, sometimes followed by a colon and an address.
        let code = context
            .response()
            .and_then(|response| response.headers().get("x-amzn-errortype"))
            .and_then(|header| header.split(':').next());
        match code {
            Some(code) if PASSING.contains(&code) => RetryAction::server_error(),
            Some(code) if QUOTAS.contains(&code) => RetryAction::RetryForbidden,
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
