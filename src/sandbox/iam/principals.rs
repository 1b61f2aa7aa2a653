//! Who a trust policy names. IAM keeps unique ids in the places of this account's users and roles: a user or role that
//! was deleted and made again is another one, and the policy then shows the id of the old one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::documents::invalid_principal;
use super::entities::{ROLES, Role, User};
use super::roles;
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis, Settings, now};

/// The users and roles that exist now, by ARN and by unique id.
pub(super) struct Directory {
    ids: BTreeMap<String, String>,
    arns: BTreeMap<String, String>,
}

impl Directory {
    /// The present users and roles: how policies are shown.
    pub(super) fn of(transaction: &Transaction<'_>) -> Self {
        Self::until(transaction, Millis::MAX)
    }

    /// Those of them that all of IAM has heard of by now: how policies are taken. A new one can't be named at once, not
    /// even by itself.
    pub(super) fn known(transaction: &Transaction<'_>, settings: &Settings) -> Self {
        Self::until(transaction, now().saturating_sub(roles::propagation(settings)))
    }

    fn until(transaction: &Transaction<'_>, moment: Millis) -> Self {
        let roles = transaction.list::<Role>(ROLES).into_iter();
        let roles = roles.filter(|(_, role)| role.created <= moment).map(|(_, role)| (role.arn, role.id));
        let users = User::all(transaction).into_iter();
        let users = users.filter(|(_, user)| user.created <= moment).map(|(_, user)| (user.arn, user.id));
        let ids: BTreeMap<String, String> = roles.chain(users).collect();
        let arns = ids.iter().map(|(arn, id)| (id.clone(), arn.clone())).collect();
        Self { ids, arns }
    }

    /// A trust policy as it is kept.
    ///
    /// # Errors
    /// `MalformedPolicyDocument` where it names someone who does not exist.
    pub(super) fn kept(&self, document: &str) -> Result<String, Refusal> {
        rewrite(document, |name| self.keep(name))
    }

    /// A kept trust policy as it is shown.
    pub(super) fn shown(&self, document: &str) -> String {
        let shown = rewrite(document, |name| Ok::<_, Refusal>(self.show(name)));
        shown.unwrap_or_else(|_| document.to_owned())
    }

    fn keep(&self, name: &str) -> Result<String, Refusal> {
        let invalid = || invalid_principal("AWS", name);
        if name == "*" || self.arns.contains_key(name) {
            return Ok(name.to_owned());
        }
        if is_account(name) {
            return Ok(format!("arn:aws:iam::{name}:root"));
        }
        let (service, account, resource) = parts(name).ok_or_else(invalid)?;
        if !is_account(account) || resource.contains(['*', '?']) {
            return Err(invalid());
        }
        match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => Ok(name.to_owned()),
            ("iam", Some(("user" | "role", _))) if account == ACCOUNT => {
                self.ids.get(name).cloned().ok_or_else(invalid)
            }
            ("iam", Some(("user" | "role", rest))) if !rest.is_empty() => Ok(name.to_owned()),
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(invalid)?;
                if account == ACCOUNT {
                    let id = self.role_id(role).ok_or_else(invalid)?;
                    return Ok(format!("{id}:{session}"));
                }
                Ok(name.to_owned())
            }
            ("sts", Some(("federated-user", rest))) if !rest.is_empty() => Ok(name.to_owned()),
            _ => Err(invalid()),
        }
    }

    /// A session's ARN has the name of its role, without the path.
    fn role_id(&self, role: &str) -> Option<&String> {
        let suffix = format!("/{role}");
        let is_role = |arn: &str| arn.contains(":role/") && arn.ends_with(&suffix);
        self.ids.iter().find(|(arn, _)| is_role(arn)).map(|(_, id)| id)
    }

    fn show(&self, name: &str) -> String {
        if let Some(arn) = self.arns.get(name) {
            return arn.clone();
        }
        let session = name.split_once(':').and_then(|(id, session)| Some((self.arns.get(id)?, session)));
        session.map_or_else(
            || name.to_owned(),
            |(arn, session)| {
                let role = super::identifiers::name_of(arn);
                format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}")
            },
        )
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

/// The service, account and resource of the ARN of a principal, which has no region.
fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", "aws" | "aws-cn" | "aws-us-gov", service, "", account, resource] => Some((service, account, resource)),
        _ => None,
    }
}

/// Passes every AWS principal of a document through `change`. Like IAM, it leaves lists of principals without
/// duplicates, in an order of its own, and a list of one as a single text.
fn rewrite(document: &str, change: impl Fn(&str) -> Result<String, Refusal>) -> Result<String, Refusal> {
    let Ok(mut document) = serde_json::from_str::<Value>(document) else { return Ok(document.to_owned()) };
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements {
        for element in ["Principal", "NotPrincipal"] {
            let Some(kinds) = statement.get_mut(element).and_then(Value::as_object_mut) else { continue };
            for (kind, names) in kinds {
                *names = rewrite_names(names, |name| if kind == "AWS" { change(name) } else { Ok(name.to_owned()) })?;
            }
        }
    }
    Ok(document.to_string())
}

fn rewrite_names(names: &Value, change: impl Fn(&str) -> Result<String, Refusal>) -> Result<Value, Refusal> {
    let names = match names {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let mut names = names.into_iter().filter_map(Value::as_str).map(change).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    names.dedup();
    Ok(match names.len() {
        1 => Value::from(names.remove(0)),
        _ => Value::from(names),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn directory(entities: &[(&str, &str)]) -> Directory {
        let ids: BTreeMap<String, String> =
            entities.iter().map(|(arn, id)| ((*arn).to_owned(), (*id).to_owned())).collect();
        let arns = ids.iter().map(|(arn, id)| (id.clone(), arn.clone())).collect();
        Directory { ids, arns }
    }

    fn document(aws: Value) -> String {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": aws}}}).to_string()
    }

    const ROLE: &str = "arn:aws:iam::000000000000:role/path/r";

    #[test]
    fn this_accounts_entities_are_kept_by_id_and_shown_by_arn() {
        let session = "arn:aws:sts::000000000000:assumed-role/r/s";
        let directory = directory(&[(ROLE, "AROAONE")]);
        let kept = directory.kept(&document(json!([session, ROLE, ROLE]))).unwrap();
        assert_eq!(kept, document(json!(["AROAONE", "AROAONE:s"])));
        assert_eq!(directory.shown(&kept), document(json!([ROLE, session])));
    }

    #[test]
    fn an_entity_that_was_made_again_is_another_one() {
        let kept = directory(&[(ROLE, "AROAONE")]).kept(&document(json!(ROLE))).unwrap();
        let later = directory(&[(ROLE, "AROATWO")]);
        assert_eq!(later.shown(&kept), document(json!("AROAONE")));
        let refusal = later.kept(&later.shown(&kept)).unwrap_err();
        assert_eq!(refusal.message, "Invalid principal in policy: \"AWS\":\"AROAONE\"");
    }

    #[test]
    fn accounts_and_foreigners_are_accepted_as_they_are() {
        let directory = directory(&[]);
        for (given, kept) in [
            (json!("*"), json!("*")),
            (json!(["123456789012"]), json!("arn:aws:iam::123456789012:root")),
            (json!("arn:aws:iam::123456789012:user/a/b"), json!("arn:aws:iam::123456789012:user/a/b")),
            (json!("arn:aws:iam::000000000000:root"), json!("arn:aws:iam::000000000000:root")),
        ] {
            assert_eq!(directory.kept(&document(given)).unwrap(), document(kept));
        }
    }

    #[test]
    fn whoever_does_not_exist_is_refused() {
        let directory = directory(&[(ROLE, "AROAONE")]);
        for name in [
            "arn:aws:iam::000000000000:role/r",
            "arn:aws:iam::000000000000:user/nobody",
            "arn:aws:sts::000000000000:assumed-role/x/s",
            "arn:aws:sts::000000000000:assumed-role/r",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::12345:root",
            "arn:aws:iam::123456789012:group/g",
            "AROAGONE",
            "somebody",
            "",
        ] {
            let refusal = directory.kept(&document(json!(name))).unwrap_err();
            assert_eq!(refusal.message, format!("Invalid principal in policy: \"AWS\":\"{name}\""));
        }
    }
}
