//! The API Gateway proxy.

use serde::Serialize;

/// An API Gateway REST API in front of the REST proxy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Api {
    /// Which API.
    pub reference: ApiReference,
    /// The REST proxy.
    pub backend: Backend,
    /// The stage's name.
    pub stage: String,
    /// Whether browsers on other origins may post.
    pub cors: bool,
    /// Who may post.
    pub authorization: Authorization,
}

/// Which REST API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ApiReference {
    /// One of our own, by name.
    Name(String),
    /// An existing one, by id.
    Id(String),
}

/// Where an API passes requests to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Backend {
    /// The REST proxy's base URL, without a slash at its end.
    Url(String),
    /// The REST proxy of the manifest's client, at its present address. In the sandbox, which has a proxy of its own, it
    /// is that one unless the client is an instance.
    Client,
}

/// Who may call an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Authorization {
    /// Anybody.
    None,
    /// Requests signed by a principal that may `execute-api:Invoke`.
    AwsIam,
    /// Requests with an API key of its usage plan.
    ApiKey,
}
