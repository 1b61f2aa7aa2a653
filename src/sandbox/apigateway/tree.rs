//! The resources of one API, as a tree of path parts.

use std::collections::BTreeMap;

use super::model::Resource;
use super::refusal::{bad_request, conflict, no_resource};
use crate::sandbox::call::Refusal;

pub(super) struct Tree(BTreeMap<String, Resource>);

impl Tree {
    pub(super) fn new(resources: Vec<(String, Resource)>) -> Self {
        Self(resources.into_iter().collect())
    }

    pub(super) fn get(&self, id: &str) -> Result<&Resource, Refusal> {
        self.0.get(id).ok_or_else(no_resource)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, resource: Resource) {
        self.0.insert(resource.id.clone(), resource);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.0.values()
    }

    /// The whole path of a resource: `/`, `/pets`, `/pets/{proxy+}`.
    pub(super) fn path(&self, resource: &Resource) -> String {
        let mut parts: Vec<&str> = self.lineage(resource).filter_map(|step| step.path_part.as_deref()).collect();
        parts.reverse();
        format!("/{}", parts.join("/"))
    }

    /// The resource, its parent, and so on to the root.
    fn lineage<'a>(&'a self, resource: &'a Resource) -> impl Iterator<Item = &'a Resource> {
        std::iter::successors(Some(resource), |step| self.0.get(step.parent_id.as_deref()?))
    }

    /// A resource and everything below it.
    pub(super) fn subtree(&self, id: &str) -> Vec<String> {
        let below = |resource: &&Resource| self.lineage(resource).any(|step| step.id == id);
        self.0.values().filter(below).map(|resource| resource.id.clone()).collect()
    }

    /// Whether a resource may have this part under this parent, next to the children that the parent has.
    ///
    /// # Errors
    /// As AWS refuses parts that are malformed, taken, or variable next to or below another variable that forbids it.
    pub(super) fn check_place(&self, id: Option<&str>, parent_id: &str, part: &str) -> Result<(), Refusal> {
        check_part(part)?;
        let parent = self.get(parent_id)?;
        let siblings = || {
            self.0
                .values()
                .filter(|other| other.parent_id.as_deref() == Some(parent_id) && Some(other.id.as_str()) != id)
        };
        let parts = || siblings().filter_map(|sibling| sibling.path_part.as_deref());
        if parts().any(|taken| taken == part) {
            return Err(conflict(format!("Another resource with the same parent already has this name: {part}")));
        }
        if id.is_some_and(|id| self.lineage(parent).any(|step| step.id == id)) {
            return Err(bad_request("Resources cannot be cyclical."));
        }
        if let Some(greedy) = parent.path_part.as_deref().filter(|part| part.ends_with("+}")) {
            return Err(below_greedy(greedy));
        }
        let has_children = id.is_some_and(|id| self.0.values().any(|other| other.parent_id.as_deref() == Some(id)));
        if part.ends_with("+}") && has_children {
            return Err(below_greedy(part));
        }
        match parts().find(|taken| part.starts_with('{') && taken.starts_with('{')) {
            Some(variable) => Err(bad_request(format!(
                "A sibling ({variable}) of this resource already has a variable path part -- only one is allowed"
            ))),
            None => Ok(()),
        }
    }
}

fn below_greedy(greedy: &str) -> Refusal {
    bad_request(format!("Cannot create a child of a resource with a greedy path variable: {greedy}"))
}

fn check_part(part: &str) -> Result<(), Refusal> {
    let variable = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = variable.map_or(part, |name| name.strip_suffix('+').unwrap_or(name));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(());
    }
    Err(bad_request(
        "Resource's path part only allow a-zA-Z0-9._-: and curly braces at the beginning and the end and an optional \
         plus sign before the closing brace.",
    ))
}
