//! The Confluent REST proxy, API v2: records come in by HTTP posts, and topics, partitions and brokers are told.
//!
//! What it answers follows Confluent's reference (<https://docs.confluent.io/platform/7.2/kafka-rest/api.html>) and,
//! where that is silent or differs from what servers of version 7 send, those servers. Known differences:
//!
//! - A post to a topic that isn't there is refused at once with 40401, as the reference has it. A real proxy waits a
//!   minute for the topic to appear first.
//! - Records that one request brings for one partition become one batch; a real proxy's producer decides by its
//!   `batch.size` and `linger.ms`.
//! - There is no Schema Registry, so formats with schemas are refused, and neither consumers nor API v3 are here. Each
//!   of these is told in the error.
//!
//! ```text
//! POST ──▶ media ──▶ metadata ──▶ post (compact) ──▶ produce (partitioner) ──▶ broker::append
//! GET  ──▶ media ──▶ describe
//! ```
//!
//! The proxy serves all ACTIVE clusters. A topic that several have is the one of the cluster that was created last.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use s3s::Body;
use tokio::net::TcpListener;

mod compact;
mod cross_origin;
mod describe;
mod media;
mod metadata;
mod partitioner;
mod post;
mod problem;
mod produce;
mod resource;

use super::listener::{self, Answer, Unanswered};
use super::world::World;
use metadata::Metadata;
use partitioner::Turns;
pub(super) use partitioner::of_key as partition_of_key;
use problem::Problem;
use resource::Resource;

/// A real proxy has no limit of its own; this one keeps a runaway post from filling the memory.
const LARGEST_BODY: usize = 64 << 20;

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    let proxy = Arc::new(RestProxy { metadata: Metadata::of(&world), turns: Turns::default(), world });
    listener::serve(listener, proxy, pending::<()>()).await;
}

struct RestProxy {
    world: Arc<World>,
    metadata: Metadata,
    /// Whose turn it is among the partitions of each topic.
    turns: Turns,
}

impl Answer for RestProxy {
    async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Result<Response<Body>, Unanswered> {
        let (parts, body) = request.into_parts();
        if let Some(preflight) = cross_origin::preflight(&parts) {
            return Ok(preflight);
        }
        let mut response = self.reply(&parts, body).await.unwrap_or_else(|problem| problem.write());
        cross_origin::allow(&parts, &mut response);
        Ok(response)
    }
}

impl RestProxy {
    async fn reply(&self, parts: &Parts, body: Incoming) -> Result<Response<Body>, Problem> {
        // Read first: a connection that is closed on a body breaks under the client before it has seen the refusal.
        let body = read(body).await;
        let resource = Resource::at(parts.uri.path())?;
        resource.check_method(&parts.method)?;
        if parts.method == Method::POST {
            let embedded = media::embedded(&parts.headers)?;
            let media = media::acceptable(&parts.headers)?;
            let body = body?;
            let text = match &resource {
                Resource::Topic(topic) => self.produce(topic, None, embedded, &body)?,
                Resource::Partition(topic, partition) => self.produce(topic, Some(*partition), embedded, &body)?,
                _ => return Err(Problem::http(StatusCode::METHOD_NOT_ALLOWED)),
            };
            return Ok(json(media, text.into()));
        }
        let media = media::acceptable(&parts.headers)?;
        Ok(json(media, describe::describe(&self.world, &resource)?.into()))
    }

    fn produce(
        &self,
        topic: &str,
        partition: Option<i32>,
        embedded: media::Embedded,
        body: &[u8],
    ) -> Result<Vec<u8>, Problem> {
        let place = self.metadata.find(&self.world, topic)?;
        let destination = produce::Destination { world: &self.world, topic, place: &place };
        destination.check(partition)?;
        let records = post::read(body, embedded)?;
        Ok(destination.produce(&self.turns, partition, records))
    }
}

async fn read(body: Incoming) -> Result<Bytes, Problem> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::http(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => Err(Problem::http(StatusCode::BAD_REQUEST)),
    }
}

fn json(media: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

#[cfg(test)]
mod tests;
