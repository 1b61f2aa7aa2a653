//! Shapes of requests, as the services' models state them, and what is wrong with a request that doesn't have them.

use serde_json::Value;

use crate::sandbox::call::Refusal;

/// What a member of a request has to be.
pub(crate) enum Shape {
    /// A string of so many characters.
    Text { min: usize, max: usize },
    /// The same, of what no refusal may repeat.
    Secret { min: usize, max: usize },
    /// An integer within a range, both ends included.
    Whole { min: i64, max: i64 },
    /// A boolean.
    Flag,
    /// One of a few strings.
    OneOf(&'static [&'static str]),
    /// A list of any length.
    List(&'static Self),
    /// Strings by strings.
    Map,
    /// A structure.
    Object(&'static [Member]),
}

/// A string without constraints.
pub(crate) const TEXT: Shape = Shape::Text { min: 0, max: usize::MAX };
/// An integer without constraints.
pub(crate) const INTEGER: Shape = Shape::Whole { min: i32::MIN as i64, max: i32::MAX as i64 };

/// A member of a structure.
pub(crate) struct Member {
    name: &'static str,
    required: bool,
    shape: Shape,
}

/// A member that has to be there.
pub(crate) const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

/// A member that may be left out.
pub(crate) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

/// Checks a request's body. Members that the model doesn't know are ignored, as AWS does.
///
/// # Errors
/// `BadRequestException` in the words of AWS's own validation, naming every member at fault; the first is its parameter.
pub(crate) fn check(request: &Value, members: &[Member]) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    check_object(request, members, "", &mut faults);
    let Some((first, _)) = faults.first() else { return Ok(()) };
    let parameter = first.clone();
    let plural = if faults.len() == 1 { "" } else { "s" };
    let all: Vec<String> = faults.iter().map(|(_, fault)| fault.clone()).collect();
    let message = format!("{} validation error{plural} detected: {}", faults.len(), all.join("; "));
    Err(super::bad_request(message).at_parameter(parameter))
}

type Faults = Vec<(String, String)>;

fn check_object(value: &Value, members: &[Member], path: &str, faults: &mut Faults) {
    let Some(object) = value.as_object() else {
        return fail(path, value, "Member must be a structure", faults);
    };
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        match object.get(member.name) {
            None | Some(Value::Null) if member.required => {
                fail(&path, &Value::Null, "Member must not be null", faults);
            }
            None | Some(Value::Null) => {}
            Some(value) => check_value(value, &member.shape, &path, faults),
        }
    }
}

fn check_value(value: &Value, shape: &Shape, path: &str, faults: &mut Faults) {
    match shape {
        Shape::Text { min, max } => {
            if let Some(constraint) = broken_by_text(value, *min, *max) {
                fail(path, value, &constraint, faults);
            }
        }
        Shape::Secret { min, max } => {
            if let Some(constraint) = broken_by_text(value, *min, *max) {
                faults.push((path.to_owned(), format!("Value at '{path}' failed to satisfy constraint: {constraint}")));
            }
        }
        Shape::Whole { min, max } => match value.as_i64() {
            None => fail(path, value, "Member must be an integer", faults),
            Some(number) if number < *min => {
                fail(path, value, &format!("Member must have value greater than or equal to {min}"), faults);
            }
            Some(number) if number > *max => {
                fail(path, value, &format!("Member must have value less than or equal to {max}"), faults);
            }
            Some(_) => {}
        },
        Shape::Flag if value.is_boolean() => {}
        Shape::Flag => fail(path, value, "Member must be a boolean", faults),
        Shape::OneOf(values) if value.as_str().is_some_and(|text| values.contains(&text)) => {}
        Shape::OneOf(values) => {
            fail(path, value, &format!("Member must satisfy enum value set: [{}]", values.join(", ")), faults);
        }
        Shape::List(member) => match value.as_array() {
            None => fail(path, value, "Member must be a list", faults),
            Some(values) => {
                for (index, value) in values.iter().enumerate() {
                    check_value(value, member, &format!("{path}.{}.member", index + 1), faults);
                }
            }
        },
        Shape::Map if value.as_object().is_some_and(|map| map.values().all(Value::is_string)) => {}
        Shape::Map => fail(path, value, "Member must be a map of strings", faults),
        Shape::Object(members) => check_object(value, members, path, faults),
    }
}

/// The constraint that a value breaks which should be a string of so many characters.
fn broken_by_text(value: &Value, min: usize, max: usize) -> Option<String> {
    match value.as_str().map(|text| text.chars().count()) {
        None => Some("Member must be a string".to_owned()),
        Some(length) if length < min => Some(format!("Member must have length greater than or equal to {min}")),
        Some(length) if length > max => Some(format!("Member must have length less than or equal to {max}")),
        Some(_) => None,
    }
}

fn fail(path: &str, value: &Value, constraint: &str, faults: &mut Faults) {
    let value = match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("'{text}'"),
        other => format!("'{other}'"),
    };
    faults.push((path.to_owned(), format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}")));
}

#[cfg(test)]
mod tests {
    use super::{Member, Shape, check, optional, required};
    use serde_json::json;

    const MEMBERS: &[Member] = &[
        required("name", Shape::Text { min: 1, max: 4 }),
        optional("count", Shape::Whole { min: 1, max: 8 }),
        optional("kind", Shape::OneOf(&["ZIP", "JAR"])),
        optional("at", Shape::Object(&[required("place", super::TEXT)])),
        optional("names", Shape::List(&super::TEXT)),
        optional("tags", Shape::Map),
    ];

    #[test]
    fn a_fitting_request_passes_and_unknown_members_are_ignored() {
        let request = json!({"name": "abcd", "count": 8, "kind": "ZIP", "at": {"place": ""}, "names": ["x"], "tags": {"a": "b"}, "more": 1});
        assert!(check(&request, MEMBERS).is_ok());
    }

    #[test]
    fn a_refusal_does_not_repeat_a_secret() {
        const SECRET: &[Member] = &[optional("value", Shape::Secret { min: 1, max: 4 })];
        for value in [json!("hunter2"), json!({"password": "hunter2"}), json!(["hunter2"])] {
            let Err(refusal) = check(&json!({"value": value}), SECRET) else { panic!("expected a refusal") };
            assert!(refusal.message.contains("at 'value' failed"), "{refusal}");
            assert!(!refusal.message.contains("hunter2"), "{refusal}");
        }
        assert!(check(&json!({"value": "abcd"}), SECRET).is_ok());
    }

    #[test]
    fn every_fault_is_named() {
        let request = json!({"count": 9, "kind": "RAR", "at": {}, "names": [1], "tags": {"a": 1}});
        let message = check(&request, MEMBERS).map_err(|refusal| refusal.message);
        let Err(message) = message else { panic!("expected a refusal") };
        assert!(message.starts_with("6 validation errors detected: Value null at 'name'"), "{message}");
        for fault in
            ["'9' at 'count'", "enum value set: [ZIP, JAR]", "null at 'at.place'", "'names.1.member'", "at 'tags'"]
        {
            assert!(message.contains(fault), "{fault} in {message}");
        }
    }
}
