//! Topics by both ways, the topic API and the Kafka protocol, on clusters of each kind, and logins of each kind.

use std::fmt::Write;
use std::path::PathBuf;

use pipeline::aws::clients::Clients;
use serde_json::{Value, json};

use crate::bench::{Bench, REGION, Run, mutations, steps};

/// A manifest of topics on a cluster, of which `cluster` has the keys.
fn manifest(cluster: &str) -> String {
    format!(
        "name: demo\nenvironment: test\ntarget: sandbox\nregion: us-east-1\ncluster: {cluster}\n\
         topic_defaults: {{ partitions: 3, config: {{ retention.ms: 7d }} }}\n\
         topics:\n  - name: u.pin\n  - name: u.user\n    partitions: 6\n    config: {{ max.message.bytes: 2MiB }}\n"
    )
}

impl Bench {
    fn topics(&self, cluster: &str) -> PathBuf {
        self.write("dev.yaml", &manifest(cluster))
    }

    fn outputs(&self) -> Value {
        self.run(["outputs", "dev.yaml", "--format", "json"]).ended(0).json()
    }

    /// The tool as whoever has these credentials, on the sandbox as any AWS client comes to it.
    fn as_role(&self, arguments: &[&str], credentials: &Credentials) -> Run {
        let mut command = self.command(arguments);
        command.args(["--target", "aws", "--endpoint-url", &self.endpoint]);
        command
            .env("AWS_ACCESS_KEY_ID", &credentials.key_id)
            .env("AWS_SECRET_ACCESS_KEY", &credentials.secret)
            .env("AWS_SESSION_TOKEN", &credentials.token)
            .env("AWS_CA_BUNDLE", self.path("sandbox/ca.pem"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Run::of(command.output().unwrap())
    }
}

struct Credentials {
    key_id: String,
    secret: String,
    token: String,
}

/// Credentials of a new role that may do what `actions` say, to everything.
async fn role(bench: &Bench, clients: &Clients, name: &str, actions: &[&str]) -> Credentials {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole",
    }]});
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": actions, "Resource": "*",
    }]});
    let created = clients.iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
    let arn = created.send().await.unwrap().role.unwrap().arn;
    let put = clients.iam.put_role_policy().role_name(name).policy_name("p").policy_document(policy.to_string());
    put.send().await.unwrap();
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(REGION))
        .endpoint_url(&bench.endpoint)
        .credentials_provider(clients.credentials.clone().unwrap())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let sts = aws_sdk_sts::Client::new(&config);
    // A new role can't be assumed at once.
    for _ in 0..100 {
        let assumed = sts.assume_role().role_arn(&arn).role_session_name("test").send().await;
        if let Some(credentials) = assumed.ok().and_then(|assumed| assumed.credentials) {
            return Credentials {
                key_id: credentials.access_key_id,
                secret: credentials.secret_access_key,
                token: credentials.session_token,
            };
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the role can't be assumed");
}

/// What whoever manages topics over the Kafka protocol needs, as the README has it.
const NEEDED: [&str; 11] = [
    "kafka:ListClustersV2",
    "kafka:DescribeClusterV2",
    "kafka:GetBootstrapBrokers",
    "kafka-cluster:Connect",
    "kafka-cluster:DescribeTopic",
    "kafka-cluster:DescribeTopicDynamicConfiguration",
    "kafka-cluster:CreateTopic",
    "kafka-cluster:AlterTopic",
    "kafka-cluster:AlterTopicDynamicConfiguration",
    "kafka-cluster:DeleteTopic",
    "sts:GetCallerIdentity",
];

const API: &str = "{ name: api, sandbox: { kafka_version: 3.8.x } }";
const OLD: &str = "{ name: old, sandbox: { kafka_version: 2.8.1 } }";
const SERVERLESS: &str = "{ name: less, sandbox: { serverless: true } }";

/// Applied, changed behind the tool's back and repaired, grown, destroyed: the same on every cluster.
async fn lives(cluster: &str, calls_topic_api: bool) {
    let bench = Bench::new();
    bench.topics(cluster);
    assert_eq!(bench.planned(), ["create topic/u.pin", "create topic/u.user"]);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    let outputs = bench.outputs();
    let arn = outputs["cluster_arn"].as_str().unwrap();
    let expected = ["u.pin", "u.user"].map(|name| format!("{}/{name}", arn.replace(":cluster/", ":topic/")));
    assert_eq!(outputs["topic_arns"], json!(expected));
    assert_eq!(mutations(&bench.calls()).contains(&"CreateTopic"), calls_topic_api);

    // Drift, by whoever else manages topics: here the Kafka protocol, as Kafka's own tools use it.
    let servers = outputs["bootstrap_brokers"].as_str().unwrap();
    drift(&bench, servers).await;
    bench.settled(|| bench.planned() == ["update topic/u.pin", "update topic/u.user"]);
    let plan = bench.run(["plan", "dev.yaml"]).ended(0).stdout;
    assert!(plan.contains("config.retention.ms  1000 -> 604800000"), "{plan}");
    assert!(plan.contains("config.max.message.bytes  1000 -> 2097152"), "{plan}");
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());

    // Growth, and a shrinking that is refused.
    let text = manifest(cluster);
    bench.write("dev.yaml", &text.replace("partitions: 6", "partitions: 9"));
    assert_eq!(bench.planned(), ["update topic/u.user"]);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    bench.write("dev.yaml", &text);
    let refused = bench.run(["apply", "dev.yaml", "--yes"]).ended(3);
    assert!(refused.stderr.contains("partitions cannot shrink from 9 to 6"), "{}", refused.stderr);

    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    bench.settled(|| bench.planned() == ["create topic/u.pin", "create topic/u.user"]);
    assert!(bench.run(["destroy", "dev.yaml", "--yes"]).ended(0).stderr.contains("Nothing to destroy."));
}

/// Changes settings of both topics.
async fn drift(bench: &Bench, servers: &str) {
    use krafka::admin::{ConfigOp, ConfigResource, IncrementalAlterConfigsOptions};
    let authority = std::fs::read(bench.path("sandbox/ca.pem")).unwrap();
    let security = krafka::auth::AuthConfig::aws_msk_iam(
        pipeline::sandbox::ACCESS_KEY_ID,
        pipeline::sandbox::SECRET_ACCESS_KEY,
        REGION,
    );
    let security = security.with_tls(krafka::auth::TlsConfig::new().with_ca_cert_pem(authority));
    let kafka = krafka::Kafka::builder(servers).security(security).connect().await.unwrap();
    let changes = [("u.pin", "retention.ms"), ("u.user", "max.message.bytes")]
        .map(|(topic, key)| (ConfigResource::topic(topic), vec![ConfigOp::set(key, "1000")]));
    let results =
        kafka.admin().incremental_alter_configs(changes, IncrementalAlterConfigsOptions::default()).await.unwrap();
    results.into_values().for_each(|result| result.unwrap());
}

impl Bench {
    /// Waits until replies no longer lag behind.
    #[track_caller]
    fn settled(&self, is_seen: impl Fn() -> bool) {
        for _ in 0..50 {
            if is_seen() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("it was not seen: {:?}", self.planned());
    }
}

#[tokio::test]
async fn a_cluster_with_the_topic_api() {
    lives(API, true).await;
}

#[tokio::test]
async fn a_cluster_that_is_too_old_for_the_topic_api() {
    lives(OLD, false).await;
}

#[tokio::test]
async fn a_serverless_cluster() {
    lives(SERVERLESS, false).await;
}

#[test]
fn a_way_that_the_cluster_has_not_is_refused_before_anything_is_done() {
    let bench = Bench::new();
    // What the manifest says of the sandbox's cluster is told offline; without that, the cluster tells.
    bench.topics(SERVERLESS);
    bench.apply();
    bench.topics("{ name: less, topics_via: api }");
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    assert!(refused.stderr.contains("cluster/less: it is Serverless, whose topics"), "{}", refused.stderr);
    assert!(refused.stderr.contains("topics_via: auto"), "{}", refused.stderr);
    let text = manifest("{ name: less }").replace("partitions: 6", "partitions: 6\n    replication_factor: 2");
    bench.write("dev.yaml", &text.replace("max.message.bytes: 2MiB", "segment.ms: 1d"));
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    assert!(refused.stderr.contains("replication_factor of topic u.user is 2"), "{}", refused.stderr);
    assert!(refused.stderr.contains("segment.ms of topic u.user can't be chosen"), "{}", refused.stderr);
    let policy = manifest("{ name: less }").replace("max.message.bytes: 2MiB", "cleanup.policy: compact");
    bench.write("dev.yaml", &policy);
    let refused = bench.run(["plan", "dev.yaml"]).ended(3);
    assert!(refused.stderr.contains("cleanup.policy can be chosen at creation only"), "{}", refused.stderr);
}

#[tokio::test]
async fn who_lacks_an_action_is_told_which_and_on_what() {
    let bench = Bench::new();
    bench.topics(OLD);
    bench.run(["plan", "dev.yaml"]).ended(0);
    let clients = bench.clients().await;
    let without = |actions: &[&str]| -> Vec<&str> { NEEDED.into_iter().filter(|it| !actions.contains(it)).collect() };

    let stranger = role(&bench, &clients, "stranger", &without(&["kafka-cluster:Connect"])).await;
    let refused = bench.as_role(&["plan", "dev.yaml"], &stranger).ended(1);
    let line = refused.stderr.lines().find(|line| line.starts_with("error")).unwrap();
    assert!(line.contains("cluster/old") && line.contains("IAM listener"), "{line}");
    assert!(line.contains("Access denied") && line.contains("kafka-cluster:Connect"), "{line}");

    let reader = role(&bench, &clients, "reader", &without(&["kafka-cluster:CreateTopic"])).await;
    bench.as_role(&["plan", "dev.yaml"], &reader).ended(0);
    let refused = bench.as_role(&["apply", "dev.yaml", "--yes"], &reader).ended(1);
    assert!(
        refused.stderr.contains("cannot create topic/u.pin: CreateTopics: ForbiddenException"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("grant the caller kafka-cluster:CreateTopic on arn:aws:kafka:us-east-1:"));

    let blind = role(&bench, &clients, "blind", &without(&["kafka-cluster:DescribeTopic"])).await;
    let refused = bench.as_role(&["plan", "dev.yaml"], &blind).ended(1);
    assert!(refused.stderr.contains("grant the caller kafka-cluster:DescribeTopic on"), "{}", refused.stderr);

    let enough = role(&bench, &clients, "enough", &NEEDED).await;
    bench.as_role(&["apply", "dev.yaml", "--yes"], &enough).ended(0);
    let wrong = Credentials { secret: "x".repeat(40), ..enough };
    // The AWS calls before it fail in the same way; a wrong secret never gets as far as the brokers.
    assert!(bench.as_role(&["plan", "dev.yaml"], &wrong).ended(1).stderr.contains("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn every_listener_is_logged_in_to_in_its_own_way() {
    let bench = Bench::new();
    let cluster = |auth: &str| format!("{{ name: c, auth: {auth}, topics_via: kafka }}");
    for auth in ["plaintext", "tls", "iam"] {
        bench.topics(&cluster(auth));
        bench.apply();
        assert_eq!(bench.planned(), Vec::<String>::new(), "{auth}");
    }
    let issued = bench.private("client-certificate", &json!({"common_name": "someone"})).await;
    bench.write("someone.pem", issued["certificate"].as_str().unwrap());
    bench.write("someone.key", issued["key"].as_str().unwrap());
    bench.topics(&cluster("{ mtls: { cert: someone.pem, key: someone.key } }"));
    assert_eq!(bench.planned(), Vec::<String>::new());
}

#[tokio::test]
async fn a_user_and_a_password_come_from_the_secret() {
    let bench = Bench::new();
    bench.topics("{ name: c, sandbox: { kafka_version: 2.8.1 } }");
    bench.apply();
    let arn = bench.outputs()["cluster_arn"].as_str().unwrap().to_owned();
    let clients = bench.clients().await;
    let secret = clients
        .secrets
        .create_secret()
        .name("AmazonMSK_someone")
        .kms_key_id("alias/kafka")
        .secret_string(r#"{"username": "someone", "password": "hush-hush"}"#);
    let secret = secret.send().await.unwrap().arn.unwrap();
    bench.topics(&format!("{{ name: c, auth: {{ scram: \"{secret}\" }} }}"));
    let refused = bench.run(["plan", "dev.yaml"]).ended(1);
    assert!(refused.stderr.contains("the SCRAM listener at 127.0.0.1"), "{}", refused.stderr);
    assert!(refused.stderr.contains("the secret is associated with the cluster"), "{}", refused.stderr);
    let associate = clients.kafka.batch_associate_scram_secret().cluster_arn(&arn).secret_arn_list(&secret);
    assert!(associate.send().await.unwrap().unprocessed_scram_secrets().is_empty());
    assert_eq!(bench.planned(), Vec::<String>::new());
    for verbose in [&["plan", "dev.yaml", "-v"][..], &["outputs", "dev.yaml", "-v"]] {
        let run = bench.run(verbose).ended(0);
        assert!(!run.stdout.contains("hush-hush") && !run.stderr.contains("hush-hush"));
    }
}

#[test]
fn public_access_is_another_listener() {
    let bench = Bench::new();
    bench.topics("{ name: c, access: public, topics_via: kafka }");
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    let outputs = bench.outputs();
    assert_eq!(outputs["bootstrap_brokers"], outputs["bootstrap_brokers_public_iam"]);
    assert!(outputs.get("bootstrap_brokers_plaintext").is_none(), "{outputs}");
}

#[tokio::test]
async fn brokers_that_cannot_be_reached_are_told_with_the_way_out() {
    let bench = Bench::new();
    let elsewhere = json!({"name": "far", "region": REGION, "bootstrap_brokers": {
        "iam": "b-1.far.invalid:9098,127.0.0.1:1", "plaintext": "127.0.0.1:1"}});
    bench.private("cluster", &elsewhere).await;
    bench.topics("{ name: far, topics_via: kafka }");
    let unread = bench.run(["plan", "dev.yaml"]).ended(1);
    let line = unread.stderr.lines().find(|line| line.starts_with("error")).unwrap();
    for part in [
        "cannot read cluster/far",
        "the IAM listener at 127.0.0.1:1,b-1.far.invalid:9098 can't be reached from here",
        "b-1.far.invalid:9098: its name has no address here",
        "127.0.0.1:1: nothing listens on its port",
        "9098 (public: 9198)",
        "--emit kafka-topics",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let emitted = bench.run(["plan", "dev.yaml", "--emit", "kafka-topics"]).ended(0);
    insta::assert_snapshot!(emitted.stdout);
    assert!(emitted.stderr.contains("can't be reached from here"), "{}", emitted.stderr);
    // What is retained anyway needs no brokers to be left alone.
    let retained =
        manifest("{ name: far, topics_via: kafka }").replace("- name: u.pin", "- name: u.pin\n    on_destroy: retain");
    bench.write("dev.yaml", &retained.replace("partitions: 6", "partitions: 6\n    on_destroy: retain"));
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
}

#[test]
fn what_kafkas_tools_would_have_to_do_is_what_the_plan_says() {
    let bench = Bench::new();
    bench.topics(OLD);
    bench.apply();
    bench.write("dev.yaml", &manifest(OLD).replace("partitions: 6", "partitions: 9").replace("7d", "8d"));
    let emitted = bench.run(["plan", "dev.yaml", "--emit", "kafka-topics"]).ended(0).stdout;
    let commands: Vec<&str> = emitted.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(commands.len(), 3, "{emitted}");
    assert!(commands.iter().any(|it| it.contains("kafka-topics.sh") && it.ends_with("--topic u.user --partitions 9")));
    assert_eq!(commands.iter().filter(|it| it.contains("retention.ms=691200000")).count(), 2, "{emitted}");
    assert_eq!(steps(&bench.plan_json()).len(), 2);
}

#[test]
fn a_thousand_topics_take_few_requests() {
    let bench = Bench::new();
    let mut text = manifest(OLD).split("topics:\n").next().unwrap().to_owned() + "topics:\n";
    for number in 0..1000 {
        writeln!(text, "  - {{ name: events.{number:04}, partitions: 1 }}").unwrap();
    }
    bench.write("dev.yaml", &text);
    bench.apply();
    assert_eq!(bench.planned(), Vec::<String>::new());
    assert!(!mutations(&bench.calls()).contains(&"CreateTopic"));
    bench.run(["destroy", "dev.yaml", "--yes", "--quiet"]).ended(0);
    assert_eq!(bench.planned().len(), 1000);
}
