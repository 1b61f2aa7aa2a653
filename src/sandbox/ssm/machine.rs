//! A machine's folder in the sandbox's: `instances/ID`.
//!
//! `root` is what its commands take for `/`. Beside it, and seen by stand-ins only: `bin` with these, `has` (the users,
//! the Java, the units as they were loaded), `offers` (the packages that there are), `calls` (what stand-ins were
//! called with), `journal`, and `commands` with the script and the output of each command.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::instance::Instance;
use crate::sandbox::world::World;

/// Where all machines are.
pub(super) const MACHINES: &str = "instances";

/// What stands in for commands: a script, and the names by which it is called.
const STAND_INS: [(&str, &str, &[&str]); 2] = [
    (
        "stand-in",
        include_str!("stand-ins/stand-in"),
        &[
            "amazon-linux-extras",
            "apt-cache",
            "apt-get",
            "chown",
            "df",
            "dnf",
            "dpkg",
            "getent",
            "groupadd",
            "groupdel",
            "id",
            "java",
            "rpm",
            "useradd",
            "userdel",
            "yum",
        ],
    ),
    ("systemd", include_str!("stand-ins/systemd"), &["journalctl", "systemctl"]),
];

/// What a machine has in its root before anybody has done anything.
const FOLDERS: [&str; 10] = [
    "etc/profile.d",
    "etc/systemd/system/multi-user.target.wants",
    "home",
    "opt",
    "root",
    "tmp",
    "usr/local/bin",
    "var/lib",
    "var/log",
    "var/tmp",
];

/// The folder of a machine.
pub(super) struct Machine {
    folder: PathBuf,
}

impl Machine {
    /// The folder of an instance, made or not.
    pub(super) fn of(world: &World, id: &str) -> Self {
        Self { folder: world.folder.join(MACHINES).join(id) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    pub(super) fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Where a command's script and output are.
    pub(super) fn of_command(&self, id: &str) -> PathBuf {
        self.folder.join("commands").join(id)
    }

    /// A path of the machine's own, as this machine has it.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        let root = self.root();
        if Path::new(path).starts_with(&root) { path.into() } else { root.join(path.trim_start_matches('/')) }
    }

    /// Whether there is a Java.
    pub(super) fn has_java(&self) -> bool {
        self.folder.join("has/java").exists()
    }

    /// A unit's file, as systemd last loaded it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(super) fn loaded_unit(&self, unit: &str) -> io::Result<String> {
        fs::read_to_string(self.folder.join("has/loaded").join(unit))
    }

    /// Makes what isn't there, and leaves all else as it is. The stand-ins become those of this version.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub(super) fn make(&self, instance: &Instance) -> io::Result<()> {
        let root = self.root();
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        for folder in ["bin", "commands", "has/loaded"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        let offers: String =
            instance.os.javas().iter().map(|(package, version)| format!("{package} {version}\n")).collect();
        write_missing(&root.join("etc/os-release"), &instance.os.os_release())?;
        write_missing(&self.folder.join("has/manager"), &format!("{}\n", instance.os.manager()))?;
        write_missing(&self.folder.join("has/users"), "root\n")?;
        write_missing(&self.folder.join("offers"), &offers)?;
        write_missing(&self.folder.join("journal"), "")?;
        for (script, text, names) in STAND_INS {
            self.stand_in(script, text, names)?;
        }
        Ok(())
    }

    fn stand_in(&self, script: &str, text: &str, names: &[&str]) -> io::Result<()> {
        let path = self.bin().join(script);
        if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            // Whoever runs the one that was there reads it to its end.
            let fresh = self.bin().join(format!(".{script}.new"));
            write_private(&fresh, text, 0o755)?;
            fs::rename(&fresh, &path)?;
        }
        for name in names {
            match symlink(script, self.bin().join(name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends what a unit says to the journal.
    ///
    /// # Errors
    /// Where that can't be written.
    pub(super) fn log(&self, unit: &str, text: &str) -> io::Result<()> {
        let name = unit.trim_end_matches(".service");
        let lines: String = text.lines().map(|line| format!("{name}: {line}\n")).collect();
        let mut journal = OpenOptions::new().append(true).create(true).open(self.folder.join("journal"))?;
        journal.write_all(lines.as_bytes())
    }
}

fn write_missing(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() { Ok(()) } else { fs::write(path, text) }
}

/// Writes a file that only some may read.
///
/// # Errors
/// Where it can't be written.
pub(super) fn write_private(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs;

    use super::{Instance, Machine};

    #[test]
    fn what_is_done_on_a_machine_stays_and_its_stand_ins_are_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine { folder: folder.path().join("i-01234567") };
        let instance = Instance::new("i-01234567", "us-east-1");
        machine.make(&instance).unwrap();
        assert!(fs::read_to_string(machine.path("/etc/os-release")).unwrap().contains("VERSION_ID=\"2023\""));
        let (release, stand_in) = (machine.path("/etc/os-release"), machine.bin().join("stand-in"));
        fs::write(&release, "mine").unwrap();
        fs::write(&stand_in, "old").unwrap();
        machine.make(&instance).unwrap();
        assert_eq!(fs::read_to_string(&release).unwrap(), "mine");
        assert!(fs::read_to_string(machine.bin().join("useradd")).unwrap().starts_with("#!/bin/sh"));
    }

    #[test]
    fn a_path_is_the_machines_own_unless_it_leads_there_already() {
        let machine = Machine { folder: "/sandbox/instances/i".into() };
        for path in ["/opt/kafka", "/sandbox/instances/i/root/opt/kafka"] {
            assert_eq!(machine.path(path).to_str(), Some("/sandbox/instances/i/root/opt/kafka"));
        }
    }
}
