//! What a call needs to be allowed to whoever makes it. Every service says it for its own operations; it is held against
//! IAM in one place, before the operation begins.

use super::iam::{self, Context};
use super::world::World;

/// An action on a resource, under the conditions of one call.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    /// `kafka:DescribeClusterV2`
    action: String,
    /// An ARN, or `*` for actions that know no resources.
    resource: String,
    /// How the refusal calls the resource.
    shown: String,
    context: Context,
}

impl Permission {
    /// The right to do `action` to `resource`.
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        let resource = resource.into();
        Self { action: action.into(), shown: resource.clone(), resource, context: Context::default() }
    }

    /// The same, in a service that calls the resource something else than its ARN.
    #[must_use]
    pub(crate) fn shown_as(self, shown: impl Into<String>) -> Self {
        Self { shown: shown.into(), ..self }
    }

    /// The same, for a call of which a condition key has that value.
    #[must_use]
    pub(crate) fn given(self, key: &str, value: &str) -> Self {
        Self { context: self.context.with(key, value), ..self }
    }

    /// Why a caller doesn't have it, in AWS's words; `None` for one who does.
    pub(crate) fn denied(&self, world: &World, caller: &str) -> Option<String> {
        let denial = iam::denial(world, caller, &self.action, &self.resource, &self.context)?;
        let Self { action, shown, .. } = self;
        Some(format!(
            "User: {caller} is not authorized to perform: {action} on resource: {shown} {}",
            denial.why(action)
        ))
    }
}

/// Holds what a call needs against the policies of who makes it. What it needs is only worked out where somebody may be
/// refused.
///
/// # Errors
/// AWS's sentence about the first that the caller lacks.
pub(crate) fn check(
    world: &World,
    caller: &str,
    region: &str,
    needed: impl FnOnce() -> Vec<Permission>,
) -> Result<(), String> {
    if iam::is_owner(caller) {
        return Ok(());
    }
    let mut needed = needed().into_iter().map(|permission| permission.given("aws:RequestedRegion", region));
    needed.find_map(|permission| permission.denied(world, caller)).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
