//! IAM: roles, policies, instance profiles and users, and what they allow.

mod access;
mod aws_managed;
mod conditions;
mod context;
mod documents;
mod entities;
mod evaluation;
mod identifiers;
mod instance_profiles;
mod page;
mod permissions;
mod policies;
mod policy_versions;
mod principals;
mod refusals;
mod resource_names;
mod role_policies;
mod roles;
mod rules;
mod service_linked;
mod service_principals;
mod tags;
mod users;
mod wildcard;

pub(crate) use access::{Assumption, Denial, Grants, denial, first_denied, is_owner, role_allows, service_may_assume};
pub(super) use access::{caller_may_assume, role_limits, user_id};
pub(crate) use context::Context;
pub(super) use identifiers::{access_key_id, secret, timestamp};
pub(super) use permissions::needs;
pub(super) use tags::given as given_tags;

use super::call::{Call, PathValues, Refusal, Reply};
use super::query::{self, Parameters, Rule, Xml};
use super::store::Transaction;
use super::world::World;

const VERSION: &str = "2010-05-08";
const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// One call of one operation.
struct Request<'a> {
    world: &'a World,
    operation: &'a str,
    parameters: Parameters,
    /// The ARN of who calls.
    caller: &'a str,
}

/// What an operation answers: the inside of its result element, where its model has one.
type Answer = Result<Option<Xml>, Refusal>;

impl Request<'_> {
    /// A parameter that must be there, in an operation where it is the only one with a rule.
    fn required(&self, key: &str, rule: &Rule) -> Result<&str, Refusal> {
        let mut reader = self.parameters.reader();
        let value = reader.required(key, rule);
        reader.finish()?;
        Ok(value)
    }

    fn transact<R>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<R, Refusal>) -> Result<R, Refusal> {
        self.world.store.transact(work)
    }
}

type Handler = fn(&Request<'_>) -> Answer;

const OPERATIONS: &[(&str, Handler)] = &[
    ("AddRoleToInstanceProfile", instance_profiles::add_role),
    ("AttachRolePolicy", role_policies::attach),
    ("CreateInstanceProfile", instance_profiles::create),
    ("CreatePolicy", policies::create),
    ("CreatePolicyVersion", policy_versions::create),
    ("CreateRole", roles::create),
    ("CreateServiceLinkedRole", service_linked::create),
    ("CreateUser", users::create),
    ("DeleteInstanceProfile", instance_profiles::delete),
    ("DeletePolicy", policies::delete),
    ("DeletePolicyVersion", policy_versions::delete),
    ("DeleteRole", roles::delete),
    ("DeleteRolePermissionsBoundary", roles::delete_boundary),
    ("DeleteRolePolicy", role_policies::delete),
    ("DeleteServiceLinkedRole", service_linked::delete),
    ("DeleteUser", users::delete),
    ("DetachRolePolicy", role_policies::detach),
    ("GetInstanceProfile", instance_profiles::get),
    ("GetPolicy", policies::get),
    ("GetPolicyVersion", policy_versions::get),
    ("GetRole", roles::get),
    ("GetRolePolicy", role_policies::get),
    ("GetServiceLinkedRoleDeletionStatus", service_linked::deletion_status),
    ("GetUser", users::get),
    ("ListAttachedRolePolicies", role_policies::list_attached),
    ("ListEntitiesForPolicy", policies::list_entities),
    ("ListInstanceProfileTags", instance_profiles::list_tags),
    ("ListInstanceProfiles", instance_profiles::list),
    ("ListInstanceProfilesForRole", instance_profiles::list_for_role),
    ("ListPolicies", policies::list),
    ("ListPolicyTags", policies::list_tags),
    ("ListPolicyVersions", policy_versions::list),
    ("ListRolePolicies", role_policies::list),
    ("ListRoleTags", roles::list_tags),
    ("ListRoles", roles::list),
    ("ListUsers", users::list),
    ("PutRolePermissionsBoundary", roles::put_boundary),
    ("PutRolePolicy", role_policies::put),
    ("RemoveRoleFromInstanceProfile", instance_profiles::remove_role),
    ("SetDefaultPolicyVersion", policy_versions::set_default),
    ("TagInstanceProfile", instance_profiles::tag),
    ("TagPolicy", policies::tag),
    ("TagRole", roles::tag),
    ("UntagInstanceProfile", instance_profiles::untag),
    ("UntagPolicy", policies::untag),
    ("UntagRole", roles::untag),
    ("UpdateAssumeRolePolicy", roles::update_trust),
    ("UpdateRole", roles::update),
    ("UpdateRoleDescription", roles::update_description),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    OPERATIONS.iter().map(|(name, _)| *name).collect()
}

/// The operation of a call, where it is one of IAM's.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    query::operation(OPERATIONS, call, VERSION)
}

/// Answers a call.
///
/// # Errors
/// What IAM refuses, with its code.
pub(crate) async fn handle(world: &World, operation: &str, _path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let handler = query::handler(OPERATIONS, operation, VERSION)?;
    let request = Request { world, operation, parameters: Parameters::of(call), caller: &call.caller };
    handler(&request).map(|result| query::reply(operation, NAMESPACE, result))
}
