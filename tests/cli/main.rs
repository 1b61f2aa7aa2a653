//! The real binary against the real sandbox, over HTTP: one file a verb.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod apply;
mod bench;
mod client;
mod course;
mod destroy;
mod drift;
mod flow;
mod kill;
mod lost;
mod manifests;
mod outputs;
mod plan;
mod sandbox;
mod scale;
mod send;
mod topics;
mod verify;
