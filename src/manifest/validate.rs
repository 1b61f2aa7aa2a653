//! What a manifest means: values that AWS or Kafka would refuse, and parts that need each other. All problems are
//! told, and a manifest comes out only where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::arn::{is_account, is_region};
use super::problem::{Findings, Position};
use super::yaml::At;
use super::{Manifest, Overrides, Target, raw};

mod api;
mod client;
mod cluster;
mod connector;
mod names;
mod needs;
mod role;
mod selection;
mod settings;
mod sink;
mod statement;
mod storage;
mod topics;
mod worker_configuration;

/// Longer than any pipeline that expires by itself is meant to live.
const LONGEST_TTL: Duration = Duration::from_secs(3650 * 86_400);

/// What the checks of one part need to know of the others.
struct Scene<'a> {
    raw: &'a raw::Manifest,
    /// The top-level parts that lost something to problems that have been told.
    damaged: &'a BTreeSet<&'static str>,
    /// Where relative paths start.
    folder: &'a Path,
    target: Option<Target>,
    region: Option<&'a str>,
    account: Option<&'a str>,
    environment: Option<&'a str>,
    /// Whether it is read only to remove what it made.
    removal: bool,
}

impl Scene<'_> {
    /// Whether a part that was declared isn't all there: what it seems to lack is no problem of its own.
    fn is_damaged(&self, part: &str) -> bool {
        self.damaged.contains(part)
    }
}

/// Checks the meaning of a manifest and fills in what it leaves out. What comes out counts only where no problem was
/// found.
pub(super) fn validate(
    raw: &raw::Manifest,
    damaged: &BTreeSet<&'static str>,
    path: &Path,
    overrides: &Overrides,
    findings: &mut Findings,
) -> Option<Manifest> {
    let scene = Scene {
        raw,
        damaged,
        folder: path.parent().unwrap_or(Path::new("")),
        target: overrides.target.or_else(|| raw.target.as_deref().and_then(|target| target.parse().ok())),
        region: region(raw, overrides, findings),
        account: account(raw, findings),
        environment: raw.environment.as_deref().map(String::as_str),
        removal: overrides.removal,
    };
    let name = raw.name.as_ref().map(|name| label("name", name, findings));
    let environment = raw.environment.as_ref().map(|environment| label("environment", environment, findings));
    let ttl = raw.ttl.as_ref().and_then(|ttl| time_to_live(ttl, findings));
    needs::check(&scene, findings);
    let cluster = raw.cluster.as_ref().map(|cluster| cluster::cluster(cluster, &scene, findings));
    let topics = topics::topics(&scene, findings);
    let bucket = raw.bucket.as_ref().map(|bucket| storage::bucket(bucket, &scene, findings));
    let plugin = raw.plugin.as_ref().map(|plugin| storage::plugin(plugin, &scene, findings));
    let worker_configuration =
        raw.worker_configuration.as_ref().map(|worker| worker_configuration::worker_configuration(worker, findings));
    let role = raw.role.as_ref().map(|role| role::role(role, &scene, findings));
    let connector = raw.connector.as_ref().map(|connector| connector::connector(connector, &scene, findings));
    let api = raw.api.as_ref().map(|api| api::api(api, &scene, findings));
    let client = raw.client.as_ref().map(|client| client::client(client, &scene, findings));
    Some(Manifest {
        path: path.to_owned(),
        name: name?,
        environment: environment?,
        target: scene.target?,
        region: scene.region?.to_owned(),
        account: scene.account.map(str::to_owned),
        ttl,
        // A part that was declared and could not be made sense of has had its problem told.
        cluster: cluster.flatten(),
        topics,
        bucket,
        plugin: plugin.flatten(),
        worker_configuration,
        role,
        connector,
        api: api.flatten(),
        client,
        digest: String::new(),
        warnings: Vec::new(),
    })
}

/// A name that goes into tags: at most 256 letters, digits, spaces and `_.:/=+-@`
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>, the strictest of the services that we tag in).
fn label(what: &str, text: &At<String>, findings: &mut Findings) -> String {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if text.is_empty() || text.chars().count() > 256 || !text.chars().all(allowed) || text.trim() != text.as_str() {
        findings.problem(
            text.at,
            format!(
                "{what} \"{}\" can't be the value of an AWS tag; \
                    use 1 to 256 letters, digits, spaces and _ . : / = + - @, \
                 with no space at either end",
                text.value
            ),
        );
    }
    text.value.clone()
}

fn region<'a>(raw: &'a raw::Manifest, overrides: &'a Overrides, findings: &mut Findings) -> Option<&'a str> {
    let (region, at, from) = match (&overrides.region, &raw.region) {
        (Some(region), _) => (region, Position::START, "--region: "),
        (None, Some(region)) => (&region.value, region.at, ""),
        (None, None) => return None,
    };
    if !is_region(region) {
        findings.problem(at, format!("{from}\"{region}\" is no AWS region; expected a name such as us-east-1"));
    }
    Some(region)
}

fn account<'a>(raw: &'a raw::Manifest, findings: &mut Findings) -> Option<&'a str> {
    let account = raw.account.as_ref()?;
    if !is_account(account) {
        findings.problem(account.at, format!("\"{}\" is no AWS account; expected its 12 digits", account.value));
    }
    Some(account)
}

fn time_to_live(milliseconds: &At<i64>, findings: &mut Findings) -> Option<Duration> {
    let ttl = Duration::from_millis(u64::try_from(milliseconds.value).ok()?);
    if ttl.is_zero() || ttl > LONGEST_TTL {
        findings.problem(
            milliseconds.at,
            "a ttl is more than 0 and at most 3650d; give a time such as 8h, or remove the key",
        );
    }
    Some(ttl)
}

/// A number within bounds, or else a default. Out of bounds it is told and the default used.
fn number(
    what: &str,
    given: Option<&At<i64>>,
    default: i32,
    bounds: std::ops::RangeInclusive<i32>,
    findings: &mut Findings,
) -> i32 {
    let Some(given) = given else { return default };
    match i32::try_from(given.value) {
        Ok(number) if bounds.contains(&number) => number,
        _ => {
            let (least, most) = bounds.into_inner();
            findings.problem(given.at, format!("{what} is {}; expected {least} to {most}", given.value));
            default
        }
    }
}

/// Texts of which each may be there once.
fn each_once(what: &str, texts: &[At<String>], findings: &mut Findings) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        match seen.get(text.as_str()) {
            Some(line) => findings.problem(
                text.at,
                format!("{what} \"{}\" is here twice, first on line {line}; keep one of them", text.value),
            ),
            None => {
                seen.insert(text, text.at.line);
            }
        }
    }
}
