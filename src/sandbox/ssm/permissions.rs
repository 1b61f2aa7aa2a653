//! What each operation of Systems Manager needs to be allowed
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>): SendCommand
//! needs its right on the document and on each instance, all others know no resources.

use serde_json::Value;

use super::command::DOCUMENT;
use super::instance::{self, Instance};
use super::sending::is_target;
use crate::sandbox::call::Call;
use crate::sandbox::json_rpc;
use crate::sandbox::permission::Permission;
use crate::sandbox::world::{ACCOUNT, World};

/// What the caller needs.
pub(crate) fn needs(world: &World, operation: &str, call: &Call) -> Vec<Permission> {
    let region = &call.region;
    if operation != "SendCommand" {
        return vec![Permission::new(format!("ssm:{operation}"), format!("arn:aws:ssm:{region}:{ACCOUNT}:*"))];
    }
    let body = json_rpc::body(call).unwrap_or_default();
    let name = body["DocumentName"].as_str().unwrap_or_default();
    let document = match name {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        // What AWS has published belongs to nobody's account.
        name if name == DOCUMENT => format!("arn:aws:ssm:{region}::document/{name}"),
        name => format!("arn:aws:ssm:{region}:{ACCOUNT}:document/{name}"),
    };
    let mut needed = vec![Permission::new("ssm:SendCommand", document)];
    let targets = body["Targets"].as_array().map_or(&[][..], Vec::as_slice);
    let known = world.store.read(|transaction| Instance::known(transaction, region));
    for id in body["InstanceIds"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        match known.iter().find(|instance| instance.id == id) {
            Some(instance) => needed.push(on_instance(instance)),
            None => needed.push(Permission::new("ssm:SendCommand", instance::arn(region, id))),
        }
    }
    if !targets.is_empty() {
        needed.extend(known.iter().filter(|instance| is_target(instance, targets)).map(on_instance));
    }
    needed
}

/// The right to send commands to an instance, whose tags policies may speak of.
fn on_instance(instance: &Instance) -> Permission {
    let needed = Permission::new("ssm:SendCommand", instance.arn());
    instance.tags.iter().fold(needed, |needed, (key, value)| {
        needed.given(&format!("ssm:resourceTag/{key}"), value).given(&format!("aws:ResourceTag/{key}"), value)
    })
}
