//! What is installed on the client's machine: Kafka's tools, the MSK IAM jar, the REST proxy, and their files, all of it
//! by `setup.sh`, over Systems Manager.
//!
//! The machine says itself what it has, in the command that its [instance](super::instance) is read with. What is to be
//! done is done one step of `setup.sh` a command; a step that was killed anywhere is simply done again.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::Shared;
use super::existing::UNUSABLE;
use super::instance::{AWAITS, REPORT};
use crate::client_host::{Folder, Setup, is_looked_into, observe_command, read, remove_command};
use crate::engine::{
    Address, Change, FieldChange, Fields, Observed, OnChange, Output, Outputs, Owner, Progress, Removal, Resource,
    Result, State,
};
use crate::manifest::Instance;

use report::{Installed, Report, Service};

mod blueprint;
pub(crate) mod command;
pub(crate) mod report;

pub(crate) use blueprint::{Blueprint, expected_role, folder};

/// The steps of `setup.sh` that change something, in their order.
const STEPS: [&str; 6] = ["java", "kafka", "iam-jar", "rest-proxy", "files", "service"];
/// How long a role, or what it may do, can be new to AWS before every server knows
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>, "eventually consistent").
const ROLE_SPREADS: Duration = Duration::from_secs(60);
const BETWEEN_CHECKS: Duration = Duration::from_secs(5);
/// What is wrong with an instance that Systems Manager doesn't know.
const UNMANAGED: &str =
    "Systems Manager doesn't manage the instance; start it, and see that its agent reaches Systems Manager";
/// How much of a file's SHA-256 a plan shows.
const SHOWN_OF_SUM: usize = 12;

/// The software of a client machine.
#[derive(Debug)]
pub(crate) struct ClientHost {
    context: Shared,
    blueprint: Blueprint,
    address: Address,
    needs: Vec<Address>,
    instance: Address,
}

/// The address of what is installed on an instance.
fn address(instance: &Instance) -> Address {
    Address::new("client", super::instance::address(instance).name())
}

impl ClientHost {
    /// What `blueprint` has, on that instance.
    pub(crate) fn new(context: Shared, blueprint: Blueprint, declared: &Instance) -> Self {
        let instance = super::instance::address(declared);
        let mut needs = vec![instance.clone()];
        needs.extend(blueprint.needs());
        Self { context, blueprint, address: address(declared), needs, instance }
    }

    fn state(&self, report: &Report, id: &str) -> State {
        let java = self.blueprint.client().java_version;
        let label = (self.address.name() != id).then(|| id.to_owned());
        State { fields: installed(report, java), output: Output::new().with("id", id), label }
    }

    /// Whose the machine is.
    fn owner(&self, report: &Report) -> Owner {
        match &report.state.owner {
            Some(other) if *other != self.blueprint.owner() => Owner::Foreign(format!(
                "the machine is set up for the pipeline {other}, and its files hold one alone: a destroy of that frees it"
            )),
            _ => Owner::Untaggable,
        }
    }

    async fn observe(&self, id: &str) -> Result<Report> {
        Report::read(&command::ask(&self.context.clients, id, &observe_command()?).await?)
    }

    /// Does what is still to do on the machine, and looks at what it has then.
    async fn converge(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        if let Some(why) = known.text(&self.instance, AWAITS) {
            return Err(format!("{why}; then apply again, which goes on from here").into());
        }
        let id = known.require(&self.instance, "id")?;
        let folder =
            self.blueprint.with_setup(known, |setup| setup.folder()).ok_or("the cluster's brokers are not known")?;
        let asked = self.step(id, &folder, &["check", "steps"], "what is to do", progress).await?;
        let pending: Vec<&str> = STEPS.into_iter().filter(|step| asked.lines().any(|line| line == *step)).collect();
        for (place, step) in pending.iter().enumerate() {
            self.step(id, &folder, &[step], &format!("{step} ({} of {})", place + 1, pending.len()), progress).await?;
        }
        self.check(id, &folder, progress).await?;
        Ok(self.state(&self.observe(id).await?, id))
    }

    /// Runs steps of `setup.sh`, and tells what they printed.
    async fn step(
        &self,
        id: &str,
        folder: &Folder,
        steps: &[&str],
        title: &str,
        progress: &Progress,
    ) -> Result<String> {
        let script = folder.command(steps)?;
        let tell = |state: &str| progress.note(format!("{title}: {state}"));
        self.run(id, steps, "apply", &script, tell).await
    }

    /// Runs a script of those steps, and tells what it printed.
    async fn run(
        &self,
        id: &str,
        steps: &[&str],
        verb: &str,
        script: &str,
        tell: impl FnMut(&str) + Send,
    ) -> Result<String> {
        let comment = format!("pipeline: {}", steps.join(", "));
        let ended = command::run(command::EXECUTION, &self.context.clients, id, &comment, script, tell).await?;
        if ended.code == 0 { Ok(ended.output) } else { Err(failed(id, steps, verb, &ended).into()) }
    }

    /// Tries what was installed. A role that is new, or newly may do something, is so for a while.
    async fn check(&self, id: &str, folder: &Folder, progress: &Progress) -> Result<()> {
        let until = Instant::now() + ROLE_SPREADS;
        loop {
            let tried = self.step(id, folder, &["self-check"], "self-check", progress).await;
            match tried {
                Err(error) if Instant::now() < until && is_about_roles(&error.to_string()) => {
                    progress.note("self-check: its role is not known everywhere yet");
                    sleep(BETWEEN_CHECKS).await;
                }
                tried => return tried.map(drop),
            }
        }
    }
}

/// Whether a verdict's cause may be that IAM is not yet of one mind: the words are those of `report.sh`.
fn is_about_roles(verdict: &str) -> bool {
    ["may not assume awsRoleArn", "lacks kafka-cluster:Connect"].iter().any(|cause| verdict.contains(cause))
}

fn failed(id: &str, steps: &[&str], verb: &str, ended: &command::Ended) -> String {
    // The codes are those of setup.sh.
    let what = match ended.code {
        65 => "its settings can't be followed; correct `client` in the manifest",
        66 => "a download isn't what it must be, and nothing of it was installed; find out why before you trust it",
        69 => "the machine isn't fit; make it so, or name another instance",
        75 => "another run is at work on the machine; wait for its end",
        77 => "it was set up for another pipeline meanwhile; give each its own machine",
        // What the shell says of a command that signals ended: 128 and their number.
        129.. => "it was killed on the machine",
        _ => "its last lines say why; see to that",
    };
    format!(
        "step {} of setup.sh failed on {id} (exit code {}): {what}; then {verb} again, which goes on from there. Its last \
         lines:\n{}",
        steps.join(" and "),
        ended.code,
        ended.last_lines()
    )
}

/// What is wanted, flat.
fn wanted(setup: &Setup<'_>) -> Fields {
    let client = setup.client;
    let mut fields = Fields::new().with("java", client.java_version).with("kafka", client.kafka_version.as_str());
    if let Some(version) = setup.iam_jar() {
        fields = fields.with("iam_jar", version);
    }
    for (name, text) in setup.folder().kept() {
        let sum = hex::encode(Sha256::digest(text));
        fields = with_file(fields, name, &sum, Some(text).filter(|_| is_looked_into(name)));
    }
    if let Some(proxy) = &client.rest_proxy {
        fields = fields.with("rest_proxy", proxy.version.as_str()).with("service", RUNNING);
    }
    fields
}

/// What is there, flat. `java` is the version that is enough.
fn installed(report: &Report, java: u32) -> Fields {
    let Installed { kafka, kafka_scala, iam_jar, rest_proxy, files, service, old, .. } = &report.state;
    let mut fields = Fields::new();
    match report.state.java.as_deref() {
        Some(version) if major(version).is_some_and(|major| major >= java) => fields = fields.with("java", java),
        Some(version) => fields = fields.with("java", version),
        None => {}
    }
    if let Some(version) = kafka {
        let scala = kafka_scala.as_deref().filter(|scala| *scala != crate::client_host::SCALA);
        fields = fields.with("kafka", scala.map_or(version.clone(), |scala| format!("{version}, Scala {scala}")));
    }
    let versions = [("iam_jar", iam_jar), ("rest_proxy", rest_proxy)].into_iter();
    for (name, version) in versions.filter_map(|(name, version)| Some((name, version.as_deref()?))) {
        fields = fields.with(name, version);
    }
    for (name, sum) in files {
        fields = with_file(fields, name, sum, report.properties.get(name).map(String::as_str));
    }
    if let Some(service) = described(*service) {
        fields = fields.with("service", service);
    }
    if !old.is_empty() {
        let old: Vec<Value> = old.iter().map(|name| name.as_str().into()).collect();
        fields = fields.with("leftovers", old);
    }
    fields
}

/// A file, and its properties where it is one of these.
fn with_file(fields: Fields, name: &str, sum: &str, properties: Option<&str>) -> Fields {
    let file = fields.with(name, format!("sha256 {}", sum.get(..SHOWN_OF_SUM).unwrap_or(sum)));
    let properties = properties.map(read).unwrap_or_default();
    properties.into_iter().fold(file, |fields, (key, value)| fields.with(format!("{name}: {key}"), value))
}

/// How a service is called that is as it should be.
const RUNNING: &str = "running";

fn described(service: Service) -> Option<&'static str> {
    match service {
        Service { enabled: false, active: false, .. } => None,
        Service { active: false, .. } => Some("stopped"),
        Service { enabled: false, .. } => Some("running, but not after a restart of the machine"),
        Service { current: false, .. } => Some("running with what was installed before"),
        Service { .. } => Some(RUNNING),
    }
}

/// The number that Java's versions go by: 8 calls itself 1.8.
fn major(version: &str) -> Option<u32> {
    let version = version.strip_prefix("1.").unwrap_or(version);
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[async_trait]
impl Resource for ClientHost {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, known: &Outputs) -> Fields {
        // Of one that can't be asked, nothing is known to be otherwise.
        let Some(instance) = known.of(&self.instance) else { return Fields::new() };
        if instance.text(UNUSABLE).is_some() && instance.text(REPORT).is_none() {
            return Fields::new();
        }
        let wanted = self.blueprint.with_setup(known, wanted).unwrap_or_default();
        match instance.text(AWAITS) {
            Some(why) => wanted.with(AWAITS, why),
            None => wanted,
        }
    }

    fn on_change(&self, _change: &FieldChange) -> OnChange {
        OnChange::Update
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        let instance = known.of(&self.instance).cloned().unwrap_or_else(|| Output::new().with(UNUSABLE, UNMANAGED));
        let Some(text) = instance.text(REPORT) else {
            let Some(why) = instance.text(UNUSABLE) else { return Ok(Observed::absent()) };
            let output = Output::new().with(UNUSABLE, why);
            return Ok(Observed::present(State { fields: Fields::new(), output, label: None }, Owner::Untaggable));
        };
        let report = Report::read(text)?;
        if !report.state.begun {
            return Ok(Observed::absent());
        }
        Ok(Observed::present(self.state(&report, instance.require("id")?), self.owner(&report)))
    }

    async fn create(&self, known: &Outputs, progress: &Progress) -> Result<State> {
        self.converge(known, progress).await
    }

    async fn update(&self, _change: &Change, known: &Outputs, progress: &Progress) -> Result<State> {
        self.converge(known, progress).await
    }

    async fn delete(&self, state: &State, progress: &Progress) -> Result<Removal> {
        if let Some(why) = state.output.text(UNUSABLE) {
            return Err(format!(
                "what is installed there can't be removed: {why}; then destroy again. Its role is left meanwhile, as the \
                 machine may need it for that. If the machine is gone for good, take `client.instance` out of the manifest"
            )
            .into());
        }
        let id = state.output.require("id")?;
        let tell = |state: &str| progress.note(format!("remove: {state}"));
        let script = remove_command(&self.blueprint.owner())?;
        let output = self.run(id, &["remove"], "destroy", &script, tell).await?;
        let kept: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("== remove: kept ")).collect();
        Ok(if kept.is_empty() { Removal::Gone } else { Removal::Kept(kept.join("; ")) })
    }
}

#[cfg(test)]
mod tests;
