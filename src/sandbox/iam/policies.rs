//! Managed policies: the account's own, and a few of AWS's.

use serde::{Deserialize, Serialize};

use super::documents::{Document, Kind};
use super::entities::{ROLES, Role};
use super::identifiers::{arn, encoded, timestamp, unique};
use super::page::Page;
use super::refusals::{already_exists, delete_conflict, invalid_input, limit_exceeded, no_such_entity};
use super::rules::{ARN, DOCUMENT, LONG_NAME, PATH_PREFIX, POLICY_DESCRIPTION, POLICY_PATH};
use super::tags::{self, Tag};
use super::{Answer, Request, aws_managed, documents};
use crate::sandbox::call::Refusal;
use crate::sandbox::query::Xml;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, now};

/// The table of the account's own managed policies, by ARN.
pub(super) const POLICIES: &str = "iam/policies";
/// Non-blank characters of a managed policy.
const SIZE_QUOTA: usize = 6144;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) created: Millis,
    pub(super) updated: Millis,
    pub(super) tags: Vec<Tag>,
    /// Oldest first.
    pub(super) versions: Vec<Version>,
    /// The id of the version that counts.
    pub(super) default: String,
    /// The number of the newest version that ever was: numbers are not used twice.
    pub(super) newest: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    /// `v1`
    pub(super) id: String,
    pub(super) document: String,
    pub(super) created: Millis,
}

impl Policy {
    /// A policy by its ARN, of this account or of AWS, where it exists.
    pub(super) fn lookup(transaction: &Transaction<'_>, arn: &str) -> Option<Self> {
        let of_aws = || aws_managed::all().iter().find(|policy| policy.arn == arn).cloned();
        transaction.get(POLICIES, arn).or_else(of_aws)
    }

    /// A policy by its ARN.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub(super) fn find(transaction: &Transaction<'_>, arn: &str) -> Result<Self, Refusal> {
        Self::lookup(transaction, arn).ok_or_else(|| not_found(arn))
    }

    /// The document that counts.
    pub(super) fn document(&self) -> Option<&str> {
        self.versions.iter().find(|version| version.id == self.default).map(|version| version.document.as_str())
    }

    pub(super) fn is_of_aws(&self) -> bool {
        self.arn.starts_with("arn:aws:iam::aws:")
    }
}

/// AWS's refusal of a policy that isn't there.
pub(super) fn not_found(arn: &str) -> Refusal {
    no_such_entity(format!("Policy {arn} was not found."))
}

/// Holds the ARN of a policy against the form of ARNs.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_arn(arn: &str) -> Result<(), Refusal> {
    let is_arn = arn.starts_with("arn:") && arn.splitn(6, ':').count() == 6;
    if is_arn { Ok(()) } else { Err(invalid_input(format!("ARN {arn} is not valid."))) }
}

/// The ARN that a call is about.
pub(super) fn arn_of<'a>(request: &'a Request<'_>) -> Result<&'a str, Refusal> {
    let arn = request.required("PolicyArn", &ARN)?;
    check_arn(arn)?;
    Ok(arn)
}

/// Holds a document against the grammar and its quota.
pub(super) fn check_document(document: &str) -> Result<(), Refusal> {
    Document::parse(document, Kind::Identity)?;
    if documents::size(document) > SIZE_QUOTA {
        return Err(limit_exceeded(format!("Cannot exceed quota for PolicySize: {SIZE_QUOTA}")));
    }
    Ok(())
}

/// How often the account's roles use each policy.
struct Usage(Vec<Role>);

impl Usage {
    fn of(transaction: &Transaction<'_>) -> Self {
        Self(transaction.list(ROLES).into_iter().map(|(_, role)| role).collect())
    }

    fn attached(&self, arn: &str) -> usize {
        self.0.iter().filter(|role| role.attached.contains(arn)).count()
    }

    fn boundary(&self, arn: &str) -> usize {
        self.0.iter().filter(|role| role.boundary.as_deref() == Some(arn)).count()
    }
}

fn write(xml: &mut Xml, policy: &Policy, usage: &Usage) {
    xml.text("PolicyName", &policy.name)
        .text("PolicyId", &policy.id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text("DefaultVersionId", &policy.default)
        .text("AttachmentCount", usage.attached(&policy.arn))
        .text("PermissionsBoundaryUsageCount", usage.boundary(&policy.arn))
        .text("IsAttachable", true)
        .text("CreateDate", timestamp(policy.created))
        .text("UpdateDate", timestamp(policy.updated));
}

/// Lists leave out the description and the tags.
fn described(policy: &Policy, usage: &Usage) -> Xml {
    Xml::of("Policy", |xml| {
        write(xml, policy, usage);
        xml.optional("Description", policy.description.as_ref());
        tags::write(xml, &policy.tags);
    })
}

pub(super) fn create(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let name = reader.required("PolicyName", &LONG_NAME);
    let document = reader.required("PolicyDocument", &DOCUMENT);
    let path = reader.optional("Path", &POLICY_PATH).unwrap_or("/");
    let description = reader.optional("Description", &POLICY_DESCRIPTION);
    reader.finish()?;
    let tags = tags::given(&request.parameters)?;
    check_document(document)?;
    let created = now();
    let first = Version { id: "v1".to_owned(), document: document.to_owned(), created };
    let policy = Policy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique("ANPA"),
        arn: arn("policy", path, name),
        description: description.map(str::to_owned),
        created,
        updated: created,
        tags,
        default: first.id.clone(),
        versions: vec![first],
        newest: 1,
    };
    request.transact(|transaction| {
        let mut existing = transaction.list::<Policy>(POLICIES).into_iter();
        if existing.any(|(_, other)| other.name.eq_ignore_ascii_case(name)) {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(already_exists(message));
        }
        transaction.put(POLICIES, &policy.arn, &policy)?;
        Ok(Some(described(&policy, &Usage::of(transaction))))
    })
}

pub(super) fn get(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    request.transact(|transaction| {
        let policy = Policy::find(transaction, arn)?;
        Ok(Some(described(&policy, &Usage::of(transaction))))
    })
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let mut reader = request.parameters.reader();
    let prefix = reader.optional("PathPrefix", &PATH_PREFIX).unwrap_or("/");
    let scope = reader.choice("Scope", &["All", "AWS", "Local"]).unwrap_or("All");
    let usage_filter = reader.choice("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"]);
    reader.finish()?;
    let only_attached = request.parameters.flag("OnlyAttached");
    request.transact(|transaction| {
        let usage = Usage::of(transaction);
        let mut policies = transaction.list::<Policy>(POLICIES);
        policies.extend(aws_managed::all().iter().map(|policy| (policy.arn.clone(), policy.clone())));
        policies.retain(|(arn, policy)| {
            let used = match usage_filter {
                Some("PermissionsBoundary") => usage.boundary(arn) > 0,
                Some(_) => usage.attached(arn) > 0,
                None => !only_attached || usage.attached(arn) > 0,
            };
            let in_scope = scope == "All" || (scope == "AWS") == policy.is_of_aws();
            used && in_scope && policy.path.starts_with(prefix)
        });
        policies.sort_by(|(left, _), (right, _)| left.cmp(right));
        let page = Page::of(&request.parameters, policies)?;
        Ok(Some(page.xml("Policies", |xml, policy| write(xml, &policy, &usage))))
    })
}

/// The roles that use a policy, which must let go of it before it can be deleted.
pub(super) fn list_entities(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    let mut reader = request.parameters.reader();
    let kinds = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
    let filter = reader.choice("EntityFilter", &kinds);
    let usage_filter = reader.choice("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"]);
    reader.finish()?;
    request.transact(|transaction| {
        Policy::find(transaction, arn)?;
        let mut roles = transaction.list::<Role>(ROLES);
        roles.retain(|(_, role)| {
            let attached = usage_filter != Some("PermissionsBoundary") && role.attached.contains(arn);
            let bounded = usage_filter != Some("PermissionsPolicy") && role.boundary.as_deref() == Some(arn);
            filter.is_none_or(|kind| kind == "Role") && (attached || bounded)
        });
        let mut xml = Page::of(&request.parameters, roles)?.xml("PolicyRoles", |xml, role| {
            xml.text("RoleName", role.name).text("RoleId", role.id);
        });
        xml.element("PolicyUsers", |_| ()).element("PolicyGroups", |_| ());
        Ok(Some(xml))
    })
}

/// Changes one of the account's own policies.
pub(super) fn edit<R>(
    request: &Request<'_>,
    arn: &str,
    change: impl FnOnce(&mut Policy) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    request.transact(|transaction| {
        let mut policy = own(request, transaction, arn)?;
        let result = change(&mut policy)?;
        transaction.put(POLICIES, arn, &policy)?;
        Ok(result)
    })
}

fn own(request: &Request<'_>, transaction: &Transaction<'_>, arn: &str) -> Result<Policy, Refusal> {
    let policy = Policy::find(transaction, arn)?;
    if policy.is_of_aws() {
        let (caller, action) = (request.caller, request.operation);
        let message = format!("User: {caller} is not authorized to perform: iam:{action} on resource: policy {arn}");
        return Err(Refusal::new(403, "AccessDenied", message));
    }
    Ok(policy)
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    request.transact(|transaction| {
        let policy = own(request, transaction, arn)?;
        let usage = Usage::of(transaction);
        if usage.attached(arn) + usage.boundary(arn) > 0 {
            return Err(delete_conflict("Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the \
                policy's versions. The default version is deleted with the policy.";
            return Err(delete_conflict(message));
        }
        transaction.delete(POLICIES, arn);
        Ok(None)
    })
}

pub(super) fn tag(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    let tags = tags::given(&request.parameters)?;
    edit(request, arn, |policy| tags::add(&mut policy.tags, tags).map(|()| None))
}

pub(super) fn untag(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    edit(request, arn, |policy| tags::remove(&mut policy.tags, &request.parameters).map(|()| None))
}

pub(super) fn list_tags(request: &Request<'_>) -> Answer {
    let arn = arn_of(request)?;
    request.transact(|transaction| tags::list(&request.parameters, &Policy::find(transaction, arn)?.tags).map(Some))
}

/// Writes the inside of a version.
pub(super) fn write_version(xml: &mut Xml, policy: &Policy, version: &Version, with_document: bool) {
    if with_document {
        xml.text("Document", encoded(&version.document));
    }
    xml.text("VersionId", &version.id)
        .text("IsDefaultVersion", version.id == policy.default)
        .text("CreateDate", timestamp(version.created));
}
