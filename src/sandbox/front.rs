//! A request's way through the sandbox: which operation it is, who calls, what the knobs do to it, the answer, the record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use s3s::Body;
use uuid::Uuid;

use super::apigateway::invoke::{self, Gateway};
use super::call::{Call, PathValues, Refusal};
use super::json_rpc;
use super::knobs::{CallLog, CallRecord, Harm, timestamp};
use super::listener::{Answer, Unanswered};
use super::permission;
use super::private;
use super::protocol::{Protocol, set_header};
use super::s3::{self, Buckets};
use super::services;
use super::signature::{Head, Payload, Problem, Signature, decode_query};
use super::world::{Fault, World};

/// Bodies of all services but S3 are read whole; AWS's own limit is 10 MB or less.
const LARGEST_BODY: usize = 10_000_000;

/// A `timeout` answers nothing for this long: longer than the half minute after which clients give up.
const TIMEOUT: Duration = Duration::from_secs(35);

/// What is behind the listener.
pub(crate) struct Front {
    pub(crate) world: Arc<World>,
    pub(crate) buckets: Buckets,
    /// Answers calls of deployed APIs, which come with host names of their own.
    pub(crate) gateway: Gateway,
    pub(crate) log: CallLog,
    pub(crate) endpoint: String,
}

/// What is known of a call before anything is done for it.
struct Asked {
    service: String,
    operation: &'static str,
    protocol: Protocol,
    signature: Result<Signature, Problem>,
    head: Head,
    id: String,
    came: Instant,
    time: String,
}

impl Answer for Front {
    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Result<Response<Body>, Unanswered> {
        let named = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = named.or_else(|| request.uri().host()).map(str::to_owned);
        match host.as_deref().and_then(invoke::api_of_host) {
            Some((api_id, region)) => Ok(self.gateway.answer(api_id, region, request, client).await),
            None => self.answer_service(request).await,
        }
    }
}

impl Front {
    async fn answer_service(&self, request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
        let (came, time) = (Instant::now(), timestamp());
        let (parts, body) = request.into_parts();
        let head = Head::of(&parts);
        let id = Uuid::new_v4().to_string();
        if head.path.starts_with(private::PREFIX) {
            return Ok(self.answer_privately(head, body, &id).await);
        }
        let signature = Signature::of(&head);
        let service = signature.as_ref().map_or_else(|_| presumed_service(&head), |signed| signed.service.clone());
        let protocol = Protocol::of(&service);
        let mut asked = Asked { service, operation: "-", protocol, signature, head, id, came, time };
        if protocol == Protocol::S3 {
            asked.operation = s3::operation(&asked.head);
            self.answer_s3(asked, parts, body).await
        } else {
            self.answer_control(asked, body).await
        }
    }

    async fn answer_privately(&self, head: Head, body: Incoming, id: &str) -> Response<Body> {
        let answer = async {
            let body = read(body).await?;
            private::handle(&self.world, &self.endpoint, &call(head, body, "")).await
        };
        match answer.await {
            Ok(reply) => Protocol::RestJson.write_reply(reply, id),
            Err(refusal) => Protocol::RestJson.write_refusal(&refusal, id),
        }
    }

    /// A call of a service that reads its bodies whole.
    async fn answer_control(&self, mut asked: Asked, body: Incoming) -> Result<Response<Body>, Unanswered> {
        let body = match read(body).await {
            Ok(body) => body,
            Err(refusal) => return Ok(self.refuse(&asked, &refusal)),
        };
        let region = asked.signature.as_ref().map_or("", |signature| &signature.region);
        let call = call(asked.head.clone(), body, region);
        let found = services::operation(&asked.service, &call);
        if let Some((operation, _)) = &found {
            asked.operation = operation;
        }
        tokio::time::sleep(self.world.settings.latency).await;
        let caller = match self.caller(&asked, Payload::Read(&call.body)) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(self.refuse(&asked, &refusal)),
        };
        if let Some(response) = self.harm(&asked).await? {
            return Ok(response);
        }
        let call = Call { caller, ..call };
        match self.handle(&asked, found, &call).await {
            Ok(reply) => self.deliver(&asked, asked.protocol.write_reply(reply, &asked.id)),
            Err(refusal) => Ok(self.refuse(&asked, &refusal)),
        }
    }

    async fn handle(
        &self,
        asked: &Asked,
        found: Option<(&'static str, PathValues)>,
        call: &Call,
    ) -> Result<super::call::Reply, Refusal> {
        if !services::SERVICES.contains(&asked.service.as_str()) {
            return Err(services::unknown_service(&asked.service));
        }
        let Some((operation, path)) = found else {
            return Err(asked.protocol.unknown_operation(&called(asked.protocol, call)));
        };
        permission::check(&self.world, &call.caller, &call.region, || {
            services::needs(&self.world, &asked.service, operation, &path, call)
        })
        .map_err(|message| asked.protocol.denied(message))?;
        services::handle(&self.world, &asked.service, operation, &path, call).await
    }

    /// A call of S3, whose body is streamed.
    async fn answer_s3(&self, asked: Asked, parts: Parts, body: Incoming) -> Result<Response<Body>, Unanswered> {
        tokio::time::sleep(self.world.settings.latency).await;
        let declared = asked.head.header("x-amz-content-sha256").unwrap_or_default();
        let caller = match self.caller(&asked, Payload::Declared(declared)) {
            Ok(caller) => caller,
            Err(refusal) => {
                drain(&asked.head, body).await;
                return Ok(self.refuse(&asked, &refusal));
            }
        };
        match self.harm(&asked).await {
            Ok(None) => {}
            Ok(Some(response)) => {
                drain(&asked.head, body).await;
                return Ok(response);
            }
            Err(unanswered) => return Err(unanswered),
        }
        let region = asked.signature.as_ref().map_or("", |signature| &signature.region);
        if let Err(misdirected) = self.buckets.admit(&self.world, &asked.head, asked.operation, region) {
            drain(&asked.head, body).await;
            return Ok(self.record(&asked, misdirected.write(&asked.id)));
        }
        let needs = || s3::needs(&self.world, asked.operation, &asked.head);
        if let Err(message) = permission::check(&self.world, &caller, region, needs) {
            drain(&asked.head, body).await;
            return Ok(self.refuse(&asked, &Protocol::S3.denied(message)));
        }
        let mut response = self.buckets.answer(asked.operation, caller, Request::from_parts(parts, body)).await;
        Protocol::S3.name_request(&mut response, &asked.id);
        if response.status().is_success() { self.deliver(&asked, response) } else { Ok(self.record(&asked, response)) }
    }

    /// Sends the answer of a call that was carried out, unless it is to be lost on the way.
    fn deliver(&self, asked: &Asked, response: Response<Body>) -> Result<Response<Body>, Unanswered> {
        let is_loss = |fault: &Fault| Harm::parse(&fault.what) == Some(Harm::Lost);
        if self.world.take_fault_where(&asked.service, asked.operation, is_loss).is_some() {
            self.record_status(asked, 0);
            return Err(Unanswered::Reset);
        }
        Ok(self.record(asked, response))
    }

    /// The ARN of who calls.
    fn caller(&self, asked: &Asked, payload: Payload<'_>) -> Result<String, Refusal> {
        let signature = asked.signature.as_ref().map_err(Clone::clone);
        signature
            .and_then(|signature| signature.verify(&asked.head, payload, &self.world.store))
            .map_err(|problem| asked.protocol.refusal(&problem))
    }

    /// Does the harm that the settings hold for this operation before it is carried out, if any: an answer instead of
    /// the right one, or none.
    async fn harm(&self, asked: &Asked) -> Result<Option<Response<Body>>, Unanswered> {
        let due = |what: &str| Harm::parse(what).filter(Harm::comes_first);
        let fault = self.world.take_fault_where(&asked.service, asked.operation, |fault| due(&fault.what).is_some());
        let Some(harm) = fault.and_then(|fault| due(&fault.what)) else { return Ok(None) };
        match harm {
            Harm::Status(status) => Ok(Some(self.refuse(asked, &asked.protocol.injected_status(status)))),
            Harm::Code(code) => Ok(Some(self.refuse(asked, &asked.protocol.injected_code(&code)))),
            Harm::Reset => {
                self.record_status(asked, 0);
                Err(Unanswered::Reset)
            }
            Harm::Timeout => {
                self.record_status(asked, 0);
                tokio::time::sleep(TIMEOUT).await;
                Err(Unanswered::Closed)
            }
            Harm::Hang => {
                self.record_status(asked, 0);
                std::future::pending().await
            }
            Harm::Lost | Harm::Rollback => Ok(None),
        }
    }

    fn refuse(&self, asked: &Asked, refusal: &Refusal) -> Response<Body> {
        self.record(asked, asked.protocol.write_refusal(refusal, &asked.id))
    }

    fn record(&self, asked: &Asked, mut response: Response<Body>) -> Response<Body> {
        self.record_status(asked, response.status().as_u16());
        // A client that was told no before it sent its body does not know whether to send it still: this connection
        // can't be used again, and as S3 does, it is told so.
        if !response.status().is_success() && asked.head.header("expect").is_some() {
            set_header(&mut response, "connection", "close");
        }
        response
    }

    fn record_status(&self, asked: &Asked, status: u16) {
        self.log.append(&CallRecord {
            time: asked.time.clone(),
            service: &asked.service,
            operation: asked.operation,
            status,
            duration_ms: asked.came.elapsed().as_millis() as u64,
        });
    }
}

fn call(head: Head, body: Bytes, region: &str) -> Call {
    let Head { method, path, query, headers } = head;
    Call { method, path, query, headers, body, region: region.to_owned(), caller: String::new() }
}

/// The service that a call is for which doesn't say so in a signature: the one whose errors the client understands.
fn presumed_service(head: &Head) -> String {
    let content_type = head.header("content-type").unwrap_or_default();
    let service = if let Some(service) = head.header(json_rpc::TARGET).and_then(json_rpc::service) {
        service
    } else if content_type.starts_with("application/x-www-form-urlencoded") || head.query("Action").is_some() {
        "iam"
    } else if ["/v1/", "/v2/", "/api/v2/", "/replication/"].iter().any(|prefix| head.path.starts_with(prefix)) {
        "kafka"
    } else if ["/restapis", "/tags/", "/account", "/apikeys"].iter().any(|prefix| head.path.starts_with(prefix)) {
        "apigateway"
    } else {
        "s3"
    };
    service.to_owned()
}

/// What a call asks for that names no operation, in the words of its protocol.
fn called(protocol: Protocol, call: &Call) -> String {
    match protocol {
        Protocol::Query { .. } => {
            let form = decode_query(&String::from_utf8_lossy(&call.body));
            let action = form.into_iter().chain(call.query.clone()).find(|(key, _)| key == "Action");
            action.map_or_else(|| "without a name".to_owned(), |(_, name)| name)
        }
        Protocol::JsonRpc { .. } => call.header(json_rpc::TARGET).unwrap_or("without a name").to_owned(),
        _ => format!("{} {}", call.method, call.path),
    }
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request exceeds the limit of {LARGEST_BODY} bytes");
            Err(Refusal::new(413, "RequestEntityTooLargeException", message))
        }
        Err(error) => Err(Refusal::new(400, "BadRequestException", format!("the body broke off: {error}"))),
    }
}

/// Reads a body to its end and forgets it, so that the client has sent everything when it is told no; otherwise it
/// would see its connection closed under it. A client that waits for `100 Continue` is told before it sends.
async fn drain(head: &Head, mut body: Incoming) {
    if head.header("expect").is_none() {
        while let Some(Ok(_)) = body.frame().await {}
    }
}
