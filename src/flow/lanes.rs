//! The batches that are being filled, one for each topic.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::batch::{Batch, Place};

/// How full a batch gets before it is posted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most records of a post.
    pub records: usize,
    /// The most bytes of a post, unless one record alone has more.
    pub bytes: usize,
    /// How long a record waits for others.
    pub linger: Duration,
}

/// A batch for each topic, and those that are full.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    ready: VecDeque<(usize, Batch)>,
    limits: Limits,
}

#[derive(Debug)]
struct Lane {
    topic: String,
    batch: Batch,
    /// When the first record of the batch came.
    opened: Instant,
    /// How many records went to this topic.
    count: u64,
}

impl Lanes {
    /// Lanes to these topics.
    pub fn new(topics: impl IntoIterator<Item = String>, limits: Limits) -> Self {
        let lane = |topic| Lane { topic, batch: Batch::default(), opened: Instant::now(), count: 0 };
        Self { lanes: topics.into_iter().map(lane).collect(), ready: VecDeque::new(), limits }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn topic(&self, lane: usize) -> &str {
        &self.lanes[lane].topic
    }

    /// Adds a record of about so many bytes to a lane; its value is written by `value`.
    pub(super) fn write(
        &mut self,
        lane: usize,
        number: u64,
        key: Option<&[u8]>,
        bytes: usize,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        if !self.lanes[lane].batch.is_empty() && self.lanes[lane].batch.bytes() + bytes > self.limits.bytes {
            self.close(lane);
        }
        let Lane { batch, opened, count, .. } = &mut self.lanes[lane];
        if batch.is_empty() {
            *opened = Instant::now();
        }
        batch.write(Place { sequence: *count, number }, key, value);
        *count += 1;
        if batch.len() >= self.limits.records || batch.bytes() >= self.limits.bytes {
            self.close(lane);
        }
    }

    fn close(&mut self, lane: usize) {
        let batch = std::mem::take(&mut self.lanes[lane].batch);
        if !batch.is_empty() {
            self.ready.push_back((lane, batch));
        }
    }

    /// Closes every batch that has waited long enough.
    pub(super) fn close_due(&mut self, now: Instant) {
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].opened + self.limits.linger <= now {
                self.close(lane);
            }
        }
    }

    /// Closes all batches.
    pub(super) fn close_all(&mut self) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
    }

    /// When the next batch has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        let open = self.lanes.iter().filter(|lane| !lane.batch.is_empty());
        open.map(|lane| lane.opened + self.limits.linger).min()
    }

    /// Whether a batch waits to be posted.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The batch that has waited longest to be posted.
    pub(super) fn next_ready(&mut self) -> Option<(usize, Batch)> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(records: usize, bytes: usize) -> Lanes {
        let limits = Limits { records, bytes, linger: Duration::from_millis(100) };
        Lanes::new(["a".to_owned(), "b".to_owned()], limits)
    }

    fn write(lanes: &mut Lanes, lane: usize, number: u64, value: &[u8]) {
        lanes.write(lane, number, None, value.len(), |body| body.extend_from_slice(value));
    }

    fn ready(lanes: &mut Lanes) -> Vec<(usize, usize)> {
        std::iter::from_fn(|| lanes.next_ready()).map(|(lane, batch)| (lane, batch.len())).collect()
    }

    #[tokio::test]
    async fn a_batch_is_closed_by_its_count() {
        let mut lanes = lanes(3, 1 << 20);
        for number in 0..7 {
            write(&mut lanes, 0, number, b"1");
        }
        write(&mut lanes, 1, 0, b"1");
        assert_eq!(ready(&mut lanes), [(0, 3), (0, 3)]);
        lanes.close_all();
        assert_eq!(ready(&mut lanes), [(0, 1), (1, 1)]);
        assert!(lanes.due().is_none() && !lanes.has_ready());
    }

    #[tokio::test]
    async fn a_batch_is_closed_by_its_bytes_and_a_large_record_goes_alone() {
        let mut lanes = lanes(100, 200);
        let (small, large) = ([b'1'; 60], [b'1'; 500]);
        for value in [small.as_slice(), &small, &small, &large, &small] {
            write(&mut lanes, 0, 0, value);
        }
        lanes.close_all();
        assert_eq!(ready(&mut lanes), [(0, 2), (0, 1), (0, 1), (0, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_waits_no_longer_than_the_linger() {
        let mut lanes = lanes(100, 1 << 20);
        write(&mut lanes, 1, 0, b"1");
        tokio::time::advance(Duration::from_millis(60)).await;
        write(&mut lanes, 1, 1, b"1");
        write(&mut lanes, 0, 0, b"1");
        lanes.close_due(Instant::now());
        assert!(!lanes.has_ready());
        tokio::time::advance(Duration::from_millis(40)).await;
        assert_eq!(lanes.due(), Some(Instant::now()));
        lanes.close_due(Instant::now());
        assert_eq!(ready(&mut lanes), [(1, 2)]);
        assert_eq!(lanes.due(), Some(Instant::now() + Duration::from_millis(60)));
    }
}
