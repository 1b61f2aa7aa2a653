//! What is wrong with a manifest, and where.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A place in a manifest's text; both parts count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// The start of the text: where a problem stands that has no better place.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong, or a warning, with its place. Written `path:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The manifest.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong, and after a semicolon what was expected or what to do.
    pub message: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.line, self.column, self.message)
    }
}

/// Everything that is wrong with a manifest, ordered by place; never empty. Written one problem a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All of them, ordered by place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl Problems {
    /// A manifest that no stage made anything of, and none said why: a mistake of this program.
    pub(super) fn unexplained(path: &Path) -> Self {
        let message = "the manifest could not be understood; please report this with the manifest".to_owned();
        Self(vec![Problem { path: path.to_owned(), line: 1, column: 1, message }])
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What the stages of loading one manifest have found so far.
#[derive(Debug)]
pub(super) struct Findings {
    path: PathBuf,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Findings {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// Notes something that makes the manifest invalid.
    pub(super) fn problem(&mut self, at: Position, message: impl Into<String>) {
        let problem = self.located(at, message.into());
        self.problems.push(problem);
    }

    /// Notes something that is allowed, but seldom meant.
    pub(super) fn warn(&mut self, at: Position, message: impl Into<String>) {
        let warning = self.located(at, message.into());
        self.warnings.push(warning);
    }

    /// The warnings of a valid manifest, or the problems of an invalid one; both ordered by place.
    pub(super) fn conclude(self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() { Ok(ordered(self.warnings)) } else { Err(Problems(ordered(self.problems))) }
    }

    fn located(&self, at: Position, message: String) -> Problem {
        Problem { path: self.path.clone(), line: at.line, column: at.column, message }
    }
}

/// An alias repeats its anchor's text, and with it the anchor's problems: each is told once.
fn ordered(mut found: Vec<Problem>) -> Vec<Problem> {
    found.sort_by_key(|problem| (problem.line, problem.column));
    found.dedup();
    found
}
