//! What members ask of a group, and what they are told.

use bytes::Bytes;
use kafka_protocol::ResponseError;

/// A request to join.
#[derive(Clone, Debug)]
pub(in crate::sandbox::broker) struct Joining {
    /// Empty for one who is new.
    pub(in crate::sandbox::broker) member: String,
    pub(in crate::sandbox::broker) instance: Option<String>,
    pub(in crate::sandbox::broker) client_id: String,
    pub(in crate::sandbox::broker) host: String,
    /// Milliseconds.
    pub(in crate::sandbox::broker) session_timeout: i32,
    /// Milliseconds.
    pub(in crate::sandbox::broker) rebalance_timeout: i32,
    pub(in crate::sandbox::broker) protocol_type: String,
    /// By preference.
    pub(in crate::sandbox::broker) protocols: Vec<(String, Bytes)>,
    /// Whether one who is new has to come back with the id that it is given, as since version 4.
    pub(in crate::sandbox::broker) asks_back: bool,
}

/// What a member is told that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox::broker) struct Joined {
    pub(in crate::sandbox::broker) generation: i32,
    pub(in crate::sandbox::broker) protocol_type: String,
    pub(in crate::sandbox::broker) protocol: String,
    pub(in crate::sandbox::broker) leader: String,
    pub(in crate::sandbox::broker) member: String,
    /// Who else is in, with what they told; for the leader only.
    pub(in crate::sandbox::broker) members: Vec<(String, Option<String>, Bytes)>,
}

/// Why somebody has not joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox::broker) struct NotJoined {
    pub(in crate::sandbox::broker) error: ResponseError,
    /// The id to come back with, where that is all that is wrong.
    pub(in crate::sandbox::broker) member: String,
}

impl From<ResponseError> for NotJoined {
    fn from(error: ResponseError) -> Self {
        Self { error, member: String::new() }
    }
}

/// What a member is told once the leader has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox::broker) struct Assignment {
    pub(in crate::sandbox::broker) protocol_type: String,
    pub(in crate::sandbox::broker) protocol: String,
    pub(in crate::sandbox::broker) bytes: Bytes,
}
