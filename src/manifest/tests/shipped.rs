//! The manifests that come with the tool.

use super::super::{ApiReference, Backend, Capacity, Manifest, Overrides, Target, TopicSelection, load};
use super::folder;

fn shipped(name: &str) -> Manifest {
    load(&folder().join(name), &Overrides::default()).unwrap()
}

#[test]
fn dev_is_the_whole_pipeline_in_the_sandbox() {
    let dev = shipped("dev.yaml");
    assert_eq!((dev.target, dev.warnings.len()), (Target::Sandbox, 0));
    let names: Vec<&str> = dev.topics.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(names, ["0a1b2c3d4e5f.pin", "0a1b2c3d4e5f.geo", "0a1b2c3d4e5f.user"]);
    assert!(dev.connector.is_some() && dev.role.is_some() && dev.bucket.is_some() && dev.plugin.is_some());
    assert_eq!(dev.api.unwrap().backend, Backend::Client);
}

#[test]
fn prod_keeps_data_and_scales() {
    let prod = shipped("prod.yaml");
    assert_eq!((prod.target, prod.account.as_deref()), (Target::Aws, Some("123456789012")));
    assert!(prod.topics.iter().all(|topic| topic.retain) && prod.bucket.unwrap().retain);
    assert!(matches!(prod.connector.unwrap().capacity, Capacity::Autoscaling { .. }));
    assert_eq!(prod.warnings, []);
}

#[test]
fn ci_expires() {
    let variables = vec![("run".to_owned(), "77".to_owned())];
    let ci = load(&folder().join("ci.yaml"), &Overrides { variables, ..Overrides::default() }).unwrap();
    assert_eq!(ci.environment, "ci-77");
    assert!(ci.ttl.is_some());
}

#[test]
fn course_adds_to_what_exists() {
    let variables = vec![("rest_proxy_sha256".to_owned(), "ab".repeat(32))];
    let course = load(&folder().join("course.yaml"), &Overrides { variables, ..Overrides::default() }).unwrap();
    assert!(!course.bucket.unwrap().create && !course.role.unwrap().create);
    assert_eq!(course.connector.unwrap().topics, TopicSelection::Regex(r"0a1b2c3d4e5f\..*".to_owned()));
    let api = course.api.unwrap();
    assert!(matches!(api.reference, ApiReference::Id(_)) && api.backend == Backend::Client);
    let client = course.client.unwrap();
    assert_eq!((client.kafka_version.as_str(), client.iam_jar_version.as_str()), ("2.8.1", "1.1.5"));
    assert_eq!(client.rest_proxy.map(|proxy| (proxy.version, proxy.port)), Some(("7.2.0".to_owned(), 8082)));
    // flush.size 1 is the course's own choice, and worth a word on AWS.
    assert_eq!(course.warnings.len(), 1);
}
