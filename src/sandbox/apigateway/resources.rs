//! Resources: the paths of an API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::Resource;
use super::page::Page;
use super::patch::{Op, Patch};
use super::refusal::{bad_request, limit_exceeded};
use super::request::{Request, random_id};
use super::tree::Tree;
use crate::sandbox::call::{Refusal, Reply};

/// How many resources an API has at most.
const QUOTA: usize = 300;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    path_part: Option<String>,
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let part = request.body::<Asked>()?.path_part.unwrap_or_default();
    let (api_id, parent_id) = (request.api_id(), request.named("parent_id"));
    request.transact(|tables| {
        tables.api(api_id)?;
        let mut tree = tables.tree(api_id);
        tree.check_place(None, parent_id, &part)?;
        if tree.len() >= QUOTA {
            return Err(limit_exceeded(
                "Maximum number of resources for this API has been reached. Please contact AWS if you need additional \
                 resources to be added to your API.",
            ));
        }
        let resource = Resource {
            id: random_id(6),
            parent_id: Some(parent_id.to_owned()),
            path_part: Some(part),
            resource_methods: BTreeMap::new(),
        };
        tables.put_resource(api_id, &resource)?;
        tree.insert(resource.clone());
        Ok(Reply::json_status(201, &shown(&tree, &resource, false)))
    })
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    request.transact(|tables| {
        let resource = tables.resource(request.api_id(), request.named("resource_id"))?;
        let tree = tables.tree(request.api_id());
        Ok(Reply::json(&shown(&tree, &resource, request.embeds("methods"))))
    })
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    let embed = request.embeds("methods");
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let tree = tables.tree(request.api_id());
        let by_path: BTreeMap<String, Value> =
            tree.iter().map(|resource| (tree.path(resource), shown(&tree, resource, embed))).collect();
        Ok(Reply::json(&page.of_items(by_path)))
    })
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateResourceInput")?;
    let api_id = request.api_id();
    request.transact(|tables| {
        let mut resource = tables.resource(api_id, request.named("resource_id"))?;
        let mut tree = tables.tree(api_id);
        for patch in &patches {
            apply(&mut resource, patch, &tree)?;
            tree.insert(resource.clone());
        }
        tables.put_resource(api_id, &resource)?;
        Ok(Reply::json(&shown(&tree, &resource, false)))
    })
}

fn apply(resource: &mut Resource, patch: &Patch, tree: &Tree) -> Result<(), Refusal> {
    if patch.op != Op::Replace {
        return Err(patch.not_among(&[]));
    }
    let [member @ ("parentId" | "pathPart")] = *patch.parts() else {
        return Err(patch.not_among(&["/parentId", "/pathPart"]));
    };
    let (Some(parent), Some(part)) = (&mut resource.parent_id, &mut resource.path_part) else {
        return Err(bad_request(format!("Root resource cannot update its {member}.")));
    };
    let changed = if member == "parentId" { &mut *parent } else { &mut *part };
    patch.text().clone_into(changed);
    tree.check_place(Some(&resource.id), parent, part)
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let api_id = request.api_id();
    request.transact(|tables| {
        let resource = tables.resource(api_id, request.named("resource_id"))?;
        if resource.parent_id.is_none() {
            return Err(bad_request("Root resource cannot be deleted"));
        }
        for id in tables.tree(api_id).subtree(&resource.id) {
            tables.remove_resource(api_id, &id);
        }
        Ok(Reply::empty(202))
    })
}

/// A resource as it is answered: with its whole path, and its methods either whole or by name alone.
fn shown(tree: &Tree, resource: &Resource, embed: bool) -> Value {
    let mut shown = json!(resource);
    shown["path"] = Value::String(tree.path(resource));
    if let Some(methods) = shown.get_mut("resourceMethods").and_then(Value::as_object_mut).filter(|_| !embed) {
        methods.values_mut().for_each(|method| *method = json!({}));
    }
    shown
}
