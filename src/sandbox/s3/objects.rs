//! Objects: put, get, head.

use std::ops::Range;

use s3s::S3Request;
use s3s::dto::{
    ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput,
    Range as AskedRange, StreamingBlob,
};

use super::blobs::Blobs;
use super::buckets;
use super::conditions::{Conditions, check_write};
use super::records::{Blob, OBJECTS, Object, description, object_key, timestamp};
use super::sums::{Claimed, Sum, check_md5, declared_sum, with_sum};
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{World, now};

pub(super) fn no_such_key() -> Refusal {
    Refusal::new(404, "NoSuchKey", "The specified key does not exist.")
}

/// Puts an object in the place of what is there, which must meet the conditions `check`.
///
/// # Errors
/// Those of `check`.
pub(super) fn replace(
    world: &World,
    (bucket, key): (&str, &str),
    object: &Object,
    check: impl FnOnce(&mut Transaction<'_>, Option<&Object>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let record = object_key(bucket, key);
    let replaced = world.store.transact(|transaction| {
        buckets::find(transaction, bucket)?;
        let present = transaction.get::<Object>(OBJECTS, &record);
        check(transaction, present.as_ref())?;
        transaction.put(OBJECTS, &record, object)?;
        Ok::<_, Refusal>(present.map(|object| object.blobs).unwrap_or_default())
    })?;
    Blobs::of(world).remove(&replaced);
    Ok(())
}

/// An object that must be there.
pub(super) fn find(world: &World, bucket: &str, key: &str) -> Result<Object, Refusal> {
    world.store.read(|transaction| {
        buckets::find(transaction, bucket)?;
        transaction.get(OBJECTS, &object_key(bucket, key)).ok_or_else(no_such_key)
    })
}

pub(super) async fn put(world: &World, mut request: S3Request<PutObjectInput>) -> Result<PutObjectOutput, Refusal> {
    let input = &mut request.input;
    // Told before the body is read, for the sake of the client; what counts is what is there afterwards.
    let present = find(world, &input.bucket, &input.key).ok();
    check_write(input.if_match.as_ref(), input.if_none_match.as_ref(), present.as_ref())?;
    let claimed = Claimed::new(declared_sum!(input), &request.headers);
    let draft = Blobs::of(world).write(input.body.take(), claimed.algorithm()).await?;
    check_md5(input.content_md5.as_deref(), draft.md5)?;
    claimed.check(draft.sum.as_ref(), request.trailing_headers.as_ref())?;
    let object = Object {
        blobs: vec![draft.blob()],
        etag: hex::encode(draft.md5),
        modified: now(),
        described: description!(input),
        sum: draft.sum.clone(),
    };
    replace(world, (&input.bucket, &input.key), &object, |_, present| {
        check_write(input.if_match.as_ref(), input.if_none_match.as_ref(), present)
    })?;
    draft.keep();
    Ok(with_sum!(
        object.sum.as_ref(),
        PutObjectOutput {
            checksum_type: kind(object.sum.as_ref()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            ..Default::default()
        }
    ))
}

fn kind(sum: Option<&Sum>) -> Option<s3s::dto::ChecksumType> {
    sum.map(|sum| sum.kind().to_owned().into())
}

/// How a get or a head asks, from the input of either.
macro_rules! asked {
    ($input:expr) => {
        Asked {
            range: $input.range,
            conditions: Conditions {
                if_match: $input.if_match,
                if_none_match: $input.if_none_match,
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
            wants_sum: $input.checksum_mode.is_some(),
        }
    };
}

/// What a get and a head tell alike of what was found, in the output of either.
macro_rules! told {
    ($found:expr, $output:ident { $($field:ident: $value:expr)? }) => {{
        let Found { object, range, sum, content_range } = $found;
        let described = object.described;
        with_sum!(
            sum.as_ref(),
            $output {
                accept_ranges: Some("bytes".to_owned()),
                checksum_type: kind(sum.as_ref()),
                content_length: Some((range.end - range.start) as i64),
                content_range,
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(timestamp(object.modified)),
                metadata: Some(described.metadata.into_iter().collect()),
                content_type: described.content_type.or_else(default_type),
                content_encoding: described.content_encoding,
                content_disposition: described.content_disposition,
                content_language: described.content_language,
                cache_control: described.cache_control,
                expires: described.expires,
                $($field: $value,)?
                ..Default::default()
            }
        )
    }};
}

pub(super) async fn get(world: &World, request: S3Request<GetObjectInput>) -> Result<GetObjectOutput, Refusal> {
    let input = request.input;
    let asked = asked!(input);
    let found = asked.find(world, &input.bucket, &input.key)?;
    let (found, contents) = match read(world, &found.object.blobs, &found.range).await {
        Ok(contents) => (found, contents),
        // It was replaced between its record and its contents.
        Err(_) => {
            let found = asked.find(world, &input.bucket, &input.key)?;
            let contents = read(world, &found.object.blobs, &found.range).await?;
            (found, contents)
        }
    };
    Ok(told!(found, GetObjectOutput { body: Some(contents) }))
}

pub(super) async fn head(world: &World, request: S3Request<HeadObjectInput>) -> Result<HeadObjectOutput, Refusal> {
    let input = request.input;
    let asked = asked!(input);
    let found = asked.find(world, &input.bucket, &input.key)?;
    Ok(told!(found, HeadObjectOutput {}))
}

/// S3's content type of an object that was given none.
fn default_type() -> Option<String> {
    Some("binary/octet-stream".to_owned())
}

/// How an object is asked for.
struct Asked {
    range: Option<AskedRange>,
    conditions: Conditions,
    wants_sum: bool,
}

/// What is answered.
struct Found {
    object: Object,
    range: Range<u64>,
    /// The checksum, where it is asked for and is that of what is answered.
    sum: Option<Sum>,
    content_range: Option<String>,
}

impl Asked {
    fn find(&self, world: &World, bucket: &str, key: &str) -> Result<Found, Refusal> {
        let object = find(world, bucket, key)?;
        self.conditions.check(&object)?;
        let size = object.size();
        let (range, content_range) = match &self.range {
            None => (0..size, None),
            Some(asked) => {
                let unsatisfiable = |_| Refusal::new(416, "InvalidRange", "The requested range is not satisfiable");
                let range = asked.check(size).map_err(unsatisfiable)?;
                let shown = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
                (range, Some(shown))
            }
        };
        let sum = object.sum.clone().filter(|_| self.wants_sum && range == (0..size));
        Ok(Found { object, range, sum, content_range })
    }
}

/// The contents of a range.
pub(super) async fn read(world: &World, blobs: &[Blob], range: &Range<u64>) -> std::io::Result<StreamingBlob> {
    Ok(StreamingBlob::wrap(Blobs::of(world).read(blobs, range.clone()).await?))
}
