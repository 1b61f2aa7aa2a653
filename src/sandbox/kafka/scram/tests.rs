//! Secrets of clients, and the passwords that they give.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Cluster, scram_password};
use crate::sandbox::call::{Call, PathValues, Reply};
use crate::sandbox::kafka::clusters::clusters;
use crate::sandbox::kafka::{Declaration, declare_cluster, handle};
use crate::sandbox::secretsmanager;
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, World};

const OWN_KEY: &str = "alias/mine";

fn parse(reply: &Reply) -> Value {
    if reply.body.is_empty() { Value::Null } else { serde_json::from_slice(&reply.body).unwrap() }
}

/// A sandbox with a cluster.
struct Test {
    world: World,
    cluster: Cluster,
}

impl Test {
    fn new() -> Self {
        let settings = Settings { settle: Default::default(), ..Settings::default() };
        let world = World::new(settings, Store::in_memory(), PathBuf::new());
        declare_cluster(&world, &Declaration::named("c")).unwrap();
        let cluster = clusters(&world, "us-east-1").remove(0).0;
        Self { world, cluster }
    }

    async fn kafka(&self, operation: &str, body: Value) -> Value {
        let path = PathValues::from([("clusterArn", self.cluster.arn.clone())]);
        parse(&handle(&self.world, operation, &path, &Call::with_body(&body)).await.unwrap())
    }

    fn secrets(&self, operation: &str, body: Value) -> Value {
        parse(&secretsmanager::handle(&self.world, operation, &Call::with_body(&body)).unwrap())
    }

    /// The ARN of a new secret.
    fn secret(&self, name: &str, key: Option<&str>, value: &str) -> String {
        let token = format!("{name:x>32}");
        let mut request = json!({"Name": name, "SecretString": value, "ClientRequestToken": token});
        if let Some(key) = key {
            request["KmsKeyId"] = key.into();
        }
        self.secrets("CreateSecret", request)["ARN"].as_str().unwrap().to_owned()
    }

    /// Why a secret is left unprocessed, if it is.
    async fn associate(&self, arn: &str) -> Option<String> {
        let reply = self.kafka("BatchAssociateScramSecret", json!({"secretArnList": [arn]})).await;
        let unprocessed = reply["unprocessedScramSecrets"].as_array().unwrap().first()?.clone();
        assert_eq!((&unprocessed["secretArn"], &unprocessed["errorCode"]), (&json!(arn), &json!("InvalidSecretArn")));
        Some(unprocessed["errorMessage"].as_str().unwrap().to_owned())
    }

    fn password(&self, user: &str) -> Option<String> {
        scram_password(&self.world, &self.cluster, user)
    }
}

fn credentials(user: &str, password: &str) -> String {
    json!({"username": user, "password": password}).to_string()
}

#[tokio::test]
async fn the_current_value_of_an_associated_secret_gives_the_password() {
    let test = Test::new();
    let alice = test.secret("AmazonMSK_alice", Some(OWN_KEY), &credentials("alice", "a1"));
    let bob = test.secret("AmazonMSK_bob", Some(OWN_KEY), &credentials("bob", "b1"));
    assert_eq!(test.password("alice"), None, "nothing is associated yet");
    assert_eq!(test.associate(&alice).await, None);
    assert_eq!(test.associate(&bob).await, None);
    assert_eq!(test.associate(&bob).await, None, "again is no fault");
    let passwords = || ["alice", "bob", "carol"].map(|user| test.password(user));
    assert_eq!(passwords(), [Some("a1".to_owned()), Some("b1".to_owned()), None]);

    let token = "2".repeat(32);
    let changed = json!({"SecretId": alice, "SecretString": credentials("alice", "a2"), "ClientRequestToken": token});
    test.secrets("PutSecretValue", changed);
    assert_eq!(test.password("alice").as_deref(), Some("a2"));
    test.secrets("DeleteSecret", json!({"SecretId": alice}));
    assert_eq!(test.password("alice"), None);
    test.secrets("RestoreSecret", json!({"SecretId": alice}));
    assert_eq!(test.password("alice").as_deref(), Some("a2"));

    test.kafka("BatchDisassociateScramSecret", json!({"secretArnList": [bob]})).await;
    assert_eq!(passwords(), [Some("a2".to_owned()), None, None]);
    test.kafka("DeleteCluster", json!({})).await;
    assert_eq!(test.password("alice"), None);
}

#[tokio::test]
async fn what_no_cluster_can_use_is_told_and_not_associated() {
    let test = Test::new();
    let value = credentials("alice", "hunter2");
    let named = test.secret("alice", Some(OWN_KEY), &value);
    let default = test.secret("AmazonMSK_default", None, &value);
    let managed = test.secret("AmazonMSK_managed", Some("alias/aws/secretsmanager"), &value);
    let text = test.secret("AmazonMSK_text", Some(OWN_KEY), "hunter2");
    let half = test.secret("AmazonMSK_half", Some(OWN_KEY), "{\"password\": \"hunter2\"}");
    let partial = test.secret("AmazonMSK_partial", Some(OWN_KEY), &value);
    let partial = partial.rsplit_once('-').unwrap().0.to_owned();
    let elsewhere = partial.replace("us-east-1", "eu-west-1");
    for (arn, sentence) in [
        (&named, "Secret names must have the prefix 'AmazonMSK_'"),
        (&default, "is encrypted with the default key"),
        (&managed, "is encrypted with the default key"),
        (&text, "isn't what Amazon MSK expects"),
        (&half, "isn't what Amazon MSK expects"),
        (&partial, "wasn't able to access the provided secret."),
        (&elsewhere, "must be in the account and the Region of the cluster."),
        (&"AmazonMSK_text".to_owned(), "must be in the account and the Region of the cluster."),
    ] {
        let message = test.associate(arn).await.unwrap();
        assert!(message.contains(sentence) && !message.contains("hunter2"), "{arn}: {message}");
    }
    assert_eq!(test.kafka("ListScramSecrets", json!({})).await, json!({"secretArnList": []}));
    assert_eq!(test.password("alice"), None);
}
