//! Service-linked roles: made for a service, usable and changeable by that service alone.

use super::entities::{ROLES, Role, SERVICE_LINKED, key};
use super::identifiers::{arn, unique};
use super::refusals::{invalid_input, no_such_entity};
use super::roles::{self, DEFAULT_SESSION};
use super::rules::{DESCRIPTION, LONG_NAME, NAME};
use super::{Answer, Request};
use crate::sandbox::query::{Misfit, Rule, Xml};
use crate::sandbox::world::now;

/// The services of a pipeline that have such roles, and what AWS calls them.
const SERVICES: [(&str, &str); 3] = [
    ("kafka.amazonaws.com", "AWSServiceRoleForKafka"),
    ("kafkaconnect.amazonaws.com", "AWSServiceRoleForKafkaConnect"),
    ("ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway"),
];

const TASK_ID: Rule = Rule { least: 1, longest: 1000, fits: |_| true, misfit: Misfit::Pattern("") };

pub(super) fn create(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let service = reader.required("AWSServiceName", &LONG_NAME);
    let description = reader.optional("Description", &DESCRIPTION);
    let suffix = reader.optional("CustomSuffix", &NAME);
    reader.finish()?;
    let Some((_, name)) = SERVICES.iter().find(|(known, _)| *known == service) else {
        let message =
            format!("Service role name for service {service} cannot be found: it has no service-linked role.");
        return Err(invalid_input(message));
    };
    if suffix.is_some() {
        return Err(invalid_input(format!("Custom suffix is not allowed for {service}")));
    }
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]});
    let path = format!("{SERVICE_LINKED}{service}/");
    let role = Role {
        name: (*name).to_owned(),
        id: unique("AROA"),
        arn: arn("role", &path, name),
        path,
        created: now(),
        description: description.map(str::to_owned),
        max_session: DEFAULT_SESSION,
        trust: trust.to_string(),
        trust_before: None,
        usable_at: roles::usable_at(request),
        boundary: None,
        tags: Vec::new(),
        inline: Default::default(),
        attached: Default::default(),
    };
    request.transact(|transaction| {
        if Role::lookup(transaction, name).is_some() {
            let message =
                format!("Service role name {name} has been taken in this account, please try a different suffix.");
            return Err(invalid_input(message));
        }
        roles::add(request, transaction, role)
    })
}

/// AWS deletes in the background; here it is done when the task's id is answered.
pub(super) fn delete(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| {
        let role = Role::find(transaction, name)?;
        if role.check_modifiable().is_ok() {
            return Err(no_such_entity(format!("The role with name {name} cannot be found.")));
        }
        transaction.delete(ROLES, &key(name));
        let mut xml = Xml::default();
        xml.text("DeletionTaskId", format!("task{}{name}/{}", role.path, role.id));
        Ok(Some(xml))
    })
}

pub(super) fn deletion_status(request: &Request<'_>) -> Answer {
    let task = request.required("DeletionTaskId", &TASK_ID)?;
    if !task.starts_with(&format!("task{SERVICE_LINKED}")) {
        return Err(no_such_entity(format!("Deletion Task Id: {task} cannot be found.")));
    }
    let mut xml = Xml::default();
    xml.text("Status", "SUCCEEDED");
    Ok(Some(xml))
}
