//! Sets of records, kept as the ranges that they make up.

use std::collections::BTreeMap;

use super::batch::Place;

/// Records of one topic.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// The first and the last record of each range, by the first one's sequence.
    ranges: BTreeMap<u64, (Place, Place)>,
}

/// Records that followed each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first one's line or index.
    pub first: u64,
    /// The last one's.
    pub last: u64,
    /// How many there are. Lines without a record are between them, but none with a record that isn't meant.
    pub count: u64,
}

impl Ranges {
    /// Adds a record; one that is there already is there once.
    pub(super) fn add(&mut self, place: Place) {
        let sequence = place.sequence;
        let before = self.ranges.range(..=sequence).next_back().map(|(_, range)| *range);
        let (mut first, mut last) = (place, place);
        if let Some((begin, end)) = before {
            if end.sequence >= sequence {
                return;
            }
            if end.sequence + 1 == sequence {
                first = begin;
            }
        }
        if let Some((_, end)) = self.ranges.remove(&(sequence + 1)) {
            last = end;
        }
        self.ranges.insert(first.sequence, (first, last));
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.iter().map(|range| range.count).sum()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range> {
        self.ranges.values().map(|(first, last)| Range {
            first: first.number,
            last: last.number,
            count: last.sequence - first.sequence + 1,
        })
    }
}

#[cfg(test)]
impl FromIterator<u64> for Ranges {
    fn from_iter<T: IntoIterator<Item = u64>>(sequences: T) -> Self {
        let mut ranges = Self::default();
        sequences.into_iter().for_each(|sequence| ranges.add(Place { sequence, number: sequence + 1 }));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sequences: &[u64]) -> Vec<(u64, u64, u64)> {
        let mut ranges = Ranges::default();
        for &sequence in sequences {
            // Every second line is empty.
            ranges.add(Place { sequence, number: sequence * 2 + 1 });
        }
        ranges.iter().map(|range| (range.first, range.last, range.count)).collect()
    }

    #[test]
    fn neighbours_become_one_range_whatever_their_order() {
        assert_eq!(of(&[0, 1, 2]), [(1, 5, 3)]);
        assert_eq!(of(&[2, 0, 1]), [(1, 5, 3)]);
        assert_eq!(of(&[5, 3, 9, 4, 8]), [(7, 11, 3), (17, 19, 2)]);
    }

    #[test]
    fn a_record_counts_once() {
        assert_eq!(of(&[4, 5, 6, 5, 4, 6]), [(9, 13, 3)]);
    }

    #[test]
    fn any_order_gives_what_a_set_would() {
        let mut state = 1_u64;
        for _ in 0..200 {
            let mut ranges = Ranges::default();
            let mut set = std::collections::BTreeSet::new();
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let sequence = (state >> 33) % 80;
                ranges.add(Place { sequence, number: sequence });
                set.insert(sequence);
            }
            assert_eq!(ranges.count(), set.len() as u64);
            let spelled: Vec<u64> = ranges.iter().flat_map(|range| range.first..=range.last).collect();
            assert_eq!(spelled, set.into_iter().collect::<Vec<_>>());
        }
    }
}
