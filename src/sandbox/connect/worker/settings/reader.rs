//! Reads the settings of a sink, property by property.

use std::collections::BTreeMap;

use regex::Regex;

use super::super::converter::Converter;
use super::super::format::Format;
use super::super::partitioner::{Clock, Partitioner, TimeBased};
use super::super::pattern::Pattern;
use super::super::zone::Zone;
use super::{DEFAULT_REGION, DeadLetters, Errors, Names, Rotation, Store, Topics};
use crate::sandbox::config_def;
use crate::sandbox::connect::properties::not_implemented;

pub(super) const STORAGE: &str = "io.confluent.connect.s3.storage.S3Storage";
pub(super) const JSON_FORMAT: &str = "io.confluent.connect.s3.format.json.JsonFormat";
pub(super) const BYTES_FORMAT: &str = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat";
const PARTITIONERS: &str = "io.confluent.connect.storage.partitioner.";
/// MSK Connect's own worker configuration has it for keys and values
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-workers.html>).
const DEFAULT_CONVERTER: &str = "org.apache.kafka.connect.storage.StringConverter";
const HOUR: i64 = 60 * 60 * 1000;

/// Reads properties one by one, and collects what is wrong with them.
pub(super) struct Reader<'a> {
    own: &'a BTreeMap<String, String>,
    worker: &'a BTreeMap<String, String>,
    pub(super) faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(own: &'a BTreeMap<String, String>, worker: &'a BTreeMap<String, String>) -> Self {
        Self { own, worker, faults: Vec::new() }
    }

    pub(super) fn text(&self, key: &str, default: &str) -> String {
        self.own.get(key).map_or(default, |value| value.trim()).to_owned()
    }

    /// A number; the default also where it isn't one, which the tables tell.
    fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> N {
        self.own.get(key).and_then(|value| value.trim().parse().ok()).unwrap_or(default)
    }

    fn flag(&self, key: &str) -> bool {
        self.text(key, "false").eq_ignore_ascii_case("true")
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Kafka Connect wants the whole name to match.
    pub(super) fn topics(&mut self) -> Topics {
        let pattern = self.text("topics.regex", "");
        if pattern.is_empty() {
            let names = self.text("topics", "");
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            return Topics::Named(names.map(str::to_owned).collect());
        }
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Topics::Matching(regex),
            Err(_) => {
                self.fault(format!("Property topics.regex contains an invalid regular expression, or one that looks around, which the sandbox doesn't implement: {pattern}"));
                Topics::Named(Vec::new())
            }
        }
    }

    /// A converter is configured where it is named: by the connector, or else by its workers.
    pub(super) fn converter(&mut self, key: &str) -> Converter {
        let is_own = self.own.get(key).is_some_and(|name| !name.trim().is_empty());
        let place = if is_own { self.own } else { self.worker };
        let name = place.get(key).map_or(DEFAULT_CONVERTER, |name| name.trim());
        let given = |property: &str| place.get(&format!("{key}.{property}")).map(|value| value.trim());
        let faults = [
            given("schemas.enable")
                .and_then(|value| config_def::Kind::Boolean.check(&format!("{key}.schemas.enable"), value).err()),
            given("converter.encoding")
                .filter(|encoding| !["UTF8", "UTF-8"].iter().any(|known| encoding.eq_ignore_ascii_case(known)))
                .map(|encoding| not_implemented(&format!("{key}.converter.encoding"), encoding, "UTF8")),
            given("replace.null.with.default")
                .filter(|value| !value.eq_ignore_ascii_case("true"))
                .map(|value| not_implemented(&format!("{key}.replace.null.with.default"), value, "true")),
        ];
        let converter = match Converter::named(name) {
            Some(Converter::Json { .. }) => Converter::Json {
                schemas: given("schemas.enable").is_none_or(|value| !value.eq_ignore_ascii_case("false")),
            },
            Some(converter) => converter,
            None => {
                self.fault(not_implemented(key, name, "JsonConverter, StringConverter or ByteArrayConverter"));
                Converter::Bytes
            }
        };
        self.faults.extend(faults.into_iter().flatten());
        converter
    }

    pub(super) fn format(&mut self) -> Format {
        let storage = self.text("storage.class", STORAGE);
        if !storage.is_empty() && storage != STORAGE {
            self.fault(not_implemented("storage.class", &storage, STORAGE));
        }
        let class = self.text("format.class", JSON_FORMAT);
        match class.as_str() {
            JSON_FORMAT | "" => Format::Json,
            BYTES_FORMAT => {
                // Blanks count in it, so it is taken as it is.
                let separator = self.own.get("format.bytearray.separator").map_or("\n", String::as_str);
                let extension = self.text("format.bytearray.extension", ".bin");
                Format::Bytes { extension, separator: separator.to_owned() }
            }
            other => {
                self.fault(not_implemented("format.class", other, "JsonFormat or ByteArrayFormat"));
                Format::Json
            }
        }
    }

    pub(super) fn partitioner(&mut self) -> Partitioner {
        let class = self.text("partitioner.class", "");
        let delimiter = self.text("directory.delim", "/");
        let path = |parts: &[&str]| parts.join(&delimiter);
        match class.strip_prefix(PARTITIONERS).unwrap_or(&class) {
            "" | "DefaultPartitioner" => Partitioner::Default,
            "FieldPartitioner" => {
                let names = self.text("partition.field.name", "");
                let names: Vec<String> = names.split(',').map(str::trim).map(str::to_owned).collect();
                if names.iter().any(String::is_empty) {
                    let fault = "FieldPartitioner needs the name of a field.";
                    self.fault(config_def::invalid("partition.field.name", &names.join(","), fault));
                }
                Partitioner::Field(names)
            }
            "TimeBasedPartitioner" => {
                let duration = self.number("partition.duration.ms", -1);
                if duration < 1 {
                    let fault = "Partition duration needs to be a positive.";
                    self.fault(config_def::invalid("partition.duration.ms", &duration.to_string(), fault));
                }
                let format = self.text("path.format", "");
                let format = format.strip_suffix(delimiter.as_str()).unwrap_or(&format).to_owned();
                if format.is_empty() {
                    self.fault(config_def::invalid("path.format", "", "Path format cannot be empty."));
                }
                self.time_based(duration.max(1), &format)
            }
            "HourlyPartitioner" => {
                self.time_based(HOUR, &path(&["'year'=YYYY", "'month'=MM", "'day'=dd", "'hour'=HH"]))
            }
            "DailyPartitioner" => self.time_based(24 * HOUR, &path(&["'year'=YYYY", "'month'=MM", "'day'=dd"])),
            other => {
                self.fault(not_implemented("partitioner.class", other, "one of Confluent's"));
                Partitioner::Default
            }
        }
    }

    fn time_based(&mut self, duration: i64, format: &str) -> Partitioner {
        let pattern = match Pattern::parse(format) {
            Ok(pattern) => Some(pattern),
            // An empty one was told already.
            Err(_) if format.is_empty() => None,
            Err(fault) => {
                self.fault(config_def::invalid("path.format", format, &fault));
                None
            }
        };
        let locale = self.text("locale", "");
        if locale.is_empty() {
            self.fault(config_def::invalid("locale", "", "Locale cannot be empty."));
        } else if !locale.to_ascii_lowercase().starts_with("en") && pattern.as_ref().is_some_and(Pattern::has_names) {
            self.fault(not_implemented("locale", &locale, "en-US"));
        }
        if self.text("timezone", "").is_empty() {
            self.fault(config_def::invalid("timezone", "", "Timezone cannot be empty."));
        }
        let extractor = self.text("timestamp.extractor", "Wallclock");
        let nested = format!("{PARTITIONERS}TimeBasedPartitioner$");
        let short = extractor.strip_prefix(&nested).and_then(|name| name.strip_suffix("TimestampExtractor"));
        let clock = match short.unwrap_or(&extractor) {
            "Wallclock" => Clock::Wall,
            "Record" => Clock::Record,
            "RecordField" => Clock::Field(self.text("timestamp.field", "timestamp")),
            other => {
                self.fault(not_implemented("timestamp.extractor", other, "Wallclock, Record or RecordField"));
                Clock::Wall
            }
        };
        let zone = self.zone();
        match (pattern, zone) {
            (Some(pattern), Some(zone)) => Partitioner::Time(TimeBased { duration, pattern, zone, clock }),
            _ => Partitioner::Default,
        }
    }

    /// The time zone, where there is one that is known.
    fn zone(&self) -> Option<Zone> {
        Zone::named(&self.text("timezone", ""))
    }

    pub(super) fn rotation(&mut self) -> Rotation {
        let zone = self.text("timezone", "");
        if !zone.is_empty() && self.zone().is_none() {
            let fault = format!("The datetime zone id '{zone}' is not recognised");
            self.fault(config_def::invalid("timezone", &zone, &fault));
        }
        let positive = |key: &str| Some(self.number(key, -1_i64)).filter(|interval| *interval > 0);
        let interval = positive("rotate.interval.ms");
        let scheduled = positive("rotate.schedule.interval.ms");
        if scheduled.is_some() && zone.is_empty() {
            self.fault("timezone configuration must be set when using rotate.schedule.interval.ms".to_owned());
        }
        Rotation { flush_size: self.number("flush.size", 1), interval, schedule: scheduled.zip(self.zone()) }
    }

    pub(super) fn names(&self, extension: &str) -> Names {
        let gzip = if self.text("s3.compression.type", "none") == "gzip" { ".gz" } else { "" };
        Names {
            folder: self.text("topics.dir", "topics"),
            directory: self.text("directory.delim", "/"),
            file: self.text("file.delim", "+"),
            digits: self.number("filename.offset.zero.pad.width", 10),
            extension: format!("{extension}{gzip}"),
        }
    }

    pub(super) fn store(&self) -> Store {
        let level: i32 = self.number("s3.compression.level", -1);
        let is_compressed = self.text("s3.compression.type", "none") == "gzip";
        let region = self.text("s3.region", DEFAULT_REGION);
        Store {
            bucket: self.text("s3.bucket.name", ""),
            region: if region.is_empty() { DEFAULT_REGION.to_owned() } else { region },
            gzip: is_compressed.then(|| u32::try_from(level).ok()),
            part_size: self.number("s3.part.size", 25 * 1024 * 1024),
            retries: self.number("s3.part.retries", 3),
            backoff: self.number("s3.retry.backoff.ms", 200),
        }
    }

    pub(super) fn errors(&self) -> Errors {
        let topic = self.text("errors.deadletterqueue.topic.name", "");
        let dead_letters = DeadLetters {
            replication: self.number("errors.deadletterqueue.topic.replication.factor", 3),
            headers: self.flag("errors.deadletterqueue.context.headers.enable"),
            topic,
        };
        Errors {
            tolerated: self.text("errors.tolerance", "none") == "all",
            logged: self.flag("errors.log.enable"),
            dead_letters: Some(dead_letters).filter(|dead_letters| !dead_letters.topic.is_empty()),
        }
    }

    pub(super) fn skips_nulls(&mut self) -> bool {
        let behavior = self.text("behavior.on.null.values", "fail");
        if behavior.eq_ignore_ascii_case("write") {
            self.fault(not_implemented("behavior.on.null.values", &behavior, "ignore or fail"));
        }
        behavior.eq_ignore_ascii_case("ignore")
    }

    pub(super) fn begins_at_the_end(&mut self) -> bool {
        const KEYS: [&str; 2] = ["consumer.override.auto.offset.reset", "consumer.auto.offset.reset"];
        let [own, worker] = KEYS;
        let given = self.own.get(own).map(|value| (own, value)).or_else(|| Some((worker, self.worker.get(worker)?)));
        match given.map(|(key, value)| (key, value.trim())) {
            Some((_, "latest")) => true,
            None | Some((_, "earliest" | "")) => false,
            Some((key, other)) => {
                self.fault(not_implemented(key, other, "earliest or latest"));
                false
            }
        }
    }

    /// Properties of the clients that a connector brings its own of. Those that make them quicker or slower do nothing.
    pub(super) fn overrides(&mut self) {
        const TUNING: [&str; 14] = [
            "acks",
            "auto.offset.reset",
            "batch.size",
            "buffer.memory",
            "check.crcs",
            "client.id",
            "compression.type",
            "enable.idempotence",
            "isolation.level",
            "max.in.flight.requests.per.connection",
            "max.poll.records",
            "partition.assignment.strategy",
            "partitioner.class",
            "retries",
        ];
        let is_tuning = |rest: &str| TUNING.contains(&rest) || rest.ends_with(".ms") || rest.ends_with(".bytes");
        let prefixes = ["admin.override.", "consumer.override.", "producer.override."];
        let other = self.own.iter().filter(|(key, _)| {
            prefixes.iter().any(|prefix| key.strip_prefix(prefix).is_some_and(|rest| !is_tuning(rest)))
        });
        let faults: Vec<String> = other.map(|(key, _)| not_implemented(key, "[hidden]", "")).collect();
        self.faults.extend(faults);
    }
}
