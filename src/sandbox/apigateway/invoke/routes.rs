//! Which resource of a deployed API a path leads to: a fixed part goes before a variable one, that before a greedy one,
//! and a resource without the method doesn't count.

use std::collections::{BTreeMap, HashMap};

use percent_encoding::percent_decode_str;

use super::super::model::Method;

/// The verbs that `ANY` stands for.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The resources of an API as a tree of path parts.
#[derive(Debug, Default)]
pub(super) struct Routes {
    fixed: HashMap<String, Self>,
    /// `{name}`: there is one at most below each resource.
    variable: Option<(String, Box<Self>)>,
    /// `{name+}`
    greedy: Option<(String, Resource)>,
    resource: Option<Resource>,
}

#[derive(Debug)]
struct Resource {
    path: String,
    methods: BTreeMap<String, Method>,
}

impl Resource {
    fn method(&self, verb: &str) -> Option<&Method> {
        let any = || self.methods.get("ANY").filter(|_| ANY.contains(&verb));
        self.methods.get(verb).or_else(any)
    }
}

/// Where a call leads.
#[derive(Clone, Debug)]
pub(super) struct Route<'a> {
    /// The resource's path: `/{proxy+}`.
    pub(super) resource_path: &'a str,
    pub(super) method: &'a Method,
    /// The values of the path's variables, decoded.
    pub(super) values: Vec<(&'a str, String)>,
}

impl Routes {
    pub(super) fn new(paths: BTreeMap<String, BTreeMap<String, Method>>) -> Self {
        let mut routes = Self::default();
        for (path, methods) in paths {
            let mut node = &mut routes;
            let mut greedy = None;
            for part in path.split('/').filter(|part| !part.is_empty()) {
                match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(name) if name.ends_with('+') => greedy = Some(name.trim_end_matches('+').to_owned()),
                    Some(name) => node = &mut node.variable.get_or_insert_with(|| (name.to_owned(), Box::default())).1,
                    None => node = node.fixed.entry(part.to_owned()).or_default(),
                }
            }
            let resource = Resource { path: path.clone(), methods };
            match greedy {
                Some(name) => node.greedy = Some((name, resource)),
                None => node.resource = Some(resource),
            }
        }
        routes
    }

    /// Where a path leads, which is as it was sent, without the stage. Slashes at its ends count for nothing.
    pub(super) fn find(&self, path: &str, verb: &str) -> Option<Route<'_>> {
        let path = path.trim_matches('/');
        let parts: Vec<String> = if path.is_empty() { Vec::new() } else { path.split('/').map(decode).collect() };
        let mut values = Vec::new();
        let (resource, method) = self.descend(&parts, verb, &mut values)?;
        Some(Route { resource_path: &resource.path, method, values })
    }

    fn descend<'a>(
        &'a self,
        parts: &[String],
        verb: &str,
        values: &mut Vec<(&'a str, String)>,
    ) -> Option<(&'a Resource, &'a Method)> {
        let Some((first, rest)) = parts.split_first() else {
            let resource = self.resource.as_ref()?;
            return Some((resource, resource.method(verb)?));
        };
        if let Some(found) = self.fixed.get(first).and_then(|child| child.descend(rest, verb, values)) {
            return Some(found);
        }
        if let Some((name, child)) = &self.variable {
            values.push((name, first.clone()));
            if let Some(found) = child.descend(rest, verb, values) {
                return Some(found);
            }
            values.pop();
        }
        let (name, resource) = self.greedy.as_ref()?;
        let method = resource.method(verb)?;
        values.push((name, parts.join("/")));
        Some((resource, method))
    }
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde_json::json;

    fn routes(paths: &[(&str, &[&str])]) -> Routes {
        let method = |verb: &&str| {
            let method = json!({"httpMethod": verb, "authorizationType": "NONE", "apiKeyRequired": false});
            ((*verb).to_owned(), serde_json::from_value(method).unwrap())
        };
        Routes::new(
            paths.iter().map(|(path, verbs)| ((*path).to_owned(), verbs.iter().map(method).collect())).collect(),
        )
    }

    fn found(routes: &Routes, verb: &str, path: &str) -> String {
        let Some(Route { resource_path, method, values }) = routes.find(path, verb) else {
            return "nothing".to_owned();
        };
        let values: Vec<String> = values.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {resource_path} {}", method.http_method, values.join(" "))
    }

    #[test]
    fn the_more_precise_resource_wins() {
        let routes = routes(&[
            ("/", &[]),
            ("/{proxy+}", &["ANY", "OPTIONS"]),
            ("/pets", &["GET"]),
            ("/pets/{id}", &["GET"]),
            ("/pets/{id}/toys", &["ANY"]),
            ("/pets/all", &["GET"]),
        ]);
        for (verb, path, leads_to) in [
            ("GET", "/pets", "GET /pets "),
            ("GET", "/pets/", "GET /pets "),
            ("GET", "/pets/all", "GET /pets/all "),
            ("GET", "/pets/7", "GET /pets/{id} id=7"),
            ("GET", "/pets/a%20b", "GET /pets/{id} id=a b"),
            ("PATCH", "/pets/7/toys", "ANY /pets/{id}/toys id=7"),
            ("GET", "/pets/7/food", "ANY /{proxy+} proxy=pets/7/food"),
            ("POST", "/pets/7", "ANY /{proxy+} proxy=pets/7"),
            ("POST", "/topics/0a1b.pin", "ANY /{proxy+} proxy=topics/0a1b.pin"),
            ("POST", "/topics/x%2Fy%25/", "ANY /{proxy+} proxy=topics/x/y%"),
            ("OPTIONS", "/topics", "OPTIONS /{proxy+} proxy=topics"),
            ("TRACE", "/topics", "nothing"),
            ("GET", "/", "nothing"),
        ] {
            assert_eq!(found(&routes, verb, path), leads_to, "{verb} {path}");
        }
    }

    #[test]
    fn a_root_has_methods_of_its_own() {
        let routes = routes(&[("/", &["GET"])]);
        assert_eq!(found(&routes, "GET", ""), "GET / ");
        assert_eq!(found(&routes, "POST", "/"), "nothing");
        assert_eq!(found(&routes, "GET", "/x"), "nothing");
    }
}
