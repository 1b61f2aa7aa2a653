//! Records on their way into a topic, and what became of each of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::metadata::Place;
use super::partitioner::{self, Turns};
use super::post::Asked;
use super::problem::Problem;
use crate::sandbox::broker::{self, Record, ResponseError};
use crate::sandbox::world::{World, now};

/// A failure that would be the same again. The reference calls it 1; servers send this, as in every other error.
const KAFKA_ERROR: u32 = 50002;
/// A failure that a later try may not have. The reference calls it 2.
const RETRIABLE_KAFKA_ERROR: u32 = 50003;

/// The producer's `max.request.size`.
const LARGEST_RECORD: usize = 1_048_576;
/// Bytes of a batch before its records.
const BATCH_OVERHEAD: usize = 61;
/// Bytes that a record may have beside key, value and headers.
const RECORD_OVERHEAD: usize = 21;

/// The topic that records go to.
pub(super) struct Destination<'a> {
    pub(super) world: &'a World,
    pub(super) topic: &'a str,
    pub(super) place: &'a Place,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Appended { partition: i32, offset: i64 },
    Failed { code: u32, error: String },
}

impl Outcome {
    fn failed(code: u32, error: impl Into<String>) -> Self {
        Self::Failed { code, error: error.into() }
    }
}

/// A record with its place in the request.
struct Numbered {
    index: usize,
    record: Record,
}

impl Destination<'_> {
    fn partitions(&self) -> i32 {
        self.place.view.content.partitions as i32
    }

    /// # Errors
    /// Where the topic hasn't got the partition that the path names.
    pub(super) fn check(&self, partition: Option<i32>) -> Result<(), Problem> {
        let is_there = partition.is_none_or(|partition| (0..self.partitions()).contains(&partition));
        if is_there { Ok(()) } else { Err(Problem::no_such_partition()) }
    }

    /// Appends records, and tells what became of each in the order of the request. `partition` is that of the path; a
    /// record's own goes before it.
    pub(super) fn produce(&self, turns: &Turns, partition: Option<i32>, asked: Vec<Asked>) -> Vec<u8> {
        let timestamp = now();
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize(asked.len(), None);
        let mut of_partition: BTreeMap<i32, Vec<Numbered>> = BTreeMap::new();
        let mut without_key = None;
        for (index, Asked { key, value, partition: own }) in asked.into_iter().enumerate() {
            let partition = own.or(partition).unwrap_or_else(|| match &key {
                Some(key) => partitioner::of_key(key, self.partitions()),
                None => *without_key.get_or_insert_with(|| turns.next(self.place.view.id, self.partitions())),
            });
            let record = Record { key, value, headers: Vec::new(), timestamp };
            match self.refusal(&record, partition) {
                Some(outcome) => outcomes[index] = Some(outcome),
                None => of_partition.entry(partition).or_default().push(Numbered { index, record }),
            }
        }
        let most = self.place.view.config("max.message.bytes").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        for (partition, records) in of_partition {
            for batch in batches(records, most) {
                self.append(partition, batch, &mut outcomes);
            }
        }
        write(&outcomes)
    }

    /// What the producer refuses before it sends anything.
    fn refusal(&self, record: &Record, partition: i32) -> Option<Outcome> {
        let count = self.partitions();
        if !(0..count).contains(&partition) {
            // A real one waits a minute for the partition to appear, and this is what it says then.
            let error = format!(
                "Partition {partition} of topic {} with partition count {count} is not present in metadata after 60000 ms.",
                self.topic
            );
            return Some(Outcome::failed(RETRIABLE_KAFKA_ERROR, error));
        }
        let size = BATCH_OVERHEAD + size_bound(record);
        (size > LARGEST_RECORD).then(|| {
            let error = format!(
                "The message is {size} bytes when serialized which is larger than {LARGEST_RECORD}, which is the value of \
                 the max.request.size configuration."
            );
            Outcome::failed(KAFKA_ERROR, error)
        })
    }

    /// Appends one batch.
    fn append(&self, partition: i32, batch: Vec<Numbered>, outcomes: &mut [Option<Outcome>]) {
        let (indices, records): (Vec<usize>, Vec<Record>) =
            batch.into_iter().map(|Numbered { index, record }| (index, record)).unzip();
        let appended = broker::append(self.world, &self.place.cluster, self.topic, partition, &records);
        for ((index, record), number) in indices.into_iter().zip(&records).zip(0..) {
            outcomes[index] = Some(match &appended {
                Ok(first) => Outcome::Appended { partition, offset: first + number },
                Err(error) => self.failure(*error, partition, record),
            });
        }
    }

    /// A failed batch, as a producer tells it for one of its records.
    fn failure(&self, error: ResponseError, partition: i32, record: &Record) -> Outcome {
        let code = if error.is_retriable() { RETRIABLE_KAFKA_ERROR } else { KAFKA_ERROR };
        match error {
            ResponseError::InvalidRecord if record.key.is_none() => {
                let place = format!("{}-{partition}", self.topic);
                let error = format!("Compacted topic cannot accept message without key in topic partition {place}.");
                Outcome::failed(KAFKA_ERROR, error)
            }
            ResponseError::InvalidRecord => Outcome::failed(
                KAFKA_ERROR,
                "Failed to append record because it was part of a batch which had one more more invalid records",
            ),
            ResponseError::MessageTooLarge => Outcome::failed(
                KAFKA_ERROR,
                "The request included a message larger than the max message size the server will accept.",
            ),
            ResponseError::UnknownTopicOrPartition => {
                Outcome::failed(code, "This server does not host this topic-partition.")
            }
            other => Outcome::failed(code, other.to_string()),
        }
    }
}

/// Divides the records of a partition into batches that the topic takes. A record that alone is too large is a batch of
/// its own, which the broker refuses.
fn batches(records: Vec<Numbered>, most: usize) -> Vec<Vec<Numbered>> {
    let mut batches: Vec<Vec<Numbered>> = Vec::new();
    let mut size = usize::MAX;
    for numbered in records {
        let own = size_bound(&numbered.record);
        size = size.saturating_add(own);
        match batches.last_mut().filter(|_| size <= most) {
            Some(batch) => batch.push(numbered),
            None => {
                size = BATCH_OVERHEAD + own;
                batches.push(vec![numbered]);
            }
        }
    }
    batches
}

/// More bytes than a record takes in a batch, as the producer counts them.
fn size_bound(record: &Record) -> usize {
    let field = |bytes: &Option<bytes::Bytes>| match bytes {
        Some(bytes) => varint(bytes.len()) + bytes.len(),
        None => 1,
    };
    RECORD_OVERHEAD + field(&record.key) + field(&record.value) + 1
}

/// Bytes of a length as Kafka writes it: seven bits each, after a bit for the sign.
fn varint(length: usize) -> usize {
    let bits = usize::BITS - (length << 1).leading_zeros();
    (bits.div_ceil(7) as usize).max(1)
}

/// The reply. It is written by hand: with thousands of records to a post, it is a good part of the work.
fn write(outcomes: &[Option<Outcome>]) -> Vec<u8> {
    let mut text = String::with_capacity(64 * outcomes.len() + 64);
    text.push_str(r#"{"offsets":["#);
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Writing to a string doesn't fail.
        let _ = match outcome {
            Some(Outcome::Appended { partition, offset }) => {
                write!(text, r#"{{"partition":{partition},"offset":{offset},"error_code":null,"error":null}}"#)
            }
            Some(Outcome::Failed { code, error }) => write!(
                text,
                r#"{{"partition":null,"offset":null,"error_code":{code},"error":{}}}"#,
                serde_json::Value::from(error.as_str())
            ),
            None => Ok(()),
        };
    }
    text.push_str(r#"],"key_schema_id":null,"value_schema_id":null}"#);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(index: usize, size: usize) -> Numbered {
        Numbered { index, record: Record { value: Some(vec![b'x'; size].into()), ..Record::default() } }
    }

    fn divided(sizes: &[usize], most: usize) -> Vec<Vec<usize>> {
        let records = sizes.iter().enumerate().map(|(index, size)| numbered(index, *size)).collect();
        let indices = |batch: Vec<Numbered>| batch.into_iter().map(|numbered| numbered.index).collect();
        batches(records, most).into_iter().map(indices).collect()
    }

    #[test]
    fn batches_hold_what_the_topic_takes() {
        assert_eq!(divided(&[100, 100, 100], 10_000), [vec![0, 1, 2]]);
        assert_eq!(divided(&[100, 100, 100], 320), [vec![0, 1], vec![2]]);
        assert_eq!(divided(&[100, 1000, 100, 100], 320), [vec![0], vec![1], vec![2, 3]]);
    }

    #[test]
    fn lengths_take_as_many_bytes_as_kafka_gives_them() {
        for (length, bytes) in [(0, 1), (63, 1), (64, 2), (8191, 2), (8192, 3), (1 << 20, 4)] {
            assert_eq!(varint(length), bytes, "{length}");
        }
    }

    #[test]
    fn the_reply_tells_each_record() {
        let outcomes =
            [Some(Outcome::Appended { partition: 0, offset: 7 }), Some(Outcome::failed(KAFKA_ERROR, "no \"key\""))];
        assert_eq!(
            String::from_utf8_lossy(&write(&outcomes)),
            concat!(
                r#"{"offsets":[{"partition":0,"offset":7,"error_code":null,"error":null},"#,
                r#"{"partition":null,"offset":null,"error_code":50002,"error":"no \"key\""}],"#,
                r#""key_schema_id":null,"value_schema_id":null}"#
            )
        );
    }
}
