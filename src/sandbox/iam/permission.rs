//! Whether who calls may call IAM: the owner may everything, the session of a role what the role's policies allow.

use super::entities::{InstanceProfile, Role, User};
use super::identifiers::arn;
use super::{Request, authorize};
use crate::sandbox::call::Refusal;

/// Holds a call against the policies of who calls.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn check(request: &Request<'_>) -> Result<(), Refusal> {
    let (caller, operation) = (request.caller, request.operation);
    let (resource, shown) = resource(request);
    if authorize(request.world, caller, &format!("iam:{operation}"), &resource) {
        return Ok(());
    }
    let message = format!(
        "User: {caller} is not authorized to perform: iam:{operation} on resource: {shown} \
         because no identity-based policy allows the iam:{operation} action"
    );
    Err(Refusal::new(403, "AccessDenied", message))
}

/// What a call is about: its ARN, and how IAM's refusals call it. Where there is nothing of that name yet, it is what
/// the call would make.
fn resource(request: &Request<'_>) -> (String, String) {
    let given = |key: &str| request.parameters.text(key);
    let path = given("Path").unwrap_or("/");
    let store = &request.world.store;
    // Where a call names two, the permission is about the profile.
    if let Some(name) = given("InstanceProfileName") {
        let found = store.read(|transaction| InstanceProfile::find(transaction, name).ok());
        let arn = found.map_or_else(|| arn("instance-profile", path, name), |profile| profile.arn);
        return (arn, format!("instance profile {name}"));
    }
    if let Some(name) = given("RoleName") {
        let found = store.read(|transaction| Role::lookup(transaction, name));
        return (found.map_or_else(|| arn("role", path, name), |role| role.arn), format!("role {name}"));
    }
    if let Some(name) = given("UserName") {
        let found = store.read(|transaction| User::lookup(transaction, name));
        return (found.map_or_else(|| arn("user", path, name), |user| user.arn), format!("user {name}"));
    }
    let new_policy = || given("PolicyName").map(|name| arn("policy", path, name));
    if let Some(arn) = given("PolicyArn").map(str::to_owned).or_else(new_policy) {
        let shown = format!("policy {arn}");
        return (arn, shown);
    }
    ("*".to_owned(), "*".to_owned())
}
