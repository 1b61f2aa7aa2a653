//! What each operation of Secrets Manager needs to be allowed
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html>). The rights to use a
//! key are KMS's, which the sandbox hasn't got.

use super::secret::{Secret, partial_arn};
use crate::sandbox::call::Call;
use crate::sandbox::json_rpc;
use crate::sandbox::permission::Permission;
use crate::sandbox::world::World;

/// What the caller needs.
pub(crate) fn needs(world: &World, operation: &str, call: &Call) -> Vec<Permission> {
    let body = json_rpc::body(call).unwrap_or_default();
    let text = |member: &str| body[member].as_str().unwrap_or_default();
    let id = match operation {
        "ListSecrets" => return vec![Permission::new("secretsmanager:ListSecrets", "*")],
        "CreateSecret" => text("Name"),
        _ => text("SecretId"),
    };
    let arn = world.store.read(|transaction| Secret::lookup(transaction, &call.region, id)).map(|secret| secret.arn);
    let arn = arn.unwrap_or_else(|| of_nothing(&call.region, id));
    let on_it = |action: &str| Permission::new(format!("secretsmanager:{action}"), &arn).shown_as(id);
    let mut needed = vec![on_it(operation)];
    if operation == "CreateSecret" && body["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
        needed.push(on_it("TagResource"));
    }
    needed
}

/// The ARN of a secret that isn't there, whose last characters nobody knows: a policy's `-*` and `-??????` are about it.
fn of_nothing(region: &str, id: &str) -> String {
    if id.starts_with("arn:") { id.to_owned() } else { format!("{}-??????", partial_arn(region, id)) }
}
