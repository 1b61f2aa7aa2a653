//! JSON text to a document.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Conditions, Document, Effect, Malformed, Principals, Scope, Statement, Strings};

type Result<T> = std::result::Result<T, Malformed>;

/// See [`Document::parse`].
pub(super) fn document(text: &str) -> Result<Document> {
    let place = "policy document";
    let json: Value = serde_json::from_str(&decode(text)?)
        .map_err(|error| malformed(place, format!("expected JSON, got {error}; correct its syntax")))?;
    let mut elements = object(json, place)?;
    let version = elements.remove("Version").map(|json| string(&json, "Version")).transpose()?;
    let statements = match elements.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => return Err(malformed(place, "expected a Statement, got none; add one".to_owned())),
    };
    let statements = statements
        .iter()
        .enumerate()
        .map(|(index, json)| statement(json, &format!("Statement {}", index + 1)))
        .collect::<Result<_>>()?;
    Ok(Document { version, statements, other: elements.into_iter().collect() })
}

/// See [`Statement::from_json`]; `place` is what its elements' places start with.
pub(super) fn statement(json: &Value, place: &str) -> Result<Statement> {
    let at = |element: &str| if place.is_empty() { element.to_owned() } else { format!("{place}, {element}") };
    let whole = if place.is_empty() { "statement" } else { place };
    let mut elements = object(json.clone(), whole)?;
    let sid = elements.remove("Sid").map(|json| string(&json, &at("Sid"))).transpose()?;
    Ok(Statement {
        sid: sid.filter(|sid| !sid.is_empty()),
        effect: effect(elements.remove("Effect").as_ref(), &at("Effect"))?,
        principals: scope(&mut elements, "Principal", &at, principals)?,
        actions: scope(&mut elements, "Action", &at, strings)?,
        resources: scope(&mut elements, "Resource", &at, strings)?,
        conditions: match elements.remove("Condition") {
            Some(json) => conditions(json, &at("Condition"))?,
            None => Conditions::new(),
        },
        other: elements.into_iter().collect(),
    })
}

/// A document starts with a brace; what doesn't, is encoded.
fn decode(text: &str) -> Result<String> {
    if text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| {
        malformed(
            "policy document",
            "expected JSON or URL-encoded JSON, got bytes that are not text; send text".to_owned(),
        )
    })?;
    Ok(decoded.into_owned())
}

fn effect(json: Option<&Value>, place: &str) -> Result<Effect> {
    match json.and_then(Value::as_str) {
        Some("Allow") => Ok(Effect::Allow),
        Some("Deny") => Ok(Effect::Deny),
        _ => Err(malformed(place, format!("expected \"Allow\" or \"Deny\", got {}; write one of them", shown(json)))),
    }
}

/// An element that comes as `name` or as `Notname`.
fn scope<T>(
    elements: &mut Map<String, Value>,
    name: &str,
    at: &impl Fn(&str) -> String,
    parse: impl Fn(Value, &str) -> Result<T>,
) -> Result<Option<Scope<T>>> {
    let negated = format!("Not{name}");
    match (elements.remove(name), elements.remove(&negated)) {
        (None, None) => Ok(None),
        (Some(json), None) => parse(json, &at(name)).map(|inner| Some(Scope::Only(inner))),
        (None, Some(json)) => parse(json, &at(&negated)).map(|inner| Some(Scope::Except(inner))),
        (Some(_), Some(_)) => Err(malformed(&at(name), format!("expected it alone, got {negated} too; remove one"))),
    }
}

fn principals(json: Value, place: &str) -> Result<Principals> {
    if json == "*" {
        return Ok(Principals::from([("AWS".to_owned(), Strings::from(["*".to_owned()]))]));
    }
    let Value::Object(kinds) = json else {
        let got = shown(Some(&json));
        return Err(malformed(place, format!("expected \"*\" or an object, got {got}; write {{\"AWS\": …}}")));
    };
    each(kinds, |kind, names| strings_of(names, &format!("{place}.{kind}"), scalar))
}

fn conditions(json: Value, place: &str) -> Result<Conditions> {
    each(object(json, place)?, |operator, keys| {
        let place = format!("{place}.{operator}");
        each(object(keys, &place)?, |key, values| strings_of(values, &format!("{place}.{key}"), scalar))
    })
}

fn each<T>(entries: Map<String, Value>, parse: impl Fn(&str, Value) -> Result<T>) -> Result<BTreeMap<String, T>> {
    entries.into_iter().map(|(key, json)| parse(&key, json).map(|parsed| (key, parsed))).collect()
}

fn strings(json: Value, place: &str) -> Result<Strings> {
    strings_of(json, place, string)
}

/// One value, or a list of them.
fn strings_of(json: Value, place: &str, parse: impl Fn(&Value, &str) -> Result<String>) -> Result<Strings> {
    match json {
        Value::Array(list) => list.iter().map(|one| parse(one, place)).collect(),
        one => Ok(Strings::from([parse(&one, place)?])),
    }
}

fn object(json: Value, place: &str) -> Result<Map<String, Value>> {
    match json {
        Value::Object(entries) => Ok(entries),
        other => Err(malformed(place, format!("expected an object, got {}; write {{\"…\": …}}", shown(Some(&other))))),
    }
}

fn string(json: &Value, place: &str) -> Result<String> {
    let text = json.as_str().map(str::to_owned);
    text.ok_or_else(|| malformed(place, format!("expected a string, got {}; put it in quotes", shown(Some(json)))))
}

/// A string, number or boolean: IAM reads all three as their text.
fn scalar(json: &Value, place: &str) -> Result<String> {
    match json {
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => string(other, place),
    }
}

fn shown(json: Option<&Value>) -> String {
    json.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

fn malformed(place: &str, problem: String) -> Malformed {
    Malformed { place: place.to_owned(), problem }
}
