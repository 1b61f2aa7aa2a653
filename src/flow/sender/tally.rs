//! What became of the records of a run, counted as they come to their end.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::delivery::{Delivery, Note};
use crate::flow::lanes::Lanes;
use crate::flow::ranges::Ranges;
use crate::flow::records::Unit;
use crate::flow::rejects::{Fate, Lost};

/// Microseconds of the longest post that is told apart.
const LONGEST: u64 = 600_000_000;
/// How many of the records that were not acknowledged are kept to be told.
const KEPT: usize = 10;

/// How a run is going, or went.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many records were taken from the source, with rows that are none.
    pub taken: u64,
    /// The line or index of the last one. Those up to it have come to their end; a stopped run is gone on with after it.
    pub last: Option<u64>,
    /// How many of them are in their topics.
    pub acknowledged: u64,
    /// How many were refused, or are no records.
    pub rejected: u64,
    /// How many could not be brought through.
    pub failed: u64,
    /// How many posts were made.
    pub posts: u64,
    /// How many of them were made again.
    pub retries: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// How long posts took.
    pub latency: Option<Latency>,
    /// The same for each topic, with what was posted again after an unknown outcome.
    pub topics: Vec<TopicCount>,
    /// What tells a record.
    pub unit: Unit,
    /// Some of the records that were not acknowledged, without what they hold; all of them, where there are few.
    pub first_lost: Vec<Lost>,
    /// How it ended.
    pub ending: Ending,
}

/// How long posts took.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: Duration,
    /// Nor did 95 in a hundred.
    pub p95: Duration,
    /// Nor did 99 in a hundred.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// What became of the records of one topic.
#[derive(Clone, Debug)]
pub struct TopicCount {
    /// Its name.
    pub topic: String,
    /// How many are in it.
    pub acknowledged: u64,
    /// How many were refused.
    pub rejected: u64,
    /// How many could not be brought through.
    pub failed: u64,
    /// Those that were posted again after an outcome that nobody knows: they may be there twice.
    pub retried_after_unknown_outcome: Ranges,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every record of the source was taken, or as many as were asked for.
    Complete,
    /// Somebody stopped it.
    Stopped,
    /// There was no use in going on: why, and what to do.
    Useless(String),
    /// The source could not be read to its end: why.
    Unreadable(String),
}

impl Summary {
    /// Acknowledged records in a second.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.acknowledged as f64 / seconds } else { 0.0 }
    }

    /// How many records did not get through.
    pub fn lost(&self) -> u64 {
        self.rejected + self.failed
    }

    /// How many records may be in their topics twice.
    pub fn in_doubt(&self) -> u64 {
        self.topics.iter().map(|topic| topic.retried_after_unknown_outcome.count()).sum()
    }
}

/// Counts.
#[derive(Debug)]
pub(super) struct Tally {
    begun: Instant,
    taken: u64,
    last: Option<u64>,
    posts: u64,
    retries: u64,
    /// In microseconds.
    latencies: Option<Histogram<u64>>,
    topics: Vec<TopicCount>,
    unit: Unit,
    first_lost: Vec<Lost>,
    unreadable: Option<String>,
}

impl Tally {
    pub(super) fn new(lanes: &Lanes, unit: Unit, begun: Instant) -> Self {
        let topics = (0..lanes.count()).map(|lane| TopicCount {
            topic: lanes.topic(lane).to_owned(),
            acknowledged: 0,
            rejected: 0,
            failed: 0,
            retried_after_unknown_outcome: Ranges::default(),
        });
        Self {
            begun,
            taken: 0,
            last: None,
            posts: 0,
            retries: 0,
            // Three digits of bounds that are right: this is always one.
            latencies: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
            topics: topics.collect(),
            unit,
            first_lost: Vec::new(),
            unreadable: None,
        }
    }

    pub(super) fn take(&mut self, number: u64) {
        self.taken += 1;
        self.last = Some(number);
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    pub(super) fn unreadable(&mut self, error: &io::Error) {
        self.unreadable = Some(error.to_string());
    }

    pub(super) fn note(&mut self, note: &Note) {
        match note {
            Note::Posted { elapsed, again } => {
                self.posts += 1;
                self.retries += u64::from(*again);
                let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(LONGEST);
                if let Some(latencies) = &mut self.latencies {
                    latencies.saturating_record(microseconds.max(1));
                }
            }
            Note::Again { .. } => {}
        }
    }

    pub(super) fn account(&mut self, lane: usize, delivery: &Delivery) {
        let topic = &mut self.topics[lane];
        topic.acknowledged += delivery.acknowledged;
        for place in &delivery.doubtful {
            topic.retried_after_unknown_outcome.add(*place);
        }
    }

    pub(super) fn lose(&mut self, lane: usize, lost: &Lost) {
        let topic = &mut self.topics[lane];
        match lost.fate {
            Fate::Rejected => topic.rejected += 1,
            Fate::Failed => topic.failed += 1,
        }
        if self.first_lost.len() < KEPT {
            self.first_lost.push(Lost {
                record: Vec::new(),
                topic: lost.topic.clone(),
                reason: lost.reason.clone(),
                ..*lost
            });
        }
    }

    pub(super) fn summary(&self, ending: Ending) -> Summary {
        let sum = |of: fn(&TopicCount) -> u64| self.topics.iter().map(of).sum();
        let latency = self.latencies.as_ref().filter(|latencies| !latencies.is_empty()).map(|latencies| {
            let at = |quantile| Duration::from_micros(latencies.value_at_quantile(quantile));
            Latency { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: Duration::from_micros(latencies.max()) }
        });
        Summary {
            taken: self.taken,
            last: self.last,
            acknowledged: sum(|topic| topic.acknowledged),
            rejected: sum(|topic| topic.rejected),
            failed: sum(|topic| topic.failed),
            posts: self.posts,
            retries: self.retries,
            elapsed: self.begun.elapsed(),
            latency,
            topics: self.topics.clone(),
            unit: self.unit,
            first_lost: self.first_lost.clone(),
            ending: match (&self.unreadable, ending) {
                (Some(why), Ending::Complete) => Ending::Unreadable(why.clone()),
                (_, ending) => ending,
            },
        }
    }
}
