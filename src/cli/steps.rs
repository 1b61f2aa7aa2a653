//! Doing what a plan says, with somebody watching: asking first, telling what happens, stopping when asked.

use std::io::{self, IsTerminal};

use tokio::task::JoinHandle;

use super::failure::{Failure, INTERRUPTED};
use super::render;
use crate::engine::Outputs;
use crate::engine::execute::{self, Report, Stop};
use crate::engine::graph::Graph;
use crate::engine::plan::Plan;

/// Asks before something is lost.
///
/// # Errors
/// Where the answer is no, or nobody is there to be asked.
pub(super) fn confirm(what: &str, style: render::Style) -> Result<(), Failure> {
    if style.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Refused(format!("{what}, and there is no terminal to ask at; add --yes to do it")));
    }
    render::question(&format!("{what}. Only \"yes\" goes on: "))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::Refused("not confirmed; nothing was changed".to_owned())) }
}

/// Executes a plan, and shows it. The first Ctrl-C lets what runs come to its end and begins nothing more; the second
/// ends this process, and the next apply goes on from what is there.
pub(super) async fn execute(
    graph: &Graph,
    plan: &Plan,
    known: Outputs,
    style: render::Style,
) -> Result<Report, Failure> {
    let stop = Stop::default();
    let mut progress = render::Progress::new(plan, style);
    let watched = stop.clone();
    let stopping = "stopping: what runs now is brought to its end; once more ends it at once";
    let watch = watch(move || watched.ask(), stopping, style);
    let report = execute::execute(graph, plan, known, &stop, |event| progress.tell(event)).await;
    watch.abort();
    progress.end();
    Ok(report)
}

/// Waits for Ctrl-C. The first one is handed on, and told; the second ends this process.
pub(super) fn watch(
    stop: impl FnOnce() + Send + 'static,
    stopping: &'static str,
    style: render::Style,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if interrupted().await.is_ok() {
            stop();
            render::note(stopping, style);
        }
        if interrupted().await.is_ok() {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
}

/// How it ended, as the command ends.
pub(super) fn ended(report: Report) -> Result<(), Failure> {
    if !report.failed.is_empty() {
        Err(Failure::Steps(report.failed))
    } else if !report.skipped.is_empty() {
        Err(Failure::Interrupted)
    } else {
        Ok(())
    }
}

/// Waits until the user, or the system, asks this process to end.
pub(super) async fn interrupted() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
