//! Taking away: all of an API of our own, what is ours of a shared one, and single leftovers.

use std::time::Duration;

use aws_sdk_apigateway::types;

use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found};
use crate::engine::{Progress, Result};

use super::RestApi;
use super::converge::Aim;
use super::deployment::served;
use super::leftover::{Kind, Leftover};
use super::seen::Seen;

/// How long a deletion of an API may wait for its turn, when others of the same account are deleted too.
const TURN_LIMIT: Duration = Duration::from_secs(600);

impl RestApi {
    /// Deletes an API of our own, with everything in it.
    pub(super) async fn delete_api(&self, id: &str, progress: &Progress) -> Result<()> {
        progress.note("waiting for its turn: AWS deletes one REST API of an account in 30 seconds");
        let attempt = || async move {
            match found(self.client().delete_rest_api().rest_api_id(id).send().await) {
                Err(failure) if failure.is("TooManyRequestsException") => {
                    Ok(Look::Pending("waiting for its turn".into()))
                }
                outcome => Ok(outcome.map(|_| Look::Settled)?),
            }
        };
        wait_until(TURN_LIMIT, |state| progress.note(state), attempt, Look::clone).await.map(drop)
    }

    /// Removes what is ours from a shared API.
    pub(super) async fn leave(&self, id: &str, progress: &Progress) -> Result<()> {
        match self.see(id).await {
            Ok(seen) => self.pursue(Aim::WithoutUs, seen, progress).await,
            Err(failure) if failure.is_absent() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// One pass: everything that is ours, and the mark that says so last.
    pub(super) async fn withdraw(&self, seen: &Seen, progress: &Progress) -> std::result::Result<(), Failure> {
        self.remove_keys(&seen.keys).await?;
        if !self.is_marked(seen) {
            return Ok(());
        }
        let api = seen.id();
        progress.note("leaving the shared API");
        let stages = self.our_stages(seen);
        for stage in &stages {
            self.delete_stage(api, stage).await?;
        }
        for id in self.deployments_beside(seen, &served(seen, |name| !stages.contains(&name))) {
            self.delete_deployment(api, &id).await?;
        }
        if let Some(proxy) = seen.proxy().and_then(types::Resource::id) {
            found(self.client().delete_resource().rest_api_id(api).resource_id(proxy).send().await)?;
        }
        for kind in Self::our_errors(seen) {
            self.delete_error(api, kind).await?;
        }
        let mark = self.context.tags.shared_key();
        found(self.client().untag_resource().resource_arn(self.arn(api)).tag_keys(mark).send().await).map(drop)
    }

    /// Deletes one thing that an earlier version, or a killed run, left behind.
    pub(super) async fn remove_leftover(&self, leftover: &Leftover) -> Result<()> {
        let Leftover { kind, api, id } = leftover;
        match kind {
            Kind::Deployment => self.delete_deployment(api, id).await?,
            Kind::Stage => {
                self.delete_stage(api, id).await?;
                self.delete_unserved(api).await?;
            }
            Kind::ApiKey => self.delete_key(id).await?,
            Kind::UsagePlan => {
                let keys = self.find_keys().await?;
                if let Some(plan) = keys.plans.iter().find(|plan| plan.id() == Some(id)) {
                    self.delete_plan(plan).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes the deployments that only a stage that is gone now served.
    async fn delete_unserved(&self, api: &str) -> Result<()> {
        let seen = match self.see(api).await {
            Err(failure) if failure.is_absent() => return Ok(()),
            seen => seen?,
        };
        for id in self.unserved(&seen) {
            self.delete_deployment(api, &id).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_stage(&self, api: &str, name: &str) -> std::result::Result<(), Failure> {
        found(self.client().delete_stage().rest_api_id(api).stage_name(name).send().await).map(drop)
    }

    pub(super) async fn delete_deployment(&self, api: &str, id: &str) -> std::result::Result<(), Failure> {
        found(self.client().delete_deployment().rest_api_id(api).deployment_id(id).send().await).map(drop)
    }
}
