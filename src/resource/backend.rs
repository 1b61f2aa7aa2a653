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
    /// The one that the sandbox has.
    Sandbox,
    /// On an instance, at the address that it has when it is asked.
    Instance {
        /// Which.
        instance: Address,
        /// Where it listens there.
        port: u16,
    },
}

/// The backend of a manifest's API.
pub(crate) fn of(manifest: &Manifest) -> Option<Backend> {
    match &manifest.api.as_ref()?.backend {
        manifest::Backend::Url(url) => Some(Backend::At(url.clone())),
        manifest::Backend::Client => of_client(manifest),
    }
}

fn of_client(manifest: &Manifest) -> Option<Backend> {
    let in_sandbox = manifest.target == Target::Sandbox;
    let Some(Client { instance, address, rest_proxy: Some(proxy), .. }) = &manifest.client else {
        return in_sandbox.then_some(Backend::Sandbox);
    };
    match (address, instance) {
        // Nothing in the sandbox is at an address of the world.
        (_, None) if in_sandbox => Some(Backend::Sandbox),
        (Some(address), _) if !in_sandbox => Some(Backend::At(url(address, proxy.port))),
        (_, Some(declared)) => Some(Backend::Instance { instance: instance::address(declared), port: proxy.port }),
        _ => None,
    }
}

fn url(host: &str, port: u16) -> String {
    format!("http://{host}:{port}")
}

impl Backend {
    /// What has to be known before the base URL is.
    pub(crate) fn needs(&self) -> Vec<Address> {
        match self {
            Self::Instance { instance, .. } => vec![instance.clone()],
            Self::At(_) | Self::Sandbox => Vec::new(),
        }
    }

    /// The base URL, once it is known.
    pub(crate) fn url(&self, known: &Outputs) -> Option<String> {
        match self {
            Self::At(url) => Some(url.clone()),
            Self::Sandbox => None,
            Self::Instance { instance, port } => Some(url(known.text(instance, "address")?, *port)),
        }
    }
}

/// The base URL of the REST proxy behind a manifest's API, where that is known, and leads anywhere from here: the names of
/// the sandbox's instances are known to its API Gateway alone.
///
/// # Errors
/// Where the sandbox can't be asked for its own.
pub(crate) async fn address(
    manifest: &Manifest,
    clients: &Clients,
    known: &Outputs,
) -> Result<Option<String>, AddressError> {
    match of(manifest) {
        Some(Backend::Instance { .. }) if clients.sandbox.is_some() => Ok(None),
        Some(Backend::Sandbox) => clients.sandbox_rest_proxy().await.map(Some),
        backend => Ok(backend.and_then(|backend| backend.url(known))),
    }
}
