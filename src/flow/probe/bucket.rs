//! Looking for a record in a bucket.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::types::Object;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{Fault, Layout, Marker};
use crate::aws::{Failure, found, sent};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How far the clock of S3 may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Larger objects are not looked into: a record that was just sent isn't in one.
const LARGEST_OBJECT: i64 = 64 << 20;

/// A bucket, and how objects get there.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Who asks S3.
    pub s3: aws_sdk_s3::Client,
    /// The bucket.
    pub bucket: String,
    /// How its objects are named.
    pub layout: Layout,
}

/// Where a record landed.
#[derive(Clone, Debug)]
pub struct Landed {
    /// The object's key.
    pub key: String,
    /// When it was seen.
    pub at: Instant,
    /// Whether it has nothing else, so that nobody misses it.
    pub is_ours_alone: bool,
}

impl Sink {
    /// Waits until an object has the record that is at an offset of a topic's partition.
    pub(super) async fn wait_for(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        marker: &Marker,
        patience: Duration,
    ) -> Result<Landed, Fault> {
        let (began, since) = (Instant::now(), SystemTime::now() - CLOCK_SKEW);
        let mut known = BTreeSet::new();
        let mut pause = FIRST_PAUSE;
        loop {
            for key in self.candidates(topic, partition, offset, since).await.map_err(Fault::Bucket)? {
                if known.contains(&key) {
                    continue;
                }
                let Some(contents) = self.contents(&key).await.map_err(Fault::Bucket)? else { continue };
                if let Some(found) = judge(&key, &contents, marker) {
                    return found;
                }
                // An object is never added to.
                known.insert(key);
            }
            let rest = patience.saturating_sub(began.elapsed());
            if rest.is_zero() {
                return Err(Fault::NoObject { waited: patience });
            }
            tokio::time::sleep(pause.min(rest)).await;
            pause = pause.mul_f32(1.5).min(LONGEST_PAUSE);
        }
    }

    /// The keys of the objects that may have the record.
    async fn candidates(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        since: SystemTime,
    ) -> Result<Vec<String>, Failure> {
        let (prefix, after) = self.layout.search(topic, partition, offset);
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let young = |object: &Object| {
                let written = object.last_modified().and_then(|time| SystemTime::try_from(*time).ok());
                written.is_none_or(|written| written >= since)
                    && object.size().is_none_or(|size| size <= LARGEST_OBJECT)
            };
            let page = sent(page)?;
            let objects = page.contents().iter().filter(|object| young(object)).filter_map(Object::key);
            keys.extend(
                objects
                    .filter(|key| self.layout.first_offset(key).is_none_or(|first| first <= offset))
                    .map(str::to_owned),
            );
        }
        Ok(keys)
    }

    /// What an object has, unpacked. None where it is gone.
    async fn contents(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(object) = found(self.s3.get_object().bucket(&self.bucket).key(key).send().await)? else {
            return Ok(None);
        };
        let Ok(bytes) = object.body.collect().await else { return Ok(None) };
        let bytes = bytes.into_bytes().to_vec();
        let mut unpacked = Vec::new();
        if key.ends_with(".gz") && MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).is_ok() {
            return Ok(Some(unpacked));
        }
        Ok(Some(bytes))
    }

    /// Removes an object.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn remove(&self, key: &str) -> Result<(), Failure> {
        sent(self.s3.delete_object().bucket(&self.bucket).key(key).send().await).map(drop)
    }
}

/// What an object says of a marked record: nothing, that it is there, or that it is there as something else.
fn judge(key: &str, contents: &[u8], marker: &Marker) -> Option<Result<Landed, Fault>> {
    let text = String::from_utf8_lossy(contents);
    if !text.contains(&marker.id) {
        return None;
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let records: Vec<Option<Value>> = lines.iter().map(|line| serde_json::from_str(line).ok()).collect();
    if !records.iter().flatten().any(|record| *record == marker.value) {
        return Some(Err(Fault::Altered { key: key.to_owned() }));
    }
    let is_ours = |record: &Option<Value>| record.as_ref() == Some(&marker.value);
    Some(Ok(Landed { key: key.to_owned(), at: Instant::now(), is_ours_alone: records.iter().all(is_ours) }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_judged_by_what_it_has() {
        let (marker, other) = (Marker::new("t"), Marker::new("t"));
        let alone = format!("{}\n", marker.value);
        assert!(judge("k", alone.as_bytes(), &marker).unwrap().unwrap().is_ours_alone);
        // Posted twice, because the first answer was lost.
        let twice = format!("{}\n{}\n", marker.value, marker.value);
        assert!(judge("k", twice.as_bytes(), &marker).unwrap().unwrap().is_ours_alone);
        // Another verify still looks for its own.
        let both = format!("{}\n{}\n", other.value, marker.value);
        assert!(!judge("k", both.as_bytes(), &marker).unwrap().unwrap().is_ours_alone);
        let mixed = format!("{{\"index\":1}}\n{}\n", marker.value);
        assert!(!judge("k", mixed.as_bytes(), &marker).unwrap().unwrap().is_ours_alone);
        assert!(judge("k", other.value.to_string().as_bytes(), &marker).is_none());
        let altered = format!("{{\"pipeline_verify\":\"{}\"}}\n", marker.id);
        assert!(matches!(judge("k", altered.as_bytes(), &marker), Some(Err(Fault::Altered { .. }))));
    }
}
