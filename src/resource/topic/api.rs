//! What the topics of one manifest share before the topic API: one queue, and one listing at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::permitted;
use crate::aws::sent;
use crate::engine::Result;
use crate::resource::Shared;

/// How many calls of the topic API are under way at once.
const CALLS_AT_ONCE: usize = 64;
/// How old a listing may be, at least, before there is another one. One that took longer to make may be as old as that:
/// so at most half of the time goes into listing, however many topics there are.
const FRESH: Duration = Duration::from_millis(200);
/// The most topics that a page is asked to hold.
const PAGE: i32 = 100;

/// The partitions of all topics that exist and start like ours, by name.
pub(super) type Listing = Arc<BTreeMap<String, i32>>;

/// What the topics of one manifest share.
#[derive(Debug)]
pub(crate) struct TopicApi {
    prefix: String,
    last: Mutex<Option<Last>>,
    queue: Semaphore,
}

/// The last listing.
#[derive(Debug)]
struct Last {
    listing: Listing,
    ended: Instant,
    took: Duration,
}

impl TopicApi {
    /// For topics of these names.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { prefix: common_prefix(names), last: Mutex::new(None), queue: Semaphore::new(CALLS_AT_ONCE) }
    }

    /// Waits for its turn to make a call, which lasts until what is returned is dropped.
    pub(super) async fn turn(&self) -> std::result::Result<SemaphorePermit<'_>, AcquireError> {
        self.queue.acquire().await
    }

    /// What a fresh listing shows. Those who ask while one is made get that one.
    pub(super) async fn list(&self, context: &Shared, cluster: &str) -> Result<Listing> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.ended + last.took.max(FRESH) > asked) {
            return Ok(Arc::clone(&last.listing));
        }
        let began = Instant::now();
        let listing = Arc::new(self.fetch(context, cluster).await?);
        *last = Some(Last { listing: Arc::clone(&listing), ended: Instant::now(), took: began.elapsed() });
        Ok(listing)
    }

    async fn fetch(&self, context: &Shared, cluster: &str) -> Result<BTreeMap<String, i32>> {
        let mut list = context.clients.kafka.list_topics().cluster_arn(cluster);
        if !self.prefix.is_empty() {
            list = list.topic_name_filter(&self.prefix);
        }
        let mut pages = list.into_paginator().page_size(PAGE).items().send();
        let mut topics = BTreeMap::new();
        while let Some(topic) = pages.next().await {
            let topic = sent(topic).map_err(|failure| permitted(failure, "DescribeTopic"))?;
            if let Some(name) = topic.topic_name {
                topics.insert(name, topic.partition_count.unwrap_or_default());
            }
        }
        Ok(topics)
    }
}

fn common_prefix<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first = names.next().unwrap_or_default();
    names.fold(first.to_owned(), |prefix, name| {
        let shared = prefix.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
        prefix.chars().take(shared).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_asks_for_what_all_names_start_with() {
        assert_eq!(common_prefix(["0a1b.pin", "0a1b.geo", "0a1b.user"]), "0a1b.");
        assert_eq!(common_prefix(["orders"]), "orders");
        assert_eq!(common_prefix(["orders", "users"]), "");
    }
}
