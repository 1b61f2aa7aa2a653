//! What clusters can be declared to be, and what they can't become.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Declaration, declare_cluster};
use crate::sandbox::call::Refusal;
use crate::sandbox::kafka::brokers::{Listener, bootstrap};
use crate::sandbox::kafka::{self, Cluster, Content, clusters, create_topic};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, World, now};

fn world() -> World {
    World::new(Settings::default(), Store::in_memory(), PathBuf::new())
}

fn declare(world: &World, wishes: Value) -> Result<Value, Refusal> {
    let mut declaration = json!({"name": "c", "region": "us-east-1"});
    declaration.as_object_mut().unwrap().extend(wishes.as_object().unwrap().clone());
    let declaration: Declaration = serde_json::from_value(declaration).unwrap();
    declare_cluster(world, &declaration)
}

/// The status, parameter and message of a refusal.
fn refusal(world: &World, wishes: Value) -> (u16, Option<String>, String) {
    let Refusal { status, parameter, message, .. } = declare(world, wishes).unwrap_err();
    (status, parameter, message)
}

fn cluster(world: &World) -> Cluster {
    clusters::clusters(world, "us-east-1").remove(0).0
}

fn version(described: &Value) -> &str {
    described["provisioned"]["currentBrokerSoftwareInfo"]["kafkaVersion"].as_str().unwrap()
}

#[test]
fn by_default_every_way_to_authenticate_is_on() {
    let world = world();
    let described = declare(&world, json!({})).unwrap();
    assert_eq!((&described["state"], version(&described)), (&json!("ACTIVE"), "3.8.x"));
    let authorities = described.pointer("/provisioned/clientAuthentication/tls/certificateAuthorityArnList").unwrap();
    assert!(authorities[0].as_str().unwrap().starts_with("arn:aws:acm-pca:us-east-1:000000000000:"), "{authorities}");
    let private = [Listener::Plaintext, Listener::Tls, Listener::Scram, Listener::Iam];
    assert_eq!(Listener::of(&cluster(&world)), private);
    assert_eq!(declare(&world, json!({})).unwrap(), described);
}

#[test]
fn another_version_is_taken_on_and_topics_stay() {
    let world = world();
    let before = declare(&world, json!({})).unwrap();
    let content = Content { partitions: 1, replication: 1, configs: [].into() };
    let (found, settled) = (cluster(&world), now());
    world.store.transact(|it| create_topic(it, &found, "t", content, settled)).unwrap();
    let after = declare(&world, json!({"kafka_version": "2.8.1"})).unwrap();
    assert_eq!((version(&after), &after["clusterArn"]), ("2.8.1", &before["clusterArn"]));
    assert_ne!(after["currentVersion"], before["currentVersion"]);
    assert!(kafka::topic(&world, &cluster(&world), "t").is_some());
    assert_eq!(declare(&world, json!({})).unwrap(), after, "what isn't said stays");
    assert_eq!(declare(&world, json!({"kafka_version": "2.8.1"})).unwrap(), after);

    let (status, parameter, message) = refusal(&world, json!({"kafka_version": "3.8.0"}));
    assert_eq!((status, parameter.as_deref()), (400, Some("kafka_version")));
    assert_eq!(message, "MSK offers no Kafka '3.8.0'; the nearest that it offers is 3.8.x.");
}

#[test]
fn public_access_opens_listeners_and_closes_those_without_authentication() {
    let world = world();
    let described = declare(&world, json!({"access": "public"})).unwrap();
    let access = described.pointer("/provisioned/brokerNodeGroupInfo/connectivityInfo/publicAccess/type").unwrap();
    assert_eq!(access, "SERVICE_PROVIDED_EIPS");
    let private = [Listener::Tls, Listener::Scram, Listener::Iam];
    let public = [Listener::PublicTls, Listener::PublicScram, Listener::PublicIam];
    assert_eq!(Listener::of(&cluster(&world)), [private, public].concat());
    assert_eq!(declare(&world, json!({"access": "public"})).unwrap(), described);
    assert_eq!(declare(&world, json!({})).unwrap(), described);
    let strings = bootstrap(&world, &cluster(&world)).unwrap();
    let ports: std::collections::BTreeSet<&str> = strings.iter().flat_map(|(_, brokers)| brokers.split(',')).collect();
    assert_eq!(ports.len(), 18, "each listener has its own ports");

    declare(&world, json!({"access": "private"})).unwrap();
    assert_eq!(Listener::of(&cluster(&world)), private);
}

#[test]
fn a_cluster_stays_provisioned_or_serverless() {
    let world = world();
    let described = declare(&world, json!({"serverless": true})).unwrap();
    assert_eq!((&described["clusterType"], &described["state"]), (&json!("SERVERLESS"), &json!("ACTIVE")));
    assert_eq!(Listener::of(&cluster(&world)), [Listener::Iam]);
    assert_eq!(declare(&world, json!({})).unwrap(), described);
    assert_eq!(declare(&world, json!({"access": "private"})).unwrap(), described);
    for provisioned in [
        json!({"serverless": false}),
        json!({"kafka_version": "3.8.x"}),
        json!({"access": "public"}),
        json!({"bootstrap_brokers": {"plaintext": "localhost:9092"}}),
    ] {
        let (status, _, message) = refusal(&world, provisioned);
        assert_eq!(status, 409);
        assert_eq!(
            message,
            "The sandbox's cluster c is serverless, and no cluster becomes provisioned: choose another name for the \
             cluster, or forget everything with `pipeline sandbox reset`."
        );
    }
    assert_eq!(refusal(&world, json!({"name": "d", "serverless": true, "kafka_version": "3.8.x"})).0, 400);
    declare(&world, json!({"name": "d"})).unwrap();
    assert_eq!(refusal(&world, json!({"name": "d", "serverless": true})).0, 409);
}

#[test]
fn what_serverless_has_not_is_refused_with_the_key() {
    let world = world();
    for (key, value) in [
        ("kafka_version", json!("3.8.x")),
        ("access", json!("public")),
        ("bootstrap_brokers", json!({"iam": "localhost:9098"})),
    ] {
        let (status, parameter, message) = refusal(&world, json!({"serverless": true, key: value}));
        assert_eq!((status, parameter.as_deref()), (400, Some(key)));
        assert!(message.starts_with(&format!("{key} doesn't go with serverless: ")), "{message}");
    }
    assert!(clusters::clusters(&world, "us-east-1").is_empty(), "nothing is made of what is refused");
}

#[test]
fn brokers_elsewhere_are_told_and_none_are_run_here() {
    let world = world();
    declare(&world, json!({})).unwrap();
    assert_eq!(kafka::active_clusters(&world).len(), 1);
    let elsewhere = json!({"plaintext": "127.0.0.1:19092,localhost:19093", "scram": "localhost:19096"});
    declare(&world, json!({"bootstrap_brokers": elsewhere})).unwrap();
    let told = [(Listener::Plaintext, "127.0.0.1:19092,localhost:19093"), (Listener::Scram, "localhost:19096")];
    let told = told.map(|(listener, brokers)| (listener, brokers.to_owned()));
    assert_eq!(bootstrap(&world, &cluster(&world)).unwrap(), told);
    assert!(kafka::active_clusters(&world).is_empty() && !cluster(&world).has_own_brokers());
    declare(&world, json!({})).unwrap();
    assert!(!cluster(&world).has_own_brokers());
    declare(&world, json!({"bootstrap_brokers": {}})).unwrap();
    assert_eq!((kafka::active_clusters(&world).len(), bootstrap(&world, &cluster(&world)).unwrap().len()), (1, 4));
    for wrong in ["", "localhost", "localhost:", ":9092", "localhost:0", "localhost:9092,", "http://localhost"] {
        let (status, parameter, _) = refusal(&world, json!({"bootstrap_brokers": {"tls": wrong}}));
        assert_eq!((status, parameter.as_deref()), (400, Some("bootstrap_brokers")), "{wrong}");
    }
}

#[test]
fn a_record_of_an_earlier_sandbox_is_still_read() {
    let world = world();
    declare(&world, json!({})).unwrap();
    let record = serde_json::to_value(cluster(&world)).unwrap();
    let members = record.as_object().unwrap();
    assert!(!members.contains_key("update") && !members.contains_key("elsewhere"), "{members:?}");
    let read: Cluster = serde_json::from_value(record).unwrap();
    assert!(read.has_own_brokers());
}
