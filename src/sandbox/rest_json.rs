//! What MSK and MSK Connect share of AWS's REST-JSON protocol: the shapes of requests, pages of lists, times, tags, ids.

pub(crate) mod pages;
pub(crate) mod shape;

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::call::{Call, PathValues, Refusal};
use super::world::Millis;

/// Tags of a resource, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// AWS allows 50 tags on a resource.
const MAX_TAGS: usize = 50;

/// A moment as ISO 8601 in UTC with milliseconds, the way both services write times.
pub(crate) fn iso8601(at: Millis) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&format).ok())
        .unwrap_or_default()
}

/// `BadRequestException`, which both services answer to whatever is wrong with a request.
pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "BadRequestException", message)
}

/// `NotFoundException`.
pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
    Refusal::new(404, "NotFoundException", message)
}

/// The value of a path's `{name}`; empty where the route has none of that name.
pub(crate) fn path_value<'a>(path: &'a PathValues, name: &str) -> &'a str {
    path.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// What AWS appends to a name to make an ARN unique: a UUID and a digit.
pub(crate) fn unique_suffix() -> String {
    let id = uuid::Uuid::new_v4();
    format!("{id}-{}", id.as_bytes()[0] % 20 + 1)
}

/// A version of a cluster or a connector, such as `K3P5ROKL5A1OLE`: opaque, and never the same twice.
pub(crate) fn version() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let id = uuid::Uuid::new_v4();
    let rest = id.as_bytes().iter().take(13).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    std::iter::once('K').chain(rest).collect()
}

/// The tags in a request's `tags`, which may be absent.
pub(crate) fn tags_of(request: &Value) -> Result<Tags, Refusal> {
    let tags: Tags = request
        .get("tags")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    check_tags(&tags)?;
    Ok(tags)
}

/// Whether a request brings tags along.
pub(crate) fn has_tags(request: &Value) -> bool {
    request["tags"].as_object().is_some_and(|tags| !tags.is_empty())
}

/// AWS's rules for tags: at most 50, keys of 1 to 128 characters, values of up to 256, none of AWS's own `aws:` keys.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > MAX_TAGS {
        return Err(bad_request(format!("A resource can have at most {MAX_TAGS} tags, got {}.", tags.len())));
    }
    for (key, value) in tags {
        let key_length = key.chars().count();
        if !(1..=128).contains(&key_length) || value.chars().count() > 256 {
            return Err(bad_request(format!("Tag keys have 1 to 128 characters and values up to 256, got '{key}'.")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(bad_request(format!("Tag keys that start with aws: are reserved, got '{key}'.")));
        }
    }
    Ok(())
}

/// The keys that an UntagResource names; at least one.
pub(crate) fn tag_keys(call: &Call) -> Result<Vec<&str>, Refusal> {
    let keys = call.query_all("tagKeys");
    if keys.is_empty() { Err(bad_request("tagKeys must name at least one key.")) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::{iso8601, unique_suffix, version};

    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(iso8601(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
    }

    #[test]
    fn versions_look_like_awss_and_differ() {
        let one = version();
        assert_eq!((one.len(), one.starts_with('K')), (14, true));
        assert_ne!(one, version());
        assert_ne!(unique_suffix(), unique_suffix());
    }
}
