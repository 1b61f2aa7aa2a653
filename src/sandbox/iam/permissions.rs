//! What each operation of IAM needs to be allowed
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>).

use super::entities::{InstanceProfile, Role, User};
use super::identifiers::arn;
use crate::sandbox::call::Call;
use crate::sandbox::permission::Permission;
use crate::sandbox::query::Parameters;
use crate::sandbox::world::World;

/// What the caller needs.
pub(crate) fn needs(world: &World, operation: &str, call: &Call) -> Vec<Permission> {
    let parameters = Parameters::of(call);
    let (resource, shown) = resource(world, &parameters);
    let on_it = |action: String| Permission::new(format!("iam:{action}"), &resource).shown_as(&shown);
    let mut needed = vec![on_it(operation.to_owned())];
    if let Some(kind) = operation.strip_prefix("Create").filter(|_| !parameters.records("Tags").is_empty()) {
        needed.push(on_it(format!("Tag{kind}")));
    }
    if operation == "AddRoleToInstanceProfile" {
        let (role, _) = role(world, parameters.text("RoleName").unwrap_or_default(), "/");
        needed.push(Permission::new("iam:PassRole", role).given("iam:PassedToService", "ec2.amazonaws.com"));
    }
    needed
}

/// What a call is about: its ARN, and how IAM's refusals call it. Where there is nothing of that name yet, it is what
/// the call would make.
fn resource(world: &World, parameters: &Parameters) -> (String, String) {
    let given = |key: &str| parameters.text(key);
    let path = given("Path").unwrap_or("/");
    // Where a call names two, the permission is about the profile.
    if let Some(name) = given("InstanceProfileName") {
        let found = world.store.read(|transaction| InstanceProfile::find(transaction, name).ok());
        let arn = found.map_or_else(|| arn("instance-profile", path, name), |profile| profile.arn);
        return (arn, format!("instance profile {name}"));
    }
    if let Some(name) = given("RoleName") {
        return role(world, name, path);
    }
    if let Some(name) = given("UserName") {
        let found = world.store.read(|transaction| User::lookup(transaction, name));
        return (found.map_or_else(|| arn("user", path, name), |user| user.arn), format!("user {name}"));
    }
    let new_policy = || given("PolicyName").map(|name| arn("policy", path, name));
    if let Some(arn) = given("PolicyArn").map(str::to_owned).or_else(new_policy) {
        let shown = format!("policy {arn}");
        return (arn, shown);
    }
    ("*".to_owned(), "*".to_owned())
}

fn role(world: &World, name: &str, path: &str) -> (String, String) {
    let found = world.store.read(|transaction| Role::lookup(transaction, name));
    (found.map_or_else(|| arn("role", path, name), |role| role.arn), format!("role {name}"))
}
