//! Sending: records are taken from their source, put into batches, and posted, so many posts at once; and each of them is
//! accounted for.
//!
//! One task takes and counts. A record is taken only when there is room for a post, so memory does not grow with the
//! number of records, however slow the other end is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::lanes::Lanes;
use super::post::Poster;
use super::records::{BadRow, Source, Taken};
use super::rejects::{Fate, Lost, Rejects};
use delivery::{Courier, Delivery, Note};
use pace::Pace;
use tally::Tally;

mod delivery;
mod pace;
mod stop;
mod tally;
#[cfg(test)]
mod tests;

pub use stop::{Halt, Stop};
pub use tally::{Ending, Latency, Summary, TopicCount};

/// How often it is told how far things are.
const TICK: Duration = Duration::from_millis(200);
/// Without any success for at least so long, it isn't gone on with.
const HOPELESS: Duration = Duration::from_secs(30);

/// How records are sent.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many posts are under way at once; at least 1.
    pub concurrency: usize,
    /// How many records are taken; all of them where it isn't said.
    pub count: Option<u64>,
    /// For how long records are taken.
    pub duration: Option<Duration>,
    /// How many records are taken in a second; as many as go where it isn't said.
    pub rate: Option<f64>,
    /// How long a record is posted again and again before it has failed.
    pub retry_for: Duration,
}

/// What happens while records are sent.
#[derive(Debug)]
pub enum Event<'a> {
    /// How far things are.
    Progress(&'a Summary),
    /// A record was not acknowledged.
    Lost(&'a Lost),
    /// A post will be made again.
    Again {
        /// Why.
        reason: &'a str,
        /// How many records it has.
        records: usize,
    },
}

/// Sends the records of a source, until it has no more, or is stopped. How that ended, the summary tells.
pub async fn send(
    poster: Poster,
    source: Source,
    lanes: Lanes,
    settings: &Settings,
    rejects: Option<Rejects>,
    stop: &Stop,
    report: impl FnMut(Event<'_>),
) -> Summary {
    let (to_notes, notes) = unbounded_channel();
    let now = Instant::now();
    let courier =
        Courier { poster: Arc::new(poster), retry_for: settings.retry_for, stop: stop.clone(), notes: to_notes };
    let run = Run {
        tally: Tally::new(&lanes, source.unit(), now),
        pace: Pace::new(settings.rate, now),
        end: settings.duration.map(|duration| now + duration),
        source,
        lanes,
        settings,
        courier: Arc::new(courier),
        posts: JoinSet::new(),
        rejects,
        stop,
        report,
        taking: true,
        last_success: now,
        told: now,
    };
    run.through(notes).await
}

/// A run.
struct Run<'a, R> {
    source: Source,
    lanes: Lanes,
    settings: &'a Settings,
    pace: Pace,
    /// When no more records are taken.
    end: Option<Instant>,
    courier: Arc<Courier>,
    posts: JoinSet<(usize, Delivery)>,
    tally: Tally,
    rejects: Option<Rejects>,
    stop: &'a Stop,
    report: R,
    /// Whether records are still taken.
    taking: bool,
    /// When a record was last acknowledged.
    last_success: Instant,
    /// When it was last told how far things are.
    told: Instant,
}

/// Why no record can be taken now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// None has come.
    Source,
    /// It would be too early.
    Pace,
    /// There is no room, or there are no more.
    Posts,
}

impl<R: FnMut(Event<'_>)> Run<'_, R> {
    async fn through(mut self, mut notes: UnboundedReceiver<Note>) -> Summary {
        loop {
            let wait = self.take();
            self.dispatch();
            if self.posts.is_empty() && !self.taking && !self.lanes.has_ready() {
                break;
            }
            if wait == Wait::Posts && self.taking && self.has_room() {
                continue;
            }
            let now = Instant::now();
            let wake = [
                // Its moment may have passed meanwhile: then it is now.
                (wait == Wait::Pace).then(|| self.pace.next(now).unwrap_or(now)),
                self.lanes.due(),
                self.end.filter(|_| self.taking),
                Some(self.told + TICK),
            ];
            let wake = wake.into_iter().flatten().min().unwrap_or(now + TICK);
            tokio::select! {
                biased;
                () = self.stop.halted(), if self.taking => self.taking = false,
                Some(ended) = self.posts.join_next() => self.account(ended),
                Some(note) = notes.recv() => self.note(note),
                () = self.source.ready(), if wait == Wait::Source => {}
                () = sleep_until(wake) => {}
            }
            if self.told.elapsed() >= TICK {
                self.told = Instant::now();
                let summary = self.tally.summary(Ending::Complete);
                (self.report)(Event::Progress(&summary));
            }
        }
        while let Ok(note) = notes.try_recv() {
            self.note(note);
        }
        self.flush_rejects();
        let ending = match self.stop.why() {
            Some(Halt::Asked) => Ending::Stopped,
            Some(Halt::Useless(why)) => Ending::Useless(why),
            None => Ending::Complete,
        };
        self.tally.summary(ending)
    }

    fn has_room(&self) -> bool {
        self.posts.len() < self.settings.concurrency
    }

    /// Takes records as long as there is room for them.
    fn take(&mut self) -> Wait {
        let now = Instant::now();
        if self.end.is_some_and(|end| end <= now) || self.stop.is_halted() {
            self.taking = false;
        }
        let wait = loop {
            if !self.taking || !self.has_room() || self.lanes.has_ready() {
                break Wait::Posts;
            }
            if self.settings.count.is_some_and(|count| self.tally.taken() >= count) {
                self.taking = false;
                break Wait::Posts;
            }
            if self.pace.next(now).is_some() {
                break Wait::Pace;
            }
            match self.source.take(&mut self.lanes) {
                Taken::Record(number) => self.tally.take(number),
                Taken::Bad(row) => self.bad(row),
                Taken::Pending => break Wait::Source,
                Taken::End => self.taking = false,
                Taken::Failed(error) => {
                    self.taking = false;
                    self.tally.unreadable(&error);
                }
            }
            self.pace.take(now);
        };
        if self.taking {
            self.lanes.close_due(now);
        } else {
            self.lanes.close_all();
        }
        wait
    }

    /// Posts the batches that are full.
    fn dispatch(&mut self) {
        while self.has_room()
            && let Some((lane, batch)) = self.lanes.next_ready()
        {
            let courier = Arc::clone(&self.courier);
            let topic = self.lanes.topic(lane).to_owned();
            self.posts.spawn(async move { (lane, courier.deliver(&topic, batch).await) });
        }
    }

    fn bad(&mut self, row: BadRow) {
        let BadRow { line: number, reason, record } = row;
        self.tally.take(number);
        // Rows have one topic.
        self.lose(0, Lost { fate: Fate::Rejected, number, topic: String::new(), reason, in_doubt: false, record });
    }

    /// Takes in what became of a batch.
    fn account(&mut self, ended: Result<(usize, Delivery), tokio::task::JoinError>) {
        let (lane, delivery) = match ended {
            Ok(ended) => ended,
            // A panic within a delivery is a mistake of this program's, and no count would be right after it.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        if delivery.acknowledged > 0 {
            self.last_success = Instant::now();
        }
        self.tally.account(lane, &delivery);
        let reason = delivery.lost.last().map(|lost| lost.reason.clone()).unwrap_or_default();
        for lost in delivery.lost {
            let delivery::LostRecord { fate, place, reason, in_doubt, record } = lost;
            self.lose(lane, Lost { fate, number: place.number, topic: String::new(), reason, in_doubt, record });
        }
        self.flush_rejects();
        let silence = self.last_success.elapsed();
        if delivery.given_up && silence >= self.settings.retry_for.max(HOPELESS) {
            let why = format!("nothing was acknowledged for {} seconds: {reason}", silence.as_secs());
            self.stop.halt(Halt::Useless(why));
        }
    }

    fn lose(&mut self, lane: usize, mut lost: Lost) {
        self.lanes.topic(lane).clone_into(&mut lost.topic);
        self.tally.lose(lane, &lost);
        if let Some(rejects) = &mut self.rejects {
            let written = rejects.write(&lost, self.tally.unit());
            self.written(written);
        }
        (self.report)(Event::Lost(&lost));
    }

    fn flush_rejects(&mut self) {
        if let Some(rejects) = &mut self.rejects {
            let written = rejects.flush();
            self.written(written);
        }
    }

    /// Without the file of rejects, records that are refused would be lost: no more are taken.
    fn written(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.rejects = None;
            self.stop.halt(Halt::Useless(format!("cannot write the file of rejects: {error}")));
        }
    }

    fn note(&mut self, note: Note) {
        self.tally.note(&note);
        if let Note::Again { reason, records } = &note {
            (self.report)(Event::Again { reason, records: *records });
        }
    }
}
