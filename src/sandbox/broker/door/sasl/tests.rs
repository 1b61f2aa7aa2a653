#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::json;

use super::msk_iam::tests::document_of;
use super::*;
use crate::sandbox::broker::door::tests::Bench;
use crate::sandbox::signature::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

const HOUR: Duration = Duration::from_secs(3600);

fn choose(session: &mut Session, mechanism: &str) -> i16 {
    session.sasl_handshake(&SaslHandshakeRequest::default().with_mechanism(text(mechanism))).error_code
}

/// The error code and the words that go with it.
fn show(session: &mut Session, message: Vec<u8>) -> (i16, String) {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
    let response = session.sasl_authenticate(&request);
    (response.error_code, response.error_message.map(|message| message.to_string()).unwrap_or_default())
}

async fn connecting(bench: &Bench, role: &str) -> String {
    let arn = &bench.cluster.arn;
    bench.role(role, json!({"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": arn})).await
}

fn login(bench: &Bench, credentials: [String; 3]) -> Session {
    let mut session = bench.session(Listener::Iam, Caller::Anonymous);
    assert_eq!(choose(&mut session, "AWS_MSK_IAM"), 0);
    assert_eq!(show(&mut session, document_of(credentials)), (0, String::new()));
    session
}

#[tokio::test]
async fn a_login_tells_how_long_it_lasts() {
    let bench = Bench::new();
    let caller = connecting(&bench, "r").await;
    let mut session = bench.session(Listener::Iam, Caller::Anonymous);
    choose(&mut session, "AWS_MSK_IAM");
    let document = document_of(bench.credentials(&caller, HOUR));
    let response = session.sasl_authenticate(&SaslAuthenticateRequest::default().with_auth_bytes(document.into()));
    assert_eq!(response.error_code, 0);
    assert!((3_590_000..=3_600_000).contains(&response.session_lifetime_ms), "{}", response.session_lifetime_ms);
    assert_eq!(session.login.caller(), Some(&Caller::Iam(caller)));
    assert!(session.login.admits(ApiKey::Metadata));
}

#[tokio::test]
async fn a_session_can_be_made_longer_by_who_began_it() {
    let bench = Bench::new();
    let (first, other) = (connecting(&bench, "r").await, connecting(&bench, "other").await);
    let mut session = login(&bench, bench.credentials(&first, HOUR));
    assert_eq!(choose(&mut session, "AWS_MSK_IAM"), 0);
    assert!(!session.login.admits(ApiKey::Metadata), "in the middle of a login");
    assert_eq!(show(&mut session, document_of(bench.credentials(&first, HOUR))).0, 0);
    assert!(session.login.admits(ApiKey::Metadata));
    assert_eq!(choose(&mut session, "AWS_MSK_IAM"), ResponseError::IllegalSaslState.code(), "within a second");
    assert!(session.login.admits(ApiKey::Metadata));

    let mut session = login(&bench, bench.credentials(&first, HOUR));
    choose(&mut session, "AWS_MSK_IAM");
    let (code, told) = show(&mut session, document_of(bench.credentials(&other, HOUR)));
    assert_eq!(code, ResponseError::SaslAuthenticationFailed.code());
    assert_eq!(told, format!("Cannot change principals during re-authentication from IAM.{first}: IAM.{other}"));
    assert!(session.login.is_over());

    let mut session = login(&bench, bench.credentials(&first, HOUR));
    assert_eq!(choose(&mut session, "OAUTHBEARER"), 0);
    let (_, told) = show(&mut session, Vec::new());
    assert_eq!(
        told,
        "SASL mechanism 'OAUTHBEARER' requested by client is not supported for re-authentication of mechanism 'AWS_MSK_IAM'"
    );
}

#[tokio::test]
async fn a_session_that_is_over_takes_nothing_but_another_login() {
    let bench = Bench::new();
    let caller = connecting(&bench, "r").await;
    let mut session = login(&bench, bench.credentials(&caller, HOUR));
    session.login.known.as_mut().unwrap().until = Some(now() - 1);
    assert!(!session.login.admits(ApiKey::Metadata) && !session.login.admits(ApiKey::ApiVersions));
    assert!(session.login.admits(ApiKey::SaslHandshake));
    choose(&mut session, "AWS_MSK_IAM");
    assert_eq!(show(&mut session, document_of(bench.credentials(&caller, HOUR))).0, 0);
    assert!(session.login.admits(ApiKey::Metadata));
}

#[tokio::test]
async fn a_session_without_an_end_needs_no_other_login() {
    let bench = Bench::new();
    let owner = [ACCESS_KEY_ID.to_owned(), SECRET_ACCESS_KEY.to_owned(), String::new()];
    let mut session = login(&bench, owner);
    let illegal = ResponseError::IllegalSaslState.code();
    assert_eq!(choose(&mut session, "AWS_MSK_IAM"), illegal);
    assert_eq!(show(&mut session, Vec::new()).0, illegal);
    assert!(session.login.admits(ApiKey::Metadata));
}

#[test]
fn what_comes_out_of_order_ends_the_connection() {
    let bench = Bench::new();
    let illegal = ResponseError::IllegalSaslState.code();
    let mut session = bench.session(Listener::Iam, Caller::Anonymous);
    assert_eq!(show(&mut session, Vec::new()).0, illegal);
    assert!(session.login.is_over());
    let mut session = bench.session(Listener::Iam, Caller::Anonymous);
    choose(&mut session, "OAUTHBEARER");
    assert_eq!(choose(&mut session, "OAUTHBEARER"), illegal);
    assert!(session.login.is_over() && !session.login.admits(ApiKey::SaslHandshake));
}

#[test]
fn a_password_that_nobody_has_is_refused_in_kafkas_words() {
    let bench = Bench::new();
    let mut session = bench.session(Listener::Scram, Caller::Anonymous);
    choose(&mut session, "SCRAM-SHA-512");
    let (code, told) = show(&mut session, b"n,,n=alice,r=abc".to_vec());
    assert_eq!(code, ResponseError::SaslAuthenticationFailed.code());
    assert_eq!(
        told,
        "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"
    );
    assert_eq!(bench.noted()["principal"], "alice");
}
