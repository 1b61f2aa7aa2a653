//! The stages that are live, kept parsed: a call must not read a whole API again. A deployment's snapshot never changes,
//! so of a stage only where it points has to be looked up after a change of anything.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::super::live;
use super::super::model::{GatewayResponse, Snapshot, Texts};
use super::routes::Routes;
use crate::sandbox::store::Store;
use crate::sandbox::world::World;

/// A stage as it answers calls.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) region: String,
    pub(super) deployment_id: String,
    pub(super) variables: Texts,
    pub(super) api: Arc<Deployed>,
}

/// An API as it was deployed.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) routes: Routes,
    /// By type.
    pub(super) gateway_responses: BTreeMap<String, GatewayResponse>,
}

impl Deployed {
    fn new(snapshot: Snapshot) -> Self {
        let responses = snapshot.gateway_responses.into_iter();
        Self {
            routes: Routes::new(snapshot.paths),
            gateway_responses: responses.map(|response| (response.response_type.clone(), response)).collect(),
        }
    }
}

/// All stages of all APIs that were called.
pub(super) struct Stages(Mutex<Known>);

struct Known {
    changed: watch::Receiver<()>,
    /// By API and name; forgotten whenever anything changes.
    stages: HashMap<(String, String), Arc<Stage>>,
    /// By API and deployment.
    deployed: HashMap<(String, String), Arc<Deployed>>,
}

/// Deployments that nobody calls any more are forgotten with all others when there are that many.
const MOST_DEPLOYED: usize = 64;

impl Stages {
    pub(super) fn of(store: &Store) -> Self {
        let known = Known { changed: store.changed(), stages: HashMap::new(), deployed: HashMap::new() };
        Self(Mutex::new(known))
    }

    /// A stage, where there is one that may be called.
    pub(super) fn live(&self, world: &World, api_id: &str, name: &str) -> Option<Arc<Stage>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.changed.has_changed().unwrap_or(true) {
            // Noted before anything is read: what changes meanwhile is noticed the next time.
            known.changed.mark_unchanged();
            known.stages.clear();
        }
        let key = (api_id.to_owned(), name.to_owned());
        if let Some(stage) = known.stages.get(&key) {
            return Some(Arc::clone(stage));
        }
        let live::Pointer { region, deployment_id, variables } = live::pointer(world, api_id, name)?;
        let api = known.deployed(world, api_id, &deployment_id)?;
        let stage = Arc::new(Stage { region, deployment_id, variables, api });
        known.stages.insert(key, Arc::clone(&stage));
        Some(stage)
    }
}

impl Known {
    fn deployed(&mut self, world: &World, api_id: &str, deployment_id: &str) -> Option<Arc<Deployed>> {
        let key = (api_id.to_owned(), deployment_id.to_owned());
        if let Some(deployed) = self.deployed.get(&key) {
            return Some(Arc::clone(deployed));
        }
        let deployed = Arc::new(Deployed::new(live::snapshot(world, api_id, deployment_id)?));
        if self.deployed.len() >= MOST_DEPLOYED {
            self.deployed.clear();
        }
        self.deployed.insert(key, Arc::clone(&deployed));
        Some(deployed)
    }
}
