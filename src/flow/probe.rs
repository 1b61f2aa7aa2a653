//! One marked record to a topic, followed on its way: acknowledged? in the topic? in the bucket, as it was sent?
//!
//! ```text
//! Marker ──▶ invoke URL ──▶ partition and offset ──▶ the topic ──▶ the bucket
//!            Hop::Api                                Hop::Topic    Hop::Bucket
//! ```
//!
//! A probe tells what it saw and how long each hop took. Why a hop failed is worked out elsewhere, from more than a
//! record can tell ([`diagnosis`](super::diagnosis)).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::batch::{Batch, Place};
use super::post::{Outcome, PostError, Poster};
use crate::kafka;

mod bucket;
mod layout;

pub use bucket::{Landed, Sink};
pub use layout::{Layout, Naming};

/// The member of a marked record that has the marker.
pub const MARK: &str = "pipeline_verify";

/// How long brokers may take to show a record that was acknowledged.
const TOPIC_LIMIT: Duration = Duration::from_secs(15);
/// How long a post is tried again that fails in a way that may pass.
const POST_LIMIT: Duration = Duration::from_secs(10);
const POST_PAUSE: Duration = Duration::from_millis(500);

/// A leg of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// From here through API Gateway and the REST proxy to an acknowledgement.
    Api,
    /// In the topic.
    Topic,
    /// In the bucket.
    Bucket,
}

impl Hop {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Topic => "topic",
            Self::Bucket => "bucket",
        }
    }
}

/// What was seen of a hop.
#[derive(Debug)]
pub enum Seen {
    /// The record passed it.
    Passed {
        /// How long that took, from the end of the hop before that passed.
        took: Duration,
    },
    /// It didn't.
    Failed(Fault),
    /// It could not be looked at, for this reason.
    Unseen(String),
}

/// Why a record did not pass a hop, as far as the record can tell.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is nothing to post to.
    #[error("{0}")]
    NoWayIn(String),
    /// The post failed.
    #[error(transparent)]
    Post(PostError),
    /// The REST proxy refused the record.
    #[error("the REST proxy refused the record ({code}): {reason}")]
    Refused {
        /// Its error code.
        code: i64,
        /// What it said.
        reason: String,
    },
    /// The topic has something else, or nothing, where the record was acknowledged.
    #[error("partition {partition} has another record, or none, at offset {offset}, where it was acknowledged")]
    NotInTopic {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// The brokers could not be asked.
    #[error(transparent)]
    Brokers(#[from] kafka::Failure),
    /// No object came.
    #[error("no object with it came within {} s", .waited.as_secs())]
    NoObject {
        /// How long was waited.
        waited: Duration,
    },
    /// An object came that has something else.
    #[error("{key} has the marker, but not the record that was sent")]
    Altered {
        /// The object.
        key: String,
    },
    /// The bucket could not be asked.
    #[error("cannot look into the bucket")]
    Bucket(#[source] crate::aws::Failure),
}

/// The way of one record.
#[derive(Debug)]
pub struct Trace {
    /// The topic.
    pub topic: String,
    /// Where in the topic it was acknowledged.
    pub place: Option<(i32, i64)>,
    /// What was seen, hop by hop, up to the first that failed.
    pub hops: Vec<(Hop, Seen)>,
    /// Where it landed.
    pub landed: Option<Landed>,
}

impl Trace {
    /// Whether no hop failed.
    pub fn is_well(&self) -> bool {
        !self.hops.iter().any(|(_, seen)| matches!(seen, Seen::Failed(_)))
    }

    /// The hop that failed, and how.
    pub fn fault(&self) -> Option<(Hop, &Fault)> {
        self.hops.iter().find_map(|(hop, seen)| match seen {
            Seen::Failed(fault) => Some((*hop, fault)),
            Seen::Passed { .. } | Seen::Unseen(_) => None,
        })
    }
}

/// What a probe needs; a hop that can't be looked at has the reason instead.
#[derive(Debug)]
pub struct Probe {
    /// Posts to the invoke URL.
    pub poster: Result<Poster, String>,
    /// A bootstrap string that needs neither TLS nor authentication.
    pub brokers: Result<kafka::Brokers, String>,
    /// The bucket, and how objects get there.
    pub sink: Result<Sink, String>,
    /// How long an object may take.
    pub patience: Duration,
}

/// A record that nobody else sends.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The marker itself.
    pub id: String,
    /// The record.
    pub value: Value,
}

impl Marker {
    /// A new one for a topic.
    pub fn new(topic: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(format!("{topic} {} {}", now.as_nanos(), std::process::id()));
        let id = hex::encode(&digest.finalize()[..16]);
        let value = json!({ MARK: id, "topic": topic, "sent_at_ms": now.as_millis() as u64 });
        Self { id, value }
    }
}

impl Probe {
    /// Sends a marked record to a topic and follows it. `keyed`: the topic takes no record without a key. What is waited
    /// for is told to `tell`.
    pub async fn trace(&self, topic: &str, keyed: bool, tell: impl Fn(Hop) + Sync) -> Trace {
        let marker = Marker::new(topic);
        let mut trace = Trace { topic: topic.to_owned(), place: None, hops: Vec::new(), landed: None };
        tell(Hop::Api);
        let began = Instant::now();
        let (partition, offset) = match self.post(topic, keyed, &marker).await {
            Ok(place) => place,
            Err(fault) => {
                trace.hops.push((Hop::Api, Seen::Failed(fault)));
                return trace;
            }
        };
        trace.place = Some((partition, offset));
        trace.hops.push((Hop::Api, Seen::Passed { took: began.elapsed() }));
        let acknowledged = Instant::now();
        tell(Hop::Topic);
        let in_topic = async {
            let seen = self.look_into_topic(topic, partition, offset, &marker).await;
            (seen, acknowledged.elapsed())
        };
        // Both at once: the connector doesn't wait until we have looked.
        let in_bucket = async {
            let sink = self.sink.as_ref().map_err(Clone::clone)?;
            Ok::<_, String>(sink.wait_for(topic, partition, offset, &marker, self.patience).await)
        };
        let ((topic_seen, took), landed) = tokio::join!(in_topic, async {
            tell(Hop::Bucket);
            in_bucket.await
        });
        let seen = match topic_seen {
            Ok(true) => Seen::Passed { took },
            Ok(false) => Seen::Failed(Fault::NotInTopic { partition, offset }),
            Err(Blind::Unreachable(why)) => Seen::Unseen(why),
            Err(Blind::Broken(fault)) => Seen::Failed(fault.into()),
        };
        trace.hops.push((Hop::Topic, seen));
        let seen = match landed {
            Err(why) => Seen::Unseen(why),
            Ok(Err(fault)) => Seen::Failed(fault),
            Ok(Ok(landed)) => {
                let took = landed.at.duration_since(acknowledged);
                trace.landed = Some(landed);
                Seen::Passed { took }
            }
        };
        trace.hops.push((Hop::Bucket, seen));
        trace
    }

    async fn post(&self, topic: &str, keyed: bool, marker: &Marker) -> Result<(i32, i64), Fault> {
        let poster = self.poster.as_ref().map_err(|why| Fault::NoWayIn(why.clone()))?;
        let value = marker.value.to_string();
        let key = Value::from(MARK).to_string();
        let deadline = Instant::now() + POST_LIMIT;
        loop {
            let mut batch = Batch::default();
            batch.push(Place::default(), keyed.then_some(key.as_bytes()), value.as_bytes());
            let posted = poster.send(&poster.prepare(topic, batch)).await;
            let fault = match posted {
                Ok(outcomes) => match outcomes.into_iter().next() {
                    Some(Outcome::Acknowledged { partition, offset }) => return Ok((partition, offset)),
                    Some(Outcome::Refused { code, reason }) => return Err(Fault::Refused { code, reason }),
                    None => return Err(Fault::Refused { code: 0, reason: "it said nothing of the record".to_owned() }),
                },
                // A marker that is there twice is no harm: the last one is followed.
                Err(error) if error.passes() => Fault::Post(error),
                Err(error) => return Err(Fault::Post(error)),
            };
            if Instant::now() + POST_PAUSE > deadline {
                return Err(fault);
            }
            tokio::time::sleep(POST_PAUSE).await;
        }
    }

    async fn look_into_topic(&self, topic: &str, partition: i32, offset: i64, marker: &Marker) -> Result<bool, Blind> {
        let brokers = self.brokers.as_ref().map_err(|why| Blind::Unreachable(why.clone()))?;
        let value = match brokers.value_at(topic, partition, offset, TOPIC_LIMIT).await {
            Ok(value) => value,
            Err(failure) if failure.is_unreachable() => return Err(Blind::Unreachable(failure.message)),
            Err(failure) => return Err(Blind::Broken(failure)),
        };
        let found = value.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        Ok(found.as_ref() == Some(&marker.value))
    }
}

/// Why a topic was not looked into.
enum Blind {
    Unreachable(String),
    Broken(kafka::Failure),
}

#[cfg(test)]
mod tests {
    use super::{MARK, Marker};

    #[test]
    fn no_two_markers_are_alike() {
        let (one, other) = (Marker::new("t"), Marker::new("t"));
        assert_ne!(one.id, other.id);
        assert_eq!(one.value[MARK], one.id);
    }
}
