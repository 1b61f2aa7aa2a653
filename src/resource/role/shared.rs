//! A role that exists without the tool, and in which only our trust statements are ours.

use async_trait::async_trait;

use crate::aws::Failure;
use crate::engine::{
    Address, Change, FieldChange, Fields, Observed, OnChange, OnDestroy, Outputs, Owner, Progress, Removal, Resource,
    Result, State,
};
use crate::iam_document::{Document, Statement};
use crate::manifest;
use crate::resource::Shared;

use super::least_privilege::Grants;
use super::remote::{RemoteRole, RoleSeen, is_malformed};
use super::trust::TrustPolicy;
use super::{Wanted, address, named, output, settled, show, want};

/// See the module.
#[derive(Debug)]
pub(super) struct SharedRole {
    address: Address,
    role: RemoteRole,
    trust: TrustPolicy,
}

impl SharedRole {
    pub(super) fn new(context: Shared, declared: &manifest::Role, grants: &Grants) -> Self {
        let connector = grants.connector.as_ref().map(|connector| connector.name.as_str());
        Self {
            address: address(&declared.name),
            trust: TrustPolicy::of_shared(&context, &declared.trust, connector),
            role: RemoteRole { context, name: declared.name.clone() },
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        named(self.trust.statements(&self.role.arn()))
    }

    fn missing(&self) -> String {
        let name = &self.role.name;
        format!("the role {name} must exist, as it is declared with create: false; make it, or declare create: true")
    }

    fn state(&self, seen: &RoleSeen) -> State {
        // A role that somebody else made may have a path, which its name does not tell. Its plan tells it without.
        let (with_path, without) = (&seen.arn, self.role.arn());
        let pathless = |principal: &str| if principal == with_path { without.clone() } else { principal.to_owned() };
        let ours: Vec<Statement> = seen
            .trust
            .statements
            .iter()
            .filter(|statement| self.trust.is_ours(statement))
            .cloned()
            .map(|statement| match self.trust.is_self(&statement) {
                true => statement.respell_principals(pathless),
                false => statement,
            })
            .collect();
        let mut fields = Fields::new();
        show(&mut fields, "trust", ours.iter(), &self.wanted());
        let label = Some("only this pipeline's trust statements".to_owned());
        State { fields, output: output(&seen.arn, &self.role.name), label }
    }

    /// Puts these statements in place of ours, and leaves all others. Reads the policy anew: others write it too.
    async fn replace_ours(&self, ours: Vec<Statement>, seen: RoleSeen, progress: &Progress) -> Result<()> {
        let mut trust = seen.trust;
        trust.statements.retain(|statement| !self.trust.is_ours(statement));
        let orphaned = orphaned(&trust);
        trust.statements.extend(ours);
        let outcome = self.role.write_trust(&trust, &seen.arn, progress).await;
        outcome.map_err(|cause| match (cause.downcast_ref::<Failure>(), orphaned) {
            (Some(failure), Some(orphaned)) if is_malformed(failure) => format!("{failure}; {orphaned}").into(),
            _ => cause,
        })
    }

    async fn look(&self) -> Result<RoleSeen> {
        self.role.look().await?.ok_or_else(|| self.missing().into())
    }
}

/// What to do about statements of others that IAM would not have written again.
fn orphaned(trust: &Document) -> Option<String> {
    let (statement, principal) = trust
        .statements
        .iter()
        .find_map(|statement| statement.deleted_principals().next().map(|principal| (statement, principal)))?;
    let name = statement.sid.as_deref().unwrap_or("without a Sid");
    Some(format!(
        "the statement {name}, which is not ours, trusts {principal}, a user or role that was deleted, and IAM does \
         not take that again: remove it from the role's trust policy, then try again"
    ))
}

#[async_trait]
impl Resource for SharedRole {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &[]
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        let mut fields = Fields::new();
        want(&mut fields, "trust", self.wanted());
        fields
    }

    fn on_change(&self, _change: &FieldChange) -> OnChange {
        OnChange::Update
    }

    fn on_destroy(&self, state: &State) -> OnDestroy {
        if state.fields.iter().next().is_some() { OnDestroy::Delete } else { OnDestroy::Ignore }
    }

    fn must_exist(&self) -> Option<String> {
        Some(self.missing())
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let Some(seen) = self.role.look().await? else { return Ok(Observed::absent()) };
        Ok(Observed::present(self.state(&seen), Owner::Ours))
    }

    async fn create(&self, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Err(self.missing().into())
    }

    async fn update(&self, _change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let seen = self.look().await?;
        self.replace_ours(self.trust.statements(&seen.arn), seen, progress).await?;
        let desired = self.desired(known);
        let read = || async { Ok(self.state(&self.look().await?)) };
        settled(&desired, progress, read).await
    }

    async fn delete(&self, _state: &State, progress: &Progress) -> Result<Removal> {
        let Some(seen) = self.role.look().await? else { return Ok(Removal::Gone) };
        let others = seen.trust.statements.iter().filter(|statement| !self.trust.is_ours(statement)).count();
        if others == seen.trust.statements.len() {
            return Ok(Removal::Gone);
        }
        if others == 0 {
            return Ok(Removal::Kept(
                "our statements are all that its trust policy has, and a trust policy can't be empty; delete the role, \
                 or write another trust policy"
                    .to_owned(),
            ));
        }
        self.replace_ours(Vec::new(), seen, progress).await?;
        Ok(Removal::Gone)
    }
}
