//! The backend's response on its way to the client: headers that are the gateway's own come under another name
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>).

use http::{HeaderName, Response};
use s3s::Body;

use super::backend::Incoming;

/// Headers that end at the gateway.
const DROPPED: [&str; 4] = ["keep-alive", "trailer", "transfer-encoding", "via"];
/// Headers that the gateway has to say itself: those of the backend are `x-amzn-Remapped-…`.
const REMAPPED: [&str; 7] =
    ["connection", "content-length", "date", "server", "upgrade", "www-authenticate", "x-amzn-requestid"];

/// What the client gets of a backend's response.
pub(super) fn passed_on(answer: Incoming) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        if DROPPED.contains(&name.as_str()) {
            continue;
        }
        if !REMAPPED.contains(&name.as_str()) {
            headers.append(name.clone(), value.clone());
        } else if let Ok(remapped) = HeaderName::try_from(format!("x-amzn-remapped-{name}")) {
            headers.append(remapped, value.clone());
        }
    }
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    #[test]
    fn the_gateways_own_headers_are_remapped() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("date", "then"),
            ("server", "Jetty"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        let answer = Incoming { status: StatusCode::CREATED, headers, body: Bytes::from_static(b"{}") };
        let response = passed_on(answer);
        let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(
            names,
            [
                "content-type",
                "x-amzn-remapped-content-length",
                "x-amzn-remapped-date",
                "x-amzn-remapped-server",
                "set-cookie"
            ]
        );
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.status(), StatusCode::CREATED);
    }
}
