//! Instances: what is known of a machine from outside.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::system::System;
use crate::sandbox::rest_json::Tags;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis, World, now};

/// Instances by their id. The status counts its records.
pub(super) const TABLE: &str = "ssm/instances";

/// What an instance has for a role when nobody says otherwise: Systems Manager's Quick Setup makes one of this name.
const ROLE: &str = "AmazonSSMRoleForInstancesQuickSetup";

/// Whether its agent is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ping {
    Online,
    ConnectionLost,
}

impl Ping {
    /// What Systems Manager calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::ConnectionLost => "ConnectionLost",
        }
    }
}

/// An instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) tags: Tags,
    pub(super) os: System,
    /// Its public name. A machine in a private subnet has none.
    pub(super) address: Option<String>,
    pub(super) ping: Ping,
    /// Whether its agent runs.
    pub(super) managed: bool,
    /// The role of its instance profile.
    pub(super) role: Option<String>,
    pub(super) registered: Millis,
    /// When its agent was last heard of, where that is over.
    pub(super) lost: Option<Millis>,
}

impl Instance {
    /// An instance that is online, with what nobody has said otherwise.
    pub(super) fn new(id: &str, region: &str) -> Self {
        let mut instance = Self {
            id: id.to_owned(),
            region: region.to_owned(),
            tags: Tags::new(),
            os: System::Amzn2023,
            address: None,
            ping: Ping::Online,
            managed: true,
            role: Some(ROLE.to_owned()),
            registered: now(),
            lost: None,
        };
        // Of the addresses that documentation has (RFC 5737), which lead nowhere.
        let number = instance.number();
        let domain = match region {
            "us-east-1" => "compute-1.amazonaws.com".to_owned(),
            region => format!("{region}.compute.amazonaws.com"),
        };
        instance.address = Some(format!("ec2-203-0-113-{}.{domain}", number % 254 + 1));
        instance
    }

    /// A number of its own, for its addresses.
    fn number(&self) -> u32 {
        self.id.bytes().fold(0, |number: u32, byte| number.wrapping_mul(31).wrapping_add(u32::from(byte)))
    }

    /// Its address within its VPC: the default one's network is 172.31.0.0/16.
    pub(super) fn private_address(&self) -> Ipv4Addr {
        let [_, _, third, fourth] = self.number().to_be_bytes();
        Ipv4Addr::new(172, 31, third, fourth.clamp(4, 254))
    }

    /// Its name within its VPC.
    pub(super) fn private_name(&self) -> String {
        let address = self.private_address().to_string().replace('.', "-");
        match self.region.as_str() {
            "us-east-1" => format!("ip-{address}.ec2.internal"),
            region => format!("ip-{address}.{region}.compute.internal"),
        }
    }

    /// The address that its public name says: `ec2-203-0-113-7.…`.
    pub(super) fn public_address(&self) -> Option<Ipv4Addr> {
        let (host, _) = self.address.as_deref()?.split_once('.')?;
        host.strip_prefix("ec2-")?.replace('-', ".").parse().ok()
    }

    /// Whether Systems Manager knows of it. Without an instance profile its agent can't register.
    pub(super) fn is_known(&self) -> bool {
        self.managed && self.role.is_some()
    }

    /// Whether commands reach it.
    pub(super) fn is_online(&self) -> bool {
        self.is_known() && self.ping == Ping::Online
    }

    pub(super) fn arn(&self) -> String {
        arn(&self.region, &self.id)
    }

    /// The instance of an id, wherever it is.
    pub(super) fn find(transaction: &Transaction<'_>, id: &str) -> Option<Self> {
        transaction.get(TABLE, id)
    }

    /// The instances that Systems Manager knows of in a region, by id.
    pub(super) fn known(transaction: &Transaction<'_>, region: &str) -> Vec<Self> {
        let all = transaction.list::<Self>(TABLE).into_iter().map(|(_, instance)| instance);
        all.filter(|instance| instance.region == region && instance.is_known()).collect()
    }
}

/// The ARN of an instance, which is EC2's.
pub(super) fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{ACCOUNT}:instance/{id}")
}

/// Whether a text has the form of an instance's id.
pub(super) fn is_id(text: &str) -> bool {
    let is_word = |rest: &str| rest.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
    text.strip_prefix("i-").is_some_and(|rest| matches!(rest.len(), 8 | 17) && is_word(rest))
}

/// Whether a host name is the present public name of an instance.
pub(crate) fn is_public_name(world: &World, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    world.store.read(|transaction| {
        let mut all = transaction.scan::<Instance>(TABLE, "", "");
        all.any(|(_, instance)| instance.address.is_some_and(|address| address.eq_ignore_ascii_case(host)))
    })
}

#[cfg(test)]
mod tests {
    use super::{Instance, Ping, is_id};

    #[test]
    fn ids_are_of_two_lengths() {
        assert!(is_id("i-0123456789abcdef0") && is_id("i-01234567"));
        for wrong in ["i-", "i-0123", "i-0123456789abcdef01", "mi-0123456789abcdef0", "i-0123456789abcde/0"] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn names_are_those_of_the_region() {
        let (east, west) = (Instance::new("i-01234567", "us-east-1"), Instance::new("i-01234567", "eu-west-1"));
        let (public, private) = (east.public_address().map(|it| it.to_string()), east.private_name());
        assert!(public.is_some_and(|address| address.starts_with("203.0.113.")));
        assert!(east.address.is_some_and(|name| name.ends_with(".compute-1.amazonaws.com")));
        assert!(private.starts_with("ip-172-31-") && private.ends_with(".ec2.internal"), "{private}");
        assert!(west.private_name().ends_with(".eu-west-1.compute.internal"));
        assert!(west.address.is_some_and(|name| name.ends_with(".eu-west-1.compute.amazonaws.com")));
    }

    #[test]
    fn only_who_has_an_agent_and_a_role_is_known_and_only_who_is_heard_of_is_online() {
        let one = Instance::new("i-01234567", "us-east-1");
        assert!(one.is_known() && one.is_online());
        let lost = Instance { ping: Ping::ConnectionLost, ..one.clone() };
        assert!(lost.is_known() && !lost.is_online());
        assert!(!Instance { role: None, ..one.clone() }.is_known() && !Instance { managed: false, ..one }.is_online());
    }
}
