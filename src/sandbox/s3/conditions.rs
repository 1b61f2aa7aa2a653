//! Conditions: `If-Match` and its kin, on reads and on writes.

use s3s::dto::{ETag, ETagCondition, Timestamp};

use super::records::{Object, timestamp};
use crate::sandbox::call::Refusal;

/// The conditions of a read.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Holds them against what is there. As RFC 9110 has it, a time doesn't count where there is an entity tag.
    ///
    /// # Errors
    /// 412 where the object isn't the one that is wanted, 304 where it is the one that the caller has.
    pub(super) fn check(&self, object: &Object) -> Result<(), Refusal> {
        // HTTP's times are whole seconds.
        let modified = timestamp(object.modified / 1000 * 1000);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) if !is(wanted, object) => return Err(failed()),
            (None, Some(since)) if modified > *since => return Err(failed()),
            _ => {}
        }
        let not_modified = Refusal::new(304, "NotModified", "Not Modified");
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(unwanted), _) if is(unwanted, object) => Err(not_modified),
            (None, Some(since)) if modified <= *since => Err(not_modified),
            _ => Ok(()),
        }
    }
}

/// The conditions of a write.
///
/// # Errors
/// 412 where they don't hold, 404 where there is no object for `If-Match` to hold of.
pub(super) fn check_write(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
    present: Option<&Object>,
) -> Result<(), Refusal> {
    if let Some(wanted) = if_match {
        match present {
            Some(object) if is(wanted, object) => {}
            Some(_) => return Err(failed()),
            None => return Err(super::objects::no_such_key()),
        }
    }
    match if_none_match {
        Some(ETagCondition::Any) if present.is_some() => Err(failed()),
        Some(ETagCondition::ETag(_)) => {
            let message = "A header you provided implies functionality that is not implemented";
            Err(Refusal::new(501, "NotImplemented", message))
        }
        _ => Ok(()),
    }
}

fn is(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => ETag::value(tag) == object.etag,
    }
}

/// A condition that doesn't hold.
pub(super) fn failed() -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    Refusal::new(412, "PreconditionFailed", message)
}
