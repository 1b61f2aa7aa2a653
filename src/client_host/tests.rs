#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::manifest::{Checksums, RestProxy};

const PROVISIONED: &str =
    "b-1.demo.abc.c2.kafka.us-east-1.amazonaws.com:9098,b-2.demo.abc.c2.kafka.us-east-1.amazonaws.com:9098";
const SERVERLESS: &str = "boot-abc.c2.kafka-serverless.us-east-1.amazonaws.com:9098";
const ZOOKEEPER: &str = "z-1.demo.abc.c2.kafka.us-east-1.amazonaws.com:2181";
const ROLE: &str = "arn:aws:iam::123456789012:role/0a1b-ec2-access-role";

/// The course's own versions.
fn course() -> Client {
    Client {
        instance: None,
        address: Some("ec2-198-51-100-7.compute-1.amazonaws.com".to_owned()),
        kafka_version: "2.8.1".to_owned(),
        java_version: 11,
        iam_jar_version: "1.1.5".to_owned(),
        rest_proxy: Some(RestProxy { version: "7.2.0".to_owned(), port: 8082 }),
        mirror: None,
        checksums: Checksums { rest_proxy: Some("ab".repeat(32)), ..Checksums::default() },
    }
}

fn setup<'a>(client: &'a Client, auth: &'a Auth, servers: &'a str) -> Setup<'a> {
    Setup {
        name: "pinterest",
        environment: "course",
        client,
        auth,
        servers,
        zookeeper: None,
        role_arn: None,
        role: None,
        authorities: None,
        source: Source::Publishers,
    }
}

/// What differs from machine to machine.
fn shown(setup: &Setup<'_>) -> String {
    let folder = setup.folder();
    let files = ["settings.sh", CLIENT_PROPERTIES, REST_PROPERTIES].into_iter();
    let files = files.filter_map(|name| Some(format!("==> {name}\n{}", folder.0.get(name)?)));
    files.chain([format!("==> README.md\n{}", setup.guide())]).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_provisioned_cluster_with_zookeeper() {
    let client = course();
    let setup = Setup { zookeeper: Some(ZOOKEEPER), role_arn: Some(ROLE), ..setup(&client, &Auth::Iam, PROVISIONED) };
    insta::assert_snapshot!(shown(&setup));
}

#[test]
fn a_provisioned_cluster_and_a_proxy_that_wants_zookeeper() {
    let client = Client { rest_proxy: Some(RestProxy { version: "6.0.1".to_owned(), port: 8083 }), ..course() };
    let setup = Setup { zookeeper: Some(ZOOKEEPER), role_arn: Some(ROLE), ..setup(&client, &Auth::Iam, PROVISIONED) };
    insta::assert_snapshot!(setup.folder().0[REST_PROPERTIES]);
}

#[test]
fn a_cluster_in_kraft_mode_over_tls() {
    let client = Client { mirror: Some("https://mirror.example.com/it".to_owned()), ..course() };
    let setup =
        Setup { source: Source::Mirror("https://mirror.example.com/it"), ..setup(&client, &Auth::Tls, PROVISIONED) };
    insta::assert_snapshot!(shown(&setup));
}

#[test]
fn a_serverless_cluster_without_a_proxy() {
    let client = Client { rest_proxy: None, address: None, kafka_version: "3.8.1".to_owned(), ..course() };
    insta::assert_snapshot!(shown(&setup(&client, &Auth::Iam, SERVERLESS)));
}

#[test]
fn no_password_and_no_key_is_in_the_folder() {
    let client = course();
    let scram = Auth::Scram { secret: "arn:aws:secretsmanager:us-east-1:1:secret:AmazonMSK_k-AbCdEf".to_owned() };
    insta::assert_snapshot!("scram", shown(&setup(&client, &scram, PROVISIONED)));
    let mtls = Auth::Mtls { certificate: "cert.pem".into(), key: "key.pem".into() };
    insta::assert_snapshot!("mtls", shown(&setup(&client, &mtls, PROVISIONED)));
}

#[test]
fn plaintext_needs_no_properties() {
    let client = course();
    let setup = setup(&client, &Auth::Plaintext, PROVISIONED);
    assert_eq!(read(&setup.folder().0[CLIENT_PROPERTIES]).len(), 0);
    assert_eq!(read(&setup.folder().0[REST_PROPERTIES]).len(), 4);
}

#[test]
fn stand_ins_are_held_against_their_own_checksums() {
    let client = Client { checksums: Checksums { kafka: Some("cd".repeat(32)), ..Checksums::default() }, ..course() };
    let base = setup(&client, &Auth::Iam, PROVISIONED);
    for archive in archives::of(&Setup { source: Source::StandIns("http://127.0.0.1:1/mirror"), ..base }) {
        assert_eq!((archive.sum.as_str(), archive.url.starts_with("http://127.0.0.1:1/mirror/")), ("", true));
        assert!(archive.sum_url.starts_with(&archive.url), "{archive:?}");
    }
    let pinned: Vec<bool> = archives::of(&base).iter().map(|archive| !archive.sum.is_empty()).collect();
    assert_eq!(pinned, [true, true, false]);
}

#[test]
fn authorities_are_one_line_and_only_for_those_who_use_tls() {
    let client = course();
    let with = |auth| {
        let base = setup(&client, auth, PROVISIONED);
        Setup { authorities: Some("-----BEGIN\nabc\n-----END\n"), ..base }.folder().0[CLIENT_PROPERTIES].clone()
    };
    assert!(with(&Auth::Tls).contains("\nssl.truststore.certificates=-----BEGIN\\nabc\\n-----END\n"));
    assert!(!with(&Auth::Plaintext).contains("truststore"));
}

#[test]
fn a_machines_files_tell_what_was_written() {
    let client = course();
    let setup = Setup { role_arn: Some(ROLE), ..setup(&client, &Auth::Iam, PROVISIONED) };
    for written in [properties::of_client(&setup), properties::of_rest_proxy(&setup)] {
        assert_eq!(read(&written.to_string()), written.pairs.into_iter().collect());
    }
    assert_eq!(read("# by hand\n a = b=c \n!d=e\nnothing\n"), [("a".to_owned(), "b=c".to_owned())].into());
}

#[test]
fn commands_fit_systems_manager() {
    let client = course();
    let folder = setup(&client, &Auth::Iam, PROVISIONED).folder();
    // 64 KiB for a command's parameters: https://docs.aws.amazon.com/general/latest/gr/ssm.html
    for command in [folder.command(&["check", "steps"]).unwrap(), observe_command().unwrap()] {
        assert!(command.len() < 32 * 1024, "{}", command.len());
        assert!(command.starts_with("#!/bin/bash\n"));
    }
}
