//! AWS's JSON 1.1 protocol, which Secrets Manager and Systems Manager speak: every call is a POST to `/`, its `X-Amz-Target` names the
//! operation, and its body and its reply are JSON objects
//! (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).

use serde_json::Value;

use super::call::{Call, PathValues, Refusal, Reply};
use super::rest_json::shape::{self, Member};
use super::world::{Millis, World};

/// How bodies and replies are labelled.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The header that names the operation, in lower case: `secretsmanager.CreateSecret`.
pub(crate) const TARGET: &str = "x-amz-target";

/// The services that speak it, with what stands before the dot of their targets.
const PREFIXES: [(&str, &str); 2] = [("secretsmanager", "secretsmanager"), ("ssm", "AmazonSSM")];

/// The service that a target is of.
pub(crate) fn service(target: &str) -> Option<&'static str> {
    let (prefix, _) = target.split_once('.')?;
    PREFIXES.iter().find(|(_, known)| *known == prefix).map(|(service, _)| *service)
}

/// One call of one operation.
pub(crate) struct Request<'a> {
    pub(crate) world: &'a World,
    pub(crate) region: &'a str,
    /// A JSON object.
    pub(crate) body: Value,
}

/// What does an operation: the reply's JSON.
pub(crate) type Handler = fn(&Request<'_>) -> Result<Value, Refusal>;

/// The operations of a service.
pub(crate) type Operations = &'static [(&'static str, Handler)];

/// The operation of a call, among those of a service.
pub(crate) fn operation(operations: Operations, service: &str, call: &Call) -> Option<(&'static str, PathValues)> {
    let is_ours = call.header("content-type").is_some_and(|kind| kind.starts_with(CONTENT_TYPE));
    let target = call.header(TARGET).filter(|target| is_ours && self::service(target) == Some(service))?;
    let (_, asked) = target.split_once('.')?;
    operations.iter().find(|(name, _)| *name == asked).map(|(name, _)| (*name, PathValues::new()))
}

/// Does what a call asks for.
///
/// # Errors
/// `SerializationException` where the body is no JSON object, and those of the operation.
pub(crate) fn handle(operations: Operations, world: &World, operation: &str, call: &Call) -> Result<Reply, Refusal> {
    let handler = operations.iter().find(|(name, _)| *name == operation).map(|(_, handler)| handler);
    let handler = handler.ok_or_else(|| Refusal::new(400, "UnknownOperationException", operation))?;
    let request = Request { world, region: &call.region, body: body(call)? };
    let body = serde_json::to_vec(&handler(&request)?).unwrap_or_default();
    Ok(Reply { status: 200, headers: vec![("content-type", CONTENT_TYPE.to_owned())], body: body.into() })
}

/// The body of a call.
///
/// # Errors
/// `SerializationException` where it is no JSON object. It isn't repeated: there may be a secret in it.
pub(crate) fn body(call: &Call) -> Result<Value, Refusal> {
    serde_json::from_slice(&call.body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::new(400, "SerializationException", "The body must be a JSON object."))
}

impl Request<'_> {
    /// Holds the body against the operation's shape.
    ///
    /// # Errors
    /// `ValidationException`, naming every member at fault.
    pub(crate) fn check(&self, members: &[Member]) -> Result<(), Refusal> {
        shape::check(&self.body, members).map_err(|fault| Refusal::new(400, "ValidationException", fault.message))
    }

    /// A member that is a string and is there.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.body[member].as_str()
    }

    /// A member that is an integer and is there.
    pub(crate) fn number(&self, member: &str) -> Option<i64> {
        self.body[member].as_i64()
    }

    /// Whether a member is `true`.
    pub(crate) fn flag(&self, member: &str) -> bool {
        self.body[member].as_bool().unwrap_or(false)
    }

    /// A member that is a list; empty where it isn't there.
    pub(crate) fn list(&self, member: &str) -> &[Value] {
        self.body[member].as_array().map_or(&[], Vec::as_slice)
    }
}

/// A moment as the protocol has it: seconds since 1970, with their fraction.
pub(crate) fn seconds(at: Millis) -> Value {
    Value::from(at as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::{CONTENT_TYPE, Operations, TARGET, body, operation, seconds, service};
    use crate::sandbox::call::Call;

    const OPERATIONS: Operations = &[("GetSecretValue", |_| Ok(serde_json::Value::Null))];

    fn call(content_type: &str, target: &str, body: &'static str) -> Call {
        Call {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            headers: [("content-type", content_type), (TARGET, target)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: body.into(),
            region: String::new(),
            caller: String::new(),
        }
    }

    #[test]
    fn the_target_names_the_service_and_the_operation() {
        let found = |content_type, target| {
            let call = call(content_type, target, "{}");
            operation(OPERATIONS, "secretsmanager", &call).map(|(name, _)| name)
        };
        assert_eq!(found(CONTENT_TYPE, "secretsmanager.GetSecretValue"), Some("GetSecretValue"));
        assert_eq!(found(CONTENT_TYPE, "secretsmanager.GetSecret"), None);
        assert_eq!(found(CONTENT_TYPE, "AmazonSSM.GetSecretValue"), None);
        assert_eq!(found("application/json", "secretsmanager.GetSecretValue"), None);
        assert_eq!((service("secretsmanager.X"), service("secretsmanager")), (Some("secretsmanager"), None));
    }

    #[test]
    fn a_body_is_an_object_and_is_not_repeated_where_it_is_none() {
        assert!(body(&call(CONTENT_TYPE, "", "{\"a\": 1}")).is_ok());
        for wrong in ["", "\"hunter2\"", "{\"password\": hunter2}", "[]"] {
            let Err(refusal) = body(&call(CONTENT_TYPE, "", wrong)) else { panic!("{wrong}") };
            assert_eq!((refusal.status, refusal.code.as_str()), (400, "SerializationException"));
            assert!(!refusal.message.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn moments_are_seconds_with_a_fraction() {
        assert_eq!(seconds(1_700_000_000_007).to_string(), "1700000000.007");
    }
}
