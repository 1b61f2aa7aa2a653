//! The Kafka protocol (<https://kafka.apache.org/protocol>): connections, requests, and which of them there are.
//!
//! A connection's requests are answered one after the other, as Kafka's brokers do it. What isn't here, transactions
//! above all, is not told to be here: clients see it in the reply to ApiVersions.
//!
//! ```text
//! TCP ──▶ entrance (TLS) ──▶ sasl (who it is) ──▶ requests ──▶ rights (whether it may) ──▶ groups, logs, kafka
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, Message, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::sandbox::authority::{self, ClientCertificates};
use crate::sandbox::kafka::{self, BrokerAddress, Cluster, Listener};
use crate::sandbox::world::World;

mod admin;
mod caller;
mod configs;
mod group;
mod metadata;
mod offsets;
mod records;
mod rights;
mod sasl;
mod versions;

use caller::Caller;
use rights::Rights;
use sasl::Login;

/// `socket.request.max.bytes` of Kafka's brokers.
const LARGEST_REQUEST: usize = 104_857_600;

/// `connection.failed.authentication.delay.ms` of Kafka's brokers. Clients that see the connection closed before they have
/// read why would take it for a broken one, and try again at once.
const AFTER_FAILED_LOGIN: Duration = Duration::from_millis(100);

/// A broker of a cluster, as one listener shows it.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// How clients come to it.
    pub(crate) listener: Listener,
    /// Which of its brokers this is.
    pub(crate) id: i32,
    /// All of its brokers, as clients that came this way reach them.
    pub(crate) brokers: Vec<BrokerAddress>,
}

/// Serves a broker until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>, broker: Broker) {
    // Without a certificate there is nothing to serve; the plane tries again.
    let Ok(entrance) = Entrance::of(&world, &broker) else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (world, broker, entrance) = (Arc::clone(&world), broker.clone(), entrance.clone());
                    // A client that goes away, or talks nonsense, is not an error of ours.
                    connections.spawn(async move { let _ = entrance.admit(stream, world, broker).await; });
                }
                Err(_) => tokio::time::sleep(crate::sandbox::listener::AFTER_FAILED_ACCEPT).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How connections begin at a listener.
#[derive(Clone)]
enum Entrance {
    Plaintext,
    Tls(TlsAcceptor),
}

impl Entrance {
    fn of(world: &World, broker: &Broker) -> io::Result<Self> {
        let asked = match broker.listener {
            Listener::Plaintext => return Ok(Self::Plaintext),
            Listener::Tls => kafka::client_certificates(&broker.cluster),
            // Public access is for clients that authenticate.
            Listener::PublicTls => ClientCertificates::Required,
            Listener::Scram | Listener::Iam | Listener::PublicScram | Listener::PublicIam => {
                ClientCertificates::Unasked
            }
        };
        world.authority.acceptor(asked).map(Self::Tls)
    }

    async fn admit(self, stream: TcpStream, world: Arc<World>, broker: Broker) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let host = format!("/{}", stream.peer_addr()?.ip());
        let listener = broker.listener;
        let session = |caller| Session { world, broker, host, login: Login::at(listener, caller) };
        match self {
            Self::Plaintext => session(Caller::Anonymous).converse(stream).await,
            Self::Tls(acceptor) => {
                let stream = match acceptor.accept(stream).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        // What isn't about the handshake is a client that went away.
                        if error.kind() == io::ErrorKind::InvalidData {
                            session(Caller::Anonymous).note("TLS handshake", String::new(), error.to_string(), None);
                        }
                        return Err(error);
                    }
                };
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let name = certificate.and_then(|certificate| authority::common_name(certificate));
                session(name.map_or(Caller::Anonymous, Caller::Certificate)).converse(stream).await
            }
        }
    }
}

/// One connection.
struct Session {
    world: Arc<World>,
    broker: Broker,
    /// Where the client is, as Kafka writes it.
    host: String,
    login: Login,
}

impl Session {
    async fn converse(mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut frame = BytesMut::new();
        while !self.login.is_over() {
            let size = stream.read_i32().await?;
            let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST_REQUEST).ok_or(nonsense())?;
            frame.clear();
            frame.reserve(size);
            let mut taken = (&mut stream).take(size as u64);
            while taken.read_buf(&mut frame).await? > 0 {}
            if frame.len() < size {
                return Ok(());
            }
            if let Some(reply) = self.answer(frame.split().freeze()).await? {
                stream.write_all(&reply).await?;
                stream.flush().await?;
            }
        }
        tokio::time::sleep(AFTER_FAILED_LOGIN).await;
        stream.shutdown().await
    }

    /// The reply to a request, with its length before it. None where there is none to be, as to a produce without acks.
    async fn answer(&mut self, mut frame: Bytes) -> io::Result<Option<BytesMut>> {
        let peeked = frame.first_chunk::<4>().ok_or(nonsense())?;
        let key = i16::from_be_bytes([peeked[0], peeked[1]]);
        let version = i16::from_be_bytes([peeked[2], peeked[3]]);
        let key = ApiKey::try_from(key).map_err(|()| nonsense())?;
        let release = kafka::release_of(&self.broker.cluster);
        let is_supported = versions::supports(release, key, version);
        if !is_supported && key != ApiKey::ApiVersions {
            return Err(nonsense());
        }
        if !self.login.admits(key) {
            let why = "It has not logged in, or its session is over.".to_owned();
            self.note(&format!("{key:?}"), String::new(), why, None);
            return Err(nonsense());
        }
        let header_version = key.request_header_version(version);
        let header = RequestHeader::decode(&mut frame, header_version).map_err(|_| nonsense())?;
        let mut reply = Reply::new(key, version, header.correlation_id)?;
        let client = header.client_id.as_ref().map_or("", StrBytes::as_str);
        match key {
            // Kafka answers a version that it doesn't know in the oldest one.
            ApiKey::ApiVersions if !is_supported => {
                let mut reply = Reply::new(key, 0, header.correlation_id)?;
                let versions = versions::told(release).with_error_code(ResponseError::UnsupportedVersion.code());
                reply.body(&versions)?;
                return Ok(Some(reply.finish()));
            }
            ApiKey::ApiVersions => reply.body(&versions::told(release))?,
            ApiKey::SaslHandshake => reply.body(&self.sasl_handshake(&read(frame, version)?))?,
            ApiKey::SaslAuthenticate => reply.body(&self.sasl_authenticate(&read(frame, version)?))?,
            _ => {
                let rights = self.rights(key);
                if !self.serve(key, frame, client, &rights, &mut reply).await? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(reply.finish()))
    }

    /// Does what a request of somebody who is known asks for. False where there is to be no reply.
    async fn serve(
        &self,
        key: ApiKey,
        frame: Bytes,
        client: &str,
        rights: &Rights<'_>,
        reply: &mut Reply,
    ) -> io::Result<bool> {
        let version = reply.version;
        match key {
            ApiKey::Produce => match self.produce(read(frame, version)?, rights) {
                Some(response) => reply.body(&response)?,
                None => return Ok(false),
            },
            ApiKey::Fetch => reply.body(&self.fetch(read(frame, version)?, rights).await)?,
            ApiKey::ListOffsets => reply.body(&self.list_offsets(&read(frame, version)?, rights))?,
            ApiKey::OffsetForLeaderEpoch => {
                reply.body(&self.offset_for_leader_epoch(&read(frame, version)?, rights))?;
            }
            ApiKey::InitProducerId => reply.body(&self.init_producer_id(&read(frame, version)?, rights))?,
            ApiKey::Metadata => reply.body(&self.metadata(&read(frame, version)?, version, rights))?,
            ApiKey::DescribeCluster => reply.body(&self.describe_cluster(rights))?,
            ApiKey::FindCoordinator => reply.body(&self.find_coordinator(&read(frame, version)?, version, rights))?,
            ApiKey::CreateTopics => reply.body(&self.create_topics(&read(frame, version)?, rights))?,
            ApiKey::DeleteTopics => reply.body(&self.delete_topics(read(frame, version)?, rights))?,
            ApiKey::CreatePartitions => reply.body(&self.create_partitions(&read(frame, version)?, rights))?,
            ApiKey::DescribeConfigs => reply.body(&self.describe_configs(&read(frame, version)?, rights))?,
            ApiKey::AlterConfigs => reply.body(&self.alter_configs(&read(frame, version)?, rights))?,
            ApiKey::IncrementalAlterConfigs => {
                reply.body(&self.incremental_alter_configs(&read(frame, version)?, rights))?;
            }
            ApiKey::JoinGroup => reply.body(&self.join_group(read(frame, version)?, version, client, rights).await)?,
            ApiKey::SyncGroup => reply.body(&self.sync_group(read(frame, version)?, rights).await)?,
            ApiKey::Heartbeat => reply.body(&self.heartbeat(&read(frame, version)?, rights))?,
            ApiKey::LeaveGroup => reply.body(&self.leave_group(read(frame, version)?, version, rights))?,
            ApiKey::DescribeGroups => reply.body(&self.describe_groups(&read(frame, version)?, rights))?,
            ApiKey::ListGroups => reply.body(&self.list_groups(&read(frame, version)?, rights))?,
            ApiKey::DeleteGroups => reply.body(&self.delete_groups(&read(frame, version)?, rights))?,
            ApiKey::OffsetCommit => reply.body(&self.offset_commit(&read(frame, version)?, rights))?,
            ApiKey::OffsetFetch => reply.body(&self.offset_fetch(&read(frame, version)?, version, rights))?,
            ApiKey::OffsetDelete => reply.body(&self.offset_delete(&read(frame, version)?, rights))?,
            _ => return Err(nonsense()),
        }
        Ok(true)
    }
}

/// What can't be answered ends the connection, as with Kafka's brokers.
fn nonsense() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

fn read<T: Decodable + Message>(mut frame: Bytes, version: i16) -> io::Result<T> {
    // What stands behind a request is ignored, as Kafka does it: librdkafka sends some now and then.
    T::decode(&mut frame, version).map_err(|_| nonsense())
}

/// A reply as it is written.
struct Reply {
    bytes: BytesMut,
    version: i16,
}

impl Reply {
    fn new(key: ApiKey, version: i16, correlation_id: i32) -> io::Result<Self> {
        let mut bytes = BytesMut::new();
        bytes.put_i32(0);
        let header = ResponseHeader::default().with_correlation_id(correlation_id);
        header.encode(&mut bytes, key.response_header_version(version)).map_err(|_| nonsense())?;
        Ok(Self { bytes, version })
    }

    fn body(&mut self, body: &impl Encodable) -> io::Result<()> {
        body.encode(&mut self.bytes, self.version).map_err(io::Error::other)
    }

    fn finish(mut self) -> BytesMut {
        let size = i32::try_from(self.bytes.len() - 4).unwrap_or(i32::MAX);
        self.bytes[..4].copy_from_slice(&size.to_be_bytes());
        self.bytes
    }
}

/// The code of an outcome; 0 is none.
fn code<T>(outcome: &Result<T, ResponseError>) -> i16 {
    outcome.as_ref().err().map_or(0, ResponseError::code)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[cfg(test)]
mod tests;
