//! `pipeline outputs`.

use crate::bench::{Bench, mutations};

#[test]
fn outputs_in_every_form() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let before = bench.calls().len();
    let all = bench.run(["outputs", "dev.yaml", "--format", "json"]).ended(0).json();
    for name in [
        "cluster_arn",
        "bootstrap_brokers",
        "bootstrap_brokers_iam",
        "bucket",
        "plugin_arn",
        "worker_configuration_arn",
        "role_arn",
        "connector_arn",
        "api_id",
        "invoke_url",
    ] {
        assert!(all[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {all}");
    }
    assert_eq!(all["topic_arns"].as_array().unwrap().len(), 3);
    let one = bench.run(["outputs", "dev.yaml", "role_arn"]).ended(0).stdout;
    assert_eq!(one, "arn:aws:iam::000000000000:role/0a1b2c3d4e5f-ec2-access-role\n");
    let topics = bench.run(["outputs", "dev.yaml", "topic_arns"]).ended(0).stdout;
    let last = |line: &str| line.rsplit('/').next().unwrap().to_owned();
    let names: Vec<String> = topics.lines().map(last).collect();
    assert_eq!(names, ["0a1b2c3d4e5f.pin", "0a1b2c3d4e5f.geo", "0a1b2c3d4e5f.user"]);
    let env = bench.run(["outputs", "dev.yaml", "--format", "env"]).ended(0).stdout;
    assert!(env.contains("BUCKET=user-0a1b2c3d4e5f-bucket\n"), "{env}");
    let text = bench.run(["outputs", "dev.yaml"]).ended(0).stdout;
    assert!(text.lines().any(|line| line.starts_with("invoke_url ")), "{text}");
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

#[test]
fn an_unknown_output_is_told_with_those_that_there_are() {
    let bench = Bench::new();
    bench.dev(&[]);
    let run = bench.run(["outputs", "dev.yaml", "invoke_url"]).ended(1);
    assert!(run.stderr.contains("there is no output \"invoke_url\"; there is cluster_arn"), "{}", run.stderr);
}
