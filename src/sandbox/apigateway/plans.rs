//! Usage plans: which keys may call which stages, and how much.

use serde::Deserialize;

use super::model::{ApiStage, QuotaSettings, Texts, ThrottleSettings, UsagePlan};
use super::page::Page;
use super::plan_patches;
use super::refusal::{Violations, bad_request, not_found};
use super::request::{Request, random_id};
use super::tables::{PLAN_KEYS, PLANS, Tables};
use super::tags;
use crate::sandbox::call::{Refusal, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    description: Option<String>,
    api_stages: Option<Vec<ApiStage>>,
    throttle: Option<ThrottleSettings>,
    quota: Option<QuotaSettings>,
    tags: Option<Texts>,
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let period = asked.quota.as_ref().map(|quota| quota.period.as_str());
    let mut violations = Violations::default();
    violations.one_of("createUsagePlanInput.quota.period", period, &["DAY", "WEEK", "MONTH"]);
    violations.finish()?;
    let plan = UsagePlan {
        id: random_id(6),
        name: asked.name.unwrap_or_default(),
        description: asked.description.filter(|description| !description.is_empty()),
        api_stages: asked.api_stages.unwrap_or_default(),
        throttle: asked.throttle,
        quota: asked.quota,
        product_code: None,
        tags: asked.tags.unwrap_or_default(),
    };
    tags::check(&plan.tags)?;
    check(&plan)?;
    request.transact(|tables| {
        for stage in &plan.api_stages {
            if stage.api_id.is_empty() || stage.stage.is_empty() {
                return Err(bad_request(format!(
                    "Invalid API Stage {{api: {}, stage: {}}} specified for usageplan {}",
                    stage.api_id, stage.stage, plan.name
                )));
            }
            check_stage(tables, &stage.api_id, &stage.stage)?;
        }
        tables.put_plan(&plan)?;
        Ok(Reply::json_status(201, &plan))
    })
}

/// # Errors
/// Where the stage doesn't exist.
pub(super) fn check_stage(tables: &Tables<'_, '_>, api_id: &str, stage: &str) -> Result<(), Refusal> {
    tables.stage(api_id, stage).map(drop).map_err(|_| not_found(format!("API Stage not found: {api_id}:{stage}")))
}

/// The rules that hold between a plan's members.
///
/// # Errors
/// Where one is broken.
pub(super) fn check(plan: &UsagePlan) -> Result<(), Refusal> {
    if plan.name.is_empty() {
        return Err(bad_request("Usage Plan name cannot be blank"));
    }
    let throttles = plan.api_stages.iter().filter_map(|stage| stage.throttle.as_ref()).flat_map(|of| of.values());
    if plan.throttle.iter().chain(throttles).any(|limit| limit.burst_limit < 0 || limit.rate_limit < 0.0) {
        return Err(bad_request("Usage Plan throttle limits cannot be negative"));
    }
    let Some(quota) = &plan.quota else { return Ok(()) };
    if quota.limit <= 0 {
        return Err(bad_request("Usage Plan quota limit must be greater than zero"));
    }
    let (greatest, range) = match quota.period.as_str() {
        "DAY" => (0, "must be zero in the DAY period"),
        "WEEK" => (6, "must be between zero and six inclusive in the WEEK period"),
        "MONTH" => (27, "must be between zero and 27 inclusive in the MONTH period"),
        _ => return Err(bad_request("Invalid quota period specified. Valid options are DAY,WEEK,MONTH")),
    };
    if !(0..=greatest).contains(&quota.offset) {
        return Err(bad_request(format!("Usage Plan quota offset {range}")));
    }
    Ok(())
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let plan = request.transact(|tables| tables.plan(request.named("usageplanId")))?;
    Ok(Reply::json(&tags::shown(&plan)))
}

/// All plans, or those of one key.
pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let page = Page::of(request.call)?;
    let key = request.call.query("keyId").map(str::to_owned);
    request.transact(|tables| {
        let has_key = |plan: &str| key.as_ref().is_none_or(|key| tables.keys_of_plan(plan).contains(key));
        let plans = tables.plans().into_iter().filter(|(id, _)| has_key(id));
        Ok(Reply::json(&page.of_items(plans)))
    })
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateUsagePlanInput")?;
    request.transact(|tables| {
        let mut plan = tables.plan(request.named("usageplanId"))?;
        patches.iter().try_for_each(|patch| plan_patches::apply(&mut plan, patch, tables))?;
        check(&plan)?;
        tables.put_plan(&plan)?;
        Ok(Reply::json(&tags::shown(&plan)))
    })
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let id = request.named("usageplanId");
    request.transact(|tables| {
        let plan = tables.plan(id)?;
        if let Some(stage) = plan.api_stages.first() {
            return Err(bad_request(format!(
                "Cannot delete Usage Plan {id} because there are API Stages associated with it, including {}:{}",
                stage.api_id, stage.stage
            )));
        }
        let owner = tables.plan_owner(id);
        tables.remove_all_of(PLAN_KEYS, &owner);
        let region = tables.region().to_owned();
        tables.remove(PLANS, &region, id);
        Ok(Reply::empty(202))
    })
}
