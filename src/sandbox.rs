//! A local AWS that listens on HTTP. It meets the rest of the tool only through an endpoint URL.

mod call;
mod iam;
mod query;
mod store;
mod sts;
mod world;

pub use world::{Fault, Settings};
