//! The versions of a secret: what each holds, and the staging labels that say which one is meant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::refusals::invalid_parameter;
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::{Request, seconds};
use crate::sandbox::rest_json::shape::{Member, Shape, optional};
use crate::sandbox::world::Millis;

/// The label of the version that is meant where none is named.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the one that was it before.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";

/// The most bytes that a value has.
const LONGEST: usize = 65_536;

/// The members of requests that hold a value.
pub(super) const TEXT: Member = optional("SecretString", Shape::Secret { min: 1, max: LONGEST });
/// In Base64, which is longer by a third.
pub(super) const BINARY: Member = optional("SecretBinary", Shape::Secret { min: 1, max: LONGEST * 4 / 3 + 4 });
/// The member that makes a request one that can be repeated. It becomes the id of the version.
pub(super) const TOKEN: Member = optional("ClientRequestToken", Shape::Text { min: 32, max: 64 });

/// What a version holds. It has no `Debug`, so that nothing can write it down by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    Text(String),
    /// In Base64.
    Binary(String),
}

impl Content {
    /// The value in a request, where it has one.
    ///
    /// # Errors
    /// Where it has two, or more bytes than a value may have, or no Base64 where that is due.
    pub(super) fn of(request: &Request<'_>) -> Result<Option<Self>, Refusal> {
        let too_long = || {
            let message = format!("Value at 'secretBinary' failed to satisfy constraint: at most {LONGEST} bytes");
            Refusal::new(400, "ValidationException", message)
        };
        match (request.text("SecretString"), request.text("SecretBinary")) {
            (Some(_), Some(_)) => {
                Err(invalid_parameter("You can't specify both a binary secret value and a string secret value."))
            }
            (Some(text), None) => Ok(Some(Self::Text(text.to_owned()))),
            (None, Some(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) if bytes.len() > LONGEST => Err(too_long()),
                Ok(bytes) => Ok(Some(Self::Binary(STANDARD.encode(bytes)))),
                Err(_) => Err(Refusal::new(400, "SerializationException", "SecretBinary must be in Base64.")),
            },
            (None, None) => Ok(None),
        }
    }

    /// The value, where it is a text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

/// A version of a secret.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) created: Millis,
    /// Its staging labels. A version without any is deprecated: it isn't told of, and removed some time.
    pub(super) stages: Vec<String>,
    pub(super) content: Content,
}

impl Version {
    /// What GetSecretValue tells of it.
    pub(super) fn told(&self) -> Map<String, Value> {
        let (member, value) = match &self.content {
            Content::Text(text) => ("SecretString", text),
            Content::Binary(encoded) => ("SecretBinary", encoded),
        };
        Map::from_iter([
            ("VersionId".to_owned(), json!(self.id)),
            (member.to_owned(), json!(value)),
            ("VersionStages".to_owned(), json!(self.stages)),
            ("CreatedDate".to_owned(), seconds(self.created)),
        ])
    }
}

/// The id of the version that a request with a value makes.
///
/// # Errors
/// `InvalidParameterException` where it has none: SDKs make one up, other clients have to.
pub(super) fn token<'a>(request: &'a Request<'_>) -> Result<&'a str, Refusal> {
    request.text("ClientRequestToken").ok_or_else(|| {
        invalid_parameter("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    })
}
