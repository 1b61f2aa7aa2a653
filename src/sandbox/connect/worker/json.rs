//! JSON as the S3 sink's `JsonFormat` writes it, which is as Jackson and Java do: compact, decimals as
//! `Double.toString` has them.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// Appends a value, without a line end.
pub(super) fn write(value: &Value, into: &mut Vec<u8>) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(into, Java)).map_err(io::Error::from)
}

struct Java;

impl Formatter for Java {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(decimal(value).as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let text: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"\\/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04X}"),
        };
        writer.write_all(text)
    }
}

/// A number as Java's `Double.toString` writes it: a point always, an exponent where it is very large or small.
pub(super) fn decimal(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{decimal, write};

    fn again(text: &str) -> String {
        let mut written = Vec::new();
        write(&serde_json::from_str(text).unwrap(), &mut written).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn values_are_written_compactly_and_in_their_order() {
        assert_eq!(again(r#" {"b" : [1, 2.50, null],  "a":{"é":"\u00fc/\u001b\"\n\u007f"} } "#), {
            "{\"b\":[1,2.5,null],\"a\":{\"é\":\"ü/\\u001B\\\"\\n\u{7f}\"}}"
        });
        assert_eq!(again("-9223372036854775808"), "-9223372036854775808");
    }

    #[test]
    fn decimals_are_written_as_java_does() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.00099, "9.9E-4"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (1.234e10, "1.234E10"),
            (-2e-5, "-2.0E-5"),
            (51.507_351, "51.507351"),
        ] {
            assert_eq!(decimal(value), expected);
        }
    }
}
