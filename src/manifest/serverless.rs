//! What topics of a Serverless cluster can't choose.
//! <https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html>

use super::Topic;

/// The replication factor that MSK gives every topic of a Serverless cluster.
const REPLICATION_FACTOR: i32 = 3;
/// The topic settings that can be chosen there.
const SETTINGS: [&str; 7] = [
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
];
/// The most that `max.message.bytes` can be there: 8 MiB.
const LARGEST_MESSAGE: i64 = 8_388_608;

/// What a topic asks for that Serverless clusters don't give: `replication_factor` or the key of a setting, with the
/// reason.
pub(crate) fn misfits(topic: &Topic) -> Vec<(&str, String)> {
    let mut misfits = Vec::new();
    if topic.replication_factor != REPLICATION_FACTOR {
        misfits.push((
            "replication_factor",
            format!(
                "is {}, and MSK gives every topic of a Serverless cluster {REPLICATION_FACTOR} replicas; \
                 leave it out",
                topic.replication_factor
            ),
        ));
    }
    for (key, value) in &topic.config {
        if !SETTINGS.contains(&key.as_str()) {
            misfits.push((key, format!("can't be chosen on a Serverless cluster; only {} can", SETTINGS.join(", "))));
        } else if key == "max.message.bytes" && value.parse().is_ok_and(|bytes: i64| bytes > LARGEST_MESSAGE) {
            misfits.push((key, format!("is {value}; a Serverless cluster takes at most {LARGEST_MESSAGE} (8 MiB)")));
        }
    }
    misfits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn topic(replication_factor: i32, config: &[(&str, &str)]) -> Topic {
        let config: BTreeMap<_, _> =
            config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Topic { name: "t".to_owned(), partitions: 1, replication_factor, config, retain: false }
    }

    #[test]
    fn what_serverless_gives_anyway_or_lets_one_choose_fits() {
        let settings = [("retention.ms", "1"), ("cleanup.policy", "compact"), ("max.message.bytes", "8388608")];
        assert_eq!(misfits(&topic(3, &settings)), []);
    }

    #[test]
    fn everything_else_is_told_by_its_key() {
        let settings = [("segment.bytes", "1"), ("max.message.bytes", "8388609")];
        let topic = topic(2, &settings);
        let keys: Vec<&str> = misfits(&topic).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["replication_factor", "max.message.bytes", "segment.bytes"]);
    }
}
