//! SIGKILL at any moment, and then the same command again.

use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bench::Bench;

const MOMENTS: u64 = 20;

/// A number below `limit`, another one at each run, told so that a failure can be repeated.
fn random(limit: u64, salt: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut state = now.as_nanos() as u64 ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    state ^= state >> 33;
    state = state.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    (state ^ (state >> 33)) % limit
}

fn start(bench: &Bench, verb: &str) -> Child {
    bench.command([verb, "dev.yaml", "--yes", "--quiet"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// How long a whole run takes, in milliseconds.
fn timed(bench: &Bench, verb: &str) -> u64 {
    let began = std::time::Instant::now();
    bench.run([verb, "dev.yaml", "--yes"]).ended(0);
    began.elapsed().as_millis() as u64
}

fn kill_after(bench: &Bench, verb: &str, moment: u64) {
    let mut child = start(bench, verb);
    std::thread::sleep(Duration::from_millis(moment));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_apply_that_was_killed_is_simply_run_again() {
    let bench = Bench::with(&["--settle", "150ms", "--lag", "100ms"]);
    bench.dev(&[]);
    bench.plan_json();
    let empty = bench.counts();
    let whole = timed(&bench, "apply");
    let one_pipeline = bench.counts();
    for round in 0..MOMENTS {
        bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
        assert_eq!(bench.counts(), empty);
        let moment = random(whole, round);
        kill_after(&bench, "apply", moment);
        bench.apply();
        assert_eq!(bench.planned(), Vec::<String>::new(), "after a kill at {moment} ms");
        assert_eq!(bench.counts(), one_pipeline, "after a kill at {moment} ms");
    }
}

#[test]
fn a_destroy_that_was_killed_is_simply_run_again() {
    let bench = Bench::with(&["--settle", "150ms", "--lag", "100ms"]);
    bench.dev(&[]);
    bench.plan_json();
    let empty = bench.counts();
    bench.apply();
    let whole = timed(&bench, "destroy");
    for round in 0..MOMENTS {
        bench.apply();
        let moment = random(whole, round);
        kill_after(&bench, "destroy", moment);
        bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
        assert_eq!(bench.counts(), empty, "after a kill at {moment} ms");
    }
}

/// What changes a connector in four ways, each of them a call, and a role and a topic besides.
const CHANGES: [(&str, &str); 5] = [
    ("flush.size: 1 ", "flush.size: 7 "),
    ("mcu_count: 1, workers: 1", "mcu_count: 2, workers: 2"),
    ("    value.converter.schemas.enable: false\n\n# What", "    value.converter.schemas.enable: true\n\n# What"),
    ("    - self: true\n", ""),
    ("cleanup.policy: compact ", "cleanup.policy: delete "),
];

#[test]
fn changes_that_were_cut_off_are_simply_made_again() {
    let bench = Bench::with(&["--settle", "150ms", "--lag", "100ms"]);
    let source = bench.copy_plugin();
    let plugin = Bench::plugin();
    let here = (plugin.as_str(), "plugin");
    let mut changed = CHANGES.to_vec();
    changed.push(here);
    bench.dev(&[here]);
    bench.apply();
    let one_pipeline = bench.counts();
    std::fs::write(source.join("NOTICE"), "first").unwrap();
    bench.dev(&changed);
    let whole = timed(&bench, "apply");
    for round in 0..MOMENTS / 2 {
        std::fs::write(source.join("NOTICE"), format!("{round}")).unwrap();
        bench.dev(if round % 2 == 0 { &changed[5..] } else { &changed });
        let moment = random(whole, round);
        kill_after(&bench, "apply", moment);
        bench.apply();
        assert_eq!(bench.planned(), Vec::<String>::new(), "after a kill at {moment} ms");
        assert_eq!(bench.counts(), one_pipeline, "after a kill at {moment} ms");
    }
}
