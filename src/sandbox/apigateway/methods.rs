//! Methods: what a client may call on a resource.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mapping;
use super::model::{Method, Texts};
use super::patch::Patch;
use super::refusal::{bad_request, conflict, no_method};
use super::request::Request;
use crate::sandbox::call::{Refusal, Reply};

const HTTP_METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];

/// Models that every API has from the start; the sandbox knows no others.
const MODELS: [&str; 2] = ["Empty", "Error"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    authorization_type: Option<String>,
    api_key_required: Option<bool>,
    operation_name: Option<String>,
    request_parameters: Option<BTreeMap<String, bool>>,
    request_models: Option<Texts>,
    request_validator_id: Option<String>,
}

/// The path values that name a method: its API, its resource, its HTTP method.
pub(super) fn named<'a>(request: &'a Request<'_>) -> (&'a str, &'a str, &'a str) {
    (request.api_id(), request.named("resource_id"), request.named("http_method"))
}

/// # Errors
/// Where it isn't an HTTP method that API Gateway knows.
pub(super) fn check_http_method(method: &str) -> Result<(), Refusal> {
    if HTTP_METHODS.contains(&method) {
        return Ok(());
    }
    Err(bad_request(format!("Invalid HttpMethod specified. Valid options are {}", HTTP_METHODS.join(","))))
}

/// # Errors
/// Where a model doesn't exist in the API.
pub(super) fn check_models(models: Option<&Texts>) -> Result<(), Refusal> {
    match models.into_iter().flat_map(BTreeMap::values).find(|model| !MODELS.contains(&model.as_str())) {
        Some(model) => Err(bad_request(format!("Invalid model identifier specified: {model}"))),
        None => Ok(()),
    }
}

pub(super) fn put(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        let mut resource = tables.resource(api_id, resource_id)?;
        check_http_method(http_method)?;
        if resource.resource_methods.contains_key(http_method) {
            return Err(conflict("Method already exists for this resource"));
        }
        if asked.request_validator_id.as_deref().is_some_and(|id| !id.is_empty()) {
            return Err(no_validator());
        }
        let method = Method {
            http_method: http_method.to_owned(),
            authorization_type: asked.authorization_type.unwrap_or_default(),
            api_key_required: asked.api_key_required.unwrap_or_default(),
            operation_name: asked.operation_name,
            request_parameters: asked.request_parameters,
            request_models: asked.request_models,
            method_responses: BTreeMap::new(),
            method_integration: None,
        };
        check(&method)?;
        resource.resource_methods.insert(http_method.to_owned(), method.clone());
        tables.put_resource(api_id, &resource)?;
        Ok(Reply::json_status(201, &method))
    })
}

fn check(method: &Method) -> Result<(), Refusal> {
    check_authorization(&method.authorization_type)?;
    mapping::check_declared(method.request_parameters.as_ref())?;
    check_models(method.request_models.as_ref())
}

fn check_authorization(kind: &str) -> Result<(), Refusal> {
    match kind {
        "NONE" | "AWS_IAM" => Ok(()),
        // The sandbox has no authorizers, so that none can be named.
        "CUSTOM" | "COGNITO_USER_POOLS" => Err(bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires \
             a valid authorizer.",
        )),
        _ => Err(bad_request(
            "Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS",
        )),
    }
}

fn no_validator() -> Refusal {
    bad_request("Invalid Request Validator identifier specified")
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, resource_id, http_method) = named(request);
    let method = request.transact(|tables| tables.method(api_id, resource_id, http_method))?;
    Ok(Reply::json(&method))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateMethodInput")?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            patches.iter().try_for_each(|patch| apply(method, patch))?;
            check(method)?;
            Ok(Reply::json(method))
        })
    })
}

fn apply(method: &mut Method, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["requestParameters", name] => {
            let absent = "Invalid parameter name specified";
            return patch.edit(&mut method.request_parameters, name, patch.flag(), absent);
        }
        ["requestModels", content_type] => {
            let absent = "Content-Type specified was not found";
            return patch.edit(&mut method.request_models, content_type, patch.text().to_owned(), absent);
        }
        ["authorizationType" | "apiKeyRequired" | "operationName" | "authorizerId" | "requestValidatorId"] => {
            patch.replaces()?;
        }
        _ => return Err(patch.unknown_path()),
    }
    match patch.path.as_str() {
        "/authorizationType" => patch.text().clone_into(&mut method.authorization_type),
        "/apiKeyRequired" => method.api_key_required = patch.flag(),
        "/operationName" => method.operation_name = patch.non_empty(),
        "/requestValidatorId" if patch.non_empty().is_some() => return Err(no_validator()),
        // An authorizer that is named for a type that needs none is passed over, as on AWS.
        _ => {}
    }
    Ok(())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        let mut resource = tables.resource(api_id, resource_id)?;
        resource.resource_methods.remove(http_method).ok_or_else(no_method)?;
        tables.put_resource(api_id, &resource)?;
        Ok(Reply::empty(204))
    })
}
