//! `pipeline outputs`: what the pipeline gives.

use clap::Args;

use super::failure::{DONE, Failure};
use super::session::Session;
use super::{Format, Global, ManifestPath, render};
use crate::resource;

#[derive(Debug, Args)]
pub(super) struct Outputs {
    #[command(flatten)]
    manifest: ManifestPath,
    /// Print this one alone, bare.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Outputs {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json, Format::Env])?;
        let session = Session::open(&self.manifest.path, global).await?;
        let snapshot = session.observe().await?;
        let outputs = resource::outputs(&session.manifest, snapshot.known());
        match &self.name {
            None => render::outputs(&outputs, format)?,
            Some(name) => {
                let Some(value) = outputs.get(name) else {
                    let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
                    let there = if names.is_empty() { "none: apply first".to_owned() } else { names.join(", ") };
                    return Err(format!("there is no output \"{name}\"; there is {there}").into());
                };
                render::output(value, format)?;
            }
        }
        if session.is_inside() {
            render::inside_hint(global.style());
        }
        session.close().await;
        Ok(DONE)
    }
}
