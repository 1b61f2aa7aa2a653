//! Why a record got stuck, from what the record met and what AWS says of the parts on its way. Pure: who asks AWS is
//! elsewhere.

use std::collections::BTreeMap;

use regex::Regex;

use super::post::PostError;
use super::probe::{Fault, Hop, Trace};

/// A likely cause, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl Cause {
    fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into() }
    }
}

/// What AWS says of the parts on a record's way, as far as it was asked.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The API.
    pub api: Api,
    /// The connector; none where there is none.
    pub connector: Option<Connector>,
    /// Where the API passes requests to.
    pub backend: Option<Backend>,
    /// What differs from the manifest: an address, and how.
    pub drift: Vec<(String, String)>,
    /// The last errors of the connector's workers, where they can be read.
    pub worker_errors: Vec<String>,
}

/// What was found of an API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// It was not asked.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// It has no such stage: nothing is deployed.
    NoStage,
    /// It has the stage.
    Deployed,
}

/// Where an API passes requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The base URL.
    pub url: String,
    /// What a look at it from here says.
    pub reach: Reach,
}

/// What a connection to a backend comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Something listens.
    Listens,
    /// Nothing listens there.
    Refused,
    /// There is no such name.
    NoSuchName,
    /// Nothing can be told from here.
    Unknown,
}

/// What MSK Connect says of a connector.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    /// `RUNNING`.
    pub state: String,
    /// Why, where it FAILED.
    pub reason: Option<String>,
    /// Its configuration as it is, not as it is declared.
    pub configuration: BTreeMap<String, String>,
}

/// The likely causes of a trace's fault, the likeliest first. None where nothing failed.
pub fn causes(trace: &Trace, evidence: &Evidence) -> Vec<Cause> {
    let Some((hop, fault)) = trace.fault() else { return Vec::new() };
    let mut causes = match hop {
        Hop::Api => api_causes(fault, evidence),
        Hop::Topic => vec![topic_cause(fault)],
        Hop::Bucket => bucket_causes(&trace.topic, fault, evidence),
    };
    let concerns: &[&str] = match hop {
        Hop::Api => &["rest_api", "topic"],
        Hop::Topic => &["topic", "cluster"],
        Hop::Bucket => &["connector", "role", "bucket", "plugin", "worker_configuration", "topic"],
    };
    let drifted = evidence
        .drift
        .iter()
        .filter(|(address, _)| address.split('/').next().is_some_and(|kind| concerns.contains(&kind)));
    causes.extend(drifted.map(|(address, how)| {
        Cause::new(format!("{address} is not as declared: {how}"), "apply the manifest: it repairs that")
    }));
    causes
}

fn topic_cause(fault: &Fault) -> Cause {
    if let Fault::Brokers(failure) = fault {
        if failure.is_denied() {
            return Cause::new(
                "the caller may not read the topic; that says nothing of the record",
                "grant the caller kafka-cluster:DescribeTopic and ReadData on the topic",
            );
        }
        if failure.is("UnauthorizedException") {
            return Cause::new(
                "the brokers don't let this caller in; that says nothing of the record",
                "grant the caller kafka-cluster:Connect on the cluster, or correct `cluster.auth`",
            );
        }
        return Cause::new(
            "the brokers take connections from here, but can't be read: what they advertise isn't reachable, or they are \
             overloaded",
            "check the route and the security group for every broker, not only the bootstrap ones",
        );
    }
    Cause::new(
        "the REST proxy writes to another cluster than the manifest's, or the topic was deleted and made again",
        "check bootstrap.servers in the REST proxy's kafka-rest.properties against `pipeline outputs M bootstrap_brokers`",
    )
}

fn api_causes(fault: &Fault, evidence: &Evidence) -> Vec<Cause> {
    match evidence.api {
        Api::Absent => return vec![Cause::new("the API isn't there", "apply the manifest")],
        Api::NoStage => {
            return vec![Cause::new(
                "not deployed: the API has no such stage",
                "apply the manifest: it deploys the API and makes the stage",
            )];
        }
        Api::Unknown | Api::Deployed => {}
    }
    let error = match fault {
        Fault::Post(error) => error,
        Fault::Refused { reason, .. } => {
            return vec![Cause::new(
                format!("the REST proxy is there, and its brokers refuse the record: {reason}"),
                "check the topic's configuration and the rights of the REST proxy's role",
            )];
        }
        _ => return Vec::new(),
    };
    let answer = match error {
        PostError::Answered(answer) => answer,
        PostError::Unreachable { .. } => {
            return vec![Cause::new(
                "the invoke URL can't be reached from here",
                "check the network, and the URL with `pipeline outputs M invoke_url`",
            )];
        }
        _ => return Vec::new(),
    };
    // An answer with a code is the REST proxy's own: the backend is there.
    if answer.status >= 500 && answer.code.is_none() {
        return backend_causes(evidence);
    }
    if answer.status >= 500 {
        return vec![Cause::new(
            "the REST proxy is there, but doesn't reach its brokers, or fails itself",
            "check bootstrap.servers and the client settings in kafka-rest.properties, and its log",
        )];
    }
    if answer.status == 429 {
        return vec![Cause::new(
            "the API is throttled",
            "raise the limits of the stage or its usage plan, and verify again",
        )];
    }
    if answer.status == 403 && answer.message == "Forbidden" {
        return vec![Cause::new(
            "the API wants a key that is enabled and in the stage's usage plan",
            "apply the manifest, or give the right key with PIPELINE_API_KEY",
        )];
    }
    if answer.status == 403 && answer.message == "Missing Authentication Token" {
        return vec![Cause::new(
            "not deployed: what the stage shows has no such path, so the API was changed after its last deployment",
            "apply the manifest: it deploys what is declared",
        )];
    }
    if matches!(answer.status, 401 | 403) && answer.code.is_none() {
        return vec![Cause::new(
            "these credentials may not call the API",
            "check the credentials, and that their policies allow execute-api:Invoke on it",
        )];
    }
    Vec::new()
}

fn backend_causes(evidence: &Evidence) -> Vec<Cause> {
    let Some(Backend { url, reach }) = &evidence.backend else {
        return vec![Cause::new("the backend doesn't answer", "check that the REST proxy runs, and `api.backend`")];
    };
    let is_ec2 = url.contains(".amazonaws.com");
    match reach {
        Reach::Refused => vec![Cause::new(
            format!("backend down: nothing listens at {url}"),
            "start the REST proxy there; or correct `api.backend`, and apply",
        )],
        Reach::NoSuchName => vec![Cause::new(
            format!("stale name: {url} doesn't resolve; an EC2 machine that was stopped and started has another one"),
            "put the machine's present public DNS into `api.backend`, and apply",
        )],
        Reach::Listens => vec![Cause::new(
            format!("{url} takes connections from here, but API Gateway got no answer from it"),
            "look into the REST proxy's log: it may not reach the brokers",
        )],
        Reach::Unknown if is_ec2 => vec![Cause::new(
            format!(
                "backend down or stale EC2 name: API Gateway gets no answer from {url}; a machine that was stopped and started has another name"
            ),
            "check that the REST proxy runs, that its security group lets port 8082 in, and that `api.backend` is the machine's present public DNS",
        )],
        Reach::Unknown => vec![Cause::new(
            format!("backend down: API Gateway gets no answer from {url}"),
            "check that the REST proxy runs and can be reached from API Gateway; correct `api.backend` if it moved",
        )],
    }
}

fn bucket_causes(topic: &str, fault: &Fault, evidence: &Evidence) -> Vec<Cause> {
    if let Fault::Bucket(_) = fault {
        return vec![Cause::new(
            "the bucket can't be read by these credentials, or isn't there",
            "apply the manifest; allow s3:ListBucket and s3:GetObject on it",
        )];
    }
    if let Fault::Altered { .. } = fault {
        return vec![Cause::new(
            "the connector changes records: a converter, a format or a transformation is not the one for JSON",
            "check value.converter, value.converter.schemas.enable, format.class and transforms in `connector.config`",
        )];
    }
    let Some(connector) = &evidence.connector else {
        return vec![Cause::new("there is no connector", "apply the manifest")];
    };
    let mut causes = state_causes(connector, &evidence.worker_errors);
    if !causes.is_empty() {
        return causes;
    }
    causes.extend(selection_cause(topic, connector));
    if causes.is_empty() {
        causes.extend(
            evidence.worker_errors.last().map(|line| {
                Cause::new(format!("the connector's workers report an error: {line}"), "see the worker log")
            }),
        );
        causes.extend(flush_cause(connector, fault));
    }
    causes
}

fn state_causes(connector: &Connector, worker_errors: &[String]) -> Vec<Cause> {
    let fix = match connector.state.as_str() {
        "RUNNING" => return Vec::new(),
        "PAUSED" | "PAUSING" => "resume it (ResumeConnector: `aws kafkaconnect`, or the console)",
        "FAILED" => "mend what the reason says, and apply: a connector that FAILED is made again",
        "CREATING" | "UPDATING" | "RESTARTING" | "RESUMING" => "wait until it is RUNNING, and verify again",
        _ => "apply the manifest",
    };
    let reason = connector.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let mut what = format!("the connector is {}{reason}", connector.state);
    if let (None, Some(line)) = (&connector.reason, worker_errors.last()) {
        what = format!("{what}: {line}");
    }
    let denied = what.contains("AccessDenied") || what.contains("Access denied") || what.contains("not authorized");
    let fix = if denied {
        "the role isn't allowed to: apply the manifest, which restores the role's policies and makes the connector again"
    } else {
        fix
    };
    vec![Cause::new(what, fix)]
}

/// Whether a connector reads a topic at all.
fn selection_cause(topic: &str, connector: &Connector) -> Option<Cause> {
    let get = |key: &str| connector.configuration.get(key).filter(|value| !value.is_empty());
    let fix = "correct `connector.topics`, and apply";
    if let Some(pattern) = get("topics.regex") {
        // Kafka Connect wants the whole name to match.
        // Java has patterns that aren't known here: of those nothing is said.
        let matches = Regex::new(&format!("^(?:{pattern})$")).ok()?.is_match(topic);
        return (!matches).then(|| Cause::new(format!("topics.regex {pattern} doesn't match {topic}"), fix));
    }
    let topics = get("topics")?;
    let is_listed = topics.split(',').any(|listed| listed.trim() == topic);
    (!is_listed).then(|| Cause::new(format!("the connector doesn't read {topic}: its topics are {topics}"), fix))
}

/// Whether an object waits for more records.
fn flush_cause(connector: &Connector, fault: &Fault) -> Option<Cause> {
    let waited = match fault {
        Fault::NoObject { waited } => waited.as_millis(),
        _ => return None,
    };
    let get = |key: &str| connector.configuration.get(key).map(|value| value.trim());
    let size: u64 = get("flush.size")?.parse().ok()?;
    let scheduled = get("rotate.schedule.interval.ms").and_then(|value| value.parse::<i64>().ok());
    match scheduled {
        Some(interval) if interval > 0 && interval as u128 >= waited => Some(Cause::new(
            format!("objects are written every {} s (rotate.schedule.interval.ms)", interval / 1000),
            "verify again with a longer --timeout",
        )),
        None | Some(..=0) if size > 1 => Some(Cause::new(
            format!("flush.size {size} is not reached: an object comes with every {size} records of a partition"),
            "send more records, or set rotate.schedule.interval.ms (with timezone) in `connector.config`; or verify a \
             topic that has traffic, with a longer --timeout",
        )),
        _ => Some(Cause::new(
            "the connector is RUNNING and reads this topic, but is behind, or its tasks fail",
            "see the worker log; verify again with a longer --timeout",
        )),
    }
}

#[cfg(test)]
mod tests;
