//! `${user}` and `${env:NAME}`, put into scalars after parsing: a value is text, whatever it looks like to YAML.

use std::collections::{BTreeMap, BTreeSet};

use super::nearest::nearest;
use super::problem::{Findings, Position};
use super::yaml::{Entry, Node, Value};

/// Where values come from that are not in the manifest.
pub(super) struct Sources<'a> {
    /// `--var` flags, which win over everything; the last of a name counts.
    pub(super) flags: &'a [(String, String)],
    /// The process's environment: `PIPELINE_VAR_USER` wins over the manifest's `user`.
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Takes `variables` out of a manifest and puts their values into all of its other scalars. A scalar that can't have
/// its value becomes [`Value::Unresolved`], once the reason has been told.
pub(super) fn substitute(root: &mut Node, sources: &Sources<'_>, findings: &mut Findings) {
    let Value::Map(entries) = &mut root.value else { return };
    let declared = match entries.iter().position(|entry| entry.key == "variables") {
        Some(index) => declared(entries.remove(index), findings),
        None => BTreeMap::new(),
    };
    let mut variables = Variables { sources, declared, known: BTreeMap::new(), used: BTreeSet::new(), findings };
    variables.resolve_all();
    variables.put_into(root);
    variables.tell_of_unused_flags();
}

/// A declared value, which may itself use variables.
struct Declared {
    at: Position,
    /// `None` for a variable that must be given from outside.
    text: Option<String>,
}

fn declared(entry: Entry, findings: &mut Findings) -> BTreeMap<String, Declared> {
    let Value::Map(entries) = entry.value.value else {
        if !matches!(entry.value.value, Value::Nothing) {
            let message = format!("variables must be a mapping of names to values; got {}", entry.value.described());
            findings.problem(entry.value.at, message);
        }
        return BTreeMap::new();
    };
    let mut declared = BTreeMap::new();
    for Entry { key, key_at, value } in entries {
        if !is_name(&key) {
            findings.problem(
                key_at,
                format!("\"{key}\" is no name for a variable; use letters, digits, _ and -, and start with a letter"),
            );
            continue;
        }
        let text = match value.value {
            Value::Text(text) => Some(text),
            Value::Nothing => None,
            Value::List(_) | Value::Map(_) | Value::Unresolved => {
                findings.problem(value.at, format!("a variable's value is text; got {}", value.described()));
                // It stays known, so that its uses are not reported too.
                Some(String::new())
            }
        };
        let at = if text.is_none() { key_at } else { value.at };
        declared.insert(key, Declared { at, text });
    }
    declared
}

/// Letters, digits, `_` and `-`, starting with a letter or `_`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The environment variable that overrides a manifest's variable.
fn environment_name(name: &str) -> String {
    format!("PIPELINE_VAR_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// A part of a scalar's text.
enum Part<'t> {
    Literal(&'t str),
    Variable(&'t str),
    Environment(&'t str),
    /// `${` and no `}`.
    Unclosed,
}

/// Takes a text apart. `$${` is a literal `${`; every other `$` stands for itself.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            parts.push(Part::Literal(before));
            parts.push(Part::Literal("${"));
            rest = &reference[2..];
            continue;
        }
        parts.push(Part::Literal(before));
        let Some(end) = reference.find('}') else {
            parts.push(Part::Unclosed);
            return parts;
        };
        let name = &reference[2..end];
        parts.push(name.strip_prefix("env:").map_or(Part::Variable(name), Part::Environment));
        rest = &reference[end + 1..];
    }
    parts.push(Part::Literal(rest));
    parts
}

struct Variables<'a> {
    sources: &'a Sources<'a>,
    declared: BTreeMap<String, Declared>,
    /// The values found so far; `None` where there is none, which has been told.
    known: BTreeMap<String, Option<String>>,
    used: BTreeSet<String>,
    findings: &'a mut Findings,
}

impl Variables<'_> {
    /// Finds every declared value, used or not: a mistake in one is a mistake.
    fn resolve_all(&mut self) {
        let names: Vec<String> = self.declared.keys().cloned().collect();
        for name in names {
            self.value_of(&name, &mut Vec::new());
        }
    }

    /// A variable's value; `None` where it has none, which has been told unless nobody declared or gave it.
    /// `within` are the variables whose values are being found: one of them again is a circle.
    fn value_of(&mut self, name: &str, within: &mut Vec<String>) -> Option<String> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let value = match (self.given(name), self.declared.get(name)) {
            (Some(value), _) => Some(value),
            (None, Some(Declared { at, text: Some(text) })) => {
                let (at, text) = (*at, text.clone());
                within.push(name.to_owned());
                let value = self.expand(&text, at, within);
                within.pop();
                value
            }
            (None, Some(Declared { at, text: None })) => {
                self.findings.problem(
                    *at,
                    format!("variable {name} has no value; give --var {name}=…, or set {}", environment_name(name)),
                );
                None
            }
            (None, None) => return None,
        };
        self.known.insert(name.to_owned(), value.clone());
        value
    }

    /// The value given from outside: it is taken as it is, nothing is put into it.
    fn given(&self, name: &str) -> Option<String> {
        let flag = self.sources.flags.iter().rev().find(|(flag, _)| flag == name).map(|(_, value)| value.clone());
        flag.or_else(|| (self.sources.environment)(&environment_name(name)))
    }

    fn expand(&mut self, text: &str, at: Position, within: &mut Vec<String>) -> Option<String> {
        let mut expanded = Some(String::new());
        for part in parts(text) {
            let value = match part {
                Part::Literal(literal) => Some(literal.to_owned()),
                Part::Variable(name) => self.variable(name, at, within),
                Part::Environment(name) => self.environment(name, at),
                Part::Unclosed => {
                    self.findings
                        .problem(at, "\"${\" has no \"}\" after it; close it, or write $${ for the two characters");
                    None
                }
            };
            // All parts are looked at, so that all problems of a scalar are told.
            expanded = expanded.zip(value).map(|(start, value)| start + &value);
        }
        expanded
    }

    fn variable(&mut self, name: &str, at: Position, within: &mut Vec<String>) -> Option<String> {
        self.used.insert(name.to_owned());
        if let Some(start) = within.iter().position(|outer| outer == name) {
            let circle = within[start..].join(" → ");
            self.findings.problem(
                at,
                format!("variable {name} needs itself: {circle} → {name}; give one of them a value of its own"),
            );
            return None;
        }
        if self.declared.contains_key(name) || self.known.contains_key(name) || self.given(name).is_some() {
            return self.value_of(name, within);
        }
        let advice = match nearest(name, self.declared.keys().map(String::as_str)) {
            Some(near) => format!("did you mean ${{{near}}}?"),
            None if is_name(name) => format!("declare it under variables, or give --var {name}=…"),
            None => format!("write $${{{name}}} if these characters are meant"),
        };
        self.findings.problem(at, format!("there is no variable \"{name}\"; {advice}"));
        None
    }

    fn environment(&mut self, name: &str, at: Position) -> Option<String> {
        let value = if name.is_empty() { None } else { (self.sources.environment)(name) };
        if value.is_none() {
            self.findings.problem(
                at,
                format!("the environment variable {name} is not set; export it, or use a manifest variable"),
            );
        }
        value
    }

    fn put_into(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                let text = std::mem::take(text);
                node.value = self.expand(&text, node.at, &mut Vec::new()).map_or(Value::Unresolved, Value::Text);
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.put_into(item)),
            Value::Map(entries) => {
                for entry in entries {
                    if entry.key.contains("${") {
                        let message = format!("no variable is put into a key; write \"{}\" out", entry.key);
                        self.findings.problem(entry.key_at, message);
                        entry.value.value = Value::Unresolved;
                    }
                    self.put_into(&mut entry.value);
                }
            }
            Value::Text(_) | Value::Nothing | Value::Unresolved => {}
        }
    }

    /// A flag that nothing uses is a slip of the keyboard: the default that it was to replace would be used instead.
    fn tell_of_unused_flags(&mut self) {
        for (name, _) in self.sources.flags {
            if self.declared.contains_key(name) || self.used.contains(name) {
                continue;
            }
            let known = self.declared.keys().chain(&self.used).map(String::as_str);
            let advice = match nearest(name, known) {
                Some(near) => format!("did you mean --var {near}=…?"),
                None => "declare it under variables, or leave the flag out".to_owned(),
            };
            self.findings.problem(
                Position::START,
                format!(
                    "--var {name}: the manifest has no variable of that \
                    name; {advice}"
                ),
            );
        }
    }
}
