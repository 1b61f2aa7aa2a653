//! What a client machine is set up with, as far as it is known before the cluster is.

use crate::client_host::{Folder, Setup, Source, owner_of};
use crate::engine::{Address, Outputs, Resource};
use crate::manifest::{Auth, Client, ClusterReference, Manifest, Role, Trust};
use crate::resource::cluster::{self, Cluster};
use crate::resource::instance::ExpectedRole;
use crate::resource::{Context, Shared, Unbuildable, role};

/// What is known of a set-up by the manifest, and by where the pipeline is.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    name: String,
    environment: String,
    client: Client,
    auth: Auth,
    cluster: Address,
    /// The manifest's role, where clients log in by IAM.
    role: Option<Address>,
    assumed: Option<Assumed>,
    authorities: Option<String>,
    /// The sandbox's mirror, where the pipeline is in the sandbox and nothing else is declared.
    stand_ins: Option<String>,
}

/// A role that clients assume.
#[derive(Clone, Debug)]
pub(crate) struct Assumed {
    address: Address,
    /// What its ARN is unless it has a path.
    arn: String,
}

/// The role that clients assume: the manifest's, where it trusts itself or somebody by ARN. Where it trusts EC2 alone,
/// the machine has it as its instance profile, and may not assume it. In the sandbox none is assumed: the MSK IAM jar
/// would ask AWS's own STS.
pub(crate) fn assumed_role(manifest: &Manifest, context: &Context) -> Option<Assumed> {
    let by_iam = logs_in_with_iam(manifest);
    let Role { name, trust, .. } = manifest.role.as_ref().filter(|_| by_iam && context.clients.sandbox.is_none())?;
    let clients = &context.clients;
    trust.iter().any(|one| matches!(one, Trust::Itself | Trust::Arn(_))).then(|| Assumed {
        address: role::address(name),
        arn: format!("arn:{}:iam::{}:role/{name}", clients.partition, clients.account),
    })
}

/// Who the machine has to be for its clients to log in. The sandbox's brokers are asked by nobody who needs a role.
pub(crate) fn expected_role(manifest: &Manifest, context: &Context) -> ExpectedRole {
    match &manifest.role {
        _ if !logs_in_with_iam(manifest) => ExpectedRole::None,
        Some(role) if assumed_role(manifest, context).is_none() && trusts_ec2(role) => {
            ExpectedRole::Named(role.name.clone())
        }
        _ => ExpectedRole::Any,
    }
}

fn logs_in_with_iam(manifest: &Manifest) -> bool {
    manifest.cluster.as_ref().is_some_and(|cluster| cluster.auth == Auth::Iam)
}

fn trusts_ec2(role: &Role) -> bool {
    role.trust.iter().any(|one| matches!(one, Trust::Service(service) if service == "ec2.amazonaws.com"))
}

impl Blueprint {
    /// That of a manifest that has a client and a cluster; `None` where it lacks one.
    ///
    /// # Errors
    /// Where the sandbox's authority can't be had.
    pub(crate) async fn of(manifest: &Manifest, context: &Context) -> Result<Option<Self>, Unbuildable> {
        let (Some(client), Some(cluster)) = (&manifest.client, &manifest.cluster) else { return Ok(None) };
        let sandbox = context.clients.sandbox.as_ref();
        // On AWS every Java trusts who signs the brokers' certificates; AWS_CA_BUNDLE is about this machine.
        let authorities = match sandbox {
            Some(_) => context.clients.broker_authorities().await?,
            None => None,
        };
        Ok(Some(Self {
            name: manifest.name.clone(),
            environment: manifest.environment.clone(),
            client: client.clone(),
            auth: cluster.auth.clone(),
            cluster: cluster::address(cluster),
            role: manifest.role.as_ref().filter(|_| logs_in_with_iam(manifest)).map(|role| role::address(&role.name)),
            assumed: assumed_role(manifest, context),
            authorities: authorities.map(|pem| String::from_utf8_lossy(&pem).into_owned()),
            stand_ins: sandbox.filter(|_| client.mirror.is_none()).map(|url| format!("{url}/_sandbox/mirror")),
        }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The pipeline, as its machine's files name it.
    pub(crate) fn owner(&self) -> String {
        owner_of(&self.name, &self.environment)
    }

    /// What has to be there before the machine is set up, and can be tried.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Address> {
        [Some(self.cluster.clone()), self.role.clone()].into_iter().flatten()
    }

    /// The set-up, once the brokers are known.
    pub(crate) fn setup<'a>(&'a self, known: &'a Outputs) -> Option<Setup<'a>> {
        let cluster = known.of(&self.cluster)?;
        let source = match (&self.client.mirror, &self.stand_ins) {
            (Some(mirror), _) => Source::Mirror(mirror),
            (None, Some(mirror)) => Source::StandIns(mirror),
            (None, None) => Source::Publishers,
        };
        Some(Setup {
            name: &self.name,
            environment: &self.environment,
            client: &self.client,
            auth: &self.auth,
            servers: cluster.text("bootstrap_brokers")?,
            zookeeper: cluster.text("zookeeper"),
            role_arn: self.assumed.as_ref().map(|role| known.text(&role.address, "arn").unwrap_or(&role.arn)),
            authorities: self.authorities.as_deref(),
            source,
        })
    }
}

/// The files that set a machine up as a client of the live cluster, and what a person should know of them.
///
/// # Errors
/// Where the manifest has no client, or its cluster can't be read or has no such listener.
pub(crate) async fn folder(manifest: &Manifest, context: &Shared) -> Result<(Folder, String), Unbuildable> {
    let (Some(blueprint), Some(declared)) = (Blueprint::of(manifest, context).await?, &manifest.cluster) else {
        return Err("the manifest declares no client; add client: {}, and cluster where that is missing".into());
    };
    let cluster = Cluster::new(Shared::clone(context), declared, None);
    let mut known = Outputs::default();
    let read = async { cluster.read(&known).await };
    let arn = async {
        let Some(declared) = &manifest.role else { return Ok(None) };
        let call = context.clients.iam.get_role().role_name(&declared.name);
        crate::aws::found(call.send().await)
    };
    let (read, role) = tokio::join!(read, arn);
    let output = read?.current.ok_or_else(|| cluster.must_exist().unwrap_or_default())?.output;
    output.require("bootstrap_brokers").map_err(|_| {
        let (ClusterReference::Name(name) | ClusterReference::Arn(name)) = &declared.reference;
        format!("the cluster {name} has no listener as `cluster.auth` and `cluster.access` ask for; correct these")
    })?;
    known.insert(cluster.address().clone(), output);
    // Who may not look at roles gets the ARN that it has unless there is a path in it.
    if let (Some(role), Ok(Some(seen))) = (&blueprint.assumed, role)
        && let Some(seen) = seen.role()
    {
        known.insert(role.address.clone(), crate::engine::Output::new().with("arn", seen.arn()));
    }
    let setup = blueprint.setup(&known).ok_or("the cluster's brokers are not known")?;
    Ok((setup.folder(), setup.guide()))
}
