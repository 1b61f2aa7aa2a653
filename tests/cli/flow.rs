//! A hundred thousand records, from the sender to the bucket: each of them once, whatever is killed on the way.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pipeline::aws::clients::Clients;
use serde_json::{Value, json};

use crate::bench::{Bench, Run};

const COUNT: u64 = 100_000;
const FLUSH_SIZE: u64 = 500;
const TOPIC: &str = "0a1b2c3d4e5f.pin";
const BUCKET: &str = "user-0a1b2c3d4e5f-bucket";
const FLAGS: [&str; 4] = ["--settle", "200ms", "--lag", "100ms"];

/// A pipeline whose objects have many records.
fn applied() -> Bench {
    let bench = Bench::with(&FLAGS);
    bench.dev(&[("flush.size: 1 ", &format!("flush.size: {FLUSH_SIZE} "))]);
    bench.apply();
    bench
}

fn sending(bench: &Bench) -> std::process::Command {
    let count = COUNT.to_string();
    bench.command([
        "send",
        "dev.yaml",
        "--generate",
        "pin",
        "--topic",
        TOPIC,
        "--count",
        &count,
        "--seed",
        "7",
        "--format",
        "json",
    ])
}

/// Adds to each partition what its last object lacks, so that it is written.
async fn fill(bench: &Bench) -> BTreeMap<u64, u64> {
    let invoke = bench.run(["outputs", "dev.yaml", "invoke_url"]).ended(0).stdout.trim().to_owned();
    let http = reqwest::Client::new();
    let mut ends = BTreeMap::new();
    for partition in 0..3 {
        let url = format!("{invoke}/topics/{TOPIC}/partitions/{partition}");
        let offsets: Value = read(http.get(format!("{url}/offsets"))).await;
        let end = offsets["end_offset"].as_u64().unwrap();
        let missing = end.next_multiple_of(FLUSH_SIZE) - end;
        if missing > 0 {
            let records: Vec<Value> = (0..missing).map(|_| json!({"value": {"filler": true}})).collect();
            let post = http.post(&url).header("content-type", "application/vnd.kafka.json.v2+json");
            read(post.body(json!({ "records": records }).to_string())).await;
        }
        ends.insert(partition, end + missing);
    }
    ends
}

async fn read(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// The keys of the topic's objects.
async fn keys(clients: &Clients) -> Vec<String> {
    let pages = clients.s3.list_objects_v2().bucket(BUCKET).prefix(format!("topics/{TOPIC}/")).into_paginator().send();
    let pages = pages.try_collect().await.unwrap();
    pages.iter().flat_map(|page| page.contents()).map(|object| object.key().unwrap().to_owned()).collect()
}

/// How often each index is in the bucket, once everything is there. Objects must follow one another without a gap and
/// without an overlap: then the sink has neither lost nor doubled anything.
async fn landed(bench: &Bench, ends: &BTreeMap<u64, u64>) -> BTreeMap<u64, u64> {
    let clients = bench.clients().await;
    let expected: u64 = ends.values().map(|end| end / FLUSH_SIZE).sum();
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut all = keys(&clients).await;
    while (all.len() as u64) < expected {
        assert!(Instant::now() < deadline, "{} of {expected} objects", all.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
        all = keys(&clients).await;
    }
    let mut counts = BTreeMap::new();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for key in all {
        let name = key.rsplit('/').next().unwrap().strip_suffix(".json").unwrap();
        let mut parts = name.rsplit('+');
        let offset: u64 = parts.next().unwrap().parse().unwrap();
        let partition: u64 = parts.next().unwrap().parse().unwrap();
        let body = clients.s3.get_object().bucket(BUCKET).key(&key).send().await.unwrap().body;
        let text = String::from_utf8(body.collect().await.unwrap().to_vec()).unwrap();
        let end = next.entry(partition).or_default();
        assert_eq!(*end, offset, "{key} does not follow what came before");
        for line in text.lines() {
            *end += 1;
            let record: Value = serde_json::from_str(line).unwrap();
            if record.get("filler").is_none() {
                *counts.entry(record["index"].as_u64().unwrap()).or_default() += 1;
            }
        }
    }
    assert_eq!(&next, ends);
    counts
}

#[tokio::test]
async fn a_hundred_thousand_records_land_exactly_once() {
    let bench = applied();
    let summary = Run::of(sending(&bench).output().unwrap()).ended(0).json();
    assert_eq!(summary["acknowledged"], COUNT);
    let counts = landed(&bench, &fill(&bench).await).await;
    assert_eq!(counts.len() as u64, COUNT);
    assert!(counts.values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_sandbox_that_is_killed_in_the_middle_loses_nothing_that_was_acknowledged() {
    let mut bench = applied();
    let child = sending(&bench).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // In the middle: some objects are written, and records are under way.
    let clients = bench.clients().await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while keys(&clients).await.len() < 20 {
        assert!(Instant::now() < deadline, "nothing lands");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.kill_and_restart(&FLAGS);
    let summary = Run::of(child.wait_with_output().unwrap()).ended(0).json();
    assert_eq!(summary["acknowledged"], COUNT);
    let counts = landed(&bench, &fill(&bench).await).await;
    assert_eq!(counts.len() as u64, COUNT, "a record was lost");
    let ranges = summary["retried_after_unknown_outcome"].as_array().unwrap_or_else(|| panic!("{summary:#}"));
    let may_be_there_twice = |index: u64| {
        ranges.iter().any(|range| (range["first"].as_u64().unwrap()..=range["last"].as_u64().unwrap()).contains(&index))
    };
    for (index, count) in counts {
        assert!(count == 1 || may_be_there_twice(index), "{index} is there {count} times and is not among {ranges:?}");
    }
}
