//! What the `Resource` element of a policy may name.

use super::refusals::malformed;
use crate::sandbox::call::Refusal;

/// AWS's partitions.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// Holds one resource against AWS's rules.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(super) fn check(resource: &str) -> Result<(), Refusal> {
    if resource == "*" {
        return Ok(());
    }
    let Some(rest) = resource.strip_prefix("arn:") else {
        return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
    };
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or("*");
    let (partition, service, region) = (part(0), part(1), part(2));
    if partition != "*" && !PARTITIONS.contains(&partition) {
        let whole = format!("arn:{partition}:{service}:{region}:{}:{}", part(3), part(4));
        return Err(malformed(format!("Partition \"{partition}\" is not valid for resource \"{whole}\".")));
    }
    if parts.len() < 2 || service.is_empty() || service.contains(['*', '?']) {
        return Err(malformed("Resource vendor must be fully qualified and cannot contain regexes."));
    }
    if parts.len() < 5 {
        return Err(malformed("The policy failed legacy parsing"));
    }
    match service {
        "iam" if !region.is_empty() => {
            Err(malformed(format!("IAM resource {resource} cannot contain region information.")))
        }
        "s3" if !region.is_empty() && !part(4).starts_with("accesspoint/") => {
            Err(malformed(format!("Resource {resource} can not contain region information.")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_checked() {
        for resource in [
            "*",
            "arn:aws:s3:::bucket/*",
            "arn:*:kafka:*:*:topic/*",
            "arn:aws:iam::000000000000:role/r",
            "arn:aws:s3:us-east-1:000000000000:accesspoint/a",
        ] {
            assert!(check(resource).is_ok(), "{resource}");
        }
        for (resource, message) in [
            ("bucket", "Resource bucket must be in ARN format or \"*\"."),
            ("arn:aws2:s3:::b", "Partition \"aws2\" is not valid for resource \"arn:aws2:s3:::b\"."),
            ("arn:aws", "Resource vendor must be fully qualified and cannot contain regexes."),
            ("arn:aws:*:::b", "Resource vendor must be fully qualified and cannot contain regexes."),
            ("arn:aws:s3:b", "The policy failed legacy parsing"),
            ("arn:aws:s3:us-east-1::b", "Resource arn:aws:s3:us-east-1::b can not contain region information."),
            ("arn:aws:iam:x::role/r", "IAM resource arn:aws:iam:x::role/r cannot contain region information."),
        ] {
            assert_eq!(check(resource).err().map(|refusal| refusal.message).as_deref(), Some(message));
        }
    }
}
