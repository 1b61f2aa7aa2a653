//! The listeners of clusters, as a Kafka client over real sockets sees them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use aws_sdk_kafka::types::{
    BrokerNodeGroupInfo, ClientAuthentication, ClientBroker, EncryptionInTransit, EncryptionInfo, Iam,
    ProvisionedRequest, Sasl, Scram, ServerlessClientAuthentication, ServerlessRequest, ServerlessSasl, Tls, VpcConfig,
};
use krafka::Kafka;
use krafka::admin::{CreateTopicsOptions, ListTopicsOptions, NewTopic};
use krafka::auth::{AuthConfig, TlsConfig};
use krafka::producer::Record;
use serde_json::{Value, json};

use crate::sandbox::{ACCESS_KEY_ID, Options, SECRET_ACCESS_KEY, Sandbox, Settings, start};

const REGION: &str = "us-east-1";

/// A sandbox, and its authority's certificate.
struct Test {
    sandbox: Sandbox,
    kafka: aws_sdk_kafka::Client,
    ca: String,
}

impl Test {
    async fn new() -> Self {
        let settings = Settings { settle: Duration::ZERO, lag: Duration::ZERO, ..Settings::default() };
        let sandbox = start(Options { settings, ..Options::default() }).await.unwrap();
        let config = aws_sdk_kafka::Config::builder()
            .behavior_version(aws_sdk_kafka::config::BehaviorVersion::latest())
            .region(aws_sdk_kafka::config::Region::new(REGION))
            .endpoint_url(sandbox.endpoint())
            .credentials_provider(aws_sdk_kafka::config::Credentials::new(
                ACCESS_KEY_ID,
                SECRET_ACCESS_KEY,
                None,
                None,
                "t",
            ))
            .build();
        let mut test = Self { sandbox, kafka: aws_sdk_kafka::Client::from_conf(config), ca: String::new() };
        test.ca = test.get("authority").await;
        test
    }

    async fn get(&self, call: &str) -> String {
        let url = format!("{}/_sandbox/{call}", self.sandbox.endpoint());
        reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    async fn post(&self, call: &str, body: Value) -> Value {
        let url = format!("{}/_sandbox/{call}", self.sandbox.endpoint());
        let reply = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
        serde_json::from_str(&reply.error_for_status().unwrap().text().await.unwrap()).unwrap()
    }

    fn tls(&self) -> TlsConfig {
        TlsConfig::new().with_ca_cert_pem(self.ca.clone())
    }

    fn iam(&self, secret: &str) -> AuthConfig {
        AuthConfig::aws_msk_iam(ACCESS_KEY_ID, secret, REGION).with_tls(self.tls())
    }

    /// A cluster with that authentication.
    async fn provision(&self, name: &str, authentication: ClientAuthentication, in_transit: ClientBroker) -> String {
        let nodes = BrokerNodeGroupInfo::builder()
            .client_subnets("subnet-a")
            .client_subnets("subnet-b")
            .client_subnets("subnet-c")
            .instance_type("kafka.m7g.large")
            .build();
        let encryption = EncryptionInTransit::builder().client_broker(in_transit).in_cluster(true).build();
        let provisioned = ProvisionedRequest::builder()
            .broker_node_group_info(nodes)
            .client_authentication(authentication)
            .encryption_info(EncryptionInfo::builder().encryption_in_transit(encryption).build())
            .kafka_version("3.8.x")
            .number_of_broker_nodes(3)
            .build();
        let made = self.kafka.create_cluster_v2().cluster_name(name).provisioned(provisioned).send().await.unwrap();
        made.cluster_arn().unwrap().to_owned()
    }

    async fn brokers(&self, arn: &str) -> aws_sdk_kafka::operation::get_bootstrap_brokers::GetBootstrapBrokersOutput {
        self.kafka.get_bootstrap_brokers().cluster_arn(arn).send().await.unwrap()
    }
}

/// A client that was let in, or what it was told. The plane may need a moment to open a new cluster's listeners.
async fn connect(servers: &str, security: AuthConfig) -> Result<Kafka, String> {
    let mut told = String::new();
    for _ in 0..40 {
        let kafka =
            Kafka::builder(servers).security(security.clone()).connect_timeout(Duration::from_secs(5)).connect();
        match tokio::time::timeout(Duration::from_secs(10), kafka).await {
            Ok(Ok(kafka)) => return Ok(kafka),
            Ok(Err(error)) => told = error.to_string(),
            Err(_) => return Err("silence".to_owned()),
        }
        if !told.contains("refused") {
            return Err(told);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(told)
}

async fn topics(kafka: &Kafka) -> Vec<String> {
    let mut topics = kafka.admin().list_topics(ListTopicsOptions::default()).await.unwrap();
    topics.sort();
    topics
}

async fn create(kafka: &Kafka, topic: NewTopic) -> Result<(), String> {
    let name = topic.name.clone();
    let mut made = kafka.admin().create_topics([topic], CreateTopicsOptions::default()).await.unwrap();
    made.remove(&name).unwrap().map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_client_that_signs_writes_over_tls_and_one_without_it_reads() {
    let test = Test::new().await;
    let declared = test.post("cluster", json!({"name": "c", "region": REGION})).await;
    let arn = declared["clusterArn"].as_str().unwrap();
    let brokers = test.brokers(arn).await;
    let iam = brokers.bootstrap_broker_string_sasl_iam().unwrap();
    let kafka = connect(iam, test.iam(SECRET_ACCESS_KEY)).await.unwrap();
    create(&kafka, NewTopic::new("t", 3, 3).unwrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    for number in 0..30 {
        assert!(producer.send(Record::new("t", number.to_string())).await.is_ok());
    }
    producer.close().await.unwrap();
    for (servers, security) in [
        (brokers.bootstrap_broker_string().unwrap(), AuthConfig::plaintext()),
        (brokers.bootstrap_broker_string_tls().unwrap(), AuthConfig::ssl(test.tls())),
    ] {
        let kafka = connect(servers, security).await.unwrap();
        let consumer = kafka.consumer_without_group().build().await.unwrap();
        let mut written = 0;
        for partition in 0..3 {
            written += consumer.fetch_watermarks("t", partition).await.unwrap().1;
        }
        assert_eq!(written, 30);
    }
    let told = connect(iam, test.iam("wrong")).await.unwrap_err();
    assert!(told.contains("]: Access denied"), "{told}");
    let log: Value = serde_json::from_str(&test.get("broker-log").await).unwrap();
    assert_eq!(log["refused"][0]["principal"], ACCESS_KEY_ID);
    assert_eq!(log["refused"][0]["listener"], "iam");
    assert!(!log.to_string().contains("wrong"));
    let untrusting = AuthConfig::aws_msk_iam(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION);
    assert!(connect(iam, untrusting).await.is_err(), "nobody else trusts the sandbox's authority");
    assert!(connect(iam, AuthConfig::plaintext()).await.is_err());
}

#[tokio::test]
async fn a_cluster_of_certificates_wants_one_of_the_authority() {
    let test = Test::new().await;
    let tls = Tls::builder().enabled(true).build();
    let authentication = ClientAuthentication::builder().tls(tls).build();
    let arn = test.provision("mtls", authentication, ClientBroker::Tls).await;
    let brokers = test.brokers(&arn).await;
    assert_eq!(brokers.bootstrap_broker_string(), None);
    let servers = brokers.bootstrap_broker_string_tls().unwrap();
    let issued = test.post("client-certificate", json!({"common_name": "producer"})).await;
    let [certificate, key] = ["certificate", "key"].map(|member| issued[member].as_str().unwrap().to_owned());
    let identity = test.tls().with_client_cert_pem(certificate, key.into_bytes());
    let kafka = connect(servers, AuthConfig::ssl(identity)).await.unwrap();
    assert_eq!(topics(&kafka).await, Vec::<String>::new());
    assert!(connect(servers, AuthConfig::ssl(test.tls())).await.is_err());
    let log = test.get("broker-log").await;
    assert!(log.contains("peer sent no certificates"), "{log}");
}

#[tokio::test]
async fn a_cluster_of_passwords_lets_nobody_in_who_has_none() {
    let test = Test::new().await;
    let sasl = Sasl::builder().scram(Scram::builder().enabled(true).build()).build();
    let authentication = ClientAuthentication::builder().sasl(sasl).build();
    let arn = test.provision("scram", authentication, ClientBroker::Tls).await;
    let brokers = test.brokers(&arn).await;
    assert_eq!([brokers.bootstrap_broker_string_tls(), brokers.bootstrap_broker_string_sasl_iam()], [None; 2]);
    let servers = brokers.bootstrap_broker_string_sasl_scram().unwrap();
    let security = AuthConfig::sasl_scram_sha512("alice", "pencil").with_tls(test.tls());
    let told = connect(servers, security).await.unwrap_err();
    assert!(told.contains("due to invalid credentials with SASL mechanism SCRAM-SHA-512"), "{told}");
}

#[tokio::test]
async fn a_serverless_cluster_is_behind_one_address_and_chooses_for_itself() {
    let test = Test::new().await;
    let vpc = VpcConfig::builder().subnet_ids("subnet-a").subnet_ids("subnet-b").build();
    let sasl = ServerlessSasl::builder().iam(Iam::builder().enabled(true).build()).build();
    let serverless = ServerlessRequest::builder()
        .vpc_configs(vpc)
        .client_authentication(ServerlessClientAuthentication::builder().sasl(sasl).build())
        .build();
    let made = test.kafka.create_cluster_v2().cluster_name("s").serverless(serverless).send().await.unwrap();
    let brokers = test.brokers(made.cluster_arn().unwrap()).await;
    let servers = brokers.bootstrap_broker_string_sasl_iam().unwrap();
    assert!(!servers.contains(','), "{servers}");
    let kafka = connect(servers, test.iam(SECRET_ACCESS_KEY)).await.unwrap();
    create(&kafka, NewTopic::new("left", 1, -1).unwrap()).await.unwrap();
    create(&kafka, NewTopic::new("three", 1, 3).unwrap()).await.unwrap();
    let told = create(&kafka, NewTopic::new("two", 1, 2).unwrap()).await.unwrap_err();
    assert!(told.contains("Replication factor must be 3"), "{told}");
    let mut configured = NewTopic::new("configured", 1, 3).unwrap();
    configured.configs.insert("min.insync.replicas".to_owned(), "1".to_owned());
    let told = create(&kafka, configured.clone()).await.unwrap_err();
    assert!(told.contains("min.insync.replicas can't be set"), "{told}");
    configured.configs = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
    create(&kafka, configured).await.unwrap();
    assert_eq!(topics(&kafka).await, ["configured", "left", "three"]);
}
