#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::engine::Output;
use crate::manifest::{Overrides, load};

const R: &str = "arn:aws:iam::123456789012:role/r";

fn manifest(role: &str) -> Manifest {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yaml");
    let text = "name: demo\nenvironment: dev\ntarget: sandbox\nregion: us-east-1\ncluster: { name: c }\nclient: {}\n";
    std::fs::write(&path, format!("{text}{role}")).unwrap();
    load(&path, &Overrides::default()).unwrap()
}

fn assumed(by_itself: bool, by_default: bool) -> Assumed {
    Assumed { address: role::address("r"), arn: R.to_owned(), by_itself, by_default }
}

#[test]
fn a_machine_assumes_the_role_that_it_is_not_or_that_trusts_itself() {
    let nothing = Outputs::default();
    let arn = |assumed: &Assumed, machine: Option<&str>| assumed.arn_for(machine, &nothing).map(str::to_owned);
    assert_eq!(arn(&assumed(false, true), Some("other")), Some(R.to_owned()));
    assert_eq!(arn(&assumed(false, true), Some("r")), None);
    assert_eq!(arn(&assumed(true, false), Some("r")), Some(R.to_owned()));
    // Where nobody could ask the machine.
    assert_eq!(arn(&assumed(false, false), None), None);
    assert_eq!(arn(&assumed(false, true), None), Some(R.to_owned()));
    assert_eq!(arn(&assumed(true, false), None), Some(R.to_owned()));
}

#[test]
fn a_roles_own_arn_counts_once_it_is_known() {
    let mut known = Outputs::default();
    known.insert(role::address("r"), Output::new().with("arn", "arn:aws:iam::123456789012:role/path/r"));
    assert_eq!(assumed(true, false).arn_for(Some("r"), &known), Some("arn:aws:iam::123456789012:role/path/r"));
}

#[test]
fn who_a_machine_must_be_is_said_by_the_trust_of_a_role_that_is_made() {
    let expected = |trust: &str| expected_role(&manifest(&format!("role:\n  name: r\n  trust: [ {trust} ]\n")));
    let of = |by_profile, others: &[&str]| ExpectedRole::Of {
        role: role::address("r"),
        by_profile,
        others: others.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(expected("{ service: ec2.amazonaws.com }"), of(true, &[]));
    assert_eq!(expected("{ service: ec2.amazonaws.com.cn }, { self: true }"), of(true, &[]));
    assert_eq!(expected("{ arn: 'arn:aws:iam::123456789012:role/path/m' }"), of(false, &["m"]));
    assert_eq!(expected("{ arn: 'arn:aws:iam::123456789012:user/u' }, { self: true }"), of(false, &[]));
    assert_eq!(expected("{ arn: 'arn:aws:iam::123456789012:root' }"), ExpectedRole::Any);
    // Others may have said more of one that exists.
    assert_eq!(
        expected_role(&manifest("role: { name: r, create: false, trust: [ { self: true } ] }\n")),
        ExpectedRole::Any
    );
    assert_eq!(expected_role(&manifest("")), ExpectedRole::Any);
}

#[test]
fn brokers_of_the_cluster_that_a_machine_has_are_kept() {
    let list = |numbers: [u8; 3]| {
        numbers.map(|number| format!("b-{number}.demo.ab12cd.c2.kafka.us-east-1.amazonaws.com:9098")).join(",")
    };
    let state = r#"{"begun":true,"owner":null,"java":null,"kafka":null,"kafka_scala":null,"iam_jar":null,"rest_proxy":null,"files":{},"service":{"enabled":false,"active":false,"current":false},"old":[]}"#;
    let mut report = Report::read(&format!("state {state}\nend\n")).unwrap();
    let mut has = |servers: &str| {
        let text = format!("bootstrap.servers={servers}\n");
        report.properties.insert(REST_PROPERTIES.to_owned(), text);
        super::servers(&list([1, 2, 3]), Some(&report))
    };
    assert_eq!(has(&list([6, 4, 1])), list([6, 4, 1]));
    assert_eq!(has(&list([6, 4, 1]).replace("demo", "other")), list([1, 2, 3]));
    assert_eq!(has(""), list([1, 2, 3]));
    assert_eq!(super::servers(&list([1, 2, 3]), None), list([1, 2, 3]));
}
