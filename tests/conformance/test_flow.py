"""Records all the way, with clients that nobody here wrote: curl posts them to the invoke URL of an applied pipeline,
confluent-kafka and kafka-python read them from the topic, boto3 lists and reads the objects.
"""

import json
import subprocess

import kafka
import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox import BINARY, ROOT, clean_environment, running
from waiting import eventually

SECONDS = 30
USER = "0a1b2c3d4e5f"
TOPIC = f"{USER}.pin"
BUCKET = f"user-{USER}-bucket"
JSON = "application/vnd.kafka.json.v2+json"


class Pipeline:
    """An applied `dev.yaml`, and what it gives."""

    def __init__(self, sandbox, manifest):
        self.manifest, self.folder = manifest, sandbox.folder
        self.tool("apply", manifest, "--yes")
        self.outputs = json.loads(self.tool("outputs", manifest, "--format", "json"))
        self.s3 = sandbox.client("s3")

    def tool(self, *arguments):
        variables = clean_environment(PIPELINE_SANDBOX_DIR=str(self.folder / "sandbox"))
        command = [BINARY, *map(str, arguments)]
        ended = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def curl(self, topic, *values, flags=()):
        body = json.dumps({"records": [{"value": value} for value in values]})
        url = f"{self.outputs['invoke_url']}/topics/{topic}"
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "-H", f"Content-Type: {JSON}", "-d", body]
        ended = subprocess.run([*command, *flags, url], capture_output=True, text=True, timeout=SECONDS)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    def objects(self, topic):
        """The records of the topic's objects, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"topics/{topic}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        read = lambda key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
        return {key: [json.loads(line) for line in read(key)] for key in keys}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    text = (ROOT / "manifests" / "dev.yaml").read_text()
    manifest = folder / "dev.yaml"
    manifest.write_text(text.replace("plugins/s3-sink", str(ROOT / "manifests" / "plugins" / "s3-sink")))
    with running(folder, "--settle", "200ms", "--lag", "100ms", ephemeral=False) as sandbox:
        yield Pipeline(sandbox, manifest)


def test_what_curl_posts_is_read_from_the_topic_and_from_the_bucket(pipeline):
    values = [{"index": number, "title": f"title {number}", "ratio": number / 7} for number in range(20)]
    answer = pipeline.curl(TOPIC, *values)
    places = {(offset["partition"], offset["offset"]) for offset in answer["offsets"]}
    assert len(places) == 20
    servers = pipeline.outputs["bootstrap_brokers_plaintext"]

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "flow-confluent", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    read = []
    while len(read) < 20:
        record = consumer.poll(SECONDS)
        assert record and not record.error()
        read.append(record)
    consumer.close()
    assert {(record.partition(), record.offset()) for record in read} == places
    assert sorted((json.loads(record.value()) for record in read), key=lambda value: value["index"]) == values

    other = kafka.KafkaConsumer(
        TOPIC,
        bootstrap_servers=servers.split(","),
        group_id="flow-kafka-python",
        auto_offset_reset="earliest",
        consumer_timeout_ms=SECONDS * 1000,
    )
    assert {(record.partition, record.offset) for record in (next(other) for _ in range(20))} == places
    other.close()

    objects = eventually(lambda: pipeline.objects(TOPIC), lambda objects: len(objects) == 20, seconds=SECONDS)
    expected = {
        f"topics/{TOPIC}/partition={offset['partition']}/{TOPIC}+{offset['partition']}+{offset['offset']:010}.json": [value]
        for offset, value in zip(answer["offsets"], values)
    }
    assert objects == expected


def test_the_sinks_group_shows_how_far_it_is(pipeline):
    topic = f"{USER}.geo"
    answer = pipeline.curl(topic, *({"ind": number} for number in range(9)))
    eventually(lambda: pipeline.objects(topic), lambda objects: len(objects) == 9, seconds=SECONDS)
    consumer = Consumer(
        {"bootstrap.servers": pipeline.outputs["bootstrap_brokers_plaintext"], "group.id": f"connect-{USER}-connector"}
    )
    ends = {}
    for offset in answer["offsets"]:
        ends[offset["partition"]] = max(ends.get(offset["partition"], 0), offset["offset"] + 1)

    def committed():
        places = consumer.committed([TopicPartition(topic, partition) for partition in ends], SECONDS)
        return {place.partition: place.offset for place in places}

    eventually(committed, lambda offsets: offsets == ends, seconds=SECONDS)
    consumer.close()


def test_a_page_of_another_origin_may_post(pipeline):
    url = f"{pipeline.outputs['invoke_url']}/topics/{TOPIC}"
    command = ["curl", "--silent", "-i", "-X", "OPTIONS", "-H", "Origin: https://example.com"]
    ended = subprocess.run(
        [*command, "-H", "Access-Control-Request-Method: POST", url], capture_output=True, text=True, timeout=SECONDS
    )
    head = ended.stdout.lower()
    assert head.startswith("http/1.1 200") and "access-control-allow-origin: *" in head, ended.stdout


def test_what_send_sends_lands(pipeline):
    """Rows of a file, one of which is none: it is told, kept, and the others land."""
    topic = f"{USER}.geo"
    before = {key for key in pipeline.objects(topic)}
    rows = pipeline.folder / "rows.jsonl"
    rows.write_text('{"ind":1,"country":"A"}\nnonsense\n{"ind":2,"country":"B"}\n')
    rejects = pipeline.folder / "rejects.jsonl"
    variables = clean_environment(PIPELINE_SANDBOX_DIR=str(pipeline.folder / "sandbox"))
    command = [BINARY, "send", pipeline.manifest, "--file", rows, "--topic", topic, "--rejects", rejects]
    ended = subprocess.run(command, cwd=pipeline.folder, env=variables, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [entry["line"] for entry in kept] == [2]

    def landed():
        return [records for key, records in pipeline.objects(topic).items() if key not in before]

    new = eventually(landed, lambda new: len(new) == 2, seconds=SECONDS)
    assert sorted(record["country"] for records in new for record in records) == ["A", "B"]
