//! The Kafka protocol, for what no AWS API tells: whether a record is in its topic.

use std::time::Duration;

use krafka::Kafka;
use krafka::consumer::IsolationLevel;

/// Why brokers did not tell.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// They can't be reached, or refuse.
    #[error("cannot read from the brokers {servers}")]
    Brokers {
        /// The bootstrap string.
        servers: String,
        /// What the client says.
        #[source]
        source: krafka::error::KrafkaError,
    },
    /// They are silent.
    #[error("the brokers {servers} did not answer within {} s", .limit.as_secs())]
    Silent {
        /// The bootstrap string.
        servers: String,
        /// How long was waited.
        limit: Duration,
    },
}

/// The value of the record at an offset, over a listener without encryption and authentication. None where the topic
/// has no such record, or it is a tombstone.
///
/// Joins no group and commits nothing.
///
/// # Errors
/// Where the brokers can't be reached, or don't answer within `limit`.
pub async fn value_at(
    servers: &str,
    topic: &str,
    partition: i32,
    offset: i64,
    limit: Duration,
) -> Result<Option<Vec<u8>>, Unread> {
    let broken = |source| Unread::Brokers { servers: servers.to_owned(), source };
    let reading = async {
        let kafka = Kafka::builder(servers).connect().await?;
        let consumer = kafka
            .consumer_without_group()
            .enable_auto_commit(false)
            .isolation_level(IsolationLevel::ReadUncommitted)
            .fetch_max_wait(Duration::from_millis(250))
            .build()
            .await?;
        // A reader past the end would wait for a record that never comes.
        let (_, end) = consumer.fetch_watermarks(topic, partition).await?;
        if offset >= end {
            let _ = consumer.close().await;
            return Ok(None);
        }
        consumer.assign(topic, vec![partition]).await?;
        consumer.seek(topic, partition, offset).await?;
        let found = loop {
            let records = consumer.poll(Duration::from_millis(500)).await?;
            // Offsets have gaps where a topic was compacted: one that is past says that ours is gone.
            if let Some(record) = records.into_iter().find(|record| record.offset >= offset) {
                break (record.offset == offset).then_some(record.value).flatten();
            }
        };
        let _ = consumer.close().await;
        Ok(found.map(|value| value.to_vec()))
    };
    match tokio::time::timeout(limit, reading).await {
        Ok(read) => read.map_err(broken),
        Err(_) => Err(Unread::Silent { servers: servers.to_owned(), limit }),
    }
}
