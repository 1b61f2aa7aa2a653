//! Contents: files that are written once, and named by no key, so that any two keys can be there together.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use hyper::body::Bytes;
use s3s::crypto::{Checksum, Md5};
use s3s::dto::StreamingBlob;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use uuid::Uuid;

use super::records::Blob;
use super::sums::{Algorithm, Hasher, Sum};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// The folder of contents.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
}

/// Contents that have just been written. Its file is removed with it unless it was [`Draft::keep`]t: the client went
/// away, or the call is refused in the end.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    blob: Blob,
    /// MD5 of the contents.
    pub(super) md5: [u8; 16],
    /// The checksum that was asked for.
    pub(super) sum: Option<Sum>,
    kept: bool,
}

impl Draft {
    /// The contents, which a record is about to have.
    pub(super) fn blob(&self) -> Blob {
        self.blob.clone()
    }

    /// Writes more of the contents; the first time makes their file.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(bytes)?;
        self.blob.size += bytes.len() as u64;
        Ok(())
    }

    /// The contents now belong to a record.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // What can't be removed now is removed when the sandbox is opened again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Blobs {
    pub(super) fn of(world: &World) -> Self {
        Self { folder: world.folder.join("s3") }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Writes a body, hashing it on the way.
    ///
    /// # Errors
    /// What the body breaks off with, and what the disk does.
    pub(super) async fn write(
        &self,
        body: Option<StreamingBlob>,
        algorithm: Option<Algorithm>,
    ) -> Result<Draft, Refusal> {
        // From here on a file may be there, also when this future is dropped half way.
        let mut draft = self.draft();
        let mut file = BufWriter::with_capacity(CHUNK, tokio::fs::File::create(&draft.path).await?);
        let (mut md5, mut hasher) = (Md5::new(), algorithm.map(Hasher::new));
        let mut body = body.into_iter().map(StreamExt::boxed).next().unwrap_or_else(|| stream::empty().boxed());
        while let Some(bytes) = body.try_next().await.map_err(|error| broken_off(error.as_ref()))? {
            md5.update(&bytes);
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
            file.write_all(&bytes).await?;
            draft.blob.size += bytes.len() as u64;
        }
        file.flush().await?;
        draft.md5 = md5.finalize();
        draft.sum = hasher.map(Hasher::finish);
        Ok(draft)
    }

    /// Contents of which nothing is written yet.
    pub(super) fn draft(&self) -> Draft {
        let id = Uuid::new_v4().to_string();
        Draft { path: self.path(&id), blob: Blob { id, size: 0 }, md5: [0; 16], sum: None, kept: false }
    }

    /// A second file of the same contents.
    ///
    /// # Errors
    /// Where the contents are gone, or can't be written again.
    pub(super) fn duplicate(&self, blob: &Blob) -> io::Result<Blob> {
        let id = Uuid::new_v4().to_string();
        let (from, to) = (self.path(&blob.id), self.path(&id));
        // Files are never written again, so two names of one file do; not every file system has them.
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
        Ok(Blob { id, size: blob.size })
    }

    /// A range of the contents, as a stream. The files are opened before this returns, so that they may be removed
    /// while it is read.
    ///
    /// # Errors
    /// Where the contents are gone.
    pub(super) async fn read(
        &self,
        blobs: &[Blob],
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static> {
        let mut slices = Vec::new();
        let mut start = 0;
        for blob in blobs {
            let end = start + blob.size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let mut file = tokio::fs::File::open(self.path(&blob.id)).await?;
                file.seek(SeekFrom::Start(from - start)).await?;
                slices.push(file.take(to - from));
            }
            start = end;
        }
        let chunks = |slice: tokio::io::Take<tokio::fs::File>| {
            stream::try_unfold(slice, async |mut slice| {
                let mut chunk = vec![0; CHUNK.min(slice.limit() as usize)];
                let count = slice.read(&mut chunk).await?;
                chunk.truncate(count);
                Ok((count > 0).then(|| (Bytes::from(chunk), slice)))
            })
        };
        Ok(stream::iter(slices).flat_map(chunks))
    }

    /// The contents, whole.
    ///
    /// # Errors
    /// Where they are gone.
    pub(super) async fn read_whole(&self, blobs: &[Blob]) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        for blob in blobs {
            contents.extend(tokio::fs::read(self.path(&blob.id)).await?);
        }
        Ok(contents)
    }

    /// Removes contents that no record has any more. What fails is removed when the sandbox is opened again.
    pub(super) fn remove(&self, blobs: &[Blob]) {
        for blob in blobs {
            let _ = fs::remove_file(self.path(&blob.id));
        }
    }

    /// Removes all contents but these.
    pub(super) fn retain(&self, ids: &BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_none_or(|name| !ids.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Why a body broke off: `s3s` finds wrong hashes and chunk signatures while it is read.
fn broken_off(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if text.contains("Sha256Mismatch") {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Refusal::new(400, "XAmzContentSHA256Mismatch", message);
        }
        if text.contains("SignatureMismatch") {
            return Refusal::new(403, "SignatureDoesNotMatch", "The signature of a chunk of the body is not right.");
        }
        cause = error.source();
    }
    Refusal::new(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}
