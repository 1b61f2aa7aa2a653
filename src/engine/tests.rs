//! The engine with resources of its own: a small world in memory, in which things can fail.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::execute::{Event, Stop, execute};
use super::graph::{Graph, GraphError, observe};
use super::plan::{Plan, Work, plan, plan_destroy};
use super::*;

/// What exists: a value for each address, and earlier versions.
#[derive(Debug, Default)]
struct World {
    things: BTreeMap<Address, i64>,
    leftovers: BTreeMap<Address, Vec<String>>,
    calls: Vec<String>,
}

type Shared = Arc<Mutex<World>>;

#[derive(Debug)]
struct Thing {
    world: Shared,
    address: Address,
    needs: Vec<Address>,
    size: i64,
    owner: Owner,
    fails: bool,
    retained: bool,
    exists_elsewhere: bool,
    /// What is there after a call that reported success.
    ignores_changes: bool,
}

impl Thing {
    fn new(world: &Shared, name: &str, size: i64, needs: &[&str]) -> Self {
        Self {
            world: Arc::clone(world),
            address: address(name),
            needs: needs.iter().map(|need| address(need)).collect(),
            size,
            owner: Owner::Ours,
            fails: false,
            retained: false,
            exists_elsewhere: false,
            ignores_changes: false,
        }
    }

    fn call(&self, verb: &str) -> Result<()> {
        self.world.lock().unwrap().calls.push(format!("{verb} {}", self.address.name()));
        if self.fails { Err("the world said no".into()) } else { Ok(()) }
    }

    fn state(&self, size: i64) -> State {
        let fields = Fields::new().with("size", size);
        State { fields, output: Output::new().with("arn", format!("arn:{}", self.address.name())), label: None }
    }

    fn set(&self) -> State {
        let mut world = self.world.lock().unwrap();
        let size = if self.ignores_changes { -1 } else { self.size };
        world.things.insert(self.address.clone(), size);
        self.state(size)
    }
}

fn address(name: &str) -> Address {
    Address::new("thing", name)
}

#[async_trait]
impl Resource for Thing {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        Fields::new().with("size", self.size)
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        match &change.from {
            Some(Field::Known(size)) if size.as_i64() > Some(100) => OnChange::Replace("it is too big".to_owned()),
            Some(Field::Known(size)) if size.as_i64() > Some(self.size) => {
                OnChange::Refuse("it cannot shrink; keep it".to_owned())
            }
            _ => OnChange::Update,
        }
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        if self.retained { OnDestroy::Retain("it is retained".to_owned()) } else { OnDestroy::Delete }
    }

    fn must_exist(&self) -> Option<String> {
        self.exists_elsewhere.then(|| "make it first".to_owned())
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let world = self.world.lock().unwrap();
        let state = |label: &String| State { label: Some(label.clone()), ..self.state(0) };
        Ok(Observed {
            current: world.things.get(&self.address).map(|size| self.state(*size)),
            leftovers: world.leftovers.get(&self.address).into_iter().flatten().map(state).collect(),
            owner: self.owner.clone(),
        })
    }

    async fn create(&self, known: &Outputs, _progress: &Progress) -> Result<State> {
        for need in &self.needs {
            known.require(need, "arn")?;
        }
        self.call("create")?;
        Ok(self.set())
    }

    async fn update(&self, _change: &Change, _known: &Outputs, _progress: &Progress) -> Result<State> {
        self.call("update")?;
        Ok(self.set())
    }

    async fn delete(&self, state: &State, _progress: &Progress) -> Result<Removal> {
        match &state.label {
            Some(label) => self.call(&format!("delete {label} of"))?,
            None => {
                self.call("delete")?;
                self.world.lock().unwrap().things.remove(&self.address);
            }
        }
        Ok(Removal::Gone)
    }
}

fn graph(things: Vec<Thing>) -> Graph {
    Graph::new(things.into_iter().map(|thing| Box::new(thing) as Box<dyn Resource>).collect()).unwrap()
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step.work.verb(), step.address.name())).collect()
}

async fn planned(graph: &Graph) -> Plan {
    plan(graph, &observe(graph).await.unwrap())
}

async fn applied(graph: &Graph, plan: &Plan) -> execute::Report {
    let known = observe(graph).await.unwrap().known().clone();
    execute(graph, plan, known, &Stop::default(), |_| {}).await
}

fn calls(world: &Shared) -> Vec<String> {
    world.lock().unwrap().calls.clone()
}

#[tokio::test]
async fn needs_come_first_and_a_second_plan_is_empty() {
    let world = Shared::default();
    let graph = graph(vec![
        Thing::new(&world, "connector", 1, &["plugin", "role"]),
        Thing::new(&world, "plugin", 1, &["bucket"]),
        Thing::new(&world, "role", 1, &[]),
        Thing::new(&world, "bucket", 1, &[]),
    ]);
    let first = planned(&graph).await;
    let report = applied(&graph, &first).await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let calls = calls(&world);
    let place = |name: &str| calls.iter().position(|call| call == &format!("create {name}")).unwrap();
    assert!(place("bucket") < place("plugin") && place("plugin") < place("connector"));
    assert!(place("role") < place("connector"));
    assert!(planned(&graph).await.is_empty());
}

#[tokio::test]
async fn a_failure_stops_what_needs_it_and_nothing_else() {
    let world = Shared::default();
    let graph = graph(vec![
        Thing { fails: true, ..Thing::new(&world, "bucket", 1, &[]) },
        Thing::new(&world, "plugin", 1, &["bucket"]),
        Thing { fails: true, ..Thing::new(&world, "role", 1, &[]) },
        Thing::new(&world, "api", 1, &[]),
    ]);
    let report = applied(&graph, &planned(&graph).await).await;
    let failed: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    assert_eq!(failed, ["cannot create thing/bucket", "cannot create thing/role"]);
    assert_eq!((report.done.len(), report.skipped.len()), (1, 1));
    assert!(!calls(&world).contains(&"create plugin".to_owned()));
}

#[tokio::test]
async fn what_was_taken_and_not_done_is_a_failure() {
    let world = Shared::default();
    let graph = graph(vec![Thing { ignores_changes: true, ..Thing::new(&world, "connector", 1, &[]) }]);
    let report = applied(&graph, &planned(&graph).await).await;
    let why = report.failed[0].source.to_string();
    assert!(why.contains("size is -1, expected 1"), "{why}");
}

#[tokio::test]
async fn changes_are_made_in_place_replaced_or_refused() {
    let world = Shared::default();
    for (name, size) in [("grows", 1), ("shrinks", 9), ("huge", 101), ("same", 5)] {
        world.lock().unwrap().things.insert(address(name), size);
    }
    let graph = graph(vec![
        Thing::new(&world, "grows", 2, &[]),
        Thing::new(&world, "shrinks", 2, &[]),
        Thing::new(&world, "huge", 5, &[]),
        Thing::new(&world, "same", 5, &[]),
    ]);
    let plan = planned(&graph).await;
    assert_eq!(actions(&plan), ["update grows", "replace huge"]);
    assert_eq!(plan.refusals[0].to_string(), "thing/shrinks: it cannot shrink; keep it");
    assert_eq!(plan.unchanged, [address("same")]);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_never_destroyed() {
    let world = Shared::default();
    world.lock().unwrap().things.insert(address("bucket"), 1);
    let graph = graph(vec![
        Thing { owner: Owner::Foreign("it lacks our tags".to_owned()), ..Thing::new(&world, "bucket", 1, &[]) },
        Thing { exists_elsewhere: true, ..Thing::new(&world, "cluster", 1, &[]) },
    ]);
    let refusals: Vec<String> = planned(&graph).await.refusals.iter().map(ToString::to_string).collect();
    assert!(refusals[0].contains("it lacks our tags") && refusals[1].contains("make it first"), "{refusals:?}");
    let destroy = plan_destroy(&graph, &observe(&graph).await.unwrap());
    assert!(matches!(destroy.steps[0].work, Work::Keep(_)) && destroy.changes().next().is_none());
}

#[tokio::test]
async fn an_earlier_version_goes_once_its_users_have_moved_on() {
    let world = Shared::default();
    world.lock().unwrap().things.insert(address("connector"), 1);
    world.lock().unwrap().leftovers.insert(address("plugin"), vec!["old".to_owned()]);
    let graph = graph(vec![Thing::new(&world, "plugin", 1, &[]), Thing::new(&world, "connector", 2, &["plugin"])]);
    applied(&graph, &planned(&graph).await).await;
    assert_eq!(calls(&world), ["create plugin", "update connector", "delete old of plugin"]);
}

#[tokio::test]
async fn destroy_goes_from_the_users_to_what_they_use() {
    let world = Shared::default();
    for name in ["bucket", "plugin", "connector", "topic"] {
        world.lock().unwrap().things.insert(address(name), 1);
    }
    let graph = graph(vec![
        Thing::new(&world, "bucket", 1, &[]),
        Thing::new(&world, "plugin", 1, &["bucket"]),
        Thing { retained: true, ..Thing::new(&world, "topic", 1, &[]) },
        Thing::new(&world, "connector", 1, &["plugin", "topic"]),
    ]);
    let plan = plan_destroy(&graph, &observe(&graph).await.unwrap());
    let report = applied(&graph, &plan).await;
    assert_eq!(calls(&world), ["delete connector", "delete plugin", "delete bucket"]);
    assert_eq!(report.kept, [(address("topic"), "it is retained".to_owned())]);
    assert!(report.outputs.of(&address("bucket")).is_none());
}

#[tokio::test]
async fn nothing_begins_after_a_stop() {
    let world = Shared::default();
    let graph = graph(vec![Thing::new(&world, "a", 1, &[]), Thing::new(&world, "b", 1, &["a"])]);
    let plan = planned(&graph).await;
    let stop = Stop::default();
    let asked = stop.clone();
    let report = execute(&graph, &plan, Outputs::default(), &stop, |event| {
        if matches!(event, Event::Started { .. }) {
            asked.ask();
        }
    })
    .await;
    assert_eq!(calls(&world), ["create a"]);
    assert_eq!(report.skipped.len(), 1);
}

#[test]
fn graphs_that_make_no_sense_are_refused() {
    let world = Shared::default();
    let build = |things: Vec<Thing>| {
        Graph::new(things.into_iter().map(|thing| Box::new(thing) as Box<dyn Resource>).collect()).unwrap_err()
    };
    let twice = build(vec![Thing::new(&world, "a", 1, &[]), Thing::new(&world, "a", 2, &[])]);
    assert_eq!(twice, GraphError::Duplicate(address("a")));
    let missing = build(vec![Thing::new(&world, "a", 1, &["b"])]);
    assert_eq!(missing.to_string(), "thing/a needs thing/b, which is not declared; declare it");
    let cycle = build(vec![
        Thing::new(&world, "a", 1, &["b"]),
        Thing::new(&world, "b", 1, &["a"]),
        Thing::new(&world, "c", 1, &[]),
    ]);
    assert_eq!(cycle, GraphError::Cycle(vec![address("a"), address("b")]));
}
