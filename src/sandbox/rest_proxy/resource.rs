//! What a path names.

use std::borrow::Cow;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::problem::Problem;

/// A resource of the API.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    Root,
    Brokers,
    Topics,
    Topic(Cow<'a, str>),
    Partitions(Cow<'a, str>),
    Partition(Cow<'a, str>, i32),
    Offsets(Cow<'a, str>, i32),
}

impl<'a> Resource<'a> {
    /// The resource of a path.
    ///
    /// # Errors
    /// Where there is none, saying so where the real proxy would have one.
    pub(super) fn at(path: &'a str) -> Result<Self, Problem> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut parts = std::array::from_fn::<_, 6, _>(|_| parts.next());
        // A partition that is no number matches no path.
        let number = |text: &str| text.parse().map_err(|_| Problem::http(StatusCode::NOT_FOUND));
        match &mut parts {
            [None, ..] => Ok(Self::Root),
            [Some("brokers"), None, ..] => Ok(Self::Brokers),
            [Some("topics"), None, ..] => Ok(Self::Topics),
            [Some("topics"), Some(topic), None, ..] => Ok(Self::Topic(decode(topic))),
            [Some("topics"), Some(topic), Some("partitions"), None, ..] => Ok(Self::Partitions(decode(topic))),
            [Some("topics"), Some(topic), Some("partitions"), Some(partition), None, _] => {
                Ok(Self::Partition(decode(topic), number(partition)?))
            }
            [Some("topics"), Some(topic), Some("partitions"), Some(partition), Some("offsets"), None] => {
                Ok(Self::Offsets(decode(topic), number(partition)?))
            }
            [Some("consumers"), ..] => Err(Problem::not_here("consumers; consume with a Kafka client")),
            [Some("v3"), ..] | [Some("kafka"), Some("v3"), ..] => Err(Problem::not_here("API v3; use v2")),
            _ => Err(Problem::http(StatusCode::NOT_FOUND)),
        }
    }

    /// # Errors
    /// Where the resource hasn't got the method.
    pub(super) fn check_method(&self, method: &Method) -> Result<(), Problem> {
        let takes_posts = matches!(self, Self::Topic(_) | Self::Partition(..));
        match method.as_str() {
            "GET" | "HEAD" => Ok(()),
            "POST" if takes_posts => Ok(()),
            _ if takes_posts => Err(Problem::no_such_method("HEAD,POST,GET,OPTIONS")),
            _ => Err(Problem::no_such_method("HEAD,GET,OPTIONS")),
        }
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        for (path, resource) in [
            ("/", Resource::Root),
            ("/brokers", Resource::Brokers),
            ("/topics/", Resource::Topics),
            ("/topics/0a1b.pin", Resource::Topic("0a1b.pin".into())),
            ("/topics/a%2Eb", Resource::Topic("a.b".into())),
            ("/topics/t/partitions", Resource::Partitions("t".into())),
            ("/topics/t/partitions/12", Resource::Partition("t".into(), 12)),
            ("/topics/t/partitions/0/offsets", Resource::Offsets("t".into(), 0)),
        ] {
            assert_eq!(Resource::at(path).unwrap(), resource, "{path}");
        }
        let message = |path: &str| Resource::at(path).unwrap_err().message;
        for path in
            ["/topic", "/topics/t/partitions/x", "/topics/t/x", "/topics/t/partitions/0/offsets/1", "/brokers/1"]
        {
            assert_eq!(message(path), "HTTP 404 Not Found", "{path}");
        }
        assert!(message("/consumers/g/instances/i/records").contains("has no consumers"));
        assert!(message("/v3/clusters").contains("has no API v3"));
    }

    #[test]
    fn methods_that_a_resource_lacks_are_refused() {
        let topic = Resource::at("/topics/t").unwrap();
        assert_eq!(topic.check_method(&Method::POST), Ok(()));
        assert_eq!(topic.check_method(&Method::PUT).unwrap_err().message, "HTTP 405 Method Not Allowed");
        assert_eq!(Resource::Topics.check_method(&Method::POST).unwrap_err().code, 405);
    }
}
