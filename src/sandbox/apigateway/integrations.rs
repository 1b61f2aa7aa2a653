//! Integrations: where a method's calls go.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::mapping;
use super::methods::{check_http_method, named};
use super::model::{Integration, Method, Templates, Texts, TlsConfig};
use super::patch::{Op, Patch};
use super::refusal::{Violations, bad_request, no_integration};
use super::request::Request;
use crate::sandbox::call::{Refusal, Reply};

const KINDS: [&str; 5] = ["HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"];
const CONTENT_HANDLING: [&str; 2] = ["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"];

/// What an integration waits for its backend where nothing else is said, and at most: milliseconds.
const LONGEST_TIMEOUT: i64 = 29_000;
const SHORTEST_TIMEOUT: i64 = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    http_method: Option<String>,
    uri: Option<String>,
    connection_type: Option<String>,
    connection_id: Option<String>,
    credentials: Option<String>,
    request_parameters: Option<Texts>,
    request_templates: Option<Templates>,
    passthrough_behavior: Option<String>,
    cache_namespace: Option<String>,
    cache_key_parameters: Option<Vec<String>>,
    content_handling: Option<String>,
    timeout_in_millis: Option<i64>,
    tls_config: Option<TlsConfig>,
}

pub(super) fn put(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let mut violations = Violations::default();
    violations.one_of("putIntegrationInput.type", Some(asked.kind.as_deref().unwrap_or_default()), &KINDS);
    let member = "putIntegrationInput.connectionType";
    violations.one_of(member, asked.connection_type.as_deref(), &["INTERNET", "VPC_LINK"]);
    let member = "putIntegrationInput.contentHandling";
    violations.one_of(member, asked.content_handling.as_deref(), &CONTENT_HANDLING);
    violations.finish()?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            let integration = asked.integration(resource_id);
            check(&integration, method)?;
            method.method_integration = Some(integration.clone());
            Ok(Reply::json_status(201, &integration))
        })
    })
}

impl Asked {
    /// The integration that is asked for, defaults filled in. One that was there before goes with its responses.
    fn integration(self, resource_id: &str) -> Integration {
        let kind = self.kind.unwrap_or_default();
        let mock = kind == "MOCK";
        let internet = || is_http(&kind).then(|| "INTERNET".to_owned());
        Integration {
            http_method: self.http_method.filter(|_| !mock),
            uri: self.uri.filter(|_| !mock),
            connection_type: self.connection_type.or_else(internet),
            connection_id: self.connection_id,
            credentials: self.credentials,
            request_parameters: self.request_parameters,
            request_templates: self.request_templates.map(without_empty),
            passthrough_behavior: self.passthrough_behavior.unwrap_or_else(|| "WHEN_NO_MATCH".to_owned()),
            content_handling: self.content_handling,
            timeout_in_millis: self.timeout_in_millis.unwrap_or(LONGEST_TIMEOUT),
            cache_namespace: self.cache_namespace.unwrap_or_else(|| resource_id.to_owned()),
            cache_key_parameters: self.cache_key_parameters.unwrap_or_default(),
            integration_responses: BTreeMap::new(),
            tls_config: self.tls_config,
            kind,
        }
    }
}

fn is_http(kind: &str) -> bool {
    kind.starts_with("HTTP")
}

/// Templates as they are kept: an empty one is null.
pub(super) fn without_empty(templates: Templates) -> Templates {
    templates.into_iter().map(|(kind, text)| (kind, text.filter(|text| !text.is_empty()))).collect()
}

fn check(integration: &Integration, method: &Method) -> Result<(), Refusal> {
    if integration.kind != "MOCK" {
        let http_method = integration.http_method.as_deref().filter(|method| !method.is_empty());
        check_http_method(
            http_method.ok_or_else(|| bad_request("Enumeration value for HttpMethod must be non-empty"))?,
        )?;
        check_uri(&integration.kind, integration.uri.as_deref().unwrap_or_default())?;
    }
    if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&integration.timeout_in_millis) {
        return Err(bad_request("Timeout should be between 50 ms and 29000 ms"));
    }
    if !["WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"].contains(&integration.passthrough_behavior.as_str()) {
        return Err(bad_request(
            "Invalid passthrough behavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER",
        ));
    }
    let linked = integration.connection_type.as_deref() == Some("VPC_LINK");
    if linked && integration.connection_id.as_deref().is_none_or(str::is_empty) {
        return Err(bad_request("ConnectionId is required for connectionType VPC_LINK"));
    }
    mapping::check_content_types(integration.request_templates.iter().flat_map(BTreeMap::keys))?;
    let declared = method.request_parameters.as_ref();
    mapping::check_request(integration.request_parameters.as_ref(), declared)?;
    match integration.cache_key_parameters.iter().find(|key| !mapping::is_declared(key, declared)) {
        Some(key) => Err(bad_request(format!("Invalid cache key parameter specified: {key}"))),
        None => Ok(()),
    }
}

fn check_uri(kind: &str, uri: &str) -> Result<(), Refusal> {
    if is_http(kind) {
        return if is_http_endpoint(uri) {
            Ok(())
        } else {
            Err(bad_request("Invalid HTTP endpoint specified for URI"))
        };
    }
    if !uri.starts_with("arn:") {
        return Err(bad_request("Invalid ARN specified in the request"));
    }
    if !uri.contains(":path/") && !uri.contains(":action/") {
        return Err(bad_request("AWS ARN for integration must contain path or action"));
    }
    if kind == "AWS_PROXY" && !uri.contains(":lambda:path/") && !uri.contains(":firehose:") {
        return Err(bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
        ));
    }
    Ok(())
}

/// Whether API Gateway would call a URI: HTTP or HTTPS, a host, and one of the ports 80, 443, 1024 to 65535. A path
/// may hold `{names}`, and everything behind the scheme a stage variable, of which the value isn't known yet.
fn is_http_endpoint(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")) else { return false };
    if uri.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains("${stageVariables.") {
        return true;
    }
    // The URL standard would look for a host further on.
    if authority.is_empty() {
        return false;
    }
    let Ok(url) = Url::parse(uri) else { return false };
    let host = url.host_str().is_some_and(|host| !host.is_empty() && !host.contains(['{', '}', '%']));
    let port = url.port_or_known_default().is_some_and(|port| matches!(port, 80 | 443 | 1024..));
    host && port && url.username().is_empty() && url.password().is_none()
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, resource_id, http_method) = named(request);
    let method = request.transact(|tables| tables.method(api_id, resource_id, http_method))?;
    Ok(Reply::json(&method.method_integration.ok_or_else(no_integration)?))
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateIntegrationInput")?;
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            let mut integration = method.method_integration.take().ok_or_else(no_integration)?;
            patches.iter().try_for_each(|patch| apply(&mut integration, patch))?;
            check(&integration, method)?;
            let reply = Reply::json(&integration);
            method.method_integration = Some(integration);
            Ok(reply)
        })
    })
}

fn apply(integration: &mut Integration, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["requestParameters", name] => {
            let absent = "Invalid parameter name specified";
            patch.edit(&mut integration.request_parameters, name, patch.text().to_owned(), absent)
        }
        ["requestTemplates", content_type] => {
            let absent = "Content-Type specified was not found";
            patch.edit(&mut integration.request_templates, content_type, patch.non_empty(), absent)
        }
        ["cacheKeyParameters", name] if patch.op != Op::Replace => {
            patch.edit_list(&mut integration.cache_key_parameters, name)
        }
        ["tlsConfig", "insecureSkipVerification"] => {
            patch.replaces()?;
            integration.tls_config = Some(TlsConfig { insecure_skip_verification: patch.flag() });
            Ok(())
        }
        [member] => {
            replace_member(integration, patch, member)?;
            patch.replaces()
        }
        _ => Err(patch.unknown_path()),
    }
}

fn replace_member(integration: &mut Integration, patch: &Patch, member: &str) -> Result<(), Refusal> {
    match member {
        "uri" => integration.uri = patch.non_empty(),
        "httpMethod" => integration.http_method = patch.non_empty(),
        "type" => {
            if !KINDS.contains(&patch.text()) {
                return Err(bad_request(format!(
                    "Invalid integration type specified. Valid options are {}",
                    KINDS.join(",")
                )));
            }
            patch.text().clone_into(&mut integration.kind);
        }
        "credentials" => integration.credentials = patch.non_empty(),
        "connectionId" => integration.connection_id = patch.non_empty(),
        "connectionType" => {
            if !["INTERNET", "VPC_LINK"].contains(&patch.text()) {
                return Err(bad_request("Invalid connection type specified. Valid options are INTERNET,VPC_LINK"));
            }
            integration.connection_type = patch.non_empty();
        }
        "contentHandling" => {
            integration.content_handling = patch.non_empty();
            check_content_handling(integration.content_handling.as_deref())?;
        }
        "passthroughBehavior" => patch.text().clone_into(&mut integration.passthrough_behavior),
        "timeoutInMillis" => integration.timeout_in_millis = patch.number()?,
        "cacheNamespace" => patch.text().clone_into(&mut integration.cache_namespace),
        _ => return Err(patch.unknown_path()),
    }
    Ok(())
}

/// # Errors
/// Where a patched content handling isn't one.
pub(super) fn check_content_handling(handling: Option<&str>) -> Result<(), Refusal> {
    match handling {
        Some(handling) if !CONTENT_HANDLING.contains(&handling) => Err(bad_request(format!(
            "Invalid content handling specified. Valid options are {}",
            CONTENT_HANDLING.join(",")
        ))),
        _ => Ok(()),
    }
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, resource_id, http_method) = named(request);
    request.transact(|tables| {
        tables.change_method(api_id, resource_id, http_method, |method| {
            method.method_integration.take().ok_or_else(no_integration)?;
            Ok(Reply::empty(204))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::is_http_endpoint;

    #[test]
    fn an_endpoint_has_a_scheme_a_host_and_a_port_that_is_reached() {
        for uri in [
            "http://ec2-1-2-3-4.compute-1.amazonaws.com:8082/{proxy}",
            "https://example.com",
            "http://127.0.0.1:1024/topics/{topic}?a={b}",
            "http://${stageVariables.backend}/{proxy}",
            "https://example.com:443/${stageVariables.base}/x",
        ] {
            assert!(is_http_endpoint(uri), "{uri}");
        }
        for uri in [
            "",
            "example.com",
            "ftp://example.com",
            "http://",
            "http:///path",
            "http://example.com:81/",
            "http://example.com:1023/",
            "http://example.com:65536/",
            "http://{host}:8082/",
            "http://example.com/a b",
            "http://user:secret@example.com/",
        ] {
            assert!(!is_http_endpoint(uri), "{uri}");
        }
    }
}
