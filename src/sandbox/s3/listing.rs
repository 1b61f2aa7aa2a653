//! Listings: page by page, by prefix and delimiter, with names that are URL-encoded where that is asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::S3Request;
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput, MultipartUpload,
    Object as ListedObject, ObjectStorageClass, Owner, StorageClass,
};

use super::buckets;
use super::multipart;
use super::records::{OBJECTS, Object, PARTS, Part, UPLOADS, Upload, part_key, timestamp};
use super::sums::with_sum;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::{ACCOUNT, World};

/// The longest page.
const PAGE: i32 = 1000;

/// S3's idea of URL encoding leaves these as they are.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// Writes names as a listing's `encoding-type` wants them.
struct Names {
    encoded: bool,
}

impl Names {
    fn new(encoding: Option<&EncodingType>) -> Result<Self, Refusal> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(_) => Err(Refusal::new(400, "InvalidArgument", "Invalid Encoding Method specified in Request")),
        }
    }

    fn write(&self, name: String) -> String {
        if self.encoded { utf8_percent_encode(&name, ENCODED).to_string().replace(' ', "+") } else { name }
    }

    fn write_some(&self, name: Option<String>) -> Option<String> {
        name.map(|name| self.write(name))
    }
}

/// How long a page is to be.
fn page_length(wanted: Option<i32>, name: &str) -> Result<i32, Refusal> {
    match wanted {
        None => Ok(PAGE),
        Some(wanted) if wanted >= 0 => Ok(wanted.min(PAGE)),
        Some(_) => {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(Refusal::new(400, "InvalidArgument", message))
        }
    }
}

/// A page of a bucket.
struct Page {
    objects: Vec<(String, Object)>,
    prefixes: Vec<String>,
    /// The last name of the page, where there are more.
    next: Option<String>,
}

/// What a page is asked for with.
struct Asked<'a> {
    bucket: &'a str,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// The last name of the page before, or where the caller wants to begin.
    after: &'a str,
    length: i32,
}

impl Asked<'_> {
    fn page(&self, world: &World) -> Result<Page, Refusal> {
        let bucket = self.bucket;
        let records: Vec<(String, Object)> = world.store.read(|transaction| {
            buckets::find(transaction, bucket)?;
            let prefix = format!("{bucket}/{}", self.prefix);
            Ok::<_, Refusal>(transaction.list_prefix(OBJECTS, &prefix, &format!("{bucket}/{}", self.after)))
        })?;
        let objects = records.into_iter().map(|(record, object)| (record[bucket.len() + 1..].to_owned(), object));
        Ok(self.cut(objects))
    }

    /// Makes a page of what comes after the last one, in order.
    fn cut(&self, objects: impl Iterator<Item = (String, Object)>) -> Page {
        let mut page = Page { objects: Vec::new(), prefixes: Vec::new(), next: None };
        let mut last = None;
        for (key, object) in objects {
            let group = self.group(&key);
            // A group is one name, and comes once: not again for each of its keys, nor on the next page.
            if let Some(group) = &group
                && (page.prefixes.last() == Some(group) || group == self.after)
            {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == self.length as usize {
                page.next = last;
                return page;
            }
            last = Some(group.clone().unwrap_or_else(|| key.clone()));
            match group {
                Some(group) => page.prefixes.push(group),
                None => page.objects.push((key, object)),
            }
        }
        page
    }

    /// The common prefix that a key is listed under.
    fn group(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.prefix)?;
        let end = rest.find(delimiter)? + delimiter.len();
        Some(format!("{}{}", self.prefix, &rest[..end]))
    }
}

fn listed(names: &Names, objects: Vec<(String, Object)>, owner: Option<&Owner>) -> Vec<ListedObject> {
    let entry = |(key, object): (String, Object)| ListedObject {
        size: Some(object.size() as i64),
        key: Some(names.write(key)),
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(object.modified)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        checksum_algorithm: object.sum.as_ref().map(|sum| vec![sum.algorithm.name().to_owned().into()]),
        checksum_type: object.sum.as_ref().map(|sum| sum.kind().to_owned().into()),
        owner: owner.cloned(),
        ..Default::default()
    };
    objects.into_iter().map(entry).collect()
}

fn common(names: &Names, prefixes: Vec<String>) -> Option<Vec<CommonPrefix>> {
    let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(names.write(prefix)) });
    Some(prefixes.collect::<Vec<_>>()).filter(|prefixes| !prefixes.is_empty())
}

fn owner() -> Owner {
    Owner { id: Some(ACCOUNT.to_owned()), ..Default::default() }
}

pub(super) async fn list(world: &World, request: S3Request<ListObjectsInput>) -> Result<ListObjectsOutput, Refusal> {
    let input = request.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let length = page_length(input.max_keys, "max-keys")?;
    let asked = Asked {
        bucket: &input.bucket,
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: input.marker.as_deref().unwrap_or_default(),
        length,
    };
    let page = asked.page(world)?;
    Ok(ListObjectsOutput {
        contents: Some(listed(&names, page.objects, Some(&owner()))),
        common_prefixes: common(&names, page.prefixes),
        is_truncated: Some(page.next.is_some()),
        // Without a delimiter the last key does as a marker, so this version of the operation doesn't tell it.
        next_marker: names.write_some(page.next.filter(|_| input.delimiter.is_some())),
        delimiter: names.write_some(input.delimiter),
        encoding_type: input.encoding_type,
        marker: Some(names.write(input.marker.unwrap_or_default())),
        max_keys: Some(length),
        name: Some(input.bucket),
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        ..Default::default()
    })
}

pub(super) async fn list_v2(
    world: &World,
    request: S3Request<ListObjectsV2Input>,
) -> Result<ListObjectsV2Output, Refusal> {
    let input = request.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let length = page_length(input.max_keys, "max-keys")?;
    let continued =
        match input.continuation_token.as_deref() {
            None => None,
            Some(token) => {
                Some(URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok()).ok_or_else(
                    || Refusal::new(400, "InvalidArgument", "The continuation token provided is incorrect"),
                )?)
            }
        };
    let asked = Asked {
        bucket: &input.bucket,
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: continued.as_deref().or(input.start_after.as_deref()).unwrap_or_default(),
        length,
    };
    let page = asked.page(world)?;
    let owner = owner();
    Ok(ListObjectsV2Output {
        key_count: Some((page.objects.len() + page.prefixes.len()) as i32),
        contents: Some(listed(&names, page.objects, (input.fetch_owner == Some(true)).then_some(&owner))),
        common_prefixes: common(&names, page.prefixes),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|name| URL_SAFE_NO_PAD.encode(name)),
        continuation_token: input.continuation_token,
        delimiter: names.write_some(input.delimiter),
        encoding_type: input.encoding_type,
        max_keys: Some(length),
        name: Some(input.bucket),
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        start_after: names.write_some(input.start_after),
        ..Default::default()
    })
}

pub(super) async fn parts(world: &World, request: S3Request<ListPartsInput>) -> Result<ListPartsOutput, Refusal> {
    let ListPartsInput { bucket, key, upload_id, max_parts, part_number_marker, .. } = request.input;
    let upload = multipart::find(world, (&bucket, &key), &upload_id)?;
    let length = page_length(max_parts, "max-parts")?;
    let after = part_number_marker.unwrap_or_default();
    let mut found: Vec<(String, Part)> = world
        .store
        .read(|transaction| transaction.list_prefix(PARTS, &format!("{upload_id}/"), &part_key(&upload_id, after)));
    let is_truncated = found.len() > length as usize;
    found.truncate(length as usize);
    let number = |key: &str| key.rsplit('/').next().and_then(|number| number.parse().ok());
    let next = found.last().and_then(|(key, _)| number(key));
    let parts = found.into_iter().map(|(key, part)| {
        with_sum!(
            part.sum.as_ref(),
            Part {
                e_tag: Some(ETag::Strong(part.etag.clone())),
                last_modified: Some(timestamp(part.modified)),
                part_number: number(&key),
                size: Some(part.blob.size as i64),
            }
        )
    });
    Ok(ListPartsOutput {
        parts: Some(parts.collect()),
        bucket: Some(bucket),
        key: Some(key),
        upload_id: Some(upload_id),
        is_truncated: Some(is_truncated),
        max_parts: Some(length),
        part_number_marker: Some(after),
        next_part_number_marker: next,
        checksum_algorithm: upload.algorithm.map(Into::into),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        owner: Some(owner()),
        ..Default::default()
    })
}

pub(super) async fn uploads(
    world: &World,
    request: S3Request<ListMultipartUploadsInput>,
) -> Result<ListMultipartUploadsOutput, Refusal> {
    let input = request.input;
    if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
        let message = "the sandbox lists uploads without a delimiter only";
        return Err(Refusal::new(501, "NotImplemented", message));
    }
    let names = Names::new(input.encoding_type.as_ref())?;
    let length = page_length(input.max_uploads, "max-uploads")?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = (input.key_marker.as_deref().unwrap_or_default(), input.upload_id_marker.as_deref());
    let mut found: Vec<(String, Upload)> = world.store.read(|transaction| transaction.list(UPLOADS));
    found.retain(|(id, upload)| {
        let comes_after = match after {
            (key, Some(marker)) => (upload.key.as_str(), id.as_str()) > (key, marker),
            (key, None) => upload.key.as_str() > key,
        };
        upload.bucket == input.bucket && upload.key.starts_with(prefix) && comes_after
    });
    found.sort_by(|(left_id, left), (right_id, right)| (&left.key, left_id).cmp(&(&right.key, right_id)));
    let is_truncated = found.len() > length as usize;
    found.truncate(length as usize);
    let last = found.last().filter(|_| is_truncated).map(|(id, upload)| (id.clone(), upload.key.clone()));
    let (next_upload_id_marker, next_key_marker) = last.unzip();
    let uploads = found.into_iter().map(|(id, upload)| MultipartUpload {
        key: Some(names.write(upload.key)),
        upload_id: Some(id),
        initiated: Some(timestamp(upload.began)),
        checksum_algorithm: upload.algorithm.map(Into::into),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        owner: Some(owner()),
        ..Default::default()
    });
    Ok(ListMultipartUploadsOutput {
        uploads: Some(uploads.collect()),
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        is_truncated: Some(is_truncated),
        key_marker: Some(names.write(input.key_marker.unwrap_or_default())),
        max_uploads: Some(length),
        next_key_marker: names.write_some(next_key_marker),
        next_upload_id_marker,
        prefix: names.write_some(input.prefix),
        upload_id_marker: input.upload_id_marker,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::s3::records::Description;

    fn object() -> Object {
        Object { blobs: Vec::new(), etag: String::new(), modified: 0, described: Description::default(), sum: None }
    }

    fn pages(keys: &[&str], prefix: &str, delimiter: Option<&str>, length: i32) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let asked = Asked { bucket: "b", prefix, delimiter, after: &after, length };
            let rest = keys.iter().filter(|key| key.starts_with(prefix) && **key > after.as_str());
            let page = asked.cut(rest.map(|key| ((*key).to_owned(), object())));
            let objects = page.objects.into_iter().map(|(key, _)| key);
            pages.push(objects.chain(page.prefixes).collect());
            match page.next {
                Some(next) => after = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn every_name_is_on_one_page() {
        let keys = ["a", "d/1", "d/2", "d/3", "e", "f/1"];
        assert_eq!(pages(&keys, "", None, 1000), [["a", "d/1", "d/2", "d/3", "e", "f/1"]]);
        assert_eq!(pages(&keys, "", None, 4), [vec!["a", "d/1", "d/2", "d/3"], vec!["e", "f/1"]]);
        assert_eq!(pages(&keys, "", None, 3), [["a", "d/1", "d/2"], ["d/3", "e", "f/1"]]);
        assert_eq!(pages(&keys, "", Some("/"), 2), [["a", "d/"], ["e", "f/"]]);
        assert_eq!(pages(&keys, "", Some("/"), 1), [["a"], ["d/"], ["e"], ["f/"]]);
        assert_eq!(pages(&keys, "d/", Some("/"), 2), [vec!["d/1", "d/2"], vec!["d/3"]]);
    }

    #[test]
    fn names_are_encoded_where_that_is_asked_for() {
        let key = "topics/a b/x+0+0000000000.json%é";
        let plain = Names { encoded: false };
        let encoded = Names { encoded: true };
        assert_eq!(plain.write(key.to_owned()), key);
        assert_eq!(encoded.write(key.to_owned()), "topics/a+b/x%2B0%2B0000000000.json%25%C3%A9");
    }
}
