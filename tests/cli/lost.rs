//! Answers that get lost: AWS has done what was asked, the caller doesn't hear of it and asks again. For every call that
//! changes something, one run in which its answer is lost, and at most one more to set right what that left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use pipeline::sandbox::{Claim, Options, claim, start};
use serde_json::Value;

use crate::bench::{Bench, Run, pipeline};

/// How many operations are tried at a time. Most of their time is waiting.
const AT_ONCE: usize = 4;

/// A folder with a manifest, in which every command runs a sandbox of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(&Bench::example("dev.yaml"));
        place
    }

    fn write(&self, manifest: &str) {
        fs::write(self.0.path().join("dev.yaml"), manifest).unwrap();
    }

    /// Another one, with all that was made in this one.
    fn copy(&self) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        copy(self.0.path(), place.0.path());
        let _ = fs::remove_file(place.0.path().join("calls.jsonl"));
        place
    }

    fn run(&self, arguments: &[&str], fault: &str) -> Run {
        let mut command = pipeline(self.0.path());
        command.env("PIPELINE_SANDBOX_SETTLE", "100ms").env("PIPELINE_SANDBOX_LAG", "50ms");
        command.env("PIPELINE_SANDBOX_CALLS", "calls.jsonl").env("PIPELINE_SANDBOX_FAULT", fault);
        Run::of(command.args(arguments).output().unwrap())
    }

    /// The calls that changed something, as `service:Operation`, each with its status.
    fn changes(&self) -> Vec<(String, u64)> {
        let text = fs::read_to_string(self.0.path().join("calls.jsonl")).unwrap();
        let calls = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let reads = ["Get", "List", "Describe", "Head"];
        calls
            .map(|call| {
                let text = |key: &str| call[key].as_str().unwrap().to_owned();
                (text("service"), text("operation"), call["status"].as_u64().unwrap())
            })
            .filter(|(_, operation, _)| !reads.iter().any(|word| operation.starts_with(word)))
            .map(|(service, operation, status)| (format!("{service}:{operation}"), status))
            .collect()
    }

    /// How many things of each kind there are.
    fn counts(&self) -> Value {
        let folder = self.0.path().join(".pipeline/sandbox");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let Claim::Ours(lock) = claim(&folder).unwrap() else { panic!("nobody else is there") };
            let sandbox = start(Options { folder: Some(lock), ..Options::default() }).await.unwrap();
            let reply = reqwest::get(format!("{}/_sandbox/status", sandbox.endpoint())).await.unwrap();
            let status: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
            sandbox.stop().await;
            status["counts"].clone()
        })
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs a verb once for each operation that it changes something with, and loses one answer of that operation.
fn survives_every_loss(begun: &Place, verb: &str) {
    let undisturbed = begun.copy();
    undisturbed.run(&[verb, "dev.yaml", "--yes"], "").ended(0);
    let expected = undisturbed.counts();
    let operations: BTreeSet<String> = undisturbed.changes().into_iter().map(|(operation, _)| operation).collect();
    assert!(operations.len() > 5, "{operations:?}");
    let left = Mutex::new(operations);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let next = || left.lock().unwrap().pop_first();
                while let Some(operation) = next() {
                    survives(&begun.copy(), verb, &operation, &expected);
                }
            });
        }
    });
}

fn survives(place: &Place, verb: &str, operation: &str, expected: &Value) {
    let first = place.run(&[verb, "dev.yaml", "--yes"], &format!("{operation}:lost:1"));
    let is_lost = |(of, status): &(String, u64)| of == operation && *status == 0;
    assert!(place.changes().iter().any(is_lost), "{operation}: nothing was lost");
    if first.code != 0 {
        let second = place.run(&[verb, "dev.yaml", "--yes"], "");
        assert_eq!(second.code, 0, "{operation}: {}\nthen: {}", first.stderr, second.stderr);
    }
    if verb == "apply" {
        let plan = place.run(&["plan", "dev.yaml", "--detailed-exitcode"], "");
        assert_eq!(plan.code, 0, "{operation}: {}\nthen: {}", first.stderr, plan.stdout);
    }
    assert_eq!(place.counts(), *expected, "{operation}");
}

#[test]
fn an_apply_survives_the_loss_of_any_answer() {
    survives_every_loss(&Place::new(), "apply");
}

/// `dev.yaml`, with one thing of every kind changed.
fn changed() -> String {
    let mut manifest = Bench::example("dev.yaml");
    for (from, to) in [
        ("retention.ms: 7d ", "retention.ms: 6d "),
        ("partitions: 6 ", "partitions: 7 "),
        ("schemas.enable: false", "schemas.enable: true"),
        ("service: ec2", "service: lambda"),
        ("    - self: true\n", ""),
        ("workers: 1 }", "workers: 2 }"),
        ("flush.size: 1 ", "flush.size: 2 "),
        ("stage: dev", "stage: prod"),
        ("cors: true", "cors: false\n  authorization: api_key"),
    ] {
        assert!(manifest.contains(from), "dev.yaml has no {from:?}");
        manifest = manifest.replace(from, to);
    }
    manifest
}

#[test]
fn a_change_of_everything_survives_the_loss_of_any_answer() {
    let place = Place::new();
    place.run(&["apply", "dev.yaml", "--yes"], "").ended(0);
    place.write(&changed());
    survives_every_loss(&place, "apply");
}

#[test]
fn a_destroy_survives_the_loss_of_any_answer() {
    let place = Place::new();
    place.write(&changed());
    place.run(&["apply", "dev.yaml", "--yes"], "").ended(0);
    survives_every_loss(&place, "destroy");
}
