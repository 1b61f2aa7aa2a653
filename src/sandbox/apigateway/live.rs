//! What is live: the reads for whoever answers calls of a deployed API.

use serde::de::IgnoredAny;

use super::model::{ApiKey, RestApi, Snapshot, Stage, Texts, UsagePlan};
use super::tables::{APIS, KEYS, PLAN_KEYS, PLANS, SNAPSHOTS, STAGES};
use crate::sandbox::world::World;

/// Where a stage points.
#[derive(Clone, Debug)]
pub(crate) struct Pointer {
    /// The region that the API is in.
    pub(crate) region: String,
    /// The deployment whose snapshot is live.
    pub(crate) deployment_id: String,
    /// The stage's variables, as they are now.
    pub(crate) variables: Texts,
}

/// Where a stage points; `None` where there is no such API or stage, or its endpoint is switched off.
pub(crate) fn pointer(world: &World, api_id: &str, stage: &str) -> Option<Pointer> {
    world.store.read(|tables| {
        let Stage { deployment_id, variables, .. } = tables.get(STAGES, &format!("{api_id}/{stage}"))?;
        let keys = tables.list::<IgnoredAny>(APIS).into_iter().map(|(key, _)| key);
        let region_of = |key: &String| key.split_once('/').filter(|(_, id)| *id == api_id).map(|(it, _)| it.to_owned());
        let region = keys.into_iter().find_map(|key| region_of(&key))?;
        let api: RestApi = tables.get(APIS, &format!("{region}/{api_id}"))?;
        let variables = variables.unwrap_or_default();
        (!api.disable_execute_api_endpoint).then_some(Pointer { region, deployment_id, variables })
    })
}

/// An API as it was when a deployment was made.
pub(crate) fn snapshot(world: &World, api_id: &str, deployment_id: &str) -> Option<Snapshot> {
    world.store.read(|tables| tables.get(SNAPSHOTS, &format!("{api_id}/{deployment_id}")))
}

/// Whether an API key's value may call a stage: the key is enabled, and in a usage plan that the stage is in.
pub(crate) fn may_call(world: &World, api_id: &str, stage: &str, value: &str) -> bool {
    world.store.read(|tables| {
        let keys: Vec<(String, ApiKey)> = tables.list(KEYS);
        let Some((_, key)) = keys.into_iter().find(|(_, key)| key.enabled && key.value == value) else { return false };
        let plans: Vec<(String, UsagePlan)> = tables.list(PLANS);
        let has_stage = |plan: &UsagePlan| plan.api_stages.iter().any(|it| it.api_id == api_id && it.stage == stage);
        let mut owners = plans.iter().filter(|(_, plan)| has_stage(plan)).map(|(owner, _)| owner);
        owners.any(|owner| tables.get::<bool>(PLAN_KEYS, &format!("{owner}/{}", key.id)).is_some())
    })
}
