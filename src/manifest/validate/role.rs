//! The role: who may assume it, and what it may do beyond the generated policy.

use std::collections::BTreeMap;

use super::super::arn::{Arn, is_account};
use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Role, Trust, raw};
use super::{Scene, each_once, names, statement};

/// IAM's quota for managed policies on a role: 10, which AWS raises to 20 on request
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MOST_MANAGED_POLICIES: usize = 20;

pub(super) fn role(raw: &At<raw::Role>, scene: &Scene<'_>, findings: &mut Findings) -> Role {
    if let Err(problem) = names::role(&raw.name) {
        findings.problem(raw.name.at, problem);
    }
    let create = raw.create.as_ref().is_none_or(|create| create.value);
    let trust = trust(raw, scene, findings);
    let at = raw.trust.as_ref().map_or(raw.key_at, |trust| trust.key_at);
    // Where a connector is declared, its trust is what is missing, and is told (needs.rs).
    let whole = !scene.is_damaged("role") && scene.raw.connector.is_none();
    if create && whole && trust.iter().all(|trust| matches!(trust, Trust::Itself)) {
        findings.problem(
            at,
            "nobody but the role itself could assume this role; \
                add a service or an arn to its trust, or create: false",
        );
    }
    let managed_policies = managed_policies(raw, findings);
    let statements = statement::statements(raw.statements.as_ref(), findings);
    if !create {
        let policies = raw.managed_policies.as_ref().filter(|all| !all.is_empty()).map(|all| all.key_at);
        let statements = raw.statements.as_ref().filter(|all| !all.is_empty()).map(|all| all.key_at);
        for at in policies.into_iter().chain(statements) {
            findings.problem(
                at,
                "a role with create: false keeps its own policies, only its trust is added to; remove this key",
            );
        }
    }
    Role { name: raw.name.value.clone(), create, trust, managed_policies, statements }
}

fn trust(raw: &raw::Role, scene: &Scene<'_>, findings: &mut Findings) -> Vec<Trust> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut trusted = Vec::new();
    for entry in raw.trust.as_ref().map(|trust| trust.value.as_slice()).unwrap_or_default() {
        let (trust, text) = match (&entry.service, &entry.itself, &entry.arn) {
            (Some(service), ..) => {
                if let Err(problem) = is_service(service) {
                    findings.problem(service.at, problem);
                }
                (Trust::Service(service.value.clone()), service.value.clone())
            }
            (_, Some(itself), _) => {
                if !itself.value {
                    findings.problem(itself.at, "self: false says nothing; remove the entry, or make it self: true");
                }
                (Trust::Itself, "self".to_owned())
            }
            (_, _, Some(arn)) => {
                if let Err(problem) = is_principal(arn, &raw.name, scene) {
                    findings.problem(arn.at, problem);
                }
                (Trust::Arn(arn.value.clone()), arn.value.clone())
            }
            (None, None, None) => continue,
        };
        if let Some(line) = seen.insert(text.clone(), entry.at.line) {
            findings.problem(entry.at, format!("{text} is trusted twice, first on line {line}; keep one of them"));
        }
        trusted.push(trust);
    }
    trusted
}

/// A service principal: `SERVICE.amazonaws.com`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services>).
fn is_service(text: &str) -> Result<(), String> {
    let label =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let name = text.strip_suffix(".amazonaws.com").or_else(|| text.strip_suffix(".amazonaws.com.cn"));
    if name.is_some_and(|name| name.split('.').all(label)) {
        return Ok(());
    }
    if label(text) {
        return Err(format!("\"{text}\" is no service principal; did you mean {text}.amazonaws.com?"));
    }
    Err(format!("\"{text}\" is no service principal; expected a name such as ec2.amazonaws.com"))
}

/// The ARN of a principal that a trust policy can name: an account, a user, a role or a session of one.
fn is_principal(text: &str, role: &str, scene: &Scene<'_>) -> Result<(), String> {
    if is_account(text) {
        return Err(format!("\"{text}\" is an account's id; write arn:aws:iam::{text}:root"));
    }
    let arn = Arn::parse(text).map_err(|problem| format!("\"{text}\" is no ARN: {problem}; correct it"))?;
    if text.contains(['*', '?']) {
        return Err(format!(
            "\"{text}\" has a wildcard, which IAM refuses in principals; name one user, role or account"
        ));
    }
    let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    let named = match (arn.service, kind) {
        ("iam", "root") => name.is_empty(),
        ("iam", "user" | "role") | ("sts", "federated-user") => !name.is_empty(),
        ("sts", "assumed-role") => name.contains('/'),
        _ => false,
    };
    if !named || !is_account(arn.account) || !arn.region.is_empty() {
        return Err(format!(
            "\"{text}\" can't assume a role; expected arn:aws:iam::ACCOUNT:root, …:user/NAME or …:role/NAME"
        ));
    }
    // IAM refuses a trust policy that names the role that is being created.
    if arn.service == "iam"
        && kind == "role"
        && name.rsplit('/').next() == Some(role)
        && scene.account.is_none_or(|account| account == arn.account)
    {
        return Err(format!("\"{text}\" is this role; write \"- self: true\""));
    }
    Ok(())
}

fn managed_policies(raw: &raw::Role, findings: &mut Findings) -> Vec<String> {
    let Some(policies) = &raw.managed_policies else { return Vec::new() };
    each_once("managed policy", policies, findings);
    if policies.len() > MOST_MANAGED_POLICIES {
        findings.problem(
            policies.key_at,
            format!(
                "{} managed policies; \
                IAM attaches at most {MOST_MANAGED_POLICIES} to a role: merge some into statements",
                policies.len()
            ),
        );
    }
    for policy in &policies.value {
        let problem = match Arn::parse(policy) {
            Err(problem) => problem,
            Ok(arn) if arn.service == "iam" && !arn.account.is_empty() && arn.resource.starts_with("policy/") => {
                continue;
            }
            Ok(_) => "expected arn:aws:iam::aws:policy/NAME or arn:aws:iam::ACCOUNT:policy/NAME".to_owned(),
        };
        findings.problem(
            policy.at,
            format!(
                "\"{}\" is no managed policy's ARN: {problem}; \
            correct it",
                policy.value
            ),
        );
    }
    policies.iter().map(|policy| policy.value.clone()).collect()
}
