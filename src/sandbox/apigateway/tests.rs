#![expect(clippy::unwrap_used, reason = "a test may panic")]

//! The rules that a client runs into, one call after the other.

use serde_json::{Value, json};

use super::live::{Pointer, may_call, pointer, snapshot};
use super::{handle, operation};
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, World};

fn world(throttle: bool) -> World {
    let settings = Settings { throttle, ..Settings::default() };
    World::new(settings, Store::in_memory(), std::env::temp_dir())
}

/// Sends a request, and returns its status and reply.
fn send(world: &World, method: &str, target: &str, body: &Value) -> Result<(u16, Value), Refusal> {
    send_from(world, "us-east-1", method, target, body)
}

fn send_from(world: &World, region: &str, method: &str, target: &str, body: &Value) -> Result<(u16, Value), Refusal> {
    let url = url::Url::parse(&format!("http://localhost{target}")).unwrap();
    let call = Call {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: Vec::new(),
        body: if body.is_null() { Vec::new().into() } else { body.to_string().into() },
        region: region.to_owned(),
        caller: "arn:aws:iam::000000000000:user/tester".to_owned(),
    };
    let (operation, path) = operation(&call).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reply = runtime.block_on(handle(world, operation, &path, &call))?;
    Ok((reply.status, serde_json::from_slice(&reply.body).unwrap_or_default()))
}

fn done(world: &World, method: &str, target: &str, body: Value) -> Value {
    send(world, method, target, &body).unwrap().1
}

fn refused(world: &World, method: &str, target: &str, body: Value) -> String {
    send(world, method, target, &body).unwrap_err().to_string()
}

/// An API, and the path of its root resource.
fn api(world: &World) -> (String, String) {
    let api = done(world, "POST", "/restapis", json!({ "name": "pins" }));
    let at = format!("/restapis/{}", api["id"].as_str().unwrap());
    let root = format!("{at}/resources/{}", api["rootResourceId"].as_str().unwrap());
    (at, root)
}

/// The same with `{proxy+}` below the root, ANY on it, and an integration; the path of the method.
fn proxy(world: &World) -> (String, String) {
    let (at, root) = api(world);
    let resource = done(world, "POST", &root, json!({ "pathPart": "{proxy+}" }));
    let method = format!("{at}/resources/{}/methods/ANY", resource["id"].as_str().unwrap());
    let declared = json!({ "authorizationType": "NONE", "requestParameters": { "method.request.path.proxy": true } });
    done(world, "PUT", &method, declared);
    done(world, "PUT", &format!("{method}/integration"), http_proxy("http://backend.example:8082/{proxy}"));
    (at, method)
}

fn http_proxy(uri: &str) -> Value {
    json!({
        "type": "HTTP_PROXY",
        "httpMethod": "ANY",
        "uri": uri,
        "requestParameters": { "integration.request.path.proxy": "method.request.path.proxy" },
    })
}

fn patch(op: &str, path: &str, value: &str) -> Value {
    json!({ "patchOperations": [{ "op": op, "path": path, "value": value }] })
}

#[test]
fn names_are_not_unique_and_regions_are_apart() {
    let world = world(false);
    let (first, _) = api(&world);
    let (second, _) = api(&world);
    assert_ne!(first, second);
    let listed = done(&world, "GET", "/restapis?limit=1", Value::Null);
    let next = format!("/restapis?limit=1&position={}", listed["position"].as_str().unwrap());
    let rest = done(&world, "GET", &next, Value::Null);
    assert_ne!(listed["item"][0]["id"], rest["item"][0]["id"]);
    assert!(rest.get("position").is_none());
    let elsewhere = send_from(&world, "eu-west-1", "GET", &first, &Value::Null).unwrap_err();
    assert!(elsewhere.to_string().starts_with("NotFoundException: Invalid API identifier specified 000000000000:"));
}

#[test]
fn an_update_is_whole_or_not_at_all() {
    let world = world(false);
    let (at, _) = api(&world);
    let two = json!({ "patchOperations": [
        { "op": "replace", "path": "/name", "value": "changed" },
        { "op": "replace", "path": "/nonsense", "value": "x" },
    ] });
    assert_eq!(refused(&world, "PATCH", &at, two), "BadRequestException: Invalid patch path /nonsense");
    assert_eq!(done(&world, "GET", &at, Value::Null)["name"], "pins");
    let types = done(&world, "PATCH", &at, patch("add", "/binaryMediaTypes/image~1png", ""));
    assert_eq!(types["binaryMediaTypes"], json!(["image/png"]));
    let unknown = refused(&world, "PATCH", &at, patch("change", "/name", "x"));
    assert!(unknown.starts_with("ValidationException: 1 validation error detected: Value 'change' at"), "{unknown}");
}

#[test]
fn a_parent_has_one_variable_child_and_a_greedy_one_has_none() {
    let world = world(false);
    let (at, root) = api(&world);
    let greedy = done(&world, "POST", &root, json!({ "pathPart": "{proxy+}" }));
    assert_eq!(greedy["path"], "/{proxy+}");
    let same = refused(&world, "POST", &root, json!({ "pathPart": "{proxy+}" }));
    assert_eq!(same, "ConflictException: Another resource with the same parent already has this name: {proxy+}");
    let sibling = refused(&world, "POST", &root, json!({ "pathPart": "{id}" }));
    assert!(sibling.starts_with("BadRequestException: A sibling ({proxy+}) of this resource"), "{sibling}");
    let below = format!("{at}/resources/{}", greedy["id"].as_str().unwrap());
    let child = refused(&world, "POST", &below, json!({ "pathPart": "x" }));
    assert!(child.ends_with("Cannot create a child of a resource with a greedy path variable: {proxy+}"), "{child}");
    for part in ["", "a/b", "{open", "a b", "{}", "a+"] {
        assert!(refused(&world, "POST", &root, json!({ "pathPart": part })).contains("path part only allow"), "{part}");
    }
    assert_eq!(refused(&world, "DELETE", &root, Value::Null), "BadRequestException: Root resource cannot be deleted");
}

#[test]
fn a_resource_goes_with_what_is_below_it() {
    let world = world(false);
    let (at, root) = api(&world);
    let mut parent = root;
    for part in ["a", "b", "c"] {
        let resource = done(&world, "POST", &parent, json!({ "pathPart": part }));
        parent = format!("{at}/resources/{}", resource["id"].as_str().unwrap());
    }
    assert_eq!(done(&world, "GET", &parent, Value::Null)["path"], "/a/b/c");
    let listed = done(&world, "GET", &format!("{at}/resources"), Value::Null);
    let a = format!("{at}/resources/{}", listed["item"][1]["id"].as_str().unwrap());
    let c = parent.rsplit('/').next().unwrap();
    assert!(refused(&world, "PATCH", &a, patch("replace", "/parentId", c)).contains("cannot be cyclical"));
    done(&world, "DELETE", &a, Value::Null);
    let left = done(&world, "GET", &format!("{at}/resources"), Value::Null);
    assert_eq!(left["item"].as_array().unwrap().len(), 1);
}

#[test]
fn an_integration_maps_only_what_the_method_declares() {
    let world = world(false);
    let (_, method) = proxy(&world);
    let integration = format!("{method}/integration");
    let mut undeclared = http_proxy("http://backend.example/{proxy}");
    undeclared["requestParameters"]["integration.request.header.A"] = json!("method.request.header.A");
    assert!(
        refused(&world, "PUT", &integration, undeclared)
            .ends_with("errors : [Invalid mapping expression parameter specified: method.request.header.A]")
    );
    let mut unquoted = http_proxy("http://backend.example/{proxy}");
    unquoted["requestParameters"]["integration.request.header.A"] = json!("plain");
    assert!(refused(&world, "PUT", &integration, unquoted).contains("[Invalid mapping expression specified: plain]"));
    let mut slow = http_proxy("http://backend.example/{proxy}");
    slow["timeoutInMillis"] = json!(29_001);
    assert!(refused(&world, "PUT", &integration, slow).contains("Timeout should be between 50 ms and 29000 ms"));
    let port = refused(&world, "PUT", &integration, http_proxy("http://backend.example:8/{proxy}"));
    assert_eq!(port, "BadRequestException: Invalid HTTP endpoint specified for URI");
    let again = refused(&world, "PUT", &method, json!({ "authorizationType": "NONE" }));
    assert_eq!(again, "ConflictException: Method already exists for this resource");
    assert_eq!(done(&world, "GET", &integration, Value::Null)["uri"], "http://backend.example:8082/{proxy}");
}

#[test]
fn response_headers_must_be_declared() {
    let world = world(false);
    let (_, method) = proxy(&world);
    let response = format!("{method}/integration/responses/200");
    let mapping = json!({ "responseParameters": { "method.response.header.Access-Control-Allow-Origin": "'*'" } });
    assert!(refused(&world, "PUT", &response, mapping.clone()).contains("[No method response exists for method.]"));
    let declared = json!({ "responseParameters": { "method.response.header.Other": true } });
    done(&world, "PUT", &format!("{method}/responses/200"), declared);
    assert!(
        refused(&world, "PUT", &response, mapping.clone()).contains("parameter specified: method.response.header.")
    );
    let header = "/responseParameters/method.response.header.Access-Control-Allow-Origin";
    done(&world, "PATCH", &format!("{method}/responses/200"), patch("add", header, "true"));
    assert_eq!(send(&world, "PUT", &response, &mapping).unwrap().0, 201);
    assert!(refused(&world, "PUT", &format!("{method}/responses/20"), json!({})).contains(r"pattern: [1-5]\d\d"));
}

#[test]
fn a_deployment_is_a_snapshot_and_a_stage_keeps_it() {
    let world = world(false);
    let (at, root) = api(&world);
    let deployments = format!("{at}/deployments");
    assert!(refused(&world, "POST", &deployments, json!({})).contains("doesn't contain any methods"));
    done(&world, "PUT", &format!("{root}/methods/GET"), json!({ "authorizationType": "NONE" }));
    assert!(refused(&world, "POST", &deployments, json!({})).contains("No integration defined for method"));

    let (at, method) = proxy(&world);
    let deployments = format!("{at}/deployments");
    let first = done(&world, "POST", &deployments, json!({ "stageName": "dev", "description": "one" }));
    let id = at.rsplit('/').next().unwrap();
    let target = "http://other.example/{proxy}";
    done(&world, "PATCH", &format!("{method}/integration"), patch("replace", "/uri", target));
    let uri = |world| {
        let Pointer { deployment_id, .. } = pointer(world, id, "dev").unwrap();
        let method = snapshot(world, id, &deployment_id).unwrap().paths["/{proxy+}"]["ANY"].clone();
        method.method_integration.unwrap().uri.unwrap()
    };
    assert_eq!(uri(&world), "http://backend.example:8082/{proxy}");
    done(&world, "POST", &deployments, json!({ "stageName": "dev", "variables": { "a": "b" } }));
    assert_eq!(uri(&world), target);
    assert_eq!(pointer(&world, id, "dev").unwrap().variables["a"], "b");

    let second = pointer(&world, id, "dev").unwrap().deployment_id;
    let in_use = refused(&world, "DELETE", &format!("{deployments}/{second}"), Value::Null);
    assert_eq!(in_use, "BadRequestException: Active stages pointing to this deployment must be moved or deleted");
    let first = format!("{deployments}/{}", first["id"].as_str().unwrap());
    let summary = done(&world, "GET", &format!("{first}?embed=apisummary"), Value::Null);
    assert_eq!(summary["apiSummary"]["/{proxy+}"]["ANY"]["authorizationType"], "NONE");
    assert_eq!(send(&world, "DELETE", &first, &Value::Null).unwrap().0, 202);

    assert_eq!(send(&world, "DELETE", &at, &Value::Null).unwrap().0, 202);
    assert!(pointer(&world, id, "dev").is_none());
}

#[test]
fn stages_are_named_once_and_ten_at_most() {
    let world = world(false);
    let (at, _) = proxy(&world);
    let deployment = done(&world, "POST", &format!("{at}/deployments"), json!({}));
    let stage = |name: &str| json!({ "stageName": name, "deploymentId": deployment["id"] });
    let stages = format!("{at}/stages");
    for name in ["a b", "", "dev.1"] {
        assert!(refused(&world, "POST", &stages, stage(name)).contains("Stage name"), "{name}");
    }
    for number in 0..10 {
        done(&world, "POST", &stages, stage(&format!("s{number}")));
    }
    assert_eq!(refused(&world, "POST", &stages, stage("s3")), "ConflictException: Stage already exists");
    assert!(refused(&world, "POST", &stages, stage("s10")).starts_with("LimitExceededException"));
    let elsewhere = json!({ "stageName": "s3", "deploymentId": "nothing" });
    done(&world, "DELETE", &format!("{stages}/s3"), Value::Null);
    assert!(refused(&world, "POST", &stages, elsewhere).contains("Deployment id does not exist"));
    let settings = patch("replace", "/*/*/throttling/burstLimit", "7");
    let set = done(&world, "PATCH", &format!("{stages}/s4"), settings);
    assert_eq!(set["methodSettings"]["*/*"]["throttlingBurstLimit"], 7);
}

#[test]
fn a_key_calls_the_stages_of_its_plans() {
    let world = world(false);
    let (at, _) = proxy(&world);
    done(&world, "POST", &format!("{at}/deployments"), json!({ "stageName": "dev" }));
    let id = at.rsplit('/').next().unwrap();
    let stages = json!([{ "apiId": id, "stage": "dev" }]);
    let plan = done(&world, "POST", "/usageplans", json!({ "name": "plan", "apiStages": stages }));
    let plan = format!("/usageplans/{}", plan["id"].as_str().unwrap());
    let key = done(&world, "POST", "/apikeys", json!({ "name": "key", "enabled": true }));
    let (key_id, value) = (key["id"].as_str().unwrap(), key["value"].as_str().unwrap());
    assert!(!may_call(&world, id, "dev", value));
    let added = json!({ "keyId": key_id, "keyType": "API_KEY" });
    done(&world, "POST", &format!("{plan}/keys"), added.clone());
    assert!(may_call(&world, id, "dev", value));

    let other = done(&world, "POST", "/usageplans", json!({ "name": "other", "apiStages": stages }));
    let other = format!("/usageplans/{}/keys", other["id"].as_str().unwrap());
    assert!(refused(&world, "POST", &other, added).starts_with("ConflictException"));
    assert!(refused(&world, "DELETE", &plan, Value::Null).contains("because there are API Stages associated with it"));
    done(&world, "PATCH", &format!("/apikeys/{key_id}"), patch("replace", "/enabled", "false"));
    assert!(!may_call(&world, id, "dev", value));
    assert!(done(&world, "GET", &format!("/apikeys/{key_id}"), Value::Null).get("value").is_none());

    // A stage that goes leaves its plans.
    done(&world, "DELETE", &format!("{at}/stages/dev"), Value::Null);
    assert_eq!(done(&world, "GET", &plan, Value::Null)["apiStages"], json!([]));
    assert_eq!(send(&world, "DELETE", &plan, &Value::Null).unwrap().0, 202);
}

#[test]
fn tags_follow_the_rules_of_aws() {
    let world = world(false);
    let (at, _) = api(&world);
    let tags = format!("/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A{}", at.replace('/', "%2F"));
    assert_eq!(send(&world, "PUT", &tags, &json!({ "tags": { "pipeline:name": "p" } })).unwrap().0, 204);
    assert_eq!(done(&world, "GET", &tags, Value::Null), json!({ "tags": { "pipeline:name": "p" } }));
    assert!(refused(&world, "PUT", &tags, json!({ "tags": { "aws:x": "y" } })).contains("aws: prefixed"));
    let many: serde_json::Map<String, Value> = (0..50).map(|number| (number.to_string(), json!("x"))).collect();
    assert!(refused(&world, "PUT", &tags, json!({ "tags": many })).contains("more than 50"));
    done(&world, "DELETE", &format!("{tags}?tagKeys=pipeline:name"), Value::Null);
    assert_eq!(done(&world, "GET", &at, Value::Null)["tags"], json!({}));
}

#[test]
fn a_default_gateway_response_is_inherited() {
    let world = world(false);
    let (at, _) = api(&world);
    let header = json!({ "responseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": "'*'" } });
    done(&world, "PUT", &format!("{at}/gatewayresponses/DEFAULT_5XX"), header);
    let inherited = done(&world, "GET", &format!("{at}/gatewayresponses/INTEGRATION_TIMEOUT"), Value::Null);
    assert_eq!(inherited["statusCode"], "504");
    assert_eq!(inherited["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"], "'*'");
    assert_eq!(inherited["defaultResponse"], true);
    let listed = done(&world, "GET", &format!("{at}/gatewayresponses"), Value::Null);
    assert_eq!(listed["item"].as_array().unwrap().len(), 21);
    let unquoted = json!({ "responseParameters": { "gatewayresponse.header.A": "*" } });
    let refusal = refused(&world, "PUT", &format!("{at}/gatewayresponses/DEFAULT_4XX"), unquoted);
    assert!(refusal.contains("[Invalid mapping expression specified: *]"), "{refusal}");
}

#[test]
fn rates_hold_only_where_they_are_asked_for() {
    let free = world(false);
    let (first, second) = (api(&free).0, api(&free).0);
    done(&free, "DELETE", &first, Value::Null);
    done(&free, "DELETE", &second, Value::Null);

    let strict = world(true);
    let regional = json!({ "name": "x", "endpointConfiguration": { "types": ["REGIONAL"] } });
    done(&strict, "POST", "/restapis", regional.clone());
    let again = send(&strict, "POST", "/restapis", &regional).unwrap_err();
    assert_eq!((again.status, again.to_string().as_str()), (429, "TooManyRequestsException: Too Many Requests"));
    // An edge-optimized API has a rate of its own.
    done(&strict, "POST", "/restapis", json!({ "name": "edge" }));
    // Two calls are counted so far, so that 38 of the burst are left, and what refills meanwhile.
    let refusals = (0..60).filter(|_| send(&strict, "GET", "/account", &Value::Null).is_err()).count();
    assert!((1..=22).contains(&refusals), "{refusals}");
}
