//! Records that couldn't be handled: what the log says of them, and what the topic for them is given.

use bytes::Bytes;

use super::converter::Converter;
use super::settings::{DeadLetters, Sink};
use super::writer::{Errant, Stage};
use crate::sandbox::broker::Record;

/// Where the record is from.
pub(super) struct Origin<'a> {
    pub(super) connector: &'a str,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::TaskPut => "TASK_PUT",
        }
    }

    /// The class that couldn't handle it.
    fn class(self, sink: &Sink) -> &'static str {
        match self {
            Self::KeyConverter => Converter::class(&sink.key),
            Self::ValueConverter => Converter::class(&sink.value),
            Self::TaskPut => "org.apache.kafka.connect.sink.SinkTask",
        }
    }
}

/// What the log says of it.
pub(super) fn describe(sink: &Sink, origin: &Origin<'_>, errant: &Errant) -> String {
    let Errant { record, stage, fault } = errant;
    format!(
        "Error encountered in task {}-0. Executing stage '{}' with class '{}', where consumed record is {{topic='{}', partition={}, offset={}, timestamp={}, timestampType=CreateTime}}. {fault}",
        origin.connector,
        stage.name(),
        stage.class(sink),
        origin.topic,
        origin.partition,
        record.offset,
        record.record.timestamp
    )
}

/// What the topic is given: the record as it was, and why it is there, where headers are wanted.
pub(super) fn letter(sink: &Sink, to: &DeadLetters, origin: &Origin<'_>, errant: &Errant) -> Record {
    let Errant { record, stage, fault } = errant;
    let mut letter = record.record.clone();
    if to.headers {
        let headers = [
            ("topic", origin.topic.to_owned()),
            ("partition", origin.partition.to_string()),
            ("offset", record.offset.to_string()),
            ("connector.name", origin.connector.to_owned()),
            ("task.id", "0".to_owned()),
            ("stage", stage.name().to_owned()),
            ("class.name", stage.class(sink).to_owned()),
            ("exception.class.name", fault.exception.to_owned()),
            ("exception.message", fault.message.clone()),
            ("exception.stacktrace", fault.to_string()),
        ];
        let named = headers.map(|(name, value)| (format!("__connect.errors.{name}"), Some(Bytes::from(value))));
        letter.headers.extend(named);
    }
    letter
}
