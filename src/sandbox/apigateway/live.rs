//! What is live: the reads for whoever answers calls of a deployed API.

use super::model::{ApiKey, Snapshot, Stage, Texts, UsagePlan};
use super::tables::{KEYS, PLAN_KEYS, PLANS, SNAPSHOTS, STAGES};
use crate::sandbox::call::Refusal;
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
    let read = world.store.transact(|transaction| {
        let stage: Option<Stage> = transaction.get(STAGES, &format!("{api_id}/{stage}"));
        Ok::<_, Refusal>(stage.and_then(|Stage { deployment_id, variables, .. }| {
            let snapshot = transaction.get(SNAPSHOTS, &format!("{api_id}/{deployment_id}"))?;
            Some(Live { deployment_id, snapshot, variables: variables.unwrap_or_default() })
        }))
    });
    read.ok().flatten()
}

/// Whether an API key's value may call a stage: the key is enabled, and in a usage plan that the stage is in.
pub(crate) fn may_call(world: &World, api_id: &str, stage: &str, value: &str) -> bool {
    let read = world.store.transact(|transaction| {
        let keys: Vec<(String, ApiKey)> = transaction.list(KEYS);
        let Some((_, key)) = keys.into_iter().find(|(_, key)| key.enabled && key.value == value) else {
            return Ok::<_, Refusal>(false);
        };
        let plans: Vec<(String, UsagePlan)> = transaction.list(PLANS);
        let with_stage = plans
            .iter()
            .filter(|(_, plan)| plan.api_stages.iter().any(|known| known.api_id == api_id && known.stage == stage));
        let mut owners = with_stage.map(|(owner, _)| owner);
        Ok(owners.any(|owner| transaction.get::<bool>(PLAN_KEYS, &format!("{owner}/{}", key.id)).is_some()))
    });
    read.unwrap_or(false)
}
