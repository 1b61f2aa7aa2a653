//! The front, as clients see it: what it refuses, what the knobs do, how it starts and stops.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use aws_sdk_kafka::error::ProvideErrorMetadata;
use futures::StreamExt;
use serde_json::Value;

use super::*;

async fn with(settings: Settings) -> Sandbox {
    start(Options { settings, ..Options::default() }).await.unwrap()
}

fn faults(faults: &[&str]) -> Settings {
    Settings { faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(), ..Settings::default() }
}

macro_rules! client {
    ($sdk:ident, $sandbox:expr, $secret:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("eu-west-1"))
                .endpoint_url($sandbox.endpoint())
                .credentials_provider($sdk::config::Credentials::new(ACCESS_KEY_ID, $secret, None, None, "test"))
                .retry_config($sdk::config::retry::RetryConfig::disabled())
                .build(),
        )
    };
}

async fn parse(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn s3(sandbox: &Sandbox) -> aws_sdk_s3::Client {
    client!(aws_sdk_s3, sandbox, SECRET_ACCESS_KEY)
}

#[tokio::test]
async fn each_protocol_refuses_a_wrong_signature_in_its_words() {
    let sandbox = with(Settings::default()).await;
    let kafka = client!(aws_sdk_kafka, sandbox, "wrong").list_clusters_v2().send().await.unwrap_err();
    let iam = client!(aws_sdk_iam, sandbox, "wrong").get_role().role_name("r").send().await.unwrap_err();
    let sts = client!(aws_sdk_sts, sandbox, "wrong").get_caller_identity().send().await.unwrap_err();
    let secrets = client!(aws_sdk_secretsmanager, sandbox, "wrong").list_secrets().send().await.unwrap_err();
    let s3 = client!(aws_sdk_s3, sandbox, "wrong").list_buckets().send().await.unwrap_err();
    assert_eq!([kafka.code(), secrets.code()], [Some("InvalidSignatureException"); 2]);
    assert_eq!(secrets.raw_response().unwrap().status().as_u16(), 400);
    assert_eq!([iam.code(), sts.code(), s3.code()], [Some("SignatureDoesNotMatch"); 3]);
    assert!(iam.message().unwrap().starts_with("The request signature we calculated does not match"));
}

#[tokio::test]
async fn an_unsigned_call_is_refused_in_the_words_of_its_service() {
    let sandbox = with(Settings::default()).await;
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", sandbox.endpoint());
    let json = http.get(url("/v1/clusters")).send().await.unwrap();
    assert_eq!(json.status(), 403);
    assert_eq!(json.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
    assert!(json.headers().contains_key("x-amzn-requestid"));
    assert_eq!(parse(json).await["message"], "Missing Authentication Token");
    let rpc = http.post(url("/")).header("x-amz-target", "secretsmanager.ListSecrets").send().await.unwrap();
    assert_eq!(
        (rpc.status().as_u16(), &rpc.headers()["content-type"]),
        (400, &"application/x-amz-json-1.1".parse().unwrap())
    );
    let error = parse(rpc).await;
    assert_eq!(error["__type"], "MissingAuthenticationTokenException");
    assert_eq!(error["Message"], "Missing Authentication Token");
    let form = http.post(url("/")).header("content-type", "application/x-www-form-urlencoded").body("Action=GetRole");
    let xml = form.send().await.unwrap().text().await.unwrap();
    assert!(xml.contains("<Type>Sender</Type><Code>MissingAuthenticationToken</Code>"), "{xml}");
    let s3 = http.get(url("/bucket")).send().await.unwrap().text().await.unwrap();
    assert!(s3.contains("<Code>AccessDenied</Code>"), "{s3}");
}

#[tokio::test]
async fn faults_strike_as_often_as_they_say_and_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls.jsonl");
    let faults = faults(&["s3:ListBuckets:503:2", "s3:ListBuckets:AccessDenied:1", "s3:ListBuckets:reset:1"]);
    let sandbox = with(Settings { calls: Some(calls.clone()), ..faults }).await;
    let client = s3(&sandbox);
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(match client.list_buckets().send().await {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code().unwrap_or("none").to_owned(),
        });
    }
    assert_eq!(codes, ["SlowDown", "SlowDown", "AccessDenied", "none", "ok"]);
    let text = std::fs::read_to_string(&calls).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<u64> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [503, 503, 403, 0, 200]);
    assert_eq!((lines[0]["service"].as_str(), lines[0]["operation"].as_str()), (Some("s3"), Some("ListBuckets")));
    assert!(lines[0]["time"].as_str().unwrap().ends_with('Z') && lines[0]["duration_ms"].is_u64());
}

#[tokio::test]
async fn a_reset_is_a_reset_and_the_next_call_works() {
    let sandbox = with(faults(&["s3:ListBuckets:reset:1"])).await;
    let error = s3(&sandbox).list_buckets().send().await.unwrap_err();
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        text += &error.to_string();
        cause = error.source();
    }
    assert!(text.to_lowercase().contains("reset"), "{text}");
    s3(&sandbox).list_buckets().send().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_of_a_call_that_was_carried_out() {
    let sandbox = with(faults(&["s3:CreateBucket:lost:1", "iam:CreateRole:lost:1"])).await;
    let create = async |name: &str| {
        let place = aws_sdk_s3::types::BucketLocationConstraint::EuWest1;
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
        s3(&sandbox).create_bucket().bucket(name).create_bucket_configuration(place).send().await
    };
    assert_eq!(create("Not a name").await.unwrap_err().code(), Some("InvalidBucketName"), "a refusal is told");
    assert_eq!(create("bucket").await.unwrap_err().code(), None);
    assert_eq!(create("bucket").await.unwrap_err().code(), Some("BucketAlreadyOwnedByYou"));

    let iam = client!(aws_sdk_iam, sandbox, SECRET_ACCESS_KEY);
    let trust = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}}"#;
    let create = async || iam.create_role().role_name("r").assume_role_policy_document(trust).send().await;
    assert_eq!(create().await.unwrap_err().code(), None);
    assert_eq!(create().await.unwrap_err().code(), Some("EntityAlreadyExists"));
}

#[tokio::test]
async fn a_hang_never_answers_and_does_not_keep_the_sandbox_from_stopping() {
    let sandbox = with(faults(&["s3:ListBuckets:hang:1", "s3:ListBuckets:timeout:1"])).await;
    let client = s3(&sandbox);
    for _ in 0..2 {
        let asked = tokio::time::timeout(Duration::from_millis(300), client.list_buckets().send()).await;
        assert!(asked.is_err());
    }
    client.list_buckets().send().await.unwrap();
    let hanging = tokio::spawn(s3(&sandbox).list_buckets().send());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let began = Instant::now();
    sandbox.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(hanging);
}

#[tokio::test]
async fn latency_is_added_to_every_call() {
    let sandbox = with(Settings { latency: Duration::from_millis(80), ..Settings::default() }).await;
    let began = Instant::now();
    s3(&sandbox).list_buckets().send().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn private_calls_are_for_programs_on_this_machine() {
    let sandbox = with(Settings::default()).await;
    s3(&sandbox)
        .create_bucket()
        .bucket("bucket")
        .create_bucket_configuration(
            aws_sdk_s3::types::CreateBucketConfiguration::builder()
                .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
                .build(),
        )
        .send()
        .await
        .unwrap();
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}/_sandbox/{path}", sandbox.endpoint());
    let get = async |path: &str| parse(http.get(url(path)).send().await.unwrap()).await;
    let status = get("status").await;
    assert_eq!(status["counts"]["buckets"], 1);
    assert_eq!(status["endpoint"], sandbox.endpoint());
    let before = get("addresses?api=abc").await;
    assert_eq!(before["account"], "000000000000");
    assert!(before["invoke"]["abc"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let page = http.post(url("reset")).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(page.status(), 403);
    let rebound = http.post(url("reset")).header("host", "evil.example:80").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    assert_eq!(get("status").await["counts"]["buckets"], 1);
    assert_eq!(http.post(url("reset")).send().await.unwrap().status(), 200);
    let counts = get("status").await["counts"].clone();
    assert!(counts.as_object().unwrap().values().all(|count| *count == 0), "{counts}");
    let after = get("addresses").await;
    assert_eq!(after["rest_proxy"], before["rest_proxy"]);
    assert_eq!(after["invoke"], serde_json::json!({}));
    assert_eq!(http.get(url("nothing")).send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_sandbox_is_found_and_one_that_stopped_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it is free") };
    let sandbox = start(Options { folder: Some(lock), ..Options::default() }).await.unwrap();
    let other = || {
        let folder = folder.path().to_owned();
        async move { tokio::task::spawn_blocking(move || claim(&folder)).await.unwrap().unwrap() }
    };
    assert!(matches!(other().await, Claim::Busy { .. }), "it serves, but hasn't said so");
    sandbox.announce().unwrap();
    let Claim::Served { endpoint, pid } = other().await else { panic!("it is served") };
    assert_eq!((endpoint.as_str(), pid), (sandbox.endpoint(), std::process::id()));
    sandbox.stop().await;
    assert!(matches!(other().await, Claim::Ours(_)));
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let first = with(Settings::default()).await;
    let port = first.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let second = start(Options { port: Some(port), ..Options::default() }).await.unwrap_err();
    assert_eq!(
        second.to_string(),
        format!("the sandbox can't listen on 127.0.0.1:{port}; stop what listens there, or choose another with --port")
    );
}

#[tokio::test]
async fn a_sandbox_that_had_to_move_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let begin = async || {
        let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it is free") };
        start(Options { folder: Some(lock), ..Options::default() }).await.unwrap()
    };
    let port = |sandbox: &Sandbox| sandbox.endpoint().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let first = begin().await;
    let from = port(&first);
    assert_eq!(first.moved(), None);
    first.stop().await;
    let again = begin().await;
    assert_eq!((port(&again), again.moved()), (from, None));
    again.stop().await;

    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, from)).await.unwrap();
    let second = begin().await;
    let moved = second.moved().unwrap();
    assert_eq!(moved, Moved { from, to: port(&second) });
    assert!(moved.to_string().contains(&format!("listens on 127.0.0.1:{from}")), "{moved}");
    second.stop().await;
    drop(other);
    let third = begin().await;
    assert_eq!((port(&third), third.moved()), (moved.to, None), "it stays where it moved to");
    third.stop().await;
}

#[tokio::test]
async fn the_address_of_an_api_goes_with_it() {
    let sandbox = with(Settings::default()).await;
    let apigateway = client!(aws_sdk_apigateway, sandbox, SECRET_ACCESS_KEY);
    let id = apigateway.create_rest_api().name("a").send().await.unwrap().id.unwrap();
    let addresses = async |query: &str| {
        let url = format!("{}/_sandbox/addresses{query}", sandbox.endpoint());
        parse(reqwest::get(url).await.unwrap()).await["invoke"].clone()
    };
    assert!(addresses(&format!("?api={id}")).await[&id].is_string());
    apigateway.delete_rest_api().rest_api_id(&id).send().await.unwrap();
    assert_eq!(addresses("").await, serde_json::json!({}));
}

#[tokio::test]
async fn it_starts_quickly() {
    with(Settings::default()).await.stop().await;
    let began = Instant::now();
    let sandbox = with(Settings::default()).await;
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_are_answered_at_once() {
    let sandbox = with(Settings::default()).await;
    let client = s3(&sandbox);
    // As many at a time as the tool would have; each is a task of its own, so that they really run together.
    let calls = futures::stream::iter(0..1000).map(|_| tokio::spawn(client.list_buckets().send()));
    let answered: Vec<_> = calls.buffer_unordered(100).collect().await;
    let failed: Vec<_> = answered.into_iter().filter_map(|answer| answer.unwrap().err()).collect();
    assert!(failed.is_empty(), "{} failed, one as {:?}", failed.len(), failed[0]);
}
