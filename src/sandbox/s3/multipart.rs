//! Multipart uploads: parts in any order, one object in the end.

use s3s::S3Request;
use s3s::crypto::{Checksum, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
    UploadPartInput, UploadPartOutput,
};
use uuid::Uuid;

use super::blobs::Blobs;
use super::buckets;
use super::conditions::check_write;
use super::objects::replace;
use super::records::{Blob, Object, PARTS, Part, UPLOADS, Upload, description, part_key};
use super::sums::{Algorithm, Claimed, Sum, check_md5, declared_sum, with_sum};
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{World, now};

/// Every part but the last has at least this many bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// Parts are numbered from 1 to this.
const LAST_PART: i32 = 10_000;

fn no_such_upload() -> Refusal {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                   aborted or completed.";
    Refusal::new(404, "NoSuchUpload", message)
}

fn find_in(transaction: &Transaction<'_>, (bucket, key): (&str, &str), id: &str) -> Result<Upload, Refusal> {
    buckets::find(transaction, bucket)?;
    let upload = transaction.get::<Upload>(UPLOADS, id);
    upload.filter(|upload| upload.bucket == bucket && upload.key == key).ok_or_else(no_such_upload)
}

/// An upload of that object that must be there.
pub(super) fn find(world: &World, object: (&str, &str), id: &str) -> Result<Upload, Refusal> {
    world.store.read(|transaction| find_in(transaction, object, id))
}

pub(super) fn check_number(number: i32) -> Result<(), Refusal> {
    if (1..=LAST_PART).contains(&number) {
        return Ok(());
    }
    let message = format!("Part number must be an integer between 1 and {LAST_PART}, inclusive");
    Err(Refusal::new(400, "InvalidArgument", message))
}

/// Puts a part in the place of the one of that number.
pub(super) fn keep_part(world: &World, id: &str, number: i32, part: &Part) -> Result<(), Refusal> {
    let key = part_key(id, number);
    let replaced = world.store.transact(|transaction| {
        transaction.get::<Upload>(UPLOADS, id).ok_or_else(no_such_upload)?;
        let present = transaction.get::<Part>(PARTS, &key);
        transaction.put(PARTS, &key, part)?;
        Ok::<_, Refusal>(present)
    })?;
    Blobs::of(world).remove(&replaced.map(|part| part.blob).into_iter().collect::<Vec<Blob>>());
    Ok(())
}

pub(super) async fn create(
    world: &World,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> Result<CreateMultipartUploadOutput, Refusal> {
    let input = &mut request.input;
    let algorithm = match input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str) {
        None => None,
        Some(name) => Some(Algorithm::named(name).ok_or_else(|| {
            let message = format!("Checksum algorithm provided is unsupported: {name}");
            Refusal::new(400, "InvalidRequest", message)
        })?),
    };
    let id = Uuid::new_v4().simple().to_string();
    let upload = Upload {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        began: now(),
        described: description!(input),
        algorithm: algorithm.map(|algorithm| algorithm.name().to_owned()),
    };
    world.store.transact(|transaction| {
        buckets::find(transaction, &upload.bucket)?;
        Ok::<_, Refusal>(transaction.put(UPLOADS, &id, &upload)?)
    })?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(id),
        checksum_algorithm: input.checksum_algorithm.take(),
        ..Default::default()
    })
}

pub(super) async fn upload_part(
    world: &World,
    mut request: S3Request<UploadPartInput>,
) -> Result<UploadPartOutput, Refusal> {
    let input = &mut request.input;
    check_number(input.part_number)?;
    find(world, (&input.bucket, &input.key), &input.upload_id)?;
    let claimed = Claimed::new(declared_sum!(input), &request.headers);
    let draft = Blobs::of(world).write(input.body.take(), claimed.algorithm()).await?;
    check_md5(input.content_md5.as_deref(), draft.md5)?;
    claimed.check(draft.sum.as_ref(), request.trailing_headers.as_ref())?;
    let part = Part { blob: draft.blob(), etag: hex::encode(draft.md5), modified: now(), sum: draft.sum.clone() };
    keep_part(world, &input.upload_id, input.part_number, &part)?;
    draft.keep();
    Ok(with_sum!(
        part.sum.as_ref(),
        UploadPartOutput { e_tag: Some(ETag::Strong(part.etag.clone())), ..Default::default() }
    ))
}

pub(super) async fn complete(
    world: &World,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Result<CompleteMultipartUploadOutput, Refusal> {
    let input = request.input;
    let (bucket, key, id) = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let upload = find(world, (bucket, key), id)?;
    let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let kept = world.store.read(|transaction| transaction.list_prefix::<Part>(PARTS, &format!("{id}/"), ""));
    let chosen = choose(id, &listed, &kept)?;
    let object = assemble(&upload, &chosen);
    replace(world, (bucket, key), &object, |transaction, present| {
        find_in(transaction, (bucket, key), id)?;
        check_write(input.if_match.as_ref(), input.if_none_match.as_ref(), present)?;
        transaction.delete(UPLOADS, id);
        kept.iter().for_each(|(key, _)| transaction.delete(PARTS, key));
        Ok(())
    })?;
    let left_over = kept.iter().map(|(_, part)| &part.blob).filter(|blob| !object.blobs.contains(blob));
    Blobs::of(world).remove(&left_over.cloned().collect::<Vec<Blob>>());
    Ok(with_sum!(
        object.sum.as_ref(),
        CompleteMultipartUploadOutput {
            bucket: Some(bucket.to_owned()),
            key: Some(key.to_owned()),
            checksum_type: object.sum.as_ref().map(|sum| sum.kind().to_owned().into()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            location: Some(format!("/{bucket}/{key}")),
            ..Default::default()
        }
    ))
}

/// The parts that a completion lists, each checked against what was uploaded.
fn choose(id: &str, listed: &[CompletedPart], kept: &[(String, Part)]) -> Result<Vec<Part>, Refusal> {
    if listed.is_empty() {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Refusal::new(400, "MalformedXML", message));
    }
    if !listed.is_sorted_by(|before, after| before.part_number < after.part_number) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(Refusal::new(400, "InvalidPartOrder", message));
    }
    let mut chosen = Vec::with_capacity(listed.len());
    for (index, wanted) in listed.iter().enumerate() {
        let key = part_key(id, wanted.part_number.unwrap_or_default());
        let found = kept.iter().find(|(kept, _)| *kept == key).map(|(_, part)| part);
        let Some(part) = found.filter(|part| is_wanted(part, wanted)) else {
            let message = "One or more of the specified parts could not be found. The part may not have been uploaded, \
                           or the specified entity tag may not match the part's entity tag.";
            return Err(Refusal::new(400, "InvalidPart", message));
        };
        if index + 1 < listed.len() && part.blob.size < SMALLEST_PART {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(Refusal::new(400, "EntityTooSmall", message));
        }
        chosen.push(part.clone());
    }
    Ok(chosen)
}

fn is_wanted(part: &Part, wanted: &CompletedPart) -> bool {
    let sum: Option<Sum> = declared_sum!(wanted);
    let same_tag = wanted.e_tag.as_ref().is_some_and(|tag| ETag::value(tag) == part.etag);
    same_tag && sum.is_none_or(|sum| part.sum.as_ref() == Some(&sum))
}

fn assemble(upload: &Upload, parts: &[Part]) -> Object {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&hex::decode(&part.etag).unwrap_or_default());
    }
    let sums: Vec<Option<Sum>> = parts.iter().map(|part| part.sum.clone()).collect();
    Object {
        blobs: parts.iter().map(|part| part.blob.clone()).collect(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified: now(),
        described: upload.described.clone(),
        // An upload that was begun without an algorithm gets no checksum, whatever its parts had.
        sum: upload.algorithm.as_ref().and_then(|_| Sum::composite(&sums)),
    }
}

pub(super) async fn abort(
    world: &World,
    request: S3Request<AbortMultipartUploadInput>,
) -> Result<AbortMultipartUploadOutput, Refusal> {
    let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
    let removed = world.store.transact(|transaction| {
        find_in(transaction, (&bucket, &key), &upload_id)?;
        transaction.delete(UPLOADS, &upload_id);
        let parts = transaction.list_prefix::<Part>(PARTS, &format!("{upload_id}/"), "");
        parts.iter().for_each(|(key, _)| transaction.delete(PARTS, key));
        Ok::<_, Refusal>(parts.into_iter().map(|(_, part)| part.blob).collect::<Vec<Blob>>())
    })?;
    Blobs::of(world).remove(&removed);
    Ok(AbortMultipartUploadOutput::default())
}
