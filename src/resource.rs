//! The kinds of resources: one file each, behind [`crate::engine::Resource`], and the only registry of them.

use std::sync::Arc;

use crate::aws::clients::Clients;

mod ownership;
mod rest_api;

pub use ownership::Tags;

/// What every kind works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The clients.
    pub clients: Clients,
    /// The tags that say whose a thing is.
    pub tags: Tags,
}

/// A context, shared by the resources of one graph.
pub type Shared = Arc<Context>;
