//! One record, read back.

use std::time::Duration;

use krafka::KrafkaError;
use krafka::consumer::IsolationLevel;

use super::{Brokers, Failure};

impl Brokers {
    /// The value of the record at an offset. None where the topic has no such record, or it is a tombstone.
    ///
    /// Joins no group and commits nothing.
    ///
    /// # Errors
    /// Where the brokers can't be reached or refuse, or don't answer within `limit`.
    pub async fn value_at(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |error: &KrafkaError| Failure::of("Fetch", error);
        let kafka = self.connect().await?;
        let reading = async {
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
            Ok(read) => read.map_err(|error| failed(&error)),
            Err(_) => {
                let servers = self.servers();
                Err(failed(&KrafkaError::timeout(format!("{servers} did not answer within {} s", limit.as_secs()))))
            }
        }
    }
}
