//! Buckets: their region, their tags, and that they are only deleted when they are empty.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;
use s3s::S3Request;
use s3s::dto::{
    Bucket as ListedBucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, DeleteBucketTaggingInput, DeleteBucketTaggingOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketTaggingInput, GetBucketTaggingOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsInput, ListBucketsOutput, Owner, PutBucketTaggingInput, PutBucketTaggingOutput, Tag,
};

use super::blobs::Blobs;
use super::records::{BUCKETS, Blob, Bucket, OBJECTS, PARTS, Part, UPLOADS, Upload, timestamp};
use super::{NewTags, permissions, require};
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, World, now};

/// The region of S3's first endpoint, which has rules of its own.
pub(super) const FIRST_REGION: &str = "us-east-1";

/// AWS's limits for tags.
const MOST_TAGS: usize = 50;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

type Tags = Vec<(String, String)>;

pub(super) fn no_such_bucket() -> Refusal {
    Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

pub(super) fn invalid_name() -> Refusal {
    Refusal::new(400, "InvalidBucketName", "The specified bucket is not valid.")
}

/// A bucket, which may have gone since the call was let in.
pub(super) fn find(transaction: &Transaction<'_>, name: &str) -> Result<Bucket, Refusal> {
    transaction.get(BUCKETS, name).ok_or_else(no_such_bucket)
}

pub(super) async fn create(
    world: &World,
    request: S3Request<CreateBucketInput>,
) -> Result<CreateBucketOutput, Refusal> {
    let signed_region = request.region.as_ref().map_or(FIRST_REGION, |region| region.as_str()).to_owned();
    let tags = match request.extensions.get::<NewTags>() {
        Some(NewTags(tags)) => tags.clone()?,
        None => Tags::new(),
    };
    if !tags.is_empty() {
        require(world, &request, &permissions::tagging(&request.input.bucket))?;
    }
    let name = request.input.bucket;
    check_reserved(&name)?;
    let configuration = request.input.create_bucket_configuration;
    let wanted = configuration.and_then(|configuration| configuration.location_constraint);
    let region = region_of(&signed_region, wanted.as_ref().map(BucketLocationConstraint::as_str))?;
    check_tags(&tags)?;
    world.store.transact(|transaction| {
        let Some(present) = transaction.get::<Bucket>(BUCKETS, &name) else {
            let bucket = Bucket { region, created: now(), tags };
            return transaction.put(BUCKETS, &name, &bucket).map_err(Refusal::from);
        };
        // For the sake of programs from before there were regions, us-east-1 lets one's own bucket be created again.
        if present.region == FIRST_REGION && region == FIRST_REGION {
            return Ok(());
        }
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        Err(Refusal::new(409, "BucketAlreadyOwnedByYou", message))
    })?;
    Ok(CreateBucketOutput { location: Some(format!("/{name}")) })
}

/// Where a bucket is to be, by the region that the call went to and the one that it asks for.
fn region_of(endpoint: &str, wanted: Option<&str>) -> Result<String, Refusal> {
    let wanted =
        wanted.filter(|wanted| !wanted.is_empty()).map(|wanted| if wanted == "EU" { "eu-west-1" } else { wanted });
    let elsewhere = |what: &str| {
        let message = format!(
            "The {what} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        Err(Refusal::new(400, "IllegalLocationConstraintException", message))
    };
    match wanted {
        None if endpoint == FIRST_REGION => Ok(FIRST_REGION.to_owned()),
        None => elsewhere("unspecified"),
        Some(FIRST_REGION) => {
            let message = "The specified location-constraint is not valid";
            Err(Refusal::new(400, "InvalidLocationConstraint", message))
        }
        Some(wanted) if endpoint == FIRST_REGION || wanted == endpoint => Ok(wanted.to_owned()),
        Some(wanted) => elsewhere(wanted),
    }
}

/// Prefixes and suffixes that AWS keeps for itself; `s3s` knows the other rules for names.
fn check_reserved(name: &str) -> Result<(), Refusal> {
    let prefixes = ["xn--", "sthree-", "amzn-s3-demo-"];
    let suffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let reserved =
        prefixes.iter().any(|prefix| name.starts_with(prefix)) || suffixes.iter().any(|suffix| name.ends_with(suffix));
    if reserved {
        return Err(invalid_name());
    }
    Ok(())
}

/// The tags in the body of a `CreateBucket`.
///
/// # Errors
/// `MalformedXML` where it isn't XML.
pub(super) fn tags_of_configuration(body: &[u8]) -> Result<Tags, Refusal> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::new(400, "MalformedXML", message)
    };
    let mut reader = Reader::from_reader(body);
    let (mut within, mut tags) = (Vec::<Vec<u8>>::new(), Tags::new());
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(start) => {
                within.push(start.local_name().as_ref().to_vec());
                if is_at(&within, &["Tag"]) {
                    tags.push((String::new(), String::new()));
                }
            }
            Event::End(_) => {
                within.pop();
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|_| malformed())?;
                add_to(&mut tags, &within, &text);
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| malformed())?;
                let text = quick_xml::escape::unescape(&format!("&{name};")).map_err(|_| malformed())?.into_owned();
                add_to(&mut tags, &within, &text);
            }
            Event::Eof => return Ok(tags),
            _ => {}
        }
    }
}

fn is_at(within: &[Vec<u8>], below_tags: &[&str]) -> bool {
    let path = ["CreateBucketConfiguration", "Tags"].iter().chain(below_tags);
    within.iter().map(Vec::as_slice).eq(path.map(|name| name.as_bytes()))
}

fn add_to(tags: &mut Tags, within: &[Vec<u8>], text: &str) {
    let Some((key, value)) = tags.last_mut() else { return };
    if is_at(within, &["Tag", "Key"]) {
        key.push_str(text);
    } else if is_at(within, &["Tag", "Value"]) {
        value.push_str(text);
    }
}

fn check_tags(tags: &Tags) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(400, "InvalidTag", message));
    if tags.len() > MOST_TAGS {
        return Err(Refusal::new(400, "BadRequest", format!("Bucket tag count cannot be greater than {MOST_TAGS}")));
    }
    let keys: BTreeSet<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
    if keys.len() < tags.len() {
        return invalid("Cannot provide multiple Tags with the same key");
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
        if key.is_empty() || key.chars().count() > LONGEST_TAG_KEY {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > LONGEST_TAG_VALUE {
            return invalid("The TagValue you have provided is invalid");
        }
    }
    Ok(())
}

pub(super) async fn head(world: &World, request: S3Request<HeadBucketInput>) -> Result<HeadBucketOutput, Refusal> {
    let bucket = world.store.read(|transaction| find(transaction, &request.input.bucket))?;
    Ok(HeadBucketOutput { bucket_region: Some(bucket.region), ..Default::default() })
}

pub(super) async fn location(
    world: &World,
    request: S3Request<GetBucketLocationInput>,
) -> Result<GetBucketLocationOutput, Refusal> {
    let bucket = world.store.read(|transaction| find(transaction, &request.input.bucket))?;
    let elsewhere = Some(bucket.region).filter(|region| region != FIRST_REGION);
    Ok(GetBucketLocationOutput { location_constraint: elsewhere.map(BucketLocationConstraint::from) })
}

pub(super) async fn list(world: &World, request: S3Request<ListBucketsInput>) -> Result<ListBucketsOutput, Refusal> {
    let ListBucketsInput { bucket_region, continuation_token, max_buckets, prefix } = request.input;
    let most = match max_buckets {
        Some(most @ 1..=10_000) => most as usize,
        None => 10_000,
        Some(_) => {
            let message = "Argument max-buckets must be an integer between 1 and 10000";
            return Err(Refusal::new(400, "InvalidArgument", message));
        }
    };
    let (begins, after) = (prefix.as_deref().unwrap_or_default(), continuation_token.as_deref().unwrap_or_default());
    let mut found: Vec<(String, Bucket)> =
        world.store.read(|transaction| transaction.list_prefix(BUCKETS, begins, after));
    found.retain(|(_, bucket)| bucket_region.as_ref().is_none_or(|wanted| bucket.region == *wanted));
    // Only a listing that uses what was added to the operation later tells what was added to the reply later.
    let tells_region = bucket_region.is_some() || prefix.is_some() || max_buckets.is_some();
    let is_truncated = found.len() > most;
    found.truncate(most);
    let next = if is_truncated { found.last().map(|(name, _)| name.clone()) } else { None };
    let buckets = found.into_iter().map(|(name, bucket)| ListedBucket {
        name: Some(name),
        creation_date: Some(timestamp(bucket.created)),
        bucket_region: Some(bucket.region).filter(|_| tells_region),
    });
    Ok(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token: next,
        owner: Some(Owner { id: Some(ACCOUNT.to_owned()), ..Default::default() }),
        prefix,
    })
}

pub(super) async fn delete(
    world: &World,
    request: S3Request<DeleteBucketInput>,
) -> Result<DeleteBucketOutput, Refusal> {
    let name = request.input.bucket;
    let removed = world.store.transact(|transaction| {
        find(transaction, &name)?;
        if transaction.has_prefix(OBJECTS, &format!("{name}/")) {
            return Err(Refusal::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"));
        }
        transaction.delete(BUCKETS, &name);
        Ok(abort_uploads(transaction, &name))
    })?;
    Blobs::of(world).remove(&removed);
    Ok(DeleteBucketOutput {})
}

/// Uploads that were never completed don't keep a bucket: they go with it.
fn abort_uploads(transaction: &mut Transaction<'_>, bucket: &str) -> Vec<Blob> {
    let uploads = transaction.list::<Upload>(UPLOADS).into_iter().filter(|(_, upload)| upload.bucket == bucket);
    let mut removed = Vec::new();
    for (id, _) in uploads {
        transaction.delete(UPLOADS, &id);
        for (key, part) in transaction.list_prefix::<Part>(PARTS, &format!("{id}/"), "") {
            transaction.delete(PARTS, &key);
            removed.push(part.blob);
        }
    }
    removed
}

pub(super) async fn tags(
    world: &World,
    request: S3Request<GetBucketTaggingInput>,
) -> Result<GetBucketTaggingOutput, Refusal> {
    let bucket = world.store.read(|transaction| find(transaction, &request.input.bucket))?;
    if bucket.tags.is_empty() {
        return Err(Refusal::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    let tags = bucket.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    Ok(GetBucketTaggingOutput { tag_set: tags.collect() })
}

pub(super) async fn set_tags(
    world: &World,
    request: S3Request<PutBucketTaggingInput>,
) -> Result<PutBucketTaggingOutput, Refusal> {
    let PutBucketTaggingInput { bucket, tagging, .. } = request.input;
    let tags = tagging.tag_set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    let tags = tags.collect();
    check_tags(&tags)?;
    replace_tags(world, &bucket, tags)?;
    Ok(PutBucketTaggingOutput {})
}

pub(super) async fn remove_tags(
    world: &World,
    request: S3Request<DeleteBucketTaggingInput>,
) -> Result<DeleteBucketTaggingOutput, Refusal> {
    replace_tags(world, &request.input.bucket, Tags::new())?;
    Ok(DeleteBucketTaggingOutput {})
}

fn replace_tags(world: &World, name: &str, tags: Tags) -> Result<(), Refusal> {
    world.store.transact(|transaction| {
        let bucket = Bucket { tags, ..find(transaction, name)? };
        Ok(transaction.put(BUCKETS, name, &bucket)?)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_where_the_endpoint_and_the_constraint_agree() {
        let region = |endpoint, wanted| region_of(endpoint, wanted).map_err(|refusal| refusal.code);
        assert_eq!(region("us-east-1", None), Ok("us-east-1".to_owned()));
        assert_eq!(region("us-east-1", Some("eu-west-1")), Ok("eu-west-1".to_owned()));
        assert_eq!(region("us-east-1", Some("us-east-1")), Err("InvalidLocationConstraint".to_owned()));
        assert_eq!(region("eu-west-1", Some("eu-west-1")), Ok("eu-west-1".to_owned()));
        assert_eq!(region("eu-west-1", Some("EU")), Ok("eu-west-1".to_owned()));
        for wanted in [None, Some("eu-west-2")] {
            assert_eq!(region("eu-west-1", wanted), Err("IllegalLocationConstraintException".to_owned()));
        }
    }

    #[test]
    fn tags_are_read_from_a_configuration() {
        let body = b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <LocationConstraint>eu-west-1</LocationConstraint><Tags>\
            <Tag><Key>a&amp;b</Key><Value>1 &lt; 2</Value></Tag><Tag><Key>c</Key><Value/></Tag></Tags>\
            </CreateBucketConfiguration>";
        let tags = tags_of_configuration(body).unwrap();
        let pairs: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a&b", "1 < 2"), ("c", "")]);
        assert!(tags_of_configuration(b"").unwrap().is_empty());
        assert_eq!(tags_of_configuration(b"<a></b>").unwrap_err().code, "MalformedXML");
    }

    #[test]
    fn tags_keep_to_the_limits() {
        let check = |tags: &[(&str, &str)]| {
            check_tags(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert!(check(&[("pipeline:name", "pinterest"), ("empty", "")]).is_ok());
        assert!(check(&[("a", "1"), ("a", "2")]).is_err());
        assert!(check(&[("aws:a", "1")]).is_err());
        assert!(check(&[("", "1")]).is_err());
        assert!(check(&[("a", &"x".repeat(257))]).is_err());
    }
}
