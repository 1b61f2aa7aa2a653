//! One call of a deployed API: what is known of it, and the values that mappings and templates take from it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

use super::refusal::Refusal;
use super::routes::Route;
use super::stages::Stage;
use crate::sandbox::signature::decode_query;
use crate::sandbox::world::ACCOUNT;

pub(super) struct Exchange<'a> {
    pub(super) api_id: &'a str,
    pub(super) stage_name: &'a str,
    /// The path without the stage, as it was sent.
    pub(super) path: &'a str,
    pub(super) stage: &'a Stage,
    pub(super) parts: &'a Parts,
    pub(super) client: SocketAddr,
    pub(super) request_id: String,
    /// Who signed the call, where that was asked.
    pub(super) caller: Option<String>,
    /// Empty until it was read.
    pub(super) body: Bytes,
    route: Option<Route<'a>>,
    received: OffsetDateTime,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        api_id: &'a str,
        stage_name: &'a str,
        path: &'a str,
        stage: &'a Stage,
        parts: &'a Parts,
        client: SocketAddr,
    ) -> Self {
        let (request_id, received) = (Uuid::new_v4().to_string(), OffsetDateTime::now_utc());
        let (caller, body, route) = (None, Bytes::new(), None);
        Self { api_id, stage_name, path, stage, parts, client, request_id, caller, body, route, received }
    }

    /// Where the call leads.
    ///
    /// # Errors
    /// Where that is nowhere; API Gateway tells it as if a signature were missing.
    pub(super) fn find_route(&mut self) -> Result<Route<'a>, Refusal> {
        let route = self.stage.api.routes.find(self.path, self.parts.method.as_str());
        let route = route.ok_or_else(Refusal::missing_token)?;
        self.route = Some(route.clone());
        Ok(route)
    }

    /// The id that API Gateway gives a request beside the one that it is known by.
    pub(super) fn extended_request_id(&self) -> String {
        let letters = self.request_id.bytes().filter(u8::is_ascii_hexdigit).take(15);
        letters.map(char::from).chain(['=']).collect()
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The values of a mapping's right side: none where the call doesn't have it.
    pub(super) fn values(&self, source: &str) -> Vec<String> {
        if let Some(text) = source.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return vec![text.to_owned()];
        }
        if let Some(name) = source.strip_prefix("stageVariables.") {
            return self.stage.variables.get(name).cloned().into_iter().collect();
        }
        if let Some(name) = source.strip_prefix("context.") {
            return self.context(name).into_iter().collect();
        }
        let Some((place, name)) =
            source.strip_prefix("method.request.").map(|rest| rest.split_once('.').unwrap_or((rest, "")))
        else {
            return Vec::new();
        };
        match place {
            "path" => self
                .route
                .iter()
                .flat_map(|route| &route.values)
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.clone())
                .collect(),
            "header" => self.headers(name).into_iter().take(1).collect(),
            "multivalueheader" => self.headers(name),
            // Of several values API Gateway takes the last.
            "querystring" => self.query(name).pop().into_iter().collect(),
            "multivaluequerystring" => self.query(name),
            "body" => self.body_member(name).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn headers(&self, name: &str) -> Vec<String> {
        let values = self.parts.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    fn query(&self, name: &str) -> Vec<String> {
        let pairs = decode_query(self.parts.uri.query().unwrap_or_default());
        pairs.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// The body, or a member of it by its path.
    fn body_member(&self, path: &str) -> Option<String> {
        if path.is_empty() {
            return Some(String::from_utf8_lossy(&self.body).into_owned());
        }
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let found = path.split('.').try_fold(&body, |value, member| value.get(member))?;
        Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
    }

    /// A variable of `$context`.
    pub(super) fn context(&self, name: &str) -> Option<String> {
        let host = || self.header("host").unwrap_or_default().to_owned();
        Some(match name {
            "accountId" => ACCOUNT.to_owned(),
            "apiId" => self.api_id.to_owned(),
            "deploymentId" => self.stage.deployment_id.clone(),
            "domainName" => host(),
            "domainPrefix" => host().split('.').next().unwrap_or_default().to_owned(),
            "extendedRequestId" => self.extended_request_id(),
            "httpMethod" => self.parts.method.to_string(),
            "identity.sourceIp" => self.client.ip().to_string(),
            "identity.userAgent" => self.header(header::USER_AGENT.as_str())?.to_owned(),
            "identity.apiKey" => self.header("x-api-key")?.to_owned(),
            "identity.userArn" => self.caller.clone()?,
            "path" => self.parts.uri.path().to_owned(),
            "protocol" => format!("{:?}", self.parts.version),
            "requestId" => self.request_id.clone(),
            "requestTime" => self.received.format(REQUEST_TIME).ok()?,
            "requestTimeEpoch" => (self.received.unix_timestamp_nanos() / 1_000_000).to_string(),
            "resourcePath" => self.route.as_ref()?.resource_path.to_owned(),
            "stage" => self.stage_name.to_owned(),
            _ => return None,
        })
    }

    /// What a template's reference stands for: nothing where only the real service knows it.
    pub(super) fn reference(&self, name: &str) -> Option<String> {
        let known = name.strip_prefix("context.").map(|name| self.context(name));
        let known =
            known.or_else(|| name.strip_prefix("stageVariables.").map(|name| self.stage.variables.get(name).cloned()));
        // A variable that the call hasn't got is empty.
        known.map(Option::unwrap_or_default)
    }

    /// The resource of an `execute-api:Invoke`: `API/STAGE/METHOD/PATH`.
    pub(super) fn invoked(&self) -> String {
        let path = percent_decode_str(self.path.trim_start_matches('/')).decode_utf8_lossy();
        format!("{}/{}/{}/{path}", self.api_id, self.stage_name, self.parts.method)
    }
}

/// `09/Apr/2015:12:34:56 +0000`
const REQUEST_TIME: &[time::format_description::BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
