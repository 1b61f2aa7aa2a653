#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use serde_json::json;

use super::*;
use crate::aws::clients::Clients;
use crate::engine::{FieldChange, OnChange, OnDestroy, Outputs};
use crate::manifest::Trust;
use crate::resource::{Context, Tags};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/msk/1b2c-7";
const USER: &str = "arn:aws:iam::123456789012:user/0a1b2c3d4e5f";

/// Clients that nothing is asked of.
fn context(name: &str, environment: &str) -> Shared {
    let config =
        SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1")).build();
    let clients = Clients::for_tests(&config, "123456789012");
    Arc::new(Context { clients, tags: Tags::new(name, environment, "digest", None) })
}

fn dev_role() -> manifest::Role {
    manifest::Role {
        name: "0a1b-ec2-access-role".to_owned(),
        create: true,
        trust: vec![
            Trust::Service("kafkaconnect.amazonaws.com".to_owned()),
            Trust::Service("ec2.amazonaws.com".to_owned()),
            Trust::Itself,
            Trust::Arn(USER.to_owned()),
        ],
        managed_policies: Vec::new(),
        statements: Vec::new(),
    }
}

fn cluster() -> Address {
    Address::new("cluster", "pinterest-msk-cluster")
}

fn dev_grants() -> Grants {
    let topics: Vec<_> = ["pin", "geo", "user"].map(|kind| format!("0a1b.{kind}")).into();
    Grants {
        cluster: Some(cluster()),
        iam_auth: true,
        connector: Some(Connector { name: "0a1b-connector".to_owned(), sources: Sources::Named(topics.clone()) }),
        bucket: Some("user-0a1b-bucket".to_owned()),
        dead_letter_topic: Some("0a1b-dlq".to_owned()),
        client_topics: topics,
        is_client: true,
    }
}

fn outputs() -> Outputs {
    let mut outputs = Outputs::default();
    outputs.insert(cluster(), Output::new().with("arn", CLUSTER));
    outputs
}

fn resource(role: &manifest::Role, grants: Grants) -> Box<dyn Resource> {
    declared(context("pinterest", "dev"), role, grants).unwrap()
}

/// Fields as lines, for snapshots.
fn lines(fields: &Fields) -> String {
    let line = |(key, field): (&str, &Field)| match field {
        Field::Known(value) => format!("{key} = {value}\n"),
        other => format!("{key} = {other:?}\n"),
    };
    fields.iter().map(line).collect()
}

#[test]
fn a_role_of_a_dev_manifest_may_do_exactly_this() {
    let fields = resource(&dev_role(), dev_grants()).desired(&outputs());
    insta::assert_snapshot!(lines(&fields), @r#"
    instance_profile = "0a1b-ec2-access-role"
    policy.AssumeItself = {"Sid":"AssumeItself","Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::123456789012:role/0a1b-ec2-access-role"}
    policy.Bucket = {"Sid":"Bucket","Effect":"Allow","Action":["s3:GetBucketLocation","s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":"arn:aws:s3:::user-0a1b-bucket"}
    policy.Buckets = {"Sid":"Buckets","Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}
    policy.ClientGroups = {"Sid":"ClientGroups","Effect":"Allow","Action":["kafka-cluster:AlterGroup","kafka-cluster:DescribeGroup"],"Resource":"arn:aws:kafka:us-east-1:123456789012:group/msk/1b2c-7/*"}
    policy.ClientTopics = {"Sid":"ClientTopics","Effect":"Allow","Action":["kafka-cluster:CreateTopic","kafka-cluster:DescribeTopic","kafka-cluster:ReadData","kafka-cluster:WriteData"],"Resource":["arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.geo","arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.pin","arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.user"]}
    policy.Cluster = {"Sid":"Cluster","Effect":"Allow","Action":["kafka-cluster:Connect","kafka-cluster:DescribeCluster","kafka-cluster:WriteDataIdempotently"],"Resource":"arn:aws:kafka:us-east-1:123456789012:cluster/msk/1b2c-7"}
    policy.ConnectGroups = {"Sid":"ConnectGroups","Effect":"Allow","Action":["kafka-cluster:AlterGroup","kafka-cluster:DescribeGroup"],"Resource":["arn:aws:kafka:us-east-1:123456789012:group/msk/1b2c-7/__amazon_msk_connect_*","arn:aws:kafka:us-east-1:123456789012:group/msk/1b2c-7/connect-*"]}
    policy.ConnectTopics = {"Sid":"ConnectTopics","Effect":"Allow","Action":["kafka-cluster:CreateTopic","kafka-cluster:DescribeTopic","kafka-cluster:ReadData","kafka-cluster:WriteData"],"Resource":"arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/__amazon_msk_connect_*"}
    policy.DeadLetterTopic = {"Sid":"DeadLetterTopic","Effect":"Allow","Action":["kafka-cluster:CreateTopic","kafka-cluster:DescribeTopic","kafka-cluster:WriteData"],"Resource":"arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b-dlq"}
    policy.Objects = {"Sid":"Objects","Effect":"Allow","Action":["s3:AbortMultipartUpload","s3:GetObject","s3:ListMultipartUploadParts","s3:PutObject"],"Resource":"arn:aws:s3:::user-0a1b-bucket/*"}
    policy.SourceTopics = {"Sid":"SourceTopics","Effect":"Allow","Action":["kafka-cluster:DescribeTopic","kafka-cluster:ReadData"],"Resource":["arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.geo","arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.pin","arn:aws:kafka:us-east-1:123456789012:topic/msk/1b2c-7/0a1b.user"]}
    trust.PipelineArn892aad21 = {"Sid":"PipelineArn892aad21","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/0a1b2c3d4e5f"},"Action":"sts:AssumeRole"}
    trust.PipelineEc2 = {"Sid":"PipelineEc2","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}
    trust.PipelineKafkaConnect = {"Sid":"PipelineKafkaConnect","Effect":"Allow","Principal":{"Service":"kafkaconnect.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:kafkaconnect:us-east-1:123456789012:connector/0a1b-connector/*"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}
    trust.PipelineSelf = {"Sid":"PipelineSelf","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/0a1b-ec2-access-role"},"Action":"sts:AssumeRole"}
    "#);
}

#[test]
fn what_depends_on_a_cluster_that_is_not_known_is_known_after_apply() {
    let role = resource(&dev_role(), dev_grants());
    let (before, after) = (role.desired(&Outputs::default()), role.desired(&outputs()));
    assert_eq!(before.get("policy.SourceTopics"), Some(&Field::AfterApply));
    assert_eq!(before.get("policy.Objects"), after.get("policy.Objects"));
    let keys = |fields: &Fields| fields.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(&before), keys(&after));
    assert_eq!(role.needs(), [cluster()]);
}

#[test]
fn without_iam_authentication_the_cluster_is_not_needed() {
    let role = resource(&dev_role(), Grants { iam_auth: false, ..dev_grants() });
    assert_eq!(role.needs(), []);
    assert!(!lines(&role.desired(&outputs())).contains("kafka-cluster"));
}

#[test]
fn clients_alone_need_no_connect_topics() {
    let role = resource(&dev_role(), Grants { connector: None, bucket: None, ..dev_grants() });
    let fields = role.desired(&outputs());
    let policy: Vec<_> = fields.iter().map(|(key, _)| key).filter(|key| key.starts_with("policy.")).collect();
    assert_eq!(policy, ["policy.AssumeItself", "policy.ClientGroups", "policy.ClientTopics", "policy.Cluster"]);
}

#[test]
fn a_role_for_nothing_trusts_nobody_and_has_no_policy() {
    let nothing = manifest::Role { trust: Vec::new(), ..dev_role() };
    let fields = resource(&nothing, Grants::default()).desired(&outputs());
    insta::assert_snapshot!(lines(&fields), @r#"trust.PipelineNobody = {"Sid":"PipelineNobody","Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}"#);
}

#[test]
fn many_topics_are_granted_by_what_their_names_start_with() {
    let many: Vec<String> = (0..1000).map(|number| format!("0a1b.{number}")).collect();
    let grants = Grants { client_topics: many, ..dev_grants() };
    let fields = resource(&dev_role(), grants).desired(&outputs());
    let Some(Field::Known(statement)) = fields.get("policy.ClientTopics") else { panic!("{fields:?}") };
    assert!(statement["Resource"].as_str().unwrap().ends_with("-7/0a1b.*"), "{statement}");
}

#[test]
fn a_policy_that_is_too_long_says_what_to_do() {
    let unlike: Vec<String> = (0..200).map(|number| format!("{number}.pin")).collect();
    let grants = Grants { client_topics: unlike, ..dev_grants() };
    let permissions = least_privilege::Permissions::new(&context("p", "dev"), grants, None, &[]).unwrap();
    let error = permissions.document(Some(CLUSTER)).unwrap_err().to_string();
    assert!(error.starts_with("expected an inline policy of at most 10240 characters, got "), "{error}");
    assert!(error.contains("common prefix"), "{error}");
}

#[test]
fn declared_statements_are_named_and_added() {
    let statements = vec![
        json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*" }),
        json!({ "Sid": "Mine", "Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": "*" }),
    ];
    let fields = resource(&manifest::Role { statements, ..dev_role() }, dev_grants()).desired(&outputs());
    let known = |json| Some(Field::Known(json));
    let first = json!({ "Sid": "Declared1", "Effect": "Allow", "Action": "logs:*", "Resource": "*" });
    let second = json!({ "Sid": "Mine", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*" });
    assert_eq!(fields.get("policy.Declared1").cloned(), known(first));
    assert_eq!(fields.get("policy.Mine").cloned(), known(second));
}

#[test]
fn statements_that_are_none_are_refused_with_their_place() {
    for (statement, told) in [
        (json!({ "Effect": "Maybe" }), r#"role.statements[0].Effect: expected "Allow" or "Deny", got "Maybe""#),
        (json!({ "Sid": "Objects", "Effect": "Allow" }), "role.statements[0].Sid: Objects names another statement"),
    ] {
        let role = manifest::Role { statements: vec![statement], ..dev_role() };
        let error = declared(context("pinterest", "dev"), &role, dev_grants()).unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn a_connector_by_regex_reads_by_pattern() {
    let connector = Connector { name: "c".to_owned(), sources: Sources::Matching(r"0a1b\.(pin|geo)".to_owned()) };
    let fields = resource(&dev_role(), Grants { connector: Some(connector), ..dev_grants() }).desired(&outputs());
    let Some(Field::Known(statement)) = fields.get("policy.SourceTopics") else { panic!("{fields:?}") };
    assert!(statement["Resource"].as_str().unwrap().ends_with("-7/0a1b.*"), "{statement}");
}

#[test]
fn statements_that_are_there_are_spelled_as_wanted_ones_of_the_same_meaning() {
    let wanted =
        named(vec![Statement::allow("A").doing(["sts:AssumeRole"]).to("AWS", "arn:aws:iam::123456789012:root")]);
    let there = Document::parse(
        r#"{"Statement": [{"Sid": "A", "Effect": "Allow", "Action": ["STS:AssumeRole"], "Principal": {"AWS": ["123456789012"]}}]}"#,
    );
    let (mut desired, mut shown) = (Fields::new(), Fields::new());
    want(&mut desired, "trust", wanted.clone());
    show(&mut shown, "trust", there.unwrap().statements.iter(), &wanted);
    assert_eq!(desired, shown);
}

#[test]
fn what_is_not_wanted_is_shown_even_without_a_name_of_its_own() {
    let there = Document::parse(
        r#"{"Statement": [{"Sid": "A", "Effect": "Allow"}, {"Sid": "A", "Effect": "Deny"}, {"Effect": "Deny", "Principal": {"AWS": "AROADBQP57FF2AEXAMPLE"}}]}"#,
    )
    .unwrap();
    let mut shown = Fields::new();
    show(&mut shown, "trust", there.statements.iter(), &[]);
    show_version(&mut shown, "trust", &there);
    insta::assert_snapshot!(lines(&shown), @r#"
    trust.#3 = {"Effect":"Deny","Principal":{"AWS":"AROADBQP57FF2AEXAMPLE (deleted since; a new one of its name does not match)"}}
    trust.A = {"Sid":"A","Effect":"Allow"}
    trust.A#2 = {"Sid":"A","Effect":"Deny"}
    trust.version = "2008-10-17"
    "#);
}

#[test]
fn somebody_elses_instance_profile_is_refused() {
    let role = resource(&dev_role(), dev_grants());
    let from = Some(Field::Known("it lacks this pipeline's tags".into()));
    let change = FieldChange { field: "instance_profile.foreign".to_owned(), from, to: None };
    let OnChange::Refuse(why) = role.on_change(&change) else { panic!("not refused") };
    insta::assert_snapshot!(why, @"there is an instance profile 0a1b-ec2-access-role that is not this pipeline's (it lacks this pipeline's tags); delete it, or rename the role");
    let ours = FieldChange { field: "instance_profile".to_owned(), from: None, to: None };
    assert_eq!(role.on_change(&ours), OnChange::Update);
}

#[test]
fn statements_in_a_shared_role_carry_the_pipelines_name() {
    let shared = manifest::Role { create: false, ..dev_role() };
    let role = resource(&shared, dev_grants());
    insta::assert_snapshot!(lines(&role.desired(&outputs())), @r#"
    trust.PipelinePinterestDevc3aebc8eArn892aad21 = {"Sid":"PipelinePinterestDevc3aebc8eArn892aad21","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/0a1b2c3d4e5f"},"Action":"sts:AssumeRole"}
    trust.PipelinePinterestDevc3aebc8eEc2 = {"Sid":"PipelinePinterestDevc3aebc8eEc2","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}
    trust.PipelinePinterestDevc3aebc8eKafkaConnect = {"Sid":"PipelinePinterestDevc3aebc8eKafkaConnect","Effect":"Allow","Principal":{"Service":"kafkaconnect.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:kafkaconnect:us-east-1:123456789012:connector/0a1b-connector/*"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}
    trust.PipelinePinterestDevc3aebc8eSelf = {"Sid":"PipelinePinterestDevc3aebc8eSelf","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/0a1b-ec2-access-role"},"Action":"sts:AssumeRole"}
    "#);
    assert_eq!(role.needs(), []);
    assert!(role.must_exist().unwrap().contains("create: false"));
}

#[test]
fn pipelines_with_names_alike_do_not_share_statements() {
    let services = [Trust::Service("ec2.amazonaws.com".to_owned()), Trust::Itself];
    let pipelines = [("pinterest", "dev"), ("pinterest-dev", ""), ("pin-terest", "dev"), ("pinterest", "Dev")];
    let policies = pipelines.map(|(name, env)| trust::TrustPolicy::of_shared(&context(name, env), &services, None));
    for (index, one) in policies.iter().enumerate() {
        for (other_index, other) in policies.iter().enumerate() {
            let owned = other.statements("arn").iter().filter(|statement| one.is_ours(statement)).count();
            assert_eq!(owned, if index == other_index { 2 } else { 0 }, "{:?}", pipelines[other_index]);
        }
        assert!(
            one.statements("arn").iter().all(|statement| statement
                .sid
                .as_ref()
                .unwrap()
                .chars()
                .all(char::is_alphanumeric))
        );
    }
}

#[test]
fn destroy_leaves_a_shared_role_alone_that_has_nothing_of_ours() {
    let role = resource(&manifest::Role { create: false, ..dev_role() }, dev_grants());
    let state = |fields| State { fields, output: Output::new(), label: None };
    assert_eq!(role.on_destroy(&state(Fields::new())), OnDestroy::Ignore);
    assert_eq!(role.on_destroy(&state(role.desired(&outputs()))), OnDestroy::Delete);
}

#[test]
fn trust_that_is_declared_twice_is_one_statement_and_services_have_names_of_their_own() {
    let service = |name: &str| Trust::Service(name.to_owned());
    let trusted =
        [service("ecs-tasks.amazonaws.com"), service("ecs-tasks.amazonaws.com"), service("ecs.tasks.amazonaws.com")];
    let policy = trust::TrustPolicy::of_owned(&context("p", "dev"), &trusted, None);
    let sids: Vec<_> = policy.statements("").into_iter().filter_map(|statement| statement.sid).collect();
    assert_eq!(sids.len(), 2, "{sids:?}");
    assert!(sids.iter().all(|sid| sid.starts_with("PipelineServiceEcsTasks")), "{sids:?}");
}
