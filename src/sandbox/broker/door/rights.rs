//! What a request needs to be allowed. At the listener of IAM, policies decide
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html>); at the others everybody may do
//! everything, as long as a cluster has no ACLs.
//!
//! Policies are looked at once for each request, so that one that was changed counts from the next request on.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::Session;
use super::caller::Caller;
use crate::sandbox::iam::{Context, Denial, Grants};
use crate::sandbox::kafka::{self, Cluster};
use crate::sandbox::world::World;

/// What a request does to something, as MSK calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    AlterGroup,
    AlterTopic,
    AlterTopicDynamicConfiguration,
    CreateTopic,
    DeleteGroup,
    DeleteTopic,
    DescribeCluster,
    DescribeClusterDynamicConfiguration,
    DescribeGroup,
    DescribeTopic,
    DescribeTopicDynamicConfiguration,
    DescribeTransactionalId,
    ReadData,
    WriteData,
    WriteDataIdempotently,
}

/// What an action is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cluster,
    Topic,
    Group,
    TransactionalId,
}

impl Action {
    fn kind(self) -> Kind {
        match self {
            Self::DescribeCluster | Self::DescribeClusterDynamicConfiguration | Self::WriteDataIdempotently => {
                Kind::Cluster
            }
            Self::AlterTopic
            | Self::AlterTopicDynamicConfiguration
            | Self::CreateTopic
            | Self::DeleteTopic
            | Self::DescribeTopic
            | Self::DescribeTopicDynamicConfiguration
            | Self::ReadData
            | Self::WriteData => Kind::Topic,
            Self::AlterGroup | Self::DeleteGroup | Self::DescribeGroup => Kind::Group,
            Self::DescribeTransactionalId => Kind::TransactionalId,
        }
    }

    /// The action of the same resource that MSK's table requires with it, if any. `Connect` was asked for at the login.
    fn required(self) -> Option<Self> {
        match self {
            Self::AlterTopic | Self::DeleteTopic | Self::ReadData | Self::WriteData => Some(Self::DescribeTopic),
            Self::AlterTopicDynamicConfiguration => Some(Self::DescribeTopicDynamicConfiguration),
            Self::AlterGroup | Self::DeleteGroup => Some(Self::DescribeGroup),
            _ => None,
        }
    }

    fn name(self) -> String {
        format!("kafka-cluster:{self:?}")
    }
}

/// What who sent a request may do.
pub(super) struct Rights<'s> {
    session: &'s Session,
    api: ApiKey,
    /// The ARN of the caller and what policies say of it; none where nothing is asked.
    grants: Option<(&'s str, Grants)>,
}

impl Session {
    /// What who is logged in may do, as policies are now.
    pub(super) fn rights(&self, api: ApiKey) -> Rights<'_> {
        let grants = match self.login.caller() {
            Some(Caller::Iam(arn)) => {
                Some((arn.as_str(), Grants::of(&self.world, arn, &context(&self.world, &self.broker.cluster))))
            }
            _ => None,
        };
        Rights { session: self, api, grants }
    }
}

impl Rights<'_> {
    /// Sees that an action on something of that name is allowed; the cluster needs none.
    ///
    /// # Errors
    /// Kafka's code of what the action is on.
    pub(super) fn check(&self, action: Action, name: &str) -> Result<(), ResponseError> {
        let Some((caller, action, resource, denial)) = self.lacking(action, name) else { return Ok(()) };
        let why = sentence(caller, &action.name(), &resource, denial);
        self.session.note(&format!("{:?}", self.api), String::new(), why, Some((action.name(), resource)));
        Err(match action.kind() {
            Kind::Cluster => ResponseError::ClusterAuthorizationFailed,
            Kind::Topic => ResponseError::TopicAuthorizationFailed,
            Kind::Group => ResponseError::GroupAuthorizationFailed,
            Kind::TransactionalId => ResponseError::TransactionalIdAuthorizationFailed,
        })
    }

    /// The same for the cluster itself.
    ///
    /// # Errors
    /// `ClusterAuthorizationFailed`.
    pub(super) fn check_cluster(&self, action: Action) -> Result<(), ResponseError> {
        self.check(action, "")
    }

    /// Whether an action is allowed, where it isn't a refusal if it isn't: in a list, what can't be seen is left out.
    pub(super) fn has(&self, action: Action, name: &str) -> bool {
        self.lacking(action, name).is_none()
    }

    /// The first that isn't allowed of an action and what it requires.
    fn lacking(&self, action: Action, name: &str) -> Option<(&str, Action, String, Denial)> {
        let (caller, grants) = self.grants.as_ref()?;
        let cluster = &self.session.broker.cluster;
        let resource = match action.kind() {
            Kind::Cluster => cluster.arn.clone(),
            Kind::Topic => cluster.arn_of("topic", name),
            Kind::Group => cluster.arn_of("group", name),
            Kind::TransactionalId => cluster.arn_of("transactional-id", name),
        };
        let needed = [action.required(), Some(action)].into_iter().flatten();
        let denied = |needed: Action| Some((needed, grants.denial(&needed.name(), &resource)?));
        let (action, denial) = needed.filter_map(denied).next()?;
        Some((*caller, action, resource, denial))
    }
}

/// What conditions may ask about a request to a cluster: its region, and the cluster's tags.
pub(super) fn context(world: &World, cluster: &Cluster) -> Context {
    let context = Context::default().with("aws:RequestedRegion", &cluster.region);
    kafka::tags_of(world, cluster)
        .iter()
        .fold(context, |context, (key, value)| context.with(&format!("aws:ResourceTag/{key}"), value))
}

/// AWS's sentence about a right that a caller lacks.
pub(super) fn sentence(caller: &str, action: &str, resource: &str, denial: Denial) -> String {
    format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {}", denial.why(action))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
