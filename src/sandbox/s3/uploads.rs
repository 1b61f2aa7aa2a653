//! Objects that the sandbox's own parts write: in parts, as an AWS SDK's multipart upload does, and many at a time.

use std::io::{self, Write};

use s3s::crypto::{Checksum, Md5};

use super::blobs::{Blobs, Draft};
use super::buckets;
use super::records::{Description, OBJECTS, Object, object_key};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::{World, now};

/// How much of an object is kept in memory.
const BUFFER: usize = 256 * 1024;

/// An object that is being written. Nobody sees it before it is [`complete`]d, and nothing is left of one that isn't.
pub(crate) struct Upload {
    draft: Draft,
    /// What isn't in the draft yet.
    buffer: Vec<u8>,
    part_size: usize,
    part: Md5,
    /// Bytes in the present part.
    in_part: usize,
    parts: Vec<[u8; 16]>,
}

/// An object that is written, but not in its place yet.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) key: String,
    draft: Draft,
    etag: String,
}

impl Upload {
    /// Begins one whose parts are of that size.
    pub(crate) fn begin(world: &World, part_size: usize) -> Self {
        Self {
            draft: Blobs::of(world).draft(),
            buffer: Vec::new(),
            part_size: part_size.max(1),
            part: Md5::new(),
            in_part: 0,
            parts: Vec::new(),
        }
    }

    /// Ends it; it is to have that key.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn end(mut self, key: String) -> io::Result<Uploaded> {
        if self.in_part > 0 || self.parts.is_empty() {
            self.end_part();
        }
        self.draft.append(&self.buffer)?;
        let mut md5 = Md5::new();
        self.parts.iter().for_each(|part| md5.update(part));
        let etag = format!("{}-{}", hex::encode(md5.finalize()), self.parts.len());
        Ok(Uploaded { key, draft: self.draft, etag })
    }

    fn end_part(&mut self) {
        let part = std::mem::replace(&mut self.part, Md5::new());
        self.parts.push(part.finalize());
        self.in_part = 0;
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (bytes, _) = bytes.split_at(bytes.len().min(self.part_size - self.in_part));
        self.buffer.extend_from_slice(bytes);
        self.part.update(bytes);
        self.in_part += bytes.len();
        if self.in_part == self.part_size {
            self.end_part();
        }
        if self.buffer.len() >= BUFFER {
            self.draft.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts objects in their places, all of them or none; then `uploads` is empty.
///
/// # Errors
/// `NoSuchBucket`, and those of the disk.
pub(crate) fn complete(world: &World, bucket: &str, uploads: &mut Vec<Uploaded>) -> Result<(), Refusal> {
    let now = now();
    let replaced = world.store.transact(|transaction| {
        buckets::find(transaction, bucket)?;
        let mut replaced = Vec::new();
        for Uploaded { key, draft, etag } in &*uploads {
            let record = object_key(bucket, key);
            // Of two with one key the later one counts.
            replaced.extend(transaction.get::<Object>(OBJECTS, &record).map(|object| object.blobs));
            let object = Object {
                blobs: vec![draft.blob()],
                etag: etag.clone(),
                modified: now,
                described: Description {
                    // Confluent's sink says none, so its SDK says this.
                    content_type: Some("application/octet-stream".to_owned()),
                    ..Description::default()
                },
                sum: None,
            };
            transaction.put(OBJECTS, &record, &object)?;
        }
        Ok::<_, Refusal>(replaced)
    })?;
    uploads.drain(..).for_each(|upload| upload.draft.keep());
    let blobs = Blobs::of(world);
    replaced.iter().for_each(|old| blobs.remove(old));
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::records::{BUCKETS, Bucket};
    use super::*;
    use crate::sandbox::store::Store;

    /// Makes a bucket in us-east-1.
    pub(crate) fn make_bucket(world: &World, name: &str) {
        std::fs::create_dir_all(Blobs::of(world).folder()).unwrap();
        let bucket = Bucket { region: "us-east-1".to_owned(), created: 0, tags: Vec::new() };
        world.store.transact(|transaction| transaction.put(BUCKETS, name, &bucket)).unwrap();
    }

    /// All that is in a bucket.
    pub(crate) fn contents(world: &World, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("{bucket}/");
        let objects = world.store.read(|transaction| transaction.list_prefix::<Object>(OBJECTS, &prefix, ""));
        let read = |id: &str| std::fs::read(Blobs::of(world).folder().join(id)).unwrap();
        let whole = |object: Object| object.blobs.iter().flat_map(|blob| read(&blob.id)).collect();
        objects.into_iter().map(|(key, object)| (key[prefix.len()..].to_owned(), whole(object))).collect()
    }

    fn world(folder: &Path) -> World {
        let world = World::new(Default::default(), Store::in_memory(), folder.to_owned());
        make_bucket(&world, "b");
        world
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder.join("s3")).unwrap().count()
    }

    fn upload(world: &World, key: &str, contents: &[u8], part_size: usize) -> Uploaded {
        let mut upload = Upload::begin(world, part_size);
        upload.write_all(contents).unwrap();
        upload.end(key.to_owned()).unwrap()
    }

    #[test]
    fn objects_appear_together_with_the_entity_tags_of_multipart_uploads() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(folder.path());
        let large = vec![b'x'; 2 * BUFFER + 1];
        let mut uploads = vec![upload(&world, "a", b"hello", 100), upload(&world, "b/c", &large, BUFFER)];
        assert!(contents(&world, "b").is_empty());
        complete(&world, "b", &mut uploads).unwrap();
        assert!(uploads.is_empty());
        let expected = [("a".to_owned(), b"hello".to_vec()), ("b/c".to_owned(), large)];
        assert_eq!(contents(&world, "b"), expected.into());
        let tag = |key| super::super::objects::find(&world, "b", key).unwrap().etag;
        // The MD5 of the 16 bytes that are the MD5 of "hello".
        assert_eq!(tag("a"), "62109206880d38a4010a98e11243924a-1");
        assert!(tag("b/c").ends_with("-3"));
        complete(&world, "b", &mut vec![upload(&world, "a", b"other", 100)]).unwrap();
        assert_eq!(contents(&world, "b")["a"], b"other");
        assert_eq!(files(folder.path()), 2);
    }

    #[test]
    fn nothing_is_left_of_what_was_not_completed() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(folder.path());
        let mut uploads = vec![upload(&world, "a", b"hello", 100)];
        assert_eq!(complete(&world, "gone", &mut uploads).unwrap_err().code, "NoSuchBucket");
        assert_eq!(files(folder.path()), 1);
        drop(uploads);
        let mut half = Upload::begin(&world, 2 * BUFFER);
        half.write_all(&vec![0; BUFFER]).unwrap();
        assert_eq!(files(folder.path()), 1);
        drop(half);
        assert_eq!(files(folder.path()), 0);
    }
}
