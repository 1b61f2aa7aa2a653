//! The questions of other services, asked of roles that were made through IAM's own operations.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::handle;
use super::*;
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::query;
use crate::sandbox::store::Store;
use crate::sandbox::world::Settings;

const ROLE: &str = "arn:aws:iam::000000000000:role/r";
const CONNECTOR: &str = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/c/0-1";

fn world(settle: Duration) -> World {
    let settings = Settings { settle, ..Settings::default() };
    World::new(settings, Store::in_memory(), std::path::PathBuf::new())
}

async fn call(world: &World, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation).append_pair("Version", "2010-05-08").extend_pairs(parameters);
    let call = Call {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: Vec::new(),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: form.finish().into(),
        region: "us-east-1".to_owned(),
        caller: User::sandbox().arn,
    };
    let (operation, path) = super::super::operation(&call).unwrap();
    let reply = handle(world, operation, &path, &call).await?;
    Ok(String::from_utf8(reply.body.to_vec()).unwrap())
}

fn document(statement: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn trust(principal: Value) -> String {
    document(json!({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}))
}

async fn create(world: &World, name: &str, trust: &str) {
    call(world, "CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]).await.unwrap();
}

async fn put(world: &World, name: &str, statement: Value) {
    let document = document(statement);
    let parameters = [("RoleName", name), ("PolicyName", "inline"), ("PolicyDocument", document.as_str())];
    call(world, "PutRolePolicy", &parameters).await.unwrap();
}

async fn set_trust(world: &World, trust: &str) {
    call(world, "UpdateAssumeRolePolicy", &[("RoleName", "r"), ("PolicyDocument", trust)]).await.unwrap();
}

#[tokio::test]
async fn a_role_allows_what_its_policies_do_within_its_boundary() {
    let world = world(Duration::ZERO);
    create(&world, "r", &trust(json!({"Service": "ec2.amazonaws.com"}))).await;
    let can = |action, resource| role_allows(&world, ROLE, action, resource);
    assert!(!can("s3:PutObject", "arn:aws:s3:::b/k"));
    put(&world, "r", json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"})).await;
    assert!(can("s3:PutObject", "arn:aws:s3:::b/k"));
    assert!(!can("s3:GetObject", "arn:aws:s3:::b/k"));

    let read_only = ("PolicyArn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    call(&world, "AttachRolePolicy", &[("RoleName", "r"), read_only]).await.unwrap();
    assert!(can("s3:GetObject", "arn:aws:s3:::b/k"));

    let boundary = ("PermissionsBoundary", read_only.1);
    call(&world, "PutRolePermissionsBoundary", &[("RoleName", "r"), boundary]).await.unwrap();
    assert!(can("s3:GetObject", "arn:aws:s3:::b/k"));
    assert!(!can("s3:PutObject", "arn:aws:s3:::b/k"));
    assert!(!role_allows(&world, "arn:aws:iam::000000000000:role/path/r", "s3:GetObject", "*"));
}

#[tokio::test]
async fn callers_are_the_owner_or_sessions_of_roles() {
    let world = world(Duration::ZERO);
    create(&world, "r", &trust(json!({"AWS": "000000000000"}))).await;
    let condition = json!({"StringLike": {"aws:userid": "*:session"}});
    let statement = json!({"Effect": "Allow", "Action": "iam:Get*", "Resource": "*", "Condition": condition});
    put(&world, "r", statement).await;
    let session = "arn:aws:sts::000000000000:assumed-role/r/session";
    let ask = |caller: &str, action| denial(&world, caller, action, ROLE, &Context::default());
    assert_eq!(ask(&User::sandbox().arn, "iam:DeleteRole"), None);
    assert_eq!(ask(session, "iam:GetRole"), None);
    assert_eq!(ask(session, "iam:DeleteRole"), Some(Denial::Implicit));
    for stranger in [
        "arn:aws:sts::000000000000:assumed-role/r/other",
        "arn:aws:sts::000000000000:assumed-role/gone/session",
        "arn:aws:sts::123456789012:assumed-role/r/session",
    ] {
        assert_eq!(ask(stranger, "iam:GetRole"), Some(Denial::Implicit), "{stranger}");
    }
}

#[tokio::test]
async fn a_denial_says_which_kind_of_policy_it_comes_from() {
    let world = world(Duration::ZERO);
    create(&world, "r", &trust(json!({"AWS": "000000000000"}))).await;
    let condition = json!({"StringEquals": {"iam:PassedToService": "kafkaconnect.amazonaws.com"}});
    let statement = json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": condition});
    put(&world, "r", statement).await;
    let session = "arn:aws:sts::000000000000:assumed-role/r/session";
    let to = |service| Context::default().with("iam:PassedToService", service);
    let ask = |asked: &Context| denial(&world, session, "iam:PassRole", ROLE, asked);
    assert_eq!(ask(&to("kafkaconnect.amazonaws.com")), None);
    assert_eq!(ask(&to("ec2.amazonaws.com")), Some(Denial::Implicit));

    let boundary = ("PermissionsBoundary", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    call(&world, "PutRolePermissionsBoundary", &[("RoleName", "r"), boundary]).await.unwrap();
    assert_eq!(ask(&to("kafkaconnect.amazonaws.com")), Some(Denial::OutsideBoundary));
    put(&world, "r", json!({"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"})).await;
    assert_eq!(ask(&to("kafkaconnect.amazonaws.com")), Some(Denial::Explicit));
    assert_eq!(
        [Denial::Explicit, Denial::Implicit, Denial::OutsideBoundary].map(|denial| denial.why("iam:PassRole")),
        [
            "with an explicit deny in an identity-based policy",
            "because no identity-based policy allows the iam:PassRole action",
            "because no permissions boundary allows the iam:PassRole action",
        ]
    );
}

#[tokio::test]
async fn a_service_is_trusted_under_the_conditions_of_the_trust_policy() {
    let world = world(Duration::ZERO);
    let conditions = |account: &str| {
        document(json!({
            "Effect": "Allow",
            "Principal": {"Service": "kafkaconnect.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": "arn:aws:kafkaconnect:us-east-1:000000000000:connector/c/*"},
            },
        }))
    };
    create(&world, "r", &conditions("000000000000")).await;
    let ask = |arn, service, connector| service_may_assume(&world, arn, service, ACCOUNT, connector);
    let connect = "kafkaconnect.amazonaws.com";
    assert_eq!(ask(ROLE, connect, CONNECTOR), Assumption::Allowed);
    let other = CONNECTOR.replace("/c/", "/d/");
    assert_eq!(ask(ROLE, connect, &other), Assumption::NotTrusted);
    assert_eq!(ask(ROLE, connect, ""), Assumption::NotTrusted);
    assert_eq!(ask(ROLE, "ec2.amazonaws.com", CONNECTOR), Assumption::NotTrusted);
    assert_eq!(ask("arn:aws:iam::000000000000:role/x", connect, CONNECTOR), Assumption::NoSuchRole);
    set_trust(&world, &conditions("123456789012")).await;
    assert_eq!(ask(ROLE, connect, CONNECTOR), Assumption::NotTrusted);
}

#[tokio::test]
async fn what_is_new_is_not_known_at_once() {
    let world = world(Duration::from_millis(600));
    let ask = |service| service_may_assume(&world, ROLE, service, ACCOUNT, CONNECTOR);
    let (connect, ec2) = ("kafkaconnect.amazonaws.com", "ec2.amazonaws.com");
    let known = || tokio::time::sleep(Duration::from_millis(350));

    create(&world, "r", &trust(json!({"Service": ec2}))).await;
    assert_eq!((ask(ec2), ask(connect)), (Assumption::NotYet, Assumption::NotTrusted));
    known().await;
    assert_eq!(ask(ec2), Assumption::Allowed);

    set_trust(&world, &trust(json!({"Service": connect}))).await;
    assert_eq!((ask(ec2), ask(connect)), (Assumption::Allowed, Assumption::NotYet));
    known().await;
    assert_eq!((ask(ec2), ask(connect)), (Assumption::NotTrusted, Assumption::Allowed));
}

#[tokio::test]
async fn a_caller_is_trusted_by_name_or_through_the_account() {
    let world = world(Duration::ZERO);
    create(&world, "caller", &trust(json!({"Service": "ec2.amazonaws.com"}))).await;
    create(&world, "r", &trust(json!({"AWS": "000000000000"}))).await;
    let owner = User::sandbox().arn;
    let session = "arn:aws:sts::000000000000:assumed-role/caller/s";
    let ask = |caller: &str| caller_may_assume(&world, caller, ROLE, "sts:AssumeRole", &Context::default());
    assert_eq!(ask(&owner), Assumption::Allowed);
    assert_eq!(ask(session), Assumption::NotTrusted, "its own policies must allow it");
    put(&world, "caller", json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE})).await;
    assert_eq!(ask(session), Assumption::Allowed);
    put(&world, "caller", json!({"Effect": "Deny", "Action": "sts:*", "Resource": "*"})).await;
    assert_eq!(ask(session), Assumption::NotTrusted);

    call(&world, "DeleteRolePolicy", &[("RoleName", "caller"), ("PolicyName", "inline")]).await.unwrap();
    set_trust(&world, &trust(json!({"AWS": "arn:aws:iam::000000000000:role/caller"}))).await;
    assert_eq!(ask(session), Assumption::Allowed, "it is named");
    assert_eq!(ask(&owner), Assumption::NotTrusted, "it is not");

    call(&world, "DeleteRole", &[("RoleName", "caller")]).await.unwrap();
    create(&world, "caller", &trust(json!({"Service": "ec2.amazonaws.com"}))).await;
    assert_eq!(ask(session), Assumption::NotTrusted, "the new one of that name is another");
}

#[tokio::test]
async fn a_new_role_is_no_principal_yet() {
    let world = world(Duration::from_millis(600));
    create(&world, "r", &trust(json!({"Service": "ec2.amazonaws.com"}))).await;
    let itself = trust(json!({"AWS": ROLE}));
    let set = async || call(&world, "UpdateAssumeRolePolicy", &[("RoleName", "r"), ("PolicyDocument", &itself)]).await;
    let refusal = set().await.unwrap_err();
    assert_eq!(refusal.code, "MalformedPolicyDocument");
    assert_eq!(refusal.message, format!("Invalid principal in policy: \"AWS\":\"{ROLE}\""));
    tokio::time::sleep(Duration::from_millis(350)).await;
    set().await.unwrap();
    let shown = call(&world, "GetRole", &[("RoleName", "r")]).await.unwrap();
    assert!(shown.contains("role%2Fr%22"), "{shown}");
    create(&world, "other", &itself).await;
}

#[tokio::test]
async fn an_unknown_action_is_not_iams() {
    let world = world(Duration::ZERO);
    let query = vec![("Action".to_owned(), "CreateGroup".to_owned()), ("Version".to_owned(), "2010-05-08".to_owned())];
    let call = Call {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query,
        headers: Vec::new(),
        body: Default::default(),
        region: "us-east-1".to_owned(),
        caller: String::new(),
    };
    assert_eq!(query::action(&call, "2010-05-08").as_deref(), Some("CreateGroup"));
    assert!(super::super::operation(&call).is_none());
    let refusal = handle(&world, "CreateGroup", &Vec::new(), &call).await.unwrap_err();
    assert_eq!(refusal.code, "InvalidAction");
}
