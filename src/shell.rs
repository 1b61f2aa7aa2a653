//! Words of the shell.

/// A text as one word of the shell, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_one_whatever_is_in_it() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
