//! The command line: one file a verb, and how each of them ends.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

mod apply;
mod client;
mod destroy;
mod failure;
mod outputs;
mod plan;
mod poster;
mod render;
#[cfg(feature = "sandbox")]
mod sandbox;
mod saved;
mod send;
mod session;
mod steps;
mod verify;

use failure::Failure;

/// One manifest for an HTTP to Kafka to S3 pipeline on AWS.
///
/// Reads a YAML manifest and makes what it declares: MSK topics, the S3 bucket, the connector plugin, the MSK Connect
/// connector, the IAM role and its trust policy, and the API Gateway proxy. There is no state file: what AWS says is
/// the truth, so a run that was killed is simply run again.
///
/// Exit codes: 0 done; 1 failed; 2 there are changes (plan --detailed-exitcode); 3 refused as unsafe; 64 wrong usage;
/// 65 invalid manifest.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what apply would do; change nothing.
    Plan(plan::Plan),
    /// Make what the manifest declares, and see that it is there.
    Apply(apply::Apply),
    /// Remove what the manifest made, and nothing else.
    Destroy(destroy::Destroy),
    /// Print what the pipeline gives: brokers, ARNs, the invoke URL.
    Outputs(outputs::Outputs),
    /// The machine with Kafka's tools and the REST proxy.
    Client(client::Client),
    /// Post records to the invoke URL, and account for each of them.
    Send(Box<send::Send>),
    /// Send a marked record to every topic, and see that it becomes an object in the bucket.
    Verify(verify::Verify),
    /// The local AWS as a server with a fixed endpoint, for any AWS client.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Sandbox),
}

/// What every verb takes.
#[derive(Clone, Debug, Args)]
struct Global {
    /// Set a manifest variable; wins over PIPELINE_VAR_KEY, which wins over the manifest.
    #[arg(long = "var", value_name = "KEY=VALUE", value_parser = variable, global = true)]
    variables: Vec<(String, String)>,
    /// Where the pipeline is to exist; wins over the manifest.
    #[arg(long, value_enum, global = true)]
    target: Option<Target>,
    /// Talk to this server instead of AWS; with target aws.
    #[arg(long, value_name = "URL", value_parser = endpoint, global = true)]
    endpoint_url: Option<String>,
    /// The AWS profile.
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,
    /// The AWS region; wins over the manifest.
    #[arg(long, value_name = "REGION", global = true)]
    region: Option<String>,
    /// How results are written.
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
    /// Write no colours.
    #[arg(long, global = true)]
    no_color: bool,
    /// Tell more: every field, and what is unchanged.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Tell nothing but results and errors.
    #[arg(long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The embedded local AWS.
    Sandbox,
    /// AWS.
    Aws,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests; plan alone.
    Markdown,
    /// NAME=value lines for a shell; outputs alone.
    Env,
}

impl Global {
    /// Refuses a format that a verb doesn't have.
    fn format_among(&self, formats: &[Format]) -> Result<Format, Failure> {
        if formats.contains(&self.format) {
            return Ok(self.format);
        }
        let names: Vec<_> = formats.iter().filter_map(ValueEnum::to_possible_value).collect();
        let names: Vec<&str> = names.iter().map(clap::builder::PossibleValue::get_name).collect();
        Err(Failure::Usage(format!("this command has no such --format; it has {}", names.join(", "))))
    }

    fn style(&self) -> render::Style {
        render::Style { verbose: self.verbose, quiet: self.quiet, json: self.format == Format::Json }
    }
}

/// A manifest's path.
#[derive(Debug, Args)]
struct ManifestPath {
    /// The manifest.
    #[arg(value_name = "MANIFEST")]
    path: PathBuf,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err("expected a URL such as http://127.0.0.1:4566".to_owned()),
    }
}

/// Parses the command line, does what it says, and tells how that ended.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is left to tell where standard output is closed.
            let _ = error.print();
            return if wanted { ExitCode::SUCCESS } else { ExitCode::from(failure::USAGE) };
        }
    };
    if cli.global.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    let ended = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(Box::new(error)))
        .and_then(|runtime| {
            let ended = runtime.block_on(dispatch(&cli));
            // A download or a hashing that is still under way must not hold up the end.
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            render::failure(&failure, cli.global.style());
            ExitCode::from(failure.code())
        }
    }
}

async fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    match &cli.verb {
        Verb::Plan(verb) => verb.run(&cli.global).await,
        Verb::Apply(verb) => verb.run(&cli.global).await,
        Verb::Destroy(verb) => verb.run(&cli.global).await,
        Verb::Outputs(verb) => verb.run(&cli.global).await,
        Verb::Client(verb) => verb.run(&cli.global).await,
        Verb::Send(verb) => verb.run(&cli.global).await,
        Verb::Verify(verb) => verb.run(&cli.global).await,
        #[cfg(feature = "sandbox")]
        Verb::Sandbox(verb) => verb.run(&cli.global).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
