//! `pipeline apply`: make what the manifest declares.

use std::path::PathBuf;

use clap::Args;

use super::failure::{DONE, Failure};
use super::session::{Session, load};
use super::{Format, Global, render, saved, steps};
use crate::engine::plan::plan;
use crate::resource::{self, Purpose};

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The manifest, or a plan that `pipeline plan --out` kept.
    #[arg(value_name = "MANIFEST|PLAN")]
    path: PathBuf,
    /// Don't ask before something is destroyed or replaced.
    #[arg(short, long)]
    yes: bool,
}

impl Apply {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json])?;
        let style = global.style();
        let kept = saved::read(&self.path)?;
        let global = kept.as_ref().map_or_else(|| Ok(global.clone()), |kept| kept.global(global))?;
        let manifest = load(kept.as_ref().map_or(&self.path, |kept| &kept.manifest), &global, Purpose::Make)?;
        if let Some(kept) = &kept {
            kept.check_manifest(&manifest)?;
        }
        let session = Session::of(manifest, &global, Purpose::Make).await?;
        let snapshot = session.observe().await?;
        let plan = plan(&session.graph, &snapshot);
        let head = render::Head::of(&session.manifest, "apply");
        let asks = plan.changes().any(|step| step.work.destroys()) && !self.yes && kept.is_none();
        match &kept {
            // It was looked at when it was made.
            Some(kept) => kept.check_plan(&render::plan_json(&plan, &head))?,
            None => render::plan_to_be_done(&plan, &head, style, asks)?,
        }
        if !plan.refusals.is_empty() {
            return Err(Failure::RefusedSteps(plan.refusals));
        }
        if asks {
            steps::confirm("this plan destroys or replaces something", style)?;
        }
        let report = steps::execute(&session.graph, &plan, snapshot.known().clone(), style).await?;
        let outputs = resource::outputs(&session.manifest, &report.outputs);
        render::applied(&plan, &report, &outputs, format, style)?;
        let ended = steps::ended(report);
        if ended.is_ok() && session.is_inside() {
            render::inside_hint(style);
        }
        session.close().await;
        ended.map(|()| DONE)
    }
}
