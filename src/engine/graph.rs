//! Resources in dependency order, and what is there of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::{Address, Cause, Observed, Outputs, Owner, Resource};

/// How many resources are worked on at once. Nearly all of them only wait for AWS to settle; a kind of which a
/// manifest may have a thousand queues its own calls.
pub(super) const WIDTH: usize = 1024;

/// Why resources make no graph.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two resources have one address.
    #[error("{0} is declared twice; remove or rename one of them")]
    Duplicate(Address),
    /// A resource needs one that isn't there.
    #[error("{from} needs {to}, which is not declared; declare it")]
    Missing {
        /// The one that needs.
        from: Address,
        /// The one that is needed.
        to: Address,
    },
    /// Resources need each other.
    #[error("these need each other, so that none can come first: {}", list(.0))]
    Cycle(Vec<Address>),
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// Resources, each after those that it needs.
#[derive(Debug)]
pub struct Graph {
    resources: Vec<Box<dyn Resource>>,
    /// For each resource, the positions of those that it needs; all of them lower than its own.
    needs: Vec<Vec<usize>>,
    places: BTreeMap<Address, usize>,
}

impl Graph {
    /// Orders resources so that each comes after its needs, and otherwise as given: those that are given in such an
    /// order keep it.
    ///
    /// # Errors
    /// Where an address stands twice, a need is missing, or needs form a cycle.
    pub fn new(resources: Vec<Box<dyn Resource>>) -> Result<Self, GraphError> {
        let mut position = BTreeMap::new();
        for (index, resource) in resources.iter().enumerate() {
            if position.insert(resource.address().clone(), index).is_some() {
                return Err(GraphError::Duplicate(resource.address().clone()));
            }
        }
        let mut needs = Vec::with_capacity(resources.len());
        for resource in &resources {
            let positions: Result<Vec<usize>, GraphError> = resource
                .needs()
                .iter()
                .map(|need| {
                    position
                        .get(need)
                        .copied()
                        .ok_or_else(|| GraphError::Missing { from: resource.address().clone(), to: need.clone() })
                })
                .collect();
            needs.push(positions?);
        }
        let mut frontier = Frontier::new(&needs);
        let mut order = Vec::with_capacity(resources.len());
        while let Some(index) = frontier.next() {
            order.push(index);
            frontier.done(index);
        }
        if order.len() < resources.len() {
            let placed: BTreeSet<usize> = order.into_iter().collect();
            let stuck = resources.iter().enumerate().filter(|(index, _)| !placed.contains(index));
            return Err(GraphError::Cycle(stuck.map(|(_, resource)| resource.address().clone()).collect()));
        }
        Ok(Self::reorder(resources, &needs, &order))
    }

    fn reorder(resources: Vec<Box<dyn Resource>>, needs: &[Vec<usize>], order: &[usize]) -> Self {
        let mut rank = vec![0; order.len()];
        for (place, &index) in order.iter().enumerate() {
            rank[index] = place;
        }
        let mut ranked: Vec<_> = resources.into_iter().enumerate().map(|(index, r)| (rank[index], r)).collect();
        ranked.sort_by_key(|(place, _)| *place);
        let places = ranked.iter().map(|(place, resource)| (resource.address().clone(), *place)).collect();
        Self {
            places,
            resources: ranked.into_iter().map(|(_, resource)| resource).collect(),
            needs: order.iter().map(|&index| needs[index].iter().map(|&need| rank[need]).collect()).collect(),
        }
    }

    /// All resources, each after its needs.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = &dyn Resource> + ExactSizeIterator {
        self.resources.iter().map(Box::as_ref)
    }

    /// The resource of an address.
    pub fn get(&self, address: &Address) -> Option<&dyn Resource> {
        self.places.get(address).map(|&place| self.at(place))
    }

    /// The resource at a place of [`Self::in_order`].
    pub(super) fn at(&self, place: usize) -> &dyn Resource {
        self.resources[place].as_ref()
    }

    /// The places of what each resource needs.
    pub(super) fn needs(&self) -> &[Vec<usize>] {
        &self.needs
    }
}

/// Which of some things may start, when each waits for others.
#[derive(Debug)]
pub(super) struct Frontier {
    waits_for: Vec<usize>,
    unblocks: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
}

impl Frontier {
    /// `after[i]` has those that `i` waits for.
    pub(super) fn new(after: &[Vec<usize>]) -> Self {
        let mut unblocks = vec![Vec::new(); after.len()];
        for (index, others) in after.iter().enumerate() {
            for &other in others {
                unblocks[other].push(index);
            }
        }
        let waits_for: Vec<usize> = after.iter().map(Vec::len).collect();
        let ready = waits_for.iter().enumerate().filter(|(_, count)| **count == 0).map(|(index, _)| index).collect();
        Self { waits_for, unblocks, ready }
    }

    /// The first that may start, and has not yet.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.ready.pop_first()
    }

    /// Tells that one is done, so that others may start.
    pub(super) fn done(&mut self, index: usize) {
        for &other in &self.unblocks[index] {
            self.waits_for[other] -= 1;
            if self.waits_for[other] == 0 {
                self.ready.insert(other);
            }
        }
    }
}

/// What is there of a graph's resources.
#[derive(Debug, Default)]
pub struct Snapshot {
    observed: BTreeMap<Address, Observed>,
    known: Outputs,
}

impl Snapshot {
    /// Adds what was read of one resource.
    pub fn insert(&mut self, address: Address, observed: Observed) {
        if let (Some(current), Owner::Ours | Owner::Untaggable) = (&observed.current, &observed.owner) {
            self.known.insert(address.clone(), current.output.clone());
        }
        self.observed.insert(address, observed);
    }

    /// What was read of a resource.
    pub fn of(&self, address: &Address) -> Option<&Observed> {
        self.observed.get(address)
    }

    /// The outputs of everything that exists and is not somebody else's.
    pub fn known(&self) -> &Outputs {
        &self.known
    }
}

/// A resource that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {address}")]
pub struct Unread {
    /// Which.
    pub address: Address,
    /// Why.
    #[source]
    pub source: Cause,
}

/// Reads every resource, each as soon as its needs are read. What needs a resource that could not be read is not read.
///
/// # Errors
/// Every resource that could not be read.
pub async fn observe(graph: &Graph) -> Result<Snapshot, Vec<Unread>> {
    let mut snapshot = Snapshot::default();
    let mut failures = Vec::new();
    let mut frontier = Frontier::new(graph.needs());
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < WIDTH
            && let Some(place) = frontier.next()
        {
            let resource = graph.at(place);
            let known = snapshot.known.only(resource.needs());
            running.push(async move { (place, resource.read(&known).await) });
        }
        let Some((place, result)) = running.next().await else { break };
        let address = graph.at(place).address().clone();
        match result {
            Ok(observed) => {
                snapshot.insert(address, observed);
                frontier.done(place);
            }
            Err(source) => failures.push(Unread { address, source }),
        }
    }
    if failures.is_empty() { Ok(snapshot) } else { Err(failures) }
}
