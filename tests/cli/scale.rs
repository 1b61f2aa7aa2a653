//! A thousand topics.

use std::fmt::Write;

use crate::bench::Bench;

#[test]
fn a_thousand_topics_are_planned_and_applied() {
    let bench = Bench::with(&["--settle", "200ms", "--lag", "100ms"]);
    let mut text =
        "name: many\nenvironment: test\ntarget: sandbox\nregion: us-east-1\ncluster: { name: big }\ntopics:\n"
            .to_owned();
    for number in 0..1000 {
        writeln!(text, "  - {{ name: events.{number:04}, partitions: 1, config: {{ retention.ms: 1d }} }}").unwrap();
    }
    bench.write("dev.yaml", &text);
    assert_eq!(bench.planned().len(), 1000);
    let before = bench.calls().len();
    bench.apply();
    let calls = bench.calls().len() - before;
    // One to make each topic and one to read it back; those that wait share their listings.
    assert!(calls < 2 * 1000 + 300, "{calls} calls");
    assert_eq!(bench.planned(), Vec::<String>::new());
    let outputs = bench.run(["outputs", "dev.yaml", "--format", "json"]).ended(0).json();
    assert_eq!(outputs["topic_arns"].as_array().unwrap().len(), 1000);
    let before = bench.calls().len();
    bench.run(["destroy", "dev.yaml", "--yes", "--quiet"]).ended(0);
    let calls = bench.calls().len() - before;
    assert!(calls < 2 * 1000 + 300, "{calls} calls");
    assert!(bench.run(["destroy", "dev.yaml", "--yes"]).ended(0).stderr.contains("Nothing to destroy."));
}
