//! JSON Lines: a JSON value on each line. Values are looked through, and passed on as they are written.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::BadRow;
use super::reading::{LONGEST_ROW, Row};

const BUFFER: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Gives each line that isn't empty to `each`.
pub(super) fn read(
    source: impl Read,
    key: Option<&str>,
    mut each: impl FnMut(Row) -> io::Result<()>,
) -> io::Result<()> {
    let mut lines = Lines { source: BufReader::with_capacity(BUFFER, source), line: Vec::new() };
    for number in 1_u64.. {
        let Some(fits) = lines.next()? else { break };
        let line = lines.line.as_slice();
        let line = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }.trim_ascii();
        if !fits {
            let beginning = &line[..line.len().min(1000)];
            each(Row::bad(
                number,
                "longer than the 10 MB that API Gateway takes; only its beginning is told",
                beginning,
            ))?;
        } else if !line.is_empty() {
            each(row(number, line, key))?;
        }
    }
    Ok(())
}

/// Lines, none of which takes more memory than the longest row may.
struct Lines<R> {
    source: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// Reads the next line, and says whether it is all there.
    fn next(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let mut fits = true;
        let mut any = false;
        loop {
            let buffer = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            fits &= self.line.len() + part.len() <= LONGEST_ROW;
            if fits {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

fn row(number: u64, line: &[u8], key: Option<&str>) -> Row {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            return Row::bad(number, format!("not UTF-8, from byte {} on", error.valid_up_to() + 1), line);
        }
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let found = match Look(key).deserialize(&mut json).and_then(|found| json.end().map(|()| found)) {
        Ok(found) => found,
        Err(error) => return Row::bad(number, format!("not JSON: {}", within_line(&error)), line),
    };
    match (key, found) {
        (None, _) => Row::Record { line: number, key: None, value: line.to_vec() },
        (Some(_), Some(key)) => {
            Row::Record { line: number, key: Some(key.to_string().into_bytes()), value: line.to_vec() }
        }
        (Some(key), None) => {
            let reason = format!("it has no field \"{key}\", which is to be its key");
            Row::Bad(BadRow { line: number, reason, record: line.to_vec() })
        }
    }
}

/// The error, without the number of a line that is always the first.
fn within_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let told = text.rsplit_once(" at line ").map_or(text.as_str(), |(told, _)| told);
    format!("{told}, at column {}", error.column())
}

/// Looks whether a value is JSON, and for one of its fields where it is an object.
struct Look<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_none() {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| None);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(field) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            // Of a field that is there twice, the last one counts.
            if Some(field.as_ref()) == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Each row as `line key value`, or as `line reason | record`.
    fn rows(text: &[u8], key: Option<&str>) -> Vec<String> {
        let mut told = Vec::new();
        let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        read(text, key, |row| {
            told.push(match row {
                Row::Record { line, key, value } => {
                    format!("{line} {} {}", key.map(text_of).unwrap_or_default(), text_of(value))
                }
                Row::Bad(BadRow { line, reason, record }) => format!("{line} {reason} | {}", text_of(record)),
            });
            Ok(())
        })
        .unwrap();
        told
    }

    #[test]
    fn values_are_passed_on_as_they_are_written() {
        let text = b"\xef\xbb\xbf{\"a\": 1.50}\r\n\n  [1, 2]  \nnull\n\"caf\xc3\xa9\"\n12345678901234567890123";
        assert_eq!(
            rows(text, None),
            ["1  {\"a\": 1.50}", "3  [1, 2]", "4  null", "5  \"café\"", "6  12345678901234567890123"]
        );
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        let text = b"{\"a\":}\n{\"a\":1} x\n\"\xff\"\n{\"a\":1";
        assert_eq!(
            rows(text, None),
            [
                "1 not JSON: expected value, at column 6 | \"{\\\"a\\\":}\"",
                "2 not JSON: trailing characters, at column 9 | \"{\\\"a\\\":1} x\"",
                "3 not UTF-8, from byte 2 on | \"\\\"\u{fffd}\\\"\"",
                "4 not JSON: EOF while parsing an object, at column 6 | \"{\\\"a\\\":1\"",
            ]
        );
    }

    #[test]
    fn the_key_is_one_of_the_fields() {
        let text = br#"{"a":{"k":0},"k":"x","k":"y"}
{"k":[1, 2]}
{"a":1}
[{"k":1}]
7
{"k":nope}"#;
        assert_eq!(
            rows(text, Some("k")),
            [
                r#"1 "y" {"a":{"k":0},"k":"x","k":"y"}"#,
                r#"2 [1,2] {"k":[1, 2]}"#,
                r#"3 it has no field "k", which is to be its key | {"a":1}"#,
                r#"4 it has no field "k", which is to be its key | [{"k":1}]"#,
                r#"5 it has no field "k", which is to be its key | 7"#,
                r#"6 not JSON: expected ident, at column 7 | "{\"k\":nope}""#,
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_takes_no_memory_and_hides_no_other() {
        let mut text = vec![b'1'; LONGEST_ROW + BUFFER * 3];
        text.extend_from_slice(b"\n2\n");
        let told = rows(&text, None);
        assert!(told[0].starts_with("1 longer than the 10 MB") && told[0].len() < 1200, "{}", told[0].len());
        assert_eq!(told[1..], ["2  2"]);
    }
}
