//! An archive that is in S3 already: read, and neither written nor removed.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::head::{Head, head};
use crate::engine::{Address, Fields, Observed, Output, Outputs, Owner, Result, State};
use crate::resource::Shared;
use crate::resource::existing::Found;

/// An archive that is there already.
#[derive(Debug)]
pub(crate) struct ExistingObject {
    context: Shared,
    address: Address,
    bucket: String,
    key: String,
}

impl ExistingObject {
    /// The object at `key`, for the plugin of that name.
    pub(crate) fn new(context: Shared, plugin: &str, bucket: &str, key: &str) -> Self {
        Self { context, address: Address::new("object", plugin), bucket: bucket.to_owned(), key: key.to_owned() }
    }

    fn state(&self, head: &Head) -> State {
        let output = Output::new()
            .with("bucket", self.bucket.as_str())
            .with("key", self.key.as_str())
            .with("sha256", identity(head))
            .with("etag", head.etag.as_str());
        State { fields: Fields::new(), output, label: Some(format!("s3://{}/{}", self.bucket, self.key)) }
    }
}

/// What stands for the contents: their SHA-256, where the metadata have it, else a digest of what S3 tells of them.
fn identity(head: &Head) -> String {
    let told = || hex::encode(Sha256::digest(format!("{} {}", head.etag, head.length)));
    head.sha256().map_or_else(told, str::to_ascii_lowercase)
}

#[async_trait]
impl Found for ExistingObject {
    fn at(&self) -> &Address {
        &self.address
    }

    fn missing(&self) -> String {
        format!(
            "expected the plugin's archive at s3://{}/{}, got nothing; upload it there, or correct the plugin's source",
            self.bucket, self.key
        )
    }

    async fn look(&self, _: &Outputs) -> Result<Observed> {
        let head = head(&self.context.clients.s3, &self.bucket, &self.key).await?;
        Ok(head.map_or_else(Observed::absent, |head| Observed::present(self.state(&head), Owner::Untaggable)))
    }
}
