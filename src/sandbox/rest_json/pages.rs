//! Pages of lists. A token says after which name the next page begins; it is opaque, and good for the list it came from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bad_request;
use crate::sandbox::call::{Call, Refusal};

/// The most that one page holds, by both services' models.
const MAX_RESULTS: usize = 100;

#[derive(Serialize, Deserialize)]
struct Token {
    list: String,
    after: String,
}

/// Which page of a list is asked for.
pub(crate) struct Page {
    list: String,
    size: usize,
    after: Option<String>,
}

impl Page {
    /// Reads `maxResults` and `nextToken` of a call. `list` names the list, with whatever it is filtered by.
    ///
    /// # Errors
    /// `BadRequestException` where the size isn't 1 to 100, or the token isn't one of this list.
    pub(crate) fn of(call: &Call, list: impl Into<String>, default_size: usize) -> Result<Self, Refusal> {
        let list = list.into();
        let size = match call.query("maxResults") {
            None => default_size,
            Some(text) => text.parse().ok().filter(|size| (1..=MAX_RESULTS).contains(size)).ok_or_else(|| {
                bad_request(format!("maxResults must be from 1 to {MAX_RESULTS}, got '{text}'."))
                    .at_parameter("maxResults")
            })?,
        };
        let after = call.query("nextToken").map(|token| read(token, &list)).transpose()?;
        Ok(Self { list, size, after })
    }

    /// Cuts the page out of all entries, which come with their keys, and in the order of these. The second is the token
    /// of the next page, where there is one.
    pub(crate) fn cut<T>(self, mut entries: Vec<(String, T)>) -> (Vec<T>, Option<String>) {
        if let Some(after) = &self.after {
            let start = entries.partition_point(|(key, _)| key <= after);
            entries.drain(..start);
        }
        let more = entries.len() > self.size;
        entries.truncate(self.size);
        let token = entries.last().filter(|_| more).map(|(key, _)| write(&self.list, key));
        (entries.into_iter().map(|(_, entry)| entry).collect(), token)
    }

    /// The reply of a list: the entries under `name`, and the token.
    pub(crate) fn reply(self, name: &str, entries: Vec<(String, Value)>) -> Value {
        let (entries, token) = self.cut(entries);
        let mut reply = serde_json::Map::from_iter([(name.to_owned(), Value::Array(entries))]);
        if let Some(token) = token {
            reply.insert("nextToken".to_owned(), Value::String(token));
        }
        Value::Object(reply)
    }
}

fn write(list: &str, after: &str) -> String {
    let token = Token { list: list.to_owned(), after: after.to_owned() };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

fn read(token: &str, list: &str) -> Result<String, Refusal> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok())
        .filter(|token| token.list == list)
        .map(|token| token.after)
        .ok_or_else(|| bad_request("nextToken isn't one that this list gave out.").at_parameter("nextToken"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Page, read, write};

    fn entries() -> Vec<(String, u8)> {
        [("a", 1), ("b", 2), ("c", 3)].map(|(key, value)| (key.to_owned(), value)).to_vec()
    }

    fn page(after: Option<&str>, size: usize) -> Page {
        Page { list: "things".to_owned(), size, after: after.map(str::to_owned) }
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (first, token) = page(None, 2).cut(entries());
        assert_eq!(first, [1, 2]);
        let after = read(&token.unwrap(), "things").unwrap();
        assert_eq!(page(Some(&after), 2).cut(entries()), (vec![3], None));
    }

    #[test]
    fn an_entry_that_was_deleted_between_pages_skips_none() {
        assert_eq!(page(Some("aa"), 9).cut(entries()), (vec![2, 3], None));
    }

    #[test]
    fn tokens_of_other_lists_and_made_up_ones_are_refused() {
        assert!(read(&write("others", "a"), "things").is_err());
        assert!(read("rubbish", "things").is_err());
    }
}
