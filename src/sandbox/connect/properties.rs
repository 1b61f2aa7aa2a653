//! The properties that Kafka Connect and Confluent's S3 sink know, what their values have to be, and which of them the
//! sandbox's worker implements.

use std::collections::BTreeMap;

use crate::sandbox::config_def::{self, INT, Kind};

/// A property.
pub(super) struct Property {
    pub(super) name: &'static str,
    kind: Kind,
    support: Support,
}

/// What the sandbox's worker makes of a property.
enum Support {
    /// What the real one does, or nothing where nothing of it could be seen.
    Full,
    /// It takes only the default. An empty text stands for a property that is left out.
    Only(&'static str),
    /// The same, of a property whose value is a secret.
    NoSecret,
}

const fn full(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, support: Support::Full }
}

const fn only(name: &'static str, default: &'static str, kind: Kind) -> Property {
    Property { name, kind, support: Support::Only(default) }
}

const fn secret(name: &'static str) -> Property {
    Property { name, kind: Kind::Any, support: Support::NoSecret }
}

const ANY_LONG: Kind = Kind::Long { min: i64::MIN };
const ANY_INT: Kind = Kind::Int { min: i32::MIN as i64, max: INT };

/// `ConnectorConfig` of Kafka Connect.
pub(super) const ANY_CONNECTOR: &[Property] = &[
    full("config.action.reload", Kind::OneOfAnyCase(&["NONE", "RESTART"])),
    full("connector.class", Kind::Any),
    full("errors.log.enable", Kind::Boolean),
    full("errors.log.include.messages", Kind::Boolean),
    full("errors.retry.delay.max.ms", ANY_LONG),
    // Nothing that the sandbox's worker does fails now and works later.
    full("errors.retry.timeout", ANY_LONG),
    full("errors.tolerance", Kind::OneOf(&["none", "all"])),
    full("header.converter", Kind::Any),
    full("key.converter", Kind::Any),
    full("name", Kind::Any),
    only("predicates", "", Kind::Any),
    full("tasks.max", Kind::Int { min: 1, max: INT }),
    full("tasks.max.enforce", Kind::Boolean),
    only("transforms", "", Kind::Any),
    full("value.converter", Kind::Any),
];

/// `SinkConnectorConfig` of Kafka Connect.
pub(super) const ANY_SINK: &[Property] = &[
    full("errors.deadletterqueue.context.headers.enable", Kind::Boolean),
    full("errors.deadletterqueue.topic.name", Kind::Any),
    full("errors.deadletterqueue.topic.replication.factor", Kind::Short { min: i16::MIN as i64 }),
    full("topics", Kind::Any),
    full("topics.regex", Kind::Any),
];

/// `S3SinkConnectorConfig`, and what it is built on: `StorageSinkConnectorConfig`, `StorageCommonConfig` and
/// `PartitionerConfig`.
pub(super) const S3_SINK: &[Property] = &[
    full("allow.optional.map.keys", Kind::Boolean),
    only("append.late.data", "false", Kind::Boolean),
    full("avro.codec", Kind::Any),
    secret("aws.access.key.id"),
    secret("aws.secret.access.key"),
    full("behavior.on.null.values", Kind::OneOfAnyCase(&["ignore", "fail", "write"])),
    full("connect.meta.data", Kind::Boolean),
    full("directory.delim", Kind::Any),
    full("enhanced.avro.schema.support", Kind::Boolean),
    full("file.delim", Kind::Any),
    full("filename.offset.zero.pad.width", Kind::Int { min: 0, max: INT }),
    full("flush.size", Kind::Int { min: 1, max: INT }),
    full("format.bytearray.extension", Kind::Any),
    full("format.bytearray.separator", Kind::Any),
    full("format.class", Kind::Any),
    full("headers.format.class", Kind::Any),
    only("json.decimal.format", "BASE64", Kind::OneOfAnyCase(&["BASE64", "NUMERIC"])),
    full("keys.format.class", Kind::Any),
    full("locale", Kind::Any),
    full("parquet.codec", Kind::Any),
    full("partition.duration.ms", ANY_LONG),
    full("partition.field.name", Kind::Any),
    full("partitioner.class", Kind::Any),
    full("path.format", Kind::Any),
    full("retry.backoff.ms", ANY_LONG),
    full("rotate.interval.ms", ANY_LONG),
    full("rotate.schedule.interval.ms", ANY_LONG),
    only("s3.acl.canned", "", Kind::Any),
    full("s3.bucket.name", Kind::Any),
    full("s3.compression.level", Kind::Int { min: -1, max: 9 }),
    full("s3.compression.type", Kind::OneOf(&["none", "gzip"])),
    only("s3.credentials.provider.class", "com.amazonaws.auth.DefaultAWSCredentialsProviderChain", Kind::Any),
    full("s3.elastic.buffer.enable", Kind::Boolean),
    full("s3.elastic.buffer.init.capacity", Kind::Int { min: 4096, max: INT }),
    full("s3.http.send.expect.continue", Kind::Boolean),
    full("s3.object.behavior.on.tagging.error", Kind::OneOfAnyCase(&["ignore", "fail"])),
    only("s3.object.tagging", "false", Kind::Boolean),
    full("s3.object.tagging.key.value.pairs", Kind::Any),
    full("s3.part.retries", Kind::Int { min: 0, max: INT }),
    full("s3.part.size", Kind::Int { min: 5_242_880, max: INT }),
    full("s3.path.style.access.enabled", Kind::Boolean),
    secret("s3.proxy.password"),
    only("s3.proxy.url", "", Kind::Any),
    only("s3.proxy.user", "", Kind::Any),
    full("s3.region", Kind::Any),
    full("s3.retry.backoff.ms", Kind::Long { min: 0 }),
    only("s3.schema.partition.affix.type", "NONE", Kind::OneOf(&["NONE", "PREFIX", "SUFFIX"])),
    full("s3.send.digest", Kind::Boolean),
    secret("s3.sse.customer.key"),
    only("s3.sse.kms.key.id", "", Kind::Any),
    only("s3.ssea.name", "", Kind::OneOf(&["", "AES256", "aws:kms", "aws:kms:dsse"])),
    only("s3.wan.mode", "false", Kind::Boolean),
    full("schema.cache.size", ANY_INT),
    only(
        "schema.compatibility",
        "NONE",
        Kind::OneOf(&[
            "NONE",
            "BACKWARD",
            "BACKWARD_TRANSITIVE",
            "FORWARD",
            "FORWARD_TRANSITIVE",
            "FULL",
            "FULL_TRANSITIVE",
        ]),
    ),
    full("shutdown.timeout.ms", ANY_LONG),
    full("storage.class", Kind::Any),
    only("store.kafka.headers", "false", Kind::Boolean),
    only("store.kafka.keys", "false", Kind::Boolean),
    only("store.url", "", Kind::Any),
    full("timestamp.extractor", Kind::Any),
    full("timestamp.field", Kind::Any),
    full("timezone", Kind::Any),
    full("tombstone.encoded.partition", Kind::Any),
    full("topics.dir", Kind::Any),
];

/// What the properties of converters, of transformations and of the worker's own clients begin with: those of the first
/// are known by the class alone.
const PREFIXES: [&str; 8] = [
    "admin.override.",
    "consumer.override.",
    "header.converter.",
    "key.converter.",
    "predicates.",
    "producer.override.",
    "transforms.",
    "value.converter.",
];

/// What is wrong with the values of those properties that are given.
pub(super) fn faults(definitions: &[Property], given: &BTreeMap<String, String>) -> Vec<String> {
    let check = |property: &Property| property.kind.check(property.name, given.get(property.name)?).err();
    definitions.iter().filter_map(check).collect()
}

/// Which of the properties that are given the sandbox's worker doesn't implement.
pub(super) fn unimplemented(definitions: &[Property], given: &BTreeMap<String, String>) -> Vec<String> {
    let check = |property: &Property| {
        let value = given.get(property.name)?.trim();
        let (default, shown) = match property.support {
            Support::Full => return None,
            Support::Only(default) => (default, value),
            Support::NoSecret => ("", "[hidden]"),
        };
        let is_default = value.is_empty() || value.eq_ignore_ascii_case(default);
        (!is_default).then(|| not_implemented(property.name, shown, default))
    };
    definitions.iter().filter_map(check).collect()
}

/// A value that the real one takes, and the sandbox's worker doesn't.
pub(super) fn not_implemented(name: &str, value: &str, instead: &str) -> String {
    let remedy = if instead.is_empty() { "leave it out".to_owned() } else { format!("use {instead}") };
    config_def::invalid(name, value, &format!("The sandbox's worker doesn't implement it; {remedy}, or try it on AWS."))
}

/// The properties that are given and that nobody knows.
pub(super) fn unknown(given: &BTreeMap<String, String>) -> Vec<&str> {
    let known = |name: &str| {
        let mut all = [ANY_CONNECTOR, ANY_SINK, S3_SINK].into_iter().flatten();
        all.any(|property| property.name == name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    given.keys().map(String::as_str).filter(|name| !known(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ANY_CONNECTOR, ANY_SINK, S3_SINK, faults, unimplemented, unknown};

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_tables_are_in_order_and_their_defaults_are_values() {
        for table in [ANY_CONNECTOR, ANY_SINK, S3_SINK] {
            assert!(table.is_sorted_by_key(|property| property.name));
            for property in table {
                if let super::Support::Only(default) = property.support {
                    assert_eq!(property.kind.check(property.name, default), Ok(()));
                }
            }
        }
    }

    #[test]
    fn what_is_not_implemented_is_told_unless_it_is_the_default() {
        let fine = given(&[("store.kafka.keys", "FALSE"), ("s3.ssea.name", ""), ("schema.compatibility", " NONE ")]);
        assert_eq!(unimplemented(S3_SINK, &fine), [""; 0]);
        let told = unimplemented(S3_SINK, &given(&[("store.kafka.keys", "true"), ("aws.secret.access.key", "abc")]));
        assert_eq!(
            told,
            [
                "Invalid value [hidden] for configuration aws.secret.access.key: The sandbox's worker doesn't implement it; leave it out, or try it on AWS.",
                "Invalid value true for configuration store.kafka.keys: The sandbox's worker doesn't implement it; use false, or try it on AWS.",
            ]
        );
        assert_eq!(faults(S3_SINK, &given(&[("s3.ssea.name", "x")])).len(), 1);
    }

    #[test]
    fn what_nobody_knows_is_found() {
        let all = given(&[("flush.size", "1"), ("flush.sizes", "1"), ("value.converter.x", ""), ("topics", "a")]);
        assert_eq!(unknown(&all), ["flush.sizes"]);
    }
}
