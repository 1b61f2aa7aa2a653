//! What the REST proxy, or API Gateway in front of it, answered to a post.

use std::time::Duration;

use serde::Deserialize;

use super::failure::{Answer, PostError};

/// A Kafka error that passes by itself, in the REST proxy's numbers. Everything else that it says of a single record is
/// final. <https://docs.confluent.io/platform/7.2/kafka-rest/api.html>
const RETRIABLE: i64 = 50003;
/// How much of an answer that can't be read is told.
const TOLD: usize = 200;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the topic.
    Acknowledged {
        /// The partition.
        partition: i32,
        /// Its offset there.
        offset: i64,
    },
    /// It isn't.
    Refused {
        /// The REST proxy's error code.
        code: i64,
        /// What it said.
        reason: String,
    },
}

impl Outcome {
    /// Whether the same record may be taken another time.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Refused { code: RETRIABLE, .. })
    }
}

/// A post's answer. Which of the two it is, the fields tell.
#[derive(Debug, Deserialize)]
struct Reply {
    offsets: Option<Vec<Offset>>,
    error_code: Option<i64>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Offset {
    partition: Option<i32>,
    offset: Option<i64>,
    error_code: Option<i64>,
    error: Option<String>,
}

/// An answer without outcomes.
#[derive(Debug)]
pub(super) struct Unread {
    status: u16,
    code: Option<i64>,
    message: String,
}

impl Unread {
    pub(super) fn told(self, retry_after: Option<Duration>) -> PostError {
        let Self { status, code, message } = self;
        PostError::Answered(Answer { status, code, message, retry_after })
    }
}

/// The outcomes of so many records.
///
/// The REST proxy answers with them whatever the status: a topic that it may not write to is a 403 that has them too.
pub(super) fn read(status: u16, body: &[u8], records: usize) -> Result<Vec<Outcome>, Unread> {
    let beginning = || String::from_utf8_lossy(body).chars().take(TOLD).collect::<String>().trim().to_owned();
    let Ok(reply) = serde_json::from_slice::<Reply>(body) else {
        return Err(Unread { status, code: None, message: beginning() });
    };
    match reply.offsets {
        Some(offsets) if offsets.len() == records => Ok(offsets.into_iter().map(outcome).collect()),
        Some(offsets) => {
            let message = format!("expected what became of {records} records, got {}", offsets.len());
            Err(Unread { status, code: None, message })
        }
        None => Err(Unread { status, code: reply.error_code, message: reply.message.unwrap_or_else(beginning) }),
    }
}

fn outcome(told: Offset) -> Outcome {
    match told {
        Offset { error_code: None, error: None, partition: Some(partition), offset: Some(offset) } => {
            Outcome::Acknowledged { partition, offset }
        }
        Offset { error_code, error, .. } => Outcome::Refused {
            code: error_code.unwrap_or_default(),
            reason: error.unwrap_or_else(|| "the REST proxy gave no reason".to_owned()),
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_its_own_outcome() {
        let body = br#"{"offsets":[
            {"partition":2,"offset":100,"error_code":null,"error":null},
            {"partition":null,"offset":null,"error_code":50003,"error":"the leader moved"},
            {"partition":null,"offset":null,"error_code":50002,"error":"too large"},
            {"error_code":50002}
        ],"key_schema_id":null,"value_schema_id":null}"#;
        let outcomes = read(200, body, 4).unwrap();
        assert_eq!(outcomes[0], Outcome::Acknowledged { partition: 2, offset: 100 });
        assert_eq!(outcomes.iter().map(Outcome::passes).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!(outcomes[2], Outcome::Refused { code: 50002, reason: "too large".to_owned() });
        assert!(matches!(&outcomes[3], Outcome::Refused { reason, .. } if reason.contains("no reason")));
    }

    #[test]
    fn outcomes_count_whatever_the_status() {
        let body = br#"{"offsets":[{"partition":null,"offset":null,"error_code":40301,"error":"no"}]}"#;
        assert_eq!(read(403, body, 1).unwrap(), [Outcome::Refused { code: 40301, reason: "no".to_owned() }]);
    }

    #[test]
    fn another_number_of_outcomes_says_nothing_of_any_record() {
        let body = br#"{"offsets":[{"partition":0,"offset":0}]}"#;
        let unread = read(200, body, 2).unwrap_err();
        assert_eq!(unread.message, "expected what became of 2 records, got 1");
    }

    #[test]
    fn errors_of_the_proxy_and_of_the_gateway_are_read() {
        let proxy = read(404, br#"{"error_code":40401,"message":"Topic not found."}"#, 1).unwrap_err();
        assert_eq!((proxy.status, proxy.code, proxy.message.as_str()), (404, Some(40401), "Topic not found."));
        let gateway = read(403, br#"{"message":"Forbidden"}"#, 1).unwrap_err();
        assert_eq!((gateway.code, gateway.message.as_str()), (None, "Forbidden"));
        let iam = read(403, br#"{"Message":"User: anonymous is not authorized"}"#, 1).unwrap_err();
        assert_eq!(iam.message, "User: anonymous is not authorized");
        let page = read(502, b"<html>Bad gateway", 1).unwrap_err();
        assert_eq!(page.message, "<html>Bad gateway");
    }
}
