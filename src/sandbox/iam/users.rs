//! Users, as far as trust policies need somebody to name.

use super::entities::{SANDBOX_USER, USERS, User, key};
use super::identifiers::{arn, name_of, timestamp, unique};
use super::page::Page;
use super::refusals::{already_exists, delete_conflict, no_such_entity};
use super::rules::{LONG_NAME, NAME, PATH, PATH_PREFIX};
use super::{Answer, Request, tags};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::Xml;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::now;

fn write(xml: &mut Xml, user: &User) {
    xml.text("Path", &user.path)
        .text("UserName", &user.name)
        .text("UserId", &user.id)
        .text("Arn", &user.arn)
        .text("CreateDate", timestamp(user.created));
}

/// Lists leave out the tags.
fn described(user: &User) -> Xml {
    Xml::of("User", |xml| {
        write(xml, user);
        tags::write(xml, &user.tags);
    })
}

pub(super) fn create(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("UserName", &NAME);
    let path = reader.optional("Path", &PATH).unwrap_or("/");
    reader.finish()?;
    let user = User {
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique("AIDA"),
        arn: arn("user", path, name),
        created: now(),
        tags: tags::given(&request.parameters)?,
    };
    request.transact(|transaction| {
        if key(name) == SANDBOX_USER || transaction.get::<User>(USERS, &key(name)).is_some() {
            return Err(already_exists(format!("User with name {name} already exists.")));
        }
        transaction.put(USERS, &key(name), &user)?;
        Ok(Some(described(&user)))
    })
}

fn find(transaction: &Transaction<'_>, name: &str) -> Result<User, Refusal> {
    User::lookup(transaction, name).ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

/// Without a name: whoever calls.
pub(super) fn get(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.optional("UserName", &LONG_NAME);
    reader.finish()?;
    let name = match name {
        Some(name) => name,
        None if request.caller.contains(":user/") => name_of(request.caller),
        None => {
            let message = "Must specify userName when calling with non-User credentials";
            return Err(Refusal::new(400, "ValidationError", message));
        }
    };
    request.transact(|transaction| Ok(Some(described(&find(transaction, name)?))))
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let prefix = reader.optional("PathPrefix", &PATH_PREFIX).unwrap_or("/");
    reader.finish()?;
    request.transact(|transaction| {
        let mut users = User::all(transaction);
        users.retain(|(_, user)| user.path.starts_with(prefix));
        Ok(Some(Page::of(&request.parameters, users)?.xml("Users", |xml, user| write(xml, &user))))
    })
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let name = request.required("UserName", &NAME)?;
    request.transact(|transaction| {
        find(transaction, name)?;
        if name == SANDBOX_USER {
            // The fixed credentials are that user's.
            return Err(delete_conflict("Cannot delete entity, must delete access keys first."));
        }
        transaction.delete(USERS, &key(name));
        Ok(None)
    })
}
