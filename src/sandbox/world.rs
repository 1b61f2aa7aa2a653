//! What all services of one sandbox share: its settings, its memory, and the clock.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::call::Refusal;
use super::store::Store;

/// The account that everything in a sandbox belongs to.
pub(crate) const ACCOUNT: &str = "000000000000";

/// How an AWS that answers at once and never changes its mind is made as slow and as fickle as the real one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Added to every call.
    pub latency: Duration,
    /// How long a thing stays CREATING, UPDATING or DELETING.
    pub settle: Duration,
    /// How stale MSK's topic replies are.
    pub lag: Duration,
    /// Whether API Gateway's documented rates are enforced.
    pub throttle: bool,
    /// Faults to inject.
    pub faults: Vec<Fault>,
    /// A file to which every call is appended as a line of JSON.
    pub calls: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            settle: Duration::from_secs(2),
            lag: Duration::from_secs(1),
            throttle: false,
            faults: Vec::new(),
            calls: None,
        }
    }
}

/// A fault to inject: `kafkaconnect:CreateConnector:500:2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The service, as its endpoint is called.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What happens: an HTTP status, an AWS error code, `timeout`, `reset`, `hang`, or `rollback`.
    pub what: String,
    /// How many times.
    pub times: u32,
}

/// One sandbox.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    /// The folder in which it keeps everything.
    pub(crate) folder: PathBuf,
}

impl World {
    /// When something that starts now has settled.
    pub(crate) fn settled_at(&self) -> Millis {
        now() + self.settings.settle.as_millis() as Millis
    }
}

/// Milliseconds since 1970. States that take time are a function of it, so that they go on across a restart.
pub(crate) type Millis = u64;

/// The present.
pub(crate) fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as Millis)
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::new(500, "InternalFailure", format!("the sandbox could not write its state: {error}"))
    }
}
