//! What each operation of S3 needs to be allowed
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).

use super::names;
use super::records::{OBJECTS, Object, object_key};
use crate::sandbox::permission::Permission;
use crate::sandbox::signature::Head;
use crate::sandbox::world::World;

/// What the caller needs. DeleteObjects is held against IAM key by key instead, see [`object`].
pub(crate) fn needs(world: &World, operation: &str, head: &Head) -> Vec<Permission> {
    let (bucket, key) = names::place(&head.path);
    let on_bucket = |action: &str| permission(action, bucket_arn(&bucket));
    let on_object = |action: &str| object(action, &bucket, &key);
    match operation {
        "-" | "DeleteObjects" => Vec::new(),
        "ListBuckets" => vec![on_bucket("ListAllMyBuckets")],
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => vec![listing(on_bucket("ListBucket"), head)],
        "ListObjectVersions" => vec![listing(on_bucket("ListBucketVersions"), head)],
        "DeleteBucketTagging" => vec![on_bucket("PutBucketTagging")],
        "ListMultipartUploads" => vec![on_bucket("ListBucketMultipartUploads")],
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            vec![on_object("PutObject")]
        }
        "CopyObject" | "UploadPartCopy" => {
            let source = head.header("x-amz-copy-source").unwrap_or_default();
            let (bucket, key) = names::place(source.split('?').next().unwrap_or_default());
            vec![object("GetObject", &bucket, &key), on_object("PutObject")]
        }
        "GetObject" | "HeadObject" => {
            let mut needed = vec![on_object("GetObject")];
            // Who may not list a bucket isn't told what is not in it.
            let found = |record: &str| world.store.read(|transaction| transaction.get::<Object>(OBJECTS, record));
            if found(&object_key(&bucket, &key)).is_none() {
                needed.push(on_bucket("ListBucket"));
            }
            needed
        }
        "ListParts" => vec![on_object("ListMultipartUploadParts")],
        other if key.is_empty() => vec![on_bucket(other)],
        other => vec![on_object(other)],
    }
}

/// The right to do something to an object.
pub(super) fn object(action: &str, bucket: &str, key: &str) -> Permission {
    permission(action, format!("{}/{key}", bucket_arn(bucket)))
}

/// The right to tag a bucket while it is made.
pub(super) fn tagging(bucket: &str) -> Permission {
    permission("TagResource", bucket_arn(bucket))
}

/// All buckets together, where there is no name.
fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{}", if bucket.is_empty() { "*" } else { bucket })
}

/// S3 quotes resources.
fn permission(action: &str, arn: String) -> Permission {
    let shown = format!("\"{arn}\"");
    Permission::new(format!("s3:{action}"), arn).shown_as(shown)
}

/// A listing, with the condition keys that say what is listed.
fn listing(permission: Permission, head: &Head) -> Permission {
    ["prefix", "delimiter", "max-keys"].iter().fold(permission, |permission, key| match head.query(key) {
        Some(value) => permission.given(&format!("s3:{key}"), value),
        None => permission,
    })
}
