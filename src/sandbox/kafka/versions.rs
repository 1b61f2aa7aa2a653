//! The Apache Kafka versions of MSK, and what they can do.

use serde_json::json;

use super::clusters::{Cluster, Kind};
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;

/// A release of Kafka: major and minor version.
pub(crate) type Release = (u32, u32);

const ACTIVE: &str = "ACTIVE";
const DEPRECATED: &str = "DEPRECATED";

/// As ListKafkaVersions tells them. 2.8.1 is old, but many clusters in the wild run it, so that it can be pretended.
const VERSIONS: &[(&str, &str)] = &[
    ("2.2.1", DEPRECATED),
    ("2.6.2", DEPRECATED),
    ("2.7.1", DEPRECATED),
    ("2.8.1", ACTIVE),
    ("3.4.0", ACTIVE),
    ("3.5.1", ACTIVE),
    ("3.6.0", ACTIVE),
    ("3.7.x", ACTIVE),
    ("3.7.x.kraft", ACTIVE),
    ("3.8.x", ACTIVE),
    ("3.8.x.kraft", ACTIVE),
    ("3.9.x", ACTIVE),
    ("3.9.x.kraft", ACTIVE),
    ("4.0.x.kraft", ACTIVE),
];

/// Whether a cluster can be created with a version.
pub(super) fn is_offered(version: &str) -> bool {
    VERSIONS.contains(&(version, ACTIVE))
}

/// The version that is offered and is nearest to one that isn't.
pub(super) fn nearest(version: &str) -> &'static str {
    let place = |version: &str| {
        let (major, minor) = release(version);
        // No major version has more minor ones.
        major.saturating_mul(100).saturating_add(minor)
    };
    let offered = VERSIONS.iter().filter(|(_, status)| *status == ACTIVE).map(|(offered, _)| *offered);
    offered.min_by_key(|offered| place(offered).abs_diff(place(version))).unwrap_or_default()
}

/// Whether the topic API works for clusters of a version: from 3.6.0 on.
pub(super) fn has_topic_api(version: &str) -> bool {
    release(version) >= (3, 6)
}

/// Whether a new cluster of a version keeps its metadata in KRaft rather than ZooKeeper: from 3.7 on.
pub(super) fn is_kraft(version: &str) -> bool {
    version.ends_with(".kraft") || release(version) >= (3, 7)
}

/// The release that a cluster runs. That of MSK Serverless isn't told; its brokers know what 2.8 brought.
pub(crate) fn release_of(cluster: &Cluster) -> Release {
    match &cluster.kind {
        Kind::Provisioned { kafka_version, .. } => release(kafka_version),
        Kind::Serverless { .. } => (2, 8),
    }
}

/// Major and minor version; zeros where the text has none.
fn release(version: &str) -> Release {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

pub(super) fn list(call: &Call) -> Result<Reply, Refusal> {
    let page = Page::of(call, "ListKafkaVersions", 100)?;
    let entries =
        VERSIONS.iter().map(|(version, status)| ((*version).to_owned(), json!({"version": version, "status": status})));
    Ok(Reply::json(&page.reply("kafkaVersions", entries)))
}

#[cfg(test)]
mod tests {
    use super::{VERSIONS, has_topic_api, is_kraft, is_offered, nearest};

    #[test]
    fn the_topic_api_begins_with_3_6_and_kraft_with_3_7() {
        let told = |version| (has_topic_api(version), is_kraft(version));
        assert_eq!(told("2.8.1"), (false, false));
        assert_eq!(told("3.5.1"), (false, false));
        assert_eq!(told("3.6.0"), (true, false));
        assert_eq!(told("3.8.x"), (true, true));
        assert_eq!(told("4.0.x.kraft"), (true, true));
    }

    #[test]
    fn deprecated_versions_are_listed_but_not_offered() {
        assert!(is_offered("2.8.1") && !is_offered("2.2.1") && !is_offered("3.8.0"));
        assert!(VERSIONS.is_sorted_by_key(|(version, _)| *version), "pages need them in order");
    }

    #[test]
    fn the_nearest_version_is_one_of_the_same_release_where_there_is_one() {
        let asked = ["3.8.0", "2.8", "3.6.1", "2.2.1", "9.9.9", "latest"];
        assert_eq!(asked.map(nearest), ["3.8.x", "2.8.1", "3.6.0", "2.8.1", "4.0.x.kraft", "2.8.1"]);
    }
}
