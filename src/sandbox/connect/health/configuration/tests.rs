use std::collections::BTreeMap;

use serde_json::json;

use super::super::super::connectors::tests::connector;
use super::super::super::connectors::{Connector, Settings};
use super::super::{S3_SINK, Subject};
use crate::sandbox::connect::archive::Classes;
use crate::sandbox::kafka::{Cluster, Declaration, declare_cluster};
use crate::sandbox::store::Store;
use crate::sandbox::world::World;

const STORAGE: &str = "io.confluent.connect.s3.storage.S3Storage";
const TIME_BASED: &str = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner";
const FORMAT: &str = "io.confluent.connect.s3.format.json.JsonFormat";

fn healthy() -> BTreeMap<String, String> {
    let pairs = [
        ("connector.class", S3_SINK),
        ("flush.size", "1"),
        ("format.class", FORMAT),
        ("s3.bucket.name", "bucket"),
        ("storage.class", STORAGE),
        ("tasks.max", "3"),
        ("topics", "a"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// What is wrong with a configuration, where the plugin's classes are of that version.
fn findings(configuration: BTreeMap<String, String>, kafka_connect: &str, version: u16) -> Result<(), String> {
    let world = World::new(Default::default(), Store::in_memory(), Default::default());
    let described = declare_cluster(&world, &Declaration::named("c")).map_err(|refusal| refusal.message)?;
    let arn = described["clusterArn"].as_str().unwrap_or_default();
    let found: Option<Cluster> = world.store.read(|transaction| transaction.get("kafka.clusters", arn));
    let Some(cluster) = found else { return Err("no cluster".to_owned()) };
    let mut connector: Connector = connector();
    connector.fixed.kafka_connect_version = kafka_connect.to_owned();
    let settings = Settings { configuration, ..connector.condition.settings.clone() };
    let classes: Classes =
        [S3_SINK, FORMAT, STORAGE, "io.x.Mask", "io.x.OtherSink"].map(|class| (class.to_owned(), version)).into();
    let subject = Subject {
        world: &world,
        connector: &connector,
        settings: &settings,
        cluster,
        classes,
        worker: BTreeMap::new(),
    };
    let class = subject.connector_fault().map_or(Ok(()), Err);
    class.and_then(|()| subject.check_configuration().map_err(|fault| fault.message))
}

fn told(changes: &[(&str, &str)]) -> String {
    let mut configuration = healthy();
    for (key, value) in changes {
        configuration.insert((*key).to_owned(), (*value).to_owned());
    }
    findings(configuration, "3.7.x", 55).err().unwrap_or_default()
}

#[test]
fn a_healthy_configuration_has_no_fault() {
    assert_eq!(told(&[]), "");
    assert_eq!(told(&[("errors.tolerance", "all"), ("errors.log.enable", "true")]), "");
    assert_eq!(told(&[("connector.class", "S3Sink"), ("key.converter", "StringConverter")]), "", "aliases");
}

#[test]
fn what_the_sandboxs_worker_does_not_implement_is_told() {
    let transforms = [("transforms", "a, b"), ("transforms.a.type", "io.x.Mask$Value")];
    let message = told(&[&transforms[..], &[("transforms.b.type", "InsertField$Value")]].concat());
    assert!(message.contains("contains the following 1 error(s)"), "{message}");
    assert!(
        message.contains("Invalid value a, b for configuration transforms: The sandbox's worker doesn't"),
        "{message}"
    );
    let other = [("connector.class", "io.x.OtherSink"), ("transforms", "a"), ("transforms.a.type", "io.x.Mask")];
    assert_eq!(told(&other), "", "only the S3 sink has a worker here");
}

#[test]
fn all_faults_are_told_at_once() {
    let message = told(&[("tasks.max", "many"), ("errors.tolerance", "some"), ("value.converter", "io.x.None")]);
    assert!(message.contains("contains the following 3 error(s)"), "{message}");
    for fault in [
        "Invalid value many for configuration tasks.max: Not a number of type INT",
        "Invalid value some for configuration errors.tolerance: String must be one of: none, all",
        "Invalid value io.x.None for configuration value.converter: Class io.x.None could not be found.",
    ] {
        assert!(message.contains(fault), "{fault} in {message}");
    }
}

#[test]
fn each_fault_is_found() {
    for (changes, fault) in [
        (
            &[("value.converter.schemas.enable", "no")][..],
            "value.converter.schemas.enable: Expected value to be either",
        ),
        (&[("key.converter", "org.apache.kafka.connect.json.JsonConvertor")], "could not be found"),
        (&[("transforms", "a")], "Missing required configuration \"transforms.a.type\""),
        (&[("transforms", "a,a")], "Duplicate alias provided."),
        (&[("predicates", "p"), ("predicates.p.type", "io.x.P")], "Class io.x.P could not be found."),
        (&[("errors.deadletterqueue.topic.replication.factor", "99999")], "Not a number of type SHORT"),
        (&[("s3.compression.type", "zip")], "String must be one of: none, gzip"),
        (&[("s3.part.size", "1000")], "Value must be at least 5242880"),
        (&[("schema.compatibility", "none")], "String must be one of: NONE"),
        (&[("flush.size", "")], "Missing required configuration \"flush.size\""),
        (&[("rotate.schedule.interval.ms", "1")], "timezone configuration must be set"),
        (&[("partitioner.class", TIME_BASED)], "Partition duration needs to be a positive."),
        (&[("partitioner.class", TIME_BASED)], "for configuration locale: Locale cannot be empty."),
    ] {
        let message = told(changes);
        assert!(message.contains(fault), "{fault} in {message}");
    }
}

#[test]
fn a_class_that_is_too_new_for_the_workers_java_is_not_loaded() {
    assert_eq!(findings(healthy(), "3.7.x", 61), Ok(()));
    assert_eq!(findings(healthy(), "2.7.1", 55), Ok(()));
    assert_eq!(findings(healthy(), "2.7.1", 0), Ok(()), "nobody can tell");
    assert_eq!(
        findings(healthy(), "2.7.1", 61),
        Err("java.lang.UnsupportedClassVersionError: io/confluent/connect/s3/S3SinkConnector has been compiled by a \
             more recent version of the Java Runtime (class file version 61.0), this version of the Java Runtime only \
             recognizes class file versions up to 55.0"
            .to_owned())
    );
    assert!(findings(healthy(), "3.7.x", 65).is_err());
    assert!(json!(findings(healthy(), "3.7.x", 65).err()).to_string().contains("up to 61.0"));
}
