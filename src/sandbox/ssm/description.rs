//! DescribeInstanceInformation: what agents tell of their machines.

use serde_json::{Map, Value, json};

use super::instance::{Instance, is_id};
use super::refusals::{invalid, invalid_token, refusal};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::{Request, seconds};
use crate::sandbox::pages;
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, optional, required};
use crate::sandbox::world::now;

const VALUES: Shape = Shape::List(&Shape::Text { min: 1, max: usize::MAX });
const DESCRIBE: &[Member] = &[
    optional("MaxResults", Shape::Whole { min: 5, max: 50 }),
    optional("NextToken", TEXT),
    optional("Filters", Shape::List(&Shape::Object(&[required("Key", TEXT), required("Values", VALUES)]))),
    optional(
        "InstanceInformationFilterList",
        Shape::List(&Shape::Object(&[required("key", TEXT), required("valueSet", VALUES)])),
    ),
];

const PAGE_SIZE: i64 = 10;
/// A version of the agent as of 2024.
const AGENT: &str = "3.2.2303.0";

pub(super) fn describe(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(DESCRIBE)?;
    let (new, old) = (request.list("Filters"), request.list("InstanceInformationFilterList"));
    if !new.is_empty() && !old.is_empty() {
        return Err(invalid("Filters and InstanceInformationFilterList can't be used together."));
    }
    let new = new.iter().map(|filter| (&filter["Key"], &filter["Values"]));
    let old = old.iter().map(|filter| (&filter["key"], &filter["valueSet"]));
    let filters = new.chain(old).map(|(key, values)| Filter::of(key, values)).collect::<Result<Vec<_>, _>>()?;
    let list = format!("DescribeInstanceInformation {} {filters:?}", request.region);
    let after = request.text("NextToken").map(|token| pages::after_of(token, &list).ok_or_else(invalid_token));
    let after = after.transpose()?;
    let known = request.world.store.read(|transaction| Instance::known(transaction, request.region));
    let found = known
        .into_iter()
        .filter(|instance| filters.iter().all(|filter| filter.holds(instance)))
        .map(|instance| (instance.id.clone(), told(&instance)));
    let size = request.number("MaxResults").unwrap_or(PAGE_SIZE) as usize;
    let (page, last) = pages::cut(found, after.as_deref(), size);
    let mut reply = Map::from_iter([("InstanceInformationList".to_owned(), Value::Array(page))]);
    if let Some(last) = last {
        reply.insert("NextToken".to_owned(), pages::token_after(&list, &last).into());
    }
    Ok(Value::Object(reply))
}

fn told(instance: &Instance) -> Value {
    json!({
        "InstanceId": instance.id,
        "PingStatus": instance.ping.name(),
        "LastPingDateTime": seconds(instance.lost.unwrap_or_else(now)),
        "AgentVersion": AGENT,
        "IsLatestVersion": true,
        "PlatformType": "Linux",
        "PlatformName": instance.os.name(),
        "PlatformVersion": instance.os.release().1,
        "IamRole": instance.role,
        "RegistrationDate": seconds(instance.registered),
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_address().to_string(),
        "ComputerName": instance.private_name(),
        "SourceId": instance.id,
        "SourceType": "AWS::EC2::Instance",
    })
}

/// A condition on instances: any of its values.
#[derive(Debug)]
struct Filter<'a> {
    key: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(key: &'a Value, values: &'a Value) -> Result<Self, Refusal> {
        let key = key.as_str().unwrap_or_default();
        let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let may = |value: &&str| match key {
            "InstanceIds" => is_id(value),
            "PingStatus" => ["Online", "ConnectionLost", "Inactive"].contains(value),
            "PlatformTypes" => ["Windows", "Linux", "MacOS"].contains(value),
            "ResourceType" => ["EC2Instance", "ManagedInstance"].contains(value),
            _ => true,
        };
        let is_key = matches!(
            key,
            "InstanceIds"
                | "PingStatus"
                | "PlatformTypes"
                | "ResourceType"
                | "AgentVersion"
                | "IamRole"
                | "tag-key"
                | "ActivationIds"
                | "AssociationStatus"
        );
        if !is_key && !key.starts_with("tag:") {
            return Err(refusal("InvalidFilterKey", format!("{key} is no key that instances are filtered by.")));
        }
        if let Some(wrong) = values.iter().find(|value| !may(value)) {
            let message = format!("{wrong} is no value that {key} has.");
            return Err(refusal("InvalidInstanceInformationFilterValue", message));
        }
        Ok(Self { key, values })
    }

    fn holds(&self, instance: &Instance) -> bool {
        let is = |value: &str| self.values.contains(&value);
        match self.key {
            "InstanceIds" => is(&instance.id),
            "PingStatus" => is(instance.ping.name()),
            "PlatformTypes" => is("Linux"),
            "ResourceType" => is("EC2Instance"),
            "AgentVersion" => is(AGENT),
            "IamRole" => instance.role.as_deref().is_some_and(is),
            "tag-key" => instance.tags.keys().any(|key| is(key)),
            // Nothing here has an activation, or an association.
            key => key.strip_prefix("tag:").and_then(|key| instance.tags.get(key)).is_some_and(|value| is(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Filter, Instance};

    #[test]
    fn filters_look_where_they_say() {
        let mut instance = Instance::new("i-01234567", "us-east-1");
        instance.tags.insert("Name".to_owned(), "kafka".to_owned());
        let holds = |key: &str, value: &str| {
            let (key, values) = (json!(key), json!([value]));
            Filter::of(&key, &values).map(|filter| filter.holds(&instance)).map_err(|refusal| refusal.code)
        };
        for (key, value) in [
            ("InstanceIds", "i-01234567"),
            ("PingStatus", "Online"),
            ("PlatformTypes", "Linux"),
            ("tag-key", "Name"),
            ("tag:Name", "kafka"),
            ("ResourceType", "EC2Instance"),
            ("IamRole", "AmazonSSMRoleForInstancesQuickSetup"),
        ] {
            assert_eq!(holds(key, value), Ok(true), "{key}");
        }
        assert_eq!(holds("PingStatus", "Inactive"), Ok(false));
        assert_eq!(holds("tag:Name", "other"), Ok(false));
        assert_eq!(holds("ActivationIds", "x"), Ok(false));
        assert_eq!(holds("Colour", "red").err().as_deref(), Some("InvalidFilterKey"));
        assert_eq!(holds("PingStatus", "Up").err().as_deref(), Some("InvalidInstanceInformationFilterValue"));
    }
}
