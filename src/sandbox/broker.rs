//! The records of MSK's topics: what the brokers of all clusters keep, and how the sandbox's own parts read and write it.
//!
//! What topics there are, with their partitions and configurations, is told by [`kafka`](super::kafka), from the store:
//! there is one truth for MSK's API and for Kafka clients. Here is what is in them. A partition is a file of record
//! batches in Kafka's own format, as producers sent them, so that what was acknowledged outlives the process and a
//! fetch is a copy.
//!
//! ```text
//! Kafka clients ──▶ door ──▶ groups, producers
//!                    └─────▶ partition() ──▶ Partition (log, batch)
//! REST proxy, sink ─────────▶     ▲
//! ```

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use kafka_protocol::ResponseError;

mod batch;
mod door;
mod groups;
mod journal;
mod log;
mod offsets;
mod partition;
mod sequences;

pub(crate) use batch::{Record, Stored};
pub(crate) use door::{Broker, serve};
pub(crate) use groups::Groups;
pub(crate) use journal::{Journal, Refused};
pub(crate) use offsets::{Committed, TopicPartition, commit, committed, forget_cluster, forget_topic};
pub(crate) use partition::Partition;
use partition::Terms;

use super::kafka::{self, Cluster};
use super::world::World;

/// The partitions of all topics of all clusters.
pub(crate) struct Logs {
    folder: PathBuf,
    open: Mutex<HashMap<(Uuid, i32), Arc<Partition>>>,
    /// Topics that were deleted: who looked them up before that must not open them again.
    gone: Mutex<BTreeSet<Uuid>>,
    /// Rings whenever a record was appended anywhere.
    grown: watch::Sender<()>,
}

impl Logs {
    /// The logs that are kept in a sandbox's folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.join("kafka"),
            open: Mutex::default(),
            gone: Mutex::default(),
            grown: watch::Sender::new(()),
        }
    }

    /// Rings whenever a record was appended anywhere.
    pub(crate) fn grown(&self) -> watch::Receiver<()> {
        self.grown.subscribe()
    }

    fn partition(&self, topic: Uuid, index: i32) -> io::Result<Arc<Partition>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partition) = open.get(&(topic, index)) {
            return Ok(Arc::clone(partition));
        }
        if self.gone.lock().unwrap_or_else(PoisonError::into_inner).contains(&topic) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.folder.join(topic.to_string()).join(format!("{index}.log"));
        let partition = Arc::new(Partition::open(file, self.grown.clone())?);
        open.insert((topic, index), Arc::clone(&partition));
        Ok(partition)
    }

    /// Removes what a topic that was deleted had.
    ///
    /// # Errors
    /// Where its files can't be removed.
    pub(crate) fn forget(&self, topic: Uuid) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(topic);
        open.retain(|(of, _), partition| {
            if *of == topic {
                partition.close();
            }
            *of != topic
        });
        match std::fs::remove_dir_all(self.folder.join(topic.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what topics had that aren't there any more: a kill came between their deletion and [`Logs::forget`].
    ///
    /// # Errors
    /// Where the folder can't be read or files can't be removed.
    pub(crate) fn retain(&self, topics: &BTreeSet<Uuid>) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            match name.to_str().and_then(|name| Uuid::parse_str(name).ok()) {
                Some(topic) if !topics.contains(&topic) => self.forget(topic)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A partition of a topic of a cluster, to be read.
///
/// # Errors
/// `UnknownTopicOrPartition` where there is none, `KafkaStorageError` where its file can't be read.
pub(crate) fn partition(
    world: &World,
    cluster: &Cluster,
    topic: &str,
    index: i32,
) -> Result<Arc<Partition>, ResponseError> {
    find(world, cluster, topic, index).map(|(partition, _)| partition)
}

/// Appends records to a partition, and returns the offset of the first. When it returns, they outlive the process.
///
/// # Errors
/// Kafka's: `UnknownTopicOrPartition`, `MessageTooLarge`, `InvalidRecord` for one that lacks the key that a compacted
/// topic wants.
pub(crate) fn append(
    world: &World,
    cluster: &Cluster,
    topic: &str,
    index: i32,
    records: &[Record],
) -> Result<i64, ResponseError> {
    let (partition, terms) = find(world, cluster, topic, index)?;
    partition.append(records, terms)
}

/// The same for a batch as a producer made it.
///
/// # Errors
/// The same, and those of idempotent producers.
pub(crate) fn append_batch(
    world: &World,
    cluster: &Cluster,
    topic: &str,
    index: i32,
    batch: BytesMut,
) -> Result<i64, ResponseError> {
    let (partition, terms) = find(world, cluster, topic, index)?;
    partition.append_batch(batch, terms)
}

fn find(world: &World, cluster: &Cluster, topic: &str, index: i32) -> Result<(Arc<Partition>, Terms), ResponseError> {
    let view = kafka::topic(world, cluster, topic).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if !(0..view.content.partitions).contains(&i64::from(index)) {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    let partition = world.logs.partition(view.id, index).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ResponseError::UnknownTopicOrPartition,
        _ => ResponseError::KafkaStorageError,
    })?;
    Ok((partition, Terms::of(&view)))
}

#[cfg(test)]
mod tests;
