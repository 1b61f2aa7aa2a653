//! The API key and its usage plan, for `authorization: api_key`. Its value counts only for who
//! calls the API, see [`super::Door`].

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::{self, ApiStage, Op, PatchOperation};

use crate::aws::{Failure, found, sent};

use super::RestApi;
use super::parts::Key;
use super::proxy::patch;
use super::read::PAGE;
use super::seen::{Keys, Seen};

impl RestApi {
    /// The usage plans and keys of this API's name with our tags. Neither has a unique name.
    pub(super) async fn find_keys(&self) -> Result<Keys, Failure> {
        let (mut plans, mut keys) = tokio::try_join!(self.find_plans(), self.find_api_keys())?;
        plans.sort_unstable_by(|one, other| one.id().cmp(&other.id()));
        keys.sort_unstable_by(|one, other| one.id().cmp(&other.id()));
        let linked = match plans.first().and_then(types::UsagePlan::id) {
            Some(plan) if !keys.is_empty() => self.linked(plan).await?,
            _ => BTreeSet::new(),
        };
        Ok(Keys { plans, keys, linked })
    }

    async fn find_plans(&self) -> Result<Vec<types::UsagePlan>, Failure> {
        let items = self.client().get_usage_plans().limit(PAGE).into_paginator().items().send();
        let mut plans: Vec<types::UsagePlan> = sent(items.collect::<Result<_, _>>().await)?;
        plans.retain(|plan| plan.name() == Some(self.key_name()) && self.has_our_tags(plan.tags()));
        Ok(plans)
    }

    async fn find_api_keys(&self) -> Result<Vec<types::ApiKey>, Failure> {
        // AWS takes the name as the start of names.
        let call = self.client().get_api_keys().name_query(self.key_name()).limit(PAGE);
        let mut keys: Vec<types::ApiKey> = sent(call.into_paginator().items().send().collect::<Result<_, _>>().await)?;
        keys.retain(|key| key.name() == Some(self.key_name()) && self.has_our_tags(key.tags()));
        Ok(keys)
    }

    async fn linked(&self, plan: &str) -> Result<BTreeSet<String>, Failure> {
        let items = self.client().get_usage_plan_keys().usage_plan_id(plan).limit(PAGE).into_paginator().items().send();
        let keys: Vec<types::UsagePlanKey> = sent(items.collect::<Result<_, _>>().await)?;
        Ok(keys.into_iter().filter_map(|key| key.id).collect())
    }

    /// What the plan and the key are called: like the API.
    pub(super) fn key_name(&self) -> &str {
        self.address.name()
    }

    /// Which stages of the API our plan covers, where there is a plan.
    pub(super) fn covered_stages(seen: &Seen) -> Option<BTreeSet<String>> {
        let plan = seen.keys.plans.first()?;
        let stages = plan.api_stages().iter().filter(|stage| stage.api_id() == Some(seen.id()));
        Some(stages.filter_map(ApiStage::stage).map(str::to_owned).collect())
    }

    /// The plan and the key as declared: both or neither.
    pub(super) async fn converge_keys(&self, seen: &Seen) -> Result<(), Failure> {
        let Some(wanted) = &self.wanted.usage_plan else { return self.remove_keys(&seen.keys).await };
        let plan = match seen.keys.plans.first().and_then(types::UsagePlan::id) {
            Some(plan) => {
                let covered = Self::covered_stages(seen).unwrap_or_default();
                self.patch_plan(plan, &coverage(seen.id(), &covered, wanted)).await?;
                plan.to_owned()
            }
            None => self.create_plan(seen.id()).await?,
        };
        let key = match seen.keys.keys.first() {
            Some(key) => self.enabled_key(key).await?,
            None => self.create_key().await?,
        };
        if seen.keys.linked.contains(&key) {
            return Ok(());
        }
        let call = self.client().create_usage_plan_key().usage_plan_id(plan).key_id(key).key_type("API_KEY");
        sent(call.send().await).map(drop)
    }

    async fn create_plan(&self, api: &str) -> Result<String, Failure> {
        let stage = ApiStage::builder().api_id(api).stage(&self.stage).build();
        let call = self.client().create_usage_plan().name(self.key_name()).api_stages(stage);
        let made = sent(call.set_tags(Some(self.context.tags.for_creation())).send().await)?;
        Ok(made.id.unwrap_or_default())
    }

    async fn patch_plan(&self, plan: &str, patches: &[PatchOperation]) -> Result<(), Failure> {
        if patches.is_empty() {
            return Ok(());
        }
        let call = self.client().update_usage_plan().usage_plan_id(plan);
        sent(call.set_patch_operations(Some(patches.to_vec())).send().await).map(drop)
    }

    async fn create_key(&self) -> Result<String, Failure> {
        let call = self.client().create_api_key().name(self.key_name()).enabled(true);
        let made = sent(call.set_tags(Some(self.context.tags.for_creation())).send().await)?;
        Ok(made.id.unwrap_or_default())
    }

    async fn enabled_key(&self, key: &types::ApiKey) -> Result<String, Failure> {
        let id = key.id().unwrap_or_default();
        if !key.enabled() {
            let call = self.client().update_api_key().api_key(id);
            sent(call.patch_operations(patch(Op::Replace, "/enabled", "true")).send().await)?;
        }
        Ok(id.to_owned())
    }

    /// Removes all of them.
    pub(super) async fn remove_keys(&self, keys: &Keys) -> Result<(), Failure> {
        for key in keys.keys.iter().filter_map(types::ApiKey::id) {
            self.delete_key(key).await?;
        }
        for plan in &keys.plans {
            self.delete_plan(plan).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_key(&self, id: &str) -> Result<(), Failure> {
        found(self.client().delete_api_key().api_key(id).send().await).map(drop)
    }

    /// Deletes a usage plan. AWS keeps one that covers a stage.
    pub(super) async fn delete_plan(&self, plan: &types::UsagePlan) -> Result<(), Failure> {
        let id = plan.id().unwrap_or_default();
        let covered = plan.api_stages().iter();
        let patches: Vec<_> = covered
            .filter_map(|covered| {
                Some(patch(Op::Remove, "/apiStages", &format!("{}:{}", covered.api_id()?, covered.stage()?)))
            })
            .collect();
        match self.patch_plan(id, &patches).await {
            Err(failure) if !failure.is_absent() => return Err(failure),
            _ => {}
        }
        found(self.client().delete_usage_plan().usage_plan_id(id).send().await).map(drop)
    }
}

impl Keys {
    /// How the key is, where there is one.
    pub(super) fn state(&self) -> Option<Key> {
        let key = self.keys.first()?;
        let linked = key.id().is_some_and(|id| self.linked.contains(id));
        Some(match (linked, key.enabled()) {
            (false, _) => Key::Unlinked,
            (true, true) => Key::Enabled,
            (true, false) => Key::Disabled,
        })
    }
}

/// What makes a plan that covers some stages of an API cover others.
fn coverage(api: &str, covered: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Vec<PatchOperation> {
    let of = |op: Op, stage: &String| patch(op, "/apiStages", &format!("{api}:{stage}"));
    let added = wanted.difference(covered).map(|stage| of(Op::Add, stage));
    let removed = covered.difference(wanted).map(|stage| of(Op::Remove, stage));
    added.chain(removed).collect()
}
