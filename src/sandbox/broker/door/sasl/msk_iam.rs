//! IAM authentication: a presigned request to connect, which the broker verifies instead of a service. Java's clients send
//! its parts as JSON (`AWS_MSK_IAM`, <https://github.com/aws/aws-msk-iam-auth>), all others its URL as a bearer token
//! (`OAUTHBEARER`, RFC 7628, <https://github.com/aws/aws-msk-iam-sasl-signer-python>).
//!
//! MSK's answer to whatever is wrong is `Access denied`, or `Session too short` where it is about time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::{Failure, Step};
use crate::sandbox::broker::door::caller::Caller;
use crate::sandbox::broker::door::rights;
use crate::sandbox::iam::Grants;
use crate::sandbox::kafka::Cluster;
use crate::sandbox::protocol::Protocol;
use crate::sandbox::signature::{Head, Payload, Problem, Signature, decode_query};
use crate::sandbox::world::{Millis, World, now};

const SERVICE: &str = "kafka-cluster";
const CONNECT: &str = "kafka-cluster:Connect";
const VERSION: &str = "2020_10_22";
/// Seconds for which a request may be presigned at most.
const LONGEST: i64 = 900;
/// A session that ends sooner isn't worth beginning. How short is too short for MSK isn't documented.
const SHORTEST: Millis = 2_000;
/// What signers add to the URL after they signed it.
const UNSIGNED: &str = "User-Agent";
/// What separates the parts of a bearer token's message.
const SEPARATOR: char = '\u{1}';

/// The parameters of the document, and of the request that was signed.
const PARAMETERS: [(&str, &str); 7] = [
    ("action", "Action"),
    ("x-amz-algorithm", "X-Amz-Algorithm"),
    ("x-amz-credential", "X-Amz-Credential"),
    ("x-amz-date", "X-Amz-Date"),
    ("x-amz-expires", "X-Amz-Expires"),
    ("x-amz-security-token", "X-Amz-Security-Token"),
    ("x-amz-signedheaders", "X-Amz-SignedHeaders"),
];

/// A request that somebody signed.
struct Proof {
    caller: String,
    /// When the request holds no longer.
    request_ends: Millis,
    /// When the credentials hold no longer.
    credentials_end: Option<Millis>,
}

/// Judges `AWS_MSK_IAM`'s document. The session lasts as long as the credentials do.
pub(super) fn document(world: &World, cluster: &Cluster, message: &[u8]) -> Result<Step, Failure> {
    let malformed = |what: String| denied("", what, None);
    let document: Map<String, Value> =
        serde_json::from_slice(message).map_err(|_| malformed("The message is not a JSON object.".to_owned()))?;
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    if member("version") != Some(VERSION) {
        return Err(malformed(format!("The document's version is not {VERSION}.")));
    }
    let host = member("host").filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| malformed("The document has no host.".to_owned()))?;
    let signature = member("x-amz-signature").unwrap_or_default().to_owned();
    let signed = PARAMETERS.iter().filter_map(|(name, key)| Some(((*key).to_owned(), member(name)?.to_owned())));
    let query = signed.chain([("X-Amz-Signature".to_owned(), signature)]).collect();
    let Proof { caller, credentials_end: until, .. } = verify(world, cluster, &head(host, query))?;
    let reply = json!({"version": VERSION, "request-id": Uuid::new_v4().to_string()});
    Ok(Step::Done { caller: Caller::Iam(caller), until, reply: reply.to_string().into() })
}

/// Judges `OAUTHBEARER`'s message. The session lasts as long as the token and the credentials do.
pub(super) fn token(world: &World, cluster: &Cluster, message: &[u8]) -> Result<Step, Failure> {
    let malformed = |what: &str| denied("", what.to_owned(), None);
    let message = std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))?;
    let (_, pairs) = message
        .split_once(SEPARATOR)
        .filter(|(header, _)| header.starts_with("n,"))
        .ok_or_else(|| malformed("The message has no GS2 header."))?;
    let bearer =
        pairs.split(SEPARATOR).find_map(|pair| pair.strip_prefix("auth=")).and_then(|auth| auth.split_once(' '));
    let (_, token) = bearer
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or_else(|| malformed("The message has no bearer token."))?;
    let url = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok().and_then(|url| String::from_utf8(url).ok());
    let url = url.and_then(|url| Url::parse(&url).ok()).filter(|url| url.scheme() == "https" && url.path() == "/");
    let url = url.ok_or_else(|| malformed("The token is not the Base64 of a presigned URL."))?;
    let mut query = decode_query(url.query().unwrap_or_default());
    query.retain(|(key, _)| key != UNSIGNED);
    let Proof { caller, request_ends, credentials_end } =
        verify(world, cluster, &head(url.host_str().unwrap_or_default(), query))?;
    let until = credentials_end.map_or(request_ends, |end| end.min(request_ends));
    Ok(Step::Done { caller: Caller::Iam(caller), until: Some(until), reply: bytes::Bytes::new() })
}

/// The request that was signed.
fn head(host: &str, query: Vec<(String, String)>) -> Head {
    let headers = vec![("host".to_owned(), host.to_owned())];
    Head { method: "GET".to_owned(), path: "/".to_owned(), query, headers }
}

fn verify(world: &World, cluster: &Cluster, head: &Head) -> Result<Proof, Failure> {
    let worded = |problem: &Problem| Protocol::RestJson.refusal(problem).message;
    let signature = Signature::of(head).map_err(|problem| denied("", worded(&problem), None))?;
    let key = signature.key_id();
    let refused = |why: String| Err(denied(key, why, None));
    if signature.service != SERVICE {
        return refused(format!("It is signed for the service {}, not {SERVICE}.", signature.service));
    }
    if signature.region != cluster.region {
        return refused(format!("It is signed for {}, and the cluster is in {}.", signature.region, cluster.region));
    }
    if head.query("Action") != Some(CONNECT) {
        return refused(format!("The action is not {CONNECT}."));
    }
    let (seconds, request_ends) = signature.presigned().unwrap_or_default();
    if seconds > LONGEST || head.query("X-Amz-Expires").is_none() {
        return refused(format!("X-Amz-Expires is not a number of seconds up to {LONGEST}."));
    }
    if !signature.is_of_headers(&["host"]) {
        return refused("The signed headers are not host alone.".to_owned());
    }
    let caller = signature.verify(head, Payload::Read(b""), &world.store).map_err(|problem| match problem {
        Problem::ExpiredToken | Problem::ExpiredUrl => too_short(key, worded(&problem)),
        _ => denied(key, worded(&problem), None),
    })?;
    if let Some(denial) = Grants::of(world, &caller, &rights::context(world, cluster)).denial(CONNECT, &cluster.arn) {
        let why = rights::sentence(&caller, CONNECT, &cluster.arn, denial);
        return Err(denied(&Caller::Iam(caller).to_string(), why, Some((CONNECT.to_owned(), cluster.arn.clone()))));
    }
    let credentials_end = signature.credentials_end(&world.store);
    let ends = credentials_end.map_or(request_ends, |end| end.min(request_ends));
    if ends < now() + SHORTEST {
        return Err(too_short(
            key,
            "What it is signed with, or the time for which it is signed, has almost expired.".to_owned(),
        ));
    }
    Ok(Proof { caller, request_ends, credentials_end })
}

fn denied(who: &str, why: String, missing: Option<(String, String)>) -> Failure {
    failure("Access denied", who, why, missing)
}

fn too_short(who: &str, why: String) -> Failure {
    failure("Session too short", who, why, None)
}

fn failure(told: &str, who: &str, why: String, missing: Option<(String, String)>) -> Failure {
    Failure { told: format!("[{}]: {told}", Uuid::new_v4()), who: who.to_owned(), why, missing }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests;
