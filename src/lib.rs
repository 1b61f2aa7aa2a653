//! One manifest for an HTTP to Kafka to S3 pipeline on AWS.

pub mod archive;
pub mod aws;
pub mod cli;
pub mod engine;
pub mod iam_document;
pub mod manifest;
pub mod resource;
#[cfg(feature = "sandbox")]
pub mod sandbox;
