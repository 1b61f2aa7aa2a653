//! Kafka's settings, `retention.ms: 7d`, as Kafka wants them.

use std::collections::BTreeMap;

use super::super::problem::Findings;
use super::super::quantity::{bytes, milliseconds};
use super::super::raw::Settings;

/// The settings with durations in milliseconds where the key ends in `.ms`, and sizes in bytes where it ends in
/// `.bytes`. All else stays as it is written. What Kafka fills in itself (`$${secretsmanager:…}`) is left to it.
pub(super) fn settings(raw: &Settings, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (key, value) in &raw.value {
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=') {
            findings.problem(
                value.key_at,
                format!(
                    "\"{key}\" is no name of a setting; \
                use one without spaces and ="
                ),
            );
            continue;
        }
        let converted = if value.contains("${") {
            Ok(value.value.clone())
        } else if key.ends_with(".ms") {
            milliseconds(value)
        } else if key.ends_with(".bytes") {
            bytes(value)
        } else {
            Ok(value.value.clone())
        };
        match converted {
            Ok(text) => {
                settings.insert(key.clone(), text);
            }
            Err(problem) => findings.problem(value.at, format!("{key}: {problem}")),
        }
    }
    settings
}
