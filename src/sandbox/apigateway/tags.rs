//! Tags of APIs, stages, keys and usage plans, by ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::Texts;
use super::refusal::bad_request;
use super::request::Request;
use super::tables::Tables;
use crate::sandbox::call::{Refusal, Reply};

/// # Errors
/// Where tags break AWS's rules: at most 50, keys of 1 to 128 characters, values of at most 256, no `aws:` prefix.
pub(super) fn check(tags: &Texts) -> Result<(), Refusal> {
    if tags.len() > 50 {
        return Err(bad_request("A resource cannot have more than 50 tags"));
    }
    for (key, value) in tags {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(bad_request(format!("Invalid tag key: {key}. aws: prefixed tag key names are not allowed")));
        }
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(is_plain) {
            return Err(bad_request(format!(
                "Invalid tag key: {key}. Use 1 to 128 letters, digits, spaces or _.:/=+-@"
            )));
        }
        if value.chars().count() > 256 || !value.chars().all(is_plain) {
            return Err(bad_request(format!(
                "Invalid tag value: {value}. Use at most 256 letters, digits, spaces or _.:/=+-@"
            )));
        }
    }
    Ok(())
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

/// A record as the operations answer it that read or change one: with `tags`, also where there are none. Creating and
/// listing operations leave empty tags out.
pub(super) fn shown(record: &impl Serialize) -> Value {
    let mut shown = json!(record);
    if let Some(members) = shown.as_object_mut() {
        members.entry("tags").or_insert_with(|| json!({}));
    }
    shown
}

#[derive(Deserialize)]
struct Asked {
    tags: Option<Texts>,
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let tags = change(request, |_| Ok(()))?;
    Ok(Reply::json(&json!({ "tags": tags })))
}

pub(super) fn tag(request: &Request<'_>) -> Result<Reply, Refusal> {
    let added = request.body::<Asked>()?.tags.unwrap_or_default();
    change(request, |tags| {
        tags.extend(added);
        check(tags)
    })?;
    Ok(Reply::empty(204))
}

pub(super) fn untag(request: &Request<'_>) -> Result<Reply, Refusal> {
    let removed = request.call.query_all("tagKeys");
    if removed.is_empty() {
        return Err(bad_request("No tag keys specified; name those to remove"));
    }
    change(request, |tags| {
        tags.retain(|key, _| !removed.contains(&key.as_str()));
        Ok(())
    })?;
    Ok(Reply::empty(204))
}

/// Changes the tags of what the request's ARN names, and returns them.
fn change(
    request: &Request<'_>,
    change: impl FnOnce(&mut Texts) -> Result<(), Refusal>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let arn = request.named("resource_arn");
    let path = path_of(arn, &request.call.region)?;
    request.transact(|tables| {
        let mut tagged = Tagged::find(tables, &path, arn)?;
        let before = tagged.tags().clone();
        change(tagged.tags())?;
        let after = tagged.tags().clone();
        if after != before {
            tagged.keep(tables)?;
        }
        Ok(after)
    })
}

/// The parts after `arn:aws:apigateway:REGION::/`.
fn path_of<'a>(arn: &'a str, region: &str) -> Result<Vec<&'a str>, Refusal> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", _, "apigateway", of, "", path] if *of == region && path.starts_with('/') => {
            Ok(path[1..].split('/').collect())
        }
        _ => Err(not_an_arn(arn)),
    }
}

fn not_an_arn(arn: &str) -> Refusal {
    bad_request(format!("Invalid resource ARN specified: {arn}"))
}

/// What an ARN names.
enum Tagged {
    Api(super::model::RestApi),
    Stage(String, super::model::Stage),
    Key(super::model::ApiKey),
    Plan(super::model::UsagePlan),
}

impl Tagged {
    fn find(tables: &Tables<'_, '_>, path: &[&str], arn: &str) -> Result<Self, Refusal> {
        Ok(match path {
            ["restapis", api] => Self::Api(tables.api(api)?),
            ["restapis", api, "stages", stage] => Self::Stage((*api).to_owned(), tables.stage(api, stage)?),
            ["apikeys", key] => Self::Key(tables.key(key)?),
            ["usageplans", plan] => Self::Plan(tables.plan(plan)?),
            _ => return Err(not_an_arn(arn)),
        })
    }

    fn tags(&mut self) -> &mut Texts {
        match self {
            Self::Api(api) => &mut api.tags,
            Self::Stage(_, stage) => &mut stage.tags,
            Self::Key(key) => &mut key.tags,
            Self::Plan(plan) => &mut plan.tags,
        }
    }

    fn keep(&self, tables: &mut Tables<'_, '_>) -> Result<(), Refusal> {
        match self {
            Self::Api(api) => tables.put_api(api),
            Self::Stage(api, stage) => tables.put_stage(api, stage),
            Self::Key(key) => tables.put_key(key),
            Self::Plan(plan) => tables.put_plan(plan),
        }
    }
}
