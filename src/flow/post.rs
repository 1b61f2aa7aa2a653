//! One post: records to a topic, through the invoke URL, to the REST proxy behind it; and what it answered for each.
//!
//! A post is made once here. Whoever makes it again decides by [`PostError::passes`], and must know
//! [`PostError::in_doubt`]: what is sent again after that may be there twice.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Request, Url, redirect};

use super::batch::{Batch, Place, Records};
use sign::Signer;

mod failure;
mod reply;
mod sign;

pub use failure::{Answer, PostError};
pub use reply::Outcome;

/// The REST proxy's content type for JSON records.
pub const JSON: HeaderValue = HeaderValue::from_static("application/vnd.kafka.json.v2+json");
/// What it answers in.
const ANSWERS: HeaderValue = HeaderValue::from_static("application/vnd.kafka.v2+json");
/// API Gateway gives up on a backend after 29 seconds; its answer that it did so must come before ours.
pub const LONGEST_POST: Duration = Duration::from_secs(35);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What the API wants to see before it passes a post on.
#[derive(Debug)]
pub enum Access {
    /// Nothing.
    Open,
    /// A signature.
    Signed {
        /// Who signs.
        credentials: SharedCredentialsProvider,
        /// The API's region.
        region: String,
    },
    /// An API key.
    Key(String),
}

/// Why no posts can be made.
#[derive(Debug, thiserror::Error)]
pub enum NoPoster {
    /// The URL isn't one.
    #[error("expected the URL of a REST API's stage, got \"{url}\"")]
    Url {
        /// What was given.
        url: String,
    },
    /// The key can't be sent.
    #[error("the API key has characters that no HTTP header may have; check --api-key or PIPELINE_API_KEY")]
    Key,
    /// There is no HTTP client.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
}

/// Makes posts to the topics behind one base URL, over connections that it keeps.
#[derive(Debug)]
pub struct Poster {
    http: Client,
    base: Url,
    gate: Gate,
}

/// [`Access`], made ready.
#[derive(Debug)]
enum Gate {
    Open,
    Signed(Box<Signer>),
    Key(HeaderValue),
}

/// A post that can be made, again and again.
#[derive(Debug)]
pub struct Post {
    request: Request,
    records: Records,
}

impl Post {
    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        self.request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default()
    }

    /// The value of a record, as JSON.
    pub fn value(&self, position: usize) -> &[u8] {
        self.records.value(self.body(), position)
    }

    /// Which records they are.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.records.places()
    }

    pub(super) fn place(&self, position: usize) -> Place {
        self.records.place(position)
    }

    /// Some of its records, in a batch of their own.
    pub(super) fn only(&self, positions: impl IntoIterator<Item = usize>) -> Batch {
        self.records.only(self.body(), positions)
    }
}

impl Poster {
    /// Posts go to `base/topics/…`, and one that takes longer than `limit` is given up.
    ///
    /// # Errors
    /// Where the URL or the key is none, or the system gives no HTTP client.
    pub fn new(base: &str, access: Access, limit: Duration) -> Result<Self, NoPoster> {
        let not_a_url = || NoPoster::Url { url: base.to_owned() };
        let base = Url::parse(base).map_err(|_| not_a_url())?;
        if base.cannot_be_a_base() || base.host().is_none() {
            return Err(not_a_url());
        }
        // A post that was redirected would become a GET.
        let mut http =
            Client::builder().redirect(redirect::Policy::none()).connect_timeout(CONNECT_LIMIT).timeout(limit);
        if is_here(&base) {
            // Proxies of the environment don't lead back to this machine, and plain HTTP needs no certificates.
            http = http.no_proxy();
            if base.scheme() == "http" {
                http = http.tls_certs_only([]);
            }
        }
        let gate = match access {
            Access::Open => Gate::Open,
            Access::Signed { credentials, region } => Gate::Signed(Box::new(Signer::new(credentials, region))),
            Access::Key(key) => {
                let mut key = HeaderValue::try_from(key).map_err(|_| NoPoster::Key)?;
                key.set_sensitive(true);
                Gate::Key(key)
            }
        };
        Ok(Self { http: http.build()?, base, gate })
    }

    /// The post of a batch to a topic.
    pub fn prepare(&self, topic: &str, batch: Batch) -> Post {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["topics", topic]);
        }
        let (body, records) = batch.close();
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        request.headers_mut().insert(ACCEPT, ANSWERS);
        if let Gate::Key(key) = &self.gate {
            request.headers_mut().insert("x-api-key", key.clone());
        }
        *request.body_mut() = Some(body.into());
        Post { request, records }
    }

    /// Makes a post, once. What comes back has an outcome for each record, in their order.
    ///
    /// # Errors
    /// Where the post as a whole did not come to an end that says something of its records.
    pub async fn send(&self, post: &Post) -> Result<Vec<Outcome>, PostError> {
        // A body of bytes can always be cloned, and its clone shares them.
        let mut request = post.request.try_clone().ok_or(PostError::Unrepeatable)?;
        if let Gate::Signed(signer) = &self.gate {
            signer.sign(&mut request, post.body()).await?;
        }
        let answer = self.http.execute(request).await.map_err(PostError::of)?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = answer.bytes().await.map_err(PostError::of)?;
        reply::read(status, &body, post.len()).map_err(|unread| unread.told(retry_after.map(Duration::from_secs)))
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
