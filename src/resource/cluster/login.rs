//! As whom this tool comes to the brokers: as the manifest's clients do.

use serde::Deserialize;

use crate::aws::found;
use crate::engine::Result;
use crate::kafka::{Brokers, Login};
use crate::manifest::{Auth, Cluster};
use crate::resource::Context;

/// What MSK wants a SCRAM secret to hold
/// (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html>).
#[derive(Deserialize)]
struct Secret {
    username: String,
    password: String,
}

/// The brokers of a bootstrap string of a cluster, and who this tool is to them.
pub(crate) async fn brokers(context: &Context, declared: &Cluster, servers: &str) -> Result<Brokers> {
    let clients = &context.clients;
    let login = match &declared.auth {
        Auth::Plaintext => return Ok(Brokers::new(servers, Login::Plaintext)),
        Auth::Tls => Login::Tls,
        Auth::Mtls { certificate, key } => {
            Login::MutualTls { certificate: read(certificate).await?, key: read(key).await? }
        }
        Auth::Scram { secret } => scram(context, secret).await?,
        Auth::Iam => Login::Iam {
            credentials: clients.credentials.clone().ok_or("there are no AWS credentials to log in with")?,
            region: clients.region.clone(),
        },
    };
    let brokers = Brokers::new(servers, login);
    Ok(match clients.broker_authorities().await? {
        Some(authorities) => brokers.signed_by(authorities),
        None => brokers,
    })
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    tokio::fs::read(path).await.map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

async fn scram(context: &Context, secret: &str) -> Result<Login> {
    let answer = found(context.clients.secrets.get_secret_value().secret_id(secret).send().await)?;
    let answer = answer.ok_or_else(|| {
        format!("there is no secret {secret} (`cluster.auth.scram`); make it, and associate it with the cluster")
    })?;
    // What is wrong with it is not told with what is in it.
    let Secret { username, password } =
        serde_json::from_str(answer.secret_string().unwrap_or_default()).map_err(|_| {
            format!("the secret {secret} is not what MSK expects, {{\"username\": …, \"password\": …}}; correct it")
        })?;
    Ok(Login::Scram { user: username, password })
}
