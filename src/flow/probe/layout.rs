//! Where a sink's objects are, from the connector's configuration.

use std::collections::BTreeMap;

/// The partitioner that is used where none is named.
const DEFAULT_PARTITIONER: &str = "io.confluent.connect.storage.partitioner.DefaultPartitioner";

/// The formats whose objects have a record on each line.
const FORMATS: [&str; 2] =
    ["io.confluent.connect.s3.format.json.JsonFormat", "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"];
/// How many offsets may be left out within an object, as tombstones are.
const GAP: i64 = 1000;

/// How a connector names its objects (<https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the keys of a topic begin with, up to the topic: `topics/`.
    folder: String,
    delimiter: String,
    /// How the objects of a partition are told apart.
    naming: Naming,
    /// Records per object, at most.
    flush_size: i64,
}

/// How the objects of a topic's partition are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By partition, and by the offset of an object's first record in so many digits: one look finds it.
    Offset {
        /// Between topic, partition and offset.
        delimiter: String,
        /// How many digits the offset has at least.
        width: usize,
    },
    /// By something in the records, or by time: all of the topic's objects that are young enough are looked into.
    Other,
}

impl Layout {
    /// The layout of a connector's configuration.
    ///
    /// # Errors
    /// Why its objects can't be looked into.
    pub fn of(configuration: &BTreeMap<String, String>) -> Result<Self, String> {
        let format = configuration.get("format.class").map_or(FORMATS[0], String::as_str).trim();
        if !FORMATS.contains(&format) {
            return Err(format!("its objects are written with {format}, which verify can't read"));
        }
        let value = |key: &str, default: &str| configuration.get(key).map_or(default, String::as_str).trim().to_owned();
        let delimiter = value("directory.delim", "/");
        let naming = if value("partitioner.class", DEFAULT_PARTITIONER) == DEFAULT_PARTITIONER {
            Naming::Offset {
                delimiter: value("file.delim", "+"),
                width: value("filename.offset.zero.pad.width", "10").parse().unwrap_or(10),
            }
        } else {
            Naming::Other
        };
        Ok(Self {
            folder: format!("{}{delimiter}", value("topics.dir", "topics")),
            delimiter,
            naming,
            flush_size: value("flush.size", "1").parse().unwrap_or(1),
        })
    }

    /// What the keys of the objects begin with that may have a record, and the key after which they come.
    pub fn search(&self, topic: &str, partition: i32, offset: i64) -> (String, Option<String>) {
        let Self { folder, delimiter, .. } = self;
        match &self.naming {
            Naming::Other => (format!("{folder}{topic}{delimiter}"), None),
            Naming::Offset { delimiter: file, width } => {
                let prefix =
                    format!("{folder}{topic}{delimiter}partition={partition}{delimiter}{topic}{file}{partition}{file}");
                // An object has `flush.size` records at most, so none that begins much earlier can have it. Offsets have
                // gaps where records are left out, and keys sort as numbers only as long as all have as many digits.
                let earliest = offset - self.flush_size.saturating_mul(2) - GAP;
                let sorts = offset.to_string().len() <= *width;
                let after = (earliest >= 0 && sorts).then(|| format!("{prefix}{earliest:0width$}", width = *width));
                (prefix, after)
            }
        }
    }

    /// The offset of the first record of an object, where its key tells it.
    pub fn first_offset(&self, key: &str) -> Option<i64> {
        let Naming::Offset { delimiter, .. } = &self.naming else { return None };
        let name = key.rsplit(delimiter.as_str()).next()?;
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn layout(pairs: &[(&str, &str)]) -> Layout {
        Layout::of(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()).unwrap()
    }

    #[test]
    fn one_look_finds_an_object_that_is_named_by_offset() {
        let layout = layout(&[("flush.size", "100")]);
        let (prefix, after) = layout.search("a.pin", 2, 91234);
        assert_eq!(prefix, "topics/a.pin/partition=2/a.pin+2+");
        assert_eq!(after.as_deref(), Some("topics/a.pin/partition=2/a.pin+2+0000090034"));
        assert_eq!(layout.search("a.pin", 2, 12).1, None);
        assert_eq!(layout.first_offset("topics/a.pin/partition=2/a.pin+2+0000001200.json.gz"), Some(1200));
    }

    #[test]
    fn names_that_are_not_the_usual_ones_are_followed() {
        let usual = layout(&[
            ("topics.dir", "raw"),
            ("directory.delim", "_"),
            ("file.delim", "-"),
            ("filename.offset.zero.pad.width", "4"),
            ("flush.size", "1"),
        ]);
        let (prefix, after) = usual.search("t", 0, 7007);
        assert_eq!((prefix.as_str(), after.as_deref()), ("raw_t_partition=0_t-0-", Some("raw_t_partition=0_t-0-6005")));
        // Where offsets have outgrown their digits, keys don't sort as they do.
        assert_eq!(usual.search("t", 0, 10_005).1, None);
        assert!(Layout::of(&[("format.class".to_owned(), "a.ParquetFormat".to_owned())].into()).is_err());
        let timed = layout(&[("partitioner.class", "io.confluent.connect.storage.partitioner.HourlyPartitioner")]);
        assert_eq!(timed.search("t", 0, 7), ("topics/t/".to_owned(), None));
        assert_eq!(timed.first_offset("topics/t/year=2026/t+0+0000000007.json"), None);
    }
}
