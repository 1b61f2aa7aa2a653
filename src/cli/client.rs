//! `pipeline client`: what a person sets the client's machine up with.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::failure::{DONE, Failure};
use super::session::{Connection, load};
use super::{Format, Global, ManifestPath, render};
use crate::client_host::PLACEHOLDER;
use crate::resource::{Purpose, client_folder};

/// What a person reads first.
const README: &str = "README.md";

#[derive(Debug, Args)]
pub(super) struct Client {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the files that set the machine up: client.properties, kafka-rest.properties, the profile script, the
    /// systemd unit and setup.sh, for the brokers that the cluster has now.
    Render(Render),
}

#[derive(Debug, Args)]
struct Render {
    #[command(flatten)]
    manifest: ManifestPath,
    /// The folder; it is made where it is missing. Of what is in it, only the files of this command are written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Client {
    pub(super) async fn run(&self, global: &Global) -> Result<u8, Failure> {
        match &self.verb {
            Verb::Render(verb) => verb.run(global).await,
        }
    }
}

impl Render {
    async fn run(&self, global: &Global) -> Result<u8, Failure> {
        let format = global.format_among(&[Format::Text, Format::Json])?;
        let manifest = load(&self.manifest.path, global, Purpose::Make)?;
        let connection = Connection::of(manifest, global).await?;
        let (folder, guide) = client_folder(&connection.manifest, &connection.context).await?;
        if connection.context.clients.sandbox.is_some() {
            let told = "these files are for the sandbox's brokers and archives, on this machine and while it is up; render \
                        them with --target aws for a machine of EC2";
            render::note(told, global.style());
        }
        connection.close().await;
        std::fs::create_dir_all(&self.out).map_err(|error| unwritten(&self.out, &error))?;
        let mut files: Vec<(&str, &str)> = folder.iter().collect();
        files.push((README, &guide));
        self.overwrites_nothing_of_others()?;
        for (name, text) in &files {
            let path = self.out.join(name);
            write(&path, &filled_in(&path, text))?;
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        render::rendered(&self.out, &names, format)?;
        Ok(DONE)
    }

    /// Looks whether the folder is one of somebody else's, with a README of its own.
    fn overwrites_nothing_of_others(&self) -> Result<(), Failure> {
        let readme = self.out.join(README);
        match std::fs::read_to_string(&readme) {
            Ok(text) if !text.contains("sudo bash setup.sh all") => {
                Err(format!("{} is there, and not from this command; give --out a folder of its own", readme.display())
                    .into())
            }
            _ => Ok(()),
        }
    }
}

/// A file's text, with the user and the password that somebody wrote into the one that is there.
fn filled_in<'a>(path: &Path, text: &'a str) -> Cow<'a, str> {
    let is_open = |line: &str| line.contains(PLACEHOLDER);
    if !text.lines().any(is_open) {
        return text.into();
    }
    let Ok(there) = std::fs::read_to_string(path) else { return text.into() };
    let key = |line: &'_ str| line.split('=').next().map(str::to_owned);
    let filled = |line: &str| {
        let found = there
            .lines()
            .find(|old| is_open(line) && !is_open(old) && old.contains("ScramLoginModule") && key(old) == key(line));
        format!("{}\n", found.unwrap_or(line))
    };
    text.lines().map(filled).collect::<String>().into()
}

/// Writes a file whole, or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        permit(file.as_file(), path)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|error| unwritten(path, &error))
}

/// Of the property files, which a person may write a password into, others read nothing.
fn permit(file: &std::fs::File, path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let is_secret = path.extension().is_some_and(|extension| extension == "properties");
        let mode = match is_secret {
            true => 0o600,
            false if path.ends_with("setup.sh") => 0o755,
            false => 0o644,
        };
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = (file, path);
    Ok(())
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot write {}: {error}; give --out a folder that can be written to", path.display()).into()
}
