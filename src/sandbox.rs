//! A local AWS that listens on HTTP. It meets the rest of the tool only through an endpoint URL.

mod call;
mod connect;
mod iam;
mod kafka;
mod query;
mod rest_json;
mod store;
mod sts;
mod world;

pub use world::{Fault, Settings};
