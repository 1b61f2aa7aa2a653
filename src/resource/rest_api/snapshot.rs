//! What a deployment would freeze, as a short digest that its description keeps.
//!
//! AWS tells of a deployment neither its methods nor its integrations, so that what it was made of must be written
//! down when it is made. An API of our own is what is declared. Of a shared one the rest counts too: AWS freezes all of
//! it, and a change that its owner made would go live with ours.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_apigateway::types;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::{Field, Fields};

use super::parts::{ERRORS, PROXY};
use super::seen::{Seen, is_only_ours};

/// How much of the SHA-256 is kept, in bytes: enough to tell two versions of one API apart.
const KEPT: usize = 8;

/// The digest of what is declared, and of everything else in the API where it is shared.
pub(super) fn digest(frozen: &Fields, rest: Option<&Seen>) -> String {
    let mut hash = Sha256::new();
    for (key, field) in frozen.iter() {
        if let Field::Known(value) = field {
            hash.update(format!("{key}={value}\n"));
        }
    }
    for line in rest.into_iter().flat_map(lines) {
        hash.update(format!("{line}\n"));
    }
    hex::encode(&hash.finalize()[..KEPT])
}

/// Everything in an API that is not ours and that a deployment freezes, in an order that does not depend on AWS's.
fn lines(seen: &Seen) -> Vec<String> {
    let mut lines: Vec<String> = seen.resources.iter().flat_map(methods).collect();
    lines.extend(seen.errors.iter().filter_map(customised));
    lines.push(settings(&seen.api));
    lines.sort_unstable();
    lines
}

fn methods(resource: &types::Resource) -> Vec<String> {
    let path = resource.path().unwrap_or_default();
    let ours = |verb: &str| path.strip_prefix('/') == Some(PROXY) && ["ANY", "OPTIONS"].contains(&verb);
    let methods = resource.resource_methods().into_iter().flatten();
    methods
        .filter(|(verb, _)| !ours(verb))
        .map(|(verb, method)| format!("{verb} {path} {}", of_method(method)))
        .collect()
}

fn customised(error: &types::GatewayResponse) -> Option<String> {
    let kind = error.response_type().map(types::GatewayResponseType::as_str)?;
    if error.default_response() || (ERRORS.contains(&kind) && is_only_ours(error)) {
        return None;
    }
    let content =
        json!([error.status_code(), sorted(error.response_parameters()), sorted(error.response_templates()),]);
    Some(format!("error {kind} {content}"))
}

fn settings(api: &types::RestApi) -> String {
    let binary = in_order(api.binary_media_types());
    let key_source = api.api_key_source().map(types::ApiKeySourceType::as_str);
    format!("settings {}", json!([binary, api.minimum_compression_size(), key_source, api.policy()]))
}

fn of_method(method: &types::Method) -> Value {
    let responses = sorted_by(method.method_responses(), |response| {
        json!([sorted(response.response_parameters()), sorted(response.response_models())])
    });
    json!([
        method.authorization_type(),
        method.authorizer_id(),
        in_order(method.authorization_scopes()),
        method.api_key_required(),
        method.request_validator_id(),
        sorted(method.request_parameters()),
        sorted(method.request_models()),
        responses,
        method.method_integration().map(of_integration),
    ])
}

fn of_integration(integration: &types::Integration) -> Value {
    let responses = sorted_by(integration.integration_responses(), |response| {
        json!([
            response.selection_pattern(),
            sorted(response.response_parameters()),
            sorted(response.response_templates()),
            response.content_handling().map(types::ContentHandlingStrategy::as_str),
        ])
    });
    json!([
        integration.r#type().map(types::IntegrationType::as_str),
        integration.http_method(),
        integration.uri(),
        integration.connection_type().map(types::ConnectionType::as_str),
        integration.connection_id(),
        integration.credentials(),
        sorted(integration.request_parameters()),
        sorted(integration.request_templates()),
        integration.passthrough_behavior(),
        integration.content_handling().map(types::ContentHandlingStrategy::as_str),
        integration.timeout_in_millis(),
        integration.cache_namespace(),
        in_order(integration.cache_key_parameters()),
        integration.tls_config().map(types::TlsConfig::insecure_skip_verification),
        integration.response_transfer_mode().map(types::ResponseTransferMode::as_str),
        integration.integration_target(),
        responses,
    ])
}

fn in_order(texts: &[String]) -> Vec<&String> {
    let mut texts: Vec<_> = texts.iter().collect();
    texts.sort_unstable();
    texts
}

fn sorted<V: Clone + Into<Value>>(map: Option<&HashMap<String, V>>) -> Value {
    sorted_by(map, |value| value.clone().into())
}

fn sorted_by<V>(map: Option<&HashMap<String, V>>, content: impl Fn(&V) -> Value) -> Value {
    let sorted: BTreeMap<&String, Value> =
        map.into_iter().flatten().map(|(key, value)| (key, content(value))).collect();
    json!(sorted)
}
