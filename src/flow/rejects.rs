//! The records that did not get through, in a file from which they can be sent again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::records::Unit;

/// Why a record was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was refused, and would be again.
    Rejected,
    /// There was no end to the trouble, or no time left.
    Failed,
}

/// A record that was not acknowledged.
#[derive(Clone, Debug)]
pub struct Lost {
    /// Whether it was refused.
    pub fate: Fate,
    /// Its line or index.
    pub number: u64,
    /// The topic that it was for.
    pub topic: String,
    /// Why it was not acknowledged.
    pub reason: String,
    /// Whether it may be in the topic all the same.
    pub in_doubt: bool,
    /// The record, as JSON; a text, where it was no record.
    pub record: Vec<u8>,
}

impl Lost {
    /// What is told of it, without the record.
    pub fn told(&self, unit: Unit) -> Value {
        json!({
            unit.name(): self.number,
            "topic": self.topic,
            "fate": self.fate,
            "reason": self.reason,
            "may_be_written": self.in_doubt,
        })
    }
}

impl Unit {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Line => "line",
        }
    }
}

/// The file of `--rejects`.
#[derive(Debug)]
pub struct Rejects(BufWriter<File>);

impl Rejects {
    /// Adds to a file, which is made where there is none.
    ///
    /// # Errors
    /// Where that can't be.
    pub fn append(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(|file| Self(BufWriter::new(file)))
    }

    /// Writes a line of JSON.
    pub(super) fn write(&mut self, lost: &Lost, unit: Unit) -> io::Result<()> {
        let mut line = lost.told(unit).to_string();
        // The record is JSON already, and may be large.
        line.pop();
        self.0.write_all(line.as_bytes())?;
        self.0.write_all(b",\"record\":")?;
        self.0.write_all(&lost.record)?;
        self.0.write_all(b"}\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_and_hold_the_record_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.jsonl");
        for number in [3, 4] {
            let lost = Lost {
                fate: Fate::Rejected,
                number,
                topic: "t".to_owned(),
                reason: "too \"large\"".to_owned(),
                in_doubt: false,
                record: br#"{"a": 1.50}"#.to_vec(),
            };
            let mut rejects = Rejects::append(&path).unwrap();
            rejects.write(&lost, Unit::Line).unwrap();
            rejects.flush().unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            r#"{"line":3,"topic":"t","fate":"rejected","reason":"too \"large\"","may_be_written":false,"record":{"a": 1.50}}"#
        );
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["line"], &lines[1]["line"], &lines[1]["record"]["a"]),
            (&json!(3), &json!(4), &json!(1.5))
        );
    }
}
