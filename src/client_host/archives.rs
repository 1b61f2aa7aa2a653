//! Where the archives come from, and what they must be.

use super::Setup;

/// The Scala that Kafka's archive is built with: its tools are the same, and every version since 2.4 has this one.
pub(crate) const SCALA: &str = "2.13";

/// Where archives come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// From Apache, Maven Central and Confluent.
    Publishers,
    /// From a mirror, which has them at the same paths, and their checksums beside them.
    Mirror(&'a str),
    /// From a mirror whose archives are none of the publishers': checksums that are known of those don't count.
    StandIns(&'a str),
}

/// An archive, and how it is verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Archive {
    /// What it is called, for people.
    pub(super) name: &'static str,
    pub(super) version: String,
    /// What `setup.sh` calls its URL, its checksum, and the URL of its checksum.
    pub(super) settings: [&'static str; 3],
    pub(super) url: String,
    /// The checksum that it must have; empty where none is known beforehand.
    pub(super) sum: String,
    /// Where its publisher says which it has; empty where that is nowhere.
    pub(super) sum_url: String,
}

/// The MSK IAM jars whose checksum is known: what Maven Central has beside each, as `.sha256`
/// (<https://repo1.maven.org/maven2/software/amazon/msk/aws-msk-iam-auth/>).
const IAM_JARS: [(&str, &str); 9] = [
    ("1.1.5", "ef21705509d82b5b8f673a5cb7552d64c7e18001a6329d49c850ff2fef83b8ab"),
    ("2.0.3", "83f1d6e9864962ecfa3a100b5f484f720bf75a05adca07e616f89dce84aedc73"),
    ("2.2.0", "735dd058b81d088e767770d6cc4e7f1a1beea815ced18b66a23b35fd87651e77"),
    ("2.3.0", "5ca27fd17200bc01943d94d62905bac468028872f35dbc1b623f28d4bd778038"),
    ("2.3.2", "746f7a331eb02fd92fcad43935a97ce3d219e5f8a97a643012b2bb14c9020011"),
    ("2.3.4", "5756e01dc33c203f1e5fb7076c475b393e28e7d4ef528f3b604db6da5e979a6a"),
    ("2.3.5", "bcd6020ce1ca2c3f1a65e087057dc8c0757185ba1f169b38e0eda54b617e4225"),
    ("2.3.9", "922064f312ddc8a5f3dbe65fcef3d02ddbd588a02e3a6f0fca4b5a4dbec1ba43"),
    ("2.4.0", "b758405bd032d0aa3579eabe3fc3344da7003d723c4bb687767924450da7bbfd"),
];

/// The archives of a set-up.
pub(super) fn of(setup: &Setup<'_>) -> Vec<Archive> {
    let mut archives = vec![kafka(setup)];
    archives.extend(setup.iam_jar().map(|version| iam_jar(setup, version)));
    archives.extend(setup.client.rest_proxy.as_ref().map(|proxy| rest_proxy(setup, &proxy.version)));
    archives
}

impl Source<'_> {
    fn base<'a>(&'a self, publisher: &'a str) -> &'a str {
        match self {
            Self::Publishers => publisher,
            Self::Mirror(base) | Self::StandIns(base) => base,
        }
    }

    /// The checksum that an archive must have: what the manifest says, or else what is known of its publisher.
    fn sum(&self, declared: Option<&String>, known: Option<&str>) -> String {
        match self {
            Self::StandIns(_) => String::new(),
            _ => declared.map(String::as_str).or(known).unwrap_or_default().to_owned(),
        }
    }
}

/// Of <https://archive.apache.org/dist/kafka/>, which keeps every version; its checksums are SHA-512.
fn kafka(setup: &Setup<'_>) -> Archive {
    let version = &setup.client.kafka_version;
    let base = setup.source.base("https://archive.apache.org");
    let url = format!("{base}/dist/kafka/{version}/kafka_{SCALA}-{version}.tgz");
    Archive {
        name: "Kafka's tools",
        version: version.to_owned(),
        settings: ["KAFKA_URL", "KAFKA_SUM", "KAFKA_SUM_URL"],
        sum: setup.source.sum(setup.client.checksums.kafka.as_ref(), None),
        sum_url: format!("{url}.sha512"),
        url,
    }
}

fn iam_jar(setup: &Setup<'_>, version: &str) -> Archive {
    let base = setup.source.base("https://repo1.maven.org/maven2");
    let url = format!("{base}/software/amazon/msk/aws-msk-iam-auth/{version}/aws-msk-iam-auth-{version}-all.jar");
    let known = IAM_JARS.iter().find(|(known, _)| *known == version).map(|(_, sum)| *sum);
    Archive {
        name: "MSK IAM jar",
        version: version.to_owned(),
        settings: ["IAM_JAR_URL", "IAM_JAR_SUM", "IAM_JAR_SUM_URL"],
        sum: setup.source.sum(setup.client.checksums.iam_jar.as_ref(), known),
        sum_url: format!("{url}.sha256"),
        url,
    }
}

/// Of <https://packages.confluent.io/archive/>, which has no checksums, and doesn't keep old versions
/// (<https://docs.confluent.io/platform/7.7/installation/installing_cp/zip-tar.html>).
fn rest_proxy(setup: &Setup<'_>, version: &str) -> Archive {
    let line = version.rsplit_once('.').map_or(version, |(line, _)| line);
    let base = setup.source.base("https://packages.confluent.io");
    let url = format!("{base}/archive/{line}/confluent-community-{version}.tar.gz");
    Archive {
        name: "REST proxy",
        version: version.to_owned(),
        settings: ["REST_PROXY_URL", "REST_PROXY_SUM", "REST_PROXY_SUM_URL"],
        sum: setup.source.sum(setup.client.checksums.rest_proxy.as_ref(), None),
        sum_url: match setup.source {
            Source::Publishers => String::new(),
            Source::Mirror(_) | Source::StandIns(_) => format!("{url}.sha256"),
        },
        url,
    }
}
