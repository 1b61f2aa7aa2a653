//! Whose a thing is: tags, set in the call that creates it, and never compared or changed afterwards.

use std::collections::HashMap;

use crate::engine::Owner;

const NAME: &str = "pipeline:name";
const ENVIRONMENT: &str = "pipeline:environment";
const MANIFEST: &str = "pipeline:manifest";
const EXPIRES: &str = "pipeline:expires";

/// The tags that a manifest's things are created with.
#[derive(Clone, Debug)]
pub struct Tags {
    name: String,
    environment: String,
    digest: String,
    expires: Option<String>,
}

impl Tags {
    /// The tags of the pipeline of that `name` and `environment`, whose manifest has that SHA-256, and which may be
    /// swept after the RFC 3339 time `expires`.
    pub fn new(name: &str, environment: &str, digest: &str, expires: Option<String>) -> Self {
        Self { name: name.to_owned(), environment: environment.to_owned(), digest: digest.to_owned(), expires }
    }

    /// All of them, for a creating call.
    pub fn for_creation(&self) -> HashMap<String, String> {
        let mut tags: HashMap<String, String> =
            [(NAME, &self.name), (ENVIRONMENT, &self.environment), (MANIFEST, &self.digest)]
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .into();
        if let Some(expires) = &self.expires {
            tags.insert(EXPIRES.to_owned(), expires.clone());
        }
        tags
    }

    /// Whose a thing with these tags is.
    pub fn owner<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Owner {
        let (mut name, mut environment) = (None, None);
        for (key, value) in tags {
            match key {
                NAME => name = Some(value),
                ENVIRONMENT => environment = Some(value),
                _ => {}
            }
        }
        match (name, environment) {
            (Some(name), Some(environment)) if name == self.name && environment == self.environment => Owner::Ours,
            (Some(name), Some(environment)) => {
                Owner::Foreign(format!("its tags say that it belongs to pipeline {name}, environment {environment}"))
            }
            _ => Owner::Foreign("it lacks this pipeline's tags".to_owned()),
        }
    }

    /// The key of the tag that marks a REST API which is shared with its owner: `pipeline:NAME:ENVIRONMENT`.
    pub fn shared_key(&self) -> String {
        format!("pipeline:{}:{}", self.name, self.environment)
    }

    /// The value that goes with [`Self::shared_key`].
    pub fn shared_value(&self) -> &str {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_ours_by_name_and_environment_alone() {
        let ours = Tags::new("pinterest", "dev", "abc", Some("2026-11-23T08:00:00Z".to_owned()));
        let before = Tags::new("pinterest", "dev", "an earlier manifest", None).for_creation();
        assert_eq!(ours.owner(before.iter().map(|(k, v)| (k.as_str(), v.as_str()))), Owner::Ours);
    }

    #[test]
    fn another_environment_is_named() {
        let ours = Tags::new("pinterest", "dev", "abc", None);
        let owner = ours.owner([(NAME, "pinterest"), (ENVIRONMENT, "prod")]);
        assert!(matches!(owner, Owner::Foreign(why) if why.contains("environment prod")));
        assert!(matches!(ours.owner([("Name", "x")]), Owner::Foreign(why) if why.contains("lacks")));
    }
}
