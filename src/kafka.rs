//! The Kafka protocol: topics of clusters that MSK's topic API doesn't manage, and what no AWS API tells, whether a
//! record is in its topic.
//!
//! ```text
//! Brokers (where, and as whom) ──▶ Topics   list, describe, create, grow, configure, delete; many in a request
//!                              └─▶ value_at one record, read back
//! ```
//!
//! All that is known of the client library is in this folder.

use std::fmt;
use std::time::Duration;

use krafka::Kafka;

mod failure;
mod login;
mod reach;
mod record;
mod topics;

pub use failure::Failure;
pub use login::Login;
pub use topics::{NewTopic, TopicDescription, Topics};

/// How long one address may take to be connected to.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long one request may take. Creating topics takes the brokers a while.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long all of the addresses together may take, before what is in the way is looked for.
const BOOTSTRAP_LIMIT: Duration = Duration::from_secs(20);

/// The brokers of a cluster, as one listener shows them, and who comes to them.
#[derive(Clone)]
pub struct Brokers {
    servers: String,
    login: Login,
    authority: Option<Vec<u8>>,
}

impl Brokers {
    /// The brokers of a bootstrap string, `b-1…:9098,b-2…:9098`.
    pub fn new(servers: &str, login: Login) -> Self {
        Self { servers: servers.to_owned(), login, authority: None }
    }

    /// The same, with certificates that are signed by an authority of their own, given in PEM.
    #[must_use]
    pub fn signed_by(self, authority: Vec<u8>) -> Self {
        Self { authority: Some(authority), ..self }
    }

    /// The bootstrap string.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    async fn connect(&self) -> Result<Kafka, Failure> {
        let mut builder = Kafka::builder(&self.servers)
            .client_id("pipeline")
            .connect_timeout(CONNECT_LIMIT)
            .request_timeout(REQUEST_LIMIT)
            .allow_auto_create_topics(false);
        if let Some(security) = self.login.security(self.authority.as_deref()) {
            builder = builder.security(security);
        }
        match tokio::time::timeout(BOOTSTRAP_LIMIT, builder.connect()).await {
            Ok(Ok(kafka)) => Ok(kafka),
            Ok(Err(error)) => Err(reach::explained(self, Some(error)).await),
            Err(_) => Err(reach::explained(self, None).await),
        }
    }
}

impl fmt::Debug for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brokers").field("servers", &self.servers).field("login", &self.login).finish_non_exhaustive()
    }
}
