//! The versions of managed policies.

use super::page::Page;
use super::policies::{Policy, Version, arn_of, check_document, edit, write_version};
use super::refusals::{delete_conflict, limit_exceeded, no_such_entity};
use super::rules::{DOCUMENT, VERSION_ID};
use super::{Answer, Request};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::Xml;
use crate::sandbox::world::now;

/// Versions per policy.
const QUOTA: usize = 5;

pub(super) fn create(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    let document = request.required("PolicyDocument", &DOCUMENT)?;
    check_document(document)?;
    edit(request, arn, |policy| {
        if policy.versions.len() >= QUOTA {
            let message = "A managed policy can have up to 5 versions. Before you create a new version, you must \
                delete an existing version.";
            return Err(limit_exceeded(message));
        }
        policy.newest += 1;
        policy.updated = now();
        let id = format!("v{}", policy.newest);
        let version = Version { id: id.clone(), document: document.to_owned(), created: policy.updated };
        if request.parameters.flag("SetAsDefault") {
            policy.default = id;
        }
        policy.versions.push(version.clone());
        Ok(Some(Xml::of("PolicyVersion", |xml| write_version(xml, policy, &version, false))))
    })
}

fn named<'a>(request: &'a Request<'_>) -> Result<(&'a str, &'a str), Refusal> {
    Ok((arn_of(request)?, request.required("VersionId", &VERSION_ID)?))
}

fn position(policy: &Policy, version: &str) -> Result<usize, Refusal> {
    policy.versions.iter().position(|own| own.id == version).ok_or_else(|| {
        no_such_entity(format!("Policy {} version {version} does not exist or is not attachable.", policy.arn))
    })
}

pub(super) fn get(request: &Request<'_>) -> Answer {
    let (arn, version) = named(request)?;
    request.transact(|transaction| {
        let policy = Policy::find(transaction, arn)?;
        let version = &policy.versions[position(&policy, version)?];
        Ok(Some(Xml::of("PolicyVersion", |xml| write_version(xml, &policy, version, true))))
    })
}

/// Newest first, as AWS has it.
pub(super) fn list(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    request.transact(|transaction| {
        let policy = Policy::find(transaction, arn)?;
        let newest_first = policy.versions.iter().rev().enumerate();
        let items = newest_first.map(|(index, version)| (format!("{index:02}"), version)).collect();
        let page = Page::of(&request.parameters, items)?;
        Ok(Some(page.xml("Versions", |xml, version| write_version(xml, &policy, version, false))))
    })
}

pub(super) fn set_default(request: &Request<'_>) -> Answer {
    let (arn, version) = named(request)?;
    edit(request, arn, |policy| {
        position(policy, version)?;
        policy.default = version.to_owned();
        policy.updated = now();
        Ok(None)
    })
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let (arn, version) = named(request)?;
    edit(request, arn, |policy| {
        let position = position(policy, version)?;
        if policy.default == version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.remove(position);
        policy.updated = now();
        Ok(None)
    })
}
