//! `pipeline plan`: what apply would do.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::{CHANGES, DONE, Failure, REFUSED};
use super::session::Session;
use super::{Format, Global, ManifestPath, render, saved};
use crate::engine::plan::plan;
use crate::resource;

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
    /// Print what is to be done to the topics as commands of Apache Kafka's own tools, for a machine that reaches the
    /// brokers where this one doesn't.
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["out", "detailed_exitcode"])]
    emit: Option<Emit>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Emit {
    /// `kafka-topics.sh` and `kafka-configs.sh`.
    KafkaTopics,
}

impl Plan {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json, Format::Markdown])?;
        let session = Session::open(&self.manifest.path, global).await?;
        if let Some(Emit::KafkaTopics) = self.emit {
            return emit(session, global.style()).await;
        }
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

/// Prints the commands; where nothing can be read of the topics, those that need not know it.
async fn emit(session: Session, style: render::Style) -> Result<u8, Failure> {
    let plan = match session.observe().await {
        Ok(snapshot) => Some(plan(&session.graph, &snapshot)),
        Err(unread) => {
            render::errors(&unread).into_iter().for_each(|error| render::note(&error, style));
            None
        }
    };
    let commands = resource::topic_commands(&session.manifest, &session.context, plan.as_ref()).await?;
    render::commands(&commands)?;
    session.close().await;
    match plan {
        Some(plan) if !plan.refusals.is_empty() => Err(Failure::RefusedSteps(plan.refusals)),
        _ => Ok(DONE),
    }
}
