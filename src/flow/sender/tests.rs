//! Sending to a REST proxy that refuses, delays, and forgets to answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::flow::lanes::Limits;
use crate::flow::post::Access;
use crate::flow::ranges::Range;
use crate::flow::records::{Form, Generated, Input, Kind, Rows};
use server::{Posted, Reaction, Server};

mod server;

const BATCH: usize = 20;

fn settings() -> Settings {
    Settings { concurrency: 4, count: None, duration: None, rate: None, retry_for: Duration::from_secs(20) }
}

fn lanes(topics: &[&str]) -> Lanes {
    let limits = Limits { records: BATCH, bytes: 1 << 20, linger: Duration::from_millis(30) };
    Lanes::new(topics.iter().map(|topic| (*topic).to_owned()), limits)
}

fn poster(server: &Server) -> Poster {
    Poster::new(&server.url, Access::Open, Duration::from_secs(2)).unwrap()
}

/// So many pins, without a watcher.
async fn send_pins(server: &Server, count: u64, settings: Settings) -> Summary {
    let source = Source::Generated(Generated::new([(Kind::Pin, false)], 1));
    let settings = Settings { count: Some(count), ..settings };
    send(poster(server), source, lanes(&["t.pin"]), &settings, None, &Stop::default(), |_| {}).await
}

/// The rows of a file, and what was written to the file of rejects.
async fn send_rows(server: &Server, text: &str, settings: Settings) -> (Summary, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let (rows, rejects) = (folder.path().join("rows.jsonl"), folder.path().join("rejects.jsonl"));
    std::fs::write(&rows, text).unwrap();
    let source = Source::Rows(Rows::open(&Input::File(rows), Form::JsonLines, None).unwrap());
    let to = Some(Rejects::append(&rejects).unwrap());
    let summary = send(poster(server), source, lanes(&["t"]), &settings, to, &Stop::default(), |_| {}).await;
    (summary, lines(&rejects))
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbered(count: u64) -> String {
    (1..=count).map(|number| format!("{{\"n\":{number}}}\n")).collect()
}

fn doubtful(summary: &Summary) -> Vec<(u64, u64)> {
    let ranges = summary.topics[0].retried_after_unknown_outcome.iter();
    ranges.map(|Range { first, last, .. }| (first, last)).collect()
}

fn counts(summary: &Summary) -> (u64, u64, u64, u64) {
    (summary.taken, summary.acknowledged, summary.rejected, summary.failed)
}

#[tokio::test]
async fn every_record_arrives_once_and_is_counted_by_topic() {
    let server = Server::new(|_| Reaction::Take).await;
    let source = Source::Generated(Generated::new([(Kind::Pin, false), (Kind::Geo, true)], 1));
    let settings = Settings { count: Some(1001), ..settings() };
    let lanes = lanes(&["t.pin", "t.geo"]);
    let summary = send(poster(&server), source, lanes, &settings, None, &Stop::default(), |_| {}).await;
    assert_eq!(counts(&summary), (1001, 1001, 0, 0));
    assert_eq!(summary.ending, Ending::Complete);
    assert_eq!((summary.topics[0].acknowledged, summary.topics[1].acknowledged), (501, 500));
    assert_eq!((summary.posts, summary.retries), (51, 0));
    assert_eq!(server.posts(), 51);
    assert!(server.times("t.pin", "index").into_iter().eq((1..=501).map(|index| (index, 1))));
    assert!(server.times("t.geo", "ind").into_iter().eq((1..=500).map(|index| (index, 1))));
    let latency = summary.latency.unwrap();
    assert!(latency.p50 <= latency.p95 && latency.p95 <= latency.p99 && latency.p99 <= latency.max);
}

#[tokio::test]
async fn a_post_says_what_it_is() {
    let server = Server::new(|Posted { headers, topic, .. }| {
        assert_eq!(topic, "t.pin");
        assert_eq!(headers["content-type"], "application/vnd.kafka.json.v2+json");
        if headers.get("x-api-key").map(String::as_str) == Some("the-key") {
            Reaction::Take
        } else {
            Reaction::Answer(403, r#"{"message":"Forbidden"}"#)
        }
    })
    .await;
    let refused = send_pins(&server, 1, settings()).await;
    assert!(matches!(&refused.ending, Ending::Useless(why) if why.contains("the API key is missing")), "{refused:?}");
    let poster = Poster::new(&server.url, Access::Key("the-key".to_owned()), Duration::from_secs(2)).unwrap();
    assert!(!format!("{poster:?}").contains("the-key"), "nothing of it is logged");
    let post = poster.prepare("t.pin", crate::flow::batch::Batch::of([b"1".as_slice()]));
    assert!(!format!("{post:?}").contains("the-key"), "nothing of it is logged");
    let outcomes = poster.send(&post).await.unwrap();
    assert_eq!(outcomes, [crate::flow::post::Outcome::Acknowledged { partition: 0, offset: 0 }]);
}

#[tokio::test]
async fn trouble_that_passes_is_waited_out_and_is_no_doubt_where_nothing_was_written() {
    let server = Server::new(|posted| {
        if posted.number < 4 { Reaction::Answer(429, r#"{"message":"Too Many Requests"}"#) } else { Reaction::Take }
    })
    .await;
    let summary = send_pins(&server, 200, settings()).await;
    assert_eq!(counts(&summary), (200, 200, 0, 0));
    assert_eq!((summary.posts, summary.retries, summary.in_doubt()), (14, 4, 0));
    assert!(server.times("t.pin", "index").values().all(|times| *times == 1));
}

#[tokio::test]
async fn whatever_is_there_twice_is_among_the_doubtful() {
    let server = Server::new(|posted| match posted.number {
        1 => Reaction::TakeAndDrop,
        2 => Reaction::TakeAndAnswer(504, r#"{"message":"Endpoint request timed out"}"#),
        3 => Reaction::Answer(503, ""),
        4 => Reaction::TakeAfter(Duration::from_secs(3)),
        _ => Reaction::Take,
    })
    .await;
    let summary = send_pins(&server, 400, settings()).await;
    assert_eq!(counts(&summary), (400, 400, 0, 0));
    assert_eq!((summary.retries, summary.in_doubt()), (4, 80));
    // The slow one is written after its post was given up.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let times = server.times("t.pin", "index");
    assert_eq!(times.len(), 400);
    let twice: Vec<u64> = times.iter().filter(|(_, times)| **times > 1).map(|(index, _)| *index).collect();
    assert_eq!(twice.len(), 60);
    let ranges = doubtful(&summary);
    assert!(twice.iter().all(|index| ranges.iter().any(|(first, last)| (first..=last).contains(&index))), "{ranges:?}");
}

#[tokio::test]
async fn of_a_post_only_what_was_refused_is_sent_again_or_rejected() {
    let server = Server::new(|posted| {
        let first = posted.number == 0;
        // Sevens are refused for good, and threes when they come first.
        if first {
            Reaction::Each(|value| match value["n"].as_u64().unwrap() {
                7 => Some(50002),
                3 | 4 => Some(50003),
                _ => None,
            })
        } else {
            Reaction::Each(|value| (value["n"] == 7).then_some(50002))
        }
    })
    .await;
    let (summary, rejects) = send_rows(&server, &numbered(20), settings()).await;
    assert_eq!(counts(&summary), (20, 19, 1, 0));
    assert_eq!(doubtful(&summary), [(3, 4)]);
    assert_eq!((summary.posts, server.posts()), (2, 2));
    let order: Vec<u64> = server.written("t").iter().map(|value| value["n"].as_u64().unwrap()).collect();
    assert_eq!(order[order.len() - 2..], [3, 4]);
    assert_eq!(rejects.len(), 1);
    assert_eq!((&rejects[0]["line"], &rejects[0]["record"]["n"]), (&7.into(), &7.into()));
    assert_eq!(rejects[0]["reason"], "error 50002: not this one");
}

#[tokio::test]
async fn a_record_that_spoils_its_post_is_found() {
    let server = Server::new(|posted| {
        if posted.records.iter().any(|record| record["value"]["n"] == 13) {
            Reaction::Answer(422, r#"{"error_code":422,"message":"Unprocessable"}"#)
        } else {
            Reaction::Take
        }
    })
    .await;
    let (summary, rejects) = send_rows(&server, &numbered(100), settings()).await;
    assert_eq!(counts(&summary), (100, 99, 1, 0));
    assert_eq!((&rejects[0]["line"], &rejects[0]["topic"]), (&13.into(), &"t".into()));
    assert!(rejects[0]["reason"].as_str().unwrap().contains("Unprocessable"), "{rejects:?}");
    assert!(server.posts() < 16, "it is looked for by halves: {}", server.posts());
    assert_eq!(summary.in_doubt(), 0);
    let numbers: Vec<u64> = server.written("t").iter().map(|value| value["n"].as_u64().unwrap()).collect();
    let once: std::collections::BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), once.len()), (99, 99));
}

#[tokio::test]
async fn rows_that_are_no_records_are_rejected_and_the_rest_is_sent() {
    let server = Server::new(|_| Reaction::Take).await;
    let (summary, rejects) = send_rows(&server, "{\"n\":1}\n{oops\n\n{\"n\":4}\n", settings()).await;
    assert_eq!(counts(&summary), (3, 2, 1, 0));
    assert_eq!((&rejects[0]["line"], &rejects[0]["record"]), (&2.into(), &"{oops".into()));
    assert_eq!(summary.first_lost.len(), 1);
}

#[tokio::test]
async fn a_refusal_of_everything_ends_the_run_with_its_cause() {
    for (status, body, cause) in [
        (403, r#"{"message":"Missing Authentication Token"}"#, "which deploys it"),
        (404, r#"{"error_code":40401,"message":"Topic not found."}"#, "apply the manifest"),
        (401, r#"{"message":"Unauthorized"}"#, "check `api.authorization`"),
        (200, "<html>hello</html>", "isn't a REST proxy"),
        (302, "", "not redirected"),
        (403, r#"{"offsets":[{"error_code":40301,"error":"no"}]}"#, "may not write to this topic"),
    ] {
        let server = Server::new(move |_| Reaction::Answer(status, body)).await;
        let (summary, rejects) = send_rows(&server, "1\n", settings()).await;
        assert!(
            matches!(&summary.ending, Ending::Useless(why) if why.starts_with("t: ") && why.contains(cause)),
            "{summary:?}"
        );
        assert_eq!((summary.acknowledged, rejects.len()), (0, 1));
        assert_eq!(server.posts(), 1, "{status}");
    }
    let server = Server::new(|_| Reaction::Answer(403, "")).await;
    let summary = send_pins(&server, 100_000, settings()).await;
    assert!(summary.taken <= 10 * BATCH as u64 && server.posts() <= 6, "{summary:?}");
    assert_eq!(summary.taken, summary.failed);
}

#[tokio::test]
async fn records_fail_when_their_time_is_over_and_may_be_sent_again() {
    let server = Server::new(|posted| {
        if posted.records.iter().any(|record| record["value"]["n"] == 30) {
            Reaction::Answer(500, r#"{"error_code":50002,"message":"Kafka error"}"#)
        } else {
            Reaction::Take
        }
    })
    .await;
    let short = Settings { retry_for: Duration::from_millis(600), ..settings() };
    let (summary, rejects) = send_rows(&server, &numbered(100), short).await;
    assert_eq!(counts(&summary), (100, 80, 0, 20));
    assert_eq!(summary.ending, Ending::Complete, "others got through");
    assert!(summary.retries >= 2 && summary.elapsed >= Duration::from_millis(600), "{summary:?}");
    let lines: Vec<u64> = rejects.iter().map(|lost| lost["line"].as_u64().unwrap()).collect();
    assert!(lines.iter().copied().eq(21..=40), "{lines:?}");
    assert!(rejects.iter().all(|lost| lost["may_be_written"] == true && lost["fate"] == "failed"));
    assert_eq!(doubtful(&summary), [(21, 40)]);
}

#[tokio::test]
async fn nobody_there_is_told_and_is_no_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/dev", listener.local_addr().unwrap());
    drop(listener);
    let source = Source::Generated(Generated::new([(Kind::User, false)], 1));
    let settings = Settings { count: Some(10), retry_for: Duration::from_millis(500), ..settings() };
    let poster = Poster::new(&url, Access::Open, Duration::from_secs(2)).unwrap();
    let mut told = Vec::new();
    let report = |event: Event<'_>| {
        if let Event::Again { reason, .. } = event {
            told.push(reason.to_owned());
        }
    };
    let summary = send(poster, source, lanes(&["t"]), &settings, None, &Stop::default(), report).await;
    assert_eq!((counts(&summary), summary.in_doubt()), ((10, 0, 0, 10), 0));
    let expected = format!("cannot connect to {}; check", url.trim_end_matches("/dev"));
    assert!(told.iter().all(|reason| reason.starts_with(&expected)) && !told.is_empty(), "{told:?}");
    assert!(told[0].contains("there: Connection refused"), "{told:?}");
    assert!(!summary.first_lost[0].in_doubt);
}

#[tokio::test]
async fn a_stop_takes_nothing_new_and_waits_for_what_is_under_way() {
    let server = Server::new(|_| Reaction::TakeAfter(Duration::from_millis(300))).await;
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(450)).await;
        asked.ask();
    });
    let source = Source::Generated(Generated::new([(Kind::Pin, false)], 1));
    let summary = send(poster(&server), source, lanes(&["t.pin"]), &settings(), None, &stop, |_| {}).await;
    assert_eq!(summary.ending, Ending::Stopped);
    assert_eq!((summary.taken, summary.lost()), (summary.acknowledged, 0));
    assert!((60..=200).contains(&summary.acknowledged), "{summary:?}");
    assert_eq!(server.written("t.pin").len() as u64, summary.acknowledged);
    assert_eq!(server.most_under_way(), 4);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_only_waits() {
    let server = Server::new(|_| Reaction::Answer(503, "")).await;
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        asked.ask();
    });
    let source = Source::Generated(Generated::new([(Kind::Pin, false)], 1));
    let summary = send(poster(&server), source, lanes(&["t.pin"]), &settings(), None, &stop, |_| {}).await;
    assert!(summary.elapsed < Duration::from_secs(5), "{summary:?}");
    assert_eq!((summary.taken, summary.failed), (4 * BATCH as u64, 4 * BATCH as u64));
    assert!(summary.first_lost[0].reason.contains("stopped before it was tried again"), "{summary:?}");
}

#[tokio::test]
async fn a_low_rate_is_sent_evenly_and_at_once() {
    let server = Server::new(|_| Reaction::Take).await;
    let settings = Settings { rate: Some(20.0), duration: Some(Duration::from_secs(1)), ..settings() };
    let source = Source::Generated(Generated::new([(Kind::Pin, false)], 1));
    let mut told = 0;
    let report = |event: Event<'_>| told += u32::from(matches!(event, Event::Progress(_)));
    let summary = send(poster(&server), source, lanes(&["t.pin"]), &settings, None, &Stop::default(), report).await;
    assert!((18..=22).contains(&summary.acknowledged), "{summary:?}");
    assert!(summary.posts >= 8, "none waits until a post is full: {}", summary.posts);
    assert!(told >= 3, "{told}");
}

#[tokio::test]
async fn order_is_kept_where_one_post_goes_at_a_time() {
    let server = Server::new(|_| Reaction::Take).await;
    let one = Settings { concurrency: 1, ..settings() };
    let (summary, _) = send_rows(&server, &numbered(500), one).await;
    assert_eq!(summary.acknowledged, 500);
    let written: Vec<u64> = server.written("t").iter().map(|value| value["n"].as_u64().unwrap()).collect();
    assert!(written.into_iter().eq(1..=500));
    let times: BTreeMap<u64, usize> = server.times("t", "n");
    assert_eq!(times.len(), 500);
}
