//! What S3 remembers, and in which tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};

use super::sums::Sum;
use crate::sandbox::store::Store;
use crate::sandbox::world::Millis;

/// Bucket name to [`Bucket`].
pub(super) const BUCKETS: &str = "s3/buckets";
/// [`object_key`] to [`Object`].
pub(super) const OBJECTS: &str = "s3/objects";
/// Upload id to [`Upload`].
pub(super) const UPLOADS: &str = "s3/uploads";
/// [`part_key`] to [`Part`].
pub(super) const PARTS: &str = "s3/parts";

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) region: String,
    pub(super) created: Millis,
    pub(super) tags: Vec<(String, String)>,
}

/// An object that is whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Object {
    /// Its contents, in order: one blob, or one for each part that it was uploaded in.
    pub(super) blobs: Vec<Blob>,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) described: Description,
    pub(super) sum: Option<Sum>,
}

impl Object {
    pub(super) fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }
}

/// A file of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) id: String,
    /// Bytes.
    pub(super) size: u64,
}

/// What an uploader says about an object, and gets back with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Description {
    /// `x-amz-meta-` headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
}

/// Takes the description out of the input of a put, a copy or a multipart upload.
macro_rules! description {
    ($input:expr) => {
        $crate::sandbox::s3::records::Description {
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
        }
    };
}
pub(super) use description;

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) began: Millis,
    pub(super) described: Description,
    /// The checksum algorithm of its parts: `CRC32`.
    pub(super) algorithm: Option<String>,
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) blob: Blob,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) sum: Option<Sum>,
}

/// The key of an object's record. Bucket names have no slash, so a bucket's objects are the keys that begin with its
/// name and a slash, in S3's order.
pub(super) fn object_key(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

/// The key of a part's record, so that an upload's parts are in order.
pub(super) fn part_key(upload: &str, number: i32) -> String {
    format!("{upload}/{number:05}")
}

/// The ids of all blobs that a record has.
pub(super) fn referenced(store: &Store) -> BTreeSet<String> {
    store.read(|transaction| {
        let objects = transaction.list::<Object>(OBJECTS).into_iter().flat_map(|(_, object)| object.blobs);
        let parts = transaction.list::<Part>(PARTS).into_iter().map(|(_, part)| part.blob);
        objects.chain(parts).map(|blob| blob.id).collect()
    })
}

/// A time, as `s3s` writes it.
pub(super) fn timestamp(millis: Millis) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis))
}
