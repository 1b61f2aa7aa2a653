//! From a manifest's path to resources that can be read: the manifest, the AWS that it is for, and the graph.

use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use super::{Global, Target, render};
use crate::aws::clients::{Clients, Endpoint};
use crate::aws::retry::TellRetries;
use crate::engine::graph::{Graph, Snapshot, observe};
use crate::manifest::{self, Manifest, Overrides};
use crate::resource::{self, Context, Purpose, Tags};

/// A manifest, and everything that is needed to work on it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) manifest: Manifest,
    pub(super) graph: Graph,
    pub(super) context: Arc<Context>,
    home: Home,
    style: render::Style,
}

/// A manifest, and the AWS that it is for.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) manifest: Manifest,
    pub(super) context: Arc<Context>,
    home: Home,
}

/// What keeps the sandbox alive.
#[derive(Debug)]
enum Home {
    /// AWS, or a sandbox that somebody else runs.
    Elsewhere,
    /// A sandbox inside this process.
    #[cfg(feature = "sandbox")]
    Inside(crate::sandbox::Sandbox),
}

/// Reads a manifest as the command line asks.
pub(super) fn load(path: &Path, global: &Global, purpose: Purpose) -> Result<Manifest, Failure> {
    let target = global.target.map(|target| match target {
        Target::Sandbox => manifest::Target::Sandbox,
        Target::Aws => manifest::Target::Aws,
    });
    let overrides = Overrides {
        variables: global.variables.clone(),
        target,
        region: global.region.clone(),
        removal: purpose == Purpose::Remove,
    };
    let manifest = manifest::load(path, &overrides).map_err(Failure::Invalid)?;
    if manifest.target == manifest::Target::Sandbox && global.endpoint_url.is_some() {
        return Err(Failure::Usage(
            "--endpoint-url is for target aws, and this manifest's target is the sandbox; add --target aws, or leave \
             the flag out"
                .to_owned(),
        ));
    }
    Ok(manifest)
}

impl Session {
    /// Reads the manifest, connects, and makes the graph.
    pub(super) async fn open(path: &Path, global: &Global) -> Result<Self, Failure> {
        Self::of(load(path, global, Purpose::Make)?, global, Purpose::Make).await
    }

    /// The same for a manifest that has been read.
    pub(super) async fn of(manifest: Manifest, global: &Global, purpose: Purpose) -> Result<Self, Failure> {
        let Connection { manifest, context, home } = Connection::of(manifest, global).await?;
        let graph = resource::graph(&manifest, &context, purpose).await?;
        Ok(Self { manifest, graph, context, home, style: global.style() })
    }

    /// Reads everything that the graph names.
    pub(super) async fn observe(&self) -> Result<Snapshot, Failure> {
        let _progress = render::reading(self.graph.in_order().len(), self.style);
        observe(&self.graph).await.map_err(Failure::Unread)
    }

    /// Lets go of what the session holds.
    pub(super) async fn close(self) {
        self.home.close().await;
    }

    /// Whether everything that was made is only to be reached while a command runs.
    pub(super) fn is_inside(&self) -> bool {
        !matches!(self.home, Home::Elsewhere)
    }
}

impl Connection {
    /// Connects to the AWS of a manifest that has been read, or starts it.
    pub(super) async fn of(manifest: Manifest, global: &Global) -> Result<Self, Failure> {
        let style = global.style();
        render::warnings(&manifest.warnings, style);
        let (endpoint, home) = match manifest.target {
            manifest::Target::Aws => {
                (Endpoint::Aws { url: global.endpoint_url.clone(), profile: global.profile.clone() }, Home::Elsewhere)
            }
            manifest::Target::Sandbox => local(&manifest, style).await?,
        };
        let retries = TellRetries::new(move |attempt, text| render::retried(attempt, &text, style));
        let clients = Clients::connect(&endpoint, &manifest.region, &retries).await?;
        check_account(&manifest, &clients)?;
        let tags = Tags::new(&manifest.name, &manifest.environment, &manifest.digest, expiry(&manifest));
        let context = Arc::new(Context { clients, tags });
        Ok(Self { manifest, context, home })
    }

    /// Lets go of what the connection holds.
    pub(super) async fn close(self) {
        self.home.close().await;
    }

    /// Whether everything that was made is only to be reached while a command runs.
    pub(super) fn is_inside(&self) -> bool {
        !matches!(self.home, Home::Elsewhere)
    }
}

impl Home {
    async fn close(self) {
        match self {
            Self::Elsewhere => {}
            #[cfg(feature = "sandbox")]
            Self::Inside(sandbox) => sandbox.stop().await,
        }
    }
}

fn check_account(manifest: &Manifest, clients: &Clients) -> Result<(), Failure> {
    match &manifest.account {
        Some(account) if *account != clients.account && manifest.target == manifest::Target::Aws => {
            Err(Failure::Refused(format!(
                "the manifest is for account {account}, and these credentials are of account {}; nothing was touched. \
                 Use other credentials, or change `account`",
                clients.account
            )))
        }
        _ => Ok(()),
    }
}

/// When what is created now may be swept, as RFC 3339.
fn expiry(manifest: &Manifest) -> Option<String> {
    let at = std::time::SystemTime::now() + manifest.ttl?;
    aws_smithy_types::DateTime::from_secs(aws_smithy_types::DateTime::from(at).secs())
        .fmt(aws_smithy_types::date_time::Format::DateTime)
        .ok()
}

#[cfg(not(feature = "sandbox"))]
async fn local(_manifest: &Manifest, _style: render::Style) -> Result<(Endpoint, Home), Failure> {
    Err("this build has no sandbox; install it with its default features, or use --target aws".into())
}

#[cfg(feature = "sandbox")]
async fn local(manifest: &Manifest, style: render::Style) -> Result<(Endpoint, Home), Failure> {
    use super::sandbox::{claimed, declare, folder, settings};
    use crate::sandbox::{ACCESS_KEY_ID, Claim, Options, SECRET_ACCESS_KEY, start, wait_for};

    let folder = folder()?;
    let claim = match claimed(&folder)? {
        Claim::Busy { pid } => {
            render::waiting_for_sandbox(&folder, pid, style);
            wait_for(&folder).await?
        }
        claim => claim,
    };
    let (url, home) = match claim {
        Claim::Ours(lock) => {
            let options = Options { folder: Some(lock), port: None, settings: settings()? };
            let sandbox = start(options).await?;
            if let Some(moved) = sandbox.moved() {
                render::note(&moved.to_string(), style);
            }
            for taken in sandbox.taken() {
                render::note(&taken.to_string(), style);
            }
            (sandbox.endpoint().to_owned(), Home::Inside(sandbox))
        }
        Claim::Served { endpoint, .. } => (endpoint, Home::Elsewhere),
        Claim::Busy { .. } => return Err("the sandbox's folder is in use; try again".into()),
    };
    declare(&url, manifest).await?;
    Ok((Endpoint::Sandbox { url, access_key_id: ACCESS_KEY_ID, secret_access_key: SECRET_ACCESS_KEY }, home))
}
