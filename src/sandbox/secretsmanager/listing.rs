//! ListSecrets: filters, orders and pages.

use serde_json::{Map, Value};

use super::description::described;
use super::secret::Secret;
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::pages;
use crate::sandbox::rest_json::shape::{Member, Shape, optional, required};

const KEYS: Shape =
    Shape::OneOf(&["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"]);
const WORDS: Shape = Shape::List(&Shape::Text { min: 0, max: 512 });

const LIST: &[Member] = &[
    optional("IncludePlannedDeletion", Shape::Flag),
    optional("MaxResults", Shape::Whole { min: 1, max: 100 }),
    optional("NextToken", Shape::Text { min: 1, max: 4096 }),
    optional("Filters", Shape::List(&Shape::Object(&[required("Key", KEYS), required("Values", WORDS)]))),
    optional("SortOrder", Shape::OneOf(&["asc", "desc"])),
    optional("SortBy", Shape::OneOf(&["created-date", "last-accessed-date", "last-changed-date", "name"])),
];

const PAGE_SIZE: i64 = 100;

pub(super) fn list(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(LIST)?;
    let (filters, with_deleted) = (request.list("Filters"), request.flag("IncludePlannedDeletion"));
    let (by, is_reversed) = (request.text("SortBy"), request.text("SortOrder") == Some("desc"));
    let list = format!("ListSecrets {} {with_deleted} {by:?} {is_reversed} {filters:?}", request.region);
    let after = match request.text("NextToken") {
        Some(token) => Some(pages::after_of(token, &list).ok_or_else(|| {
            Refusal::new(400, "InvalidNextTokenException", "NextToken isn't one that this list gave out.")
        })?),
        None => None,
    };
    let secrets = request.world.store.read(|transaction| Secret::all(transaction, request.region));
    let mut secrets: Vec<(String, Value)> = secrets
        .into_iter()
        .filter(|secret| with_deleted || secret.deletion.is_none())
        .filter(|secret| filters.iter().all(|filter| holds(filter, secret)))
        .map(|secret| (place(&secret, by, is_reversed), described(&secret, "SecretVersionsToStages")))
        .collect();
    secrets.sort_by(|(one, _), (other, _)| one.cmp(other));
    let size = request.number("MaxResults").unwrap_or(PAGE_SIZE) as usize;
    let (page, last) = pages::cut(secrets, after.as_deref(), size);
    let mut reply = Map::from_iter([("SecretList".to_owned(), Value::Array(page))]);
    if let Some(last) = last {
        reply.insert("NextToken".to_owned(), pages::token_after(&list, &last).into());
    }
    Ok(Value::Object(reply))
}

/// Where a secret stands in a list: texts that sort as the list does.
fn place(secret: &Secret, by: Option<&str>, is_reversed: bool) -> String {
    let moment = match by {
        Some("name") => 0,
        Some("last-accessed-date") => secret.accessed.unwrap_or(0),
        Some("last-changed-date") => secret.changed,
        _ => secret.created,
    };
    let place = format!("{moment:020} {}", secret.name);
    if !is_reversed {
        return place;
    }
    // Each byte's complement, and an end that comes after all of them: a name follows those that go on from it.
    place.bytes().map(|byte| format!("{:02x}", !byte)).chain(["~".to_owned()]).collect()
}

/// Whether a secret passes a filter: where it passes one of the filter's values. A value that begins with `!` lets pass
/// what the rest of it doesn't.
fn holds(filter: &Value, secret: &Secret) -> bool {
    let key = filter["Key"].as_str().unwrap_or_default();
    let mut values = filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    values.any(|value| match value.strip_prefix('!') {
        Some(value) => !matches(key, value, secret),
        None => matches(key, value, secret),
    })
}

/// Whether an attribute begins with a text. `all` looks for its words anywhere; it and descriptions know no case.
fn matches(key: &str, value: &str, secret: &Secret) -> bool {
    let description = secret.description.as_deref().unwrap_or_default().to_lowercase();
    match key {
        "name" => secret.name.starts_with(value),
        "description" => description.starts_with(&value.to_lowercase()),
        "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
        "tag-value" => secret.tags.values().any(|tag| tag.starts_with(value)),
        "all" => {
            let mut texts = vec![secret.name.to_lowercase(), description];
            texts.extend(secret.tags.iter().flat_map(|(key, value)| [key.to_lowercase(), value.to_lowercase()]));
            let value = value.to_lowercase();
            value.split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
        }
        // Nothing here is replicated, or another service's.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{holds, place};
    use crate::sandbox::secretsmanager::secret::Secret;

    fn secret(name: &str, created: u64) -> Secret {
        Secret {
            created,
            changed: 100 - created,
            description: Some("The Password of alice".to_owned()),
            tags: [("team".to_owned(), "Data".to_owned())].into(),
            ..Secret::new("us-east-1", name)
        }
    }

    #[test]
    fn filters_look_where_they_say() {
        let secret = secret("AmazonMSK_alice", 1);
        let passes = |key: &str, values: &[&str]| holds(&json!({"Key": key, "Values": values}), &secret);
        assert!(passes("name", &["AmazonMSK_"]) && !passes("name", &["amazonmsk_"]) && !passes("name", &["alice"]));
        assert!(passes("name", &["x", "Amazon"]) && passes("name", &["!x"]) && !passes("name", &["!Amazon"]));
        assert!(passes("description", &["the pass"]) && !passes("description", &["password"]));
        assert!(passes("tag-key", &["te"]) && passes("tag-value", &["Da"]) && !passes("tag-value", &["da"]));
        assert!(passes("all", &["ALICE data"]) && !passes("all", &["alice bob"]));
        assert!(!passes("primary-region", &["us-east-1"]));
    }

    #[test]
    fn each_order_has_its_reverse() {
        let secrets = [secret("a", 3), secret("ab", 1), secret("b", 2)];
        let ordered = |by: Option<&str>, is_reversed| {
            let mut places: Vec<_> =
                secrets.iter().map(|secret| (place(secret, by, is_reversed), secret.name.as_str())).collect();
            places.sort();
            places.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(ordered(None, false), ["ab", "b", "a"]);
        assert_eq!(ordered(None, true), ["a", "b", "ab"]);
        assert_eq!(ordered(Some("last-changed-date"), false), ["a", "b", "ab"]);
        assert_eq!(ordered(Some("name"), false), ["a", "ab", "b"]);
        assert_eq!(ordered(Some("name"), true), ["b", "ab", "a"]);
    }
}
