//! The operations of S3 that there are, each in the file of its kind. The others answer `NotImplemented`.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput, DeleteBucketTaggingInput,
    DeleteBucketTaggingOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketTaggingInput, GetBucketTaggingOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutBucketTaggingInput,
    PutBucketTaggingOutput, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result};

use super::{buckets, copying, deleting, listing, multipart, objects};
use crate::sandbox::world::World;

/// S3, as `s3s` asks it.
pub(super) struct Service(pub(super) Arc<World>);

macro_rules! operations {
    ($($name:ident: $input:ident -> $output:ident = $module:ident::$function:ident;)*) => {
        /// The operations that there are, as AWS writes them: an input is named after its operation.
        pub(crate) fn operations() -> Vec<&'static str> {
            [$(stringify!($input)),*].into_iter().filter_map(|input| input.strip_suffix("Input")).collect()
        }

        #[async_trait::async_trait]
        impl S3 for Service {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    Ok(S3Response::new($module::$function(&self.0, request).await?))
                }
            )*
        }
    };
}

operations! {
    create_bucket: CreateBucketInput -> CreateBucketOutput = buckets::create;
    head_bucket: HeadBucketInput -> HeadBucketOutput = buckets::head;
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput = buckets::location;
    list_buckets: ListBucketsInput -> ListBucketsOutput = buckets::list;
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput = buckets::delete;
    get_bucket_tagging: GetBucketTaggingInput -> GetBucketTaggingOutput = buckets::tags;
    put_bucket_tagging: PutBucketTaggingInput -> PutBucketTaggingOutput = buckets::set_tags;
    delete_bucket_tagging: DeleteBucketTaggingInput -> DeleteBucketTaggingOutput = buckets::remove_tags;

    put_object: PutObjectInput -> PutObjectOutput = objects::put;
    get_object: GetObjectInput -> GetObjectOutput = objects::get;
    head_object: HeadObjectInput -> HeadObjectOutput = objects::head;
    copy_object: CopyObjectInput -> CopyObjectOutput = copying::copy;
    delete_object: DeleteObjectInput -> DeleteObjectOutput = deleting::delete;
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput = deleting::delete_several;

    list_objects: ListObjectsInput -> ListObjectsOutput = listing::list;
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output = listing::list_v2;

    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput = multipart::create;
    upload_part: UploadPartInput -> UploadPartOutput = multipart::upload_part;
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput = copying::upload_part;
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput = multipart::abort;
    list_parts: ListPartsInput -> ListPartsOutput = listing::parts;
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput = listing::uploads;
}
