//! A plan's topics, as commands of Apache Kafka's own tools.

use std::sync::Arc;

use super::cluster::Cluster;
use super::topic::{self, Commands};
use super::{Shared, Unbuildable};
use crate::engine::plan::{Plan, Step, Work};
use crate::engine::{Outputs, Resource};
use crate::manifest::Manifest;

/// The lines of a script that does to topics what a plan asks for; without a plan, because nothing of the topics could be
/// seen, what makes and configures all that are declared, and can be run twice.
///
/// # Errors
/// Where the manifest has no topics, or its cluster can't be read or has no such listener.
pub async fn topic_commands(
    manifest: &Manifest,
    context: &Shared,
    plan: Option<&Plan>,
) -> Result<Vec<String>, Unbuildable> {
    let Some(declared) = manifest.cluster.as_ref().filter(|_| !manifest.topics.is_empty()) else {
        return Err("the manifest declares no topics, so there are no commands for them".into());
    };
    let cluster = Cluster::new(Arc::clone(context), declared, None);
    let read = cluster.read(&Outputs::default()).await?;
    let output = read.current.ok_or_else(|| cluster.must_exist().unwrap_or_default())?.output;
    let commands = Commands {
        servers: output.require("bootstrap_brokers")?,
        auth: &declared.auth,
        is_serverless: output.get("serverless").is_some(),
    };
    let mut lines =
        vec![format!("# The topics of {} on the cluster {}.", manifest.path.display(), cluster.address().name())];
    if !commands.properties().is_empty() {
        lines.push("# client.properties:".to_owned());
        lines.extend(commands.properties().iter().map(|property| format!("#   {property}")));
    }
    match plan {
        Some(plan) => {
            let commands = of_plan(plan, manifest, &commands);
            if commands.is_empty() {
                lines.push("# They are as declared: there is nothing to do.".to_owned());
            }
            lines.extend(commands);
        }
        None => {
            lines.push(
                "# What there is could not be seen from here: this creates what is missing, and sets all".to_owned(),
            );
            lines.push("# settings. Partitions of topics that exist are not raised.".to_owned());
            for topic in &manifest.topics {
                lines.push(commands.create(topic));
                lines.extend(commands.update(topic, None));
            }
        }
    }
    Ok(lines)
}

fn of_plan(plan: &Plan, manifest: &Manifest, commands: &Commands<'_>) -> Vec<String> {
    let declared = |step: &Step| manifest.topics.iter().find(|topic| topic::address(&topic.name) == step.address);
    let of_step = |step: &Step| match (&step.work, declared(step)) {
        (Work::Create(_), Some(topic)) => vec![commands.create(topic)],
        (Work::Update(change), Some(topic)) => commands.update(topic, Some(change)),
        _ => Vec::new(),
    };
    plan.changes().flat_map(of_step).collect()
}
