//! Amazon Resource Names, taken apart.

/// An ARN's parts, `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    pub(super) service: &'a str,
    /// Empty for global services.
    pub(super) region: &'a str,
    /// Empty for things without an owner, `aws` for AWS's own.
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart.
    ///
    /// # Errors
    /// Which part is not as it should be.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [scheme, partition, service, region, account, resource] = parts[..] else {
            return Err("it has fewer than the six parts arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE".to_owned());
        };
        if scheme != "arn" {
            return Err(format!("it starts with \"{scheme}:\" and not with \"arn:\""));
        }
        if partition != "aws" && !partition.starts_with("aws-") {
            return Err(format!(
                "its partition is \"{partition}\"; expected aws, aws-cn, aws-us-gov or another of AWS's"
            ));
        }
        if service.is_empty() || !service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            return Err(format!("its service is \"{service}\""));
        }
        if !region.is_empty() && !is_region(region) {
            return Err(format!("its region is \"{region}\""));
        }
        if !account.is_empty() && account != "aws" && !is_account(account) {
            return Err(format!("its account is \"{account}\"; expected 12 digits"));
        }
        if resource.is_empty() || resource.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("its resource is \"{resource}\""));
        }
        Ok(Self { service, region, account, resource })
    }
}

/// Whether a text has an account id's form: 12 digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text has a region's form: `us-east-1`, `us-gov-west-1`, `ap-southeast-2`. Which regions there are is
/// AWS's to say, and changes.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., number] = parts.as_slice() else { return false };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    (2..=4).contains(&first.len())
        && word(first)
        && !middle.is_empty()
        && middle.iter().all(|part| word(part))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Arn, is_region};

    #[test]
    fn an_arn_is_taken_apart() {
        let arn = Arn::parse("arn:aws:kafka:us-east-1:123456789012:cluster/demo/1-2").unwrap();
        assert_eq!((arn.service, arn.region, arn.account), ("kafka", "us-east-1", "123456789012"));
        assert_eq!(arn.resource, "cluster/demo/1-2");
        assert_eq!(Arn::parse("arn:aws-cn:s3:::a:b").unwrap().resource, "a:b");
    }

    #[test]
    fn what_is_no_arn_is_told_why() {
        assert!(Arn::parse("arn:aws:iam::12345:role/x").unwrap_err().contains("12 digits"));
        assert!(Arn::parse("arn:aws:iam").unwrap_err().contains("six parts"));
        assert!(Arn::parse("urn:aws:iam::123456789012:role/x").unwrap_err().contains("urn:"));
        assert!(Arn::parse("arn:gcp:iam::123456789012:role/x").unwrap_err().contains("gcp"));
        assert!(Arn::parse("arn:aws:kafka:virginia:123456789012:cluster/x").unwrap_err().contains("virginia"));
    }

    #[test]
    fn regions_have_a_form() {
        for good in ["us-east-1", "us-gov-west-1", "ap-southeast-2", "us-isob-east-1", "eusc-de-east-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in ["us-east", "useast1", "US-EAST-1", "us-east-1a", "", "-", "us--1"] {
            assert!(!is_region(bad), "{bad}");
        }
    }
}
