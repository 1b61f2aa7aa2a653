#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::json;

use super::*;

fn statement(json: Value) -> Statement {
    Statement::from_json(&json).unwrap()
}

fn document(json: Value) -> Document {
    Document::parse(&json.to_string()).unwrap()
}

/// One statement, with that element in place of its own.
fn with(element: &str, value: Value) -> Statement {
    let mut base = json!({ "Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*" });
    base.as_object_mut().unwrap().insert(element.to_owned(), value);
    statement(base)
}

#[test]
fn spellings_of_one_meaning_are_equal() {
    let root = "arn:aws:iam::123456789012:root";
    let china = "arn:aws-cn:iam::123456789012:root";
    for (element, one, other) in [
        ("Action", json!("s3:GetObject"), json!(["s3:GetObject"])),
        ("Action", json!(["s3:GetObject", "s3:PutObject"]), json!(["s3:PutObject", "s3:GetObject"])),
        ("Action", json!(["s3:GetObject", "s3:GetObject"]), json!("s3:GetObject")),
        ("Action", json!("s3:getobject"), json!("S3:GetObject")),
        ("Action", json!(["s3:getobject", "s3:GetObject"]), json!("S3:GetObject")),
        ("Resource", json!(["a", "b"]), json!(["b", "a"])),
        ("Principal", json!("*"), json!({ "AWS": "*" })),
        ("Principal", json!({ "AWS": ["*"] }), json!("*")),
        ("Principal", json!({ "AWS": "123456789012" }), json!({ "AWS": root })),
        ("Principal", json!({ "AWS": 123_456_789_012_u64 }), json!({ "AWS": [root] })),
        ("Principal", json!({ "AWS": [china] }), json!({ "AWS": "123456789012" })),
        ("Principal", json!({ "AWS": ["123456789012", root] }), json!({ "AWS": root })),
        ("Principal", json!({ "Service": ["b", "a"], "AWS": "*" }), json!({ "AWS": "*", "Service": ["a", "b"] })),
        ("NotPrincipal", json!("*"), json!({ "AWS": ["*"] })),
        ("Condition", json!({}), json!({})),
        ("Condition", json!({ "Bool": { "aws:x": true } }), json!({ "Bool": { "aws:x": "true" } })),
        ("Condition", json!({ "NumericEquals": { "s3:x": 10 } }), json!({ "NumericEquals": { "s3:x": ["10"] } })),
        (
            "Condition",
            json!({ "StringLike": { "aws:SourceIp": "x" } }),
            json!({ "StringLike": { "AWS:SourceIP": "x" } }),
        ),
        ("Condition", json!({ "ArnLike": { "k": ["a", "b"] } }), json!({ "ArnLike": { "k": ["b", "a"] } })),
        ("Sid", json!(""), json!("")),
        ("Comment", json!({ "a": 1, "b": 2 }), json!({ "b": 2, "a": 1 })),
    ] {
        assert_eq!(with(element, one.clone()), with(element, other.clone()), "{element}: {one} and {other}");
    }
}

#[test]
fn what_differs_in_meaning_is_not_equal() {
    for (element, one, other) in [
        ("Sid", json!("A"), json!("B")),
        ("Sid", json!("A"), json!("a")),
        ("Effect", json!("Allow"), json!("Deny")),
        ("Action", json!("s3:GetObject"), json!("s3:GetObject*")),
        ("Action", json!(["s3:GetObject"]), json!(["s3:GetObject", "s3:PutObject"])),
        ("Resource", json!("arn:aws:s3:::b"), json!("arn:aws:s3:::B")),
        ("Principal", json!({ "AWS": "*" }), json!({ "Service": "*" })),
        ("Principal", json!({ "AWS": "123456789012" }), json!({ "AWS": "123456789013" })),
        ("Principal", json!({ "AWS": "123456789012" }), json!({ "AWS": "arn:aws:iam::123456789012:user/root" })),
        ("Principal", json!({ "Service": "123456789012" }), json!({ "Service": "arn:aws:iam::123456789012:root" })),
        ("Principal", json!({ "Service": "ec2.amazonaws.com" }), json!({ "Service": "EC2.amazonaws.com" })),
        ("Condition", json!({}), json!({ "Bool": { "aws:x": "true" } })),
        ("Condition", json!({ "StringEquals": { "k": "a" } }), json!({ "StringLike": { "k": "a" } })),
        ("Condition", json!({ "StringEquals": { "k": "a" } }), json!({ "StringEquals": { "k": "A" } })),
        ("Condition", json!({ "StringEquals": { "k": "a" } }), json!({ "StringEquals": { "k": ["a", "b"] } })),
        ("Condition", json!({ "StringEquals": { "k": "a" } }), json!({ "StringEquals": { "l": "a" } })),
        ("Comment", json!("a"), json!("b")),
    ] {
        assert_ne!(with(element, one.clone()), with(element, other.clone()), "{element}: {one} and {other}");
    }
}

#[test]
fn an_element_and_its_negation_are_not_equal() {
    for (element, value) in [("Action", json!("s3:*")), ("Resource", json!("*")), ("Principal", json!("*"))] {
        let negated = format!("Not{element}");
        let one = statement(json!({ "Effect": "Allow", element: value }));
        let other = statement(json!({ "Effect": "Allow", negated: value }));
        assert_ne!(one, other, "{element}");
    }
}

#[test]
fn absent_and_empty_elements_are_equal() {
    let bare = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let wordy = json!({ "Sid": "", "Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Condition": {} });
    assert_eq!(statement(bare), statement(wordy));
}

#[test]
fn documents_are_equal_whatever_the_order_of_their_statements() {
    let (a, b) = (json!({ "Sid": "A", "Effect": "Allow" }), json!({ "Sid": "B", "Effect": "Deny" }));
    let both = document(json!({ "Version": VERSION, "Statement": [a, b] }));
    assert_eq!(both, document(json!({ "Statement": [b, a, b], "Version": VERSION })));
    assert_ne!(both, document(json!({ "Version": VERSION, "Statement": [a] })));
    assert_ne!(document(json!({ "Version": VERSION, "Statement": [a] })), both);
    assert_eq!(document(json!({ "Statement": a })), document(json!({ "Version": "2008-10-17", "Statement": [a] })));
    assert_ne!(document(json!({ "Statement": a })), document(json!({ "Version": VERSION, "Statement": [a] })));
    assert_ne!(both, document(json!({ "Version": VERSION, "Id": "x", "Statement": [a, b] })));
}

#[test]
fn reads_what_iam_replies() {
    let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal\
                   %22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    let plain = r#" {"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"Service": ["ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}}"#;
    assert_eq!(Document::parse(encoded).unwrap(), Document::parse(plain).unwrap());
}

#[test]
fn a_percent_sign_in_plain_json_is_itself() {
    let text = r#"{"Statement": {"Effect": "Allow", "Resource": "arn:aws:s3:::b/%7B"}}"#;
    let parsed = Document::parse(text).unwrap();
    assert!(parsed.to_string().contains("%7B"), "{parsed}");
}

#[test]
fn rendering_keeps_spelling_and_unknown_elements_and_parses_back() {
    let source = json!({ "Statement": { "Extra": [1], "Condition": { "Bool": { "aws:X": false } }, "Effect": "Deny",
        "NotResource": ["b", "a"], "NotAction": "S3:x", "NotPrincipal": "*" }, "Id": "theirs", "Version": VERSION });
    let parsed = document(source);
    insta::assert_snapshot!(parsed, @r#"{"Version":"2012-10-17","Id":"theirs","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"*"},"NotAction":"S3:x","NotResource":["a","b"],"Condition":{"Bool":{"aws:X":"false"}},"Extra":[1]}]}"#);
    assert_eq!(Document::parse(&parsed.to_string()).unwrap(), parsed);
}

#[test]
fn size_leaves_white_space_out() {
    let spaced = document(json!({ "Statement": [{ "Sid": "A", "Effect": "Allow", "Resource": "a b\tc" }] }));
    let dense = document(json!({ "Statement": [{ "Sid": "A", "Effect": "Allow", "Resource": "abc" }] }));
    // The tab is rendered as an escape of two characters.
    assert_eq!(spaced.size(), dense.size() + 2);
}

#[test]
fn principals_that_were_deleted_are_told() {
    let trust = statement(json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": [
        "arn:aws:iam::123456789012:role/AROADBQP57FF2AEXAMPLE", "AROADBQP57FF2AEXAMPLE", "AIDACKCEVSQ6C2EXAMPLE",
        "AROAshort", "*" ], "Service": "AROADBQP57FF2AEXAMPLE" } }));
    assert_eq!(trust.deleted_principals().collect::<Vec<_>>(), ["AIDACKCEVSQ6C2EXAMPLE", "AROADBQP57FF2AEXAMPLE"]);
}

#[test]
fn what_is_malformed_is_told_with_its_place() {
    for (text, told) in [
        ("{", "policy document: expected JSON, got"),
        ("null", "policy document: expected an object, got null"),
        ("%FF", "policy document: expected JSON or URL-encoded JSON"),
        ("{}", "policy document: expected a Statement, got none; add one"),
        (r#"{"Version": 1, "Statement": []}"#, "Version: expected a string, got 1"),
        (r#"{"Statement": ["x"]}"#, r#"Statement 1: expected an object, got "x""#),
        (r#"{"Statement": {}}"#, r#"Statement 1, Effect: expected "Allow" or "Deny", got nothing"#),
        (r#"{"Statement": {"Effect": "allow"}}"#, r#"Statement 1, Effect: expected "Allow" or "Deny", got "allow""#),
        (r#"{"Statement": {"Effect": "Deny", "Action": 1}}"#, "Statement 1, Action: expected a string, got 1"),
        (r#"{"Statement": {"Effect": "Deny", "Resource": [{}]}}"#, "Statement 1, Resource: expected a string, got {}"),
        (
            r#"{"Statement": {"Effect": "Deny", "Principal": "x"}}"#,
            r#"Statement 1, Principal: expected "*" or an object"#,
        ),
        (
            r#"{"Statement": {"Effect": "Deny", "Action": "*", "NotAction": "*"}}"#,
            "Statement 1, Action: expected it alone, got NotAction too; remove one",
        ),
        (
            r#"{"Statement": {"Effect": "Deny", "Condition": {"Bool": {"k": null}}}}"#,
            "Statement 1, Condition.Bool.k: expected a string, got null",
        ),
    ] {
        let error = Document::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(told), "{text}: {error}");
    }
}
