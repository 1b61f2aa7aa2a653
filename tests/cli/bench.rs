//! A place to try the tool in: a folder with manifests, a sandbox of its own, and the record of what was called.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use pipeline::aws::clients::{Clients, Endpoint};
use pipeline::aws::retry::TellRetries;
use pipeline::sandbox::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use serde_json::Value;

/// The repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The region of all test manifests.
pub(crate) const REGION: &str = "us-east-1";

/// The tool, in an environment that nothing of this machine gets into.
pub(crate) fn pipeline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command.env("HOME", folder).env("XDG_CACHE_HOME", folder.join("cache"));
    command
}

/// A sandbox that is up, and a folder to work in.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    server: Child,
    pub(crate) endpoint: String,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, if it ended with that code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Bench {
    /// A sandbox that settles fast.
    pub(crate) fn new() -> Self {
        Self::with(&["--settle", "300ms", "--lag", "150ms"])
    }

    /// A sandbox with these flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (server, endpoint) = up(folder.path(), "0", flags);
        Self { folder, server, endpoint }
    }

    /// Kills the sandbox, and lets another one go on from what is there.
    pub(crate) fn kill_and_restart(&mut self, flags: &[&str]) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        let port = self.endpoint.rsplit(':').next().unwrap().to_owned();
        (self.server, self.endpoint) = up(self.folder.path(), &port, flags);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The text of one of the repository's manifests, with the plugin's path made absolute.
    pub(crate) fn example(name: &str) -> String {
        let text = fs::read_to_string(Path::new(ROOT).join("manifests").join(name)).unwrap();
        text.replace("plugins/s3-sink", &format!("{ROOT}/manifests/plugins/s3-sink"))
    }

    /// `manifests/dev.yaml`, with some texts replaced; each of them must be there.
    #[track_caller]
    pub(crate) fn dev(&self, changes: &[(&str, &str)]) -> PathBuf {
        let mut text = Self::example("dev.yaml");
        for (from, to) in changes {
            assert!(text.contains(from), "dev.yaml has no {from:?}");
            text = text.replace(from, to);
        }
        self.write("dev.yaml", &text)
    }

    /// Where the example manifests' plugin is.
    pub(crate) fn plugin() -> String {
        format!("{ROOT}/manifests/plugins/s3-sink")
    }

    /// Copies that plugin to `plugin` in the folder, where it can be changed.
    pub(crate) fn copy_plugin(&self) -> PathBuf {
        let to = self.path("plugin");
        assert!(Command::new("cp").arg("-r").arg(Self::plugin()).arg(&to).status().unwrap().success());
        to
    }

    /// The tool, working on this sandbox.
    pub(crate) fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = pipeline(self.folder.path());
        command.env("PIPELINE_SANDBOX_DIR", self.path("sandbox")).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// Applies `dev.yaml` as it is in the folder.
    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        self.run(["apply", "dev.yaml", "--yes"]).ended(0)
    }

    #[track_caller]
    pub(crate) fn plan_json(&self) -> Value {
        self.run(["plan", "dev.yaml", "--format", "json"]).ended(0).json()
    }

    /// `create topic/x` and so on, as the next apply would do it.
    #[track_caller]
    pub(crate) fn planned(&self) -> Vec<String> {
        steps(&self.plan_json())
    }

    /// The calls that have been made so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.path("calls.jsonl")).unwrap_or_default();
        text.lines().map(|line| Call(serde_json::from_str(line).unwrap())).collect()
    }

    /// Clients that go behind the tool's back.
    pub(crate) async fn clients(&self) -> Clients {
        clients(&self.endpoint).await
    }

    /// One of the sandbox's own calls.
    pub(crate) async fn private(&self, call: &str, body: &Value) -> Value {
        let url = format!("{}/_sandbox/{call}", self.endpoint);
        let answer = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{call}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// How many things of each kind exist in the sandbox.
    pub(crate) fn counts(&self) -> Value {
        self.run(["sandbox", "status", "--format", "json"]).ended(0).json()["counts"].clone()
    }
}

/// Starts a sandbox on the data in a folder.
fn up(folder: &Path, port: &str, flags: &[&str]) -> (Child, String) {
    let mut server = pipeline(folder)
        .env("PIPELINE_SANDBOX_DIR", folder.join("sandbox"))
        .args(["sandbox", "up", "--port", port, "--calls", "calls.jsonl"])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let endpoint = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL=").map(str::to_owned))
        .expect("the sandbox tells where it listens");
    (server, endpoint)
}

/// Clients of the sandbox at an address.
pub(crate) async fn clients(endpoint: &str) -> Clients {
    let endpoint = Endpoint::Sandbox {
        url: endpoint.to_owned(),
        access_key_id: ACCESS_KEY_ID,
        secret_access_key: SECRET_ACCESS_KEY,
    };
    Clients::connect(&endpoint, REGION, &TellRetries::silent()).await.unwrap()
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The steps of a plan in JSON, each as `verb address`.
pub(crate) fn steps(plan: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = plan["steps"].as_array().unwrap();
    let mut steps: Vec<String> =
        steps.iter().map(|step| format!("{} {}", text(&step["action"]), text(&step["address"]))).collect();
    steps.sort();
    steps
}

/// One call, as the sandbox recorded it.
#[derive(Debug)]
pub(crate) struct Call(Value);

impl Call {
    pub(crate) fn operation(&self) -> &str {
        self.0["operation"].as_str().unwrap()
    }

    /// Whether it could change something.
    pub(crate) fn mutates(&self) -> bool {
        !["Get", "List", "Describe", "Head"].iter().any(|word| self.operation().starts_with(word))
    }
}

/// The operations of calls that could change something.
pub(crate) fn mutations(calls: &[Call]) -> Vec<&str> {
    calls.iter().filter(|call| call.mutates()).map(Call::operation).collect()
}
