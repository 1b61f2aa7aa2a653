//! A connector plugin's archive on this machine: a file, a folder that is zipped, or a download. Knows nothing of AWS
//! and of the rest of the tool.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};

pub mod classes;
mod download;
mod folder;

pub use download::DownloadError;
pub use folder::FolderError;

use download::Download;

/// What a ZIP archive, and so a JAR, starts with: the mark of its first entry.
const FIRST_ENTRY: [u8; 4] = *b"PK\x03\x04";
const READ_SIZE: usize = 1 << 16;

/// Is told how many bytes have come, and of how many, where that is known.
pub type Tell<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// What an archive is. A JAR is a ZIP that Java loads classes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A ZIP, with JARs or classes in it.
    Zip,
    /// One JAR.
    Jar,
}

impl Format {
    /// What a file of that name is: a JAR where it says so, else a ZIP.
    pub fn of_name(name: &str) -> Self {
        let extension = Path::new(name).extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case("jar") { Self::Jar } else { Self::Zip }
    }

    /// What its files' names end in, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Jar => "jar",
        }
    }
}

/// Where an archive comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A ZIP or JAR file.
    File(PathBuf),
    /// A folder, which is zipped: see [`Archive::prepare`].
    Folder(PathBuf),
    /// An HTTPS download.
    Url {
        /// Where it is.
        url: String,
        /// The SHA-256 that it must have, in lower-case hex.
        sha256: String,
    },
}

/// An archive whose identity is known. Its bytes may still have to be downloaded.
#[derive(Debug)]
pub struct Archive {
    sha256: String,
    format: Format,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File {
        path: PathBuf,
        length: u64,
    },
    /// Removed with the value.
    Temporary {
        path: TempPath,
        length: u64,
    },
    Remote {
        download: Download,
        fetched: OnceCell<PathBuf>,
    },
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file could not be read.
    #[error("cannot read {}; check the plugin's source: that the file exists, and that you may read it", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is something else.
    #[error("expected a ZIP or JAR archive with something in it, got {}; check the plugin's source", .0.display())]
    NotAnArchive(PathBuf),
    /// A folder could not be zipped.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A download failed.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The program is ending.
    #[error("the archive was not prepared, because the program is ending")]
    Interrupted(#[from] JoinError),
}

impl Archive {
    /// Finds out what an archive is, without network.
    ///
    /// A file is hashed. A folder is zipped into a temporary file, so that equal contents give equal bytes on every
    /// machine and with every version of the tool: files sorted by path, uncompressed (JARs are compressed already),
    /// with one time stamp and one set of permissions; empty folders and everything whose name starts with a dot are
    /// left out; a link to a file stands for that file, a link to a folder is refused. A download's SHA-256 is given,
    /// so it is fetched only when [`Archive::path`] asks for it.
    ///
    /// # Errors
    /// Where the file or folder can't be read, or isn't an archive; where there is no folder to download to.
    pub async fn prepare(source: Source) -> Result<Self, ArchiveError> {
        match source {
            Source::File(path) => spawn_blocking(|| Self::of_file(path)).await?,
            Source::Folder(path) => spawn_blocking(move || Self::of_folder(&path)).await?,
            Source::Url { url, sha256 } => {
                let download = Download::new(&url, &sha256)?;
                let format = download.format();
                Ok(Self { sha256, format, place: Place::Remote { download, fetched: OnceCell::new() } })
            }
        }
    }

    fn of_file(path: PathBuf) -> Result<Self, ArchiveError> {
        let format = Format::of_name(&path.to_string_lossy());
        let (sha256, length) = read_archive(&path)?;
        Ok(Self { sha256, format, place: Place::File { path, length } })
    }

    fn of_folder(folder: &Path) -> Result<Self, ArchiveError> {
        let path = folder::zipped(folder)?;
        let (sha256, length) = read_archive(&path)?;
        Ok(Self { sha256, format: Format::Zip, place: Place::Temporary { path, length } })
    }

    /// Its SHA-256, in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What it is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many bytes it has; `None` for a download, whether or not it has come, so that the answer never changes.
    pub fn length(&self) -> Option<u64> {
        match &self.place {
            Place::File { length, .. } | Place::Temporary { length, .. } => Some(*length),
            Place::Remote { .. } => None,
        }
    }

    /// Where its bytes are. Downloads them first where neither this run nor an earlier one has; `tell` hears about it.
    ///
    /// # Errors
    /// Where a download fails, or is not what its SHA-256 says.
    pub async fn path(&self, tell: Tell<'_>) -> Result<&Path, ArchiveError> {
        match &self.place {
            Place::File { path, .. } => Ok(path),
            Place::Temporary { path, .. } => Ok(path),
            Place::Remote { download, fetched } => {
                let path = fetched.get_or_try_init(async || {
                    let path = download.fetch(tell).await?;
                    if starts_as_archive(&path)? { Ok(path) } else { Err(ArchiveError::NotAnArchive(path)) }
                });
                Ok(path.await?)
            }
        }
    }
}

/// The SHA-256 and length of a file that is an archive.
fn read_archive(path: &Path) -> Result<(String, u64), ArchiveError> {
    if !starts_as_archive(path)? {
        return Err(ArchiveError::NotAnArchive(path.to_owned()));
    }
    digest(path).map_err(|source| ArchiveError::Unreadable { path: path.to_owned(), source })
}

fn starts_as_archive(path: &Path) -> Result<bool, ArchiveError> {
    let start = || {
        let mut start = Vec::new();
        File::open(path)?.take(FIRST_ENTRY.len() as u64).read_to_end(&mut start)?;
        Ok(start)
    };
    let start = start().map_err(|source| ArchiveError::Unreadable { path: path.to_owned(), source })?;
    Ok(start == FIRST_ENTRY)
}

/// The SHA-256 of a file, in lower-case hex, and its length.
fn digest(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_SIZE];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), length));
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_file_is_known_by_its_bytes_and_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink.JAR");
        fs::write(&path, b"PK\x03\x04 and so on").unwrap();
        let archive = Archive::prepare(Source::File(path.clone())).await.unwrap();
        assert_eq!(archive.sha256(), hex::encode(Sha256::digest(b"PK\x03\x04 and so on")));
        assert_eq!((archive.format(), archive.length()), (Format::Jar, Some(14)));
        assert_eq!(archive.path(&|_, _| {}).await.unwrap(), path);
    }

    #[tokio::test]
    async fn something_else_than_an_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink.zip");
        fs::write(&path, b"\x1f\x8b\x08 a tarball").unwrap();
        let error = Archive::prepare(Source::File(path)).await.unwrap_err().to_string();
        assert!(error.contains("expected a ZIP or JAR archive") && error.contains("sink.zip"), "{error}");
        let error = Archive::prepare(Source::File(folder.path().join("none.zip"))).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Unreadable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_folder_s_archive_is_removed_with_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jar"), b"x").unwrap();
        let archive = Archive::prepare(Source::Folder(folder.path().to_owned())).await.unwrap();
        let path = archive.path(&|_, _| {}).await.unwrap().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().len(), archive.length().unwrap());
        drop(archive);
        assert!(!path.exists());
    }
}
