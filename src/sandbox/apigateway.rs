//! API Gateway: not here yet. The branch that builds it replaces this file.

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
