//! The schemas that records carry with `schemas.enable=true`, as Kafka Connect's `JsonConverter` has them.

use serde_json::{Map, Value};

use super::fault::Fault;

/// A Kafka Connect schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schema {
    pub(super) kind: Kind,
    name: Option<String>,
    version: Option<i64>,
    optional: bool,
    default: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Boolean,
    /// By the number of bits.
    Integer(u32),
    Float,
    Double,
    Text,
    Bytes,
    Array(Box<Schema>),
    /// Of keys and values.
    Map(Box<Schema>, Box<Schema>),
    Struct(Vec<(String, Schema)>),
}

const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";

impl Schema {
    /// Reads one; nothing where it is null, which is how a value says that it has none.
    pub(super) fn parse(schema: &Value) -> Result<Option<Self>, Fault> {
        if schema.is_null() {
            return Ok(None);
        }
        let Some(kind) = schema["type"].as_str() else {
            return Err(Fault::data("Schema must contain 'type' field"));
        };
        let inner = |member: &str, what: &str| {
            let inner = schema.get(member).map(Self::parse).transpose()?.flatten();
            inner.map(Box::new).ok_or_else(|| Fault::data(format!("{what} schema did not specify the {member} type")))
        };
        let kind = match kind {
            "boolean" => Kind::Boolean,
            "int8" => Kind::Integer(8),
            "int16" => Kind::Integer(16),
            "int32" => Kind::Integer(32),
            "int64" => Kind::Integer(64),
            "float" => Kind::Float,
            "double" => Kind::Double,
            "string" => Kind::Text,
            "bytes" => Kind::Bytes,
            "array" => Kind::Array(inner("items", "Array")?),
            "map" => Kind::Map(inner("keys", "Map")?, inner("values", "Map")?),
            "struct" => Kind::Struct(fields(schema)?),
            other => return Err(Fault::data(format!("Unknown schema type: {other}"))),
        };
        Ok(Some(Self {
            kind,
            name: schema["name"].as_str().map(str::to_owned),
            version: schema["version"].as_i64(),
            optional: schema["optional"].as_bool().unwrap_or(false),
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
        }))
    }

    /// Whether it is of moments in time.
    pub(super) fn is_timestamp(&self) -> bool {
        self.name.as_deref() == Some(TIMESTAMP)
    }

    /// What it is of, as Java names it.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Boolean => "BOOLEAN",
            Kind::Integer(8) => "INT8",
            Kind::Integer(16) => "INT16",
            Kind::Integer(32) => "INT32",
            Kind::Integer(_) => "INT64",
            Kind::Float => "FLOAT32",
            Kind::Double => "FLOAT64",
            Kind::Text => "STRING",
            Kind::Bytes => "BYTES",
            Kind::Array(_) => "ARRAY",
            Kind::Map(..) => "MAP",
            Kind::Struct(_) => "STRUCT",
        }
    }

    /// The schema of a field, where it is of structs and has it.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Kind::Struct(fields) = &self.kind else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, schema)| schema)
    }

    /// A value as this schema has it: its fields in the schema's order, with defaults where there is none, and nothing
    /// that the schema doesn't know.
    pub(super) fn shape(&self, value: &Value) -> Result<Value, Fault> {
        if value.is_null() {
            return match &self.default {
                Some(default) => Ok(default.clone()),
                None if self.optional => Ok(Value::Null),
                None => Err(Fault::data(format!("Invalid null value for required {} field", self.type_name()))),
            };
        }
        let wrong = || Fault::data(format!("Invalid type for {}: {value}", self.type_name()));
        match &self.kind {
            Kind::Boolean if value.is_boolean() => Ok(value.clone()),
            Kind::Integer(bits) => {
                let whole = value.as_i64().ok_or_else(wrong)?;
                let fits = *bits == 64 || (-(1_i64 << (bits - 1))..1_i64 << (bits - 1)).contains(&whole);
                if fits { Ok(whole.into()) } else { Err(wrong()) }
            }
            // As many digits as a float has, rather than those of the double that is nearest to it.
            Kind::Float => {
                let float = value.as_f64().ok_or_else(wrong)? as f32;
                Ok(float.to_string().parse::<f64>().unwrap_or_else(|_| f64::from(float)).into())
            }
            Kind::Double => Ok(value.as_f64().ok_or_else(wrong)?.into()),
            Kind::Text if value.is_string() => Ok(value.clone()),
            Kind::Bytes if value.is_number() && self.name.as_deref() == Some(DECIMAL) => {
                Err(Fault::data("the sandbox's worker takes Decimals only in Base64"))
            }
            Kind::Bytes if value.is_string() => Ok(value.clone()),
            Kind::Array(items) => {
                let values = value.as_array().ok_or_else(wrong)?;
                values.iter().map(|value| items.shape(value)).collect()
            }
            Kind::Map(keys, values) => shape_map(keys, values, value).ok_or_else(wrong)?,
            Kind::Struct(fields) => {
                let given = value.as_object().ok_or_else(wrong)?;
                let shaped = fields.iter().map(|(name, schema)| {
                    let value = given.get(name).unwrap_or(&Value::Null);
                    schema.shape(value).map(|value| (name.clone(), value))
                });
                shaped.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            _ => Err(wrong()),
        }
    }
}

fn fields(schema: &Value) -> Result<Vec<(String, Schema)>, Fault> {
    let Some(fields) = schema["fields"].as_array() else {
        return Err(Fault::data("Struct schema's \"fields\" argument is not an array."));
    };
    let field = |field: &Value| {
        let name = field["field"].as_str();
        let name = name.ok_or_else(|| Fault::data("Struct schema's field name not specified properly"))?;
        let schema = Schema::parse(field)?;
        schema.map(|schema| (name.to_owned(), schema)).ok_or_else(|| Fault::data("Unknown schema type: null"))
    };
    fields.iter().map(field).collect()
}

/// Maps with text keys are objects, others are lists of pairs. Nothing where the value is neither.
fn shape_map(keys: &Schema, values: &Schema, value: &Value) -> Option<Result<Value, Fault>> {
    if let (Kind::Text, Value::Object(entries)) = (&keys.kind, value) {
        let entries = entries.iter().map(|(key, value)| values.shape(value).map(|value| (key.clone(), value)));
        return Some(entries.collect::<Result<Map<_, _>, _>>().map(Value::Object));
    }
    let pair = |pair: &Value| {
        let [key, value] = pair.as_array()?.as_slice() else { return None };
        Some(keys.shape(key).and_then(|key| Ok(Value::Array(vec![key, values.shape(value)?]))))
    };
    let pairs: Vec<_> = value.as_array()?.iter().map(pair).collect::<Option<_>>()?;
    Some(pairs.into_iter().collect::<Result<Vec<_>, _>>().map(Value::Array))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::Schema;

    fn shaped(schema: &Value, value: &Value) -> Result<Value, String> {
        let schema = Schema::parse(schema).map_err(|fault| fault.message)?.unwrap();
        schema.shape(value).map_err(|fault| fault.message)
    }

    #[test]
    fn a_struct_has_the_fields_of_its_schema_in_their_order() {
        let schema = json!({"type": "struct", "fields": [
            {"field": "id", "type": "int32"},
            {"field": "name", "type": "string", "optional": true},
            {"field": "rate", "type": "double", "default": 0.5},
            {"field": "tags", "type": "array", "items": {"type": "string"}},
            {"field": "by", "type": "map", "keys": {"type": "string"}, "values": {"type": "int8"}},
        ]});
        let value = json!({"tags": ["a"], "unknown": 1, "id": 7, "by": {"x": 1}});
        let expected = r#"{"id":7,"name":null,"rate":0.5,"tags":["a"],"by":{"x":1}}"#;
        assert_eq!(shaped(&schema, &value).unwrap().to_string(), expected);
        assert_eq!(shaped(&schema, &json!({"id": 7})).unwrap_err(), "Invalid null value for required ARRAY field");
    }

    #[test]
    fn numbers_become_those_of_the_schema() {
        assert_eq!(shaped(&json!({"type": "double"}), &json!(1)).unwrap().to_string(), "1.0");
        assert_eq!(shaped(&json!({"type": "float"}), &json!(0.1)).unwrap().to_string(), "0.1");
        assert!(shaped(&json!({"type": "int8"}), &json!(128)).is_err());
        assert!(shaped(&json!({"type": "int64"}), &json!(1.5)).is_err());
        assert!(shaped(&json!({"type": "string"}), &json!(1)).is_err());
    }

    #[test]
    fn schemas_that_are_none_are_told() {
        for (schema, message) in [
            (json!({}), "Schema must contain 'type' field"),
            (json!({"type": "text"}), "Unknown schema type: text"),
            (json!({"type": "array"}), "Array schema did not specify the items type"),
            (json!({"type": "struct"}), "Struct schema's \"fields\" argument is not an array."),
            (
                json!({"type": "struct", "fields": [{"type": "int8"}]}),
                "Struct schema's field name not specified properly",
            ),
        ] {
            assert_eq!(shaped(&schema, &Value::Null).unwrap_err(), message);
        }
    }
}
