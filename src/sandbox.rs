//! A local AWS that listens on HTTP. It meets the rest of the tool only through an endpoint URL.

mod apigateway;
mod call;
mod store;
mod world;

pub use world::{Fault, Settings};
