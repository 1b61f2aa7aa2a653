//! A REST proxy that does to each post what a test wants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a post.
pub(super) enum Reaction {
    /// All records are written.
    Take,
    /// The same, after a while.
    TakeAfter(Duration),
    /// All records are written, and the connection is closed without an answer.
    TakeAndDrop,
    /// All records are written, and an error is answered.
    TakeAndAnswer(u16, &'static str),
    /// Nothing is written.
    Answer(u16, &'static str),
    /// Some records are refused, by an error code each; the others are written.
    Each(fn(&Value) -> Option<i64>),
}

/// A post as it came.
pub(super) struct Posted {
    /// Which one it is, from 0 on.
    pub(super) number: usize,
    pub(super) topic: String,
    /// Name and value of its headers, names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) records: Vec<Value>,
}

type React = Box<dyn Fn(&Posted) -> Reaction + Send + Sync>;

/// The server.
pub(super) struct Server {
    pub(super) url: String,
    state: Arc<State>,
}

struct State {
    react: React,
    count: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    written: Mutex<BTreeMap<String, Vec<Value>>>,
}

impl Server {
    pub(super) async fn new(react: impl Fn(&Posted) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/dev", listener.local_addr().unwrap());
        let state = Arc::new(State {
            react: Box::new(react),
            count: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            written: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// How many posts came.
    pub(super) fn posts(&self) -> usize {
        self.state.count.load(Ordering::SeqCst)
    }

    pub(super) fn most_under_way(&self) -> usize {
        self.state.most_under_way.load(Ordering::SeqCst)
    }

    /// The values that were written to a topic, in their order.
    pub(super) fn written(&self, topic: &str) -> Vec<Value> {
        let written = self.state.written.lock().unwrap();
        let records = written.get(topic).into_iter().flatten();
        records.map(|record| record["value"].clone()).collect()
    }

    /// How often each value was written, by the number in one of its fields.
    pub(super) fn times(&self, topic: &str, field: &str) -> BTreeMap<u64, usize> {
        let mut times = BTreeMap::new();
        for value in self.written(topic) {
            *times.entry(value[field].as_u64().unwrap()).or_default() += 1;
        }
        times
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some((path, headers, body)) = request(&mut read).await {
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let records = body["records"].as_array_mut().map(std::mem::take).unwrap();
        let topic = path.strip_prefix("/dev/topics/").unwrap_or("?").to_owned();
        let number = state.count.fetch_add(1, Ordering::SeqCst);
        let under_way = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        let posted = Posted { number, topic, headers, records };
        let goes_on = react(&state, posted, &mut write).await;
        state.under_way.fetch_sub(1, Ordering::SeqCst);
        if !goes_on {
            return;
        }
    }
}

async fn request(read: &mut BufReader<OwnedReadHalf>) -> Option<(String, BTreeMap<String, String>, Vec<u8>)> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        read.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    read.read_exact(&mut body).await.ok()?;
    Some((path, headers, body))
}

async fn react(state: &State, posted: Posted, write: &mut OwnedWriteHalf) -> bool {
    let reaction = (state.react)(&posted);
    let Posted { topic, records, .. } = posted;
    if let Reaction::TakeAfter(pause) = &reaction {
        tokio::time::sleep(*pause).await;
    }
    let mut offsets = Vec::new();
    if !matches!(reaction, Reaction::Answer(..)) {
        let mut written = state.written.lock().unwrap();
        let log = written.entry(topic).or_default();
        for record in records {
            let refused = if let Reaction::Each(code) = &reaction { code(&record["value"]) } else { None };
            offsets.push(match refused {
                Some(code) => json!({ "partition": null, "offset": null, "error_code": code, "error": "not this one" }),
                None => {
                    log.push(record);
                    json!({ "partition": 0, "offset": log.len() - 1, "error_code": null, "error": null })
                }
            });
        }
    }
    let (status, body) = match reaction {
        Reaction::TakeAndDrop => return false,
        Reaction::Answer(status, body) | Reaction::TakeAndAnswer(status, body) => (status, body.to_owned()),
        Reaction::Take | Reaction::TakeAfter(_) | Reaction::Each(_) => {
            (200, json!({ "offsets": offsets, "key_schema_id": null, "value_schema_id": null }).to_string())
        }
    };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    write.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
}
