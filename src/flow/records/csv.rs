//! Comma-separated values: the header names the fields, and what looks like a JSON number, `true`, `false` or `null` is one.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder, Terminator, WriterBuilder};

use super::reading::{LONGEST_ROW, Row};

const BUFFER: usize = 64 * 1024;

/// Gives each row after the header to `each`.
pub(super) fn read(
    source: impl Read,
    key: Option<&str>,
    text: bool,
    mut each: impl FnMut(Row) -> io::Result<()>,
) -> io::Result<()> {
    let since = Rc::new(Cell::new(0));
    let source = Bounded { source, since: Rc::clone(&since), last: b'\n' };
    // With the reader's own idea of where a line ends, nobody could tell on which one a row begins.
    let mut rows = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .buffer_capacity(BUFFER)
        .from_reader(source);
    let mut header = None;
    let mut row = ByteRecord::new();
    loop {
        since.set(0);
        if !rows.read_byte_record(&mut row).map_err(unreadable)? {
            return Ok(());
        }
        strip_return(&mut row);
        if row.len() == 1 && row.as_slice().is_empty() {
            continue;
        }
        let within = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let line = rows.position().line() - 1 - within;
        match &header {
            None => header = Some(Header::of(&row, key, text)?),
            Some(header) => each(header.row(line, &row))?,
        }
    }
}

/// Takes the carriage return of a line's end from a row's last value.
fn strip_return(row: &mut ByteRecord) {
    if let Some(last) = row.len().checked_sub(1)
        && let Some(value) = row.get(last).and_then(|value| value.strip_suffix(b"\r"))
    {
        let value = value.to_owned();
        row.truncate(last);
        row.push_field(&value);
    }
}

/// Reads on only as long as a row is not too long: a quote that is never closed would make one of all that follows. The
/// last line gets an end, where it has none.
struct Bounded<R> {
    source: R,
    /// How much was read since the last row was complete.
    since: Rc<Cell<usize>>,
    last: u8,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > LONGEST_ROW {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the row after the last one that was read is longer than the 10 MB that API Gateway takes; look there \
                 for a quote that is not closed",
            ));
        }
        let mut read = self.source.read(buffer)?;
        if read == 0 && self.last != b'\n' && !buffer.is_empty() {
            buffer[0] = b'\n';
            read = 1;
        }
        if let Some(last) = buffer[..read].last() {
            self.last = *last;
        }
        self.since.set(self.since.get() + read);
        Ok(read)
    }
}

fn unreadable(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        // Rows of bytes, of any length each, can't be wrong otherwise.
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// The fields.
struct Header {
    /// Their names, as JSON, each with its colon.
    names: Vec<Vec<u8>>,
    key: Option<usize>,
    text: bool,
}

impl Header {
    fn of(row: &ByteRecord, key: Option<&str>, text: bool) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let mut names = Vec::new();
        let mut known = BTreeSet::new();
        for (number, name) in (1..).zip(row) {
            let name = std::str::from_utf8(name)
                .map_err(|_| invalid(format!("the header's column {number} is not UTF-8; save the file as UTF-8")))?;
            let name = name.strip_prefix('\u{feff}').unwrap_or(name).trim();
            if name.is_empty() {
                return Err(invalid(format!(
                    "the header's column {number} has no name; the first row names the fields"
                )));
            }
            if !known.insert(name) {
                return Err(invalid(format!("the header has the name \"{name}\" twice")));
            }
            names.push(name);
        }
        let key = match key {
            Some(key) => Some(names.iter().position(|name| *name == key).ok_or_else(|| {
                invalid(format!("there is no column \"{key}\" for --key; there is {}", names.join(", ")))
            })?),
            None => None,
        };
        let quoted = |name: &str| format!("{}:", serde_json::Value::from(name)).into_bytes();
        Ok(Self { names: names.into_iter().map(quoted).collect(), key, text })
    }

    fn row(&self, line: u64, row: &ByteRecord) -> Row {
        let raw = || as_written(row);
        if row.len() != self.names.len() {
            let reason = format!("expected {} values, as the header has, got {}", self.names.len(), row.len());
            return Row::bad(line, reason, &raw());
        }
        let mut value = Vec::with_capacity(row.as_slice().len() + self.names.iter().map(Vec::len).sum::<usize>());
        let mut key = None;
        for (place, (name, field)) in self.names.iter().zip(row).enumerate() {
            value.push(if place == 0 { b'{' } else { b',' });
            value.extend_from_slice(name);
            let begin = value.len();
            let Ok(field) = std::str::from_utf8(field) else {
                return Row::bad(line, format!("column {} is not UTF-8", place + 1), &raw());
            };
            if !self.text && is_bare(field) {
                value.extend_from_slice(field.as_bytes());
            } else if serde_json::to_writer(&mut value, field).is_err() {
                return Row::bad(line, format!("column {} can't be written as JSON", place + 1), &raw());
            }
            if self.key == Some(place) {
                key = Some(value[begin..].to_vec());
            }
        }
        value.push(b'}');
        Row::Record { line, key, value }
    }
}

/// A row in one line, to be repaired and sent again.
fn as_written(row: &ByteRecord) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).flexible(true).from_writer(Vec::new());
    // Writing to a vector does not fail.
    let _ = writer.write_byte_record(row);
    let mut line = writer.into_inner().unwrap_or_default();
    line.pop();
    line
}

/// Whether a text is a number, a truth value or null in JSON: `007` and `+1` are texts.
fn is_bare(text: &str) -> bool {
    match text.as_bytes() {
        [] => false,
        [first, .., last] | [first @ last] => match first {
            b'-' | b'0'..=b'9' => last.is_ascii_digit() && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
            b't' | b'f' | b'n' => matches!(text, "true" | "false" | "null"),
            _ => false,
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::BadRow;
    use super::*;

    fn rows(csv: &[u8], key: Option<&str>, text: bool) -> io::Result<Vec<String>> {
        let mut told = Vec::new();
        let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        read(csv, key, text, |row| {
            told.push(match row {
                Row::Record { line, key, value } => {
                    format!("{line} {} {}", key.map(text_of).unwrap_or_default(), text_of(value))
                }
                Row::Bad(BadRow { line, reason, record }) => format!("{line} {reason} | {}", text_of(record)),
            });
            Ok(())
        })?;
        Ok(told)
    }

    #[test]
    fn values_become_what_they_look_like() {
        let csv = b"\xef\xbb\xbfn,t\r\n1,true\r\n-2.50e3,null\r\n007,+1\r\n,TRUE\r\n1 ,NaN\r\n-,1.\r\n";
        assert_eq!(
            rows(csv, None, false).unwrap(),
            [
                r#"2  {"n":1,"t":true}"#,
                r#"3  {"n":-2.50e3,"t":null}"#,
                r#"4  {"n":"007","t":"+1"}"#,
                r#"5  {"n":"","t":"TRUE"}"#,
                r#"6  {"n":"1 ","t":"NaN"}"#,
                r#"7  {"n":"-","t":"1."}"#,
            ]
        );
        assert_eq!(
            rows(b"\r\nn,t\r\n\r\n\"1\",\"x\r\ny\"\r\n2,3", None, false).unwrap(),
            [r#"4  {"n":1,"t":"x\r\ny"}"#, r#"6  {"n":2,"t":3}"#,]
        );
        assert_eq!(rows(b"n,t\n1,true\n", None, true).unwrap(), [r#"2  {"n":"1","t":"true"}"#]);
    }

    #[test]
    fn quotes_and_lines_within_values() {
        let csv = b"a,\"b \"\"x\"\"\"\n\"one\ntwo\",\"say \"\"hi\"\"\"\n\nlast,\xc3\xa9";
        assert_eq!(
            rows(csv, None, false).unwrap(),
            [r#"2  {"a":"one\ntwo","b \"x\"":"say \"hi\""}"#, r#"5  {"a":"last","b \"x\"":"é"}"#]
        );
    }

    #[test]
    fn rows_that_do_not_fit_the_header_are_bad_and_the_others_are_not() {
        let csv = b"a,b\n1\n1,2,3\n1,\xff\n1,2\n";
        assert_eq!(
            rows(csv, None, false).unwrap(),
            [
                "2 expected 2 values, as the header has, got 1 | \"1\"",
                "3 expected 2 values, as the header has, got 3 | \"1,2,3\"",
                "4 column 2 is not UTF-8 | \"1,\u{fffd}\"",
                "5  {\"a\":1,\"b\":2}",
            ]
        );
    }

    #[test]
    fn the_key_is_a_column() {
        assert_eq!(rows(b"a,b\nx,2\n", Some("a"), false).unwrap(), [r#"2 "x" {"a":"x","b":2}"#]);
        let error = rows(b"a,b\n", Some("c"), false).unwrap_err().to_string();
        assert_eq!(error, "there is no column \"c\" for --key; there is a, b");
    }

    #[test]
    fn a_header_must_name_each_column_once() {
        let told = |csv: &[u8]| rows(csv, None, false).unwrap_err().to_string();
        assert_eq!(told(b"a,,c\n"), "the header's column 2 has no name; the first row names the fields");
        assert_eq!(told(b"a,b,a\n"), "the header has the name \"a\" twice");
        assert_eq!(told(b"a,\xff\n"), "the header's column 2 is not UTF-8; save the file as UTF-8");
        assert_eq!(rows(b"", None, false).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_no_more_than_a_row_may() {
        let mut csv = b"a\n1\n\"".to_vec();
        csv.extend(std::iter::repeat_n(b"x\n", LONGEST_ROW).flatten());
        let error = rows(&csv, None, false).unwrap_err().to_string();
        assert!(error.contains("a quote that is not closed"), "{error}");
    }
}
