//! The work of a connector that is RUNNING, as MSK Connect's workers do it with Confluent's S3 sink.
//!
//! ```text
//! topics ──▶ Assignment (a partition) ──▶ converter ──▶ partitioner ──▶ format ──▶ Writer (open objects)
//!                │                                                                    │ rotation
//!                └──▶ dead letters, log          bucket, then committed offset  ◀─────┘
//! ```
//!
//! Whatever a kill interrupts is done again from the committed offset, with the same objects as a result.

mod assignment;
mod converter;
mod dead_letters;
mod fault;
mod format;
mod iso;
mod json;
pub(super) mod log;
mod partitioner;
mod pattern;
mod schema;
mod settings;
mod task;
mod writer;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connectors::{self, Connector, State, StateDescription};
use super::health;
use super::properties;
use super::things;
use super::worker_configurations::WorkerConfiguration;
use crate::sandbox::world::{World, now};
use log::Log;
use task::Task;

pub(super) use settings::{DEFAULT_REGION, Sink};

/// Does the work of a connector, until it is dropped or the connector has FAILED.
pub(crate) async fn work(world: Arc<World>, connector_arn: String) {
    let found = world.store.read(|transaction| things::find::<Connector>(transaction, &connector_arn));
    let Ok((connector, State::Running)) = found else { return };
    let log = Arc::new(Log::of(&world, &connector));
    let why = match prepare(&world, &connector, &log) {
        Ok(Some(task)) => task.run().await,
        Ok(None) => std::future::pending().await,
        Err(why) => why,
    };
    log.error(format!(
        "WorkerSinkTask{{id={}-0}} Task threw an uncaught and unrecoverable exception. Task is being killed and will not recover until manually restarted. Error: {}",
        connector.name, why.message
    ));
    if let Err(refusal) = connectors::fail(&world, &connector, why) {
        log.error(refusal.message);
    }
}

/// The task of a connector. None where its class is one that the sandbox doesn't have.
fn prepare(world: &Arc<World>, connector: &Connector, log: &Arc<Log>) -> Result<Option<Task>, StateDescription> {
    let Some((_, condition)) = connector.at(now()) else { return Ok(None) };
    let settings = &condition.settings;
    let class = health::class(world, settings);
    log.info(format!("Instantiated task {}-0 of {class}", connector.name));
    if class != health::S3_SINK {
        log.error(format!(
            "The sandbox has no implementation of {class}, so this connector does nothing here. It runs {} only.",
            health::S3_SINK
        ));
        return Ok(None);
    }
    let worker = settings.worker_configuration.as_ref().and_then(|used| {
        let found = world.store.read(|transaction| things::find::<WorkerConfiguration>(transaction, &used.arn));
        found.ok().map(|(configuration, _)| configuration.properties())
    });
    let own = &settings.configuration;
    for name in properties::unknown(own) {
        log.warn(format!("The configuration '{name}' was supplied but isn't a known config."));
    }
    let sink = Sink::of(own, &worker.unwrap_or_else(BTreeMap::new))
        .map_err(|faults| health::invalid_configuration(&faults, &class))?;
    Task::new(world, connector, sink, log).map(Some)
}

#[cfg(test)]
mod tests;
