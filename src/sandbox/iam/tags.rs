//! Tags of roles, policies and instance profiles. Their keys have no case of their own: `Name` and `name` are one.

use serde::{Deserialize, Serialize};

use super::page::Page;
use super::refusals::{invalid_input, limit_exceeded};
use super::rules::{TAG_KEY, TAG_VALUE};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::{Parameters, Xml};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// How many tags one entity can have.
const LIMIT: usize = 50;

/// The tags of a call.
///
/// # Errors
/// Where a key or value is not one, a key comes twice, or there are more than an entity can have.
pub(crate) fn given(parameters: &Parameters) -> Result<Vec<Tag>, Refusal> {
    let records = parameters.records("Tags");
    let mut reader = parameters.reader();
    let mut tags: Vec<Tag> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let (key, value) = (record.text("Key").unwrap_or_default(), record.text("Value").unwrap_or_default());
        let place = index + 1;
        reader.check(&format!("tags.{place}.member.key"), key, &TAG_KEY);
        reader.check(&format!("tags.{place}.member.value"), value, &TAG_VALUE);
        tags.push(Tag { key: key.to_owned(), value: value.to_owned() });
    }
    reader.finish()?;
    if tags.len() > LIMIT {
        let constraint = format!("Member must have length less than or equal to {LIMIT}");
        let message =
            format!("1 validation error detected: Value at 'tags' failed to satisfy constraint: {constraint}");
        return Err(Refusal::new(400, "ValidationError", message));
    }
    if tags.iter().any(|tag| is_reserved(&tag.key)) {
        return Err(reserved());
    }
    let mut keys: Vec<String> = tags.iter().map(|tag| tag.key.to_lowercase()).collect();
    keys.sort();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
    }
    Ok(tags)
}

fn is_reserved(key: &str) -> bool {
    key.to_lowercase().starts_with("aws:")
}

fn reserved() -> Refusal {
    invalid_input("Tag keys that begin with aws: are reserved for AWS and cannot be added, changed or removed.")
}

/// Adds tags, or gives those that are there new values.
///
/// # Errors
/// `LimitExceeded` where that would be too many.
pub(super) fn add(tags: &mut Vec<Tag>, added: Vec<Tag>) -> Result<(), Refusal> {
    tags.retain(|tag| !added.iter().any(|new| new.key.to_lowercase() == tag.key.to_lowercase()));
    tags.extend(added);
    if tags.len() > LIMIT {
        return Err(limit_exceeded("The number of tags has reached the maximum limit."));
    }
    Ok(())
}

/// Removes the tags whose keys a call names.
///
/// # Errors
/// `InvalidInput` for a key of AWS's own.
pub(super) fn remove(tags: &mut Vec<Tag>, parameters: &Parameters) -> Result<(), Refusal> {
    let keys: Vec<String> = parameters.texts("TagKeys").iter().map(|key| key.to_lowercase()).collect();
    if keys.iter().any(|key| is_reserved(key)) {
        return Err(reserved());
    }
    tags.retain(|tag| !keys.contains(&tag.key.to_lowercase()));
    Ok(())
}

/// Writes tags where there are any: IAM leaves the element out otherwise.
pub(super) fn write(xml: &mut Xml, tags: &[Tag]) {
    if !tags.is_empty() {
        xml.list("Tags", tags, write_one);
    }
}

fn write_one(xml: &mut Xml, tag: &Tag) {
    xml.text("Key", &tag.key).text("Value", &tag.value);
}

/// The page of tags that a call asks for.
///
/// # Errors
/// As for every page.
pub(super) fn list(parameters: &Parameters, tags: &[Tag]) -> Result<Xml, Refusal> {
    let mut items: Vec<(String, &Tag)> = tags.iter().map(|tag| (tag.key.clone(), tag)).collect();
    items.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(Page::of(parameters, items)?.xml("Tags", write_one))
}
