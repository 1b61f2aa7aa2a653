//! `pipeline send`.

use crate::bench::Bench;

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
