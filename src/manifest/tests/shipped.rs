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
    let course = shipped("course.yaml");
    assert!(!course.bucket.unwrap().create && !course.role.unwrap().create);
    assert_eq!(course.connector.unwrap().topics, TopicSelection::Regex(r"0a1b2c3d4e5f\..*".to_owned()));
    assert!(matches!(course.api.unwrap().reference, ApiReference::Id(_)));
    // flush.size 1 is the course's own choice, and worth a word on AWS.
    assert_eq!(course.warnings.len(), 1);
}
