//! What browsers on other origins need: an answer to their preflight, and headers on the gateway's own errors.
//!
//! The backend's answers pass through as they are; their headers are the backend's affair.
//!
//! On a shared API an error (`DEFAULT_4XX`, `DEFAULT_5XX`) that is customised in any way but exactly ours is its
//! owner's: it counts as in order whatever it holds, is never changed, and stays when we go. So an owner who adds to
//! ours takes it over.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::types::{GatewayResponseType, IntegrationType};

use crate::aws::{Failure, found, sent};

use super::RestApi;
use super::parts::{CORS, ERRORS, Method, Preflight};
use super::proxy::Place;
use super::seen::{Seen, headers_of, is_only_ours};

/// What a mock integration takes as its own answer.
const MOCK_TEMPLATE: &str = r#"{"statusCode": 200}"#;

impl RestApi {
    /// The method OPTIONS, which answers by itself.
    pub(super) async fn converge_preflight(&self, seen: &Seen, place: &Place) -> Result<(), Failure> {
        let have = seen.method("OPTIONS").map(Preflight::seen);
        match (&self.wanted.preflight, have) {
            (None, None) => Ok(()),
            (None, Some(_)) => self.delete_preflight(place).await,
            (Some(wanted), None) => self.make_preflight(place, wanted).await,
            (Some(wanted), Some(have)) => self.mend_preflight(place, &have, wanted).await,
        }
    }

    async fn make_preflight(&self, place: &Place, wanted: &Preflight) -> Result<(), Failure> {
        let method = Method {
            authorization: wanted.authorization.clone(),
            api_key_required: wanted.api_key_required,
            path_required: None,
        };
        self.put_method(place, "OPTIONS", &method).await?;
        self.declare_headers(place).await?;
        self.put_mock(place).await?;
        self.set_headers(place, wanted).await
    }

    async fn mend_preflight(&self, place: &Place, have: &Preflight, wanted: &Preflight) -> Result<(), Failure> {
        let same_method =
            (&have.authorization, have.api_key_required) == (&wanted.authorization, wanted.api_key_required);
        // What a 200 declares cannot be put a second time. Nothing of this is live, so the method may go meanwhile.
        if !same_method || (have.declared.is_some() && have.declared != wanted.declared) {
            self.delete_preflight(place).await?;
            return self.make_preflight(place, wanted).await;
        }
        if have.declared.is_none() {
            self.declare_headers(place).await?;
        }
        let same_answer = have.answer == wanted.answer;
        if !same_answer {
            self.put_mock(place).await?;
        }
        // A new integration comes without responses.
        if !same_answer || have.headers != wanted.headers {
            self.set_headers(place, wanted).await?;
        }
        Ok(())
    }

    async fn delete_preflight(&self, place: &Place) -> Result<(), Failure> {
        let call = self.client().delete_method().rest_api_id(&place.api).resource_id(&place.resource);
        found(call.http_method("OPTIONS").send().await).map(drop)
    }

    async fn declare_headers(&self, place: &Place) -> Result<(), Failure> {
        let call = self.client().put_method_response().rest_api_id(&place.api).resource_id(&place.resource);
        let parameters = CORS.iter().map(|(_, header, _)| (format!("method.response.header.{header}"), false));
        let call = call.set_response_parameters(Some(parameters.collect()));
        sent(call.http_method("OPTIONS").status_code("200").send().await).map(drop)
    }

    async fn put_mock(&self, place: &Place) -> Result<(), Failure> {
        let call = self.client().put_integration().rest_api_id(&place.api).resource_id(&place.resource);
        let call = call.r#type(IntegrationType::Mock).request_templates("application/json", MOCK_TEMPLATE);
        sent(call.http_method("OPTIONS").send().await).map(drop)
    }

    async fn set_headers(&self, place: &Place, wanted: &Preflight) -> Result<(), Failure> {
        let call = self.client().put_integration_response().rest_api_id(&place.api).resource_id(&place.resource);
        let parameters = wanted.headers.iter();
        let parameters = parameters.map(|(header, value)| (format!("method.response.header.{header}"), quoted(value)));
        let call = call.set_response_parameters(Some(parameters.collect()));
        sent(call.http_method("OPTIONS").status_code("200").send().await).map(drop)
    }

    /// Which CORS headers the gateway's errors carry.
    pub(super) fn error_headers(&self, seen: &Seen) -> BTreeMap<String, BTreeSet<String>> {
        let mut carried = BTreeMap::new();
        for kind in ERRORS {
            let Some(error) = seen.error(kind) else { continue };
            let headers = if self.is_shared() && !is_only_ours(error) {
                self.wanted.error_headers.get(kind).cloned().unwrap_or_default()
            } else {
                headers_of(error)
            };
            if !headers.is_empty() {
                carried.insert(kind.to_owned(), headers);
            }
        }
        carried
    }

    /// The headers on the gateway's errors.
    pub(super) async fn converge_errors(&self, seen: &Seen) -> Result<(), Failure> {
        let carried = self.error_headers(seen);
        for kind in ERRORS {
            match (self.wanted.error_headers.get(kind), carried.get(kind)) {
                (None, Some(_)) => self.delete_error(seen.id(), kind).await?,
                (Some(wanted), have) if have != Some(wanted) => self.put_error(seen.id(), kind).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn put_error(&self, api: &str, kind: &str) -> Result<(), Failure> {
        let parameters =
            CORS.iter().map(|(_, header, value)| (format!("gatewayresponse.header.{header}"), quoted(value)));
        let call = self.client().put_gateway_response().rest_api_id(api).response_type(GatewayResponseType::from(kind));
        sent(call.set_response_parameters(Some(parameters.collect())).send().await).map(drop)
    }

    /// Gives one of the gateway's errors back its default.
    pub(super) async fn delete_error(&self, api: &str, kind: &str) -> Result<(), Failure> {
        let call = self.client().delete_gateway_response().rest_api_id(api);
        found(call.response_type(GatewayResponseType::from(kind)).send().await).map(drop)
    }

    /// The errors in a shared API that are customised by us alone.
    pub(super) fn our_errors(seen: &Seen) -> Vec<&'static str> {
        ERRORS.into_iter().filter(|kind| seen.error(kind).is_some_and(is_only_ours)).collect()
    }
}

/// A text, as AWS tells it from an expression.
fn quoted(text: &str) -> String {
    format!("'{text}'")
}
