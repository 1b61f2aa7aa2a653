//! The API Gateway proxy.

use url::Url;

use super::super::problem::{Findings, Position};
use super::super::yaml::At;
use super::super::{Api, ApiReference, Authorization, Backend, Target, raw};
use super::{Scene, names};

pub(super) fn api(raw: &At<raw::Api>, scene: &Scene<'_>, findings: &mut Findings) -> Option<Api> {
    let reference = reference(raw, findings);
    let stage = match &raw.stage {
        Some(stage) => {
            if let Err(problem) = names::stage(stage) {
                findings.problem(stage.at, problem);
            }
            Some(stage.value.clone())
        }
        None => scene.environment.map(|environment| {
            if let Err(problem) = names::stage(environment) {
                findings.problem(
                    raw.key_at,
                    format!("without a stage, the environment is its name, but {problem}: add stage"),
                );
            }
            environment.to_owned()
        }),
    };
    let backend = match backend(&raw.backend, scene, findings) {
        Ok(backend) => Some(backend),
        Err(problem) => {
            findings.problem(raw.backend.at, problem);
            None
        }
    };
    let authorization = match raw.authorization.as_deref().map(String::as_str) {
        Some("aws_iam") => Authorization::AwsIam,
        Some("api_key") => Authorization::ApiKey,
        _ => Authorization::None,
    };
    let cors = raw.cors.as_ref().is_some_and(|cors| cors.value);
    Some(Api { reference: reference?, backend: backend?, stage: stage?, cors, authorization })
}

fn reference(raw: &raw::Api, findings: &mut Findings) -> Option<ApiReference> {
    match (&raw.name, &raw.id) {
        (Some(name), _) => {
            if name.trim().is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
                findings
                    .problem(name.at, format!("\"{}\" can't be an API's name; use 1 to 255 characters", name.value));
            }
            Some(ApiReference::Name(name.value.clone()))
        }
        (None, Some(id)) => {
            if id.is_empty() || !id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
                findings.problem(
                    id.at,
                    format!(
                        "\"{}\" is no id of a REST API; \
                        expected lower-case letters and digits, as in https://ID.execute-api…",
                        id.value
                    ),
                );
            }
            Some(ApiReference::Id(id.value.clone()))
        }
        (None, None) => None,
    }
}

fn backend(raw: &At<String>, scene: &Scene<'_>, findings: &mut Findings) -> Result<Backend, String> {
    let text = raw.as_str();
    if text == "client" {
        return of_client(scene).map(|()| Backend::Client);
    }
    let expected = "expected http://HOST:8082, or client for the REST proxy of `client`";
    let url = Url::parse(text).map_err(|error| format!("\"{text}\" is no URL ({error}); {expected}"))?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let (true, Some(host)) = (matches!(url.scheme(), "http" | "https"), host) else {
        return Err(format!("\"{text}\" is no URL that API Gateway passes requests to; {expected}"));
    };
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html: these ports alone.
    let port = url.port_or_known_default().unwrap_or_default();
    if !matches!(port, 80 | 443 | 1024..) {
        return Err(format!("API Gateway doesn't reach port {port}; use 80, 443, or 1024 to 65535"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "\"{text}\" has a query or fragment; the base URL alone is wanted, {{proxy}} is added to it"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the backend's URL holds a user or password, which API Gateway doesn't send; remove them".to_owned()
        );
    }
    if text.contains(['{', '}']) {
        return Err(format!("\"{text}\" holds {{ }}; give the base URL alone, {{proxy}} is added to it"));
    }
    if scene.target == Some(Target::Aws) && is_this_machine(host) {
        warn_of_unreachable(raw.at, host, findings);
    }
    Ok(Backend::Url(text.trim_end_matches('/').to_owned()))
}

/// Whether there is a client whose REST proxy can be found. The sandbox has a proxy of its own.
fn of_client(scene: &Scene<'_>) -> Result<(), String> {
    if scene.is_damaged("client") {
        return Ok(());
    }
    let expected = "give it, or give backend the REST proxy's URL, http://HOST:8082";
    match &scene.raw.client {
        None if scene.target == Some(Target::Aws) => {
            Err(format!("backend: client is the REST proxy of `client`, and none is declared; {expected}"))
        }
        Some(client) if client.rest_proxy.is_none() => {
            Err(format!("backend: client is the REST proxy of `client`, which has no rest_proxy; {expected}"))
        }
        Some(client) if client.instance.is_none() && client.address.is_none() && scene.target == Some(Target::Aws) => {
            Err(format!("`client` has neither instance nor address, so that nobody knows where it is; {expected}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

pub(super) fn warn_of_unreachable(at: Position, host: &str, findings: &mut Findings) {
    findings.warn(at, format!("API Gateway can't reach {host} from AWS; give the REST proxy's public address"));
}
