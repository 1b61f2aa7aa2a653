//! Where an API that was applied takes posts, and the key that it asks for: the few reads that this needs.

use aws_sdk_apigateway::types;

use crate::aws::{found, sent};
use crate::engine::{Owner, Result};
use crate::manifest::{Api, ApiReference};
use crate::resource::Shared;
use crate::resource::backend::Backend;

use super::RestApi;
use super::read::PAGE;

/// The API of a manifest, as those see it who call it.
#[derive(Debug)]
pub struct Door(RestApi);

impl Door {
    /// The API that is declared.
    pub fn new(context: Shared, declared: &Api) -> Self {
        // What it passes requests to is nothing that its callers know.
        Self(RestApi::new(context, declared, Backend::At(String::new())))
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::tests::{declared, resource_at};
    use super::*;
    use crate::manifest::Authorization;

    /// The door of an API on a server that has these answers, each for paths that begin so; and what it was asked.
    async fn door(reference: ApiReference, answers: Vec<(&'static str, Value)>) -> (Door, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 8192];
                let length = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = answers.iter().find(|(start, _)| path.starts_with(start));
                noted.lock().unwrap().push(path);
                let (status, body) = match answer {
                    Some((_, body)) => ("200 OK", body.clone()),
                    None => ("404 Not Found", json!({ "message": "Invalid identifier" })),
                };
                let body = body.to_string();
                let kind = if answer.is_none() { "x-amzn-errortype: NotFoundException\r\n" } else { "" };
                let head =
                    format!("HTTP/1.1 {status}\r\n{kind}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        (Door(resource_at(&endpoint, &declared(reference, Authorization::ApiKey))), asked)
    }

    fn by_name() -> ApiReference {
        ApiReference::Name("pinterest".to_owned())
    }

    fn ours() -> Value {
        json!({ "pipeline:name": "pin", "pipeline:environment": "dev" })
    }

    fn apis(tags: &Value) -> (&'static str, Value) {
        ("/restapis?", json!({ "item": [{ "id": "a1", "name": "pinterest", "tags": tags }] }))
    }

    #[tokio::test]
    async fn a_stage_that_is_there_has_a_url_and_needs_two_reads() {
        let (door, asked) =
            door(by_name(), vec![apis(&ours()), ("/restapis/a1/stages/dev", json!({ "stageName": "dev" }))]).await;
        assert_eq!(door.invoke_url().await.unwrap(), "https://a1.execute-api.us-east-1.amazonaws.com/dev");
        assert_eq!(asked.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_ours_is_no_place_to_post_to() {
        let refused =
            async |reference, answers| door(reference, answers).await.0.invoke_url().await.unwrap_err().to_string();
        let shared = || ApiReference::Id("a1".to_owned());
        let of_id = |tags: Value| vec![("/restapis/a1", json!({ "id": "a1", "name": "theirs", "tags": tags }))];
        assert_eq!(
            refused(by_name(), vec![("/restapis?", json!({ "item": [] }))]).await,
            "there is no rest_api/pinterest yet; apply the manifest first"
        );
        assert!(refused(by_name(), vec![apis(&json!({}))]).await.contains("is not this pipeline's: it lacks"));
        assert!(refused(by_name(), vec![apis(&ours())]).await.contains("has no stage dev yet; apply"));
        assert_eq!(refused(shared(), Vec::new()).await, "there is no rest_api/a1; correct `api.id`");
        assert!(refused(shared(), of_id(json!({}))).await.contains("nothing of this pipeline yet; apply"));
    }

    #[tokio::test]
    async fn the_key_is_the_first_of_ours() {
        let key = |id: &str, name: &str, tags: Value| json!({ "id": id, "name": name, "value": format!("value of {id}"), "tags": tags });
        let keys = json!({ "item": [
            key("k0", "pinterest", json!({})),
            key("k1", "pinterest-2", ours()),
            key("k3", "pinterest", ours()),
            key("k2", "pinterest", ours()),
        ] });
        let (found, asked) = door(by_name(), vec![("/apikeys?", keys)]).await;
        assert_eq!(found.key().await.unwrap(), "value of k2");
        assert!(asked.lock().unwrap()[0].contains("includeValues=true"));
        let (none, _) = door(by_name(), vec![("/apikeys?", json!({ "item": [] }))]).await;
        assert!(none.key().await.unwrap_err().to_string().contains("has no API key yet; apply"));
    }
}
