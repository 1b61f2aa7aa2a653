//! What one part of a manifest needs of another.

use super::super::problem::Findings;
use super::super::raw::{self, Selection};
use super::super::yaml::At;
use super::Scene;

/// Tells every part that is missing and needed.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let raw = scene.raw;
    let is_there = |part: &str| match part {
        "cluster" => raw.cluster.is_some(),
        "topics" => raw.topics.as_ref().is_some_and(|topics| !topics.is_empty()),
        "bucket" => raw.bucket.is_some(),
        "plugin" => raw.plugin.is_some(),
        "role" => raw.role.is_some(),
        _ => false,
    };
    let lacks = |part: &str| !is_there(part) && !scene.is_damaged(part);
    if let Some(topics) = raw.topics.as_ref().filter(|topics| !topics.is_empty())
        && lacks("cluster")
    {
        findings.problem(topics.key_at, "topics live in a cluster, and none is declared; add cluster: { name: … }");
    }
    if let Some(client) = &raw.client
        && lacks("cluster")
    {
        findings.problem(client.key_at, "a client is one of a cluster, and none is declared; add cluster: { name: … }");
    }
    if let (Some(connector), Some(register)) =
        (&raw.connector, raw.plugin.as_ref().and_then(|plugin| plugin.register.as_ref()))
        && !register.value
    {
        findings.problem(
            register.at,
            format!(
                "the connector {} runs this plugin, so MSK Connect must have it; remove register: false",
                *connector.name
            ),
        );
    }
    if let Some(plugin) = &raw.plugin
        && !plugin.source.starts_with("s3://")
        && lacks("bucket")
    {
        findings.problem(
            plugin.key_at,
            "the plugin's archive is uploaded to the bucket, and none is declared; \
                add bucket: { name: … }, or give an s3:// source",
        );
    }
    let Some(connector) = &raw.connector else { return };
    let wants_topics = !matches!(connector.topics.as_ref().map(|topics| &topics.value), Some(Selection::Regex { .. }));
    let needed = [
        ("cluster", "reads from a cluster"),
        ("topics", "reads topics"),
        ("bucket", "writes to a bucket"),
        ("plugin", "runs a plugin"),
        ("role", "works as a role"),
    ];
    for (part, why) in needed {
        if lacks(part) && (part != "topics" || wants_topics) {
            findings.problem(connector.key_at, format!("the connector {why}, and none is declared; add {part}"));
        }
    }
    if let Some(role) = &raw.role {
        trusts_the_connector(role, scene, findings);
    }
}

/// The service that assumes a connector's role.
const KAFKA_CONNECT: &str = "kafkaconnect.amazonaws.com";

/// A role that we make has only the trust that is declared; an existing one may have more.
fn trusts_the_connector(role: &At<raw::Role>, scene: &Scene<'_>, findings: &mut Findings) {
    let created = role.create.as_ref().is_none_or(|create| create.value);
    let trusted = role.trust.as_ref().is_some_and(|trust| {
        trust.iter().any(|entry| entry.service.as_deref().is_some_and(|service| service == KAFKA_CONNECT))
    });
    if created && !trusted && !scene.is_damaged("role") {
        let at = role.trust.as_ref().map_or(role.key_at, |trust| trust.key_at);
        findings.problem(
            at,
            format!(
                "the connector works as this role, which doesn't trust MSK Connect; \
                add \"- service: {KAFKA_CONNECT}\" to its trust"
            ),
        );
    }
}
