//! What a role may do: its inline policies, and the managed policies that are attached to it.

use super::documents::{self, Document, Kind};
use super::entities::Role;
use super::identifiers::{encoded, name_of};
use super::page::Page;
use super::policies::{self, Policy};
use super::refusals::{limit_exceeded, no_such_entity};
use super::roles::edit;
use super::rules::{ARN, DOCUMENT, LONG_NAME, NAME, PATH_PREFIX};
use super::{Answer, Request};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::Xml;

/// Non-blank characters of all inline policies of a role together.
const INLINE_QUOTA: usize = 10_240;
/// Managed policies per role; AWS's default quota.
const ATTACHED_QUOTA: usize = 10;

pub(super) fn put(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let role = reader.required("RoleName", &NAME);
    let policy = reader.required("PolicyName", &LONG_NAME);
    let document = reader.required("PolicyDocument", &DOCUMENT);
    reader.finish()?;
    Document::parse(document, Kind::Identity)?;
    edit(request, role, |_, role| {
        role.inline.insert(policy.to_owned(), document.to_owned());
        if role.inline.values().map(|document| documents::size(document)).sum::<usize>() > INLINE_QUOTA {
            let message = format!("Maximum policy size of {INLINE_QUOTA} bytes exceeded for role {}", role.name);
            return Err(limit_exceeded(message));
        }
        Ok(None)
    })
}

pub(super) fn get(request: &Request<'_>) -> Answer {
    let (role, policy) = named(request)?;
    request.transact(|transaction| {
        let role = Role::find(transaction, role)?;
        let document = role.inline.get(policy).ok_or_else(|| no_such_policy(policy))?;
        let mut xml = Xml::default();
        xml.text("RoleName", &role.name).text("PolicyName", policy).text("PolicyDocument", encoded(document));
        Ok(Some(xml))
    })
}

fn named<'a>(request: &'a Request<'_>) -> Result<(&'a str, &'a str), Refusal> {
    let mut reader = request.parameters.reader();
    let names = (reader.required("RoleName", &NAME), reader.required("PolicyName", &LONG_NAME));
    reader.finish()?;
    Ok(names)
}

fn no_such_policy(name: &str) -> Refusal {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| {
        let names = Role::find(transaction, name)?.inline.into_keys();
        let page = Page::of(&request.parameters, names.map(|name| (name.clone(), name)).collect())?;
        Ok(Some(page.texts("PolicyNames")))
    })
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let (role, policy) = named(request)?;
    edit(request, role, |_, role| {
        role.inline.remove(policy).ok_or_else(|| no_such_policy(policy))?;
        Ok(None)
    })
}

fn attachment<'a>(request: &'a Request<'_>) -> Result<(&'a str, &'a str), Refusal> {
    let mut reader = request.parameters.reader();
    let names = (reader.required("RoleName", &NAME), reader.required("PolicyArn", &ARN));
    reader.finish()?;
    policies::check_arn(names.1)?;
    Ok(names)
}

pub(super) fn attach(request: &Request<'_>) -> Answer {
    let (role, arn) = attachment(request)?;
    edit(request, role, |transaction, role| {
        if Policy::lookup(transaction, arn).is_none() {
            return Err(no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
        }
        role.attached.insert(arn.to_owned());
        if role.attached.len() > ATTACHED_QUOTA {
            return Err(limit_exceeded(format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED_QUOTA}")));
        }
        Ok(None)
    })
}

pub(super) fn detach(request: &Request<'_>) -> Answer {
    let (role, arn) = attachment(request)?;
    edit(request, role, |_, role| if role.attached.remove(arn) { Ok(None) } else { Err(policies::not_found(arn)) })
}

pub(super) fn list_attached(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let prefix = reader.optional("PathPrefix", &PATH_PREFIX).unwrap_or("/");
    reader.finish()?;
    request.transact(|transaction| {
        let attached = Role::find(transaction, name)?.attached.into_iter();
        let under =
            |arn: &String| Policy::lookup(transaction, arn).is_some_and(|policy| policy.path.starts_with(prefix));
        let items = attached.filter(under).map(|arn| (arn.clone(), arn)).collect();
        let page = Page::of(&request.parameters, items)?;
        Ok(Some(page.xml("AttachedPolicies", |xml, arn| {
            xml.text("PolicyName", name_of(&arn)).text("PolicyArn", arn);
        })))
    })
}
