//! Kafka versions as MSK writes them, and what comes with them.

/// The oldest Kafka version whose topics MSK's topic API manages.
/// <https://docs.aws.amazon.com/msk/latest/developerguide/topic-operations-information.html>
const TOPIC_API_SINCE: (u32, u32) = (3, 6);

/// Whether MSK's topic API manages the topics of clusters on a version; `None` where it is no version.
pub(crate) fn has_topic_api(version: &str) -> Option<bool> {
    number(version).map(|number| number >= TOPIC_API_SINCE)
}

/// `3.8.x` and `3.6.0` as (3, 8) and (3, 6).
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(number("3.6.0"), Some((3, 6)));
        assert!(number("2.8.1") < Some(TOPIC_API_SINCE));
        assert!(number("3.10.x") > Some(TOPIC_API_SINCE));
        assert_eq!(number("latest"), None);
        assert_eq!(["2.8.1", "3.6.0", "latest"].map(has_topic_api), [Some(false), Some(true), None]);
    }
}
