//! Templates, as far as the sandbox renders them: text with `$context` and `$stageVariables` in it.

/// Renders a template. A reference for which `value` has nothing stays as it is.
pub(super) fn render(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (written, name) = reference(rest);
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => text.push_str(&value),
            None => text.push_str(written),
        }
        rest = &rest[written.len()..];
    }
    text.push_str(rest);
    text
}

/// The first thing in a template that only the real service's template engine knows.
pub(super) fn unsupported(template: &str) -> Option<&str> {
    let directive = template.match_indices('#').find_map(|(at, _)| {
        let word = &template[at..at + 1 + name_length(&template[at + 1..])];
        ["#set", "#if", "#foreach", "#else", "#elseif", "#end", "#define"].contains(&word).then_some(word)
    });
    let references = template.match_indices('$').map(|(at, _)| reference(&template[at..]));
    let known = |name: &str| name.is_empty() || name.starts_with("context.") || name.starts_with("stageVariables.");
    directive.or_else(|| references.into_iter().find(|(_, name)| !known(name)).map(|(written, _)| written))
}

/// A reference that a text begins with, as it is written and its name: `${context.stage}`, `context.stage`.
fn reference(text: &str) -> (&str, &str) {
    if let Some(inner) = text.strip_prefix("${")
        && let length = name_length(inner)
        && inner[length..].starts_with('}')
    {
        return (&text[..length + 3], &inner[..length]);
    }
    let length = name_length(&text[1..]);
    (&text[..=length], &text[1..=length])
}

/// Bytes of the name that a text begins with. A full stop after it belongs to the sentence.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return 0;
    }
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let length = text.bytes().position(|byte| !is_in(byte)).unwrap_or(text.len());
    text[..length].trim_end_matches('.').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced() {
        let value = |name: &str| name.strip_prefix("context.").map(str::to_uppercase);
        for (template, text) in [
            (r#"{"message":$context.error.messageString}"#, r#"{"message":ERROR.MESSAGESTRING}"#),
            ("${context.stage}x $context.path. ", "STAGEx PATH. "),
            ("$input.body costs $5, ${ $", "$input.body costs $5, ${ $"),
            ("", ""),
        ] {
            assert_eq!(render(template, value), text);
        }
    }

    #[test]
    fn what_needs_the_real_engine_is_found() {
        assert_eq!(unsupported(r#"{"statusCode": 200, "a": "$context.stage ${stageVariables.x} #1 $5"}"#), None);
        assert_eq!(unsupported("#set($a = 1)"), Some("#set"));
        assert_eq!(unsupported("x $input.json('$')"), Some("$input.json"));
    }
}
