//! How a command can fail, and the exit code that tells it.

use crate::engine::execute::StepFailed;
use crate::engine::graph::Unread;
use crate::engine::plan::Refusal;
use crate::manifest::Problems;

/// Done.
pub(super) const DONE: u8 = 0;
/// There are changes; `plan --detailed-exitcode` alone.
pub(super) const CHANGES: u8 = 2;
/// Wrong usage, as BSD's sysexits.h has it.
pub(super) const USAGE: u8 = 64;
/// Refused as unsafe.
pub(super) const REFUSED: u8 = 3;
/// What shells say of a command that SIGINT ended.
pub(super) const INTERRUPTED: u8 = 130;
const FAILED: u8 = 1;
const INVALID: u8 = 65;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for something that there isn't.
    Usage(String),
    /// The manifest isn't valid.
    Invalid(Problems),
    /// It would be unsafe.
    Refused(String),
    /// The manifest asks for what must not be done.
    RefusedSteps(Vec<Refusal>),
    /// Resources could not be read.
    Unread(Vec<Unread>),
    /// Steps failed; what else happened has been told.
    Steps(Vec<StepFailed>),
    /// Records were not acknowledged, or did not come through; what became of them has been told.
    Records(String),
    /// The user stopped it.
    Interrupted,
    /// Anything else.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Invalid(_) => INVALID,
            Self::Refused(_) | Self::RefusedSteps(_) => REFUSED,
            Self::Unread(_) | Self::Steps(_) | Self::Records(_) | Self::Failed(_) => FAILED,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
