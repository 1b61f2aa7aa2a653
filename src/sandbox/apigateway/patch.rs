//! Patch operations: how every update of API Gateway says what to change. All of them are done, or none.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::refusal::{Violations, bad_request, not_found};
use crate::sandbox::call::Refusal;

/// What a patch does. AWS's model has three more (`move`, `copy`, `test`), which no path that is known here takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Remove,
    Replace,
    Other,
}

/// One patch operation.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) op: Op,
    /// The operation's name, as it was sent.
    verb: String,
    /// The path, as it was sent.
    pub(super) path: String,
    parts: Vec<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    #[serde(default)]
    patch_operations: Option<Vec<Sent>>,
}

#[derive(Deserialize)]
struct Sent {
    op: Option<String>,
    path: Option<String>,
    value: Option<String>,
}

/// Patches of which the model's constraints are not settled yet: an operation may have more violations to add.
pub(super) struct Parsed {
    patches: Vec<Sent>,
    pub(super) violations: Violations,
}

/// Reads the patches of a body. `input` is the operation's input shape: `updateRestApiInput`.
pub(super) fn parse(body: Body, input: &str) -> Result<Parsed, Refusal> {
    let patches = body.patch_operations.unwrap_or_default();
    let mut violations = Violations::default();
    for (index, patch) in patches.iter().enumerate() {
        let member = format!("{input}.patchOperations.{}.member.op", index + 1);
        violations.one_of(&member, patch.op.as_deref(), &["add", "remove", "move", "test", "replace", "copy"]);
    }
    Ok(Parsed { patches, violations })
}

impl Parsed {
    /// # Errors
    /// `ValidationException` for an operation that doesn't exist, `BadRequestException` for a patch without a path.
    pub(super) fn finish(self) -> Result<Vec<Patch>, Refusal> {
        self.violations.finish()?;
        self.patches.into_iter().map(Patch::of).collect()
    }
}

impl Patch {
    fn of(sent: Sent) -> Result<Self, Refusal> {
        let Some(path) = sent.path else {
            return Err(bad_request("Invalid patch path null"));
        };
        let Some(pointer) = path.strip_prefix('/') else {
            return Err(bad_request(format!("Invalid patch path {path}")));
        };
        let verb = sent.op.unwrap_or_default();
        let op = match verb.as_str() {
            "add" => Op::Add,
            "remove" => Op::Remove,
            "replace" => Op::Replace,
            _ => Op::Other,
        };
        let parts = pointer.split('/').map(unescape).collect();
        Ok(Self { op, verb, parts, path, value: sent.value })
    }

    /// The path's parts, with JSON pointer's escapes undone.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }

    /// The value; empty where there is none.
    pub(super) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The value; `None` where it is absent or empty.
    pub(super) fn non_empty(&self) -> Option<String> {
        self.value.clone().filter(|value| !value.is_empty())
    }

    /// The value as API Gateway reads booleans: everything but `true` is false.
    pub(super) fn flag(&self) -> bool {
        self.text().eq_ignore_ascii_case("true")
    }

    /// The value as a number.
    ///
    /// # Errors
    /// Where it isn't one.
    pub(super) fn number<N: std::str::FromStr>(&self) -> Result<N, Refusal> {
        self.text().parse().map_err(|_| {
            bad_request(format!("Invalid patch value '{}' for path '{}'; send a number", self.text(), self.path))
        })
    }

    /// # Errors
    /// Where the operation isn't `replace`.
    pub(super) fn replaces(&self) -> Result<(), Refusal> {
        if self.op == Op::Replace {
            return Ok(());
        }
        Err(bad_request("Invalid patch operation specified. Must be one of: [replace]"))
    }

    /// Edits the member `key` of a map that may be absent; a map that has lost its last member is absent again.
    ///
    /// # Errors
    /// `NotFoundException` with `missing` where there is nothing to replace or remove.
    pub(super) fn edit<V>(
        &self,
        map: &mut Option<BTreeMap<String, V>>,
        key: &str,
        value: V,
        missing: &str,
    ) -> Result<(), Refusal> {
        let mut members = map.take().unwrap_or_default();
        self.edit_member(&mut members, key, value, missing)?;
        *map = Some(members).filter(|members| !members.is_empty());
        Ok(())
    }

    /// Edits the member `key` of a map.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub(super) fn edit_member<V>(
        &self,
        map: &mut BTreeMap<String, V>,
        key: &str,
        value: V,
        missing: &str,
    ) -> Result<(), Refusal> {
        match self.op {
            Op::Add => {
                map.insert(key.to_owned(), value);
            }
            Op::Replace if map.contains_key(key) => {
                map.insert(key.to_owned(), value);
            }
            Op::Remove if map.contains_key(key) => {
                map.remove(key);
            }
            Op::Replace | Op::Remove => return Err(not_found(missing)),
            Op::Other => return Err(self.not_an_edit()),
        }
        Ok(())
    }

    /// Edits a list of distinct texts: `item` is the one that the path names, which `replace` exchanges for the value.
    ///
    /// # Errors
    /// Where there is nothing to replace or remove.
    pub(super) fn edit_list(&self, list: &mut Vec<String>, item: &str) -> Result<(), Refusal> {
        let at = list.iter().position(|existing| existing == item);
        match (self.op, at) {
            (Op::Add, Some(_)) => {}
            (Op::Add, None) => list.push(item.to_owned()),
            (Op::Remove, Some(at)) => {
                list.remove(at);
            }
            (Op::Replace, Some(at)) => {
                list.remove(at);
                list.push(self.text().to_owned());
            }
            (Op::Remove | Op::Replace, None) => return Err(not_found(format!("Invalid patch path {}", self.path))),
            (Op::Other, _) => return Err(self.not_an_edit()),
        }
        Ok(())
    }

    fn not_an_edit(&self) -> Refusal {
        bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
    }

    /// The refusal of a path that the thing doesn't have.
    pub(super) fn unknown_path(&self) -> Refusal {
        bad_request(format!("Invalid patch path {}", self.path))
    }

    /// The refusal of a path, as the newer operations word it: with the paths that this operation takes.
    pub(super) fn not_among(&self, paths: &[&str]) -> Refusal {
        let Self { path, verb, .. } = self;
        let instead = match paths {
            [] => "Please choose supported operations".to_owned(),
            paths => format!("Must be one of: [{}]", paths.join(", ")),
        };
        bad_request(format!("Invalid patch path  '{path}' specified for op '{verb}'. {instead}"))
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
