//! `pipeline sandbox`: the local AWS as a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::failure::{DONE, Failure};
use super::{Format, Global, render, session, steps};
use crate::aws::addresses::loopback;
use crate::manifest::{Access, Cluster, ClusterReference, Instance, Manifest, Pretended, parse_duration};
use crate::resource::Purpose;
use crate::sandbox::{ACCESS_KEY_ID, Claim, Fault, Options, SECRET_ACCESS_KEY, Settings, claim, start};

/// Where the sandbox keeps its data, where `PIPELINE_SANDBOX_DIR` says nothing else.
const FOLDER: &str = ".pipeline/sandbox";
/// The port that local AWS clouds are usually found at.
const PORT: u16 = 4566;

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the sandbox until it is interrupted; print the environment that other AWS clients need.
    Up(Up),
    /// Tell where the sandbox runs, and what is in it.
    Status,
    /// Forget everything in it.
    Reset,
}

/// Each knob has a variable, `PIPELINE_SANDBOX_SETTLE` and so on, that also holds when the sandbox runs inside a
/// command.
#[derive(Debug, Args)]
struct Up {
    /// Manifests whose clusters are to exist.
    #[arg(value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    /// The port of its endpoint.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Keep nothing: use a temporary folder that goes with it.
    #[arg(long)]
    ephemeral: bool,
    /// Add this to every call.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    latency: Option<Duration>,
    /// How long a thing stays CREATING, UPDATING or DELETING [default: 2s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    settle: Option<Duration>,
    /// How stale MSK's topic replies are [default: 1s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    lag: Option<Duration>,
    /// Enforce API Gateway's documented rates.
    #[arg(long)]
    throttle: bool,
    /// Inject a fault: `kafkaconnect:CreateConnector:500:2`. What is an HTTP status, an AWS error code, timeout, reset,
    /// hang, lost (it is done, but the answer never comes) or rollback.
    #[arg(long = "fault", value_name = "SERVICE:OPERATION:WHAT:TIMES")]
    faults: Vec<Fault>,
    /// Append a line of JSON for each call to this file.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
}

/// The folder of the sandbox's data.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    let folder = std::env::var_os("PIPELINE_SANDBOX_DIR").filter(|folder| !folder.is_empty());
    Ok(std::path::absolute(folder.map_or_else(|| PathBuf::from(FOLDER), PathBuf::from))?)
}

/// Claims the folder of the sandbox's data, or finds who has it.
pub(super) fn claimed(folder: &Path) -> Result<Claim, Failure> {
    claim(folder).map_err(|error| {
        let folder = folder.display();
        format!(
            "cannot keep the sandbox's data in {folder} ({error}); set PIPELINE_SANDBOX_DIR to a folder to write to"
        )
        .into()
    })
}

/// The knobs, as the environment has them.
pub(super) fn settings() -> Result<Settings, Failure> {
    Settings::from_env(parse_duration).map_err(|error| Failure::Usage(error.to_string()))
}

/// Sees to it that what the tool never makes, the manifest's cluster and instance, exists in the sandbox at `url`.
pub(super) async fn declare(url: &str, manifest: &Manifest) -> Result<(), Failure> {
    if let Some(cluster) = &manifest.cluster {
        declare_cluster(url, manifest, cluster).await?;
    }
    match manifest.client.as_ref().and_then(|client| client.instance.as_ref()) {
        Some(instance) => declare_instance(url, manifest, instance).await,
        None => Ok(()),
    }
}

/// An instance with the manifest's role as its profile, where that is meant for instances. One that is there stays as it
/// is.
async fn declare_instance(url: &str, manifest: &Manifest, instance: &Instance) -> Result<(), Failure> {
    let mut body = json!({ "region": manifest.region, "if_absent": true });
    match instance {
        Instance::Id(id) => body["id"] = json!(id),
        Instance::Tag { key, value } => {
            // One and the same for a tag.
            let number = hex::encode(Sha256::digest(format!("{key}={value}")));
            body["id"] = json!(format!("i-{}", &number[..17]));
            body["tags"] = json!({ key: value });
        }
    }
    if let Some(role) = manifest.role.as_ref().filter(|role| role.trusts_ec2()) {
        body["role"] = json!(role.name);
    }
    private(reqwest::Method::POST, url, "instance", &body).await?;
    Ok(())
}

async fn declare_cluster(url: &str, manifest: &Manifest, cluster: &Cluster) -> Result<(), Failure> {
    let mut body = match &cluster.reference {
        ClusterReference::Name(name) => json!({ "name": name, "region": manifest.region }),
        ClusterReference::Arn(arn) => json!({ "arn": arn, "region": manifest.region }),
    };
    match &cluster.pretended {
        Some(Pretended::Provisioned(version)) => body["kafka_version"] = json!(version),
        Some(Pretended::Serverless) => body["serverless"] = json!(true),
        None => {}
    }
    if cluster.access == Access::Public {
        body["access"] = json!("public");
    }
    private(reqwest::Method::POST, url, "cluster", &body).await?;
    Ok(())
}

/// Makes one of the sandbox's private calls.
async fn private(method: reqwest::Method, url: &str, call: &str, body: &Value) -> Result<Value, Failure> {
    let request = loopback()?.request(method, format!("{url}/_sandbox/{call}")).body(body.to_string());
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        let told = serde_json::from_str::<Value>(&text).ok();
        let told = told.as_ref().and_then(|refusal| refusal["message"].as_str()).unwrap_or(&text);
        return Err(format!("the sandbox refused {call}: {told}").into());
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

impl Sandbox {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        match &self.verb {
            Verb::Up(up) => up.run(global).await,
            Verb::Status => status(global).await,
            Verb::Reset => reset(global).await,
        }
    }
}

impl Up {
    async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let manifests: Result<Vec<Manifest>, Failure> =
            self.manifests.iter().map(|path| session::load(path, global, Purpose::Make)).collect();
        let options = Options { folder: self.folder()?, port: Some(self.port), settings: self.settings()? };
        let sandbox = start(options).await?;
        for taken in sandbox.taken() {
            render::note(&taken.to_string(), global.style());
        }
        for manifest in &manifests? {
            declare(sandbox.endpoint(), manifest).await?;
        }
        // Announced last, so that whoever finds it finds it whole.
        sandbox.announce()?;
        render::environment(&[
            ("AWS_ENDPOINT_URL", sandbox.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
            ("AWS_DEFAULT_REGION", global.region.as_deref().unwrap_or("us-east-1")),
        ])?;
        render::note("the sandbox is up; Ctrl-C ends it", global.style());
        steps::interrupted().await?;
        sandbox.stop().await;
        Ok(DONE)
    }

    fn folder(&self) -> Result<Option<crate::sandbox::Lock>, Failure> {
        if self.ephemeral {
            return Ok(None);
        }
        let folder = folder()?;
        match claimed(&folder)? {
            Claim::Ours(lock) => Ok(Some(lock)),
            Claim::Served { endpoint, pid } => Err(format!(
                "a sandbox is up on {} already, at {endpoint} (process {pid}); use that one, end it, or choose another \
                 folder with PIPELINE_SANDBOX_DIR",
                folder.display()
            )
            .into()),
            Claim::Busy { pid } => Err(format!(
                "{} is in use by another command{}; wait for it, or choose another folder with PIPELINE_SANDBOX_DIR",
                folder.display(),
                pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
            )
            .into()),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let environment = settings()?;
        Ok(Settings {
            latency: self.latency.unwrap_or(environment.latency),
            settle: self.settle.unwrap_or(environment.settle),
            lag: self.lag.unwrap_or(environment.lag),
            throttle: self.throttle || environment.throttle,
            faults: if self.faults.is_empty() { environment.faults } else { self.faults.clone() },
            calls: self.calls.clone().or(environment.calls),
        })
    }
}

async fn status(global: &Global) -> Result<u8, Failure> {
    let format = global.format_among(&[Format::Text, Format::Json])?;
    let folder = folder()?;
    let status = match claimed(&folder)? {
        Claim::Served { endpoint, .. } => private(reqwest::Method::GET, &endpoint, "status", &Value::Null).await?,
        Claim::Busy { pid } => json!({ "folder": folder, "running": "inside another command", "pid": pid }),
        Claim::Ours(_) => json!({ "folder": folder, "running": false }),
    };
    render::sandbox_status(&status, format == Format::Json)?;
    Ok(DONE)
}

async fn reset(global: &Global) -> Result<u8, Failure> {
    let folder = folder()?;
    match claimed(&folder)? {
        Claim::Served { endpoint, .. } => {
            private(reqwest::Method::POST, &endpoint, "reset", &Value::Null).await?;
        }
        Claim::Busy { .. } => return Err("another command is using the sandbox; wait for it, and reset again".into()),
        Claim::Ours(lock) => {
            let sandbox = start(Options { folder: Some(lock), port: None, settings: Settings::default() }).await?;
            private(reqwest::Method::POST, sandbox.endpoint(), "reset", &Value::Null).await?;
            sandbox.stop().await;
        }
    }
    render::note("the sandbox is empty", global.style());
    Ok(DONE)
}
