//! Which request is which operation: methods and paths as in the service's model (`apigateway`, 2015-07-09).

use crate::sandbox::call::Route;

const fn route(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route { method, path, operation }
}

/// Everything that is answered. What is missing here (imports, authorizers, models, custom domains, VPC links…) is
/// refused by the front door as an operation that the sandbox doesn't know.
pub(super) static ROUTES: &[Route] = &[
    route("GET", "/account", "GetAccount"),
    route("POST", "/apikeys", "CreateApiKey"),
    route("GET", "/apikeys", "GetApiKeys"),
    route("DELETE", "/apikeys/{api_Key}", "DeleteApiKey"),
    route("GET", "/apikeys/{api_Key}", "GetApiKey"),
    route("PATCH", "/apikeys/{api_Key}", "UpdateApiKey"),
    route("POST", "/restapis", "CreateRestApi"),
    route("GET", "/restapis", "GetRestApis"),
    route("DELETE", "/restapis/{restapi_id}", "DeleteRestApi"),
    route("GET", "/restapis/{restapi_id}", "GetRestApi"),
    route("PATCH", "/restapis/{restapi_id}", "UpdateRestApi"),
    route("POST", "/restapis/{restapi_id}/deployments", "CreateDeployment"),
    route("GET", "/restapis/{restapi_id}/deployments", "GetDeployments"),
    route("DELETE", "/restapis/{restapi_id}/deployments/{deployment_id}", "DeleteDeployment"),
    route("GET", "/restapis/{restapi_id}/deployments/{deployment_id}", "GetDeployment"),
    route("PATCH", "/restapis/{restapi_id}/deployments/{deployment_id}", "UpdateDeployment"),
    route("GET", "/restapis/{restapi_id}/gatewayresponses", "GetGatewayResponses"),
    route("DELETE", "/restapis/{restapi_id}/gatewayresponses/{response_type}", "DeleteGatewayResponse"),
    route("GET", "/restapis/{restapi_id}/gatewayresponses/{response_type}", "GetGatewayResponse"),
    route("PUT", "/restapis/{restapi_id}/gatewayresponses/{response_type}", "PutGatewayResponse"),
    route("PATCH", "/restapis/{restapi_id}/gatewayresponses/{response_type}", "UpdateGatewayResponse"),
    route("GET", "/restapis/{restapi_id}/resources", "GetResources"),
    route("POST", "/restapis/{restapi_id}/resources/{parent_id}", "CreateResource"),
    route("DELETE", "/restapis/{restapi_id}/resources/{resource_id}", "DeleteResource"),
    route("GET", "/restapis/{restapi_id}/resources/{resource_id}", "GetResource"),
    route("PATCH", "/restapis/{restapi_id}/resources/{resource_id}", "UpdateResource"),
    route("DELETE", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", "DeleteMethod"),
    route("GET", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", "GetMethod"),
    route("PUT", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", "PutMethod"),
    route("PATCH", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", "UpdateMethod"),
    route(
        "DELETE",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration",
        "DeleteIntegration",
    ),
    route("GET", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", "GetIntegration"),
    route("PUT", "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", "PutIntegration"),
    route(
        "PATCH",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration",
        "UpdateIntegration",
    ),
    route(
        "DELETE",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}",
        "DeleteIntegrationResponse",
    ),
    route(
        "GET",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}",
        "GetIntegrationResponse",
    ),
    route(
        "PUT",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}",
        "PutIntegrationResponse",
    ),
    route(
        "PATCH",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}",
        "UpdateIntegrationResponse",
    ),
    route(
        "DELETE",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}",
        "DeleteMethodResponse",
    ),
    route(
        "GET",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}",
        "GetMethodResponse",
    ),
    route(
        "PUT",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}",
        "PutMethodResponse",
    ),
    route(
        "PATCH",
        "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}",
        "UpdateMethodResponse",
    ),
    route("POST", "/restapis/{restapi_id}/stages", "CreateStage"),
    route("GET", "/restapis/{restapi_id}/stages", "GetStages"),
    route("DELETE", "/restapis/{restapi_id}/stages/{stage_name}", "DeleteStage"),
    route("GET", "/restapis/{restapi_id}/stages/{stage_name}", "GetStage"),
    route("PATCH", "/restapis/{restapi_id}/stages/{stage_name}", "UpdateStage"),
    route("GET", "/tags/{resource_arn}", "GetTags"),
    route("PUT", "/tags/{resource_arn}", "TagResource"),
    route("DELETE", "/tags/{resource_arn}", "UntagResource"),
    route("POST", "/usageplans", "CreateUsagePlan"),
    route("GET", "/usageplans", "GetUsagePlans"),
    route("DELETE", "/usageplans/{usageplanId}", "DeleteUsagePlan"),
    route("GET", "/usageplans/{usageplanId}", "GetUsagePlan"),
    route("PATCH", "/usageplans/{usageplanId}", "UpdateUsagePlan"),
    route("POST", "/usageplans/{usageplanId}/keys", "CreateUsagePlanKey"),
    route("GET", "/usageplans/{usageplanId}/keys", "GetUsagePlanKeys"),
    route("DELETE", "/usageplans/{usageplanId}/keys/{keyId}", "DeleteUsagePlanKey"),
    route("GET", "/usageplans/{usageplanId}/keys/{keyId}", "GetUsagePlanKey"),
];
