//! S3. The wire protocol (XML, streamed bodies and their signatures) is `s3s`; what is kept, and AWS's rules for it, is
//! here: buckets and objects are records of the store, contents are files.

use std::io;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Result};

use super::call::Refusal;
use super::permission::Permission;
use super::protocol::{Protocol, s3_error, set_header, set_status};
use super::signature::{self, Head};
use super::world::World;
use blobs::Blobs;
use lent::lend;
use records::{BUCKETS, Bucket, OBJECTS, Object, object_key};

mod blobs;
mod buckets;
mod conditions;
mod copying;
mod deleting;
mod lent;
mod listing;
mod multipart;
mod names;
mod objects;
mod permissions;
mod records;
mod service;
mod sums;
mod uploads;

pub(crate) use names::operation;
pub(crate) use permissions::needs;
pub(crate) use service::operations;
#[cfg(test)]
pub(crate) use uploads::tests::{contents, make_bucket};
pub(crate) use uploads::{Upload, Uploaded, complete};

/// A configuration of a bucket is a few tags.
const LARGEST_CONFIGURATION: usize = 64 * 1024;

/// S3, as the front asks it.
pub(crate) struct Buckets(S3Service);

/// The tags of a `CreateBucket`, on their way around `s3s`, which drops them.
#[derive(Clone)]
struct NewTags(Result<Vec<(String, String)>, Refusal>);

/// The ARN of who calls, on its way to the operations that ask IAM about more than one thing.
#[derive(Clone)]
struct Caller(String);

impl Buckets {
    /// Opens what is kept, and removes contents that no object has: an upload was killed.
    ///
    /// # Errors
    /// Where the folder of contents can't be read or written.
    pub(crate) fn open(world: &Arc<World>) -> io::Result<Self> {
        std::fs::create_dir_all(Blobs::of(world).folder())?;
        remove_unreferenced(world)?;
        let mut builder = S3ServiceBuilder::new(service::Service(Arc::clone(world)));
        builder.set_auth(Secrets(Arc::clone(world)));
        Ok(Self(builder.build()))
    }

    /// Whether a call may go on: its bucket has a name, exists, and is in the region that the call was signed for.
    pub(crate) fn admit(
        &self,
        world: &World,
        head: &Head,
        operation: &str,
        region: &str,
    ) -> Result<(), Box<Misdirected>> {
        let Some(name) = names::bucket(&head.path) else { return Ok(()) };
        if !s3s::path::check_bucket_name(&name) {
            return Err(Box::new(Misdirected { refusal: buckets::invalid_name(), bucket: name, region: None }));
        }
        if operation == "CreateBucket" {
            return Ok(());
        }
        let Some(found) = bucket_region(world, &name) else {
            return Err(Box::new(Misdirected { refusal: buckets::no_such_bucket(), bucket: name, region: None }));
        };
        // The one call by which a client that only knows us-east-1 finds out.
        let asks_where = operation == "GetBucketLocation" && region == buckets::FIRST_REGION;
        if found == region || asks_where {
            return Ok(());
        }
        let refusal = if region == buckets::FIRST_REGION {
            let message =
                format!("The authorization header is malformed; the region '{region}' is wrong; expecting '{found}'");
            Refusal::new(400, "AuthorizationHeaderMalformed", message)
        } else {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. \
                           Please send all future requests to this endpoint.";
            Refusal::new(301, "PermanentRedirect", message)
        };
        Err(Box::new(Misdirected { refusal, bucket: name, region: Some(found) }))
    }

    /// Answers a call that may go on, from a caller of that ARN.
    pub(crate) async fn answer(&self, operation: &str, caller: String, request: Request<Incoming>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Caller(caller));
        // A client that waits for `100 Continue` sends nothing before it is asked to.
        let comes_anyway = !parts.headers.contains_key("expect");
        let (body, lender) = lend(body);
        let body = if operation == "CreateBucket" {
            match Limited::new(body, LARGEST_CONFIGURATION).collect().await {
                Ok(collected) => {
                    let bytes = collected.to_bytes();
                    parts.extensions.insert(NewTags(buckets::tags_of_configuration(&bytes)));
                    Body::from(bytes)
                }
                Err(_) => return broken(&Refusal::new(400, "IncompleteBody", "the configuration broke off")),
            }
        } else {
            Body::http_body(body)
        };
        let response = match self.0.call(Request::from_parts(parts, body)).await {
            Ok(response) => response,
            Err(error) => {
                let source: Box<dyn std::error::Error + Send + Sync> = error.into();
                broken(&Refusal::new(500, "InternalError", source.to_string()))
            }
        };
        if comes_anyway {
            lender.drain().await;
        }
        response
    }
}

fn broken(refusal: &Refusal) -> Response<Body> {
    Protocol::S3.write_refusal(refusal, "")
}

/// A call for a bucket that isn't there, or not in the region that the call was signed for.
pub(crate) struct Misdirected {
    refusal: Refusal,
    bucket: String,
    region: Option<String>,
}

impl Misdirected {
    /// Writes it, with what a client needs to find the bucket.
    pub(crate) fn write(&self, id: &str) -> Response<Body> {
        let mut details = vec![("BucketName", self.bucket.as_str())];
        let endpoint = self.region.as_ref().map(|region| format!("s3.{region}.amazonaws.com"));
        if let (Some(region), Some(endpoint)) = (&self.region, &endpoint) {
            details.push(("Region", region));
            details.push(("Endpoint", endpoint));
        }
        let mut response = Response::new(Body::from(s3_error(&self.refusal, &details, id)));
        set_status(&mut response, self.refusal.status);
        set_header(&mut response, "content-type", "application/xml");
        if let Some(region) = &self.region {
            set_header(&mut response, "x-amz-bucket-region", region);
        }
        Protocol::S3.name_request(&mut response, id);
        response
    }
}

/// Streamed bodies carry a signature in every chunk, which `s3s` verifies as it reads.
struct Secrets(Arc<World>);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, key_id: &str) -> S3Result<SecretKey> {
        signature::secret(&self.0.store, key_id)
            .map(SecretKey::from)
            .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))
    }
}

/// Holds a permission against the policies of who made a request.
///
/// # Errors
/// `AccessDenied`.
fn require<T>(world: &World, request: &S3Request<T>, permission: &Permission) -> Result<(), Refusal> {
    let caller = request.extensions.get::<Caller>().map_or("", |Caller(caller)| caller);
    permission.denied(world, caller).map_or(Ok(()), |message| Err(Protocol::S3.denied(message)))
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code = S3ErrorCode::from_bytes(refusal.code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
        let mut error = Self::with_message(code, refusal.message);
        error.set_status_code(
            http::StatusCode::from_u16(refusal.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR),
        );
        error
    }
}

/// The region of a bucket, where it exists.
pub(crate) fn bucket_region(world: &World, bucket: &str) -> Option<String> {
    world.store.read(|transaction| transaction.get::<Bucket>(BUCKETS, bucket)).map(|bucket| bucket.region)
}

/// The contents of an object, where it exists.
pub(crate) async fn object(world: &World, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let found = || world.store.read(|transaction| transaction.get::<Object>(OBJECTS, &object_key(bucket, key)));
    let object = found()?;
    match Blobs::of(world).read_whole(&object.blobs).await {
        Ok(contents) => Some(contents),
        // It was replaced in between; what is there now is as good an answer.
        Err(_) => Blobs::of(world).read_whole(&found()?.blobs).await.ok(),
    }
}

/// Removes contents that no record has any more.
///
/// # Errors
/// Where their folder can't be read, or one of them can't be removed.
pub(crate) fn remove_unreferenced(world: &World) -> io::Result<()> {
    Blobs::of(world).retain(&records::referenced(&world.store))
}

#[cfg(test)]
mod tests;
