//! What is killed on either side, at any moment, is gone on with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use super::{ID, free_port, manifest};
use crate::bench::Bench;

#[tokio::test]
async fn a_script_that_is_killed_at_any_step_is_gone_on_with() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.plan_json();
    for (command, word, step) in [
        ("dnf", "install", "java"),
        ("tar", "kafka_", "kafka"),
        ("ln", "aws-msk-iam-auth", "iam-jar"),
        ("tar", "confluent", "rest-proxy"),
        ("chmod", "kafka-rest", "files"),
        ("systemctl", "restart", "service"),
    ] {
        bench.lay_trap(command, word);
        let told = bench.refused(1);
        assert!(told.contains(&format!("step {step} of setup.sh failed on {ID}")), "{told}");
        bench.lift_trap(command);
    }
    bench.apply();
    assert_eq!((bench.planned(), bench.post().await), (Vec::<String>::new(), 200));
}

#[tokio::test]
async fn a_command_that_is_killed_here_is_gone_on_with() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.plan_json();
    for moment in [300, 900, 1600, 2400, 3200] {
        let mut apply = bench.command(["apply", "dev.yaml", "--yes", "--quiet"]);
        let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        apply.kill().unwrap();
        apply.wait().unwrap();
    }
    bench.apply();
    assert_eq!((bench.planned(), bench.post().await), (Vec::<String>::new(), 200));
    // Two at once: one waits for the other on the machine, and both end well or say why.
    let runs: Vec<_> = (0..2)
        .map(|_| bench.command(["destroy", "dev.yaml", "--yes", "--quiet"]).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    for mut run in runs {
        run.wait().unwrap();
    }
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(!bench.installed("opt/pipeline-client").exists());
}

#[tokio::test]
async fn what_a_killed_run_has_left_is_destroyed() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.plan_json();
    bench.lay_trap("tar", "kafka_");
    bench.refused(1);
    bench.lift_trap("tar");
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(!bench.installed("var/lib/pipeline-client").exists() && !bench.machine().join("has/java").exists());
    bench.apply();
    bench.lay_trap("userdel", "pipeline-client");
    let told = bench.run(["destroy", "dev.yaml", "--yes"]).ended(1).stderr;
    assert!(told.contains("step remove of setup.sh failed") && told.contains("then destroy again"), "{told}");
    bench.lift_trap("userdel");
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(!bench.installed("var/lib/pipeline-client").exists() && !bench.installed("opt/pipeline-client").exists());
    // What somebody has changed is kept, and told, and there is an end to it.
    bench.apply();
    let properties = bench.installed("etc/pipeline-client/kafka-rest.properties");
    fs::write(&properties, fs::read_to_string(&properties).unwrap() + "# mine\n").unwrap();
    let destroyed = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(
        destroyed.stdout.contains("kafka-rest.properties, which someone else has written or changed"),
        "{destroyed:?}"
    );
    let nothing = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(nothing.stderr.contains("Nothing to destroy"), "{}", nothing.stderr);
    bench.apply();
}

#[tokio::test]
async fn of_an_output_that_systems_manager_cuts_the_end_is_told() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.plan_json();
    let tar = bench.machine().join("bin/tar");
    fs::write(&tar, "#!/bin/bash\nseq -f 'noise %g' 20000\necho 'the end tells' >&2\nexit 3\n").unwrap();
    fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
    let told = bench.refused(1);
    assert!(told.contains("the end tells\n== kafka: FAILED: a command ended with 3"), "{told}");
    assert!(told.lines().filter(|line| line.starts_with("noise ")).count() < 20, "{told}");
    fs::remove_file(&tar).unwrap();
    bench.apply();
}
