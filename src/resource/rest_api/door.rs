//! Where an API that was applied takes posts, and the key that it asks for: the few reads that this needs.

use aws_sdk_apigateway::types;

use crate::aws::{found, sent};
use crate::engine::{Owner, Result};
use crate::manifest::{Api, ApiReference};
use crate::resource::Shared;

use super::RestApi;
use super::read::PAGE;

/// The API of a manifest, as those see it who call it.
#[derive(Debug)]
pub struct Door(RestApi);

impl Door {
    /// The API that is declared.
    pub fn new(context: Shared, declared: &Api) -> Self {
        // What it passes requests to is nothing that its callers know.
        Self(RestApi::new(context, declared, ""))
    }

    /// The URL of its stage, without a slash at its end.
    ///
    /// # Errors
    /// Where there is no such API or stage, or it isn't this pipeline's.
    pub async fn invoke_url(&self) -> Result<String> {
        let Self(api) = self;
        let address = &api.address;
        let Some(seen) = api.find().await? else {
            return Err(match &api.reference {
                ApiReference::Name(_) => format!("there is no {address} yet; apply the manifest first"),
                ApiReference::Id(_) => format!("there is no {address}; correct `api.id`"),
            }
            .into());
        };
        let is_marked = seen.tags().is_some_and(|tags| tags.contains_key(&api.context.tags.shared_key()));
        if api.is_shared() && !is_marked {
            return Err(format!("{address} has nothing of this pipeline yet; apply the manifest first").into());
        }
        if !api.is_shared()
            && let Owner::Foreign(why) = api.owner_by_tags(seen.tags())
        {
            return Err(format!("{address} is not this pipeline's: {why}; declare another `api.name`").into());
        }
        let id = seen.id().unwrap_or_default();
        let stage = api.client().get_stage().rest_api_id(id).stage_name(&api.stage);
        if found(stage.send().await)?.is_none() {
            return Err(format!("{address} has no stage {} yet; apply the manifest first", api.stage).into());
        }
        Ok(api.context.clients.invoke_url(id, &api.stage).await?)
    }

    /// The value of its key.
    ///
    /// # Errors
    /// Where it has none.
    pub async fn key(&self) -> Result<String> {
        let Self(api) = self;
        let call = api.client().get_api_keys().name_query(api.key_name()).include_values(true).limit(PAGE);
        let items = call.into_paginator().items().send();
        let keys: Vec<types::ApiKey> = sent(items.collect::<std::result::Result<_, _>>().await)?;
        let mut ours: Vec<_> =
            keys.into_iter().filter(|key| key.name() == Some(api.key_name()) && api.has_our_tags(key.tags())).collect();
        // Where there are two, the first one is what counts everywhere here.
        ours.sort_unstable_by(|one, other| one.id().cmp(&other.id()));
        let value = ours.into_iter().next().and_then(|key| key.value);
        value.ok_or_else(|| format!("{} has no API key yet; apply the manifest first", api.address).into())
    }
}
