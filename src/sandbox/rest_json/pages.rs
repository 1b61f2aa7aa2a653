//! Pages of lists: `maxResults` and `nextToken`. A token is good for the list that it came from.

use serde_json::Value;

use super::bad_request;
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::pages;

/// The most that one page holds, by both services' models.
const MAX_RESULTS: usize = 100;

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

    /// The key of the last entry of the page before; empty where this is the first.
    pub(crate) fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// The reply of a list: of all entries, which come with their keys and in the order of these, those of the page under
    /// `name`, and the token of the next page, where there is one.
    pub(crate) fn reply(self, name: &str, entries: impl IntoIterator<Item = (String, Value)>) -> Value {
        let (entries, last) = pages::cut(entries, self.after.as_deref(), self.size);
        let mut reply = serde_json::Map::from_iter([(name.to_owned(), Value::Array(entries))]);
        if let Some(last) = last {
            reply.insert("nextToken".to_owned(), Value::String(pages::token_after(&self.list, &last)));
        }
        Value::Object(reply)
    }
}

fn read(token: &str, list: &str) -> Result<String, Refusal> {
    pages::after_of(token, list)
        .ok_or_else(|| bad_request("nextToken isn't one that this list gave out.").at_parameter("nextToken"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::{Page, read};
    use crate::sandbox::pages::token_after;

    fn page(after: Option<&str>) -> Value {
        let page = Page { list: "things".to_owned(), size: 2, after: after.map(str::to_owned) };
        page.reply("item", [("a", 1), ("b", 2), ("c", 3)].map(|(key, value)| (key.to_owned(), json!(value))))
    }

    #[test]
    fn a_token_leads_to_the_next_page() {
        let first = page(None);
        assert_eq!(first["item"], json!([1, 2]));
        let after = read(first["nextToken"].as_str().unwrap(), "things").unwrap();
        assert_eq!(page(Some(&after)), json!({"item": [3]}));
    }

    #[test]
    fn tokens_of_other_lists_and_made_up_ones_are_refused() {
        assert!(read(&token_after("others", "a"), "things").is_err());
        assert!(read("rubbish", "things").is_err());
    }
}
