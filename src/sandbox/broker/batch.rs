//! Record batches, as Kafka has them since 0.11 (<https://kafka.apache.org/documentation/#recordbatch>).

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

use crate::sandbox::world::Millis;

/// Bytes before the records of a batch.
pub(super) const HEADER: usize = 61;
/// Bytes that the length of a batch does not count: its base offset and the length itself.
pub(super) const LENGTH_AFTER: usize = 12;
/// What the checksum covers begins here.
const CRC_FROM: usize = 21;
/// The version of the format.
const MAGIC: u8 = 2;
/// The attribute that says so.
const LOG_APPEND_TIME: u8 = 0b1000;

/// A record, without its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Option<Bytes>,
    /// None: a tombstone.
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
    /// When it was made, as whoever made it says.
    pub(crate) timestamp: Millis,
}

/// A record in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    pub(crate) record: Record,
}

/// Puts records into one batch, whose first has the offset 0.
///
/// # Errors
/// `CorruptMessage` where they can't be written.
pub(super) fn encode(records: &[Record]) -> Result<BytesMut, ResponseError> {
    let records: Vec<_> = records.iter().zip(0..).map(|(record, offset)| encodable(record, offset)).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: MAGIC as i8, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &records, &options).map_err(|_| ResponseError::CorruptMessage)?;
    Ok(batch)
}

fn encodable(record: &Record, offset: i32) -> kafka_protocol::records::Record {
    let headers: IndexMap<StrBytes, Option<Bytes>> =
        record.headers.iter().map(|(name, value)| (StrBytes::from_string(name.clone()), value.clone())).collect();
    kafka_protocol::records::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(offset),
        // One batch for all needs sequences that go with the offsets; the first is -1, which means none.
        sequence: offset - 1,
        timestamp: record.timestamp as i64,
        key: record.key.clone(),
        value: record.value.clone(),
        headers,
    }
}

/// Takes batches apart.
///
/// # Errors
/// `CorruptMessage` where they are none, or are compressed in a way that nobody knows.
pub(super) fn decode(mut batches: Bytes) -> Result<Vec<Stored>, ResponseError> {
    let mut records = Vec::new();
    while let Some(header) = Header::read(&batches) {
        let set = RecordBatchDecoder::decode(&mut batches).map_err(|_| ResponseError::CorruptMessage)?;
        let stored = |record: kafka_protocol::records::Record| Stored {
            offset: record.offset,
            record: Record {
                key: record.key,
                value: record.value,
                headers: record.headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
                timestamp: if header.is_stamped() { header.max_timestamp } else { record.timestamp }.max(0) as Millis,
            },
        };
        records.extend(set.records.into_iter().filter(|record| !record.control).map(stored));
    }
    if batches.is_empty() { Ok(records) } else { Err(ResponseError::CorruptMessage) }
}

/// What the header of a batch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    /// Bytes of the whole batch.
    pub(super) size: usize,
    pub(super) magic: u8,
    pub(super) crc: u32,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) count: i32,
}

impl Header {
    /// Reads the header at the beginning of some bytes. None where it isn't one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let field = |from: usize| bytes.get(from..);
        let i32_at = |from| Some(i32::from_be_bytes(*field(from)?.first_chunk()?));
        let i64_at = |from| Some(i64::from_be_bytes(*field(from)?.first_chunk()?));
        let i16_at = |from| Some(i16::from_be_bytes(*field(from)?.first_chunk()?));
        let length = usize::try_from(i32_at(8)?).ok().filter(|length| length + LENGTH_AFTER >= HEADER)?;
        Some(Self {
            base_offset: i64_at(0)?,
            size: length + LENGTH_AFTER,
            magic: *bytes.get(16)?,
            crc: u32::from_be_bytes(*field(17)?.first_chunk()?),
            attributes: i16_at(CRC_FROM)?,
            last_offset_delta: i32_at(23)?,
            max_timestamp: i64_at(35)?,
            producer_id: i64_at(43)?,
            producer_epoch: i16_at(51)?,
            base_sequence: i32_at(53)?,
            count: i32_at(57)?,
        })
        .filter(|header| header.magic == MAGIC)
    }

    /// Whether the bytes of the whole batch are those that its checksum was made of.
    pub(super) fn fits(&self, batch: &[u8]) -> bool {
        batch.get(CRC_FROM..self.size).is_some_and(|covered| crc32c::crc32c(covered) == self.crc)
    }

    /// The offset after its last record.
    pub(super) fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }

    /// Whether the broker's clock counts, and is in `max_timestamp`.
    fn is_stamped(&self) -> bool {
        self.attributes & i16::from(LOG_APPEND_TIME) != 0
    }

    /// Whether a producer may send it: complete, and neither part of a transaction nor a marker of one.
    pub(super) fn check(&self, batch: &[u8]) -> Result<(), ResponseError> {
        const TRANSACTIONAL_OR_CONTROL: i16 = 0b11_0000;
        if !self.fits(batch) {
            return Err(ResponseError::CorruptMessage);
        }
        if self.attributes & TRANSACTIONAL_OR_CONTROL != 0 {
            return Err(ResponseError::InvalidTxnState);
        }
        // Every record takes some bytes; packed ones fewer, but never this few.
        const MOST_PER_BYTE: usize = 1024;
        let count = usize::try_from(self.count).unwrap_or_default();
        let fits = (1..=(self.size - HEADER).saturating_mul(MOST_PER_BYTE)).contains(&count);
        if !fits || self.last_offset_delta != self.count - 1 {
            return Err(ResponseError::InvalidRecord);
        }
        Ok(())
    }
}

/// Gives a batch its place: the checksum doesn't cover the base offset and the leader's epoch.
pub(super) fn place(batch: &mut [u8], base_offset: i64) {
    if let Some(bytes) = batch.first_chunk_mut() {
        *bytes = base_offset.to_be_bytes();
    }
    if let Some(bytes) = batch.get_mut(LENGTH_AFTER..).and_then(|rest| rest.first_chunk_mut()) {
        *bytes = 0_i32.to_be_bytes();
    }
}

/// Says in a batch that the broker's clock counts, and makes its checksum anew.
pub(super) fn stamp(batch: &mut [u8], now: Millis) {
    let set = |batch: &mut [u8], at: usize, bytes: &[u8]| {
        if let Some(place) = batch.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    if let Some(attributes) = batch.get_mut(CRC_FROM + 1) {
        *attributes |= LOG_APPEND_TIME;
    }
    set(batch, 35, &(now as i64).to_be_bytes());
    let crc = crc32c::crc32c(batch.get(CRC_FROM..).unwrap_or_default());
    set(batch, 17, &crc.to_be_bytes());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use super::*;

    pub(in crate::sandbox::broker) fn record(value: &str) -> Record {
        Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), timestamp: 7, ..Record::default() }
    }

    #[test]
    fn what_is_put_into_a_batch_comes_out_of_it() {
        let mut records = vec![record("a"), record("b"), Record { timestamp: 9, ..Record::default() }];
        records[1].key = Some(Bytes::from_static(b"k"));
        records[1].headers = vec![("h".to_owned(), None), ("i".to_owned(), Some(Bytes::from_static(b"v")))];
        let mut batch = encode(&records).unwrap();
        place(&mut batch, 40);
        let header = Header::read(&batch).unwrap();
        assert_eq!((header.base_offset, header.next_offset(), header.max_timestamp), (40, 43, 9));
        assert_eq!((header.producer_id, header.base_sequence, header.size), (-1, -1, batch.len()));
        assert_eq!(header.check(&batch), Ok(()));
        let stored = decode(batch.freeze()).unwrap();
        assert_eq!(stored.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [40, 41, 42]);
        assert_eq!(stored.into_iter().map(|stored| stored.record).collect::<Vec<_>>(), records);
    }

    #[test]
    fn a_batch_that_was_damaged_is_refused() {
        let mut batch = encode(&[record("hello")]).unwrap();
        let last = batch.len() - 2;
        batch[last] ^= 1;
        let header = Header::read(&batch).unwrap();
        assert_eq!(header.check(&batch), Err(ResponseError::CorruptMessage));
        assert!(Header::read(b"not a batch").is_none());
    }

    #[test]
    fn the_brokers_clock_can_be_stamped_on() {
        let mut batch = encode(&[record("a"), record("b")]).unwrap();
        stamp(&mut batch, 1234);
        let header = Header::read(&batch).unwrap();
        assert_eq!((header.check(&batch), header.max_timestamp), (Ok(()), 1234));
    }
}
