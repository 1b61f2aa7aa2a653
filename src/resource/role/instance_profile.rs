//! The instance profile of the role's name, through which EC2 instances work as the role.

use crate::aws::{Failure, found, sent};
use crate::engine::{Owner, Progress, Result};
use crate::resource::Shared;

use super::remote::{iam_tags, once_propagated, owner};

/// An instance profile that is to hold the role of its own name, and nothing else.
#[derive(Debug)]
pub(super) struct InstanceProfile {
    pub(super) context: Shared,
    pub(super) name: String,
}

/// An instance profile as IAM tells it.
#[derive(Debug)]
pub(super) struct ProfileSeen {
    pub(super) owner: Owner,
    /// The roles in it; IAM allows one.
    pub(super) roles: Vec<String>,
}

impl InstanceProfile {
    pub(super) async fn look(&self) -> Result<Option<ProfileSeen>> {
        let reply = found(self.iam().get_instance_profile().instance_profile_name(&self.name).send().await)?;
        let profile = reply.and_then(|reply| reply.instance_profile);
        Ok(profile.map(|profile| ProfileSeen {
            owner: owner(&self.context.tags, profile.tags()),
            roles: profile.roles().iter().map(|role| role.role_name().to_owned()).collect(),
        }))
    }

    /// Why one of that name which is somebody else's stops us; ends in what to do.
    pub(super) fn in_the_way(&self, why: &str) -> String {
        let name = &self.name;
        format!(
            "there is an instance profile {name} that is not this pipeline's ({why}); delete it, or rename the role"
        )
    }

    /// What is there, unless that is somebody else's.
    ///
    /// # Errors
    /// Where it is.
    pub(super) async fn look_at_ours(&self) -> Result<Option<ProfileSeen>> {
        let seen = self.look().await?;
        match seen.as_ref().map(|profile| &profile.owner) {
            Some(Owner::Foreign(why)) => Err(self.in_the_way(why).into()),
            _ => Ok(seen),
        }
    }

    /// Makes it, or what is missing of it.
    pub(super) async fn ensure(&self, progress: &Progress) -> Result<()> {
        let roles = match self.look_at_ours().await? {
            Some(profile) => profile.roles,
            None => {
                let tags = iam_tags(self.context.tags.for_creation())?;
                let request = self.iam().create_instance_profile().instance_profile_name(&self.name);
                match sent(request.set_tags(Some(tags)).send().await) {
                    Ok(_) => Vec::new(),
                    // A call whose answer was lost is made again, and then meets its own work.
                    Err(failure) if failure.is("EntityAlreadyExists") => {
                        self.look_at_ours().await?.map(|profile| profile.roles).unwrap_or_default()
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
        };
        for other in roles.iter().filter(|role| **role != self.name) {
            self.let_go(other).await?;
        }
        if roles.contains(&self.name) {
            return Ok(());
        }
        let request = self.iam().add_role_to_instance_profile().instance_profile_name(&self.name).role_name(&self.name);
        let added =
            once_propagated(progress, Failure::is_absent, || async { sent(request.clone().send().await) }).await;
        match added {
            Ok(_) => Ok(()),
            // There is room for one role. A call whose answer was lost has put ours there.
            Err(cause) => match self.look().await? {
                Some(profile) if profile.roles.contains(&self.name) => Ok(()),
                _ => Err(cause),
            },
        }
    }

    /// Removes it, where it is ours; one of somebody else's is left alone.
    pub(super) async fn remove(&self) -> Result<()> {
        let Some(ProfileSeen { owner: Owner::Ours, roles }) = self.look().await? else { return Ok(()) };
        for role in &roles {
            self.let_go(role).await?;
        }
        found(self.iam().delete_instance_profile().instance_profile_name(&self.name).send().await)?;
        Ok(())
    }

    async fn let_go(&self, role: &str) -> Result<()> {
        let request = self.iam().remove_role_from_instance_profile().instance_profile_name(&self.name);
        found(request.role_name(role).send().await)?;
        Ok(())
    }

    fn iam(&self) -> &aws_sdk_iam::Client {
        &self.context.clients.iam
    }
}
