//! APIs as AWS describes them, without AWS: what a look at them says.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_apigateway::types;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::parts::{CORS, INTEGRATION_PATH, METHOD_PATH, PROXY};
use super::seen::{Keys, Seen};
use super::*;
use crate::aws::clients::Clients;
use crate::engine::Field;
use crate::resource::{Context, Tags};

/// Clients of a server that listens at `endpoint`.
fn clients(endpoint: &str) -> Clients {
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "a secret", None, None, "a test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Clients::for_tests(&config, "123456789012")
}

pub(super) fn declared(reference: ApiReference, authorization: Authorization) -> Api {
    Api { reference, backend: crate::manifest::Backend::Client, stage: "dev".to_owned(), cors: true, authorization }
}

fn resource(declared: &Api) -> RestApi {
    resource_at("http://127.0.0.1:9", declared)
}

pub(super) fn resource_at(endpoint: &str, declared: &Api) -> RestApi {
    let context = Context { clients: clients(endpoint), tags: Tags::new("pin", "dev", "abc", None) };
    RestApi::new(Arc::new(context), declared, Backend::At("http://10.0.0.1:8082".to_owned()))
}

fn own() -> RestApi {
    resource(&declared(ApiReference::Name("pinterest".to_owned()), Authorization::None))
}

fn shared() -> RestApi {
    resource(&declared(ApiReference::Id("a1b2c3".to_owned()), Authorization::None))
}

fn any_method(uri: &str) -> types::Method {
    let integration = types::Integration::builder()
        .r#type(types::IntegrationType::HttpProxy)
        .http_method("ANY")
        .uri(uri)
        .request_parameters(INTEGRATION_PATH, METHOD_PATH)
        .passthrough_behavior("WHEN_NO_MATCH")
        .cache_namespace("r2")
        .timeout_in_millis(29_000);
    types::Method::builder()
        .http_method("ANY")
        .authorization_type("NONE")
        .api_key_required(false)
        .request_parameters(METHOD_PATH, true)
        .method_integration(integration.build())
        .build()
}

fn options_method() -> types::Method {
    let headers =
        |prefix: &'static str| CORS.iter().map(move |(_, header, value)| (format!("{prefix}{header}"), value));
    let declares = headers("method.response.header.").map(|(parameter, _)| (parameter, false)).collect();
    let sets = headers("method.response.header.").map(|(parameter, value)| (parameter, format!("'{value}'"))).collect();
    let answer = types::IntegrationResponse::builder().status_code("200").set_response_parameters(Some(sets)).build();
    let integration = types::Integration::builder()
        .r#type(types::IntegrationType::Mock)
        .request_templates("application/json", "{ \"statusCode\": 200 }")
        .integration_responses("200", answer)
        .timeout_in_millis(29_000);
    let response = types::MethodResponse::builder().status_code("200").set_response_parameters(Some(declares)).build();
    types::Method::builder()
        .http_method("OPTIONS")
        .authorization_type("NONE")
        .method_responses("200", response)
        .method_integration(integration.build())
        .build()
}

fn error(kind: &str) -> types::GatewayResponse {
    let parameters =
        CORS.iter().map(|(_, header, value)| (format!("gatewayresponse.header.{header}"), format!("'{value}'")));
    types::GatewayResponse::builder()
        .response_type(types::GatewayResponseType::from(kind))
        .set_response_parameters(Some(parameters.collect()))
        .response_templates("application/json", "{\"message\": $context.error.messageString}")
        .build()
}

fn deployment(id: &str, description: &str) -> types::Deployment {
    types::Deployment::builder().id(id).description(description).build()
}

fn stage(name: &str, deployment: &str, tags: Option<HashMap<String, String>>) -> types::Stage {
    types::Stage::builder().stage_name(name).deployment_id(deployment).set_tags(tags).build()
}

fn node(id: &str, parent: Option<&str>, part: &str) -> types::builders::ResourceBuilder {
    let builder = types::Resource::builder().id(id).path(format!("/{part}"));
    match parent {
        Some(parent) => builder.parent_id(parent).path_part(part),
        None => builder,
    }
}

/// An API that is wholly as `api` wants it, with a resource that somebody else made.
fn settled(api: &RestApi) -> Seen {
    let tags = api.context.tags.for_creation();
    let mark = [(api.context.tags.shared_key(), "an earlier manifest".to_owned())].into();
    let proxy = node("r2", Some("r1"), PROXY)
        .resource_methods("ANY", any_method("http://10.0.0.1:8082/{proxy}"))
        .resource_methods("OPTIONS", options_method());
    let health = node("r3", Some("r1"), "health").resource_methods("GET", any_method("http://10.0.0.9/health"));
    let mut seen = Seen {
        api: types::RestApi::builder()
            .id("a1b2c3")
            .name("pinterest")
            .set_tags(Some(if api.is_shared() { mark } else { tags.clone() }))
            .build(),
        resources: vec![node("r1", None, "").build(), proxy.build(), health.build()],
        errors: vec![error("DEFAULT_4XX"), error("DEFAULT_5XX")],
        stages: vec![stage("dev", "d1", Some(tags))],
        deployments: Vec::new(),
        keys: Keys::default(),
    };
    seen.deployments.push(deployment("d1", &api.description(&seen)));
    seen
}

/// The keys of the fields that are not as declared.
fn differing(api: &RestApi, seen: &Seen) -> Vec<String> {
    let (wanted, have) = (api.wanted.fields(), api.parts(seen).fields());
    let mut keys: Vec<_> = wanted.iter().chain(have.iter()).map(|(key, _)| key.to_owned()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| wanted.get(key) != have.get(key));
    keys
}

fn leftovers(api: &RestApi, seen: &Seen) -> Vec<String> {
    api.leftovers(seen).into_iter().filter_map(|state| state.label).collect()
}

#[test]
fn what_was_made_reads_as_it_was_declared() {
    for api in [own(), shared()] {
        let seen = settled(&api);
        assert_eq!(differing(&api, &seen), [""; 0]);
        assert_eq!(api.owner(&seen), Owner::Ours);
        assert_eq!(leftovers(&api, &seen), [""; 0]);
    }
}

#[test]
fn fields_say_in_plain_words_what_is_declared() {
    let fields = resource(&declared(ApiReference::Name("pinterest".to_owned()), Authorization::ApiKey)).wanted.fields();
    let known = |key: &str| match fields.get(key) {
        Some(Field::Known(value)) => value.clone(),
        _ => Value::Null,
    };
    assert_eq!(known("integration.uri"), json!("http://10.0.0.1:8082/{proxy}"));
    assert_eq!(known("method.ANY.api_key_required"), json!(true));
    assert_eq!(known("method.OPTIONS.api_key_required"), json!(false));
    assert_eq!(known("usage_plan.stages"), json!(["dev"]));
    assert_eq!(known("api_key"), json!("enabled"));
    assert_eq!(known("cors.allow_origin"), json!("*"));
    assert_eq!((known("name"), known("tag")), (json!("pinterest"), Value::Null));
}

#[test]
fn drift_that_is_not_live_asks_for_no_deployment() {
    let api = own();
    let mut seen = settled(&api);
    seen.resources[1] = node("r2", Some("r1"), PROXY)
        .resource_methods("ANY", any_method("http://elsewhere/{proxy}"))
        .resource_methods("OPTIONS", options_method())
        .build();
    assert_eq!(differing(&api, &seen), ["integration.uri"]);
}

#[test]
fn a_deployment_by_somebody_else_is_outdated_and_ours_is_kept_to_go_back_to() {
    let api = own();
    let mut seen = settled(&api);
    seen.deployments.push(types::Deployment::builder().id("d2").build());
    seen.stages[0] = stage("dev", "d2", Some(api.context.tags.for_creation()));
    assert_eq!(differing(&api, &seen), ["deployment"]);
    assert_eq!(leftovers(&api, &seen), [""; 0]);
}

#[test]
fn what_others_change_in_an_api_counts_only_where_it_is_shared() {
    for (api, changed) in [(own(), vec![]), (shared(), vec!["deployment"])] {
        let mut seen = settled(&api);
        let health = node("r3", Some("r1"), "health").resource_methods("GET", any_method("http://10.0.0.9/healthier"));
        seen.resources[2] = health.build();
        assert_eq!(differing(&api, &seen), changed);
    }
}

#[test]
fn the_order_in_which_aws_tells_things_means_nothing() {
    let api = shared();
    let mut seen = settled(&api);
    let description = api.description(&seen);
    seen.resources.reverse();
    seen.errors.reverse();
    assert_eq!(api.description(&seen), description);
    assert!(description.starts_with("pipeline:pin:dev sha256:") && description.len() == 24 + 16, "{description}");
}

#[test]
fn an_error_that_its_owner_customised_is_in_order_on_a_shared_api_alone() {
    let owners = || {
        types::GatewayResponse::builder()
            .response_type(types::GatewayResponseType::Default4Xx)
            .response_parameters("gatewayresponse.header.X-Owner", "'yes'")
            .build()
    };
    let (api, mut seen) = (own(), settled(&own()));
    seen.errors[0] = owners();
    assert_eq!(differing(&api, &seen), ["cors.DEFAULT_4XX"]);

    let (api, mut seen) = (shared(), settled(&shared()));
    seen.errors[0] = owners();
    // A deployment would take the owner's change along.
    assert_eq!(differing(&api, &seen), ["deployment"]);
    assert_eq!(RestApi::our_errors(&seen), ["DEFAULT_5XX"]);
}

#[test]
fn a_shared_api_without_our_mark_is_refused_where_our_place_is_taken() {
    let api = shared();
    let unmarked = |change: &dyn Fn(&mut Seen)| {
        let mut seen = settled(&api);
        seen.api = types::RestApi::builder().id("a1b2c3").build();
        change(&mut seen);
        api.owner(&seen)
    };
    let says = |owner: Owner, words: &str| matches!(owner, Owner::Foreign(why) if why.contains(words));
    assert!(says(unmarked(&|_| {}), "/{proxy+}"));
    assert!(says(unmarked(&|seen| drop(seen.resources.remove(1))), "stage dev"));
    assert!(says(unmarked(&|seen| seen.resources[1] = node("r2", Some("r1"), "{id}").build()), "/{id}"));
    let free = unmarked(&|seen| {
        seen.resources.remove(1);
        seen.stages.clear();
    });
    assert_eq!(free, Owner::Ours);
}

#[test]
fn a_stage_of_somebody_else_is_refused_even_where_our_mark_is() {
    let api = shared();
    let mut seen = settled(&api);
    seen.stages[0] = stage("dev", "d1", None);
    assert!(matches!(api.owner(&seen), Owner::Foreign(why) if why.contains("stage dev")));
}

#[test]
fn destroy_passes_by_a_shared_api_without_our_mark() {
    let api = shared();
    let state = |fields| State { fields, output: crate::engine::Output::new(), label: None };
    assert_eq!(api.on_destroy(&state(Fields::new())), OnDestroy::Ignore);
    assert_eq!(api.on_destroy(&state(Fields::new().with("tag", "pipeline:pin:dev"))), OnDestroy::Delete);
    assert_eq!(own().on_destroy(&state(Fields::new())), OnDestroy::Delete);
}

#[test]
fn a_stage_that_was_renamed_is_one_change() {
    let api = own();
    let mut seen = settled(&api);
    seen.stages[0] = stage("before", "d1", Some(api.context.tags.for_creation()));
    assert_eq!(differing(&api, &seen), ["stage"]);
    assert_eq!(leftovers(&api, &seen), [""; 0]);
}

#[test]
fn what_killed_runs_left_is_told_and_nothing_of_others() {
    let api = own();
    let mut seen = settled(&api);
    let start = "pipeline:pin:dev sha256:";
    seen.deployments.push(deployment("d2", &format!("{start}0000")));
    seen.deployments.push(deployment("d3", &format!("{start}1111")));
    seen.deployments.push(deployment("d4", "somebody's"));
    seen.deployments.push(deployment("d5", "pipeline:pin:devel sha256:2222"));
    seen.stages.push(stage("before", "d2", Some(api.context.tags.for_creation())));
    seen.stages.push(stage("theirs", "d1", None));
    assert_eq!(leftovers(&api, &seen), ["stage before", "deployment d3"]);
}

#[test]
fn a_deployment_that_waits_for_its_stage_is_no_leftover() {
    let api = own();
    let mut seen = settled(&api);
    seen.stages.clear();
    assert_eq!(leftovers(&api, &seen), [""; 0]);
    assert_eq!(differing(&api, &seen), ["deployment", "stage"]);
}

#[test]
fn a_leftover_survives_being_kept_by_the_engine() {
    let leftover = Leftover::stage("a1b2c3", "before");
    assert_eq!(Leftover::from_state(&leftover.state()), Some(leftover));
    let state = State { fields: Fields::new(), output: crate::engine::Output::new().with("id", "a1b2c3"), label: None };
    assert_eq!(Leftover::from_state(&state), None);
}

#[test]
fn only_an_api_that_is_open_on_aws_is_warned_about() {
    assert!(own().warnings().iter().any(|warning| warning.contains("anybody")));
    let signed = resource(&declared(ApiReference::Name("pinterest".to_owned()), Authorization::AwsIam));
    assert_eq!(signed.warnings(), [""; 0]);
    assert!(shared().warnings().iter().any(|warning| warning.contains("snapshot")));
}

/// Makes an API and hangs up before it says so; lists what it made. How often it was asked to make one.
async fn forgetful(mut stream: TcpStream, made: &AtomicU32) -> std::io::Result<()> {
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await?;
    if request[..length].starts_with(b"POST /restapis ") {
        made.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    let tags = json!({ "pipeline:name": "pin", "pipeline:environment": "dev" });
    let apis: Vec<_> = (0..made.load(Ordering::Relaxed))
        .map(|n| json!({ "id": format!("api{n}"), "name": "pinterest", "tags": tags }))
        .collect();
    let body = json!({ "item": apis }).to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

#[tokio::test]
async fn an_api_whose_making_was_not_answered_is_found_and_not_made_twice() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let made = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = forgetful(stream, &counted).await;
        }
    });
    let api = resource_at(&endpoint, &declared(ApiReference::Name("pinterest".to_owned()), Authorization::None));
    assert_eq!(api.create_api().await?, "api0");
    assert_eq!(made.load(Ordering::Relaxed), 1);
    Ok(())
}
