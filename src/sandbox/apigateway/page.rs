//! Lists in pages: `limit` and `position`.

use serde::Serialize;
use serde_json::{Value, json};

use super::refusal::{bad_request, malformed};
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::pages;

/// How many items a page has where the request doesn't say.
const DEFAULT_LIMIT: usize = 25;
/// How many it has at most.
const GREATEST_LIMIT: usize = 500;

/// Which part of a list is asked for.
pub(super) struct Page {
    after: Option<String>,
    limit: usize,
}

impl Page {
    /// What the query says.
    ///
    /// # Errors
    /// Where `limit` isn't a positive number, or `position` isn't one that was given out.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let limit = match call.query("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => text.parse().map_err(|_| {
                malformed(format!("{text} can not be converted to an Integer; send a limit from 1 to 500"))
            })?,
        };
        if limit == 0 {
            return Err(bad_request("Invalid limit specified; send a limit from 1 to 500"));
        }
        let after = call.query("position").filter(|position| !position.is_empty()).map(decode).transpose()?;
        Ok(Self { after, limit: limit.min(GREATEST_LIMIT) })
    }

    /// The page of `items`, which are ordered by their keys, as the HAL list that AWS answers.
    pub(super) fn of_items<T: Serialize>(&self, items: impl IntoIterator<Item = (String, T)>) -> Value {
        let (page, last) = pages::cut(items, self.after.as_deref(), self.limit);
        let mut reply = json!({ "item": page });
        if let Some(last) = last {
            reply["position"] = Value::String(pages::token(last));
        }
        reply
    }
}

fn decode(position: &str) -> Result<String, Refusal> {
    pages::text_of(position).ok_or_else(|| bad_request("Invalid position parameter specified"))
}
