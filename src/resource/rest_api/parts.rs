//! What of a REST API is the pipeline's business: the normal form that a declaration and what was seen both go through.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::engine::{Field, Fields};
use crate::manifest::{Api, ApiReference, Authorization};

/// The path part of the one resource that is ours. Greedy: everything below the root that no other resource takes.
pub(super) const PROXY: &str = "{proxy+}";
/// How a method declares the part of the path that [`PROXY`] took.
pub(super) const METHOD_PATH: &str = "method.request.path.proxy";
/// How an integration takes it over.
pub(super) const INTEGRATION_PATH: &str = "integration.request.path.proxy";
/// AWS's own default, and the most that it allows without a raised quota.
const TIMEOUT_MS: i32 = 29_000;
/// How [`Preflight::answer`] tells an integration that answers by itself, with 200.
pub(super) const ANSWERS_200: &str = "MOCK 200";

/// The headers that a browser on another origin asks for: the field's name, the header, its value. A REST proxy is
/// posted to with JSON, and with what the three kinds of authorization need.
pub(super) const CORS: [(&str, &str, &str); 3] = [
    (
        "allow_headers",
        "Access-Control-Allow-Headers",
        "Content-Type,Authorization,X-Amz-Date,X-Api-Key,X-Amz-Security-Token",
    ),
    ("allow_methods", "Access-Control-Allow-Methods", "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"),
    ("allow_origin", "Access-Control-Allow-Origin", "*"),
];

/// The gateway's own errors, which never reach the backend and so lack the backend's CORS headers.
pub(super) const ERRORS: [&str; 2] = ["DEFAULT_4XX", "DEFAULT_5XX"];

/// What of an API is the pipeline's business. What is absent is not there, or not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// The name, of an API of our own.
    pub(super) name: Option<String>,
    /// The key of the tag that marks a shared API.
    pub(super) tag: Option<String>,
    /// The method ANY of the proxy resource.
    pub(super) method: Option<Method>,
    /// What that method passes requests to.
    pub(super) integration: Option<Integration>,
    /// The method OPTIONS of the proxy resource.
    pub(super) preflight: Option<Preflight>,
    /// Which CORS headers each of the [`ERRORS`] carries.
    pub(super) error_headers: BTreeMap<String, BTreeSet<String>>,
    /// The stage's name.
    pub(super) stage: Option<String>,
    /// Whether the stage serves what is declared.
    pub(super) deployment: Option<Deployment>,
    /// Which stages of the API the usage plan covers.
    pub(super) usage_plan: Option<BTreeSet<String>>,
    /// The API key.
    pub(super) api_key: Option<Key>,
}

/// Who may call, and whether the path is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Method {
    /// `NONE`, `AWS_IAM`, …
    pub(super) authorization: String,
    /// Whether a call needs an API key.
    pub(super) api_key_required: bool,
    /// Whether the path is declared, and then whether it is required.
    pub(super) path_required: Option<bool>,
}

/// What answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Integration {
    /// `HTTP_PROXY`, …
    pub(super) kind: String,
    /// The method that the backend is called with; `ANY` passes the caller's on.
    pub(super) http_method: String,
    /// The backend, with `{proxy}` where the path goes.
    pub(super) uri: String,
    /// Where the path comes from.
    pub(super) path: Option<String>,
    /// How long the backend may take, in milliseconds.
    pub(super) timeout_ms: i32,
    /// `INTERNET` or `VPC_LINK`.
    pub(super) connection: String,
}

/// What a browser that asks before it posts is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preflight {
    /// Who may ask. A browser asks without credentials, so only `NONE` works.
    pub(super) authorization: String,
    /// Whether asking needs an API key. A browser sends none.
    pub(super) api_key_required: bool,
    /// What answers: [`ANSWERS_200`], or something else.
    pub(super) answer: Option<String>,
    /// Which CORS headers the method's 200 declares; absent where it declares no 200.
    pub(super) declared: Option<BTreeSet<String>>,
    /// The CORS headers that the integration's 200 sets, without AWS's single quotes.
    pub(super) headers: BTreeMap<String, String>,
}

/// Whether what a stage serves is what is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deployment {
    /// The deployment was made of what is declared.
    Current,
    /// It was made of something else.
    Outdated,
}

/// What can be said of an API key without telling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It works.
    Enabled,
    /// It was switched off.
    Disabled,
    /// Our usage plan does not have it.
    Unlinked,
}

impl Parts {
    /// What is declared, with requests passed to `backend`, a base URL without a slash at its end, where that is known.
    pub(super) fn declared(api: &Api, backend: Option<&str>, shared_key: &str) -> Self {
        let (name, tag) = match &api.reference {
            ApiReference::Name(name) => (Some(name.clone()), None),
            ApiReference::Id(_) => (None, Some(shared_key.to_owned())),
        };
        let by_key = api.authorization == Authorization::ApiKey;
        let authorization = if api.authorization == Authorization::AwsIam { "AWS_IAM" } else { "NONE" };
        Self {
            name,
            tag,
            method: Some(Method {
                authorization: authorization.to_owned(),
                api_key_required: by_key,
                path_required: Some(true),
            }),
            integration: backend.map(Integration::to),
            preflight: api.cors.then(Preflight::wanted),
            error_headers: if api.cors { all_errors() } else { BTreeMap::new() },
            stage: Some(api.stage.clone()),
            deployment: Some(Deployment::Current),
            usage_plan: by_key.then(|| [api.stage.clone()].into()),
            api_key: by_key.then_some(Key::Enabled),
        }
    }

    /// All of it, flat.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = self.frozen();
        let mut set = |key: &str, value: Value| put(&mut fields, key, value);
        set("name", json!(self.name));
        set("tag", json!(self.tag));
        set("stage", json!(self.stage));
        set("deployment", json!(self.deployment.map(Deployment::as_str)));
        set("usage_plan.stages", json!(self.usage_plan));
        set("api_key", json!(self.api_key.map(Key::as_str)));
        fields
    }

    /// That of it which a deployment freezes.
    pub(super) fn frozen(&self) -> Fields {
        let mut fields = Fields::new();
        let mut set = |key: &str, value: Value| put(&mut fields, key, value);
        if let Some(method) = &self.method {
            set("method.ANY.authorization", json!(method.authorization));
            set("method.ANY.api_key_required", json!(method.api_key_required));
            set("method.ANY.path_required", json!(method.path_required));
        }
        if let Some(integration) = &self.integration {
            set("integration.type", json!(integration.kind));
            set("integration.method", json!(integration.http_method));
            set("integration.uri", json!(integration.uri));
            set("integration.path", json!(integration.path));
            set("integration.timeout_ms", json!(integration.timeout_ms));
            set("integration.connection", json!(integration.connection));
        }
        if let Some(preflight) = &self.preflight {
            set("method.OPTIONS.authorization", json!(preflight.authorization));
            set("method.OPTIONS.api_key_required", json!(preflight.api_key_required));
            set("cors.preflight", json!(preflight.answer));
            for (field, header, _) in CORS {
                set(&format!("cors.{field}"), json!(preflight.answered(header)));
            }
        }
        for (error, headers) in &self.error_headers {
            set(&format!("cors.{error}"), json!(headers));
        }
        fields
    }
}

/// Sets a field where it has a value.
fn put(fields: &mut Fields, key: &str, value: Value) {
    if !value.is_null() {
        fields.set(key, Field::Known(value));
    }
}

impl Integration {
    fn to(backend: &str) -> Self {
        Self {
            kind: "HTTP_PROXY".to_owned(),
            http_method: "ANY".to_owned(),
            uri: format!("{backend}/{{proxy}}"),
            path: Some(METHOD_PATH.to_owned()),
            timeout_ms: TIMEOUT_MS,
            connection: "INTERNET".to_owned(),
        }
    }
}

impl Preflight {
    pub(super) fn wanted() -> Self {
        Self {
            authorization: "NONE".to_owned(),
            api_key_required: false,
            answer: Some(ANSWERS_200.to_owned()),
            declared: Some(all_headers()),
            headers: CORS.iter().map(|(_, header, value)| ((*header).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// The value that a header is really sent with: it must be declared, and set.
    fn answered(&self, header: &str) -> Option<&str> {
        let declared = self.declared.as_ref().is_some_and(|declared| declared.contains(header));
        if declared { self.headers.get(header).map(String::as_str) } else { None }
    }
}

impl Deployment {
    fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Outdated => "outdated",
        }
    }
}

impl Key {
    fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Unlinked => "not in the usage plan",
        }
    }
}

/// The names of all CORS headers.
pub(super) fn all_headers() -> BTreeSet<String> {
    CORS.iter().map(|(_, header, _)| (*header).to_owned()).collect()
}

fn all_errors() -> BTreeMap<String, BTreeSet<String>> {
    ERRORS.iter().map(|error| ((*error).to_owned(), all_headers())).collect()
}
