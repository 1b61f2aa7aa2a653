//! Plans, reports and outputs for people.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{BOLD, DIM, GREEN, Head, RED, YELLOW};
use crate::engine::execute::{Report, Verb};
use crate::engine::plan::{Plan, Step, Work};
use crate::engine::{Field, FieldChange, Fields};
use crate::shell;

/// How long a value may be before it is cut, unless all is asked for.
const LONGEST: usize = 100;

/// A plan, as `plan` shows it and `apply` before it begins.
pub(super) fn plan(plan: &Plan, head: &Head<'_>, verbose: bool) -> String {
    let Head { name, environment, target, region, .. } = head;
    let mut text = format!("{BOLD}{name}{BOLD:#} ({environment}) on {target}, {region}\n");
    for step in &plan.steps {
        write_step(&mut text, step, verbose);
    }
    for refusal in &plan.refusals {
        push(&mut text, format_args!("  {RED}!{RED:#} {refusal}\n"));
    }
    if verbose {
        for address in &plan.unchanged {
            push(&mut text, format_args!("    {DIM}{address}{DIM:#}\n"));
        }
    }
    for (address, warning) in &plan.warnings {
        push(&mut text, format_args!("  {YELLOW}warning{YELLOW:#}: {address}: {warning}\n"));
    }
    text.push_str(&summary(plan, head));
    text
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(what);
}

fn write_step(text: &mut String, step: &Step, verbose: bool) {
    let address = &step.address;
    match &step.work {
        Work::Create(fields) => {
            push(text, format_args!("  {GREEN}+{GREEN:#} {address}\n"));
            write_fields(text, fields, verbose);
        }
        Work::Update(change) => {
            push(text, format_args!("  {YELLOW}~{YELLOW:#} {address}\n"));
            write_changes(text, &change.fields, verbose);
        }
        Work::Replace { change, reason } => {
            push(text, format_args!("  {RED}-{RED:#}{GREEN}+{GREEN:#} {address}: deleted and made again: {reason}\n"));
            write_changes(text, &change.fields, verbose);
        }
        Work::Delete(state) => {
            push(text, format_args!("  {RED}-{RED:#} {address}{}\n", label(state.label.as_deref())));
        }
        Work::DeleteLeftover(state) => {
            let label = state.label.as_deref().unwrap_or("an earlier version");
            push(text, format_args!("  {RED}-{RED:#} {address}: {label}, an earlier version\n"));
        }
        Work::Keep(why) => push(text, format_args!("    {DIM}{address}: kept: {why}{DIM:#}\n")),
    }
}

/// A word that tells a thing apart, after its address.
pub(super) fn label(label: Option<&str>) -> String {
    label.map_or_else(String::new, |label| format!(" ({label})"))
}

fn write_fields(text: &mut String, fields: &Fields, verbose: bool) {
    let width = fields.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    for (key, field) in fields.iter() {
        push(text, format_args!("      {key:width$}  {}\n", shown(field, verbose)));
    }
}

fn write_changes(text: &mut String, changes: &[FieldChange], verbose: bool) {
    let width = changes.iter().map(|change| change.field.len()).max().unwrap_or_default();
    for change in changes {
        let side = |field: &Option<Field>| field.as_ref().map_or_else(|| "(none)".to_owned(), |f| shown(f, verbose));
        push(text, format_args!("      {:width$}  {} -> {}\n", change.field, side(&change.from), side(&change.to)));
    }
}

/// A field's value in one line.
pub(super) fn shown(field: &Field, verbose: bool) -> String {
    match field {
        Field::Known(Value::String(value)) if value.is_empty() => "\"\"".to_owned(),
        Field::Known(value) => shorten(bare(value), verbose),
        Field::Secret(_) => "(sensitive)".to_owned(),
        Field::AfterApply => "(known after apply)".to_owned(),
    }
}

fn shorten(value: String, verbose: bool) -> String {
    if verbose || value.chars().count() <= LONGEST {
        return value;
    }
    let cut: String = value.chars().take(LONGEST).collect();
    format!("{cut}…")
}

/// A value as it would be typed.
pub(super) fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().map(bare).collect::<Vec<_>>().join(",")
        }
        value => value.to_string(),
    }
}

fn summary(plan: &Plan, head: &Head<'_>) -> String {
    let count = |verb: Verb| plan.steps.iter().filter(|step| step.work.verb() == verb).count();
    let (unchanged, refused) = (plan.unchanged.len(), plan.refusals.len());
    if plan.is_empty() {
        return match head.verb {
            "destroy" => "Nothing to destroy.\n".to_owned(),
            _ => format!("No changes: {unchanged} resources are as declared.\n"),
        };
    }
    let mut parts = Vec::new();
    for (verb, word) in
        [(Verb::Create, "create"), (Verb::Update, "change"), (Verb::Replace, "replace"), (Verb::Delete, "delete")]
    {
        if count(verb) > 0 {
            parts.push(format!("{} to {word}", count(verb)));
        }
    }
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    if head.verb == "destroy" {
        if count(Verb::Keep) > 0 {
            parts.push(format!("{} kept", count(Verb::Keep)));
        }
    } else {
        parts.push(format!("{unchanged} unchanged"));
    }
    format!("Plan: {}.\n", parts.join(", "))
}

/// How it ended, in a few lines.
pub(super) fn report(plan: &Plan, report: &Report) -> String {
    let changed = report.done.iter().filter(|&&place| plan.steps[place].work.verb() != Verb::Keep).count()
        - kept_late(plan, report);
    let mut text = String::new();
    for (address, why) in &report.kept {
        push(&mut text, format_args!("kept {address}: {why}\n"));
    }
    if plan.changes().next().is_none() {
        return text;
    }
    push(&mut text, format_args!("Done: {changed} of {} steps", plan.changes().count()));
    if !report.failed.is_empty() {
        push(&mut text, format_args!(", {RED}{} failed{RED:#}", report.failed.len()));
    }
    if !report.skipped.is_empty() {
        push(&mut text, format_args!(", {} not begun", report.skipped.len()));
    }
    text.push_str(".\n");
    text
}

/// How many things were to be deleted, and had to be kept.
fn kept_late(plan: &Plan, report: &Report) -> usize {
    let planned = plan.steps.iter().filter(|step| step.work.verb() == Verb::Keep).count();
    report.kept.len().saturating_sub(planned)
}

/// An output in lines: a list has one for each, all but the first after an indent.
pub(super) fn lines(value: &Value, indent: &str) -> String {
    let values = match value {
        Value::Array(values) if !values.is_empty() => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    values.iter().map(bare).collect::<Vec<_>>().join(&format!("\n{indent}")) + "\n"
}

/// Outputs, one a line, and lists with one value a line.
pub(super) fn outputs(outputs: &Map<String, Value>) -> String {
    let width = outputs.keys().map(String::len).max().unwrap_or_default();
    let indent = " ".repeat(width + 2);
    outputs.iter().map(|(name, value)| format!("{name:width$}  {}", lines(value, &indent))).collect()
}

/// Outputs as a shell reads them.
pub(super) fn environment(outputs: &Map<String, Value>) -> String {
    outputs.iter().map(|(name, value)| format!("{}={}\n", name.to_uppercase(), quoted(&bare(value)))).collect()
}

/// In single quotes, where a shell would read the text as something else.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    shell::quoted(text)
}
