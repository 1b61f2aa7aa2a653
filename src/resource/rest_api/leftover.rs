//! What earlier versions and killed runs left behind, each a thing that the engine deletes by itself.

use aws_sdk_apigateway::types;

use crate::engine::{Fields, Output, State};

use super::seen::Keys;

/// A thing of ours that nothing uses any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    pub(super) kind: Kind,
    /// The API that it is in; empty for what is in none.
    pub(super) api: String,
    /// Its id; a stage's name.
    pub(super) id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    Stage,
    UsagePlan,
    ApiKey,
}

const KINDS: [Kind; 4] = [Kind::Deployment, Kind::Stage, Kind::UsagePlan, Kind::ApiKey];

impl Leftover {
    pub(super) fn deployment(api: &str, id: &str) -> Self {
        Self { kind: Kind::Deployment, api: api.to_owned(), id: id.to_owned() }
    }

    pub(super) fn stage(api: &str, name: &str) -> Self {
        Self { kind: Kind::Stage, api: api.to_owned(), id: name.to_owned() }
    }

    /// All usage plans and API keys but the first `used` of each.
    pub(super) fn of_keys(keys: &Keys, used: usize) -> Vec<Self> {
        let plans = keys.plans.iter().skip(used).filter_map(types::UsagePlan::id);
        let others = keys.keys.iter().skip(used).filter_map(types::ApiKey::id);
        let of = |kind, id: &str| Self { kind, api: String::new(), id: id.to_owned() };
        plans.map(|id| of(Kind::UsagePlan, id)).chain(others.map(|id| of(Kind::ApiKey, id))).collect()
    }

    /// As the engine keeps it.
    pub(super) fn state(&self) -> State {
        let kind = self.kind.word();
        let output = Output::new().with("leftover", kind).with("api", self.api.as_str()).with("id", self.id.as_str());
        State { fields: Fields::new(), output, label: Some(format!("{kind} {}", self.id)) }
    }

    /// What the engine kept, where that is a leftover.
    pub(super) fn from_state(state: &State) -> Option<Self> {
        let word = state.output.text("leftover")?;
        let kind = KINDS.into_iter().find(|kind| kind.word() == word)?;
        let text = |key| state.output.text(key).unwrap_or_default().to_owned();
        Some(Self { kind, api: text("api"), id: text("id") })
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Stage => "stage",
            Self::UsagePlan => "usage plan",
            Self::ApiKey => "API key",
        }
    }
}
