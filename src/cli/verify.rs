//! `pipeline verify`: a marked record to every topic, followed into the bucket.

use std::sync::Mutex;
use std::time::Duration;

use clap::Args;
use futures::future::join_all;

use super::failure::{DONE, Failure};
use super::session::Session;
use super::{Format, Global, ManifestPath, poster, render};
use crate::engine::plan::plan;
use crate::flow::diagnosis::{Evidence, causes};
use crate::flow::probe::{Hop, Layout, Probe, Sink, Trace};
use crate::manifest::{Manifest, Target, Topic, parse_duration};
use crate::resource;

mod evidence;

/// How long an object may take: the sandbox's connectors write at once, MSK Connect's with their own rhythm.
const SANDBOX_PATIENCE: Duration = Duration::from_secs(30);
const AWS_PATIENCE: Duration = Duration::from_secs(120);

/// A marked record goes to each declared topic through the invoke URL, and is looked for in the topic and in the
/// bucket. What is not there is told with the likely cause and what to do.
///
/// The records stay in their topics, and the objects in the bucket unless --clean is given.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    manifest: ManifestPath,
    /// Only this topic; several times for several.
    #[arg(long = "topic", value_name = "NAME")]
    topics: Vec<String>,
    /// How long an object may take [default: 30s in the sandbox, 2m on AWS].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Remove the objects again that have nothing but marked records.
    #[arg(long)]
    clean: bool,
    /// The API key, where the API asks for one; otherwise it is asked of API Gateway.
    #[arg(long, value_name = "KEY", env = "PIPELINE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

impl Verify {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json])?;
        let style = global.style();
        let session = Session::open(&self.manifest.path, global).await?;
        let topics = self.chosen(&session.manifest)?;
        let snapshot = session.observe().await?;
        let outputs = resource::outputs(&session.manifest, snapshot.known());
        let output = |name: &str| outputs.get(name).and_then(|value| value.as_str());
        let clients = &session.context.clients;
        let connector = evidence::connector(clients, output("connector_arn")).await;
        let configuration = connector.as_ref().ok().and_then(Option::as_ref).map(|it| it.configuration.clone());
        let probe =
            Probe {
                poster: poster::connect(&session.manifest, &session.context, self.api_key.as_deref())
                    .await
                    .map_err(|failure| render::errors(&failure).join("; ")),
                brokers: resource::brokers(&session.manifest, &session.context, &outputs)
                    .await
                    .map_err(|why| why.to_string()),
                sink: match (&session.manifest.connector, &session.manifest.bucket, &connector) {
                    (None, ..) => Err("the manifest declares no connector".to_owned()),
                    (_, None, _) => Err("the manifest declares no bucket".to_owned()),
                    (.., Err(failure)) => Err(format!("MSK Connect can't be asked: {failure}")),
                    // A bucket that isn't there is found missing by who looks into it.
                    (Some(_), Some(bucket), Ok(_)) => Layout::of(&configuration.unwrap_or_default())
                        .map(|layout| Sink { s3: clients.s3.clone(), bucket: bucket.name.clone(), layout }),
                },
                patience: self.timeout.unwrap_or(match session.manifest.target {
                    Target::Sandbox => SANDBOX_PATIENCE,
                    Target::Aws => AWS_PATIENCE,
                }),
            };
        let traces = follow(&probe, &topics, style).await;
        let mut evidence = Evidence { connector: connector.unwrap_or_default(), ..Evidence::default() };
        if traces.iter().any(|trace| !trace.is_well()) {
            evidence.drift = evidence::drift(&plan(&session.graph, &snapshot));
            evidence::gather(&mut evidence, &session.manifest, clients, snapshot.known(), &traces).await;
        }
        let removed = if self.clean { clean(&probe, &traces).await } else { Vec::new() };
        let findings: Vec<_> = traces.iter().map(|trace| (trace, causes(trace, &evidence))).collect();
        render::verified(&findings, &removed, probe.sink.as_ref().map_or("", |sink| &sink.bucket), format)?;
        if session.is_inside() {
            render::inside_hint(style);
        }
        session.close().await;
        let stuck = traces.iter().filter(|trace| !trace.is_well()).count();
        if stuck == 0 {
            return Ok(DONE);
        }
        Err(Failure::Records(format!("{stuck} of {} records did not come through", traces.len())))
    }

    /// The topics that are sent to.
    fn chosen<'a>(&self, manifest: &'a Manifest) -> Result<Vec<&'a Topic>, Failure> {
        if manifest.topics.is_empty() {
            return Err("the manifest declares no topics, so there is nothing to send to".into());
        }
        if let Some(unknown) = self.topics.iter().find(|name| !manifest.topics.iter().any(|it| it.name == **name)) {
            let names: Vec<&str> = manifest.topics.iter().map(|topic| topic.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Failure::Usage(format!("the manifest declares no topic {unknown}; it has {names}")));
        }
        let is_meant = |topic: &&Topic| self.topics.is_empty() || self.topics.contains(&topic.name);
        Ok(manifest.topics.iter().filter(is_meant).collect())
    }
}

/// Follows all records at once.
async fn follow(probe: &Probe, topics: &[&Topic], style: render::Style) -> Vec<Trace> {
    let watching = Mutex::new(render::Watching::new(topics.len(), style));
    let tell = |topic: &str, hop: Hop| {
        if let Ok(mut watching) = watching.lock() {
            watching.tell(topic, hop);
        }
    };
    let watching_clock = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Ok(mut watching) = watching.lock() {
                watching.tick();
            }
        }
    };
    let traces = join_all(topics.iter().map(|topic| {
        let keyed = topic.config.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
        let (tell, watching) = (&tell, &watching);
        async move {
            let trace = probe.trace(&topic.name, keyed, |hop| tell(&topic.name, hop)).await;
            if let Ok(mut watching) = watching.lock() {
                watching.done(&topic.name);
            }
            trace
        }
    }));
    tokio::select! {
        traces = traces => traces,
        never = watching_clock => never,
    }
}

/// Removes the objects that have nothing but marked records; tells of each whether it is gone, or why not.
async fn clean(probe: &Probe, traces: &[Trace]) -> Vec<(String, Result<(), String>)> {
    let Ok(sink) = &probe.sink else { return Vec::new() };
    let landed = traces.iter().filter_map(|trace| trace.landed.as_ref());
    join_all(landed.map(|landed| async move {
        let key = landed.key.clone();
        let removed = if landed.is_ours_alone {
            sink.remove(&key).await.map_err(|error| error.to_string())
        } else {
            Err("it has other records too".to_owned())
        };
        (key, removed)
    }))
    .await
}
