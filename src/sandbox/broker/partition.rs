//! One partition: records go in at its end, and come out from any offset.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use tokio::sync::watch;

use super::batch::{self, Header, Record, Stored};
use super::log::Log;
use super::sequences::{Arrival, Sequences};
use crate::sandbox::kafka::View;
use crate::sandbox::world::now;

/// A partition of a topic. It is there as long as somebody holds it, but takes nothing once the topic is deleted.
#[derive(Debug)]
pub(crate) struct Partition {
    state: Mutex<State>,
    grown: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    log: Log,
    sequences: Sequences,
    is_closed: bool,
}

/// What a topic's configuration asks of the batches that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The largest batch, in bytes.
    pub(super) most: usize,
    /// Whether every record needs a key, as in a compacted topic.
    pub(super) keys: bool,
    /// Whether the broker's clock counts.
    pub(super) stamped: bool,
}

impl Terms {
    /// The terms of a topic.
    pub(super) fn of(topic: &View) -> Self {
        let config = |key| topic.config(key).unwrap_or_default();
        Self {
            most: config("max.message.bytes").parse().unwrap_or(usize::MAX),
            keys: config("cleanup.policy").split(',').any(|policy| policy.trim() == "compact"),
            stamped: config("message.timestamp.type") == "LogAppendTime",
        }
    }
}

impl Partition {
    pub(super) fn open(file: PathBuf, grown: watch::Sender<()>) -> io::Result<Self> {
        let mut sequences = Sequences::default();
        let log = Log::open(file, |header| sequences.note(header))?;
        Ok(Self { state: Mutex::new(State { log, sequences, is_closed: false }), grown })
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, ResponseError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed { Err(ResponseError::UnknownTopicOrPartition) } else { Ok(state) }
    }

    /// Its topic was deleted.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
    }

    /// Appends records, of which there is at least one, and returns the offset of the first. When it returns, they
    /// outlive the process.
    ///
    /// # Errors
    /// Kafka's: `RecordTooLarge`, `InvalidRecord`, and so on.
    pub(super) fn append(&self, records: &[Record], terms: Terms) -> Result<i64, ResponseError> {
        self.append_batch(batch::encode(records)?, terms)
    }

    /// Appends one batch as a producer sent it, and returns the offset of its first record.
    ///
    /// # Errors
    /// The same, and those of idempotent producers.
    pub(super) fn append_batch(&self, mut batch: BytesMut, terms: Terms) -> Result<i64, ResponseError> {
        let mut header = Header::read(&batch).ok_or(ResponseError::InvalidRecord)?;
        // Exactly one batch: Kafka takes no more, and not less.
        if header.size != batch.len() {
            return Err(ResponseError::InvalidRecord);
        }
        if header.size > terms.most {
            return Err(ResponseError::MessageTooLarge);
        }
        header.check(&batch)?;
        if terms.keys && batch::decode(Bytes::copy_from_slice(&batch))?.iter().any(|stored| stored.record.key.is_none())
        {
            return Err(ResponseError::InvalidRecord);
        }
        if terms.stamped {
            batch::stamp(&mut batch, now());
        }
        let mut state = self.state()?;
        if let Arrival::Again(offset) = state.sequences.check(&header)? {
            return Ok(offset);
        }
        let base_offset = state.log.end();
        batch::place(&mut batch, base_offset);
        header.base_offset = base_offset;
        state.log.append(&header, &batch).map_err(|_| ResponseError::KafkaStorageError)?;
        state.sequences.note(&header);
        drop(state);
        self.grown.send_replace(());
        Ok(base_offset)
    }

    /// Whole batches from the one that has the record at `from`, which must not be beyond the end: of `most` bytes
    /// together, but one at least. Nothing where `from` is the end.
    ///
    /// # Errors
    /// `OffsetOutOfRange`, `KafkaStorageError`.
    pub(crate) fn read_batches(&self, from: i64, most: usize) -> Result<Bytes, ResponseError> {
        let state = self.state()?;
        if !(0..=state.log.end()).contains(&from) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        state.log.read(from, most).map_err(|_| ResponseError::KafkaStorageError)
    }

    /// The same, taken apart, and from the very offset on.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn read(&self, from: i64, most: usize) -> Result<Vec<Stored>, ResponseError> {
        let mut records = batch::decode(self.read_batches(from, most)?)?;
        records.retain(|stored| stored.offset >= from);
        Ok(records)
    }

    /// The first offset, and the one that the next record gets.
    ///
    /// # Errors
    /// `UnknownTopicOrPartition` once the topic is deleted.
    pub(crate) fn range(&self) -> Result<(i64, i64), ResponseError> {
        Ok((0, self.state()?.log.end()))
    }

    /// The offset and time of the youngest record.
    ///
    /// # Errors
    /// The same as of reading.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<(i64, i64)>, ResponseError> {
        let largest = self.state()?.log.largest_timestamp();
        largest.map_or(Ok(None), |timestamp| self.since(timestamp))
    }

    /// The offset and time of the first record that isn't older than `timestamp`.
    ///
    /// # Errors
    /// The same as of reading.
    pub(crate) fn since(&self, timestamp: i64) -> Result<Option<(i64, i64)>, ResponseError> {
        let place = self.state()?.log.since(timestamp);
        let Some(place) = place else { return Ok(None) };
        let records = self.read(place.base_offset, 1)?;
        let found = records.iter().find(|stored| stored.record.timestamp as i64 >= timestamp);
        Ok(found.map(|stored| (stored.offset, stored.record.timestamp as i64)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::batch::tests::record;
    use super::*;

    const TERMS: Terms = Terms { most: 1000, keys: false, stamped: false };

    fn partition() -> (tempfile::TempDir, Partition) {
        let folder = tempfile::tempdir().unwrap();
        let partition = Partition::open(folder.path().join("0.log"), watch::Sender::new(())).unwrap();
        (folder, partition)
    }

    #[test]
    fn offsets_go_up_and_a_reader_waits_at_the_end() {
        let (_folder, partition) = partition();
        let mut grown = partition.grown.subscribe();
        grown.mark_unchanged();
        assert_eq!(partition.append(&[record("a"), record("b")], TERMS), Ok(0));
        assert!(grown.has_changed().unwrap());
        assert_eq!(partition.append(&[record("c")], TERMS), Ok(2));
        assert_eq!(partition.range(), Ok((0, 3)));
        let offsets: Vec<i64> = partition.read(1, 1000).unwrap().iter().map(|stored| stored.offset).collect();
        assert_eq!(offsets, [1, 2]);
        assert_eq!(partition.read(3, 1000), Ok(vec![]));
        assert_eq!(partition.read(4, 1000), Err(ResponseError::OffsetOutOfRange));
    }

    #[test]
    fn the_terms_of_the_topic_hold() {
        let (_folder, partition) = partition();
        let large = record(&"x".repeat(1000));
        assert_eq!(partition.append(&[large], TERMS), Err(ResponseError::MessageTooLarge));
        let keyed = Terms { keys: true, ..TERMS };
        assert_eq!(partition.append(&[record("a")], keyed), Err(ResponseError::InvalidRecord));
        let stamped = Terms { stamped: true, ..TERMS };
        partition.append(&[record("a")], stamped).unwrap();
        assert!(partition.read(0, 1).unwrap()[0].record.timestamp > 1_000_000_000_000);
    }

    #[test]
    fn the_first_record_since_a_time_is_found() {
        let (_folder, partition) = partition();
        for timestamp in [10, 30, 20] {
            let records = [Record { timestamp, ..record("a") }, Record { timestamp: timestamp + 1, ..record("b") }];
            partition.append(&records, TERMS).unwrap();
        }
        assert_eq!(partition.since(0), Ok(Some((0, 10))));
        assert_eq!(partition.since(11), Ok(Some((1, 11))));
        assert_eq!(partition.since(12), Ok(Some((2, 30))));
        assert_eq!(partition.since(32), Ok(None));
    }

    #[test]
    fn a_deleted_topics_partition_takes_nothing() {
        let (_folder, partition) = partition();
        partition.close();
        assert_eq!(partition.append(&[record("a")], TERMS), Err(ResponseError::UnknownTopicOrPartition));
    }
}
