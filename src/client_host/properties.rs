//! The property files: how Kafka's tools and the REST proxy log in.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::{KEYSTORE, Setup, owner_of};
use crate::manifest::{Auth, Version};

/// What a person has to write the user and the password into, as `setup.sh` knows it.
pub(crate) const PLACEHOLDER: &str = "username=\"USER\" password=\"PASSWORD\"";

/// A property file: what a person reads in its first lines, then the properties in their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Properties {
    about: Vec<String>,
    pub(super) pairs: Vec<(String, String)>,
}

impl Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.pairs.iter().try_for_each(|(key, value)| writeln!(f, "{key}={value}"))
    }
}

/// How a client logs in, as Java's Kafka clients are told. `keystore` is a PEM file with a certificate and its key, for
/// those who have one; what a person has to fill in for SCRAM says USER and PASSWORD.
pub(crate) fn login(auth: &Auth, keystore: &str, role_arn: Option<&str>) -> Vec<(&'static str, String)> {
    let owned = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    match auth {
        Auth::Plaintext => Vec::new(),
        Auth::Tls => owned(&[("security.protocol", "SSL")]),
        Auth::Mtls { .. } => {
            owned(&[("security.protocol", "SSL"), ("ssl.keystore.type", "PEM"), ("ssl.keystore.location", keystore)])
        }
        Auth::Scram { .. } => {
            let module = format!("org.apache.kafka.common.security.scram.ScramLoginModule required {PLACEHOLDER};");
            owned(&[
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.jaas.config", &module),
            ])
        }
        Auth::Iam => {
            let role = role_arn.map_or_else(String::new, |arn| format!(" awsRoleArn=\"{arn}\""));
            let module = format!("software.amazon.msk.auth.iam.IAMLoginModule required{role};");
            owned(&[
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "AWS_MSK_IAM"),
                ("sasl.jaas.config", &module),
                ("sasl.client.callback.handler.class", "software.amazon.msk.auth.iam.IAMClientCallbackHandler"),
            ])
        }
    }
}

/// What both files say, apart from their keys' start.
fn shared(setup: &Setup<'_>) -> Vec<(&'static str, String)> {
    let mut pairs = login(setup.auth, KEYSTORE, setup.role_arn);
    if let (Some(authorities), false) = (setup.authorities, pairs.is_empty()) {
        pairs.push(("ssl.truststore.type", "PEM".to_owned()));
        // In a property file these two characters are a line's end.
        pairs.push(("ssl.truststore.certificates", authorities.trim_end().replace('\n', "\\n")));
    }
    pairs
}

fn owner(setup: &Setup<'_>) -> String {
    format!("# Pipeline: {}", owner_of(setup.name, setup.environment))
}

/// `client.properties`: what Kafka's tools take as `--command-config`.
pub(super) fn of_client(setup: &Setup<'_>) -> Properties {
    Properties {
        about: vec![
            owner(setup),
            "# For Kafka's tools, as --command-config; console producers and consumers want it as --producer.config and"
                .to_owned(),
            "# --consumer.config before Kafka 4.".to_owned(),
        ],
        pairs: shared(setup).into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// `kafka-rest.properties`: what the REST proxy is started with. What it needs as a client of Kafka starts with `client.`:
/// keys without it are not seen by the clients within it.
pub(super) fn of_rest_proxy(setup: &Setup<'_>) -> Properties {
    let proxy = setup.client.rest_proxy.as_ref();
    let mut pairs = vec![
        ("id".to_owned(), id(setup)),
        ("listeners".to_owned(), format!("http://0.0.0.0:{}", proxy.map_or(0, |proxy| proxy.port))),
        ("bootstrap.servers".to_owned(), setup.servers.to_owned()),
    ];
    if let Some(address) = &setup.client.address {
        pairs.insert(2, ("host.name".to_owned(), address.clone()));
    }
    // Its API of version 1 asked ZooKeeper, and is gone since 6.1 (https://github.com/confluentinc/kafka-rest/pull/734).
    if let (Some(zookeeper), true) =
        (setup.zookeeper, proxy.is_some_and(|proxy| Version::is_before(&proxy.version, 6, 1)))
    {
        pairs.push(("zookeeper.connect".to_owned(), zookeeper.to_owned()));
    }
    pairs.extend(shared(setup).into_iter().map(|(key, value)| (format!("client.{key}"), value)));
    let about = "# For Confluent's REST proxy. It is a client of Kafka too: what it needs as one starts with client.";
    Properties { about: vec![owner(setup), about.to_owned()], pairs }
}

/// What the proxy calls itself, in the names of consumers.
fn id(setup: &Setup<'_>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    format!("{}-{}", setup.name, setup.environment).chars().map(plain).collect()
}

/// The properties of a file.
pub(crate) fn read(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    lines.filter_map(pair).collect()
}
