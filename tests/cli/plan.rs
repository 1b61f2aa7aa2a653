//! `pipeline plan`.

use crate::bench::{Bench, mutations, steps};

#[test]
fn a_plan_names_everything_and_changes_nothing() {
    let bench = Bench::new();
    bench.dev(&[]);
    let plan = bench.plan_json();
    assert_eq!(plan["version"], 1);
    assert_eq!(
        steps(&plan),
        [
            "create bucket/user-0a1b2c3d4e5f-bucket",
            "create connector/0a1b2c3d4e5f-connector",
            "create object/0a1b2c3d4e5f-plugin",
            "create plugin/0a1b2c3d4e5f-plugin",
            "create rest_api/0a1b2c3d4e5f",
            "create role/0a1b2c3d4e5f-ec2-access-role",
            "create topic/0a1b2c3d4e5f.geo",
            "create topic/0a1b2c3d4e5f.pin",
            "create topic/0a1b2c3d4e5f.user",
            "create worker_configuration/0a1b2c3d4e5f-worker",
        ]
    );
    assert_eq!(mutations(&bench.calls()), Vec::<&str>::new());
}

#[test]
fn the_exit_code_tells_whether_there_are_changes() {
    let bench = Bench::new();
    bench.dev(&[]);
    let detailed = ["plan", "dev.yaml", "--detailed-exitcode"];
    bench.run(["plan", "dev.yaml"]).ended(0);
    bench.run(detailed).ended(2);
    bench.apply();
    bench.run(detailed).ended(0);
    bench.dev(&[("name: pinterest-msk-cluster", "arn: arn:aws:kafka:us-east-1:123456789012:cluster/x/7a5c-1")]);
    let missing = bench.run(detailed);
    assert!([1, 3].contains(&missing.code), "{missing:?}");
}

#[test]
fn a_person_can_read_it() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("flush.size: 1 ", "flush.size: 5 "), ("partitions: 6 ", "partitions: 9 ")]);
    insta::assert_snapshot!(bench.run(["plan", "dev.yaml"]).ended(0).stdout);
    insta::assert_snapshot!(bench.run(["plan", "dev.yaml", "--format", "markdown"]).ended(0).stdout);
}

#[test]
fn a_kept_plan_is_applied_as_it_was_looked_at() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.run(["plan", "dev.yaml", "--out", "kept.plan"]).ended(0);
    bench.run(["apply", "kept.plan"]).ended(0);
    assert_eq!(bench.planned(), Vec::<String>::new());
    let again = bench.run(["apply", "kept.plan"]).ended(3);
    assert!(again.stderr.contains("has changed since this plan was made"), "{}", again.stderr);
}

#[test]
fn a_kept_plan_of_another_manifest_is_refused() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.run(["plan", "dev.yaml", "--out", "kept.plan"]).ended(0);
    bench.dev(&[("stage: dev", "stage: test")]);
    let before = bench.calls().len();
    let refused = bench.run(["apply", "kept.plan"]).ended(3);
    assert!(refused.stderr.contains("is not as it was when this plan was made"), "{}", refused.stderr);
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

#[test]
fn steps_stand_as_they_are_declared() {
    let bench = Bench::new();
    bench.dev(&[]);
    let plan = bench.plan_json();
    let kinds: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["address"].as_str().unwrap().split('/').next().unwrap())
        .collect();
    let ordered = [
        "topic",
        "topic",
        "topic",
        "bucket",
        "object",
        "plugin",
        "worker_configuration",
        "role",
        "connector",
        "rest_api",
    ];
    assert_eq!(kinds, ordered);
}

#[test]
fn a_refused_plan_is_one_document() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    bench.dev(&[("partitions: 6 ", "partitions: 2 ")]);
    let plan = bench.run(["plan", "dev.yaml", "--format", "json"]).ended(3).json();
    assert_eq!(plan["refusals"][0]["address"], "topic/0a1b2c3d4e5f.user");
}

#[test]
fn a_kept_plan_is_for_its_owner_and_for_nothing_else() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.dev(&[]);
    let file = bench.write("kept.plan", "readable by all");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    bench.run(["plan", "dev.yaml", "--out", "kept.plan"]).ended(0);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = bench.run(["apply", "kept.plan", "--var", "user=other"]).ended(64);
    assert!(again.stderr.contains("leave --var out"), "{}", again.stderr);
    bench.write("torn.plan", r#"{"pipeline_plan": 1}"#);
    let torn = bench.run(["apply", "torn.plan"]).ended(1);
    assert!(torn.stderr.contains("torn.plan is a plan, but not a whole one"), "{}", torn.stderr);
    bench.run(["apply", "."]).ended(65);
}

#[tokio::test]
async fn a_bucket_in_another_region_is_refused_and_left_alone() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let there = bench.counts();
    let refused = bench.run(["plan", "dev.yaml", "--region", "eu-west-1"]).ended(3);
    assert!(refused.stderr.contains("the bucket is in us-east-1, and the pipeline in eu-west-1"), "{}", refused.stderr);
    let elsewhere = bench.run(["destroy", "dev.yaml", "--region", "eu-west-1", "--yes"]).ended(0);
    assert!(elsewhere.stdout.contains("kept bucket/user-0a1b2c3d4e5f-bucket"), "{}", elsewhere.stdout);
    assert_eq!(bench.counts()["buckets"], there["buckets"]);
}

#[test]
fn a_server_that_is_not_there_is_told_soon_and_in_words() {
    let bench = Bench::new();
    bench.dev(&[
        ("backend: client ", "backend: http://127.0.0.1:18082 "),
        ("  rest_proxy: { version: 7.9.0, port: 8082 }", "  java_version: 17"),
    ]);
    let plan = |url: &str| {
        let mut command = bench.command(["plan", "dev.yaml", "--target", "aws", "--endpoint-url", url]);
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
        crate::bench::Run::of(command.output().unwrap())
    };
    let began = std::time::Instant::now();
    let down = plan("http://127.0.0.1:1").ended(1);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    let line = down.stderr.lines().find(|line| line.starts_with("error")).unwrap();
    assert!(line.contains("cannot ask http://127.0.0.1:1 who the caller is"), "{line}");
    assert!(line.contains("the call did not get through") && line.contains("Connection refused"), "{line}");
    assert!(!line.contains('{'), "{line}");
    plan("nonsense").ended(64);
    let unknown = plan(&bench.endpoint).ended(1);
    assert!(unknown.stderr.contains("GetCallerIdentity: InvalidClientTokenId"), "{}", unknown.stderr);
}

#[test]
fn a_bucket_that_may_not_be_looked_at_is_told_with_the_way_out() {
    let bench = Bench::with(&["--fault", "s3:HeadBucket:AccessDenied:1"]);
    bench.dev(&[]);
    let denied = bench.run(["plan", "dev.yaml"]).ended(1);
    assert!(denied.stderr.contains("HeadBucket: HTTP status 403"), "{}", denied.stderr);
    assert!(denied.stderr.contains("grant the caller s3:ListBucket"), "{}", denied.stderr);
}
