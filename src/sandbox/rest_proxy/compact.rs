//! JSON as the proxy's Jackson writes it again after reading it: no spaces, one spelling of every string and number,
//! members in their order, and of members with one name the last value in the first one's place. Keys are partitioned
//! by these bytes, so they must be the same.

use std::ops::Range;

/// Jackson reads nothing that is nested deeper.
const DEEPEST: usize = 1000;

/// What can be read and can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// It is nested too deep.
    #[error("Document nesting depth (1001) exceeds the maximum allowed (1000)")]
    TooDeep,
    /// A text has half of a surrogate pair.
    #[error("Incomplete surrogate pair")]
    HalfACharacter,
    /// It isn't JSON; whoever read it before knows better.
    #[error("Unexpected end-of-input")]
    NotJson,
}

/// Appends the compact form of a JSON text, which was read before.
///
/// # Errors
/// Where Jackson couldn't write it.
pub(super) fn compact(text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    Compactor { text: text.as_bytes(), at: 0, out, members: Vec::new() }.value(0)
}

struct Compactor<'a> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
    /// Where the members of the open objects were written, those of the innermost last.
    members: Vec<Member>,
}

/// Where a member was written.
struct Member {
    name: Range<usize>,
    value: Range<usize>,
}

impl Compactor<'_> {
    /// The next byte that isn't a space.
    fn peek(&mut self) -> Result<u8, Unwritable> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(Unwritable::NotJson)
    }

    fn skip(&mut self, byte: u8) -> Result<(), Unwritable> {
        if self.peek()? != byte {
            return Err(Unwritable::NotJson);
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), Unwritable> {
        match self.peek()? {
            b'{' | b'[' if depth == DEEPEST => Err(Unwritable::TooDeep),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string(),
            _ => {
                let from = self.at;
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = &self.text[from..];
                self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                self.scalar(from)
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self, from: usize) -> Result<(), Unwritable> {
        let text = std::str::from_utf8(&self.text[from..self.at]).map_err(|_| Unwritable::NotJson)?;
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if is_number && text.contains(['.', 'e', 'E']) {
            let number = text.parse().map_err(|_| Unwritable::NotJson)?;
            self.out.extend_from_slice(double(number).as_bytes());
        } else if text == "-0" {
            self.out.push(b'0');
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Unwritable> {
        self.skip(b'[')?;
        self.out.push(b'[');
        if self.peek()? != b']' {
            loop {
                self.value(depth)?;
                if self.peek()? != b',' {
                    break;
                }
                self.skip(b',')?;
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        self.skip(b']')
    }

    fn object(&mut self, depth: usize) -> Result<(), Unwritable> {
        self.skip(b'{')?;
        self.out.push(b'{');
        let first = self.members.len();
        if self.peek()? != b'}' {
            loop {
                self.peek()?;
                let name_from = self.out.len();
                self.string()?;
                let name = name_from..self.out.len();
                self.skip(b':')?;
                self.out.push(b':');
                let value_from = self.out.len();
                self.value(depth)?;
                self.add(first, Member { name, value: value_from..self.out.len() });
                if self.peek()? != b',' {
                    break;
                }
                self.skip(b',')?;
                self.out.push(b',');
            }
        }
        self.members.truncate(first);
        self.out.push(b'}');
        self.skip(b'}')
    }

    /// Notes a member that was written. One whose name was there already takes the place of that one's value.
    fn add(&mut self, first: usize, new: Member) {
        let out = &mut *self.out;
        let same = |old: &Member| old.name.len() == new.name.len() && out[old.name.clone()] == out[new.name.clone()];
        let Some(place) = self.members[first..].iter().position(same) else { return self.members.push(new) };
        let value = out[new.value.clone()].to_vec();
        // The comma before it goes too; the next member brings its own.
        out.truncate(new.name.start - 1);
        let old = self.members[first + place].value.clone();
        let moved = |at: usize| at + value.len() - old.len();
        for later in &mut self.members[first + place + 1..] {
            later.name = moved(later.name.start)..moved(later.name.end);
            later.value = moved(later.value.start)..moved(later.value.end);
        }
        self.members[first + place].value = old.start..old.start + value.len();
        out.splice(old, value);
    }

    fn string(&mut self) -> Result<(), Unwritable> {
        self.at += 1;
        self.out.push(b'"');
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).ok_or(Unwritable::NotJson)?;
            self.out.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain] == b'"' {
                self.out.push(b'"');
                return Ok(());
            }
            let character = self.escaped()?;
            self.write_character(character);
        }
    }

    /// The character of an escape whose backslash was passed.
    fn escaped(&mut self) -> Result<char, Unwritable> {
        let letter = *self.text.get(self.at).ok_or(Unwritable::NotJson)?;
        self.at += 1;
        Ok(match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            itself => itself.into(),
        })
    }

    fn code_point(&mut self) -> Result<char, Unwritable> {
        let unit = self.code_unit()?;
        let units = if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            vec![unit, self.code_unit()?]
        } else {
            vec![unit]
        };
        match char::decode_utf16(units).collect::<Result<Vec<_>, _>>().as_deref() {
            Ok([character]) => Ok(*character),
            _ => Err(Unwritable::HalfACharacter),
        }
    }

    fn code_unit(&mut self) -> Result<u16, Unwritable> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        self.at += 4;
        digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()).ok_or(Unwritable::NotJson)
    }

    fn write_character(&mut self, character: char) {
        let short = match character {
            '"' => b'"',
            '\\' => b'\\',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\0'..'\u{20}' => {
                return self.out.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
            }
            _ => return self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }
}

/// A number as Java's `Double.toString` writes it, and as Jackson quotes what isn't one in JSON.
fn double(number: f64) -> String {
    let size = number.abs();
    if size.is_infinite() {
        return if number > 0.0 { "\"Infinity\"".to_owned() } else { "\"-Infinity\"".to_owned() };
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn compacted(text: &str) -> String {
        let mut out = b"before ".to_vec();
        compact(text, &mut out).unwrap();
        String::from_utf8(out).unwrap().split_off("before ".len())
    }

    #[test]
    fn spaces_go_and_the_order_stays() {
        let text = " { \"b\" : [ 1 , 2,\n\t{ } , [ ] ] , \"a\" : { \"c\" : null , \"b\" : true } }\r\n";
        assert_eq!(compacted(text), r#"{"b":[1,2,{},[]],"a":{"c":null,"b":true}}"#);
        for scalar in ["\"x\"", "7", "true", "null", "\"\"", "[]", "{}"] {
            assert_eq!(compacted(&format!(" {scalar} ")), scalar);
        }
    }

    #[test]
    fn every_text_has_one_spelling() {
        let text = r#""\u0041\/\u00e4ä\u20AC\ud83d\ude00 \n\u000a\b\f\r\t\"\\\u0022\u0000\u001f\u007f""#;
        assert_eq!(compacted(text), "\"A/ää€😀 \\n\\n\\b\\f\\r\\t\\\"\\\\\\\"\\u0000\\u001F\u{7f}\"");
        for half in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#] {
            assert_eq!(compact(half, &mut Vec::new()), Err(Unwritable::HalfACharacter), "{half}");
        }
    }

    /// The right sides are what `Double.toString` gives.
    #[test]
    fn every_number_has_one_spelling() {
        for (text, number) in [
            ("0", "0"),
            ("-0", "0"),
            ("-12", "-12"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.10", "1.1"),
            ("30.0", "30.0"),
            ("-0.0", "-0.0"),
            ("1e2", "100.0"),
            ("0.001", "0.001"),
            ("0.00012", "1.2E-4"),
            ("9999999.5", "9999999.5"),
            ("1E7", "1.0E7"),
            ("12345678.9", "1.23456789E7"),
            ("0.1", "0.1"),
            ("1.7976931348623157e308", "1.7976931348623157E308"),
            ("1e999", "\"Infinity\""),
            ("-1e999", "\"-Infinity\""),
        ] {
            assert_eq!(compacted(text), number, "{text}");
        }
    }

    #[test]
    fn of_one_name_the_last_value_counts_in_the_first_place() {
        assert_eq!(
            compacted(r#"{"a":1,"b":22,"a":[3,3],"c":{"a":4,"a":5},"b":{}}"#),
            r#"{"a":[3,3],"b":{},"c":{"a":5}}"#
        );
        assert_eq!(compacted(r#"{"a":"long","a":1,"\u0061":2,"b":3}"#), r#"{"a":2,"b":3}"#);
    }

    #[test]
    fn the_depth_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(compacted(&nested(1000)).len(), 2000);
        assert_eq!(compact(&nested(1001), &mut Vec::new()), Err(Unwritable::TooDeep));
    }
}
