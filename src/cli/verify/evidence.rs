//! What AWS says of the parts on a record's way, asked once a record got stuck.

use std::time::Duration;

use serde_json::Value;

use crate::aws::addresses::loopback;
use crate::aws::clients::Clients;
use crate::aws::{Failure, found};
use crate::engine::Outputs;
use crate::engine::plan::{Plan, Work};
use crate::flow::diagnosis::{Api, Backend, Connector, Evidence, Reach};
use crate::flow::probe::{Hop, Trace};
use crate::manifest::Manifest;
use crate::resource::{self, backend_address};

const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// What MSK Connect says of a connector; none where there is none.
pub(super) async fn connector(clients: &Clients, arn: Option<&str>) -> Result<Option<Connector>, Failure> {
    let Some(arn) = arn else { return Ok(None) };
    let Some(there) = found(clients.connect.describe_connector().connector_arn(arn).send().await)? else {
        return Ok(None);
    };
    let reason = there
        .state_description()
        .map(|it| [it.code(), it.message()].into_iter().flatten().collect::<Vec<_>>().join(": "));
    Ok(Some(Connector {
        state: there.connector_state().map_or_else(String::new, |state| state.as_str().to_owned()),
        reason: reason.filter(|reason| !reason.is_empty()),
        configuration: there.connector_configuration().cloned().unwrap_or_default().into_iter().collect(),
    }))
}

/// What differs from the manifest, in a line each.
pub(super) fn drift(plan: &Plan) -> Vec<(String, String)> {
    let told = plan.steps.iter().filter_map(|step| {
        let how = match &step.work {
            Work::Create(_) => "it isn't there".to_owned(),
            Work::Update(change) | Work::Replace { change, .. } => {
                let fields: Vec<&str> = change.fields.iter().map(|change| change.field.as_str()).collect();
                format!("{} differs", fields.join(", "))
            }
            Work::Delete(_) | Work::DeleteLeftover(_) | Work::Keep(_) => return None,
        };
        Some((step.address.to_string(), how))
    });
    let refused = plan.refusals.iter().map(|refusal| (refusal.address.to_string(), refusal.reason.clone()));
    told.chain(refused).collect()
}

/// Asks what the failed hops call for. What can't be asked is left out: a diagnosis must not fail.
pub(super) async fn gather(
    evidence: &mut Evidence,
    manifest: &Manifest,
    clients: &Clients,
    known: &Outputs,
    traces: &[Trace],
) {
    let outputs = resource::outputs(manifest, known);
    let output = |name: &str| outputs.get(name).and_then(Value::as_str);
    let failed = |hop: Hop| traces.iter().any(|trace| trace.fault().is_some_and(|(at, _)| at == hop));
    if failed(Hop::Api)
        && let Some(api) = &manifest.api
    {
        evidence.api = stage(clients, output("api_id"), &api.stage).await;
        evidence.backend = backend(manifest, clients, known).await;
    }
    if failed(Hop::Bucket) {
        // It may have changed since the record was sent.
        if let Ok(Some(connector)) = connector(clients, output("connector_arn")).await {
            evidence.connector = Some(connector);
        }
        if let (Some(sandbox), Some(connector)) = (&clients.sandbox, &manifest.connector) {
            evidence.worker_errors = worker_errors(sandbox, &connector.name).await.unwrap_or_default();
        }
    }
}

async fn stage(clients: &Clients, api: Option<&str>, stage: &str) -> Api {
    let Some(api) = api else { return Api::Absent };
    match found(clients.apigateway.get_stage().rest_api_id(api).stage_name(stage).send().await) {
        Ok(Some(_)) => Api::Deployed,
        Ok(None) => Api::NoStage,
        Err(_) => Api::Unknown,
    }
}

/// Where the API passes requests to, and whether something listens there. From here that can only be told of what has
/// an address on this machine, or of a name that nobody has.
async fn backend(manifest: &Manifest, clients: &Clients, known: &Outputs) -> Option<Backend> {
    let url = backend_address(manifest, clients, known).await.ok()??;
    let parsed = url::Url::parse(&url).ok()?;
    let (host, port) = (parsed.host_str()?.to_owned(), parsed.port_or_known_default()?);
    let addresses: Vec<_> = match tokio::net::lookup_host((host.as_str(), port)).await {
        Ok(addresses) => addresses.collect(),
        // A resolver that doesn't answer says the same; what is said of a stale name leaves room for that.
        Err(_) => return Some(Backend { url, reach: Reach::NoSuchName }),
    };
    let is_here = addresses.iter().all(|address| address.ip().is_loopback());
    let connect = tokio::time::timeout(CONNECT_LIMIT, tokio::net::TcpStream::connect(&addresses[..]));
    let reach = match connect.await {
        Ok(Ok(_)) => Reach::Listens,
        Ok(Err(_)) if is_here => Reach::Refused,
        _ => Reach::Unknown,
    };
    Some(Backend { url, reach })
}

/// The errors at the end of a sandbox connector's worker log.
async fn worker_errors(sandbox: &str, connector: &str) -> Result<Vec<String>, reqwest::Error> {
    #[derive(serde::Deserialize)]
    struct Log {
        lines: Vec<String>,
    }
    let url = format!("{sandbox}/_sandbox/worker-log?connector={connector}");
    let log = loopback()?.get(url).send().await?.error_for_status()?.text().await?;
    let lines = serde_json::from_str(&log).map_or_else(|_| Vec::new(), |Log { lines }| lines);
    Ok(lines.into_iter().filter(|line| line.contains(" ERROR ")).collect())
}
