//! How an API is reached: its endpoint type and IP address type.

use serde::Deserialize;

use super::model::EndpointConfiguration;
use super::patch::{Op, Patch};
use super::refusal::{Violations, bad_request};
use crate::sandbox::call::Refusal;

/// The endpoint configuration of a request.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    types: Option<Vec<String>>,
    ip_address_type: Option<String>,
    vpc_endpoint_ids: Option<Vec<String>>,
}

const TYPES: [&str; 3] = ["PRIVATE", "EDGE", "REGIONAL"];

impl Asked {
    /// Whether the API is served from edge locations, which is so unless another type is asked for.
    pub(super) fn is_edge(&self) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|kind| kind == "EDGE"))
    }

    /// What the model forbids.
    pub(super) fn check_shape(&self, violations: &mut Violations) {
        let types = self.types.iter().flatten();
        if types.clone().any(|kind| !TYPES.contains(&kind.as_str())) {
            let given = types.map(String::as_str).collect::<Vec<_>>().join(", ");
            violations.add(
                "createRestApiInput.endpointConfiguration.types",
                &format!("[{given}]"),
                "Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]",
            );
        }
        let member = "createRestApiInput.endpointConfiguration.ipAddressType";
        violations.one_of(member, self.ip_address_type.as_deref(), &["ipv4", "dualstack"]);
    }

    /// The configuration of a new API, defaults filled in.
    ///
    /// # Errors
    /// Where there isn't exactly one type, or one that can't have the IP address type.
    pub(super) fn configuration(self) -> Result<EndpointConfiguration, Refusal> {
        let types = self.types.unwrap_or_else(|| vec!["EDGE".to_owned()]);
        match types.as_slice() {
            [] => {
                return Err(bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED."));
            }
            [_] => {}
            _ => return Err(bad_request("Cannot create an api with multiple Endpoint Types.")),
        }
        let ip_address_type = self.ip_address_type.unwrap_or_else(|| default_ip_address_type(&types[0]).to_owned());
        let vpc_endpoint_ids = self.vpc_endpoint_ids.unwrap_or_default();
        let configuration = EndpointConfiguration { types, ip_address_type, vpc_endpoint_ids };
        configuration.check()?;
        Ok(configuration)
    }
}

fn default_ip_address_type(kind: &str) -> &'static str {
    if kind == "PRIVATE" { "dualstack" } else { "ipv4" }
}

impl EndpointConfiguration {
    fn check(&self) -> Result<(), Refusal> {
        let private = self.types.iter().any(|kind| kind == "PRIVATE");
        if private && self.ip_address_type != "dualstack" {
            return Err(bad_request("Only dualstack ipAddressType is supported for Private APIs."));
        }
        if !private && !self.vpc_endpoint_ids.is_empty() {
            return Err(bad_request("VPCEndpoints can only be specified with PRIVATE apis."));
        }
        Ok(())
    }

    /// Applies a patch of `/endpointConfiguration/…`; `parts` is what follows.
    pub(super) fn apply(&mut self, patch: &Patch, parts: &[&str]) -> Result<(), Refusal> {
        match parts {
            // The part is the old type or its index: an API has one.
            ["types", _] => self.replace_type(patch)?,
            ["ipAddressType"] => {
                patch.replaces()?;
                if !["ipv4", "dualstack"].contains(&patch.text()) {
                    return Err(bad_request("ipAddressType must be either ipv4 or dualstack."));
                }
                patch.text().clone_into(&mut self.ip_address_type);
            }
            ["vpcEndpointIds"] if patch.op == Op::Add => self.vpc_endpoint_ids.push(patch.text().to_owned()),
            ["vpcEndpointIds"] if patch.op == Op::Remove => self.vpc_endpoint_ids.retain(|id| id != patch.text()),
            _ => return Err(patch.unknown_path()),
        }
        self.check()
    }

    fn replace_type(&mut self, patch: &Patch) -> Result<(), Refusal> {
        match patch.op {
            Op::Replace => {}
            Op::Add => return Err(bad_request("Cannot create an api with multiple Endpoint Types.")),
            Op::Remove => {
                return Err(bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED."));
            }
            Op::Other => {
                return Err(bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'"));
            }
        }
        let kind = patch.text();
        if !TYPES.contains(&kind) {
            return Err(bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE"));
        }
        self.types = vec![kind.to_owned()];
        // Between PRIVATE and the others AWS takes the type's own IP address type along.
        if kind == "PRIVATE" {
            default_ip_address_type(kind).clone_into(&mut self.ip_address_type);
        } else {
            self.vpc_endpoint_ids.clear();
        }
        Ok(())
    }
}
