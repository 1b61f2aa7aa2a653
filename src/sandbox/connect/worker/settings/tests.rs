use std::collections::BTreeMap;

use super::super::partitioner::{Clock, Partitioner};
use super::{Converter, Format, Sink, Topics};

const PARTITIONER: &str = "io.confluent.connect.storage.partitioner";

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn healthy() -> BTreeMap<String, String> {
    map(&[
        ("flush.size", "3"),
        ("format.class", super::reader::JSON_FORMAT),
        ("s3.bucket.name", "bucket"),
        ("s3.region", "us-east-1"),
        ("storage.class", super::reader::STORAGE),
        ("topics", "a, b"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
    ])
}

fn read(changes: &[(&str, &str)], worker: &[(&str, &str)]) -> Result<Sink, Vec<String>> {
    let mut own = healthy();
    own.extend(map(changes));
    Sink::of(&own, &map(worker))
}

/// A sink that is healthy but for some changes.
pub(in crate::sandbox::connect::worker) fn sink(changes: &[(&str, &str)]) -> Sink {
    read(changes, &[]).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(changes: &[(&str, &str)]) -> Vec<String> {
    read(changes, &[]).err().unwrap_or_default()
}

#[test]
fn what_is_left_out_is_as_in_the_real_one() {
    let sink = sink(&[]);
    assert!(matches!(&sink.topics, Topics::Named(names) if names == &["a", "b"]));
    assert_eq!((&sink.key, &sink.value), (&Converter::Text, &Converter::Json { schemas: false }));
    assert_eq!(sink.format, Format::Json);
    assert_eq!((sink.rotation.flush_size, sink.rotation.interval), (3, None));
    assert_eq!(sink.names.key("a.b", 7, "partition=7", 42), "topics/a.b/partition=7/a.b+7+0000000042.json");
    assert_eq!((sink.store.part_size, sink.store.retries, sink.store.backoff), (26_214_400, 3, 200));
    assert!(!sink.errors.tolerated && !sink.errors.can_report() && !sink.skips_nulls && !sink.from_the_end);
}

#[test]
fn names_are_made_as_they_are_told_to() {
    let changes = [
        ("topics.dir", "x/y"),
        ("directory.delim", "|"),
        ("file.delim", "-"),
        ("filename.offset.zero.pad.width", "0"),
        ("s3.compression.type", "gzip"),
    ];
    assert_eq!(sink(&changes).names.key("a", 0, "f=1", 42), "x/y|a|f=1|a-0-42.json.gz");
    let bytes =
        [("format.class", super::reader::BYTES_FORMAT), ("topics.dir", ""), ("format.bytearray.extension", ".raw")];
    assert_eq!(sink(&bytes).names.key("a", 0, "f=1", 42), "a/f=1/a+0+0000000042.raw");
}

#[test]
fn a_converter_is_configured_where_it_is_named() {
    const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
    let worker = [("value.converter", JSON), ("value.converter.schemas.enable", "false")];
    let mut own = healthy();
    own.retain(|key, _| !key.starts_with("value.converter"));
    let value = |own: &BTreeMap<String, String>| Sink::of(own, &map(&worker)).map(|sink| sink.value);
    assert_eq!(value(&own), Ok(Converter::Json { schemas: false }));
    // What the workers say of their converter isn't said of the connector's own.
    own.insert("value.converter".to_owned(), "JsonConverter".to_owned());
    assert_eq!(value(&own), Ok(Converter::Json { schemas: true }));
    assert_eq!(Sink::of(&own, &BTreeMap::new()).map(|sink| sink.key), Ok(Converter::Text));
}

#[test]
fn partitioners_are_read() {
    let class = |name: &str| format!("{PARTITIONER}.{name}");
    let field = class("FieldPartitioner");
    let partitioner = sink(&[("partitioner.class", &field), ("partition.field.name", "a,b")]).partitioner;
    assert!(matches!(partitioner, Partitioner::Field(names) if names == ["a", "b"]));
    let time = class("TimeBasedPartitioner");
    let mut changes = vec![
        ("partitioner.class", time.as_str()),
        ("path.format", "YYYY/"),
        ("partition.duration.ms", "60000"),
        ("locale", "en-US"),
        ("timezone", "UTC"),
        ("timestamp.extractor", "RecordField"),
    ];
    let Partitioner::Time(by_time) = sink(&changes).partitioner else { panic!("it goes by time") };
    assert_eq!(by_time.clock, Clock::Field("timestamp".to_owned()));
    assert_eq!(by_time.pattern.format(0, &by_time.zone), "1970");
    let extractor = format!("{PARTITIONER}.TimeBasedPartitioner$RecordTimestampExtractor");
    changes.push(("timestamp.extractor", &extractor));
    assert!(matches!(sink(&changes).partitioner, Partitioner::Time(by_time) if by_time.clock == Clock::Record));
    let hourly = class("HourlyPartitioner");
    let changes = [("partitioner.class", hourly.as_str()), ("locale", "de"), ("timezone", "UTC")];
    let Partitioner::Time(by_time) = sink(&changes).partitioner else { panic!("it goes by time") };
    assert_eq!(by_time.pattern.format(3_600_000, &by_time.zone), "year=1970/month=01/day=01/hour=01");
}

#[test]
fn where_partitions_without_an_offset_begin_may_be_said_by_connector_or_workers() {
    let latest = |own: &[(&str, &str)], worker: &[(&str, &str)]| read(own, worker).map(|sink| sink.from_the_end);
    let (own, worker) = ("consumer.override.auto.offset.reset", "consumer.auto.offset.reset");
    assert_eq!(latest(&[(own, "latest")], &[(worker, "earliest")]), Ok(true));
    assert_eq!(latest(&[], &[(worker, "latest")]), Ok(true));
    assert!(latest(&[(own, "none")], &[]).is_err());
}

#[test]
fn each_fault_is_told() {
    let time = format!("{PARTITIONER}.TimeBasedPartitioner");
    let field = format!("{PARTITIONER}.FieldPartitioner");
    let daily = format!("{PARTITIONER}.DailyPartitioner");
    let not_implemented = "The sandbox's worker doesn't implement it";
    for (changes, expected) in [
        (&[("flush.size", "")][..], "Missing required configuration \"flush.size\""),
        (&[("flush.size", "x")], "Not a number of type INT"),
        (&[("topics.regex", "(")], "invalid regular expression"),
        (&[("value.converter", "io.confluent.connect.avro.AvroConverter")], not_implemented),
        (&[("value.converter.schemas.enable", "no")], "Expected value to be either true or false"),
        (&[("key.converter", "StringConverter"), ("key.converter.converter.encoding", "UTF-16")], not_implemented),
        (&[("format.class", "io.confluent.connect.s3.format.avro.AvroFormat")], not_implemented),
        (&[("partitioner.class", "io.x.Own")], not_implemented),
        (&[("partitioner.class", &field)], "FieldPartitioner needs the name of a field."),
        (&[("partitioner.class", &time)], "Path format cannot be empty."),
        (&[("partitioner.class", &time), ("path.format", "bbb")], "Illegal pattern component: bbb"),
        (&[("partitioner.class", &time), ("partition.duration.ms", "0")], "Partition duration needs to be a positive."),
        (&[("partitioner.class", &daily)], "Locale cannot be empty."),
        (&[("partitioner.class", &daily)], "Timezone cannot be empty."),
        (&[("partitioner.class", &daily), ("timestamp.extractor", "io.x.Own")], not_implemented),
        (
            &[("partitioner.class", &time), ("path.format", "MMM"), ("locale", "fr-FR")],
            "Invalid value fr-FR for configuration locale",
        ),
        (&[("timezone", "Mars")], "The datetime zone id 'Mars' is not recognised"),
        (&[("rotate.schedule.interval.ms", "1000")], "timezone configuration must be set when using"),
        (&[("behavior.on.null.values", "write")], not_implemented),
        (&[("consumer.override.group.id", "x")], not_implemented),
        (&[("transforms", "a")], not_implemented),
    ] {
        let told = faults(changes);
        assert!(told.iter().any(|fault| fault.contains(expected)), "{expected} in {told:?}");
    }
}
