//! `pipeline plan`: what apply would do.

use std::path::PathBuf;

use clap::Args;

use super::failure::{CHANGES, DONE, Failure, REFUSED};
use super::session::Session;
use super::{Format, Global, ManifestPath, render, saved};
use crate::engine::plan::plan;

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    manifest: ManifestPath,
    /// Exit with 2 where there are changes.
    #[arg(long)]
    detailed_exitcode: bool,
    /// Keep the plan in a file, for `pipeline apply FILE`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plan {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json, Format::Markdown])?;
        let session = Session::open(&self.manifest.path, global).await?;
        let snapshot = session.observe().await?;
        let plan = plan(&session.graph, &snapshot);
        let head = render::Head::of(&session.manifest, "apply");
        render::plan(&plan, &head, format, global.style())?;
        if let Some(file) = &self.out {
            saved::write(file, &self.manifest.path, global, &session.manifest, &render::plan_json(&plan, &head))?;
        }
        session.close().await;
        if !plan.refusals.is_empty() {
            // The plan tells them; a second document would be no JSON.
            if format == Format::Json {
                return Ok(REFUSED);
            }
            return Err(Failure::RefusedSteps(plan.refusals));
        }
        Ok(if self.detailed_exitcode && !plan.is_empty() { CHANGES } else { DONE })
    }
}
