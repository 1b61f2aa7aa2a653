use std::time::Duration;

use super::super::post::Answer;
use super::super::probe::Seen;
use super::*;

fn stuck(hop: Hop, fault: Fault) -> Trace {
    Trace { topic: "a.pin".to_owned(), place: None, hops: vec![(hop, Seen::Failed(fault))], landed: None }
}

fn answered(status: u16, code: Option<i64>, message: &str) -> Fault {
    Fault::Post(PostError::Answered(Answer { status, code, message: message.to_owned(), retry_after: None }))
}

fn no_object() -> Fault {
    Fault::NoObject { waited: Duration::from_secs(60) }
}

fn connector(state: &str, configuration: &[(&str, &str)]) -> Option<Connector> {
    let configuration = configuration.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Some(Connector { state: state.to_owned(), reason: None, configuration })
}

/// The first cause of a fault.
#[track_caller]
fn cause(hop: Hop, fault: Fault, evidence: &Evidence) -> String {
    causes(&stuck(hop, fault), evidence).first().map(|cause| cause.what.clone()).unwrap_or_default()
}

#[test]
fn an_api_that_is_not_deployed_is_told() {
    let evidence = Evidence { api: Api::NoStage, ..Evidence::default() };
    assert!(cause(Hop::Api, answered(403, None, "Forbidden"), &evidence).starts_with("not deployed"));
    let evidence = Evidence { api: Api::Deployed, ..Evidence::default() };
    let told = cause(Hop::Api, answered(403, None, "Missing Authentication Token"), &evidence);
    assert!(told.starts_with("not deployed"), "{told}");
}

#[test]
fn a_backend_is_told_by_what_a_look_at_it_says() {
    let url = "http://ec2-1-2-3-4.compute-1.amazonaws.com:8082";
    for (reach, expected) in [
        (Reach::Refused, "backend down: nothing listens"),
        (Reach::NoSuchName, "stale name"),
        (Reach::Unknown, "backend down or stale EC2 name"),
        (Reach::Listens, "takes connections"),
    ] {
        let backend = Some(Backend { url: url.to_owned(), reach });
        let evidence = Evidence { api: Api::Deployed, backend, ..Evidence::default() };
        let told = cause(Hop::Api, answered(504, None, "Endpoint request timed out"), &evidence);
        assert!(told.contains(expected), "{told}");
        // What has the REST proxy's own code comes from a backend that is there.
        let told = cause(Hop::Api, answered(500, Some(50002), "Kafka error"), &evidence);
        assert!(told.contains("doesn't reach its brokers"), "{told}");
    }
}

#[test]
fn a_connector_that_does_not_run_is_told_with_its_reason() {
    let mut failed = connector("FAILED", &[]);
    if let Some(failed) = &mut failed {
        failed.reason = Some("AccessDenied: not authorized to perform: s3:PutObject".to_owned());
    }
    let evidence = Evidence { connector: failed, ..Evidence::default() };
    let causes = causes(&stuck(Hop::Bucket, no_object()), &evidence);
    assert!(causes[0].what.contains("FAILED: AccessDenied"), "{causes:?}");
    assert!(causes[0].fix.contains("role"), "{causes:?}");
    let evidence = Evidence { connector: connector("PAUSED", &[]), ..Evidence::default() };
    assert_eq!(cause(Hop::Bucket, no_object(), &evidence), "the connector is PAUSED");
    assert_eq!(cause(Hop::Bucket, no_object(), &Evidence::default()), "there is no connector");
}

#[test]
fn a_topic_that_is_not_read_is_told_before_anything_else() {
    for (configuration, expected) in [
        (&[("topics.regex", "b.*"), ("flush.size", "1")][..], "topics.regex b.* doesn't match a.pin"),
        (&[("topics", "a.geo, a.user"), ("flush.size", "9")], "the connector doesn't read a.pin"),
        (&[("topics.regex", "a.*"), ("flush.size", "9")], "flush.size 9 is not reached"),
        (&[("topics", "a.geo,a.pin"), ("flush.size", "9")], "flush.size 9 is not reached"),
        (&[("topics", "a.pin"), ("flush.size", "9"), ("rotate.schedule.interval.ms", "60000")], "every 60 s"),
        (&[("topics", "a.pin"), ("flush.size", "1")], "is behind"),
    ] {
        let evidence = Evidence { connector: connector("RUNNING", configuration), ..Evidence::default() };
        let told = cause(Hop::Bucket, no_object(), &evidence);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn drift_of_what_is_on_the_way_is_told_and_of_nothing_else() {
    let drift = vec![("role/r".to_owned(), "policy".to_owned()), ("rest_api/a".to_owned(), "deployment".to_owned())];
    let evidence = Evidence { drift, connector: connector("RUNNING", &[]), ..Evidence::default() };
    let told = causes(&stuck(Hop::Bucket, no_object()), &evidence);
    assert!(told.iter().any(|cause| cause.what.contains("role/r")), "{told:?}");
    assert!(!told.iter().any(|cause| cause.what.contains("rest_api")), "{told:?}");
}

#[test]
fn nothing_is_said_of_a_record_that_came_through() {
    let trace = Trace { topic: "t".to_owned(), place: None, hops: Vec::new(), landed: None };
    assert_eq!(causes(&trace, &Evidence::default()), []);
}

#[test]
fn what_api_gateway_refuses_is_told() {
    let evidence = Evidence { api: Api::Deployed, ..Evidence::default() };
    for (status, message, expected) in [
        (403, "Forbidden", "wants a key"),
        (403, "User: x is not authorized to perform: execute-api:Invoke", "may not call the API"),
        (429, "Too Many Requests", "throttled"),
    ] {
        let told = cause(Hop::Api, answered(status, None, message), &evidence);
        assert!(told.contains(expected), "{told}");
    }
    let refused = Fault::Refused { code: 50002, reason: "no".to_owned() };
    assert!(cause(Hop::Api, refused, &evidence).contains("refuse the record: no"));
}

#[test]
fn brokers_that_cannot_be_read_are_not_another_cluster() {
    let failed = |code| Fault::Brokers(crate::kafka::Failure { operation: "Fetch", code, message: "no".to_owned() });
    let told = |code| cause(Hop::Topic, failed(code), &Evidence::default());
    assert!(told("KafkaTimeoutException").contains("can't be read"));
    assert!(told("ForbiddenException").contains("may not read"));
    assert!(told("UnauthorizedException").contains("don't let this caller in"));
    let other = Fault::NotInTopic { partition: 0, offset: 1 };
    assert!(cause(Hop::Topic, other, &Evidence::default()).contains("another cluster"));
}

#[test]
fn a_pattern_that_only_java_knows_is_not_blamed() {
    let configuration = [("topics.regex", "(?!b).*"), ("flush.size", "9")];
    let evidence = Evidence { connector: connector("RUNNING", &configuration), ..Evidence::default() };
    assert!(cause(Hop::Bucket, no_object(), &evidence).contains("flush.size 9"));
    // A schedule that came round while it was waited is no excuse.
    let configuration = [("topics", "a.pin"), ("flush.size", "9"), ("rotate.schedule.interval.ms", "5000")];
    let evidence = Evidence { connector: connector("RUNNING", &configuration), ..Evidence::default() };
    assert!(cause(Hop::Bucket, no_object(), &evidence).contains("is behind"));
}
