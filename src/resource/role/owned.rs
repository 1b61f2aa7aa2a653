//! A role that the tool makes.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, Outputs, Owner, Progress, Removal, Resource,
    Result, State,
};
use crate::iam_document::{Document, Malformed, Statement};
use crate::manifest;
use crate::resource::Shared;

use super::instance_profile::{InstanceProfile, ProfileSeen};
use super::least_privilege::{Grants, Permissions};
use super::remote::{RemoteRole, RoleSeen};
use super::trust::TrustPolicy;
use super::{Wanted, address, named, output, settled, show, show_version, want};

const PROFILE: &str = "instance_profile";
/// Why an instance profile of our name is somebody else's.
const FOREIGN_PROFILE: &str = "instance_profile.foreign";
const MANAGED: &str = "managed_policies";

/// See the module.
#[derive(Debug)]
pub(super) struct OwnedRole {
    address: Address,
    needs: Vec<Address>,
    role: RemoteRole,
    profile: InstanceProfile,
    trust: TrustPolicy,
    permissions: Permissions,
    managed: BTreeSet<String>,
}

/// All that IAM has of it.
struct Live {
    role: RoleSeen,
    policy: Option<Document>,
    managed: BTreeSet<String>,
    profile: Option<ProfileSeen>,
}

impl OwnedRole {
    pub(super) fn new(
        context: Shared,
        declared: &manifest::Role,
        grants: Grants,
    ) -> std::result::Result<Self, Malformed> {
        let name = declared.name.clone();
        let connector = grants.connector.as_ref().map(|connector| connector.name.as_str());
        let trust = TrustPolicy::of_owned(&context, &declared.trust, connector);
        let role = RemoteRole { context: context.clone(), name: name.clone() };
        let itself = trust.names_itself().then(|| role.arn());
        let permissions = Permissions::new(&context, grants, itself, &declared.statements)?;
        Ok(Self {
            address: address(&name),
            needs: permissions.cluster().cloned().into_iter().collect(),
            role,
            profile: InstanceProfile { context, name },
            trust,
            permissions,
            managed: declared.managed_policies.iter().cloned().collect(),
        })
    }

    fn trust_document(&self) -> Document {
        Document::new(self.or_nobody(self.trust.statements(&self.role.arn())))
    }

    fn or_nobody(&self, statements: Vec<Statement>) -> Vec<Statement> {
        if statements.is_empty() { vec![self.trust.nobody()] } else { statements }
    }

    fn wanted_trust(&self) -> Vec<Wanted> {
        named(self.trust_document().statements)
    }

    fn wanted_policy(&self, known: &Outputs) -> Vec<Wanted> {
        let arn = self.permissions.cluster().and_then(|cluster| known.text(cluster, "arn"));
        self.permissions.statements(arn)
    }

    /// The inline policy, whose cluster must be known by now.
    fn policy(&self, known: &Outputs) -> Result<Option<Document>> {
        let cluster = self.permissions.cluster();
        let arn = cluster.map(|cluster| known.require(cluster, "arn")).transpose()?;
        self.permissions.document(arn)
    }

    fn state(&self, live: &Live, known: &Outputs) -> State {
        let mut fields = Fields::new();
        show(&mut fields, "trust", live.role.trust.statements.iter(), &self.wanted_trust());
        show_version(&mut fields, "trust", &live.role.trust);
        if let Some(policy) = &live.policy {
            show(&mut fields, "policy", policy.statements.iter(), &self.wanted_policy(known));
            show_version(&mut fields, "policy", policy);
        }
        set_managed(&mut fields, &live.managed);
        if let Some(profile) = &live.profile {
            self.show_profile(&mut fields, profile);
        }
        State { fields, output: output(&live.role.arn, &self.role.name), label: None }
    }

    fn show_profile(&self, fields: &mut Fields, profile: &ProfileSeen) {
        let name = &self.profile.name;
        match &profile.owner {
            Owner::Foreign(why) if self.trust.names_ec2() => fields.set(FOREIGN_PROFILE, shown(why)),
            // Somebody else's profile that happens to have the role's name is nothing to a role without one.
            Owner::Foreign(_) => {}
            Owner::Ours | Owner::Untaggable => {
                let value = match profile.roles.as_slice() {
                    [role] if role == name => name.clone(),
                    [] => format!("{name}, without the role"),
                    others => format!("{name}, with {}", others.join(", ")),
                };
                fields.set(PROFILE, shown(&value));
            }
        }
    }

    async fn look(&self) -> Result<Option<Live>> {
        let (role, policy, managed, profile) =
            tokio::try_join!(self.role.look(), self.role.policy(), self.role.attached(), self.profile.look())?;
        Ok(role.map(|role| Live { role, policy, managed, profile }))
    }

    /// What is there once IAM shows what was written.
    async fn settled(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let desired = self.desired(known);
        let read = || async { Ok(self.look().await?.map(|live| self.state(&live, known))) };
        settled(&desired, progress, read).await
    }

    async fn write_managed(&self, there: &BTreeSet<String>, progress: &Progress) -> Result<()> {
        for policy in self.managed.difference(there) {
            self.role.attach(policy, progress).await?;
        }
        for policy in there.difference(&self.managed) {
            self.role.detach(policy).await?;
        }
        Ok(())
    }

    async fn write_profile(&self, progress: &Progress) -> Result<()> {
        if self.trust.names_ec2() { self.profile.ensure(progress).await } else { self.profile.remove(progress).await }
    }
}

#[async_trait]
impl Resource for OwnedRole {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, known: &Outputs) -> Fields {
        let mut fields = Fields::new();
        want(&mut fields, "trust", self.wanted_trust());
        want(&mut fields, "policy", self.wanted_policy(known));
        set_managed(&mut fields, &self.managed);
        if self.trust.names_ec2() {
            fields.set(PROFILE, shown(&self.profile.name));
        }
        fields
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        match (change.field.as_str(), &change.from) {
            (FOREIGN_PROFILE, Some(Field::Known(why))) => {
                OnChange::Refuse(self.profile.in_the_way(why.as_str().unwrap_or("its tags say so")))
            }
            _ => OnChange::Update,
        }
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        let Some(live) = self.look().await? else { return Ok(Observed::absent()) };
        Ok(Observed::present(self.state(&live, known), live.role.owner))
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        let policy = self.policy(known)?;
        if self.trust.names_ec2() {
            // Better found before the role is made than after.
            self.profile.look_at_ours().await?;
        }
        let first = Document::new(self.or_nobody(self.trust.statements_at_creation()));
        let arn = self.role.create(&first, progress).await?;
        // One after the other: IAM refuses changes of one role at the same time.
        let role = async {
            if let Some(policy) = &policy {
                self.role.write_policy(Some(policy), progress).await?;
            }
            self.write_managed(&BTreeSet::new(), progress).await?;
            if self.trust.names_itself() {
                self.role.write_trust(&self.trust_document(), &arn, progress).await?;
            }
            Ok(())
        };
        let profile = async { if self.trust.names_ec2() { self.profile.ensure(progress).await } else { Ok(()) } };
        tokio::try_join!(role, profile)?;
        self.settled(known, progress).await
    }

    async fn update(&self, change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        let policy = self.policy(known)?;
        let arn = change.current.output.require("arn")?;
        if change.touches("trust") {
            self.role.write_trust(&self.trust_document(), arn, progress).await?;
        }
        if change.touches("policy") {
            self.role.write_policy(policy.as_ref(), progress).await?;
        }
        if change.touches(MANAGED) {
            self.write_managed(&managed_in(&change.current.fields), progress).await?;
        }
        if change.touches(PROFILE) {
            self.write_profile(progress).await?;
        }
        self.settled(known, progress).await
    }

    async fn delete(&self, _state: &State, progress: &Progress) -> Result<Removal> {
        let (profiles, policies, managed) =
            tokio::try_join!(self.role.instance_profiles(), self.role.policies(), self.role.attached())?;
        let ours = matches!(self.profile.look().await?, Some(ProfileSeen { owner: Owner::Ours, .. }));
        if let Some(other) = profiles.iter().find(|profile| !(ours && **profile == self.profile.name)) {
            let role = &self.role.name;
            return Err(format!(
                "the instance profile {other}, which is not this pipeline's, holds the role; remove it from there \
                 (aws iam remove-role-from-instance-profile --instance-profile-name {other} --role-name {role}), then \
                 destroy again"
            )
            .into());
        }
        self.profile.remove(progress).await?;
        for policy in &policies {
            self.role.delete_policy(policy).await?;
        }
        for policy in &managed {
            self.role.detach(policy).await?;
        }
        self.role.delete(progress).await?;
        Ok(Removal::Gone)
    }
}

fn shown(text: &str) -> Field {
    Field::Known(text.into())
}

fn set_managed(fields: &mut Fields, policies: &BTreeSet<String>) {
    if !policies.is_empty() {
        fields.set(MANAGED, Field::Known(policies.iter().map(String::as_str).collect()));
    }
}

fn managed_in(fields: &Fields) -> BTreeSet<String> {
    match fields.get(MANAGED) {
        Some(Field::Known(list)) => {
            list.as_array().into_iter().flatten().filter_map(|policy| policy.as_str().map(str::to_owned)).collect()
        }
        _ => BTreeSet::new(),
    }
}
