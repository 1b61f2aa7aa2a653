//! What brokers refused, for people who look for the reason: Kafka tells clients as little as it can.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::sandbox::knobs::timestamp;

/// How many refusals are remembered.
const REMEMBERED: usize = 100;

/// One login or request that was refused. What there is no word for is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Refused {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// `iam`, `scram`, …
    pub(crate) listener: &'static str,
    /// As Kafka writes it, `IAM:arn:aws:sts::…`; of a login that failed, the name or access key that it was tried with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) principal: String,
    /// The request, as Kafka calls it.
    pub(crate) api: String,
    /// The ARN that the action was wanted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    /// The action that the principal isn't allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    /// Why, in a sentence.
    pub(crate) reason: String,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    /// When it was refused last, RFC 3339.
    time: String,
    /// How often.
    times: u64,
    #[serde(flatten)]
    refused: Refused,
}

/// The refusals of all brokers of a sandbox, the last one last.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<VecDeque<Entry>>);

impl Journal {
    /// Remembers a refusal. Clients try again and again: what is there already is counted.
    pub(crate) fn note(&self, refused: Refused) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().position(|entry| entry.refused == refused).and_then(|at| entries.remove(at));
        let times = known.map_or(0, |entry| entry.times) + 1;
        entries.push_back(Entry { time: timestamp(), times, refused });
        if entries.len() > REMEMBERED {
            entries.pop_front();
        }
    }

    /// What is remembered, as JSON.
    pub(crate) fn told(&self) -> serde_json::Value {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::json!({"refused": *entries})
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, REMEMBERED, Refused};

    fn refused(principal: &str) -> Refused {
        Refused { principal: principal.to_owned(), ..Refused::default() }
    }

    #[test]
    fn what_repeats_is_counted_and_only_the_last_are_kept() {
        let journal = Journal::default();
        for number in 0..REMEMBERED + 5 {
            journal.note(refused(&number.to_string()));
            journal.note(refused("again"));
        }
        let told = journal.told();
        let entries = told["refused"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(entries.len(), REMEMBERED);
        assert_eq!(entries[REMEMBERED - 1]["principal"], "again");
        assert_eq!(entries[REMEMBERED - 1]["times"], REMEMBERED + 5);
        assert_eq!(entries[0]["principal"], "6");
        assert!(entries[0].get("action").is_none());
    }
}
