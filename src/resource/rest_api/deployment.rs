//! Deployments and stages: what is live.
//!
//! Our deployments are recognised by their description, which tells whose they are and what they were made of:
//! `pipeline:NAME:ENVIRONMENT sha256:0123456789abcdef`. Our stages carry our tags.

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::{self, Op};

use crate::aws::{Failure, sent};
use crate::engine::{Progress, State};

use super::RestApi;
use super::leftover::Leftover;
use super::parts::Deployment;
use super::proxy::patch;
use super::seen::Seen;
use super::snapshot::digest;

impl RestApi {
    /// The description of a deployment of what is declared.
    pub(super) fn description(&self, seen: &Seen) -> String {
        let rest = self.is_shared().then_some(seen);
        format!("{}{}", self.description_start(), digest(&self.wanted.frozen(), rest))
    }

    fn description_start(&self) -> String {
        format!("{} sha256:", self.context.tags.shared_key())
    }

    /// The stage that stands for ours: the declared one, or else the one that had another name before.
    pub(super) fn shown_stage<'a>(&self, seen: &'a Seen) -> Option<&'a types::Stage> {
        let before = || seen.stages.iter().find(|stage| self.has_our_tags(stage.tags()));
        seen.stage(&self.stage).or_else(before)
    }

    /// Whether a stage serves what is declared.
    pub(super) fn deployment(&self, seen: &Seen, stage: &types::Stage) -> Deployment {
        if seen.description(stage) == Some(&self.description(seen)) {
            Deployment::Current
        } else {
            Deployment::Outdated
        }
    }

    /// Makes what is declared live on the declared stage; the id of the deployment that is.
    pub(super) async fn converge_stage(&self, seen: &Seen, progress: &Progress) -> Result<String, Failure> {
        let stage = seen.stage(&self.stage);
        if let Some(stage) = stage
            && self.deployment(seen, stage) == Deployment::Current
        {
            return Ok(stage.deployment_id().unwrap_or_default().to_owned());
        }
        progress.note(format!("deploying to stage {}", self.stage));
        let deployment = self.fitting_deployment(seen).await?;
        if stage.is_some() {
            self.move_stage(seen.id(), &deployment).await?;
        } else {
            self.create_stage(seen.id(), &deployment).await?;
        }
        Ok(deployment)
    }

    /// A deployment of what is declared: one of ours that is there already, or a new one.
    async fn fitting_deployment(&self, seen: &Seen) -> Result<String, Failure> {
        if let Some(id) = self.fitting(seen) {
            return Ok(id.to_owned());
        }
        let call = self.client().create_deployment().rest_api_id(seen.id()).description(self.description(seen));
        Ok(sent(call.send().await)?.id.unwrap_or_default())
    }

    fn fitting<'a>(&self, seen: &'a Seen) -> Option<&'a str> {
        let description = self.description(seen);
        let mut deployments = seen.deployments.iter();
        deployments.find(|deployment| deployment.description() == Some(&description))?.id()
    }

    async fn create_stage(&self, api: &str, deployment: &str) -> Result<(), Failure> {
        let call = self.client().create_stage().rest_api_id(api).stage_name(&self.stage).deployment_id(deployment);
        sent(call.set_tags(Some(self.context.tags.for_creation())).send().await).map(drop)
    }

    async fn move_stage(&self, api: &str, deployment: &str) -> Result<(), Failure> {
        let call = self.client().update_stage().rest_api_id(api).stage_name(&self.stage);
        sent(call.patch_operations(patch(Op::Replace, "/deploymentId", deployment)).send().await).map(drop)
    }

    /// The names of our stages, of the declared one and of earlier ones.
    pub(super) fn our_stages<'a>(&self, seen: &'a Seen) -> Vec<&'a str> {
        let ours = seen.stages.iter().filter(|stage| self.has_our_tags(stage.tags()));
        ours.filter_map(types::Stage::stage_name).collect()
    }

    fn old_stages<'a>(&self, seen: &'a Seen) -> Vec<&'a str> {
        self.our_stages(seen).into_iter().filter(|name| *name != self.stage).collect()
    }

    /// Our deployments beside those with one of these ids.
    pub(super) fn deployments_beside(&self, seen: &Seen, kept: &BTreeSet<&str>) -> Vec<String> {
        let start = self.description_start();
        let ours = seen
            .deployments
            .iter()
            .filter(|deployment| deployment.description().is_some_and(|description| description.starts_with(&start)));
        ours.filter_map(types::Deployment::id).filter(|id| !kept.contains(id)).map(str::to_owned).collect()
    }

    /// Removes what an earlier version, and killed runs, left behind: stages of earlier names, and deployments that no
    /// stage serves now that ours serves `deployed`.
    pub(super) async fn clear_up(&self, seen: &Seen, deployed: &str) -> Result<(), Failure> {
        let old_stages = self.old_stages(seen);
        for stage in &old_stages {
            self.delete_stage(seen.id(), stage).await?;
        }
        let mut kept = served(seen, |name| name != self.stage && !old_stages.contains(&name));
        kept.insert(deployed);
        for id in self.deployments_beside(seen, &kept) {
            self.delete_deployment(seen.id(), &id).await?;
        }
        Ok(())
    }

    /// What [`Self::clear_up`] would remove if nothing else were to be done, for the engine to delete by itself.
    pub(super) fn leftovers(&self, seen: &Seen) -> Vec<State> {
        let api = seen.id();
        let mut leftovers = Leftover::of_keys(&seen.keys, 1);
        if seen.stage(&self.stage).is_some() {
            leftovers.extend(self.old_stages(seen).into_iter().map(|name| Leftover::stage(api, name)));
        }
        leftovers.extend(self.unserved(seen).iter().map(|id| Leftover::deployment(api, id)));
        leftovers.iter().map(Leftover::state).collect()
    }

    /// Our deployments that no stage serves and none is about to.
    pub(super) fn unserved(&self, seen: &Seen) -> Vec<String> {
        let mut kept = served(seen, |_| true);
        let stage = seen.stage(&self.stage);
        if stage.is_none_or(|stage| self.deployment(seen, stage) == Deployment::Outdated) {
            // A killed run made it and did not get to the stage: the next one takes it.
            kept.extend(self.fitting(seen));
        }
        self.deployments_beside(seen, &kept)
    }
}

/// The ids of the deployments that the stages of those names serve, to all or some of the calls.
pub(super) fn served(seen: &Seen, counts: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let stages = seen.stages.iter().filter(|stage| stage.stage_name().is_some_and(&counts));
    let canary = |stage| types::Stage::canary_settings(stage).and_then(types::CanarySettings::deployment_id);
    stages.flat_map(|stage| [stage.deployment_id(), canary(stage)]).flatten().collect()
}
