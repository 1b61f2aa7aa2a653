//! Why brokers can't be reached from here, found out by looking: does the name have an address, does the address answer.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use futures::future::join_all;
use krafka::KrafkaError;
use tokio::net::{TcpStream, lookup_host};

use super::failure::{UNAUTHENTICATED, UNREACHABLE};
use super::{Brokers, Failure};

/// How long one address may take. A packet that a security group drops is never answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far one gets towards a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// Its name has no address.
    Nowhere,
    /// Its address does not answer.
    Silence,
    /// Nothing listens there.
    ClosedPort,
    /// Something listens there.
    OpenPort,
}

/// What is in the way between here and the brokers, after `error`, or none, where they were waited for in vain.
pub(super) async fn explained(brokers: &Brokers, error: Option<KrafkaError>) -> Failure {
    let failed = |code, message| Failure { operation: "Connect", code, message };
    let (listener, servers) = (brokers.login.listener(), brokers.servers());
    let refused = match &error {
        // A certificate that isn't what it should be is one of these, too.
        Some(error @ (KrafkaError::Auth { .. } | KrafkaError::Broker { .. })) => {
            Some(format!("the {listener} listener at {servers} refuses: {error}"))
        }
        Some(error @ KrafkaError::Config { .. }) => Some(error.to_string()),
        _ => None,
    };
    if let Some(refused) = refused {
        return failed(UNAUTHENTICATED, format!("{refused}; {}", brokers.login.advice()));
    }
    let addresses: Vec<&str> = servers.split(',').map(str::trim).collect();
    let reached = join_all(addresses.iter().map(|address| reach(address))).await;
    let mut message = format!("the {listener} listener at {servers} can't be reached from here");
    for (address, reached) in addresses.iter().zip(&reached) {
        let told = match reached {
            Reached::Nowhere => "its name has no address here",
            Reached::Silence => "its address does not answer",
            Reached::ClosedPort => "nothing listens on its port",
            Reached::OpenPort => "its port is open, but what listens there doesn't speak as expected",
        };
        let _ = write!(message, "; {address}: {told}");
    }
    if let (Some(error), true) = (&error, reached.contains(&Reached::OpenPort)) {
        let _ = write!(message, " ({error})");
    }
    let _ = write!(message, "; {}", advice(brokers, &reached));
    failed(UNREACHABLE, message)
}

/// What to do about the one that got farthest.
fn advice(brokers: &Brokers, reached: &[Reached]) -> String {
    let ports = brokers.login.ports();
    let has = |one| reached.contains(&one);
    if has(Reached::OpenPort) {
        format!("this is the wrong port for `cluster.auth`, or no broker of MSK: this listener's port is {ports}")
    } else if has(Reached::ClosedPort) {
        format!("check that the cluster has this listener turned on: its port is {ports}")
    } else if has(Reached::Silence) {
        format!(
            "let this machine in by the cluster's security group, port {ports}, and run this in its VPC or in a network \
             that has a route to it"
        )
    } else {
        "MSK's private names are known in the cluster's VPC only: run this there, or over a VPN that uses its DNS"
            .to_owned()
    }
}

async fn reach(address: &str) -> Reached {
    let resolved = match tokio::time::timeout(PATIENCE, lookup_host(address)).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    if resolved.is_empty() {
        return Reached::Nowhere;
    }
    match tokio::time::timeout(PATIENCE, TcpStream::connect(&resolved[..])).await {
        Ok(Ok(_)) => Reached::OpenPort,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Reached::ClosedPort,
        _ => Reached::Silence,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::kafka::Login;

    #[tokio::test]
    async fn a_closed_port_is_told_from_an_open_one_and_from_no_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().to_string();
        assert_eq!(reach(&open).await, Reached::OpenPort);
        drop(listener);
        assert_eq!(reach(&open).await, Reached::ClosedPort);
        assert_eq!(reach("b-1.no-such-cluster.invalid:9098").await, Reached::Nowhere);
    }

    #[tokio::test]
    async fn the_listener_the_obstacle_and_what_to_do_are_told() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let servers = format!("b-1.no-such-cluster.invalid:9094,{closed}");
        let failure = explained(&Brokers::new(&servers, Login::Tls), None).await;
        assert!(failure.is_unreachable());
        for part in ["the TLS listener", "has no address here", "nothing listens on its port", "9094 (public: 9194)"] {
            assert!(failure.message.contains(part), "{part}: {failure}");
        }
    }
}
