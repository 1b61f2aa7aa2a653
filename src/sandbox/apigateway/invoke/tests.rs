//! Calls over HTTP, of APIs that are put into the store as a deployment leaves them. What signatures and keys may do is
//! tested in the suite of conformance.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::tables::{APIS, SNAPSHOTS, STAGES};
use super::*;
use crate::sandbox::store::Store;
use crate::sandbox::world::Settings;

struct Api {
    world: Arc<World>,
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Api {
    async fn start() -> Self {
        let world = Arc::new(World::new(Settings::default(), Store::in_memory(), std::env::temp_dir()));
        let api = json!({
            "id": "abc", "name": "n", "createdDate": 0, "apiKeySource": "HEADER", "rootResourceId": "r",
            "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "disableExecuteApiEndpoint": false,
        });
        put(&world, APIS, "eu-west-1/abc", &api);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, Arc::clone(&world), "abc".to_owned()));
        Self { world, url, server }
    }

    /// Deploys methods by path and verb, each with its integration, to the stage `dev`.
    fn deploy(&self, deployment: &str, methods: &[(&str, &str, Value)], gateway_responses: &Value) {
        let mut paths = json!({});
        for (path, verb, integration) in methods {
            paths[path][verb] = json!({
                "httpMethod": verb, "authorizationType": "NONE", "apiKeyRequired": false,
                "methodIntegration": integration,
            });
        }
        let snapshot = json!({
            "paths": paths, "gatewayResponses": gateway_responses, "apiKeySource": "HEADER", "binaryMediaTypes": [],
        });
        put(&self.world, SNAPSHOTS, &format!("abc/{deployment}"), &snapshot);
        self.point(deployment, &json!({}));
    }

    fn point(&self, deployment: &str, variables: &Value) {
        let stage = json!({
            "deploymentId": deployment, "stageName": "dev", "cacheClusterEnabled": false, "tracingEnabled": false,
            "cacheClusterStatus": "NOT_AVAILABLE", "methodSettings": {}, "createdDate": 0, "lastUpdatedDate": 0,
            "variables": variables,
        });
        put(&self.world, STAGES, "abc/dev", &stage);
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let reply = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }
}

fn put(world: &World, table: &str, key: &str, record: &Value) {
    world.store.transact(|tables| tables.put(table, key, record)).unwrap();
}

fn integration(kind: &str, more: Value) -> Value {
    let mut integration = json!({
        "type": kind, "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "cacheNamespace": "",
        "cacheKeyParameters": [],
    });
    let Value::Object(more) = more else { return integration };
    integration.as_object_mut().unwrap().extend(more);
    integration
}

fn proxy(uri: &str) -> Value {
    let mapped = json!({"integration.request.path.proxy": "method.request.path.proxy"});
    integration("HTTP_PROXY", json!({"httpMethod": "ANY", "uri": uri, "requestParameters": mapped}))
}

/// A backend that answers every request with the head of it.
async fn echo() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
                    head.len(),
                    String::from_utf8_lossy(&head)
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    url
}

#[tokio::test]
async fn what_a_stage_points_at_is_live_at_once() {
    let (api, backend) = (Api::start().await, echo().await);
    assert_eq!(api.get("/dev/x").await, (403, r#"{"message":"Forbidden"}"#.to_owned()));
    api.deploy("one", &[("/{proxy+}", "ANY", proxy(&format!("{backend}/one/{{proxy}}")))], &json!([]));
    assert!(api.get("/dev/x%20y?a=b").await.1.starts_with("GET /one/x%20y?a=b HTTP/1.1\r\n"));
    let two = format!("{backend}/${{stageVariables.version}}/{{proxy}}");
    api.deploy("two", &[("/{proxy+}", "ANY", proxy(&two))], &json!([]));
    api.point("two", &json!({"version": "v2"}));
    assert!(api.get("/dev/x").await.1.starts_with("GET /v2/x HTTP/1.1\r\n"));
    api.point("one", &json!({}));
    assert!(api.get("/dev/x").await.1.starts_with("GET /one/x HTTP/1.1\r\n"));
    assert_eq!(api.get("/other/x").await.0, 403);
}

#[tokio::test]
async fn a_backend_sees_the_client_through_the_gateway() {
    let (api, backend) = (Api::start().await, echo().await);
    api.deploy("one", &[("/{proxy+}", "ANY", proxy(&format!("{backend}/{{proxy}}")))], &json!([]));
    let call = reqwest::Client::new().get(format!("{}/dev/x", api.url)).header("x-forwarded-for", "192.0.2.1");
    let reply = call.header("via", "1.1 somewhere").header("x-a", "1").header("x-a", "2").send().await.unwrap();
    assert_eq!(reply.headers()["x-amzn-remapped-connection"], "close");
    let head = reply.text().await.unwrap().to_lowercase();
    let lines: Vec<&str> = head.lines().collect();
    let own = |line: &str| lines.contains(&line);
    assert!(own("x-forwarded-for: 192.0.2.1, 127.0.0.1") && own("x-forwarded-proto: http"), "{head}");
    assert!(own("x-a: 1,2") && own("user-agent: amazonapigateway_abc") && own("accept: */*"), "{head}");
    assert!(own(&format!("host: {}", backend.trim_start_matches("http://"))), "{head}");
    assert!(!head.contains("via:") && head.contains("x-amzn-trace-id: root=1-"), "{head}");
}

#[tokio::test]
async fn a_mock_answers_by_its_templates() {
    let api = Api::start().await;
    let response = |status: &str, pattern: Option<&str>, body: &str| {
        let parameters = json!({"method.response.header.X-Stage": "context.stage", "method.response.header.X": "'y'"});
        json!({
            "statusCode": status, "selectionPattern": pattern, "responseParameters": parameters,
            "responseTemplates": {"text/plain": body},
        })
    };
    let mock = |template: &str| {
        let responses =
            json!({"200": response("200", None, "fine"), "404": response("404", Some("4\\d\\d"), "$context.path")});
        let templates = json!({"application/json": template});
        integration("MOCK", json!({"requestTemplates": templates, "integrationResponses": responses}))
    };
    let methods = [
        ("/fine", "GET", mock(r#"{"statusCode": 200}"#)),
        ("/lax", "GET", mock("{statusCode: 200}")),
        ("/missing", "GET", mock(r#"{"statusCode": 404}"#)),
        ("/none", "GET", mock("{}")),
        ("/vtl", "GET", mock("$input.body")),
    ];
    api.deploy("one", &methods, &json!([]));
    let reply = reqwest::get(format!("{}/dev/fine", api.url)).await.unwrap();
    assert_eq!((&reply.headers()["x-stage"], &reply.headers()["x"]), (&"dev".parse().unwrap(), &"y".parse().unwrap()));
    assert_eq!(reply.headers()["content-type"], "text/plain");
    assert_eq!(reply.text().await.unwrap(), "fine");
    assert_eq!(api.get("/dev/lax").await, (200, "fine".to_owned()));
    assert_eq!(api.get("/dev/missing").await, (404, "/dev/missing".to_owned()));
    assert_eq!(api.get("/dev/none").await, (500, r#"{"message":"Internal server error"}"#.to_owned()));
    let vtl = r#"{"message":"Internal server error: the sandbox has no $input.body in mapping templates"}"#;
    assert_eq!(api.get("/dev/vtl").await, (500, vtl.to_owned()));
}

#[tokio::test]
async fn the_apis_own_errors_are_told() {
    let api = Api::start().await;
    let responses = json!([{
        "responseType": "MISSING_AUTHENTICATION_TOKEN", "statusCode": "418", "defaultResponse": false,
        "responseParameters": {"gatewayresponse.header.X": "'y'", "gatewayresponse.header.Z": "method.request.header.z"},
        "responseTemplates": {"text/plain": "$context.error.responseType of $context.apiId"},
    }]);
    api.deploy("one", &[("/x", "GET", integration("AWS_PROXY", json!({})))], &responses);
    let reply = reqwest::get(format!("{}/dev/y", api.url)).await.unwrap();
    assert_eq!((reply.status().as_u16(), &reply.headers()["x"]), (418, &"y".parse().unwrap()));
    assert!(!reply.headers().contains_key("z"));
    assert_eq!(reply.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
    assert_eq!(reply.text().await.unwrap(), "MISSING_AUTHENTICATION_TOKEN of abc");
    let unsupported = r#"{"message":"Internal server error: the sandbox has no integrations of type AWS_PROXY"}"#;
    assert_eq!(api.get("/dev/x").await, (500, unsupported.to_owned()));
}

#[test]
fn host_names_name_apis() {
    for (host, api) in [
        ("a1b2.execute-api.eu-west-1.amazonaws.com", Some(("a1b2", Some("eu-west-1")))),
        ("a1b2.execute-api.localhost.localstack.cloud:4566", Some(("a1b2", None))),
        ("a1b2.execute-api.localhost:4566", Some(("a1b2", None))),
        ("kafka.eu-west-1.amazonaws.com", None),
        ("a.b.execute-api.localhost", None),
        ("127.0.0.1:4566", None),
    ] {
        assert_eq!(api_of_host(host), api, "{host}");
    }
}
