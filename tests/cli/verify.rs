//! `verify`: what came through is told with its times, what got stuck with the hop, the cause and what to do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, Run};

/// Keeps a connector from being waited for longer than it takes here.
const SOON: [&str; 2] = ["--timeout", "6s"];

fn verify(bench: &Bench, more: &[&str]) -> Run {
    let mut arguments = vec!["verify", "dev.yaml", "--format", "json"];
    arguments.extend(more);
    bench.run(arguments)
}

/// The hop at which every topic is stuck, and the causes that are told of the first.
#[track_caller]
fn stuck(run: &Run) -> (String, String) {
    assert_eq!(run.code, 1, "{}\n{}", run.stdout, run.stderr);
    let report = run.json();
    let topics = report["topics"].as_array().unwrap();
    let failed = |topic: &Value| {
        let hops = topic["hops"].as_array().unwrap();
        hops.iter().find(|hop| hop["result"] == "failed").map(|hop| hop["hop"].as_str().unwrap().to_owned())
    };
    let hop = failed(&topics[0]).expect("a hop failed");
    for topic in topics {
        assert_eq!(failed(topic).as_ref(), Some(&hop), "{topic:#}");
        assert_ne!(topic["likely_causes"], json!([]), "{topic:#}");
    }
    (hop, topics[0]["likely_causes"].to_string())
}

/// An applied `dev.yaml`.
fn applied() -> Bench {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench
}

async fn private(bench: &Bench, call: &str, body: Value) {
    let answer = reqwest::Client::new().post(format!("{}/_sandbox/{call}", bench.endpoint)).body(body.to_string());
    assert!(answer.send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn three_records_become_three_objects() {
    let bench = applied();
    let report = verify(&bench, &[]).ended(0).json();
    assert_eq!(report["ok"], true);
    let topics = report["topics"].as_array().unwrap();
    assert_eq!(topics.len(), 3);
    for topic in topics {
        let hops: Vec<&str> =
            topic["hops"].as_array().unwrap().iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
        assert_eq!(hops, ["api", "topic", "bucket"]);
        for hop in topic["hops"].as_array().unwrap() {
            assert_eq!(hop["result"], "passed", "{topic:#}");
            assert!(hop["milliseconds"].is_u64());
        }
        let name = topic["topic"].as_str().unwrap();
        let place = format!(
            "topics/{name}/partition={}/{name}+{}+000000000{}.json",
            topic["partition"], topic["partition"], topic["offset"]
        );
        assert!(topic["object"].as_str().unwrap().ends_with(&place), "{topic:#}");
    }
    let text = bench.run(["verify", "dev.yaml", "--clean"]).ended(0).stdout;
    assert_eq!(text.matches("  ok ").count(), 3, "{text}");
    assert_eq!(text.matches("removed s3://").count(), 3, "{text}");
    // What was there before is still there.
    let clients = bench.clients().await;
    let listed =
        clients.s3.list_objects_v2().bucket("user-0a1b2c3d4e5f-bucket").prefix("topics/").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(3));
}

#[test]
fn a_sandbox_inside_the_command_carries_records_too() {
    let bench = Bench::new();
    bench.dev(&[]);
    let alone = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("PIPELINE_SANDBOX_DIR", bench.path("alone")).env("PIPELINE_SANDBOX_SETTLE", "200ms");
        Run::of(command.output().unwrap())
    };
    alone(&["apply", "dev.yaml", "--yes"]).ended(0);
    let text = alone(&["verify", "dev.yaml"]).ended(0).stdout;
    assert_eq!(text.matches("  ok ").count(), 3, "{text}");
}

#[test]
fn nothing_that_was_applied_is_told_as_that() {
    let bench = Bench::new();
    bench.dev(&[]);
    let (hop, causes) = stuck(&verify(&bench, &SOON));
    assert_eq!(hop, "api");
    assert!(causes.contains("apply the manifest"), "{causes}");
}

#[tokio::test]
async fn a_stage_that_is_gone_is_not_deployed() {
    let bench = applied();
    let clients = bench.clients().await;
    let api = bench.run(["outputs", "dev.yaml", "api_id"]).ended(0).stdout.trim().to_owned();
    clients.apigateway.delete_stage().rest_api_id(&api).stage_name("dev").send().await.unwrap();
    let (hop, causes) = stuck(&verify(&bench, &SOON));
    assert_eq!(hop, "api");
    assert!(causes.contains("not deployed"), "{causes}");
}

#[tokio::test]
async fn a_rest_proxy_that_is_down_is_told_with_its_address() {
    let bench = applied();
    private(&bench, "rest-proxy", json!({ "running": false })).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (hop, causes) = stuck(&verify(&bench, &SOON));
    assert_eq!(hop, "api");
    assert!(causes.contains("backend down: nothing listens at http://127.0.0.1:"), "{causes}");
    private(&bench, "rest-proxy", json!({ "running": true })).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    verify(&bench, &[]).ended(0);
}

#[tokio::test]
async fn a_connector_that_is_paused_is_told() {
    let bench = applied();
    let clients = bench.clients().await;
    let arn = bench.run(["outputs", "dev.yaml", "connector_arn"]).ended(0).stdout.trim().to_owned();
    clients.connect.pause_connector().connector_arn(&arn).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let (hop, causes) = stuck(&verify(&bench, &SOON));
    assert_eq!(hop, "bucket");
    assert!(causes.contains("the connector is PAUSED"), "{causes}");
    clients.connect.resume_connector().connector_arn(&arn).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    // What was sent meanwhile is written too.
    verify(&bench, &[]).ended(0);
    let listed =
        clients.s3.list_objects_v2().bucket("user-0a1b2c3d4e5f-bucket").prefix("topics/").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(6));
}

#[tokio::test]
async fn a_regex_that_matches_other_topics_is_told() {
    let bench = applied();
    let clients = bench.clients().await;
    let arn = bench.run(["outputs", "dev.yaml", "connector_arn"]).ended(0).stdout.trim().to_owned();
    let there = clients.connect.describe_connector().connector_arn(&arn).send().await.unwrap();
    let mut configuration = there.connector_configuration.clone().unwrap();
    configuration.remove("topics");
    configuration.insert("topics.regex".to_owned(), "0a1b2c3d4e5f\\.pin".to_owned());
    clients
        .connect
        .update_connector()
        .connector_arn(&arn)
        .current_version(there.current_version().unwrap())
        .set_connector_configuration(Some(configuration))
        .send()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let run = verify(&bench, &["--timeout", "6s", "--topic", "0a1b2c3d4e5f.geo"]);
    let (hop, causes) = stuck(&run);
    assert_eq!(hop, "bucket");
    assert!(causes.contains("doesn't match 0a1b2c3d4e5f.geo"), "{causes}");
    verify(&bench, &["--topic", "0a1b2c3d4e5f.pin"]).ended(0);
}

#[tokio::test]
async fn a_role_that_may_not_write_is_told() {
    let bench = applied();
    let clients = bench.clients().await;
    let role = "0a1b2c3d4e5f-ec2-access-role";
    let policies = clients.iam.list_role_policies().role_name(role).send().await.unwrap();
    for policy in policies.policy_names() {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*"},
        ]});
        let put = clients.iam.put_role_policy().role_name(role).policy_name(policy);
        put.policy_document(document.to_string()).send().await.unwrap();
    }
    let (hop, causes) = stuck(&verify(&bench, &["--timeout", "20s"]));
    assert_eq!(hop, "bucket");
    assert!(causes.contains("FAILED") && causes.contains("s3:PutObject"), "{causes}");
    assert!(causes.contains("the role isn't allowed to"), "{causes}");
    // Apply repairs the role, and makes the connector again.
    bench.apply();
    verify(&bench, &[]).ended(0);
}

#[test]
fn a_file_that_is_not_full_is_told() {
    let bench = Bench::new();
    bench.dev(&[("flush.size: 1 ", "flush.size: 50 ")]);
    bench.apply();
    let (hop, causes) = stuck(&verify(&bench, &["--timeout", "3s"]));
    assert_eq!(hop, "bucket");
    assert!(causes.contains("flush.size 50 is not reached"), "{causes}");
}

#[test]
fn a_topic_that_is_not_declared_is_wrong_usage() {
    let bench = applied();
    let run = verify(&bench, &["--topic", "nobody"]).ended(64);
    assert!(run.stdout.contains("declares no topic nobody"), "{}", run.stdout);
}
