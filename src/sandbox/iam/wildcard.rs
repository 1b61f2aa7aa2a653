//! Patterns of policies: `*`, `?`, and the variables `${key}` of their second version.

use super::context::Context;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// This very character.
    Literal(char),
    /// A colon of the pattern itself, at which an ARN is taken apart.
    Colon,
    /// `?`
    One,
    /// `*`
    Any,
}

impl Token {
    fn fits(&self, c: char, case: Case) -> bool {
        match self {
            Self::One | Self::Any => true,
            Self::Colon => c == ':',
            Self::Literal(own) => match case {
                Case::Matters => *own == c,
                Case::Ignored => own.to_lowercase().eq(c.to_lowercase()),
            },
        }
    }
}

/// Whether `a` and `A` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Matters,
    Ignored,
}

/// A pattern with its variables filled in. What came from a variable is taken literally.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

impl Pattern {
    /// A pattern; `None` where it has a variable that the context does not know: nothing matches that.
    pub(super) fn new(text: &str, context: &Context) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((name, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')) {
                tokens.extend(variable(name, context)?.chars().map(Token::Literal));
                rest = after;
                continue;
            }
            tokens.push(match first {
                '*' => Token::Any,
                '?' => Token::One,
                ':' => Token::Colon,
                other => Token::Literal(other),
            });
            rest = &rest[first.len_utf8()..];
        }
        Some(Self(tokens))
    }

    /// Whether it matches a whole text.
    pub(super) fn matches(&self, text: &str, case: Case) -> bool {
        matches(&self.0, text, case)
    }

    /// Whether it matches an ARN: part by part, so that no wildcard reaches across one of the first five colons.
    pub(super) fn matches_arn(&self, arn: &str) -> bool {
        let pattern: Vec<&[Token]> = self.0.splitn(ARN_PARTS, |token| *token == Token::Colon).collect();
        let arn: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
        pattern.len() == arn.len() && pattern.iter().zip(arn).all(|(tokens, part)| matches(tokens, part, Case::Matters))
    }
}

/// `arn:partition:service:region:account:resource`; the resource may have colons of its own.
const ARN_PARTS: usize = 6;

/// The value of a variable: a key of the context, with an optional `, 'default'`, or one of the three escapes.
fn variable(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = name.split_once(',').map_or((name, None), |(key, default)| (key, Some(default)));
    match context.values(key.trim()) {
        [value] => Some(value.clone()),
        _ => default.map(|text| text.trim().trim_matches('\'').to_owned()),
    }
}

/// Greedy with one way back: to the last `*`, which then takes one character more.
fn matches(pattern: &[Token], text: &str, case: Case) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(Token::Any) => {
                star = Some((at, read));
                at += 1;
            }
            Some(token) if token.fits(text[read], case) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((starred, taken)) = star else { return false };
                star = Some((starred, taken + 1));
                at = starred + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches_text(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, &Context::default()).is_some_and(|pattern| pattern.matches(text, Case::Matters))
    }

    fn matches_arn(pattern: &str, arn: &str) -> bool {
        Pattern::new(pattern, &Context::default()).is_some_and(|pattern| pattern.matches_arn(arn))
    }

    #[test]
    fn wildcards() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*a*b", "xaxbxb"), ("a**", "a"), ("ä?", "äö")]
        {
            assert!(matches_text(pattern, text), "{pattern} should match {text}");
        }
        for (pattern, text) in [("", "a"), ("a?c", "ac"), ("*a*b", "xaxc"), ("a", "A"), ("a*b", "abc")] {
            assert!(!matches_text(pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn an_arns_parts_are_matched_one_by_one() {
        assert!(matches_arn("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a:b/c"));
        assert!(matches_arn("arn:aws:kafka:*:*:topic/c/*/t", "arn:aws:kafka:us-east-1:000000000000:topic/c/uuid/t"));
        assert!(!matches_arn("arn:aws:kafka:*:topic/t", "arn:aws:kafka:us-east-1:000000000000:topic/t"));
        assert!(!matches_arn("arn:aws:s3:::b", "arn:aws:s3:us-east-1::b"));
    }

    #[test]
    fn variables_are_literal_and_must_be_known() {
        let context = Context::default().with("aws:username", "a*");
        let matches = |pattern: &str, text: &str| {
            Pattern::new(pattern, &context).is_some_and(|pattern| pattern.matches(text, Case::Matters))
        };
        assert!(matches("home/${aws:UserName}/?", "home/a*/x"));
        assert!(!matches("home/${aws:username}/?", "home/abc/x"));
        assert!(!matches("home/${aws:unknown}", "home/"));
        assert!(matches("home/${aws:unknown, 'nobody'}", "home/nobody"));
        assert!(matches("${*}${?}${$}", "*?$"));
        assert!(matches("arn:${aws:username}:x", "arn:a*:x"));
    }
}
