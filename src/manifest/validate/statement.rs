//! Policy statements
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::problem::Findings;
use super::super::raw::{Statement, Texts};
use super::super::yaml::At;

/// The statements as JSON in IAM's spelling.
pub(super) fn statements(raw: Option<&At<Vec<At<Statement>>>>, findings: &mut Findings) -> Vec<Value> {
    let statements = raw.map(|statements| statements.value.as_slice()).unwrap_or_default();
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for id in statements.iter().filter_map(|statement| statement.sid.as_ref()) {
        if let Err(problem) = is_statement_id(id) {
            findings.problem(id.at, problem);
        }
        if let Some(line) = ids.insert(id, id.at.line) {
            findings.problem(
                id.at,
                format!("Sid \"{}\" is here twice, first on line {line}; rename one of them", id.value),
            );
        }
    }
    statements.iter().map(|statement| self::statement(statement, findings)).collect()
}

/// A policy of an identity takes ASCII letters and digits in a Sid; ours all start with Pipeline.
fn is_statement_id(id: &str) -> Result<(), String> {
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("\"{id}\" can't be a Sid; use letters and digits"));
    }
    if id.starts_with("Pipeline") {
        return Err(format!(
            "\"{id}\" starts as the generated statements' Sids do; choose another start than Pipeline"
        ));
    }
    Ok(())
}

fn statement(raw: &At<Statement>, findings: &mut Findings) -> Value {
    exactly_one("Action", &raw.action, &raw.not_action, raw, findings);
    exactly_one("Resource", &raw.resource, &raw.not_resource, raw, findings);
    for action in raw.action.iter().chain(&raw.not_action).flat_map(|texts| &texts.value) {
        if !is_action(action) {
            findings.problem(
                action.at,
                format!("\"{}\" is no action; expected SERVICE:ACTION, such as s3:GetObject", action.value),
            );
        }
    }
    for resource in raw.resource.iter().chain(&raw.not_resource).flat_map(|texts| &texts.value) {
        // Wildcards and policy variables may stand in any part, so that no more can be said of it.
        if resource.value != "*" && !resource.starts_with("arn:") {
            findings.problem(
                resource.at,
                format!(
                    "\"{}\" is no resource; \
                expected an ARN, or \"*\"",
                    resource.value
                ),
            );
        }
    }
    json(raw)
}

fn exactly_one(
    what: &str,
    plain: &Option<Texts>,
    negated: &Option<Texts>,
    statement: &At<Statement>,
    findings: &mut Findings,
) {
    match (plain, negated) {
        (Some(_), Some(negated)) => {
            findings.problem(negated.key_at, format!("{what} and Not{what} exclude each other; keep one of them"));
        }
        (None, None) => findings.problem(statement.at, format!("the statement has no {what}; add it")),
        (Some(texts), None) | (None, Some(texts)) if texts.is_empty() => {
            findings.problem(texts.at, format!("{what} is empty; put something into it"));
        }
        _ => {}
    }
}

fn is_action(text: &str) -> bool {
    let name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-*?".contains(c));
    text == "*" || text.split_once(':').is_some_and(|(service, action)| name(service) && name(action))
}

fn json(raw: &Statement) -> Value {
    let mut object = Map::new();
    if let Some(id) = &raw.sid {
        object.insert("Sid".to_owned(), id.value.clone().into());
    }
    object.insert("Effect".to_owned(), raw.effect.value.clone().into());
    let lists = [
        ("Action", &raw.action),
        ("NotAction", &raw.not_action),
        ("Resource", &raw.resource),
        ("NotResource", &raw.not_resource),
    ];
    for (name, texts) in lists {
        if let Some(texts) = texts {
            object.insert(name.to_owned(), one_or_many(texts));
        }
    }
    if let Some(condition) = &raw.condition {
        let operators = condition.iter().map(|(operator, keys)| {
            let keys: Map<String, Value> =
                keys.iter().map(|(key, values)| (key.clone(), one_or_many(values))).collect();
            (operator.clone(), Value::Object(keys))
        });
        object.insert("Condition".to_owned(), Value::Object(operators.collect()));
    }
    Value::Object(object)
}

/// One text as itself, as AWS's own examples have it.
fn one_or_many(texts: &Texts) -> Value {
    match texts.as_slice() {
        [text] => text.value.clone().into(),
        texts => texts.iter().map(|text| Value::from(text.value.clone())).collect(),
    }
}
