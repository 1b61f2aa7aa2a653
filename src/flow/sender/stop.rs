//! Ending a run before its records have ended.

use tokio::sync::watch;

/// Why no more records are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Somebody asked for it.
    Asked,
    /// There is no use: what went wrong, and what to do.
    Useless(String),
}

/// Ends a run: no more records are taken, no post is made again, and those that are under way are waited for.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<Option<Halt>>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Stop {
    /// Asks for the end.
    pub fn ask(&self) {
        self.halt(Halt::Asked);
    }

    /// Ends it; the first reason counts.
    pub(super) fn halt(&self, why: Halt) {
        self.0.send_if_modified(|halt| {
            let first = halt.is_none();
            halt.get_or_insert(why);
            first
        });
    }

    /// Why it ends, if it does.
    pub(super) fn why(&self) -> Option<Halt> {
        self.0.borrow().clone()
    }

    pub(super) fn is_halted(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until it is to end.
    pub(super) async fn halted(&self) {
        // The sender of this receiver is `self`, so it is never gone.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}
