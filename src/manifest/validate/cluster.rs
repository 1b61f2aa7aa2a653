//! The cluster.

use super::super::arn::Arn;
use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Access, Auth, Cluster, ClusterReference, raw};
use super::{Scene, names};

pub(super) fn cluster(raw: &At<raw::Cluster>, scene: &Scene<'_>, findings: &mut Findings) -> Option<Cluster> {
    let auth = match raw.auth.as_deref().map(String::as_str) {
        Some("tls") => Auth::Tls,
        Some("plaintext") => Auth::Plaintext,
        _ => Auth::Iam,
    };
    let access = match raw.access.as_deref().map(String::as_str) {
        Some("public") => Access::Public,
        _ => Access::Private,
    };
    // https://docs.aws.amazon.com/msk/latest/developerguide/public-access.html: unauthenticated access must be off.
    if let Some(given) = &raw.access
        && access == Access::Public
        && auth != Auth::Iam
    {
        findings.problem(
            given.at,
            "MSK gives public access only to clients that authenticate; use auth: iam, or access: private",
        );
    }
    let reference = match (&raw.name, &raw.arn) {
        (Some(name), _) => {
            if let Err(problem) = names::cluster(name) {
                findings.problem(name.at, problem);
            }
            ClusterReference::Name(name.value.clone())
        }
        (None, Some(arn)) => {
            if let Err(problem) = is_of_cluster(arn, scene) {
                findings.problem(arn.at, format!("\"{}\" is not this cluster's ARN: {problem}", arn.value));
            }
            ClusterReference::Arn(arn.value.clone())
        }
        (None, None) => return None,
    };
    Some(Cluster { reference, auth, access })
}

/// `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`, in the manifest's region and account.
fn is_of_cluster(text: &str, scene: &Scene<'_>) -> Result<(), String> {
    let arn = Arn::parse(text)?;
    let parts: Vec<&str> = arn.resource.split('/').collect();
    if arn.service != "kafka"
        || !matches!(parts.as_slice(), ["cluster", name, id] if !name.is_empty() && !id.is_empty())
    {
        return Err("expected arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID".to_owned());
    }
    if let Some(region) = scene.region.filter(|region| *region != arn.region) {
        return Err(format!("its region is \"{}\" and the manifest's is \"{region}\"; use the same", arn.region));
    }
    if let Some(account) = scene.account.filter(|account| *account != arn.account) {
        return Err(format!("its account is \"{}\" and the manifest's is \"{account}\"; use the same", arn.account));
    }
    Ok(())
}
