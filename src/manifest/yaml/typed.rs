//! A checked tree, deserialised into Rust types whose every part still knows its place.

use std::ops::Deref;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value as Yaml};

use super::super::problem::Position;

/// A part of a manifest that has the type it should have, and where it stands.
#[derive(Clone, Debug)]
pub(in super::super) struct Checked {
    pub(in super::super) at: Position,
    /// Its key's place; its own, for an item of a list.
    pub(in super::super) key_at: Position,
    pub(in super::super) value: CheckedValue,
}

/// What a checked part holds.
#[derive(Clone, Debug)]
pub(in super::super) enum CheckedValue {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Checked>),
    Map(Vec<(String, Checked)>),
}

/// A value, and where it stands.
#[derive(Clone, Debug, Deserialize)]
pub(in super::super) struct At<T> {
    pub(in super::super) at: Position,
    /// Its key's place; its own, for an item of a list.
    pub(in super::super) key_at: Position,
    pub(in super::super) value: T,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Deserialises a checked tree. `T` is made of [`At`]s all the way down.
///
/// # Errors
/// Where the description that the tree was checked against and the type disagree: a mistake of this program.
pub(in super::super) fn typed<T: DeserializeOwned>(checked: Checked) -> Result<At<T>, serde_yaml::Error> {
    serde_yaml::from_value(encoded(checked))
}

fn encoded(checked: Checked) -> Yaml {
    let value = match checked.value {
        CheckedValue::Text(text) => Yaml::String(text),
        CheckedValue::Integer(number) => Yaml::Number(number.into()),
        CheckedValue::Flag(flag) => Yaml::Bool(flag),
        CheckedValue::List(items) => items.into_iter().map(encoded).collect(),
        CheckedValue::Map(entries) => mapping(entries.into_iter().map(|(key, value)| (key, encoded(value)))),
    };
    mapping([("at", place(checked.at)), ("key_at", place(checked.key_at)), ("value", value)])
}

fn place(position: Position) -> Yaml {
    mapping([("line", Yaml::from(position.line)), ("column", Yaml::from(position.column))])
}

fn mapping<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Yaml {
    Yaml::Mapping(entries.into_iter().map(|(key, value)| (Yaml::String(key.into()), value)).collect::<Mapping>())
}
