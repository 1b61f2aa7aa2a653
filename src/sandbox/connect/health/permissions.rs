//! What the service execution role has to grant
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-service-execution-role.html> and the S3 sink's
//! <https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html>).

use super::{Finding, StateDescription, Subject};
use crate::sandbox::iam;
use crate::sandbox::world::World;

impl Subject<'_> {
    fn uses_iam(&self) -> bool {
        self.connector.fixed.authentication == "IAM"
    }

    /// What every worker needs: to connect, its own topics, its own groups.
    pub(super) fn check_worker_permissions(&self) -> Finding {
        if !self.uses_iam() {
            return Ok(());
        }
        self.require(&["kafka-cluster:Connect", "kafka-cluster:DescribeCluster"], &self.cluster.arn)?;
        let id = self.connector.arn.rsplit('/').next().unwrap_or_default();
        for purpose in ["configs", "offsets", "status"] {
            let topic = format!("__amazon_msk_connect_{purpose}_{}_{id}", self.connector.name);
            self.require(
                &[
                    "kafka-cluster:CreateTopic",
                    "kafka-cluster:WriteData",
                    "kafka-cluster:ReadData",
                    "kafka-cluster:DescribeTopic",
                ],
                &self.cluster.arn_of("topic", &topic),
            )?;
        }
        self.require_group(&format!("__amazon_msk_connect_{}_{id}", self.connector.name))
    }

    /// What a sink needs of the topics that it reads, and of the one for what it can't handle.
    pub(super) fn check_topic_permissions(&self, topics: &[String]) -> Finding {
        if !self.uses_iam() {
            return Ok(());
        }
        self.require_group(&format!("connect-{}", self.connector.name))?;
        for topic in topics {
            let arn = self.cluster.arn_of("topic", topic);
            self.require(&["kafka-cluster:ReadData", "kafka-cluster:DescribeTopic"], &arn)?;
        }
        let Some(topic) = self.dead_letter_topic() else { return Ok(()) };
        self.require(
            &["kafka-cluster:CreateTopic", "kafka-cluster:WriteData", "kafka-cluster:DescribeTopic"],
            &self.cluster.arn_of("topic", topic),
        )
    }

    fn require_group(&self, group: &str) -> Finding {
        let actions = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"];
        self.require(&actions, &self.cluster.arn_of("group", group))
    }

    /// What the S3 sink needs of its bucket, and of the objects that it writes.
    pub(super) fn check_bucket_permissions(&self) -> Finding {
        let bucket = format!("arn:aws:s3:::{}", self.get("s3.bucket.name").unwrap_or_default());
        self.require(&["s3:ListBucket", "s3:GetBucketLocation"], &bucket)?;
        let folder = match self.settings.configuration.get("topics.dir").map(|folder| folder.trim()) {
            None => "topics/".to_owned(),
            Some("") => String::new(),
            Some(folder) => format!("{folder}/"),
        };
        let object = format!("{bucket}/{folder}topic/partition=0/topic+0+0000000000.json");
        self.require(&["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], &object)
    }

    fn require(&self, actions: &[&str], resource: &str) -> Finding {
        require(self.world, &self.connector.fixed.role, actions, resource)
    }
}

/// Wants a role to allow some actions on a resource.
pub(in crate::sandbox::connect) fn require(world: &World, role: &str, actions: &[&str], resource: &str) -> Finding {
    let denied: Vec<&str> =
        actions.iter().copied().filter(|action| !iam::role_allows(world, role, action, resource)).collect();
    if denied.is_empty() {
        return Ok(());
    }
    Err(StateDescription::new(
        "InvalidInput.InsufficientPermissions",
        format!("Access denied: the service execution role {role} must allow {} on {resource}.", denied.join(", ")),
    ))
}
