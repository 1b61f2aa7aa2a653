//! MSK Connect's control plane: custom plugins, worker configurations, connectors and what is done to them.
//!
//! What a connector comes to is decided when the call comes in, and shown once it has settled: a record says what was
//! asked for, when, and with which outcome; every state is a function of the record and the clock.

mod archive;
mod arn;
mod capacity;
mod connectors;
mod creation;
mod health;
mod operations;
mod permissions;
mod plugins;
mod properties;
mod tags;
mod things;
mod updates;
mod worker;
mod worker_configurations;

pub(crate) use connectors::running;
pub(super) use permissions::needs;
pub(crate) use worker::work;

use serde_json::{Value, json};

use super::call::{Call, PathValues, Refusal, Reply, Route, at, names, route};
use super::world::World;

/// A page of any list, where the caller doesn't say.
const PAGE_SIZE: usize = 20;

/// Removes what was deleted and is gone.
///
/// # Errors
/// Where the state can't be written.
pub(crate) fn sweep(world: &World) -> Result<(), Refusal> {
    world.store.transact(|transaction| {
        connectors::sweep(transaction);
        plugins::sweep(transaction);
        things::sweep::<worker_configurations::WorkerConfiguration>(transaction);
        Ok(())
    })
}

/// The last lines of the log of a connector's workers: of the one that was created last, where several regions have one
/// of that name.
///
/// # Errors
/// Where the log can't be read.
pub(crate) fn worker_log(world: &World, name: &str, lines: usize) -> Result<Option<Value>, Refusal> {
    let Some(connector) = connectors::latest(world, name) else { return Ok(None) };
    let file = worker::log::file(world, &connector);
    let lines = worker::log::last_lines(&file, lines)?;
    Ok(Some(json!({"connectorArn": connector.arn, "file": file, "lines": lines})))
}

/// Removes the logs of all workers.
///
/// # Errors
/// Where they can't be removed.
pub(crate) fn forget_worker_logs(world: &World) -> std::io::Result<()> {
    match std::fs::remove_dir_all(worker::log::folder(world)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// From botocore's `kafkaconnect/2021-09-14/service-2.json`.
static ROUTES: &[Route] = &[
    at("POST", "/v1/custom-plugins", "CreateCustomPlugin"),
    at("GET", "/v1/custom-plugins", "ListCustomPlugins"),
    at("GET", "/v1/custom-plugins/{customPluginArn}", "DescribeCustomPlugin"),
    at("DELETE", "/v1/custom-plugins/{customPluginArn}", "DeleteCustomPlugin"),
    at("POST", "/v1/worker-configurations", "CreateWorkerConfiguration"),
    at("GET", "/v1/worker-configurations", "ListWorkerConfigurations"),
    at("GET", "/v1/worker-configurations/{workerConfigurationArn}", "DescribeWorkerConfiguration"),
    at("DELETE", "/v1/worker-configurations/{workerConfigurationArn}", "DeleteWorkerConfiguration"),
    at("POST", "/v1/connectors", "CreateConnector"),
    at("GET", "/v1/connectors", "ListConnectors"),
    at("GET", "/v1/connectors/{connectorArn}", "DescribeConnector"),
    at("PUT", "/v1/connectors/{connectorArn}", "UpdateConnector"),
    at("DELETE", "/v1/connectors/{connectorArn}", "DeleteConnector"),
    at("PUT", "/v1/connectors/{connectorArn}/pause", "PauseConnector"),
    at("PUT", "/v1/connectors/{connectorArn}/resume", "ResumeConnector"),
    at("POST", "/v1/connectors/{connectorArn}/restart", "RestartConnector"),
    at("GET", "/v1/connectors/{connectorArn}/operations", "ListConnectorOperations"),
    at("GET", "/v1/connectorOperations/{connectorOperationArn}", "DescribeConnectorOperation"),
    at("GET", "/v1/tags/{resourceArn}", "ListTagsForResource"),
    at("POST", "/v1/tags/{resourceArn}", "TagResource"),
    at("DELETE", "/v1/tags/{resourceArn}", "UntagResource"),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    names(ROUTES)
}

/// The operation that a call is of, if it is one of MSK Connect's.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    route(ROUTES, &call.method, &call.path)
}

/// Does what a call asks for.
///
/// # Errors
/// What MSK Connect refuses, with its status and code.
pub(crate) async fn handle(world: &World, operation: &str, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    match operation {
        "CreateCustomPlugin" => plugins::create(world, call).await,
        "DescribeCustomPlugin" => plugins::describe(world, path),
        "ListCustomPlugins" => plugins::list(world, call),
        "DeleteCustomPlugin" => plugins::delete(world, path),
        "CreateWorkerConfiguration" => worker_configurations::create(world, call),
        "DescribeWorkerConfiguration" => worker_configurations::describe(world, path),
        "ListWorkerConfigurations" => worker_configurations::list(world, call),
        "DeleteWorkerConfiguration" => worker_configurations::delete(world, path),
        "CreateConnector" => creation::create(world, call),
        "DescribeConnector" => connectors::describe(world, path),
        "ListConnectors" => connectors::list(world, call),
        "UpdateConnector" => updates::update(world, path, call),
        "DeleteConnector" => connectors::delete(world, path, call),
        "PauseConnector" => updates::pause(world, path),
        "ResumeConnector" => updates::resume(world, path),
        "RestartConnector" => updates::restart(world, path),
        "ListConnectorOperations" => operations::list(world, path, call),
        "DescribeConnectorOperation" => operations::describe(world, path),
        "TagResource" => tags::tag(world, path, call),
        "UntagResource" => tags::untag(world, path, call),
        "ListTagsForResource" => tags::list(world, path),
        other => Err(Refusal::new(404, "UnknownOperationException", format!("MSK Connect has no operation {other}."))),
    }
}
