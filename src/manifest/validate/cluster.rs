//! The cluster.

use std::path::PathBuf;

use super::super::arn::Arn;
use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Access, Auth, Cluster, ClusterReference, Pretended, TopicsVia, has_topic_api, raw};
use super::{Scene, names};

pub(super) fn cluster(raw: &At<raw::Cluster>, scene: &Scene<'_>, findings: &mut Findings) -> Option<Cluster> {
    let auth = raw.auth.as_ref().map_or(Some(Auth::Iam), |given| auth(given, scene, findings));
    let access = match raw.access.as_deref().map(String::as_str) {
        Some("public") => Access::Public,
        _ => Access::Private,
    };
    // https://docs.aws.amazon.com/msk/latest/developerguide/public-access.html: unauthenticated access must be off.
    if let Some(given) = &raw.access
        && access == Access::Public
        && matches!(auth, Some(Auth::Tls | Auth::Plaintext))
    {
        findings.problem(
            given.at,
            "MSK gives public access only to clients that authenticate; use auth: iam, { scram: … } or { mtls: … }, or \
             access: private",
        );
    }
    let topics_via = match raw.topics_via.as_deref().map(String::as_str) {
        Some("api") => TopicsVia::Api,
        Some("kafka") => TopicsVia::Kafka,
        _ => TopicsVia::Auto,
    };
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
    let cluster = Cluster { reference, auth: auth?, access, topics_via, pretended: pretended(raw, findings) };
    if let Some(given) = &raw.sandbox {
        fits_what_is_pretended(&cluster, raw, given, findings);
    }
    Some(cluster)
}

/// How clients authenticate; `None` where that can't be told.
fn auth(given: &At<raw::Auth>, scene: &Scene<'_>, findings: &mut Findings) -> Option<Auth> {
    match &given.value {
        raw::Auth::Word(word) if word == "tls" => Some(Auth::Tls),
        raw::Auth::Word(word) if word == "plaintext" => Some(Auth::Plaintext),
        raw::Auth::Word(_) => Some(Auth::Iam),
        raw::Auth::With { scram: Some(secret), .. } => {
            if let Err(problem) = is_of_secret(secret, scene) {
                findings
                    .problem(secret.at, format!("\"{}\" is not the ARN of a SCRAM secret: {problem}", secret.value));
            }
            without_connector("SCRAM", given, scene, findings);
            Some(Auth::Scram { secret: secret.value.clone() })
        }
        raw::Auth::With { mtls: Some(files), .. } => {
            let certificate = pem(&files.cert, "CERTIFICATE", scene, findings);
            let key = pem(&files.key, "PRIVATE KEY", scene, findings);
            without_connector("mutual TLS", given, scene, findings);
            Some(Auth::Mtls { certificate, key })
        }
        raw::Auth::With { .. } => None,
    }
}

/// MSK Connect authenticates by IAM or not at all
/// (<https://docs.aws.amazon.com/MSKC/latest/mskc/API_KafkaClusterClientAuthentication.html>).
fn without_connector(what: &str, given: &At<raw::Auth>, scene: &Scene<'_>, findings: &mut Findings) {
    if scene.raw.connector.is_some() {
        findings.problem(
            given.at,
            format!(
                "MSK Connect can't authenticate by {what}, and this manifest has a connector; use auth: iam, or declare \
                 the connector in a manifest of its own"
            ),
        );
    }
}

/// A PEM file that must be there, unless the manifest is only read to remove what it made.
fn pem(path: &At<String>, what: &str, scene: &Scene<'_>, findings: &mut Findings) -> PathBuf {
    let full = scene.folder.join(&path.value);
    if scene.removal {
        return full;
    }
    let problem = match std::fs::read_to_string(&full) {
        // `-----BEGIN EC PRIVATE KEY-----` is one, too.
        Ok(text) if text.contains("-----BEGIN ") && text.contains(&format!("{what}-----")) => None,
        Ok(_) => Some(format!("\"{}\" has no {what} in PEM", path.value)),
        Err(error) => {
            Some(format!("\"{}\" can't be read ({error}); a relative path starts at the manifest's folder", path.value))
        }
    };
    if let Some(problem) = problem {
        findings.problem(path.at, problem);
    }
    full
}

fn pretended(raw: &raw::Cluster, findings: &mut Findings) -> Option<Pretended> {
    let given = raw.sandbox.as_ref()?;
    match (&given.kafka_version, &given.serverless) {
        (Some(version), _) => {
            if has_topic_api(version).is_none() {
                findings.problem(
                    version.at,
                    format!("\"{}\" is no Kafka version; expected one such as 3.8.x or 2.8.1", version.value),
                );
            }
            Some(Pretended::Provisioned(version.value.clone()))
        }
        (None, Some(serverless)) if serverless.value => Some(Pretended::Serverless),
        _ => None,
    }
}

/// What such a cluster hasn't, as far as that is known before anybody is asked.
fn fits_what_is_pretended(cluster: &Cluster, raw: &raw::Cluster, at: &At<raw::Pretended>, findings: &mut Findings) {
    let via_api = cluster.topics_via == TopicsVia::Api;
    let topics_via_at = raw.topics_via.as_ref().map_or(at.at, |given| given.at);
    match &cluster.pretended {
        Some(Pretended::Serverless) => {
            if cluster.auth != Auth::Iam {
                let at = raw.auth.as_ref().map_or(at.at, |given| given.at);
                findings.problem(at, "Serverless clusters authenticate by IAM alone; use auth: iam");
            }
            if cluster.access == Access::Public {
                let at = raw.access.as_ref().map_or(at.at, |given| given.at);
                findings.problem(at, "Serverless clusters have no public access; use access: private");
            }
            if via_api {
                let problem = "the MSK topic API doesn't manage topics of Serverless clusters; use auto or kafka";
                findings.problem(topics_via_at, problem);
            }
        }
        Some(Pretended::Provisioned(version)) if via_api && has_topic_api(version) != Some(true) => {
            findings.problem(
                topics_via_at,
                format!("the MSK topic API needs Kafka 3.6.0 or later, and this is {version}; use auto or kafka"),
            );
        }
        _ => {}
    }
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:AmazonMSK_NAME-SUFFIX`. MSK takes no secret of another name, region or
/// account (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-limitations.html>).
fn is_of_secret(text: &str, scene: &Scene<'_>) -> Result<(), String> {
    let arn = Arn::parse(text)?;
    let name = arn.resource.strip_prefix("secret:").unwrap_or_default();
    if arn.service != "secretsmanager" || !name.starts_with("AmazonMSK_") {
        return Err("expected arn:aws:secretsmanager:REGION:ACCOUNT:secret:AmazonMSK_NAME-SUFFIX".to_owned());
    }
    is_here(&arn, scene)
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
    is_here(&arn, scene)
}

/// In the manifest's region and account, where it names these.
fn is_here(arn: &Arn<'_>, scene: &Scene<'_>) -> Result<(), String> {
    if let Some(region) = scene.region.filter(|region| *region != arn.region) {
        return Err(format!("its region is \"{}\" and the manifest's is \"{region}\"; use the same", arn.region));
    }
    if let Some(account) = scene.account.filter(|account| *account != arn.account) {
        return Err(format!("its account is \"{}\" and the manifest's is \"{account}\"; use the same", arn.account));
    }
    Ok(())
}
