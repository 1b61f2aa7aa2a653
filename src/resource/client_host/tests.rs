#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn report(state: &str) -> Report {
    Report::read(&format!("state {state}\nend\n")).unwrap()
}

const WHOLE: &str = r#"{"begun":true,"owner":"demo (dev)","os":"amzn 2023","java":"17.0.9","kafka":"3.8.1","kafka_scala":"2.13","iam_jar":"2.3.2",
    "rest_proxy":"7.9.0","files":{"client.properties":"0123456789abcdef"},
    "service":{"enabled":true,"active":true,"current":true},"old":[]}"#;

fn of_whole(from: &str, to: &str) -> Fields {
    assert!(WHOLE.contains(from), "{from}");
    installed(&report(&WHOLE.replace('\n', " ").replace(from, to)), 17)
}

fn text<'a>(fields: &'a Fields, key: &str) -> Option<&'a str> {
    match fields.get(key)? {
        crate::engine::Field::Known(value) => value.as_str(),
        _ => None,
    }
}

#[test]
fn a_java_that_is_enough_is_the_one_that_is_wanted() {
    let enough = |version: &str| of_whole("17.0.9", version).get("java").cloned();
    let wanted = Fields::new().with("java", 17).get("java").cloned();
    assert_eq!([enough("17.0.9"), enough("21.0.1")], [wanted.clone(), wanted]);
    assert_eq!(text(&of_whole("17.0.9", "1.8.0_392"), "java"), Some("1.8.0_392"));
    assert_eq!(of_whole("\"17.0.9\"", "null").get("java"), None);
    assert_eq!([major("1.8.0_392"), major("11.0.21"), major("9"), major("")], [Some(8), Some(11), Some(9), None]);
}

#[test]
fn another_scala_and_leftovers_show() {
    assert_eq!(text(&of_whole("2.13", "2.13"), "kafka"), Some("3.8.1"));
    assert_eq!(text(&of_whole("2.13", "2.12"), "kafka"), Some("3.8.1, Scala 2.12"));
    assert_eq!(of_whole("\"old\":[]", "\"old\":[]").get("leftovers"), None);
    assert!(of_whole("\"old\":[]", "\"old\":[\"confluent-7.2.0\"]").get("leftovers").is_some());
    assert_eq!(text(&of_whole("2.13", "2.13"), "client.properties"), Some("sha256 0123456789ab"));
}

#[test]
fn a_service_is_as_it_should_be_or_it_is_told_how_it_is() {
    let service = |enabled, active, current| described(Service { enabled, active, current });
    assert_eq!(service(true, true, true), Some(RUNNING));
    assert_eq!(service(false, false, false), None);
    for other in [service(true, false, true), service(false, true, true), service(true, true, false)] {
        assert!(other.is_some() && other != Some(RUNNING), "{other:?}");
    }
}

#[test]
fn a_failed_step_is_told_with_its_code_and_its_last_lines() {
    let ended = command::Ended {
        code: 66,
        output: "== kafka: downloading\n".to_owned(),
        complaint: "== kafka: FAILED: it isn't\n".to_owned(),
    };
    let told = failed("i-01234567", &["kafka"], "apply", &ended);
    for part in ["step kafka", "i-01234567", "exit code 66", "nothing of it was installed", "FAILED: it isn't"] {
        assert!(told.contains(part), "{told}");
    }
    let killed = command::Ended { code: 137, output: String::new(), complaint: String::new() };
    assert!(failed("i-01234567", &["java"], "apply", &killed).contains("was killed on the machine"));
}

#[test]
fn only_what_iam_may_not_know_yet_is_waited_for() {
    assert!(is_about_roles("likely cause: the role lacks kafka-cluster:Connect or another right; look at: …"));
    assert!(!is_about_roles("likely cause: the brokers can't be reached; look at: …"));
    // The words are those that the script says.
    let script = include_str!("../../client_host/report.sh");
    assert!(script.contains("may not assume awsRoleArn") && script.contains("lacks kafka-cluster:Connect"));
}
