//! The role as IAM has it: what is asked about it, and what is written to it.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::time::Duration;

use aws_sdk_iam::types::Tag;

use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found, sent};
use crate::engine::{Cause, Owner, Progress, Result};
use crate::iam_document::Document;
use crate::resource::{Shared, Tags};

/// The inline policy that is ours.
const POLICY: &str = "pipeline";

/// How long IAM may take until all of it has seen what was just made. It is mostly seconds.
pub(super) const PROPAGATION: Duration = Duration::from_secs(120);

/// A role's name, with the means to ask and tell IAM about it.
#[derive(Debug)]
pub(super) struct RemoteRole {
    pub(super) context: Shared,
    pub(super) name: String,
}

/// A role as GetRole tells it.
#[derive(Debug)]
pub(super) struct RoleSeen {
    pub(super) arn: String,
    pub(super) trust: Document,
    pub(super) owner: Owner,
}

impl RemoteRole {
    /// The ARN of a role of this name that has no path; ours have none.
    pub(super) fn arn(&self) -> String {
        let clients = &self.context.clients;
        format!("arn:{}:iam::{}:role/{}", clients.partition, clients.account, self.name)
    }

    pub(super) async fn look(&self) -> Result<Option<RoleSeen>> {
        let reply = found(self.iam().get_role().role_name(&self.name).send().await)?;
        let Some(role) = reply.and_then(|reply| reply.role) else { return Ok(None) };
        let trust = Document::parse(role.assume_role_policy_document().unwrap_or_default())?;
        let owner = owner(&self.context.tags, role.tags());
        Ok(Some(RoleSeen { arn: role.arn, trust, owner }))
    }

    /// Makes it, with our tags, and returns its ARN once IAM shows it.
    pub(super) async fn create(&self, trust: &Document, progress: &Progress) -> Result<String> {
        let request = self.iam().create_role().role_name(&self.name).assume_role_policy_document(trust.to_string());
        let tags = iam_tags(self.context.tags.for_creation())?;
        match sent(request.set_tags(Some(tags)).send().await) {
            Ok(_) => {}
            // A call whose answer was lost is made again, and then meets its own work.
            Err(failure) if failure.is("EntityAlreadyExists") => {
                if let Some(Owner::Foreign(why)) = self.look().await?.map(|role| role.owner) {
                    return Err(format!("a role of that name was made just now, and {why}; plan again").into());
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        let judge = |seen: &Option<RoleSeen>| match seen {
            Some(_) => Look::Settled,
            None => Look::Pending("not yet visible".to_owned()),
        };
        let seen = wait_until(PROPAGATION, |state| progress.note(state), || self.look(), judge).await?;
        Ok(seen.map_or_else(|| self.arn(), |role| role.arn))
    }

    /// Replaces the trust policy of the role, whose ARN that is.
    pub(super) async fn write_trust(&self, trust: &Document, arn: &str, progress: &Progress) -> Result<()> {
        let text = trust.to_string();
        // IAM takes a role for a principal only some seconds after it was made.
        let early = |failure: &Failure| {
            let message = &failure.message;
            is_malformed(failure) && message.contains("Invalid principal") && message.contains(arn)
        };
        let request = self.iam().update_assume_role_policy().role_name(&self.name).policy_document(text);
        once_propagated(progress, early, || async { sent(request.clone().send().await) }).await?;
        Ok(())
    }

    /// Our inline policy, where it has one.
    pub(super) async fn policy(&self) -> Result<Option<Document>> {
        let request = self.iam().get_role_policy().role_name(&self.name).policy_name(POLICY);
        let Some(reply) = found(request.send().await)? else { return Ok(None) };
        Ok(Some(Document::parse(reply.policy_document())?))
    }

    /// Puts our inline policy, or removes it where it isn't wanted.
    pub(super) async fn write_policy(&self, policy: Option<&Document>) -> Result<()> {
        let Some(policy) = policy else { return self.delete_policy(POLICY).await };
        let request = self.iam().put_role_policy().role_name(&self.name).policy_name(POLICY);
        sent(request.policy_document(policy.to_string()).send().await)?;
        Ok(())
    }

    pub(super) async fn delete_policy(&self, policy: &str) -> Result<()> {
        found(self.iam().delete_role_policy().role_name(&self.name).policy_name(policy).send().await)?;
        Ok(())
    }

    /// The names of all its inline policies.
    pub(super) async fn policies(&self) -> Result<Vec<String>> {
        let pages = self.iam().list_role_policies().role_name(&self.name).into_paginator();
        Ok(found(pages.items().send().try_collect().await)?.unwrap_or_default())
    }

    /// The ARNs of the managed policies that are attached to it.
    pub(super) async fn attached(&self) -> Result<BTreeSet<String>> {
        let pages = self.iam().list_attached_role_policies().role_name(&self.name).into_paginator();
        let policies = found(pages.items().send().try_collect().await)?.unwrap_or_default();
        Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    pub(super) async fn attach(&self, policy: &str) -> Result<()> {
        sent(self.iam().attach_role_policy().role_name(&self.name).policy_arn(policy).send().await)?;
        Ok(())
    }

    pub(super) async fn detach(&self, policy: &str) -> Result<()> {
        found(self.iam().detach_role_policy().role_name(&self.name).policy_arn(policy).send().await)?;
        Ok(())
    }

    /// The names of the instance profiles that hold it.
    pub(super) async fn instance_profiles(&self) -> Result<Vec<String>> {
        let pages = self.iam().list_instance_profiles_for_role().role_name(&self.name).into_paginator();
        let profiles = found(pages.items().send().try_collect().await)?.unwrap_or_default();
        Ok(profiles.into_iter().map(|profile| profile.instance_profile_name).collect())
    }

    /// Deletes it, bare as it must be by now, and returns once IAM shows it no more.
    pub(super) async fn delete(&self, progress: &Progress) -> Result<()> {
        found(self.iam().delete_role().role_name(&self.name).send().await)?;
        let judge = |seen: &Option<RoleSeen>| match seen {
            None => Look::Settled,
            Some(_) => Look::Pending("still visible".to_owned()),
        };
        wait_until(PROPAGATION, |state| progress.note(state), || self.look(), judge).await?;
        Ok(())
    }

    fn iam(&self) -> &aws_sdk_iam::Client {
        &self.context.clients.iam
    }
}

/// Whether IAM would not have a policy document as it is.
pub(super) fn is_malformed(failure: &Failure) -> bool {
    failure.is("MalformedPolicyDocument")
}

/// Whose a thing of IAM's is.
pub(super) fn owner(ours: &Tags, tags: &[Tag]) -> Owner {
    ours.owner(tags.iter().map(|tag| (tag.key(), tag.value())))
}

/// Tags as IAM's requests have them.
pub(super) fn iam_tags(tags: HashMap<String, String>) -> Result<Vec<Tag>> {
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    Ok(tags.collect::<std::result::Result<_, _>>()?)
}

/// What a call answers once it no longer fails only because IAM has not yet seen everywhere what was just made.
pub(super) async fn once_propagated<T, F>(
    progress: &Progress,
    early: impl Fn(&Failure) -> bool + Send + Sync,
    mut call: impl FnMut() -> F + Send,
) -> Result<T>
where
    T: Send,
    F: Future<Output = std::result::Result<T, Failure>> + Send,
{
    let attempt = || {
        let answer = call();
        async { Ok::<_, Cause>(answer.await) }
    };
    let judge = |answer: &std::result::Result<T, Failure>| match answer {
        Err(failure) if early(failure) => Look::Pending(format!("refused ({failure})")),
        _ => Look::Settled,
    };
    let note = |_: &str| progress.note("waiting until all of IAM has seen it");
    Ok(wait_until(PROPAGATION, note, attempt, judge).await??)
}
