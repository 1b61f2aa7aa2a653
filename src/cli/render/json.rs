//! Plans and reports for programs. The form has a version; a field may be added to it, and none changed or removed.

use serde_json::{Value, json};

use super::Head;
use crate::engine::execute::{Report, Verb};
use crate::engine::plan::{Plan, Step, Work};
use crate::engine::{Field, FieldChange};

/// The version of the form.
pub(super) const VERSION: u32 = 1;

/// A plan.
pub(crate) fn plan(plan: &Plan, head: &Head<'_>) -> Value {
    let count = |verb: Verb| plan.steps.iter().filter(|step| step.work.verb() == verb).count();
    json!({
        "version": VERSION,
        "verb": head.verb,
        "pipeline": head.name,
        "environment": head.environment,
        "target": head.target,
        "region": head.region,
        "steps": plan.steps.iter().map(|one| step(one, plan)).collect::<Vec<_>>(),
        "refusals": plan.refusals.iter()
            .map(|refusal| json!({ "address": refusal.address, "reason": refusal.reason }))
            .collect::<Vec<_>>(),
        "warnings": plan.warnings.iter()
            .map(|(address, text)| json!({ "address": address, "text": text }))
            .collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "summary": {
            "create": count(Verb::Create),
            "update": count(Verb::Update),
            "replace": count(Verb::Replace),
            "delete": count(Verb::Delete),
            "keep": count(Verb::Keep),
            "refuse": plan.refusals.len(),
            "unchanged": plan.unchanged.len(),
        },
    })
}

fn step(step: &Step, plan: &Plan) -> Value {
    let mut value = json!({
        "address": step.address,
        "action": step.work.verb().to_string(),
        "after": step.after.iter().map(|&place| &plan.steps[place].address).collect::<Vec<_>>(),
    });
    match &step.work {
        Work::Create(fields) => {
            let added: Vec<Value> = fields.iter().map(|(key, field)| change(key, None, Some(field))).collect();
            value["changes"] = added.into();
        }
        Work::Update(update) => value["changes"] = changes(&update.fields),
        Work::Replace { change, reason } => {
            value["changes"] = changes(&change.fields);
            value["reason"] = reason.as_str().into();
        }
        Work::Delete(state) => value["label"] = state.label.as_deref().into(),
        Work::DeleteLeftover(state) => {
            value["label"] = state.label.as_deref().into();
            value["reason"] = "an earlier version that nothing needs any more".into();
        }
        Work::Keep(why) => value["reason"] = why.as_str().into(),
    }
    value
}

fn changes(changes: &[FieldChange]) -> Value {
    changes.iter().map(|one| change(&one.field, one.from.as_ref(), one.to.as_ref())).collect::<Vec<_>>().into()
}

fn change(field: &str, from: Option<&Field>, to: Option<&Field>) -> Value {
    let mut value = json!({ "field": field, "from": side(from), "to": side(to) });
    if matches!(to, Some(Field::AfterApply)) {
        value["known_after_apply"] = true.into();
    }
    if matches!(from, Some(Field::Secret(_))) || matches!(to, Some(Field::Secret(_))) {
        value["sensitive"] = true.into();
    }
    value
}

fn side(field: Option<&Field>) -> Value {
    match field {
        Some(Field::Known(value)) => value.clone(),
        Some(Field::Secret(_) | Field::AfterApply) | None => Value::Null,
    }
}

/// What an execution did.
pub(super) fn report(plan: &Plan, report: &Report) -> Value {
    let told = |places: &[usize]| -> Vec<Value> {
        places
            .iter()
            .map(|&place| {
                let step = &plan.steps[place];
                json!({ "address": step.address, "action": step.work.verb().to_string() })
            })
            .collect()
    };
    json!({
        "version": VERSION,
        "done": told(&report.done),
        "kept": report.kept.iter()
            .map(|(address, why)| json!({ "address": address, "reason": why }))
            .collect::<Vec<_>>(),
        "failed": report.failed.iter()
            .map(|failure| json!({
                "address": failure.address,
                "action": failure.verb.to_string(),
                "error": super::chain(failure.source.as_ref()),
            }))
            .collect::<Vec<_>>(),
        "skipped": told(&report.skipped),
    })
}
