//! What happens while a plan is executed: spinners on a terminal, plain lines elsewhere, JSON when asked.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use super::{DIM, GREEN, RED, Style, tell, text};
use crate::engine::execute::{Event, Verb};
use crate::engine::plan::{Plan, Step, Work};

/// How many running steps have a line of their own on a terminal.
const LINES: usize = 12;
/// Without a terminal: how long a step is silent before its state is told, and between two states.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a state that lasts is told again, so that nobody takes the command for dead.
const REPEAT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(120);

/// The line that shows, on a terminal, that things are being read. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Reading(Option<ProgressBar>);

impl Reading {
    pub(super) fn new(count: usize, style: Style) -> Self {
        let shown = !style.quiet && !style.json && io::stderr().is_terminal();
        Self(shown.then(|| {
            let bar = ProgressBar::new_spinner().with_message(format!("reading {count} resources"));
            bar.enable_steady_tick(TICK);
            bar
        }))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The lines that move, while there are any: whoever writes above them must have them out of the way.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Does `write` where it does not tear what moves on the screen.
pub(super) fn above_what_moves(write: impl FnOnce()) {
    let bars = BARS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bars {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Lines that move, from now on.
pub(super) fn shown() -> MultiProgress {
    let bars = MultiProgress::new();
    *BARS.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars.clone());
    bars
}

/// They are gone again.
pub(super) fn gone(bars: &MultiProgress) {
    let _ = bars.clear();
    *BARS.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Shows an execution.
pub(crate) struct Progress {
    titles: Vec<Title>,
    running: BTreeMap<usize, Running>,
    sink: Sink,
}

/// What a step is called.
struct Title {
    address: String,
    /// The address, and for what goes a word that tells it apart.
    name: String,
    verb: Verb,
}

impl Title {
    fn of(step: &Step) -> Self {
        let label = match &step.work {
            Work::Delete(state) | Work::DeleteLeftover(state) => state.label.as_deref(),
            _ => None,
        };
        let address = step.address.to_string();
        let name = format!("{address}{}", text::label(label));
        Self { address, name, verb: step.work.verb() }
    }
}

/// A step that runs.
struct Running {
    began: Instant,
    /// When something was last told of it.
    told: Instant,
    /// What was last told.
    state: String,
}

impl Running {
    /// Takes in a state, and says whether to tell it. Kinds note it whenever they look.
    fn is_news(&mut self, state: &str) -> bool {
        let since = self.told.elapsed();
        let is_news = if self.state == state { since >= REPEAT } else { since >= PATIENCE };
        if is_news {
            self.told = Instant::now();
            state.clone_into(&mut self.state);
        }
        is_news
    }
}

enum Sink {
    Terminal { bars: MultiProgress, total: ProgressBar, shown: BTreeMap<usize, ProgressBar> },
    Lines,
    Json,
    Nothing,
}

impl Progress {
    pub(crate) fn new(plan: &Plan, style: Style) -> Self {
        let titles = plan.steps.iter().map(Title::of).collect();
        let sink = if style.quiet {
            Sink::Nothing
        } else if style.json {
            Sink::Json
        } else if io::stderr().is_terminal() {
            let bars = shown();
            let total = bars.add(ProgressBar::new(plan.changes().count() as u64));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} steps, {elapsed}") {
                total.set_style(style);
            }
            total.enable_steady_tick(TICK);
            Sink::Terminal { bars, total, shown: BTreeMap::new() }
        } else {
            Sink::Lines
        };
        Self { titles, running: BTreeMap::new(), sink }
    }

    /// Takes in one event.
    pub(crate) fn tell(&mut self, event: Event) {
        if let Event::Started { step } = event {
            let now = Instant::now();
            self.running.insert(step, Running { began: now, told: now, state: String::new() });
        }
        match &mut self.sink {
            Sink::Nothing => {}
            Sink::Json => self.as_json(&event),
            Sink::Lines => self.as_line(&event),
            Sink::Terminal { .. } => self.on_terminal(event),
        }
    }

    /// Takes everything that moves off the screen.
    pub(crate) fn end(self) {
        if let Sink::Terminal { bars, total, .. } = self.sink {
            total.finish_and_clear();
            gone(&bars);
        }
    }

    fn as_json(&mut self, event: &Event) {
        if let Event::Noted { step, state } = event {
            let Some(running) = self.running.get_mut(step) else { return };
            if running.state == *state {
                return;
            }
            state.clone_into(&mut running.state);
        }
        let (step, what, more) = match event {
            Event::Started { step } => (step, "started", json!({})),
            Event::Noted { step, state } => (step, "state", json!({ "state": state })),
            Event::Finished { step, elapsed, kept } => {
                (step, "finished", json!({ "seconds": elapsed.as_secs_f64(), "kept": kept }))
            }
            Event::Failed { step, elapsed, error } => {
                (step, "failed", json!({ "seconds": elapsed.as_secs_f64(), "error": error }))
            }
            Event::Skipped { step } => (step, "skipped", json!({})),
        };
        let Title { address, verb, .. } = &self.titles[*step];
        let mut line = json!({ "event": what, "address": address, "action": verb.to_string() });
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        tell(&format!("{line}\n"));
    }

    fn as_line(&mut self, event: &Event) {
        match event {
            Event::Noted { step, state } => {
                if let Some(running) = self.running.get_mut(step)
                    && running.is_news(state)
                {
                    tell(&format!("{}: {state}, {}\n", self.titles[*step].name, seconds(running.began.elapsed())));
                }
            }
            event => {
                if let Some(line) = self.ending(event) {
                    tell(&line);
                }
            }
        }
    }

    /// The line that tells how a step ended.
    fn ending(&self, event: &Event) -> Option<String> {
        let title = |step: &usize| &self.titles[*step].name;
        Some(match event {
            Event::Finished { step, kept: None, elapsed } => {
                let done = match self.titles[*step].verb {
                    Verb::Create => "created",
                    Verb::Update => "changed",
                    Verb::Replace => "replaced",
                    Verb::Delete => "deleted",
                    Verb::Keep => return None,
                };
                format!("{GREEN}{}{GREEN:#}: {done}, {DIM}{}{DIM:#}\n", title(step), seconds(*elapsed))
            }
            // Told once, with its reason, at the end.
            Event::Finished { .. } => return None,
            Event::Failed { step, elapsed, .. } => {
                format!("{RED}{}{RED:#}: failed, {}\n", title(step), seconds(*elapsed))
            }
            Event::Skipped { step } => format!("{}: not begun\n", title(step)),
            Event::Started { .. } | Event::Noted { .. } => return None,
        })
    }

    fn on_terminal(&mut self, event: Event) {
        let line = self.ending(&event);
        // Above the lines that move, before the next of them takes its place.
        if let Some(line) = line {
            tell(&line);
        }
        let Sink::Terminal { bars, total, shown } = &mut self.sink else { return };
        match &event {
            Event::Started { step } if shown.len() < LINES && self.titles[*step].verb != Verb::Keep => {
                let bar = bars.insert_before(total, ProgressBar::new_spinner());
                let Title { name, verb, .. } = &self.titles[*step];
                bar.set_prefix(format!("{verb} {name}"));
                if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} {elapsed} {msg}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(TICK);
                shown.insert(*step, bar);
            }
            Event::Started { .. } | Event::Skipped { .. } => {}
            Event::Noted { step, state } => {
                if let Some(bar) = shown.get(step) {
                    bar.set_message(state.clone());
                }
            }
            Event::Finished { step, .. } | Event::Failed { step, .. } => {
                if let Some(bar) = shown.remove(step) {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
                if self.titles[*step].verb != Verb::Keep {
                    total.inc(1);
                }
            }
        }
    }
}

fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        whole if whole >= 60 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{:.1}s", elapsed.as_secs_f32()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_when_it_is_new_and_when_it_lasts() {
        let ago = |seconds| Instant::now() - Duration::from_secs(seconds);
        let mut running = Running { began: ago(100), told: ago(5), state: String::new() };
        assert!(!running.is_news("CREATING"), "too early");
        running.told = ago(11);
        assert!(running.is_news("CREATING") && !running.is_news("CREATING"));
        running.told = ago(30);
        assert!(!running.is_news("CREATING"), "told already");
        assert!(running.is_news("UPDATING"));
        running.told = ago(61);
        assert!(running.is_news("UPDATING"), "it lasts");
    }
}
