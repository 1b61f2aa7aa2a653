//! Instance profiles: through which an EC2 instance has a role.

use super::entities::{INSTANCE_PROFILES, InstanceProfile, Role, key};
use super::identifiers::{arn, timestamp, unique};
use super::page::Page;
use super::principals::Directory;
use super::refusals::{already_exists, delete_conflict, limit_exceeded, no_such_entity};
use super::roles::{self, Detail};
use super::rules::{LONG_NAME, NAME, PATH, PATH_PREFIX};
use super::{Answer, Request, tags};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::Xml;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::now;

const NAME_KEY: &str = "InstanceProfileName";

/// Writes profiles, with the roles that they hold.
struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    directory: Directory,
}

impl<'a> Writer<'a> {
    fn new(transaction: &'a Transaction<'_>) -> Self {
        Self { transaction, directory: Directory::of(transaction) }
    }

    fn write(&self, xml: &mut Xml, profile: &InstanceProfile) {
        let role = profile.role.as_ref().and_then(|name| Role::lookup(self.transaction, name));
        xml.text("Path", &profile.path)
            .text(NAME_KEY, &profile.name)
            .text("InstanceProfileId", &profile.id)
            .text("Arn", &profile.arn)
            .text("CreateDate", timestamp(profile.created))
            .list("Roles", role, |xml, role| roles::write(xml, &role, &self.directory, Detail::Listed));
    }

    /// Lists leave out the tags.
    fn described(&self, profile: &InstanceProfile) -> Xml {
        Xml::of("InstanceProfile", |xml| {
            self.write(xml, profile);
            tags::write(xml, &profile.tags);
        })
    }

    fn listed(&self, request: &Request<'_>, profiles: Vec<(String, InstanceProfile)>) -> Answer {
        let page = Page::of(&request.parameters, profiles)?;
        Ok(Some(page.xml("InstanceProfiles", |xml, profile| self.write(xml, &profile))))
    }
}

pub(super) fn create(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required(NAME_KEY, &LONG_NAME);
    let path = reader.optional("Path", &PATH).unwrap_or("/");
    reader.finish()?;
    let profile = InstanceProfile {
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique("AIPA"),
        arn: arn("instance-profile", path, name),
        created: now(),
        role: None,
        tags: tags::given(&request.parameters)?,
    };
    request.transact(|transaction| {
        if transaction.get::<InstanceProfile>(INSTANCE_PROFILES, &key(name)).is_some() {
            return Err(already_exists(format!("Instance Profile {name} already exists.")));
        }
        profile.save(transaction)?;
        Ok(Some(Writer::new(transaction).described(&profile)))
    })
}

pub(super) fn get(request: &Request<'_>) -> Answer {
    let name = request.required(NAME_KEY, &LONG_NAME)?;
    request.transact(|transaction| {
        let profile = InstanceProfile::find(transaction, name)?;
        Ok(Some(Writer::new(transaction).described(&profile)))
    })
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let prefix = reader.optional("PathPrefix", &PATH_PREFIX).unwrap_or("/");
    reader.finish()?;
    request.transact(|transaction| {
        let mut profiles = transaction.list::<InstanceProfile>(INSTANCE_PROFILES);
        profiles.retain(|(_, profile)| profile.path.starts_with(prefix));
        Writer::new(transaction).listed(request, profiles)
    })
}

pub(super) fn list_for_role(request: &Request<'_>) -> Answer {
    let name = request.required("RoleName", &NAME)?;
    request.transact(|transaction| {
        Role::find(transaction, name)?;
        Writer::new(transaction).listed(request, InstanceProfile::of_role(transaction, name))
    })
}

fn edit(
    request: &Request<'_>,
    name: &str,
    change: impl FnOnce(&Transaction<'_>, &mut InstanceProfile) -> Result<(), Refusal>,
) -> Answer {
    request.transact(|transaction| {
        let mut profile = InstanceProfile::find(transaction, name)?;
        change(transaction, &mut profile)?;
        profile.save(transaction)?;
        Ok(None)
    })
}

fn pair<'a>(request: &'a Request<'_>) -> Result<(&'a str, &'a str), Refusal> {
    let mut reader = request.parameters.reader();
    let names = (reader.required(NAME_KEY, &LONG_NAME), reader.required("RoleName", &NAME));
    reader.finish()?;
    Ok(names)
}

pub(super) fn add_role(request: &Request<'_>) -> Answer {
    let (name, role) = pair(request)?;
    edit(request, name, |transaction, profile| {
        Role::find(transaction, role)?.check_modifiable()?;
        if profile.role.is_some() {
            return Err(limit_exceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"));
        }
        profile.role = Some(role.to_owned());
        Ok(())
    })
}

pub(super) fn remove_role(request: &Request<'_>) -> Answer {
    let (name, role) = pair(request)?;
    edit(request, name, |transaction, profile| {
        Role::find(transaction, role)?;
        if profile.role.as_deref() != Some(role) {
            return Err(no_such_entity(format!("The role with name {role} cannot be found.")));
        }
        profile.role = None;
        Ok(())
    })
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let name = request.required(NAME_KEY, &LONG_NAME)?;
    request.transact(|transaction| {
        if InstanceProfile::find(transaction, name)?.role.is_some() {
            let message = "Cannot delete entity, must remove roles from instance profile first.";
            return Err(delete_conflict(message));
        }
        transaction.delete(INSTANCE_PROFILES, &key(name));
        Ok(None)
    })
}

pub(super) fn tag(request: &Request<'_>) -> Answer {
    let name = request.required(NAME_KEY, &LONG_NAME)?;
    let tags = tags::given(&request.parameters)?;
    edit(request, name, |_, profile| tags::add(&mut profile.tags, tags))
}

pub(super) fn untag(request: &Request<'_>) -> Answer {
    let name = request.required(NAME_KEY, &LONG_NAME)?;
    edit(request, name, |_, profile| tags::remove(&mut profile.tags, &request.parameters))
}

pub(super) fn list_tags(request: &Request<'_>) -> Answer {
    let name = request.required(NAME_KEY, &LONG_NAME)?;
    request.transact(|transaction| {
        tags::list(&request.parameters, &InstanceProfile::find(transaction, name)?.tags).map(Some)
    })
}
