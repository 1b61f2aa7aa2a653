//! Which partition a record goes to that names none, as a Java producer's default partitioner has it: by the key's hash,
//! or, without a key, to one partition for a whole batch and to another one for the next.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The partition of a key.
pub(in crate::sandbox) fn of_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |k, byte| k << 8 | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |k, byte| k << 8 | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash as i32
}

/// Whose turn it is among the partitions of each topic.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Uuid, u32>>);

impl Turns {
    /// The partition for the next batch without keys. Kafka's choice is random; taking turns spreads as evenly, and is
    /// the same every time.
    pub(super) fn next(&self, topic: Uuid, partitions: i32) -> i32 {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(topic).or_default();
        let partition = *turn % partitions.max(1) as u32;
        *turn = turn.wrapping_add(1);
        partition as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn the_hash_is_kafkas() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn a_key_has_one_partition() {
        assert_eq!(of_key(b"foobar", 3), (-790_332_482 & 0x7fff_ffff) % 3);
        assert_eq!(of_key(b"", 1), 0);
    }

    #[test]
    fn each_topic_takes_turns_of_its_own() {
        let (turns, one, other) = (Turns::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let taken = [one, other, one, other, one, one].map(|topic| turns.next(topic, 3));
        assert_eq!(taken, [0, 0, 1, 1, 2, 0]);
    }
}
