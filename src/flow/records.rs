//! Where records come from: made up, or read from a file or from standard input.

use std::io;

use super::lanes::Lanes;

mod csv;
mod dates;
mod generated;
mod jsonl;
mod reading;
mod words;

pub use generated::{Generated, Kind};
pub use reading::{Form, Input, Rows};

/// Where records come from.
#[derive(Debug)]
pub enum Source {
    /// Made up.
    Generated(Generated),
    /// Read.
    Rows(Rows),
}

/// What tells a record of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Its index, which is a field of it.
    Index,
    /// The line that it begins on.
    Line,
}

/// A row that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its line.
    pub line: u64,
    /// Why not.
    pub reason: String,
    /// What it is, as JSON: a text, unless it is JSON itself.
    pub record: Vec<u8>,
}

/// What came of asking for a record.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is in its lane; its line or index.
    Record(u64),
    /// There was one, and it can't be sent.
    Bad(BadRow),
    /// None has come yet.
    Pending,
    /// There are no more.
    End,
    /// There may be more, and they can't be read.
    Failed(io::Error),
}

impl Source {
    /// Puts the next record into its lane.
    pub(super) fn take(&mut self, lanes: &mut Lanes) -> Taken {
        match self {
            Self::Generated(generated) => generated.take(lanes),
            Self::Rows(rows) => rows.take(lanes),
        }
    }

    /// Waits until [`Self::take`] gives something else than `Pending`. May be dropped at any time.
    pub(super) async fn ready(&mut self) {
        match self {
            Self::Generated(_) => {}
            Self::Rows(rows) => rows.ready().await,
        }
    }

    /// What tells its records.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Generated(_) => Unit::Index,
            Self::Rows(_) => Unit::Line,
        }
    }
}
