//! How each wire protocol of AWS words and writes what goes wrong, and names the request.

use http::{HeaderName, HeaderValue, Response};
use s3s::Body;

use super::call::{Refusal, Reply};
use super::json_rpc;
use super::signature::Problem;

/// A family of services that write alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// MSK, MSK Connect, API Gateway.
    RestJson,
    /// IAM and STS; the namespace is that of their replies.
    Query {
        namespace: &'static str,
    },
    /// JSON 1.1, which Secrets Manager and Systems Manager speak; the member is the one in which its errors have their messages. What is
    /// wrong with a call is 400, whatever it is.
    JsonRpc {
        message: &'static str,
    },
    S3,
}

impl Protocol {
    /// The protocol of a service.
    pub(crate) fn of(service: &str) -> Self {
        match service {
            "iam" => Self::Query { namespace: "https://iam.amazonaws.com/doc/2010-05-08/" },
            "sts" => Self::Query { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" },
            "secretsmanager" | "ssm" => Self::JsonRpc { message: "Message" },
            "s3" => Self::S3,
            _ => Self::RestJson,
        }
    }

    /// The refusal of a call that isn't let in, with the service's own code and words.
    pub(crate) fn refusal(self, problem: &Problem) -> Refusal {
        match self {
            Self::S3 => s3_refusal(problem),
            Self::RestJson => json_refusal(problem),
            Self::JsonRpc { .. } => Refusal { status: 400, ..json_refusal(problem) },
            Self::Query { .. } => query_refusal(problem),
        }
    }

    /// The refusal of a call that its caller isn't allowed to make, in AWS's words.
    pub(crate) fn denied(self, message: String) -> Refusal {
        let (status, code) = match self {
            Self::RestJson => (403, "AccessDeniedException"),
            Self::JsonRpc { .. } => (400, "AccessDeniedException"),
            Self::Query { .. } | Self::S3 => (403, "AccessDenied"),
        };
        Refusal::new(status, code, message)
    }

    /// The refusal of a call that names no operation.
    pub(crate) fn unknown_operation(self, called: &str) -> Refusal {
        match self {
            Self::Query { .. } => {
                Refusal::new(400, "InvalidAction", format!("Could not find operation {called} for this version"))
            }
            Self::JsonRpc { .. } => {
                Refusal::new(400, "UnknownOperationException", format!("there is no operation {called}"))
            }
            _ => Refusal::new(404, "UnknownOperationException", format!("there is no operation {called}")),
        }
    }

    /// The refusal that an injected HTTP status stands for.
    pub(crate) fn injected_status(self, status: u16) -> Refusal {
        let (json, rpc, query, s3) = match status {
            403 => ("AccessDeniedException", "AccessDeniedException", "AccessDenied", "AccessDenied"),
            404 => ("NotFoundException", "ResourceNotFoundException", "NoSuchEntity", "NoSuchKey"),
            409 => ("ConflictException", "ResourceExistsException", "EntityAlreadyExists", "OperationAborted"),
            429 => ("TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown"),
            503 => ("ServiceUnavailableException", "ServiceUnavailableException", "ServiceUnavailable", "SlowDown"),
            500.. => ("InternalServerErrorException", "InternalServiceError", "InternalFailure", "InternalError"),
            _ => ("BadRequestException", "ValidationException", "ValidationError", "InvalidRequest"),
        };
        let code = match self {
            Self::RestJson => json,
            Self::JsonRpc { .. } => rpc,
            Self::Query { .. } => query,
            Self::S3 => s3,
        };
        Refusal::new(status, code, INJECTED)
    }

    /// The refusal that an injected AWS error code stands for, with the status that goes with such a code.
    pub(crate) fn injected_code(self, code: &str) -> Refusal {
        let is = |part: &str| code.contains(part);
        let status = if is("Throttl") || is("TooManyRequests") || is("LimitExceeded") {
            if self == Self::RestJson { 429 } else { 400 }
        } else if is("SlowDown") || is("Unavailable") {
            503
        } else if is("Internal") || is("ServiceFailure") {
            500
        } else if matches!(self, Self::JsonRpc { .. }) {
            400
        } else if is("AccessDenied") || is("Forbidden") || is("UnrecognizedClient") || is("Signature") {
            403
        } else if is("NotFound") || is("NoSuch") {
            404
        } else if is("Conflict") || is("AlreadyExists") || is("InUse") {
            409
        } else {
            400
        };
        Refusal::new(status, code, INJECTED)
    }

    /// Writes a refusal.
    pub(crate) fn write_refusal(self, refusal: &Refusal, id: &str) -> Response<Body> {
        let (content_type, body) = match self {
            Self::RestJson => ("application/json", json_error(refusal)),
            Self::JsonRpc { message } => (json_rpc::CONTENT_TYPE, json_rpc_error(message, refusal)),
            Self::Query { namespace } => ("text/xml", query_error(namespace, refusal, id)),
            Self::S3 => ("application/xml", s3_error(refusal, &[], id)),
        };
        let mut response = Response::new(Body::from(body));
        set_status(&mut response, refusal.status);
        set_header(&mut response, "content-type", content_type);
        if self == Self::RestJson {
            set_header(&mut response, "x-amzn-errortype", &refusal.code);
        }
        self.name_request(&mut response, id);
        response
    }

    /// Writes a reply.
    pub(crate) fn write_reply(self, reply: Reply, id: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(reply.body));
        set_status(&mut response, reply.status);
        for (name, value) in &reply.headers {
            set_header(&mut response, name, value);
        }
        self.name_request(&mut response, id);
        response
    }

    /// Gives a response the request's id, in the header that the service has for it.
    pub(crate) fn name_request(self, response: &mut Response<Body>, id: &str) {
        if self == Self::S3 {
            set_header(response, "x-amz-request-id", id);
            set_header(response, "x-amz-id-2", id);
        } else {
            set_header(response, "x-amzn-requestid", id);
        }
    }
}

const INJECTED: &str = "a fault that the sandbox was told to inject";

/// Sets a status; one that HTTP hasn't got becomes 500.
pub(crate) fn set_status(response: &mut Response<Body>, status: u16) {
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
}

/// Sets a header; a value that HTTP can't carry is left out.
pub(crate) fn set_header(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

fn json_error(refusal: &Refusal) -> String {
    let mut error = serde_json::json!({ "message": refusal.message });
    if let Some(parameter) = &refusal.parameter {
        error["invalidParameter"] = parameter.as_str().into();
    }
    error.to_string()
}

fn json_rpc_error(member: &str, refusal: &Refusal) -> String {
    serde_json::json!({ "__type": refusal.code, member: refusal.message }).to_string()
}

fn query_error(namespace: &str, refusal: &Refusal, id: &str) -> String {
    let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (escape(&refusal.code), escape(&refusal.message));
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    )
}

/// S3's error document, with what some errors add to it.
pub(crate) fn s3_error(refusal: &Refusal, details: &[(&str, &str)], id: &str) -> String {
    let (code, message) = (escape(&refusal.code), escape(&refusal.message));
    let details: String = details.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{details}\
         <RequestId>{id}</RequestId><HostId>{id}</HostId></Error>"
    )
}

fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

fn json_refusal(problem: &Problem) -> Refusal {
    let invalid_token = "The security token included in the request is invalid.";
    match problem {
        Problem::Unsigned | Problem::Outdated | Problem::NoPayloadHash => {
            Refusal::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        Problem::Incomplete(what) => Refusal::new(400, "IncompleteSignatureException", what),
        Problem::UnknownKey | Problem::UnknownToken => Refusal::new(403, "UnrecognizedClientException", invalid_token),
        Problem::ExpiredToken => {
            Refusal::new(403, "ExpiredTokenException", "The security token included in the request is expired")
        }
        Problem::Scope(what) | Problem::Skewed(what) => Refusal::new(403, "InvalidSignatureException", what),
        Problem::ExpiredUrl => Refusal::new(403, "InvalidSignatureException", "Signature expired"),
        Problem::HeadersNotSigned(_) | Problem::Mismatch => Refusal::new(403, "InvalidSignatureException", MISMATCH),
    }
}

fn query_refusal(problem: &Problem) -> Refusal {
    let invalid_token = "The security token included in the request is invalid.";
    match problem {
        Problem::Unsigned | Problem::Outdated | Problem::NoPayloadHash => {
            Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Problem::Incomplete(what) => Refusal::new(400, "IncompleteSignature", what),
        Problem::UnknownKey | Problem::UnknownToken => Refusal::new(403, "InvalidClientTokenId", invalid_token),
        Problem::ExpiredToken => {
            Refusal::new(403, "ExpiredToken", "The security token included in the request is expired")
        }
        Problem::Scope(what) | Problem::Skewed(what) => Refusal::new(403, "SignatureDoesNotMatch", what),
        Problem::ExpiredUrl => Refusal::new(403, "SignatureDoesNotMatch", "Signature expired"),
        Problem::HeadersNotSigned(_) | Problem::Mismatch => Refusal::new(403, "SignatureDoesNotMatch", MISMATCH),
    }
}

fn s3_refusal(problem: &Problem) -> Refusal {
    match problem {
        Problem::Unsigned => Refusal::new(403, "AccessDenied", "Access Denied"),
        Problem::Outdated => Refusal::new(
            400,
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        Problem::NoPayloadHash => {
            Refusal::new(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        }
        Problem::Incomplete(what) | Problem::Scope(what) => {
            let message = format!("The authorization header is malformed; {what}");
            Refusal::new(400, "AuthorizationHeaderMalformed", message)
        }
        Problem::UnknownKey => {
            Refusal::new(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        Problem::UnknownToken => {
            Refusal::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        }
        Problem::ExpiredToken => Refusal::new(400, "ExpiredToken", "The provided token has expired."),
        Problem::Skewed(_) => Refusal::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Problem::ExpiredUrl => Refusal::new(403, "AccessDenied", "Request has expired"),
        Problem::HeadersNotSigned(headers) => Refusal::new(
            403,
            "AccessDenied",
            format!("There were headers present in the request which were not signed: {headers}"),
        ),
        Problem::Mismatch => Refusal::new(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
        ),
    }
}
