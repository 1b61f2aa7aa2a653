//! Which of Kafka Connect's properties are never shown.

use serde_json::Value;

use crate::engine::Field;

/// Parts of the names of properties that hold secrets. Kafka Connect's own word for them is "password"; the rest is
/// what connectors, converters and clients call theirs.
const SECRETS: [&str; 13] = [
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "credential",
    "jaas",
    "user.info",
    "api.key",
    "apikey",
    "private.key",
    "customer.key",
    "keystore.key",
];

/// A property's field: shown, unless its name or its value says that it holds a secret.
pub(super) fn field(key: &str, value: &str) -> Field {
    let shown = Value::from(value);
    if is_secret(key) || has_login(value) { Field::Secret(shown) } else { Field::Known(shown) }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // A class is a name, even that of a class that gives credentials.
    let is_class = key.ends_with(".class") || key.ends_with(".converter");
    !is_class && (key.ends_with(".pass") || SECRETS.iter().any(|word| key.contains(word)))
}

/// Whether one of the URLs in a value brings a password along: `https://user:password@host`.
fn has_login(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ',']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(login, _)| login.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(key: &str, value: &str) -> bool {
        matches!(field(key, value), Field::Secret(_))
    }

    #[test]
    fn secrets_are_known_by_their_keys() {
        for key in [
            "value.converter.schema.registry.basic.auth.user.info",
            "aws.secret.access.key",
            "s3.proxy.password",
            "s3.sse.customer.key",
            "ssl.keystore.key",
            "ssl.keystore.pass",
            "producer.override.sasl.jaas.config",
            "Api.Key",
        ] {
            assert!(hidden(key, "x"), "{key}");
        }
        for key in ["key.converter", "s3.credentials.provider.class", "offset.storage.topic", "message.key.columns"] {
            assert!(!hidden(key, "x"), "{key}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_a_secret() {
        assert!(hidden("value.converter.schema.registry.url", "https://a:1,http://user:hush@host/x"));
        assert!(!hidden("value.converter.schema.registry.url", "https://host:8081/a@b:c"));
        assert!(!hidden("s3.proxy.url", "http://user@host"));
    }
}
