//! What IAM remembers: roles, users, instance profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::{Deserialize, Serialize};

use super::identifiers;
use super::refusals::{no_such_entity, unmodifiable};
use super::tags::Tag;
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis};

/// The table of roles.
pub(super) const ROLES: &str = "iam/roles";
/// The table of users.
pub(super) const USERS: &str = "iam/users";
/// The table of instance profiles.
pub(super) const INSTANCE_PROFILES: &str = "iam/instance-profiles";

/// Where AWS keeps the roles that only its services may use and change.
pub(super) const SERVICE_LINKED: &str = "/aws-service-role/";

/// Names that differ only in case are one name, although they are looked up as they were written.
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Millis,
    pub(super) description: Option<String>,
    /// In seconds.
    pub(super) max_session: u32,
    /// The trust policy, with unique ids in the places of this account's users and roles.
    pub(super) trust: String,
    /// The trust policy that still counts until `usable_at`; none where the role is new.
    pub(super) trust_before: Option<String>,
    /// When services and STS have heard of the role, or of its changed trust policy.
    pub(super) usable_at: Millis,
    /// The ARN of the permissions boundary.
    pub(super) boundary: Option<String>,
    pub(super) tags: Vec<Tag>,
    /// Inline policies: name to document.
    pub(super) inline: BTreeMap<String, String>,
    /// The ARNs of attached managed policies.
    pub(super) attached: BTreeSet<String>,
}

impl Role {
    /// The role of that name, where it exists.
    pub(super) fn lookup(transaction: &Transaction<'_>, name: &str) -> Option<Self> {
        transaction.get(ROLES, &key(name)).filter(|role: &Self| role.name == name)
    }

    /// The role of that name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub(super) fn find(transaction: &Transaction<'_>, name: &str) -> Result<Self, Refusal> {
        Self::lookup(transaction, name)
            .ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
    }

    /// The role of that ARN, where it exists.
    pub(super) fn by_arn(transaction: &Transaction<'_>, arn: &str) -> Option<Self> {
        Self::lookup(transaction, identifiers::name_of(arn)).filter(|role| role.arn == arn)
    }

    /// Refuses the roles that belong to AWS's services.
    ///
    /// # Errors
    /// `UnmodifiableEntity`.
    pub(super) fn check_modifiable(&self) -> Result<(), Refusal> {
        if self.path.starts_with(SERVICE_LINKED) { Err(unmodifiable(&self.name)) } else { Ok(()) }
    }

    /// Writes it back.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(super) fn save(&self, transaction: &mut Transaction<'_>) -> io::Result<()> {
        transaction.put(ROLES, &key(&self.name), self)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Millis,
    pub(super) tags: Vec<Tag>,
}

/// The name of the user that the sandbox's fixed credentials belong to.
pub(super) const SANDBOX_USER: &str = "sandbox";
/// That user's unique id.
pub(super) const SANDBOX_USER_ID: &str = "AIDAPIPELINESANDBOX00";

impl User {
    /// The user of the fixed credentials, who exists in every sandbox.
    pub(super) fn sandbox() -> Self {
        Self {
            name: SANDBOX_USER.to_owned(),
            path: "/".to_owned(),
            id: SANDBOX_USER_ID.to_owned(),
            arn: identifiers::arn("user", "/", SANDBOX_USER),
            created: 0,
            tags: Vec::new(),
        }
    }

    /// The user of that name, where it exists.
    pub(super) fn lookup(transaction: &Transaction<'_>, name: &str) -> Option<Self> {
        if name == SANDBOX_USER {
            return Some(Self::sandbox());
        }
        transaction.get(USERS, &key(name)).filter(|user: &Self| user.name == name)
    }

    /// All users, ordered by name.
    pub(super) fn all(transaction: &Transaction<'_>) -> Vec<(String, Self)> {
        let mut users = transaction.list(USERS);
        users.push((SANDBOX_USER.to_owned(), Self::sandbox()));
        users.sort_by(|(left, _), (right, _)| left.cmp(right));
        users
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct InstanceProfile {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Millis,
    /// The name of its role.
    pub(super) role: Option<String>,
    pub(super) tags: Vec<Tag>,
}

impl InstanceProfile {
    /// The instance profile of that name.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub(super) fn find(transaction: &Transaction<'_>, name: &str) -> Result<Self, Refusal> {
        let found = transaction.get(INSTANCE_PROFILES, &key(name)).filter(|profile: &Self| profile.name == name);
        found.ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))
    }

    /// All instance profiles that hold a role, ordered by name.
    pub(super) fn of_role(transaction: &Transaction<'_>, role: &str) -> Vec<(String, Self)> {
        let mut profiles = transaction.list(INSTANCE_PROFILES);
        profiles.retain(|(_, profile): &(String, Self)| profile.role.as_deref() == Some(role));
        profiles
    }

    /// Writes it back.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(super) fn save(&self, transaction: &mut Transaction<'_>) -> io::Result<()> {
        transaction.put(INSTANCE_PROFILES, &key(&self.name), self)
    }
}

/// The account, as trust policies name it.
pub(super) fn account_root() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}
