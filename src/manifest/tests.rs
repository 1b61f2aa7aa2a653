//! Whole manifests: what is wrong with them, and what becomes of good ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use super::load::parse;
use super::{Manifest, Overrides, Problems};

mod good;
mod mutated;
mod problems;
mod shipped;

/// The least that a manifest holds.
const HEAD: &str = "name: demo\nenvironment: dev\ntarget: sandbox\nregion: us-east-1\n";

/// A pipeline with every part.
const WHOLE: &str = include_str!("tests/whole.yaml");

/// Where the manifests of the repository are; relative paths in a test start here.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))
}

fn read(text: &str) -> Result<Manifest, Problems> {
    read_with(text, &Overrides::default(), &[])
}

fn read_with(text: &str, overrides: &Overrides, environment: &[(&str, &str)]) -> Result<Manifest, Problems> {
    let environment =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    parse(&folder().join("m.yaml"), text, overrides, &environment)
}

/// The text with its lines numbered, and what is wrong with it: what a snapshot shows.
fn judged(text: &str) -> String {
    judged_with(text, &Overrides::default(), &[])
}

fn judged_with(text: &str, overrides: &Overrides, environment: &[(&str, &str)]) -> String {
    let shown: Vec<String> =
        text.lines().enumerate().map(|(index, line)| format!("{:>3} │ {line}", index + 1)).collect();
    let verdict = match read_with(text, overrides, environment) {
        Ok(manifest) if manifest.warnings.is_empty() => "nothing is wrong".to_owned(),
        Ok(manifest) => {
            manifest.warnings.iter().map(|warning| format!("warning: {warning}")).collect::<Vec<_>>().join("\n")
        }
        Err(problems) => problems.to_string(),
    };
    let verdict =
        verdict.replace(&format!("{}/", folder().display()), "").replace(&folder().display().to_string(), "…");
    format!("{}\n\n{verdict}", shown.join("\n"))
}
