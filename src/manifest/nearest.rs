//! What somebody probably meant to write.

/// The candidate nearest to a word that is none of them, where one is near enough to be a slip of the keyboard.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let spelled = fold(word);
    // A third of the letters may differ: more, and the suggestion would be a guess.
    let tolerance = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&spelled, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "x"?`, or else `; expected` and what is known.
pub(crate) fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    nearest(word, candidates.clone()).map_or_else(
        || format!("expected {}", one_of(candidates)),
        |candidate| format!("did you mean \"{candidate}\"?"),
    )
}

/// `a, b or c`.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Case, `-` and `_` are the slips that cost nothing.
fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{nearest, one_of};

    #[test]
    fn slips_are_recognised_and_guesses_are_not_made() {
        let keys = ["connector", "cluster", "topics", "topic_defaults"];
        assert_eq!(nearest("conector", keys), Some("connector"));
        assert_eq!(nearest("Topic-Defaults", keys), Some("topic_defaults"));
        assert_eq!(nearest("topcis", keys), Some("topics"));
        assert_eq!(nearest("database", keys), None);
    }

    #[test]
    fn words_are_listed_as_people_list_them() {
        assert_eq!(one_of(["a"]), "a");
        assert_eq!(one_of(["a", "b", "c"]), "a, b or c");
    }
}
