//! The control plane of Amazon API Gateway for REST APIs (v1), as strict as AWS about everything that the tool and its
//! users can run into.
//!
//! What exists is kept in tables of the store (see [`tables`]): an API, each of its resources with their methods and
//! integrations, gateway responses, stages, deployments and their snapshots are records of their own, so that a change
//! writes little, and everything of an API goes in one transaction. What is live is only what a stage's deployment
//! snapshot holds: [`live`](mod@live) reads it, and [`invoke`] answers calls with it.
//!
//! Replies and messages follow the service's model and published recordings of the real service. Not part of it, and
//! answered as unknown or refused by name: imports, authorizers, own models, request validators, custom domains, VPC
//! links, client certificates, canary releases, and access logs (the account has no CloudWatch role).

mod apis;
mod deployments;
mod endpoint;
mod gateway_responses;
mod integration_responses;
mod integrations;
pub(crate) mod invoke;
mod keys;
mod live;
mod mapping;
mod method_responses;
mod method_settings;
mod methods;
mod model;
mod page;
mod patch;
mod permissions;
mod plan_keys;
mod plan_patches;
mod plans;
mod refusal;
mod request;
mod resources;
mod routes;
mod stages;
mod tables;
mod tags;
#[cfg(test)]
mod tests;
mod throttle;
mod tree;

use super::call::{self, Call, PathValues, Refusal, Reply};
use super::world::World;
pub(super) use permissions::needs;
use request::Request;

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    call::names(routes::ROUTES)
}

/// Which operation a request asks for, and the values of its path.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    // ImportRestApi and ImportApiKeys share method and path with the creating operations.
    if call.query("mode") == Some("import") {
        return None;
    }
    call::route(routes::ROUTES, &call.method, &call.path)
}

/// Does what an operation asks for.
///
/// # Errors
/// AWS's error code and message where AWS would refuse it.
pub(crate) async fn handle(world: &World, operation: &str, path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let request = Request { world, call, path };
    if world.settings.throttle {
        throttle::admit(&request, operation)?;
    }
    match operation {
        "CreateRestApi" => apis::create(&request),
        "GetRestApi" => apis::get(&request),
        "GetRestApis" => apis::list(&request),
        "UpdateRestApi" => apis::update(&request),
        "DeleteRestApi" => apis::delete(&request),
        "GetAccount" => apis::account(),
        "CreateResource" => resources::create(&request),
        "GetResource" => resources::get(&request),
        "GetResources" => resources::list(&request),
        "UpdateResource" => resources::update(&request),
        "DeleteResource" => resources::delete(&request),
        "PutMethod" => methods::put(&request),
        "GetMethod" => methods::get(&request),
        "UpdateMethod" => methods::update(&request),
        "DeleteMethod" => methods::delete(&request),
        "PutMethodResponse" => method_responses::put(&request),
        "GetMethodResponse" => method_responses::get(&request),
        "UpdateMethodResponse" => method_responses::update(&request),
        "DeleteMethodResponse" => method_responses::delete(&request),
        "PutIntegration" => integrations::put(&request),
        "GetIntegration" => integrations::get(&request),
        "UpdateIntegration" => integrations::update(&request),
        "DeleteIntegration" => integrations::delete(&request),
        "PutIntegrationResponse" => integration_responses::put(&request),
        "GetIntegrationResponse" => integration_responses::get(&request),
        "UpdateIntegrationResponse" => integration_responses::update(&request),
        "DeleteIntegrationResponse" => integration_responses::delete(&request),
        "PutGatewayResponse" => gateway_responses::put(&request),
        "GetGatewayResponse" => gateway_responses::get(&request),
        "GetGatewayResponses" => gateway_responses::list(&request),
        "UpdateGatewayResponse" => gateway_responses::update(&request),
        "DeleteGatewayResponse" => gateway_responses::delete(&request),
        _ => handle_publication(&request, operation),
    }
}

/// The operations on what publishes an API: deployments, stages, keys, usage plans, and tags.
fn handle_publication(request: &Request<'_>, operation: &str) -> Result<Reply, Refusal> {
    match operation {
        "CreateDeployment" => deployments::create(request),
        "GetDeployment" => deployments::get(request),
        "GetDeployments" => deployments::list(request),
        "UpdateDeployment" => deployments::update(request),
        "DeleteDeployment" => deployments::delete(request),
        "CreateStage" => stages::create(request),
        "GetStage" => stages::get(request),
        "GetStages" => stages::list(request),
        "UpdateStage" => stages::update(request),
        "DeleteStage" => stages::delete(request),
        "CreateApiKey" => keys::create(request),
        "GetApiKey" => keys::get(request),
        "GetApiKeys" => keys::list(request),
        "UpdateApiKey" => keys::update(request),
        "DeleteApiKey" => keys::delete(request),
        "CreateUsagePlan" => plans::create(request),
        "GetUsagePlan" => plans::get(request),
        "GetUsagePlans" => plans::list(request),
        "UpdateUsagePlan" => plans::update(request),
        "DeleteUsagePlan" => plans::delete(request),
        "CreateUsagePlanKey" => plan_keys::create(request),
        "GetUsagePlanKey" => plan_keys::get(request),
        "GetUsagePlanKeys" => plan_keys::list(request),
        "DeleteUsagePlanKey" => plan_keys::delete(request),
        "GetTags" => tags::get(request),
        "TagResource" => tags::tag(request),
        "UntagResource" => tags::untag(request),
        unknown => Err(Refusal::new(400, "UnknownOperationException", format!("the sandbox doesn't know {unknown}"))),
    }
}
