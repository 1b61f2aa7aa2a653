//! Consumer groups: who is in them, and how their members come to share the partitions. They are of this process only:
//! after a restart members find out and join anew. What they have committed is kept, in [`offsets`](super::offsets).
//!
//! A [`Group`] is a state machine that knows no clock and waits for nothing; what has to wait here (joining until all
//! others have, syncing until the leader has decided) looks again whenever the group changes, or a moment has passed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use tokio::sync::watch;

mod group;
mod messages;

pub(super) use group::Group;
pub(super) use messages::{Assignment, Joined, Joining, NotJoined};

/// How often who waits looks whether a member has gone silent.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The groups of all clusters.
#[derive(Default)]
pub(crate) struct Groups(Mutex<HashMap<(String, String), Arc<Shared>>>);

/// A group, and a bell that rings when it changes.
pub(super) struct Shared {
    group: Mutex<Group>,
    changed: watch::Sender<()>,
}

impl Groups {
    /// A group of a cluster, made where it isn't there.
    pub(super) fn get(&self, cluster: &str, group: &str) -> Arc<Shared> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Shared { group: Mutex::default(), changed: watch::Sender::new(()) });
        Arc::clone(groups.entry((cluster.to_owned(), group.to_owned())).or_insert_with(fresh))
    }

    /// A group of a cluster, where it is there.
    pub(super) fn find(&self, cluster: &str, group: &str) -> Option<Arc<Shared>> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(&(cluster.to_owned(), group.to_owned())).cloned()
    }

    /// The groups of a cluster that have members.
    pub(super) fn names(&self, cluster: &str) -> Vec<String> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_cluster =
            groups.iter().filter(|((of, _), shared)| of == cluster && !shared.change(|group, _| group.is_empty()));
        of_cluster.map(|((_, name), _)| name.clone()).collect()
    }

    /// Forgets a group.
    pub(super) fn remove(&self, cluster: &str, group: &str) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.remove(&(cluster.to_owned(), group.to_owned()));
    }
}

impl Shared {
    /// Looks at the group.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Group) -> R) -> R {
        look(&self.group.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something to the group, and rings where that changed it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Group, Instant) -> R) -> R {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let before = group.round();
        group.advance(now);
        let result = change(&mut group, now);
        group.advance(now);
        if group.round() != before {
            self.changed.send_replace(());
        }
        result
    }

    /// Does something to the group until it gives an answer, looking again whenever the group changes.
    async fn until<R>(&self, mut answer: impl FnMut(&mut Group, Instant) -> Option<R>) -> R {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(answer) = self.change(&mut answer) {
                return answer;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changed.changed()).await;
        }
    }

    /// Joins the group: answered once all members have joined, or those that haven't are out.
    pub(super) async fn join(&self, joining: Joining) -> Result<Joined, NotJoined> {
        let id = self.change(|group, now| group.join(joining, now))?;
        Ok(self.until(|group, _| group.joined(&id)).await?)
    }

    /// Tells, or waits to be told, who gets what.
    pub(super) async fn sync(
        &self,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        assignments: Vec<(String, bytes::Bytes)>,
    ) -> Result<Assignment, ResponseError> {
        self.change(|group, now| {
            group.fence(member, instance)?;
            group.assign(member, generation, assignments, now)
        })?;
        self.until(|group, now| group.assignment(member, generation, now)).await
    }
}
