//! S3 as the SDK sees it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart,
    CreateBucketConfiguration, Delete, EncodingType, MetadataDirective, ObjectIdentifier, Tag, Tagging,
};

use crate::sandbox::signature::{CALLER, SESSIONS, Session};
use crate::sandbox::store::Store;
use crate::sandbox::world::now;
use crate::sandbox::{ACCESS_KEY_ID, Claim, Options, SECRET_ACCESS_KEY, Sandbox, claim, start};

async fn sandbox() -> Sandbox {
    start(Options::default()).await.unwrap()
}

fn client_in(sandbox: &Sandbox, region: &'static str) -> Client {
    client_with(sandbox, region, Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "test"))
}

fn client_with(sandbox: &Sandbox, region: &'static str, credentials: Credentials) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(sandbox.endpoint())
        .credentials_provider(credentials)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

async fn with_bucket() -> (Sandbox, Client) {
    let sandbox = sandbox().await;
    let client = client_in(&sandbox, "us-east-1");
    client.create_bucket().bucket("bucket").send().await.unwrap();
    (sandbox, client)
}

/// The code of the error that a call must answer with.
macro_rules! code {
    ($call:expr) => {
        $call.send().await.unwrap_err().code().unwrap_or_default().to_owned()
    };
}

async fn put(client: &Client, key: &str, body: &'static [u8]) {
    client.put_object().bucket("bucket").key(key).body(ByteStream::from_static(body)).send().await.unwrap();
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket("bucket").key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

fn tagged(region: Option<&str>) -> CreateBucketConfiguration {
    CreateBucketConfiguration::builder()
        .set_location_constraint(region.map(BucketLocationConstraint::from))
        .tags(tag("pipeline:name", "a & b"))
        .build()
}

#[tokio::test]
async fn a_bucket_has_its_tags_from_the_start() {
    let sandbox = sandbox().await;
    let client = client_in(&sandbox, "us-east-1");
    client.create_bucket().bucket("bucket").create_bucket_configuration(tagged(None)).send().await.unwrap();
    let tags = client.get_bucket_tagging().bucket("bucket").send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag("pipeline:name", "a & b")]);

    let others = Tagging::builder().tag_set(tag("x", "y")).build().unwrap();
    client.put_bucket_tagging().bucket("bucket").tagging(others).send().await.unwrap();
    let tags = client.get_bucket_tagging().bucket("bucket").send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag("x", "y")]);
    client.delete_bucket_tagging().bucket("bucket").send().await.unwrap();
    assert_eq!(code!(client.get_bucket_tagging().bucket("bucket")), "NoSuchTagSet");
}

#[tokio::test]
async fn a_bucket_is_of_its_region() {
    let sandbox = sandbox().await;
    let (first, ireland, london) =
        (client_in(&sandbox, "us-east-1"), client_in(&sandbox, "eu-west-1"), client_in(&sandbox, "eu-west-2"));
    assert_eq!(code!(ireland.create_bucket().bucket("bucket")), "IllegalLocationConstraintException");
    let here = || tagged(Some("eu-west-1"));
    ireland.create_bucket().bucket("bucket").create_bucket_configuration(here()).send().await.unwrap();
    let again = ireland.create_bucket().bucket("bucket").create_bucket_configuration(here());
    assert_eq!(code!(again), "BucketAlreadyOwnedByYou");

    let head = ireland.head_bucket().bucket("bucket").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("eu-west-1"));
    let location = first.get_bucket_location().bucket("bucket").send().await.unwrap();
    assert_eq!(location.location_constraint(), Some(&BucketLocationConstraint::EuWest1));
    assert_eq!(code!(first.list_objects_v2().bucket("bucket")), "AuthorizationHeaderMalformed");
    assert_eq!(code!(london.list_objects_v2().bucket("bucket")), "PermanentRedirect");
    let wrong = london.head_bucket().bucket("bucket").send().await.unwrap_err();
    let response = wrong.raw_response().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("x-amz-bucket-region")), (301, Some("eu-west-1")));

    first.create_bucket().bucket("first").send().await.unwrap();
    first.create_bucket().bucket("first").send().await.unwrap();
    let location = first.get_bucket_location().bucket("first").send().await.unwrap();
    assert_eq!(location.location_constraint().map_or("", BucketLocationConstraint::as_str), "");
    let listed = first.list_buckets().send().await.unwrap();
    let names: Vec<_> =
        listed.buckets().iter().map(|bucket| (bucket.name().unwrap(), bucket.bucket_region())).collect();
    assert_eq!(names, [("bucket", None), ("first", None)]);
    let listed = first.list_buckets().bucket_region("eu-west-1").send().await.unwrap();
    let names: Vec<_> =
        listed.buckets().iter().map(|bucket| (bucket.name().unwrap(), bucket.bucket_region())).collect();
    assert_eq!(names, [("bucket", Some("eu-west-1"))]);
}

#[tokio::test]
async fn a_bucket_is_deleted_when_it_is_empty() {
    let (_sandbox, client) = with_bucket().await;
    put(&client, "a/b", b"x").await;
    let refused = client.delete_bucket().bucket("bucket").send().await.unwrap_err();
    assert_eq!((refused.code(), refused.raw_response().unwrap().status().as_u16()), (Some("BucketNotEmpty"), 409));
    assert_eq!(get(&client, "a/b").await, b"x");
    client.delete_object().bucket("bucket").key("a/b").send().await.unwrap();
    client.create_multipart_upload().bucket("bucket").key("left").send().await.unwrap();
    client.delete_bucket().bucket("bucket").send().await.unwrap();
    assert_eq!(code!(client.delete_bucket().bucket("bucket")), "NoSuchBucket");
    assert_eq!(code!(client.put_object().bucket("bucket").key("a")), "NoSuchBucket");
    client.create_bucket().bucket("bucket").send().await.unwrap();
    assert!(client.list_multipart_uploads().bucket("bucket").send().await.unwrap().uploads().is_empty());
}

#[tokio::test]
async fn bad_bucket_names_are_refused() {
    let sandbox = sandbox().await;
    let client = client_in(&sandbox, "us-east-1");
    for name in ["UPPER", "ab", "a..b", "192.168.0.1", "xn--a", "a_b", "my-s3alias"] {
        assert_eq!(code!(client.create_bucket().bucket(name)), "InvalidBucketName", "{name}");
    }
}

#[tokio::test]
async fn an_object_comes_back_with_what_was_said_about_it() {
    let (_sandbox, client) = with_bucket().await;
    let put = client
        .put_object()
        .bucket("bucket")
        .key("orders+0+0000000000.json")
        .metadata("sha256", "abc")
        .content_type("application/json")
        .body(ByteStream::from_static(b"{}"));
    let put = put.send().await.unwrap();
    let head = || client.head_object().bucket("bucket").key("orders+0+0000000000.json");
    let plain = head().send().await.unwrap();
    assert_eq!(plain.metadata().unwrap().get("sha256").map(String::as_str), Some("abc"));
    assert_eq!((plain.content_type(), plain.content_length()), (Some("application/json"), Some(2)));
    assert_eq!((plain.e_tag(), plain.checksum_crc32()), (put.e_tag(), None));
    let checked = head().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert!(checked.checksum_crc32().is_some());
    assert_eq!(checked.checksum_crc32(), put.checksum_crc32());
    assert_eq!(code!(client.get_object().bucket("bucket").key("orders")), "NoSuchKey");
}

#[tokio::test]
async fn keys_may_be_anything() {
    let (_sandbox, client) = with_bucket().await;
    let keys = ["x", "x/y", "a/../b", "a//b", "/a", "a/", "ü %+&=?#'\"<>", "orders+0+0000000000.json", "a\u{1}b"];
    for key in keys {
        client.put_object().bucket("bucket").key(key).body(key.as_bytes().to_vec().into()).send().await.unwrap();
    }
    for key in keys {
        assert_eq!(get(&client, key).await, key.as_bytes(), "{key}");
    }
    let listed = client.list_objects_v2().bucket("bucket").encoding_type(EncodingType::Url).send().await.unwrap();
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let found: Vec<String> = listed.contents().iter().map(|object| decoded(object.key().unwrap())).collect();
    let mut sorted = keys.map(str::to_owned);
    sorted.sort();
    assert_eq!(found, sorted);
    // None of them is a folder: what they have in common isn't an object.
    assert_eq!(
        client
            .head_object()
            .bucket("bucket")
            .key("a/..")
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        404
    );
}

#[tokio::test]
async fn listings_come_in_pages() {
    let (_sandbox, client) = with_bucket().await;
    for number in 0..25 {
        put(&client, &format!("p/{number:02}"), b"").await;
    }
    put(&client, "q", b"").await;
    let mut pages = client.list_objects_v2().bucket("bucket").prefix("p/").max_keys(10).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().contents().len());
    }
    assert_eq!(sizes, [10, 10, 5]);
    let grouped = client.list_objects_v2().bucket("bucket").delimiter("/").send().await.unwrap();
    assert_eq!(grouped.common_prefixes().iter().map(|group| group.prefix().unwrap()).collect::<Vec<_>>(), ["p/"]);
    assert_eq!(grouped.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), ["q"]);
    assert_eq!(code!(client.list_objects_v2().bucket("bucket").continuation_token("!")), "InvalidArgument");
    let first = client.list_objects().bucket("bucket").max_keys(1).send().await.unwrap();
    assert_eq!((first.contents()[0].key(), first.is_truncated()), (Some("p/00"), Some(true)));
    let rest = client.list_objects().bucket("bucket").marker("p/24").send().await.unwrap();
    assert_eq!(rest.contents()[0].key(), Some("q"));
}

#[tokio::test]
async fn a_body_that_is_not_what_was_signed_leaves_nothing() {
    let (sandbox, client) = with_bucket().await;
    put(&client, "a", b"before").await;
    let wrong = client.put_object().bucket("bucket").key("a").body(ByteStream::from_static(b"after"));
    assert_eq!(code!(wrong.checksum_sha256("ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=")), "BadDigest");
    let wrong = client.put_object().bucket("bucket").key("a").body(ByteStream::from_static(b"after"));
    assert_eq!(code!(wrong.content_md5("DMF1ucDxtqgxw5niaXcmYQ==")), "BadDigest");
    assert_eq!(get(&client, "a").await, b"before");
    let files = std::fs::read_dir(sandbox.home.folder().join("s3")).unwrap().count();
    assert_eq!(files, 1, "what was refused is gone");
}

#[tokio::test]
async fn conditions_hold_for_writes_and_reads() {
    let (_sandbox, client) = with_bucket().await;
    let lock = || client.put_object().bucket("bucket").key("lock").if_none_match("*");
    let etag = lock().send().await.unwrap().e_tag().unwrap().to_owned();
    assert_eq!(code!(lock()), "PreconditionFailed");
    let replace = |etag: &str| client.put_object().bucket("bucket").key("lock").if_match(etag);
    assert_eq!(code!(replace("\"0000\"")), "PreconditionFailed");
    replace(&etag).send().await.unwrap();
    assert_eq!(code!(client.put_object().bucket("bucket").key("none").if_match("*")), "NoSuchKey");
    let unchanged = client.get_object().bucket("bucket").key("lock").if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    assert_eq!(code!(client.get_object().bucket("bucket").key("lock").if_match("\"0000\"")), "PreconditionFailed");

    let winners = futures::future::join_all(
        (0..20).map(|_| client.put_object().bucket("bucket").key("race").if_none_match("*").send()),
    );
    assert_eq!(winners.await.into_iter().filter(Result::is_ok).count(), 1);
}

#[tokio::test]
async fn ranges_are_cut_across_parts() {
    let (_sandbox, client) = with_bucket().await;
    let size = 6 * 1024 * 1024;
    let contents: Vec<u8> = (0..3 * size).map(|index| (index % 251) as u8).collect();
    let begun = client.create_multipart_upload().bucket("bucket").key("big").metadata("sha256", "abc");
    let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
    let id = begun.upload_id().unwrap();
    let upload = |number: i32| {
        let from = (number as usize - 1) * size;
        let part = client.upload_part().bucket("bucket").key("big").upload_id(id).part_number(number);
        part.body(ByteStream::from(contents[from..from + size].to_vec())).send()
    };
    let parts = futures::future::join_all([upload(3), upload(1), upload(2)]).await;
    let completed = |number: i32, at: usize| {
        let part = parts[at].as_ref().unwrap();
        let completed = CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap());
        completed.set_checksum_crc32(part.checksum_crc32().map(str::to_owned)).build()
    };
    let complete = |parts: Vec<CompletedPart>| {
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        client.complete_multipart_upload().bucket("bucket").key("big").upload_id(id).multipart_upload(list)
    };
    assert_eq!(code!(complete(vec![completed(2, 2), completed(1, 1)])), "InvalidPartOrder");
    assert_eq!(code!(complete(vec![completed(1, 2)])), "InvalidPart");
    let done = complete(vec![completed(1, 1), completed(2, 2), completed(3, 0)]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""));
    assert!(done.checksum_crc32().unwrap().ends_with("-3"));
    assert_eq!(code!(complete(vec![completed(1, 1)])), "NoSuchUpload");

    let head = client.head_object().bucket("bucket").key("big").send().await.unwrap();
    assert_eq!(head.content_length(), Some(3 * size as i64));
    assert_eq!(head.metadata().unwrap()["sha256"], "abc");
    assert_eq!(get(&client, "big").await, contents);
    let range = format!("bytes={}-{}", size - 2, size + 1);
    let cut = client.get_object().bucket("bucket").key("big").range(range).send().await.unwrap();
    assert_eq!(cut.content_range(), Some("bytes 6291454-6291457/18874368"));
    assert_eq!(cut.body.collect().await.unwrap().to_vec(), &contents[size - 2..size + 2]);
    assert_eq!(code!(client.get_object().bucket("bucket").key("big").range("bytes=99999999-")), "InvalidRange");
}

#[tokio::test]
async fn uploads_are_listed_aborted_and_checked() {
    let (sandbox, client) = with_bucket().await;
    let begun = client.create_multipart_upload().bucket("bucket").key("k").send().await.unwrap();
    let id = begun.upload_id().unwrap();
    let mut parts = Vec::new();
    for number in [1, 2] {
        let part = client.upload_part().bucket("bucket").key("k").upload_id(id).part_number(number);
        let part = part.body(ByteStream::from_static(b"small")).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap()).build());
    }
    let uploads = client.list_multipart_uploads().bucket("bucket").send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id));
    let listed = client.list_parts().bucket("bucket").key("k").upload_id(id).max_parts(1).send().await.unwrap();
    assert_eq!((listed.parts().len(), listed.is_truncated()), (1, Some(true)));
    let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client.complete_multipart_upload().bucket("bucket").key("k").upload_id(id).multipart_upload(list);
    assert_eq!(code!(complete), "EntityTooSmall");
    client.abort_multipart_upload().bucket("bucket").key("k").upload_id(id).send().await.unwrap();
    assert_eq!(code!(client.list_parts().bucket("bucket").key("k").upload_id(id)), "NoSuchUpload");
    assert_eq!(std::fs::read_dir(sandbox.home.folder().join("s3")).unwrap().count(), 0);
}

#[tokio::test]
async fn objects_are_copied_and_deleted() {
    let (_sandbox, client) = with_bucket().await;
    let put = client.put_object().bucket("bucket").key("a+b c").metadata("k", "v");
    put.body(ByteStream::from_static(b"x")).send().await.unwrap();
    let copy = |to: &str| client.copy_object().copy_source("bucket/a%2Bb%20c").bucket("bucket").key(to);
    copy("copy").send().await.unwrap();
    assert_eq!(code!(copy("a+b c")), "InvalidRequest");
    copy("a+b c").metadata_directive(MetadataDirective::Replace).metadata("k", "w").send().await.unwrap();
    let head = |key: &'static str| client.head_object().bucket("bucket").key(key).send();
    assert_eq!(head("copy").await.unwrap().metadata().unwrap()["k"], "v");
    assert_eq!(head("a+b c").await.unwrap().metadata().unwrap()["k"], "w");
    client.delete_object().bucket("bucket").key("a+b c").send().await.unwrap();
    assert_eq!(get(&client, "copy").await, b"x");
    let named = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let several = Delete::builder().objects(named("copy")).objects(named("none")).build().unwrap();
    let deleted = client.delete_objects().bucket("bucket").delete(several).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (2, 0));
    client.delete_bucket().bucket("bucket").send().await.unwrap();
}

#[tokio::test]
async fn credentials_are_checked() {
    let (sandbox, _) = with_bucket().await;
    let with = |id: &str, secret: &str, token: Option<&str>| {
        client_with(&sandbox, "us-east-1", Credentials::new(id, secret, token.map(str::to_owned), None, "test"))
    };
    let body = || ByteStream::from_static(b"some bytes that are sent and dropped");
    let put = |client: Client| client.put_object().bucket("bucket").key("a").body(body());
    assert_eq!(code!(put(with(ACCESS_KEY_ID, "wrong", None))), "SignatureDoesNotMatch");
    assert_eq!(code!(put(with("NOBODY", SECRET_ACCESS_KEY, None))), "InvalidAccessKeyId");
    assert_eq!(code!(put(with(ACCESS_KEY_ID, SECRET_ACCESS_KEY, Some("token")))), "InvalidToken");
}

#[tokio::test]
async fn temporary_credentials_work_until_they_expire() {
    let folder = tempfile::tempdir().unwrap();
    let session = |key: &str, expires| {
        let session = Session { secret: "s".to_owned(), token: "t".to_owned(), caller: CALLER.to_owned(), expires };
        let store = Store::open(folder.path()).unwrap();
        store.transact(|transaction| transaction.put(SESSIONS, key, &session)).unwrap();
    };
    session("ASIAGOOD", now() + 60_000);
    session("ASIAOLD", now() - 1);
    let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it is free") };
    let sandbox = start(Options { folder: Some(lock), ..Options::default() }).await.unwrap();
    let with = |id: &str| {
        let credentials = Credentials::new(id, "s", Some("t".to_owned()), None, "test");
        client_with(&sandbox, "us-east-1", credentials)
    };
    with("ASIAGOOD").create_bucket().bucket("bucket").send().await.unwrap();
    put(&with("ASIAGOOD"), "a", b"x").await;
    assert_eq!(code!(with("ASIAOLD").list_buckets()), "ExpiredToken");
}

#[tokio::test]
async fn presigned_urls_work_for_anyone() {
    let (_sandbox, client) = with_bucket().await;
    put(&client, "a b", b"x").await;
    let minute = || PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let url = client.get_object().bucket("bucket").key("a b").presigned(minute()).await.unwrap();
    let reply = reqwest::get(url.uri()).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().await.unwrap()), (200, "x".to_owned()));
    let altered = url.uri().replace("a%20b", "other");
    assert!(reqwest::get(altered).await.unwrap().text().await.unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_half_uploads_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let begin = async || {
        let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it is free") };
        start(Options { folder: Some(lock), ..Options::default() }).await.unwrap()
    };
    let sandbox = begin().await;
    let endpoint = sandbox.endpoint().to_owned();
    let client = client_in(&sandbox, "us-east-1");
    client.create_bucket().bucket("bucket").create_bucket_configuration(tagged(None)).send().await.unwrap();
    put(&client, "a", b"contents").await;
    sandbox.stop().await;
    std::fs::write(folder.path().join("s3/half"), "an upload that was killed").unwrap();
    let sandbox = begin().await;
    assert_eq!(sandbox.endpoint(), endpoint);
    let client = client_in(&sandbox, "us-east-1");
    assert_eq!(get(&client, "a").await, b"contents");
    assert_eq!(client.get_bucket_tagging().bucket("bucket").send().await.unwrap().tag_set().len(), 1);
    assert_eq!(std::fs::read_dir(folder.path().join("s3")).unwrap().count(), 1);
}
