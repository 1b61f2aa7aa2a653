//! Gateway responses: what the gateway itself answers where no integration does. Every API has all of them; those that
//! nobody set come from `DEFAULT_4XX` or `DEFAULT_5XX` where somebody set that.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mapping;
use super::model::{GatewayResponse, Texts};
use super::page::Page;
use super::patch::{self, Op, Patch};
use super::refusal::{Violations, bad_request, not_found};
use super::request::Request;
use super::tables::Tables;
use crate::sandbox::call::{Refusal, Reply};

/// The types with the status that each has by itself.
const TYPES: [(&str, Option<&str>); 21] = [
    ("ACCESS_DENIED", Some("403")),
    ("API_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_FAILURE", Some("500")),
    ("BAD_REQUEST_BODY", Some("400")),
    ("BAD_REQUEST_PARAMETERS", Some("400")),
    ("DEFAULT_4XX", None),
    ("DEFAULT_5XX", None),
    ("EXPIRED_TOKEN", Some("403")),
    ("INTEGRATION_FAILURE", Some("504")),
    ("INTEGRATION_TIMEOUT", Some("504")),
    ("INVALID_API_KEY", Some("403")),
    ("INVALID_SIGNATURE", Some("403")),
    ("MISSING_AUTHENTICATION_TOKEN", Some("403")),
    ("QUOTA_EXCEEDED", Some("429")),
    ("REQUEST_TOO_LARGE", Some("413")),
    ("RESOURCE_NOT_FOUND", Some("404")),
    ("THROTTLED", Some("429")),
    ("UNAUTHORIZED", Some("401")),
    ("UNSUPPORTED_MEDIA_TYPE", Some("415")),
    ("WAF_FILTERED", Some("403")),
];

/// The types in the order in which AWS names them in a violation.
const TYPES_AS_TOLD: [&str; 21] = [
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "MISSING_AUTHENTICATION_TOKEN",
    "BAD_REQUEST_BODY",
    "INVALID_SIGNATURE",
    "INVALID_API_KEY",
    "BAD_REQUEST_PARAMETERS",
    "AUTHORIZER_FAILURE",
    "UNAUTHORIZED",
    "INTEGRATION_TIMEOUT",
    "ACCESS_DENIED",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "WAF_FILTERED",
    "QUOTA_EXCEEDED",
    "THROTTLED",
    "API_CONFIGURATION_ERROR",
    "UNSUPPORTED_MEDIA_TYPE",
    "INTEGRATION_FAILURE",
    "EXPIRED_TOKEN",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    status_code: Option<String>,
    response_parameters: Option<Texts>,
    response_templates: Option<Texts>,
}

/// A response as it is where nobody set it, nor the default of its class.
fn built_in(response_type: &str) -> GatewayResponse {
    let status = TYPES.iter().find(|(known, _)| *known == response_type).and_then(|(_, status)| *status);
    GatewayResponse {
        response_type: response_type.to_owned(),
        status_code: status.map(str::to_owned),
        response_parameters: Texts::new(),
        response_templates: default_templates(),
        default_response: true,
    }
}

fn default_templates() -> Texts {
    let template = r#"{"message":$context.error.messageString}"#;
    Texts::from([("application/json".to_owned(), template.to_owned())])
}

/// All responses of an API, ordered by type: those that were set, and the defaults in place of the others.
pub(super) fn effective(tables: &Tables<'_, '_>, api_id: &str) -> Vec<(String, GatewayResponse)> {
    let set: BTreeMap<String, GatewayResponse> = tables.gateway_responses(api_id).into_iter().collect();
    let of_type = |(response_type, _): (&'static str, _)| (response_type.to_owned(), resolve(&set, response_type));
    TYPES.into_iter().map(of_type).collect()
}

fn resolve(set: &BTreeMap<String, GatewayResponse>, response_type: &str) -> GatewayResponse {
    if let Some(response) = set.get(response_type) {
        return response.clone();
    }
    let own = built_in(response_type);
    let class = match own.status_code.as_deref() {
        Some(status) if status.starts_with('4') => "DEFAULT_4XX",
        Some(_) => "DEFAULT_5XX",
        None => return own,
    };
    let Some(default) = set.get(class) else { return own };
    GatewayResponse {
        response_type: own.response_type,
        status_code: default.status_code.clone().or(own.status_code),
        default_response: true,
        ..default.clone()
    }
}

fn response_type<'a>(request: &'a Request<'_>, violations: &mut Violations) -> &'a str {
    let response_type = request.named("response_type");
    violations.one_of("responseType", Some(response_type), &TYPES_AS_TOLD);
    response_type
}

pub(super) fn put(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let mut violations = Violations::default();
    let response_type = response_type(request, &mut violations);
    violations.status_code(asked.status_code.as_deref());
    violations.finish()?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let default = built_in(response_type);
        let templates = asked.response_templates.filter(|templates| !templates.is_empty());
        let response = GatewayResponse {
            status_code: asked.status_code.or(default.status_code),
            response_parameters: asked.response_parameters.unwrap_or_default(),
            response_templates: templates.unwrap_or(default.response_templates),
            response_type: default.response_type,
            default_response: false,
        };
        check(&response)?;
        tables.put_gateway_response(request.api_id(), &response)?;
        Ok(Reply::json_status(201, &response))
    })
}

fn check(response: &GatewayResponse) -> Result<(), Refusal> {
    mapping::check_gateway(&response.response_parameters)?;
    mapping::check_content_types(response.response_templates.keys())
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let mut violations = Violations::default();
    let response_type = response_type(request, &mut violations);
    violations.finish()?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let set = tables.gateway_responses(request.api_id()).into_iter().collect();
        Ok(Reply::json(&resolve(&set, response_type)))
    })
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        Ok(Reply::json(&page.of_items(effective(tables, request.api_id()))))
    })
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let mut parsed = patch::parse(request.body()?, "updateGatewayResponseInput")?;
    let response_type = response_type(request, &mut parsed.violations);
    let patches = parsed.finish()?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let set: BTreeMap<String, GatewayResponse> = tables.gateway_responses(request.api_id()).into_iter().collect();
        let mut response = set.get(response_type).cloned().unwrap_or_else(|| built_in(response_type));
        response.default_response = false;
        patches.iter().try_for_each(|patch| apply(&mut response, patch))?;
        check(&response)?;
        tables.put_gateway_response(request.api_id(), &response)?;
        Ok(Reply::json(&response))
    })
}

fn apply(response: &mut GatewayResponse, patch: &Patch) -> Result<(), Refusal> {
    let (map, name, member, absent) = match *patch.parts() {
        ["statusCode"] if patch.op == Op::Replace => return replace_status(response, patch),
        ["responseParameters", name] => {
            (&mut response.response_parameters, name, "responseParameters", "Invalid parameter name specified")
        }
        ["responseTemplates", name] => {
            (&mut response.response_templates, name, "responseTemplates", "Content-Type specified was not found")
        }
        _ => return Err(patch.unknown_path()),
    };
    if patch.op != Op::Remove && patch.non_empty().is_none() {
        return Err(bad_request(format!("Invalid null or empty value in {member}")));
    }
    patch.edit_member(map, name, patch.text().to_owned(), absent)
}

fn replace_status(response: &mut GatewayResponse, patch: &Patch) -> Result<(), Refusal> {
    let mut violations = Violations::default();
    violations.status_code(Some(patch.text()));
    violations.finish()?;
    response.status_code = patch.non_empty();
    Ok(())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let mut violations = Violations::default();
    let response_type = response_type(request, &mut violations);
    violations.finish()?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        if !tables.gateway_responses(request.api_id()).iter().any(|(set, _)| set == response_type) {
            return Err(not_found("Gateway response type not defined on api"));
        }
        tables.remove_gateway_response(request.api_id(), response_type);
        Ok(Reply::empty(202))
    })
}
