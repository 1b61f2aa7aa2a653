//! Records in the form in which they are posted, written once and never parsed again.

use std::ops::Range;

/// What a post of JSON records begins and ends with, in the REST proxy's format v2.
const HEAD: &[u8] = br#"{"records":["#;
const TAIL: &[u8] = b"]}";

/// Records for one post.
#[derive(Clone, Debug)]
pub struct Batch {
    body: Vec<u8>,
    slots: Vec<Slot>,
}

/// A record within a batch.
#[derive(Clone, Debug)]
struct Slot {
    place: Place,
    /// The record as the REST proxy takes it, with its key and value.
    whole: Range<usize>,
    value: Range<usize>,
}

/// Which record it is, among those of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its number among those that go to its topic, without gaps.
    pub sequence: u64,
    /// What tells it to a person: the line that it is on, or its index.
    pub number: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self { body: HEAD.to_vec(), slots: Vec::new() }
    }
}

impl Batch {
    /// A batch of these values, which are JSON, without keys; their places count from 0.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut batch = Self::default();
        for (number, value) in (0..).zip(values) {
            batch.push(Place { sequence: number, number }, None, value);
        }
        batch
    }

    /// Adds a record; key and value are JSON.
    pub fn push(&mut self, place: Place, key: Option<&[u8]>, value: &[u8]) {
        self.write(place, key, |body| body.extend_from_slice(value));
    }

    /// Adds a record whose value, JSON, is written straight into the body.
    pub fn write(&mut self, place: Place, key: Option<&[u8]>, value: impl FnOnce(&mut Vec<u8>)) {
        if !self.slots.is_empty() {
            self.body.push(b',');
        }
        let begin = self.body.len();
        self.body.push(b'{');
        if let Some(key) = key {
            self.body.extend_from_slice(br#""key":"#);
            self.body.extend_from_slice(key);
            self.body.push(b',');
        }
        self.body.extend_from_slice(br#""value":"#);
        let value_begin = self.body.len();
        value(&mut self.body);
        let value = value_begin..self.body.len();
        self.body.push(b'}');
        self.slots.push(Slot { place, whole: begin..self.body.len(), value });
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How long the body will be.
    pub fn bytes(&self) -> usize {
        self.body.len() + TAIL.len()
    }

    /// The body, and where its records are.
    pub(super) fn close(mut self) -> (Vec<u8>, Records) {
        self.body.extend_from_slice(TAIL);
        (self.body, Records(self.slots))
    }
}

/// Where the records of a closed batch are in its body.
#[derive(Clone, Debug)]
pub(super) struct Records(Vec<Slot>);

impl Records {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().map(|slot| slot.place)
    }

    pub(super) fn place(&self, position: usize) -> Place {
        self.0[position].place
    }

    /// The value of a record.
    pub(super) fn value<'a>(&self, body: &'a [u8], position: usize) -> &'a [u8] {
        &body[self.0[position].value.clone()]
    }

    /// Some of the records, in a batch of their own.
    pub(super) fn only(&self, body: &[u8], positions: impl IntoIterator<Item = usize>) -> Batch {
        let mut batch = Batch::default();
        for position in positions {
            let slot = &self.0[position];
            if !batch.slots.is_empty() {
                batch.body.push(b',');
            }
            let begin = batch.body.len();
            batch.body.extend_from_slice(&body[slot.whole.clone()]);
            let moved = |place: usize| place - slot.whole.start + begin;
            let value = moved(slot.value.start)..moved(slot.value.end);
            batch.slots.push(Slot { place: slot.place, whole: begin..batch.body.len(), value });
        }
        batch
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn at(number: u64) -> Place {
        Place { sequence: number, number: number * 10 }
    }

    #[test]
    fn a_body_is_what_the_rest_proxy_takes() {
        let mut batch = Batch::default();
        batch.push(at(0), None, b"{\"a\":1}");
        batch.push(at(1), Some(b"\"k\""), b"null");
        let told = batch.bytes();
        let (body, _) = batch.close();
        assert_eq!(std::str::from_utf8(&body), Ok(r#"{"records":[{"value":{"a":1}},{"key":"k","value":null}]}"#));
        assert_eq!(body.len(), told);
        let (empty, _) = Batch::default().close();
        assert_eq!(empty, br#"{"records":[]}"#);
    }

    #[test]
    fn some_of_its_records_keep_their_places_and_values() {
        let mut batch = Batch::default();
        for number in 0..5 {
            batch.push(at(number), Some(b"7"), number.to_string().as_bytes());
        }
        let (body, records) = batch.close();
        let (body, records) = records.only(&body, [1, 4]).close();
        assert_eq!(std::str::from_utf8(&body).unwrap(), r#"{"records":[{"key":7,"value":1},{"key":7,"value":4}]}"#);
        assert_eq!(records.places().collect::<Vec<_>>(), [at(1), at(4)]);
        assert_eq!((records.value(&body, 0), records.value(&body, 1)), (b"1".as_slice(), b"4".as_slice()));
        // And some of those again.
        let (body, records) = records.only(&body, [1]).close();
        assert_eq!(records.value(&body, 0), b"4");
    }
}
