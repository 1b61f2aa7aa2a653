//! Integration responses: how what a backend answers becomes a method response.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::integrations::{check_content_handling, without_empty};
use super::mapping;
use super::method_responses::status;
use super::methods::named;
use super::model::{Integration, IntegrationResponse, Method, MethodResponse, Templates, Texts};
use super::patch::Patch;
use super::refusal::{Violations, no_integration, no_response};
use super::request::Request;
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    selection_pattern: Option<String>,
    response_parameters: Option<Texts>,
    response_templates: Option<Templates>,
    content_handling: Option<String>,
}

/// Sets a response, also in place of one that is there. A method response of the same status is needed only for its
/// headers, as on AWS.
pub(super) fn put(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let asked: Asked = request.body()?;
    let mut violations = Violations::default();
    let member = "putIntegrationResponseInput.contentHandling";
    violations.one_of(member, asked.content_handling.as_deref(), &["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"]);
    violations.finish()?;
    change(request, |integration, method_responses| {
        let response = IntegrationResponse {
            status_code: status.to_owned(),
            selection_pattern: asked.selection_pattern,
            response_parameters: asked.response_parameters,
            response_templates: asked.response_templates.map(without_empty),
            content_handling: asked.content_handling,
        };
        check(&response, method_responses)?;
        integration.integration_responses.insert(status.to_owned(), response.clone());
        Ok(Reply::json_status(201, &response))
    })
}

fn check(response: &IntegrationResponse, declared: &BTreeMap<String, MethodResponse>) -> Result<(), Refusal> {
    mapping::check_content_types(response.response_templates.iter().flat_map(BTreeMap::keys))?;
    mapping::check_response(response.response_parameters.as_ref(), declared.get(&response.status_code))
}

/// Changes the integration of the request's method; the method's responses are there to compare with.
fn change(
    request: &Request<'_>,
    change: impl FnOnce(&mut Integration, &BTreeMap<String, MethodResponse>) -> Result<Reply, Refusal>,
) -> Result<Reply, Refusal> {
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            let Method { method_integration, method_responses, .. } = method;
            change(method_integration.as_mut().ok_or_else(no_integration)?, method_responses)
        })
    })
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let (api_id, resource_id, http_method) = named(request);
    let method = request.transact(|tables| tables.method(api_id, resource_id, http_method))?;
    let mut integration = method.method_integration.ok_or_else(no_integration)?;
    Ok(Reply::json(&integration.integration_responses.remove(status).ok_or_else(no_response)?))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let patches = request.patches("updateIntegrationResponseInput")?;
    change(request, |integration, method_responses| {
        let response = integration.integration_responses.get_mut(status).ok_or_else(no_response)?;
        patches.iter().try_for_each(|patch| apply(response, patch))?;
        check(response, method_responses)?;
        Ok(Reply::json(response))
    })
}

fn apply(response: &mut IntegrationResponse, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["responseParameters", name] => {
            let absent = "Invalid parameter name specified";
            patch.edit(&mut response.response_parameters, name, patch.text().to_owned(), absent)
        }
        ["responseTemplates", content_type] => {
            let absent = "Content-Type specified was not found";
            patch.edit(&mut response.response_templates, content_type, patch.non_empty(), absent)
        }
        ["selectionPattern"] => {
            patch.replaces()?;
            response.selection_pattern = Some(patch.text().to_owned());
            Ok(())
        }
        ["contentHandling"] => {
            patch.replaces()?;
            response.content_handling = patch.non_empty();
            check_content_handling(response.content_handling.as_deref())
        }
        _ => Err(patch.unknown_path()),
    }
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            let integration = method.method_integration.as_mut().ok_or_else(no_integration)?;
            integration.integration_responses.remove(status).ok_or_else(no_response)?;
            Ok(Reply::empty(204))
        })
    })
}
