//! Who is at the other end of a connection.

use std::fmt;

/// A principal, as the listener knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The listener doesn't ask, or the client had nothing to say.
    Anonymous,
    /// The common name of a client's certificate.
    Certificate(String),
    /// A user with a password.
    User(String),
    /// The ARN of who signed.
    Iam(String),
}

impl Caller {
    /// Kafka's type of the principal.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Iam(_) => "IAM",
            Self::Anonymous | Self::Certificate(_) | Self::User(_) => "User",
        }
    }

    /// Kafka's name of the principal.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Anonymous => "ANONYMOUS".to_owned(),
            Self::Certificate(name) => format!("CN={name}"),
            Self::User(name) | Self::Iam(name) => name.clone(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.kind(), self.name())
    }
}
