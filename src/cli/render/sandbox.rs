//! What the sandbox tells.

use std::io;
use std::path::Path;

use serde_json::Value;

use super::text::bare;
use super::{Style, note, out, pretty};

/// The environment that other AWS clients need, one export a line.
pub(crate) fn environment(variables: &[(&str, &str)]) -> io::Result<()> {
    out(&variables.iter().map(|(name, value)| format!("export {name}={value}\n")).collect::<String>())
}

/// How the sandbox is.
pub(crate) fn sandbox_status(status: &Value, as_json: bool) -> io::Result<()> {
    if as_json {
        return out(&pretty(status));
    }
    let lines = status.as_object().into_iter().flatten().map(|(key, value)| match value {
        Value::Object(counts) => {
            let counts: Vec<String> = counts.iter().map(|(table, count)| format!("{table} {count}")).collect();
            format!("{key}: {}\n", if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") })
        }
        value => format!("{key}: {}\n", bare(value)),
    });
    out(&lines.collect::<String>())
}

/// Tells that another command has the sandbox.
pub(crate) fn waiting_for_sandbox(folder: &Path, pid: Option<u32>, style: Style) {
    let who = pid.map_or_else(|| "another command".to_owned(), |pid| format!("another command (process {pid})"));
    note(&format!("waiting: {who} is using the sandbox in {}", folder.display()), style);
}
