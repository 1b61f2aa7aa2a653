//! One call of one operation, and what is answered: what all services share of AWS's wire protocols.

use hyper::body::Bytes;
use serde::Serialize;
use serde_json::Value;

/// A request that passed authentication.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The HTTP method, in capitals.
    pub(crate) method: String,
    /// The path as it was sent, still percent-encoded, without the query.
    pub(crate) path: String,
    /// The query's decoded pairs, in the order in which they were sent.
    pub(crate) query: Vec<(String, String)>,
    /// The headers; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Bytes,
    /// The region of the signature's scope.
    pub(crate) region: String,
    /// The ARN of the principal that signed.
    pub(crate) caller: String,
}

impl Call {
    /// A call of which the body alone matters.
    #[cfg(test)]
    pub(crate) fn with_body(body: &serde_json::Value) -> Self {
        Self {
            method: String::new(),
            path: String::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: body.to_string().into(),
            region: "us-east-1".to_owned(),
            caller: String::new(),
        }
    }

    /// The first value of a query key.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a query key.
    pub(crate) fn query_all(&self, key: &str) -> Vec<&str> {
        self.query.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON value; an empty body is an empty object.
    ///
    /// # Errors
    /// `BadRequestException` where it isn't JSON.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::new(400, "BadRequestException", format!("Invalid JSON: {error}")))
    }
}

/// An operation of a REST-JSON service: its method, its path with `{names}`, and what AWS calls it.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// As in the service's model: `/v1/clusters/{clusterArn}/topics/{topicName}`.
    pub(crate) path: &'static str,
    pub(crate) operation: &'static str,
}

/// The route of an operation, in the order in which a service's model has its parts.
pub(crate) const fn at(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route { method, path, operation }
}

/// The operations of some routes.
pub(crate) fn names(routes: &[Route]) -> Vec<&'static str> {
    routes.iter().map(|route| route.operation).collect()
}

/// The values of a path's `{names}`, percent-decoded.
pub(crate) type PathValues = Vec<(&'static str, String)>;

/// Finds the operation of a call. A `{name}` stands for one segment, so an encoded slash stays within its value;
/// a fixed segment wins over a `{name}` where routes are listed in that order.
pub(crate) fn route(routes: &'static [Route], method: &str, path: &str) -> Option<(&'static str, PathValues)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    routes.iter().filter(|route| route.method == method).find_map(|route| {
        let pattern: Vec<&'static str> = route.path.trim_matches('/').split('/').collect();
        if pattern.len() != segments.len() {
            return None;
        }
        let mut values = PathValues::new();
        for (expected, segment) in pattern.iter().zip(&segments) {
            match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    values.push((name, percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()));
                }
                None if expected == segment => {}
                None => return None,
            }
        }
        Some((route.operation, values))
    })
}

/// What a service answers when it did what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn json(body: &impl Serialize) -> Self {
        Self::json_status(200, body)
    }

    /// A JSON body with another status.
    pub(crate) fn json_status(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
    }

    /// 200 with an XML body, as the Query protocol has it.
    pub(crate) fn xml(body: String) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/xml".to_owned())], body: body.into() }
    }

    /// A status without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What a service answers when it does not do what was asked. The protocol decides how it is written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// AWS's error code: `NotFoundException`.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The parameter at fault, where the service names it: MSK's `invalidParameter`.
    pub(crate) parameter: Option<String>,
}

impl Refusal {
    /// A refusal with AWS's status and code.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), parameter: None }
    }

    /// The same, naming the parameter at fault.
    pub(crate) fn at_parameter(mut self, parameter: impl Into<String>) -> Self {
        self.parameter = Some(parameter.into());
        self
    }
}
