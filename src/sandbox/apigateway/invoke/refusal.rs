//! What the gateway answers itself where it refuses a call or can't carry it out: the API's gateway responses
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>).

use http::Response;
use s3s::Body;
use serde_json::Value;

use super::super::model::GatewayResponse;
use super::exchange::Exchange;
use super::template;
use crate::sandbox::protocol::{set_header, set_status};

/// A call that isn't carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The type of the gateway response.
    pub(super) kind: &'static str,
    /// The status where the API sets none.
    status: u16,
    /// What `x-amzn-errortype` says.
    error_type: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: &'static str, status: u16, error_type: &str, message: impl Into<String>) -> Self {
        Self { kind, status, error_type: error_type.to_owned(), message: message.into() }
    }

    /// Nothing is there, or a signature is missing: API Gateway doesn't tell which.
    pub(super) fn missing_token() -> Self {
        let message = "Missing Authentication Token";
        Self::new("MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", message)
    }

    pub(super) fn invalid_api_key() -> Self {
        Self::new("INVALID_API_KEY", 403, "ForbiddenException", "Forbidden")
    }

    pub(super) fn too_large() -> Self {
        Self::new("REQUEST_TOO_LARGE", 413, "RequestTooLargeException", "Request Too Long")
    }

    /// The client broke off in the middle of its body; it hardly waits for an answer.
    pub(super) fn broken_off() -> Self {
        Self::new("BAD_REQUEST_BODY", 400, "BadRequestException", "Invalid request body")
    }

    pub(super) fn unsupported_media_type() -> Self {
        Self::new("UNSUPPORTED_MEDIA_TYPE", 415, "BadRequestException", "Unsupported Media Type")
    }

    /// The integration can't be called as it is set up.
    pub(super) fn configuration_error() -> Self {
        Self::new("API_CONFIGURATION_ERROR", 500, "InternalServerErrorException", "Internal server error")
    }

    /// The backend doesn't answer: nobody listens there, or the connection breaks.
    pub(super) fn network_error() -> Self {
        let message = "Network error communicating with endpoint";
        Self::new("INTEGRATION_FAILURE", 504, "InternalServerErrorException", message)
    }

    pub(super) fn timed_out() -> Self {
        Self::new("INTEGRATION_TIMEOUT", 504, "InternalServerErrorException", "Endpoint request timed out")
    }

    /// The real service could do it.
    pub(super) fn not_supported(what: &str) -> Self {
        Self { message: format!("Internal server error: the sandbox has no {what}"), ..Self::configuration_error() }
    }

    /// Writes it as the API has it.
    pub(super) fn write(&self, exchange: &Exchange<'_>) -> Response<Body> {
        let customised = exchange.stage.api.gateway_responses.get(self.kind);
        let status = customised.and_then(|response| response.status_code.as_deref()?.parse().ok());
        let (media, body) = match customised.and_then(|response| template_for(response, exchange)) {
            Some((media, template)) => (media, template::render(template, |name| self.reference(name, exchange))),
            None => ("application/json", self.default_body()),
        };
        let mut response = self.plain(media, body);
        set_status(&mut response, status.unwrap_or(self.status));
        for (target, source) in customised.into_iter().flat_map(|response| &response.response_parameters) {
            let name = target.strip_prefix("gatewayresponse.header.").unwrap_or(target);
            let values = exchange.values(source);
            if !values.is_empty() {
                set_header(&mut response, name, &values.join(","));
            }
        }
        response
    }

    fn plain(&self, media: &str, body: String) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        set_status(&mut response, self.status);
        set_header(&mut response, "content-type", media);
        set_header(&mut response, "x-amzn-errortype", &self.error_type);
        response
    }

    fn default_body(&self) -> String {
        format!(r#"{{"message":{}}}"#, Value::from(self.message.as_str()))
    }

    fn reference(&self, name: &str, exchange: &Exchange<'_>) -> Option<String> {
        match name {
            "context.error.message" => Some(self.message.clone()),
            "context.error.messageString" => Some(Value::from(self.message.as_str()).to_string()),
            "context.error.responseType" => Some(self.kind.to_owned()),
            other => exchange.reference(other),
        }
    }
}

/// A call of what isn't deployed: no API is there whose responses could be customised.
pub(super) fn no_such_stage() -> Response<Body> {
    let refusal = Refusal::new("DEFAULT_4XX", 403, "ForbiddenException", "Forbidden");
    let mut response = refusal.plain("application/json", refusal.default_body());
    set_header(&mut response, "x-amzn-requestid", &uuid::Uuid::new_v4().to_string());
    response
}

/// The template of a response that fits what the client accepts, or else the one for JSON, or else any.
fn template_for<'a>(response: &'a GatewayResponse, exchange: &Exchange<'_>) -> Option<(&'a str, &'a str)> {
    let templates = &response.response_templates;
    let accepted = exchange.header("accept").and_then(|accept| templates.get_key_value(accept));
    let found = accepted.or_else(|| templates.get_key_value("application/json")).or_else(|| templates.iter().next());
    found.map(|(media, template)| (media.as_str(), template.as_str()))
}
