//! Commands run: each a script in a group of processes of its own, in the folder of its machine.
//!
//! Whatever ends the script's time ends the whole group: its timeout, CancelCommand, the end of the sandbox even by
//! SIGKILL. For that, a watcher within the group reads from a pipe whose other end the sandbox holds, and kills the
//! group when it is closed. What sets up a session of its own escapes, as it escapes the agent.

use std::fs::{self, File, OpenOptions};
use std::future::pending;
use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tokio::process::{Child, Command as Process};

use super::command::{Command, Ending, Invocation, OPEN, Status};
use super::instance::Instance;
use super::machine::{Machine, write_private};
use super::output;
use super::parameters::Script;
use crate::sandbox::ENDPOINT_PORT;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{PORTS, World, now};

/// The watcher, and then the script itself, which sees nothing of it.
const WATCHED: &str = r#"exec 3<&0 </dev/null
(read -r -u 3; kill -KILL 0) &
exec "$@" 3<&-"#;

/// The invocations that are to run: a command and an instance each.
pub(crate) fn due(world: &World) -> Vec<(String, String)> {
    world.store.read(|transaction| {
        let open = transaction.list::<bool>(OPEN).into_iter();
        open.filter_map(|(key, _)| {
            let (command, instance) = key.split_once('/')?;
            let invocation = Invocation::find(transaction, command, instance)?;
            let is_due = match invocation.status {
                Status::Pending => Instance::find(transaction, instance)?.is_online(),
                status => !status.is_over(),
            };
            is_due.then(|| (command.to_owned(), instance.to_owned()))
        })
        .collect()
    })
}

/// Brings to an end what was under way when the sandbox ended, and renews what stands in for the machines' commands.
///
/// # Errors
/// Where that can't be written.
pub(crate) fn recover(world: &World) -> io::Result<()> {
    world.store.transact(|transaction| {
        for (key, _) in transaction.list::<bool>(OPEN) {
            let found =
                key.split_once('/').and_then(|(command, instance)| Invocation::find(transaction, command, instance));
            match found {
                Some(invocation) if invocation.status == Status::Pending => {}
                // Nobody has come for it in time.
                Some(invocation) if invocation.status.is_over() => invocation.put(transaction)?,
                Some(mut invocation) => {
                    let cancelled = invocation.status == Status::Cancelling;
                    invocation.end(&if cancelled { Ending::Cancelled } else { Ending::Lost });
                    invocation.put(transaction)?;
                }
                None => transaction.delete(OPEN, &key),
            }
        }
        Ok::<_, io::Error>(())
    })?;
    let instances: Vec<(String, Instance)> = world.store.read(|transaction| transaction.list(super::instance::TABLE));
    instances.iter().try_for_each(|(id, instance)| Machine::of(world, id).make(instance))
}

/// Runs a command on an instance, until it ends or is dropped.
pub(crate) async fn run(world: Arc<World>, command: String, instance: String) {
    let Some((command, instance)) = begin(&world, &command, &instance) else { return };
    let machine = Machine::of(&world, &instance.id);
    let folder = machine.of_command(&command.id);
    let ending = match Script::of(&command.parameters) {
        Ok(script) => match start(&world, &machine, &instance, &folder, &script) {
            Ok(child) => await_end(&world, &command.id, &instance.id, child, &script, &folder).await,
            Err(why) => failed(&folder, &why.to_string(), 1),
        },
        Err(refusal) => failed(&folder, &refusal.message, 1),
    };
    // Where that can't be kept, it is still under way for who asks, and lost after a restart.
    let _ = world.store.transact(|transaction| match Invocation::find(transaction, &command.id, &instance.id) {
        Some(mut invocation) => {
            invocation.end(&ending);
            invocation.put(transaction)
        }
        None => Ok(()),
    });
}

/// Notes that a command has begun; `None` where it isn't to.
fn begin(world: &World, command: &str, instance: &str) -> Option<(Command, Instance)> {
    let begun = world.store.transact(|transaction| {
        let found = |transaction: &Transaction<'_>| {
            let instance = Instance::find(transaction, instance)?;
            let command = Command::find(transaction, &instance.region, command)?;
            let invocation = Invocation::find(transaction, &command.id, &instance.id)?;
            Some((command, instance, invocation))
        };
        let Some((command, instance, mut invocation)) = found(transaction) else { return Ok(None) };
        match invocation.status {
            Status::Pending => {
                invocation.set(Status::InProgress);
                invocation.started = Some(now());
            }
            // Nobody runs it, and it may not be begun.
            Status::Cancelling => invocation.end(&Ending::Cancelled),
            _ => return Ok(None),
        }
        invocation.put(transaction)?;
        Ok::<_, io::Error>((invocation.status == Status::InProgress).then_some((command, instance)))
    });
    begun.ok().flatten()
}

fn start(world: &World, machine: &Machine, instance: &Instance, folder: &Path, script: &Script) -> io::Result<Child> {
    fs::create_dir_all(folder)?;
    let (file, output, error) = (folder.join("script"), folder.join("stdout"), folder.join("stderr"));
    write_private(&file, &script.text, 0o600)?;
    let (output, error) = (File::create(output)?, File::create(error)?);
    let directory = machine.path(script.directory.as_deref().unwrap_or("/tmp"));
    if !directory.is_dir() {
        let named = script.directory.as_deref().unwrap_or_default();
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("chdir {named}: no such file or directory")));
    }
    let port: u16 = world.store.read(|transaction| transaction.get(PORTS, ENDPOINT_PORT)).unwrap_or_default();
    let private = format!("http://127.0.0.1:{port}/_sandbox");
    let id = &instance.id;
    Process::new("bash")
        .args(["-c", WATCHED, "bash"])
        .args(script.interpreter(instance.os.shell()))
        .arg(file)
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", machine.bin().display()),
        )
        .env("HOME", machine.path("/root"))
        .env("LANG", "C.UTF-8")
        .env("MACHINE", machine.folder())
        .env("PIPELINE_ROOT", machine.root())
        .env("PIPELINE_METADATA", format!("{private}/metadata/{id}"))
        .env("PIPELINE_UNITS", format!("{private}/unit/{id}"))
        .env("AWS_SSM_INSTANCE_ID", id)
        .env("AWS_SSM_REGION_NAME", &instance.region)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(error)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn await_end(
    world: &World,
    command: &str,
    instance: &str,
    mut child: Child,
    script: &Script,
    folder: &Path,
) -> Ending {
    // Waiting for a child closes its input, if it still has it.
    let held = child.stdin.take();
    let ending = tokio::select! {
        ended = child.wait() => match ended {
            Ok(status) if status.success() => Ending::Ended(0),
            Ok(status) => {
                let (code, why) = told(status);
                failed(folder, &why, code)
            }
            Err(why) => failed(folder, &why.to_string(), 1),
        },
        () = tokio::time::sleep(script.timeout) => Ending::TooLong,
        () = cancelled(world, command, instance) => Ending::Cancelled,
    };
    drop(held);
    // Nobody else may have seen to it: a script can kill the watcher.
    let _ = child.kill().await;
    ending
}

/// The code of a script that failed, and how the agent tells of it.
fn told(status: ExitStatus) -> (i64, String) {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => (code.into(), format!("exit status {code}")),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            (-1, format!("signal: {signal}"))
        }
    }
}

/// Writes down why a script failed, behind what it said itself.
fn failed(folder: &Path, why: &str, code: i64) -> Ending {
    let path = folder.join("stderr");
    let said = output::read(&path, output::STANDARD_ERROR).unwrap_or_default();
    let told = output::with_failure(&said, why);
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(&told.as_bytes()[said.len()..])
    };
    // Who has a code can do without.
    let _: io::Result<()> = write();
    Ending::Ended(code)
}

/// Comes back when somebody has cancelled an invocation.
async fn cancelled(world: &World, command: &str, instance: &str) {
    let mut changed = world.store.changed();
    loop {
        let found = world.store.read(|transaction| Invocation::find(transaction, command, instance));
        if found.is_none_or(|invocation| invocation.status == Status::Cancelling) {
            return;
        }
        if changed.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Asks for the end of an invocation; one that hasn't begun has ended with that.
///
/// # Errors
/// Where it can't be written.
pub(super) fn cancel(transaction: &mut Transaction<'_>, mut invocation: Invocation) -> io::Result<()> {
    match invocation.status {
        Status::Pending => invocation.end(&Ending::Cancelled),
        Status::InProgress => invocation.set(Status::Cancelling),
        _ => return Ok(()),
    }
    invocation.put(transaction)
}
