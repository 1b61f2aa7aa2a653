//! What the proxy remembers of topics, as a producer keeps metadata: a post must not read the store's whole account of
//! clusters and topics again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::problem::Problem;
use crate::sandbox::kafka::{self, Cluster, View};
use crate::sandbox::world::World;

/// What time alone changes, as when a topic has grown, is noticed this late at most.
const OLDEST: Duration = Duration::from_millis(100);

/// A topic, and the cluster that has it.
pub(super) struct Place {
    pub(super) cluster: Cluster,
    pub(super) view: View,
}

/// The topics that posts went to.
pub(super) struct Metadata(Mutex<Known>);

struct Known {
    changed: watch::Receiver<()>,
    since: Instant,
    topics: HashMap<String, Arc<Place>>,
}

impl Metadata {
    pub(super) fn of(world: &World) -> Self {
        let changed = world.store.changed();
        Self(Mutex::new(Known { changed, since: Instant::now(), topics: HashMap::new() }))
    }

    /// Where a topic is.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub(super) fn find(&self, world: &World, topic: &str) -> Result<Arc<Place>, Problem> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.since.elapsed() > OLDEST || known.changed.has_changed().unwrap_or(true) {
            // Noted before anything is read: what changes meanwhile is noticed the next time.
            known.changed.mark_unchanged();
            known.since = Instant::now();
            known.topics.clear();
        }
        if let Some(place) = known.topics.get(topic) {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(find(world, topic)?);
        known.topics.insert(topic.to_owned(), Arc::clone(&place));
        Ok(place)
    }
}

/// Where a topic is. The cluster that was created last is asked first.
///
/// # Errors
/// Where there is none of that name.
pub(super) fn find(world: &World, topic: &str) -> Result<Place, Problem> {
    let place = |cluster: Cluster| kafka::topic(world, &cluster, topic).map(|view| Place { cluster, view });
    kafka::active_clusters(world).into_iter().find_map(place).ok_or_else(Problem::no_such_topic)
}
