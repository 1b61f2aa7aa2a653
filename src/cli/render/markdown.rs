//! Plans for pull requests.

use super::Head;
use super::text::shown;
use crate::engine::plan::{Plan, Step, Work};
use crate::engine::{Field, FieldChange};

/// A plan as a table.
pub(super) fn plan(plan: &Plan, head: &Head<'_>) -> String {
    let Head { name, environment, target, region, .. } = head;
    let mut text = format!("### {name} ({environment}) on {target}, {region}\n\n");
    if plan.is_empty() {
        text.push_str(&format!("No changes: {} resources are as declared.\n", plan.unchanged.len()));
        return text;
    }
    text.push_str("| | resource | field | from | to |\n| --- | --- | --- | --- | --- |\n");
    for step in &plan.steps {
        rows(&mut text, step);
    }
    for refusal in &plan.refusals {
        text.push_str(&format!("| refused | `{}` | | | {} |\n", refusal.address, cell(&refusal.reason)));
    }
    text.push_str(&format!("\n{} unchanged.\n", plan.unchanged.len()));
    for (address, warning) in &plan.warnings {
        text.push_str(&format!("\n> **{address}**: {warning}\n"));
    }
    text
}

fn rows(text: &mut String, step: &Step) {
    let (action, note, changes): (_, &str, Vec<FieldChange>) = match &step.work {
        Work::Create(fields) => {
            let added = fields.iter().map(|(key, field)| FieldChange {
                field: key.to_owned(),
                from: None,
                to: Some(field.clone()),
            });
            ("create", "", added.collect())
        }
        Work::Update(change) => ("change", "", change.fields.clone()),
        Work::Replace { change, reason } => ("**replace**", reason, change.fields.clone()),
        Work::Delete(state) => ("**delete**", state.label.as_deref().unwrap_or_default(), Vec::new()),
        Work::DeleteLeftover(state) => ("delete", state.label.as_deref().unwrap_or_default(), Vec::new()),
        Work::Keep(why) => ("keep", why, Vec::new()),
    };
    text.push_str(&format!("| {action} | `{}` | | | {} |\n", step.address, cell(note)));
    for change in changes {
        text.push_str(&format!("| | | {} | {} | {} |\n", change.field, side(&change.from), side(&change.to)));
    }
}

fn side(field: &Option<Field>) -> String {
    field.as_ref().map_or_else(String::new, |field| format!("`{}`", cell(&shown(field, false))))
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', r"\|").replace('\n', " ").replace('`', "'")
}
