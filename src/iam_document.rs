//! IAM policy documents, parsed and compared by what they mean.
//!
//! AWS gives a document back URL-encoded, and people write the same one in many ways: a string or a list of one, lists
//! in any order, an account's number or its root's ARN, actions in any case. Two documents, or two statements, are
//! equal here when IAM decides alike by them. What was spelled in one way is rendered in that way.
//!
//! The rules are those of the IAM user guide's chapter "IAM JSON policy element reference".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

mod parse;
#[cfg(test)]
mod tests;

/// The version of the language that has policy variables.
pub const VERSION: &str = "2012-10-17";

/// The version that IAM takes a document for which names none.
const UNNAMED_VERSION: &str = "2008-10-17";

/// How an ARN names a whole account, in every partition.
const ACCOUNT_SUFFIX: &str = ":root";

/// IAM's unique ids are at least this long.
const SHORTEST_UNIQUE_ID: usize = 16;

/// What is not a policy document: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Malformed {
    /// The element: `Statement 2, Action`.
    pub place: String,
    /// What was expected, what is there, what to do.
    pub problem: String,
}

/// A policy document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The version of the policy language, where it is named.
    pub version: Option<String>,
    /// The statements, in their order, which means nothing.
    pub statements: Vec<Statement>,
    /// Elements that are not known here, and `Id`.
    pub other: BTreeMap<String, Value>,
}

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

impl Effect {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// What an element that comes in two forms holds: `Action` and `NotAction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope<T> {
    /// These.
    Only(T),
    /// All others.
    Except(T),
}

impl<T> Scope<T> {
    fn map(self, change: impl FnOnce(T) -> T) -> Self {
        match self {
            Self::Only(inner) => Self::Only(change(inner)),
            Self::Except(inner) => Self::Except(change(inner)),
        }
    }

    fn render(&self, name: &str, render: impl FnOnce(&T) -> Value) -> (String, Value) {
        match self {
            Self::Only(inner) => (name.to_owned(), render(inner)),
            Self::Except(inner) => (format!("Not{name}"), render(inner)),
        }
    }
}

/// Strings whose order and repetition mean nothing.
pub type Strings = BTreeSet<String>;

/// Principals by their type: `AWS`, `Service`, `Federated`, `CanonicalUser`. Everybody is `*` of type `AWS`.
pub type Principals = BTreeMap<String, Strings>;

/// Condition values by operator and condition key; numbers and booleans as text.
pub type Conditions = BTreeMap<String, BTreeMap<String, Strings>>;

/// One statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its name within the document; never empty.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whom it is about; only resource policies, such as a role's trust policy, have it.
    pub principals: Option<Scope<Principals>>,
    /// Which actions it is about.
    pub actions: Option<Scope<Strings>>,
    /// Which resources it is about; trust policies lack it.
    pub resources: Option<Scope<Strings>>,
    /// When it holds.
    pub conditions: Conditions,
    /// Elements that are not known here.
    pub other: BTreeMap<String, Value>,
}

impl Document {
    /// A document of these statements, in the current version of the language.
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: Some(VERSION.to_owned()), statements, other: BTreeMap::new() }
    }

    /// Parses a document, as it is written or URL-encoded as IAM's replies have it.
    ///
    /// # Errors
    /// Where it is not JSON, or not a policy document.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        parse::document(text)
    }

    /// The version of the policy language that holds for it.
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or(UNNAMED_VERSION)
    }

    /// It as JSON, elements in IAM's customary order, lists of one as a string.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        if let Some(version) = &self.version {
            json.insert("Version".to_owned(), version.as_str().into());
        }
        json.extend(self.other.clone());
        json.insert("Statement".to_owned(), self.statements.iter().map(Statement::to_json).collect());
        Value::Object(json)
    }

    /// How many characters IAM counts for its limits: all but white space.
    pub fn size(&self) -> usize {
        self.to_string().chars().filter(|character| !character.is_whitespace()).count()
    }
}

/// The text that IAM is sent.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

/// Whether IAM decides alike by both; the order and the repetition of statements mean nothing.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let meanings = |document: &Self| document.statements.iter().map(Statement::meaning).collect::<Vec<_>>();
        let (ours, theirs) = (meanings(self), meanings(other));
        self.version() == other.version()
            && self.other == other.other
            && ours.iter().all(|statement| theirs.contains(statement))
            && theirs.iter().all(|statement| ours.contains(statement))
    }
}

impl Statement {
    /// A statement that allows nothing yet.
    pub fn allow(sid: &str) -> Self {
        Self {
            sid: Some(sid.to_owned()).filter(|sid| !sid.is_empty()),
            effect: Effect::Allow,
            principals: None,
            actions: None,
            resources: None,
            conditions: Conditions::new(),
            other: BTreeMap::new(),
        }
    }

    /// A statement that denies nothing yet.
    pub fn deny(sid: &str) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(sid) }
    }

    /// About that one principal of that type.
    #[must_use]
    pub fn to(mut self, kind: &str, principal: &str) -> Self {
        self.principals = Some(Scope::Only(Principals::from([(kind.to_owned(), strings([principal]))])));
        self
    }

    /// About these actions.
    #[must_use]
    pub fn doing<'a>(mut self, actions: impl IntoIterator<Item = &'a str>) -> Self {
        self.actions = Some(Scope::Only(strings(actions)));
        self
    }

    /// About these resources.
    #[must_use]
    pub fn on<'a>(mut self, resources: impl IntoIterator<Item = &'a str>) -> Self {
        self.resources = Some(Scope::Only(strings(resources)));
        self
    }

    /// Only where the condition holds too.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: &str) -> Self {
        self.conditions.entry(operator.to_owned()).or_default().insert(key.to_owned(), strings([value]));
        self
    }

    /// Parses one statement.
    ///
    /// # Errors
    /// Where it is not one; the place is told relative to it.
    pub fn from_json(json: &Value) -> Result<Self, Malformed> {
        parse::statement(json, "")
    }

    /// It as JSON; see [`Document::to_json`].
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        if let Some(sid) = &self.sid {
            json.insert("Sid".to_owned(), sid.as_str().into());
        }
        json.insert("Effect".to_owned(), self.effect.as_str().into());
        json.extend(self.principals.as_ref().map(|scope| scope.render("Principal", principals_json)));
        json.extend(self.actions.as_ref().map(|scope| scope.render("Action", strings_json)));
        json.extend(self.resources.as_ref().map(|scope| scope.render("Resource", strings_json)));
        if !self.conditions.is_empty() {
            json.insert("Condition".to_owned(), conditions_json(&self.conditions));
        }
        json.extend(self.other.clone());
        Value::Object(json)
    }

    /// The principals that are IAM's unique ids. IAM puts the id in place of the ARN when a user or role is deleted,
    /// and one that is made again under the same name does not match it.
    pub fn deleted_principals(&self) -> impl Iterator<Item = &str> {
        self.principals
            .iter()
            .flat_map(|(Scope::Only(principals) | Scope::Except(principals))| principals.get("AWS"))
            .flatten()
            .map(String::as_str)
            .filter(|principal| is_unique_id(principal))
    }

    /// It with each principal of type `AWS` spelled as `spell` says.
    #[must_use]
    pub fn respell_principals(mut self, spell: impl Fn(&str) -> String) -> Self {
        self.principals = self.principals.map(|scope| {
            scope.map(|mut principals| {
                if let Some(names) = principals.get_mut("AWS") {
                    *names = names.iter().map(|name| spell(name)).collect();
                }
                principals
            })
        });
        self
    }

    /// Its normal form: that of all statements which mean the same.
    fn meaning(&self) -> Value {
        let mut normal =
            self.clone().respell_principals(|principal| account_of(principal).unwrap_or(principal).to_owned());
        normal.actions = normal.actions.map(|scope| scope.map(|actions| lower_case(&actions)));
        for keys in normal.conditions.values_mut() {
            let spelled = std::mem::take(keys);
            for (key, values) in spelled {
                keys.entry(key.to_ascii_lowercase()).or_default().extend(values);
            }
        }
        normal.to_json()
    }
}

/// Whether IAM decides alike by both, and they have the same name.
impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }
}

/// Whether a principal is a user's or role's unique id, such as `AROADBQP57FF2AEXAMPLE`.
pub fn is_unique_id(principal: &str) -> bool {
    principal.len() >= SHORTEST_UNIQUE_ID
        && ["AIDA", "AROA"].iter().any(|prefix| principal.starts_with(prefix))
        && principal.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The account's number, where an ARN names a whole account.
fn account_of(principal: &str) -> Option<&str> {
    let account = principal.strip_prefix("arn:")?.strip_suffix(ACCOUNT_SUFFIX)?.split_once(":iam::")?.1;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

fn lower_case(strings: &Strings) -> Strings {
    strings.iter().map(|string| string.to_ascii_lowercase()).collect()
}

fn strings<'a>(strings: impl IntoIterator<Item = &'a str>) -> Strings {
    strings.into_iter().map(str::to_owned).collect()
}

fn strings_json(strings: &Strings) -> Value {
    match strings.first() {
        Some(only) if strings.len() == 1 => only.as_str().into(),
        _ => strings.iter().map(String::as_str).collect(),
    }
}

fn principals_json(principals: &Principals) -> Value {
    principals.iter().map(|(kind, names)| (kind.clone(), strings_json(names))).collect()
}

fn conditions_json(conditions: &Conditions) -> Value {
    let keys_json = |keys: &BTreeMap<String, Strings>| -> Value {
        keys.iter().map(|(key, values)| (key.clone(), strings_json(values))).collect()
    };
    conditions.iter().map(|(operator, keys)| (operator.clone(), keys_json(keys))).collect()
}
