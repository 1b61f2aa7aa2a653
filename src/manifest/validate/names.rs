//! The names that AWS and Kafka accept.

use std::net::Ipv4Addr;

/// Letters, digits and some more characters of ASCII.
fn made_of(text: &str, more: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// A general-purpose bucket's name
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub(super) fn bucket(name: &str) -> Result<(), String> {
    const RESERVED_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let refusal = |why: String| Err(format!("\"{name}\" can't be a bucket's name: {why}"));
    if !(3..=63).contains(&name.len()) {
        return refusal(format!("it must have 3 to 63 characters, not {}; choose another", name.chars().count()));
    }
    if name.chars().any(|c| c.is_ascii_uppercase() || !(c.is_ascii_alphanumeric() || c == '.' || c == '-')) {
        return refusal("it has others than lower-case letters, digits, dots and hyphens; use only those".to_owned());
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
        return refusal("it must start and end with a letter or digit; change its ends".to_owned());
    }
    if name.contains("..") {
        return refusal("it has two dots in a row; remove one".to_owned());
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return refusal("it looks like an IP address; put a letter into it".to_owned());
    }
    if let Some(start) = RESERVED_STARTS.into_iter().find(|start| name.starts_with(start)) {
        return refusal(format!("S3 keeps names that start with \"{start}\" for itself; choose another start"));
    }
    if let Some(end) = RESERVED_ENDS.into_iter().find(|end| name.ends_with(end)) {
        return refusal(format!("S3 keeps names that end with \"{end}\" for itself; choose another end"));
    }
    Ok(())
}

/// A SHA-256 or a SHA-512 in hex.
pub(super) fn checksum(text: &str) -> Result<(), String> {
    if matches!(text.len(), 64 | 128) && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(format!("\"{text}\" is neither a SHA-256 nor a SHA-512; expected 64 or 128 hexadecimal digits"))
}

/// A topic's name, as Kafka's own `Topic.validate` has it; and not one of those that Kafka and MSK Connect keep
/// their own state in.
pub(super) fn topic(name: &str) -> Result<(), String> {
    const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
    let refusal = |why: &str| Err(format!("\"{name}\" can't be a topic's name: {why}"));
    if name.is_empty() || name.len() > 249 {
        return refusal("it has none or more than 249 characters; use 1 to 249");
    }
    if !made_of(name, "._-") {
        return refusal("Kafka takes letters, digits, dots, underscores and hyphens; use only those");
    }
    if name == "." || name == ".." {
        return refusal("Kafka refuses \".\" and \"..\"; choose another");
    }
    if INTERNAL.contains(&name) || name.starts_with("__amazon_msk") {
        return refusal("Kafka and MSK keep their own state in it; choose another");
    }
    Ok(())
}

/// A name in MSK Connect, of at most so many characters. The API's model gives only the length, 1 to 128; other
/// characters than these would have to be escaped in ARNs and consumer groups.
pub(super) fn connect(what: &str, name: &str, longest: usize) -> Result<(), String> {
    if name.is_empty() || name.len() > longest || !made_of(name, "._-") {
        return Err(format!(
            "\"{name}\" can't be a {what}'s name; use 1 to {longest} letters, digits, dots, underscores and hyphens"
        ));
    }
    Ok(())
}

/// What is left of 128 characters for the name of a thing that is named by content: `NAME-` and 12 of its SHA-256.
pub(super) const LONGEST_BEFORE_CONTENT: usize = 128 - 13;

/// An MSK cluster's name (CreateClusterV2: 1 to 64 characters; the console adds which).
pub(super) fn cluster(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 64 || !made_of(name, "-") || name.starts_with('-') {
        return Err(format!(
            "\"{name}\" can't be an MSK cluster's name; use 1 to 64 letters, digits and hyphens, not a hyphen first"
        ));
    }
    Ok(())
}

/// A role's name (CreateRole: `[\w+=,.@-]+`, 1 to 64).
pub(super) fn role(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 64 || !made_of(name, "_+=,.@-") {
        return Err(format!("\"{name}\" can't be a role's name; use 1 to 64 letters, digits and _ + = , . @ -"));
    }
    // MSK Connect refuses a service-linked role as a connector's role, and IAM keeps the prefix for those.
    if name.starts_with("AWSServiceRoleFor") {
        return Err(format!(
            "\"{name}\" is a service-linked role, which a connector can't work as; use a role of your own"
        ));
    }
    Ok(())
}

/// A stage's name (<https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html>).
pub(super) fn stage(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 128 || !made_of(name, "_-") {
        return Err(format!(
            "\"{name}\" can't be a stage's name; use 1 to 128 letters, digits, underscores and hyphens"
        ));
    }
    Ok(())
}

/// A log group's name
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>).
pub(super) fn log_group(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 512 || !made_of(name, "._-/#") {
        return Err(format!("\"{name}\" can't be a log group's name; use 1 to 512 letters, digits and . _ - / #"));
    }
    Ok(())
}

/// A Firehose delivery stream's name
/// (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html>).
pub(super) fn delivery_stream(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 64 || !made_of(name, "._-") {
        return Err(format!("\"{name}\" can't be a delivery stream's name; use 1 to 64 letters, digits and . _ -"));
    }
    Ok(())
}

/// A resource id of EC2: a prefix and 8 or 17 hexadecimal digits.
pub(super) fn ec2_id(prefix: &str, id: &str) -> Result<(), String> {
    let digits = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    if matches!(digits.len(), 8 | 17) && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) {
        return Ok(());
    }
    Err(format!("\"{id}\" is no id of this kind; expected {prefix}- and 8 or 17 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::{bucket, ec2_id, topic};

    #[test]
    fn buckets_that_s3_takes() {
        for name in ["abc", "user-0a1b-bucket", "a.b.c", "1234", "1.2.3", &"a".repeat(63)] {
            assert_eq!(bucket(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn buckets_that_s3_refuses() {
        let too_long = "a".repeat(64);
        for name in [
            "ab",
            &too_long,
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "a..b",
            "192.168.5.4",
            "xn--a",
            "sthree-a",
            "amzn-s3-demo-a",
            "a-s3alias",
            "a--ol-s3",
            "abc.mrap",
            "a--x-s3",
            "a--table-s3",
            "b\u{fc}cket",
        ] {
            assert!(bucket(name).is_err(), "{name}");
        }
    }

    #[test]
    fn topics_that_kafka_refuses() {
        for name in ["", ".", "..", "a b", "a/b", "t\u{f6}pic", "__consumer_offsets", &"a".repeat(250)] {
            assert!(topic(name).is_err(), "{name}");
        }
        assert_eq!(topic("0a1b2c3d4e5f.pin"), Ok(()));
    }

    #[test]
    fn ids_of_ec2_have_a_form() {
        assert_eq!(ec2_id("subnet", "subnet-0123456789abcdef0"), Ok(()));
        assert_eq!(ec2_id("sg", "sg-12345678"), Ok(()));
        assert!(ec2_id("sg", "subnet-12345678").is_err());
        assert!(ec2_id("sg", "sg-1234567g").is_err());
    }
}
