//! Mock integrations, which answer by themselves: the request template says which status the backend would have had,
//! and the integration response that fits it says the rest.

use std::sync::LazyLock;

use http::Response;
use regex::Regex;
use s3s::Body;

use super::super::model::{Integration, IntegrationResponse};
use super::exchange::Exchange;
use super::refusal::Refusal;
use super::request::trace_id;
use super::template;
use crate::sandbox::protocol::{set_header, set_status};

/// The real service takes JSON without quotes, too.
static STATUS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"["']?statusCode["']?\s*:\s*["']?(\d{3})\b"#).ok());

/// The answer of a mock.
///
/// # Errors
/// Where its templates name no status, or no response fits it.
pub(super) fn answer(exchange: &Exchange<'_>, integration: &Integration) -> Result<Response<Body>, Refusal> {
    let request = match request_template(exchange, integration)? {
        Some(template) => rendered(exchange, template)?,
        None => String::from_utf8_lossy(&exchange.body).into_owned(),
    };
    let status = STATUS.as_ref().and_then(|status| status.captures(&request)).map(|found| found[1].to_owned());
    let status = status.ok_or_else(Refusal::configuration_error)?;
    let chosen = choose(integration, &status).ok_or_else(Refusal::configuration_error)?;
    let templates = chosen.response_templates.iter().flatten();
    let template = templates.filter_map(|(media, template)| Some((media.as_str(), template.as_deref()?))).next();
    let body = template.map(|(_, template)| rendered(exchange, template)).transpose()?.unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    set_status(&mut response, chosen.status_code.parse().unwrap_or(500));
    set_header(&mut response, "content-type", template.map_or("application/json", |(media, _)| media));
    set_header(&mut response, "x-amzn-trace-id", &trace_id(exchange));
    for (target, source) in chosen.response_parameters.iter().flatten() {
        let values = exchange.values(source);
        if let Some(name) = target.strip_prefix("method.response.header.").filter(|_| !values.is_empty()) {
            set_header(&mut response, name, &values.join(","));
        }
    }
    Ok(response)
}

/// The template for the call's content type; nothing where the body is to be passed on as it is.
fn request_template<'a>(exchange: &Exchange<'_>, integration: &'a Integration) -> Result<Option<&'a str>, Refusal> {
    let media = exchange.header("content-type").unwrap_or("application/json");
    let media = media.split(';').next().unwrap_or_default().trim();
    let Some(templates) = integration.request_templates.as_ref().filter(|templates| !templates.is_empty()) else {
        return if integration.passthrough_behavior == "NEVER" {
            Err(Refusal::unsupported_media_type())
        } else {
            Ok(None)
        };
    };
    match templates.get(media).or_else(|| templates.get("$default")) {
        Some(template) => Ok(template.as_deref()),
        None if integration.passthrough_behavior == "WHEN_NO_MATCH" => Ok(None),
        None => Err(Refusal::unsupported_media_type()),
    }
}

fn rendered(exchange: &Exchange<'_>, template: &str) -> Result<String, Refusal> {
    match template::unsupported(template) {
        Some(what) => Err(Refusal::not_supported(&format!("{what} in mapping templates"))),
        None => Ok(template::render(template, |name| exchange.reference(name))),
    }
}

/// The integration response whose pattern fits a status, or else the one without a pattern.
fn choose<'a>(integration: &'a Integration, status: &str) -> Option<&'a IntegrationResponse> {
    let pattern = |response: &IntegrationResponse| response.selection_pattern.clone().filter(|text| !text.is_empty());
    let fits = |pattern: &str| Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(status));
    let responses = || integration.integration_responses.values();
    let fitting = responses().find(|response| pattern(response).is_some_and(|pattern| fits(&pattern)));
    fitting.or_else(|| responses().find(|response| pattern(response).is_none()))
}
