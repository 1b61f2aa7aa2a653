//! Content types: what a post embeds, and what a client takes as an answer.

use http::{HeaderMap, StatusCode, header};

use super::problem::Problem;

/// The type of API v2.
pub(super) const V2: &str = "application/vnd.kafka.v2+json";
/// The type of no version.
const ANY_VERSION: &str = "application/vnd.kafka+json";
pub(super) const JSON: &str = "application/json";

/// How keys and values stand in a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Embedded {
    /// As JSON.
    Json,
    /// As strings of base64.
    Binary,
}

/// What a post embeds. One without a content type counts as binary.
pub(super) fn embedded(headers: &HeaderMap) -> Result<Embedded, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Embedded::Binary) };
    let text = value.to_str().unwrap_or_default();
    let media = text.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| media.eq_ignore_ascii_case(name);
    if is("application/vnd.kafka.json.v2+json") {
        Ok(Embedded::Json)
    } else if is("application/vnd.kafka.binary.v2+json") {
        Ok(Embedded::Binary)
    } else if ["avro", "jsonschema", "protobuf"].iter().any(|name| is(&format!("application/vnd.kafka.{name}.v2+json")))
    {
        Err(Problem::no_schema_registry())
    } else {
        Err(Problem::http(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

/// The type of the answer: the one of ours that the client likes best.
pub(super) fn acceptable(headers: &HeaderMap) -> Result<&'static str, Problem> {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    if accepts.peek().is_none() {
        return Ok(V2);
    }
    let ranges: Vec<Range<'_>> =
        accepts.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(Range::parse).collect();
    let liking = |media: &str| {
        let fitting = ranges.iter().filter(|range| range.fits(media));
        fitting.max_by_key(|range| range.precision()).map_or(0, |range| range.quality)
    };
    // The last of the best is taken, so ours come in the order of what we like less.
    let best = [JSON, ANY_VERSION, V2].into_iter().max_by_key(|media| liking(media));
    best.filter(|media| liking(media) > 0).ok_or_else(|| Problem::http(StatusCode::NOT_ACCEPTABLE))
}

/// A part of an `Accept` header.
struct Range<'a> {
    media: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|text| text.parse::<f32>().ok());
        let quality = quality.map_or(1000, |quality| (quality.clamp(0.0, 1.0) * 1000.0) as u16);
        Self { media, quality }
    }

    fn fits(&self, media: &str) -> bool {
        match self.media {
            "*/*" | "*" => true,
            range => match range.strip_suffix("/*") {
                Some(kind) => media.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(kind)),
                None => range.eq_ignore_ascii_case(media),
            },
        }
    }

    fn precision(&self) -> u8 {
        match self.media {
            "*/*" | "*" => 0,
            range if range.ends_with("/*") => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_post_says_what_it_embeds() {
        let of = |value: &str| embedded(&headers(header::CONTENT_TYPE, value));
        assert_eq!(of("application/vnd.kafka.json.v2+json"), Ok(Embedded::Json));
        assert_eq!(of("Application/vnd.kafka.json.v2+JSON; charset=utf-8"), Ok(Embedded::Json));
        assert_eq!(of("application/vnd.kafka.binary.v2+json"), Ok(Embedded::Binary));
        assert_eq!(embedded(&HeaderMap::new()), Ok(Embedded::Binary));
        assert_eq!(of("application/vnd.kafka.avro.v2+json").unwrap_err().code, 42206);
        for other in ["application/json", "application/x-www-form-urlencoded", "application/vnd.kafka.v2+json", ""] {
            let problem = of(other).unwrap_err();
            assert_eq!((problem.code, problem.message.as_str()), (415, "HTTP 415 Unsupported Media Type"), "{other}");
        }
    }

    #[test]
    fn the_answer_has_the_type_that_the_client_likes_best() {
        let of = |value: &str| acceptable(&headers(header::ACCEPT, value));
        assert_eq!(acceptable(&HeaderMap::new()), Ok(V2));
        for (accept, media) in [
            ("*/*", V2),
            ("application/*", V2),
            ("application/json", JSON),
            ("application/vnd.kafka+json", ANY_VERSION),
            ("application/json, application/vnd.kafka.v2+json", V2),
            ("application/vnd.kafka.v2+json;q=0.5, application/json", JSON),
            ("text/html, */*;q=0.1", V2),
            ("application/vnd.kafka.v2+json;q=0, */*", ANY_VERSION),
        ] {
            assert_eq!(of(accept), Ok(media), "{accept}");
        }
        assert_eq!(of("text/html").unwrap_err().message, "HTTP 406 Not Acceptable");
        assert_eq!(of("application/vnd.kafka.avro.v2+json").unwrap_err().code, 406);
    }
}
