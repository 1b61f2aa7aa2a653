//! The machine that clients of the cluster run on: Kafka's tools, the MSK IAM jar, and a REST proxy.

use serde::Serialize;

/// Kafka's version where none is declared: that of MSK's recommended one.
pub(super) const KAFKA_VERSION: &str = "3.8.1";
/// Java's version where none is declared.
pub(super) const JAVA_VERSION: u32 = 17;
/// The MSK IAM jar's version where none is declared: the last for Java 8 and later that shades what it brings along,
/// so that it can stand first on a class path.
pub(super) const IAM_JAR_VERSION: &str = "2.3.2";
/// The REST proxy's version where none is declared.
pub(super) const REST_PROXY_VERSION: &str = "7.9.0";
/// Where a REST proxy listens where nothing is declared
/// (<https://docs.confluent.io/platform/7.6/kafka-rest/production-deployment/rest-proxy/config.html>, `listeners`).
pub(super) const REST_PROXY_PORT: u16 = 8082;

/// A machine that is to be a client of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    /// The EC2 instance, where it is set up over Systems Manager.
    pub instance: Option<Instance>,
    /// Its public name or address, where that is declared and not asked for.
    pub address: Option<String>,
    /// The version of Kafka's tools, `3.8.1`.
    pub kafka_version: String,
    /// The least version of Java: 8, 11, 17 or 21.
    pub java_version: u32,
    /// The version of the MSK IAM jar, `2.3.2`. It is installed where the cluster's clients log in with IAM.
    pub iam_jar_version: String,
    /// The REST proxy, where there is to be one.
    pub rest_proxy: Option<RestProxy>,
    /// Where archives come from in their publishers' place: a base URL without a slash at its end.
    pub mirror: Option<String>,
    /// What archives must be.
    pub checksums: Checksums,
}

/// How an EC2 instance is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Instance {
    /// By its id.
    Id(String),
    /// By a tag that it alone has.
    Tag {
        /// The tag's key.
        key: String,
        /// The tag's value.
        value: String,
    },
}

/// A Confluent REST proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestProxy {
    /// The version of Confluent's community package that it is part of, `7.9.0`.
    pub version: String,
    /// Where it listens.
    pub port: u16,
}

/// The SHA-256 or SHA-512 of archives, in lower-case hex, as far as the manifest has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checksums {
    /// Kafka's.
    pub kafka: Option<String>,
    /// The MSK IAM jar's.
    pub iam_jar: Option<String>,
    /// Confluent's community package's.
    pub rest_proxy: Option<String>,
}

/// A version of three numbers, `3.8.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32, u32);

impl Version {
    /// The version of a text; `None` where it is none of three numbers.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| {
            let is_number = part == "0" || !part.starts_with('0');
            let digits = is_number && (1..=5).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        });
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }

    /// Whether a version, in a text that is one, is older than a major and minor one.
    pub(crate) fn is_before(text: &str, major: u32, minor: u32) -> bool {
        Self::parse(text).is_some_and(|version| version < Self(major, minor, 0))
    }
}

/// Why Kafka's tools of a version can't be had; ends in what to do.
pub(super) fn kafka_without_archive(kafka: &str) -> Option<String> {
    // The first that was built with Scala 2.13, of which the archives are that are installed.
    Version::is_before(kafka, 2, 4).then(|| {
        format!(
            "{kafka} is older than the tools that can be installed; use 2.4.0 or later, such as {KAFKA_VERSION}: they \
             speak to older brokers too"
        )
    })
}

/// Why clients of these versions don't read a private key in PEM that has no password: KAFKA-12703, mended in Kafka 3.3,
/// which is that of Confluent 7.3 (<https://github.com/apache/kafka/pull/11916>).
pub(super) fn key_without_password(client: &Client) -> Option<String> {
    let old_proxy = client.rest_proxy.as_ref().is_some_and(|proxy| Version::is_before(&proxy.version, 7, 3));
    (Version::is_before(&client.kafka_version, 3, 3) || old_proxy).then(|| {
        "Kafka before 3.3, and the REST proxy before 7.3, read no private key in PEM that has no password (KAFKA-12703); \
         use later ones, or add ssl.key.password to the rendered files"
            .to_owned()
    })
}

/// Why a version of the MSK IAM jar doesn't work with a version of Java; ends in what to do.
pub(super) fn jar_misfit(jar: &str, java: u32) -> Option<String> {
    let version = Version::parse(jar)?;
    // https://github.com/aws/aws-msk-iam-auth/issues/168
    if version == Version(2, 1, 0) {
        return Some(format!(
            "the MSK IAM jar {jar} can't load an instance's credentials (aws-msk-iam-auth issue 168); use \
             {IAM_JAR_VERSION}"
        ));
    }
    // https://github.com/aws/aws-msk-iam-auth/issues/228; seen in the jars' classes.
    (version >= Version(2, 3, 5) && java < 17).then(|| {
        format!(
            "the MSK IAM jar is for Java 17 from 2.3.5 on (aws-msk-iam-auth issue 228), and java_version is {java}; use \
             {IAM_JAR_VERSION}, or java_version: 17"
        )
    })
}

/// Why a version of the REST proxy can't log in to MSK with IAM; ends in what to do.
pub(super) fn proxy_without_iam(proxy: &str) -> Option<String> {
    // https://github.com/aws/aws-msk-iam-auth/issues/46: 5.1.2 fails, 7.0.1 works, the rest being equal.
    Version::is_before(proxy, 6, 0).then(|| {
        format!(
            "REST proxies of Confluent 5 aren't known to log in with MSK IAM, and 5.1.2 is known not to (aws-msk-iam-auth \
             issue 46; 7.0.1 does), and this is {proxy}; use {REST_PROXY_VERSION}, or 7.0.1 or later"
        )
    })
}

/// A version of Java that something doesn't run on, or isn't documented for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JavaMisfit {
    /// It doesn't start.
    TooOld(String),
    /// It may run, and nobody has said that it does.
    Undocumented(String),
}

/// What Kafka's tools of a version say of a version of Java
/// (<https://kafka.apache.org/40/documentation/compatibility.html>, <https://kafka.apache.org/28/documentation.html#java>).
pub(super) fn kafka_java_misfit(kafka: &str, java: u32) -> Option<JavaMisfit> {
    let documented: &[u32] = match Version::parse(kafka)? {
        version if version >= Version(4, 0, 0) => &[17, 21],
        version if version >= Version(3, 9, 0) => &[8, 11, 17, 21],
        version if version >= Version(3, 1, 0) => &[8, 11, 17],
        _ => &[8, 11],
    };
    java_misfit(&format!("Kafka {kafka}"), documented, java)
}

/// The same of Confluent's packages
/// (<https://docs.confluent.io/platform/current/installation/versions-interoperability.html#java>).
pub(super) fn proxy_java_misfit(proxy: &str, java: u32) -> Option<JavaMisfit> {
    let documented: &[u32] = match Version::parse(proxy)? {
        version if version >= Version(8, 0, 0) => &[17, 21],
        version if version >= Version(7, 7, 0) => &[8, 11, 17, 21],
        version if version >= Version(7, 1, 0) => &[8, 11, 17],
        _ => &[8, 11],
    };
    java_misfit(&format!("the REST proxy {proxy}"), documented, java)
}

fn java_misfit(what: &str, documented: &[u32], java: u32) -> Option<JavaMisfit> {
    let words = documented.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let least = documented.iter().min()?;
    if java < *least {
        return Some(JavaMisfit::TooOld(format!(
            "{what} needs Java {least} or later, and java_version is {java}; use java_version: {least}"
        )));
    }
    (!documented.contains(&java)).then(|| {
        JavaMisfit::Undocumented(format!(
            "{what} is documented for Java {words}, and java_version is {java}; it may run all the same"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers() {
        assert_eq!(Version::parse("3.8.1"), Some(Version(3, 8, 1)));
        assert!(Version::parse("2.10.0") > Version::parse("2.9.9"));
        for wrong in
            ["", "3", "3.8", "3.8.x", "3.8.1.0", "3.8.1-rc1", "v3.8.1", "3..1", "+3.8.1", "3.8.999999", "03.8.1"]
        {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
        assert!(Version::is_before("6.0.9", 6, 1) && !Version::is_before("6.1.0", 6, 1));
    }

    #[test]
    fn jars_fit_their_java() {
        assert!(jar_misfit("2.1.0", 17).is_some_and(|why| why.contains("168")));
        assert!(jar_misfit("2.3.5", 11).is_some_and(|why| why.contains("228")));
        for (jar, java) in [("1.1.5", 8), ("2.3.2", 8), ("2.3.5", 17), ("2.4.0", 21)] {
            assert_eq!(jar_misfit(jar, java), None, "{jar} on {java}");
        }
    }

    #[test]
    fn what_does_not_start_is_told_apart_from_what_nobody_has_said() {
        let is_too_old = |misfit| matches!(misfit, Some(JavaMisfit::TooOld(_)));
        let is_undocumented = |misfit| matches!(misfit, Some(JavaMisfit::Undocumented(_)));
        assert!(is_too_old(kafka_java_misfit("4.0.0", 11)) && is_too_old(proxy_java_misfit("8.0.0", 11)));
        assert!(is_undocumented(kafka_java_misfit("2.8.1", 17)) && is_undocumented(proxy_java_misfit("7.0.1", 17)));
        assert_eq!((kafka_java_misfit("2.8.1", 11), proxy_java_misfit("7.2.0", 11)), (None, None));
    }

    #[test]
    fn the_defaults_go_together() {
        assert_eq!(jar_misfit(IAM_JAR_VERSION, JAVA_VERSION), None);
        assert_eq!(kafka_java_misfit(KAFKA_VERSION, JAVA_VERSION), None);
        assert_eq!(proxy_java_misfit(REST_PROXY_VERSION, JAVA_VERSION), None);
        assert_eq!(proxy_without_iam(REST_PROXY_VERSION), None);
        assert!(proxy_without_iam("5.1.2").is_some());
    }
}
