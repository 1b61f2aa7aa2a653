//! Topics: one kind, whichever way they are managed by. A topic carries no tags: its declared name makes it ours.
//!
//! Every change is waited for until it is to be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::cluster::TOPICS_VIA;
use crate::aws::wait::{Look, wait_until};
use crate::engine::diff::diff;
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, OnDestroy, Output, Outputs, Owner, Progress,
    Removal, Resource, Result, State,
};
use crate::manifest;

mod api;
mod commands;
mod door;
mod gather;
mod protocol;

pub(crate) use commands::Commands;
use door::{Created, Door, Seen, Standing};
pub(crate) use door::{Doors, Via};

/// How long a change may take to show. The topic API's replies are refreshed about once a minute.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(300);

/// A declared topic.
#[derive(Debug)]
pub(crate) struct Topic {
    declared: manifest::Topic,
    doors: Arc<Doors>,
    address: Address,
    cluster: [Address; 1],
}

/// The address of a topic.
pub(crate) fn address(name: &str) -> Address {
    Address::new("topic", name)
}

/// The ARN of a topic of a cluster: `arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/TOPIC`
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html>).
fn arn(cluster: &str, topic: &str) -> String {
    format!("{}/{topic}", cluster.replacen(":cluster/", ":topic/", 1))
}

/// The way to a topic: a door, and the cluster behind it.
struct Way<'a> {
    door: &'a dyn Door,
    via: &'a str,
    cluster: &'a str,
}

impl Topic {
    pub(crate) fn new(declared: &manifest::Topic, cluster: Address, doors: Arc<Doors>) -> Self {
        Self { address: address(&declared.name), declared: declared.clone(), doors, cluster: [cluster] }
    }

    fn way<'a>(&'a self, known: &'a Outputs) -> Result<Way<'a>> {
        let via = known.require(&self.cluster[0], TOPICS_VIA)?;
        Ok(Way { door: self.doors.via(via), via, cluster: known.require(&self.cluster[0], "arn")? })
    }

    /// The state that the engine compares: of the configuration, only what the manifest declares.
    fn state(&self, way: &Way<'_>, seen: &Seen) -> State {
        let declared = seen.config.iter().filter(|(key, _)| self.declared.config.contains_key(*key));
        let declared = declared.map(|(key, value)| (key.clone(), value.clone())).collect();
        State {
            fields: self.fields(seen.partitions, seen.replication_factor, &declared),
            output: Output::new()
                .with("arn", arn(way.cluster, &self.declared.name))
                .with("cluster", way.cluster)
                .with(TOPICS_VIA, way.via),
            label: None,
        }
    }

    /// A topic's fields in normal form. How many replicas it has is no choice on a Serverless cluster.
    fn fields(&self, partitions: i32, replication_factor: i32, config: &BTreeMap<String, String>) -> Fields {
        let mut fields = Fields::new().with("partitions", partitions);
        if !self.doors.is_serverless() {
            fields = fields.with("replication_factor", replication_factor);
        }
        config.iter().fold(fields, |fields, (key, value)| fields.with(format!("config.{key}"), value.as_str()))
    }

    /// Waits until the topic is to be seen with as many partitions as are declared.
    async fn whole(&self, way: &Way<'_>, progress: &Progress) -> Result<()> {
        let wanted = self.declared.partitions;
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || way.door.partitions(way.cluster, &self.declared),
            |seen| match seen {
                // More of them than declared is for the plan to refuse.
                Some(partitions) if *partitions >= wanted => Look::Settled,
                Some(_) => Look::Pending("not yet as changed".to_owned()),
                None => Look::Pending("not yet to be seen".to_owned()),
            },
        )
        .await?;
        Ok(())
    }

    /// Waits until a describe shows the topic with these of the declared fields.
    async fn settled(
        &self,
        way: &Way<'_>,
        shows: impl Fn(&Fields) -> bool + Send + Sync,
        progress: &Progress,
    ) -> Result<State> {
        let seen = wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || async {
                let seen = way.door.describe(way.cluster, &self.declared).await?;
                Ok(seen.map(|seen| (self.state(way, &seen), seen.standing)))
            },
            |seen| match seen {
                Some((state, Standing::Settled)) if shows(&state.fields) => Look::Settled,
                Some((_, Standing::Settled)) => Look::Pending("ACTIVE, not yet as changed".to_owned()),
                Some((_, Standing::Changing(state))) => Look::Pending(state.clone()),
                Some((_, Standing::Going)) => Look::Pending("DELETING".to_owned()),
                None => Look::Pending("not yet to be seen".to_owned()),
            },
        )
        .await?;
        seen.map(|(state, _)| state).ok_or_else(|| "it went away while it was waited for; apply again".into())
    }

    async fn gone(&self, way: &Way<'_>, progress: &Progress) -> Result<()> {
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || way.door.partitions(way.cluster, &self.declared),
            |seen| if seen.is_some() { Look::Pending("DELETING".to_owned()) } else { Look::Settled },
        )
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Resource for Topic {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.cluster
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        self.fields(self.declared.partitions, self.declared.replication_factor, &self.declared.config)
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        match (change.field.as_str(), &change.from) {
            ("partitions", Some(Field::Known(now))) if now.as_i64() > Some(self.declared.partitions.into()) => {
                OnChange::Refuse(format!(
                    "partitions cannot shrink from {now} to {}: Kafka has no such operation; keep {now}, or declare a \
                     topic of another name",
                    self.declared.partitions
                ))
            }
            ("replication_factor", Some(Field::Known(now))) => OnChange::Refuse(format!(
                "the replication factor cannot change from {now} to {} in place; keep {now}, reassign the partitions \
                 with Kafka's own tools, or declare a topic of another name",
                self.declared.replication_factor
            )),
            // https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html
            ("config.cleanup.policy", now) if self.doors.is_serverless() => OnChange::Refuse(format!(
                "on a Serverless cluster cleanup.policy can be chosen at creation only, and this topic {}; declare that, \
                 or a topic of another name",
                match now {
                    Some(Field::Known(now)) => format!("has {}", now.as_str().unwrap_or_default()),
                    _ => "has the cluster's own".to_owned(),
                }
            )),
            _ => OnChange::Update,
        }
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        if self.declared.retain {
            OnDestroy::Retain("its records are kept (on_destroy: retain); --delete-topics deletes them".to_owned())
        } else {
            OnDestroy::Delete
        }
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        // Without a way there is nothing of ours that could be seen: the plan refuses what the cluster lacks.
        let Ok(way) = self.way(known) else { return Ok(Observed::absent()) };
        match way.door.read(way.cluster, &self.declared).await? {
            Some(seen) if seen.standing != Standing::Going => {
                Ok(Observed::present(self.state(&way, &seen), Owner::Untaggable))
            }
            _ => Ok(Observed::absent()),
        }
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let way = self.way(known)?;
        // One that replies did not show: a run that was killed a moment ago made it, or is deleting it.
        wait_until(
            TOPIC_TIMEOUT,
            |state| progress.note(state),
            || async {
                if way.door.create(way.cluster, &self.declared).await? == Created::Now {
                    return Ok(true);
                }
                let there = way.door.describe(way.cluster, &self.declared).await?;
                Ok(there.is_some_and(|seen| seen.standing != Standing::Going))
            },
            |is_there| match is_there {
                true => Look::Settled,
                false => Look::Pending("its name is taken by a topic that is not to be seen, or going".to_owned()),
            },
        )
        .await?;
        self.whole(&way, progress).await?;
        self.settled(&way, |_| true, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let way = self.way(known)?;
        let desired = self.desired(known);
        let mut state = change.current.clone();
        // The topic API's UpdateTopic takes one or the other, and refuses a topic that is still UPDATING.
        if change.touches("partitions") {
            way.door.grow(way.cluster, &self.declared).await?;
            self.whole(&way, progress).await?;
            let shows = |seen: &Fields| seen.get("partitions") == desired.get("partitions");
            state = self.settled(&way, shows, progress).await?;
        }
        if change.touches("config") {
            way.door.configure(way.cluster, &self.declared).await?;
            state = self.settled(&way, |seen| diff(&desired, seen).is_empty(), progress).await?;
        }
        Ok(state)
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        let (cluster, via) = (state.output.require("cluster")?, state.output.require(TOPICS_VIA)?);
        let way = Way { door: self.doors.via(via), via, cluster };
        way.door.delete(cluster, &self.declared).await?;
        self.gone(&way, progress).await?;
        Ok(Removal::Gone)
    }
}
