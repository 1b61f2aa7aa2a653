//! Formats: how a record stands in an object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::converter::Data;
use super::fault::Fault;
use super::json;
use super::schema::{Kind, Schema};

/// A format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Bytes { extension: String, separator: String },
}

impl Format {
    /// What the names of its objects end with.
    pub(super) fn extension(&self) -> &str {
        match self {
            Self::Json => ".json",
            Self::Bytes { extension, .. } => extension,
        }
    }

    /// Appends a record's value.
    pub(super) fn write(&self, data: &Data, into: &mut Vec<u8>) -> Result<(), Fault> {
        let failed = |error: std::io::Error| Fault::connect(error.to_string());
        match self {
            Self::Json => {
                match data {
                    Data::Null => into.extend_from_slice(b"null"),
                    Data::Json(value, _) => json::write(value, into).map_err(failed)?,
                    Data::Text(text) => json::write(&Value::from(text.as_str()), into).map_err(failed)?,
                    Data::Bytes(bytes) => json::write(&Value::from(STANDARD.encode(bytes)), into).map_err(failed)?,
                }
                into.push(b'\n');
            }
            Self::Bytes { separator, .. } => {
                bytes(data, into)?;
                into.extend_from_slice(separator.as_bytes());
            }
        }
        Ok(())
    }
}

/// `ByteArrayFormat` takes bytes and nothing else.
fn bytes(data: &Data, into: &mut Vec<u8>) -> Result<(), Fault> {
    let wrong_schema = |name: &str| Fault::data(format!("Invalid schema type for ByteArrayConverter: {name}"));
    match data {
        Data::Null => Ok(()),
        Data::Bytes(bytes) => {
            into.extend_from_slice(bytes);
            Ok(())
        }
        Data::Json(Value::String(text), Some(schema)) if is_bytes(schema) => {
            let decoded = STANDARD.decode(text).map_err(|_| Fault::data("Invalid bytes field"))?;
            into.extend_from_slice(&decoded);
            Ok(())
        }
        Data::Json(_, Some(schema)) => Err(wrong_schema(schema.type_name())),
        Data::Text(_) => Err(wrong_schema("STRING")),
        Data::Json(value, None) => {
            let class = match value {
                Value::Object(_) => "java.util.HashMap",
                Value::Array(_) => "java.util.ArrayList",
                Value::Bool(_) => "java.lang.Boolean",
                Value::Number(number) if number.is_f64() => "java.lang.Double",
                Value::Number(_) => "java.lang.Long",
                Value::String(_) | Value::Null => "java.lang.String",
            };
            Err(Fault::data(format!("ByteArrayConverter is not compatible with objects of type class {class}")))
        }
    }
}

fn is_bytes(schema: &Schema) -> bool {
    schema.kind == Kind::Bytes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::{Data, Format};

    fn written(format: &Format, data: &Data) -> Result<String, String> {
        let mut written = Vec::new();
        format.write(data, &mut written).map_err(|fault| fault.message)?;
        Ok(String::from_utf8_lossy(&written).into_owned())
    }

    #[test]
    fn json_has_a_line_for_each_record_whatever_it_is() {
        for (data, expected) in [
            (Data::Json(json!({"b": 1, "a": [1.5]}), None), "{\"b\":1,\"a\":[1.5]}\n"),
            (Data::Text("a \"b\"".to_owned()), "\"a \\\"b\\\"\"\n"),
            (Data::Bytes(Bytes::from_static(b"\x00\xff")), "\"AP8=\"\n"),
        ] {
            assert_eq!(written(&Format::Json, &data), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn bytes_are_written_as_they_are_and_nothing_else_is() {
        let format = Format::Bytes { extension: ".bin".to_owned(), separator: "|".to_owned() };
        assert_eq!(written(&format, &Data::Bytes(Bytes::from_static(b"abc"))), Ok("abc|".to_owned()));
        for (data, class) in [
            (Data::Json(json!({}), None), "class java.util.HashMap"),
            (Data::Json(json!(1), None), "class java.lang.Long"),
            (Data::Text(String::new()), "STRING"),
        ] {
            assert!(written(&format, &data).is_err_and(|fault| fault.ends_with(class)), "{data:?}");
        }
    }
}
