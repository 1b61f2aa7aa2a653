//! An API Gateway REST API in front of a REST proxy: `{proxy+}` passed on whole, CORS, who may call, deployment, stage.
//!
//! Two kinds of API look the same from here. One of our own is found by name and tags, and everything in it that is
//! declared is kept as declared. An existing one, by id, is shared with its owner: it is marked with a tag before
//! anything is added, so that a killed run, and a later destroy, know what is ours; its other resources, methods,
//! stages and customised errors are left alone.
//!
//! `create` and `update` are one thing: look, and do what is missing ([`converge`]). A run that was killed anywhere
//! leaves a state that a look shows, and that the next run completes.

use async_trait::async_trait;

use crate::engine::{
    Address, Change, FieldChange, Fields, Observed, OnChange, OnDestroy, Outputs, Owner, Progress, Removal, Resource,
    Result, State,
};
use crate::manifest::{Api, ApiReference, Authorization};
use crate::resource::Shared;
use crate::resource::backend::Backend;

use converge::Aim;
use leftover::Leftover;
use parts::Parts;

mod converge;
mod cors;
mod creation;
mod deployment;
mod door;
mod keys;
mod leftover;
mod parts;
mod proxy;
mod read;
mod removal;
mod seen;
mod snapshot;
#[cfg(test)]
mod tests;

pub use door::Door;

/// The word before the slash of its address.
const KIND: &str = "rest_api";

/// A REST API, as declared.
#[derive(Clone, Debug)]
pub(crate) struct RestApi {
    context: Shared,
    address: Address,
    reference: ApiReference,
    stage: String,
    /// Whether a call needs nothing.
    open: bool,
    declared: Api,
    backend: Backend,
    needs: Vec<Address>,
    /// What is wanted; without the integration as long as the backend isn't known.
    wanted: Parts,
}

/// The address of an API.
pub(crate) fn address(declared: &Api) -> Address {
    let (ApiReference::Name(name) | ApiReference::Id(name)) = &declared.reference;
    Address::new(KIND, name)
}

impl RestApi {
    /// The API that is declared, which passes requests to `backend`.
    pub(crate) fn new(context: Shared, declared: &Api, backend: Backend) -> Self {
        Self {
            declared: declared.clone(),
            needs: backend.needs(),
            address: address(declared),
            reference: declared.reference.clone(),
            stage: declared.stage.clone(),
            open: declared.authorization == Authorization::None,
            wanted: Parts::declared(declared, backend.url(&Outputs::default()).as_deref(), &context.tags.shared_key()),
            backend,
            context,
        }
    }

    /// The same, given what is known of its backend.
    fn knowing(&self, known: &Outputs) -> Self {
        let url = self.backend.url(known);
        let wanted = Parts::declared(&self.declared, url.as_deref(), &self.context.tags.shared_key());
        Self { wanted, ..self.clone() }
    }

    /// Whether the API can be made: a deployment is a snapshot, and one without an integration isn't taken.
    fn with_backend(&self, known: &Outputs) -> Result<Self> {
        let api = self.knowing(known);
        if api.wanted.integration.is_some() {
            return Ok(api);
        }
        Err("the address of its backend is not known; give `client.address`, or the machine a public address".into())
    }

    fn client(&self) -> &aws_sdk_apigateway::Client {
        &self.context.clients.apigateway
    }

    /// Whether the API has an owner beside us.
    fn is_shared(&self) -> bool {
        matches!(self.reference, ApiReference::Id(_))
    }

    /// Brings what was read of `id` to what is declared, and reads it back.
    async fn settle(&self, id: &str, progress: &Progress) -> Result<State> {
        let seen = self.see(id).await?;
        if let Owner::Foreign(why) = self.owner(&seen) {
            return Err(format!("REST API {id} is not ours to change: {why}").into());
        }
        self.pursue(Aim::Declared, seen, progress).await?;
        let mut seen = self.see(id).await?;
        // A call whose answer was lost is made again, and then there are two of what it makes.
        let doubles: Vec<Leftover> = self.leftovers(&seen).iter().filter_map(Leftover::from_state).collect();
        if !doubles.is_empty() {
            for double in &doubles {
                self.remove_leftover(double).await?;
            }
            self.pursue(Aim::Declared, self.see(id).await?, progress).await?;
            seen = self.see(id).await?;
        }
        self.state(&seen).await
    }
}

#[async_trait]
impl Resource for RestApi {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, known: &Outputs) -> Fields {
        let wanted = self.knowing(known).wanted;
        if wanted.integration.is_some() {
            return wanted.fields();
        }
        let somewhere = Parts::declared(&self.declared, Some(""), &self.context.tags.shared_key());
        somewhere.fields().with_output("integration.uri", None)
    }

    fn on_change(&self, _change: &FieldChange) -> OnChange {
        OnChange::Update
    }

    fn on_destroy(&self, state: &State) -> OnDestroy {
        // A shared API without our mark has nothing of ours: the mark is the first thing to come and the last to go.
        if self.is_shared() && state.fields.get("tag").is_none() { OnDestroy::Ignore } else { OnDestroy::Delete }
    }

    fn must_exist(&self) -> Option<String> {
        let ApiReference::Id(id) = &self.reference else { return None };
        let region = &self.context.clients.region;
        Some(format!("there is no REST API {id} in {region}; correct `api.id`, or declare a new one with `api.name`"))
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.open && self.context.clients.sandbox.is_none() {
            warnings.push(
                "anybody on the internet may post through it; declare `authorization: aws_iam` or `api_key`".to_owned(),
            );
        }
        if self.is_shared() {
            warnings.push(format!(
                "a deployment is a snapshot of the whole API: what others changed in it goes live on stage {} too",
                self.stage
            ));
        }
        warnings
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        let (found, keys) = tokio::try_join!(self.find(), async { Ok(self.find_keys().await?) })?;
        let Some(seen) = found else {
            return Ok(Observed {
                leftovers: Leftover::of_keys(&keys, 0).iter().map(Leftover::state).collect(),
                ..Observed::absent()
            });
        };
        // Whether a deployment is the current one depends on what is wanted.
        let api = self.knowing(known);
        let seen = api.look_into(seen, keys).await?;
        let owner = api.owner(&seen);
        // In an API that is refused, nothing is done at all.
        let leftovers = if owner == Owner::Ours { api.leftovers(&seen) } else { Vec::new() };
        Ok(Observed { current: Some(api.state(&seen).await?), leftovers, owner })
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let api = self.with_backend(known)?;
        if let Some(missing) = self.must_exist() {
            return Err(missing.into());
        }
        // Those of an API that somebody deleted: they would be taken for this one's.
        self.remove_keys(&self.find_keys().await?).await?;
        let id = api.create_api().await?;
        api.settle(&id, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        self.with_backend(known)?.settle(change.current.output.require("id")?, progress).await
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        if let Some(leftover) = Leftover::from_state(state) {
            self.remove_leftover(&leftover).await?;
        } else if self.is_shared() {
            self.leave(state.output.require("id")?, progress).await?;
        } else {
            self.remove_keys(&self.find_keys().await?).await?;
            self.delete_api(state.output.require("id")?, progress).await?;
        }
        Ok(Removal::Gone)
    }
}
