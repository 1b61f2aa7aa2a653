//! The EC2 client: versions that go together, downloads that can be verified, and nothing secret on its way.

use url::{Host, Url};

use super::super::client::{
    Checksums, Client, IAM_JAR_VERSION, Instance, JAVA_VERSION, JavaMisfit, KAFKA_VERSION, REST_PROXY_PORT,
    REST_PROXY_VERSION, RestProxy, Version, jar_misfit, kafka_java_misfit, proxy_java_misfit, proxy_without_iam,
};
use super::super::problem::{Findings, Position};
use super::super::yaml::At;
use super::super::{Target, raw};
use super::{Scene, names};

/// The versions of Java that there are packages of, and that Kafka is documented for.
const JAVAS: [i64; 4] = [8, 11, 17, 21];

pub(super) fn client(raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) -> Client {
    let client = Client {
        instance: raw.instance.as_ref().and_then(|given| instance(given, findings)),
        address: raw.address.as_ref().map(|given| address(given, findings)),
        kafka_version: version("Kafka", raw.kafka_version.as_ref(), KAFKA_VERSION, findings),
        java_version: java_version(raw, findings),
        iam_jar_version: version("the MSK IAM jar", raw.iam_jar_version.as_ref(), IAM_JAR_VERSION, findings),
        rest_proxy: raw.rest_proxy.as_ref().map(|given| rest_proxy(given, findings)),
        mirror: raw.mirror.as_ref().map(|given| mirror(given, raw, findings)),
        checksums: checksums(raw, findings),
    };
    versions_go_together(&client, raw, scene, findings);
    downloads_can_be_verified(&client, raw, scene, findings);
    nothing_secret_is_sent(raw, scene, findings);
    works_as_the_role(raw, scene, findings);
    client
}

fn instance(given: &At<raw::Instance>, findings: &mut Findings) -> Option<Instance> {
    match &given.value {
        raw::Instance::Id(id) => {
            // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
            let hex = id.strip_prefix("i-").unwrap_or_default();
            if !matches!(hex.len(), 8 | 17) || !hex.bytes().all(|each| each.is_ascii_hexdigit()) {
                findings.problem(
                    given.at,
                    format!("\"{id}\" is no EC2 instance; expected i- and 17 hexadecimal digits, or {{ tag: {{ Name: … }} }}"),
                );
            }
            Some(Instance::Id(id.clone()))
        }
        raw::Instance::With { tag } => {
            let mut tags = tag.value.iter();
            let (Some((key, value)), None) = (tags.next(), tags.next()) else {
                findings.problem(tag.at, "an instance is found by one tag; expected one, as in { Name: … }");
                return None;
            };
            Some(Instance::Tag { key: key.clone(), value: value.value.clone() })
        }
    }
}

/// A host's name or address, without scheme and port.
fn address(given: &At<String>, findings: &mut Findings) -> String {
    let is_host = match Host::parse(given) {
        Ok(Host::Domain(name)) => name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)),
        Ok(_) => true,
        Err(_) => false,
    };
    if !is_host {
        findings.problem(
            given.at,
            format!(
                "\"{}\" is no host; expected a name or an address alone, such as \
                 ec2-198-51-100-7.compute-1.amazonaws.com: the port is that of rest_proxy",
                given.value
            ),
        );
    }
    given.value.clone()
}

fn version(what: &str, given: Option<&At<String>>, default: &str, findings: &mut Findings) -> String {
    let Some(given) = given else { return default.to_owned() };
    if Version::parse(given).is_none() {
        findings
            .problem(given.at, format!("\"{}\" is no version of {what}; expected one such as {default}", given.value));
    }
    given.value.clone()
}

fn java_version(raw: &raw::Client, findings: &mut Findings) -> u32 {
    let Some(given) = &raw.java_version else { return JAVA_VERSION };
    if !JAVAS.contains(&given.value) {
        findings.problem(given.at, format!("java_version is {}; expected 8, 11, 17 or 21", given.value));
    }
    u32::try_from(given.value).unwrap_or(JAVA_VERSION)
}

fn rest_proxy(given: &At<raw::RestProxy>, findings: &mut Findings) -> RestProxy {
    let version = version("the REST proxy", given.version.as_ref(), REST_PROXY_VERSION, findings);
    let port = match &given.port {
        None => REST_PROXY_PORT,
        // Its service is no root, and API Gateway reaches 80, 443, and these.
        Some(port) => u16::try_from(port.value).ok().filter(|port| *port >= 1024).unwrap_or_else(|| {
            findings.problem(port.at, format!("port is {}; expected 1024 to 65535", port.value));
            REST_PROXY_PORT
        }),
    };
    RestProxy { version, port }
}

fn mirror(given: &At<String>, raw: &raw::Client, findings: &mut Findings) -> String {
    let text = given.as_str();
    let expected = "expected a base URL such as https://mirror.example.com/packages";
    let problem = match Url::parse(text) {
        Err(error) => Some(format!("\"{text}\" is no URL ({error}); {expected}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            Some(format!("\"{text}\" is no mirror; {expected}"))
        }
        // Systems Manager keeps commands, and setup.sh is a file.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Some(
            "the mirror's URL holds a user or password, which would be kept where others read it; use a mirror \
                  that the machine's network may reach"
                .to_owned(),
        ),
        Ok(url) if url.query().is_some() || url.fragment().is_some() || text.contains(char::is_whitespace) => {
            Some(format!("the paths of archives are added to a mirror's URL; {expected}"))
        }
        Ok(url) if url.scheme() == "http" && !all_are_pinned(raw) => Some(
            "what comes over http:// could be changed on its way, and its checksum with it; use https://, or pin all \
             of checksums: kafka, iam_jar and, with a REST proxy, rest_proxy"
                .to_owned(),
        ),
        Ok(_) => None,
    };
    if let Some(problem) = problem {
        findings.problem(given.at, problem);
    }
    text.trim_end_matches('/').to_owned()
}

fn all_are_pinned(raw: &raw::Client) -> bool {
    raw.checksums.as_ref().is_some_and(|sums| {
        sums.kafka.is_some() && sums.iam_jar.is_some() && (sums.rest_proxy.is_some() || raw.rest_proxy.is_none())
    })
}

fn checksums(raw: &raw::Client, findings: &mut Findings) -> Checksums {
    let Some(given) = &raw.checksums else { return Checksums::default() };
    let mut one = |sum: Option<&At<String>>| {
        let sum = sum?;
        if let Err(problem) = names::checksum(sum) {
            findings.problem(sum.at, problem);
        }
        Some(sum.to_ascii_lowercase())
    };
    Checksums {
        kafka: one(given.kafka.as_ref()),
        iam_jar: one(given.iam_jar.as_ref()),
        rest_proxy: one(given.rest_proxy.as_ref()),
    }
}

fn logs_in_with_iam(scene: &Scene<'_>) -> bool {
    let auth = scene.raw.cluster.as_ref().and_then(|cluster| cluster.auth.as_ref());
    auth.is_none_or(|auth| matches!(&auth.value, raw::Auth::Word(word) if word == "iam"))
}

fn versions_go_together(client: &Client, raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) {
    let java_at = raw.java_version.as_ref().map(|given| given.at);
    let at = |given: Option<&At<String>>| given.map(|given| given.at).or(java_at).unwrap_or(raw.key_at);
    let (jar_at, kafka_at) = (at(raw.iam_jar_version.as_ref()), at(raw.kafka_version.as_ref()));
    let by_iam = logs_in_with_iam(scene);
    if by_iam && let Some(problem) = jar_misfit(&client.iam_jar_version, client.java_version) {
        findings.problem(jar_at, problem);
    }
    if !by_iam && let Some(given) = &raw.iam_jar_version {
        findings.warn(given.key_at, "the MSK IAM jar is for auth: iam; with this cluster's it is not installed");
    }
    let mut judge = |misfit: Option<JavaMisfit>, at: Position| match misfit {
        Some(JavaMisfit::TooOld(problem)) => findings.problem(at, problem),
        Some(JavaMisfit::Undocumented(warning)) => findings.warn(at, warning),
        None => {}
    };
    judge(kafka_java_misfit(&client.kafka_version, client.java_version), kafka_at);
    let (Some(proxy), Some(given)) = (&client.rest_proxy, &raw.rest_proxy) else { return };
    let proxy_at = given.version.as_ref().map_or(given.key_at, |version| version.at);
    judge(proxy_java_misfit(&proxy.version, client.java_version), proxy_at);
    if by_iam && let Some(problem) = proxy_without_iam(&proxy.version) {
        findings.problem(proxy_at, problem);
    }
}

/// Apache and AWS publish checksums beside their archives. Confluent has none for its own, and its name is what a pinned
/// value would have to be taken from.
fn downloads_can_be_verified(client: &Client, raw: &raw::Client, scene: &Scene<'_>, findings: &mut Findings) {
    let Some(given) = &raw.rest_proxy else { return };
    let is_verified = client.mirror.is_some() || client.checksums.rest_proxy.is_some();
    if !is_verified && scene.target == Some(Target::Aws) && !scene.removal && !scene.is_damaged("client") {
        findings.problem(
            given.key_at,
            "Confluent publishes no checksum of the archive that the REST proxy comes in; give client.checksums.rest_proxy \
             the sha256 of a copy that you trust, or a client.mirror that has ARCHIVE.sha256 beside it",
        );
    }
}

/// Systems Manager keeps the commands that it sent, so that no password or key may be in one.
fn nothing_secret_is_sent(raw: &raw::Client, scene: &Scene<'_>, findings: &mut Findings) {
    let auth = scene.raw.cluster.as_ref().and_then(|cluster| cluster.auth.as_ref());
    if let (Some(instance), Some(raw::Auth::With { .. })) = (&raw.instance, auth.map(|auth| &auth.value)) {
        findings.problem(
            instance.key_at,
            "this cluster's clients log in with a password or a key, and Systems Manager, which keeps the commands that \
             it sends, is no way for one; leave instance out, and use `pipeline client render`",
        );
    }
}

/// Who the machine is: with the role as its instance profile, or by assuming it.
fn works_as_the_role(raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) {
    const EC2: &str = "ec2.amazonaws.com";
    const MANAGED: &str = "AmazonSSMManagedInstanceCore";
    let Some(role) = &scene.raw.role else { return };
    if !logs_in_with_iam(scene) || scene.is_damaged("role") || role.create.as_ref().is_some_and(|create| !create.value)
    {
        return;
    }
    let trust = role.trust.as_ref().map(|trust| trust.value.as_slice()).unwrap_or_default();
    let by_profile = trust.iter().any(|one| one.service.as_deref().is_some_and(|service| service == EC2));
    if !by_profile && !trust.iter().any(|one| one.itself.is_some() || one.arn.is_some()) {
        findings.warn(
            role.trust.as_ref().map_or(role.key_at, |trust| trust.key_at),
            format!("the client's machine can't work as this role; add \"- service: {EC2}\" to its trust"),
        );
    }
    let is_managed = role.managed_policies.iter().flat_map(|policies| &policies.value);
    if by_profile && raw.instance.is_some() && !is_managed.into_iter().any(|arn| arn.ends_with(MANAGED)) {
        findings.warn(
            role.key_at,
            format!(
                "an instance with this role's profile is managed by Systems Manager only if it may be; add \
                 arn:aws:iam::aws:policy/{MANAGED} to managed_policies, unless the account manages all instances"
            ),
        );
    }
}
