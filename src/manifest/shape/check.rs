//! A tree, held against the shape of a manifest. What does not fit is told and left out, so that the rest can still
//! be looked at for its meaning.

use std::collections::BTreeSet;

use super::super::nearest::{nearest, one_of, suggestion};
use super::super::problem::{Findings, Position};
use super::super::quantity::parse_duration;
use super::super::yaml::{Checked, CheckedValue, Entry, Node, Value};
use super::keys::MANIFEST;
use super::{Key, Record, Shape};

/// A manifest without what doesn't fit.
pub(in super::super) struct Outcome {
    pub(in super::super) checked: Checked,
    /// The top-level keys below which something was left out: what they seem to lack is no further problem.
    pub(in super::super) damaged: BTreeSet<&'static str>,
}

/// Checks a whole manifest; `None` where it is no mapping at all. Keys in `given` come from elsewhere and may be
/// missing.
pub(in super::super) fn check(root: &Node, given: &[&str], findings: &mut Findings) -> Option<Outcome> {
    let Value::Map(entries) = &root.value else {
        let message = format!(
            "a manifest is a mapping that starts with name, environment, target and region; got {}",
            root.described()
        );
        findings.problem(root.at, message);
        return None;
    };
    let mut check = Check { findings, left_out: 0 };
    let mut damaged = BTreeSet::new();
    let mut kept = Vec::new();
    for entry in entries {
        let before = check.left_out;
        let key = MANIFEST.keys.iter().find(|key| key.name == entry.key);
        match key {
            Some(key) => kept.extend(check.entry(entry, key)),
            None => check.unknown(entry, &MANIFEST),
        }
        // An unknown `buckt:` is the bucket that others will look for.
        let meant = key.map(|key| key.name).or_else(|| nearest(&entry.key, names(&MANIFEST)));
        if check.left_out > before {
            damaged.extend(meant);
        }
    }
    for key in MANIFEST.keys.iter().filter(|key| !given.contains(&key.name)) {
        if key.required && !entries.iter().any(|entry| entry.key == key.name) && !damaged.contains(key.name) {
            check.missing(key, root.at);
        }
    }
    let checked = Checked { at: root.at, key_at: root.at, value: CheckedValue::Map(kept) };
    Some(Outcome { checked, damaged })
}

struct Check<'f> {
    findings: &'f mut Findings,
    /// How many parts were left out.
    left_out: usize,
}

impl Check<'_> {
    /// Tells a problem, and leaves the part that has it out.
    fn refuse(&mut self, at: Position, message: impl Into<String>) -> Option<CheckedValue> {
        self.findings.problem(at, message);
        self.left_out += 1;
        None
    }

    fn entry(&mut self, entry: &Entry, key: &Key) -> Option<(String, Checked)> {
        let checked = self.value(&entry.value, entry.key_at, &key.shape);
        checked.map(|checked| (entry.key.clone(), checked))
    }

    fn value(&mut self, node: &Node, key_at: Position, shape: &Shape) -> Option<Checked> {
        let value = match &node.value {
            Value::Unresolved => {
                self.left_out += 1;
                None
            }
            Value::Nothing => self
                .refuse(key_at, format!("there is no value here; expected {}, or remove the key", shape.described())),
            Value::Text(text) => self.scalar(node, text, shape),
            Value::List(items) => self.list(node, items, shape),
            Value::Map(entries) => self.mapping(node, key_at, entries, shape),
        };
        value.map(|value| Checked { at: node.at, key_at, value })
    }

    fn mistyped(&mut self, node: &Node, shape: &Shape) -> Option<CheckedValue> {
        self.refuse(node.at, format!("expected {}; got {}", shape.described(), node.described()))
    }

    fn scalar(&mut self, node: &Node, text: &str, shape: &Shape) -> Option<CheckedValue> {
        match shape {
            Shape::Text => Some(CheckedValue::Text(text.to_owned())),
            Shape::Texts => {
                let only = Checked { at: node.at, key_at: node.at, value: CheckedValue::Text(text.to_owned()) };
                Some(CheckedValue::List(vec![only]))
            }
            Shape::Integer => match text.parse() {
                Ok(number) => Some(CheckedValue::Integer(number)),
                Err(_) => self.mistyped(node, shape),
            },
            Shape::Flag => match text {
                "true" | "True" | "TRUE" => Some(CheckedValue::Flag(true)),
                "false" | "False" | "FALSE" => Some(CheckedValue::Flag(false)),
                _ => self.mistyped(node, shape),
            },
            Shape::Duration => match parse_duration(text).map(|duration| i64::try_from(duration.as_millis())) {
                Ok(Ok(milliseconds)) => Some(CheckedValue::Integer(milliseconds)),
                Ok(Err(_)) => self.mistyped(node, shape),
                Err(problem) => self.refuse(node.at, problem),
            },
            Shape::Word(words) if words.contains(&text) => Some(CheckedValue::Text(text.to_owned())),
            Shape::Word(words) => {
                let message = format!("expected {}; got \"{text}\"", one_of(words.iter().copied()));
                self.refuse(
                    node.at,
                    match nearest(text, words.iter().copied()) {
                        Some(near) => format!("{message}; did you mean {near}?"),
                        None => message,
                    },
                )
            }
            Shape::Either(shapes) => match shapes.iter().find(|shape| is_scalar(shape)) {
                // A word that isn't among those may be meant as any of the others.
                Some(Shape::Word(words)) if !words.contains(&text) => self.mistyped(node, shape),
                Some(scalar) => self.scalar(node, text, scalar),
                None => self.mistyped(node, shape),
            },
            Shape::List(_) | Shape::Map(_) | Shape::Record(_) => self.mistyped(node, shape),
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], shape: &Shape) -> Option<CheckedValue> {
        let item_shape = match shape {
            Shape::List(item) => item,
            Shape::Texts => &Shape::Text,
            Shape::Either(shapes) => match shapes.iter().find(|shape| matches!(shape, Shape::List(_))) {
                Some(list) => return self.list(node, items, list),
                None => return self.mistyped(node, shape),
            },
            _ => return self.mistyped(node, shape),
        };
        Some(CheckedValue::List(items.iter().filter_map(|item| self.value(item, item.at, item_shape)).collect()))
    }

    fn mapping(&mut self, node: &Node, key_at: Position, entries: &[Entry], shape: &Shape) -> Option<CheckedValue> {
        match shape {
            Shape::Record(record) => self.record(node, key_at, entries, record),
            Shape::Map(value) => {
                let entries = entries
                    .iter()
                    .filter_map(|entry| Some((entry.key.clone(), self.value(&entry.value, entry.key_at, value)?)));
                Some(CheckedValue::Map(entries.collect()))
            }
            Shape::Either(shapes) => {
                match shapes.iter().find(|shape| matches!(shape, Shape::Record(_) | Shape::Map(_))) {
                    Some(mapping) => self.mapping(node, key_at, entries, mapping),
                    None => self.mistyped(node, shape),
                }
            }
            _ => self.mistyped(node, shape),
        }
    }

    /// A record lacks its value where something that it can't be without is missing.
    fn record(&mut self, node: &Node, key_at: Position, entries: &[Entry], record: &Record) -> Option<CheckedValue> {
        let mut kept = Vec::new();
        for entry in entries {
            match record.keys.iter().find(|key| key.name == entry.key) {
                Some(key) => kept.extend(self.entry(entry, key)),
                None => self.unknown(entry, record),
            }
        }
        let written = |name: &str| {
            entries.iter().any(|entry| entry.key == name || nearest(&entry.key, names(record)) == Some(name))
        };
        let lacks_some = record.keys.iter().filter(|key| key.required).fold(false, |lacks, key| {
            if !written(key.name) {
                self.missing(key, key_at);
            }
            lacks || !kept.iter().any(|(name, _)| name == key.name)
        });
        let chosen: Vec<&Entry> = entries.iter().filter(|entry| record.one_of.contains(&entry.key.as_str())).collect();
        match chosen.as_slice() {
            [] if !record.one_of.is_empty() && !record.one_of.iter().any(|name| written(name)) => {
                return self
                    .refuse(node.at, format!("one of {} is missing; add it", one_of(record.one_of.iter().copied())));
            }
            [first, second, ..] => {
                return self.refuse(
                    second.key_at,
                    format!("\"{}\" and \"{}\" exclude each other; keep one of them", first.key, second.key),
                );
            }
            _ => {}
        }
        let lacks_choice =
            !record.one_of.is_empty() && !kept.iter().any(|(name, _)| record.one_of.contains(&name.as_str()));
        if lacks_some || lacks_choice { None } else { Some(CheckedValue::Map(kept)) }
    }

    fn missing(&mut self, key: &Key, at: Position) {
        self.refuse(at, format!("\"{}\" is missing ({}); add it", key.name, key.about));
    }

    fn unknown(&mut self, entry: &Entry, record: &Record) {
        let message = match (nearest(&entry.key, names(record)), homes(&entry.key).as_slice()) {
            (None, homes @ [_, ..]) => {
                format!(
                    "\"{}\" is not a key here; it belongs in {}",
                    entry.key,
                    one_of(homes.iter().map(String::as_str))
                )
            }
            _ => format!("\"{}\" is not a key here; {}", entry.key, suggestion(&entry.key, names(record))),
        };
        self.refuse(entry.key_at, message);
    }
}

fn is_scalar(shape: &Shape) -> bool {
    matches!(shape, Shape::Text | Shape::Integer | Shape::Flag | Shape::Duration | Shape::Word(_))
}

fn names(record: &Record) -> impl Iterator<Item = &'static str> + Clone {
    record.keys.iter().map(|key| key.name)
}

/// The records that have a key of that name, at the places where one would write them: wrong indentation is the
/// commonest way to a key that is unknown where it stands.
fn homes(name: &str) -> Vec<String> {
    let mut homes = Vec::new();
    if MANIFEST.keys.iter().any(|key| key.name == name) {
        homes.push("the top level".to_owned());
    }
    for key in MANIFEST.keys {
        collect_homes(&key.shape, key.name, name, &mut homes);
    }
    homes
}

fn collect_homes(shape: &Shape, place: &str, name: &str, homes: &mut Vec<String>) {
    match shape {
        Shape::Record(record) => {
            if record.keys.iter().any(|key| key.name == name) {
                homes.push(place.to_owned());
            }
            for key in record.keys {
                collect_homes(&key.shape, &format!("{place}.{}", key.name), name, homes);
            }
        }
        Shape::List(item) => collect_homes(item, &format!("{place}[]"), name, homes),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect_homes(shape, place, name, homes)),
        _ => {}
    }
}
