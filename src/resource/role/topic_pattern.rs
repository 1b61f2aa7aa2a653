//! A connector's `topics.regex` as patterns of topic names that IAM understands.

/// The pattern that grants any topic.
const ANY: char = '*';

/// Patterns, with `*` for any text and `?` for any one character, that together match whatever the Java regular
/// expression matches, and little more: literal text is kept, as is the choice between whole alternatives.
pub(super) fn of_regex(regex: &str) -> Vec<String> {
    // Inside groups with flags, look-arounds and quotations, a literal may not stand for itself.
    if regex.contains("(?") || regex.contains("\\Q") {
        return vec![ANY.to_string()];
    }
    let mut patterns: Vec<String> = alternatives(regex).iter().map(|alternative| pattern(alternative)).collect();
    patterns.sort();
    patterns.dedup();
    patterns
}

/// The parts between those `|` that stand outside groups and classes.
fn alternatives(regex: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = regex.chars();
    let (mut depth, mut in_class) = (0_u32, false);
    while let Some(character) = characters.next() {
        match character {
            '|' if depth == 0 && !in_class => {
                parts.push(String::new());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
            if character == '\\' {
                part.extend(characters.next());
            }
        }
    }
    parts
}

/// One alternative's pattern.
fn pattern(alternative: &str) -> String {
    let mut pattern = String::new();
    let mut rest = alternative;
    while let Some((atom, after)) = atom(rest) {
        let (repeats, after) = repetition(after);
        rest = after;
        match (atom, repeats) {
            (Atom::Nothing, _) => {}
            (Atom::Literal(character), Repeats::Once) => pattern.push(character),
            (Atom::Literal(character), Repeats::AtLeastOnce) => pattern.extend([character, ANY]),
            (Atom::OneCharacter, Repeats::Once) => pattern.push('?'),
            (Atom::OneCharacter, Repeats::AtLeastOnce) => pattern.extend(['?', ANY]),
            (Atom::Literal(_) | Atom::OneCharacter, Repeats::Anyhow) | (Atom::Text, _) => pattern.push(ANY),
        }
    }
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}

/// What a piece of a regular expression matches.
enum Atom {
    /// A place, such as the end.
    Nothing,
    /// That character.
    Literal(char),
    /// Some one character.
    OneCharacter,
    /// Some text.
    Text,
}

/// How often a piece may follow itself.
enum Repeats {
    Once,
    AtLeastOnce,
    Anyhow,
}

/// The first piece, and what is after it.
fn atom(regex: &str) -> Option<(Atom, &str)> {
    let first = regex.chars().next()?;
    let after = &regex[first.len_utf8()..];
    Some(match first {
        '^' | '$' => (Atom::Nothing, after),
        '.' => (Atom::OneCharacter, after),
        '\\' => escape(after),
        '[' => (Atom::OneCharacter, after_closing(after, '[', ']')),
        '(' => (Atom::Text, after_closing(after, '(', ')')),
        // Java would not compile these here, so they match nothing that must be granted.
        '*' | '+' | '?' | '{' => (Atom::Text, after),
        literal => (Atom::Literal(literal), after),
    })
}

fn escape(after: &str) -> (Atom, &str) {
    let Some(escaped) = after.chars().next() else { return (Atom::Nothing, after) };
    let rest = &after[escaped.len_utf8()..];
    match escaped {
        'd' | 'D' | 'w' | 'W' | 's' | 'S' => (Atom::OneCharacter, rest),
        'b' | 'B' | 'A' | 'z' | 'Z' | 'G' => (Atom::Nothing, rest),
        // Character codes, properties, references: as long as they are, the rest is no longer read.
        letter if letter.is_alphanumeric() => (Atom::Text, ""),
        literal => (Atom::Literal(literal), rest),
    }
}

/// What is after the bracket that closes what is open; nothing where none does.
fn after_closing(regex: &str, open: char, close: char) -> &str {
    let mut depth = 1_u32;
    let mut escaped = false;
    for (index, character) in regex.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == open => depth += 1,
            _ if character == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &regex[index + close.len_utf8()..];
        }
    }
    ""
}

/// The quantifier at the start, and what is after it. A second `?` or `+` only says how eagerly it matches.
fn repetition(regex: &str) -> (Repeats, &str) {
    let (repeats, after) = match regex.chars().next() {
        Some('*' | '?') => (Repeats::Anyhow, &regex[1..]),
        Some('+') => (Repeats::AtLeastOnce, &regex[1..]),
        Some('{') => (Repeats::Anyhow, after_closing(&regex[1..], '{', '}')),
        _ => return (Repeats::Once, regex),
    };
    (repeats, after.strip_prefix(['?', '+']).unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_literal() {
        for (regex, patterns) in [
            ("0a1b.*", vec!["0a1b*"]),
            (r"0a1b\..*", vec!["0a1b.*"]),
            (r"^0a1b\.(pin|geo|user)$", vec!["0a1b.*"]),
            (r"0a1b\.pin", vec!["0a1b.pin"]),
            (r"a\.pin|a\.geo", vec!["a.geo", "a.pin"]),
            (r".*\.pin", vec!["*.pin"]),
            (".+", vec!["?*"]),
            (".*", vec!["*"]),
            ("a.c", vec!["a?c"]),
            ("ab?c", vec!["a*c"]),
            ("ab+?c", vec!["ab*c"]),
            ("ab{2,3}c", vec!["a*c"]),
            ("a[bc|d]e", vec!["a?e"]),
            (r"a[\]b]+e", vec!["a?*e"]),
            (r"a\d+", vec!["a?*"]),
            ("(a|b)c", vec!["*c"]),
            ("((a)b)*c", vec!["*c"]),
        ] {
            assert_eq!(of_regex(regex), patterns, "{regex}");
        }
    }

    #[test]
    fn grants_all_where_a_literal_may_not_stand_for_itself() {
        for regex in ["(?i)abc", r"\Qa.b\E", "(?:a|b)c"] {
            assert_eq!(of_regex(regex), ["*"], "{regex}");
        }
        assert_eq!(of_regex(r"a\x41b"), ["a*"]);
    }
}
