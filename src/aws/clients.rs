//! One client a service, all with the same credentials, endpoint, patience and connections.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kafka::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_types::timeout::TimeoutConfig;

use super::retry::{self, TellRetries};
use super::{Failure, sent};

/// How long one attempt of a call may take before it is made again.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(20);
/// The same for the question who the caller is, which is answered at once or not at all.
const FIRST_CALL_LIMIT: Duration = Duration::from_secs(10);
/// The same for S3, whose calls carry parts of up to 16 MiB.
const TRANSFER_LIMIT: Duration = Duration::from_secs(180);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Where calls go, and as whom.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// AWS, or another server, with the environment's usual credentials.
    Aws {
        /// The server, where it isn't AWS.
        url: Option<String>,
        /// The profile, where one is asked for.
        profile: Option<String>,
    },
    /// The embedded local AWS.
    Sandbox {
        /// Where it listens.
        url: String,
        /// Its access key id.
        access_key_id: &'static str,
        /// The secret that goes with it.
        secret_access_key: &'static str,
    },
}

/// What the kinds talk to AWS with.
#[derive(Clone, Debug)]
pub struct Clients {
    /// MSK.
    pub kafka: aws_sdk_kafka::Client,
    /// MSK Connect.
    pub connect: aws_sdk_kafkaconnect::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Systems Manager.
    pub ssm: aws_sdk_ssm::Client,
    /// API Gateway.
    pub apigateway: aws_sdk_apigateway::Client,
    /// The account that the credentials belong to.
    pub account: String,
    /// The region.
    pub region: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Where the sandbox listens, where that is what is talked to.
    pub sandbox: Option<String>,
    /// The authorities whose certificates are trusted, in PEM, where that is not left to the system (`AWS_CA_BUNDLE`).
    pub authorities: Option<Vec<u8>>,
    /// Who they all are; for calls of what is no AWS service. Each question may be a call of STS or of SSO.
    pub credentials: Option<SharedCredentialsProvider>,
}

/// Why there are no clients.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The credentials don't work, or AWS can't be reached.
    #[error(
        "cannot ask {server} who the caller is; check credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, SSO login), region and network"
    )]
    WhoAmI {
        /// What was asked.
        server: String,
        /// What it said.
        #[source]
        source: Failure,
    },
    /// The file of trusted authorities can't be read.
    #[error("cannot read {path}, which AWS_CA_BUNDLE names; correct the variable, or unset it")]
    Authorities {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// AWS told no account.
    #[error("AWS did not say which account the credentials belong to")]
    NoAccount,
}

impl Clients {
    /// Connects, and asks who the caller is. Calls that are made again are told to `retries`.
    ///
    /// # Errors
    /// Where there are no credentials, or they don't work.
    pub async fn connect(endpoint: &Endpoint, region: &str, retries: &TellRetries) -> Result<Self, ConnectError> {
        let authorities = match endpoint {
            Endpoint::Aws { .. } => {
                authorities().map_err(|(path, source)| ConnectError::Authorities { path, source })?
            }
            Endpoint::Sandbox { .. } => None,
        };
        let config = load(endpoint, region, authorities.as_deref()).await;
        let (account, partition) = caller(&config, retries).await?;
        // One bucket of retry tokens for a thousand topics would be empty after the first throttled burst.
        let patient = || RetryPartition::custom("pipeline").token_bucket(TokenBucket::unlimited()).build();
        Ok(Self {
            kafka: aws_sdk_kafka::Client::from_conf(
                aws_sdk_kafka::config::Builder::from(&config)
                    .retry_classifier(retry::KnownCodes)
                    .retry_partition(patient())
                    .interceptor(retries.clone())
                    .build(),
            ),
            connect: aws_sdk_kafkaconnect::Client::from_conf(
                aws_sdk_kafkaconnect::config::Builder::from(&config)
                    .retry_classifier(retry::KnownCodes)
                    .retry_partition(patient())
                    .interceptor(retries.clone())
                    .build(),
            ),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config)
                    // A server at an address of its own has no host name for each bucket.
                    .force_path_style(config.endpoint_url().is_some())
                    .timeout_config(timeouts(TRANSFER_LIMIT))
                    .interceptor(retries.clone())
                    .build(),
            ),
            iam: aws_sdk_iam::Client::from_conf(
                aws_sdk_iam::config::Builder::from(&config)
                    .retry_classifier(retry::KnownCodes)
                    .retry_partition(patient())
                    .interceptor(retries.clone())
                    .build(),
            ),
            secrets: aws_sdk_secretsmanager::Client::from_conf(
                aws_sdk_secretsmanager::config::Builder::from(&config).interceptor(retries.clone()).build(),
            ),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(&config).interceptor(retries.clone()).build(),
            ),
            apigateway: aws_sdk_apigateway::Client::from_conf(
                aws_sdk_apigateway::config::Builder::from(&config)
                    .retry_classifier(retry::KnownCodes)
                    .retry_partition(patient())
                    .interceptor(retries.clone())
                    .build(),
            ),
            account,
            region: region.to_owned(),
            partition,
            sandbox: match endpoint {
                Endpoint::Sandbox { url, .. } => Some(url.clone()),
                Endpoint::Aws { .. } => None,
            },
            authorities,
            credentials: config.credentials_provider(),
        })
    }
}

/// The file that AWS's command line tools take trusted authorities from, where it is named
/// (<https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html>).
fn authorities() -> Result<Option<Vec<u8>>, (String, std::io::Error)> {
    let Some(path) = std::env::var("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty()) else { return Ok(None) };
    std::fs::read(&path).map(Some).map_err(|error| (path, error))
}

#[cfg(test)]
impl Clients {
    /// Clients of a configuration as it is, that nobody was asked about.
    pub(crate) fn for_tests(config: &SdkConfig, account: &str) -> Self {
        Self {
            kafka: aws_sdk_kafka::Client::new(config),
            connect: aws_sdk_kafkaconnect::Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            apigateway: aws_sdk_apigateway::Client::new(config),
            account: account.to_owned(),
            region: "us-east-1".to_owned(),
            partition: "aws".to_owned(),
            sandbox: None,
            authorities: None,
            credentials: None,
        }
    }
}

/// The account and the partition of whoever the credentials belong to.
async fn caller(config: &SdkConfig, retries: &TellRetries) -> Result<(String, String), ConnectError> {
    let sts = aws_sdk_sts::config::Builder::from(config)
        .retry_config(retry::brief())
        .timeout_config(timeouts(FIRST_CALL_LIMIT))
        .interceptor(retries.clone());
    let answer = aws_sdk_sts::Client::from_conf(sts.build()).get_caller_identity().send().await;
    let server = config.endpoint_url().unwrap_or("AWS");
    let caller = sent(answer).map_err(|source| ConnectError::WhoAmI { server: server.to_owned(), source })?;
    let account = caller.account().ok_or(ConnectError::NoAccount)?.to_owned();
    let partition = caller.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    Ok((account, partition))
}

async fn load(endpoint: &Endpoint, region: &str, authorities: Option<&[u8]>) -> SdkConfig {
    let region = Region::new(region.to_owned());
    match endpoint {
        Endpoint::Aws { url, profile } => {
            let mut loader = aws_config::defaults(BehaviorVersion::latest())
                .region(region)
                .retry_config(retry::config())
                .timeout_config(timeouts(ATTEMPT_LIMIT));
            if let Some(profile) = profile {
                loader = loader.profile_name(profile);
            }
            if let Some(url) = url {
                loader = loader.endpoint_url(url);
            }
            if let Some(authorities) = authorities {
                let trusted = TrustStore::empty().with_pem_certificate(authorities);
                let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
                if let Ok(context) = TlsContext::builder().with_trust_store(trusted).build() {
                    loader = loader.http_client(https.tls_context(context).build_https());
                }
            }
            loader.load().await
        }
        // Nothing of the user's environment counts here: neither AWS_ENDPOINT_URL nor a profile may lead elsewhere.
        Endpoint::Sandbox { url, access_key_id, secret_access_key } => {
            let credentials = Credentials::new(*access_key_id, *secret_access_key, None, None, "the sandbox");
            SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(region)
                .endpoint_url(url)
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .retry_config(retry::config())
                .timeout_config(timeouts(ATTEMPT_LIMIT))
                .build()
        }
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).operation_attempt_timeout(attempt).build()
}
