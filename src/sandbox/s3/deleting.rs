//! Deleting objects: one that isn't there is as good as deleted.

use s3s::S3Request;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error,
};

use super::blobs::Blobs;
use super::conditions::check_write;
use super::records::{OBJECTS, Object, object_key};
use super::{buckets, permissions, require};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;

/// How many objects one call deletes at most.
const MOST_AT_ONCE: usize = 1000;

pub(super) async fn delete(
    world: &World,
    request: S3Request<DeleteObjectInput>,
) -> Result<DeleteObjectOutput, Refusal> {
    let input = request.input;
    remove(world, &input.bucket, &input.key, input.if_match.as_ref())?;
    Ok(DeleteObjectOutput::default())
}

pub(super) async fn delete_several(
    world: &World,
    request: S3Request<DeleteObjectsInput>,
) -> Result<DeleteObjectsOutput, Refusal> {
    let DeleteObjectsInput { bucket, delete, .. } = &request.input;
    if delete.objects.is_empty() || delete.objects.len() > MOST_AT_ONCE {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Refusal::new(400, "MalformedXML", message));
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in &delete.objects {
        let condition = object.e_tag.clone().map(ETagCondition::ETag);
        let removed = require(world, &request, &permissions::object("DeleteObject", bucket, &object.key))
            .and_then(|()| remove(world, bucket, &object.key, condition.as_ref()));
        match removed {
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key.clone()), ..Default::default() }),
            Err(refusal) => errors.push(Error {
                code: Some(refusal.code),
                key: Some(object.key.clone()),
                message: Some(refusal.message),
                version_id: None,
            }),
        }
    }
    Ok(DeleteObjectsOutput {
        deleted: Some(deleted).filter(|_| delete.quiet != Some(true)),
        errors: Some(errors).filter(|errors| !errors.is_empty()),
        ..Default::default()
    })
}

fn remove(world: &World, bucket: &str, key: &str, if_match: Option<&ETagCondition>) -> Result<(), Refusal> {
    let record = object_key(bucket, key);
    let removed = world.store.transact(|transaction| {
        buckets::find(transaction, bucket)?;
        let Some(present) = transaction.get::<Object>(OBJECTS, &record) else { return Ok(Vec::new()) };
        check_write(if_match, None, Some(&present))?;
        transaction.delete(OBJECTS, &record);
        Ok::<_, Refusal>(present.blobs)
    })?;
    Blobs::of(world).remove(&removed);
    Ok(())
}
