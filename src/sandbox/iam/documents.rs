//! Policy documents: read from JSON, and refused where AWS refuses them, in its words.
//!
//! Rules: AWS's "Grammar of the IAM JSON policy language", and for the messages what AWS answers to malformed documents.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::conditions::{Condition, Operator};
use super::refusals::malformed;
use super::{resource_names, service_principals};
use crate::sandbox::call::Refusal;

/// What a document is for, which decides what it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a role may do: resources, no principals.
    Identity,
    /// Who may assume a role: principals, no resources.
    Trust,
}

/// A document that AWS would accept.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) principals: Principals,
    pub(super) actions: Selection,
    pub(super) resources: Selection,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// The things that an element or its `Not…` sibling selects.
#[derive(Clone, Debug)]
pub(super) enum Selection {
    These(Vec<String>),
    AllBut(Vec<String>),
    /// Neither element is there: a trust policy is about its own role.
    Everything,
}

/// Whom a trust statement is about. Empty for identity policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Principals {
    pub(super) aws: Vec<String>,
    pub(super) services: Vec<String>,
    pub(super) except: bool,
}

const TOP_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn syntax_error() -> Refusal {
    malformed("Syntax errors in policy.")
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`. Whether the principals of a trust policy exist is not asked here.
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_str(text).map_err(|_| match kind {
            Kind::Identity => syntax_error(),
            Kind::Trust => malformed("This policy contains invalid Json"),
        })?;
        let top = value.as_object().ok_or_else(syntax_error)?;
        if top.keys().any(|key| !TOP_ELEMENTS.contains(&key.as_str()))
            || top.get("Id").is_some_and(|id| !id.is_string())
        {
            return Err(syntax_error());
        }
        check_version(top.get("Version"), kind)?;
        let statements = statements(&value)?;
        check_sids(&statements)?;
        let statements = statements.into_iter().map(|statement| Statement::parse(statement, kind));
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }
}

fn check_version(version: Option<&Value>, kind: Kind) -> Result<(), Refusal> {
    match (version.map(Value::as_str), kind) {
        (Some(Some("2012-10-17")), _) | (None | Some(Some("2008-10-17")), Kind::Trust) => Ok(()),
        (None | Some(Some("2008-10-17")), Kind::Identity) => {
            Err(malformed("Policy document must be version 2012-10-17 or greater."))
        }
        _ => Err(syntax_error()),
    }
}

/// The statements: a list of objects, or a single one.
fn statements(document: &Value) -> Result<Vec<&Map<String, Value>>, Refusal> {
    let statements: Option<Vec<_>> = match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().map(Value::as_object).collect(),
        Some(Value::Object(one)) => Some(vec![one]),
        _ => None,
    };
    statements.filter(|list| !list.is_empty()).ok_or_else(syntax_error)
}

fn check_sids(statements: &[&Map<String, Value>]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for sid in statements.iter().filter_map(|statement| statement.get("Sid")) {
        let sid = sid.as_str().ok_or_else(syntax_error)?;
        if !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
            let hint = "Check that your input satisfies the regular expression [0-9A-Za-z]*";
            return Err(malformed(format!("Statement IDs (SID) must be alpha-numeric. {hint}")));
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
        }
    }
    Ok(())
}

impl Statement {
    fn parse(statement: &Map<String, Value>, kind: Kind) -> Result<Self, Refusal> {
        if statement.keys().any(|key| !STATEMENT_ELEMENTS.contains(&key.as_str())) {
            return Err(syntax_error());
        }
        let effect = match statement.get("Effect").map(Value::as_str) {
            Some(Some("Allow")) => Effect::Allow,
            Some(Some("Deny")) => Effect::Deny,
            None if kind == Kind::Trust => return Err(malformed("Missing required field Effect")),
            _ => return Err(syntax_error()),
        };
        let principals = match kind {
            Kind::Identity => forbid_principals(statement)?,
            Kind::Trust => Principals::parse(statement, effect)?,
        };
        Ok(Self {
            effect,
            principals,
            actions: actions(statement, kind)?,
            resources: resources(statement, kind)?,
            conditions: conditions(statement)?,
        })
    }
}

/// An element or its `Not…` sibling: never both, and never an empty list.
fn selection(statement: &Map<String, Value>, element: &str, missing: &str) -> Result<Selection, Refusal> {
    let opposite = format!("Not{element}");
    let (values, select): (_, fn(Vec<String>) -> Selection) = match (statement.get(element), statement.get(&opposite)) {
        (Some(these), None) => (these, Selection::These),
        (None, Some(others)) => (others, Selection::AllBut),
        (Some(_), Some(_)) => return Err(syntax_error()),
        (None, None) => return Ok(Selection::Everything),
    };
    let values = texts(values).ok_or_else(syntax_error)?;
    if values.is_empty() {
        return Err(malformed(missing));
    }
    Ok(select(values))
}

/// One text, or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl Selection {
    fn values(&self) -> &[String] {
        match self {
            Self::These(values) | Self::AllBut(values) => values,
            Self::Everything => &[],
        }
    }
}

fn actions(statement: &Map<String, Value>, kind: Kind) -> Result<Selection, Refusal> {
    let missing = match kind {
        Kind::Identity => "Policy statement must contain actions.",
        Kind::Trust => "Missing required field Action",
    };
    let actions = selection(statement, "Action", missing)?;
    if matches!(actions, Selection::Everything) {
        return Err(malformed(missing));
    }
    for action in actions.values() {
        check_action(action)?;
        if kind == Kind::Trust && !is_trust_action(action) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
    }
    Ok(actions)
}

fn check_action(action: &str) -> Result<(), Refusal> {
    if action == "*" {
        return Ok(());
    }
    let (vendor, name) = action.split_once(':').ok_or_else(unprefaced)?;
    if name.contains(':') {
        return Err(malformed("Actions/Condition can contain only one colon."));
    }
    if vendor.is_empty() || !vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
        return Err(malformed(format!("Vendor {vendor} is not valid")));
    }
    Ok(())
}

fn unprefaced() -> Refusal {
    malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
}

/// What a trust policy may be about.
const TRUST_ACTIONS: [&str; 6] = [
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
];

fn is_trust_action(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    TRUST_ACTIONS.contains(&action.as_str()) || (action.starts_with("sts:") && action.contains('*'))
}

fn resources(statement: &Map<String, Value>, kind: Kind) -> Result<Selection, Refusal> {
    let missing = "Policy statement must contain resources.";
    if kind == Kind::Trust {
        let prohibited = ["Resource", "NotResource"].into_iter().find(|element| statement.contains_key(*element));
        return match prohibited {
            Some(element) => Err(malformed(format!("Has prohibited field {element}"))),
            None => Ok(Selection::Everything),
        };
    }
    let resources = selection(statement, "Resource", missing)?;
    if matches!(resources, Selection::Everything) {
        return Err(malformed(missing));
    }
    resources.values().iter().try_for_each(|resource| resource_names::check(resource))?;
    Ok(resources)
}

fn conditions(statement: &Map<String, Value>) -> Result<Vec<Condition>, Refusal> {
    let Some(element) = statement.get("Condition") else { return Ok(Vec::new()) };
    let mut conditions = Vec::new();
    for (name, keys) in element.as_object().ok_or_else(syntax_error)? {
        let operator = Operator::parse(name).ok_or_else(|| malformed(format!("Invalid Condition type : {name}.")))?;
        for (key, values) in keys.as_object().ok_or_else(syntax_error)? {
            if !key.contains(':') {
                return Err(unprefaced());
            }
            let values = condition_values(values).ok_or_else(syntax_error)?;
            conditions.push(Condition { operator, key: key.clone(), values });
        }
    }
    Ok(conditions)
}

/// Condition values may be written as JSON's numbers and booleans too.
fn condition_values(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(list) => list.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

fn forbid_principals(statement: &Map<String, Value>) -> Result<Principals, Refusal> {
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err(malformed("Policy document should not specify a principal."));
    }
    Ok(Principals::default())
}

impl Principals {
    fn parse(statement: &Map<String, Value>, effect: Effect) -> Result<Self, Refusal> {
        let (element, except) = match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(these), None) => (these, false),
            (None, Some(others)) if effect == Effect::Deny => (others, true),
            (None, Some(_)) => return Err(malformed("Allow with NotPrincipal is not allowed.")),
            (Some(_), Some(_)) => return Err(syntax_error()),
            (None, None) => return Err(malformed("Missing required field Principal")),
        };
        if element == "*" {
            return Err(malformed("AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\"."));
        }
        let kinds = element.as_object().ok_or_else(syntax_error)?;
        let mut principals = Self { except, ..Self::default() };
        for (kind, names) in kinds {
            let mut names = texts(names).ok_or_else(syntax_error)?;
            if names.is_empty() {
                return Err(malformed("Missing required field Principal cannot be empty!"));
            }
            match kind.as_str() {
                "AWS" => principals.aws.append(&mut names),
                "Service" => {
                    check_names("SERVICE", &names, service_principals::is_known)?;
                    principals.services.append(&mut names);
                }
                // Nobody can sign in to a sandbox from elsewhere, so these are accepted and match no one.
                "Federated" => check_names("FEDERATED", &names, service_principals::is_identity_provider)?,
                other => return Err(invalid_principal(&other.to_uppercase(), names.first().map_or("", |name| name))),
            }
        }
        if kinds.is_empty() {
            return Err(malformed("Missing required field Principal cannot be empty!"));
        }
        Ok(principals)
    }
}

fn check_names(kind: &str, names: &[String], known: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let unknown = names.iter().find(|name| !known(name));
    unknown.map_or(Ok(()), |name| Err(invalid_principal(kind, name)))
}

/// AWS's refusal of a principal that does not exist.
pub(super) fn invalid_principal(kind: &str, name: &str) -> Refusal {
    malformed(format!("Invalid principal in policy: \"{kind}\":\"{name}\""))
}

/// How large a document counts: AWS leaves white space out of the quotas of roles.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests;
