//! The offsets that consumer groups have committed. They are records of the store, and so survive a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::sandbox::kafka::{self, Cluster};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::World;

/// A partition of a topic by its name.
pub(crate) type TopicPartition = (String, i32);

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// The next offset to be read.
    pub(crate) offset: i64,
    /// What the consumer noted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<String>,
}

/// The offsets of a cluster, by group, topic and partition.
fn table(cluster: &Cluster) -> String {
    format!("kafka.offsets {}", cluster.arn)
}

/// What the keys of a group begin with. No topic has a line feed in its name, so the last one ends the group's.
fn prefix(group: &str) -> String {
    format!("{group}\n")
}

fn key(group: &str, (topic, partition): &TopicPartition) -> String {
    format!("{}{topic}/{partition}", prefix(group))
}

/// The group, topic and partition of a key.
fn parts(key: &str) -> Option<(&str, TopicPartition)> {
    let (group, place) = key.rsplit_once('\n')?;
    let (topic, partition) = place.rsplit_once('/')?;
    Some((group, (topic.to_owned(), partition.parse().ok()?)))
}

/// How far a group has come, in each partition in which it has committed anything.
pub(crate) fn committed(world: &World, cluster: &Cluster, group: &str) -> BTreeMap<TopicPartition, Committed> {
    let records =
        world.store.read(|transaction| transaction.list_prefix::<Committed>(&table(cluster), &prefix(group), ""));
    let of_group = |(key, committed): (String, Committed)| {
        let (owner, partition) = parts(&key)?;
        (owner == group).then_some((partition, committed))
    };
    records.into_iter().filter_map(of_group).collect()
}

/// Notes how far a group has come, all of it or nothing.
///
/// # Errors
/// Where it can't be written.
pub(crate) fn commit(
    world: &World,
    cluster: &Cluster,
    group: &str,
    offsets: &[(TopicPartition, Committed)],
) -> io::Result<()> {
    world.store.transact(|transaction| {
        let table = table(cluster);
        // A topic that was deleted meanwhile must not come back with offsets.
        let there = offsets.iter().filter(|((topic, _), _)| kafka::is_there(transaction, cluster, topic));
        let there: Vec<_> = there.collect();
        there
            .into_iter()
            .try_for_each(|(partition, committed)| transaction.put(&table, &key(group, partition), committed))
    })
}

/// The groups of a cluster that have committed something.
pub(super) fn groups(world: &World, cluster: &Cluster) -> BTreeSet<String> {
    let records = world.store.read(|transaction| transaction.list::<IgnoredAny>(&table(cluster)));
    records.iter().filter_map(|(key, _)| Some(parts(key)?.0.to_owned())).collect()
}

/// Forgets what was committed in a topic that goes away.
pub(crate) fn forget_topic(transaction: &mut Transaction<'_>, cluster: &Cluster, topic: &str) {
    forget(transaction, cluster, |_, (of, _)| of == topic);
}

/// Forgets everything of a cluster that goes away.
pub(crate) fn forget_cluster(transaction: &mut Transaction<'_>, cluster: &Cluster) {
    forget(transaction, cluster, |_, _| true);
}

/// Forgets everything of a group.
///
/// # Errors
/// Where it can't be written.
pub(super) fn forget_group(world: &World, cluster: &Cluster, group: &str) -> io::Result<()> {
    world.store.transact(|transaction| {
        forget(transaction, cluster, |of, _| of == group);
        Ok(())
    })
}

/// Forgets what a group has committed in some partitions.
///
/// # Errors
/// Where it can't be written.
pub(super) fn forget_partitions(
    world: &World,
    cluster: &Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> io::Result<()> {
    world.store.transact(|transaction| {
        forget(transaction, cluster, |of, partition| of == group && partitions.contains(partition));
        Ok(())
    })
}

fn forget(transaction: &mut Transaction<'_>, cluster: &Cluster, is_meant: impl Fn(&str, &TopicPartition) -> bool) {
    let table = table(cluster);
    for (key, IgnoredAny) in transaction.list(&table) {
        if parts(&key).is_some_and(|(group, partition)| is_meant(group, &partition)) {
            transaction.delete(&table, &key);
        }
    }
}
