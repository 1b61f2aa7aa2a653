//! `pipeline send`.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use pipeline::aws::clients::Clients;
use serde_json::{Value, json};

use crate::bench::Bench;

const BUCKET: &str = "user-0a1b2c3d4e5f-bucket";

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_called() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.write("rows.txt", "{}\n");
    let refused = |arguments: &[&str], reason: &str| {
        let run = bench.run([&["send", "dev.yaml"], arguments].concat()).ended(64);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
    };
    refused(&["--topic", "0a1b2c3d4e5f.pim"], "did you mean \"0a1b2c3d4e5f.pin\"?");
    refused(&["--file", "rows.jsonl"], "--file needs --topic");
    refused(&["--file", "rows.txt", "--topic", "0a1b2c3d4e5f.pin"], "add --input-format");
    refused(&["--file", "rows.jsonl", "--topic", "0a1b2c3d4e5f.user"], "add --key FIELD");
    refused(&["--rate", "0"], "expected a number of records a second");
    refused(&["--format", "env"], "no such --format");
    assert!(bench.calls().is_empty());
}

#[test]
fn before_an_apply_there_is_nowhere_to_send_to() {
    let bench = Bench::new();
    bench.dev(&[]);
    let run = bench.run(["send", "dev.yaml"]).ended(1);
    assert!(run.stderr.contains("there is no rest_api/0a1b2c3d4e5f yet; apply the manifest first"), "{}", run.stderr);
    let missing = bench.run(["send", "dev.yaml", "--file", "none.jsonl", "--topic", "0a1b2c3d4e5f.pin"]);
    assert!(missing.ended(1).stderr.contains("cannot read none.jsonl: No such file"));
    bench.write("topics.yaml", "name: a\nenvironment: dev\ntarget: sandbox\nregion: us-east-1\n");
    let run = bench.run(["send", "topics.yaml", "--topic", "t"]).ended(1);
    assert!(run.stderr.contains("the manifest declares no `api`"), "{}", run.stderr);
}

/// What is in the bucket of a topic, once there are so many objects.
async fn objects(clients: &Clients, topic: &str, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let keys = loop {
        let listed = clients.s3.list_objects_v2().bucket(BUCKET).prefix(format!("topics/{topic}/"));
        let pages: Vec<_> = listed.into_paginator().send().collect::<Result<_, _>>().await.unwrap();
        let keys: Vec<String> = pages
            .into_iter()
            .flat_map(|page| page.contents.unwrap_or_default())
            .filter_map(|object| object.key)
            .collect();
        assert!(keys.len() <= count, "more than was sent: {keys:?}");
        if keys.len() == count {
            break keys;
        }
        assert!(Instant::now() < deadline, "{} of {count} objects of {topic}", keys.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut values = Vec::new();
    for key in keys {
        let object = clients.s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().into_bytes();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        values.extend(lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()));
    }
    values
}

#[tokio::test]
async fn what_is_sent_is_in_the_bucket_once() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let send = ["send", "dev.yaml", "--count", "150", "--batch", "7", "--seed", "1", "--format", "json"];
    let summary = bench.run(send).ended(0).json();
    assert_eq!(
        (&summary["acknowledged"], &summary["rejected"], &summary["failed"]),
        (&150.into(), &0.into(), &0.into())
    );
    assert_eq!(summary["retried_after_unknown_outcome"], json!([]));
    assert!(
        summary["posts"].as_u64().unwrap() >= 24 && summary["latency_ms"]["p99"].as_f64().unwrap() > 0.0,
        "{summary}"
    );
    let clients = bench.clients().await;
    for (kind, index) in [("pin", "index"), ("geo", "ind"), ("user", "ind")] {
        let values = objects(&clients, &format!("0a1b2c3d4e5f.{kind}"), 50).await;
        let indexes: BTreeSet<u64> = values.iter().map(|value| value[index].as_u64().unwrap()).collect();
        assert!(values.len() == 50 && indexes.into_iter().eq(1..=50), "{kind}: {values:?}");
    }
}

#[tokio::test]
async fn rows_are_sent_and_those_that_are_none_are_kept() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.write("rows.csv", "ind,first_name,age\n1,Maya,36\n2,Nils\n3,\"Quist, Vera\",018\n");
    let send = |file, more: &[&str]| {
        let topic = ["--topic", "0a1b2c3d4e5f.user", "--key", "ind", "--rejects", "rejects.jsonl"];
        bench.run([&["send", "dev.yaml", "--file", file], topic.as_slice(), more].concat())
    };
    let run = send("rows.csv", &[]).ended(1);
    assert!(run.stdout.starts_with("2 of 3 records acknowledged, 1 rejected, 0 failed"), "{}", run.stdout);
    assert!(run.stderr.contains("1 records were not acknowledged; they are in rejects.jsonl"), "{}", run.stderr);
    let kept: Value = serde_json::from_str(&fs::read_to_string(bench.path("rejects.jsonl")).unwrap()).unwrap();
    assert_eq!((&kept["line"], &kept["record"]), (&3.into(), &"2,Nils".into()));
    bench.write("again.jsonl", "{\"ind\":2,\"first_name\":\"Nils\",\"age\":40}\n");
    send("again.jsonl", &["--quiet"]).ended(0);
    let mut values = objects(&bench.clients().await, "0a1b2c3d4e5f.user", 3).await;
    values.sort_by_key(|value| value["ind"].as_u64());
    let expected = json!([
        { "ind": 1, "first_name": "Maya", "age": 36 },
        { "ind": 2, "first_name": "Nils", "age": 40 },
        { "ind": 3, "first_name": "Quist, Vera", "age": "018" },
    ]);
    assert_eq!(Value::from(values), expected);
}

#[test]
fn an_api_that_asks_for_more_gets_it() {
    let bench = Bench::new();
    let authorized = |how: &str| bench.dev(&[("  cors: true", &format!("  cors: true\n  authorization: {how}"))]);
    authorized("api_key");
    bench.apply();
    let send = ["send", "dev.yaml", "--count", "3"];
    let run = bench.run(send.iter().chain(&["-v"])).ended(0);
    assert!(run.stdout.starts_with("3 of 3 records acknowledged"), "{}", run.stdout);
    let wrong = bench.run(send.iter().chain(&["--api-key", "a-key-that-is-wrong"])).ended(1);
    assert!(wrong.stderr.contains("HTTP status 403: Forbidden; the API key is missing"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("a-key-that-is-wrong"), "{}", wrong.stderr);
    authorized("aws_iam");
    bench.apply();
    let run = bench.run(send).ended(0);
    assert!(run.stdout.starts_with("3 of 3 records acknowledged"), "{}", run.stdout);
}
