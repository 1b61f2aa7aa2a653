use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::*;
use crate::sandbox::broker::door::tests::{Bench, REGION};
use crate::sandbox::signature::{ACCESS_KEY_ID, CALLER, SECRET_ACCESS_KEY};

/// What a client signs.
#[derive(Clone)]
struct Request {
    credentials: [String; 3],
    host: &'static str,
    region: &'static str,
    service: &'static str,
    action: &'static str,
    seconds: u64,
    age: Duration,
}

impl Request {
    fn by(credentials: [String; 3]) -> Self {
        Self {
            credentials,
            host: "kafka.us-east-1.amazonaws.com",
            region: REGION,
            service: SERVICE,
            action: "kafka-cluster%3AConnect",
            seconds: 900,
            age: Duration::ZERO,
        }
    }

    fn url(&self) -> String {
        let [key, secret, token] = self.credentials.clone();
        let identity =
            Credentials::new(key, secret, Some(token).filter(|token| !token.is_empty()), None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(self.seconds));
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now() - self.age)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url = format!("https://{}/?Action={}", self.host, self.action);
        let headers = [("host", self.host)].into_iter();
        let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let mut signed = http::Request::builder().uri(&url).body(()).unwrap();
        instructions.apply_to_request_http1x(&mut signed);
        signed.uri().to_string()
    }

    fn token(&self) -> Vec<u8> {
        bearer(&format!("{}&User-Agent=aws-msk-iam-sasl-signer-python%2F1.0.2", self.url()))
    }

    fn document(&self) -> Map<String, Value> {
        let url = Url::parse(&self.url()).unwrap();
        let pairs = decode_query(url.query().unwrap());
        let mut document: Map<String, Value> =
            pairs.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), Value::from(value))).collect();
        document.insert("version".to_owned(), VERSION.into());
        document.insert("host".to_owned(), self.host.into());
        document.insert("user-agent".to_owned(), "test".into());
        document
    }
}

fn bearer(url: &str) -> Vec<u8> {
    format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", URL_SAFE_NO_PAD.encode(url)).into_bytes()
}

fn owner() -> [String; 3] {
    [ACCESS_KEY_ID.to_owned(), SECRET_ACCESS_KEY.to_owned(), String::new()]
}

/// A document that somebody signed now.
pub(in crate::sandbox::broker::door) fn document_of(credentials: [String; 3]) -> Vec<u8> {
    Value::from(Request::by(credentials).document()).to_string().into_bytes()
}

fn judge_document(bench: &Bench, document: &Map<String, Value>) -> Result<Step, Failure> {
    super::document(&bench.world, &bench.cluster, Value::from(document.clone()).to_string().as_bytes())
}

fn judge_token(bench: &Bench, message: &[u8]) -> Result<Step, Failure> {
    super::token(&bench.world, &bench.cluster, message)
}

/// What the client is told after the request's id, and what it isn't told.
fn refused(step: Result<Step, Failure>) -> (String, String) {
    let Err(failure) = step else { panic!("that should have been refused") };
    let (id, told) = failure.told.strip_prefix('[').unwrap().split_once("]: ").unwrap();
    Uuid::parse_str(id).unwrap();
    (told.to_owned(), failure.why)
}

async fn connecting(bench: &Bench) -> String {
    let arn = &bench.cluster.arn;
    bench.role("r", json!({"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": arn})).await
}

#[tokio::test]
async fn who_signs_with_a_lasting_key_is_let_in_for_good() {
    let bench = Bench::new();
    let Ok(Step::Done { caller, until, reply }) = judge_document(&bench, &Request::by(owner()).document()) else {
        panic!("it is signed well")
    };
    assert_eq!((caller, until), (Caller::Iam(CALLER.to_owned()), None));
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!(reply["version"], VERSION);
    Uuid::parse_str(reply["request-id"].as_str().unwrap()).unwrap();
}

#[tokio::test]
async fn a_session_ends_with_the_credentials_or_with_the_token() {
    let bench = Bench::new();
    let caller = connecting(&bench).await;
    let ends_in = |step: Result<Step, Failure>| {
        let Ok(Step::Done { caller: Caller::Iam(seen), until: Some(until), .. }) = step else {
            panic!("it is signed well")
        };
        assert_eq!(seen, caller);
        until.saturating_sub(now()).div_ceil(60_000)
    };
    let long = Request::by(bench.credentials(&caller, Duration::from_secs(3600)));
    let short = Request::by(bench.credentials(&caller, Duration::from_secs(300)));
    assert_eq!(ends_in(judge_document(&bench, &long.document())), 60);
    assert_eq!(ends_in(judge_token(&bench, &long.token())), 15);
    assert_eq!(ends_in(judge_document(&bench, &short.document())), 5);
    assert_eq!(ends_in(judge_token(&bench, &short.token())), 5);
}

#[tokio::test]
async fn what_is_wrong_is_known_to_the_sandbox_only() {
    let bench = Bench::new();
    let good = Request::by(owner());
    let stranger = ["AKIAIOSFODNN7EXAMPLE".to_owned(), "s".to_owned(), String::new()];
    let liar = [ACCESS_KEY_ID.to_owned(), "wrong".to_owned(), String::new()];
    for (request, why) in [
        (Request { credentials: liar, ..good.clone() }, "The request signature we calculated does not match"),
        (Request { credentials: stranger, ..good.clone() }, "The security token included in the request is invalid"),
        (
            Request { region: "eu-west-1", ..good.clone() },
            "It is signed for eu-west-1, and the cluster is in us-east-1.",
        ),
        (Request { service: "kafka", ..good.clone() }, "It is signed for the service kafka, not kafka-cluster."),
        (Request { action: "kafka-cluster%3AReadData", ..good.clone() }, "The action is not kafka-cluster:Connect."),
        (Request { seconds: 901, ..good.clone() }, "X-Amz-Expires is not a number of seconds up to 900."),
    ] {
        for step in [judge_document(&bench, &request.document()), judge_token(&bench, &request.token())] {
            let (told, found) = refused(step);
            assert_eq!(told, "Access denied");
            assert!(found.starts_with(why), "{found}");
        }
    }
}

#[tokio::test]
async fn a_role_needs_the_right_to_connect() {
    let bench = Bench::new();
    let other = format!("{}x", bench.cluster.arn);
    let caller = bench.role("r", json!({"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": other})).await;
    let request = Request::by(bench.credentials(&caller, Duration::from_secs(900)));
    let Err(failure) = judge_token(&bench, &request.token()) else { panic!("it has no right to") };
    assert_eq!(failure.missing, Some((CONNECT.to_owned(), bench.cluster.arn.clone())));
    assert_eq!(failure.who, format!("IAM:{caller}"));
    assert!(failure.told.ends_with("]: Access denied"), "{}", failure.told);
    let elsewhere = json!({"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}});
    bench.role("r", elsewhere).await;
    assert_eq!(refused(judge_token(&bench, &request.token())).0, "Access denied");
    connecting(&bench).await;
    assert!(judge_token(&bench, &request.token()).is_ok(), "a changed policy counts at once");
}

#[tokio::test]
async fn what_has_expired_or_almost_is_too_short() {
    let bench = Bench::new();
    let caller = connecting(&bench).await;
    let with = |lasts| Request::by(bench.credentials(&caller, lasts));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for request in [
        with(Duration::ZERO),
        with(Duration::from_millis(1500)),
        Request { age: minutes(16), ..with(minutes(60)) },
        Request { age: minutes(2), seconds: 60, ..with(minutes(60)) },
    ] {
        assert_eq!(refused(judge_document(&bench, &request.document())).0, "Session too short");
        assert_eq!(refused(judge_token(&bench, &request.token())).0, "Session too short");
    }
}

#[tokio::test]
async fn only_what_was_signed_counts() {
    let bench = Bench::new();
    let good = Request::by(owner());
    let changed = bearer(&format!("{}&X=y", good.url()));
    assert!(refused(judge_token(&bench, &changed)).1.starts_with("The request signature"));
    let mut document = good.document();
    document.insert("host".to_owned(), "another".into());
    assert!(refused(judge_document(&bench, &document)).1.starts_with("The request signature"));
    for (member, why) in [
        ("version", "The document's version is not 2020_10_22."),
        ("host", "The document has no host."),
        ("action", "The action is not kafka-cluster:Connect."),
        ("x-amz-expires", "X-Amz-Expires is not a number of seconds up to 900."),
        ("x-amz-date", "AWS query-string parameters must include 'X-Amz-Date'."),
        ("x-amz-signature", "AWS query-string parameters must include 'X-Amz-Signature'."),
    ] {
        let mut document = good.document();
        document.remove(member);
        let (told, found) = refused(judge_document(&bench, &document));
        assert_eq!((told.as_str(), &found[..why.len()]), ("Access denied", why));
    }
}

#[tokio::test]
async fn what_is_no_message_of_the_mechanism_is_refused() {
    let bench = Bench::new();
    let good = Request::by(owner());
    for message in ["", "n,,", "n,,\u{1}auth=Basic eA\u{1}\u{1}", "n,,\u{1}\u{1}", "auth=Bearer eA"] {
        assert_eq!(refused(judge_token(&bench, message.as_bytes())).0, "Access denied", "{message}");
    }
    for url in ["", "kafka", &good.url().replace("https", "http"), &good.url().replace("/?", "/path?")] {
        let (_, why) = refused(judge_token(&bench, &bearer(url)));
        assert_eq!(why, "The token is not the Base64 of a presigned URL.", "{url}");
    }
    let step = super::document(&bench.world, &bench.cluster, b"[]");
    assert_eq!(refused(step).1, "The message is not a JSON object.");
}
