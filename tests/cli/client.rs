//! The client's machine, set up over Systems Manager: a folder in which `setup.sh` really runs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::bench::Bench;

mod instance;
mod killed;

const ID: &str = "i-0123456789abcdef0";
const CLIENT: &str = "client/i-0123456789abcdef0";

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A machine with Kafka's tools and a REST proxy, an API in front of it, and a topic.
fn manifest(port: u16) -> String {
    format!(
        "name: demo\nenvironment: test\ntarget: sandbox\nregion: us-east-1\n\
         cluster: {{ name: demo-cluster, auth: iam }}\n\
         topics:\n  - name: u.pin\n\
         role:\n  name: demo-role\n  trust:\n    - service: ec2.amazonaws.com\n  \
         managed_policies: [ \"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore\" ]\n\
         client:\n  instance: {ID}\n  rest_proxy: {{ version: 7.9.0, port: {port} }}\n\
         api: {{ name: demo, backend: client, stage: dev }}\n"
    )
}

impl Bench {
    fn client(&self, text: &str) {
        self.write("dev.yaml", text);
    }

    /// Where the machine's files are.
    fn machine(&self) -> PathBuf {
        self.path("sandbox/instances").join(ID)
    }

    fn installed(&self, path: &str) -> PathBuf {
        self.machine().join("root").join(path)
    }

    /// What was done on the machine that contains a word.
    fn done_there(&self, word: &str) -> usize {
        let calls = fs::read_to_string(self.machine().join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.contains(word)).count()
    }

    /// Posts a record through the API, and tells the status.
    async fn post(&self) -> u16 {
        let url = self.run(["outputs", "dev.yaml", "invoke_url"]).ended(0).stdout;
        let call = reqwest::Client::new().post(format!("{}/topics/u.pin", url.trim()));
        let call = call.header("content-type", "application/vnd.kafka.json.v2+json");
        call.body(r#"{"records":[{"value":{"a":1}}]}"#).send().await.unwrap().status().as_u16()
    }

    fn plan_text(&self) -> String {
        self.run(["plan", "dev.yaml", "--no-color"]).ended(0).stdout
    }

    /// What an apply is refused or fails with.
    #[track_caller]
    fn refused(&self, code: i32) -> String {
        self.run(["apply", "dev.yaml", "--yes"]).ended(code).stderr
    }

    /// Lets a command on the machine kill the script that calls it with a word among its arguments.
    fn lay_trap(&self, command: &str, word: &str) {
        let bin = self.machine().join("bin");
        fs::create_dir_all(bin.join("real")).unwrap();
        let stand_in = bin.join(command);
        let real = fs::read_link(&stand_in).map_or_else(|_| Path::new("/bin").join(command), |to| bin.join(to));
        let kept = bin.join("real").join(command);
        if !kept.exists() {
            symlink(real, &kept).unwrap();
        }
        let _ = fs::remove_file(&stand_in);
        let trap = format!(
            "#!/bin/bash\nif [[ \" $* \" == *{word}* ]]; then kill -9 $PPID; exit 137; fi\nexec {} \"$@\"\n",
            kept.display()
        );
        fs::write(&stand_in, trap).unwrap();
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Takes the trap away.
    fn lift_trap(&self, command: &str) {
        let bin = self.machine().join("bin");
        fs::remove_file(bin.join(command)).unwrap();
        symlink(bin.join("real").join(command), bin.join(command)).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What the archives of the sandbox's mirror are.
pub(crate) struct Checksums {
    pub(crate) mirror: String,
    pub(crate) kafka: String,
    pub(crate) iam_jar: String,
    pub(crate) rest_proxy: String,
}

impl Checksums {
    pub(crate) async fn of(bench: &Bench, kafka: &str, iam_jar: &str, rest_proxy: &str) -> Self {
        let mirror = format!("{}/_sandbox/mirror", bench.endpoint);
        let line = rest_proxy.rsplit_once('.').unwrap().0;
        let sum = async |path: String| {
            let archive = reqwest::get(format!("{mirror}/{path}")).await.unwrap().error_for_status().unwrap();
            hex::encode(Sha256::digest(archive.bytes().await.unwrap()))
        };
        Self {
            kafka: sum(format!("dist/kafka/{kafka}/kafka_2.13-{kafka}.tgz")).await,
            iam_jar: sum(format!("software/amazon/msk/aws-msk-iam-auth/{iam_jar}/aws-msk-iam-auth-{iam_jar}-all.jar"))
                .await,
            rest_proxy: sum(format!("archive/{line}/confluent-community-{rest_proxy}.tar.gz")).await,
            mirror,
        }
    }
}

#[tokio::test]
async fn a_fresh_machine_is_set_up_changed_and_given_back() {
    let bench = Bench::new();
    let port = free_port();
    bench.client(&manifest(port));
    let applied = bench.apply();
    assert!(applied.stderr.contains(&format!("{CLIENT}: created")), "{}", applied.stderr);
    for path in ["opt/pipeline-client/kafka/bin/kafka-topics.sh", "etc/profile.d/pipeline-client.sh"] {
        assert!(bench.installed(path).exists(), "{path}");
    }
    assert_eq!(bench.done_there("systemctl restart"), 1);
    assert_eq!(bench.post().await, 200);

    // Again: one command, which asks, and nothing is done.
    let before = bench.calls().len();
    let again = bench.apply();
    assert!(again.stderr.contains("No changes"), "{}", again.stderr);
    let sent = bench.calls()[before..].iter().filter(|call| call.operation() == "SendCommand").count();
    assert_eq!((sent, bench.done_there("systemctl restart")), (1, 1));

    // The port is changed: the plan shows the lines, and the proxy is restarted once.
    let other = free_port();
    bench.client(&manifest(other));
    let plan = bench.plan_text();
    let lines = [
        format!("kafka-rest.properties: listeners  http://0.0.0.0:{port} -> http://0.0.0.0:{other}"),
        format!(":{other}/{{proxy}}"),
    ];
    assert!(lines.iter().all(|line| plan.contains(line.as_str())), "{plan}");
    bench.apply();
    assert_eq!((bench.done_there("systemctl restart"), bench.post().await), (2, 200));

    // Another version, and no proxy any more: what is not needed goes.
    let text = manifest(other).replace(&format!("  rest_proxy: {{ version: 7.9.0, port: {other} }}\n"), "");
    let text = text.replace("  instance:", "  kafka_version: 3.9.1\n  instance:");
    bench.client(&text.replace("api: { name: demo, backend: client, stage: dev }\n", ""));
    bench.apply();
    let opt: Vec<String> = names(&bench.installed("opt/pipeline-client"));
    assert_eq!(opt, ["kafka", "kafka_2.13-3.9.1", "lib"]);
    assert_eq!(bench.planned(), Vec::<String>::new());

    // What somebody else has put there stays.
    let theirs = bench.installed("opt/pipeline-client/kafka/theirs.txt");
    fs::write(&theirs, "mine").unwrap();
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert_eq!(names(&bench.installed("opt/pipeline-client")), ["kafka_2.13-3.9.1"]);
    assert_eq!(names(&bench.installed("etc/profile.d")), Vec::<String>::new());
    let nothing = bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    assert!(nothing.stderr.contains("Nothing to destroy"), "{}", nothing.stderr);
}

#[tokio::test]
async fn a_download_with_a_wrong_checksum_is_refused() {
    let bench = Bench::new();
    let Checksums { mirror, kafka, iam_jar: jar, rest_proxy: proxy } =
        Checksums::of(&bench, "3.8.1", "2.3.2", "7.9.0").await;
    let pinned = |kafka: &str, jar: &str, proxy: &str| {
        let checksums = format!("{{ kafka: \"{kafka}\", iam_jar: \"{jar}\", rest_proxy: \"{proxy}\" }}");
        manifest(free_port())
            .replace("  instance:", &format!("  mirror: {mirror}\n  checksums: {checksums}\n  instance:"))
    };
    let wrong = "0".repeat(64);
    for (text, key, path) in [
        (pinned(&wrong, &jar, &proxy), "kafka", "opt/pipeline-client"),
        (pinned(&kafka, &wrong, &proxy), "iam_jar", "opt/pipeline-client/lib"),
        (pinned(&kafka, &jar, &wrong), "rest_proxy", "opt/pipeline-client/confluent"),
    ] {
        bench.client(&text);
        let told = bench.refused(1);
        let parts = ["exit code 66", "isn't what it must be", &format!("client.checksums.{key}"), &wrong];
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(!bench.installed(path).exists(), "{path}");
        assert!(!bench.installed("var/lib/pipeline-client/download").exists());
    }
    bench.client(&pinned(&kafka, &jar, &proxy));
    bench.apply();
}

#[tokio::test]
async fn drift_on_the_machine_is_seen_and_mended() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.apply();
    let properties = bench.installed("etc/pipeline-client/kafka-rest.properties");
    let text = fs::read_to_string(&properties).unwrap();
    fs::write(&properties, text.replace("client.sasl.mechanism", "sasl.mechanism") + "client.x.password=hunter2\n")
        .unwrap();
    fs::remove_file(bench.installed("opt/pipeline-client/lib/aws-msk-iam-auth.jar")).unwrap();
    let plan = bench.plan_text();
    let lines = [
        "iam_jar                                       (none) -> 2.3.2",
        "kafka-rest.properties: client.sasl.mechanism  (none) -> AWS_MSK_IAM",
        "kafka-rest.properties: sasl.mechanism         AWS_MSK_IAM -> (none)",
        "kafka-rest.properties: client.x.password      (hidden) -> (none)",
        "service                                       running with what was installed before -> running",
    ];
    assert!(lines.iter().all(|line| plan.contains(line)), "{plan}");
    assert!(!plan.contains("hunter2"), "{plan}");
    bench.apply();
    assert_eq!(fs::read_to_string(&properties).unwrap(), text);

    // Another pipeline doesn't take the machine over.
    bench.client(&manifest(free_port()).replace("name: demo\n", "name: other\n"));
    let told = bench.refused(3);
    assert!(told.contains("the machine is set up for the pipeline demo (test)"), "{told}");
}

#[tokio::test]
async fn the_rendered_folder_sets_a_machine_up_by_hand() {
    let bench = Bench::new();
    bench.client(&manifest(free_port()));
    bench.plan_json();
    let rendered = bench.run(["client", "render", "dev.yaml", "--out", "out/folder", "--format", "json"]).ended(0);
    let files = rendered.json()["files"].clone();
    let names = names(&bench.path("out/folder"));
    assert_eq!(files.as_array().unwrap().len(), names.len());
    let mode = |name: &str| fs::metadata(bench.path("out/folder").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("client.properties"), mode("setup.sh")), (0o600, 0o755));
    // Run on the machine, as a person would.
    let bin = bench.machine().join("bin");
    let run = |argument: &str| {
        let mut command = Command::new("bash");
        command.arg(bench.path("out/folder/setup.sh")).arg(argument).env_clear();
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        command.env("PIPELINE_ROOT", bench.machine().join("root")).env("MACHINE", bench.machine());
        command.env("PIPELINE_UNITS", format!("{}/_sandbox/unit/{ID}", bench.endpoint));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    let (code, said) = run("all");
    assert!(code == Some(0) && said.ends_with("verdict: ok\n"), "{said}");
    assert_eq!(run("steps"), (Some(0), String::new()));
    // It is the set-up that an apply would have made.
    assert!(!bench.planned().contains(&format!("create {CLIENT}")));
    assert!(!bench.planned().contains(&format!("update {CLIENT}")));
    // A password that was filled in is kept, and nobody's README is overwritten.
    let scram = "arn:aws:secretsmanager:us-east-1:000000000000:secret:AmazonMSK_k-AbCdEf";
    let by_password = manifest(free_port()).replace("auth: iam", &format!("auth: {{ scram: {scram} }}"));
    bench.client(&by_password.replace(&format!("  instance: {ID}\n"), "").replace("role:", "unused: #").replace(
        "unused: #\n  name: demo-role\n  trust:\n    - service: ec2.amazonaws.com\n  \
         managed_policies: [ \"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore\" ]\n",
        "",
    ));
    let render = || bench.run(["client", "render", "dev.yaml", "--out", "by-password"]);
    render().ended(0);
    let properties = bench.path("by-password/client.properties");
    let text = fs::read_to_string(&properties).unwrap();
    let filled = text.replace("\"USER\"", "\"me\"").replace("\"PASSWORD\"", "\"hunter2\"");
    assert_ne!(text, filled);
    fs::write(&properties, &filled).unwrap();
    render().ended(0);
    assert_eq!(fs::read_to_string(&properties).unwrap(), filled);
    bench.write("theirs/README.md", "# Mine\n");
    let told = bench.run(["client", "render", "dev.yaml", "--out", "theirs"]).ended(1).stderr;
    assert!(told.contains("README.md is there, and not from this command"), "{told}");
    // Without a client there is nothing to render, and what can't be written is told.
    let blocked = bench.write("blocked", "");
    let told = bench.run(["client", "render", "dev.yaml", "--out", blocked.to_str().unwrap()]).ended(1).stderr;
    assert!(told.contains("cannot write") && told.contains("blocked"), "{told}");
    bench
        .client("name: demo\nenvironment: test\ntarget: sandbox\nregion: us-east-1\ncluster: { name: demo-cluster }\n");
    let told = bench.run(["client", "render", "dev.yaml", "--out", "out"]).ended(1).stderr;
    assert!(told.contains("declares no client"), "{told}");
}
