//! Deployments: snapshots of a whole API. What changes afterwards is not live until another one is made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::gateway_responses;
use super::model::{Deployment, Method, Snapshot, Stage};
use super::page::Page;
use super::patch::Op;
use super::refusal::{bad_request, no_deployment};
use super::request::{Request, random_id, seconds};
use super::stages;
use super::tables::{DEPLOYMENTS, SNAPSHOTS, STAGES, Tables};
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    stage_name: Option<String>,
    stage_description: Option<String>,
    description: Option<String>,
    #[serde(flatten)]
    stage: stages::Settings,
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    asked.stage.check()?;
    let api_id = request.api_id();
    request.transact(|tables| {
        let snapshot = snapshot(tables, api_id)?;
        let deployment = Deployment {
            id: random_id(6),
            description: asked.description.filter(|description| !description.is_empty()),
            created_date: seconds(),
        };
        tables.put(DEPLOYMENTS, api_id, &deployment.id, &deployment)?;
        tables.put(SNAPSHOTS, api_id, &deployment.id, &snapshot)?;
        if let Some(name) = asked.stage_name.filter(|name| !name.is_empty()) {
            stages::point(tables, api_id, &name, &deployment.id, asked.stage_description, asked.stage)?;
        }
        Ok(Reply::json_status(201, &deployment))
    })
}

/// The API as it is now.
///
/// # Errors
/// Where it can't be deployed: it has no methods, or a method without an integration.
fn snapshot(tables: &Tables<'_, '_>, api_id: &str) -> Result<Snapshot, Refusal> {
    let api = tables.api(api_id)?;
    let tree = tables.tree(api_id);
    let paths: BTreeMap<String, BTreeMap<String, Method>> =
        tree.iter().map(|resource| (tree.path(resource), resource.resource_methods.clone())).collect();
    let mut methods = paths.values().flat_map(BTreeMap::values).peekable();
    if methods.peek().is_none() {
        return Err(bad_request("The REST API doesn't contain any methods"));
    }
    if methods.any(|method| method.method_integration.is_none()) {
        return Err(bad_request("No integration defined for method"));
    }
    let gateway_responses = gateway_responses::effective(tables, api_id).into_iter().map(|(_, response)| response);
    Ok(Snapshot {
        gateway_responses: gateway_responses.collect(),
        api_key_source: api.api_key_source,
        binary_media_types: api.binary_media_types,
        paths,
    })
}

pub(super) fn find(tables: &Tables<'_, '_>, api_id: &str, id: &str) -> Result<Deployment, Refusal> {
    tables.api(api_id).map_err(|_| no_deployment())?;
    tables.get(DEPLOYMENTS, api_id, id).ok_or_else(no_deployment)
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, id) = (request.api_id(), request.named("deployment_id"));
    request.transact(|tables| {
        let mut shown = json!(find(tables, api_id, id)?);
        if request.embeds("apisummary") {
            shown["apiSummary"] = tables.get(SNAPSHOTS, api_id, id).map_or_else(|| json!({}), |of| summary(&of));
        }
        Ok(Reply::json(&shown))
    })
}

/// By path and method: how each is protected.
fn summary(snapshot: &Snapshot) -> Value {
    let method = |method: &Method| json!({ "authorizationType": method.authorization_type, "apiKeyRequired": method.api_key_required });
    let methods = |methods: &BTreeMap<String, Method>| {
        Value::Object(methods.iter().map(|(name, it)| (name.clone(), method(it))).collect())
    };
    let with_methods = snapshot.paths.iter().filter(|(_, methods)| !methods.is_empty());
    Value::Object(with_methods.map(|(path, of)| (path.clone(), methods(of))).collect())
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let deployments: Vec<(String, Deployment)> = tables.of(DEPLOYMENTS, request.api_id());
        Ok(Reply::json(&page.of_items(deployments)))
    })
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateDeploymentInput")?;
    let (api_id, id) = (request.api_id(), request.named("deployment_id"));
    request.transact(|tables| {
        let mut deployment = find(tables, api_id, id)?;
        for patch in &patches {
            match (patch.op, patch.path.as_str()) {
                (Op::Replace, "/description") => deployment.description = patch.non_empty(),
                (Op::Replace, _) => return Err(patch.not_among(&["/description"])),
                _ => return Err(patch.not_among(&[])),
            }
        }
        tables.put(DEPLOYMENTS, api_id, id, &deployment)?;
        Ok(Reply::json(&deployment))
    })
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, id) = (request.api_id(), request.named("deployment_id"));
    request.transact(|tables| {
        find(tables, api_id, id)?;
        let stages: Vec<(String, Stage)> = tables.of(STAGES, api_id);
        if stages.iter().any(|(_, stage)| stage.deployment_id == id) {
            return Err(bad_request("Active stages pointing to this deployment must be moved or deleted"));
        }
        tables.remove(DEPLOYMENTS, api_id, id);
        tables.remove(SNAPSHOTS, api_id, id);
        Ok(Reply::empty(202))
    })
}
