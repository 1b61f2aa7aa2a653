//! The manifests that are shipped, and manifests that are wrong.

use crate::bench::{Bench, mutations};

#[test]
fn every_shipped_manifest_is_planned() {
    let bench = Bench::new();
    bench.write("dev.yaml", &Bench::example("dev.yaml"));
    bench.write("ci.yaml", &Bench::example("ci.yaml"));
    bench.write("prod.yaml", &Bench::example("prod.yaml"));
    bench.write("course.yaml", &Bench::example("course.yaml"));
    for name in ["dev.yaml", "ci.yaml"] {
        bench.run(["plan", name, "--detailed-exitcode"]).ended(2);
    }
    // What those for AWS need to exist is made by hand, as it is by their users.
    let on_sandbox = |name: &str, variables: &[&str]| {
        let mut command = bench.command(["plan", name, "--target", "aws", "--endpoint-url", &bench.endpoint]);
        for variable in variables {
            command.args(["--var", variable]);
        }
        command
            .env("AWS_ACCESS_KEY_ID", pipeline::sandbox::ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", pipeline::sandbox::SECRET_ACCESS_KEY);
        crate::bench::Run::of(command.output().unwrap())
    };
    let prod = on_sandbox("prod.yaml", &["account=000000000000"]).ended(0);
    assert!(prod.stdout.contains("+ rest_api/pinterest-prod"), "{}", prod.stdout);
    let other_account = on_sandbox("prod.yaml", &[]).ended(3);
    assert!(other_account.stderr.contains("for account 123456789012"), "{}", other_account.stderr);
    let course = on_sandbox("course.yaml", &[&format!("rest_proxy_sha256={}", "ab".repeat(32))]).ended(3);
    for missing in [
        "bucket/user-0a1b2c3d4e5f-bucket",
        "role/0a1b2c3d4e5f-ec2-access-role",
        "rest_api/a1b2c3d4e5",
        "instance/i-0123456789abcdef0",
    ] {
        assert!(course.stderr.contains(&format!("refused: {missing}")), "{missing}: {}", course.stderr);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place_and_nothing_is_called() {
    let bench = Bench::new();
    bench.dev(&[
        ("mcu_count: 1", "mcu_count: 3"),
        ("partitions: 6 ", "partitions: 0 "),
        ("stage: dev", "stage: my stage"),
        ("  auth: iam", "  auht: iam"),
        ("user-${user}-bucket", "User_${usr}-bucket"),
    ]);
    let run = bench.run(["apply", "dev.yaml", "--yes"]).ended(65);
    for expected in ["mcu_count", "partitions", "stage", "auht", "usr"] {
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
    let places = run.stderr.lines().filter(|line| line.contains("dev.yaml:")).count();
    assert!(places >= 5, "{}", run.stderr);
    assert_eq!(mutations(&bench.calls()), Vec::<&str>::new());
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.run(["aply", "dev.yaml"]).ended(64);
    bench.run(["plan"]).ended(64);
    bench.run(["plan", "dev.yaml", "--format", "env"]).ended(64);
    bench.run(["plan", "dev.yaml", "--var", "user"]).ended(64);
    bench.run(["plan", "missing.yaml"]).ended(65);
    bench.run(["--help"]).ended(0);
    bench.run(["--version"]).ended(0);
}
