//! REST APIs themselves. Names aren't unique; ids are.

use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint;
use super::model::{Resource, RestApi, Texts};
use super::page::Page;
use super::patch::{Op, Patch};
use super::refusal::{Violations, bad_request, limit_exceeded};
use super::request::{Request, random_id, seconds};
use super::tags;
use crate::sandbox::call::{Refusal, Reply};

/// How many APIs an account has in a region: edge-optimized ones, and the others.
const EDGE_QUOTA: usize = 120;
const QUOTA: usize = 600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    description: Option<String>,
    version: Option<String>,
    clone_from: Option<String>,
    binary_media_types: Option<Vec<String>>,
    minimum_compression_size: Option<i64>,
    api_key_source: Option<String>,
    endpoint_configuration: Option<endpoint::Asked>,
    policy: Option<String>,
    tags: Option<Texts>,
    disable_execute_api_endpoint: Option<bool>,
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    asked.check_shape()?;
    let (api, root) = asked.api()?;
    request.transact(|tables| {
        let is_edge = |api: &RestApi| api.endpoint_configuration.types.iter().any(|kind| kind == "EDGE");
        let alike = tables.apis().iter().filter(|(_, other)| is_edge(other) == is_edge(&api)).count();
        if alike >= if is_edge(&api) { EDGE_QUOTA } else { QUOTA } {
            return Err(limit_exceeded(
                "Maximum number of APIs has been reached. Please contact AWS if you need additional APIs.",
            ));
        }
        tables.put_api(&api)?;
        tables.put_resource(&api.id, &root)?;
        Ok(Reply::json_status(201, &api))
    })
}

impl Asked {
    fn check_shape(&self) -> Result<(), Refusal> {
        let mut violations = Violations::default();
        if let Some(endpoint) = &self.endpoint_configuration {
            endpoint.check_shape(&mut violations);
        }
        let member = "createRestApiInput.apiKeySource";
        violations.one_of(member, self.api_key_source.as_deref(), &["HEADER", "AUTHORIZER"]);
        violations.finish()
    }

    /// The API that is asked for, and its root resource.
    fn api(self) -> Result<(RestApi, Resource), Refusal> {
        if self.clone_from.is_some() {
            return Err(bad_request("cloneFrom is not supported by the sandbox; create the API and its resources"));
        }
        let name = self.name.unwrap_or_default();
        check_name(&name)?;
        check_description(self.description.as_deref())?;
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        let api = RestApi {
            id: random_id(10),
            name,
            description: self.description,
            created_date: seconds(),
            version: self.version,
            binary_media_types: self.binary_media_types.unwrap_or_default(),
            minimum_compression_size: self.minimum_compression_size.map(compression_size).transpose()?,
            api_key_source: self.api_key_source.unwrap_or_else(|| "HEADER".to_owned()),
            endpoint_configuration: self.endpoint_configuration.unwrap_or_default().configuration()?,
            policy: self
                .policy
                .filter(|policy| !policy.is_empty())
                .map(|policy| escaped_policy(&policy))
                .transpose()?,
            tags,
            disable_execute_api_endpoint: self.disable_execute_api_endpoint.unwrap_or_default(),
            root_resource_id: random_id(10),
        };
        let root = Resource {
            id: api.root_resource_id.clone(),
            parent_id: None,
            path_part: None,
            resource_methods: std::collections::BTreeMap::new(),
        };
        Ok((api, root))
    }
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let api = request.transact(|tables| tables.api(request.api_id()))?;
    Ok(Reply::json(&tags::shown(&api)))
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    let apis = request.transact(|tables| Ok(tables.apis()))?;
    Ok(Reply::json(&page.of_items(apis)))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateRestApiInput")?;
    request.transact(|tables| {
        let mut api = tables.api(request.api_id())?;
        patches.iter().try_for_each(|patch| apply(&mut api, patch))?;
        tables.put_api(&api)?;
        Ok(Reply::json(&tags::shown(&api)))
    })
}

fn apply(api: &mut RestApi, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["binaryMediaTypes", kind] => return patch.edit_list(&mut api.binary_media_types, kind),
        ["endpointConfiguration", ref rest @ ..] => return api.endpoint_configuration.apply(patch, rest),
        ["description"] if patch.op == Op::Remove => {
            api.description = None;
            return Ok(());
        }
        ["name" | "description" | "minimumCompressionSize" | "apiKeySource" | "policy" | "version"] => {
            patch.replaces()?;
        }
        ["disableExecuteApiEndpoint"] => patch.replaces()?,
        _ => return Err(patch.unknown_path()),
    }
    match patch.path.as_str() {
        "/name" => {
            check_name(patch.text())?;
            patch.text().clone_into(&mut api.name);
        }
        "/description" => api.description = patch.non_empty(),
        "/version" => api.version = patch.non_empty(),
        "/minimumCompressionSize" => {
            let size = |text: String| compression_size(text.parse().unwrap_or(-1));
            api.minimum_compression_size = patch.non_empty().map(size).transpose()?;
        }
        "/apiKeySource" => {
            if !["HEADER", "AUTHORIZER"].contains(&patch.text()) {
                return Err(bad_request("Invalid API key source specified. Valid options are HEADER,AUTHORIZER"));
            }
            patch.text().clone_into(&mut api.api_key_source);
        }
        "/policy" => api.policy = patch.non_empty().map(|policy| escaped_policy(&policy)).transpose()?,
        _ => api.disable_execute_api_endpoint = patch.flag(),
    }
    check_description(api.description.as_deref())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    request.transact(|tables| {
        tables.api(request.api_id())?;
        tables.remove_api(request.api_id())?;
        Ok(Reply::empty(202))
    })
}

/// The account's settings: an account that nobody has changed.
pub(super) fn account() -> Result<Reply, Refusal> {
    Ok(Reply::json(&json!({
        "throttleSettings": { "burstLimit": 5000, "rateLimit": 10000.0 },
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    })))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    match name.chars().count() {
        0 => Err(bad_request("Name cannot be empty")),
        1..=1024 => Ok(()),
        _ => Err(bad_request("Name cannot be longer than 1024 characters")),
    }
}

fn check_description(description: Option<&str>) -> Result<(), Refusal> {
    match description {
        Some("") => Err(bad_request("Description cannot be an empty string")),
        Some(text) if text.chars().count() > 1024 => {
            Err(bad_request("Description cannot be longer than 1024 characters"))
        }
        _ => Ok(()),
    }
}

fn compression_size(size: i64) -> Result<u32, Refusal> {
    let valid = u32::try_from(size).ok().filter(|size| *size <= 10_485_760);
    valid.ok_or_else(|| bad_request("Invalid minimum compression size, must be between 0 and 10485760"))
}

/// A resource policy as AWS answers it: JSON text, itself escaped as in a JSON string.
fn escaped_policy(policy: &str) -> Result<String, Refusal> {
    let refused =
        || bad_request("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.");
    let document: Value = serde_json::from_str(policy).map_err(|_| refused())?;
    if document.get("Statement").is_none() {
        return Err(refused());
    }
    let quoted = Value::String(document.to_string()).to_string();
    Ok(quoted[1..quoted.len() - 1].to_owned())
}
