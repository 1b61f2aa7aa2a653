//! What is wanted, held against what is there: addresses, fields, outputs, and the trait behind which one kind of
//! thing keeps everything that the tool knows about it.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod diff;
pub mod execute;
pub mod graph;
pub mod plan;

#[cfg(test)]
mod tests;

/// Why a step failed, as told by the kind that knows it. The engine adds the address and the verb.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The result of a kind's effects.
pub type Result<T> = std::result::Result<T, Cause>;

/// Names one resource of a manifest: its kind, and its name within the kind. Written `topic/0a1b.pin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Address {
    kind: String,
    name: String,
}

impl Address {
    /// The address of the `name` of a `kind`.
    pub fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned() }
    }

    /// The kind, as it is written before the slash.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name within the kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(Self::new(kind, name)),
            _ => Err(format!("\"{text}\" is not an address; expected KIND/NAME")),
        }
    }
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A value that may be shown.
    Known(Value),
    /// A value that is compared, but never shown.
    Secret(Value),
    /// A value that another resource gives once it exists.
    AfterApply,
}

/// What a resource is made of, flat: `partitions`, `config.retention.ms`. A key that is absent has no value.
///
/// Both sides of a comparison hold the keys that matter and no others, in normal form: two `Fields` that mean the same
/// are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(BTreeMap<String, Field>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a value that is known.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key, Field::Known(value.into()));
        self
    }

    /// With a value that another resource's outputs give; `None` where that resource does not exist yet.
    #[must_use]
    pub fn with_output(mut self, key: impl Into<String>, value: Option<&str>) -> Self {
        self.set(key, value.map_or(Field::AfterApply, |text| Field::Known(text.into())));
        self
    }

    /// Sets one field.
    pub fn set(&mut self, key: impl Into<String>, field: Field) {
        self.0.insert(key.into(), field);
    }

    /// The field of that key.
    pub fn get(&self, key: &str) -> Option<&Field> {
        self.0.get(key)
    }

    /// All fields, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(key, field)| (key.as_str(), field))
    }
}

/// What a resource gives to others and to `pipeline outputs`: `arn`, `version`, `brokers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output(BTreeMap<String, Value>);

impl Output {
    /// No output.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// The text of a key that must be there.
    ///
    /// # Errors
    /// Where it is absent: a kind then read a thing without that part.
    pub fn require(&self, key: &str) -> Result<&str> {
        self.text(key).ok_or_else(|| format!("its {key} is not known").into())
    }
}

/// The outputs of everything that exists so far.
#[derive(Clone, Debug, Default)]
pub struct Outputs(BTreeMap<Address, Output>);

impl Outputs {
    /// Adds what a resource gives.
    pub fn insert(&mut self, address: Address, output: Output) {
        self.0.insert(address, output);
    }

    /// Forgets a resource that is gone.
    pub fn remove(&mut self, address: &Address) {
        self.0.remove(address);
    }

    /// What a resource gives, where it exists.
    pub fn of(&self, address: &Address) -> Option<&Output> {
        self.0.get(address)
    }

    /// One text of one resource, where it exists.
    pub fn text(&self, address: &Address, key: &str) -> Option<&str> {
        self.of(address)?.text(key)
    }

    /// One text of a resource that must exist by now.
    ///
    /// # Errors
    /// Where it doesn't: the caller lacks it among its `needs`.
    pub fn require(&self, address: &Address, key: &str) -> Result<&str> {
        self.text(address, key).ok_or_else(|| format!("the {key} of {address} is not known").into())
    }

    /// The outputs of some resources alone.
    #[must_use]
    pub fn only(&self, addresses: &[Address]) -> Self {
        Self(addresses.iter().filter_map(|address| Some((address.clone(), self.of(address)?.clone()))).collect())
    }

    /// Everything, ordered by address.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &Output)> {
        self.0.iter()
    }
}

/// One existing thing, as AWS described it.
#[derive(Clone, Debug)]
pub struct State {
    /// What is compared with [`Resource::desired`].
    pub fields: Fields,
    /// What others and the kind's own `update` and `delete` need to know.
    pub output: Output,
    /// A word for people where the name alone does not tell it apart: the name of an earlier version, an id.
    pub label: Option<String>,
}

/// Whose a thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries our tags, or the manifest says that it is shared with us.
    Ours,
    /// It has our name without our tags; told how it was recognised.
    Foreign(String),
    /// Its kind carries no tags: the declared name alone makes it ours.
    Untaggable,
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The thing itself, where it exists.
    pub current: Option<State>,
    /// Earlier content-named versions that are ours; deleted once nothing depends on them any more, also after a kill.
    pub leftovers: Vec<State>,
    /// Whose `current` is.
    pub owner: Owner,
}

impl Observed {
    /// Nothing is there.
    pub fn absent() -> Self {
        Self { current: None, leftovers: Vec::new(), owner: Owner::Ours }
    }

    /// It is there.
    pub fn present(state: State, owner: Owner) -> Self {
        Self { current: Some(state), leftovers: Vec::new(), owner }
    }
}

/// What a changed field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// It can be changed in place.
    Update,
    /// The thing must be deleted and made again, for this reason.
    Replace(String),
    /// It must not be changed, for this reason; ends in what to do.
    Refuse(String),
}

/// What `destroy` does with a thing that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnDestroy {
    /// Delete it.
    Delete,
    /// Leave it, for this reason.
    Retain(String),
    /// It is somebody else's: nothing to do and nothing to tell.
    Ignore,
}

/// What became of a thing that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It was found to be something that must be kept, for this reason: a bucket that has objects.
    Kept(String),
}

/// One field that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// The field's key.
    pub field: String,
    /// What is there.
    pub from: Option<Field>,
    /// What should be there.
    pub to: Option<Field>,
}

/// What an update is asked to do.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is there.
    pub current: State,
    /// The fields that differ, in key order.
    pub fields: Vec<FieldChange>,
}

impl Change {
    /// Whether a field of that key, or below that key and a dot, differs.
    pub fn touches(&self, key: &str) -> bool {
        self.fields
            .iter()
            .any(|change| change.field.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

/// Where a kind tells what it is waiting for, while it works.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(String) + Send + Sync>);

impl Progress {
    /// Tells each note to `sink`.
    pub fn new(sink: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(drop)
    }

    /// Tells what state the thing is in, or how far the work is: `CREATING`, `3 of 8 parts`.
    pub fn note(&self, state: impl Into<String>) {
        (self.0)(state.into());
    }
}

impl Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// One resource of a manifest: everything that the tool knows about its kind.
///
/// `desired` and `read` go through the same normal form, so that equal [`Fields`] mean that nothing is to be done.
/// `create`, `update` and `delete` return when the thing has settled; the first two with the state that was read back,
/// which the engine compares once more with `desired`: an apply is done when what was asked is what is there.
#[async_trait]
pub trait Resource: Debug + Send + Sync {
    /// Its address.
    fn address(&self) -> &Address;

    /// What must exist before it, and outlive it.
    fn needs(&self) -> &[Address];

    /// What should be there, as far as the outputs of its needs are known. Pure.
    fn desired(&self, known: &Outputs) -> Fields;

    /// What a change of this field asks for.
    fn on_change(&self, change: &FieldChange) -> OnChange;

    /// What `destroy` does with what is there.
    fn on_destroy(&self, state: &State) -> OnDestroy {
        let _ = state;
        OnDestroy::Delete
    }

    /// Why it is never made by the tool, and what to do where it is missing; `None` for what the tool makes.
    fn must_exist(&self) -> Option<String> {
        None
    }

    /// Warnings that a plan shows beside it.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is there. `known` has the outputs of those of its needs that exist.
    async fn read(&self, known: &Outputs) -> Result<Observed>;

    /// Makes it, and returns what is there once it has settled.
    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State>;

    /// Changes it in place, and returns what is there once it has settled.
    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State>;

    /// Removes it, or one of its leftovers, and returns once it is gone. A thing that is gone already is a success.
    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal>;
}
