//! The task of a sink: it finds the partitions of its topics, takes their records on, and puts what came of them in its
//! place, with the rights that the connector's role has at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use uuid::Uuid;

use super::assignment::{Advance, Assignment};
use super::dead_letters::{self, Origin};
use super::fault::Fault;
use super::log::Log;
use super::settings::{Sink, Topics};
use super::writer::{Errant, Outcome};
use crate::sandbox::broker::{self, Committed, ResponseError, TopicPartition};
use crate::sandbox::call::Refusal;
use crate::sandbox::connect::connectors::{Connector, StateDescription};
use crate::sandbox::connect::health;
use crate::sandbox::iam;
use crate::sandbox::kafka::{self, Cluster, Content, View};
use crate::sandbox::rest_proxy::partition_of_key;
use crate::sandbox::s3::{self, Uploaded};
use crate::sandbox::world::{World, now};

/// How often it looks for topics and partitions that are new, and at its rights.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Partitions that are worked on at the same time.
const LANES: usize = 4;

/// The task.
pub(super) struct Task {
    world: Arc<World>,
    log: Arc<Log>,
    sink: Arc<Sink>,
    cluster: Cluster,
    /// The connector's name, and its role.
    name: String,
    role: String,
    uses_iam: bool,
    group: String,
    assignments: BTreeMap<TopicPartition, Assignment>,
    /// Topics that were warned of.
    warned: BTreeSet<String>,
}

impl Task {
    /// A task that is about to begin.
    ///
    /// # Errors
    /// Why it can't.
    pub(super) fn new(
        world: &Arc<World>,
        connector: &Connector,
        sink: Sink,
        log: &Arc<Log>,
    ) -> Result<Self, StateDescription> {
        health::check_trust(world, connector)?;
        let cluster = health::reach_cluster(world, connector).map_err(broken)??;
        let task = Self {
            world: Arc::clone(world),
            log: Arc::clone(log),
            sink: Arc::new(sink),
            cluster,
            name: connector.name.clone(),
            role: connector.fixed.role.clone(),
            uses_iam: connector.fixed.authentication == "IAM",
            group: format!("connect-{}", connector.name),
            assignments: BTreeMap::new(),
            warned: BTreeSet::new(),
        };
        if task.sink.ignores_interval() {
            task.log.warn(
                "Property 'rotate.interval.ms' is set but partitioner is not an instance of 'io.confluent.connect.storage.partitioner.TimeBasedPartitioner'. This property is ignored.",
            );
        }
        task.make_dead_letter_topic()?;
        Ok(task)
    }

    /// Works until it can't go on, and tells why.
    pub(super) async fn run(mut self) -> StateDescription {
        let mut grown = self.world.logs.grown();
        let mut looked: Option<Instant> = None;
        loop {
            // What comes from here on rings again.
            grown.mark_unchanged();
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                if let Err(why) = self.look() {
                    return why;
                }
                looked = Some(Instant::now());
            }
            match self.advance().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(why) => return why,
            }
            tokio::select! {
                _ = grown.changed() => {}
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// How long nothing happens by itself.
    fn pause(&self) -> Duration {
        let now = now() as i64;
        let due = self.assignments.values().filter_map(Assignment::due).min();
        let pause = due.map_or(LOOK, |due| Duration::from_millis(due.saturating_sub(now).max(1) as u64));
        pause.min(LOOK)
    }

    /// Looks which partitions there are, and whether it may read them.
    fn look(&mut self) -> Result<(), StateDescription> {
        let found = self.topics()?;
        self.check_rights(found.keys())?;
        let is_there =
            |assignment: &Assignment| found.get(&assignment.topic).is_some_and(|view| view.id == assignment.id);
        let log = &self.log;
        self.assignments.retain(|(topic, partition), assignment| {
            let stays = is_there(assignment);
            if !stays {
                log.warn(format!("Partition {topic}-{partition} is gone"));
            }
            stays
        });
        let mut committed = None;
        for (topic, view) in &found {
            for partition in 0..view.content.partitions as i32 {
                let key = (topic.clone(), partition);
                if self.assignments.contains_key(&key) {
                    continue;
                }
                let committed =
                    committed.get_or_insert_with(|| broker::committed(&self.world, &self.cluster, &self.group));
                let offset = committed.get(&key).map(|committed| committed.offset);
                if let Some(assignment) = self.assign(&key, view, offset)? {
                    self.assignments.insert(key, assignment);
                }
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        key: &TopicPartition,
        view: &View,
        committed: Option<i64>,
    ) -> Result<Option<Assignment>, StateDescription> {
        let (topic, partition) = key;
        let source = broker::partition(&self.world, &self.cluster, topic, *partition);
        let place = (topic.as_str(), *partition);
        let assigned =
            source.and_then(|source| Assignment::new(&self.sink, place, view.id, source, committed, now() as i64));
        match assigned {
            Ok(assignment) => {
                let from = assignment.next();
                self.log.info(format!("Assigned partition {topic}-{partition}, starting at offset {from}"));
                // Who begins at the end would begin at a later end after a restart, and miss what came in between.
                if committed.is_none() && self.sink.from_the_end {
                    self.commit(key.clone(), from)?;
                }
                Ok(Some(assignment))
            }
            // It was deleted since.
            Err(ResponseError::UnknownTopicOrPartition) => Ok(None),
            Err(error) => Err(failed(&Fault::connect(format!("{topic}-{partition}: {error}")))),
        }
    }

    /// The topics that it reads, of those that there are.
    fn topics(&mut self) -> Result<BTreeMap<String, View>, StateDescription> {
        match &self.sink.topics {
            Topics::Matching(regex) => {
                let mut topics = kafka::topics(&self.world, &self.cluster);
                topics.retain(|topic, _| regex.is_match(topic));
                Ok(topics)
            }
            Topics::Named(names) => {
                let find = |name: &String| (name.clone(), kafka::topic(&self.world, &self.cluster, name));
                let mut topics = BTreeMap::new();
                for (name, view) in names.iter().map(find) {
                    match view {
                        Some(view) => {
                            self.warned.remove(&name);
                            topics.insert(name, view);
                        }
                        None if self.warned.insert(name.clone()) => {
                            self.log
                                .warn(format!("Error while fetching metadata: {{{name}=UNKNOWN_TOPIC_OR_PARTITION}}"));
                        }
                        None => {}
                    }
                }
                Ok(topics)
            }
        }
    }

    fn check_rights<'t>(&self, topics: impl IntoIterator<Item = &'t String>) -> Result<(), StateDescription> {
        if !self.uses_iam {
            return Ok(());
        }
        let require = |actions: &[&str], resource: &str| health::require(&self.world, &self.role, actions, resource);
        require(&["kafka-cluster:Connect"], &self.cluster.arn)?;
        let group = self.cluster.arn_of("group", &self.group);
        require(&["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"], &group)?;
        for topic in topics {
            let topic = self.cluster.arn_of("topic", topic);
            require(&["kafka-cluster:ReadData", "kafka-cluster:DescribeTopic"], &topic)?;
        }
        Ok(())
    }

    /// Takes on all partitions that have something to do. Tells whether any had.
    async fn advance(&mut self) -> Result<bool, StateDescription> {
        let time = now() as i64;
        let ready: Vec<TopicPartition> = self
            .assignments
            .iter()
            .filter(|(_, assignment)| assignment.is_ready(time) == Some(true))
            .map(|(key, _)| key.clone())
            .collect();
        if ready.is_empty() {
            return Ok(false);
        }
        self.check_rights(ready.iter().map(|(topic, _)| topic).collect::<BTreeSet<_>>())?;
        let taken: Vec<Assignment> = ready.iter().filter_map(|key| self.assignments.remove(key)).collect();
        let mut advances = stream::iter(taken)
            .map(|assignment| {
                let (world, sink) = (Arc::clone(&self.world), Arc::clone(&self.sink));
                tokio::task::spawn_blocking(move || assignment.advance(&world, &sink, now() as i64))
            })
            .buffer_unordered(LANES);
        let mut back = Vec::new();
        while let Some(advance) = advances.next().await {
            let advance = advance.map_err(|error| failed(&Fault::connect(error.to_string())))?;
            let Advance { assignment, outcome, result } = advance;
            let key = (assignment.topic.clone(), assignment.partition);
            // What went well before something went wrong is kept.
            self.settle(&key, assignment.id, outcome).await?;
            result.map_err(|fault| failed(&fault))?;
            back.push((key, assignment));
        }
        drop(advances);
        self.assignments.extend(back);
        Ok(true)
    }

    /// Puts in its place what came of the records of a partition, and then commits its offset: a kill in between has the
    /// same objects written again.
    async fn settle(&self, key: &TopicPartition, topic: Uuid, outcome: Outcome) -> Result<(), StateDescription> {
        let Outcome { mut written, commit, errant } = outcome;
        self.report(key, &errant)?;
        let mut tries = 0;
        let count = written.len();
        while !written.is_empty() {
            let Err(why) = self.put(&mut written) else { break };
            if tries == self.sink.store.retries {
                return Err(why);
            }
            let pause = Duration::from_millis(self.sink.store.backoff.saturating_mul(1 << tries.min(16)));
            tries += 1;
            self.log.warn(format!("{} Retry {tries} of {}.", why.message, self.sink.store.retries));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
        let Some(offset) = commit else { return Ok(()) };
        // A topic that was deleted and made again meanwhile begins anew.
        if kafka::topic(&self.world, &self.cluster, &key.0).is_none_or(|view| view.id != topic) {
            return Ok(());
        }
        self.commit(key.clone(), offset)?;
        if count > 0 {
            let (topic, partition) = key;
            self.log.info(format!(
                "{count} file(s) committed to S3. Target commit offset for {topic}-{partition} is {offset}"
            ));
        }
        Ok(())
    }

    fn commit(&self, key: TopicPartition, offset: i64) -> Result<(), StateDescription> {
        let committed = Committed { offset, metadata: None };
        broker::commit(&self.world, &self.cluster, &self.group, &[(key, committed)])
            .map_err(|error| broken(Refusal::from(error)))
    }

    /// Puts objects in their places, as the connector's role.
    fn put(&self, written: &mut Vec<Uploaded>) -> Result<(), StateDescription> {
        let store = &self.sink.store;
        let refused = |code: &str, message: &str| {
            failed(&Fault::connect(format!("S3 bucket {}: {message} (Error Code: {code})", store.bucket)))
        };
        match s3::bucket_region(&self.world, &store.bucket) {
            None => return Err(refused("NoSuchBucket", "The specified bucket does not exist")),
            Some(region) if region != store.region => {
                return Err(refused(
                    "PermanentRedirect",
                    &format!("The bucket is in {region}, not in {}", store.region),
                ));
            }
            Some(_) => {}
        }
        let objects: Vec<String> =
            written.iter().map(|object| format!("arn:aws:s3:::{}/{}", store.bucket, object.key)).collect();
        if let Some(object) = iam::first_denied(&self.world, &self.role, "s3:PutObject", &objects) {
            return health::require(&self.world, &self.role, &["s3:PutObject"], object);
        }
        s3::complete(&self.world, &store.bucket, written).map_err(|refusal| refused(&refusal.code, &refusal.message))
    }

    /// Tells of records that couldn't be handled.
    fn report(&self, (topic, partition): &TopicPartition, errant: &[Errant]) -> Result<(), StateDescription> {
        let sink = &self.sink;
        let origin = Origin { connector: &self.name, topic, partition: *partition };
        if sink.errors.logged {
            errant.iter().for_each(|errant| self.log.error(dead_letters::describe(sink, &origin, errant)));
        }
        let Some(to) = sink.errors.dead_letters.as_ref().filter(|_| sink.errors.tolerated && !errant.is_empty()) else {
            return Ok(());
        };
        if self.uses_iam {
            let arn = self.cluster.arn_of("topic", &to.topic);
            health::require(
                &self.world,
                &self.role,
                &["kafka-cluster:WriteData", "kafka-cluster:DescribeTopic"],
                &arn,
            )?;
        }
        let view = kafka::topic(&self.world, &self.cluster, &to.topic);
        let partitions = view.map_or(1, |view| view.content.partitions as i32);
        for errant in errant {
            let letter = dead_letters::letter(sink, to, &origin, errant);
            let place = letter.key.as_ref().map_or(0, |key| partition_of_key(key, partitions));
            let sent = broker::append(&self.world, &self.cluster, &to.topic, place, &[letter]);
            if let Err(error) = sent {
                self.log.error(format!("Could not produce message to dead letter queue. topic={}: {error}", to.topic));
            }
        }
        Ok(())
    }

    /// Makes the topic for records that can't be handled, where it isn't there.
    fn make_dead_letter_topic(&self) -> Result<(), StateDescription> {
        let Some(to) = &self.sink.errors.dead_letters else { return Ok(()) };
        if kafka::topic(&self.world, &self.cluster, &to.topic).is_some() {
            return Ok(());
        }
        let arn = self.cluster.arn_of("topic", &to.topic);
        if self.uses_iam {
            health::require(&self.world, &self.role, &["kafka-cluster:CreateTopic"], &arn)?;
        }
        self.log.error(format!("Topic {} doesn't exist. Will attempt to create topic.", to.topic));
        let content = Content { partitions: 1, replication: to.replication, configs: Default::default() };
        let made = self.world.store.transact(|transaction| {
            kafka::create_topic(transaction, &self.cluster, &to.topic, content, now()).map(|_| ())
        });
        made.map_err(|fault| {
            let what = format!("Could not initialize dead letter queue with topic={}", to.topic);
            failed(&Fault::connect(format!("{what}: {}", fault.message)))
        })
    }
}

/// Why a connector failed, where its task did.
fn failed(fault: &Fault) -> StateDescription {
    StateDescription::new("UnknownError", format!("The connector's task 0 failed. Message: {fault}"))
}

/// The same where it was the sandbox that failed.
fn broken(refusal: Refusal) -> StateDescription {
    failed(&Fault::connect(refusal.message))
}
