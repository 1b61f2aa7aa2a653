//! The sandbox's own calls, under `/_sandbox/`: unsigned, not recorded in `--calls`, and no part of AWS.
//!
//! | call | does |
//! | --- | --- |
//! | `POST /_sandbox/cluster` with `{"name" or "arn": …, "region": …}` | makes the cluster where it doesn't exist, ACTIVE; answers with its description. What else it can be told is in [`kafka::Declaration`] |
//! | `GET /_sandbox/authority` | the certificate of the authority that signs the brokers' certificates, as PEM |
//! | `POST /_sandbox/client-certificate` with `{"common_name": …}` | a certificate for a client, signed by that authority, and its `key`, both as PEM |
//! | `GET /_sandbox/broker-log` | the last logins and requests that brokers refused, with the reasons that they don't tell clients |
//! | `GET /_sandbox/addresses`, `?api=ID` | the ports reserved on this machine; with `api`, one for that REST API too |
//! | `POST /_sandbox/instance` with `{"id": "i-…", …}` | makes the EC2 instance, or changes what is given: `region`, `tags`, `os` (`amzn2023`, `amzn2`, `ubuntu`, `debian`), `address` (its public name, or null), `ping` (`Online`, `ConnectionLost`), `managed`, `role` (that of its instance profile, or null), with `if_absent: true` only where there is none of that id or with those tags; answers with its description |
//! | `GET /_sandbox/instance?id=ID` | that description: all of these, the instance's `folder`, its `root`, and its `units` |
//! | `GET /_sandbox/metadata/ID/latest/…`, `PUT …/latest/api/token` | the metadata service of an instance, IMDSv2 |
//! | `GET /_sandbox/mirror/PATH` | the stand-ins of what a Kafka client installs; the paths are in [`mirror`] |
//! | `GET /_sandbox/unit/ID/NAME`, `POST …/start`, `/stop`, `/restart` | the state of a unit of an instance's systemd: for the instance's own `systemctl` |
//! | `GET /_sandbox/operations` | the names of the operations that it has, by service |
//! | `GET /_sandbox/status` | where it listens, and how many things of each kind there are |
//! | `GET /_sandbox/worker-log?connector=NAME`, `&lines=N` | the last lines of the log of a connector's workers |
//! | `POST /_sandbox/reset` | forgets everything but its ports |

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::authority::LONGEST_NAME;
use super::call::{Call, Refusal, Reply};
use super::world::{ACCOUNT, INVOKE, PORTS, REST_PROXY, World};
use super::{connect, kafka, mirror, s3, services, ssm};

/// Where private calls are.
pub(crate) const PREFIX: &str = "/_sandbox/";

/// Does what a private call asks for.
///
/// # Errors
/// 404 for what is no private call, 403 for one that a web page made, and those of the call.
pub(crate) async fn handle(world: &World, endpoint: &str, call: &Call) -> Result<Reply, Refusal> {
    refuse_web_pages(call)?;
    let path = call.path.strip_prefix(PREFIX).unwrap_or_default();
    match (path.split_once('/').unwrap_or((path, "")), call.method.as_str()) {
        (("metadata", rest), _) => return ssm::metadata(world, call, rest),
        (("unit", rest), _) => return ssm::unit(world, call, rest),
        (("mirror", rest), "GET") => return mirror::answer(rest),
        _ => {}
    }
    match (call.method.as_str(), path) {
        ("POST", "cluster") => cluster(world, call),
        ("GET", "authority") => authority(world),
        ("POST", "client-certificate") => client_certificate(world, call),
        ("GET", "broker-log") => Ok(Reply::json(&world.journal.told())),
        ("GET", "addresses") => addresses(world, call),
        ("POST", "instance") => ssm::declare(world, call),
        ("GET", "instance") => ssm::tell(world, call),
        ("GET", "operations") => Ok(Reply::json(&services::operations().into_iter().collect::<BTreeMap<_, _>>())),
        ("GET", "status") => status(world, endpoint),
        ("GET", "worker-log") => worker_log(world, call),
        ("POST", "rest-proxy") => rest_proxy(world, call),
        ("POST", "reset") => reset(world).await,
        (method, path) => {
            Err(Refusal::new(404, "NotFound", format!("there is no private call {method} {PREFIX}{path}")))
        }
    }
}

/// These calls carry no signature, so a page in a browser on this machine could make them: browsers say so in `Origin`,
/// and a name that was rebound to the loopback address shows in `Host`.
fn refuse_web_pages(call: &Call) -> Result<(), Refusal> {
    let host = call.header("host").unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if call.header("origin").is_some() || !matches!(name, "127.0.0.1" | "localhost") {
        return Err(Refusal::new(403, "Forbidden", "private calls are for programs on this machine, at 127.0.0.1"));
    }
    Ok(())
}

fn cluster(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let declaration: kafka::Declaration = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new(400, "BadRequestException", format!("not a cluster: {error}")))?;
    Ok(Reply::json(&kafka::declare_cluster(world, &declaration)?))
}

fn authority(world: &World) -> Result<Reply, Refusal> {
    let body = world.authority.certificate()?.into();
    Ok(Reply { status: 200, headers: vec![("content-type", "application/x-pem-file".to_owned())], body })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    common_name: String,
}

fn client_certificate(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let invalid = |problem: String| Refusal::new(400, "BadRequest", problem);
    let Client { common_name } = serde_json::from_slice(&call.body)
        .map_err(|error| invalid(format!("expected {{\"common_name\": text}}: {error}")))?;
    if !(1..=LONGEST_NAME).contains(&common_name.chars().count()) {
        return Err(invalid(format!("common_name: expected 1 to {LONGEST_NAME} characters")));
    }
    let issued = world.authority.client_certificate(&common_name)?;
    Ok(Reply::json(&json!({"certificate": issued.certificate, "key": issued.key})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    running: bool,
}

/// Stops the REST proxy, as one stops it on its machine, or starts it again.
fn rest_proxy(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let Running { running } = serde_json::from_slice(&call.body).map_err(|error| {
        Refusal::new(400, "BadRequest", format!("expected {{\"running\": true or false}}: {error}"))
    })?;
    world.set_stopped(REST_PROXY, !running)?;
    Ok(Reply::json(&json!({ "running": running })))
}

fn addresses(world: &World, call: &Call) -> Result<Reply, Refusal> {
    if let Some(api) = call.query("api") {
        world.port(&format!("{INVOKE}{api}"))?;
    }
    let address = |port: u16| format!("http://127.0.0.1:{port}");
    let rest_proxy = address(world.port(REST_PROXY)?);
    let ports: Vec<(String, u16)> = world.store.read(|transaction| transaction.list_prefix(PORTS, INVOKE, ""));
    let invoke: serde_json::Map<String, Value> =
        ports.into_iter().map(|(name, port)| (name[INVOKE.len()..].to_owned(), address(port).into())).collect();
    Ok(Reply::json(&json!({ "rest_proxy": rest_proxy, "invoke": invoke, "account": ACCOUNT })))
}

/// What a status counts: a table, and what its records are.
const COUNTED: [(&str, &str); 12] = [
    ("connect.plugins", "plugins"),
    ("connect.worker-configurations", "worker_configurations"),
    ("connect.connectors", "connectors"),
    ("iam/roles", "roles"),
    ("iam/instance-profiles", "instance_profiles"),
    ("apigateway/apis", "rest_apis"),
    ("apigateway/keys", "api_keys"),
    ("apigateway/plans", "usage_plans"),
    ("s3/buckets", "buckets"),
    ("secretsmanager/secrets", "secrets"),
    ("ssm/instances", "instances"),
    ("ssm/commands", "commands"),
];

fn status(world: &World, endpoint: &str) -> Result<Reply, Refusal> {
    connect::sweep(world)?;
    let records = world.store.counts();
    let mut counts: serde_json::Map<String, Value> = COUNTED
        .iter()
        .map(|(table, name)| ((*name).to_owned(), records.get(*table).copied().unwrap_or_default().into()))
        .collect();
    let (clusters, topics) = kafka::count(world);
    counts.insert("clusters".to_owned(), clusters.into());
    counts.insert("topics".to_owned(), topics.into());
    Ok(Reply::json(&json!({
        "endpoint": endpoint,
        "pid": std::process::id(),
        "account": ACCOUNT,
        "folder": world.folder,
        "counts": counts,
    })))
}

fn worker_log(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let name = call.query("connector").unwrap_or_default();
    let lines = match call.query("lines").map(str::parse) {
        None => 100,
        Some(Ok(lines)) => lines,
        Some(Err(_)) => return Err(Refusal::new(400, "BadRequest", "lines: expected a number")),
    };
    let log = connect::worker_log(world, name, lines)?
        .ok_or_else(|| Refusal::new(404, "NotFound", format!("there is no connector '{name}'")))?;
    Ok(Reply::json(&log))
}

async fn reset(world: &World) -> Result<Reply, Refusal> {
    world.store.retain(|table, name| table == PORTS && !name.starts_with(INVOKE))?;
    s3::remove_unreferenced(world)?;
    kafka::remove_unreferenced(world)?;
    connect::forget_worker_logs(world)?;
    ssm::forget_machines(world).await?;
    Ok(Reply::json(&json!({})))
}
