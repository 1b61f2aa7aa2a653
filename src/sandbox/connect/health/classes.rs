//! The Java classes that a configuration names: whether they are there, in the plugin or in every worker, and whether
//! the workers' Java can load them.

use super::{Classes, Subject};
use crate::sandbox::config_def;

/// What a class is for, with those that Kafka Connect 3.7 brings along.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// What its alias leaves out of its simple name.
    suffix: &'static str,
    package: &'static [&'static str],
}

pub(super) const CONNECTOR: Part = Part {
    suffix: "Connector",
    package: &[
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "org.apache.kafka.connect.mirror.MirrorCheckpointConnector",
        "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector",
        "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "org.apache.kafka.connect.tools.MockSinkConnector",
        "org.apache.kafka.connect.tools.MockSourceConnector",
        "org.apache.kafka.connect.tools.VerifiableSinkConnector",
        "org.apache.kafka.connect.tools.VerifiableSourceConnector",
    ],
};

pub(super) const CONVERTER: Part = Part {
    suffix: "Converter",
    package: &[
        "org.apache.kafka.connect.converters.BooleanConverter",
        "org.apache.kafka.connect.converters.ByteArrayConverter",
        "org.apache.kafka.connect.converters.DoubleConverter",
        "org.apache.kafka.connect.converters.FloatConverter",
        "org.apache.kafka.connect.converters.IntegerConverter",
        "org.apache.kafka.connect.converters.LongConverter",
        "org.apache.kafka.connect.converters.ShortConverter",
        "org.apache.kafka.connect.json.JsonConverter",
        "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        "org.apache.kafka.connect.storage.StringConverter",
    ],
};

pub(super) const TRANSFORMATION: Part = Part {
    suffix: "Transformation",
    package: &[
        "org.apache.kafka.connect.transforms.Cast",
        "org.apache.kafka.connect.transforms.DropHeaders",
        "org.apache.kafka.connect.transforms.ExtractField",
        "org.apache.kafka.connect.transforms.Filter",
        "org.apache.kafka.connect.transforms.Flatten",
        "org.apache.kafka.connect.transforms.HeaderFrom",
        "org.apache.kafka.connect.transforms.HoistField",
        "org.apache.kafka.connect.transforms.InsertField",
        "org.apache.kafka.connect.transforms.InsertHeader",
        "org.apache.kafka.connect.transforms.MaskField",
        "org.apache.kafka.connect.transforms.RegexRouter",
        "org.apache.kafka.connect.transforms.ReplaceField",
        "org.apache.kafka.connect.transforms.SetSchemaMetadata",
        "org.apache.kafka.connect.transforms.TimestampConverter",
        "org.apache.kafka.connect.transforms.TimestampRouter",
        "org.apache.kafka.connect.transforms.ValueToKey",
    ],
};

pub(super) const PREDICATE: Part = Part {
    suffix: "Predicate",
    package: &[
        "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
        "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
        "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
    ],
};

/// A class of a plugin's own kind, such as a format or a partitioner: it has no alias, and Kafka Connect brings none.
pub(super) const OTHER: Part = Part { suffix: "", package: &[] };

/// A class that is there.
struct Found {
    name: String,
    /// The major version of its class file; 0 where it can't be told.
    version: u16,
}

/// The full name of a class of a plugin, which may be named by its alias; the name itself where there is no such class.
pub(super) fn full_name(classes: &Classes, part: Part, name: &str) -> String {
    find(classes, part, name).map_or_else(|| name.to_owned(), |found| found.name)
}

fn find(classes: &Classes, part: Part, name: &str) -> Option<Found> {
    // A class within a class is in the file of that name; its outer class is known.
    let outer = name.split('$').next().unwrap_or(name);
    let has_package = outer.contains('.');
    let fits = |full: &str| {
        let simple = full.rsplit('.').next().unwrap_or(full);
        let is_alias = || simple == outer || simple.strip_suffix(part.suffix) == Some(outer);
        full == outer || (!has_package && !part.suffix.is_empty() && is_alias())
    };
    let own = classes.iter().find(|(full, _)| fits(full));
    own.map(|(full, version)| Found { name: full.clone(), version: *version }).or_else(|| {
        let built_in = part.package.iter().find(|full| fits(full))?;
        Some(Found { name: (*built_in).to_owned(), version: 0 })
    })
}

impl Subject<'_> {
    /// Whether the value of a key is a class that the workers can load.
    pub(super) fn class_fault(&self, part: Part, key: &str, name: &str) -> Option<String> {
        match find(&self.classes, part, name) {
            None => Some(config_def::invalid(key, name, &format!("Class {name} could not be found."))),
            Some(found) => self.version_fault(&found),
        }
    }

    /// The same for the connector itself, of which Kafka Connect tells in other words.
    pub(super) fn connector_fault(&self) -> Option<String> {
        let class = self.get("connector.class").unwrap_or_default();
        if let Some(found) = find(&self.classes, CONNECTOR, class) {
            return self.version_fault(&found);
        }
        let available: Vec<&str> =
            self.classes.keys().map(String::as_str).filter(|name| name.ends_with(CONNECTOR.suffix)).collect();
        Some(format!(
            "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {}",
            if available.is_empty() { "none".to_owned() } else { available.join(", ") }
        ))
    }

    fn version_fault(&self, found: &Found) -> Option<String> {
        let greatest = greatest_version(&self.connector.fixed.kafka_connect_version);
        (found.version > greatest).then(|| {
            format!(
                "java.lang.UnsupportedClassVersionError: {} has been compiled by a more recent version of the Java Runtime (class file version {}.0), this version of the Java Runtime only recognizes class file versions up to {greatest}.0",
                found.name.replace('.', "/"),
                found.version
            )
        })
    }
}

/// The latest class files that the Java of a Kafka Connect version loads: Java 11 for 2.7.1, Java 17 for 3.7.x
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-plugins.html>).
fn greatest_version(kafka_connect: &str) -> u16 {
    if kafka_connect == "2.7.1" { 55 } else { 61 }
}
