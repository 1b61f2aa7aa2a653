//! Converters: from the bytes of a record to what a connector is given.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::fault::Fault;
use super::schema::Schema;

/// What a key or a value is, once it was converted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Null,
    /// As JSON has it, with the schema that came along.
    Json(Value, Option<Arc<Schema>>),
    Text(String),
    Bytes(Bytes),
}

/// A converter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Converter {
    Text,
    Bytes,
    /// Whether records carry their schemas.
    Json {
        schemas: bool,
    },
}

/// The last schema that was read: those of one topic are mostly the same.
#[derive(Debug, Default)]
pub(super) struct LastSchema(Option<(Value, Option<Arc<Schema>>)>);

/// Full names, each with the converter that it is of.
const CLASSES: [(&str, Converter); 3] = [
    ("org.apache.kafka.connect.converters.ByteArrayConverter", Converter::Bytes),
    // Records have schemas unless `schemas.enable` says otherwise.
    ("org.apache.kafka.connect.json.JsonConverter", Converter::Json { schemas: true }),
    ("org.apache.kafka.connect.storage.StringConverter", Converter::Text),
];

impl Converter {
    /// The converter of a class, which may be named without its package, and then without `Converter` too.
    pub(super) fn named(name: &str) -> Option<Self> {
        let fits = |full: &str| {
            let simple = full.rsplit('.').next().unwrap_or(full);
            full == name || simple == name || simple.strip_suffix("Converter") == Some(name)
        };
        CLASSES.into_iter().find(|(full, _)| fits(full)).map(|(_, converter)| converter)
    }

    /// The full name of its class.
    pub(super) fn class(&self) -> &'static str {
        let is_same = |other: &Self| std::mem::discriminant(self) == std::mem::discriminant(other);
        CLASSES.iter().find(|(_, converter)| is_same(converter)).map_or("", |(full, _)| full)
    }

    /// Converts.
    pub(super) fn convert(&self, bytes: Option<&Bytes>, last: &mut LastSchema) -> Result<Data, Fault> {
        let Some(bytes) = bytes else { return Ok(Data::Null) };
        match self {
            Self::Text => Ok(Data::Text(String::from_utf8_lossy(bytes).into_owned())),
            Self::Bytes => Ok(Data::Bytes(bytes.clone())),
            Self::Json { schemas } => {
                let value: Value = serde_json::from_slice(bytes).map_err(|error| {
                    let what = "Converting byte[] to Kafka Connect data failed due to serialization error";
                    Fault::data(format!("{what}: {error}"))
                })?;
                let (value, schema) = if *schemas { open(value, last)? } else { (value, None) };
                Ok(if value.is_null() { Data::Null } else { Data::Json(value, schema) })
            }
        }
    }
}

/// Takes a value out of the envelope that it is in together with its schema.
fn open(envelope: Value, last: &mut LastSchema) -> Result<(Value, Option<Arc<Schema>>), Fault> {
    let mut members = match envelope {
        Value::Object(members) if members.len() == 2 => members,
        _ => return Err(no_envelope()),
    };
    let (Some(schema), Some(payload)) = (members.remove("schema"), members.remove("payload")) else {
        return Err(no_envelope());
    };
    let schema = last.parse(schema)?;
    let value = match &schema {
        Some(schema) => schema.shape(&payload)?,
        None => payload,
    };
    Ok((value, schema))
}

fn no_envelope() -> Fault {
    Fault::data(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
         fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter \
         configuration.",
    )
}

impl LastSchema {
    fn parse(&mut self, schema: Value) -> Result<Option<Arc<Schema>>, Fault> {
        if let Some((last, parsed)) = &self.0
            && *last == schema
        {
            return Ok(parsed.clone());
        }
        let parsed = Schema::parse(&schema)?.map(Arc::new);
        self.0 = Some((schema, parsed.clone()));
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::{Converter, Data, LastSchema};

    fn convert(converter: &Converter, text: &str) -> Result<Data, String> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        converter.convert(Some(&bytes), &mut LastSchema::default()).map_err(|fault| fault.message)
    }

    #[test]
    fn converters_go_by_full_and_short_names() {
        for name in ["org.apache.kafka.connect.storage.StringConverter", "StringConverter", "String"] {
            assert_eq!(Converter::named(name), Some(Converter::Text), "{name}");
        }
        assert_eq!(Converter::named("io.confluent.connect.avro.AvroConverter"), None);
        for (class, converter) in super::CLASSES {
            assert_eq!(converter.class(), class);
        }
    }

    #[test]
    fn plain_json_is_taken_as_it_is() {
        let plain = Converter::Json { schemas: false };
        assert_eq!(convert(&plain, r#"{"a": 1}"#), Ok(Data::Json(json!({"a": 1}), None)));
        assert_eq!(convert(&plain, "null"), Ok(Data::Null));
        assert_eq!(plain.convert(None, &mut LastSchema::default()), Ok(Data::Null));
        assert!(convert(&plain, "hello").is_err_and(|fault| fault.starts_with("Converting byte[]")));
        assert!(convert(&plain, "").is_err());
    }

    #[test]
    fn json_with_schemas_comes_in_an_envelope() {
        let schemas = Converter::Json { schemas: true };
        let text = r#"{"schema": {"type": "string", "optional": true}, "payload": "x"}"#;
        assert!(matches!(convert(&schemas, text), Ok(Data::Json(value, Some(_))) if value == json!("x")));
        assert_eq!(convert(&schemas, r#"{"schema": null, "payload": 1}"#), Ok(Data::Json(json!(1), None)));
        assert_eq!(
            convert(&schemas, r#"{"schema": {"type": "string", "optional": true}, "payload": null}"#),
            Ok(Data::Null)
        );
        for text in [r#"{"a": 1}"#, "1", r#"{"schema": null, "payload": 1, "x": 2}"#, r#"{"schema": null, "x": 2}"#] {
            assert!(convert(&schemas, text).is_err_and(|fault| fault.contains("schemas.enable")), "{text}");
        }
    }
}
