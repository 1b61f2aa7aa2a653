//! How records get on, and whether they came through.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};
use serde_json::{Value, json};

use super::json::VERSION;
use super::{BOLD, DIM, Format, GREEN, RED, Style, YELLOW, chain, out, pretty, progress, tell};
use crate::flow::diagnosis::Cause;
use crate::flow::probe::{Hop, Seen, Trace};

/// Without a terminal: how long it is silent before it is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows how the records get on.
pub(crate) struct Watching {
    began: Instant,
    told: Instant,
    count: usize,
    at: BTreeMap<String, Hop>,
    bar: Option<(MultiProgress, ProgressBar)>,
    is_silent: bool,
}

impl Watching {
    pub(crate) fn new(count: usize, style: Style) -> Self {
        let is_silent = style.quiet || style.json;
        let bar = (!is_silent && io::stderr().is_terminal()).then(|| {
            let bars = progress::shown();
            let bar = bars.add(ProgressBar::new_spinner());
            bar.enable_steady_tick(Duration::from_millis(120));
            (bars, bar)
        });
        let now = Instant::now();
        Self { began: now, told: now, count, at: BTreeMap::new(), bar, is_silent }
    }

    /// A record is waited for at a hop.
    pub(crate) fn tell(&mut self, topic: &str, hop: Hop) {
        self.at.insert(topic.to_owned(), hop);
        self.show();
    }

    /// A record has come through, or is stuck.
    pub(crate) fn done(&mut self, topic: &str) {
        self.at.remove(topic);
        self.show();
    }

    /// Time passes.
    pub(crate) fn tick(&mut self) {
        self.show();
        if self.bar.is_none() && !self.is_silent && self.told.elapsed() >= PATIENCE {
            self.told = Instant::now();
            tell(&format!("{}\n", self.state()));
        }
    }

    fn show(&self) {
        if let Some((_, bar)) = &self.bar {
            bar.set_message(self.state());
        }
    }

    fn state(&self) -> String {
        let waiting = |hop: Hop| self.at.values().filter(|at| **at == hop).count();
        let done = self.count - self.at.len();
        let places: Vec<String> = [(Hop::Api, "acknowledgement"), (Hop::Topic, "topic"), (Hop::Bucket, "object")]
            .into_iter()
            .filter(|(hop, _)| waiting(*hop) > 0)
            .map(|(hop, what)| format!("{} waiting for the {what}", waiting(hop)))
            .collect();
        format!(
            "{done} of {} records through, {} ({} s)",
            self.count,
            places.join(", "),
            self.began.elapsed().as_secs()
        )
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some((bars, bar)) = &self.bar {
            bar.finish_and_clear();
            progress::gone(bars);
        }
    }
}

/// What became of an object that was to be removed.
type Removed = (String, Result<(), String>);

/// What was found.
pub(crate) fn verified(
    findings: &[(&Trace, Vec<Cause>)],
    removed: &[Removed],
    bucket: &str,
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Json => out(&pretty(&json_of(findings, removed, bucket))),
        _ => out(&text_of(findings, removed, bucket)),
    }
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

fn text_of(findings: &[(&Trace, Vec<Cause>)], removed: &[Removed], bucket: &str) -> String {
    let mut text = String::new();
    let width = findings.iter().map(|(trace, _)| trace.topic.len()).max().unwrap_or_default();
    for (trace, causes) in findings {
        let (mark, colour) = if trace.is_well() { ("ok", GREEN) } else { ("stuck", RED) };
        let _ = write!(text, "{BOLD}{:width$}{BOLD:#}  {colour}{mark:5}{colour:#}", trace.topic);
        for (hop, seen) in &trace.hops {
            let _ = match seen {
                Seen::Passed { took } => write!(text, "  {} {}", hop.name(), seconds(*took)),
                Seen::Failed(_) => write!(text, "  {RED}{} failed{RED:#}", hop.name()),
                Seen::Unseen(_) => write!(text, "  {YELLOW}{} not looked at{YELLOW:#}", hop.name()),
            };
        }
        text.push('\n');
        if let Some((partition, offset)) = trace.place {
            let _ = writeln!(text, "  {DIM}record: partition {partition}, offset {offset}{DIM:#}");
        }
        if let Some(landed) = &trace.landed {
            let _ = writeln!(text, "  {DIM}object: s3://{bucket}/{}{DIM:#}", landed.key);
        }
        for (hop, seen) in &trace.hops {
            let _ = match seen {
                Seen::Passed { .. } => Ok(()),
                Seen::Failed(fault) => writeln!(text, "  {RED}{}{RED:#}: {}", hop.name(), chain(fault)),
                Seen::Unseen(why) => writeln!(text, "  {YELLOW}{}{YELLOW:#}: not looked at: {why}", hop.name()),
            };
        }
        for Cause { what, fix } in causes {
            let _ = writeln!(text, "  likely cause: {what}\n    {DIM}to do:{DIM:#} {fix}");
        }
    }
    for (key, outcome) in removed {
        let _ = match outcome {
            Ok(()) => writeln!(text, "removed s3://{bucket}/{key}"),
            Err(why) => writeln!(text, "{YELLOW}left{YELLOW:#} s3://{bucket}/{key}: {why}"),
        };
    }
    text
}

fn json_of(findings: &[(&Trace, Vec<Cause>)], removed: &[Removed], bucket: &str) -> Value {
    let topics: Vec<Value> = findings.iter().map(|(trace, causes)| topic_json(trace, causes, bucket)).collect();
    let removed: Vec<Value> = removed
        .iter()
        .map(|(key, outcome)| json!({ "key": key, "removed": outcome.is_ok(), "reason": outcome.as_ref().err() }))
        .collect();
    let ok = findings.iter().all(|(trace, _)| trace.is_well());
    json!({ "version": VERSION, "ok": ok, "topics": topics, "cleaned": removed })
}

fn topic_json(trace: &Trace, causes: &[Cause], bucket: &str) -> Value {
    let hops: Vec<Value> = trace
        .hops
        .iter()
        .map(|(hop, seen)| match seen {
            Seen::Passed { took } => {
                json!({ "hop": hop.name(), "result": "passed", "milliseconds": took.as_millis() as u64 })
            }
            Seen::Failed(fault) => json!({ "hop": hop.name(), "result": "failed", "reason": chain(fault) }),
            Seen::Unseen(why) => json!({ "hop": hop.name(), "result": "not looked at", "reason": why }),
        })
        .collect();
    let causes: Vec<Value> = causes.iter().map(|cause| json!({ "cause": cause.what, "fix": cause.fix })).collect();
    json!({
        "topic": trace.topic,
        "ok": trace.is_well(),
        "partition": trace.place.map(|(partition, _)| partition),
        "offset": trace.place.map(|(_, offset)| offset),
        "object": trace.landed.as_ref().map(|landed| format!("s3://{bucket}/{}", landed.key)),
        "hops": hops,
        "likely_causes": causes,
    })
}
