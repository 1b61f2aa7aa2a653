//! Downloads an archive into a cache, verified.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use url::Url;

use super::{Format, Tell, digest};

const ATTEMPTS: u32 = 4;
/// The pause after the first failed attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a download may stand still.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("pipeline/", env!("CARGO_PKG_VERSION"));

/// A file to download, and the place in the cache that its SHA-256 gives it.
#[derive(Debug)]
pub(super) struct Download {
    url: String,
    sha256: String,
    format: Format,
    cache: PathBuf,
}

/// Why a download failed. Addresses are shown without what may be secret in them.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no home to keep it in.
    #[error("there is no folder to keep downloads in; set XDG_CACHE_HOME or HOME to an absolute path")]
    NoCache,
    /// The cache can't be used.
    #[error("cannot keep a download in {}; check that there is room and that you may write there", .path.display())]
    Cache {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server could not be reached, or broke off.
    #[error("cannot download {url}; check the address and the network")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server has something else to say.
    #[error("expected {url} to be there, got HTTP status {status}; check the address")]
    Refused {
        /// What was asked for.
        url: String,
        /// What was answered.
        status: StatusCode,
    },
    /// It is not what the SHA-256 says.
    #[error(
        "expected {url} to have the SHA-256 {expected}, got {got}; if you trust what is there now, put that into the manifest"
    )]
    Altered {
        /// What was asked for.
        url: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
}

impl DownloadError {
    /// Whether it may be otherwise the next time.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_builder() && !source.is_redirect(),
            Self::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::NoCache | Self::Cache { .. } | Self::Altered { .. } => false,
        }
    }
}

impl Download {
    /// A download of `url` into the user's cache: `$XDG_CACHE_HOME/pipeline`, or `~/.cache/pipeline`.
    pub(super) fn new(url: &str, sha256: &str) -> Result<Self, DownloadError> {
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let cache = base.ok_or(DownloadError::NoCache)?.join("pipeline");
        let path = Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned());
        Ok(Self { url: url.to_owned(), sha256: sha256.to_owned(), format: Format::of_name(&path), cache })
    }

    /// What it is, by its name.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Where it is, once it is there and right.
    pub(super) async fn fetch(&self, tell: Tell<'_>) -> Result<PathBuf, DownloadError> {
        let client = Client::builder()
            .https_only(true)
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|source| self.unreachable(source))?;
        self.fetch_by(&client, tell).await
    }

    async fn fetch_by(&self, client: &Client, tell: Tell<'_>) -> Result<PathBuf, DownloadError> {
        let target = self.cache.join(format!("{}.{}", self.sha256, self.format.extension()));
        if self.is_right(&target).await {
            return Ok(target);
        }
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.download(client, &target, tell).await {
                Err(error) if error.may_pass() => sleep(pause).await,
                result => return result.map(|()| target),
            }
            pause *= 2;
        }
        self.download(client, &target, tell).await.map(|()| target)
    }

    /// Whether an earlier run's download is there, and what it should be.
    async fn is_right(&self, target: &Path) -> bool {
        let path = target.to_owned();
        let there = spawn_blocking(move || digest(&path)).await;
        there.is_ok_and(|digest| digest.is_ok_and(|(sha256, _)| sha256 == self.sha256))
    }

    async fn download(&self, client: &Client, target: &Path, tell: Tell<'_>) -> Result<(), DownloadError> {
        let mut response = client.get(&self.url).send().await.map_err(|source| self.unreachable(source))?;
        if !response.status().is_success() {
            return Err(DownloadError::Refused { url: self.shown(), status: response.status() });
        }
        let unkept = |source| DownloadError::Cache { path: self.cache.clone(), source };
        let temporary = self.temporary().map_err(unkept)?;
        let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(unkept)?);
        let mut hasher = Sha256::new();
        let (mut length, total) = (0, response.content_length());
        while let Some(chunk) = response.chunk().await.map_err(|source| self.unreachable(source))? {
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(unkept)?;
            length += chunk.len() as u64;
            tell(length, total);
        }
        file.flush().await.map_err(unkept)?;
        let got = hex::encode(hasher.finalize());
        if got != self.sha256 {
            return Err(DownloadError::Altered { url: self.shown(), expected: self.sha256.clone(), got });
        }
        temporary.persist(target).map_err(|error| unkept(error.error))?;
        Ok(())
    }

    /// A file beside the target, so that it can take its place in one step.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        std::fs::create_dir_all(&self.cache)?;
        tempfile::Builder::new().prefix("download-").tempfile_in(&self.cache)
    }

    fn unreachable(&self, source: reqwest::Error) -> DownloadError {
        DownloadError::Unreachable { url: self.shown(), source: source.without_url() }
    }

    /// The address without a password, and without a query, where signatures and tokens are.
    fn shown(&self) -> String {
        let Ok(mut url) = Url::parse(&self.url) else {
            return self.url.clone();
        };
        url.set_query(None);
        // Fails only for addresses that can't have any.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }
}

/// The path in a variable of the environment. One that isn't absolute must be ignored, says the XDG specification.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    const BODY: &[u8] = b"PK\x03\x04 an archive";

    /// A server that gives each connection the next answer, and the last one again; counts them.
    async fn serve(answers: Vec<Vec<u8>>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:secret@{}/sink.zip?token=secret", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let turn = seen.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answers[turn]).await;
            }
        });
        (url, count)
    }

    fn answer(status: &str, body: &[u8], length: usize) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    fn download(url: String, cache: &Path) -> Download {
        Download { url, sha256: hex::encode(Sha256::digest(BODY)), format: Format::Zip, cache: cache.join("new") }
    }

    #[tokio::test]
    async fn what_is_in_the_cache_and_right_is_not_downloaded_again() {
        let cache = tempfile::tempdir().unwrap();
        let (url, count) = serve(vec![answer("200 OK", BODY, BODY.len())]).await;
        let download = download(url, cache.path());
        let told = AtomicU64::new(0);
        let tell = |length, _| told.store(length, Ordering::Relaxed);
        let path = download.fetch_by(&Client::new(), &tell).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), BODY);
        assert_eq!(told.load(Ordering::Relaxed), BODY.len() as u64);
        download.fetch_by(&Client::new(), &tell).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        std::fs::write(&path, "spoiled").unwrap();
        download.fetch_by(&Client::new(), &tell).await.unwrap();
        assert_eq!((std::fs::read(&path).unwrap().as_slice(), count.load(Ordering::Relaxed)), (BODY, 2));
    }

    #[tokio::test]
    async fn other_contents_are_refused_and_not_kept() {
        let cache = tempfile::tempdir().unwrap();
        let (url, count) = serve(vec![answer("200 OK", b"something else", 14)]).await;
        let download = download(url, cache.path());
        let error = download.fetch_by(&Client::new(), &|_, _| {}).await.unwrap_err().to_string();
        assert!(error.contains(&hex::encode(Sha256::digest(b"something else"))), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(std::fs::read_dir(&download.cache).unwrap().count(), 0);
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_server_in_trouble_and_a_broken_download_are_tried_again() {
        let cache = tempfile::tempdir().unwrap();
        let broken = answer("200 OK", &BODY[..5], BODY.len());
        let answers = vec![answer("503 Busy", b"", 0), broken, answer("200 OK", BODY, BODY.len())];
        let (url, count) = serve(answers).await;
        let path = download(url, cache.path()).fetch_by(&Client::new(), &|_, _| {}).await.unwrap();
        assert_eq!((std::fs::read(path).unwrap().as_slice(), count.load(Ordering::Relaxed)), (BODY, 3));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_told_at_once() {
        let cache = tempfile::tempdir().unwrap();
        let (url, count) = serve(vec![answer("404 Not Found", b"", 0)]).await;
        let error = download(url, cache.path()).fetch_by(&Client::new(), &|_, _| {}).await.unwrap_err();
        assert!(matches!(error, DownloadError::Refused { status: StatusCode::NOT_FOUND, .. }), "{error}");
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn only_https_is_spoken() {
        let cache = tempfile::tempdir().unwrap();
        let (url, count) = serve(vec![answer("200 OK", BODY, BODY.len())]).await;
        let error = download(url, cache.path()).fetch(&|_, _| {}).await.unwrap_err();
        assert!(matches!(error, DownloadError::Unreachable { .. }), "{error}");
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
