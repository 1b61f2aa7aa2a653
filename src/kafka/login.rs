//! As whom one comes to the brokers, and how that is shown to them.

use std::fmt;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use krafka::KrafkaError;
use krafka::auth::{AuthConfig, AwsMskIamCredentials, TlsConfig};

/// As whom one comes to the brokers.
#[derive(Clone)]
pub enum Login {
    /// As nobody, without encryption.
    Plaintext,
    /// As nobody, over TLS.
    Tls,
    /// As whom a certificate names.
    MutualTls {
        /// The certificate, in PEM.
        certificate: Vec<u8>,
        /// Its private key, in PEM.
        key: Vec<u8>,
    },
    /// With a user and a password, by SASL/SCRAM-SHA-512 over TLS: the only SCRAM that MSK has.
    Scram {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// As an IAM principal, by AWS_MSK_IAM over TLS.
    Iam {
        /// Who is asked for credentials at each connection, so that they are fresh however long the work takes.
        credentials: SharedCredentialsProvider,
        /// The cluster's region, which the signature is for.
        region: String,
    },
}

impl Login {
    /// How the listener is called that it is for.
    pub(super) fn listener(&self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls | Self::MutualTls { .. } => "TLS",
            Self::Scram { .. } => "SCRAM",
            Self::Iam { .. } => "IAM",
        }
    }

    /// The ports of MSK that it is for, private and public
    /// (<https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html>).
    pub(super) fn ports(&self) -> &'static str {
        match self {
            Self::Plaintext => "9092",
            Self::Tls | Self::MutualTls { .. } => "9094 (public: 9194)",
            Self::Scram { .. } => "9096 (public: 9196)",
            Self::Iam { .. } => "9098 (public: 9198)",
        }
    }

    /// What to do where the brokers don't let it in.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Plaintext | Self::Tls => "set `cluster.auth` to how this cluster's clients authenticate",
            Self::MutualTls { .. } => {
                "check that the certificate is valid, and signed by an authority that the cluster trusts"
            }
            Self::Scram { .. } => {
                "check the secret's username and password, and that the secret is associated with the cluster"
            }
            Self::Iam { .. } => {
                "grant the caller kafka-cluster:Connect on the cluster, and check the credentials and this machine's clock"
            }
        }
    }

    /// The client library's form of it; nothing where there is nothing to do.
    pub(super) fn security(&self, authority: Option<&[u8]>) -> Option<AuthConfig> {
        let mut tls = TlsConfig::new();
        if let Some(authority) = authority {
            tls = tls.with_ca_cert_pem(authority);
        }
        Some(match self {
            Self::Plaintext => return None,
            Self::Tls => AuthConfig::ssl(tls),
            Self::MutualTls { certificate, key } => {
                AuthConfig::ssl(tls.with_client_cert_pem(certificate.clone(), key.clone()))
            }
            Self::Scram { user, password } => AuthConfig::sasl_scram_sha512(user, password).with_tls(tls),
            Self::Iam { credentials, region } => {
                let (credentials, region) = (credentials.clone(), region.clone());
                let provider = move || signing(credentials.clone(), region.clone());
                AuthConfig::aws_msk_iam_provider(provider).with_tls(tls)
            }
        })
    }
}

async fn signing(credentials: SharedCredentialsProvider, region: String) -> krafka::Result<AwsMskIamCredentials> {
    let credentials = credentials.provide_credentials().await.map_err(|error| KrafkaError::Auth {
        message: format!("no AWS credentials are to be had: {error}"),
        source: None,
    })?;
    let signing = AwsMskIamCredentials::new(credentials.access_key_id(), credentials.secret_access_key(), region);
    Ok(match credentials.session_token() {
        Some(token) => signing.with_session_token(token),
        None => signing,
    })
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.listener())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let login = Login::Scram { user: "someone".to_owned(), password: "hush".to_owned() };
        assert_eq!(format!("{login:?}"), "SCRAM");
    }

    #[test]
    fn all_but_plaintext_is_encrypted() {
        let scram = Login::Scram { user: "u".to_owned(), password: "p".to_owned() };
        let mutual = Login::MutualTls { certificate: Vec::new(), key: Vec::new() };
        for login in [Login::Tls, scram, mutual] {
            assert!(login.security(None).is_some_and(|security| security.requires_tls()), "{login:?}");
        }
        assert!(Login::Plaintext.security(None).is_none());
    }
}
