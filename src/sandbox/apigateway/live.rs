//! What is live: the reads for whoever answers calls of a deployed API.

use super::model::{ApiKey, Snapshot, Stage, Texts, UsagePlan};
use super::tables::{KEYS, PLAN_KEYS, PLANS, SNAPSHOTS, STAGES};
use crate::sandbox::world::World;

/// What a stage answers with.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The deployment that the stage points at.
    pub(crate) deployment_id: String,
    /// The API as it was when that deployment was made.
    pub(crate) snapshot: Snapshot,
    /// The stage's variables, as they are now.
    pub(crate) variables: Texts,
}

/// What is live at a stage; `None` where there is no such API or stage.
pub(crate) fn live(world: &World, api_id: &str, stage: &str) -> Option<Live> {
    world.store.read(|tables| {
        let Stage { deployment_id, variables, .. } = tables.get(STAGES, &format!("{api_id}/{stage}"))?;
        let snapshot = tables.get(SNAPSHOTS, &format!("{api_id}/{deployment_id}"))?;
        Some(Live { deployment_id, snapshot, variables: variables.unwrap_or_default() })
    })
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
