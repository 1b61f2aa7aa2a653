//! AWS's published vectors, and what aws-sigv4 signs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use super::*;

const EXAMPLE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Signed requests of AWS's Signature Version 4 test suite.
const SUITE: [&str; 17] = [
    "GET /
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d
Host:example.amazonaws.com",
    "GET /
Host:example.amazonaws.com
My-Header1:value2
My-Header1:value2
My-Header1:value1
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    "GET /
Host:example.amazonaws.com
My-Header1: value1
My-Header2: \"a   b   c\"
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;my-header2;x-amz-date, Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    "GET /example1/example2/../..
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "GET /./
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "GET //example//
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    "GET /?Param2=value2&Param1=value1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    "GET /
Host:example.amazonaws.com
X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Security-Token=6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c
Host:example.amazonaws.com",
    "POST /
Host:example.amazonaws.com
My-Header1:value1
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    "POST /
Content-Type:application/x-www-form-urlencoded
Host:example.amazonaws.com
Content-Length:13
X-Amz-Date:20150830T123600Z
x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b

Param1=value1",
    "POST /test/@connections/JBDvjfGEIAMCERw%3D
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=ANOTREAL/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705
Host:tj9n5r0m12.execute-api.us-east-1.amazonaws.com",
    "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A892717189312%3Afunction%3Amy-rusty-fun/invocations
Host:lambda.us-east-2.amazonaws.com
X-Amz-Date:20210511T154045Z
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20210511/us-east-2/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=4b93abbcc68be32bd64c18e2c71150660ab4c29bbd6c32a383a7517a88fc1804",
];

fn parse(text: &str) -> (Head, String) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.map(|line| line.split_once(':').unwrap());
    let head = Head {
        method: method.to_owned(),
        path: path.to_owned(),
        query: decode_query(query),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect(),
    };
    (head, body.to_owned())
}

/// The secret of the suite's key; one of its requests is signed with another.
fn secret_of(text: &str) -> &'static str {
    if text.contains("ANOTREAL") { "notrealrnrELgWzOk3IfjzDKtFBhDby" } else { EXAMPLE_SECRET }
}

#[test]
fn the_published_requests_verify_and_no_other_does() {
    for text in SUITE {
        let (head, body) = parse(text);
        let signature = Signature::of(&head).unwrap();
        let verifies = |head: &Head, body: &str| {
            let payload = hex::encode(Sha256::digest(body));
            signature.is_of(head, &payload, secret_of(text))
        };
        assert!(verifies(&head, &body), "{text}");
        assert!(!verifies(&head, "another body"), "{text}");
        assert!(!verifies(&Head { method: "PUT".to_owned(), ..head.clone() }, &body), "{text}");
        assert!(!verifies(&Head { path: "/other".to_owned(), ..head.clone() }, &body), "{text}");
        let mut other = head.clone();
        other.query.push(("a".to_owned(), "b".to_owned()));
        assert!(!verifies(&other, &body), "{text}");
    }
}

fn present() -> OffsetDateTime {
    parse_date("20150830T123600Z").unwrap()
}

fn store_with_example_session() -> Store {
    let session = Session {
        secret: EXAMPLE_SECRET.to_owned(),
        token: "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267".to_owned(),
        caller: "arn:aws:sts::000000000000:assumed-role/r/s".to_owned(),
        expires: now() + 60_000,
    };
    let store = Store::in_memory();
    store.transact(|transaction| transaction.put(SESSIONS, "AKIDEXAMPLE", &session)).unwrap();
    store
}

fn verify(text: &str, store: &Store, present: OffsetDateTime) -> Result<String, Problem> {
    let (head, body) = parse(text);
    Signature::of(&head)?.verify_at(&head, Payload::Read(body.as_bytes()), store, present)
}

#[test]
fn temporary_credentials_need_their_token_and_end() {
    let store = store_with_example_session();
    let (with_token, without) = (SUITE[11], SUITE[0]);
    assert_eq!(verify(with_token, &store, present()).unwrap(), "arn:aws:sts::000000000000:assumed-role/r/s");
    assert_eq!(verify(SUITE[12], &store, present()).unwrap(), "arn:aws:sts::000000000000:assumed-role/r/s");
    assert_eq!(verify(without, &store, present()), Err(Problem::UnknownToken));
    assert_eq!(verify(&with_token.replace("6e86", "6e87"), &store, present()), Err(Problem::UnknownToken));
    assert_eq!(verify(with_token, &Store::in_memory(), present()), Err(Problem::UnknownKey));
    store
        .transact(|transaction| {
            let session: Session = transaction.get(SESSIONS, "AKIDEXAMPLE").unwrap();
            transaction.put(SESSIONS, "AKIDEXAMPLE", &Session { expires: now() - 1, ..session })
        })
        .unwrap();
    assert_eq!(verify(with_token, &store, present()), Err(Problem::ExpiredToken));
}

#[test]
fn clocks_may_be_five_minutes_apart() {
    let store = store_with_example_session();
    let at = |minutes| verify(SUITE[11], &store, present() + Duration::minutes(minutes));
    assert!(at(5).is_ok());
    assert!(at(-5).is_ok());
    let skewed = |text: &str| Err(Problem::Skewed(text.to_owned()));
    assert_eq!(
        at(6),
        skewed("Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z (20150830T124200Z - 5 min.)")
    );
    assert_eq!(
        at(-6),
        skewed(
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T123000Z + 5 min.)"
        )
    );
}

#[test]
fn a_presigned_url_holds_for_its_time() {
    let store = store_with_example_session();
    let at = |minutes| verify(SUITE[12], &store, present() + Duration::minutes(minutes));
    assert!(at(60).is_ok());
    assert_eq!(at(61), Err(Problem::ExpiredUrl));
    assert!(matches!(at(-6), Err(Problem::Skewed(_))));
}

#[test]
fn what_is_incomplete_is_told() {
    let of = |headers: &[&str]| Signature::of(&parse(&format!("GET /\nhost:a\n{}", headers.join("\n"))).0).map(|_| ());
    assert_eq!(of(&[]), Err(Problem::Unsigned));
    let incomplete = |text: &str| Err(Problem::Incomplete(text.to_owned()));
    assert_eq!(
        of(&["authorization:Basic abc"]),
        incomplete("Authorization header requires the algorithm AWS4-HMAC-SHA256.")
    );
    assert_eq!(
        of(&["authorization:AWS4-HMAC-SHA256 SignedHeaders=host"]),
        incomplete(
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
             Authorization header requires existence of a 'X-Amz-Date' header. Authorization=AWS4-HMAC-SHA256"
        )
    );
    let signed = |credential: &str, headers: &str, date: &str| {
        let header =
            format!("authorization:AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature=00");
        of(&[&header, &format!("x-amz-date:{date}")])
    };
    let scope = "k/20150830/us-east-1/iam/aws4_request";
    assert_eq!(signed(scope, "host;x-amz-date", "20150830T123600Z"), Ok(()));
    assert!(matches!(signed("k/20150830/us-east-1/iam", "host", "20150830T123600Z"), Err(Problem::Scope(_))));
    assert!(matches!(signed(scope, "host", "20150831T123600Z"), Err(Problem::Scope(_))));
    assert!(matches!(signed(scope, "host", "2015-08-30"), Err(Problem::Incomplete(_))));
    assert!(matches!(signed(scope, "x-amz-date", "20150830T123600Z"), Err(Problem::Incomplete(_))));
    assert!(matches!(signed("k//us-east-1/iam/aws4_request", "host", "20150830T123600Z"), Err(Problem::Scope(_))));
}

/// Signs with aws-sigv4, as the SDK does, and gives back the request as it would arrive.
fn signed_by_the_sdk(service: &str, method: &str, target: &str, body: &[u8], location: SignatureLocation) -> Head {
    let url = format!("http://127.0.0.1:4566{target}");
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if location == SignatureLocation::QueryParams {
        settings.expires_in = Some(std::time::Duration::from_secs(60));
    }
    let identity = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let payload = if location == SignatureLocation::QueryParams && service == "s3" {
        SignableBody::UnsignedPayload
    } else {
        SignableBody::Bytes(body)
    };
    let headers = [("host", "127.0.0.1:4566"), ("content-type", "application/json"), ("x-amz-meta-a", "  b   c ")];
    let headers = if location == SignatureLocation::Headers { &headers[..] } else { &headers[..1] };
    let request = SignableRequest::new(method, &url, headers.iter().copied(), payload).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let mut signed = http::Request::builder().method(method).uri(&url).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut signed);
    let (path, query) = (signed.uri().path().to_owned(), decode_query(signed.uri().query().unwrap_or_default()));
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let added = signed.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    headers.extend(added);
    Head { method: method.to_owned(), path, query, headers }
}

#[test]
fn what_the_sdk_signs_is_let_in() {
    let store = Store::in_memory();
    let targets = [
        "/",
        "/v1/clusters/arn%3Aaws%3Akafka%3Aeu-west-1%3A000000000000%3Acluster%2Fa%2F1/topics",
        "/api/v2/clusters?clusterNameFilter=a%20b&maxResults=1",
        "/tags/a?tagKeys=x&tagKeys=b&tagKeys=%2B%26",
        "/bucket/a%20b/c%2B0%2B%C3%A9.json",
        "/bucket?list-type=2&prefix=&delimiter=%2F",
    ];
    for service in ["kafka", "kafkaconnect", "apigateway", "iam", "sts", "s3"] {
        for target in targets {
            for location in [SignatureLocation::Headers, SignatureLocation::QueryParams] {
                let body = if location == SignatureLocation::Headers { "{\"a\":1}" } else { "" };
                let head = signed_by_the_sdk(service, "POST", target, body.as_bytes(), location);
                let signature = Signature::of(&head).unwrap();
                assert_eq!((signature.service.as_str(), signature.region.as_str()), (service, "eu-west-1"));
                let declared = head.header("x-amz-content-sha256").unwrap_or_default().to_owned();
                let payload =
                    if service == "s3" { Payload::Declared(&declared) } else { Payload::Read(body.as_bytes()) };
                let verified = signature.verify(&head, payload, &store);
                assert_eq!(verified.as_deref(), Ok(CALLER), "{service} {target} {location:?}");
                let mut altered = head.clone();
                altered.query.push(("evil".to_owned(), String::new()));
                assert_eq!(signature.verify(&altered, payload, &store), Err(Problem::Mismatch));
            }
        }
    }
}

#[test]
fn s3_wants_its_headers_signed() {
    let mut head = signed_by_the_sdk("s3", "PUT", "/b/k", b"x", SignatureLocation::Headers);
    head.headers.push(("x-amz-acl".to_owned(), "public-read".to_owned()));
    let declared = head.header("x-amz-content-sha256").unwrap().to_owned();
    let verified = Signature::of(&head).unwrap().verify(&head, Payload::Declared(&declared), &Store::in_memory());
    assert_eq!(verified, Err(Problem::HeadersNotSigned("x-amz-acl".to_owned())));
}
