//! From a file to a valid manifest, or to everything that is wrong with it.

use std::path::Path;

use super::problem::{Findings, Position, Problems};
use super::variables::{Sources, substitute};
use super::{Manifest, Target, digest, raw, shape, validate, yaml};

/// What the command line says besides the manifest; it wins over it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--var NAME=VALUE`; the last of a name counts.
    pub variables: Vec<(String, String)>,
    /// `--target`.
    pub target: Option<Target>,
    /// `--region`.
    pub region: Option<String>,
    /// Whether it is read only to remove what it made: then what that was made of may be gone.
    pub removal: bool,
}

/// Reads a manifest. Its variables may come from the process's environment.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Manifest, Problems> {
    load_with(path, overrides, &|name| std::env::var(name).ok())
}

fn load_with(
    path: &Path,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, Problems> {
    let mut findings = Findings::new(path);
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return parse(path, &text, overrides, environment),
        Ok(Err(_)) => findings.problem(Position::START, "the manifest is not UTF-8; save it as UTF-8"),
        Err(error) => findings
            .problem(Position::START, format!("the manifest can't be read: {error}; give the path of a manifest")),
    }
    Err(findings.conclude().err().unwrap_or_else(|| Problems::unexplained(path)))
}

/// Reads a manifest's text. `path` says what relative paths start from; `environment` looks up variables of the
/// environment.
pub(super) fn parse(
    path: &Path,
    text: &str,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, Problems> {
    let mut findings = Findings::new(path);
    let manifest = stages(path, text, overrides, environment, &mut findings);
    let warnings = findings.conclude()?;
    let mut manifest = manifest.ok_or_else(|| Problems::unexplained(path))?;
    manifest.digest = digest::digest(&manifest).map_err(|_| Problems::unexplained(path))?;
    manifest.warnings = warnings;
    Ok(manifest)
}

/// Text, tree, variables, shape, meaning: each stage goes on with what the ones before could make sense of.
fn stages(
    path: &Path,
    text: &str,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
    findings: &mut Findings,
) -> Option<Manifest> {
    let mut tree = yaml::parse(text, findings)?;
    substitute(&mut tree, &Sources { flags: &overrides.variables, environment }, findings);
    let given: Vec<&str> = [("target", overrides.target.is_some()), ("region", overrides.region.is_some())]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
    let outcome = shape::check(&tree, &given, findings)?;
    let raw: yaml::At<raw::Manifest> = match yaml::typed(outcome.checked) {
        Ok(raw) => raw,
        Err(error) => {
            findings.problem(
                Position::START,
                format!("the manifest could not be understood: {error}; please report this with the manifest"),
            );
            return None;
        }
    };
    validate::validate(&raw, &outcome.damaged, path, overrides, findings)
}
