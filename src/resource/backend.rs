//! Where an API passes requests to, and what has to be known before that is.

use crate::aws::addresses::AddressError;
use crate::aws::clients::Clients;
use crate::engine::{Address, Outputs};
use crate::manifest::{self, Client, Manifest, Target};

use super::instance;

/// The REST proxy behind an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// At a base URL without a slash at its end.
    At(String),
    /// On an instance, at the address that it has when it is asked.
    Instance {
        /// Which.
        instance: Address,
        /// Where it listens there.
        port: u16,
    },
}

/// The backend of a manifest's API.
///
/// # Errors
/// Where it is the sandbox's own REST proxy, and the sandbox can't be asked for it.
pub(crate) async fn of(manifest: &Manifest, clients: &Clients) -> Result<Option<Backend>, AddressError> {
    let Some(api) = &manifest.api else { return Ok(None) };
    if let manifest::Backend::Url(url) = &api.backend {
        return Ok(Some(Backend::At(url.clone())));
    }
    let in_sandbox = manifest.target == Target::Sandbox;
    let client = manifest.client.as_ref().and_then(|client| Some((client, client.rest_proxy.as_ref()?.port)));
    Ok(match client {
        // Nothing in the sandbox is at an address of the world.
        Some((Client { address: Some(address), .. }, port)) if !in_sandbox => Some(Backend::At(url(address, port))),
        Some((Client { instance: Some(declared), .. }, port)) => {
            Some(Backend::Instance { instance: instance::address(declared), port })
        }
        _ if in_sandbox => Some(Backend::At(clients.sandbox_rest_proxy().await?)),
        _ => None,
    })
}

fn url(host: &str, port: u16) -> String {
    format!("http://{host}:{port}")
}

impl Backend {
    /// What has to be known before the base URL is.
    pub(crate) fn needs(&self) -> Vec<Address> {
        match self {
            Self::Instance { instance, .. } => vec![instance.clone()],
            Self::At(_) => Vec::new(),
        }
    }

    /// The base URL, once it is known.
    pub(crate) fn url(&self, known: &Outputs) -> Option<String> {
        match self {
            Self::At(url) => Some(url.clone()),
            Self::Instance { instance, port } => Some(url(known.text(instance, "address")?, *port)),
        }
    }
}

/// The base URL of the REST proxy behind a manifest's API, where that is known, and leads anywhere from here: the names of
/// the sandbox's instances are known to its API Gateway alone.
///
/// # Errors
/// As [`of`].
pub(crate) async fn address(
    manifest: &Manifest,
    clients: &Clients,
    known: &Outputs,
) -> Result<Option<String>, AddressError> {
    Ok(match of(manifest, clients).await? {
        Some(Backend::Instance { .. }) if clients.sandbox.is_some() => None,
        backend => backend.and_then(|backend| backend.url(known)),
    })
}
