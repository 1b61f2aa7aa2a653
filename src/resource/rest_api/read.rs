//! Reading: find the API, look into it, and say what it is and whose.

use std::collections::HashMap;

use aws_sdk_apigateway::operation::get_rest_api::GetRestApiOutput;
use aws_sdk_apigateway::types;

use crate::aws::{Failure, found, sent};
use crate::engine::{Output, Owner, Result, State};
use crate::manifest::ApiReference;

use super::RestApi;
use super::parts::{Integration, Method, PROXY, Parts, Preflight};
use super::seen::{Keys, Seen};

/// AWS's largest page.
pub(super) const PAGE: i32 = 500;

impl RestApi {
    /// The API, where it exists: ours, or one that only has its name.
    pub(super) async fn find(&self) -> Result<Option<types::RestApi>> {
        match &self.reference {
            ApiReference::Id(id) => {
                let reply = found(self.client().get_rest_api().rest_api_id(id).send().await)?;
                Ok(reply.map(as_listed))
            }
            ApiReference::Name(name) => self.find_by_name(name).await,
        }
    }

    /// All APIs of that name, whosever they are.
    pub(super) async fn named(&self, name: &str) -> Result<Vec<types::RestApi>> {
        let items = self.client().get_rest_apis().limit(PAGE).into_paginator().items().send();
        let all: Vec<types::RestApi> = sent(items.collect::<std::result::Result<_, _>>().await)?;
        Ok(all.into_iter().filter(|api| api.name() == Some(name)).collect())
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<types::RestApi>> {
        let named = self.named(name).await?.into_iter();
        let (mut ours, mut others): (Vec<_>, Vec<_>) = named.partition(|api| self.has_our_tags(api.tags()));
        if let [first, second, ..] = ours.as_slice() {
            return Err(format!(
                "expected one REST API of this pipeline with the name {name}, got two: {} and {}; delete the one that \
                 is not used",
                first.id().unwrap_or_default(),
                second.id().unwrap_or_default(),
            )
            .into());
        }
        Ok(ours.pop().or_else(|| others.pop()))
    }

    /// Everything about the API of that id, read at once.
    pub(super) async fn see(&self, id: &str) -> std::result::Result<Seen, Failure> {
        let api = async { Ok(as_listed(sent(self.client().get_rest_api().rest_api_id(id).send().await)?)) };
        let (api, keys, contents) = tokio::try_join!(api, self.find_keys(), self.contents(id))?;
        Ok(contents.of(api, keys))
    }

    /// Everything about an API that was found, beside what is known already.
    pub(super) async fn look_into(&self, api: types::RestApi, keys: Keys) -> std::result::Result<Seen, Failure> {
        let contents = self.contents(api.id().unwrap_or_default()).await?;
        Ok(contents.of(api, keys))
    }

    async fn contents(&self, id: &str) -> std::result::Result<Contents, Failure> {
        let client = self.client();
        let resources = async {
            // With `embed`, each method comes whole: its integration, and the responses of both.
            let call = client.get_resources().rest_api_id(id).embed("methods").limit(PAGE);
            sent(call.into_paginator().items().send().collect::<std::result::Result<_, _>>().await)
        };
        let deployments = async {
            let call = client.get_deployments().rest_api_id(id).limit(PAGE);
            sent(call.into_paginator().items().send().collect::<std::result::Result<_, _>>().await)
        };
        // These two have no pages.
        let errors = async { sent(client.get_gateway_responses().rest_api_id(id).send().await) };
        let stages = async { sent(client.get_stages().rest_api_id(id).send().await) };
        let (resources, deployments, errors, stages) = tokio::try_join!(resources, deployments, errors, stages)?;
        Ok(Contents {
            resources,
            deployments,
            errors: errors.items.unwrap_or_default(),
            stages: stages.item.unwrap_or_default(),
        })
    }

    /// Whether tags say that a thing is ours.
    pub(super) fn has_our_tags(&self, tags: Option<&HashMap<String, String>>) -> bool {
        self.owner_by_tags(tags) == Owner::Ours
    }

    pub(super) fn owner_by_tags(&self, tags: Option<&HashMap<String, String>>) -> Owner {
        self.context.tags.owner(tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// Whether a shared API has our mark.
    pub(super) fn is_marked(&self, seen: &Seen) -> bool {
        seen.api.tags().is_some_and(|tags| tags.contains_key(&self.context.tags.shared_key()))
    }

    /// Whose the API is, or our place in it.
    pub(super) fn owner(&self, seen: &Seen) -> Owner {
        if self.is_shared() {
            return self.objection(seen).map_or(Owner::Ours, Owner::Foreign);
        }
        match self.owner_by_tags(seen.api.tags()) {
            Owner::Foreign(why) => {
                let id = seen.id();
                Owner::Foreign(format!("{why} (its id is {id}); declare another `api.name`, or share it with `api.id`"))
            }
            owner => owner,
        }
    }

    /// Why our place in a shared API is taken.
    fn objection(&self, seen: &Seen) -> Option<String> {
        let stage = seen.stage(&self.stage);
        if self.is_marked(seen) {
            let taken = stage.is_some_and(|stage| !self.has_our_tags(stage.tags()));
            return taken
                .then(|| format!("its stage {} is not this pipeline's; declare another `api.stage`", self.stage));
        }
        if seen.proxy().is_some() {
            return Some(format!(
                "it has a resource /{PROXY} that is not this pipeline's; remove it, or declare `api.name`"
            ));
        }
        if let Some(rival) = seen.rival() {
            return Some(format!(
                "it has a resource /{rival}, beside which API Gateway allows no /{PROXY}; remove it, or declare `api.name`"
            ));
        }
        stage.map(|_| format!("it has a stage {} that is not this pipeline's; declare another `api.stage`", self.stage))
    }

    /// What was seen, in normal form.
    pub(super) fn parts(&self, seen: &Seen) -> Parts {
        let any = seen.method("ANY");
        let stage = self.shown_stage(seen);
        let shared = self.is_shared();
        Parts {
            name: seen.api.name().filter(|_| !shared).map(str::to_owned),
            tag: (shared && self.is_marked(seen)).then(|| self.context.tags.shared_key()),
            method: any.map(Method::seen),
            integration: any.and_then(types::Method::method_integration).map(Integration::seen),
            preflight: seen.method("OPTIONS").map(Preflight::seen),
            error_headers: self.error_headers(seen),
            stage: stage.and_then(types::Stage::stage_name).map(str::to_owned),
            deployment: stage.map(|stage| self.deployment(seen, stage)),
            usage_plan: Self::covered_stages(seen),
            api_key: seen.keys.state(),
        }
    }

    /// What was seen, as the engine takes it.
    pub(super) async fn state(&self, seen: &Seen) -> Result<State> {
        let parts = self.parts(seen);
        let mut output = Output::new().with("id", seen.id()).with("arn", self.arn(seen.id()));
        if let Some(stage) = &parts.stage {
            let url = self.context.clients.invoke_url(seen.id(), stage).await?;
            output = output.with("stage", stage.as_str()).with("invoke_url", url);
        }
        if let Some(key) = seen.keys.keys.first().and_then(types::ApiKey::id) {
            output = output.with("api_key_id", key);
        }
        let label = (!self.is_shared()).then(|| seen.id().to_owned());
        Ok(State { fields: parts.fields(), output, label })
    }

    /// The ARN that tags are put on. API Gateway's control plane has no account in its ARNs.
    pub(super) fn arn(&self, id: &str) -> String {
        let clients = &self.context.clients;
        format!("arn:{}:apigateway:{}::/restapis/{id}", clients.partition, clients.region)
    }
}

/// What is in an API.
struct Contents {
    resources: Vec<types::Resource>,
    deployments: Vec<types::Deployment>,
    errors: Vec<types::GatewayResponse>,
    stages: Vec<types::Stage>,
}

impl Contents {
    fn of(self, api: types::RestApi, keys: Keys) -> Seen {
        let Self { resources, deployments, errors, stages } = self;
        Seen { api, resources, errors, stages, deployments, keys }
    }
}

/// The SDK has a type of its own for an API that was asked for alone. Only what counts here is taken over.
fn as_listed(reply: GetRestApiOutput) -> types::RestApi {
    types::RestApi::builder()
        .set_id(reply.id)
        .set_name(reply.name)
        .set_tags(reply.tags)
        .set_binary_media_types(reply.binary_media_types)
        .set_minimum_compression_size(reply.minimum_compression_size)
        .set_api_key_source(reply.api_key_source)
        .set_policy(reply.policy)
        .build()
}
