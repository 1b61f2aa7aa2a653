//! What idempotent producers are known by: which batches they sent last, so that one that is sent again is not kept
//! twice. The rules are those of Kafka's `ProducerStateManager`.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::batch::Header;

/// How many batches of a producer are remembered: it has at most as many under way.
const REMEMBERED: usize = 5;

/// What a batch is to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It follows what came before.
    New,
    /// It was kept already, from this offset on.
    Again(i64),
}

/// The producers of a partition.
#[derive(Debug, Default)]
pub(super) struct Sequences(HashMap<i64, Producer>);

#[derive(Debug)]
struct Producer {
    epoch: i16,
    last: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    first: i32,
    last: i32,
    base_offset: i64,
}

/// The sequence number of a batch's last record: they wrap around after the largest.
fn last_sequence(header: &Header) -> i32 {
    let last = i64::from(header.base_sequence) + i64::from(header.last_offset_delta);
    (last % (i64::from(i32::MAX) + 1)) as i32
}

fn after(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}

impl Sequences {
    /// Holds a batch against what its producer sent before.
    ///
    /// # Errors
    /// Where it is out of order, or from a producer that was superseded.
    pub(super) fn check(&self, header: &Header) -> Result<Arrival, ResponseError> {
        if header.producer_id < 0 {
            return Ok(Arrival::New);
        }
        let Some(producer) = self.0.get(&header.producer_id) else { return Ok(Arrival::New) };
        if header.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        let first = header.base_sequence;
        if header.producer_epoch > producer.epoch {
            return if first == 0 { Ok(Arrival::New) } else { Err(ResponseError::OutOfOrderSequenceNumber) };
        }
        let last = last_sequence(header);
        if let Some(sent) = producer.last.iter().find(|sent| sent.first == first && sent.last == last) {
            return Ok(Arrival::Again(sent.base_offset));
        }
        match (producer.last.front(), producer.last.back()) {
            (_, Some(newest)) if first == after(newest.last) => Ok(Arrival::New),
            (Some(oldest), _) if last < oldest.first => Err(ResponseError::DuplicateSequenceNumber),
            (None, _) => Ok(Arrival::New),
            _ => Err(ResponseError::OutOfOrderSequenceNumber),
        }
    }

    /// Remembers a batch that is in its place.
    pub(super) fn note(&mut self, header: &Header) {
        if header.producer_id < 0 {
            return;
        }
        let fresh = || Producer { epoch: header.producer_epoch, last: VecDeque::new() };
        let producer = self.0.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            *producer = fresh();
        }
        if producer.last.len() == REMEMBERED {
            producer.last.pop_front();
        }
        let last = last_sequence(header);
        producer.last.push_back(Sent { first: header.base_sequence, last, base_offset: header.base_offset });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::batch::{encode, tests::record};
    use super::*;

    fn header(epoch: i16, first: i32, count: i32, base_offset: i64) -> Header {
        let batch = encode(&[record("a")]).unwrap();
        Header {
            producer_id: 9,
            producer_epoch: epoch,
            base_sequence: first,
            last_offset_delta: count - 1,
            base_offset,
            ..Header::read(&batch).unwrap()
        }
    }

    #[test]
    fn a_batch_that_comes_again_is_known_and_a_gap_is_refused() {
        let mut sequences = Sequences::default();
        sequences.note(&header(0, 0, 3, 100));
        sequences.note(&header(0, 3, 2, 200));
        assert_eq!(sequences.check(&header(0, 0, 3, 0)), Ok(Arrival::Again(100)));
        assert_eq!(sequences.check(&header(0, 5, 1, 0)), Ok(Arrival::New));
        assert_eq!(sequences.check(&header(0, 6, 1, 0)), Err(ResponseError::OutOfOrderSequenceNumber));
        for first in (5..50).step_by(3) {
            sequences.note(&header(0, first, 3, 0));
        }
        assert_eq!(sequences.check(&header(0, 0, 3, 0)), Err(ResponseError::DuplicateSequenceNumber));
    }

    #[test]
    fn a_new_epoch_starts_at_zero_and_ends_the_old_one() {
        let mut sequences = Sequences::default();
        sequences.note(&header(1, 0, 3, 100));
        assert_eq!(sequences.check(&header(2, 3, 1, 0)), Err(ResponseError::OutOfOrderSequenceNumber));
        assert_eq!(sequences.check(&header(2, 0, 1, 0)), Ok(Arrival::New));
        sequences.note(&header(2, 0, 1, 103));
        assert_eq!(sequences.check(&header(1, 3, 1, 0)), Err(ResponseError::InvalidProducerEpoch));
    }

    #[test]
    fn sequences_wrap_around() {
        let mut sequences = Sequences::default();
        sequences.note(&header(0, i32::MAX - 1, 2, 0));
        assert_eq!(sequences.check(&header(0, 0, 1, 0)), Ok(Arrival::New));
    }
}
