//! Everything that is printed: results on standard output, progress and errors on standard error.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style as Ansi};
use serde_json::{Map, Value, json};

use super::Format;
use super::failure::Failure;
use crate::engine::execute::Report;
use crate::engine::plan::Plan;
use crate::manifest::{Manifest, Problem, Target};

mod json;
mod markdown;
mod progress;
#[cfg(feature = "sandbox")]
mod sandbox;
mod sending;
mod text;
mod verifying;

pub(super) use json::plan as plan_json;
pub(super) use progress::{Progress, Reading};
#[cfg(feature = "sandbox")]
pub(super) use sandbox::{environment, sandbox_status, waiting_for_sandbox};
pub(super) use sending::{Sending, sent};
pub(super) use verifying::{Watching, verified};

const RED: Ansi = AnsiColor::Red.on_default().bold();
const YELLOW: Ansi = AnsiColor::Yellow.on_default();
const GREEN: Ansi = AnsiColor::Green.on_default();
const DIM: Ansi = Ansi::new().dimmed();
const BOLD: Ansi = Ansi::new().bold();

/// How much is told, and in what form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) verbose: bool,
    pub(super) quiet: bool,
    pub(super) json: bool,
}

/// Which pipeline it is about.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) name: &'a str,
    pub(super) environment: &'a str,
    pub(super) target: &'static str,
    pub(super) region: &'a str,
    /// The verb that does the plan.
    pub(super) verb: &'static str,
}

impl<'a> Head<'a> {
    pub(super) fn of(manifest: &'a Manifest, verb: &'static str) -> Self {
        Self {
            name: &manifest.name,
            environment: &manifest.environment,
            target: match manifest.target {
                Target::Sandbox => "sandbox",
                Target::Aws => "aws",
            },
            region: &manifest.region,
            verb,
        }
    }
}

/// Writes a result. Nobody is left to tell where standard output is closed, so that is no failure.
fn out(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Tells something on the side.
fn tell(text: &str) {
    progress::above_what_moves(|| {
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    });
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A plan that is only shown.
pub(super) fn plan(plan: &Plan, head: &Head<'_>, format: Format, style: Style) -> io::Result<()> {
    out(&match format {
        Format::Json => pretty(&json::plan(plan, head)),
        Format::Markdown => markdown::plan(plan, head),
        Format::Text | Format::Env => text::plan(plan, head, style.verbose),
    })
}

/// Commands for a shell, a line each.
pub(super) fn commands(lines: &[String]) -> io::Result<()> {
    out(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// The files that were written, and what to do with them.
pub(super) fn rendered(folder: &Path, files: &[&str], format: Format) -> io::Result<()> {
    if format == Format::Json {
        return out(&pretty(&json!({ "folder": folder.display().to_string(), "files": files })));
    }
    let shown = folder.display();
    let lines: String = files.iter().map(|file| format!("{shown}/{file}\n")).collect();
    tell(&format!("Copy the folder to the machine, and there: sudo bash setup.sh all ({shown}/README.md says more)\n"));
    out(&lines)
}

/// A plan that is about to be done. One that is asked about is shown in any case.
pub(super) fn plan_to_be_done(plan: &Plan, head: &Head<'_>, style: Style, asks: bool) -> io::Result<()> {
    if (asks || !style.quiet) && !style.json {
        tell(&text::plan(plan, head, style.verbose));
    }
    Ok(())
}

/// What an apply did, and what the pipeline gives now.
pub(super) fn applied(
    plan: &Plan,
    report: &Report,
    outputs: &Map<String, Value>,
    format: Format,
    style: Style,
) -> io::Result<()> {
    if format == Format::Json {
        let mut value = json::report(plan, report);
        value["outputs"] = Value::Object(outputs.clone());
        return out(&pretty(&value));
    }
    if !style.quiet {
        tell(&text::report(plan, report));
    }
    if report.failed.is_empty() && report.skipped.is_empty() {
        out(&text::outputs(outputs))?;
    }
    Ok(())
}

/// What a destroy did.
pub(super) fn destroyed(plan: &Plan, report: &Report, format: Format, style: Style) -> io::Result<()> {
    if format == Format::Json {
        return out(&pretty(&json::report(plan, report)));
    }
    if style.quiet {
        return Ok(());
    }
    out(&text::report(plan, report))
}

/// All outputs.
pub(super) fn outputs(outputs: &Map<String, Value>, format: Format) -> io::Result<()> {
    out(&match format {
        Format::Json => pretty(&Value::Object(outputs.clone())),
        Format::Env => text::environment(outputs),
        Format::Text | Format::Markdown => text::outputs(outputs),
    })
}

/// One output, bare, for `$(…)`; a list with one a line.
pub(super) fn output(value: &Value, format: Format) -> io::Result<()> {
    match format {
        Format::Json => out(&pretty(value)),
        _ => out(&text::lines(value, "")),
    }
}

/// Something worth knowing.
pub(super) fn note(text: &str, style: Style) {
    if !style.quiet && !style.json {
        tell(&format!("{DIM}{text}{DIM:#}\n"));
    }
}

/// How many attempts of a call are nobody's business, unless more is asked for.
const USUAL_ATTEMPTS: u32 = 3;
/// The least time between two notes of calls that are made again, of which a thousand topics can have thousands.
const RETRY_NOTES: Duration = Duration::from_secs(10);

/// Tells that a call to AWS is made again: each time where more is asked for, else now and then, once it is no longer
/// the usual trouble.
pub(super) fn retried(attempt: u32, text: &str, style: Style) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if style.verbose {
        return note(text, style);
    }
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if attempt > USUAL_ATTEMPTS && last.is_none_or(|last| last.elapsed() >= RETRY_NOTES) {
        *last = Some(Instant::now());
        note(text, style);
    }
}

/// What a valid manifest should rather say otherwise.
pub(super) fn warnings(problems: &[Problem], style: Style) {
    if !style.quiet && !style.json {
        for problem in problems {
            tell(&format!("{YELLOW}warning{YELLOW:#}: {problem}\n"));
        }
    }
}

/// Asks at the terminal.
pub(super) fn question(text: &str) -> io::Result<()> {
    let mut stderr = anstream::stderr().lock();
    write!(stderr, "{BOLD}{text}{BOLD:#}")?;
    stderr.flush()
}

/// Tells that what was printed answers only while the sandbox is up.
pub(super) fn inside_hint(style: Style) {
    note(
        "hint: the sandbox ran inside this command and has stopped; `pipeline sandbox up` keeps it up for other clients",
        style,
    );
}

/// Shows, on a terminal, that things are being read.
pub(super) fn reading(count: usize, style: Style) -> Reading {
    Reading::new(count, style)
}

/// Why a command failed: what, why, and what to do.
pub(super) fn failure(failure: &Failure, style: Style) {
    if style.json {
        // What was done and what failed has been told, in one document.
        if matches!(failure, Failure::Steps(_) | Failure::Records(_) | Failure::Interrupted) {
            return;
        }
        let _ =
            out(&pretty(&json!({ "version": json::VERSION, "exit_code": failure.code(), "errors": errors(failure) })));
        return;
    }
    for error in errors(failure) {
        tell(&format!("{RED}error{RED:#}: {error}\n"));
    }
}

pub(super) fn errors(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Usage(text) => vec![format!("{text}; see `pipeline --help`")],
        Failure::Refused(text) | Failure::Records(text) => vec![text.clone()],
        Failure::Invalid(problems) => problems.iter().map(ToString::to_string).collect(),
        Failure::RefusedSteps(refusals) => refusals.iter().map(|refusal| format!("refused: {refusal}")).collect(),
        Failure::Unread(failures) => failures.iter().map(|failure| chain(failure)).collect(),
        Failure::Steps(failures) => failures.iter().map(|failure| chain(failure)).collect(),
        Failure::Interrupted => vec!["stopped before the end; run it again to go on from what is there".to_owned()],
        Failure::Failed(error) => vec![chain(error.as_ref())],
    }
}

/// An error and what caused it, in one line. A cause that says what was said already is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
