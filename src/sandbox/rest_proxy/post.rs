//! The body of a post: records as JSON, their keys and values embedded as the content type says.

use std::fmt::{self, Formatter};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::compact::compact;
use super::media::Embedded;
use super::problem::Problem;

/// A record of a post, as it is to be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) partition: Option<i32>,
}

/// What was posted.
#[derive(Default)]
struct Post<'a> {
    records: Option<Vec<Entry<'a>>>,
}

/// Its members. What concerns schemas is allowed in every format, and means nothing in ours.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum PostMember {
    Records,
    KeySchema,
    KeySchemaId,
    ValueSchema,
    ValueSchemaId,
}

#[derive(Default)]
struct Entry<'a> {
    key: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    partition: Option<i32>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum EntryMember {
    Key,
    Value,
    Partition,
}

// Written by hand, because what serde derives takes an array of the members for the object, too, and refuses a member
// that comes twice, of which Jackson takes the last.
impl<'de> Deserialize<'de> for Post<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(Self::default()))
    }
}

impl<'de> Deserialize<'de> for Entry<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(Self::default()))
    }
}

/// Reads an object member by member.
struct Members<T>(T);

impl<'de> Visitor<'de> for Members<Post<'de>> {
    type Value = Post<'de>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with records")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Post<'de>, A::Error> {
        while let Some(member) = map.next_key()? {
            match member {
                PostMember::Records => self.0.records = map.next_value()?,
                PostMember::KeySchema
                | PostMember::KeySchemaId
                | PostMember::ValueSchema
                | PostMember::ValueSchemaId => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(self.0)
    }
}

impl<'de> Visitor<'de> for Members<Entry<'de>> {
    type Value = Entry<'de>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record, an object with a value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Entry<'de>, A::Error> {
        while let Some(member) = map.next_key()? {
            match member {
                EntryMember::Key => self.0.key = map.next_value()?,
                EntryMember::Value => self.0.value = map.next_value()?,
                EntryMember::Partition => self.0.partition = map.next_value()?,
            }
        }
        Ok(self.0)
    }
}

/// The proxy takes base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads a post.
///
/// # Errors
/// 400 for what can't be read, 422 for what breaks a rule.
pub(super) fn read(body: &[u8], embedded: Embedded) -> Result<Vec<Asked>, Problem> {
    if matches!(body.trim_ascii(), b"" | b"null") {
        return Err(Problem::invalid("request must not be null (was null)"));
    }
    let post: Post<'_> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let entries = post.records.unwrap_or_default();
    if entries.is_empty() {
        return Err(Problem::invalid("records must not be empty (was [])"));
    }
    // All keys and values of a post share one piece of memory.
    let mut bytes = Vec::with_capacity(body.len());
    let mut places = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(partition) = entry.partition.filter(|partition| *partition < 0) {
            return Err(Problem::invalid(format!(
                "records[{index}].partition must be greater than or equal to 0 (was {partition})"
            )));
        }
        let mut place = |what: &str, raw: Option<&RawValue>| {
            let Some(raw) = raw else { return Ok(None) };
            let from = bytes.len();
            embed(raw, embedded, what, &mut bytes)?;
            Ok(Some(from..bytes.len()))
        };
        places.push((place("key", entry.key)?, place("value", entry.value)?, entry.partition));
    }
    let bytes = Bytes::from(bytes);
    let records = places.into_iter().map(|(key, value, partition)| Asked {
        key: key.map(|place| bytes.slice(place)),
        value: value.map(|place| bytes.slice(place)),
        partition,
    });
    Ok(records.collect())
}

fn embed(raw: &RawValue, embedded: Embedded, what: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
    match embedded {
        Embedded::Json => compact(raw.get(), out).map_err(|error| Problem::unreadable(error.to_string())),
        Embedded::Binary => {
            let invalid = || Problem::invalid(format!("Record {what} contains invalid base64 encoding"));
            let text: String = serde_json::from_str(raw.get()).map_err(|_| invalid())?;
            BASE64.decode_vec(text, out).map_err(|_| invalid())
        }
    }
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match unknown {
        Some(field) => Problem::invalid(format!("Unrecognized field: {field}")),
        None => Problem::unreadable(message),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn asked(key: Option<&'static str>, value: Option<&'static str>, partition: Option<i32>) -> Asked {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Asked { key: key.map(bytes), value: value.map(bytes), partition }
    }

    #[test]
    fn json_is_embedded_as_it_is_and_compact() {
        let body =
            br#"{"records": [ {"key": "k", "value": {"b": 1.50, "a": [ ]}}, {"value": null, "partition": 2}, {} ],
                        "value_schema": null}"#;
        assert_eq!(
            read(body, Embedded::Json).unwrap(),
            [
                asked(Some("\"k\""), Some(r#"{"b":1.5,"a":[]}"#), None),
                asked(None, None, Some(2)),
                asked(None, None, None)
            ]
        );
    }

    #[test]
    fn of_a_member_that_comes_twice_the_last_counts() {
        let body = br#"{"records":[],"records":[{"value":1,"value":2,"partition":1,"partition":null}]}"#;
        assert_eq!(read(body, Embedded::Json).unwrap(), [asked(None, Some("2"), None)]);
    }

    #[test]
    fn binary_is_embedded_as_base64() {
        let body = br#"{"records":[{"key":"a2V5","value":"dg=="},{"value":"dg"},{"value":""},{"value":null}]}"#;
        assert_eq!(
            read(body, Embedded::Binary).unwrap(),
            [
                asked(Some("key"), Some("v"), None),
                asked(None, Some("v"), None),
                asked(None, Some(""), None),
                asked(None, None, None)
            ]
        );
        for (body, message) in [
            (&br#"{"records":[{"value":"!"}]}"#[..], "Record value contains invalid base64 encoding"),
            (br#"{"records":[{"value":{"a":1}}]}"#, "Record value contains invalid base64 encoding"),
            (br#"{"records":[{"key":"a b","value":"dg=="}]}"#, "Record key contains invalid base64 encoding"),
        ] {
            let problem = read(body, Embedded::Binary).unwrap_err();
            assert_eq!((problem.code, problem.message.as_str()), (422, message));
        }
    }

    #[test]
    fn what_breaks_a_rule_is_told_from_what_cannot_be_read() {
        let problem = |body: &str| read(body.as_bytes(), Embedded::Json).unwrap_err();
        for (body, message) in [
            ("", "request must not be null (was null)"),
            (" null ", "request must not be null (was null)"),
            ("{}", "records must not be empty (was [])"),
            (r#"{"records":[]}"#, "records must not be empty (was [])"),
            (r#"{"records":[{"value":1}],"more":2}"#, "Unrecognized field: more"),
            (r#"{"records":[{"val":1}]}"#, "Unrecognized field: val"),
            (
                r#"{"records":[{"value":1,"partition":-1}]}"#,
                "records[0].partition must be greater than or equal to 0 (was -1)",
            ),
        ] {
            assert_eq!((problem(body).code, problem(body).message.as_str()), (422, message), "{body}");
        }
        for body in [
            "{",
            "[]",
            "x",
            r#"{"records":1}"#,
            r#"{"records":[["k","v"]]}"#,
            r#"{"records":[{"value":1}]} x"#,
            r#"{"records":[{"value":01}]}"#,
        ] {
            assert_eq!(problem(body).code, 400, "{body}");
        }
        assert_eq!(read(b"{\"records\":[{\"value\":\"\xff\"}]}", Embedded::Json).unwrap_err().code, 400);
    }
}
