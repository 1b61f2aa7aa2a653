//! What a topic was at any moment: a list of changes with their times, and a view of it as a pure function of the clock.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::configs::{self, Configs};
use crate::sandbox::world::Millis;

/// How long a change stays told after nobody can be shown what was before it. Longer than any `--lag` that makes sense.
const MEMORY: Millis = 10 * 60 * 1000;

/// What a topic consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) partitions: i64,
    pub(crate) replication: i64,
    /// Only what was set; the server's defaults are laid under it when it is told.
    pub(crate) configs: Configs,
}

/// A topic's past and present.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Another one each time it is created, so that a topic that was deleted and made again is not taken for the old one.
    #[serde(default)]
    pub(crate) id: Uuid,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    at: Millis,
    settled: Millis,
    verb: Verb,
    /// What it leads to; for a deletion, what was there.
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Verb {
    Create,
    Update,
    Delete,
}

/// A topic at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) id: Uuid,
    /// MSK's `TopicState`.
    pub(crate) state: &'static str,
    pub(crate) content: Content,
}

impl View {
    /// The value that is in force of a configuration.
    pub(crate) fn config(&self, key: &str) -> Option<String> {
        configs::in_force(&self.content.configs).remove(key)
    }
}

impl Topic {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), id: Uuid::nil(), changes: Vec::new() }
    }

    pub(super) fn created(&mut self, at: Millis, settled: Millis, content: Content) {
        self.id = Uuid::new_v4();
        self.change(Change { at, settled, verb: Verb::Create, content });
    }

    pub(super) fn updated(&mut self, at: Millis, settled: Millis, content: Content) {
        self.change(Change { at, settled, verb: Verb::Update, content });
    }

    pub(super) fn deleted(&mut self, at: Millis, settled: Millis, content: Content) {
        self.change(Change { at, settled, verb: Verb::Delete, content });
    }

    fn change(&mut self, change: Change) {
        let told = change.at.saturating_sub(MEMORY);
        // The last change before that moment still says what was there then.
        let kept = self.changes.iter().rposition(|old| old.settled < told).unwrap_or(0);
        self.changes.drain(..kept);
        self.changes.push(change);
    }

    /// The topic at a moment; nothing where it didn't exist.
    pub(super) fn at(&self, moment: Millis) -> Option<View> {
        let last = self.changes.iter().rposition(|change| change.at <= moment)?;
        let change = &self.changes[last];
        let pending = moment < change.settled;
        let view = |state, content: &Content| Some(View { id: self.id, state, content: content.clone() });
        match change.verb {
            Verb::Create if pending => view("CREATING", &change.content),
            // Until it has settled, what is told is what was: a client has to wait for both the state and the content.
            Verb::Update if pending => {
                let before = last.checked_sub(1).map_or(change, |before| &self.changes[before]);
                view("UPDATING", &before.content)
            }
            Verb::Create | Verb::Update => view("ACTIVE", &change.content),
            Verb::Delete if pending => view("DELETING", &change.content),
            Verb::Delete => None,
        }
    }

    /// The same, but nothing where it is being deleted.
    pub(super) fn live(&self, moment: Millis) -> Option<View> {
        self.at(moment).filter(|view| view.state != "DELETING")
    }

    /// Whether it is gone for so long that nobody can be shown it any more.
    pub(super) fn is_forgotten(&self, moment: Millis) -> bool {
        self.changes.last().is_none_or(|last| last.verb == Verb::Delete && last.settled + MEMORY < moment)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Content, MEMORY, Topic};

    fn content(partitions: i64) -> Content {
        Content { partitions, replication: 3, configs: [].into() }
    }

    fn told(topic: &Topic, moment: u64) -> Option<(&'static str, i64)> {
        topic.at(moment).map(|view| (view.state, view.content.partitions))
    }

    #[test]
    fn a_life_is_told_at_every_moment() {
        let mut topic = Topic::named("t");
        topic.created(100, 110, content(3));
        topic.updated(200, 210, content(6));
        topic.deleted(300, 310, content(6));
        topic.created(400, 410, content(1));
        for (moment, expected) in [
            (99, None),
            (100, Some(("CREATING", 3))),
            (110, Some(("ACTIVE", 3))),
            (200, Some(("UPDATING", 3))),
            (210, Some(("ACTIVE", 6))),
            (300, Some(("DELETING", 6))),
            (310, None),
            (400, Some(("CREATING", 1))),
            (500, Some(("ACTIVE", 1))),
        ] {
            assert_eq!(told(&topic, moment), expected, "at {moment}");
        }
        assert!(topic.live(305).is_none());
    }

    #[test]
    fn an_update_is_told_with_what_was_before_even_after_long_memory_loss() {
        let mut topic = Topic::named("t");
        topic.created(0, 1, content(3));
        topic.updated(10, 11, content(4));
        let later = 10 * MEMORY;
        topic.updated(later, later + 9, content(5));
        assert_eq!(topic.changes.len(), 2);
        assert_eq!(told(&topic, later), Some(("UPDATING", 4)));
    }

    #[test]
    fn it_survives_a_restart() {
        let mut topic = Topic::named("t");
        topic.created(0, 10, content(3));
        let read: Topic = serde_json::from_value(serde_json::to_value(&topic).unwrap()).unwrap();
        assert_eq!((told(&read, 5), told(&read, 10)), (Some(("CREATING", 3)), Some(("ACTIVE", 3))));
    }

    #[test]
    fn a_deleted_topic_is_forgotten_only_after_a_while() {
        let mut topic = Topic::named("t");
        topic.created(0, 1, content(3));
        assert!(!topic.is_forgotten(10 * MEMORY));
        topic.deleted(2, 3, content(3));
        assert!(!topic.is_forgotten(MEMORY) && topic.is_forgotten(MEMORY + 4));
    }
}
