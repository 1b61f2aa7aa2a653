//! MSK: not here yet. The branch that builds it replaces this file.

use super::call::{Call, PathValues, Refusal, Reply};
use super::world::World;

pub(crate) fn operation(_call: &Call) -> Option<(&'static str, PathValues)> {
    None
}

pub(crate) async fn handle(
    _world: &World,
    operation: &str,
    _path: &PathValues,
    _call: &Call,
) -> Result<Reply, Refusal> {
    Err(Refusal::new(501, "NotImplementedException", format!("{operation} isn't built yet")))
}

pub(crate) fn declare_cluster(_world: &World, _region: &str, name_or_arn: &str) -> Result<serde_json::Value, Refusal> {
    Err(Refusal::new(501, "NotImplementedException", format!("{name_or_arn} can't be declared yet")))
}
