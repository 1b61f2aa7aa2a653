//! What a request to S3 is called: the operation in its method, path, query and headers.

use percent_encoding::percent_decode_str;

use crate::sandbox::signature::Head;

/// The bucket that a path names.
pub(super) fn bucket(path: &str) -> Option<String> {
    Some(place(path).0).filter(|name| !name.is_empty())
}

/// The bucket and the key that a path names; empty texts where it names none.
pub(super) fn place(path: &str) -> (String, String) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (decoded(bucket), decoded(key))
}

/// What a path names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Account,
    Bucket,
    Object,
}

impl Level {
    fn of(path: &str) -> Self {
        match path.strip_prefix('/').unwrap_or(path).split_once('/') {
            Some((_, key)) if !key.is_empty() => Self::Object,
            None if path.len() <= 1 => Self::Account,
            _ => Self::Bucket,
        }
    }
}

/// The operations that a key of the query tells from the rest, before those that only method and path tell.
const OPERATIONS: [(&str, Level, &str, &str); 39] = [
    ("DELETE", Level::Bucket, "cors", "DeleteBucketCors"),
    ("DELETE", Level::Bucket, "encryption", "DeleteBucketEncryption"),
    ("DELETE", Level::Bucket, "lifecycle", "DeleteBucketLifecycle"),
    ("DELETE", Level::Bucket, "policy", "DeleteBucketPolicy"),
    ("DELETE", Level::Bucket, "publicAccessBlock", "DeletePublicAccessBlock"),
    ("DELETE", Level::Bucket, "tagging", "DeleteBucketTagging"),
    ("DELETE", Level::Object, "tagging", "DeleteObjectTagging"),
    ("DELETE", Level::Object, "uploadId", "AbortMultipartUpload"),
    ("GET", Level::Bucket, "acl", "GetBucketAcl"),
    ("GET", Level::Bucket, "cors", "GetBucketCors"),
    ("GET", Level::Bucket, "encryption", "GetBucketEncryption"),
    ("GET", Level::Bucket, "lifecycle", "GetBucketLifecycleConfiguration"),
    ("GET", Level::Bucket, "list-type", "ListObjectsV2"),
    ("GET", Level::Bucket, "location", "GetBucketLocation"),
    ("GET", Level::Bucket, "notification", "GetBucketNotificationConfiguration"),
    ("GET", Level::Bucket, "policy", "GetBucketPolicy"),
    ("GET", Level::Bucket, "publicAccessBlock", "GetPublicAccessBlock"),
    ("GET", Level::Bucket, "tagging", "GetBucketTagging"),
    ("GET", Level::Bucket, "uploads", "ListMultipartUploads"),
    ("GET", Level::Bucket, "versioning", "GetBucketVersioning"),
    ("GET", Level::Bucket, "versions", "ListObjectVersions"),
    ("GET", Level::Object, "acl", "GetObjectAcl"),
    ("GET", Level::Object, "attributes", "GetObjectAttributes"),
    ("GET", Level::Object, "tagging", "GetObjectTagging"),
    ("GET", Level::Object, "uploadId", "ListParts"),
    ("POST", Level::Bucket, "delete", "DeleteObjects"),
    ("POST", Level::Object, "uploadId", "CompleteMultipartUpload"),
    ("POST", Level::Object, "uploads", "CreateMultipartUpload"),
    ("PUT", Level::Bucket, "acl", "PutBucketAcl"),
    ("PUT", Level::Bucket, "cors", "PutBucketCors"),
    ("PUT", Level::Bucket, "encryption", "PutBucketEncryption"),
    ("PUT", Level::Bucket, "lifecycle", "PutBucketLifecycleConfiguration"),
    ("PUT", Level::Bucket, "notification", "PutBucketNotificationConfiguration"),
    ("PUT", Level::Bucket, "policy", "PutBucketPolicy"),
    ("PUT", Level::Bucket, "publicAccessBlock", "PutPublicAccessBlock"),
    ("PUT", Level::Bucket, "tagging", "PutBucketTagging"),
    ("PUT", Level::Bucket, "versioning", "PutBucketVersioning"),
    ("PUT", Level::Object, "acl", "PutObjectAcl"),
    ("PUT", Level::Object, "tagging", "PutObjectTagging"),
];

/// The operation that a request asks for, as `--fault` and `--calls` have it; `-` where it is none.
pub(crate) fn operation(head: &Head) -> &'static str {
    let level = Level::of(&head.path);
    let by_query = OPERATIONS
        .iter()
        .find(|(method, at, key, _)| *method == head.method && *at == level && head.query(key).is_some());
    if let Some((.., name)) = by_query {
        return name;
    }
    let copies = head.header("x-amz-copy-source").is_some();
    let is_part = head.query("partNumber").is_some() && head.query("uploadId").is_some();
    match (head.method.as_str(), level) {
        ("GET", Level::Account) => "ListBuckets",
        ("GET", Level::Bucket) => "ListObjects",
        ("PUT", Level::Bucket) => "CreateBucket",
        ("HEAD", Level::Bucket) => "HeadBucket",
        ("DELETE", Level::Bucket) => "DeleteBucket",
        ("GET", Level::Object) => "GetObject",
        ("HEAD", Level::Object) => "HeadObject",
        ("DELETE", Level::Object) => "DeleteObject",
        ("PUT", Level::Object) if is_part && copies => "UploadPartCopy",
        ("PUT", Level::Object) if is_part => "UploadPart",
        ("PUT", Level::Object) if copies => "CopyObject",
        ("PUT", Level::Object) => "PutObject",
        _ => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::signature::decode_query;

    #[test]
    fn requests_are_named() {
        let named = |request: &str, header: &str| {
            let (method, target) = request.split_once(' ').unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            operation(&Head {
                method: method.to_owned(),
                path: path.to_owned(),
                query: decode_query(query),
                headers: vec![(header.to_owned(), String::new())],
            })
        };
        for (request, name) in [
            ("GET /", "ListBuckets"),
            ("GET /?max-buckets=3", "ListBuckets"),
            ("PUT /b", "CreateBucket"),
            ("PUT /b/", "CreateBucket"),
            ("HEAD /b", "HeadBucket"),
            ("GET /b?location", "GetBucketLocation"),
            ("GET /b?list-type=2&prefix=a", "ListObjectsV2"),
            ("GET /b?prefix=a", "ListObjects"),
            ("PUT /b?tagging", "PutBucketTagging"),
            ("POST /b?delete", "DeleteObjects"),
            ("PUT /b/a/b", "PutObject"),
            ("PUT /b/a?partNumber=1&uploadId=x", "UploadPart"),
            ("POST /b/a?uploads", "CreateMultipartUpload"),
            ("POST /b/a?uploadId=x", "CompleteMultipartUpload"),
            ("DELETE /b/a?uploadId=x", "AbortMultipartUpload"),
            ("GET /b/a?uploadId=x", "ListParts"),
            ("HEAD /b/a", "HeadObject"),
            ("PATCH /b/a", "-"),
        ] {
            assert_eq!(named(request, ""), name, "{request}");
        }
        assert_eq!(named("PUT /b/a", "x-amz-copy-source"), "CopyObject");
        assert_eq!(named("PUT /b/a?partNumber=1&uploadId=x", "x-amz-copy-source"), "UploadPartCopy");
        assert_eq!(bucket("/my-bucket/a/b").as_deref(), Some("my-bucket"));
        assert_eq!(place("my-bucket/a%20b/c"), ("my-bucket".to_owned(), "a b/c".to_owned()));
        assert_eq!(bucket("/"), None);
    }
}
