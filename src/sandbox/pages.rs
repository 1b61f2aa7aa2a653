//! Pages of lists, as all services cut them. What a client gets names the last entry that it was told, so that a listing
//! survives changes between its pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// What a token of a list says.
#[derive(Serialize, Deserialize)]
struct Place {
    list: String,
    after: String,
}

/// The token of the page of a list that begins after an entry.
pub(crate) fn token_after(list: &str, after: &str) -> String {
    let place = Place { list: list.to_owned(), after: after.to_owned() };
    token(serde_json::to_vec(&place).unwrap_or_default())
}

/// The entry after which the page of a token begins; `None` where the token isn't one of that list.
pub(crate) fn after_of(token: &str, list: &str) -> Option<String> {
    let place: Place = serde_json::from_str(&text_of(token)?).ok()?;
    (place.list == list).then_some(place.after)
}

/// Cuts a page out of all entries, which come with their keys, and in the order of these; those behind it aren't looked
/// at. The second is the key of its last entry, where there are more.
pub(crate) fn cut<T>(
    entries: impl IntoIterator<Item = (String, T)>,
    after: Option<&str>,
    size: usize,
) -> (Vec<T>, Option<String>) {
    let is_earlier = |(key, _): &(String, T)| after.is_some_and(|after| key.as_str() <= after);
    let mut rest = entries.into_iter().skip_while(is_earlier);
    let (keys, page): (Vec<String>, Vec<T>) = rest.by_ref().take(size).unzip();
    let last = keys.into_iter().next_back().filter(|_| rest.next().is_some());
    (page, last)
}

/// A text that clients take for opaque.
pub(crate) fn token(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// What was made a token; `None` for what no token is.
pub(crate) fn text_of(token: &str) -> Option<String> {
    URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::{after_of, cut, text_of, token, token_after};

    fn entries() -> impl Iterator<Item = (String, u8)> {
        [("a", 1), ("b", 2), ("c", 3)].into_iter().map(|(key, value)| (key.to_owned(), value))
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        assert_eq!(cut(entries(), None, 2), (vec![1, 2], Some("b".to_owned())));
        assert_eq!(cut(entries(), Some("b"), 2), (vec![3], None));
        assert_eq!(cut(entries(), None, 3), (vec![1, 2, 3], None));
    }

    #[test]
    fn an_entry_that_was_deleted_between_pages_skips_none() {
        assert_eq!(cut(entries(), Some("aa"), 9), (vec![2, 3], None));
    }

    #[test]
    fn a_token_is_good_for_the_list_that_it_came_from() {
        assert_eq!(after_of(&token_after("things", "b"), "things").as_deref(), Some("b"));
        assert_eq!(after_of(&token_after("others", "b"), "things"), None);
        assert_eq!(after_of("rubbish", "things"), None);
    }

    #[test]
    fn tokens_are_read_and_rubbish_is_not() {
        assert_eq!(text_of(&token("b/ä")).as_deref(), Some("b/ä"));
        assert_eq!(text_of("rubbish!"), None);
    }
}
