//! What is to be done: a graph and a snapshot make a plan. Synchronous and pure.

use super::diff::diff;
use super::graph::{Graph, Snapshot};
use super::{Address, Change, Fields, OnChange, OnDestroy, Outputs, Owner, Resource, State};

/// What is to be done, and what is not.
#[derive(Debug, Default)]
pub struct Plan {
    /// The steps, each after those that it waits for.
    pub steps: Vec<Step>,
    /// What must not be done; a plan that has any is not executed.
    pub refusals: Vec<Refusal>,
    /// What is as it should be.
    pub unchanged: Vec<Address>,
    /// What a person should know.
    pub warnings: Vec<(Address, String)>,
}

/// One thing to do.
#[derive(Debug)]
pub struct Step {
    /// What it is done to.
    pub address: Address,
    /// What is done.
    pub work: Work,
    /// The places, in [`Plan::steps`], of the steps that come before it.
    pub after: Vec<usize>,
}

/// What a step does, with all that it needs to know.
#[derive(Debug)]
pub enum Work {
    /// Make it, with these fields as far as they are known.
    Create(Fields),
    /// Change it in place.
    Update(Change),
    /// Delete it and make it again.
    Replace {
        /// What is there, and what differs.
        change: Change,
        /// Why it can't be changed in place.
        reason: String,
    },
    /// Delete it.
    Delete(State),
    /// Delete an earlier version that nothing needs any more.
    DeleteLeftover(State),
    /// Leave it, for this reason.
    Keep(String),
}

impl Work {
    /// Whether something that exists is lost by it.
    pub fn destroys(&self) -> bool {
        matches!(self, Self::Replace { .. } | Self::Delete(_))
    }
}

/// Something that the manifest asks for and that must not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {reason}")]
pub struct Refusal {
    /// What it would be done to.
    pub address: Address,
    /// Why not, and what to do.
    pub reason: String,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none() && self.refusals.is_empty()
    }

    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !matches!(step.work, Work::Keep(_)))
    }
}

/// For each resource, the steps that must be over before what comes after it may start: its own, or, where it has
/// none, those that it waits for itself.
type Gates = Vec<Vec<usize>>;

fn gate(gates: &Gates, others: &[usize]) -> Vec<usize> {
    let mut steps: Vec<usize> = others.iter().flat_map(|&other| gates[other].iter().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The plan that makes what is there into what is declared.
pub fn plan(graph: &Graph, snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let mut known = snapshot.known().clone();
    let mut gates: Gates = Vec::with_capacity(graph.needs().len());
    for (place, resource) in graph.in_order().enumerate() {
        let after = gate(&gates, &graph.needs()[place]);
        plan.warnings.extend(resource.warnings().into_iter().map(|text| (resource.address().clone(), text)));
        match decide(resource, snapshot, &known) {
            Ok(None) => {
                plan.unchanged.push(resource.address().clone());
                gates.push(after);
            }
            Ok(Some(work)) => {
                if !matches!(work, Work::Update(_)) {
                    known.remove(resource.address());
                }
                gates.push(vec![plan.steps.len()]);
                plan.steps.push(Step { address: resource.address().clone(), work, after });
            }
            Err(reasons) => {
                let address = resource.address();
                plan.refusals.extend(reasons.into_iter().map(|reason| Refusal { address: address.clone(), reason }));
                gates.push(after);
            }
        }
    }
    add_leftovers(&mut plan, graph, snapshot, &gates);
    plan
}

/// What one resource asks for, or why that must not be done.
fn decide(resource: &dyn Resource, snapshot: &Snapshot, known: &Outputs) -> Result<Option<Work>, Vec<String>> {
    let observed = snapshot.of(resource.address());
    let desired = resource.desired(known);
    let Some((observed, current)) = observed.and_then(|seen| Some((seen, seen.current.as_ref()?))) else {
        return match resource.must_exist() {
            Some(reason) => Err(vec![reason]),
            None => Ok(Some(Work::Create(desired))),
        };
    };
    if let Owner::Foreign(why) = &observed.owner {
        return Err(vec![format!("{why}; it is left alone: rename ours in the manifest, or remove the other one")]);
    }
    let fields = diff(&desired, &current.fields);
    if fields.is_empty() {
        return Ok(None);
    }
    let (mut refused, mut replaced) = (Vec::new(), None);
    for change in &fields {
        match resource.on_change(change) {
            OnChange::Update => {}
            OnChange::Replace(reason) => replaced = replaced.or(Some(reason)),
            OnChange::Refuse(reason) => refused.push(reason),
        }
    }
    let change = Change { current: current.clone(), fields };
    match (refused.is_empty(), replaced) {
        (false, _) => Err(refused),
        (true, Some(reason)) => Ok(Some(Work::Replace { change, reason })),
        (true, None) => Ok(Some(Work::Update(change))),
    }
}

/// Deletes earlier versions, each once everything that may still use it has moved on.
fn add_leftovers(plan: &mut Plan, graph: &Graph, snapshot: &Snapshot, gates: &Gates) {
    let users = dependents(graph);
    for (place, resource) in graph.in_order().enumerate() {
        let Some(observed) = snapshot.of(resource.address()) else { continue };
        if observed.leftovers.is_empty() {
            continue;
        }
        let mut after = gate(gates, &reachable(&users, place));
        after.retain(|&step| step < plan.steps.len());
        let mut own = gates[place].clone();
        own.append(&mut after);
        own.sort_unstable();
        own.dedup();
        for leftover in &observed.leftovers {
            plan.steps.push(Step {
                address: resource.address().clone(),
                work: Work::DeleteLeftover(leftover.clone()),
                after: own.clone(),
            });
        }
    }
}

/// For each resource, the places of those that need it.
fn dependents(graph: &Graph) -> Vec<Vec<usize>> {
    let mut users = vec![Vec::new(); graph.needs().len()];
    for (place, needs) in graph.needs().iter().enumerate() {
        for &need in needs {
            users[need].push(place);
        }
    }
    users
}

/// Every place that can be reached from one, without itself.
fn reachable(edges: &[Vec<usize>], from: usize) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let mut stack = edges[from].clone();
    let mut reached = Vec::new();
    while let Some(place) = stack.pop() {
        if !std::mem::replace(&mut seen[place], true) {
            reached.push(place);
            stack.extend(&edges[place]);
        }
    }
    reached
}

/// The plan that removes what the manifest made: what uses a thing goes before it.
pub fn plan_destroy(graph: &Graph, snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let users = dependents(graph);
    let mut gates: Gates = vec![Vec::new(); graph.needs().len()];
    for (place, resource) in graph.in_order().enumerate().rev() {
        let after = gate(&gates, &users[place]);
        let address = resource.address();
        let Some(observed) = snapshot.of(address) else { continue };
        let first = plan.steps.len();
        let mut add = |work| plan.steps.push(Step { address: address.clone(), work, after: after.clone() });
        for leftover in &observed.leftovers {
            add(Work::Delete(leftover.clone()));
        }
        match (&observed.current, &observed.owner) {
            (Some(_), Owner::Foreign(why)) => add(Work::Keep(format!("not ours: {why}"))),
            (Some(state), _) => match resource.on_destroy(state) {
                OnDestroy::Delete => add(Work::Delete(state.clone())),
                OnDestroy::Retain(why) => add(Work::Keep(why)),
                OnDestroy::Ignore => {}
            },
            (None, _) => {}
        }
        let own: Vec<usize> = (first..plan.steps.len()).collect();
        gates[place] = if own.is_empty() { after } else { own };
    }
    plan
}
