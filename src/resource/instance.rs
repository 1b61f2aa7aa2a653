//! The EC2 instance of the client: read-only. Systems Manager is asked whether it is there, and the machine itself what
//! it has and where it is, in one command whose answer the client's own kind reads too.

use async_trait::async_trait;
use aws_sdk_ssm::types::{InstanceInformation, InstanceInformationStringFilter, PingStatus, PlatformType};

use super::Shared;
use super::client_host::command;
use super::client_host::report::Report;
use super::existing::{Found, seen};
use crate::aws::{Failure, sent};
use crate::client_host::observe_command;
use crate::engine::{Address, Cause, Observed, Output, Outputs, Result};
use crate::manifest;

/// The output with what the machine said of itself; absent where it can't be asked.
pub(crate) const REPORT: &str = "report";
/// The output that tells what somebody has to do once the role is there that the manifest makes.
pub(crate) const AWAITS: &str = "awaits";

/// An existing instance.
#[derive(Debug)]
pub(crate) struct Instance {
    context: Shared,
    declared: manifest::Instance,
    expected: Expected,
    address: Address,
    needs: Vec<Address>,
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
    /// Some role: who may be what is not ours to say.
    Any,
    /// Who may be the role that the manifest makes.
    Of {
        /// That role.
        role: Address,
        /// Whether its own instance profile is the way.
        by_profile: bool,
        /// Roles that may assume it, by name.
        others: Vec<String>,
    },
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
        let needs = match &expected.role {
            ExpectedRole::Of { role, .. } => vec![role.clone()],
            ExpectedRole::None | ExpectedRole::Any => Vec::new(),
        };
        Self { context, declared: declared.clone(), expected, address: address(declared), needs }
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

    /// Why its clients can't be who they are to be.
    fn wrong_role(&self, id: &str, report: &Report) -> Option<String> {
        match (&self.expected.role, report.role.as_deref()) {
            (ExpectedRole::None, _) | (ExpectedRole::Any, Some(_)) => None,
            (ExpectedRole::Of { role, by_profile, .. }, Some(has)) if *by_profile && has == role.name() => None,
            (ExpectedRole::Of { others, .. }, Some(has)) if others.iter().any(|other| other == has) => None,
            (ExpectedRole::Any, None) => Some(
                "its metadata service tells no role, so that its clients have no credentials to log in to the brokers \
                 with; attach an instance profile to it, and see that its metadata service is on"
                    .to_owned(),
            ),
            (ExpectedRole::Of { role, .. }, Some(has)) if has == role.name() => Some(format!(
                "its instance profile is that of {has}, which EC2 may not assume; add `service: ec2.amazonaws.com` to \
                 `role.trust`"
            )),
            (ExpectedRole::Of { role, by_profile, .. }, has) => {
                let how = self.how_to_be(role, *by_profile, has.is_some(), id);
                let has =
                    has.map_or("it has no instance profile".to_owned(), |has| format!("it works as the role {has}"));
                Some(format!("{has}, and can't be {} then; {how}", role.name()))
            }
        }
    }

    fn how_to_be(&self, role: &Address, by_profile: bool, has_one: bool, id: &str) -> String {
        let name = role.name();
        let clients = &self.context.clients;
        let by_trust = format!(
            "add its own role to `role.trust`: `arn: arn:{}:iam::{}:role/…`",
            clients.partition, clients.account
        );
        if !by_profile {
            return by_trust;
        }
        let command = if has_one {
            format!(
                "aws ec2 replace-iam-instance-profile-association --iam-instance-profile Name={name} --association-id …, \
                 which aws ec2 describe-iam-instance-profile-associations --filters Name=instance-id,Values={id} tells"
            )
        } else {
            format!("aws ec2 associate-iam-instance-profile --iam-instance-profile Name={name} --instance-id {id}")
        };
        format!(
            "attach the instance profile {name} to it in EC2 ({command}), with AmazonSSMManagedInstanceCore among \
             `role.managed_policies`; or {by_trust}"
        )
    }

    /// Why API Gateway can't reach it.
    fn out_of_reach(&self, report: &Report) -> Option<String> {
        (self.expected.public_address && report.address().is_none()).then(|| {
            "it has no public name or address, so that API Gateway can't reach its REST proxy; give it one, or set \
             `client.address` to one that leads to it"
                .to_owned()
        })
    }

    /// Whether the role that it is to have is still to be made, so that nobody can have attached it yet.
    fn is_early(&self, known: &Outputs) -> bool {
        matches!(&self.expected.role, ExpectedRole::Of { role, .. } if known.of(role).is_none())
    }

    /// An instance that isn't there as far as Systems Manager knows. Without an instance profile it can't be.
    fn unmanaged(&self, known: &Outputs) -> Observed {
        let ExpectedRole::Of { role, by_profile: true, .. } = &self.expected.role else { return Observed::absent() };
        if !self.is_early(known) {
            return Observed::absent();
        }
        let how = self.how_to_be(role, true, false, self.address.name());
        let why = format!("Systems Manager doesn't manage it; if it lacks an instance profile, {how}");
        seen(None, Output::new().with(AWAITS, why))
    }

    async fn ask(&self, id: &str) -> Result<(String, Report)> {
        let text = command::ask(&self.context.clients, id, &observe_command()?).await?;
        let report = Report::read(&text)?;
        Ok((text, report))
    }
}

/// Whether a failure is on the way to AWS, and says nothing of the instance.
fn is_of_the_way(cause: &Cause) -> bool {
    cause.downcast_ref::<Failure>().is_some_and(|failure| failure.status.is_none())
}

fn is_online(instance: &InstanceInformation) -> bool {
    instance.ping_status() == Some(&PingStatus::Online)
}

#[async_trait]
impl Found for Instance {
    fn at(&self) -> &Address {
        &self.address
    }

    fn after(&self) -> &[Address] {
        &self.needs
    }

    fn missing(&self) -> String {
        let clients = &self.context.clients;
        format!(
            "Systems Manager manages no such instance in {} (account {}); see that it runs there, has the SSM agent, and \
             an instance profile with the policy AmazonSSMManagedInstanceCore, and reaches Systems Manager",
            clients.region, clients.account
        )
    }

    async fn look(&self, known: &Outputs) -> Result<Observed> {
        let found = self.find().await?;
        let Some(id) = found.first().and_then(InstanceInformation::instance_id) else {
            return Ok(self.unmanaged(known));
        };
        let output = Output::new().with("id", id);
        if let Some(why) = self.unready(&found) {
            return Ok(seen(Some(why), output));
        }
        let (text, report) = match self.ask(id).await {
            Ok(answer) => answer,
            Err(cause) if is_of_the_way(&cause) => return Err(cause),
            // One that was stopped a moment ago is online for Systems Manager, and takes no command.
            Err(cause) => return Ok(seen(Some(format!("it can't be asked what it has: {cause}")), output)),
        };
        let mut output = output.with(REPORT, text.as_str());
        if let Some(address) = report.address() {
            output = output.with("address", address);
        }
        let mut unusable = self.out_of_reach(&report);
        match self.wrong_role(id, &report) {
            Some(why) if self.is_early(known) => output = output.with(AWAITS, why),
            Some(why) => unusable = Some(why),
            None => {}
        }
        Ok(seen(unusable, output))
    }
}
