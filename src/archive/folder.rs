//! Zips a folder so that equal contents give equal bytes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// A file with more bytes than this needs the format's 64-bit fields.
const LARGEST_32_BIT_FILE: u64 = u32::MAX as u64;
const PERMISSIONS: u32 = 0o644;

/// Why a folder could not be zipped.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something in it could not be read.
    #[error("cannot read {}; check the plugin's source: that it exists, and that you may read it", .path.display())]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("expected files in {}, got none (names that start with a dot don't count); put the connector's JARs there", .0.display())]
    Empty(PathBuf),
    /// Something in it is neither a file nor a folder.
    #[error("expected files and folders, got {}, which is {what}; put a copy in its place, or remove it", .path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A name in it has no place in a ZIP.
    #[error("the name of {} is not Unicode text; rename it", .0.display())]
    Name(PathBuf),
    /// The temporary file could not be written.
    #[error("cannot write the archive to a temporary file; check that {} has room", std::env::temp_dir().display())]
    Unwritable(#[source] io::Error),
    /// The archive could not be written.
    #[error("cannot put {} into the archive; check that {} has room", .path.display(), std::env::temp_dir().display())]
    Zip {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ZipError,
    },
}

/// A file of a folder. Ordered by the name, which is unique.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Its path below the folder, with slashes.
    name: String,
    path: PathBuf,
    length: u64,
}

/// The archive of a folder, in a temporary file.
pub(super) fn zipped(folder: &Path) -> Result<TempPath, FolderError> {
    let mut entries = Vec::new();
    gather(folder, "", &mut entries)?;
    if entries.is_empty() {
        return Err(FolderError::Empty(folder.to_owned()));
    }
    entries.sort();
    let temporary = tempfile::Builder::new().prefix("pipeline-plugin-").suffix(".zip").tempfile();
    let (file, path) = temporary.map_err(FolderError::Unwritable)?.into_parts();
    let mut archive = ZipWriter::new(BufWriter::new(file));
    for entry in &entries {
        add(&mut archive, entry)?;
    }
    let file = archive.finish().map_err(|source| FolderError::Zip { path: folder.to_owned(), source })?;
    file.into_inner().map_err(|error| FolderError::Unwritable(error.into_error()))?;
    Ok(path)
}

fn gather(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<(), FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: folder.to_owned(), source };
    for child in fs::read_dir(folder).map_err(unreadable)? {
        let child = child.map_err(unreadable)?;
        let path = child.path();
        if is_hidden(&child.file_name()) {
            continue;
        }
        let Some(name) = child.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
            return Err(FolderError::Name(path));
        };
        let is_link = child.file_type().map_err(unreadable)?.is_symlink();
        // Follows a link.
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(source) => return Err(FolderError::Unreadable { path, source }),
        };
        if metadata.is_file() {
            entries.push(Entry { name, path, length: metadata.len() });
        } else if !metadata.is_dir() {
            return Err(FolderError::Unfit { path, what: "a device, pipe or socket" });
        } else if is_link {
            // It may lead back up, and then there is no end.
            return Err(FolderError::Unfit { path, what: "a link to a folder" });
        } else {
            gather(&path, &format!("{name}/"), entries)?;
        }
    }
    Ok(())
}

/// What desktops, editors and version control leave in folders must not make another archive of it.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn add(archive: &mut ZipWriter<BufWriter<File>>, entry: &Entry) -> Result<(), FolderError> {
    let options = SimpleFileOptions::default()
        // What a compressor makes of a file changes with its version.
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(PERMISSIONS)
        .system(System::Unix)
        .large_file(entry.length > LARGEST_32_BIT_FILE);
    let unreadable = |source| FolderError::Unreadable { path: entry.path.clone(), source };
    let mut file = BufReader::new(File::open(&entry.path).map_err(unreadable)?);
    let failed = |source| FolderError::Zip { path: entry.path.clone(), source };
    archive.start_file(&*entry.name, options).map_err(failed)?;
    io::copy(&mut file, archive).map_err(|error| failed(error.into()))?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const FILES: [(&str, &str); 4] = [("lib/b.jar", "b"), ("lib/a.jar", "a"), ("etc/x.properties", "x"), ("z", "")];

    fn folder<'a>(files: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn bytes(folder: &Path) -> Vec<u8> {
        fs::read(zipped(folder).unwrap()).unwrap()
    }

    #[test]
    fn equal_contents_give_equal_bytes() {
        let (one, other) = (folder(&FILES), folder(FILES.iter().rev()));
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(other.path().join("lib/a.jar")).unwrap().set_modified(long_ago).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(other.path().join("z"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(other.path().join("empty")).unwrap();
        fs::write(other.path().join(".DS_Store"), "made by a desktop").unwrap();
        assert_eq!(bytes(one.path()), bytes(other.path()));
    }

    /// The bytes are identity: another hash here would replace every user's plugin.
    #[test]
    fn the_bytes_are_the_same_for_ever() {
        let path = zipped(folder(&FILES).path()).unwrap();
        let digest = crate::archive::digest(&path).unwrap();
        assert_eq!(digest, ("3c7fa9d6afc28788731b64d4dfa068b7c412cf0b5560452b0dcb1a9d25925a46".to_owned(), 399));
    }

    #[test]
    fn other_contents_or_names_give_other_bytes() {
        let before = bytes(folder(&FILES).path());
        assert_ne!(before, bytes(folder(&[("lib/a.jar", "a")]).path()));
        assert_ne!(before, bytes(folder(&[FILES[0], FILES[1], FILES[2], ("z", "z")]).path()));
        assert_ne!(before, bytes(folder(&[FILES[0], FILES[1], FILES[2], ("y", "")]).path()));
    }

    #[test]
    fn names_are_paths_below_the_folder_in_order() {
        let path = zipped(folder(&FILES).path()).unwrap();
        let archive = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let names: Vec<&str> = archive.file_names().collect();
        assert_eq!(names, ["etc/x.properties", "lib/a.jar", "lib/b.jar", "z"]);
    }

    #[test]
    fn an_empty_folder_is_refused() {
        let error = zipped(folder(&[(".git/config", "")]).path()).unwrap_err();
        assert!(matches!(error, FolderError::Empty(_)), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_is_that_file_and_one_to_a_folder_is_refused() {
        let plain = folder(&[("a.jar", "a"), ("b.jar", "a")]);
        let linked = folder(&[("a.jar", "a")]);
        std::os::unix::fs::symlink("a.jar", linked.path().join("b.jar")).unwrap();
        assert_eq!(bytes(plain.path()), bytes(linked.path()));
        std::os::unix::fs::symlink(".", linked.path().join("again")).unwrap();
        let error = zipped(linked.path()).unwrap_err();
        assert!(matches!(error, FolderError::Unfit { .. }), "{error}");
    }
}
