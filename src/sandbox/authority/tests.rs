#![expect(clippy::unwrap_used, reason = "a test may panic")]

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion, version};

use super::*;

fn client(ca: &str, versions: &[&'static SupportedProtocolVersion], identity: Option<&Issued>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Issued { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// The version that both agree on, and who the server sees; None where the server refuses.
async fn meet(
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
    name: &'static str,
) -> Option<(ProtocolVersion, Option<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let connected = connector.connect(ServerName::try_from(name).unwrap(), stream);
    let (seen, met) = tokio::join!(acceptor.accept(accepted), connected);
    let seen = seen.ok()?;
    met.unwrap();
    let (_, connection) = seen.get_ref();
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    Some((connection.protocol_version()?, certificate.and_then(|certificate| common_name(certificate))))
}

#[tokio::test]
async fn strict_clients_take_the_brokers_by_each_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of(folder.path());
    let acceptor = authority.acceptor(ClientCertificates::Unasked).unwrap();
    let ca = authority.certificate().unwrap();
    for name in ["127.0.0.1", "::1", "localhost"] {
        let connector = client(&ca, &[&version::TLS13], None);
        assert_eq!(meet(&acceptor, &connector, name).await, Some((ProtocolVersion::TLSv1_3, None)), "{name}");
    }
    let connector = client(&ca, &[&version::TLS12], None);
    assert_eq!(meet(&acceptor, &connector, "localhost").await, Some((ProtocolVersion::TLSv1_2, None)));
}

#[tokio::test]
async fn clients_are_asked_for_certificates_of_this_authority() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::of(folder.path());
    let ca = authority.certificate().unwrap();
    let ours = authority.client_certificate("producer").unwrap();
    let foreign = Authority::of(elsewhere.path()).client_certificate("producer").unwrap();
    // With TLS 1.2 the client is told within the handshake.
    let see = async |asked: ClientCertificates, identity: Option<&Issued>| {
        let acceptor = authority.acceptor(asked).unwrap();
        meet(&acceptor, &client(&ca, &[&version::TLS12], identity), "localhost").await.map(|(_, name)| name)
    };
    let producer = Some(Some("producer".to_owned()));
    assert_eq!(see(ClientCertificates::Unasked, Some(&ours)).await, Some(None));
    assert_eq!(see(ClientCertificates::Requested, None).await, Some(None));
    assert_eq!(see(ClientCertificates::Requested, Some(&ours)).await, producer);
    assert_eq!(see(ClientCertificates::Requested, Some(&foreign)).await, None);
    assert_eq!(see(ClientCertificates::Required, None).await, None);
    assert_eq!(see(ClientCertificates::Required, Some(&ours)).await, producer);
}

#[test]
fn it_is_made_once_and_only_its_owner_can_read_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::of(folder.path()).certificate().unwrap();
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    assert_eq!(Authority::of(folder.path()).certificate().unwrap(), first);
    assert_eq!(fs::read_to_string(folder.path().join("ca.pem")).unwrap(), first);
    assert!(!first.contains("PRIVATE KEY"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("tls/authority.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_damaged_authority_is_told_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    fs::write(folder.path().join("tls/authority.pem"), "nothing").unwrap();
    let error = Authority::of(folder.path()).certificate().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(fs::read_to_string(folder.path().join("tls/authority.pem")).unwrap(), "nothing");
}
