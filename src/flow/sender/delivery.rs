//! One batch, until each of its records has come to an end: acknowledged, rejected or failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

use super::stop::{Halt, Stop};
use crate::flow::batch::{Batch, Place};
use crate::flow::post::{Outcome, Post, Poster};
use crate::flow::rejects::Fate;

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A server that asks for more patience than this is not listened to.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// The REST proxy may not write to the topic, in its numbers: no record of that topic will be taken.
const DENIED: [i64; 2] = [40101, 40301];

/// What deliveries have in common.
#[derive(Debug)]
pub(super) struct Courier {
    pub(super) poster: Arc<Poster>,
    /// How long a batch is posted again and again, from its first failure on.
    pub(super) retry_for: Duration,
    pub(super) stop: Stop,
    pub(super) notes: UnboundedSender<Note>,
}

/// What is told while a batch is under way.
#[derive(Debug)]
pub(super) enum Note {
    /// A post was answered, or given up.
    Posted {
        /// After so long.
        elapsed: Duration,
        /// Whether it had been made before.
        again: bool,
    },
    /// It will be made again.
    Again { reason: String, records: usize },
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) acknowledged: u64,
    pub(super) lost: Vec<LostRecord>,
    /// Those that were posted again although they may have been written already.
    pub(super) doubtful: Vec<Place>,
    /// Whether it was given up after trying for long enough.
    pub(super) given_up: bool,
    /// Whether anything was posted at all.
    posted: bool,
}

/// A record that was not acknowledged.
#[derive(Debug)]
pub(super) struct LostRecord {
    pub(super) fate: Fate,
    pub(super) place: Place,
    pub(super) reason: String,
    pub(super) in_doubt: bool,
    pub(super) record: Vec<u8>,
}

/// Records that are posted together.
struct Part {
    post: Post,
    /// Whether they may have been written already.
    in_doubt: bool,
    /// Whether they are listed as such.
    listed: bool,
}

impl Courier {
    /// Sees to it that every record of a batch comes to its end.
    pub(super) async fn deliver(&self, topic: &str, batch: Batch) -> Delivery {
        let mut delivery = Delivery::default();
        // A part whose content is refused is halved until it is known which record it was.
        let mut parts = vec![Part { post: self.poster.prepare(topic, batch), in_doubt: false, listed: false }];
        while let Some(part) = parts.pop() {
            if let Some(why) = self.stopped(delivery.posted) {
                delivery.lose(&part, Fate::Failed, why);
                continue;
            }
            let halves = self.settle(topic, part, &mut delivery).await;
            parts.extend(halves.into_iter().flatten());
        }
        delivery
    }

    /// Why nothing more is posted, if that is so. What was taken before somebody stopped the run is posted once.
    fn stopped(&self, posted: bool) -> Option<&'static str> {
        match self.stop.why()? {
            Halt::Asked if !posted => None,
            _ => Some("the run was stopped before it was posted"),
        }
    }

    /// Posts a part until it is done with, or must be halved.
    async fn settle(&self, topic: &str, mut part: Part, delivery: &mut Delivery) -> Option<[Part; 2]> {
        let mut patience = Patience::new(self.retry_for);
        let mut again = false;
        loop {
            let begun = Instant::now();
            delivery.posted = true;
            let result = self.poster.send(&part.post).await;
            // Nobody listens only where the run has ended.
            let _ = self.notes.send(Note::Posted { elapsed: begun.elapsed(), again });
            again = true;
            let (reason, wait) = match result {
                Ok(outcomes) => (self.take(topic, &mut part, outcomes, delivery)?, None),
                Err(error) if error.concerns_content() && part.post.len() > 1 => return Some(self.halve(topic, &part)),
                Err(error) if error.concerns_content() => {
                    delivery.lose(&part, Fate::Rejected, &error.told());
                    return None;
                }
                Err(error) => {
                    part.in_doubt |= error.in_doubt();
                    if !error.passes() {
                        let reason = error.told();
                        delivery.lose(&part, Fate::Failed, &reason);
                        self.stop.halt(Halt::Useless(format!("{topic}: {reason}")));
                        return None;
                    }
                    (error.told(), error.retry_after())
                }
            };
            let Some(wait) = patience.next(wait) else {
                delivery.given_up = true;
                delivery.lose(&part, Fate::Failed, &reason);
                return None;
            };
            let _ = self.notes.send(Note::Again { reason: reason.clone(), records: part.post.len() });
            tokio::select! {
                biased;
                () = self.stop.halted() => {
                    delivery.lose(&part, Fate::Failed, &format!("the run was stopped before it was tried again: {reason}"));
                    return None;
                }
                () = sleep(wait) => {}
            }
            if part.in_doubt && !part.listed {
                delivery.doubtful.extend(part.post.places());
                part.listed = true;
            }
        }
    }

    /// Takes in what became of each record. Those that are to be posted again become the part, and why is told; there is
    /// nothing to be told where none are left.
    fn take(&self, topic: &str, part: &mut Part, outcomes: Vec<Outcome>, delivery: &mut Delivery) -> Option<String> {
        let mut again = Vec::new();
        let mut why = None;
        for (position, outcome) in outcomes.into_iter().enumerate() {
            let passes = outcome.passes();
            match outcome {
                Outcome::Acknowledged { .. } => delivery.acknowledged += 1,
                Outcome::Refused { reason, .. } if passes => {
                    again.push(position);
                    why.get_or_insert(reason);
                }
                Outcome::Refused { code, reason } => {
                    let reason = format!("error {code}: {reason}");
                    if DENIED.contains(&code) {
                        self.stop.halt(Halt::Useless(format!(
                            "{topic}: {reason}; the REST proxy may not write to this topic: check its role and client settings"
                        )));
                    }
                    delivery.lost.push(LostRecord {
                        fate: Fate::Rejected,
                        place: part.post.place(position),
                        reason,
                        in_doubt: part.in_doubt,
                        record: part.post.value(position).to_vec(),
                    });
                }
            }
        }
        let why = why?;
        // Kafka's errors of this kind are timeouts and lost connections too, after which a record may be there.
        *part = Part { post: self.poster.prepare(topic, part.post.only(again)), in_doubt: true, listed: part.listed };
        Some(why)
    }

    fn halve(&self, topic: &str, part: &Part) -> [Part; 2] {
        let (middle, end) = (part.post.len() / 2, part.post.len());
        let of = |positions: std::ops::Range<usize>| Part {
            listed: part.listed,
            post: self.poster.prepare(topic, part.post.only(positions)),
            in_doubt: part.in_doubt,
        };
        // The last one is posted first.
        [of(middle..end), of(0..middle)]
    }
}

impl Delivery {
    fn lose(&mut self, part: &Part, fate: Fate, reason: &str) {
        let lost = (0..part.post.len()).map(|position| LostRecord {
            fate,
            place: part.post.place(position),
            reason: reason.to_owned(),
            in_doubt: part.in_doubt,
            record: part.post.value(position).to_vec(),
        });
        self.lost.extend(lost);
    }
}

/// How long it is worth going on, and the pauses between tries.
struct Patience {
    retry_for: Duration,
    /// When it ends; from the first failure on.
    end: Option<Instant>,
    backoff: Duration,
}

impl Patience {
    fn new(retry_for: Duration) -> Self {
        Self { retry_for, end: None, backoff: FIRST_BACKOFF }
    }

    /// The pause before the next try, if there is to be one. The last try comes at the very end.
    fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let now = Instant::now();
        let end = *self.end.get_or_insert_with(|| now + self.retry_for);
        let left = end.checked_duration_since(now).filter(|left| !left.is_zero())?;
        let wait = self.backoff.mul_f64(0.5 + fraction() / 2.0);
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        Some(wait.max(asked.unwrap_or_default().min(LONGEST_RETRY_AFTER)).min(left))
    }
}

/// Some number from 0 to 1, so that posts which failed together are not made again together.
fn fraction() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
