//! Answers that are lost on their way back: AWS did what it was asked, and the tool does not know.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::bench::{Bench, Run};

/// A proxy before the sandbox that lets every call through, and loses the answer to each call that changes something
/// when it sees it for the first time. Returns its URL.
fn lossy_proxy(sandbox: &str) -> String {
    let sandbox = sandbox.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(HashSet::new()));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (sandbox, seen) = (sandbox.clone(), Arc::clone(&seen));
            std::thread::spawn(move || pass(client, &sandbox, &seen));
        }
    });
    url
}

/// Passes one call on, each on connections of its own.
fn pass(mut client: TcpStream, sandbox: &str, seen: &Mutex<HashSet<String>>) {
    let Some((head, body)) = request(&mut client) else { return };
    let mut server = TcpStream::connect(sandbox).unwrap();
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
    server.write_all(&body).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    let is_lost = call(&head, &body).is_some_and(|call| seen.lock().unwrap().insert(call));
    if !is_lost {
        // A client that gave up has closed its side.
        let _ = client.write_all(&answer);
    }
}

/// The head without its last empty line, and the body.
fn request(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut buffer = [0; 4096];
        let length = client.read(&mut buffer).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&buffer[..length]);
    };
    let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = bytes.split_off(end + 4);
    let rest = length.unwrap_or(0) - body.len();
    let mut more = vec![0; rest];
    client.read_exact(&mut more).ok()?;
    body.append(&mut more);
    Some((head, body))
}

/// What tells a call that changes something from others; `None` for one that reads.
fn call(head: &str, body: &[u8]) -> Option<String> {
    let line = head.lines().next()?;
    let (method, rest) = line.split_once(' ')?;
    let body = String::from_utf8_lossy(body);
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    let reads = matches!(method, "GET" | "HEAD") || action.starts_with("Get") || action.starts_with("List");
    let changes = !reads && !rest.starts_with("/_sandbox");
    // A deployment has no name by which it could be met again, and what is within an API is put right by the next apply.
    let changes = changes && !rest.starts_with("/restapis/");
    // Each topic, and each change of a connector, by what is sent.
    changes.then(|| format!("{line} {}", if action.is_empty() { &body } else { action }))
}

const BACKEND: (&str, &str) = ("backend: client ", "backend: http://127.0.0.1:18082 ");

#[test]
fn what_was_done_and_never_answered_is_met_again() {
    let bench = Bench::new();
    bench.dev(&[BACKEND]);
    bench.plan_json(); // The sandbox learns of the cluster.
    let empty = bench.counts();
    bench.apply();
    let one_pipeline = bench.counts();
    bench.run(["destroy", "dev.yaml", "--yes"]).ended(0);
    let run = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.args(["--target", "aws", "--endpoint-url", &lossy_proxy(&bench.endpoint)]);
        command
            .env("AWS_ACCESS_KEY_ID", pipeline::sandbox::ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", pipeline::sandbox::SECRET_ACCESS_KEY);
        Run::of(command.output().unwrap())
    };
    run(&["apply", "dev.yaml", "--yes"]).ended(0);
    run(&["plan", "dev.yaml", "--detailed-exitcode"]).ended(0);
    assert_eq!(bench.counts(), one_pipeline);
    bench.dev(&[
        BACKEND,
        ("flush.size: 1 ", "flush.size: 7 "),
        ("mcu_count: 1, workers: 1", "mcu_count: 2, workers: 2"),
    ]);
    run(&["apply", "dev.yaml", "--yes"]).ended(0);
    assert_eq!(bench.counts(), one_pipeline);
    run(&["destroy", "dev.yaml", "--yes", "--delete-topics", "--empty-bucket"]).ended(0);
    assert_eq!(bench.counts(), empty);
}
