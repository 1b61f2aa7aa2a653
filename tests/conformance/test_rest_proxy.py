"""The REST proxy, as `requests` and curl meet it.

What is expected is from Confluent's reference (https://docs.confluent.io/platform/7.2/kafka-rest/api.html). Where that
gives codes of 1 and 2 for records that failed, 50002 and 50003 are expected, which is what servers send
(https://github.com/confluentinc/kafka-rest/issues/281).
"""

import base64
import json
import shutil
import subprocess
import time

import pytest
import requests
from confluent_kafka import Consumer, Producer, TopicPartition

from waiting import answering

V2 = "application/vnd.kafka.v2+json"
JSON = "application/vnd.kafka.json.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"


@pytest.fixture(scope="module")
def proxy(sandbox):
    """The base URL of the proxy, which answers."""
    return answering(sandbox.private("addresses")["rest_proxy"])


@pytest.fixture(scope="module")
def cluster(sandbox):
    return sandbox.private("cluster", {"name": "conformance-rest-proxy", "region": "us-east-1"})["clusterArn"]


@pytest.fixture
def make(client, cluster, unique):
    """make(partitions=3, **configs) is the name of a new topic."""

    def create(partitions=3, **configs):
        name = unique("topic")
        encoded = {"Configs": base64.b64encode(json.dumps(configs).encode()).decode()} if configs else {}
        client("kafka").create_topic(
            ClusterArn=cluster, TopicName=name, PartitionCount=partitions, ReplicationFactor=3, **encoded
        )
        return name

    return create


def post(url, *records, media=JSON, **more):
    return requests.post(url, json={"records": list(records), **more}, headers={"Content-Type": media}, timeout=30)


def told(reply):
    """The parts of a reply that say what became of each record."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == V2
    body = reply.json()
    assert list(body) == ["offsets", "key_schema_id", "value_schema_id"]
    assert (body["key_schema_id"], body["value_schema_id"]) == (None, None)
    assert all(list(offset) == ["partition", "offset", "error_code", "error"] for offset in body["offsets"])
    return body["offsets"]


def appended(partition, offset):
    return {"partition": partition, "offset": offset, "error_code": None, "error": None}


def offsets(proxy, topic, partition):
    return requests.get(f"{proxy}/topics/{topic}/partitions/{partition}/offsets", timeout=30).json()


def refused(reply, status, code, message=None):
    assert (reply.status_code, reply.json()["error_code"]) == (status, code), reply.text
    assert list(reply.json()) == ["error_code", "message"]
    if message is not None:
        assert reply.json()["message"] == message


def test_the_posts_of_the_course(proxy, make):
    topic = make(partitions=1)
    pin = {"index": 1, "unique_id": "u", "title": "Ä title", "follower_count": "1M", "downloaded": 1}
    reply = requests.post(
        f"{proxy}/topics/{topic}",
        headers={"Content-Type": JSON},
        data=json.dumps({"records": [{"value": pin}]}),
        timeout=30,
    )
    assert reply.text == (
        '{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null}],'
        '"key_schema_id":null,"value_schema_id":null}'
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl(proxy, make):
    topic = make(partitions=1)
    command = ["curl", "--silent", "--show-error", "--include", "-X", "POST", "-H", f"Content-Type: {JSON}"]
    body = '{"records":[{"value":{"name":"a"}},{"value":{"name":"b"}}]}'
    reply = subprocess.run(
        [*command, "--data", body, f"{proxy}/topics/{topic}"], check=True, capture_output=True, text=True
    ).stdout
    head, _, text = reply.partition("\r\n\r\n") if "\r\n\r\n" in reply else reply.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK")
    assert [offset["offset"] for offset in json.loads(text)["offsets"]] == [0, 1]
    # Without the header curl sends a form.
    wrong = subprocess.run(
        ["curl", "--silent", "--data", body, f"{proxy}/topics/{topic}"], check=True, capture_output=True, text=True
    ).stdout
    assert json.loads(wrong) == {"error_code": 415, "message": "HTTP 415 Unsupported Media Type"}


def test_keys_choose_the_partition_as_java_does(proxy, make):
    topic = make(partitions=4)
    # murmur2 of kafka-python's and Java's tests: the keys are bytes, so they are sent as such.
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    records = [{"key": base64.b64encode(key).decode(), "value": "dg=="} for key in vectors]
    partitions = [offset["partition"] for offset in told(post(f"{proxy}/topics/{topic}", *records, media=BINARY))]
    assert partitions == [(hash & 0x7FFFFFFF) % 4 for hash in vectors.values()]
    # A JSON key is partitioned by its JSON text.
    text = base64.b64encode(b'{"id":7}').decode()
    as_binary = told(post(f"{proxy}/topics/{topic}", {"key": text, "value": "dg=="}, media=BINARY))
    as_json = told(post(f"{proxy}/topics/{topic}", {"key": {"id": 7}, "value": 1}))
    assert as_json[0]["partition"] == as_binary[0]["partition"]


def test_a_kafka_client_reads_what_was_posted_and_partitions_alike(proxy, make, client, cluster):
    topic = make(partitions=4)
    servers = client("kafka").get_bootstrap_brokers(ClusterArn=cluster)["BootstrapBrokerString"]
    sent = [(f"key-{number}".encode(), bytes([number, 0, 255])) for number in range(50)]
    encoded = [{"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()} for key, value in sent]
    posted = told(post(f"{proxy}/topics/{topic}", *encoded, media=BINARY))
    posted += told(post(f"{proxy}/topics/{topic}", {"key": "ä", "value": {"b": 1.50, "a": [None]}}, {"value": None}))
    sent += [('"ä"'.encode(), b'{"b":1.5,"a":[null]}'), (None, None)]
    expected = {(at["partition"], at["offset"], key, value) for at, (key, value) in zip(posted, sent)}

    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(4)])
    read = set()
    deadline = time.monotonic() + 30
    while len(read) < len(expected) and time.monotonic() < deadline:
        for message in consumer.consume(100, timeout=0.5):
            assert message.error() is None, message.error()
            read.add((message.partition(), message.offset(), message.key(), message.value()))
    consumer.close()
    assert read == expected

    # librdkafka's own murmur2 chooses the same partitions.
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2"})
    chosen = {}
    for key, value in sent[:51]:
        producer.produce(topic, value, key, callback=lambda _, message: chosen.update({message.key(): message.partition()}))
    assert producer.flush(30) == 0
    assert chosen == {key: at["partition"] for at, (key, _) in zip(posted[:51], sent)}


def test_records_without_keys_go_to_all_partitions_in_turn(proxy, make):
    topic = make(partitions=3)
    posts = [told(post(f"{proxy}/topics/{topic}", {"value": 1}, {"value": 2})) for _ in range(6)]
    assert all(first["partition"] == second["partition"] for first, second in posts)
    assert sorted(first["partition"] for first, _ in posts) == [0, 0, 1, 1, 2, 2]


def test_partitions_can_be_named(proxy, make):
    topic = make(partitions=3)
    url = f"{proxy}/topics/{topic}"
    assert told(post(url, {"value": 1, "partition": 2}, {"value": 2, "partition": 0}, {"value": 3, "partition": 2})) == [
        appended(2, 0),
        appended(0, 0),
        appended(2, 1),
    ]
    assert told(post(f"{url}/partitions/1", {"value": 4}, {"key": "k", "value": 5})) == [appended(1, 0), appended(1, 1)]
    assert offsets(proxy, topic, 2) == {"beginning_offset": 0, "end_offset": 2}


def test_a_record_that_fails_leaves_the_others_alone(proxy, make):
    topic = make(partitions=1)
    records = [{"value": 1}, {"value": 2, "partition": 7}, {"value": "x" * 1_100_000}, {"value": 3}]
    first, missing, large, last = told(post(f"{proxy}/topics/{topic}", *records))
    assert (first, last) == (appended(0, 0), appended(0, 1))
    assert (missing["partition"], missing["offset"], missing["error_code"]) == (None, None, 50003)
    assert f"Partition 7 of topic {topic} with partition count 1" in missing["error"]
    assert (large["partition"], large["offset"], large["error_code"]) == (None, None, 50002)
    assert "max.request.size" in large["error"]


def test_the_topics_own_limits_hold(proxy, make):
    compacted = make(partitions=1, **{"cleanup.policy": "compact"})
    (refusal,) = told(post(f"{proxy}/topics/{compacted}", {"value": 1}))
    assert refusal["error_code"] == 50002
    assert refusal["error"] == f"Compacted topic cannot accept message without key in topic partition {compacted}-0."
    assert told(post(f"{proxy}/topics/{compacted}", {"key": "k", "value": 1})) == [appended(0, 0)]
    # Smaller batches are made where a topic takes no large ones, and a record that is too large alone is refused.
    narrow = make(partitions=1, **{"max.message.bytes": "1000"})
    records = [{"value": "x" * 400} for _ in range(5)] + [{"value": "x" * 2000}]
    *fitting, large = told(post(f"{proxy}/topics/{narrow}", *records))
    assert fitting == [appended(0, offset) for offset in range(5)]
    assert large["error_code"] == 50002 and "larger than the max message size" in large["error"]


def test_many_records_in_a_post(proxy, make):
    topic = make(partitions=3)
    records = [{"key": number, "value": {"number": number, "text": "y" * 200}} for number in range(10_000)]
    reply = told(post(f"{proxy}/topics/{topic}", *records))
    assert len(reply) == 10_000 and all(offset["error_code"] is None for offset in reply)
    seen = {(offset["partition"], offset["offset"]) for offset in reply}
    assert len(seen) == 10_000
    assert sum(offsets(proxy, topic, partition)["end_offset"] for partition in range(3)) == 10_000


@pytest.mark.parametrize(
    ("media", "body", "status", "code", "message"),
    [
        (JSON, "{}", 422, 422, None),
        (JSON, '{"records":[]}', 422, 422, None),
        (JSON, '{"records":[{"value":1}],"extra":1}', 422, 422, "Unrecognized field: extra"),
        (JSON, '{"records":[{"value":1,"partition":-1}]}', 422, 422, None),
        (JSON, '{"records":', 400, 400, None),
        (JSON, '{"records":{"value":1}}', 400, 400, None),
        (BINARY, '{"records":[{"value":"no base64"}]}', 422, 422, "Record value contains invalid base64 encoding"),
        (BINARY, '{"records":[{"key":"?","value":""}]}', 422, 422, "Record key contains invalid base64 encoding"),
        ("application/json", '{"records":[{"value":1}]}', 415, 415, "HTTP 415 Unsupported Media Type"),
        ("application/vnd.kafka.avro.v2+json", '{"records":[{"value":1}]}', 422, 42206, None),
        ("application/vnd.kafka.protobuf.v2+json", '{"records":[{"value":1}]}', 422, 42206, None),
        ("application/vnd.kafka.jsonschema.v2+json", '{"records":[{"value":1}]}', 422, 42206, None),
    ],
)
def test_a_post_that_is_refused_leaves_nothing(proxy, make, media, body, status, code, message):
    topic = make(partitions=1)
    reply = requests.post(f"{proxy}/topics/{topic}", data=body, headers={"Content-Type": media}, timeout=30)
    refused(reply, status, code, message)
    assert offsets(proxy, topic, 0) == {"beginning_offset": 0, "end_offset": 0}


def test_what_is_not_there(proxy, make):
    topic = make(partitions=2)
    nowhere = f"{proxy}/topics/not-{topic}"
    for reply in [
        post(nowhere, {"value": 1}),
        requests.get(nowhere, timeout=30),
        requests.get(f"{nowhere}/partitions", timeout=30),
        requests.get(f"{nowhere}/partitions/0", timeout=30),
    ]:
        refused(reply, 404, 40401, "Topic not found.")
        assert reply.headers["Content-Type"] == V2
    for reply in [
        post(f"{proxy}/topics/{topic}/partitions/2", {"value": 1}),
        requests.get(f"{proxy}/topics/{topic}/partitions/2", timeout=30),
        requests.get(f"{proxy}/topics/{topic}/partitions/2/offsets", timeout=30),
    ]:
        refused(reply, 404, 40402, "Partition not found.")
    refused(requests.get(f"{proxy}/topic", timeout=30), 404, 404, "HTTP 404 Not Found")
    refused(requests.put(f"{proxy}/topics/{topic}", timeout=30), 405, 405, "HTTP 405 Method Not Allowed")
    refused(requests.get(f"{proxy}/topics", headers={"Accept": "text/html"}, timeout=30), 406, 406, "HTTP 406 Not Acceptable")
    for path in ["consumers/group/instances/one/records", "v3/clusters"]:
        reply = requests.get(f"{proxy}/{path}", timeout=30)
        refused(reply, 404, 404)
        assert "the sandbox's REST proxy has no" in reply.json()["message"]


def test_what_is_there(proxy, make):
    topic = make(partitions=2, **{"retention.ms": "1000"})
    assert requests.get(proxy, timeout=30).json() == {}
    assert requests.get(f"{proxy}/brokers", timeout=30).json() == {"brokers": [1, 2, 3]}
    listed = requests.get(f"{proxy}/topics", timeout=30)
    assert topic in listed.json() and listed.headers["Content-Type"] == V2
    described = requests.get(f"{proxy}/topics/{topic}", timeout=30).json()
    assert list(described) == ["name", "configs", "partitions"]
    assert described["name"] == topic
    assert (described["configs"]["retention.ms"], described["configs"]["cleanup.policy"]) == ("1000", "delete")
    first, second = described["partitions"]
    assert (first["partition"], second["partition"]) == (0, 1)
    for partition in (first, second):
        assert sorted(replica["broker"] for replica in partition["replicas"]) == [1, 2, 3]
        assert all(replica["in_sync"] for replica in partition["replicas"])
        assert [replica["broker"] for replica in partition["replicas"] if replica["leader"]] == [partition["leader"]]
    assert requests.get(f"{proxy}/topics/{topic}/partitions", timeout=30).json() == [first, second]
    assert requests.get(f"{proxy}/topics/{topic}/partitions/1", timeout=30).json() == second


def test_pages_of_other_origins_may_post(proxy, make):
    topic = make(partitions=1)
    url = f"{proxy}/topics/{topic}"
    asks = {
        "Origin": "http://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = requests.options(url, headers=asks, timeout=30)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    for target, status in [(url, 200), (f"{proxy}/topics/nowhere", 404)]:
        body = {"records": [{"value": 1}]}
        headers = {"Content-Type": JSON, "Origin": "http://page.example"}
        reply = requests.post(target, json=body, headers=headers, timeout=30)
        assert reply.status_code == status
        assert reply.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert "Access-Control-Allow-Origin" not in post(url, {"value": 1}).headers
