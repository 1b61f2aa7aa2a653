//! The file of a partition: batches one after the other. Where each begins is known from reading their headers once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;

use super::batch::{HEADER, Header};

/// Where a batch is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) base_offset: i64,
    position: u64,
    pub(super) max_timestamp: i64,
}

/// A file of batches. It is opened for each look, so that a thousand topics don't hold a thousand descriptors.
#[derive(Debug)]
pub(super) struct Log {
    file: PathBuf,
    places: Vec<Place>,
    /// Bytes of whole batches.
    length: u64,
    /// The offset that the next record gets.
    end: i64,
    /// Whether half a batch may stand behind the whole ones.
    torn: bool,
}

impl Log {
    /// Opens a log, which may not exist yet, and tells the headers of its batches. A torn batch at its end is dropped:
    /// it was never acknowledged.
    pub(super) fn open(file: PathBuf, mut note: impl FnMut(&Header)) -> io::Result<Self> {
        let mut log = Self { file, places: Vec::new(), length: 0, end: 0, torn: false };
        let bytes = match File::open(&log.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(log),
            Err(error) => return Err(error),
        };
        let size = bytes.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, bytes);
        let mut start = [0; HEADER];
        while log.length + HEADER as u64 <= size {
            reader.read_exact(&mut start)?;
            let Some(header) = Header::read(&start).filter(|header| log.length + header.size as u64 <= size) else {
                break;
            };
            if log.length + header.size as u64 == size && !log.is_whole(&header)? {
                break;
            }
            reader.seek_relative((header.size - HEADER) as i64)?;
            log.add(&header);
            note(&header);
        }
        log.torn = log.length < size;
        Ok(log)
    }

    /// Whether the batch behind the known ones is what its checksum says.
    fn is_whole(&self, header: &Header) -> io::Result<bool> {
        let mut batch = vec![0; header.size];
        File::open(&self.file)?.read_exact_at(&mut batch, self.length)?;
        Ok(header.fits(&batch))
    }

    fn add(&mut self, header: &Header) {
        let Header { base_offset, max_timestamp, .. } = *header;
        self.places.push(Place { base_offset, position: self.length, max_timestamp });
        self.length += header.size as u64;
        self.end = header.next_offset();
    }

    /// The offset that the next record gets.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// The first batch that has a record of that time or a later one.
    pub(super) fn since(&self, timestamp: i64) -> Option<Place> {
        self.places.iter().find(|place| place.max_timestamp >= timestamp).copied()
    }

    /// The time of the youngest record.
    pub(super) fn largest_timestamp(&self) -> Option<i64> {
        self.places.iter().map(|place| place.max_timestamp).max()
    }

    /// Appends a batch that has its place.
    pub(super) fn append(&mut self, header: &Header, batch: &[u8]) -> io::Result<()> {
        let mut file = self.open_to_write()?;
        if self.torn {
            file.set_len(self.length)?;
            self.torn = false;
        }
        if let Err(error) = file.write_all(batch) {
            self.torn = true;
            return Err(error);
        }
        self.add(header);
        Ok(())
    }

    fn open_to_write(&self) -> io::Result<File> {
        let open = || OpenOptions::new().append(true).create(true).open(&self.file);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = self.file.parent() {
                    fs::create_dir_all(folder)?;
                }
                open()
            }
            opened => opened,
        }
    }

    /// Whole batches from the one that has the record at `from`, of `most` bytes together, but one at least.
    pub(super) fn read(&self, from: i64, most: usize) -> io::Result<Bytes> {
        if from >= self.end {
            return Ok(Bytes::new());
        }
        let first = self.places.partition_point(|place| place.base_offset <= from).saturating_sub(1);
        let Some(start) = self.places.get(first).map(|place| place.position) else { return Ok(Bytes::new()) };
        let limit = start + most as u64;
        // A batch ends where the next one begins.
        let rest = &self.places[first + 1..];
        let fitting = rest.partition_point(|place| place.position <= limit);
        let end = if fitting == rest.len() && (rest.is_empty() || self.length <= limit) {
            self.length
        } else {
            rest[fitting.saturating_sub(1)].position
        };
        let mut batches = vec![0; (end - start) as usize];
        File::open(&self.file)?.read_exact_at(&mut batches, start)?;
        Ok(batches.into())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::batch::{encode, place, tests::record};
    use super::*;

    fn append(log: &mut Log, values: &[&str]) {
        let records: Vec<_> = values.iter().map(|value| record(value)).collect();
        let mut batch = encode(&records).unwrap();
        place(&mut batch, log.end());
        let header = Header::read(&batch).unwrap();
        log.append(&header, &batch).unwrap();
    }

    fn offsets(log: &Log, from: i64, most: usize) -> Vec<i64> {
        let batches = log.read(from, most).unwrap();
        super::super::batch::decode(batches).unwrap().iter().map(|stored| stored.offset).collect()
    }

    #[test]
    fn whole_batches_are_read_and_one_at_least() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path().join("t/0.log"), |_| {}).unwrap();
        assert_eq!(offsets(&log, 0, 100), [0; 0]);
        append(&mut log, &["a", "b"]);
        append(&mut log, &["c"]);
        append(&mut log, &["d", "e"]);
        assert_eq!(offsets(&log, 0, 1), [0, 1]);
        assert_eq!(offsets(&log, 1, 1), [0, 1]);
        assert_eq!(offsets(&log, 2, 1), [2]);
        assert_eq!(offsets(&log, 3, 1), [3, 4]);
        assert_eq!(offsets(&log, 0, 160), [0, 1, 2]);
        assert_eq!(offsets(&log, 0, 1 << 20), [0, 1, 2, 3, 4]);
        assert_eq!(offsets(&log, 2, 1 << 20), [2, 3, 4]);
        assert_eq!(offsets(&log, 5, 1 << 20), [0; 0]);
    }

    #[test]
    fn a_torn_batch_is_dropped_and_the_next_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("0.log");
        let mut log = Log::open(file.clone(), |_| {}).unwrap();
        append(&mut log, &["a", "b"]);
        let whole = fs::read(&file).unwrap();
        append(&mut log, &["c"]);
        let more = fs::read(&file).unwrap();
        for cut in whole.len()..more.len() {
            fs::write(&file, &more[..cut]).unwrap();
            let mut log = Log::open(file.clone(), |_| {}).unwrap();
            assert_eq!(log.end(), 2, "cut at {cut}");
            append(&mut log, &["d"]);
            assert_eq!(offsets(&log, 0, 1 << 20), [0, 1, 2]);
            let mut seen = 0;
            assert_eq!(Log::open(file.clone(), |_| seen += 1).unwrap().end(), 3);
            assert_eq!(seen, 2);
        }
        let mut damaged = more.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&file, damaged).unwrap();
        assert_eq!(Log::open(file, |_| {}).unwrap().end(), 2);
    }
}
