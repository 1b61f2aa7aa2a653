//! `pipeline sandbox`, and the sandbox inside a command.

use std::fs;

use crate::bench::{Run, pipeline};

#[test]
fn what_one_command_made_the_next_one_finds() {
    let folder = tempfile::tempdir().unwrap();
    let text = crate::bench::Bench::example("dev.yaml");
    fs::write(folder.path().join("dev.yaml"), text).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = pipeline(folder.path());
        command.env("PIPELINE_SANDBOX_SETTLE", "100ms").env("PIPELINE_SANDBOX_LAG", "50ms");
        // Nothing of the user's AWS environment may count.
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_PROFILE", "no-such-profile");
        Run::of(command.args(arguments).output().unwrap())
    };
    let first = run(&["apply", "dev.yaml", "--yes"]).ended(0);
    assert!(first.stderr.contains("hint: the sandbox ran inside this command"), "{}", first.stderr);
    let outputs = run(&["outputs", "dev.yaml"]).ended(0);
    assert_eq!(outputs.stdout, first.stdout);
    run(&["plan", "dev.yaml", "--detailed-exitcode"]).ended(0);
    assert!(folder.path().join(".pipeline/sandbox").is_dir());
    run(&["sandbox", "reset"]).ended(0);
    run(&["plan", "dev.yaml", "--detailed-exitcode"]).ended(2);
}

#[test]
fn commands_on_one_folder_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dev.yaml"), crate::bench::Bench::example("dev.yaml")).unwrap();
    let apply = || {
        let mut command = pipeline(folder.path());
        command.env("PIPELINE_SANDBOX_SETTLE", "100ms").env("PIPELINE_SANDBOX_LAG", "50ms");
        command.args(["apply", "dev.yaml", "--yes", "--quiet"]).spawn().unwrap()
    };
    let (mut one, mut two) = (apply(), apply());
    assert!(one.wait().unwrap().success() && two.wait().unwrap().success());
}
