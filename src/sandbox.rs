//! A local AWS that listens on HTTP. It meets the rest of the tool only through an endpoint URL.
//!
//! A request takes this way:
//!
//! ```text
//! listener ──▶ front ──▶ signature ──▶ knobs ──▶ permission ──▶ services ──▶ kafka, connect, apigateway, … ──▶ world, store
//!                │                       └─────▶ s3, whose bodies are streamed
//!                └─▶ private: the sandbox's own calls
//! ```
//!
//! A program that wants one [`claim`]s a folder, [`start`]s on it, and points its clients at [`Sandbox::endpoint`] with
//! the credentials [`ACCESS_KEY_ID`] and [`SECRET_ACCESS_KEY`].

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod apigateway;
mod authority;
mod broker;
mod call;
mod config_def;
mod connect;
mod folder;
mod front;
mod iam;
mod json_rpc;
mod kafka;
mod knobs;
mod listener;
mod mirror;
mod pages;
mod permission;
mod plane;
mod private;
mod protocol;
mod query;
mod rest_json;
mod rest_proxy;
mod s3;
mod secretsmanager;
mod services;
mod signature;
mod ssm;
mod store;
mod sts;
mod world;

pub use folder::{Claim, Lock, claim, wait_for};
pub use knobs::{InvalidFault, InvalidSetting};
pub use plane::Taken;
pub use signature::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
pub use world::{Fault, Settings};

use apigateway::invoke::Gateway;
use front::Front;
use knobs::CallLog;
use plane::Plane;
use s3::Buckets;
use store::Store;
use world::{PORTS, World};

/// The name under which the port of the endpoint is kept.
const ENDPOINT_PORT: &str = "endpoint";

/// How a sandbox is started.
#[derive(Debug, Default)]
pub struct Options {
    /// The folder that keeps its data. None: a temporary one, which goes with the sandbox.
    pub folder: Option<Lock>,
    /// The port of its endpoint. None: the one that the folder had last, or else one that is free.
    pub port: Option<u16>,
    /// The knobs.
    pub settings: Settings,
}

/// Why a sandbox can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its data can't be read or written.
    #[error("the sandbox's data in {} can't be used; {}", .folder.display(), remedy(.source))]
    Folder {
        /// Where the data is.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The port isn't to be had.
    #[error("the sandbox can't listen on 127.0.0.1:{port}; stop what listens there, or choose another with --port")]
    Port {
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The record of calls can't be written.
    #[error("the record of calls {} can't be written; choose another file with --calls", .file.display())]
    Calls {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What to do where data can't be used.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
        io::ErrorKind::InvalidData => "repair or remove that folder",
        _ => "choose a folder that can be made and written, with PIPELINE_SANDBOX_DIR",
    }
}

/// A running sandbox. Dropping it ends it at once; [`Sandbox::stop`] lets calls end that are under way.
#[derive(Debug)]
pub struct Sandbox {
    endpoint: String,
    moved: Option<Moved>,
    taken: Vec<Taken>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    plane: JoinHandle<()>,
    home: Home,
}

/// A sandbox that couldn't have the port that its folder had last. What was printed of it earlier leads elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another program listens on 127.0.0.1:{from}, where this sandbox was before; it is on 127.0.0.1:{to} now, so use its new addresses"
)]
pub struct Moved {
    /// The port that was taken.
    pub from: u16,
    /// The port that it has instead.
    pub to: u16,
}

/// Where a sandbox keeps its data; held for as long as it runs.
#[derive(Debug)]
enum Home {
    Kept(Lock),
    Temporary(tempfile::TempDir),
}

impl Home {
    fn folder(&self) -> PathBuf {
        match self {
            Self::Kept(lock) => lock.folder().to_owned(),
            Self::Temporary(folder) => folder.path().to_owned(),
        }
    }
}

/// Starts a sandbox inside this process, listening on the loopback interface only. It serves from when this returns.
///
/// # Errors
/// Where its folder, its port or its record of calls can't be had.
pub async fn start(options: Options) -> Result<Sandbox, Error> {
    let Options { folder, port, settings } = options;
    let home = match folder {
        Some(lock) => Home::Kept(lock),
        None => Home::Temporary(
            tempfile::tempdir().map_err(|source| Error::Folder { folder: std::env::temp_dir(), source })?,
        ),
    };
    let folder = home.folder();
    let unusable = |source| Error::Folder { folder: folder.clone(), source };
    let store = match &home {
        Home::Kept(_) => Store::open(&folder).map_err(unusable)?,
        Home::Temporary(_) => Store::in_memory(),
    };
    let log = CallLog::open(settings.calls.as_deref())
        .map_err(|source| Error::Calls { file: settings.calls.clone().unwrap_or_default(), source })?;
    let world = Arc::new(World::new(settings, store, folder.clone()));
    kafka::remove_unreferenced(&world).map_err(unusable)?;
    ssm::recover(&world).map_err(unusable)?;
    // Made before anybody looks for `ca.pem`.
    world.authority.certificate().map_err(unusable)?;
    let (listener, taken) = listen(&world, port).await?;
    let port = listener.local_addr().map_err(unusable)?.port();
    keep_port(&world.store, port).map_err(unusable)?;
    let moved = taken.map(|from| Moved { from, to: port });
    let endpoint = format!("http://127.0.0.1:{port}");
    let buckets = Buckets::open(&world).map_err(unusable)?;
    let mut plane = Plane::new(Arc::clone(&world));
    let taken = plane.adjust().await;
    let plane = tokio::spawn(plane.run());
    let gateway = Gateway::new(Arc::clone(&world));
    let front = Arc::new(Front { world, buckets, gateway, log, endpoint: endpoint.clone() });
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(listener::serve(listener, front, stopped));
    Ok(Sandbox { endpoint, moved, taken, stop: Some(stop), server, plane, home })
}

/// Listens on the port that is wanted, else on the one that the folder had last, else on one that is free. Tells that
/// last port where it is taken.
async fn listen(world: &World, wanted: Option<u16>) -> Result<(TcpListener, Option<u16>), Error> {
    let bind = |port| async move {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| Error::Port { port, source })
    };
    if let Some(port) = wanted {
        return Ok((bind(port).await?, None));
    }
    let last = world.store.read(|transaction| transaction.get(PORTS, ENDPOINT_PORT));
    if let Some(port) = last
        && let Ok(listener) = bind(port).await
    {
        return Ok((listener, None));
    }
    Ok((bind(0).await?, last))
}

fn keep_port(store: &Store, port: u16) -> io::Result<()> {
    store.transact(|transaction| match transaction.get::<u16>(PORTS, ENDPOINT_PORT) {
        Some(kept) if port == kept => Ok(()),
        _ => transaction.put(PORTS, ENDPOINT_PORT, &port),
    })
}

impl Sandbox {
    /// Where it listens, for all services: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where it was before, if it had to move.
    pub fn moved(&self) -> Option<Moved> {
        self.moved
    }

    /// The ports that it had before and that other programs have now.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Lets other processes find it from its folder: their [`claim`] is then [`Claim::Served`]. Does nothing where the
    /// folder is a temporary one.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn announce(&self) -> io::Result<()> {
        match &self.home {
            Home::Kept(lock) => lock.announce(&self.endpoint),
            Home::Temporary(_) => Ok(()),
        }
    }

    /// Stops accepting calls, gives those under way a second to end, and frees the folder.
    pub async fn stop(mut self) {
        if let Home::Kept(lock) = &self.home {
            // Whoever finds it nevertheless sees that nobody answers.
            let _ = lock.withdraw();
        }
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.plane.abort();
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
        self.plane.abort();
    }
}

#[cfg(test)]
mod tests;
