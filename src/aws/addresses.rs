//! Where things can be reached from outside: invoke URLs on AWS, and what the sandbox has in the place of host names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::clients::Clients;

/// The sandbox is a process on this machine: what takes longer than this will not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an address is not known.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The sandbox did not answer.
    #[error("cannot ask the sandbox at {sandbox} for its addresses; check that it is still running")]
    Unreachable {
        /// Where it should listen.
        sandbox: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The sandbox answered something else.
    #[error("expected a list of addresses from the sandbox at {sandbox}, got {answer:?}; check what listens there")]
    Unreadable {
        /// Where it should listen.
        sandbox: String,
        /// The beginning of what came.
        answer: String,
        /// Why it can't be read.
        #[source]
        source: serde_json::Error,
    },
    /// The sandbox serves no such API.
    #[error("the sandbox at {sandbox} has no address for REST API {api_id}; apply again, or reset the sandbox")]
    NoSuchApi {
        /// Where it listens.
        sandbox: String,
        /// The API.
        api_id: String,
    },
    /// There is no sandbox.
    #[error("only the sandbox has a REST proxy of its own; declare `api.backend` as a URL")]
    NotASandbox,
}

/// What the sandbox answers under `/_sandbox/addresses`.
#[derive(Debug, Deserialize)]
struct Addresses {
    /// The base URL of its REST proxy, without a slash at its end.
    rest_proxy: String,
    /// The base URL of each REST API, by id.
    #[serde(default)]
    invoke: BTreeMap<String, String>,
}

impl Clients {
    /// Where a stage of a REST API answers, without a slash at its end.
    ///
    /// # Errors
    /// Only in the sandbox: where it cannot be asked, or does not know the API.
    pub async fn invoke_url(&self, api_id: &str, stage: &str) -> Result<String, AddressError> {
        let Some(sandbox) = &self.sandbox else {
            return Ok(aws_invoke_url(&self.partition, &self.region, api_id, stage));
        };
        let addresses = addresses(sandbox, &format!("?api={api_id}")).await?;
        match addresses.invoke.get(api_id) {
            Some(base) => Ok(format!("{base}/{stage}")),
            None => Err(AddressError::NoSuchApi { sandbox: sandbox.clone(), api_id: api_id.to_owned() }),
        }
    }

    /// The base URL of the sandbox's REST proxy, without a slash at its end.
    ///
    /// # Errors
    /// Where this is not the sandbox, or it cannot be asked.
    pub async fn sandbox_rest_proxy(&self) -> Result<String, AddressError> {
        let sandbox = self.sandbox.as_ref().ok_or(AddressError::NotASandbox)?;
        Ok(addresses(sandbox, "").await?.rest_proxy)
    }

    /// The authorities that sign brokers' certificates, in PEM; none where that is left to the system. MSK's are signed by
    /// Amazon's public one, and the sandbox's by one of its own.
    ///
    /// # Errors
    /// Only in the sandbox: where it cannot be asked.
    pub async fn broker_authorities(&self) -> Result<Option<Vec<u8>>, AddressError> {
        let Some(sandbox) = &self.sandbox else { return Ok(self.authorities.clone()) };
        let authority = ask(sandbox, "authority").await;
        let unreachable = |source| AddressError::Unreachable { sandbox: sandbox.clone(), source };
        authority.map(|pem| Some(pem.into_bytes())).map_err(unreachable)
    }
}

fn aws_invoke_url(partition: &str, region: &str, api_id: &str, stage: &str) -> String {
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{api_id}.execute-api.{region}.{domain}/{stage}")
}

/// Asks the sandbox, with the `query` that reserves an API's address where it has none yet.
async fn addresses(sandbox: &str, query: &str) -> Result<Addresses, AddressError> {
    let body = ask(sandbox, &format!("addresses{query}"))
        .await
        .map_err(|source| AddressError::Unreachable { sandbox: sandbox.to_owned(), source })?;
    serde_json::from_str(&body).map_err(|source| AddressError::Unreadable {
        sandbox: sandbox.to_owned(),
        answer: body.chars().take(80).collect(),
        source,
    })
}

/// A client for plain HTTP on this machine: without the proxies of the environment, which can't reach it, and without
/// the machine's certificates, which take longer to read than all of a plan's calls.
///
/// # Errors
/// Where the system gives no sockets.
pub fn loopback() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()
}

async fn ask(sandbox: &str, call: &str) -> Result<String, reqwest::Error> {
    let answer = loopback()?.get(format!("{sandbox}/_sandbox/{call}")).send().await?;
    answer.error_for_status()?.text().await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that gives one answer to one request; its URL.
    async fn answering(status: &'static str, body: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /_sandbox/addresses?api=a1 "));
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        });
        url
    }

    #[test]
    fn a_stage_has_its_own_url_and_china_its_own_domain() {
        assert_eq!(
            aws_invoke_url("aws", "us-east-1", "a1b2c3", "dev"),
            "https://a1b2c3.execute-api.us-east-1.amazonaws.com/dev"
        );
        assert_eq!(
            aws_invoke_url("aws-cn", "cn-north-1", "a1b2c3", "dev"),
            "https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/dev"
        );
    }

    #[tokio::test]
    async fn the_sandbox_tells_its_addresses() {
        let sandbox =
            answering("200 OK", r#"{"rest_proxy":"http://127.0.0.1:8082","invoke":{"a1":"http://127.0.0.1:9000"}}"#);
        let told = addresses(&sandbox.await, "?api=a1").await.unwrap();
        assert_eq!(told.rest_proxy, "http://127.0.0.1:8082");
        assert_eq!(told.invoke["a1"], "http://127.0.0.1:9000");
    }

    #[tokio::test]
    async fn another_server_on_the_port_is_told() {
        let other = answering("200 OK", "<html>hello</html>").await;
        let error = addresses(&other, "?api=a1").await.unwrap_err();
        assert!(error.to_string().contains("<html>hello"), "{error}");
        let broken = answering("500 Internal Server Error", "").await;
        assert!(matches!(addresses(&broken, "?api=a1").await, Err(AddressError::Unreachable { .. })));
    }
}
