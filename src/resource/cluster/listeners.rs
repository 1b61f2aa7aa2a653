//! The listeners of a cluster's brokers, and which of them a manifest's clients use.

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
