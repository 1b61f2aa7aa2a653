//! One manifest for an HTTP to Kafka to S3 pipeline on AWS.

pub mod engine;
pub mod manifest;
#[cfg(feature = "sandbox")]
pub mod sandbox;
