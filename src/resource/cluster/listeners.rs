//! The listeners of a cluster's brokers, and which of them a manifest's clients use.

use std::collections::BTreeSet;

use aws_sdk_kafka::operation::get_bootstrap_brokers::GetBootstrapBrokersOutput;

use crate::manifest::{Access, Auth, Cluster};

/// The brokers of the listener that this manifest's clients use.
pub(super) fn used<'a>(declared: &Cluster, brokers: &'a GetBootstrapBrokersOutput) -> Option<&'a str> {
    match (&declared.auth, declared.access) {
        (Auth::Iam, Access::Private) => brokers.bootstrap_broker_string_sasl_iam(),
        (Auth::Iam, Access::Public) => brokers.bootstrap_broker_string_public_sasl_iam(),
        (Auth::Tls | Auth::Mtls { .. }, Access::Private) => brokers.bootstrap_broker_string_tls(),
        (Auth::Tls | Auth::Mtls { .. }, Access::Public) => brokers.bootstrap_broker_string_public_tls(),
        (Auth::Scram { .. }, Access::Private) => brokers.bootstrap_broker_string_sasl_scram(),
        (Auth::Scram { .. }, Access::Public) => brokers.bootstrap_broker_string_public_sasl_scram(),
        (Auth::Plaintext, _) => brokers.bootstrap_broker_string(),
    }
}

/// Why this manifest's clients can't reach the cluster.
pub(super) fn missing(declared: &Cluster, brokers: &GetBootstrapBrokersOutput) -> Option<String> {
    let access = match declared.access {
        Access::Private => "private",
        Access::Public => "public",
    };
    let auth = match declared.auth {
        Auth::Iam => "iam",
        Auth::Tls | Auth::Mtls { .. } => "tls",
        Auth::Plaintext => "plaintext",
        Auth::Scram { .. } => "scram",
    };
    used(declared, brokers).is_none().then(|| {
        format!(
            "it has no {access} {auth} listener; it has: {}; set `cluster.auth` and `cluster.access` to one of those, or \
             turn that listener on",
            all(brokers).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
        )
    })
}

/// Every listener that there is, by the name that it has among the outputs.
pub(super) fn all(brokers: &GetBootstrapBrokersOutput) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("plaintext", brokers.bootstrap_broker_string()),
        ("tls", brokers.bootstrap_broker_string_tls()),
        ("scram", brokers.bootstrap_broker_string_sasl_scram()),
        ("iam", brokers.bootstrap_broker_string_sasl_iam()),
        ("public_tls", brokers.bootstrap_broker_string_public_tls()),
        ("public_scram", brokers.bootstrap_broker_string_public_sasl_scram()),
        ("public_iam", brokers.bootstrap_broker_string_public_sasl_iam()),
    ]
    .into_iter()
    .filter_map(|(name, addresses)| Some((name, addresses?)))
}

/// What a list of brokers has in common with every other list of the same cluster's. MSK names three of a cluster's
/// brokers, other ones and in another order each time, and connectors and clients keep those that they were made with.
/// <https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-bootstrap-brokers.html>
pub(crate) fn whose_brokers(list: &str) -> String {
    let whose = |broker: &str| match broker.split_once('.') {
        // b-2.NAME.xxxxxx.c3.kafka.REGION.amazonaws.com:9098
        Some((label, cluster)) if label.starts_with("b-") => format!("*.{cluster}"),
        _ => broker.to_owned(),
    };
    let brokers: BTreeSet<String> = list.split(',').map(str::trim).map(whose).collect();
    brokers.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_of_one_cluster_are_the_same_whichever_are_told() {
        let broker = |number| format!("b-{number}.demo.ab12cd.c2.kafka.us-east-1.amazonaws.com:9098");
        let list = |numbers: [u8; 3]| whose_brokers(&numbers.map(broker).join(","));
        assert_eq!(list([1, 2, 3]), list([6, 1, 4]));
        let other = "b-1.demo.ef34ab.c2.kafka.us-east-1.amazonaws.com:9098";
        assert_ne!(list([1, 2, 3]), whose_brokers(other));
        let other_listener = broker(1).replace("9098", "9094");
        assert_ne!(list([1, 2, 3]), whose_brokers(&other_listener));
        assert_eq!(whose_brokers("127.0.0.1:2,127.0.0.1:1"), whose_brokers("127.0.0.1:1,127.0.0.1:2"));
    }
}
