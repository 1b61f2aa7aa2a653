//! What a request needs to be allowed. At the listener of IAM, policies decide
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html>).

use crate::sandbox::iam::{Context, Denial};
use crate::sandbox::kafka::Cluster;

/// What conditions may ask about a request to a cluster: its region, and the cluster's tags.
pub(super) fn context(cluster: &Cluster) -> Context {
    let context = Context::default().with("aws:RequestedRegion", &cluster.region);
    cluster.tags.iter().fold(context, |context, (key, value)| context.with(&format!("aws:ResourceTag/{key}"), value))
}

/// AWS's sentence about a right that a caller lacks.
pub(super) fn sentence(caller: &str, action: &str, resource: &str, denial: Denial) -> String {
    format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {}", denial.why(action))
}
