//! Walks a plan concurrently, and tells what happens.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::diff::diff;
use super::graph::{Frontier, Graph, WIDTH};
use super::plan::{Plan, Step, Work};
use super::{Address, Cause, Change, Field, FieldChange, Outputs, Progress, Removal, Resource, Result, State};

/// What a step does, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Makes.
    Create,
    /// Changes in place.
    Update,
    /// Deletes and makes again.
    Replace,
    /// Deletes.
    Delete,
    /// Leaves.
    Keep,
}

impl Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Keep => "keep",
        })
    }
}

impl Work {
    /// The word for it.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create(_) => Verb::Create,
            Self::Update(_) => Verb::Update,
            Self::Replace { .. } => Verb::Replace,
            Self::Delete(_) | Self::DeleteLeftover(_) => Verb::Delete,
            Self::Keep(_) => Verb::Keep,
        }
    }
}

/// What happens while a plan is executed. `step` is the step's place in the plan.
#[derive(Debug)]
pub enum Event {
    /// A step began.
    Started {
        /// Which.
        step: usize,
    },
    /// A step told what it is waiting for.
    Noted {
        /// Which.
        step: usize,
        /// The state that the thing is in.
        state: String,
    },
    /// A step is over, and what was asked is what is there.
    Finished {
        /// Which.
        step: usize,
        /// How long it took.
        elapsed: Duration,
        /// Why the thing is still there, where it was to be deleted and had to be kept.
        kept: Option<String>,
    },
    /// A step failed.
    Failed {
        /// Which.
        step: usize,
        /// How long it took.
        elapsed: Duration,
        /// Why, in one line.
        error: String,
    },
    /// A step was not begun.
    Skipped {
        /// Which.
        step: usize,
    },
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {address}")]
pub struct StepFailed {
    /// What it was done to.
    pub address: Address,
    /// What was done.
    pub verb: Verb,
    /// Why it failed.
    #[source]
    pub source: Cause,
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Report {
    /// The places of the steps that are done.
    pub done: Vec<usize>,
    /// What had to be kept though it was to be deleted, and why.
    pub kept: Vec<(Address, String)>,
    /// Every step that failed.
    pub failed: Vec<StepFailed>,
    /// The places of the steps that were not begun, because one before them failed or the user stopped.
    pub skipped: Vec<usize>,
    /// The outputs of everything that exists now.
    pub outputs: Outputs,
}

/// Asks an execution to begin no more steps. Those that run go on to their end, so that nothing is left half known.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a step left behind.
enum Outcome {
    There(State),
    Gone,
    Kept(String),
}

/// Does what the plan says, as wide as its order allows. A failed step stops what waits for it, and nothing else.
pub async fn execute(graph: &Graph, plan: &Plan, known: Outputs, stop: &Stop, mut report: impl FnMut(Event)) -> Report {
    let after: Vec<Vec<usize>> = plan.steps.iter().map(|step| step.after.clone()).collect();
    let mut frontier = Frontier::new(&after);
    let mut running = FuturesUnordered::new();
    let (notes, mut noted) = mpsc::unbounded_channel();
    let mut ended = Report { outputs: known, ..Report::default() };
    let mut begun = vec![false; plan.steps.len()];
    loop {
        while running.len() < WIDTH
            && !stop.asked()
            && let Some(place) = frontier.next()
        {
            begun[place] = true;
            let step = &plan.steps[place];
            let Some(resource) = graph.get(&step.address) else { continue };
            let known = ended.outputs.only(resource.needs());
            let notes = notes.clone();
            let progress = Progress::new(move |state| drop(notes.send((place, state))));
            report(Event::Started { step: place });
            let began = Instant::now();
            running.push(async move {
                let result = perform(resource, step, &known, &progress).await;
                (place, result, began.elapsed())
            });
        }
        tokio::select! {
            biased;
            Some((step, state)) = noted.recv() => report(Event::Noted { step, state }),
            next = running.next() => {
                let Some((place, result, elapsed)) = next else { break };
                let step = &plan.steps[place];
                match result {
                    Ok(outcome) => {
                        let kept = settle(&mut ended, step, outcome);
                        ended.done.push(place);
                        report(Event::Finished { step: place, elapsed, kept });
                        frontier.done(place);
                    }
                    Err(source) => {
                        let failure = StepFailed { address: step.address.clone(), verb: step.work.verb(), source };
                        report(Event::Failed { step: place, elapsed, error: failure.source.to_string() });
                        ended.failed.push(failure);
                    }
                }
            }
        }
    }
    for (step, _) in begun.iter().enumerate().filter(|(_, begun)| !**begun) {
        report(Event::Skipped { step });
        ended.skipped.push(step);
    }
    ended
}

/// Takes over what a step left behind; tells why a thing was kept that was to go.
fn settle(ended: &mut Report, step: &Step, outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::There(state) => ended.outputs.insert(step.address.clone(), state.output),
        // A leftover's going says nothing about the version that is in use.
        Outcome::Gone if matches!(step.work, Work::DeleteLeftover(_)) => {}
        Outcome::Gone => ended.outputs.remove(&step.address),
        Outcome::Kept(why) => {
            ended.kept.push((step.address.clone(), why.clone()));
            return Some(why);
        }
    }
    None
}

async fn perform(resource: &dyn Resource, step: &Step, known: &Outputs, progress: &Progress) -> Result<Outcome> {
    match &step.work {
        Work::Create(_) => create(resource, known, progress).await.map(Outcome::There),
        Work::Update(planned) => {
            // What was known only after apply is known now.
            let fields = diff(&resource.desired(known), &planned.current.fields);
            if fields.is_empty() {
                return Ok(Outcome::There(planned.current.clone()));
            }
            let change = Change { current: planned.current.clone(), fields };
            let state = resource.update(&change, known, progress).await?;
            verify(resource, known, state).map(Outcome::There)
        }
        Work::Replace { change, .. } => {
            if let Removal::Kept(why) = resource.delete(&change.current, progress).await? {
                return Err(format!("it had to be deleted first, and was kept: {why}").into());
            }
            create(resource, known, progress).await.map(Outcome::There)
        }
        Work::Delete(state) | Work::DeleteLeftover(state) => Ok(match resource.delete(state, progress).await? {
            Removal::Gone => Outcome::Gone,
            Removal::Kept(why) => Outcome::Kept(why),
        }),
        Work::Keep(why) => Ok(Outcome::Kept(why.clone())),
    }
}

async fn create(resource: &dyn Resource, known: &Outputs, progress: &Progress) -> Result<State> {
    let state = resource.create(known, progress).await?;
    verify(resource, known, state)
}

/// What AWS took without an error, and did not do.
#[derive(Debug, thiserror::Error)]
#[error(
    "AWS reported success, but what is there is not what was asked: {}; apply again, and look for what else changes it",
    differences(.0)
)]
pub struct NotAsAsked(pub Vec<FieldChange>);

fn differences(fields: &[FieldChange]) -> String {
    let shown = |field: &Option<Field>| match field {
        Some(Field::Known(value)) => value.to_string(),
        Some(Field::Secret(_)) => "(sensitive)".to_owned(),
        Some(Field::AfterApply) => "(unknown)".to_owned(),
        None => "absent".to_owned(),
    };
    let texts: Vec<String> = fields
        .iter()
        .map(|change| format!("{} is {}, expected {}", change.field, shown(&change.from), shown(&change.to)))
        .collect();
    texts.join("; ")
}

/// An apply is done when what was asked is what is there, not when a call returned.
fn verify(resource: &dyn Resource, known: &Outputs, state: State) -> Result<State> {
    let fields = diff(&resource.desired(known), &state.fields);
    if fields.is_empty() { Ok(state) } else { Err(NotAsAsked(fields).into()) }
}
