//! What the session of a role may do, as the SDK sees it: what its policies allow, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier, Tag};
use serde_json::{Value, json};

use crate::sandbox::{ACCESS_KEY_ID, Options, SECRET_ACCESS_KEY, Sandbox, Settings, start};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:000000000000:cluster/c/0a5b0c5d-0e5f-4000-8000-000000000001-1";
const CALLER: &str = "arn:aws:sts::000000000000:assumed-role/r/session";

macro_rules! client {
    ($sdk:ident, $test:expr, $credentials:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from(&$test.config).credentials_provider($credentials.clone()).build(),
        )
    };
}

// Below the macro, which it uses.
mod json_rpc;

/// A sandbox with a role, and the credentials of a session of it.
struct Test {
    sandbox: Sandbox,
    config: aws_types::SdkConfig,
    owner: aws_credential_types::Credentials,
    session: aws_credential_types::Credentials,
}

impl Test {
    async fn new() -> Self {
        let settings = Settings { settle: Duration::ZERO, lag: Duration::ZERO, ..Settings::default() };
        let sandbox = start(Options { settings, ..Options::default() }).await.unwrap();
        let config = aws_types::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .endpoint_url(sandbox.endpoint())
            .build();
        let owner = aws_credential_types::Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "test");
        let mut test = Self { sandbox, config, session: owner.clone(), owner };
        let trust = document(json!({
            "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}));
        let iam = client!(aws_sdk_iam, test, test.owner);
        iam.create_role().role_name("r").assume_role_policy_document(trust).send().await.unwrap();
        let role = "arn:aws:iam::000000000000:role/r";
        let sts = client!(aws_sdk_sts, test, test.owner);
        let assumed = sts.assume_role().role_arn(role).role_session_name("session").send().await.unwrap();
        let issued = assumed.credentials().unwrap();
        let token = Some(issued.session_token().to_owned());
        test.session = aws_credential_types::Credentials::new(
            issued.access_key_id(),
            issued.secret_access_key(),
            token,
            None,
            "test",
        );
        test
    }

    /// Lets the role do these things, each an action and its resource, and nothing else.
    async fn allow(&self, granted: &[(&str, &str)]) {
        let statements: Vec<Value> = granted
            .iter()
            .map(|(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource}))
            .collect();
        self.put_policy(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()).await;
    }

    async fn put_policy(&self, document: &str) {
        let iam = client!(aws_sdk_iam, self, self.owner);
        iam.put_role_policy().role_name("r").policy_name("p").policy_document(document).send().await.unwrap();
    }

    async fn declare_cluster(&self) {
        let body = json!({"arn": CLUSTER, "region": "us-east-1"}).to_string();
        let url = format!("{}/_sandbox/cluster", self.sandbox.endpoint());
        reqwest::Client::new().post(url).body(body).send().await.unwrap().error_for_status().unwrap();
    }
}

fn document(statement: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// The status, code and message of an error.
fn told<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> (u16, String, String) {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn denied(code: &str, action: &str, resource: &str) -> (u16, String, String) {
    let message = format!(
        "User: {CALLER} is not authorized to perform: {action} on resource: {resource} because no identity-based policy \
         allows the {action} action"
    );
    (403, code.to_owned(), message)
}

#[tokio::test]
async fn topics_need_kafkas_actions_on_the_cluster_and_on_the_topic() {
    let test = Test::new().await;
    test.declare_cluster().await;
    let kafka = client!(aws_sdk_kafka, test, test.session);
    let topic = CLUSTER.replace(":cluster/", ":topic/") + "/orders";
    let create = || kafka.create_topic().cluster_arn(CLUSTER).topic_name("orders");
    let create = async || create().partition_count(1).replication_factor(1).send().await;
    let refused = |action, resource: &str| denied("AccessDeniedException", action, resource);

    assert_eq!(told(&create().await.unwrap_err()), refused("kafka-cluster:Connect", CLUSTER));
    test.allow(&[("kafka-cluster:Connect", CLUSTER)]).await;
    assert_eq!(told(&create().await.unwrap_err()), refused("kafka-cluster:CreateTopic", &topic));
    test.allow(&[("kafka-cluster:Connect", CLUSTER), ("kafka-cluster:CreateTopic", &topic)]).await;
    create().await.unwrap();

    let describe = async || kafka.describe_topic().cluster_arn(CLUSTER).topic_name("orders").send().await;
    let of_topic = CLUSTER.replace(":cluster/", ":topic/") + "/*";
    let connect = ("kafka-cluster:Connect", CLUSTER);
    test.allow(&[connect, ("kafka-cluster:DescribeTopic", &of_topic)]).await;
    let action = "kafka-cluster:DescribeTopicDynamicConfiguration";
    assert_eq!(told(&describe().await.unwrap_err()), refused(action, &topic));
    kafka.list_topics().cluster_arn(CLUSTER).send().await.unwrap();
    test.allow(&[connect, ("kafka-cluster:Describe*", &of_topic)]).await;
    describe().await.unwrap();

    let update = async || {
        let call = kafka.update_topic().cluster_arn(CLUSTER).topic_name("orders").partition_count(2);
        call.send().await
    };
    assert_eq!(told(&update().await.unwrap_err()), refused("kafka-cluster:AlterTopic", &topic));
    let delete = async || kafka.delete_topic().cluster_arn(CLUSTER).topic_name("orders").send().await;
    assert_eq!(told(&delete().await.unwrap_err()), refused("kafka-cluster:DeleteTopic", &topic));
    test.allow(&[("kafka-cluster:*", "*")]).await;
    update().await.unwrap();
    delete().await.unwrap();
}

#[tokio::test]
async fn clusters_are_msks_own() {
    let test = Test::new().await;
    test.declare_cluster().await;
    let kafka = client!(aws_sdk_kafka, test, test.session);
    let list = async || kafka.list_clusters_v2().send().await;
    let describe = async || kafka.describe_cluster_v2().cluster_arn(CLUSTER).send().await;
    let refused = |action, resource| denied("AccessDeniedException", action, resource);
    assert_eq!(told(&list().await.unwrap_err()), refused("kafka:ListClustersV2", "*"));
    assert_eq!(told(&describe().await.unwrap_err()), refused("kafka:DescribeClusterV2", CLUSTER));
    // What knows no resources is only allowed by a star.
    test.allow(&[("kafka:*", CLUSTER)]).await;
    assert_eq!(told(&list().await.unwrap_err()), refused("kafka:ListClustersV2", "*"));
    describe().await.unwrap();

    let region = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
    let deny = json!({"Effect": "Deny", "Action": "kafka:*", "Resource": "*", "Condition": {"StringNotEquals": region["StringEquals"]}});
    let allow = json!({"Effect": "Allow", "Action": "kafka:*", "Resource": "*"});
    test.put_policy(&json!({"Version": "2012-10-17", "Statement": [allow, deny]}).to_string()).await;
    let (_, _, message) = told(&list().await.unwrap_err());
    assert!(message.ends_with("on resource: * with an explicit deny in an identity-based policy"), "{message}");
}

#[tokio::test]
async fn msk_connect_needs_the_right_to_pass_the_role_and_to_read_the_file() {
    use aws_sdk_kafkaconnect::types::{CustomPluginContentType, CustomPluginLocation, S3Location};
    let test = Test::new().await;
    let connect = client!(aws_sdk_kafkaconnect, test, test.session);
    let place = S3Location::builder().bucket_arn("arn:aws:s3:::b").file_key("k.zip").build().unwrap();
    let create = async || {
        let call = connect.create_custom_plugin().name("p").content_type(CustomPluginContentType::Zip);
        call.location(CustomPluginLocation::builder().s3_location(place.clone()).build()).tags("a", "b").send().await
    };
    let refused = |action, resource: &str| denied("AccessDeniedException", action, resource);
    assert_eq!(told(&create().await.unwrap_err()), refused("kafkaconnect:CreateCustomPlugin", "*"));
    test.allow(&[("kafkaconnect:CreateCustomPlugin", "*")]).await;
    let tagged = "arn:aws:kafkaconnect:us-east-1:000000000000:custom-plugin/p/*";
    assert_eq!(told(&create().await.unwrap_err()), refused("kafkaconnect:TagResource", tagged));
    test.allow(&[("kafkaconnect:*", "*")]).await;
    assert_eq!(told(&create().await.unwrap_err()), refused("s3:GetObject", "arn:aws:s3:::b/k.zip"));
    test.allow(&[("kafkaconnect:*", "*"), ("s3:GetObject", "arn:aws:s3:::b/*")]).await;
    let made = create().await.unwrap();

    let arn = made.custom_plugin_arn().unwrap();
    test.allow(&[("kafkaconnect:DescribeCustomPlugin", arn)]).await;
    connect.describe_custom_plugin().custom_plugin_arn(arn).send().await.unwrap();
    let delete = connect.delete_custom_plugin().custom_plugin_arn(arn).send().await.unwrap_err();
    assert_eq!(told(&delete), refused("kafkaconnect:DeleteCustomPlugin", arn));

    // A connector, of which nothing else is right.
    let url = format!("{}/v1/connectors", test.sandbox.endpoint());
    let role = "arn:aws:iam::000000000000:role/r";
    let body = json!({"connectorName": "c", "serviceExecutionRoleArn": role}).to_string();
    let ask = async || signed(&test, "POST", &url, "kafkaconnect", &body).await;
    test.allow(&[("kafkaconnect:CreateConnector", "*")]).await;
    assert_eq!(ask().await, refused("iam:PassRole", role));
    let condition = |service| {
        let pass = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {
            "StringEquals": {"iam:PassedToService": service}}});
        let create = json!({"Effect": "Allow", "Action": "kafkaconnect:CreateConnector", "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [pass, create]}).to_string()
    };
    test.put_policy(&condition("ec2.amazonaws.com")).await;
    assert_eq!(ask().await, refused("iam:PassRole", role));
    test.put_policy(&condition("kafkaconnect.amazonaws.com")).await;
    assert_eq!(ask().await.1, "BadRequestException");
}

/// Makes a call that the SDK wouldn't; the status, code and message of the answer.
async fn signed(test: &Test, method: &str, url: &str, service: &str, body: &str) -> (u16, String, String) {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    let identity = test.session.clone().into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(std::time::SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let signable = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, url).body(body.to_owned());
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    let reply = request.send().await.unwrap();
    let code = reply.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
    let status = reply.status().as_u16();
    let body: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    (status, code, body["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn api_gateway_needs_its_method_on_its_path() {
    let test = Test::new().await;
    let apigateway = client!(aws_sdk_apigateway, test, test.session);
    let refused = |action, resource| denied("AccessDeniedException", action, resource);
    let apis = "arn:aws:apigateway:us-east-1::/restapis";
    let create = async || apigateway.create_rest_api().name("a").tags("a", "b").send().await;
    assert_eq!(told(&create().await.unwrap_err()), refused("apigateway:POST", apis));
    test.allow(&[("apigateway:POST", apis)]).await;
    let tags = "arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus%2Deast%2D1%3A%3A%2Frestapis%2F*";
    assert_eq!(told(&create().await.unwrap_err()), refused("apigateway:PUT", tags));
    test.allow(&[("apigateway:POST", apis), ("apigateway:PUT", "arn:aws:apigateway:*::/tags/*")]).await;
    let id = create().await.unwrap().id.unwrap();

    let one = format!("{apis}/{id}");
    let get = async || apigateway.get_rest_api().rest_api_id(&id).send().await;
    assert_eq!(told(&get().await.unwrap_err()), refused("apigateway:GET", &one));
    test.allow(&[("apigateway:GET", &format!("{apis}/*"))]).await;
    get().await.unwrap();
    let delete = apigateway.delete_rest_api().rest_api_id(&id).send().await.unwrap_err();
    assert_eq!(told(&delete), refused("apigateway:DELETE", &one));
}

#[tokio::test]
async fn s3_needs_its_actions_on_buckets_and_objects() {
    let test = Test::new().await;
    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&test.config)
            .credentials_provider(test.session.clone())
            .force_path_style(true)
            .build(),
    );
    let refused = |action, resource: &str| denied("AccessDenied", action, &format!("\"{resource}\""));
    let bucket = "arn:aws:s3:::bucket";
    let list = async || s3.list_buckets().send().await;
    assert_eq!(told(&list().await.unwrap_err()), refused("s3:ListAllMyBuckets", "arn:aws:s3:::*"));
    let tag = Tag::builder().key("a").value("b").build().unwrap();
    let configuration = CreateBucketConfiguration::builder().tags(tag).build();
    let create =
        async || s3.create_bucket().bucket("bucket").create_bucket_configuration(configuration.clone()).send().await;
    assert_eq!(told(&create().await.unwrap_err()), refused("s3:CreateBucket", bucket));
    test.allow(&[("s3:CreateBucket", bucket)]).await;
    assert_eq!(told(&create().await.unwrap_err()), refused("s3:TagResource", bucket));
    test.allow(&[("s3:CreateBucket", bucket), ("s3:TagResource", bucket)]).await;
    create().await.unwrap();

    let put =
        async |key: &str| s3.put_object().bucket("bucket").key(key).body(ByteStream::from_static(b"x")).send().await;
    let object = "arn:aws:s3:::bucket/a b";
    assert_eq!(told(&put("a b").await.unwrap_err()), refused("s3:PutObject", object));
    test.allow(&[("s3:PutObject", "arn:aws:s3:::bucket/a*")]).await;
    put("a b").await.unwrap();
    assert_eq!(told(&put("b").await.unwrap_err()), refused("s3:PutObject", "arn:aws:s3:::bucket/b"));

    let get = async |key: &str| s3.get_object().bucket("bucket").key(key).send().await;
    assert_eq!(told(&get("a b").await.unwrap_err()), refused("s3:GetObject", object));
    test.allow(&[("s3:GetObject", "arn:aws:s3:::bucket/*")]).await;
    get("a b").await.unwrap();
    assert_eq!(told(&get("none").await.unwrap_err()), refused("s3:ListBucket", bucket), "what isn't there is a secret");
    let listing = json!({"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*", "Condition": {
        "StringLikeIfExists": {"s3:prefix": "home/*"}}});
    test.put_policy(&document(listing)).await;
    assert_eq!(told(&get("none").await.unwrap_err()).1, "NoSuchKey");
    s3.list_objects_v2().bucket("bucket").prefix("home/me").send().await.unwrap();
    let other = s3.list_objects_v2().bucket("bucket").prefix("work").send().await.unwrap_err();
    assert_eq!(told(&other), refused("s3:ListBucket", bucket));

    let delete = Delete::builder();
    let delete = delete.objects(ObjectIdentifier::builder().key("a b").build().unwrap());
    let delete = delete.objects(ObjectIdentifier::builder().key("b").build().unwrap()).build().unwrap();
    test.allow(&[("s3:DeleteObject", "arn:aws:s3:::bucket/a*")]).await;
    let deleted = s3.delete_objects().bucket("bucket").delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted()[0].key(), Some("a b"));
    assert_eq!((deleted.errors()[0].key(), deleted.errors()[0].code()), (Some("b"), Some("AccessDenied")));

    let missing = s3.list_objects_v2().bucket("no-such-bucket").send().await.unwrap_err();
    assert_eq!(told(&missing).1, "NoSuchBucket");
    // The owner may everything.
    let owner = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&test.config)
            .credentials_provider(test.owner.clone())
            .force_path_style(true)
            .build(),
    );
    let elsewhere = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1).build();
    owner.create_bucket().bucket("other").create_bucket_configuration(elsewhere).send().await.unwrap();
}

#[tokio::test]
async fn iam_asks_too_for_what_a_call_does_beside_its_name() {
    let test = Test::new().await;
    let iam = client!(aws_sdk_iam, test, test.session);
    let refused = |action, resource| denied("AccessDenied", action, resource);
    let get = iam.get_role().role_name("r").send().await.unwrap_err();
    assert_eq!(told(&get), refused("iam:GetRole", "role r"));
    let tag = aws_sdk_iam::types::Tag::builder().key("a").value("b").build().unwrap();
    let create = async || {
        let call = iam.create_role().role_name("other").tags(tag.clone());
        call.assume_role_policy_document(document(json!({
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})))
            .send()
            .await
    };
    test.allow(&[("iam:CreateRole", "*")]).await;
    assert_eq!(told(&create().await.unwrap_err()), refused("iam:TagRole", "role other"));
    test.allow(&[("iam:CreateRole", "*"), ("iam:TagRole", "*"), ("iam:*InstanceProfile", "*")]).await;
    create().await.unwrap();
    iam.create_instance_profile().instance_profile_name("p").send().await.unwrap();
    let add =
        iam.add_role_to_instance_profile().instance_profile_name("p").role_name("other").send().await.unwrap_err();
    assert_eq!(told(&add), refused("iam:PassRole", "arn:aws:iam::000000000000:role/other"));
    let sts = client!(aws_sdk_sts, test, test.session);
    assert_eq!(sts.get_caller_identity().send().await.unwrap().arn(), Some(CALLER));
}
