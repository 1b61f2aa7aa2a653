#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use serde_json::json;

use super::super::settings::tests::sink;
use super::{Fault, Outcome, Sink, Stage, Stored, Writer};
use crate::sandbox::broker::Record;
use crate::sandbox::s3::{complete, contents, make_bucket};
use crate::sandbox::store::Store;
use crate::sandbox::world::World;

const BY_TIME: [(&str, &str); 6] = [
    ("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"),
    ("path.format", "HH-mm"),
    ("partition.duration.ms", "60000"),
    ("locale", "en-US"),
    ("timezone", "UTC"),
    ("timestamp.extractor", "Record"),
];
const REPORTING: [(&str, &str); 2] = [("errors.tolerance", "all"), ("errors.log.enable", "true")];

/// A partition that is written.
struct Test {
    _folder: tempfile::TempDir,
    world: World,
    sink: Sink,
    writer: Writer,
    outcome: Outcome,
    offset: i64,
}

impl Test {
    fn new(changes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(Default::default(), Store::in_memory(), folder.path().to_owned());
        make_bucket(&world, "bucket");
        let sink = sink(changes);
        let writer = Writer::new(&sink, "t", 0, 0, 0);
        Self { _folder: folder, world, sink, writer, outcome: Outcome::default(), offset: 0 }
    }

    fn take_at(&mut self, value: Option<&str>, timestamp: u64, now: i64) -> Result<(), Fault> {
        let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
        let record = Stored { offset: self.offset, record: Record { value, timestamp, ..Record::default() } };
        self.offset += 1;
        self.writer.take(&self.world, &self.sink, record, now, &mut self.outcome)
    }

    fn take(&mut self, value: &str) {
        self.take_at(Some(value), 0, 0).unwrap();
    }

    /// The ends of the keys of what was written, with its contents.
    fn written(&mut self) -> BTreeMap<String, String> {
        complete(&self.world, "bucket", &mut self.outcome.written).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let written = contents(&self.world, "bucket").into_iter();
        written.map(|(key, bytes)| (key.strip_prefix("topics/t/").unwrap().to_owned(), text(bytes))).collect()
    }

    fn names(&mut self) -> Vec<String> {
        self.written().into_keys().collect()
    }
}

#[test]
fn objects_have_as_many_records_as_is_said() {
    let mut test = Test::new(&[]);
    for value in ["1", "2", "3", "4"] {
        test.take(value);
    }
    assert_eq!(test.outcome.commit, Some(3));
    let expected = [("partition=0/t+0+0000000000.json".to_owned(), "1\n2\n3\n".to_owned())];
    assert_eq!(test.written(), expected.into());
    test.take("5");
    test.take("6");
    assert_eq!(test.outcome.commit, Some(6));
    assert_eq!(test.written()["partition=0/t+0+0000000003.json"], "4\n5\n6\n");
}

#[test]
fn folders_are_counted_together_and_ended_together() {
    let mut changes = BY_TIME.to_vec();
    changes.push(("flush.size", "4"));
    let mut test = Test::new(&changes);
    for timestamp in [0, 60_000, 1, 60_001] {
        test.take_at(Some(&timestamp.to_string()), timestamp, 0).unwrap();
    }
    assert_eq!(test.outcome.commit, Some(4));
    let expected = [("00-00/t+0+0000000000.json", "0\n1\n"), ("00-01/t+0+0000000001.json", "60000\n60001\n")];
    assert_eq!(test.written(), expected.map(|(key, text)| (key.to_owned(), text.to_owned())).into());
}

#[test]
fn the_time_of_records_ends_objects_too() {
    let mut changes = BY_TIME.to_vec();
    changes.extend([("flush.size", "100"), ("rotate.interval.ms", "1000")]);
    let mut test = Test::new(&changes);
    for timestamp in [0, 999, 500, 1000] {
        test.take_at(Some("1"), timestamp, 0).unwrap();
    }
    assert_eq!(test.outcome.commit, Some(3));
    // Another folder ends them as well.
    test.take_at(Some("1"), 60_000, 0).unwrap();
    assert_eq!(test.outcome.commit, Some(4));
    assert_eq!(test.names(), ["00-00/t+0+0000000000.json", "00-00/t+0+0000000003.json"]);
    test.writer.rest(&test.sink, 1_000_000_000, &mut test.outcome).unwrap();
    assert_eq!(test.names().len(), 2, "no record, no time");
}

#[test]
fn without_a_partitioner_by_time_the_interval_means_nothing() {
    let mut test = Test::new(&[("flush.size", "100"), ("rotate.interval.ms", "1")]);
    assert!(test.sink.ignores_interval());
    for timestamp in [0, 60_000, 120_000] {
        test.take_at(Some("1"), timestamp, 0).unwrap();
    }
    assert_eq!(test.outcome.commit, None);
}

#[test]
fn a_schedule_ends_objects_by_the_clock_also_when_nothing_comes() {
    let changes = [("flush.size", "100"), ("rotate.schedule.interval.ms", "60000"), ("timezone", "Europe/Paris")];
    let mut test = Test::new(&changes);
    assert_eq!(test.writer.due(), None, "nothing is open");
    test.take_at(Some("1"), 0, 10_000).unwrap();
    assert_eq!(test.writer.due(), Some(60_000));
    test.writer.rest(&test.sink, 59_999, &mut test.outcome).unwrap();
    assert_eq!(test.outcome.commit, None);
    test.writer.rest(&test.sink, 60_000, &mut test.outcome).unwrap();
    assert_eq!((test.outcome.commit, test.writer.due()), (Some(1), None));
    test.take_at(Some("2"), 0, 61_000).unwrap();
    test.take_at(Some("3"), 0, 125_000).unwrap();
    assert_eq!(test.outcome.commit, Some(2), "the third came after the second minute");
    assert_eq!(test.names(), ["partition=0/t+0+0000000000.json", "partition=0/t+0+0000000001.json"]);
}

#[test]
fn another_schema_begins_another_object() {
    let mut test = Test::new(&[("flush.size", "100"), ("value.converter.schemas.enable", "true")]);
    let value = |kind: &str, payload: i32| {
        let fields = json!([{"field": "a", "type": kind}]);
        json!({"schema": {"type": "struct", "fields": fields}, "payload": {"a": payload}}).to_string()
    };
    for (kind, payload) in [("int32", 1), ("int32", 2), ("int64", 3)] {
        test.take(&value(kind, payload));
    }
    assert_eq!(test.written()["partition=0/t+0+0000000000.json"], "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn what_can_be_compressed_is() {
    let mut test = Test::new(&[("s3.compression.type", "gzip"), ("s3.compression.level", "9")]);
    for value in ["1", "2", "3"] {
        test.take(value);
    }
    complete(&test.world, "bucket", &mut test.outcome.written).unwrap();
    let written = contents(&test.world, "bucket");
    let mut text = String::new();
    let bytes = &written["topics/t/partition=0/t+0+0000000000.json.gz"][..];
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    assert_eq!(text, "1\n2\n3\n");
}

#[test]
fn records_that_cannot_be_read_are_passed_over_where_they_are_tolerated() {
    let mut changes = REPORTING.to_vec();
    changes.push(("flush.size", "2"));
    let mut test = Test::new(&changes);
    test.take("hello");
    assert_eq!(test.outcome.commit, Some(1), "nothing is open");
    test.take("1");
    test.take("world");
    assert_eq!(test.outcome.commit, Some(1));
    test.take("2");
    assert_eq!(test.outcome.commit, Some(4));
    let errant: Vec<(i64, Stage)> =
        test.outcome.errant.iter().map(|errant| (errant.record.offset, errant.stage)).collect();
    assert_eq!(errant, [(0, Stage::ValueConverter), (2, Stage::ValueConverter)]);
    assert_eq!(test.written()["partition=0/t+0+0000000001.json"], "1\n2\n");
}

#[test]
fn records_that_cannot_be_read_are_the_end_where_they_are_not() {
    let mut test = Test::new(&[]);
    test.take("1");
    let fault = test.take_at(Some("hello"), 0, 0).unwrap_err();
    assert!(fault.message.starts_with("Tolerance exceeded in error handler: org.apache.kafka.connect.errors.Data"));
    assert_eq!(test.writer.next(), 1);
    assert_eq!(test.outcome.errant.len(), 1);
}

#[test]
fn records_without_a_value_fail_or_are_skipped() {
    let mut test = Test::new(&[]);
    assert!(test.take_at(None, 0, 0).unwrap_err().message.starts_with("Null valued records are not writeable"));
    let mut test = Test::new(&[("behavior.on.null.values", "IGNORE")]);
    test.take_at(None, 0, 0).unwrap();
    test.take("null");
    assert_eq!((test.outcome.commit, test.outcome.errant.len()), (Some(2), 0));
    let mut changes = REPORTING.to_vec();
    changes.push(("behavior.on.null.values", "ignore"));
    let mut test = Test::new(&changes);
    test.take_at(None, 0, 0).unwrap();
    assert_eq!(test.outcome.errant[0].fault.message, "Skipping null value record.");
}

#[test]
fn records_without_a_place_are_only_passed_over_where_somebody_hears_of_it() {
    let changes = [
        ("partitioner.class", "io.confluent.connect.storage.partitioner.FieldPartitioner"),
        ("partition.field.name", "a"),
    ];
    let tolerant = [&changes[..], &[("errors.tolerance", "all")]].concat();
    assert!(Test::new(&tolerant).take_at(Some("{}"), 0, 0).unwrap_err().message.contains("not Struct"));
    let mut test = Test::new(&[&changes[..], &REPORTING].concat());
    test.take("{}");
    assert_eq!((test.outcome.commit, test.outcome.errant.len()), (Some(1), 1));
}
