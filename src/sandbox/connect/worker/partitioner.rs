//! Partitioners: into which folder of its topic a record goes.

use serde_json::Value;

use super::converter::Data;
use super::fault::Fault;
use super::iso;
use super::pattern::Pattern;
use super::schema::{Kind, Schema};
use super::zone::Zone;

/// A partitioner.
#[derive(Clone, Debug)]
pub(super) enum Partitioner {
    /// By Kafka's partition.
    Default,
    /// By the values of some fields.
    Field(Vec<String>),
    Time(TimeBased),
}

/// By a time of the record.
#[derive(Clone, Debug)]
pub(super) struct TimeBased {
    /// Milliseconds, from midnight on the wall.
    pub(super) duration: i64,
    pub(super) pattern: Pattern,
    pub(super) zone: Zone,
    pub(super) clock: Clock,
}

/// Where the time of a record comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Wall,
    Record,
    Field(String),
}

/// What a partitioner looks at.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) partition: i32,
    pub(super) timestamp: i64,
    pub(super) value: &'a Data,
}

impl Partitioner {
    /// The time of a record, where the partitioner goes by time.
    pub(super) fn time(&self, subject: &Subject<'_>, now: i64) -> Result<Option<i64>, Fault> {
        let Self::Time(by_time) = self else { return Ok(None) };
        match &by_time.clock {
            Clock::Wall => Ok(Some(now)),
            Clock::Record => Ok(Some(subject.timestamp)),
            Clock::Field(name) => field_time(subject.value, name).map(Some),
        }
    }

    /// The folder of a record, whose time is as [`Partitioner::time`] tells.
    pub(super) fn folder(&self, subject: &Subject<'_>, time: Option<i64>, delimiter: &str) -> Result<String, Fault> {
        match self {
            Self::Default => Ok(format!("partition={}", subject.partition)),
            Self::Field(names) => {
                let parts: Vec<String> =
                    names.iter().map(|name| field_part(subject.value, name)).collect::<Result<_, _>>()?;
                Ok(parts.join(delimiter))
            }
            Self::Time(TimeBased { duration, pattern, zone, .. }) => {
                let local = zone.local(time.unwrap_or_default());
                Ok(pattern.format(zone.moment(local / duration * duration), zone))
            }
        }
    }
}

fn no_such_field(name: &str) -> Fault {
    Fault::data(format!("The nested field named '{name}' does not exist."))
}

/// `name=value`. The real one only looks into values that have a schema.
fn field_part(data: &Data, name: &str) -> Result<String, Fault> {
    let Data::Json(value, Some(schema)) = data else {
        return Err(Fault::partition("Error encoding partition: Value is not Struct type."));
    };
    if !matches!(schema.kind, Kind::Struct(_)) {
        return Err(Fault::partition("Error encoding partition: Value is not Struct type."));
    }
    let field = schema.field(name).ok_or_else(|| Fault::data(format!("{name} is not a valid field name")))?;
    let value = &value[name];
    let text = match (&field.kind, value) {
        (Kind::Text, Value::String(text)) => text.clone(),
        (Kind::Text, _) => "null".to_owned(),
        (Kind::Integer(_) | Kind::Boolean, Value::Null) => {
            return Err(Fault::new("java.lang.NullPointerException", format!("the field {name} is null")));
        }
        (Kind::Integer(_) | Kind::Boolean, value) => value.to_string(),
        _ => {
            let kind = field.type_name();
            return Err(Fault::partition(format!(
                "Error encoding partition: Type {kind} is not supported as a partition key."
            )));
        }
    };
    Ok(format!("{name}={text}"))
}

/// The time that a field holds, in milliseconds or as an ISO date. Points in its name lead into it.
fn field_time(data: &Data, name: &str) -> Result<i64, Fault> {
    let (value, schema) = match data {
        Data::Json(value @ Value::Object(_), schema) => (value, schema.as_deref()),
        _ => return Err(Fault::partition("Error encoding partition: Value is not of Struct or Map type.")),
    };
    let mut found = value;
    let mut of: Option<&Schema> = schema;
    for step in steps(name, schema.is_some()) {
        found = found.get(&step).ok_or_else(|| no_such_field(name))?;
        of = of.and_then(|schema| schema.field(&step));
    }
    let is_time =
        of.is_none_or(|schema| schema.is_timestamp() || matches!(schema.kind, Kind::Integer(32 | 64) | Kind::Text));
    match found {
        Value::Null => Err(no_such_field(name)),
        Value::Number(number) if is_time => {
            number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)).ok_or_else(|| no_such_field(name))
        }
        Value::String(text) if is_time => iso::moment(text).ok_or_else(|| {
            Fault::new(
                "java.lang.IllegalArgumentException",
                format!(
                    "Invalid format: \"{text}\" in the field {name} is no ISO 8601 date, such as 2024-01-31T23:59:59"
                ),
            )
        }),
        _ => Err(Fault::partition(format!("Error extracting timestamp from record field: {name}"))),
    }
}

/// The names that a path of fields is made of. What stands in quotes is one name, except in structs, whose fields have
/// no points.
fn steps(path: &str, in_struct: bool) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut quoted = false;
    for letter in path.chars() {
        match letter {
            '"' => quoted = !quoted,
            '.' if in_struct || !quoted => steps.push(String::new()),
            letter => {
                if let Some(last) = steps.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    steps
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::{Clock, Data, Partitioner, Pattern, Schema, Subject, TimeBased, Zone, steps};

    const MOMENT: i64 = 1_600_000_000_123;

    fn plain(value: Value) -> Data {
        Data::Json(value, None)
    }

    fn with_schema(fields: Value, value: Value) -> Data {
        let schema = Schema::parse(&json!({"type": "struct", "fields": fields})).unwrap().unwrap();
        Data::Json(value, Some(Arc::new(schema)))
    }

    fn folder(partitioner: &Partitioner, value: &Data) -> Result<String, String> {
        let subject = Subject { partition: 3, timestamp: MOMENT, value };
        let time = partitioner.time(&subject, MOMENT + 3_600_000).map_err(|fault| fault.message)?;
        partitioner.folder(&subject, time, "/").map_err(|fault| fault.message)
    }

    fn by_time(clock: Clock) -> Partitioner {
        Partitioner::Time(TimeBased {
            duration: 600_000,
            pattern: Pattern::parse("yyyy-MM-dd/HH:mm").unwrap(),
            zone: Zone::named("+02:00").unwrap(),
            clock,
        })
    }

    #[test]
    fn the_default_is_kafkas_partition() {
        assert_eq!(folder(&Partitioner::Default, &Data::Text("a".to_owned())), Ok("partition=3".to_owned()));
    }

    #[test]
    fn fields_want_a_schema() {
        let fields = json!([{"field": "a", "type": "string", "optional": true}, {"field": "b", "type": "int8"},
            {"field": "c", "type": "boolean"}, {"field": "d", "type": "double"}]);
        let value = with_schema(fields, json!({"a": "x", "b": 1, "c": true, "d": 1.5}));
        let by = |names: &[&str]| Partitioner::Field(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(folder(&by(&["a", "b", "c"]), &value), Ok("a=x/b=1/c=true".to_owned()));
        assert!(folder(&by(&["d"]), &value).unwrap_err().contains("FLOAT64 is not supported"));
        assert_eq!(folder(&by(&["e"]), &value).unwrap_err(), "e is not a valid field name");
        assert!(folder(&by(&["a"]), &plain(json!({"a": "x"}))).unwrap_err().contains("Value is not Struct type."));
    }

    #[test]
    fn times_come_from_where_they_are_said_to() {
        let any = plain(json!({}));
        assert_eq!(folder(&by_time(Clock::Record), &any), Ok("2020-09-13/14:20".to_owned()));
        assert_eq!(folder(&by_time(Clock::Wall), &any), Ok("2020-09-13/15:20".to_owned()));
        let field = by_time(Clock::Field("a.at".to_owned()));
        assert_eq!(folder(&field, &plain(json!({"a": {"at": MOMENT}}))), Ok("2020-09-13/14:20".to_owned()));
        let text = plain(json!({"a": {"at": "2020-09-13T12:26:40Z"}}));
        assert_eq!(folder(&field, &text), Ok("2020-09-13/14:20".to_owned()));
        for (value, fault) in [
            (plain(json!({"a": {}})), "does not exist"),
            (plain(json!({"a": {"at": "2020-09-13 12:26:40"}})), "Invalid format"),
            (plain(json!({"a": {"at": true}})), "Error extracting timestamp"),
            (Data::Text("x".to_owned()), "Value is not of Struct or Map type"),
        ] {
            assert!(folder(&field, &value).unwrap_err().contains(fault), "{fault}");
        }
    }

    #[test]
    fn a_field_of_a_struct_has_a_type_that_can_be_a_time() {
        let field = by_time(Clock::Field("at".to_owned()));
        let fields = |kind: &str| json!([{"field": "at", "type": kind}]);
        assert!(folder(&field, &with_schema(fields("int64"), json!({"at": MOMENT}))).is_ok());
        assert!(folder(&field, &with_schema(fields("double"), json!({"at": 1.5}))).is_err());
    }

    #[test]
    fn quotes_keep_points_in_names() {
        assert_eq!(steps("a.\"b.c\".d", false), ["a", "b.c", "d"]);
        assert_eq!(steps("a.b", true), ["a", "b"]);
    }
}
