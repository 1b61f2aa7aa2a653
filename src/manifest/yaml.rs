//! YAML, read twice: into a tree in which every node knows its place, and, once that tree has been checked, into
//! Rust types. No other file knows which libraries do it.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::problem::{Findings, Position};

mod typed;

pub(super) use typed::{At, Checked, CheckedValue, typed};

/// Deeper than any manifest goes; what walks the tree recurses.
const DEEPEST: usize = 32;
/// More nodes than a manifest with ten thousand topics has. Aliases of aliases multiply.
const MOST_NODES: usize = 500_000;

/// A piece of a manifest, and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A scalar's text, as written.
    Text(String),
    /// Nothing after a key, `~` or `null`.
    Nothing,
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A scalar whose variables have no value; that has been told.
    Unresolved,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

impl Node {
    /// How many nodes it consists of.
    fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
            Value::Text(_) | Value::Nothing | Value::Unresolved => 1,
        }
    }

    /// How it is called where something else was expected.
    pub(super) fn described(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("\"{text}\""),
            Value::Nothing | Value::Unresolved => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Reads a text's one document; `None` where it is not YAML, which has then been told.
pub(super) fn parse(text: &str, findings: &mut Findings) -> Option<Node> {
    let mut text = text.to_owned();
    let mut quotes_missing = false;
    loop {
        match Builder::new(findings).read(&text) {
            Ok(_) if quotes_missing => return None,
            Ok(root) => return root,
            Err(Stop::Told) => return None,
            // The rest of the text is still worth reading: put letters in the place of the variable and go on.
            Err(Stop::UnquotedVariable { at, from }) => {
                findings.problem(
                    at,
                    "a ${variable} within { } or [ ] must be quoted, since YAML reads its braces as its own; \
                     write \"${…}\"",
                );
                quotes_missing = true;
                text = with_letters_for_variable(&text, from);
            }
        }
    }
}

/// Why reading stopped.
enum Stop {
    /// The problem has been told.
    Told,
    /// A flow collection holds `${`; `from` is the index, in characters, of its brace.
    UnquotedVariable { at: Position, from: usize },
}

/// A collection that has not ended yet.
enum Open {
    List { at: Position, anchor: usize, items: Vec<Node> },
    Map { at: Position, anchor: usize, entries: Vec<Entry>, key: Pending },
}

/// Where a mapping is between its keys and values.
enum Pending {
    Key,
    Value(String, Position),
    /// The value of a key that was refused.
    Refused,
}

struct Builder<'f> {
    findings: &'f mut Findings,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    /// The last plain scalar, if it was the last event.
    last_plain: Option<(String, Position)>,
}

impl<'f> Builder<'f> {
    fn new(findings: &'f mut Findings) -> Self {
        Self {
            findings,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            nodes: 0,
            documents: 0,
            last_plain: None,
        }
    }

    fn read(mut self, text: &str) -> Result<Option<Node>, Stop> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            match event {
                Ok((Event::StreamEnd, _)) => break,
                Ok((event, span)) => self.take(event, span)?,
                Err(error) => return Err(self.syntax_error(error.info(), *error.marker(), text)),
            }
        }
        if self.root.is_none() {
            self.findings.problem(
                Position::START,
                "the manifest is empty; expected at least name, environment, target and region",
            );
        }
        Ok(self.root)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let at = position(span.start);
        self.last_plain = None;
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.stop(
                        at,
                        "a second YAML document starts here; \
                            a manifest is one document: put it into a file of its own",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                if style == ScalarStyle::Plain {
                    self.last_plain = Some((text.to_string(), at));
                }
                let nothing = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.add(Node { at, value }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.descend(Open::List { at, anchor, items: Vec::new() }, at)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.descend(Open::Map { at, anchor, entries: Vec::new(), key: Pending::Key }, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, anchor, items }) => self.add(Node { at, value: Value::List(items) }, anchor)?,
                Some(Open::Map { at, anchor, entries, .. }) => {
                    self.add(Node { at, value: Value::Map(entries) }, anchor)?;
                }
                None => {}
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    // Its own node is counted where it is added.
                    self.nodes += node.size() - 1;
                    self.add(Node { at, value: node.value }, 0)?;
                }
                None => return self.stop(at, "this alias stands inside of what it repeats; write the value out"),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn descend(&mut self, collection: Open, at: Position) -> Result<(), Stop> {
        if self.open.len() >= DEEPEST {
            return self.stop(at, format!("this is nested more than {DEEPEST} levels deep; nothing in a manifest is"));
        }
        self.open.push(collection);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return self.stop(
                node.at,
                format!("the manifest has more than {MOST_NODES} values; split it, or use fewer aliases"),
            );
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match std::mem::replace(key, Pending::Key) {
                Pending::Key => *key = accepted_key(node, entries, self.findings),
                Pending::Value(name, key_at) => entries.push(Entry { key: name, key_at, value: node }),
                Pending::Refused => {}
            },
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, at: Position) {
        if tagged {
            self.findings
                .problem(at, "YAML tags (!…) mean nothing in a manifest; remove the tag, and quote what is text");
        }
    }

    fn stop(&mut self, at: Position, message: impl Into<String>) -> Result<(), Stop> {
        self.findings.problem(at, message);
        Err(Stop::Told)
    }

    fn syntax_error(&mut self, info: &str, marker: Marker, text: &str) -> Stop {
        if let Some((plain, at)) = &self.last_plain
            && plain.ends_with('$')
            && text.chars().nth(marker.index()) == Some('{')
        {
            return Stop::UnquotedVariable { at: *at, from: marker.index() };
        }
        let advice = match info {
            _ if info.contains("tab") => "indent with spaces",
            _ if info.contains("unexpected character") => "quote a value that starts with it",
            _ if info.contains("mapping values are not allowed") => {
                "check the indentation, and quote a value that holds \": \""
            }
            _ if info.contains("unknown anchor") => {
                "an alias (*name) repeats what an anchor (&name) marked before it; quote a value that starts with *"
            }
            _ if info.contains("flow") => "check that every { and [ is closed",
            _ if info.contains("quoted scalar") => "check its quotes; a backslash within \" \" is written \\\\",
            _ => "check indentation, quotes and brackets here and on the line above",
        };
        self.findings.problem(position(marker), format!("this is not YAML: {info}; {advice}"));
        Stop::Told
    }
}

/// Whether a node can be the next key of a mapping.
fn accepted_key(node: Node, entries: &[Entry], findings: &mut Findings) -> Pending {
    let Value::Text(key) = node.value else {
        findings.problem(node.at, format!("a key must be text; got {}", node.described()));
        return Pending::Refused;
    };
    if key == "<<" {
        findings.problem(node.at, "merge keys (<<) are not supported; repeat the keys, or use topic_defaults");
        return Pending::Refused;
    }
    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
        findings.problem(
            node.at,
            format!("\"{key}\" is here twice, first on line {}; keep one of them", first.key_at.line),
        );
        return Pending::Refused;
    }
    Pending::Value(key, node.at)
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// The text with the braces of the variable at that character, and all between, made letters.
fn with_letters_for_variable(text: &str, from: usize) -> String {
    let mut within = false;
    let mut done = false;
    text.chars()
        .enumerate()
        .map(|(index, c)| {
            within = (within || index == from) && !done && c != '\n';
            done |= within && c == '}';
            if within { 'x' } else { c }
        })
        .collect()
}
