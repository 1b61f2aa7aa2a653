//! The keys of usage plans. A key may be in several plans, but in one only for each stage.

use serde::{Deserialize, Serialize};

use super::model::{ApiKey, UsagePlan};
use super::page::Page;
use super::refusal::{bad_request, conflict, no_key};
use super::request::Request;
use super::tables::{PLAN_KEYS, Tables};
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    key_id: Option<String>,
    key_type: Option<String>,
}

/// A plan's key as it is answered.
#[derive(Serialize)]
struct Shown {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// The only type of key that there is.
const KIND: &str = "API_KEY";

impl From<ApiKey> for Shown {
    fn from(key: ApiKey) -> Self {
        Self { id: key.id, kind: KIND, value: key.value, name: key.name }
    }
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    if asked.key_type.as_deref() != Some(KIND) {
        return Err(bad_request("Invalid key type specified. Valid options are API_KEY"));
    }
    let plan_id = request.named("usageplanId");
    request.transact(|tables| {
        let plan = tables.plan(plan_id)?;
        let key = tables.key(&asked.key_id.unwrap_or_default())?;
        if tables.keys_of_plan(plan_id).contains(&key.id) {
            return Err(conflict(format!("API Key {} is already in usage plan {plan_id}", key.id)));
        }
        check_subscriptions(tables, &plan, &key.id)?;
        let owner = tables.plan_owner(plan_id);
        tables.put(PLAN_KEYS, &owner, &key.id, &true)?;
        Ok(Reply::json_status(201, &Shown::from(key)))
    })
}

/// # Errors
/// Where a key of this plan would be subscribed to one of its stages twice, through another plan.
pub(super) fn check_subscriptions(tables: &Tables<'_, '_>, plan: &UsagePlan, key: &str) -> Result<(), Refusal> {
    for (other_id, other) in tables.plans().into_iter().filter(|(id, _)| *id != plan.id) {
        let same = |of: &&super::model::ApiStage| {
            plan.api_stages.iter().any(|own| own.api_id == of.api_id && own.stage == of.stage)
        };
        let Some(shared) = other.api_stages.iter().find(same) else { continue };
        if tables.keys_of_plan(&other_id).iter().any(|known| known == key) {
            return Err(conflict(format!(
                "Usage Plan {} cannot be added because API Key {key} is subscribed to API stage {}:{} through usage \
                 plan {other_id} already",
                plan.id, shared.api_id, shared.stage
            )));
        }
    }
    Ok(())
}

fn keys(tables: &Tables<'_, '_>, plan_id: &str) -> Result<Vec<(String, Shown)>, Refusal> {
    tables.plan(plan_id)?;
    let keys = tables.keys_of_plan(plan_id).into_iter().filter_map(|id| tables.key(&id).ok());
    Ok(keys.map(|key| (key.id.clone(), Shown::from(key))).collect())
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let keys = request.transact(|tables| keys(tables, request.named("usageplanId")))?;
    let key = keys.into_iter().find(|(id, _)| id == request.named("keyId"));
    Ok(Reply::json(&key.ok_or_else(no_key)?.1))
}

pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    let prefix = request.call.query("name").unwrap_or_default();
    let keys = request.transact(|tables| keys(tables, request.named("usageplanId")))?;
    let named = keys.into_iter().filter(|(_, key)| key.name.as_deref().unwrap_or_default().starts_with(prefix));
    Ok(Reply::json(&page.of_items(named)))
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (plan_id, key_id) = (request.named("usageplanId"), request.named("keyId"));
    request.transact(|tables| {
        tables.plan(plan_id)?;
        if !tables.keys_of_plan(plan_id).iter().any(|id| id == key_id) {
            return Err(no_key());
        }
        let owner = tables.plan_owner(plan_id);
        tables.remove(PLAN_KEYS, &owner, key_id);
        Ok(Reply::empty(202))
    })
}
