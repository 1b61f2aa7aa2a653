//! Parameter mappings: which names and expressions may stand on either side, and what must be declared for them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{MethodResponse, Texts};
use super::refusal::bad_request;
use crate::sandbox::call::Refusal;

/// Where a request has parameters.
const PLACES: [&str; 5] = ["path", "querystring", "header", "multivaluequerystring", "multivalueheader"];

/// The parameters that a method declares.
///
/// # Errors
/// Where one isn't `method.request.PLACE.NAME`, or two have one name in different places.
pub(super) fn check_declared(parameters: Option<&BTreeMap<String, bool>>) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for parameter in parameters.into_iter().flat_map(BTreeMap::keys) {
        let name = PLACES
            .iter()
            .find_map(|place| parameter.strip_prefix("method.request.")?.strip_prefix(place)?.strip_prefix('.'))
            .ok_or_else(|| refused(&[unknown_parameter(parameter)]))?;
        if !is_name(name) {
            let pattern = "Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$";
            return Err(refused(&[pattern.to_owned()]));
        }
        if !names.insert(name) {
            return Err(bad_request("Parameter names must be unique across querystring, header and path"));
        }
    }
    Ok(())
}

/// The headers that a method response declares.
///
/// # Errors
/// Where one isn't `method.response.header.NAME`.
pub(super) fn check_declared_headers(headers: Option<&BTreeMap<String, bool>>) -> Result<(), Refusal> {
    let headers = headers.into_iter().flat_map(BTreeMap::keys);
    all(headers.filter(|header| !names_one(header, "method.response.header.")).map(|header| unknown_parameter(header)))
}

/// What an integration request is made of. `declared` has the method's parameters.
///
/// # Errors
/// Where a target isn't part of an integration request, or a source is no expression or a parameter that the method
/// doesn't declare.
pub(super) fn check_request(
    parameters: Option<&Texts>,
    declared: Option<&BTreeMap<String, bool>>,
) -> Result<(), Refusal> {
    all(parameters.into_iter().flatten().filter_map(|(target, source)| {
        if !PLACES.iter().any(|place| names_one(target, &format!("integration.request.{place}."))) {
            return Some(unknown_parameter(target));
        }
        if is_parameter(source) {
            return (!is_declared(source, declared)).then(|| unknown_parameter(source));
        }
        let valid = is_general(source) || is_body(source, "method.request.body");
        (!valid).then(|| invalid_expression(source))
    }))
}

/// Whether a method declares a parameter. A multi-value source may read what is declared as a single value.
pub(super) fn is_declared(source: &str, declared: Option<&BTreeMap<String, bool>>) -> bool {
    let single = source.replacen(".multivalue", ".", 1);
    declared.is_some_and(|declared| declared.contains_key(source) || declared.contains_key(&single))
}

fn is_parameter(source: &str) -> bool {
    PLACES.iter().any(|place| names_one(source, &format!("method.request.{place}.")))
}

/// What a method response is made of. `declared` is the method response of the same status.
///
/// # Errors
/// Where there is a mapping without a method response, to a header that isn't declared, or from no expression.
pub(super) fn check_response(parameters: Option<&Texts>, declared: Option<&MethodResponse>) -> Result<(), Refusal> {
    let parameters = parameters.filter(|parameters| !parameters.is_empty());
    let (Some(parameters), Some(declared)) = (parameters, declared) else {
        return all(parameters.map(|_| "No method response exists for method.".to_owned()));
    };
    let headers = declared.response_parameters.as_ref();
    all(parameters.iter().filter_map(|(target, source)| {
        if !headers.is_some_and(|headers| headers.contains_key(target)) {
            return Some(unknown_parameter(target));
        }
        let valid = is_general(source)
            || names_one(source, "integration.response.header.")
            || names_one(source, "integration.response.multivalueheader.")
            || is_body(source, "integration.response.body");
        (!valid).then(|| invalid_expression(source))
    }))
}

/// What a gateway response's headers are made of.
///
/// # Errors
/// Where a target isn't a header, or a source is no expression.
pub(super) fn check_gateway(parameters: &Texts) -> Result<(), Refusal> {
    all(parameters.iter().filter_map(|(target, source)| {
        if !names_one(target, "gatewayresponse.header.") {
            return Some(unknown_parameter(target));
        }
        (!is_general(source) && !is_parameter(source)).then(|| invalid_expression(source))
    }))
}

/// # Errors
/// Where a template's content type isn't one.
pub(super) fn check_content_types<'a>(mut types: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let is_type = |text: &String| {
        let (kind, rest) = text.split_once('/').unwrap_or_default();
        let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        text == "$default" || (plain(kind) && plain(rest))
    };
    match types.find(|text| !is_type(text)) {
        Some(text) => {
            let error = format!("Validation Result: warnings : [], errors : [Invalid content type specified: {text}]");
            Err(bad_request(error))
        }
        None => Ok(()),
    }
}

/// Whether a source needs nothing declared: a static value, a stage variable, a context variable.
fn is_general(source: &str) -> bool {
    let fixed = source.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    fixed.is_some_and(|text| !text.contains('\''))
        || names_one(source, "stageVariables.")
        || names_one(source, "context.")
}

fn is_body(source: &str, body: &str) -> bool {
    source.strip_prefix(body).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') && rest.len() > 1)
}

fn names_one(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(is_name)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$-".contains(&byte))
}

fn unknown_parameter(parameter: &str) -> String {
    format!("Invalid mapping expression parameter specified: {parameter}")
}

fn invalid_expression(source: &str) -> String {
    format!("Invalid mapping expression specified: {source}")
}

fn all(errors: impl IntoIterator<Item = String>) -> Result<(), Refusal> {
    let errors: Vec<String> = errors.into_iter().collect();
    if errors.is_empty() { Ok(()) } else { Err(refused(&errors)) }
}

fn refused(errors: &[String]) -> Refusal {
    let errors = errors.join(", ");
    bad_request(format!("Invalid mapping expression specified: Validation Result: warnings : [], errors : [{errors}]"))
}
