//! What must exist and is never made: a cluster, an instance, an archive in S3. Where it can't be used, that is no failure
//! to read it: the plan refuses it beside all else that is wrong, and a destroy goes on without it.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, OnDestroy, Output, Outputs, Owner, Progress,
    Removal, Resource, Result, State,
};

/// The output, and the field, that tell why a thing can't be used; absent where it can.
pub(super) const UNUSABLE: &str = "unusable";

/// A thing that is found and looked at, and neither made, changed nor deleted.
#[async_trait]
pub(super) trait Found: Debug + Send + Sync {
    /// Its address.
    fn at(&self) -> &Address;

    /// What must be looked at before it.
    fn after(&self) -> &[Address] {
        &[]
    }

    /// What to do where it isn't there.
    fn missing(&self) -> String;

    /// What is there; see [`seen`].
    async fn look(&self, known: &Outputs) -> Result<Observed>;
}

/// What is there, and why it can't be used.
pub(super) fn seen(unusable: Option<String>, mut output: Output) -> Observed {
    let mut fields = Fields::new();
    if let Some(why) = unusable {
        output = output.with(UNUSABLE, why.as_str());
        fields = fields.with(UNUSABLE, why);
    }
    Observed::present(State { fields, output, label: None }, Owner::Ours)
}

fn never(found: &impl Found) -> String {
    format!("{} is not the tool's to make, change or delete; plan again", found.at())
}

#[async_trait]
impl<T: Found> Resource for T {
    fn address(&self) -> &Address {
        self.at()
    }

    fn needs(&self) -> &[Address] {
        self.after()
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        Fields::new()
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        OnChange::Refuse(match &change.from {
            Some(Field::Known(why)) if change.field == UNUSABLE => {
                why.as_str().map_or_else(|| never(self), str::to_owned)
            }
            _ => never(self),
        })
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        OnDestroy::Ignore
    }

    fn must_exist(&self) -> Option<String> {
        Some(self.missing())
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        self.look(known).await
    }

    async fn create(&self, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Err(never(self).into())
    }

    async fn update(&self, _change: &Change, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Err(never(self).into())
    }

    async fn delete(&self, _state: &State, _progress: &Progress) -> Result<Removal> {
        Ok(Removal::Kept(never(self)))
    }
}
