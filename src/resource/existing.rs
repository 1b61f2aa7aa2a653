//! What must exist and is never made: a cluster, an instance. Where it can't be used, that is no failure to read it: the
//! plan refuses it beside all else that is wrong, and a destroy goes on without it.

use crate::engine::{Field, FieldChange, Fields, Observed, OnChange, Output, Owner, State};

/// The output, and the field, that tell why a thing can't be used; absent where it can.
pub(super) const UNUSABLE: &str = "unusable";

/// What is there, and why it can't be used.
pub(super) fn seen(unusable: Option<String>, mut output: Output) -> Observed {
    let mut fields = Fields::new();
    if let Some(why) = unusable {
        output = output.with(UNUSABLE, why.as_str());
        fields = fields.with(UNUSABLE, why);
    }
    Observed::present(State { fields, output, label: None }, Owner::Ours)
}

/// What a changed field of such a thing asks for.
pub(super) fn on_change(change: &FieldChange) -> OnChange {
    let why = match &change.from {
        Some(Field::Known(why)) if change.field == UNUSABLE => why.as_str(),
        _ => None,
    };
    OnChange::Refuse(why.unwrap_or("it is never changed").to_owned())
}
