//! The way to backends: one pool of connections for all.
//!
//! An integration may name any backend, and it is called. But the sandbox never calls the real AWS: a name under
//! `amazonaws.com`, as the public names of EC2 instances are, counts as a network error unless it leads to this machine
//! (`/etc/hosts` can do that) or is that of one of the sandbox's own machines, and so do the link-local addresses, where instances find their metadata.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use super::refusal::Refusal;
use crate::sandbox::ssm;
use crate::sandbox::world::World;

/// API Gateway waits that long at most.
const LONGEST: u64 = 29_000;
/// A response that is larger is an error.
const LARGEST_RESPONSE: usize = 10 << 20;
/// Backends close idle connections after half a minute and more; whoever lets go first never writes into a closed one.
const IDLE: Duration = Duration::from_secs(20);

/// A request to a backend.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a backend answered.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The connections to backends, made when the first is called.
#[derive(Default)]
pub(super) struct Backends {
    /// The sandbox whose machines are backends too, if they are.
    world: Option<Arc<World>>,
    client: OnceLock<Option<Client>>,
}

impl Backends {
    /// The connections of a sandbox.
    pub(super) fn of(world: Arc<World>) -> Self {
        Self { world: Some(world), client: OnceLock::new() }
    }

    /// Sends a request and waits for all of the response.
    ///
    /// # Errors
    /// Where there is no response, in API Gateway's words.
    pub(super) async fn send(&self, request: Outgoing, timeout_in_millis: i64) -> Result<Incoming, Refusal> {
        let timeout = Duration::from_millis(u64::try_from(timeout_in_millis).unwrap_or(LONGEST).min(LONGEST));
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(Refusal::timed_out()),
        }
    }

    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Refusal> {
        let client = self.client.get_or_init(|| client().ok()).as_ref().ok_or_else(Refusal::configuration_error)?;
        let Outgoing { method, uri, mut headers, body } = request;
        let mut url = Url::parse(&uri).map_err(|_| Refusal::configuration_error())?;
        if is_metadata(&url) {
            return Err(Refusal::network_error());
        }
        if self.is_machine(&url) {
            // It listens on the loopback interface. Connections are kept by name, and a name may be a machine's no longer.
            if let Ok(named) = HeaderValue::from_str(url.authority()) {
                headers.entry(header::HOST).or_insert(named);
            }
            url.set_host(Some("127.0.0.1")).map_err(|_| Refusal::configuration_error())?;
        }
        let mut call = client.request(method, url).headers(headers);
        if !body.is_empty() {
            call = call.body(body);
        }
        let mut response = call.send().await.map_err(|error| refusal(&error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| refusal(&error))? {
            if body.len() + chunk.len() > LARGEST_RESPONSE {
                return Err(Refusal::configuration_error());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Incoming { status, headers, body: body.freeze() })
    }

    /// Whether a URL names a machine of the sandbox.
    fn is_machine(&self, url: &Url) -> bool {
        let host = url.host_str().filter(|_| url.scheme() == "http");
        self.world.as_ref().zip(host).is_some_and(|(world, host)| ssm::is_public_name(world, host))
    }
}

fn client() -> reqwest::Result<Client> {
    // The user's proxy is for the internet, and backends of a sandbox are hardly there.
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .dns_resolver(Arc::new(Resolver))
        .build()
}

/// What went wrong, as API Gateway tells it: an address that leads nowhere is the API's fault, all else the network's.
fn refusal(error: &reqwest::Error) -> Refusal {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(Unresolved::NoSuchHost) => return Refusal::configuration_error(),
            Some(Unresolved::RealAws) => return Refusal::network_error(),
            None => cause = error.source(),
        }
    }
    if error.is_builder() { Refusal::configuration_error() } else { Refusal::network_error() }
}

/// Why a name has no address that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unresolved {
    #[error("there is no such host")]
    NoSuchHost,
    #[error("the sandbox doesn't call the real AWS")]
    RealAws,
}

struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            Ok(Box::new(admit(name.as_str(), found.unwrap_or_default())?.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name that may be called.
fn admit(name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Unresolved> {
    let is_aws = is_of_aws(name);
    if found.is_empty() && !is_aws {
        return Err(Unresolved::NoSuchHost);
    }
    let may = |address: &SocketAddr| if is_aws { address.ip().is_loopback() } else { !is_link_local(address.ip()) };
    let admitted: Vec<SocketAddr> = found.into_iter().filter(may).collect();
    if admitted.is_empty() { Err(Unresolved::RealAws) } else { Ok(admitted) }
}

fn is_of_aws(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    ["amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws"]
        .iter()
        .any(|domain| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Addresses in URLs don't pass the resolver.
fn is_metadata(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse().is_ok_and(is_link_local)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        // The metadata's own address is a private one.
        IpAddr::V6(address) => address.is_unicast_link_local() || address.segments()[..2] == [0xfd00, 0xec2],
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_of_aws_lead_to_this_machine_or_nowhere() {
        for name in ["ec2-3-9-1-2.compute-1.amazonaws.com", "x.execute-api.eu-west-1.AMAZONAWS.com.", "amazonaws.com"] {
            assert_eq!(admit(name, addresses(&["3.9.1.2:0"])), Err(Unresolved::RealAws), "{name}");
            let mixed = addresses(&["3.9.1.2:0", "127.0.0.1:0", "[::1]:0"]);
            assert_eq!(admit(name, mixed), Ok(addresses(&["127.0.0.1:0", "[::1]:0"])), "{name}");
        }
        for name in ["backend.example", "notamazonaws.com", "amazonaws.com.example"] {
            assert_eq!(admit(name, addresses(&["3.9.1.2:0"])), Ok(addresses(&["3.9.1.2:0"])), "{name}");
        }
        assert_eq!(admit("nowhere.example", Vec::new()), Err(Unresolved::NoSuchHost));
        assert_eq!(admit("nowhere.amazonaws.com", Vec::new()), Err(Unresolved::RealAws));
        assert_eq!(admit("sly.example", addresses(&["169.254.169.254:0"])), Err(Unresolved::RealAws));
    }

    #[tokio::test]
    async fn what_does_not_answer_is_told_as_api_gateway_tells_it() {
        let backends = Backends::default();
        let send = async |uri: &str| {
            let request =
                Outgoing { method: Method::GET, uri: uri.to_owned(), headers: HeaderMap::new(), body: Bytes::new() };
            backends.send(request, 200).await.unwrap_err()
        };
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent_uri = format!("http://{}/", silent.local_addr().unwrap());
        assert_eq!(send(&silent_uri).await, Refusal::timed_out());
        drop(silent);
        assert_eq!(send(&silent_uri).await, Refusal::network_error());
        assert_eq!(send("http://169.254.169.254/latest/meta-data").await, Refusal::network_error());
        assert_eq!(send("http://[fd00:ec2::254]/latest/meta-data").await, Refusal::network_error());
        assert_eq!(send("http://{host}/").await, Refusal::configuration_error());
    }
}
