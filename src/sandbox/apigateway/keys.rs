//! API keys. A new one is disabled unless it is asked for enabled, and its value is shown only to who asks for it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{ApiKey, Texts};
use super::page::Page;
use super::patch::{Op, Patch};
use super::refusal::{bad_request, conflict};
use super::request::{Request, random_id, seconds};
use super::tables::{KEYS, PLAN_KEYS};
use super::tags;
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
    value: Option<String>,
    customer_id: Option<String>,
    stage_keys: Option<Vec<StageKey>>,
    tags: Option<Texts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageKey {
    rest_api_id: Option<String>,
    stage_name: Option<String>,
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let tags = asked.tags.unwrap_or_default();
    tags::check(&tags)?;
    let value = asked.value.filter(|value| !value.is_empty()).unwrap_or_else(|| random_id(40));
    match value.chars().count() {
        0..20 => return Err(bad_request("API Key value should be at least 20 characters")),
        20..=128 => {}
        _ => return Err(bad_request("API Key value should be at most 128 characters")),
    }
    request.transact(|tables| {
        if tables.keys().iter().any(|(_, key)| key.value == value) {
            return Err(conflict("API Key already exists"));
        }
        let mut stage_keys = Vec::new();
        for key in asked.stage_keys.unwrap_or_default() {
            let (api, stage) = (key.rest_api_id.unwrap_or_default(), key.stage_name.unwrap_or_default());
            tables.stage(&api, &stage)?;
            stage_keys.push(format!("{api}/{stage}"));
        }
        let now = seconds();
        let key = ApiKey {
            id: random_id(10),
            value,
            name: asked.name,
            customer_id: asked.customer_id,
            description: asked.description,
            enabled: asked.enabled.unwrap_or_default(),
            created_date: now,
            last_updated_date: now,
            stage_keys,
            tags,
        };
        tables.put_key(&key)?;
        Ok(Reply::json_status(201, &key))
    })
}

/// A key as it is answered: its value only where it was asked for.
fn shown(key: &ApiKey, with_value: bool) -> Value {
    let mut shown = json!(key);
    if let Some(members) = shown.as_object_mut().filter(|_| !with_value) {
        members.remove("value");
    }
    shown
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let key = request.transact(|tables| tables.key(request.named("api_Key")))?;
    Ok(Reply::json(&tags::shown(&shown(&key, request.asks("includeValue")))))
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    let prefix = request.call.query("name").unwrap_or_default();
    let customer = request.call.query("customerId");
    let keys = request.transact(|tables| Ok(tables.keys()))?;
    let named = |key: &ApiKey| key.name.as_deref().unwrap_or_default().starts_with(prefix);
    let of = |key: &ApiKey| customer.is_none_or(|customer| key.customer_id.as_deref() == Some(customer));
    let wanted = keys.into_iter().filter(|(_, key)| named(key) && of(key));
    let shown = wanted.map(|(id, key)| (id, shown(&key, request.asks("includeValues"))));
    Ok(Reply::json(&page.of_items(shown)))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateApiKeyInput")?;
    request.transact(|tables| {
        let mut key = tables.key(request.named("api_Key"))?;
        patches.iter().try_for_each(|patch| apply(&mut key, patch))?;
        key.last_updated_date = seconds();
        tables.put_key(&key)?;
        Ok(Reply::json(&tags::shown(&shown(&key, false))))
    })
}

fn apply(key: &mut ApiKey, patch: &Patch) -> Result<(), Refusal> {
    if patch.op != Op::Replace {
        return Err(patch.not_among(&[]));
    }
    match patch.path.as_str() {
        "/name" => key.name = patch.non_empty(),
        "/description" => key.description = patch.non_empty(),
        "/customerId" => key.customer_id = patch.non_empty(),
        "/enabled" => key.enabled = patch.flag(),
        _ => return Err(patch.not_among(&["/description", "/enabled", "/name", "/customerId"])),
    }
    Ok(())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let id = request.named("api_Key");
    request.transact(|tables| {
        tables.key(id)?;
        for (plan, _) in tables.plans() {
            let owner = tables.plan_owner(&plan);
            tables.remove(PLAN_KEYS, &owner, id);
        }
        let region = tables.region().to_owned();
        tables.remove(KEYS, &region, id);
        Ok(Reply::empty(202))
    })
}
