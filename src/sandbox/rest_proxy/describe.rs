//! What there is: brokers, topics, partitions, and how far they reach.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::metadata::{Place, find};
use super::problem::Problem;
use super::resource::Resource;
use crate::sandbox::broker;
use crate::sandbox::kafka::{self, Cluster, View};
use crate::sandbox::world::World;

/// A resource, as JSON.
///
/// # Errors
/// Where it isn't there.
pub(super) fn describe(world: &World, resource: &Resource<'_>) -> Result<String, Problem> {
    let described = match resource {
        Resource::Root => json!({}),
        Resource::Brokers => {
            let clusters = kafka::active_clusters(world);
            json!({"brokers": clusters.first().map(brokers).unwrap_or_default()})
        }
        Resource::Topics => {
            let clusters = kafka::active_clusters(world);
            let names = clusters.iter().flat_map(|cluster| kafka::topics(world, cluster).into_keys());
            json!(names.collect::<BTreeSet<_>>())
        }
        Resource::Topic(name) => {
            let Place { cluster, view } = find(world, name)?;
            json!({
                "name": name,
                "configs": kafka::in_force(&view.content.configs),
                "partitions": partitions(&cluster, &view),
            })
        }
        Resource::Partitions(topic) => {
            let Place { cluster, view } = find(world, topic)?;
            json!(partitions(&cluster, &view))
        }
        Resource::Partition(topic, index) => {
            let Place { cluster, view } = find(world, topic)?;
            let of_index = partitions(&cluster, &view).into_iter().find(|partition| partition["partition"] == *index);
            of_index.ok_or_else(Problem::no_such_partition)?
        }
        Resource::Offsets(topic, index) => {
            let Place { cluster, .. } = find(world, topic)?;
            let partition = broker::partition(world, &cluster, topic, *index);
            let range = partition.and_then(|partition| partition.range());
            let (beginning, end) = range.map_err(|_| Problem::no_such_partition())?;
            json!({"beginning_offset": beginning, "end_offset": end})
        }
    };
    Ok(described.to_string())
}

fn brokers(cluster: &Cluster) -> Vec<i32> {
    (1..=kafka::brokers(cluster) as i32).collect()
}

fn partitions(cluster: &Cluster, view: &View) -> Vec<Value> {
    let count = kafka::brokers(cluster) as usize;
    let partition = |index: i32| {
        let broker = |replica: i32| kafka::replica(index, replica, count);
        let replicas = (0..view.content.replication as i32)
            .map(|replica| json!({"broker": broker(replica), "leader": replica == 0, "in_sync": true}));
        json!({"partition": index, "leader": broker(0), "replicas": replicas.collect::<Vec<_>>()})
    };
    (0..view.content.partitions as i32).map(partition).collect()
}
