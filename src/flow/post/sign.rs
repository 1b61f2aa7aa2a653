//! Signature Version 4 for calls of an API with `authorization: aws_iam`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::Mutex;

use super::PostError;

/// The name that API Gateway goes by where an API is called.
const SERVICE: &str = "execute-api";
/// How long before their end credentials are asked for anew.
const SPARE: Duration = Duration::from_secs(120);

/// Signs requests as whoever the credentials belong to.
#[derive(Debug)]
pub(super) struct Signer {
    provider: SharedCredentialsProvider,
    /// The provider may ask STS or SSO each time that it is asked.
    last: Mutex<Option<Credentials>>,
    region: String,
}

impl Signer {
    pub(super) fn new(provider: SharedCredentialsProvider, region: String) -> Self {
        Self { provider, last: Mutex::new(None), region }
    }

    /// Puts a signature of now on a request.
    pub(super) async fn sign(&self, request: &mut Request, body: &[u8]) -> Result<(), PostError> {
        let credentials = self.credentials().await.map_err(PostError::unsigned)?;
        let headers = signature(request, body, &self.region, credentials, SystemTime::now())?;
        for (name, mut value) in headers {
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }

    async fn credentials(&self) -> Result<Credentials, aws_credential_types::provider::error::CredentialsError> {
        let mut last = self.last.lock().await;
        if let Some(known) = last.as_ref().filter(|known| lasts(known, SystemTime::now())) {
            return Ok(known.clone());
        }
        let fresh = self.provider.provide_credentials().await?;
        *last = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Whether credentials can still be used for a while.
fn lasts(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_none_or(|end| now + SPARE < end)
}

/// The headers that sign a request.
fn signature(
    request: &Request,
    body: &[u8],
    region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, PostError> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(PostError::unsigned)?
        .into();
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        [(CONTENT_TYPE.as_str(), content_type)].into_iter(),
        SignableBody::Bytes(body),
    )
    .map_err(PostError::unsigned)?;
    let (instructions, _) = sign(signable, &parameters).map_err(PostError::unsigned)?.into_parts();
    instructions
        .headers()
        .map(|(name, value)| {
            let name = HeaderName::try_from(name).map_err(PostError::unsigned)?;
            Ok((name, HeaderValue::try_from(value).map_err(PostError::unsigned)?))
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;
    use reqwest::Method;

    use super::*;

    /// Gives credentials that last so long, and counts how often it is asked.
    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>, Duration);

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::Relaxed);
            let end = SystemTime::now() + self.1;
            future::ProvideCredentials::ready(Ok(Credentials::new(
                "AKID",
                "secret",
                Some("token".into()),
                Some(end),
                "test",
            )))
        }
    }

    fn request() -> Request {
        let mut request = Request::new(
            Method::POST,
            "https://a1.execute-api.us-east-1.amazonaws.com/dev/topics/t.pin".parse().unwrap(),
        );
        request.headers_mut().insert(CONTENT_TYPE, super::super::JSON);
        request
    }

    async fn times_asked(lasting: Duration) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let provider = SharedCredentialsProvider::new(Counting(Arc::clone(&asked), lasting));
        let signer = Signer::new(provider, "us-east-1".to_owned());
        for _ in 0..3 {
            signer.sign(&mut request(), b"{}").await.unwrap();
        }
        asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn credentials_are_asked_for_again_only_when_they_end() {
        assert_eq!(times_asked(Duration::from_secs(3600)).await, 1);
        assert_eq!(times_asked(Duration::from_secs(60)).await, 3);
    }

    #[tokio::test]
    async fn what_is_signed_is_named_and_the_token_goes_along() {
        let provider =
            SharedCredentialsProvider::new(Counting(Arc::new(AtomicUsize::new(0)), Duration::from_secs(3600)));
        let mut request = request();
        Signer::new(provider, "eu-west-1".to_owned()).sign(&mut request, b"{}").await.unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        let authorization = header("authorization");
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
        assert!(authorization.contains("/eu-west-1/execute-api/aws4_request"), "{authorization}");
        assert!(
            authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"),
            "{authorization}"
        );
        assert_eq!(header("x-amz-security-token"), "token");
        assert!(!format!("{request:?}").contains("AWS4-HMAC"), "nothing of it is logged");
    }

    #[test]
    fn a_signature_depends_on_body_and_time() {
        let credentials = || Credentials::new("AKID", "secret", None, None, "test");
        let of = |body: &[u8], seconds| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            signature(&request(), body, "us-east-1", credentials(), now).unwrap()
        };
        assert_eq!(of(b"{}", 1_700_000_000), of(b"{}", 1_700_000_000));
        assert_ne!(of(b"{}", 1_700_000_000), of(b"[]", 1_700_000_000));
        assert_ne!(of(b"{}", 1_700_000_000), of(b"{}", 1_700_000_001));
    }
}
