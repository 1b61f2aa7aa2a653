//! `pipeline sandbox`, and the sandbox inside a command.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use pipeline::aws::clients::Clients;

use crate::bench::{Bench, Run, clients, pipeline};

#[test]
fn what_one_command_made_the_next_one_finds() {
    let folder = tempfile::tempdir().unwrap();
    let text = Bench::example("dev.yaml");
    fs::write(folder.path().join("dev.yaml"), text).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = pipeline(folder.path());
        command.env("PIPELINE_SANDBOX_SETTLE", "100ms").env("PIPELINE_SANDBOX_LAG", "50ms");
        // Nothing of the user's AWS environment may count.
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_PROFILE", "no-such-profile");
        Run::of(command.args(arguments).output().unwrap())
    };
    let first = run(&["apply", "dev.yaml", "--yes"]).ended(0);
    assert!(first.stderr.contains("hint: the sandbox ran inside this command"), "{}", first.stderr);
    let outputs = run(&["outputs", "dev.yaml"]).ended(0);
    assert_eq!(outputs.stdout, first.stdout);
    run(&["plan", "dev.yaml", "--detailed-exitcode"]).ended(0);
    assert!(folder.path().join(".pipeline/sandbox").is_dir());
    run(&["sandbox", "reset"]).ended(0);
    run(&["plan", "dev.yaml", "--detailed-exitcode"]).ended(2);
}

#[test]
fn commands_on_one_folder_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dev.yaml"), Bench::example("dev.yaml")).unwrap();
    let apply = || {
        let mut command = pipeline(folder.path());
        command.env("PIPELINE_SANDBOX_SETTLE", "100ms").env("PIPELINE_SANDBOX_LAG", "50ms");
        command.args(["apply", "dev.yaml", "--yes", "--quiet"]).spawn().unwrap()
    };
    let (mut one, mut two) = (apply(), apply());
    assert!(one.wait().unwrap().success() && two.wait().unwrap().success());
}

/// A sandbox that is up on a folder.
struct Up {
    child: Child,
    endpoint: String,
}

impl Up {
    fn on(folder: &Path) -> Self {
        let mut command = pipeline(folder);
        command.args(["sandbox", "up", "dev.yaml", "--port", "0", "--settle", "0s", "--lag", "0s"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let endpoint = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL=").map(str::to_owned))
            .expect("the sandbox tells where it listens");
        Self { child, endpoint }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a sandbox has answered that it did.
#[derive(Clone, Debug, Default)]
struct Answered {
    topics: BTreeSet<String>,
    objects: BTreeSet<String>,
    /// Objects that were made and deleted again.
    deleted: BTreeSet<String>,
}

const BUCKET: &str = "kill-bucket";
const KILLS: usize = 20;
const WORKERS: usize = 12;

/// Makes and deletes things until it is stopped.
async fn load(clients: Clients, cluster: String, name: String, answered: Arc<Mutex<Answered>>) {
    for number in 0.. {
        let name = format!("{name}-{number}");
        let topic = clients.kafka.create_topic().cluster_arn(&cluster).topic_name(&name);
        if topic.partition_count(1).replication_factor(1).send().await.is_ok() {
            answered.lock().unwrap().topics.insert(name.clone());
        }
        for key in [name.clone(), format!("{name}-gone")] {
            let body = ByteStream::from(key.clone().into_bytes());
            if clients.s3.put_object().bucket(BUCKET).key(&key).body(body).send().await.is_ok() {
                answered.lock().unwrap().objects.insert(key);
            }
        }
        let gone = format!("{name}-gone");
        // From here on nobody knows whether it is there, until it is answered that it isn't.
        answered.lock().unwrap().objects.remove(&gone);
        if clients.s3.delete_object().bucket(BUCKET).key(&gone).send().await.is_ok() {
            answered.lock().unwrap().deleted.insert(gone);
        }
    }
}

async fn check(clients: &Clients, cluster: &str, answered: &Answered) {
    let topics = clients.kafka.list_topics().cluster_arn(cluster).into_paginator().items().send();
    let topics: Vec<_> = topics.collect::<Result<_, _>>().await.unwrap();
    let topics: BTreeSet<String> = topics.into_iter().filter_map(|topic| topic.topic_name).collect();
    assert!(topics.is_superset(&answered.topics), "{:?}", answered.topics.difference(&topics));
    let pages = clients.s3.list_objects_v2().bucket(BUCKET).into_paginator().send();
    let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
    let objects = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
    let objects: BTreeSet<String> = objects.filter_map(|object| object.key).collect();
    assert!(objects.is_superset(&answered.objects), "{:?}", answered.objects.difference(&objects));
    assert!(objects.is_disjoint(&answered.deleted), "{:?}", answered.deleted.intersection(&objects));
    // Contents are files of their own, which must be as whole as their records.
    for key in objects.iter().rev().take(50) {
        let object = clients.s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(object.body.collect().await.unwrap().to_vec(), key.as_bytes());
    }
}

#[test]
fn a_sandbox_that_is_killed_has_lost_nothing_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dev.yaml"), Bench::example("dev.yaml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answered = Arc::new(Mutex::new(Answered::default()));
    for round in 0..=KILLS {
        let mut up = Up::on(folder.path());
        let workers: Vec<_> = runtime.block_on(async {
            let clients = clients(&up.endpoint).await;
            let clusters = clients.kafka.list_clusters_v2().send().await.unwrap();
            let cluster = clusters.cluster_info_list()[0].cluster_arn().unwrap().to_owned();
            if round == 0 {
                clients.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
            }
            let so_far = answered.lock().unwrap().clone();
            check(&clients, &cluster, &so_far).await;
            (0..WORKERS)
                .map(|worker| {
                    let name = format!("r{round}-{worker}");
                    tokio::spawn(load(clients.clone(), cluster.clone(), name, Arc::clone(&answered)))
                })
                .collect()
        });
        // The calls that are under way then are at other places each time.
        std::thread::sleep(Duration::from_millis(60 + 37 * round as u64 % 200));
        // On a busy machine that is not long enough for anything to be answered.
        let deadline = Instant::now() + Duration::from_secs(20);
        while answered.lock().unwrap().deleted.len() < 2 * (round + 1) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        up.kill();
        workers.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let answered = answered.lock().unwrap();
    assert!(answered.topics.len() > KILLS && answered.deleted.len() > KILLS, "{answered:?}");
}

#[test]
fn what_keeps_a_sandbox_from_starting_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dev.yaml"), Bench::example("dev.yaml")).unwrap();
    let start = || Run::of(pipeline(folder.path()).args(["sandbox", "up", "--port", "0"]).output().unwrap());

    let mut first = Up::on(folder.path());
    let second = start().ended(1);
    assert!(second.stderr.contains("a sandbox is up on") && second.stderr.contains(&first.endpoint), "{second:?}");
    first.kill();

    let journal = folder.path().join(".pipeline/sandbox/state.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let broken = whole.replacen('\n', "\n{\"half\": \n", 1);
    fs::write(&journal, &broken).unwrap();
    let failed = start().ended(1);
    assert!(failed.stderr.contains("state.jsonl, line 2: expected changes as JSON"), "{}", failed.stderr);
    assert!(failed.stderr.contains("repair or remove that folder"), "{}", failed.stderr);
    assert_eq!(fs::read_to_string(&journal).unwrap(), broken, "nothing is lost to who repairs it");
    fs::write(&journal, format!("{whole}[{{\"table\":\"torn")).unwrap();
    Up::on(folder.path());
}
