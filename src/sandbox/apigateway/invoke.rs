//! The invoke URL: calls of deployed APIs, answered as API Gateway answers them.
//!
//! ```text
//! request ──▶ stages ──▶ routes ──▶ authorization ──▶ request ──▶ backend ──▶ response
//!               │           │             │             │            └─▶ refusal
//!               └───────────┴─────────────┴─▶ refusal   └─▶ mock
//! ```
//!
//! What is live is the snapshot of the deployment that a stage points at, and nothing else. A call is found by the path
//! (`http://127.0.0.1:PORT/STAGE/…`, a port for each API) or by the host name (`ID.execute-api.REGION.amazonaws.com`, on
//! the port of the sandbox's endpoint).
//!
//! Answered are `HTTP_PROXY` and `MOCK` integrations, which is what the tool makes; a call of any other says that the
//! sandbox hasn't got it. Mapping templates may use `$context` and `$stageVariables`. Usage plans decide whose key may
//! call, but their rates and quotas aren't counted, and an API's resource policy isn't evaluated.
//!
//! Sources: API Gateway's developer guide, above all its pages on gateway responses, on header handling ("important
//! notes"), on parameter mappings and on 403 errors; and responses of the real service that LocalStack's tests record.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use s3s::Body;
use tokio::net::TcpListener;

mod authorization;
mod backend;
mod exchange;
mod mock;
mod refusal;
mod request;
mod response;
mod routes;
mod stages;
mod template;

use crate::sandbox::listener::{self, Answer, Unanswered};
use crate::sandbox::protocol::set_header;
use crate::sandbox::world::World;
use backend::Backends;
use exchange::Exchange;
use refusal::Refusal;
use stages::Stages;

/// A payload may have 10 MB.
const LARGEST_BODY: usize = 10 << 20;

/// Serves one API until it is dropped.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>, api_id: String) {
    let api = Arc::new(OneApi { gateway: Gateway::new(world), api_id });
    listener::serve(listener, api, pending::<()>()).await;
}

struct OneApi {
    gateway: Gateway,
    api_id: String,
}

impl Answer for OneApi {
    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Result<Response<Body>, Unanswered> {
        Ok(self.gateway.answer(&self.api_id, None, request, client).await)
    }
}

/// What a host name says of an API: its id, and its region where the name has one.
pub(crate) fn api_of_host(host: &str) -> Option<(&str, Option<&str>)> {
    let (id, rest) = host.split_once(".execute-api.")?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let region = rest.split_once(".amazonaws.com").map(|(region, _)| region);
    is_id.then_some((id, region))
}

/// Whatever answers calls of deployed APIs.
pub(crate) struct Gateway {
    world: Arc<World>,
    stages: Stages,
    backends: Backends,
}

impl Gateway {
    pub(crate) fn new(world: Arc<World>) -> Self {
        let stages = Stages::of(&world.store);
        Self { backends: Backends::of(Arc::clone(&world)), world, stages }
    }

    /// Answers a call of an API, which must be in `region` where one is given.
    pub(crate) async fn answer(
        &self,
        api_id: &str,
        region: Option<&str>,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        // The target of a CONNECT has no path at all.
        let path = parts.uri.path().strip_prefix('/').unwrap_or_default();
        let (stage_name, path) = path.split_at(path.find('/').unwrap_or(path.len()));
        let stage = self.stages.live(&self.world, api_id, stage_name);
        let Some(stage) = stage.filter(|stage| region.is_none_or(|region| region == stage.region)) else {
            drain(body).await;
            return refusal::no_such_stage();
        };
        let mut exchange = Exchange::new(api_id, stage_name, path, &stage, &parts, client);
        let mut response = match self.carry_out(&mut exchange, body).await {
            Ok(response) => response,
            Err(refusal) => refusal.write(&exchange),
        };
        set_header(&mut response, "x-amzn-requestid", &exchange.request_id);
        set_header(&mut response, "x-amz-apigw-id", &exchange.extended_request_id());
        response
    }

    async fn carry_out(&self, exchange: &mut Exchange<'_>, body: Incoming) -> Result<Response<Body>, Refusal> {
        let route = match exchange.find_route() {
            Ok(route) => route,
            Err(refusal) => {
                drain(body).await;
                return Err(refusal);
            }
        };
        exchange.body = read(exchange, body).await?;
        let method = route.method;
        if method.authorization_type == "AWS_IAM" {
            authorization::check_signature(&self.world, exchange)?;
        }
        if method.api_key_required {
            authorization::check_api_key(&self.world, exchange)?;
        }
        let Some(integration) = &method.method_integration else {
            return Err(Refusal::not_supported("a method without an integration"));
        };
        match integration.kind.as_str() {
            "HTTP_PROXY" => {
                let request = request::build(exchange, integration)?;
                let answer = self.backends.send(request, integration.timeout_in_millis).await?;
                Ok(response::passed_on(answer))
            }
            "MOCK" => mock::answer(exchange, integration),
            other => Err(Refusal::not_supported(&format!("integrations of type {other}"))),
        }
    }
}

/// Reads what nobody wants: a connection that is closed on it breaks under the client before it has seen the refusal.
async fn drain(body: Incoming) {
    let _ = Limited::new(body, LARGEST_BODY).collect().await;
}

async fn read(exchange: &Exchange<'_>, body: Incoming) -> Result<Bytes, Refusal> {
    let declared =
        exchange.parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > LARGEST_BODY) {
        return Err(Refusal::too_large());
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
        Err(_) => Err(Refusal::broken_off()),
    }
}

#[cfg(test)]
mod tests;
