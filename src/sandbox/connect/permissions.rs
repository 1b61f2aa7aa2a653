//! What each operation of MSK Connect needs to be allowed
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_kafkaconnect.html>).

use serde_json::Value;

use super::creation::SERVICE;
use crate::sandbox::call::{Call, PathValues};
use crate::sandbox::permission::Permission;
use crate::sandbox::rest_json::has_tags;
use crate::sandbox::world::ACCOUNT;

/// What the caller needs.
pub(crate) fn needs(operation: &str, path: &PathValues, call: &Call) -> Vec<Permission> {
    // At most one ARN is in a path; an operation without one is about no resource.
    let resource = path.first().map_or("*", |(_, arn)| arn.as_str());
    let mut needed = vec![Permission::new(format!("kafkaconnect:{operation}"), resource)];
    let body = call.json().unwrap_or_default();
    match operation {
        "CreateConnector" => {
            needed.extend(tagging(call, &body, "connector", "connectorName"));
            let role = body["serviceExecutionRoleArn"].as_str().unwrap_or_default();
            needed.push(Permission::new("iam:PassRole", role).given("iam:PassedToService", SERVICE));
        }
        "CreateWorkerConfiguration" => needed.extend(tagging(call, &body, "worker-configuration", "name")),
        "CreateCustomPlugin" => {
            needed.extend(tagging(call, &body, "custom-plugin", "name"));
            // MSK Connect copies the file with the caller's rights.
            let place = &body["location"]["s3Location"];
            let text = |member: &str| place[member].as_str().unwrap_or_default().to_owned();
            needed.push(Permission::new("s3:GetObject", format!("{}/{}", text("bucketArn"), text("fileKey"))));
        }
        "DescribeConnectorOperation" => {
            needed.push(Permission::new("kafkaconnect:DescribeConnector", super::arn::of_connector(resource)));
        }
        _ => {}
    }
    needed
}

/// The right to tag what is made, where it comes with tags. Its ARN isn't known yet.
fn tagging(call: &Call, body: &Value, kind: &str, name: &str) -> Option<Permission> {
    let name = body[name].as_str().unwrap_or_default();
    let arn = format!("arn:aws:kafkaconnect:{}:{ACCOUNT}:{kind}/{name}/*", call.region);
    has_tags(body).then(|| Permission::new("kafkaconnect:TagResource", arn))
}
