//! What all services of one sandbox share: its settings, its memory, and the clock.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::authority::Authority;
use super::broker::{Groups, Journal, Logs};
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
    /// What happens: an HTTP status, an AWS error code, `timeout`, `reset`, `hang`, `lost` (it is done, but the answer
    /// never comes), or `rollback`.
    pub what: String,
    /// How many times.
    pub times: u32,
}

/// The table of ports: `rest-proxy` and the like to a number.
pub(crate) const PORTS: &str = "sandbox/ports";

/// The name of an API's port is this and its id.
pub(crate) const INVOKE: &str = "invoke-";

/// The name of the REST proxy, of which there is one.
pub(crate) const REST_PROXY: &str = "rest-proxy";

/// The table of what somebody stopped, as one stops a program on a machine.
const STOPPED: &str = "sandbox/stopped";

/// The table of how often each fault of the settings, by its index, has struck.
const FAULTS_TAKEN: &str = "~faults";

/// One sandbox.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    /// The folder in which it keeps everything.
    pub(crate) folder: PathBuf,
    /// The records of all topics.
    pub(crate) logs: Logs,
    /// The consumer groups.
    pub(crate) groups: Groups,
    /// What signs certificates.
    pub(crate) authority: Authority,
    /// What brokers refused.
    pub(crate) journal: Journal,
}

impl World {
    /// A sandbox with these knobs, which keeps its records in that store and its files in that folder.
    pub(crate) fn new(settings: Settings, store: Store, folder: PathBuf) -> Self {
        let (logs, authority) = (Logs::of(&folder), Authority::of(&folder));
        Self { settings, store, folder, logs, groups: Groups::default(), authority, journal: Journal::default() }
    }

    /// Whether somebody stopped a part of the data plane.
    pub(crate) fn is_stopped(&self, name: &str) -> bool {
        self.store.read(|transaction| transaction.get(STOPPED, name).unwrap_or(false))
    }

    /// Stops a part of the data plane, or lets it run again.
    ///
    /// # Errors
    /// Where that can't be kept.
    pub(crate) fn set_stopped(&self, name: &str, is_stopped: bool) -> std::io::Result<()> {
        self.store.transact(|transaction| {
            if is_stopped {
                return transaction.put(STOPPED, name, &true);
            }
            transaction.delete(STOPPED, name);
            Ok(())
        })
    }

    /// When something that starts now has settled.
    pub(crate) fn settled_at(&self) -> Millis {
        now() + self.settings.settle.as_millis() as Millis
    }

    /// Whether the fault `what` of an operation is due. One that is due is used up by asking.
    pub(crate) fn take_fault(&self, service: &str, operation: &str, what: &str) -> bool {
        self.take_fault_where(service, operation, |fault| fault.what == what).is_some()
    }

    /// The first fault of an operation that is due and that `wanted` holds for; it is used up by asking.
    pub(crate) fn take_fault_where(
        &self,
        service: &str,
        operation: &str,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<&Fault> {
        if self.settings.faults.is_empty() {
            return None;
        }
        let taken = self.store.transact(|transaction| {
            for (index, fault) in self.settings.faults.iter().enumerate() {
                let key = index.to_string();
                let times: u32 = transaction.get(FAULTS_TAKEN, &key).unwrap_or(0);
                if fault.service == service && fault.operation == operation && wanted(fault) && times < fault.times {
                    transaction.put(FAULTS_TAKEN, &key, &(times + 1))?;
                    return Ok(Some(fault));
                }
            }
            Ok::<_, std::io::Error>(None)
        });
        // The counts are of this process only, so there is nothing that could fail to be written.
        taken.unwrap_or(None)
    }

    /// The loopback port of a thing, as `rest-proxy` or `invoke-<api id>`: chosen free once, and the same ever after.
    ///
    /// # Errors
    /// Where the machine has no free port, and where the choice can't be kept.
    pub(crate) fn port(&self, name: &str) -> Result<u16, Refusal> {
        self.store.transact(|transaction| {
            if let Some(port) = transaction.get(PORTS, name) {
                return Ok(port);
            }
            let reserved: BTreeSet<u16> = transaction.list(PORTS).into_iter().map(|(_, port)| port).collect();
            let port = free_port(&reserved)?;
            transaction.put(PORTS, name, &port)?;
            Ok(port)
        })
    }
}

/// Where reserved ports are chosen from: below those that systems give to outgoing connections, so that none is in use
/// when the sandbox comes back to it.
const CHOICE: std::ops::Range<u16> = 15_000..32_000;

/// A loopback port that nothing listens on and that isn't reserved.
fn free_port(reserved: &BTreeSet<u16>) -> std::io::Result<u16> {
    // From a place of its own for each, so that the sandboxes of a machine seldom meet.
    let start = Uuid::new_v4().as_u128() % CHOICE.len() as u128;
    let candidates = CHOICE.cycle().skip(start as usize).take(CHOICE.len());
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for port in candidates.filter(|port| !reserved.contains(port)) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn world(faults: &[&str]) -> World {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        World::new(Settings { faults, ..Settings::default() }, Store::in_memory(), PathBuf::new())
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_says() {
        let world = world(&["kafkaconnect:UpdateConnector:rollback:2"]);
        assert!(!world.take_fault("kafkaconnect", "UpdateConnector", "500"));
        assert!(!world.take_fault("kafkaconnect", "CreateConnector", "rollback"));
        assert!(world.take_fault("kafkaconnect", "UpdateConnector", "rollback"));
        assert!(world.take_fault("kafkaconnect", "UpdateConnector", "rollback"));
        assert!(!world.take_fault("kafkaconnect", "UpdateConnector", "rollback"));
    }

    #[test]
    fn faults_of_one_operation_strike_one_after_the_other() {
        let world = world(&["iam:GetRole:503:1", "iam:GetRole:Throttling:1"]);
        let next = || world.take_fault_where("iam", "GetRole", |_| true).map(|fault| fault.what.clone());
        assert_eq!([next(), next(), next()], [Some("503".to_owned()), Some("Throttling".to_owned()), None]);
    }

    #[test]
    fn a_port_stays_and_no_two_names_share_one() {
        let world = world(&[]);
        let rest_proxy = world.port("rest-proxy").unwrap();
        let ports: BTreeSet<u16> = (0..50).map(|id| world.port(&format!("invoke-{id}")).unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(!ports.contains(&rest_proxy));
        assert_eq!(world.port("rest-proxy").unwrap(), rest_proxy);
    }
}
