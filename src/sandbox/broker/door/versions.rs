//! Which requests there are, and in which versions: clients see it in the reply to ApiVersions.

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

/// The requests that are answered, with the versions that are: from the oldest that the codec knows to the newest that
/// asks for nothing that isn't here.
const SUPPORTED: [(ApiKey, i16, i16); 27] = [
    (ApiKey::Produce, 3, 11),
    // From 13 on topics are named by their ids.
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 8),
    (ApiKey::OffsetFetch, 1, 8),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 4),
    // Version 0 is followed by the mechanism's bare messages.
    (ApiKey::SaslHandshake, 1, 1),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 5),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::SaslAuthenticate, 0, 2),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
];

/// Whether a request of a version is answered.
pub(super) fn supports(key: ApiKey, version: i16) -> bool {
    SUPPORTED.iter().any(|(known, oldest, newest)| *known == key && (*oldest..=*newest).contains(&version))
}

/// What clients are told of it.
pub(super) fn told() -> ApiVersionsResponse {
    let version = |(key, oldest, newest): &(ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(*key as i16).with_min_version(*oldest).with_max_version(*newest)
    };
    ApiVersionsResponse::default().with_api_keys(SUPPORTED.iter().map(version).collect())
}
