//! The EC2 client: versions that go together, downloads that can be verified, and nothing secret on its way.

use std::net::Ipv4Addr;

use url::Url;

use super::super::client::{
    Checksums, Client, IAM_JAR_VERSION, Instance, JAVA_VERSION, JavaMisfit, KAFKA_VERSION, REST_PROXY_PORT,
    REST_PROXY_VERSION, RestProxy, Version, jar_misfit, kafka_java_misfit, kafka_without_archive, key_without_password,
    proxy_java_misfit, proxy_without_iam,
};
use super::super::problem::{Findings, Position};
use super::super::yaml::At;
use super::super::{EC2, Target, raw};
use super::{Scene, names};

/// The versions of Java that there are packages of, and that Kafka is documented for.
const JAVAS: [i64; 4] = [8, 11, 17, 21];

pub(super) fn client(raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) -> Client {
    let client = Client {
        instance: raw.instance.as_ref().and_then(|given| instance(given, findings)),
        address: raw.address.as_ref().map(|given| address(given, scene, findings)),
        kafka_version: version("Kafka", raw.kafka_version.as_ref(), KAFKA_VERSION, findings),
        java_version: java_version(raw, findings),
        iam_jar_version: version("the MSK IAM jar", raw.iam_jar_version.as_ref(), IAM_JAR_VERSION, findings),
        rest_proxy: raw.rest_proxy.as_ref().map(|given| rest_proxy(given, findings)),
        mirror: raw.mirror.as_ref().map(|given| mirror(given, findings)),
        checksums: checksums(raw, scene, findings),
    };
    versions_go_together(&client, raw, scene, findings);
    downloads_can_be_verified(&client, raw, scene, findings);
    plain_http_is_pinned(&client, raw, scene, findings);
    nothing_secret_is_sent(raw, scene, findings);
    works_as_the_role(raw, scene, findings);
    client
}

fn instance(given: &At<raw::Instance>, findings: &mut Findings) -> Option<Instance> {
    match &given.value {
        raw::Instance::Id(id) => {
            // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
            let hex = id.strip_prefix("i-").unwrap_or_default();
            let is_hex = |each: u8| each.is_ascii_digit() || (b'a'..=b'f').contains(&each);
            if !matches!(hex.len(), 8 | 17) || !hex.bytes().all(is_hex) {
                findings.problem(
                    given.at,
                    format!(
                        "\"{id}\" is no EC2 instance; expected i- and 17 hexadecimal digits in lower case, or \
                         {{ tag: {{ Name: … }} }}"
                    ),
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
            // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
            let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
            if !fits(key, 128) || key.starts_with("aws:") || !fits(value, 256) {
                findings.problem(
                    value.at,
                    "an instance's tag has a key of 1 to 128 characters that doesn't start with aws:, and is found by a \
                     value of 1 to 256; expected one such as { Name: kafka-client }",
                );
            }
            Some(Instance::Tag { key: key.clone(), value: value.value.clone() })
        }
    }
}

/// A host's name or address, without scheme and port.
fn address(given: &At<String>, scene: &Scene<'_>, findings: &mut Findings) -> String {
    let text = given.as_str();
    if !is_host(text) {
        findings.problem(
            given.at,
            format!(
                "\"{text}\" is no host; expected a name or an address alone, such as \
                 ec2-198-51-100-7.compute-1.amazonaws.com: the port is that of rest_proxy"
            ),
        );
    } else if scene.target == Some(Target::Aws) && super::api::is_this_machine(text) {
        super::api::warn_of_unreachable(given.at, text, findings);
    } else if is_private(text) {
        findings.warn(
            given.at,
            format!("API Gateway can't reach {text}, which is an address within a network; give one on the internet"),
        );
    }
    given.value.clone()
}

fn is_private(host: &str) -> bool {
    let ends = |end: &str| host.to_ascii_lowercase().ends_with(end);
    let is_inside = |address: Ipv4Addr| address.is_private() || address.is_link_local();
    ends(".internal") || ends(".local") || host.parse().is_ok_and(is_inside)
}

/// Whether a text is a host's name of at least two labels, an IPv4 address, or this machine
/// (<https://www.rfc-editor.org/rfc/rfc1123#section-2>).
fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number would be taken for an address.
    let is_name = labels.last().is_some_and(|last| !last.starts_with(|c: char| c.is_ascii_digit()));
    let is_named =
        is_name && labels.iter().all(is_label) && text.len() <= 253 && (labels.len() > 1 || text == "localhost");
    is_named || text.parse::<Ipv4Addr>().is_ok()
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

fn mirror(given: &At<String>, findings: &mut Findings) -> String {
    let text = given.as_str();
    let expected = "expected a base URL such as https://mirror.example.com/packages";
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = host.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let url = Url::parse(text);
    let problem = if authority.contains('@') || url.as_ref().is_ok_and(|url| url.password().is_some()) {
        // Systems Manager keeps commands, and setup.sh is a file.
        Some(
            "the mirror's URL holds a user or password, which would be kept where others read it; use a mirror that \
              the machine's network may reach"
                .to_owned(),
        )
    } else if url.is_err() || authority.is_empty() {
        Some(format!("\"{text}\" is no mirror; {expected}"))
    } else if text.contains(['?', '#', '\\']) || text.contains(char::is_whitespace) {
        Some(format!("the paths of archives are added to a mirror's URL; {expected}"))
    } else {
        None
    };
    if let Some(problem) = problem {
        findings.problem(given.at, problem);
    }
    text.trim_end_matches('/').to_owned()
}

/// What comes over plain HTTP could be changed on its way, and its checksum with it.
fn plain_http_is_pinned(client: &Client, raw: &raw::Client, scene: &Scene<'_>, findings: &mut Findings) {
    let Some(given) = raw.mirror.as_ref().filter(|mirror| mirror.starts_with("http://")) else { return };
    let Checksums { kafka, iam_jar, rest_proxy } = &client.checksums;
    let lacking: Vec<&str> = [
        ("kafka", kafka.is_none()),
        ("iam_jar", iam_jar.is_none() && logs_in_with_iam(scene)),
        ("rest_proxy", rest_proxy.is_none() && client.rest_proxy.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, lacks)| lacks.then_some(name))
    .collect();
    if !lacking.is_empty() && !scene.removal {
        findings.problem(
            given.at,
            format!(
                "what comes over http:// could be changed on its way, and its checksum with it; use https://, or add to \
                 checksums: {}",
                lacking.join(", ")
            ),
        );
    }
}

fn checksums(raw: &raw::Client, scene: &Scene<'_>, findings: &mut Findings) -> Checksums {
    let Some(given) = &raw.checksums else { return Checksums::default() };
    if scene.target == Some(Target::Sandbox) && raw.mirror.is_none() {
        findings.warn(given.key_at, "the sandbox's archives are stand-ins, which these checksums don't count for");
    }
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

/// How clients log in, where the manifest says so.
fn auth<'a>(scene: &Scene<'a>) -> Option<&'a raw::Auth> {
    scene.raw.cluster.as_ref()?.auth.as_ref().map(|auth| &auth.value)
}

fn logs_in_with_iam(scene: &Scene<'_>) -> bool {
    auth(scene).is_none_or(|auth| matches!(auth, raw::Auth::Word(word) if word == "iam"))
}

fn versions_go_together(client: &Client, raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) {
    let java_at = raw.java_version.as_ref().map(|given| given.at);
    let at = |given: Option<&At<String>>| given.map(|given| given.at).or(java_at).unwrap_or(raw.key_at);
    let (jar_at, kafka_at) = (at(raw.iam_jar_version.as_ref()), at(raw.kafka_version.as_ref()));
    let by_iam = logs_in_with_iam(scene);
    if let Some(problem) = kafka_without_archive(&client.kafka_version) {
        findings.problem(kafka_at, problem);
    }
    if matches!(auth(scene), Some(raw::Auth::With { mtls: Some(_), .. }))
        && let Some(warning) = key_without_password(client)
    {
        findings.warn(kafka_at, warning);
    }
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

/// Apache and AWS publish checksums beside their archives, and Confluent none: without one nobody can tell what was
/// downloaded.
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
    if let (Some(instance), Some(raw::Auth::With { .. }), false) = (&raw.instance, auth(scene), scene.removal) {
        findings.problem(
            instance.key_at,
            "this cluster's clients log in with a password or a key, and Systems Manager, which keeps the commands that \
             it sends, is no way for one; leave instance out, and use `pipeline client render`",
        );
    }
}

/// Who the machine is: with the role as its instance profile, or by assuming it.
fn works_as_the_role(raw: &At<raw::Client>, scene: &Scene<'_>, findings: &mut Findings) {
    const MANAGED: &str = "AmazonSSMManagedInstanceCore";
    let Some(role) = &scene.raw.role else { return };
    if !logs_in_with_iam(scene) || scene.is_damaged("role") || role.create.as_ref().is_some_and(|create| !create.value)
    {
        return;
    }
    let trust = role.trust.as_ref().map(|trust| trust.value.as_slice()).unwrap_or_default();
    let by_profile = trust.iter().any(|one| one.service.as_deref().is_some_and(|name| EC2.contains(&name.as_str())));
    if !by_profile && !trust.iter().any(|one| one.arn.is_some()) {
        findings.warn(
            role.trust.as_ref().map_or(role.key_at, |trust| trust.key_at),
            format!("the client's machine can't work as this role; add \"- service: {}\" to its trust", EC2[0]),
        );
    }
    let is_managed = role.managed_policies.iter().flat_map(|policies| &policies.value);
    if by_profile && raw.instance.is_some() && !is_managed.into_iter().any(|arn| arn.ends_with(MANAGED)) {
        findings.warn(
            role.key_at,
            format!(
                "an instance with this role's profile is managed by Systems Manager only if it may be; add \
                 arn:aws:iam::aws:policy/{MANAGED} to role.managed_policies, unless the account manages all instances"
            ),
        );
    }
}
