//! Connectors that work, and are killed while they do.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::connectors::tests::connector;
use super::super::connectors::{Connector, State};
use super::super::things::{self, Thing};
use super::{health, log, work};
use crate::sandbox::broker::{self, Committed, Record};
use crate::sandbox::call::Call;
use crate::sandbox::iam;
use crate::sandbox::kafka::{self, Cluster, Content, Declaration, Listener, declare_cluster};
use crate::sandbox::s3::{contents, make_bucket};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, World, now};

const ARN: &str = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink/0a5b0c5d-0e5f-4000-8000-000000000001-1";
const ROLE: &str = "arn:aws:iam::000000000000:role/r";
const BUCKET: &str = "bucket";
const GROUP: &str = "connect-sink";

fn open(folder: &Path) -> Arc<World> {
    let settings = Settings { settle: Duration::ZERO, lag: Duration::ZERO, ..Settings::default() };
    Arc::new(World::new(settings, Store::open(folder).unwrap(), folder.to_owned()))
}

fn cluster(world: &World) -> Cluster {
    kafka::active_clusters(world).remove(0)
}

async fn iam(world: &World, operation: &str, parameters: &[(&str, &str)]) {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation).append_pair("Version", "2010-05-08").extend_pairs(parameters);
    let call = Call {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: Vec::new(),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: form.finish().into(),
        region: "us-east-1".to_owned(),
        caller: "arn:aws:iam::000000000000:root".to_owned(),
    };
    let (operation, path) = iam::operation(&call).unwrap();
    iam::handle(world, operation, &path, &call).await.unwrap();
}

/// Lets the role of the connector do these things and nothing else.
async fn allow(world: &World, actions: &[&str]) {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    iam(world, "PutRolePolicy", &[("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", &document)]).await;
}

/// A cluster, a bucket, a role that may do everything, and a connector that is RUNNING with some properties.
async fn begin(folder: &Path, changes: &[(&str, &str)]) -> Arc<World> {
    let world = open(folder);
    declare_cluster(&world, &Declaration::named("c")).unwrap();
    make_bucket(&world, BUCKET);
    let trust =
        json!({"Effect": "Allow", "Principal": {"Service": "kafkaconnect.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
    iam(&world, "CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)]).await;
    allow(&world, &["kafka-cluster:*", "s3:*"]).await;
    let brokers = kafka::addresses(&world, &cluster(&world), Listener::Iam).unwrap();
    let servers: Vec<String> = brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
    let mut connector = Connector { arn: ARN.to_owned(), ..connector() };
    connector.fixed.role = ROLE.to_owned();
    connector.fixed.kafka_cluster["apacheKafkaCluster"]["bootstrapServers"] = servers.join(",").into();
    let own = [
        ("connector.class", health::S3_SINK),
        ("flush.size", "3"),
        ("format.class", "io.confluent.connect.s3.format.json.JsonFormat"),
        ("s3.bucket.name", BUCKET),
        ("s3.region", "us-east-1"),
        ("s3.retry.backoff.ms", "1"),
        ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
        ("topics.regex", "t\\..*"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
    ];
    let own = own.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    connector.condition.settings.configuration = own.collect();
    connector.condition.settings.configuration.retain(|_, value| !value.is_empty());
    world.store.transact(|transaction| transaction.put(Connector::TABLE, ARN, &connector)).unwrap();
    world
}

fn make_topic(world: &World, name: &str, partitions: i64) {
    let content = Content { partitions, replication: 1, configs: Default::default() };
    let cluster = cluster(world);
    world
        .store
        .transact(|transaction| kafka::create_topic(transaction, &cluster, name, content, now()).map(|_| ()))
        .unwrap();
}

fn post(world: &World, topic: &str, partition: i32, values: impl IntoIterator<Item = (u64, Value)>) {
    let record = |(timestamp, value): (u64, Value)| Record {
        value: (!value.is_null()).then(|| Bytes::from(value.to_string())),
        timestamp,
        ..Record::default()
    };
    let records: Vec<Record> = values.into_iter().map(record).collect();
    broker::append(world, &cluster(world), topic, partition, &records).unwrap();
}

fn found(world: &World) -> (Connector, State) {
    world.store.read(|transaction| things::find::<Connector>(transaction, ARN)).unwrap()
}

fn log_of(world: &World) -> String {
    log::last_lines(&log::file(world, &found(world).0), 1000).unwrap().join("\n")
}

/// The offsets that were committed, by topic and partition.
fn offsets(world: &World) -> BTreeMap<(String, i32), i64> {
    let committed = broker::committed(world, &cluster(world), GROUP);
    committed.into_iter().map(|(key, committed)| (key, committed.offset)).collect()
}

/// How often each line is in the bucket.
fn lines(world: &World) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (_, contents) in contents(world, BUCKET) {
        for line in String::from_utf8(contents).unwrap().lines() {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
    }
    lines
}

/// Waits until something holds.
async fn until(world: &World, holds: impl Fn(&World) -> bool) {
    let wait = async {
        while !holds(world) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(waited.is_ok(), "{}", log_of(world));
}

/// Lets the connector work until something holds.
async fn work_until(world: &Arc<World>, holds: impl Fn(&World) -> bool) {
    tokio::select! {
        () = work(Arc::clone(world), ARN.to_owned()) => panic!("it ended:\n{}", log_of(world)),
        () = until(world, holds) => {}
    }
}

/// Lets it work until it fails, and tells why.
async fn fail(world: &Arc<World>) -> String {
    tokio::time::timeout(Duration::from_secs(20), work(Arc::clone(world), ARN.to_owned())).await.unwrap();
    let (connector, state) = found(world);
    assert_eq!(state, State::Failed);
    connector.condition.description.unwrap().message
}

/// Polls a future so many times, and drops it then.
async fn kill_after(polls: usize, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    let mut left = polls;
    let killed = poll_fn(move |context| match left.checked_sub(1) {
        None => Poll::Ready(()),
        Some(fewer) => {
            left = fewer;
            work.as_mut().poll(context)
        }
    });
    // One that waits for records isn't polled any more.
    let _ = tokio::time::timeout(Duration::from_millis(100), killed).await;
}

#[tokio::test]
async fn records_of_all_topics_become_objects_also_of_those_that_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[("unknown.property", "x")]).await;
    make_topic(&world, "t.a", 2);
    make_topic(&world, "other", 1);
    post(&world, "t.a", 0, (0..7).map(|n| (0, json!({"n": n}))));
    post(&world, "other", 0, (0..7).map(|n| (0, json!(n))));
    let working = tokio::spawn(work(Arc::clone(&world), ARN.to_owned()));
    until(&world, |world| contents(world, BUCKET).len() == 2).await;
    make_topic(&world, "t.b", 1);
    post(&world, "t.b", 0, (0..3).map(|n| (0, json!(n))));
    let (cluster, grow) = (cluster(&world), kafka::Change::Grow(3));
    world.store.transact(|transaction| kafka::change(transaction, &cluster, "t.a", grow, now()).map(|_| ())).unwrap();
    post(&world, "t.a", 2, (0..3).map(|n| (0, json!(n))));
    until(&world, |world| contents(world, BUCKET).len() == 4).await;
    working.abort();
    let keys: Vec<String> = contents(&world, BUCKET).into_keys().collect();
    assert_eq!(
        keys,
        [
            "topics/t.a/partition=0/t.a+0+0000000000.json",
            "topics/t.a/partition=0/t.a+0+0000000003.json",
            "topics/t.a/partition=2/t.a+2+0000000000.json",
            "topics/t.b/partition=0/t.b+0+0000000000.json",
        ]
    );
    let expected = [(("t.a".to_owned(), 0), 6), (("t.a".to_owned(), 2), 3), (("t.b".to_owned(), 0), 3)];
    assert_eq!(offsets(&world), expected.into());
    assert!(log_of(&world).contains("WARN [sink|task-0] The configuration 'unknown.property' was supplied but isn't"));
}

/// Changes that make the sink write in different ways, each of them determined by the records.
fn ways() -> Vec<Vec<(&'static str, &'static str)>> {
    let by_time = vec![
        ("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"),
        ("path.format", "HH-mm"),
        ("partition.duration.ms", "60000"),
        ("locale", "en-US"),
        ("timezone", "UTC"),
        ("timestamp.extractor", "Record"),
        ("flush.size", "7"),
        ("errors.tolerance", "all"),
        ("behavior.on.null.values", "ignore"),
    ];
    let rotating = [&by_time[..], &[("rotate.interval.ms", "90000"), ("flush.size", "50")]].concat();
    vec![vec![("flush.size", "1")], vec![("flush.size", "4"), ("s3.compression.type", "none")], by_time, rotating]
}

/// Records of two partitions whose times go forth and back, with some that are skipped.
fn fill(world: &World, with_nulls: bool) {
    make_topic(world, "t.a", 2);
    for partition in 0..2 {
        for batch in 0..20 {
            let values = (0..5).map(|n| {
                let number = batch * 5 + n;
                let value = if with_nulls && number % 9 == 0 { Value::Null } else { json!([partition, number]) };
                (number * 20_000 % 170_000, value)
            });
            post(world, "t.a", partition, values);
        }
    }
}

/// What the sink makes of the records when nobody disturbs it.
async fn undisturbed(
    way: &[(&str, &str)],
    with_nulls: bool,
) -> (BTreeMap<String, Vec<u8>>, BTreeMap<(String, i32), i64>) {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), way).await;
    fill(&world, with_nulls);
    let mut before = offsets(&world);
    work_until(&world, |world| offsets(world).len() == 2).await;
    // Until nothing comes any more.
    while before != offsets(&world) {
        before = offsets(&world);
        let _ = tokio::time::timeout(Duration::from_millis(150), work(Arc::clone(&world), ARN.to_owned())).await;
    }
    (contents(&world, BUCKET), before)
}

#[tokio::test]
async fn a_killed_worker_loses_and_doubles_nothing() {
    for way in ways() {
        let with_nulls = way.len() > 2;
        let (expected, ends) = undisturbed(&way, with_nulls).await;
        for first in [1, 2, 3, 4, 5, 7, 11] {
            let folder = tempfile::tempdir().unwrap();
            let world = begin(folder.path(), &way).await;
            fill(&world, with_nulls);
            drop(world);
            for polls in first..first + 3 {
                let world = open(folder.path());
                kill_after(polls, work(Arc::clone(&world), ARN.to_owned())).await;
            }
            let world = open(folder.path());
            work_until(&world, |world| offsets(world) == ends).await;
            assert_eq!(contents(&world, BUCKET), expected, "{way:?} killed after {first} polls");
            assert!(lines(&world).values().all(|count| *count == 1));
        }
    }
}

#[tokio::test]
async fn what_was_written_and_not_committed_is_written_again_the_same() {
    for way in ways() {
        let with_nulls = way.len() > 2;
        let (expected, ends) = undisturbed(&way, with_nulls).await;
        let folder = tempfile::tempdir().unwrap();
        let world = begin(folder.path(), &way).await;
        fill(&world, with_nulls);
        work_until(&world, |world| offsets(world) == ends).await;
        // As if the process had been killed between the objects and the offsets, at each of the offsets that there were.
        let starts: Vec<(i32, i64)> = expected
            .keys()
            .map(|key| {
                let name = key.rsplit_once("t.a+").unwrap().1.split_once('.').unwrap().0;
                let (partition, offset) = name.split_once('+').unwrap();
                (partition.parse().unwrap(), offset.parse().unwrap())
            })
            .collect();
        for (partition, start) in starts.into_iter().step_by(5) {
            // Only the first object of those that were ended together begins at an offset that was committed.
            if way.len() > 2 && start != 0 {
                continue;
            }
            let back = [(("t.a".to_owned(), partition), Committed { offset: start, metadata: None })];
            broker::commit(&world, &cluster(&world), GROUP, &back).unwrap();
            work_until(&world, |world| offsets(world) == ends).await;
            assert_eq!(contents(&world, BUCKET), expected, "{way:?} from {start}");
        }
    }
}

#[tokio::test]
async fn a_lost_right_fails_the_connector() {
    for (kept, lost) in [
        (&["kafka-cluster:*", "s3:ListBucket"][..], "s3:PutObject on arn:aws:s3:::bucket/topics/t.a/partition=0/"),
        (
            &["kafka-cluster:Connect", "kafka-cluster:*Group", "s3:*"],
            "kafka-cluster:ReadData, kafka-cluster:DescribeTopic",
        ),
        (
            &["kafka-cluster:Connect", "kafka-cluster:*Topic", "kafka-cluster:ReadData", "s3:*"],
            "kafka-cluster:AlterGroup",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = begin(folder.path(), &[]).await;
        make_topic(&world, "t.a", 1);
        post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
        work_until(&world, |world| contents(world, BUCKET).len() == 1).await;
        allow(&world, kept).await;
        post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
        let why = fail(&world).await;
        assert!(why.contains(lost), "{lost} in {why}");
        assert_eq!(contents(&world, BUCKET).len(), 1);
        assert!(
            log_of(&world).contains("ERROR [sink|task-0] WorkerSinkTask{id=sink-0} Task threw"),
            "{}",
            log_of(&world)
        );
        // It doesn't begin again by itself.
        work(Arc::clone(&world), ARN.to_owned()).await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_gone_fails_the_connector_after_some_tries() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[]).await;
    make_topic(&world, "t.a", 1);
    post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
    world.store.retain(|table, _| table != "s3/buckets").unwrap();
    let why = fail(&world).await;
    assert!(why.contains("The specified bucket does not exist (Error Code: NoSuchBucket)"), "{why}");
    assert!(log_of(&world).contains("Retry 3 of 3."));
    assert_eq!(offsets(&world), BTreeMap::new());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_fails_the_connector_but_what_came_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[("errors.log.enable", "true")]).await;
    make_topic(&world, "t.a", 1);
    post(&world, "t.a", 0, (0..4).map(|n| (0, json!(n))));
    let hello = Record { value: Some(Bytes::from_static(b"hello")), ..Record::default() };
    broker::append(&world, &cluster(&world), "t.a", 0, &[hello]).unwrap();
    let why = fail(&world).await;
    assert!(
        why.starts_with("The connector's task 0 failed. Message: org.apache.kafka.connect.errors.ConnectExc"),
        "{why}"
    );
    assert!(why.contains("Converting byte[] to Kafka Connect data failed"), "{why}");
    assert_eq!(offsets(&world), [(("t.a".to_owned(), 0), 3)].into());
    assert!(
        log_of(&world).contains("Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonC")
    );
}

#[tokio::test]
async fn records_that_cannot_be_read_go_to_the_topic_for_them_which_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dead"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let world = begin(folder.path(), &changes).await;
    make_topic(&world, "t.a", 1);
    let hello = Record { value: Some(Bytes::from_static(b"hello")), timestamp: 7, ..Record::default() };
    broker::append(&world, &cluster(&world), "t.a", 0, &[hello]).unwrap();
    post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
    work_until(&world, |world| contents(world, BUCKET).len() == 1).await;
    assert_eq!(contents(&world, BUCKET).into_keys().next().unwrap(), "topics/t.a/partition=0/t.a+0+0000000001.json");
    let dead = broker::partition(&world, &cluster(&world), "dead", 0).unwrap().read(0, 1000).unwrap();
    let [dead] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((dead.record.value.as_deref(), dead.record.timestamp), (Some(&b"hello"[..]), 7));
    let header = |name: &str| {
        let found = dead.record.headers.iter().find(|(key, _)| key == &format!("__connect.errors.{name}"));
        String::from_utf8(found.unwrap().1.clone().unwrap().to_vec()).unwrap()
    };
    assert_eq!([header("topic"), header("partition"), header("offset")], ["t.a", "0", "0"]);
    assert_eq!([header("connector.name"), header("stage")], ["sink", "VALUE_CONVERTER"]);
    assert_eq!(header("exception.class.name"), "org.apache.kafka.connect.errors.DataException");
}

#[tokio::test]
async fn a_topic_for_them_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let changes =
        [("errors.deadletterqueue.topic.name", "dead"), ("errors.deadletterqueue.topic.replication.factor", "4")];
    let world = begin(folder.path(), &changes).await;
    let why = fail(&world).await;
    assert!(why.contains("Could not initialize dead letter queue with topic=dead: Unable to replicate"), "{why}");
}

#[tokio::test]
async fn a_topic_that_was_made_again_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[("topics.regex", ""), ("topics", "t.a,t.missing")]).await;
    make_topic(&world, "t.a", 1);
    post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
    let working = tokio::spawn(work(Arc::clone(&world), ARN.to_owned()));
    until(&world, |world| contents(world, BUCKET).len() == 1).await;
    kafka::delete_topic(&world, &cluster(&world), "t.a", now()).unwrap();
    make_topic(&world, "t.a", 1);
    post(&world, "t.a", 0, (10..13).map(|n| (0, json!(n))));
    until(&world, |world| lines(world).contains_key("12")).await;
    working.abort();
    assert_eq!(lines(&world).len(), 3, "objects of the same name were replaced");
    assert!(log_of(&world).contains("{t.missing=UNKNOWN_TOPIC_OR_PARTITION}"));
}

#[tokio::test]
async fn who_begins_at_the_end_misses_nothing_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [("consumer.override.auto.offset.reset", "latest"), ("flush.size", "1")];
    let world = begin(folder.path(), &changes).await;
    make_topic(&world, "t.a", 1);
    post(&world, "t.a", 0, (0..3).map(|n| (0, json!(n))));
    work_until(&world, |world| !offsets(world).is_empty()).await;
    post(&world, "t.a", 0, (3..5).map(|n| (0, json!(n))));
    work_until(&world, |world| contents(world, BUCKET).len() == 2).await;
    assert_eq!(lines(&world).into_keys().collect::<Vec<_>>(), ["3", "4"]);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_fails_the_connector() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[("flush.size", "0"), ("store.kafka.keys", "true")]).await;
    let why = fail(&world).await;
    assert!(why.contains("contains the following 2 error(s)"), "{why}");
}

#[tokio::test]
async fn a_connector_of_another_class_does_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), &[("connector.class", "io.x.Other")]).await;
    work_until(&world, |world| log_of(world).contains("The sandbox has no implementation of io.x.Other")).await;
    assert_eq!(found(&world).1, State::Running);
}
