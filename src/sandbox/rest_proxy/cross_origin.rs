//! Cross-origin requests, as Jetty's `CrossOriginFilter` answers them in a proxy whose `access.control.allow.origin` is
//! `*`: <https://docs.confluent.io/platform/7.2/kafka-rest/production-deployment/rest-proxy/config.html>.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use s3s::Body;

const METHODS: &str = "GET,POST,HEAD";
const HEADERS: &str = "X-Requested-With,Content-Type,Accept,Origin";

/// The answer to a browser that asks whether it may send a request; nothing where that isn't asked.
pub(super) fn preflight(parts: &Parts) -> Option<Response<Body>> {
    let method = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let origin = parts.headers.get(header::ORIGIN).filter(|_| parts.method == Method::OPTIONS)?;
    let mut response = Response::new(Body::empty());
    if is_among(method, METHODS) && asked(&parts.headers).all(|header| names(header, HEADERS)) {
        let headers = response.headers_mut();
        name(headers, origin);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1800"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    }
    Some(response)
}

/// Lets the page that sent a request see the response.
pub(super) fn allow(parts: &Parts, response: &mut Response<Body>) {
    if let Some(origin) = parts.headers.get(header::ORIGIN) {
        name(response.headers_mut(), origin);
    }
}

/// Where every origin is allowed, the filter names the one that asks.
fn name(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

fn asked(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
    asked.unwrap_or_default().split(',').map(str::trim).filter(|header| !header.is_empty())
}

fn is_among(value: &HeaderValue, list: &str) -> bool {
    value.to_str().is_ok_and(|text| names(text.trim(), list))
}

fn names(text: &str, list: &str) -> bool {
    list.split(',').any(|each| each.eq_ignore_ascii_case(text))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use http::Request;

    fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.method(method).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_preflight_is_granted_for_what_the_proxy_takes() {
        let ask = |method: &str, headers: &str| {
            let asked = [
                ("origin", "http://page"),
                ("access-control-request-method", method),
                ("access-control-request-headers", headers),
            ];
            preflight(&parts(Method::OPTIONS, &asked)).unwrap()
        };
        let granted = ask("POST", "content-type, Accept");
        assert_eq!(granted.headers()["access-control-allow-origin"], "http://page");
        assert_eq!(granted.headers()["access-control-allow-methods"], "GET,POST,HEAD");
        assert!(ask("DELETE", "").headers().is_empty());
        assert!(ask("POST", "x-api-key").headers().is_empty());
        assert!(preflight(&parts(Method::POST, &[("origin", "http://page")])).is_none());
    }

    #[test]
    fn only_requests_of_pages_are_told_of_origins() {
        let mut response = Response::new(Body::empty());
        allow(&parts(Method::GET, &[]), &mut response);
        assert!(response.headers().is_empty());
        allow(&parts(Method::GET, &[("origin", "http://page")]), &mut response);
        assert_eq!(response.headers()["access-control-allow-origin"], "http://page");
    }
}
