//! What AWS accepts and what it refuses.

use serde_json::json;

use super::*;

fn refusal(kind: Kind, document: &Value) -> Option<String> {
    Document::parse(&document.to_string(), kind).err().map(|refusal| {
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "MalformedPolicyDocument"));
        refusal.message
    })
}

fn with(base: &Value, change: Value) -> Value {
    let mut statement = base.as_object().cloned().unwrap_or_default();
    for (key, value) in change.as_object().cloned().unwrap_or_default() {
        match value {
            Value::Null => statement.remove(&key),
            value => statement.insert(key, value),
        };
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn identity(change: Value) -> Option<String> {
    let base = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    refusal(Kind::Identity, &with(&base, change))
}

fn trust(change: Value) -> Option<String> {
    let base =
        json!({"Effect": "Allow", "Principal": {"Service": "kafkaconnect.amazonaws.com"}, "Action": "sts:AssumeRole"});
    refusal(Kind::Trust, &with(&base, change))
}

#[test]
fn well_formed_documents_are_accepted() {
    for change in [
        json!({}),
        json!({"Sid": "Read1", "Action": ["s3:Get*", "kafka-cluster:Connect"], "Resource": "*"}),
        json!({"Action": null, "NotAction": "iam:*", "Resource": null, "NotResource": "arn:aws:s3:::b"}),
        json!({"Action": "*", "Condition": {"Bool": {"aws:SecureTransport": true}}}),
        json!({"Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}}}),
        json!({"Resource": "arn:aws:s3:::${aws:username}/*"}),
    ] {
        assert_eq!(identity(change.clone()), None, "{change}");
    }
    for change in [
        json!({}),
        json!({"Principal": {"AWS": ["123456789012", "*"], "Service": ["ec2.amazonaws.com"]}}),
        json!({"Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/example.com"}}),
        json!({"Action": ["sts:AssumeRole", "sts:TagSession"]}),
        json!({"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "123456789012"}}),
    ] {
        assert_eq!(trust(change.clone()), None, "{change}");
    }
}

#[test]
fn malformed_identity_policies_are_refused_in_awss_words() {
    let syntax = "Syntax errors in policy.";
    let vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
    for (change, message) in [
        (json!({"Effect": "allow"}), syntax),
        (json!({"Effect": null}), syntax),
        (json!({"Efect": "Allow"}), syntax),
        (json!({"NotAction": "s3:*"}), syntax),
        (json!({"Action": {"a": 1}}), syntax),
        (json!({"Sid": 1}), syntax),
        (json!({"Condition": []}), syntax),
        (json!({"Condition": {"StringEquals": {"aws:x": {}}}}), syntax),
        (json!({"Action": null}), "Policy statement must contain actions."),
        (json!({"Action": []}), "Policy statement must contain actions."),
        (json!({"Resource": null}), "Policy statement must contain resources."),
        (json!({"Resource": []}), "Policy statement must contain resources."),
        (json!({"Principal": {"AWS": "*"}}), "Policy document should not specify a principal."),
        (json!({"Action": "GetObject"}), vendor),
        (json!({"Condition": {"StringEquals": {"region": "x"}}}), vendor),
        (json!({"Action": "s3:Get:Object"}), "Actions/Condition can contain only one colon."),
        (json!({"Action": "s 3:GetObject"}), "Vendor s 3 is not valid"),
        (json!({"Condition": {"StringIs": {"aws:x": "y"}}}), "Invalid Condition type : StringIs."),
        (
            json!({"Sid": "a-b"}),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (json!({"Resource": "bucket"}), "Resource bucket must be in ARN format or \"*\"."),
    ] {
        assert_eq!(identity(change.clone()).as_deref(), Some(message), "{change}");
    }
}

#[test]
fn malformed_trust_policies_are_refused_in_awss_words() {
    for (change, message) in [
        (json!({"Resource": "*"}), "Has prohibited field Resource"),
        (json!({"NotResource": "*"}), "Has prohibited field NotResource"),
        (json!({"Principal": null}), "Missing required field Principal"),
        (json!({"Principal": {}}), "Missing required field Principal cannot be empty!"),
        (json!({"Principal": {"AWS": []}}), "Missing required field Principal cannot be empty!"),
        (json!({"Principal": "*"}), "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\"."),
        (
            json!({"Principal": {"Service": "kafkaconect.amazonaws.com"}}),
            "Invalid principal in policy: \"SERVICE\":\"kafkaconect.amazonaws.com\"",
        ),
        (json!({"Principal": {"Federated": "x"}}), "Invalid principal in policy: \"FEDERATED\":\"x\""),
        (json!({"Principal": {"User": "x"}}), "Invalid principal in policy: \"USER\":\"x\""),
        (json!({"Principal": null, "NotPrincipal": {"AWS": "*"}}), "Allow with NotPrincipal is not allowed."),
        (json!({"Action": "s3:GetObject"}), "AssumeRole policy may only specify STS AssumeRole actions."),
        (json!({"Action": null}), "Missing required field Action"),
        (json!({"Effect": null}), "Missing required field Effect"),
        (json!({"Effect": "Permit"}), "Syntax errors in policy."),
    ] {
        assert_eq!(trust(change.clone()).as_deref(), Some(message), "{change}");
    }
}

#[test]
fn the_frame_of_a_document_is_checked() {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let outdated = "Policy document must be version 2012-10-17 or greater.";
    let syntax = "Syntax errors in policy.";
    for (document, message) in [
        (json!({"Statement": statement}), outdated),
        (json!({"Version": "2008-10-17", "Statement": statement}), outdated),
        (json!({"Version": "2012-10-18", "Statement": statement}), syntax),
        (json!({"Version": 2012, "Statement": statement}), syntax),
        (json!({"Version": "2012-10-17"}), syntax),
        (json!({"Version": "2012-10-17", "Statement": []}), syntax),
        (json!({"Version": "2012-10-17", "Statement": ["x"]}), syntax),
        (json!({"Version": "2012-10-17", "Statement": statement, "Extra": 1}), syntax),
        (json!([]), syntax),
    ] {
        assert_eq!(refusal(Kind::Identity, &document).as_deref(), Some(message), "{document}");
    }
    let twice = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let message = "Statement IDs (SID) in a single policy must be unique.";
    assert_eq!(refusal(Kind::Identity, &twice).as_deref(), Some(message));
    let broken = |kind| Document::parse("{", kind).err().map(|refusal| refusal.message);
    assert_eq!(broken(Kind::Trust).as_deref(), Some("This policy contains invalid Json"));
    assert_eq!(broken(Kind::Identity).as_deref(), Some(syntax));
}

#[test]
fn white_space_does_not_count() {
    assert_eq!(size("{ \"a\":\n\t1 }"), 7);
}
