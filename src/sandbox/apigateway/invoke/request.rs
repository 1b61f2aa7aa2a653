//! The request to a backend: the client's own, with what the integration maps into it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::model::Integration;
use super::backend::Outgoing;
use super::exchange::Exchange;
use super::refusal::Refusal;

/// Headers that are about the connection to the gateway, or that the gateway has taken for itself.
const DROPPED: [&str; 15] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
];

/// Headers that no mapping may set.
const RESERVED: [&str; 4] = ["content-length", "transfer-encoding", "x-amzn-apigateway-api-id", "x-amzn-trace-id"];

/// What stands in a path as it is; a slash that a value brings is one.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a mapping puts a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Header,
}

/// A mapping that the call has values for.
struct Mapped<'a> {
    place: Place,
    name: &'a str,
    values: Vec<String>,
}

/// The request that an integration makes of a call.
///
/// # Errors
/// Where the integration maps what it may not, or its URI is none.
pub(super) fn build(exchange: &Exchange<'_>, integration: &Integration) -> Result<Outgoing, Refusal> {
    let mapped: Vec<Mapped<'_>> = mapped(exchange, integration);
    let fixed = integration.http_method.as_deref().filter(|method| *method != "ANY");
    let method = match fixed {
        Some(method) => Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::configuration_error())?,
        None => exchange.parts.method.clone(),
    };
    let uri = uri(exchange, integration.uri.as_deref().unwrap_or_default(), &mapped);
    let headers = headers(exchange, &mapped)?;
    Ok(Outgoing { method, uri, headers, body: exchange.body.clone() })
}

fn mapped<'a>(exchange: &Exchange<'_>, integration: &'a Integration) -> Vec<Mapped<'a>> {
    let mappings = integration.request_parameters.iter().flatten();
    let mapped = mappings.filter_map(|(target, source)| {
        let (place, name) = target.strip_prefix("integration.request.")?.split_once('.')?;
        let place = match place {
            "path" => Place::Path,
            "querystring" | "multivaluequerystring" => Place::Query,
            "header" | "multivalueheader" => Place::Header,
            _ => return None,
        };
        let values = exchange.values(source);
        (!values.is_empty()).then_some(Mapped { place, name, values })
    });
    mapped.collect()
}

fn of<'a>(mapped: &'a [Mapped<'_>], place: Place) -> impl Iterator<Item = (&'a str, &'a [String])> {
    mapped.iter().filter(move |each| each.place == place).map(|each| (each.name, each.values.as_slice()))
}

/// The integration's URI with its variables filled in, and the query of the call.
fn uri(exchange: &Exchange<'_>, template: &str, mapped: &[Mapped<'_>]) -> String {
    let template = with_stage_variables(exchange, template);
    let (path, query) = template.split_once('?').map_or((template.as_str(), None), |(path, query)| (path, Some(query)));
    let filled = |text: &str, set: &'static AsciiSet| {
        of(mapped, Place::Path).fold(text.to_owned(), |text, (name, values)| {
            text.replace(&format!("{{{name}}}"), &utf8_percent_encode(&values.join(","), set).to_string())
        })
    };
    let mut uri = filled(path, IN_PATH);
    let mut separator = '?';
    let mut add = |part: &str| {
        if !part.is_empty() {
            uri.push(separator);
            uri.push_str(part);
            separator = '&';
        }
    };
    add(&query.map(|query| filled(query, IN_QUERY)).unwrap_or_default());
    // As it was sent: whoever decodes and encodes again may change what it means.
    add(exchange.parts.uri.query().unwrap_or_default());
    for (name, values) in of(mapped, Place::Query) {
        for value in values {
            add(&format!("{}={}", utf8_percent_encode(name, IN_QUERY), utf8_percent_encode(value, IN_QUERY)));
        }
    }
    uri
}

/// Replaces `${stageVariables.name}`.
fn with_stage_variables(exchange: &Exchange<'_>, template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${stageVariables.") {
        let (name, end) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(exchange.stage.variables.get(name).map(String::as_str).unwrap_or_default());
        rest = end;
    }
    text + rest
}

fn headers(exchange: &Exchange<'_>, mapped: &[Mapped<'_>]) -> Result<HeaderMap, Refusal> {
    let sent = &exchange.parts.headers;
    let mut headers = HeaderMap::with_capacity(sent.len() + 8);
    for name in sent.keys().filter(|name| !DROPPED.contains(&name.as_str())) {
        let values: Vec<&[u8]> = sent.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        set(&mut headers, name.clone(), &values.join(&b","[..]));
    }
    // A signature is for the gateway, and means nothing behind it.
    let signed = sent.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
    if signed || exchange.caller.is_some() {
        headers.remove(header::AUTHORIZATION);
    }
    for (name, values) in of(mapped, Place::Header) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::configuration_error())?;
        if RESERVED.contains(&name.as_str()) {
            return Err(Refusal::configuration_error());
        }
        set(&mut headers, name, values.join(",").as_bytes());
    }
    let mut default = |name: HeaderName, value: &str| {
        if !headers.contains_key(&name) {
            set(&mut headers, name, value.as_bytes());
        }
    };
    default(header::ACCEPT, "application/json");
    default(header::USER_AGENT, &format!("AmazonAPIGateway_{}", exchange.api_id));
    let gateway = |name: &'static str| HeaderName::from_static(name);
    set(&mut headers, gateway("x-amzn-trace-id"), trace_id(exchange).as_bytes());
    set(&mut headers, gateway("x-amzn-apigateway-api-id"), exchange.api_id.as_bytes());
    let before = exchange.header("x-forwarded-for").map(|before| format!("{before}, ")).unwrap_or_default();
    set(&mut headers, gateway("x-forwarded-for"), format!("{before}{}", exchange.client.ip()).as_bytes());
    let port = exchange.header("host").and_then(|host| host.rsplit_once(':')).map_or("80", |(_, port)| port);
    set(&mut headers, gateway("x-forwarded-port"), port.as_bytes());
    set(&mut headers, gateway("x-forwarded-proto"), b"http");
    Ok(headers)
}

/// Sets a header; a value that HTTP can't carry is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

/// The client's own trace id, or one like X-Ray's.
pub(super) fn trace_id(exchange: &Exchange<'_>) -> String {
    if let Some(sent) = exchange.header("x-amzn-trace-id") {
        return sent.to_owned();
    }
    let seconds = crate::sandbox::world::now() / 1000;
    let random: String = exchange.request_id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    format!("Root=1-{seconds:08x}-{random}")
}
