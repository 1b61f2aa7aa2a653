//! `pipeline send`: records to the topics, by way of the invoke URL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::failure::{DONE, Failure, INTERRUPTED};
use super::session::{Connection, load};
use super::{Format, Global, ManifestPath, poster, render, steps};
use crate::flow::lanes::{Lanes, Limits};
use crate::flow::records::Kind;
use crate::flow::rejects::Rejects;
use crate::flow::sender::{self, Ending, Settings, Stop, Summary};
use crate::manifest::parse_duration;
use crate::resource::Purpose;

mod source;

use source::Chosen;

/// How many bytes a post has, unless one record alone has more. Kafka takes batches of a little over a million.
const POST_BYTES: usize = 768 * 1024;
/// How long a record waits for others to be posted with.
const LINGER: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    manifest: ManifestPath,
    /// Send the rows of this file (.jsonl, .ndjson or .csv); - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    file: Option<PathBuf>,
    /// How the rows are written, where the file's name doesn't tell.
    #[arg(long, value_enum, value_name = "FORMAT", requires = "file")]
    input_format: Option<InputFormat>,
    /// Take each value of a CSV file as text, also one that looks like a number.
    #[arg(long, requires = "file")]
    text: bool,
    /// Make up records of these kinds. Without it, and without --file: of each declared topic's own kind.
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    generate: Vec<GeneratedKind>,
    /// Make up the same records as another run with this seed.
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    seed: Option<u64>,
    /// The topic.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Use this field as the record's key too.
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// How many records. Made-up ones: 100, unless --count or --duration says otherwise.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// For how long: 90s, 15m.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// How many records a second, evenly.
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,
    /// The most records in a post.
    #[arg(long, value_name = "NUMBER", default_value = "500", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// How many posts are under way at once.
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=1000))]
    concurrency: u32,
    /// How long a post that fails is made again, before its records have failed.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    retry_for: Duration,
    /// Add the records that were not acknowledged to this file, as lines of JSON, each with its reason.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// The API key, where the API asks for one; otherwise it is asked of API Gateway.
    #[arg(long, value_name = "KEY", env = "PIPELINE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InputFormat {
    /// A JSON value on each line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GeneratedKind {
    /// What a user posted.
    Pin,
    /// Where it was posted.
    Geo,
    /// Who the user is.
    User,
}

impl From<GeneratedKind> for Kind {
    fn from(kind: GeneratedKind) -> Self {
        match kind {
            GeneratedKind::Pin => Self::Pin,
            GeneratedKind::Geo => Self::Geo,
            GeneratedKind::User => Self::User,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.001 => Ok(rate),
        _ => Err("expected a number of records a second, such as 50 or 0.5".to_owned()),
    }
}

impl Send {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json])?;
        let style = global.style();
        let manifest = load(&self.manifest.path, global, Purpose::Make)?;
        let chosen = Chosen::of(self, &manifest)?;
        if let (Some(file), Some(rejects)) = (&self.file, &self.rejects)
            && std::fs::canonicalize(file).is_ok_and(|file| std::fs::canonicalize(rejects).is_ok_and(|it| it == file))
        {
            let path = rejects.display();
            return Err(Failure::Usage(format!("{path} can't be read and written at once; name another --rejects")));
        }
        let append = |path: &PathBuf| Rejects::append(path).map_err(|error| unwritable(path, &error));
        let rejects = self.rejects.as_ref().map(append).transpose()?;
        let source = chosen.open()?;
        let connection = Connection::of(manifest, global).await?;
        let poster = poster::connect(&connection.manifest, &connection.context, self.api_key.as_deref()).await?;
        render::note(&chosen.to_string(), style);
        let (lanes, settings) = (Lanes::new(chosen.topics(), self.limits()), self.settings(&chosen));
        let stop = Stop::default();
        let asked = stop.clone();
        let stopping = "stopping: posts that are under way are waited for; once more ends it at once";
        let watch = steps::watch(move || asked.ask(), stopping, style);
        let mut sending = render::Sending::new(source.unit(), settings.count, self.rejects.is_some(), style);
        let report = |event: sender::Event<'_>| sending.tell(&event);
        let summary = sender::send(poster, source, lanes, &settings, rejects, &stop, report).await;
        watch.abort();
        sending.end();
        render::sent(&summary, chosen.seed(), format)?;
        if connection.is_inside() {
            render::inside_hint(style);
        }
        connection.close().await;
        self.ended(&summary)
    }

    fn limits(&self) -> Limits {
        Limits { records: self.batch as usize, bytes: POST_BYTES, linger: LINGER }
    }

    fn settings(&self, chosen: &Chosen) -> Settings {
        Settings {
            concurrency: self.concurrency as usize,
            count: chosen.count(),
            duration: self.duration,
            rate: self.rate,
            retry_for: self.retry_for,
        }
    }

    /// How it ended, as the command ends.
    fn ended(&self, summary: &Summary) -> Result<u8, Failure> {
        match &summary.ending {
            Ending::Complete if summary.lost() == 0 => Ok(DONE),
            Ending::Stopped => Ok(INTERRUPTED),
            ending => Err(Failure::Records(match (ending, &self.rejects) {
                (Ending::Useless(why), _) => why.clone(),
                (Ending::Unreadable(why), _) => format!("cannot read the rows to their end: {why}"),
                (_, Some(path)) => {
                    format!("{} records were not acknowledged; they are in {}", summary.lost(), path.display())
                }
                (_, None) => format!(
                    "{} records were not acknowledged; add --rejects FILE to have them, each with its reason",
                    summary.lost()
                ),
            })),
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot write {}: {error}; name another file with --rejects", path.display()).into()
}
