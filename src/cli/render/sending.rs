//! How sending goes, and how it went.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::json::VERSION;
use super::{DIM, Format, GREEN, RED, Style, YELLOW, out, pretty, progress, tell};
use crate::flow::ranges::Range;
use crate::flow::records::Unit;
use crate::flow::rejects::Lost;
use crate::flow::sender::{Ending, Event, Latency, Summary, TopicCount};

/// Without a terminal: how long it is silent before it is told how far things are.
const PATIENCE: Duration = Duration::from_secs(5);
/// The least time between two notes of posts that are made again, each of which has a reason of its own.
const AGAIN: Duration = Duration::from_secs(5);
/// How many records that were not acknowledged are told one by one.
const TOLD: u64 = 10;
/// How many ranges of one topic are told to a person.
const RANGES: usize = 10;

/// Shows how sending goes.
pub(crate) struct Sending {
    sink: Sink,
    unit: Unit,
    /// Whether records that are not acknowledged go to a file, where they can be read.
    kept: bool,
    lost: u64,
    told: Instant,
    told_again: Option<Instant>,
}

enum Sink {
    Terminal { bars: MultiProgress, bar: ProgressBar },
    Lines,
    Json,
    Nothing,
}

impl Sending {
    pub(crate) fn new(unit: Unit, count: Option<u64>, kept: bool, style: Style) -> Self {
        let sink = if style.quiet {
            Sink::Nothing
        } else if style.json {
            Sink::Json
        } else if io::stderr().is_terminal() {
            let bars = progress::shown();
            let (bar, template) = match count {
                Some(count) => (ProgressBar::new(count), "{spinner} {wide_bar} {pos}/{len} {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {pos} records {msg}"),
            };
            let bar = bars.add(bar);
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            Sink::Terminal { bars, bar }
        } else {
            Sink::Lines
        };
        Self { sink, unit, kept, lost: 0, told: Instant::now(), told_again: None }
    }

    /// Takes in one event.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Progress(summary) => self.progress(summary),
            Event::Lost(lost) => self.lost(lost),
            Event::Again { reason, records } => self.again(reason, *records),
        }
    }

    fn progress(&mut self, summary: &Summary) {
        let is_time = self.told.elapsed() >= PATIENCE;
        match &self.sink {
            Sink::Terminal { bar, .. } => {
                bar.set_position(summary.taken);
                bar.set_message(state(summary));
                bar.tick();
            }
            Sink::Lines if is_time => {
                self.told = Instant::now();
                tell(&format!("{} records, {}\n", summary.taken, state(summary)));
            }
            Sink::Json if is_time => {
                self.told = Instant::now();
                tell(&format!("{}\n", event("progress", counts(summary))));
            }
            Sink::Lines | Sink::Json | Sink::Nothing => {}
        }
    }

    fn lost(&mut self, lost: &Lost) {
        self.lost += 1;
        // With --quiet too: it is an error, and the records are nowhere else.
        if self.kept || self.lost > TOLD || matches!(self.sink, Sink::Json) {
            return;
        }
        let Lost { fate, number, topic, reason, .. } = lost;
        let fate = serde_json::to_value(fate).unwrap_or_default();
        let doubt = if lost.in_doubt { " (it may be written all the same)" } else { "" };
        let fate = fate.as_str().unwrap_or_default();
        tell(&format!("{RED}{fate}{RED:#}: {topic}, {} {number}: {reason}{doubt}\n", self.unit.name()));
        if self.lost == TOLD {
            tell("further ones are only counted\n");
        }
    }

    fn again(&mut self, reason: &str, records: usize) {
        if self.told_again.is_some_and(|told| told.elapsed() < AGAIN) {
            return;
        }
        self.told_again = Some(Instant::now());
        match self.sink {
            Sink::Nothing => {}
            Sink::Json => tell(&format!("{}\n", event("again", json!({ "records": records, "reason": reason })))),
            _ => tell(&format!("{DIM}{records} records are posted again: {reason}{DIM:#}\n")),
        }
    }

    /// Takes everything that moves off the screen.
    pub(crate) fn end(self) {
        if let Sink::Terminal { bars, bar } = self.sink {
            bar.finish_and_clear();
            progress::gone(&bars);
        }
    }
}

fn event(what: &str, mut more: Value) -> Value {
    let mut line = json!({ "event": what });
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object_mut()) {
        line.append(more);
    }
    line
}

/// How far things are, in a line.
fn state(summary: &Summary) -> String {
    let Summary { acknowledged, retries, elapsed, .. } = summary;
    let mut text = format!("{acknowledged} acknowledged, {:.0}/s, {:.0} s", summary.rate(), elapsed.as_secs_f64());
    if let Some(latency) = &summary.latency {
        push(&mut text, format_args!(", p50 {} p95 {} p99 {}", ms(latency.p50), ms(latency.p95), ms(latency.p99)));
    }
    if summary.lost() > 0 {
        push(&mut text, format_args!(", {} not acknowledged", summary.lost()));
    }
    if *retries > 0 {
        push(&mut text, format_args!(", {retries} posts made again"));
    }
    text
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(what);
}

fn ms(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.1}ms") } else { format!("{milliseconds:.0}ms") }
}

/// How it went.
pub(crate) fn sent(summary: &Summary, seed: Option<u64>, format: Format) -> io::Result<()> {
    out(&match format {
        Format::Json => pretty(&as_json(summary, seed)),
        _ => as_text(summary),
    })
}

fn counts(summary: &Summary) -> Value {
    let Summary { taken, acknowledged, rejected, failed, posts, retries, elapsed, .. } = summary;
    json!({
        "records": taken,
        "acknowledged": acknowledged,
        "rejected": rejected,
        "failed": failed,
        "posts": posts,
        "retries": retries,
        "seconds": elapsed.as_secs_f64(),
        "records_per_second": summary.rate(),
        "latency_ms": summary.latency.as_ref().map(|Latency { p50, p95, p99, max }| {
            let ms = |duration: &Duration| duration.as_secs_f64() * 1000.0;
            json!({ "p50": ms(p50), "p95": ms(p95), "p99": ms(p99), "max": ms(max) })
        }),
    })
}

fn as_json(summary: &Summary, seed: Option<u64>) -> Value {
    let mut value = json!({ "version": VERSION });
    let (ended, error) = match &summary.ending {
        Ending::Complete => ("complete", None),
        Ending::Stopped => ("stopped", None),
        Ending::Useless(why) => ("useless", Some(why)),
        Ending::Unreadable(why) => ("unreadable", Some(why)),
    };
    let doubtful = summary.topics.iter().flat_map(|topic| {
        topic.retried_after_unknown_outcome.iter().map(|Range { first, last, count }| {
            json!({ "topic": topic.topic, "first": first, "last": last, "count": count })
        })
    });
    let more = [
        counts(summary),
        json!({
            "ended": ended,
            "error": error,
            "seed": seed,
            "topics": summary.topics.iter().map(|TopicCount { topic, acknowledged, rejected, failed, .. }| {
                json!({ "topic": topic, "acknowledged": acknowledged, "rejected": rejected, "failed": failed })
            }).collect::<Vec<_>>(),
            "unit": summary.unit.name(),
            "last": summary.last,
            "retried_after_unknown_outcome": doubtful.collect::<Vec<_>>(),
            "first_not_acknowledged": summary.first_lost.iter().map(|lost| lost.told(summary.unit)).collect::<Vec<_>>(),
        }),
    ];
    if let Some(value) = value.as_object_mut() {
        for mut more in more {
            if let Some(more) = more.as_object_mut() {
                value.append(more);
            }
        }
    }
    value
}

fn as_text(summary: &Summary) -> String {
    let Summary { taken, acknowledged, rejected, failed, posts, retries, elapsed, unit, .. } = summary;
    let (begin, end) =
        if summary.lost() == 0 { (GREEN.render(), GREEN.render_reset()) } else { (RED.render(), RED.render_reset()) };
    let mut text = format!("{begin}{acknowledged} of {taken} records acknowledged{end}");
    if summary.lost() > 0 {
        push(&mut text, format_args!(", {rejected} rejected, {failed} failed"));
    }
    let stopped = match summary.last {
        Some(last) if summary.ending != Ending::Complete => {
            format!("; ended early, the last one taken has {} {last}", unit.name())
        }
        _ => String::new(),
    };
    push(&mut text, format_args!(", in {:.1} s: {:.0} a second{stopped}\n", elapsed.as_secs_f64(), summary.rate()));
    let width = summary.topics.iter().map(|topic| topic.topic.len()).max().unwrap_or_default();
    for TopicCount { topic, acknowledged, rejected, failed, .. } in &summary.topics {
        push(&mut text, format_args!("  {topic:width$}  {acknowledged} acknowledged"));
        if rejected + failed > 0 {
            push(&mut text, format_args!(", {rejected} rejected, {failed} failed"));
        }
        text.push('\n');
    }
    push(&mut text, format_args!("  {posts} posts"));
    if *retries > 0 {
        push(&mut text, format_args!(", {retries} of them made again"));
    }
    if let Some(Latency { p50, p95, p99, max }) = summary.latency {
        let (p50, p95, p99, max) = (ms(p50), ms(p95), ms(p99), ms(max));
        push(&mut text, format_args!("; half of them took up to {p50}, 95 % {p95}, 99 % {p99}, the longest {max}"));
    }
    text.push('\n');
    if summary.in_doubt() > 0 {
        push(
            &mut text,
            format_args!(
                "{YELLOW}{} records may be there twice{YELLOW:#}: they were posted again after a post whose outcome nobody knows\n",
                summary.in_doubt()
            ),
        );
        for topic in &summary.topics {
            let ranges = &topic.retried_after_unknown_outcome;
            let mut spelled: Vec<String> = ranges.iter().take(RANGES).map(spell).collect();
            if spelled.is_empty() {
                continue;
            }
            if ranges.iter().nth(RANGES).is_some() {
                spelled.push("… (--format json has all)".to_owned());
            }
            push(&mut text, format_args!("  {:width$}  {} {}\n", topic.topic, unit.name(), spelled.join(", ")));
        }
    }
    text
}

fn spell(Range { first, last, .. }: Range) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ranges::Ranges;
    use crate::flow::rejects::Fate;

    fn summary() -> Summary {
        let topic = |topic: &str, acknowledged, failed| TopicCount {
            topic: topic.to_owned(),
            acknowledged,
            rejected: 0,
            failed,
            retried_after_unknown_outcome: Ranges::default(),
        };
        let ms = Duration::from_millis;
        Summary {
            taken: 200,
            last: Some(100),
            acknowledged: 200,
            rejected: 0,
            failed: 0,
            posts: 4,
            retries: 0,
            elapsed: ms(500),
            latency: Some(Latency { p50: ms(5), p95: ms(20), p99: ms(40), max: ms(41) }),
            topics: vec![topic("u.pin", 100, 0), topic("u.user", 100, 0)],
            unit: Unit::Index,
            first_lost: Vec::new(),
            ending: Ending::Complete,
        }
    }

    fn troubled() -> Summary {
        let mut summary = summary();
        (summary.acknowledged, summary.failed, summary.retries, summary.posts) = (198, 2, 3, 7);
        (summary.topics[1].acknowledged, summary.topics[1].failed) = (98, 2);
        summary.topics[0].retried_after_unknown_outcome = (0..50).chain([60]).collect::<Ranges>();
        summary.first_lost = vec![Lost {
            fate: Fate::Failed,
            number: 7,
            topic: "u.user".to_owned(),
            reason: "HTTP status 503".to_owned(),
            in_doubt: true,
            record: Vec::new(),
        }];
        summary.ending = Ending::Stopped;
        summary
    }

    #[test]
    fn a_person_reads_how_it_went() {
        let plain = |summary| anstream::adapter::strip_str(&as_text(&summary)).to_string();
        insta::assert_snapshot!("well", plain(summary()));
        insta::assert_snapshot!("stopped", plain(troubled()));
    }

    #[test]
    fn a_program_reads_all_of_it() {
        insta::assert_json_snapshot!("json", as_json(&troubled(), Some(7)));
    }
}
