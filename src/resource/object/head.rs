//! What S3 tells of an object without sending it, and what the tool writes there.

use std::collections::HashMap;

use aws_sdk_s3::Client;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::aws::{Failure, found};
use crate::engine::Result;
use crate::resource::Tags;

/// The metadata that says what the bytes are, in lower-case hex.
const SHA256: &str = "sha256";
/// Metadata travel in HTTP headers, where only ASCII is safe. What is ASCII stays readable.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');

/// An object, but for its bytes.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// How many bytes it has.
    pub(super) length: u64,
    /// S3's own mark of its contents, without quotes.
    pub(super) etag: String,
    metadata: HashMap<String, String>,
}

impl Head {
    /// What its metadata say that its bytes are.
    pub(super) fn sha256(&self) -> Option<&str> {
        let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.metadata.get(SHA256).map(String::as_str).filter(is_digest)
    }

    /// Its metadata, spelt as tags.
    pub(super) fn tags(&self) -> HashMap<String, String> {
        let tag = |(key, value): (&String, &String)| {
            (key.replacen('-', ":", 1), percent_decode_str(value).decode_utf8_lossy().into_owned())
        };
        self.metadata.iter().map(tag).collect()
    }
}

/// The metadata of an object of ours: its tags, which headers can't spell with a colon, and what its bytes are.
pub(super) fn metadata(tags: &Tags, sha256: &str) -> HashMap<String, String> {
    let entry =
        |(key, value): (String, String)| (key.replacen(':', "-", 1), utf8_percent_encode(&value, UNSAFE).to_string());
    let mut metadata: HashMap<String, String> = tags.for_creation().into_iter().map(entry).collect();
    metadata.insert(SHA256.to_owned(), sha256.to_owned());
    metadata
}

/// What is at that key; `None` where nothing is.
///
/// # Errors
/// Where S3 can't be reached, or refuses: its answer to HEAD has no body, so that the status must tell why.
pub(super) async fn head(s3: &Client, bucket: &str, key: &str) -> Result<Option<Head>> {
    let answer = s3.head_object().bucket(bucket).key(key).send().await;
    let status =
        answer.as_ref().err().and_then(|error| error.raw_response()).map(|response| response.status().as_u16());
    let is_silent = answer.as_ref().err().is_some_and(|error| error.code().is_none());
    let found = match found(answer) {
        Err(failure) if is_silent => return Err(explained(failure, status, bucket, key).into()),
        result => result?,
    };
    Ok(found.map(|object| Head {
        length: object.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default(),
        etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        metadata: object.metadata.unwrap_or_default(),
    }))
}

fn explained(failure: Failure, status: Option<u16>, bucket: &str, key: &str) -> Failure {
    let message = match status {
        Some(403) => format!(
            "S3 does not show s3://{bucket}/{key} to this caller; grant it s3:GetObject there and s3:ListBucket on the bucket, or use other credentials"
        ),
        Some(301) => format!("bucket {bucket} is in another region; set the manifest's region to that of the bucket"),
        Some(status) => format!("S3 answered HTTP status {status} for s3://{bucket}/{key}; try again"),
        None => failure.message,
    };
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Owner;

    fn head(metadata: HashMap<String, String>) -> Head {
        Head { length: 1, etag: String::new(), metadata }
    }

    fn owner(tags: &Tags, head: &Head) -> Owner {
        tags.owner(head.tags().iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    #[test]
    fn metadata_tell_whose_an_object_is_and_what_it_holds() {
        let ours = Tags::new("pïnterest 100%", "dev", "abc", None);
        let sha256 = "0a".repeat(32);
        let metadata = metadata(&ours, &sha256);
        assert!(metadata.iter().all(|(key, value)| key.is_ascii() && !key.contains(':') && value.is_ascii()));
        let head = head(metadata);
        assert_eq!((owner(&ours, &head), head.sha256()), (Owner::Ours, Some(sha256.as_str())));
        assert!(matches!(owner(&Tags::new("pïnterest 100%", "prod", "abc", None), &head), Owner::Foreign(_)));
    }

    #[test]
    fn somebody_else_s_object_is_foreign() {
        let head = head(HashMap::from([("sha256".to_owned(), "no digest".to_owned())]));
        assert!(matches!(owner(&Tags::new("a", "b", "c", None), &head), Owner::Foreign(_)));
        assert_eq!(head.sha256(), None);
    }
}
