//! `pipeline destroy`: remove what the manifest made.

use clap::Args;

use super::failure::{DONE, Failure};
use super::session::{Session, load};
use super::{Format, Global, ManifestPath, render, steps};
use crate::engine::plan::plan_destroy;
use crate::resource::Purpose;

#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    manifest: ManifestPath,
    /// Don't ask.
    #[arg(short, long)]
    yes: bool,
    /// Delete topics that are declared to be retained, with their records.
    #[arg(long)]
    delete_topics: bool,
    /// Delete the objects of a bucket that is declared to be retained, and then the bucket.
    #[arg(long)]
    empty_bucket: bool,
}

impl Destroy {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json])?;
        let style = global.style();
        let mut manifest = load(&self.manifest.path, global, Purpose::Remove)?;
        if self.delete_topics {
            manifest.topics.iter_mut().for_each(|topic| topic.retain = false);
        }
        if let Some(bucket) = manifest.bucket.as_mut().filter(|_| self.empty_bucket) {
            bucket.retain = false;
        }
        let session = Session::of(manifest, global, Purpose::Remove).await?;
        let snapshot = session.observe().await?;
        let plan = plan_destroy(&session.graph, &snapshot);
        let asks = plan.changes().next().is_some() && !self.yes;
        render::plan_to_be_done(&plan, &render::Head::of(&session.manifest, "destroy"), style, asks)?;
        if asks {
            steps::confirm("this destroys what is listed above", style)?;
        }
        let report = steps::execute(&session.graph, &plan, snapshot.known().clone(), style).await?;
        render::destroyed(&plan, &report, format, style)?;
        session.close().await;
        steps::ended(report).map(|()| DONE)
    }
}
