//! What was seen of one REST API, and what of it counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_apigateway::types;
use serde_json::Value;

use super::parts::{
    ANSWERS_200, CORS, INTEGRATION_PATH, Integration, METHOD_PATH, Method, PROXY, Preflight, all_headers,
};

/// What AWS answers with where an error has no template of its own, without its spaces.
const DEFAULT_TEMPLATE: &str = "{\"message\":$context.error.messageString}";

/// One REST API, as AWS described it.
pub(super) struct Seen {
    pub(super) api: types::RestApi,
    /// All resources, with their methods, integrations and responses.
    pub(super) resources: Vec<types::Resource>,
    pub(super) errors: Vec<types::GatewayResponse>,
    pub(super) stages: Vec<types::Stage>,
    pub(super) deployments: Vec<types::Deployment>,
    pub(super) keys: Keys,
}

/// The usage plans and API keys that are ours, those that were made first at the front. One of each is meant to be there.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) plans: Vec<types::UsagePlan>,
    pub(super) keys: Vec<types::ApiKey>,
    /// The ids of the keys that the first plan has.
    pub(super) linked: BTreeSet<String>,
}

impl Seen {
    pub(super) fn id(&self) -> &str {
        self.api.id().unwrap_or_default()
    }

    /// The resource `/`, which every API has.
    pub(super) fn root(&self) -> Option<&types::Resource> {
        self.resources.iter().find(|resource| resource.path() == Some("/"))
    }

    /// The resource that is ours.
    pub(super) fn proxy(&self) -> Option<&types::Resource> {
        self.at_root().find(|resource| resource.path_part() == Some(PROXY))
    }

    /// Another resource that takes any name directly below the root, which AWS allows only one of.
    pub(super) fn rival(&self) -> Option<&str> {
        self.at_root().filter_map(types::Resource::path_part).find(|part| part.starts_with('{') && *part != PROXY)
    }

    fn at_root(&self) -> impl Iterator<Item = &types::Resource> {
        let root = self.root().and_then(types::Resource::id);
        self.resources.iter().filter(move |resource| root.is_some() && resource.parent_id() == root)
    }

    /// A method of our resource.
    pub(super) fn method(&self, verb: &str) -> Option<&types::Method> {
        self.proxy()?.resource_methods()?.get(verb)
    }

    pub(super) fn error(&self, kind: &str) -> Option<&types::GatewayResponse> {
        let customised = self.errors.iter().filter(|error| !error.default_response());
        customised.into_iter().find(|error| error.response_type().is_some_and(|known| known.as_str() == kind))
    }

    pub(super) fn stage(&self, name: &str) -> Option<&types::Stage> {
        self.stages.iter().find(|stage| stage.stage_name() == Some(name))
    }

    /// The description of the deployment that a stage serves.
    pub(super) fn description(&self, stage: &types::Stage) -> Option<&str> {
        let deployed = self.deployments.iter().find(|deployment| deployment.id() == stage.deployment_id())?;
        deployed.description()
    }
}

impl Method {
    pub(super) fn seen(method: &types::Method) -> Self {
        Self {
            authorization: method.authorization_type().unwrap_or("NONE").to_owned(),
            api_key_required: method.api_key_required().unwrap_or_default(),
            path_required: method.request_parameters().and_then(|parameters| parameters.get(METHOD_PATH)).copied(),
        }
    }
}

impl Integration {
    pub(super) fn seen(integration: &types::Integration) -> Self {
        let path = integration.request_parameters().and_then(|parameters| parameters.get(INTEGRATION_PATH));
        let connection = integration.connection_type().map_or("INTERNET", types::ConnectionType::as_str);
        Self {
            kind: integration.r#type().map_or("", types::IntegrationType::as_str).to_owned(),
            http_method: integration.http_method().unwrap_or_default().to_owned(),
            uri: integration.uri().unwrap_or_default().to_owned(),
            path: path.cloned(),
            timeout_ms: integration.timeout_in_millis(),
            connection: connection.to_owned(),
        }
    }
}

impl Preflight {
    pub(super) fn seen(method: &types::Method) -> Self {
        let declared = method.method_responses().and_then(|responses| responses.get("200"));
        let integration = method.method_integration();
        let set = integration
            .and_then(types::Integration::integration_responses)
            .and_then(|responses| responses.get("200"))
            .and_then(types::IntegrationResponse::response_parameters);
        Self {
            authorization: method.authorization_type().unwrap_or("NONE").to_owned(),
            api_key_required: method.api_key_required().unwrap_or_default(),
            answer: integration.map(answer),
            declared: declared.map(|response| {
                let parameters = response.response_parameters().into_iter().flat_map(HashMap::keys);
                cors_headers("method.response.header.", parameters).map(str::to_owned).collect()
            }),
            headers: cors_values("method.response.header.", set),
        }
    }
}

/// The CORS headers of ours that one of the gateway's errors carries, with our values.
pub(super) fn headers_of(error: &types::GatewayResponse) -> BTreeSet<String> {
    let wanted = Preflight::wanted().headers;
    let set = cors_values("gatewayresponse.header.", error.response_parameters());
    set.into_iter().filter(|(header, value)| wanted.get(header) == Some(value)).map(|(header, _)| header).collect()
}

/// Whether one of the gateway's errors is customised as we do it and in no other way.
pub(super) fn is_only_ours(error: &types::GatewayResponse) -> bool {
    let parameters = error.response_parameters().map_or(0, HashMap::len);
    let mut templates = error.response_templates().into_iter().flat_map(HashMap::values);
    parameters == CORS.len()
        && headers_of(error) == all_headers()
        && error.status_code().is_none()
        && templates.all(|template| template.replace(char::is_whitespace, "") == DEFAULT_TEMPLATE)
}

/// What an integration answers with by itself.
fn answer(integration: &types::Integration) -> String {
    let kind = integration.r#type().map_or("", types::IntegrationType::as_str);
    let template = integration.request_templates().and_then(|templates| templates.get("application/json"));
    let status = template
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .and_then(|template| template.get("statusCode")?.as_i64());
    match (kind, status) {
        ("MOCK", Some(200)) => ANSWERS_200.to_owned(),
        (kind, Some(status)) => format!("{kind} {status}"),
        (kind, None) => kind.to_owned(),
    }
}

fn cors_headers<'a>(prefix: &str, parameters: impl Iterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    parameters
        .filter_map(move |parameter| parameter.strip_prefix(prefix))
        .filter(|header| CORS.iter().any(|(_, known, _)| known == header))
}

/// The values of CORS headers, without the single quotes that tell AWS that they are no expressions.
fn cors_values(prefix: &str, parameters: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let Some(parameters) = parameters else { return BTreeMap::new() };
    cors_headers(prefix, parameters.keys())
        .filter_map(|header| {
            let value = parameters.get(&format!("{prefix}{header}"))?;
            Some((header.to_owned(), value.trim_matches('\'').to_owned()))
        })
        .collect()
}
