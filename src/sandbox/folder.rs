//! The folder in which a sandbox keeps its data: one process at a time has it, and others learn where that one listens.
//!
//! The lock is the operating system's, on the file `lock`, so a process that is killed leaves none behind. What the
//! files say (`lock` the process id, `endpoint.json` the address) only counts while the lock is held.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Error;

const LOCK: &str = "lock";
const ENDPOINT: &str = "endpoint.json";

/// How long a server on this machine may take to say that it is alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(2);
/// How often a folder that is in use is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Whose a sandbox folder is.
#[derive(Debug)]
pub enum Claim {
    /// Ours, until the lock is dropped or this process ends.
    Ours(Lock),
    /// Another process's that serves it to whoever asks, as `pipeline sandbox up` does: use that one.
    Served {
        /// Where it listens: `http://127.0.0.1:4566`.
        endpoint: String,
        /// Its process id.
        pid: u32,
    },
    /// Another process's, for the time of one command: [`wait_for`] it.
    Busy {
        /// Its process id, where it has been written yet.
        pid: Option<u32>,
    },
}

/// The exclusive right to a sandbox folder.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    // Closing the file unlocks it.
    _file: File,
}

impl Lock {
    /// The folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tells other processes where this one serves the folder.
    pub(crate) fn announce(&self, endpoint: &str) -> io::Result<()> {
        let announcement = Announcement { endpoint: endpoint.to_owned(), pid: std::process::id() };
        let fresh = self.folder.join("endpoint.json.new");
        fs::write(&fresh, serde_json::to_vec(&announcement)?)?;
        fs::rename(fresh, self.folder.join(ENDPOINT))
    }

    /// Takes the announcement back.
    pub(crate) fn withdraw(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(ENDPOINT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a process that serves a folder says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Announcement {
    pub(crate) endpoint: String,
    pub(crate) pid: u32,
}

/// Takes the sandbox folder, which is made where it doesn't exist, or says who has it.
///
/// # Errors
/// Where the folder can't be made, or its files can't be written or locked.
pub fn claim(folder: &Path) -> Result<Claim, Error> {
    try_claim(folder).map_err(|source| Error::Folder { folder: folder.to_owned(), source })
}

fn try_claim(folder: &Path) -> io::Result<Claim> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            let lock = Lock { folder, _file: file };
            // Whoever announced it was killed: its lock is ours.
            lock.withdraw()?;
            Ok(Claim::Ours(lock))
        }
        Err(TryLockError::WouldBlock) => match served(&folder) {
            Some(Announcement { endpoint, pid }) => Ok(Claim::Served { endpoint, pid }),
            None => Ok(Claim::Busy { pid: holder(&mut file) }),
        },
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits until the folder is ours, or served by another process: never answers [`Claim::Busy`].
///
/// # Errors
/// Those of [`claim`].
pub async fn wait_for(folder: &Path) -> Result<Claim, Error> {
    loop {
        let unusable = |source| Error::Folder { folder: folder.to_owned(), source };
        let folder = folder.to_owned();
        let claimed = tokio::task::spawn_blocking(move || claim(&folder)).await;
        match claimed.map_err(|error| unusable(io::Error::other(error)))?? {
            Claim::Busy { .. } => tokio::time::sleep(TRY_AGAIN).await,
            claim => return Ok(claim),
        }
    }
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn served(folder: &Path) -> Option<Announcement> {
    let announcement: Announcement = serde_json::from_slice(&fs::read(folder.join(ENDPOINT)).ok()?).ok()?;
    is_alive(&announcement).then_some(announcement)
}

/// Asks the server that is said to be there whether it is, and whether it is the one.
fn is_alive(announcement: &Announcement) -> bool {
    let ask = || -> io::Result<bool> {
        let address = announcement.endpoint.trim_start_matches("http://");
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, ALIVE_WITHIN)?;
        stream.set_read_timeout(Some(ALIVE_WITHIN))?;
        write!(stream, "GET /_sandbox/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let same = serde_json::from_str(body).is_ok_and(|found: Announcement| found.pid == announcement.pid);
        Ok(reply.starts_with("HTTP/1.1 200") && same)
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_claimant_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let Claim::Ours(lock) = claim(&path).unwrap() else { panic!("it was free") };
        let Claim::Busy { pid } = claim(&path).unwrap() else { panic!("it is taken") };
        assert_eq!(pid, Some(std::process::id()));
        drop(lock);
        assert!(matches!(claim(&path).unwrap(), Claim::Ours(_)));
    }

    #[test]
    fn an_announcement_that_nobody_answers_for_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it was free") };
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        lock.announce(&format!("http://{nobody}")).unwrap();
        assert!(matches!(claim(folder.path()).unwrap(), Claim::Busy { .. }));
        drop(lock);
        let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("its claimant is gone") };
        assert!(!lock.folder().join(ENDPOINT).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_with_a_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().join("sandbox");
        assert_eq!(
            claim(&path).unwrap_err().to_string(),
            format!(
                "the sandbox's data in {} can't be used; choose a folder that can be made and written, with \
                 PIPELINE_SANDBOX_DIR",
                path.display()
            )
        );
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_folder_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let Claim::Ours(lock) = claim(folder.path()).unwrap() else { panic!("it was free") };
        let path = folder.path().to_owned();
        let waiting = tokio::spawn(async move { wait_for(&path).await });
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(!waiting.is_finished());
        drop(lock);
        let claim = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
        assert!(matches!(claim, Claim::Ours(_)));
    }
}
