//! Making an API of our own, once.
//!
//! AWS lets many APIs have one name, so that a call which is made again because its answer was lost makes a second API,
//! and two of ours are one too many. Only a call that AWS surely refused is made again without a look.

use std::time::Duration;

use aws_sdk_apigateway::config;
use aws_sdk_apigateway::types::{self, EndpointConfiguration, EndpointType};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_types::DateTime;
use tokio::time::sleep;

use crate::aws::{Failure, found, sent};
use crate::engine::Result;

use super::RestApi;

/// How often it is tried where no answer came.
const TRIES: u32 = 4;
/// How long it waits after the first time; longer after each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// Errors that say for certain that nothing was made.
const REFUSED: [&str; 4] =
    ["BadRequestException", "LimitExceededException", "TooManyRequestsException", "UnauthorizedException"];

impl RestApi {
    /// Makes the API with our tags; its id.
    pub(super) async fn create_api(&self) -> Result<String> {
        let mut tries = 0;
        loop {
            let failure = match self.try_to_create().await {
                Ok(id) => return self.alone(id).await,
                Err(failure) => failure,
            };
            if is_refused(&failure) {
                return Err(failure.into());
            }
            if let Some(api) = self.find().await?.filter(|api| self.has_our_tags(api.tags())) {
                return Ok(api.id.unwrap_or_default());
            }
            tries += 1;
            if tries == TRIES {
                return Err(failure.into());
            }
            sleep(PAUSE * tries).await;
        }
    }

    /// Sees to it that of two runs at once at most one makes the API: the later one takes its own back. Dates are in
    /// seconds, so that of two within one second each has to take itself for the later one.
    async fn alone(&self, id: String) -> Result<String> {
        let named = self.named(self.address.name()).await?;
        let date = |api: &types::RestApi| api.created_date().map(DateTime::secs);
        let own = named.iter().find(|api| api.id() == Some(&id)).and_then(date);
        let mut others = named.iter().filter(|api| api.id() != Some(&id) && self.has_our_tags(api.tags()));
        if others.all(|other| date(other) > own) {
            return Ok(id);
        }
        found(self.client().delete_rest_api().rest_api_id(&id).send().await)?;
        Err("another run made it at the same time; wait until that one has ended, and apply again".into())
    }

    async fn try_to_create(&self) -> std::result::Result<String, Failure> {
        // Near its callers, and without a CloudFront distribution that takes minutes and a slower limit of its own.
        let regional = EndpointConfiguration::builder().types(EndpointType::Regional).build();
        let call = self.client().create_rest_api().name(self.address.name()).endpoint_configuration(regional);
        let call = call.set_tags(Some(self.context.tags.for_creation())).customize();
        let once = config::Builder::new().retry_classifier(OnlyRefusals);
        Ok(sent(call.config_override(once).send().await)?.id.unwrap_or_default())
    }
}

fn is_refused(failure: &Failure) -> bool {
    failure.is_denied() || failure.code.as_deref().is_some_and(|code| REFUSED.contains(&code))
}

/// Forbids the SDK to try again after a call that AWS may have carried out.
#[derive(Clone, Copy, Debug)]
struct OnlyRefusals;

impl ClassifyRetry for OnlyRefusals {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if !response.status().is_server_error() => RetryAction::NoActionIndicated,
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only refusals"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
