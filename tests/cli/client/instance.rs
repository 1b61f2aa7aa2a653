//! Which instance it is, where it is, who it is, and whose.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{CLIENT, ID, free_port, manifest};
use crate::bench::{Bench, steps};

#[tokio::test]
async fn what_is_wrong_with_an_instance_is_told_before_anything_is_done() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.apply();
    let before = bench.counts();
    bench.client(&manifest(free_port()).replace("  - name: u.pin\n", "  - name: u.pin\n  - name: u.geo\n"));
    for (change, words) in [
        (json!({"ping": "ConnectionLost"}), "it is offline: its SSM agent (ConnectionLost) was last heard of at 20"),
        (json!({"ping": "Online", "managed": false}), "Systems Manager manages no such instance in us-east-1"),
        (json!({"managed": true, "role": null}), "Systems Manager manages no such instance in us-east-1"),
        (json!({"role": "other-role"}), "it works as the role other-role, and can't be demo-role then; attach the"),
        (json!({"role": "demo-role", "address": null}), "it has no public name or address"),
    ] {
        let mut body = change.clone();
        body["id"] = json!(ID);
        bench.private("instance", &body).await;
        let told = bench.refused(3);
        assert!(told.contains(&format!("instance/{ID}: {words}")), "{change}: {told}");
        assert_eq!(bench.counts()["topics"], before["topics"], "{change}");
    }
    // Of one that can't be asked, nothing is said to be otherwise.
    bench.private("instance", &json!({"id": ID, "address": "ec2-a", "ping": "ConnectionLost"})).await;
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    assert!(!refused.stdout.contains(&format!("~ {CLIENT}")), "{}", refused.stdout);
    // It can't be cleaned up: all goes but what is needed for that.
    for (unreachable, why) in [
        (json!({"id": ID}), "it is offline"),
        (json!({"id": ID, "ping": "Online", "managed": false}), "Systems Manager doesn't manage the instance"),
    ] {
        bench.private("instance", &unreachable).await;
        let told = bench.run(["destroy", "dev.yaml", "--yes"]).ended(1).stderr;
        assert!(told.contains(&format!("what is installed there can't be removed: {why}")), "{told}");
        let left = bench.counts();
        assert_eq!((left["roles"].clone(), left["topics"].clone()), (json!(1), json!(0)));
    }
    bench.private("instance", &json!({"id": ID, "managed": true})).await;
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert_eq!(bench.counts()["roles"], json!(0));
    assert!(!bench.installed("opt/pipeline-client").exists());
}

#[tokio::test]
async fn the_role_that_a_machine_is_to_have_is_made_before_the_machine_has_it() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    for other in [json!({"id": ID, "role": "other-role"}), json!({"id": ID, "role": null})] {
        bench.private("instance", &other).await;
        assert!(bench.plan_text().contains("      awaits  "), "{other}");
        let told = bench.refused(1);
        let how = "attach the instance profile demo-role to it in EC2 (aws ec2 ";
        let command = if other["role"].is_null() { "associate-iam" } else { "replace-iam" };
        assert!(told.contains(&format!("{how}{command}-instance-profile")), "{told}");
        assert!(told.contains("then apply again"), "{told}");
        assert_eq!((bench.counts()["roles"].clone(), bench.counts()["topics"].clone()), (json!(1), json!(1)));
        assert!(!bench.installed("opt/pipeline-client").exists());
        bench.private("instance", &json!({"id": ID, "role": "demo-role"})).await;
        bench.apply();
        assert_eq!(bench.post().await, 200);
        bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    }
    // Another role will do that may be this one, and no role that may not.
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let clients = bench.clients().await;
    let other = clients.iam.create_role().role_name("other-role").path("/path/").assume_role_policy_document(trust);
    other.send().await.unwrap();
    bench.private("instance", &json!({"id": ID, "role": "other-role"})).await;
    let trusting = |more: &str| {
        let ec2 = "    - service: ec2.amazonaws.com\n";
        manifest(free_port()).replace(ec2, &format!("{ec2}    - {more}\n"))
    };
    bench.client(&trusting("arn: arn:aws:iam::000000000000:role/path/other-role"));
    bench.apply();
    bench.client(&trusting("self: true"));
    assert!(bench.refused(3).contains("it works as the role other-role, and can't be demo-role then"));
}

#[tokio::test]
async fn a_machine_that_takes_no_command_is_told_and_keeps_nothing_from_going() {
    let bench = Bench::with(&["--settle", "100ms", "--lag", "50ms", "--fault", "ssm:SendCommand:InvalidInstanceId:3"]);
    bench.client(&manifest(free_port()));
    let told = bench.refused(3);
    assert!(
        told.contains(&format!("instance/{ID}: it can't be asked what it has: SendCommand: InvalidInstanceId")),
        "{told}"
    );
    bench.run(["outputs", "dev.yaml", "cluster_arn"]).ended(0);
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(1);
    bench.apply();
}

#[tokio::test]
async fn a_machine_is_one_pipelines() {
    let bench = Bench::new();
    let of = |name: &str| manifest(free_port()).replace("demo", name);
    bench.write("a.yaml", &of("one"));
    bench.write("b.yaml", &of("two"));
    for name in ["a.yaml", "b.yaml"] {
        bench.run(["plan", name]).ended(0);
    }
    // The machine may be both, so that it is the machine's own files that they meet at.
    bench.private("instance", &json!({"id": ID, "role": "one-role"})).await;
    let trusts = "    - arn: arn:aws:iam::000000000000:root\n    - service: ec2";
    bench.write("b.yaml", &of("two").replace("    - service: ec2", trusts));
    let runs: Vec<_> = ["a.yaml", "b.yaml"]
        .map(|name| {
            bench
                .command(["apply", name, "--yes", "--quiet"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .into();
    let mut ended: Vec<(bool, String)> = Vec::new();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        ended.push((output.status.success(), String::from_utf8(output.stderr).unwrap()));
    }
    let (winners, losers): (Vec<_>, Vec<_>) = ended.iter().partition(|(won, _)| *won);
    assert_eq!(winners.len(), 1, "{ended:?}");
    assert!(losers[0].1.contains("is set up for the pipeline"), "{ended:?}");
    let (winner, loser) = if ended[0].0 { ("a.yaml", "b.yaml") } else { ("b.yaml", "a.yaml") };
    assert!(bench.run(["plan", winner]).ended(0).stdout.contains("No changes"));
    let refused = bench.run(["destroy", loser, "--yes"]);
    assert!(bench.installed("etc/pipeline-client/kafka-rest.properties").exists(), "{refused:?}");
}

#[tokio::test]
async fn an_instance_is_found_by_its_tag() {
    let bench = Bench::new();
    let text = manifest(free_port()).replace(ID, "{ tag: { Name: kafka } }");
    bench.client(&text);
    let tagged = |id: &str, more: Value| {
        let mut body = json!({"id": id, "tags": {"Name": "kafka"}, "role": "demo-role"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    bench.private("instance", &tagged(ID, json!({}))).await;
    // One that is gone for good, and still known.
    bench.private("instance", &tagged("i-0fedcba9876543210", json!({"ping": "ConnectionLost"}))).await;
    bench.apply();
    assert!(bench.installed("opt/pipeline-client").exists());
    bench.private("instance", &tagged("i-0fedcba9876543210", json!({"ping": "Online"}))).await;
    let told = bench.refused(3);
    assert!(told.contains("2 instances have the tag Name=kafka: "), "{told}");
    assert!(told.contains(ID) && told.contains("i-0fedcba9876543210"), "{told}");
}

#[tokio::test]
async fn a_machine_that_moved_is_found_again() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.apply();
    assert_eq!(bench.post().await, 200);
    let moved = "ec2-203-0-113-99.compute-1.amazonaws.com";
    bench.private("instance", &json!({"id": ID, "address": moved})).await;
    assert_ne!(bench.post().await, 200);
    let plan = bench.plan_json();
    assert_eq!(steps(&plan), ["update rest_api/demo"]);
    assert!(plan.to_string().contains(&format!("http://{moved}:")), "{plan}");
    bench.apply();
    assert_eq!((bench.post().await, bench.planned()), (200, Vec::<String>::new()));
}
