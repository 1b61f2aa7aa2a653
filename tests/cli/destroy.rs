//! `pipeline destroy`.

use crate::bench::{Bench, mutations};

#[test]
fn nothing_of_the_pipeline_is_left_and_a_second_destroy_says_so() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.plan_json();
    let empty = bench.counts();
    bench.apply();
    assert_ne!(bench.counts(), empty);
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert_eq!(bench.counts(), empty);
    let before = bench.calls().len();
    let again = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(again.stderr.contains("Nothing to destroy."), "{}", again.stderr);
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

#[test]
fn it_asks_first() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let before = bench.calls().len();
    let refused = bench.run(["destroy", "dev.yaml"]).ended(3);
    assert!(refused.stderr.contains("add --yes"), "{}", refused.stderr);
    assert_eq!(mutations(&bench.calls()[before..]), Vec::<&str>::new());
}

#[tokio::test]
async fn everything_else_stays() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.apply();
    let clients = bench.clients().await;
    clients.s3.create_bucket().bucket("somebody-elses").send().await.unwrap();
    let api = clients.apigateway.create_rest_api().name("0a1b2c3d4e5f").send().await.unwrap();
    let cluster = bench.run(["outputs", "dev.yaml", "cluster_arn"]).ended(0).stdout;
    let topic = clients.kafka.create_topic().cluster_arn(cluster.trim()).topic_name("somebody.elses");
    topic.partition_count(1).replication_factor(3).send().await.unwrap();
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(clients.s3.head_bucket().bucket("somebody-elses").send().await.is_ok());
    assert!(clients.apigateway.get_rest_api().rest_api_id(api.id().unwrap()).send().await.is_ok());
    let there = clients.kafka.describe_topic().cluster_arn(cluster.trim()).topic_name("somebody.elses").send().await;
    assert!(there.is_ok(), "{there:?}");
}

#[tokio::test]
async fn what_is_retained_stays_until_it_is_asked_for_by_name() {
    let bench = Bench::new();
    bench.dev(&[
        ("  name: user-${user}-bucket\n", "  name: user-${user}-bucket\n  on_destroy: retain\n"),
        ("  - name: ${user}.pin\n", "  - name: ${user}.pin\n    on_destroy: retain\n"),
    ]);
    bench.apply();
    let s3 = bench.clients().await.s3;
    for key in ["topics/a.json", "topics/b.json"] {
        s3.put_object().bucket("user-0a1b2c3d4e5f-bucket").key(key).body(b"{}".to_vec().into()).send().await.unwrap();
    }
    let kept = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(kept.stdout.contains("kept bucket/user-0a1b2c3d4e5f-bucket: it has 2 objects"), "{}", kept.stdout);
    assert!(kept.stdout.contains("kept topic/0a1b2c3d4e5f.pin"), "{}", kept.stdout);
    assert!(s3.head_bucket().bucket("user-0a1b2c3d4e5f-bucket").send().await.is_ok());
    bench.run(["destroy", "dev.yaml", "--yes", "--delete-topics", "--empty-bucket"]).ended(0);
    assert!(s3.head_bucket().bucket("user-0a1b2c3d4e5f-bucket").send().await.is_err());
    assert!(bench.run(["destroy", "dev.yaml", "--yes"]).ended(0).stderr.contains("Nothing to destroy."));
}

#[test]
fn the_plugin_s_source_may_be_gone() {
    let bench = Bench::new();
    let source = bench.copy_plugin();
    bench.dev(&[(&Bench::plugin(), "plugin")]);
    bench.run(["plan", "dev.yaml"]).ended(0);
    let empty = bench.counts();
    bench.apply();
    std::fs::remove_dir_all(source).unwrap();
    let missing = bench.run(["plan", "dev.yaml"]).ended(65);
    assert!(missing.stderr.contains("\"plugin\" can't be read"), "{}", missing.stderr);
    let destroyed = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(destroyed.stderr.contains("- plugin/0a1b2c3d4e5f-plugin (0a1b2c3d4e5f-plugin-"), "{}", destroyed.stderr);
    assert_eq!(bench.counts(), empty);
}

#[test]
fn a_cluster_that_cannot_be_used_does_not_stand_in_the_way() {
    let bench = Bench::new();
    // A public cluster has no unauthenticated access.
    bench.dev(&[("  auth: iam\n", "  auth: iam\n  access: public\n")]);
    bench.plan_json();
    let empty = bench.counts();
    bench.apply();
    bench.dev(&[("  auth: iam\n", "  auth: plaintext\n"), ("partitions: 6 ", "partitions: 2 ")]);
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    for why in ["it has no private plaintext listener; it has: tls, scram, iam", "partitions cannot shrink from 6 to 2"]
    {
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
    }
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert_eq!(bench.counts(), empty);
}

#[test]
fn what_iam_has_not_seen_go_yet_is_waited_for() {
    let bench = Bench::with(&[
        "--settle",
        "200ms",
        "--lag",
        "50ms",
        "--fault",
        "iam:DeleteRole:DeleteConflict:2",
        "--fault",
        "iam:DeleteInstanceProfile:DeleteConflict:1",
    ]);
    bench.dev(&[]);
    bench.apply();
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
}
