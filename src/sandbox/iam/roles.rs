//! Roles: made, read, changed, deleted.

use super::documents::{self, Document, Kind};
use super::entities::{InstanceProfile, ROLES, Role, SERVICE_LINKED, key};
use super::identifiers::{arn, encoded, timestamp, unique};
use super::page::Page;
use super::policies::Policy;
use super::principals::Directory;
use super::refusals::{already_exists, delete_conflict, limit_exceeded, no_such_entity, unmodifiable};
use super::rules::{ARN, DESCRIPTION, DOCUMENT, NAME, PATH, PATH_PREFIX};
use super::{Answer, Request, tags};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::{Reader, Xml};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, Settings, now};

/// Non-blank characters of a trust policy; AWS's default quota.
const TRUST_QUOTA: usize = 2048;
/// Roles per account; AWS's default quota.
const ROLES_QUOTA: usize = 1000;
/// Seconds for which a role can be assumed where it doesn't say otherwise.
pub(super) const DEFAULT_SESSION: u32 = 3600;

/// How much of a role is told: lists leave out what must be asked for one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Full,
    Listed,
}

/// Writes the inside of a role.
pub(super) fn write(xml: &mut Xml, role: &Role, directory: &Directory, detail: Detail) {
    xml.text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", &role.arn)
        .text("CreateDate", timestamp(role.created))
        .text("AssumeRolePolicyDocument", encoded(&directory.shown(&role.trust)))
        .optional("Description", role.description.as_ref())
        .text("MaxSessionDuration", role.max_session);
    if detail == Detail::Listed {
        return;
    }
    if let Some(boundary) = &role.boundary {
        xml.element("PermissionsBoundary", |xml| {
            // The wire says "Policy", whatever the model's enumeration says.
            xml.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", boundary);
        });
    }
    tags::write(xml, &role.tags);
    xml.element("RoleLastUsed", |_| ());
}

fn described(role: &Role, directory: &Directory) -> Xml {
    Xml::of("Role", |xml| write(xml, role, directory, Detail::Full))
}

/// How long it takes until services, STS and all of IAM have heard of something: half the time that things settle in.
pub(super) fn propagation(settings: &Settings) -> Millis {
    (settings.settle.as_millis() / 2) as Millis
}

/// When services and STS will have heard of something that changes now.
pub(super) fn usable_at(request: &Request<'_>) -> Millis {
    now() + propagation(&request.world.settings)
}

/// Holds a trust policy against the grammar and its quota.
fn check_trust(document: &str) -> Result<(), Refusal> {
    Document::parse(document, Kind::Trust)?;
    if documents::size(document) > TRUST_QUOTA {
        return Err(limit_exceeded(format!("Cannot exceed quota for ACLSizePerRole: {TRUST_QUOTA}")));
    }
    Ok(())
}

fn check_boundary(transaction: &Transaction<'_>, boundary: Option<&str>) -> Result<(), Refusal> {
    match boundary {
        Some(arn) if Policy::lookup(transaction, arn).is_none() => {
            Err(no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")))
        }
        _ => Ok(()),
    }
}

pub(super) fn create(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let trust = reader.required("AssumeRolePolicyDocument", &DOCUMENT);
    let path = reader.optional("Path", &PATH).unwrap_or("/");
    let description = reader.optional("Description", &DESCRIPTION);
    let max_session = max_session(&mut reader)?;
    let boundary = reader.optional("PermissionsBoundary", &ARN);
    reader.finish()?;
    let tags = tags::given(&request.parameters)?;
    if path.starts_with(SERVICE_LINKED) {
        return Err(unmodifiable(name));
    }
    check_trust(trust)?;
    let role = Role {
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique("AROA"),
        arn: arn("role", path, name),
        created: now(),
        description: description.map(str::to_owned),
        max_session: max_session.unwrap_or(DEFAULT_SESSION),
        trust: trust.to_owned(),
        trust_before: None,
        usable_at: usable_at(request),
        boundary: boundary.map(str::to_owned),
        tags,
        inline: Default::default(),
        attached: Default::default(),
    };
    request.transact(|transaction| {
        check_boundary(transaction, boundary)?;
        add(request, transaction, role)
    })
}

/// Adds a role whose trust policy is as the caller wrote it, and describes it.
pub(super) fn add(request: &Request<'_>, transaction: &mut Transaction<'_>, mut role: Role) -> Answer {
    let roles = transaction.list::<Role>(ROLES);
    if roles.iter().any(|(taken, _)| *taken == key(&role.name)) {
        return Err(already_exists(format!("Role with name {} already exists.", role.name)));
    }
    if roles.len() >= ROLES_QUOTA {
        return Err(limit_exceeded(format!("Cannot exceed quota for RolesPerAccount: {ROLES_QUOTA}")));
    }
    // The role itself isn't in the directory yet, so that it can't trust itself from the start.
    role.trust = Directory::known(transaction, &request.world.settings).kept(&role.trust)?;
    role.save(transaction)?;
    Ok(Some(described(&role, &Directory::of(transaction))))
}

fn max_session(reader: &mut Reader<'_>) -> Result<Option<u32>, Refusal> {
    reader.number("MaxSessionDuration", 3600..=43200)
}

pub(super) fn get(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| {
        let role = Role::find(transaction, name)?;
        Ok(Some(described(&role, &Directory::of(transaction))))
    })
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let prefix = reader.optional("PathPrefix", &PATH_PREFIX).unwrap_or("/");
    reader.finish()?;
    request.transact(|transaction| {
        let mut roles = transaction.list::<Role>(ROLES);
        roles.retain(|(_, role)| role.path.starts_with(prefix));
        let directory = Directory::of(transaction);
        let page = Page::of(&request.parameters, roles)?;
        Ok(Some(page.xml("Roles", |xml, role| write(xml, &role, &directory, Detail::Listed))))
    })
}

/// Changes a role that is not AWS's own.
pub(super) fn edit<R>(
    request: &Request<'_>,
    name: &str,
    change: impl FnOnce(&Transaction<'_>, &mut Role) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    request.transact(|transaction| {
        let mut role = Role::find(transaction, name)?;
        role.check_modifiable()?;
        let result = change(transaction, &mut role)?;
        role.save(transaction)?;
        Ok(result)
    })
}

pub(super) fn update(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let description = reader.optional("Description", &DESCRIPTION);
    let max_session = max_session(&mut reader)?;
    reader.finish()?;
    edit(request, name, |_, role| {
        if let Some(description) = description {
            role.description = Some(description.to_owned()).filter(|text| !text.is_empty());
        }
        role.max_session = max_session.unwrap_or(role.max_session);
        Ok(Some(Xml::default()))
    })
}

pub(super) fn update_description(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let description = reader.required("Description", &DESCRIPTION);
    reader.finish()?;
    edit(request, name, |transaction, role| {
        role.description = Some(description.to_owned()).filter(|text| !text.is_empty());
        Ok(Some(described(role, &Directory::of(transaction))))
    })
}

pub(super) fn update_trust(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let trust = reader.required("PolicyDocument", &DOCUMENT);
    reader.finish()?;
    check_trust(trust)?;
    edit(request, name, |transaction, role| {
        let kept = Directory::known(transaction, &request.world.settings).kept(trust)?;
        // Two changes in a row: what counts until the second is known is what counted before the first.
        if now() >= role.usable_at {
            role.trust_before = Some(role.trust.clone());
        }
        role.trust = kept;
        role.usable_at = usable_at(request);
        Ok(None)
    })
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| {
        let role = Role::find(transaction, name)?;
        role.check_modifiable()?;
        if !InstanceProfile::of_role(transaction, name).is_empty() {
            let message = "Cannot delete entity, must remove roles from instance profile first.";
            return Err(delete_conflict(message));
        }
        if !role.attached.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must delete policies first."));
        }
        transaction.delete(ROLES, &key(name));
        Ok(None)
    })
}

pub(super) fn put_boundary(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("RoleName", &NAME);
    let boundary = reader.required("PermissionsBoundary", &ARN);
    reader.finish()?;
    edit(request, name, |transaction, role| {
        check_boundary(transaction, Some(boundary))?;
        role.boundary = Some(boundary.to_owned());
        Ok(None)
    })
}

pub(super) fn delete_boundary(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    edit(request, name, |_, role| {
        role.boundary = None;
        Ok(None)
    })
}

pub(super) fn tag(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    let tags = tags::given(&request.parameters)?;
    edit(request, name, |_, role| tags::add(&mut role.tags, tags).map(|()| None))
}

pub(super) fn untag(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    edit(request, name, |_, role| tags::remove(&mut role.tags, &request.parameters).map(|()| None))
}

pub(super) fn list_tags(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| tags::list(&request.parameters, &Role::find(transaction, name)?.tags).map(Some))
}
