//! The proxy over HTTP, and what is in the topics then. What posts are refused for is tested in the suite of
//! conformance.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;
use crate::sandbox::broker;
use crate::sandbox::kafka::{self, Cluster, Declaration};
use crate::sandbox::store::Store;
use crate::sandbox::world::{Settings, now};

const JSON: &str = "application/vnd.kafka.json.v2+json";
const BINARY: &str = "application/vnd.kafka.binary.v2+json";

struct Server {
    _folder: tempfile::TempDir,
    world: Arc<World>,
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Server {
    async fn start(clusters: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { settle: std::time::Duration::ZERO, ..Settings::default() };
        let world = Arc::new(World::new(settings, Store::in_memory(), folder.path().to_owned()));
        for cluster in clusters {
            // Which of two was created last is told by milliseconds.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            kafka::declare_cluster(&world, &Declaration::named(cluster)).unwrap();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, Arc::clone(&world)));
        Self { _folder: folder, world, url, server }
    }

    fn cluster(&self, name: &str) -> Cluster {
        kafka::active_clusters(&self.world).into_iter().find(|cluster| cluster.name == name).unwrap()
    }

    fn create(&self, cluster: &str, topic: &str, partitions: i64, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let content = kafka::Content { partitions, replication: 3, configs };
        let cluster = self.cluster(cluster);
        self.world.store.transact(|tables| kafka::create_topic(tables, &cluster, topic, content, now())).unwrap();
    }

    async fn post(&self, path: &str, media: &str, body: &Value) -> Value {
        let call = reqwest::Client::new().post(format!("{}{path}", self.url)).header("content-type", media);
        let reply = call.body(body.to_string()).send().await.unwrap();
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let reply = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
    }

    /// The keys and values of a partition, in turn.
    fn records(&self, cluster: &str, topic: &str, partition: i32) -> Vec<Option<String>> {
        let partition = broker::partition(&self.world, &self.cluster(cluster), topic, partition).unwrap();
        let text = |bytes: Option<Bytes>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let records = partition.read(0, usize::MAX >> 1).unwrap().into_iter();
        records.flat_map(|stored| [text(stored.record.key), text(stored.record.value)]).collect()
    }
}

#[tokio::test]
async fn records_are_kept_as_jackson_writes_them() {
    let server = Server::start(&["c"]).await;
    server.create("c", "t", 1, &[]);
    let body = r#"{ "records" : [ { "key" : "k", "value" : { "b" : 1.50 , "a" : "\u00e4" } }, { "value" : null } ] }"#;
    let call = reqwest::Client::new().post(format!("{}/topics/t", server.url)).header("content-type", JSON);
    let reply = call.body(body).send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "application/vnd.kafka.v2+json");
    assert_eq!(
        reply.text().await.unwrap(),
        concat!(
            r#"{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null},"#,
            r#"{"partition":0,"offset":1,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}"#
        )
    );
    let binary = json!({"records": [{"key": "a2V5", "value": "AQI="}]});
    assert_eq!(server.post("/topics/t", BINARY, &binary).await["offsets"][0]["offset"], 2);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        server.records("c", "t", 0),
        [text("\"k\""), text(r#"{"b":1.5,"a":"ä"}"#), None, None, text("key"), text("\u{1}\u{2}")]
    );
}

#[tokio::test]
async fn what_one_post_brings_for_a_partition_is_one_batch() {
    let server = Server::start(&["c"]).await;
    server.create("c", "t", 2, &[]);
    server.create("c", "narrow", 1, &[("max.message.bytes", "300")]);
    let records: Vec<Value> = (0..10).map(|number| json!({"value": number, "partition": number % 2})).collect();
    server.post("/topics/t", JSON, &json!({"records": records})).await;
    let partition = broker::partition(&server.world, &server.cluster("c"), "t", 0).unwrap();
    // Of one byte at most, but one whole batch at least.
    assert_eq!(partition.read(0, 1).unwrap().len(), 5);

    let records: Vec<Value> = (0..4).map(|_| json!({"value": "x".repeat(90)})).collect();
    let reply = server.post("/topics/narrow", JSON, &json!({"records": records})).await;
    let offsets: Vec<i64> =
        reply["offsets"].as_array().unwrap().iter().map(|record| record["offset"].as_i64().unwrap()).collect();
    assert_eq!(offsets, [0, 1, 2, 3]);
    let partition = broker::partition(&server.world, &server.cluster("c"), "narrow", 0).unwrap();
    assert_eq!(partition.read(0, 1).unwrap().len(), 2);
}

#[tokio::test]
async fn records_fail_one_by_one_or_with_their_batch() {
    let server = Server::start(&["c"]).await;
    server.create("c", "compacted", 2, &[("cleanup.policy", "compact")]);
    let records = json!([
        {"key": 1, "value": 1, "partition": 0},
        {"value": 2, "partition": 0},
        {"key": 3, "value": 3, "partition": 1},
        {"key": 4, "value": 4, "partition": 9},
    ]);
    let reply = server.post("/topics/compacted", JSON, &json!({"records": records})).await;
    let codes: Vec<&Value> = reply["offsets"].as_array().unwrap().iter().map(|record| &record["error_code"]).collect();
    assert_eq!(codes, [&json!(50002), &json!(50002), &Value::Null, &json!(50003)]);
    assert!(reply["offsets"][0]["error"].as_str().unwrap().contains("part of a batch"), "{reply}");
    assert_eq!(
        reply["offsets"][1]["error"],
        "Compacted topic cannot accept message without key in topic partition compacted-0."
    );
    assert_eq!(server.records("c", "compacted", 0), [None::<String>; 0]);
}

#[tokio::test]
async fn of_two_topics_with_one_name_the_newer_clusters_is_meant() {
    let server = Server::start(&["old", "new"]).await;
    server.create("old", "both", 1, &[]);
    server.create("new", "both", 2, &[]);
    server.create("old", "only-old", 1, &[]);
    let record = json!({"records": [{"value": 1}]});
    server.post("/topics/both", JSON, &record).await;
    server.post("/topics/only-old", JSON, &record).await;
    assert_eq!(server.records("new", "both", 0).len(), 2);
    assert_eq!(server.records("old", "both", 0).len(), 0);
    assert_eq!(server.records("old", "only-old", 0).len(), 2);
    assert_eq!(server.get("/topics").await, json!(["both", "only-old"]));
    assert_eq!(server.get("/topics/both/partitions").await.as_array().unwrap().len(), 2);
    assert_eq!(server.get("/topics/both/partitions/0/offsets").await, json!({"beginning_offset": 0, "end_offset": 1}));
    assert_eq!(server.get("/brokers").await, json!({"brokers": [1, 2, 3]}));
}

#[tokio::test]
async fn without_a_cluster_there_is_nothing() {
    let server = Server::start(&[]).await;
    assert_eq!(server.get("/topics").await, json!([]));
    assert_eq!(server.get("/brokers").await, json!({"brokers": []}));
    let refused = json!({"error_code": 40401, "message": "Topic not found."});
    assert_eq!(server.get("/topics/t").await, refused);
    assert_eq!(server.post("/topics/t", JSON, &json!({"records": [{"value": 1}]})).await, refused);
}
