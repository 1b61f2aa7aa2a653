//! From a manifest's API to something that posts to it, with what the API wants to see.

use super::failure::Failure;
use crate::flow::post::{Access, LONGEST_POST, Poster};
use crate::manifest::{Authorization, Manifest};
use crate::resource::{Door, Shared};

/// Posts to the invoke URL of the manifest's API. Where that asks for a key and none is given, API Gateway is asked.
pub(super) async fn connect(manifest: &Manifest, context: &Shared, api_key: Option<&str>) -> Result<Poster, Failure> {
    let Some(api) = &manifest.api else {
        return Err(
            "the manifest declares no `api`, so there is no invoke URL to post to; declare one, and apply".into()
        );
    };
    let door = Door::new(context.clone(), api);
    let url = door.invoke_url().await?;
    let clients = &context.clients;
    let access = match api.authorization {
        Authorization::None => Access::Open,
        Authorization::AwsIam => Access::Signed {
            credentials: clients
                .credentials
                .clone()
                .ok_or("there are no credentials to sign posts with; log in to AWS")?,
            region: clients.region.clone(),
        },
        Authorization::ApiKey => Access::Key(match api_key {
            Some(key) => key.to_owned(),
            None => door.key().await?,
        }),
    };
    Ok(Poster::new(&url, access, LONGEST_POST)?)
}
