//! Sends an archive to S3: in one piece, or in parts at the same time. S3 checks each piece against its SHA-256.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::MIB;
use crate::archive::{Archive, Format};
use crate::aws::{Failure, found, sent};
use crate::engine::{Progress, Result};

/// What has more bytes goes in parts.
const LARGEST_PIECE: u64 = 16 * MIB;
const PART: u64 = 8 * MIB;
/// S3's limit for the parts of one upload; there, parts must be larger.
const MOST_PARTS: u64 = 10_000;
/// Parts that are under way at the same time, each in memory.
const AT_ONCE: usize = 6;

/// The file is not what it was when it was hashed.
#[derive(Debug, thiserror::Error)]
#[error("the archive changed while it was read; apply again once nothing writes it")]
struct Changed;

/// What goes where.
pub(super) struct Upload<'a> {
    pub(super) s3: &'a Client,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) metadata: HashMap<String, String>,
    pub(super) archive: &'a Archive,
    pub(super) path: &'a Path,
}

impl Upload<'_> {
    /// Sends it all. S3 shows either nothing of it or the whole.
    pub(super) async fn send(&self, progress: &Progress) -> Result<()> {
        let length = tokio::fs::metadata(self.path).await?.len();
        if length <= LARGEST_PIECE {
            progress.note(format!("{} MiB", length.div_ceil(MIB)));
            return self.in_one(length).await;
        }
        self.abort_earlier().await?;
        let id = self.begin().await?;
        let result = self.in_parts(&id, length, progress).await;
        if result.is_err() {
            // What failed already is what to tell. Parts that stay, the next upload of this key removes.
            let _ = self.abort(&id).await;
        }
        result
    }

    async fn in_one(&self, length: u64) -> Result<()> {
        let mut reader = Reader::open(self, length).await?;
        let bytes = reader.next().await?;
        reader.finish()?;
        let call = self
            .s3
            .put_object()
            .bucket(self.bucket)
            .key(self.key)
            .set_metadata(Some(self.metadata.clone()))
            .content_type(self.content_type())
            .checksum_sha256(checksum(&bytes))
            .body(ByteStream::from(bytes));
        sent(call.send().await)?;
        Ok(())
    }

    async fn begin(&self) -> Result<String> {
        let call = self
            .s3
            .create_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .set_metadata(Some(self.metadata.clone()))
            .content_type(self.content_type())
            .checksum_algorithm(ChecksumAlgorithm::Sha256);
        let begun = sent(call.send().await)?;
        begun.upload_id.ok_or_else(|| "S3 began an upload without telling its id; apply again".into())
    }

    async fn in_parts(&self, id: &str, length: u64, progress: &Progress) -> Result<()> {
        let size = PART.max(length.div_ceil(MOST_PARTS));
        let (count, done) = (length.div_ceil(size), AtomicU64::new(0));
        progress.note(format!("0 of {count} parts"));
        let reader = Reader::open(self, size).await?;
        let done = &done;
        let parts = stream::try_unfold(reader, Reader::part).map_ok(|(number, bytes)| async move {
            let part = self.part(id, number, bytes).await?;
            progress.note(format!("{} of {count} parts", done.fetch_add(1, Ordering::Relaxed) + 1));
            Ok(part)
        });
        let mut parts: Vec<CompletedPart> = parts.try_buffer_unordered(AT_ONCE).try_collect().await?;
        parts.sort_by_key(CompletedPart::part_number);
        self.complete(id, parts).await
    }

    async fn part(&self, id: &str, number: i32, bytes: Vec<u8>) -> Result<CompletedPart> {
        let checksum = checksum(&bytes);
        let call = self
            .s3
            .upload_part()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(id)
            .part_number(number)
            .checksum_sha256(&checksum)
            .body(ByteStream::from(bytes));
        let sent = sent(call.send().await)?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).checksum_sha256(checksum).build())
    }

    async fn complete(&self, id: &str, parts: Vec<CompletedPart>) -> Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.s3.complete_multipart_upload().bucket(self.bucket).key(self.key).upload_id(id);
        match sent(call.multipart_upload(parts).send().await) {
            Ok(_) => Ok(()),
            // The answer to a first attempt was lost. Whether it did its work, the caller's look at the object tells.
            Err(failure) if failure.is("NoSuchUpload") => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Removes the parts that runs which were killed left at this key.
    async fn abort_earlier(&self) -> Result<()> {
        let ids = match self.begun().await {
            Ok(ids) => ids,
            // A caller that may only put objects can go on: such parts cost money, but do no harm.
            Err(failure) if failure.is_denied() => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        for id in ids {
            self.abort(&id).await?;
        }
        Ok(())
    }

    /// The ids of the uploads that were begun at this key, and not completed.
    async fn begun(&self) -> std::result::Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut next = (None, None);
        loop {
            let call = self.s3.list_multipart_uploads().bucket(self.bucket).prefix(self.key);
            let page = sent(call.set_key_marker(next.0).set_upload_id_marker(next.1).send().await)?;
            let ours = page.uploads.unwrap_or_default().into_iter().filter(|upload| upload.key() == Some(self.key));
            ids.extend(ours.filter_map(|upload| upload.upload_id));
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(ids);
            }
            next = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    async fn abort(&self, id: &str) -> Result<()> {
        match found(self.s3.abort_multipart_upload().bucket(self.bucket).key(self.key).upload_id(id).send().await) {
            Ok(_) => Ok(()),
            Err(failure) if failure.is("NoSuchUpload") => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn content_type(&self) -> &'static str {
        match self.archive.format() {
            Format::Zip => "application/zip",
            Format::Jar => "application/java-archive",
        }
    }
}

fn checksum(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

/// Reads an archive piece by piece, and makes sure that the whole is what its name says.
struct Reader {
    file: File,
    size: u64,
    /// How many pieces it has given.
    count: i32,
    hasher: Sha256,
    expected: String,
}

impl Reader {
    async fn open(upload: &Upload<'_>, size: u64) -> Result<Self> {
        let file = File::open(upload.path).await?;
        Ok(Self { file, size, count: 0, hasher: Sha256::new(), expected: upload.archive.sha256().to_owned() })
    }

    /// The next piece; nothing at the end.
    async fn next(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.file).take(self.size).read_to_end(&mut bytes).await?;
        self.hasher.update(&bytes);
        self.count += 1;
        Ok(bytes)
    }

    /// The next piece with its number, from 1 on, and the reader again; nothing at the end of what was expected.
    async fn part(mut self) -> Result<Option<((i32, Vec<u8>), Self)>> {
        let bytes = self.next().await?;
        if bytes.is_empty() { self.finish().map(|()| None) } else { Ok(Some(((self.count, bytes), self))) }
    }

    fn finish(self) -> Result<()> {
        if hex::encode(self.hasher.finalize()) == self.expected { Ok(()) } else { Err(Changed.into()) }
    }
}
