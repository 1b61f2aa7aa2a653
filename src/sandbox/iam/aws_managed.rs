//! The managed policies that AWS gives to every account: those that a pipeline's roles are likely to use.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::identifiers::fixed;
use super::policies::{Policy, Version};
use crate::sandbox::world::Millis;

/// One policy, as the file beside this one has it.
#[derive(Deserialize)]
struct Published {
    name: String,
    path: String,
    version: String,
    created: String,
    updated: String,
    document: Value,
}

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let published: Vec<Published> = serde_json::from_str(include_str!("aws_managed.json")).unwrap_or_default();
    published.into_iter().map(Policy::from).collect()
});

/// All of them.
pub(super) fn all() -> &'static [Policy] {
    &POLICIES
}

impl From<Published> for Policy {
    fn from(published: Published) -> Self {
        let Published { name, path, version, created, updated, document } = published;
        let arn = format!("arn:aws:iam::aws:policy{path}{name}");
        let updated = millis(&updated);
        Self {
            id: fixed("ANPA", &arn),
            description: None,
            created: millis(&created),
            updated,
            tags: Vec::new(),
            versions: vec![Version { id: version.clone(), document: document.to_string(), created: updated }],
            newest: 1,
            default: version,
            name,
            path,
            arn,
        }
    }
}

fn millis(time: &str) -> Millis {
    let seconds = OffsetDateTime::parse(time, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp);
    u64::try_from(seconds).unwrap_or(0) * 1000
}

#[cfg(test)]
mod tests {
    use super::super::documents::{Document, Kind};
    use super::*;

    #[test]
    fn all_are_read_and_well_formed() {
        assert!(all().len() > 10);
        for policy in all() {
            let document = policy.document().unwrap_or_default();
            assert!(Document::parse(document, Kind::Identity).is_ok(), "{}", policy.arn);
            assert!(policy.created > 0 && policy.updated >= policy.created, "{}", policy.arn);
        }
        let arns: Vec<&str> = all().iter().map(|policy| policy.arn.as_str()).collect();
        assert!(arns.contains(&"arn:aws:iam::aws:policy/AmazonMSKReadOnlyAccess"));
        assert!(arns.contains(&"arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"));
    }
}
