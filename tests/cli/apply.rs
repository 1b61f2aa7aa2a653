//! `pipeline apply`.

use aws_sdk_kafkaconnect::types::ConnectorState;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::bench::{Bench, mutations};

#[tokio::test]
async fn everything_is_there_afterwards_and_a_second_apply_changes_nothing() {
    let bench = Bench::new();
    bench.dev(&[]);
    let first = bench.apply();
    assert!(first.stdout.contains("invoke_url"), "{}", first.stdout);
    let clients = bench.clients().await;
    let connectors = clients.connect.list_connectors().send().await.unwrap();
    assert_eq!(connectors.connectors()[0].connector_state(), Some(&ConnectorState::Running));
    let before = bench.calls().len();
    let second = bench.apply();
    assert!(second.stderr.contains("No changes: 11 resources are as declared."), "{}", second.stderr);
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

/// Partitions grow and never shrink, so this change can't be taken back as the others are.
const GROWN: (&str, &str) = ("partitions: 6 ", "partitions: 8 ");

/// One change for each kind: what is changed in the manifest, and the only step that follows from it.
const CHANGES: [(&str, &str, &[&str]); 8] = [
    ("cleanup.policy: compact ", "cleanup.policy: delete ", &["update topic/0a1b2c3d4e5f.user"]),
    ("flush.size: 1 ", "flush.size: 7 ", &["update connector/0a1b2c3d4e5f-connector"]),
    ("mcu_count: 1, workers: 1", "mcu_count: 2, workers: 2", &["update connector/0a1b2c3d4e5f-connector"]),
    ("    - self: true\n", "", &["update role/0a1b2c3d4e5f-ec2-access-role"]),
    (
        "    - self: true\n",
        "    - self: true\n  managed_policies: [arn:aws:iam::aws:policy/AmazonMSKReadOnlyAccess]\n",
        &["update role/0a1b2c3d4e5f-ec2-access-role"],
    ),
    ("cors: true", "cors: false", &["update rest_api/0a1b2c3d4e5f"]),
    ("backend: client ", "backend: http://127.0.0.1:18082 ", &["update rest_api/0a1b2c3d4e5f"]),
    (
        "    value.converter.schemas.enable: false\n\n# What",
        "    value.converter.schemas.enable: false\n    offset.flush.interval.ms: 5000\n\n# What",
        &[
            "create worker_configuration/0a1b2c3d4e5f-worker",
            "delete worker_configuration/0a1b2c3d4e5f-worker",
            "update connector/0a1b2c3d4e5f-connector",
        ],
    ),
];

#[test]
fn a_change_of_each_kind_is_planned_done_and_then_over() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[GROWN]);
    assert_eq!(bench.planned(), ["update topic/0a1b2c3d4e5f.user"]);
    bench.apply();
    for (from, to, expected) in CHANGES {
        bench.dev(&[GROWN, (from, to)]);
        assert_eq!(bench.planned(), expected, "{from} -> {to}");
        bench.apply();
        assert_eq!(bench.planned(), Vec::<String>::new(), "{from} -> {to}");
        bench.dev(&[GROWN]);
        bench.apply();
        assert_eq!(bench.planned(), Vec::<String>::new(), "{to} -> {from}");
    }
}

#[test]
fn a_new_plugin_file_is_made_first_then_used_and_the_old_one_goes_last() {
    let bench = Bench::new();
    let source = bench.copy_plugin();
    bench.dev(&[(&Bench::plugin(), "plugin")]);
    bench.apply();
    std::fs::write(source.join("NOTICE"), "a new version").unwrap();
    let planned = [
        "create object/0a1b2c3d4e5f-plugin",
        "create plugin/0a1b2c3d4e5f-plugin",
        "delete object/0a1b2c3d4e5f-plugin",
        "delete plugin/0a1b2c3d4e5f-plugin",
        "update connector/0a1b2c3d4e5f-connector",
    ];
    assert_eq!(bench.planned(), planned);
    let before = bench.calls().len();
    bench.apply();
    let calls = bench.calls();
    let mut made = mutations(&calls[before..]);
    // The last two do not wait for each other.
    made[3..].sort_unstable();
    assert_eq!(made, ["PutObject", "CreateCustomPlugin", "UpdateConnector", "DeleteCustomPlugin", "DeleteObject"]);
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[test]
fn what_would_lose_data_is_refused() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("partitions: 6 ", "partitions: 2 ")]);
    let refused = bench.run(["apply", "dev.yaml", "--yes"]).ended(3);
    assert!(refused.stderr.contains("partitions cannot shrink from 6 to 2"), "{}", refused.stderr);
    bench.dev(&[("  replication_factor: 3\n", "  replication_factor: 2\n")]);
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    assert!(refused.stdout.contains("replication factor cannot change from 3 to 2"), "{}", refused.stdout);
}

#[test]
fn what_must_be_replaced_is_asked_about() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("kafka_connect_version: 3.7.x", "kafka_connect_version: 2.7.1")]);
    assert_eq!(bench.planned(), ["replace connector/0a1b2c3d4e5f-connector"]);
    let refused = bench.run(["apply", "dev.yaml"]).ended(3);
    assert!(refused.stderr.contains("add --yes"), "{}", refused.stderr);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[tokio::test]
async fn somebody_elses_things_are_refused_by_name_and_left_alone() {
    let bench = Bench::new();
    bench.dev(&[]);
    let clients = bench.clients().await;
    clients.s3.create_bucket().bucket("user-0a1b2c3d4e5f-bucket").send().await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = clients.iam.create_role().role_name("0a1b2c3d4e5f-ec2-access-role").assume_role_policy_document(trust);
    role.send().await.unwrap();
    clients.apigateway.create_rest_api().name("0a1b2c3d4e5f").send().await.unwrap();
    let before = bench.calls().len();
    let refused = bench.run(["apply", "dev.yaml", "--yes", "--format", "json"]).ended(3);
    for address in ["bucket/user-", "role/0a1b", "rest_api/0a1b"] {
        assert!(refused.stdout.contains(&format!("refused: {address}")), "{address}: {}", refused.stdout);
    }
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(clients.iam.get_role().role_name("0a1b2c3d4e5f-ec2-access-role").send().await.is_ok());
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

#[test]
fn a_fault_is_told_with_its_resource_and_the_next_apply_goes_on() {
    let bench = Bench::with(&[
        "--settle",
        "200ms",
        "--lag",
        "50ms",
        "--fault",
        "kafkaconnect:CreateCustomPlugin:BadRequestException:1",
        "--fault",
        "iam:CreateRole:LimitExceeded:1",
    ]);
    bench.dev(&[]);
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("cannot create plugin/0a1b2c3d4e5f-plugin"), "{}", failed.stderr);
    assert!(failed.stderr.contains("cannot create role/0a1b2c3d4e5f-ec2-access-role"), "{}", failed.stderr);
    assert!(failed.stderr.contains("connector/0a1b2c3d4e5f-connector: not begun"), "{}", failed.stderr);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[test]
fn passing_troubles_are_waited_out() {
    let bench = Bench::with(&[
        "--settle",
        "200ms",
        "--lag",
        "50ms",
        "--fault",
        "kafka:CreateTopic:ControllerMovedException:2",
        "--fault",
        "kafkaconnect:CreateConnector:503:2",
        "--fault",
        "apigateway:CreateRestApi:TooManyRequestsException:2",
        "--fault",
        "iam:CreateRole:reset:1",
        "--fault",
        "iam:PutRolePolicy:ConcurrentModification:2",
        "--fault",
        "s3:PutObject:500:1",
    ]);
    bench.dev(&[]);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[test]
fn a_silent_rollback_is_a_failed_apply_and_the_plan_tells_the_truth() {
    let bench =
        Bench::with(&["--settle", "200ms", "--lag", "50ms", "--fault", "kafkaconnect:UpdateConnector:rollback:1"]);
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("flush.size: 1 ", "flush.size: 9 ")]);
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("cannot update connector/"), "{}", failed.stderr);
    assert!(failed.stderr.contains("ROLLBACK_COMPLETE"), "{}", failed.stderr);
    let plan = bench.plan_json();
    assert_eq!(plan["steps"][0]["changes"][0]["field"], "config.flush.size");
    assert_eq!(plan["steps"][0]["changes"][0]["from"], "1");
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

/// A statement that keeps the connector from writing, which no look at the manifest can find out.
const DENIED: &str =
    "    - self: true\n  statements:\n    - { Sid: Deny, Effect: Deny, Action: s3:PutObject, Resource: \"*\" }\n";

#[test]
fn a_connector_that_cannot_work_is_a_failed_apply_that_says_why() {
    let bench = Bench::new();
    bench.dev(&[("    - self: true\n", DENIED)]);
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("cannot create connector/0a1b2c3d4e5f-connector: it FAILED"), "{}", failed.stderr);
    assert!(failed.stderr.contains("s3:PutObject"), "{}", failed.stderr);
    assert!(failed.stderr.contains("worker log"), "{}", failed.stderr);
    assert_eq!(bench.planned(), ["replace connector/0a1b2c3d4e5f-connector"]);
    bench.dev(&[]);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[test]
fn a_change_that_does_not_work_is_a_failed_apply_though_the_connector_runs() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("    - self: true\n", DENIED), ("flush.size: 1 ", "flush.size: 3 ")]);
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("ROLLBACK_COMPLETE") && failed.stderr.contains("s3:PutObject"), "{}", failed.stderr);
    assert_eq!(bench.planned(), ["update connector/0a1b2c3d4e5f-connector"]);
}

#[test]
fn a_class_that_the_plugin_lacks_is_told_before_anything_is_made() {
    let bench = Bench::new();
    bench.dev(&[("tasks.max: 3", "tasks.max: 3\n    format.class: io.confluent.connect.s3.format.avro.AvroFormat")]);
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("io.confluent.connect.s3.format.avro.AvroFormat"), "{}", failed.stderr);
    assert_eq!(mutations(&bench.calls()), Vec::<&str>::new());
}

#[test]
fn json_has_one_document_with_what_was_done_and_the_outputs() {
    let bench = Bench::new();
    bench.dev(&[]);
    let run = bench.run(["apply", "dev.yaml", "--yes", "--format", "json"]).ended(0);
    let value = run.json();
    assert_eq!(value["done"].as_array().unwrap().len(), 10);
    assert!(value["outputs"]["invoke_url"].as_str().unwrap().ends_with("/dev"));
    for line in run.stderr.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["address"].is_string(), "{line}");
    }
}

#[test]
fn two_applies_at_once_on_one_folder_end_in_one_pipeline() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let one_pipeline = bench.counts();
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    let mut other = bench.command(["apply", "dev.yaml", "--yes"]).spawn().unwrap();
    let one = bench.run(["apply", "dev.yaml", "--yes"]);
    let two = other.wait().unwrap();
    // Which of them gets through, and whether one does, is chance; that nothing is doubled is not.
    assert!([0, 1].contains(&one.code) && [Some(0), Some(1)].contains(&two.code()), "{one:?} {two:?}");
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    assert_eq!(bench.counts(), one_pipeline);
}

#[test]
fn a_renamed_connector_is_replaced_and_not_left_running() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let one_pipeline = bench.counts();
    let renamed = ("name: ${user}-connector", "name: ${user}-sink");
    bench.dev(&[renamed]);
    let plan = bench.plan_json();
    let planned = crate::bench::steps(&plan);
    assert_eq!(planned, ["replace connector/0a1b2c3d4e5f-sink", "update role/0a1b2c3d4e5f-ec2-access-role"]);
    let asked = bench.run(["apply", "dev.yaml"]).ended(3);
    assert!(asked.stderr.contains("0a1b2c3d4e5f-connector -> 0a1b2c3d4e5f-sink"), "{}", asked.stderr);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    assert_eq!(bench.counts(), one_pipeline);
}

#[test]
fn a_failed_apply_is_one_document_too() {
    let bench = Bench::with(&["--settle", "200ms", "--lag", "50ms", "--fault", "iam:CreateRole:LimitExceeded:1"]);
    bench.dev(&[]);
    let report = bench.run(["apply", "dev.yaml", "--yes", "--format", "json"]).ended(1).json();
    assert_eq!(report["failed"][0]["address"], "role/0a1b2c3d4e5f-ec2-access-role", "{report}");
    assert_eq!(report["skipped"][0]["address"], "connector/0a1b2c3d4e5f-connector", "{report}");
}

#[tokio::test]
async fn a_quota_is_told_at_once() {
    let bench = Bench::new();
    bench.dev(&[]);
    let connect = bench.clients().await.connect;
    let converter = "org.apache.kafka.connect.storage.StringConverter";
    let properties = BASE64_STANDARD.encode(format!("key.converter={converter}\nvalue.converter={converter}\n"));
    for number in 0..100 {
        let call = connect.create_worker_configuration().name(format!("other-{number}"));
        call.properties_file_content(&properties).send().await.unwrap();
    }
    let began = std::time::Instant::now();
    let failed = bench.run(["apply", "dev.yaml", "--yes"]).ended(1);
    assert!(failed.stderr.contains("CreateWorkerConfiguration: TooManyRequestsException"), "{}", failed.stderr);
    assert!(failed.stderr.contains("the account's quota of worker configurations is used up"), "{}", failed.stderr);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn calls_that_are_made_again_are_told_to_who_wants_to_know() {
    let bench = Bench::with(&[
        "--settle",
        "200ms",
        "--lag",
        "50ms",
        "--fault",
        "kafka:GetBootstrapBrokers:503:4",
        "--fault",
        "s3:PutObject:503:2",
        "--fault",
        "iam:CreateRole:reset:1",
    ]);
    bench.dev(&[]);
    let usual = bench.run(["plan", "dev.yaml"]).ended(0);
    assert_eq!(usual.stderr.matches("tried again").count(), 1, "{}", usual.stderr);
    let told = "GetBootstrapBrokers: HTTP status 503 ServiceUnavailableException; tried again, attempt 4 of 10";
    assert!(usual.stderr.contains(told), "{}", usual.stderr);
    let run = bench.run(["apply", "dev.yaml", "--yes", "-v"]).ended(0);
    assert!(run.stderr.contains("PutObject: HTTP status 503"), "{}", run.stderr);
    assert!(run.stderr.contains("tried again, attempt 3 of 10"), "{}", run.stderr);
    assert!(run.stderr.contains("CreateRole: no answer came; tried again, attempt 2 of 10"), "{}", run.stderr);
}

#[test]
fn secrets_are_never_shown_and_never_kept() {
    let bench =
        Bench::with(&["--settle", "200ms", "--lag", "50ms", "--fault", "kafkaconnect:UpdateConnector:rollback:1"]);
    bench.dev(&[]);
    bench.apply();
    let secrets = "tasks.max: 3\n    audit.password: HUSH1\n    schema.registry.url: https://me:HUSH2@host\n";
    let worker = "value.converter.schemas.enable: false\n    config.providers.x.param.token: HUSH3\n\n# What";
    bench.dev(&[("tasks.max: 3\n", secrets), ("value.converter.schemas.enable: false\n\n# What", worker)]);
    let hidden = |run: &crate::bench::Run| {
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("HUSH"), "{run:?}");
    };
    let plan = bench.run(["plan", "dev.yaml", "-v", "--out", "kept.plan"]).ended(0);
    assert!(plan.stdout.contains("(none) -> (sensitive)"), "{}", plan.stdout);
    hidden(&plan);
    assert!(!std::fs::read_to_string(bench.path("kept.plan")).unwrap().contains("HUSH"));
    for format in ["json", "markdown"] {
        hidden(&bench.run(["plan", "dev.yaml", "--format", format]).ended(0));
    }
    // The first is rolled back: what is there is not what was asked.
    hidden(&bench.run(["apply", "dev.yaml", "--yes", "-v"]).ended(1));
    hidden(&bench.run(["apply", "dev.yaml", "--yes", "--format", "json"]).ended(0));
    assert_eq!(bench.planned(), Vec::<String>::new());
}
