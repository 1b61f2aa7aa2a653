//! The patches of a usage plan. They name a stage `API:STAGE`.

use super::model::{ApiStage, ThrottleSettings, UsagePlan};
use super::patch::{Op, Patch};
use super::plan_keys;
use super::plans::check_stage;
use super::refusal::{bad_request, conflict, not_found};
use super::tables::Tables;
use crate::sandbox::call::Refusal;

const ADDABLE: [&str; 1] = ["/apiStages"];
const REMOVABLE: [&str; 6] = [
    "/apiStages",
    "/quota",
    "/throttle",
    "/productCode",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>",
    "/apiStages/<apidId:stageName>/throttle",
];
const REPLACEABLE: [&str; 10] = [
    "/name",
    "/description",
    "/productCode",
    "/quota/limit",
    "/quota/offset",
    "/quota/period",
    "/throttle/rateLimit",
    "/throttle/burstLimit",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/rateLimit",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/burstLimit",
];

/// Applies one patch.
///
/// # Errors
/// Where the plan has no such path, or the stage doesn't exist.
pub(super) fn apply(plan: &mut UsagePlan, patch: &Patch, tables: &Tables<'_, '_>) -> Result<(), Refusal> {
    match (patch.op, patch.parts().as_slice()) {
        (Op::Add, ["apiStages"]) => add_stage(plan, patch, tables),
        (Op::Remove, ["apiStages"]) => remove_stage(plan, patch),
        (Op::Remove, ["quota"]) => {
            plan.quota = None;
            Ok(())
        }
        (Op::Remove, ["throttle"]) => {
            plan.throttle = None;
            Ok(())
        }
        (Op::Remove, ["productCode"]) => {
            plan.product_code = None;
            Ok(())
        }
        (Op::Remove, ["apiStages", stage, "throttle", rest @ ..]) => remove_throttle(plan, patch, stage, rest),
        (Op::Remove, _) => Err(patch.not_among(&REMOVABLE)),
        // Limits that aren't there yet are added or replaced, as tools do either.
        (Op::Add | Op::Replace, ["throttle", member]) => {
            set_limit(plan.throttle.get_or_insert_default(), patch, member)
        }
        (Op::Add | Op::Replace, ["quota", member]) => set_quota(plan, patch, member),
        (Op::Add | Op::Replace, ["apiStages", stage, "throttle", path, method, member]) => {
            let limits = find_stage(plan, stage)?.throttle.get_or_insert_default();
            set_limit(limits.entry(format!("{path}/{method}")).or_default(), patch, member)
        }
        (Op::Replace, [member]) => replace_member(plan, patch, member),
        (Op::Replace, _) => Err(patch.not_among(&REPLACEABLE)),
        (Op::Add, _) => Err(patch.not_among(&ADDABLE)),
        (Op::Other, _) => Err(patch.not_among(&[])),
    }
}

fn replace_member(plan: &mut UsagePlan, patch: &Patch, member: &str) -> Result<(), Refusal> {
    match member {
        "name" => patch.text().clone_into(&mut plan.name),
        "description" => plan.description = patch.non_empty(),
        "productCode" => plan.product_code = patch.non_empty(),
        _ => return Err(patch.not_among(&REPLACEABLE)),
    }
    Ok(())
}

fn set_limit(limits: &mut ThrottleSettings, patch: &Patch, member: &str) -> Result<(), Refusal> {
    match member {
        "rateLimit" => limits.rate_limit = patch.number()?,
        "burstLimit" => limits.burst_limit = patch.number()?,
        _ => return Err(patch.not_among(&REPLACEABLE)),
    }
    Ok(())
}

fn set_quota(plan: &mut UsagePlan, patch: &Patch, member: &str) -> Result<(), Refusal> {
    let quota = plan.quota.get_or_insert_default();
    match member {
        "limit" => quota.limit = patch.number()?,
        "offset" => quota.offset = patch.number()?,
        "period" => patch.text().clone_into(&mut quota.period),
        _ => return Err(patch.not_among(&REPLACEABLE)),
    }
    Ok(())
}

fn named(text: &str) -> Result<(&str, &str), Refusal> {
    let (api, stage) = text.split_once(':').unwrap_or_default();
    if api.is_empty() || stage.is_empty() {
        return Err(bad_request("Invalid API Stage specified"));
    }
    Ok((api, stage))
}

fn find_stage<'a>(plan: &'a mut UsagePlan, text: &str) -> Result<&'a mut ApiStage, Refusal> {
    let (api, stage) = named(text)?;
    let mut stages = plan.api_stages.iter_mut();
    let found = stages.find(|known| known.api_id == api && known.stage == stage);
    found.ok_or_else(|| not_found(format!("API Stage not found: {text}")))
}

fn add_stage(plan: &mut UsagePlan, patch: &Patch, tables: &Tables<'_, '_>) -> Result<(), Refusal> {
    let (api_id, stage) = named(patch.text())?;
    check_stage(tables, api_id, stage)?;
    if find_stage(plan, patch.text()).is_ok() {
        return Err(conflict(format!("API Stage {api_id}:{stage} is already associated with usage plan {}", plan.id)));
    }
    plan.api_stages.push(ApiStage { api_id: api_id.to_owned(), stage: stage.to_owned(), throttle: None });
    let keys = tables.keys_of_plan(&plan.id);
    keys.iter().try_for_each(|key| plan_keys::check_subscriptions(tables, plan, key))
}

fn remove_stage(plan: &mut UsagePlan, patch: &Patch) -> Result<(), Refusal> {
    find_stage(plan, patch.text())?;
    plan.api_stages.retain(|known| format!("{}:{}", known.api_id, known.stage) != patch.text());
    Ok(())
}

fn remove_throttle(plan: &mut UsagePlan, patch: &Patch, stage: &str, rest: &[&str]) -> Result<(), Refusal> {
    let throttle = &mut find_stage(plan, stage)?.throttle;
    match rest {
        [] => {
            *throttle = None;
            Ok(())
        }
        [path, method] => {
            let key = format!("{path}/{method}");
            patch.edit(throttle, &key, ThrottleSettings::default(), "Invalid method throttle specified")
        }
        _ => Err(patch.not_among(&REMOVABLE)),
    }
}
