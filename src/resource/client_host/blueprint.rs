//! What a client machine is set up with, as far as it is known before the cluster is.

use crate::client_host::{Folder, REST_PROPERTIES, Setup, Source, owner_of, read};
use crate::engine::{Address, Outputs, Resource};
use crate::manifest::{Auth, Client, ClusterReference, Manifest, Trust};
use crate::resource::cluster::{self, Cluster, whose_brokers};
use crate::resource::instance::{self, ExpectedRole, REPORT};
use crate::resource::{Context, Shared, Unbuildable, role};

use super::report::Report;

/// What is known of a set-up by the manifest, and by where the pipeline is.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    name: String,
    environment: String,
    client: Client,
    auth: Auth,
    cluster: Address,
    instance: Option<Address>,
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
    /// Whether it trusts itself.
    by_itself: bool,
    /// Whether it is assumed by machines of which nothing is known.
    by_default: bool,
}

/// The manifest's role, as far as clients may assume it: where nothing is known of their machine, if it trusts itself, or
/// somebody by ARN and not EC2. In the sandbox none is assumed: the MSK IAM jar would ask AWS's own STS.
fn assumed_role(manifest: &Manifest, context: &Context) -> Option<Assumed> {
    let clients = &context.clients;
    let role = manifest.role.as_ref().filter(|_| manifest.logs_in_with_iam() && clients.sandbox.is_none())?;
    Some(Assumed {
        address: role::address(&role.name),
        arn: format!("arn:{}:iam::{}:role/{}", clients.partition, clients.account, role.name),
        by_itself: role.trust.contains(&Trust::Itself),
        by_default: !role.trusts_ec2() && role.trust.iter().any(|one| matches!(one, Trust::Arn(_))),
    })
}

/// Who the machine has to be for its clients to log in. Of a role that exists already, others may have said who.
pub(crate) fn expected_role(manifest: &Manifest) -> ExpectedRole {
    match &manifest.role {
        _ if !manifest.logs_in_with_iam() => ExpectedRole::None,
        Some(role) if role.create && !role.trust.iter().any(trusts_the_account) => ExpectedRole::Of {
            role: role::address(&role.name),
            by_profile: role.trusts_ec2(),
            others: role.trust.iter().filter_map(role_of).map(str::to_owned).collect(),
        },
        _ => ExpectedRole::Any,
    }
}

/// Whether a whole account, or anybody, is trusted: then who may is for policies to say.
fn trusts_the_account(trust: &Trust) -> bool {
    matches!(trust, Trust::Arn(arn) if arn.ends_with(":root"))
}

/// The name of a role that is trusted.
fn role_of(trust: &Trust) -> Option<&str> {
    let Trust::Arn(arn) = trust else { return None };
    // arn:aws:iam::123456789012:role/PATH/NAME
    let (_, path) = arn.split_once(":role/")?;
    path.rsplit('/').next()
}

impl Assumed {
    /// The ARN to assume, for who the machine is; a role assumes itself only where it trusts itself.
    fn arn_for<'a>(&'a self, machine: Option<&str>, known: &'a Outputs) -> Option<&'a str> {
        let assumes = match machine {
            Some(role) if role != self.address.name() => true,
            Some(_) => self.by_itself,
            None => self.by_itself || self.by_default,
        };
        assumes.then(|| known.text(&self.address, "arn").unwrap_or(&self.arn))
    }
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
            instance: client.instance.as_ref().map(instance::address),
            role: manifest.role.as_ref().filter(|_| manifest.logs_in_with_iam()).map(|role| role::address(&role.name)),
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

    /// What the machine said of itself, where there is one that did.
    fn report(&self, known: &Outputs) -> Option<Report> {
        Report::read(known.text(self.instance.as_ref()?, REPORT)?).ok()
    }

    /// The set-up, once the brokers are known.
    pub(crate) fn with_setup<T>(&self, known: &Outputs, then: impl FnOnce(&Setup<'_>) -> T) -> Option<T> {
        let cluster = known.of(&self.cluster)?;
        let report = self.report(known);
        let machine = report.as_ref().and_then(|report| report.role.as_deref());
        let source = match (&self.client.mirror, &self.stand_ins) {
            (Some(mirror), _) => Source::Mirror(mirror),
            (None, Some(mirror)) => Source::StandIns(mirror),
            (None, None) => Source::Publishers,
        };
        let setup = Setup {
            name: &self.name,
            environment: &self.environment,
            client: &self.client,
            auth: &self.auth,
            servers: &servers(cluster.text("bootstrap_brokers")?, report.as_ref()),
            zookeeper: cluster.text("zookeeper"),
            role_arn: self.assumed.as_ref().and_then(|role| role.arn_for(machine, known)),
            role: self.role.as_ref().map(Address::name),
            authorities: self.authorities.as_deref(),
            source,
        };
        Some(then(&setup))
    }
}

/// The brokers to start from. Of many brokers MSK names other ones each time: those that a machine has are kept as long as
/// they are of this cluster.
fn servers(now: &str, report: Option<&Report>) -> String {
    let properties = report.and_then(|report| report.properties.get(REST_PROPERTIES)).map(|text| read(text));
    let had = properties.and_then(|mut properties| properties.remove("bootstrap.servers"));
    had.filter(|had| whose_brokers(had) == whose_brokers(now)).unwrap_or_else(|| now.to_owned())
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
    let written = blueprint.with_setup(&known, |setup| (setup.folder(), setup.guide()));
    written.ok_or_else(|| "the cluster's brokers are not known".into())
}

#[cfg(test)]
mod tests;
