//! The data plane: keeps running what the control planes say is there. A broker for each port of a cluster, the REST
//! proxy, a listener for each REST API, a worker for each connector that is RUNNING, and on machines the REST proxies that
//! systemctl has started and the commands that were sent.
//!
//! Nothing tells it what to start: it looks at the store, and at the clock, because a connector comes to be RUNNING by
//! time alone. So what runs is right after a restart too, whatever was killed when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::apigateway::invoke;
use super::broker::{self, Broker};
use super::call::Refusal;
use super::connect;
use super::kafka::{self, BrokerAddress, Listener};
use super::rest_proxy;
use super::ssm::{self, Proxy};
use super::world::{INVOKE, PORTS, REST_PROXY, World};

/// How often it looks at the clock.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Changes that come together are looked at together.
const GATHER: Duration = Duration::from_millis(5);

/// A part that is to run. Two that are equal are the same one: what changes in it makes it another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A broker of a cluster, as the cluster is in one of its versions, at a listener.
    Broker { cluster: String, version: String, listener: Listener, id: i32, port: u16 },
    /// The REST proxy, of which there is one.
    RestProxy { port: u16 },
    /// The invoke URL of a REST API.
    Invoke { api: String, port: u16 },
    /// The worker of a connector, as the connector is in one of its versions.
    Worker { connector: String, version: String },
    /// A REST proxy that runs on a machine.
    MachineProxy(Proxy),
    /// A command that runs on a machine.
    Command { command: String, instance: String },
}

impl Part {
    /// Where it listens, if it does, and what it is called.
    fn address(&self) -> Option<(u16, String)> {
        match self {
            Self::Broker { listener, id, port, .. } => Some((*port, format!("broker {id} ({})", listener.label()))),
            Self::RestProxy { port } => Some((*port, "REST proxy".to_owned())),
            Self::Invoke { api, port } => Some((*port, format!("REST API {api}"))),
            Self::Worker { .. } | Self::MachineProxy(_) | Self::Command { .. } => None,
        }
    }
}

/// A part that can't run: its port is another program's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another program listens on 127.0.0.1:{port}, which is the sandbox's {name}; end that program, or choose another folder with PIPELINE_SANDBOX_DIR"
)]
pub struct Taken {
    /// The port.
    pub port: u16,
    /// What the sandbox has there.
    pub name: String,
}

/// What runs.
pub(crate) struct Plane {
    world: Arc<World>,
    tasks: JoinSet<()>,
    running: BTreeMap<Part, AbortHandle>,
}

impl Plane {
    /// A plane on which nothing runs yet.
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    /// Keeps what is to run running, until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut changed = self.world.store.changed();
        loop {
            let _ = timeout(LOOK_AGAIN, changed.changed()).await;
            sleep(GATHER).await;
            changed.mark_unchanged();
            self.adjust().await;
        }
    }

    /// Starts and stops what the store and the clock say. Tells what could not be started; it is tried again next time.
    pub(crate) async fn adjust(&mut self) -> Vec<Taken> {
        while self.tasks.try_join_next().is_some() {}
        // Where a port can't be reserved, what is there goes on.
        let Ok(wanted) = self.wanted() else { return Vec::new() };
        self.running.retain(|part, handle| {
            let stays = wanted.contains_key(part) && !handle.is_finished();
            if !stays {
                handle.abort();
            }
            stays
        });
        let mut taken = Vec::new();
        for (part, broker) in wanted {
            if self.running.contains_key(&part) {
                continue;
            }
            match self.start(&part, broker).await {
                Some(handle) => {
                    self.running.insert(part, handle);
                }
                None => taken.extend(part.address().map(|(port, name)| Taken { port, name })),
            }
        }
        taken
    }

    async fn start(&mut self, part: &Part, broker: Option<Broker>) -> Option<AbortHandle> {
        let world = Arc::clone(&self.world);
        let listener = match part.address() {
            Some((port, _)) => Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok()?),
            None => None,
        };
        match (part, listener, broker) {
            (Part::Broker { .. }, Some(listener), Some(broker)) => {
                Some(self.tasks.spawn(broker::serve(listener, world, broker)))
            }
            (Part::RestProxy { .. }, Some(listener), _) => Some(self.tasks.spawn(rest_proxy::serve(listener, world))),
            (Part::Invoke { api, .. }, Some(listener), _) => {
                Some(self.tasks.spawn(invoke::serve(listener, world, api.clone())))
            }
            (Part::Worker { connector, .. }, _, _) => Some(self.tasks.spawn(connect::work(world, connector.clone()))),
            (Part::MachineProxy(proxy), _, _) => Some(self.tasks.spawn(ssm::serve_proxy(world, proxy.clone()))),
            (Part::Command { command, instance }, _, _) => {
                Some(self.tasks.spawn(ssm::run(world, command.clone(), instance.clone())))
            }
            _ => None,
        }
    }

    /// What is to run, with the broker that a part is.
    fn wanted(&self) -> Result<BTreeMap<Part, Option<Broker>>, Refusal> {
        let world = &self.world;
        let mut wanted = BTreeMap::new();
        if !world.is_stopped(REST_PROXY) {
            wanted.insert(Part::RestProxy { port: world.port(REST_PROXY)? }, None);
        }
        // Whoever asks for an API's address reserves its port.
        let ports: Vec<(String, u16)> = world.store.read(|transaction| transaction.list_prefix(PORTS, INVOKE, ""));
        wanted.extend(ports.into_iter().map(|(name, port)| {
            let api = name[INVOKE.len()..].to_owned();
            (Part::Invoke { api, port }, None)
        }));
        let connectors = connect::running(world).into_iter();
        wanted.extend(connectors.map(|(connector, version)| (Part::Worker { connector, version }, None)));
        wanted.extend(ssm::proxies(world).into_iter().map(|proxy| (Part::MachineProxy(proxy), None)));
        let commands = ssm::due(world).into_iter();
        wanted.extend(commands.map(|(command, instance)| (Part::Command { command, instance }, None)));
        for cluster in kafka::active_clusters(world) {
            for listener in Listener::of(&cluster) {
                let brokers = kafka::addresses(world, &cluster, listener)?;
                for BrokerAddress { id, port } in brokers.iter().copied() {
                    let (arn, version) = (cluster.arn.clone(), cluster.version.clone());
                    let part = Part::Broker { cluster: arn, version, listener, id, port };
                    let broker = Broker { cluster: cluster.clone(), listener, id, brokers: brokers.clone() };
                    wanted.insert(part, Some(broker));
                }
            }
        }
        Ok(wanted)
    }
}
