//! The sandbox's own certificate authority: what the brokers' TLS is signed by, and what stands for ACM Private CA, which
//! signs the certificates of MSK's clients (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-authentication.html>).
//!
//! It is made once and kept in the sandbox's folder, because people tell their clients to trust it. What it signs for the
//! brokers is made anew at each start and kept nowhere, so that a folder of any age has a certificate that holds.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

mod subject;

pub(crate) use subject::common_name;

/// The certificate, for people: `ca.pem` in the sandbox's folder.
const CERTIFICATE: &str = "ca.pem";
/// Where the private key is, with the certificate: one file, so that there is never one without the other.
const PRIVATE: &str = "tls";
const AUTHORITY: &str = "authority.pem";

/// X.509's longest common name (`ub-common-name`, RFC 5280).
pub(crate) const LONGEST_NAME: usize = 64;

/// Clocks differ, also those of containers on one machine.
const BEFORE: Duration = Duration::days(1);
const AUTHORITY_LASTS: Duration = Duration::days(20 * 365);
/// Some clients refuse certificates of servers that hold longer than 825 days.
const LEAF_LASTS: Duration = Duration::days(397);

/// Whether a listener asks clients for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientCertificates {
    /// It doesn't.
    Unasked,
    /// It does, and takes clients that have none: `ssl.client.auth=requested`.
    Requested,
    /// It does, and refuses clients that have none: `ssl.client.auth=required`.
    Required,
}

/// A certificate with its private key, both as PEM; the key is PKCS#8.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority of a sandbox, made or read when it is first needed.
pub(crate) struct Authority {
    folder: PathBuf,
    opened: Mutex<Option<Arc<Opened>>>,
}

struct Opened {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
    /// What the brokers show.
    broker: CertificateDer<'static>,
    broker_key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// The authority that is kept in a sandbox's folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), opened: Mutex::default() }
    }

    /// Its certificate as PEM, which is also in `ca.pem` from then on.
    ///
    /// # Errors
    /// Where it can't be read or written, or isn't what the sandbox wrote.
    pub(crate) fn certificate(&self) -> io::Result<String> {
        self.opened().map(|opened| opened.certificate.clone())
    }

    /// Takes TLS connections to brokers, at 127.0.0.1, ::1 and localhost. Of clients' certificates only those that this
    /// authority signed are taken.
    ///
    /// # Errors
    /// Those of [`Authority::certificate`].
    pub(crate) fn acceptor(&self, asked: ClientCertificates) -> io::Result<TlsAcceptor> {
        let opened = self.opened()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = || WebPkiClientVerifier::builder_with_provider(Arc::clone(&opened.roots), Arc::clone(&provider));
        let verifier = match asked {
            ClientCertificates::Unasked => WebPkiClientVerifier::no_client_auth(),
            ClientCertificates::Requested => verifier().allow_unauthenticated().build().map_err(io::Error::other)?,
            ClientCertificates::Required => verifier().build().map_err(io::Error::other)?,
        };
        let key = PrivateKeyDer::Pkcs8(opened.broker_key.clone_key());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_client_cert_verifier(verifier).with_single_cert(vec![opened.broker.clone()], key)
            })
            .map_err(io::Error::other)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A certificate for a client of that name, as ACM Private CA would sign it.
    ///
    /// # Errors
    /// Those of [`Authority::certificate`].
    pub(crate) fn client_certificate(&self, name: &str) -> io::Result<Issued> {
        let opened = self.opened()?;
        let mut parameters = leaf(name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = parameters.signed_by(&key, &opened.issuer).map_err(io::Error::other)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    fn opened(&self) -> io::Result<Arc<Opened>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = &*opened {
            return Ok(Arc::clone(opened));
        }
        let fresh = Arc::new(Opened::at(&self.folder)?);
        Ok(Arc::clone(opened.insert(fresh)))
    }
}

impl Opened {
    fn at(folder: &Path) -> io::Result<Self> {
        let file = folder.join(PRIVATE).join(AUTHORITY);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&file)?,
            read => read?,
        };
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "tls/authority.pem is damaged");
        let key = KeyPair::from_pem(&text).map_err(|_| damaged(()))?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| damaged(()))?;
        let pem =
            text.find("-----BEGIN CERTIFICATE-----").map(|at| text[at..].to_owned()).ok_or_else(|| damaged(()))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(|_| damaged(()))?;
        publish(&folder.join(CERTIFICATE), &pem)?;
        let issuer = Issuer::new(authority(), key);
        let broker_key = KeyPair::generate().map_err(io::Error::other)?;
        let broker = broker().signed_by(&broker_key, &issuer).map_err(io::Error::other)?;
        Ok(Self {
            certificate: pem,
            issuer,
            roots: Arc::new(roots),
            broker: broker.der().clone(),
            broker_key: PrivatePkcs8KeyDer::from(broker_key.serialize_der()),
        })
    }
}

/// Makes the authority. The key stands first in its file.
fn create(file: &Path) -> io::Result<String> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = authority().self_signed(&key).map_err(io::Error::other)?;
    let text = format!("{}{}", key.serialize_pem(), certificate.pem());
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Temporary files can be read by their owner only, and this one stays that way.
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    Ok(text)
}

/// Puts the certificate where people find it.
fn publish(file: &Path, certificate: &str) -> io::Result<()> {
    if fs::read_to_string(file).is_ok_and(|there| there == certificate) {
        return Ok(());
    }
    let fresh = file.with_extension("pem.new");
    fs::write(&fresh, certificate)?;
    fs::rename(fresh, file)
}

/// The authority as its certificate says it. Its name must stay: what it signs names it.
fn authority() -> CertificateParams {
    let mut parameters = parameters("pipeline sandbox CA", AUTHORITY_LASTS);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn broker() -> CertificateParams {
    let mut parameters = leaf("localhost");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.subject_alt_names =
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(SanType::IpAddress).to_vec();
    parameters.subject_alt_names.extend("localhost".try_into().map(SanType::DnsName));
    parameters
}

fn leaf(name: &str) -> CertificateParams {
    let mut parameters = parameters(name, LEAF_LASTS);
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn parameters(name: &str, lasts: Duration) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - BEFORE;
    parameters.not_after = now + lasts;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

#[cfg(test)]
mod tests;
