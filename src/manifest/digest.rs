//! One number for what was declared, however it was written.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Manifest, PluginSource};

/// The SHA-256, in hex, of a resolved manifest: the same for other comments, another order, values from variables,
/// defaults written out, and another folder.
///
/// # Errors
/// Where the plugin's path is not Unicode.
pub(super) fn digest(manifest: &Manifest) -> serde_json::Result<String> {
    let mut portable = manifest.clone();
    if let Some(plugin) = &mut portable.plugin {
        let folder = manifest.path.parent().unwrap_or(Path::new(""));
        match &mut plugin.source {
            PluginSource::File(path) | PluginSource::Folder(path) => *path = within(folder, path),
            PluginSource::Url { .. } | PluginSource::S3 { .. } => {}
        }
    }
    let canonical = canonical(serde_json::to_value(&portable)?);
    Ok(hex::encode(Sha256::digest(canonical.to_string())))
}

fn within(folder: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_owned()
}

/// Objects ordered by key; lists ordered too, since every list of a manifest is a set.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> =
                object.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        other => other,
    }
}
