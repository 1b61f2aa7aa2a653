//! A broker of a cluster without its sockets, and connections with them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::DuplexStream;

use super::*;
use crate::sandbox::call::Call;
use crate::sandbox::iam;
use crate::sandbox::signature::{CALLER, SESSIONS, Session as Credentials};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, now};

pub(super) const REGION: &str = "us-east-1";

/// A cluster, and people who come to it.
pub(super) struct Bench {
    pub(super) world: Arc<World>,
    pub(super) cluster: Cluster,
}

impl Bench {
    pub(super) fn new() -> Self {
        let settings = Settings { settle: Duration::ZERO, lag: Duration::ZERO, ..Settings::default() };
        let world = World::new(settings, Store::in_memory(), PathBuf::new());
        kafka::declare_cluster(&world, &kafka::Declaration::named("c")).unwrap();
        let cluster = kafka::active_clusters(&world).remove(0);
        Self { world: Arc::new(world), cluster }
    }

    /// A connection to broker 1, which is alone.
    pub(super) fn session(&self, listener: Listener, caller: Caller) -> Session {
        let brokers = vec![BrokerAddress { id: 1, port: 9098 }];
        let broker = Broker { cluster: self.cluster.clone(), listener, id: 1, brokers };
        let host = "/127.0.0.1".to_owned();
        Session { world: Arc::clone(&self.world), broker, host, login: Login::at(listener, caller) }
    }

    /// Lets a role do some things, and nothing else; gives back the ARN of a session of it.
    pub(super) async fn role(&self, name: &str, statements: Value) -> String {
        let document = |statement: Value| json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let trust = document(json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}));
        // It may be there from before.
        self.iam(&[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
        let policy = document(statements);
        let put = [("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "p"), ("PolicyDocument", &policy)];
        assert!(self.iam(&put).await);
        format!("arn:aws:sts::000000000000:assumed-role/{name}/session")
    }

    async fn iam(&self, parameters: &[(&str, &str)]) -> bool {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let call = Call {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: form.append_pair("Version", "2010-05-08").extend_pairs(parameters).finish().into(),
            region: REGION.to_owned(),
            caller: CALLER.to_owned(),
        };
        let (operation, path) = iam::operation(&call).unwrap();
        iam::handle(&self.world, operation, &path, &call).await.is_ok()
    }

    /// Temporary credentials of somebody: the access key, the secret and the token.
    pub(super) fn credentials(&self, caller: &str, lasts: Duration) -> [String; 3] {
        let key = format!("ASIA{}", &uuid::Uuid::new_v4().simple().to_string().to_uppercase()[..16]);
        let credentials = Credentials {
            secret: "secret".to_owned(),
            token: "token".to_owned(),
            caller: caller.to_owned(),
            expires: now() + u64::try_from(lasts.as_millis()).unwrap(),
        };
        self.world.store.transact(|transaction| transaction.put(SESSIONS, &key, &credentials)).unwrap();
        [key, credentials.secret, credentials.token]
    }

    /// The last refusal that was noted.
    pub(super) fn noted(&self) -> Value {
        self.world.journal.told()["refused"].as_array().unwrap().last().cloned().unwrap_or_default()
    }
}

/// What a client that knows the wire sends: the key and version of a request, and its body.
fn frame(key: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend((key as i16).to_be_bytes());
    header.extend(version.to_be_bytes());
    // The correlation id, and a client id that is null.
    header.extend([0, 0, 0, 7, 0xff, 0xff]);
    header.extend(body);
    let mut frame = u32::try_from(header.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(header);
    frame
}

fn connect(session: Session) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(session.converse(theirs));
    ours
}

/// The body of the answer, after its length and the correlation id; nothing where the connection is closed instead.
async fn ask(stream: &mut DuplexStream, frame: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(frame).await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    assert_eq!(body[..4], [0, 0, 0, 7]);
    Some(body.split_off(4))
}

/// `SaslHandshake` for a mechanism.
fn handshake(mechanism: &str) -> Vec<u8> {
    let mut body = u16::try_from(mechanism.len()).unwrap().to_be_bytes().to_vec();
    body.extend(mechanism.bytes());
    frame(ApiKey::SaslHandshake, 1, &body)
}

/// All topics, in the oldest version.
fn metadata() -> Vec<u8> {
    frame(ApiKey::Metadata, 0, &[0; 4])
}

#[tokio::test]
async fn before_a_login_only_versions_are_told() {
    let bench = Bench::new();
    let mut stream = connect(bench.session(Listener::Iam, Caller::Anonymous));
    let versions = ask(&mut stream, &frame(ApiKey::ApiVersions, 0, &[])).await.unwrap();
    assert_eq!(versions[..2], [0, 0]);
    assert_eq!(ask(&mut stream, &metadata()).await, None);
    let mut stream = connect(bench.session(Listener::Iam, Caller::Anonymous));
    assert_eq!(ask(&mut stream, &handshake("OAUTHBEARER")).await.unwrap()[..2], [0, 0]);
    assert_eq!(ask(&mut stream, &frame(ApiKey::ApiVersions, 0, &[])).await, None, "in the middle of a login");
}

#[tokio::test]
async fn a_mechanism_that_the_listener_has_not_ends_the_connection_with_those_that_it_has() {
    let bench = Bench::new();
    let mut stream = connect(bench.session(Listener::Scram, Caller::Anonymous));
    let refused = ask(&mut stream, &handshake("SCRAM-SHA-256")).await.unwrap();
    assert_eq!(refused[..2], ResponseError::UnsupportedSaslMechanism.code().to_be_bytes());
    assert!(String::from_utf8_lossy(&refused).ends_with("SCRAM-SHA-512"));
    assert_eq!(ask(&mut stream, &handshake("SCRAM-SHA-512")).await, None);
    assert_eq!(bench.noted()["reason"], "The listener has no mechanism SCRAM-SHA-256.");
}

#[tokio::test]
async fn where_nobody_is_asked_everything_is_answered() {
    let bench = Bench::new();
    let mut stream = connect(bench.session(Listener::Plaintext, Caller::Anonymous));
    assert!(ask(&mut stream, &metadata()).await.is_some());
    let refused = ask(&mut stream, &handshake("AWS_MSK_IAM")).await.unwrap();
    assert_eq!(refused[..2], ResponseError::IllegalSaslState.code().to_be_bytes());
    assert!(ask(&mut stream, &metadata()).await.is_some());
}

#[tokio::test]
async fn a_handshake_of_tls_ends_a_connection_without_it() {
    let bench = Bench::new();
    let mut stream = connect(bench.session(Listener::Plaintext, Caller::Anonymous));
    assert_eq!(ask(&mut stream, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await, None);
}
