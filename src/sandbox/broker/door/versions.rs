//! Which requests there are, and in which versions: clients see it in the reply to ApiVersions. An older cluster has
//! older ones, as the history in Kafka's message schemas tells
//! (<https://github.com/apache/kafka/tree/trunk/clients/src/main/resources/common/message>).

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

use crate::sandbox::kafka::Release;

/// The oldest release that a cluster can have.
const FIRST: Release = (2, 8);

/// The newest version of a request, by the releases that brought it.
type Newest = &'static [(Release, i16)];

/// The requests that are answered, with the versions that are: from the oldest that the codec knows to the newest that
/// asks for nothing that isn't here.
const SUPPORTED: [(ApiKey, i16, Newest); 27] = [
    (ApiKey::Produce, 3, &[(FIRST, 9), ((3, 7), 10), ((3, 8), 11)]),
    // From 13 on topics are named by their ids.
    (ApiKey::Fetch, 4, &[(FIRST, 12)]),
    (ApiKey::ListOffsets, 1, &[(FIRST, 6), ((3, 0), 7)]),
    (ApiKey::Metadata, 0, &[(FIRST, 11), ((3, 1), 12)]),
    (ApiKey::OffsetCommit, 2, &[(FIRST, 8)]),
    (ApiKey::OffsetFetch, 1, &[(FIRST, 7), ((3, 0), 8)]),
    (ApiKey::FindCoordinator, 0, &[(FIRST, 3), ((3, 0), 4)]),
    (ApiKey::JoinGroup, 0, &[(FIRST, 7), ((3, 2), 9)]),
    (ApiKey::Heartbeat, 0, &[(FIRST, 4)]),
    (ApiKey::LeaveGroup, 0, &[(FIRST, 4), ((3, 2), 5)]),
    (ApiKey::SyncGroup, 0, &[(FIRST, 5)]),
    (ApiKey::DescribeGroups, 0, &[(FIRST, 5)]),
    (ApiKey::ListGroups, 0, &[(FIRST, 4)]),
    // Version 0 is followed by the mechanism's bare messages.
    (ApiKey::SaslHandshake, 1, &[(FIRST, 1)]),
    (ApiKey::ApiVersions, 0, &[(FIRST, 3)]),
    (ApiKey::CreateTopics, 2, &[(FIRST, 7)]),
    (ApiKey::DeleteTopics, 1, &[(FIRST, 5)]),
    (ApiKey::InitProducerId, 0, &[(FIRST, 4)]),
    (ApiKey::OffsetForLeaderEpoch, 2, &[(FIRST, 4)]),
    (ApiKey::DescribeConfigs, 1, &[(FIRST, 4)]),
    (ApiKey::AlterConfigs, 0, &[(FIRST, 2)]),
    (ApiKey::SaslAuthenticate, 0, &[(FIRST, 2)]),
    (ApiKey::CreatePartitions, 0, &[(FIRST, 3)]),
    (ApiKey::DeleteGroups, 0, &[(FIRST, 2)]),
    (ApiKey::IncrementalAlterConfigs, 0, &[(FIRST, 1)]),
    (ApiKey::OffsetDelete, 0, &[(FIRST, 0)]),
    (ApiKey::DescribeCluster, 0, &[(FIRST, 0), ((3, 7), 1)]),
];

/// The requests of a release, each with its oldest and its newest version.
fn ranges(release: Release) -> impl Iterator<Item = (ApiKey, i16, i16)> {
    SUPPORTED.into_iter().filter_map(move |(key, oldest, newest)| {
        let (_, newest) = newest.iter().rfind(|(since, _)| *since <= release).or(newest.first())?;
        Some((key, oldest, *newest))
    })
}

/// Whether a broker of a release answers a request of a version.
pub(super) fn supports(release: Release, key: ApiKey, version: i16) -> bool {
    ranges(release).any(|(known, oldest, newest)| known == key && (oldest..=newest).contains(&version))
}

/// What clients are told of it.
pub(super) fn told(release: Release) -> ApiVersionsResponse {
    let version = |(key, oldest, newest): (ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(oldest).with_max_version(newest)
    };
    ApiVersionsResponse::default().with_api_keys(ranges(release).map(version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(release: Release, key: ApiKey) -> Option<i16> {
        ranges(release).find(|(known, _, _)| *known == key).map(|(_, _, newest)| newest)
    }

    #[test]
    fn an_old_cluster_has_old_versions() {
        let told = |release| {
            [ApiKey::Produce, ApiKey::FindCoordinator, ApiKey::JoinGroup, ApiKey::Metadata, ApiKey::DescribeCluster]
                .map(|key| newest(release, key))
        };
        assert_eq!(told((2, 8)), [9, 3, 7, 11, 0].map(Some));
        assert_eq!(told((3, 6)), [9, 4, 9, 12, 0].map(Some));
        assert_eq!(told((4, 0)), [11, 4, 9, 12, 1].map(Some));
        assert!(supports((2, 8), ApiKey::Fetch, 12) && !supports((2, 8), ApiKey::OffsetFetch, 8));
        assert!(supports((3, 0), ApiKey::OffsetFetch, 8) && !supports((3, 0), ApiKey::OffsetFetch, 9));
    }

    #[test]
    fn the_keys_are_in_order_and_each_grows_with_time() {
        assert!(SUPPORTED.is_sorted_by_key(|(key, _, _)| *key as i16));
        for (key, oldest, newest) in SUPPORTED {
            assert_eq!(newest.first().map(|(since, _)| *since), Some(FIRST), "{key:?}");
            assert!(newest.is_sorted() && newest.iter().all(|(_, version)| *version >= oldest), "{key:?}");
        }
    }
}
