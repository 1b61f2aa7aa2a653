//! Plans that are kept in a file: made now, looked at by somebody, applied later, and only if nothing has changed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::{Global, Target};
use crate::manifest::Manifest;

/// The version of the file's form.
const VERSION: u32 = 1;

/// A kept plan: how to plan again, and what came out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    pipeline_plan: u32,
    /// The manifest's path, absolute.
    pub(super) manifest: PathBuf,
    variables: Vec<(String, String)>,
    target: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
    profile: Option<String>,
    digest: String,
    plan: Value,
}

/// Keeps a plan. Only its owner may read the file, since variables may hold what others should not see.
pub(super) fn write(
    file: &Path,
    manifest_path: &Path,
    global: &Global,
    manifest: &Manifest,
    plan: &Value,
) -> Result<(), Failure> {
    let saved = Saved {
        pipeline_plan: VERSION,
        manifest: std::path::absolute(manifest_path)?,
        variables: global.variables.clone(),
        target: global.target.map(|target| if target == Target::Aws { "aws" } else { "sandbox" }.to_owned()),
        region: global.region.clone(),
        endpoint_url: global.endpoint_url.clone(),
        profile: global.profile.clone(),
        digest: manifest.digest.clone(),
        plan: plan.clone(),
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut out| {
        hide(&out)?;
        out.write_all(&serde_json::to_vec_pretty(&saved)?)
    });
    written.map_err(|error| format!("cannot write the plan to {}: {error}", file.display()).into())
}

/// Hides a file that was there before, and may be open to all.
fn hide(file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(())
}

/// The kept plan that a file holds; `None` where it holds something else, such as a manifest.
pub(super) fn read(file: &Path) -> Result<Option<Saved>, Failure> {
    // Whoever reads it as a manifest tells better why it can't be read.
    let Ok(text) = fs::read(file) else { return Ok(None) };
    let Ok(value) = serde_json::from_slice::<Value>(&text) else { return Ok(None) };
    match value.get("pipeline_plan").and_then(Value::as_u64) {
        None => Ok(None),
        Some(version) if version == u64::from(VERSION) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| format!("{} is a plan, but not a whole one ({error}); plan again", file.display()).into()),
        Some(version) => Err(format!(
            "{} is a plan of form {version}, and this version of pipeline reads form {VERSION}; plan again",
            file.display()
        )
        .into()),
    }
}

impl Saved {
    /// The command line that the plan was made with, written and told as this one asks.
    ///
    /// # Errors
    /// Where this one says again, and perhaps otherwise, what the plan holds.
    pub(super) fn global(&self, now: &Global) -> Result<Global, Failure> {
        let again = [
            ("--var", !now.variables.is_empty()),
            ("--target", now.target.is_some()),
            ("--region", now.region.is_some()),
            ("--endpoint-url", now.endpoint_url.is_some()),
            ("--profile", now.profile.is_some()),
        ];
        if let Some((flag, _)) = again.iter().find(|(_, given)| *given) {
            return Err(Failure::Usage(format!(
                "a kept plan is applied as it was made; leave {flag} out, or plan again"
            )));
        }
        Ok(Global {
            variables: self.variables.clone(),
            target: self.target.as_deref().map(|target| if target == "aws" { Target::Aws } else { Target::Sandbox }),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            profile: self.profile.clone(),
            ..now.clone()
        })
    }

    /// Refuses a manifest that is no longer the one that was planned.
    pub(super) fn check_manifest(&self, manifest: &Manifest) -> Result<(), Failure> {
        if self.digest == manifest.digest {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "{}, or a variable that it takes from the environment, is not as it was when this plan was made; nothing was \
             changed. Plan again",
            self.manifest.display()
        )))
    }

    /// Refuses a plan that would now be another one.
    pub(super) fn check_plan(&self, plan: &Value) -> Result<(), Failure> {
        if self.plan == *plan {
            return Ok(());
        }
        Err(Failure::Refused(
            "what is there has changed since this plan was made, so that it no longer fits; nothing was changed. Plan \
             again"
                .to_owned(),
        ))
    }
}
