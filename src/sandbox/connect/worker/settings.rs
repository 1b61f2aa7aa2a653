//! What a connector's configuration makes of the S3 sink.

use std::collections::BTreeMap;

use regex::Regex;

use super::converter::Converter;
use super::format::Format;
use super::partitioner::Partitioner;
use super::zone::Zone;
use crate::sandbox::config_def;
use crate::sandbox::connect::properties;
use reader::Reader;

mod reader;

/// An S3 sink, as it is configured.
#[derive(Clone, Debug)]
pub(in crate::sandbox::connect) struct Sink {
    pub(super) topics: Topics,
    pub(super) key: Converter,
    pub(super) value: Converter,
    pub(super) format: Format,
    pub(super) partitioner: Partitioner,
    pub(super) rotation: Rotation,
    pub(super) names: Names,
    pub(super) store: Store,
    pub(super) errors: Errors,
    /// Whether records without a value are skipped rather than an error.
    pub(super) skips_nulls: bool,
    /// Whether a partition without a committed offset is read from its end.
    pub(super) from_the_end: bool,
}

/// Which topics it reads.
#[derive(Clone, Debug)]
pub(super) enum Topics {
    Named(Vec<String>),
    Matching(Regex),
}

/// When it begins new objects.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    /// Records of a partition.
    pub(super) flush_size: u64,
    /// Milliseconds between the times of records.
    pub(super) interval: Option<i64>,
    /// Milliseconds on the wall.
    pub(super) schedule: Option<(i64, Zone)>,
}

/// What its objects are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    folder: String,
    pub(super) directory: String,
    file: String,
    digits: usize,
    extension: String,
}

/// Where its objects go, and how.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) bucket: String,
    pub(super) region: String,
    /// The level of compression, where there is any.
    pub(super) gzip: Option<Option<u32>>,
    pub(super) part_size: usize,
    pub(super) retries: u32,
    /// Milliseconds before the first retry.
    pub(super) backoff: u64,
}

/// What becomes of records that can't be handled.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    pub(super) tolerated: bool,
    pub(super) logged: bool,
    pub(super) dead_letters: Option<DeadLetters>,
}

/// The topic for records that can't be handled.
#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    pub(super) topic: String,
    pub(super) replication: i64,
    pub(super) headers: bool,
}

impl Sink {
    /// Whether it is told an interval that it makes nothing of, as Confluent's doesn't where no partitioner tells times.
    pub(super) fn ignores_interval(&self) -> bool {
        self.rotation.interval.is_some() && !matches!(self.partitioner, Partitioner::Time(_))
    }
}

impl Errors {
    /// Whether a connector may report records that it can't handle, rather than fail.
    pub(super) fn can_report(&self) -> bool {
        self.logged || self.dead_letters.is_some()
    }
}

impl Names {
    /// The key of the object that begins at an offset.
    pub(super) fn key(&self, topic: &str, partition: i32, folder: &str, offset: i64) -> String {
        let Self { directory, file, digits, extension, .. } = self;
        let name = format!("{topic}{file}{partition}{file}{offset:0digits$}{extension}");
        let within = format!("{topic}{directory}{folder}{directory}{name}");
        if self.folder.trim().is_empty() { within } else { format!("{}{directory}{within}", self.folder) }
    }
}

/// Confluent's default where `s3.region` is left out.
pub(in crate::sandbox::connect) const DEFAULT_REGION: &str = "us-west-2";

const REQUIRED: [&str; 4] = ["s3.bucket.name", "flush.size", "storage.class", "format.class"];

impl Sink {
    /// Reads a configuration: the connector's own, and that of its workers.
    ///
    /// # Errors
    /// All that is wrong with it, and all that the sandbox's worker doesn't implement.
    pub(in crate::sandbox::connect) fn of(
        own: &BTreeMap<String, String>,
        worker: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<String>> {
        let tables = [properties::ANY_CONNECTOR, properties::ANY_SINK, properties::S3_SINK];
        let mut reader = Reader::new(own, worker);
        let absent = REQUIRED.iter().filter(|key| reader.text(key, "").is_empty());
        let mut faults: Vec<String> = absent.map(|key| config_def::missing(key)).collect();
        faults.extend(tables.iter().flat_map(|table| properties::faults(table, own)));
        faults.extend(tables.iter().flat_map(|table| properties::unimplemented(table, own)));
        let format = reader.format();
        let sink = Self {
            topics: reader.topics(),
            key: reader.converter("key.converter"),
            value: reader.converter("value.converter"),
            partitioner: reader.partitioner(),
            rotation: reader.rotation(),
            names: reader.names(format.extension()),
            store: reader.store(),
            errors: reader.errors(),
            skips_nulls: reader.skips_nulls(),
            from_the_end: reader.begins_at_the_end(),
            format,
        };
        reader.overrides();
        faults.extend(reader.faults);
        if faults.is_empty() { Ok(sink) } else { Err(faults) }
    }
}

#[cfg(test)]
pub(super) mod tests;
