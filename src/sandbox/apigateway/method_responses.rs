//! Method responses: the statuses and headers that a method declares.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mapping;
use super::methods::{check_models, named};
use super::model::{MethodResponse, Texts};
use super::patch::{self, Patch};
use super::refusal::{Violations, conflict, no_response};
use super::request::Request;
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    response_parameters: Option<BTreeMap<String, bool>>,
    response_models: Option<Texts>,
}

/// The status code of the path.
///
/// # Errors
/// Where it isn't one.
pub(super) fn status<'a>(request: &'a Request<'_>) -> Result<&'a str, Refusal> {
    let status = request.named("status_code");
    let mut violations = Violations::default();
    violations.status_code(Some(status));
    violations.finish()?;
    Ok(status)
}

pub(super) fn put(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let asked: Asked = request.body()?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            if method.method_responses.contains_key(status) {
                return Err(conflict("Response already exists for this resource"));
            }
            let response = MethodResponse {
                status_code: status.to_owned(),
                response_parameters: asked.response_parameters,
                response_models: asked.response_models,
            };
            check(&response)?;
            method.method_responses.insert(status.to_owned(), response.clone());
            Ok(Reply::json_status(201, &response))
        })
    })
}

fn check(response: &MethodResponse) -> Result<(), Refusal> {
    mapping::check_declared_headers(response.response_parameters.as_ref())?;
    check_models(response.response_models.as_ref())
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let (api_id, resource_id, http_method) = named(request);
    let mut method = request.transact(|tables| tables.method(api_id, resource_id, http_method))?;
    Ok(Reply::json(&method.method_responses.remove(status).ok_or_else(no_response)?))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = request.named("status_code");
    let mut parsed = patch::parse(request.body()?, "updateMethodResponseInput")?;
    parsed.violations.status_code(Some(status));
    let patches = parsed.finish()?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            let response = method.method_responses.get_mut(status).ok_or_else(no_response)?;
            patches.iter().try_for_each(|patch| apply(response, patch))?;
            check(response)?;
            Ok(Reply::json_status(201, response))
        })
    })
}

fn apply(response: &mut MethodResponse, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["responseParameters", name] => {
            let absent = "Invalid parameter name specified";
            patch.edit(&mut response.response_parameters, name, patch.flag(), absent)
        }
        ["responseModels", content_type] => {
            let absent = "Content-Type specified was not found";
            patch.edit(&mut response.response_models, content_type, patch.text().to_owned(), absent)
        }
        _ => Err(patch.unknown_path()),
    }
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let status = status(request)?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            method.method_responses.remove(status).ok_or_else(no_response)?;
            Ok(Reply::empty(204))
        })
    })
}
