//! The EC2 instance of the client: read-only. Systems Manager is asked whether it is there, and the machine itself what
//! it has and where it is, in one command whose answer the client's own kind reads too.

use async_trait::async_trait;
use aws_sdk_ssm::types::{InstanceInformation, InstanceInformationStringFilter, PingStatus, PlatformType};

use super::Shared;
use super::client_host::command;
use super::client_host::report::Report;
use crate::aws::sent;
use crate::client_host::observe_command;
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, OnDestroy, Output, Outputs, Owner, Progress,
    Removal, Resource, Result, State,
};
use crate::manifest;

/// The output with what the machine said of itself; absent where it can't be asked.
pub(crate) const REPORT: &str = "report";
/// The output, and the field, that tell why an instance can't be used; absent where it can.
pub(crate) const UNUSABLE: &str = "unusable";

/// An existing instance.
#[derive(Debug)]
pub(crate) struct Instance {
    context: Shared,
    declared: manifest::Instance,
    expected: Expected,
    address: Address,
}

/// What an instance must have.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Who its instance profile makes it.
    pub(crate) role: ExpectedRole,
    /// Whether API Gateway must reach it at the address that it has.
    pub(crate) public_address: bool,
}

/// Who a machine's instance profile makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExpectedRole {
    /// It needs none.
    None,
    /// Somebody, who may assume the role that clients work as.
    Any,
    /// This role.
    Named(String),
}

/// The address of an instance.
pub(crate) fn address(declared: &manifest::Instance) -> Address {
    match declared {
        manifest::Instance::Id(id) => Address::new("instance", id),
        manifest::Instance::Tag { key, value } => Address::new("instance", &format!("{key}={value}")),
    }
}

impl Instance {
    pub(crate) fn new(context: Shared, declared: &manifest::Instance, expected: Expected) -> Self {
        Self { context, declared: declared.clone(), expected, address: address(declared) }
    }

    /// What Systems Manager knows of the instance: those of its tag that are heard of, or else all of them.
    async fn find(&self) -> Result<Vec<InstanceInformation>> {
        let (key, value) = match &self.declared {
            manifest::Instance::Id(id) => ("InstanceIds".to_owned(), id),
            manifest::Instance::Tag { key, value } => (format!("tag:{key}"), value),
        };
        let filter = InstanceInformationStringFilter::builder().key(key).values(value).build()?;
        let pages = self.context.clients.ssm.describe_instance_information().filters(filter).into_paginator();
        let mut all = sent(pages.items().send().collect::<std::result::Result<Vec<_>, _>>().await)?;
        // A terminated instance is known for a while, and its successor mostly has its tags.
        if all.iter().any(is_online) {
            all.retain(is_online);
        }
        Ok(all)
    }

    /// Why nothing can be done with it, before it is asked itself.
    fn unready(&self, found: &[InstanceInformation]) -> Option<String> {
        if let manifest::Instance::Tag { key, value } = &self.declared
            && found.len() > 1
        {
            let ids: Vec<&str> = found.iter().filter_map(InstanceInformation::instance_id).collect();
            return Some(format!(
                "{} instances have the tag {key}={value}: {}; give `client.instance` an id, or a tag that one has alone",
                ids.len(),
                ids.join(", ")
            ));
        }
        let one = found.first()?;
        if !is_online(one) {
            let heard = one.last_ping_date_time();
            let heard = heard.and_then(|at| at.fmt(aws_smithy_types::date_time::Format::DateTime).ok());
            return Some(format!(
                "it is offline: its SSM agent ({}) was last heard of at {}; start the instance, or see on it that \
                 amazon-ssm-agent runs and reaches Systems Manager",
                one.ping_status().map_or("unknown", PingStatus::as_str),
                heard.as_deref().unwrap_or("an unknown time")
            ));
        }
        (one.platform_type().is_some_and(|platform| *platform != PlatformType::Linux)).then(|| {
            "it doesn't run Linux; the client is for Amazon Linux 2 and 2023, Ubuntu and Debian: name another instance"
                .to_owned()
        })
    }

    /// Why nothing can be done with what it said of itself.
    fn unfit(&self, report: &Report) -> Option<String> {
        match (&self.expected.role, report.role.as_deref()) {
            (ExpectedRole::Any | ExpectedRole::Named(_), None) => {
                let which = match &self.expected.role {
                    ExpectedRole::Named(name) => format!("the instance profile {name}"),
                    _ => "an instance profile whose role may assume that of the manifest".to_owned(),
                };
                return Some(format!(
                    "its metadata service tells no role, so that its clients have no credentials to log in to the \
                     brokers with; attach {which} to it, and see that its metadata service is on"
                ));
            }
            (ExpectedRole::Named(name), Some(role)) if role != name => {
                return Some(format!(
                    "it works as the role {role}, and the manifest's clients as {name}; attach the instance profile \
                     {name} to it, or let {name} be assumed (`role.trust`, `self: true` or `arn`)"
                ));
            }
            _ => {}
        }
        (self.expected.public_address && report.address().is_none()).then(|| {
            "it has no public name or address, so that API Gateway can't reach its REST proxy; give it one, or set \
             `client.address` to one that leads to it"
                .to_owned()
        })
    }
}

fn is_online(instance: &InstanceInformation) -> bool {
    instance.ping_status() == Some(&PingStatus::Online)
}

/// What is there, and why it can't be used: as with a cluster, that is for the plan to refuse.
fn seen(unusable: Option<String>, mut output: Output) -> Observed {
    let mut fields = Fields::new();
    if let Some(why) = unusable {
        output = output.with(UNUSABLE, why.as_str());
        fields = fields.with(UNUSABLE, why);
    }
    Observed::present(State { fields, output, label: None }, Owner::Ours)
}

#[async_trait]
impl Resource for Instance {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &[]
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        Fields::new()
    }

    fn on_change(&self, change: &FieldChange) -> OnChange {
        let why = match &change.from {
            Some(Field::Known(why)) if change.field == UNUSABLE => why.as_str(),
            _ => None,
        };
        OnChange::Refuse(why.unwrap_or("an instance is never changed").to_owned())
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        OnDestroy::Ignore
    }

    fn must_exist(&self) -> Option<String> {
        let clients = &self.context.clients;
        Some(format!(
            "Systems Manager manages no such instance in {} (account {}); see that it runs there, has the SSM agent, and \
             an instance profile with the policy AmazonSSMManagedInstanceCore, and reaches Systems Manager",
            clients.region, clients.account
        ))
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let found = self.find().await?;
        let Some(id) = found.first().and_then(InstanceInformation::instance_id) else { return Ok(Observed::absent()) };
        let output = Output::new().with("id", id);
        if let Some(why) = self.unready(&found) {
            return Ok(seen(Some(why), output));
        }
        let text = command::ask(&self.context.clients, id, &observe_command()?).await?;
        let report = Report::read(&text)?;
        let mut output = output.with(REPORT, text.as_str());
        if let Some(address) = report.address() {
            output = output.with("address", address);
        }
        Ok(seen(self.unfit(&report), output))
    }

    async fn create(&self, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Err("an instance is never made by this tool".into())
    }

    async fn update(&self, change: &Change, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Ok(change.current.clone())
    }

    async fn delete(&self, _state: &State, _progress: &Progress) -> Result<Removal> {
        Ok(Removal::Kept("an instance is never terminated by this tool".to_owned()))
    }
}
