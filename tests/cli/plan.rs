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
