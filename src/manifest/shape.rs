//! The shape of a manifest: every key, the type of its value, and what it means. One description, from which unknown
//! keys, wrong types and missing keys are told.

mod check;
mod keys;

pub(super) use check::check;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// A scalar, as written.
    Text,
    /// A whole number, also as text.
    Integer,
    /// `true` or `false`.
    Flag,
    /// `8h`; checked to milliseconds.
    Duration,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A list of texts, or one text in its place; checked to a list.
    Texts,
    /// A list.
    List(&'static Self),
    /// A mapping whose keys are the user's.
    Map(&'static Self),
    /// A mapping whose keys are ours.
    Record(&'static Record),
    /// Any of these, told apart by whether the value is a scalar, a list or a mapping.
    Either(&'static [Self]),
}

/// A mapping whose keys are known.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) keys: &'static [Key],
    /// Exactly one of these keys must be there; empty where there is no such choice.
    pub(super) one_of: &'static [&'static str],
}

/// One key of a record.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
    /// What it means, in a phrase.
    pub(super) about: &'static str,
}

impl Shape {
    /// How it is called in `expected …`.
    fn described(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Duration => "a duration such as 90s, 8h or 7d".to_owned(),
            Self::Word(words) => super::nearest::one_of(words.iter().copied()),
            Self::Texts => "text, or a list of texts".to_owned(),
            Self::List(Self::Text) => "a list of texts".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping of names to values".to_owned(),
            Self::Record(record) => {
                let names: Vec<&str> = record.keys.iter().map(|key| key.name).collect();
                format!("a mapping with {}", names.join(", "))
            }
            Self::Either(shapes) => shapes.iter().map(Self::described).collect::<Vec<_>>().join(", or "),
        }
    }
}
