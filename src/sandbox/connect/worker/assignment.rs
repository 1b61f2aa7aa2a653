//! A partition that is read.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use super::fault::Fault;
use super::settings::Sink;
use super::writer::{Outcome, Writer};
use crate::sandbox::broker::{Partition, ResponseError, Stored};
use crate::sandbox::world::World;

/// How much is read at a time, in bytes.
const READ: usize = 1 << 20;
/// After so many objects they are put in their places before more is done.
const MOST_OBJECTS: usize = 2000;

/// A partition, how far it was read, and what is being written of it.
pub(super) struct Assignment {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The topic of that name when it was assigned.
    pub(super) id: Uuid,
    source: Arc<Partition>,
    /// Records that were read and not yet taken.
    waiting: VecDeque<Stored>,
    writer: Writer,
}

/// How an assignment got on.
pub(super) struct Advance {
    pub(super) assignment: Assignment,
    pub(super) outcome: Outcome,
    /// Why it can't go on.
    pub(super) result: Result<(), Fault>,
}

impl Assignment {
    /// A partition that is read from an offset on, or from its first or last record where nothing was committed.
    pub(super) fn new(
        sink: &Sink,
        (topic, partition): (&str, i32),
        id: Uuid,
        source: Arc<Partition>,
        committed: Option<i64>,
        now: i64,
    ) -> Result<Self, ResponseError> {
        let (first, end) = source.range()?;
        let start = if sink.from_the_end { end } else { first };
        let from = committed.filter(|offset| (first..=end).contains(offset)).unwrap_or(start);
        let writer = Writer::new(sink, topic, partition, from, now);
        Ok(Self { topic: topic.to_owned(), partition, id, source, waiting: VecDeque::new(), writer })
    }

    /// The offset of the next record.
    pub(super) fn next(&self) -> i64 {
        self.writer.next()
    }

    /// When there is something to do though no record came.
    pub(super) fn due(&self) -> Option<i64> {
        self.writer.due()
    }

    /// Whether there is something to do. None once its topic is gone.
    pub(super) fn is_ready(&self, now: i64) -> Option<bool> {
        let (_, end) = self.source.range().ok()?;
        let has_records = !self.waiting.is_empty() || self.writer.next() < end;
        Some(has_records || self.writer.due().is_some_and(|due| now >= due))
    }

    /// Takes the records that come next.
    pub(super) fn advance(mut self, world: &World, sink: &Sink, now: i64) -> Advance {
        let mut outcome = Outcome::default();
        let result = self.take(world, sink, now, &mut outcome);
        Advance { assignment: self, outcome, result }
    }

    fn take(&mut self, world: &World, sink: &Sink, now: i64, outcome: &mut Outcome) -> Result<(), Fault> {
        if self.waiting.is_empty() {
            self.waiting = match self.source.read(self.writer.next(), READ) {
                Ok(records) => records.into(),
                // It goes when topics are looked for next.
                Err(ResponseError::UnknownTopicOrPartition) => VecDeque::new(),
                Err(error) => return Err(Fault::connect(format!("{}-{}: {error}", self.topic, self.partition))),
            };
        }
        while outcome.written.len() < MOST_OBJECTS
            && let Some(record) = self.waiting.pop_front()
        {
            self.writer.take(world, sink, record, now, outcome)?;
        }
        if self.waiting.is_empty() {
            self.writer.rest(sink, now, outcome)?;
        }
        Ok(())
    }
}
