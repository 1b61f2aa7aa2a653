//! The log of a connector's workers, a file in the sandbox's folder with lines as Kafka Connect's.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use time::macros::format_description;

use super::super::connectors::Connector;
use crate::sandbox::world::World;

/// A file that is longer becomes the old one, which is forgotten.
const LARGEST: u64 = 2 * 1024 * 1024;

/// The log of a connector.
#[derive(Debug)]
pub(super) struct Log {
    file: PathBuf,
    /// What its lines are about: `sink|task-0`.
    context: String,
    writing: Mutex<()>,
}

/// Where the logs of all connectors are.
pub(in crate::sandbox) fn folder(world: &World) -> PathBuf {
    world.folder.join("logs")
}

/// The file of a connector's log, which may not be there yet.
pub(in crate::sandbox::connect) fn file(world: &World, connector: &Connector) -> PathBuf {
    let id = connector.arn.rsplit('/').next().unwrap_or_default();
    folder(world).join(format!("{}-{id}.log", connector.name))
}

fn old(file: &Path) -> PathBuf {
    file.with_extension("log.1")
}

/// The last lines of a log.
///
/// # Errors
/// Where it is there and can't be read.
pub(in crate::sandbox::connect) fn last_lines(file: &Path, most: usize) -> io::Result<Vec<String>> {
    let mut lines = VecDeque::new();
    for file in [&old(file), file] {
        let opened = match File::open(file) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(opened).split(b'\n') {
            lines.push_back(String::from_utf8_lossy(&line?).into_owned());
            if lines.len() > most {
                lines.pop_front();
            }
        }
    }
    Ok(lines.into())
}

impl Log {
    /// The log of a connector, whose lines are of its first task.
    pub(super) fn of(world: &World, connector: &Connector) -> Self {
        Self { file: file(world, connector), context: format!("{}|task-0", connector.name), writing: Mutex::default() }
    }

    pub(super) fn info(&self, message: impl AsRef<str>) {
        self.write("INFO", message.as_ref());
    }

    pub(super) fn warn(&self, message: impl AsRef<str>) {
        self.write("WARN", message.as_ref());
    }

    pub(super) fn error(&self, message: impl AsRef<str>) {
        self.write("ERROR", message.as_ref());
    }

    /// A log that can't be written keeps no connector from working.
    fn write(&self, level: &str, message: &str) {
        const STAMP: &[time::format_description::BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day] [hour]:[minute]:[second],[subsecond digits:3]");
        let stamp = OffsetDateTime::now_utc().format(STAMP).unwrap_or_default();
        let line = format!("[{stamp}] {level} [{}] {}\n", self.context, message.replace('\n', " "));
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.append(line.as_bytes());
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&self.file)?;
        file.write_all(line)?;
        if file.metadata()?.len() > LARGEST {
            fs::rename(&self.file, old(&self.file))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::super::connectors::tests::connector;
    use super::*;
    use crate::sandbox::store::Store;

    #[test]
    fn lines_are_those_of_kafka_connect_and_the_last_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(Default::default(), Store::in_memory(), folder.path().to_owned());
        let log = Log::of(&world, &connector());
        assert_eq!(last_lines(&log.file, 5).unwrap(), [""; 0]);
        log.warn("two\nlines");
        let line = last_lines(&log.file, 5).unwrap().remove(0);
        assert!(line.ends_with("] WARN [sink|task-0] two lines"), "{line}");
        assert_eq!(line.find(']'), Some(24));
        let long = "x".repeat(LARGEST as usize / 4);
        for number in 0..20 {
            log.info(format!("{number} {long}"));
        }
        let size: u64 =
            fs::read_dir(super::folder(&world)).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(size < 3 * LARGEST, "{size}");
        let last = last_lines(&log.file, 2).unwrap();
        assert!(last[0].contains("] 18 x") && last[1].contains("] 19 x"));
    }
}
