//! Java's properties format, as `java.util.Properties` specifies it.

use std::collections::BTreeMap;

const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

/// Properties as text, one a line, in order of their keys, in ASCII: the same ones always give the same text.
pub(super) fn written(properties: &BTreeMap<String, String>) -> String {
    let line = |(key, value): (&String, &String)| {
        // Within a value, only blanks at its start would be lost.
        let start = value.find(|c| c != ' ').unwrap_or(value.len());
        format!("{}={}{}\n", escaped(key, true), escaped(&value[..start], true), escaped(&value[start..], false))
    };
    properties.iter().map(line).collect()
}

fn escaped(text: &str, blanks: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\x0c' => escaped.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => escaped.extend(['\\', c]),
            ' ' if blanks => escaped.push_str("\\ "),
            ' '..='~' => escaped.push(c),
            _ => escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}"))),
        }
    }
    escaped
}

/// The properties in a file; `None` where Java would refuse it.
pub(super) fn read(file: &[u8]) -> Option<BTreeMap<String, String>> {
    // Java reads such files as ISO 8859-1, whose characters are the first 256 of Unicode.
    let text: String = file.iter().map(|byte| char::from(*byte)).collect();
    let pair = |line: &String| {
        let (key, value) = split(line);
        Some((unescaped(key)?, unescaped(value)?))
    };
    logical_lines(&text).iter().map(pair).collect()
}

/// Lines without comments and empty ones; those that end in a backslash go on in the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun: Option<String> = None;
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let line = line.trim_start_matches(BLANKS);
        if begun.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        let goes_on = backslashes % 2 == 1;
        let mut whole = begun.take().unwrap_or_default();
        whole.push_str(if goes_on { &line[..line.len() - 1] } else { line });
        if goes_on {
            begun = Some(whole);
        } else {
            lines.push(whole);
        }
    }
    lines.extend(begun);
    lines
}

/// The key and the value of a line, still escaped: an equals sign, a colon or blanks part them.
fn split(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let ends = |c: char| {
        let ends = !is_escaped && (c == '=' || c == ':' || BLANKS.contains(&c));
        is_escaped = !is_escaped && c == '\\';
        ends
    };
    let (key, rest) = line.split_at(line.find(ends).unwrap_or(line.len()));
    let rest = rest.trim_start_matches(BLANKS);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(BLANKS))
}

fn unescaped(text: &str) -> Option<String> {
    // In UTF-16, because characters beyond its first plane are escaped as two.
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let meant = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    units.push(unit(chars.by_ref().take(4).collect())?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            },
            plain => plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

/// What four hex digits stand for.
fn unit(digits: String) -> Option<u16> {
    let is_whole = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_whole { u16::from_str_radix(&digits, 16).ok() } else { None }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const AWKWARD: [(&str, &str); 9] = [
        ("#key", "!value"),
        ("a b:c=d", "e = f : g"),
        ("blank", "   leading and trailing  "),
        ("empty", ""),
        ("lines", "one\ntwo\r\nthree\tfour\x0cfive"),
        ("only.blanks", "  "),
        ("path", r"C:\dir\new\"),
        ("snow ☃", "é 𝄞 \u{7f}\0"),
        ("unicode-like", r"\u0041"),
    ];

    #[test]
    fn awkward_properties_survive() {
        let properties = map(&AWKWARD);
        let text = written(&properties);
        assert!(text.is_ascii(), "{text}");
        assert_eq!(read(text.as_bytes()).unwrap(), properties);
    }

    #[test]
    fn the_text_is_what_java_writes() {
        let text = written(&map(&[("key.converter", "org.x.Json"), ("a b", " c: d"), ("snow", "☃𝄞")]));
        assert_eq!(text, "a\\ b=\\ c\\: d\nkey.converter=org.x.Json\nsnow=\\u2603\\uD834\\uDD1E\n");
    }

    #[test]
    fn files_written_by_hand_are_read_as_java_reads_them() {
        let file = "# comment\r\n! comment \\\n\n  truth = beauty\nfruits  apple, \\\r\n    banana,\\\n    pear\ncheeses\n\
                    a\\=b:c\nlast\\\\\nlatin = \u{e9}\nend=\\";
        let latin: Vec<u8> = file.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let expected = map(&[
            ("truth", "beauty"),
            ("fruits", "apple, banana,pear"),
            ("cheeses", ""),
            ("a=b", "c"),
            ("last\\", ""),
            ("latin", "é"),
            ("end", ""),
        ]);
        assert_eq!(read(&latin).unwrap(), expected);
        assert_eq!(read(br"a=\u00g1"), None);
        assert_eq!(read(br"a=\u00"), None);
    }
}
