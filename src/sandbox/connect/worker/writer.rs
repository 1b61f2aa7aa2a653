//! One partition of a topic on its way into a bucket, as Confluent's `TopicPartitionWriter` takes it there.
//!
//! All objects of a partition that are open are ended together, whichever folders they are for, and only then is the
//! offset after their last record committed. When that happens is told by the records alone, unless a schedule or the
//! clock on the wall is asked for. So whoever starts again from a committed offset writes the same objects under the same
//! names.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::converter::{Data, LastSchema};
use super::fault::Fault;
use super::partitioner::Subject;
use super::schema::Schema;
use super::settings::{Sink, Store};
use crate::sandbox::broker::Stored;
use crate::sandbox::s3::{Upload, Uploaded};
use crate::sandbox::world::World;

/// The writer of a partition.
pub(super) struct Writer {
    topic: String,
    partition: i32,
    /// The offset of the next record.
    next: i64,
    /// The objects that are open, by folder.
    open: BTreeMap<String, Open>,
    /// Records in them.
    count: u64,
    /// The time of the first record since the last rotation, where the partitioner goes by time.
    base: Option<i64>,
    /// The folder of the last record.
    folder: Option<String>,
    /// When they are ended next by the clock.
    scheduled: Option<i64>,
    last_schema: (LastSchema, LastSchema),
    line: Vec<u8>,
}

/// An object that is open.
struct Open {
    /// The offset of its first record.
    start: i64,
    schema: Option<Arc<Schema>>,
    output: Output,
}

enum Output {
    Plain(Box<Upload>),
    Gzip(Box<GzEncoder<Upload>>),
}

/// What came of some records.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Objects that are written, in the order in which they were ended.
    pub(super) written: Vec<Uploaded>,
    /// The offset to be committed once they are in their places.
    pub(super) commit: Option<i64>,
    /// Records that couldn't be handled.
    pub(super) errant: Vec<Errant>,
}

/// A record that couldn't be handled.
#[derive(Debug)]
pub(super) struct Errant {
    pub(super) record: Stored,
    pub(super) stage: Stage,
    pub(super) fault: Fault,
}

/// Where a record couldn't be handled, as Kafka Connect names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    KeyConverter,
    ValueConverter,
    TaskPut,
}

/// Why a record isn't written.
enum Refused {
    /// There is something wrong with it.
    Errant(Stage, Fault),
    /// There is something wrong that doesn't go away with it.
    Fatal(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fatal(fault)
    }
}

impl Output {
    fn begin(world: &World, store: &Store) -> Self {
        let upload = Upload::begin(world, store.part_size);
        match store.gzip {
            None => Self::Plain(Box::new(upload)),
            Some(level) => {
                Self::Gzip(Box::new(GzEncoder::new(upload, level.map_or_else(Compression::default, Compression::new))))
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(upload) => upload.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn end(self, key: String) -> io::Result<Uploaded> {
        match self {
            Self::Plain(upload) => upload.end(key),
            Self::Gzip(encoder) => encoder.finish()?.end(key),
        }
    }
}

fn disk(error: io::Error) -> Fault {
    Fault::connect(format!("the object can't be written: {error}"))
}

impl Writer {
    /// A writer that begins with the record at an offset.
    pub(super) fn new(sink: &Sink, topic: &str, partition: i32, next: i64, now: i64) -> Self {
        let mut writer = Self {
            topic: topic.to_owned(),
            partition,
            next,
            open: BTreeMap::new(),
            count: 0,
            base: None,
            folder: None,
            scheduled: None,
            last_schema: Default::default(),
            line: Vec::new(),
        };
        writer.schedule(sink, now);
        writer
    }

    /// The offset of the next record.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// When it has to be asked to [`Writer::rest`] though no record came.
    pub(super) fn due(&self) -> Option<i64> {
        self.scheduled.filter(|_| self.count > 0)
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// Why the connector can't go on.
    pub(super) fn take(
        &mut self,
        world: &World,
        sink: &Sink,
        record: Stored,
        now: i64,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let offset = record.offset;
        match self.put(world, sink, &record, now, outcome) {
            Ok(()) => {}
            Err(Refused::Fatal(fault)) => return Err(fault),
            Err(Refused::Errant(stage, fault)) => {
                let reason = fault.clone();
                outcome.errant.push(Errant { record, stage, fault });
                if !sink.errors.tolerated {
                    return Err(Fault::connect(format!("Tolerance exceeded in error handler: {reason}")));
                }
            }
        }
        self.next = offset + 1;
        // What was skipped needn't be looked at again.
        if self.count == 0 {
            outcome.commit = Some(self.next);
        }
        Ok(())
    }

    /// Ends what is due by the clock.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn rest(&mut self, sink: &Sink, now: i64, outcome: &mut Outcome) -> Result<(), Fault> {
        if self.due().is_some_and(|due| now >= due) {
            self.schedule(sink, now);
            self.rotate(sink, outcome)?;
        }
        Ok(())
    }

    fn schedule(&mut self, sink: &Sink, now: i64) {
        self.scheduled = sink.rotation.schedule.as_ref().map(|(period, zone)| zone.next(now, *period));
    }

    fn put(
        &mut self,
        world: &World,
        sink: &Sink,
        stored: &Stored,
        now: i64,
        outcome: &mut Outcome,
    ) -> Result<(), Refused> {
        let Stored { offset, record } = stored;
        let (last_key, last_value) = &mut self.last_schema;
        // A key isn't written, but one that can't be read is an error nevertheless.
        let key = sink.key.convert(record.key.as_ref(), last_key);
        key.map_err(|fault| Refused::Errant(Stage::KeyConverter, fault))?;
        let value = sink.value.convert(record.value.as_ref(), last_value);
        let value = value.map_err(|fault| Refused::Errant(Stage::ValueConverter, fault))?;
        if value == Data::Null {
            return skip_null(sink);
        }
        let subject = Subject { partition: self.partition, timestamp: record.timestamp as i64, value: &value };
        let time = sink.partitioner.time(&subject, now)?;
        let folder = sink
            .partitioner
            .folder(&subject, time, &sink.names.directory)
            .map_err(|fault| reported(sink, fault, Fault::is_partition))?;
        let schema = match &value {
            Data::Json(_, schema) => schema.clone(),
            _ => None,
        };
        if self.has_other_schema(&folder, schema.as_ref()) {
            self.rotate(sink, outcome)?;
        } else if self.is_over(sink, &folder, time, now) {
            self.schedule(sink, now);
            self.rotate(sink, outcome)?;
        }
        self.line.clear();
        sink.format.write(&value, &mut self.line).map_err(|fault| reported(sink, fault, Fault::is_data))?;
        let open = self.open.entry(folder.clone()).or_insert_with(|| Open {
            start: *offset,
            schema,
            output: Output::begin(world, &sink.store),
        });
        open.output.write(&self.line).map_err(disk)?;
        self.count += 1;
        self.base = self.base.or(time);
        self.folder = Some(folder);
        self.next = offset + 1;
        if self.count >= sink.rotation.flush_size {
            self.rotate(sink, outcome)?;
        }
        Ok(())
    }

    fn has_other_schema(&self, folder: &str, schema: Option<&Arc<Schema>>) -> bool {
        self.open.get(folder).is_some_and(|open| open.schema.as_ref() != schema)
    }

    /// Whether a record of that folder and time comes too late for the objects that are open.
    fn is_over(&self, sink: &Sink, folder: &str, time: Option<i64>, now: i64) -> bool {
        if self.count == 0 {
            return false;
        }
        let by_record = match (sink.rotation.interval, time, self.base) {
            (Some(interval), Some(time), Some(base)) => {
                time - base >= interval || self.folder.as_deref() != Some(folder)
            }
            _ => false,
        };
        by_record || self.scheduled.is_some_and(|scheduled| now >= scheduled)
    }

    /// Ends all objects that are open.
    fn rotate(&mut self, sink: &Sink, outcome: &mut Outcome) -> Result<(), Fault> {
        for (folder, open) in std::mem::take(&mut self.open) {
            let key = sink.names.key(&self.topic, self.partition, &folder, open.start);
            outcome.written.push(open.output.end(key).map_err(disk)?);
        }
        self.count = 0;
        self.base = None;
        outcome.commit = Some(self.next);
        Ok(())
    }
}

fn skip_null(sink: &Sink) -> Result<(), Refused> {
    if !sink.skips_nulls {
        let fault = "Null valued records are not writeable with current behavior.on.null.values 'settings.";
        return Err(Refused::Fatal(Fault::connect(fault)));
    }
    if sink.errors.can_report() {
        return Err(Refused::Errant(Stage::TaskPut, Fault::data("Skipping null value record.")));
    }
    Ok(())
}

/// A sink may report a record only where somebody hears of it.
fn reported(sink: &Sink, fault: Fault, may_be: impl Fn(&Fault) -> bool) -> Refused {
    if sink.errors.can_report() && may_be(&fault) {
        Refused::Errant(Stage::TaskPut, fault)
    } else {
        Refused::Fatal(fault)
    }
}

#[cfg(test)]
mod tests;
