//! Copies of objects, as objects and as parts of an upload.

use std::ops::Range;

use s3s::S3Request;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopySource, ETag, MetadataDirective, Range as AskedRange, UploadPartCopyInput,
    UploadPartCopyOutput,
};

use super::blobs::Blobs;
use super::conditions::{Conditions, failed};
use super::multipart;
use super::objects::{find, read, replace};
use super::records::{Blob, Object, Part, description, timestamp};
use super::sums::{Algorithm, with_sum};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::{World, now};

/// The object that a copy is made of.
fn source(world: &World, from: &CopySource, conditions: &Conditions) -> Result<Object, Refusal> {
    let CopySource::Bucket { bucket, key, .. } = from else {
        let message = "A header you provided implies functionality that is not implemented";
        return Err(Refusal::new(501, "NotImplemented", message));
    };
    let object = find(world, bucket, key)?;
    // A copy isn't a read: what a read answers with 304 is a condition that doesn't hold.
    conditions.check(&object).map_err(|_| failed())?;
    Ok(object)
}

pub(super) async fn copy(world: &World, mut request: S3Request<CopyObjectInput>) -> Result<CopyObjectOutput, Refusal> {
    let input = &mut request.input;
    let conditions = Conditions {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let mut object = source(world, &input.copy_source, &conditions)?;
    let directive = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
    if directive == Some(MetadataDirective::REPLACE) {
        object.described = description!(input);
    } else if matches!(&input.copy_source, CopySource::Bucket { bucket, key, .. }
        if **bucket == *input.bucket && **key == *input.key)
    {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing \
                       the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    object.modified = now();
    let blobs = Blobs::of(world);
    object.blobs = object.blobs.iter().map(|blob| blobs.duplicate(blob)).collect::<std::io::Result<Vec<Blob>>>()?;
    let replaced = replace(world, (&input.bucket, &input.key), &object, |_, _| Ok(()));
    if replaced.is_err() {
        blobs.remove(&object.blobs);
    }
    replaced?;
    let result = with_sum!(
        object.sum.as_ref(),
        CopyObjectResult {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(timestamp(object.modified)),
            ..Default::default()
        }
    );
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
}

pub(super) async fn upload_part(
    world: &World,
    request: S3Request<UploadPartCopyInput>,
) -> Result<UploadPartCopyOutput, Refusal> {
    let input = request.input;
    let upload = multipart::find(world, (&input.bucket, &input.key), &input.upload_id)?;
    multipart::check_number(input.part_number)?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let object = source(world, &input.copy_source, &conditions)?;
    let range = part_range(input.copy_source_range.as_deref(), object.size())?;
    let contents = read(world, &object.blobs, &range).await?;
    let algorithm = upload.algorithm.as_deref().and_then(Algorithm::named);
    let draft = Blobs::of(world).write(Some(contents), algorithm).await?;
    let part = Part { blob: draft.blob(), etag: hex::encode(draft.md5), modified: now(), sum: draft.sum.clone() };
    multipart::keep_part(world, &input.upload_id, input.part_number, &part)?;
    draft.keep();
    let result = with_sum!(
        part.sum.as_ref(),
        CopyPartResult { e_tag: Some(ETag::Strong(part.etag.clone())), last_modified: Some(timestamp(part.modified)) }
    );
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

/// The bytes to copy. Unlike a read's range, this one must lie within the object.
fn part_range(header: Option<&str>, size: u64) -> Result<Range<u64>, Refusal> {
    let Some(header) = header else { return Ok(0..size) };
    match AskedRange::parse(header) {
        Ok(AskedRange::Int { first, last: Some(last) }) if last < size => Ok(first..last + 1),
        _ => {
            let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                           are the zero-based offsets of the first and last bytes to copy";
            Err(Refusal::new(400, "InvalidArgument", message))
        }
    }
}
