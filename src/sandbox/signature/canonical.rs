//! The canonical request: what of a request is signed, in the one form in which it is.

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What of a request is signed, beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The HTTP method, in capitals.
    pub(crate) method: String,
    /// The path as it was sent, still percent-encoded.
    pub(crate) path: String,
    /// The query's decoded pairs, in the order in which they were sent.
    pub(crate) query: Vec<(String, String)>,
    /// The headers; names in lower case; `host` is always there.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// What is signed of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let value = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: Vec<(String, String)> =
            parts.headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(text))).collect();
        // HTTP/2 has the host in the request line.
        if !parts.headers.contains_key(http::header::HOST)
            && let Some(authority) = parts.uri.authority()
        {
            headers.push(("host".to_owned(), authority.to_string()));
        }
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: decode_query(parts.uri.query().unwrap_or_default()),
            headers,
        }
    }

    /// The first value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a query key.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Decodes a query. A plus is a space: botocore signs `%20` and sends `+`.
pub(crate) fn decode_query(raw: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// The request in the one form that is signed. Of a presigned URL, the signature itself is left out.
pub(super) fn request(head: &Head, path: &str, signed_headers: &[String], is_presigned: bool, payload: &str) -> String {
    let mut pairs: Vec<(String, String)> = head
        .query
        .iter()
        .filter(|(key, _)| !is_presigned || key != "X-Amz-Signature")
        .map(|(key, value)| (encode(key), encode(value)))
        .collect();
    pairs.sort();
    let query = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
    let headers: String = signed_headers.iter().map(|name| format!("{name}:{}\n", value(head, name))).collect();
    let signed_headers = signed_headers.join(";");
    format!("{}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}", head.method)
}

/// RFC 3986's unreserved characters stay as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A header's values as they are signed: trimmed, runs of spaces made one, several joined by commas.
fn value(head: &Head, name: &str) -> String {
    let values = head.headers.iter().filter(|(key, _)| key == name);
    let tidy = |value: &str| value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    values.map(|(_, value)| tidy(value.trim())).collect::<Vec<_>>().join(",")
}

/// The path as it may have been signed. All services but S3 normalise it and encode it a second time. S3 encodes it
/// once; clients differ in which characters they send unencoded, so it may also have been signed as it was sent.
pub(super) fn paths(service: &str, path: &str) -> Vec<String> {
    if service == "s3" {
        let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
        return vec![utf8_percent_encode(&decoded, RESERVED_IN_PATH).to_string(), path.to_owned()];
    }
    vec![utf8_percent_encode(&normalise(path), RESERVED_IN_PATH).to_string()]
}

/// Removes `.`, `..` and empty segments, as RFC 3986 has it.
fn normalise(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let slash = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}
