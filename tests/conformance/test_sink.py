"""MSK Connect's worker: records that Kafka clients and the REST proxy take become objects that boto3 reads.

What objects are called and hold is from Confluent's reference
(https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html).
"""

import collections
import gzip
import io
import json
import os
import signal
import threading
import time
import zipfile

import pytest
import requests
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from sandbox import running
from waiting import answering, eventually

SECONDS = 60
SINK = "io.confluent.connect.s3.S3SinkConnector"
STORAGE = "io.confluent.connect.s3.storage.S3Storage"
JSON_FORMAT = "io.confluent.connect.s3.format.json.JsonFormat"
BYTES_FORMAT = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
PARTITIONERS = "io.confluent.connect.storage.partitioner."
CLASSES = [SINK, STORAGE, JSON_FORMAT, BYTES_FORMAT]
CLASSES += [f"{PARTITIONERS}{kind}Partitioner" for kind in ("Default", "Field", "TimeBased", "Hourly", "Daily")]
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


def archive():
    """A ZIP with a JAR that has the classes."""
    jar, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(jar, "w") as file:
        for name in CLASSES:
            file.writestr(name.replace(".", "/") + ".class", b"\xca\xfe\xba\xbe")
    with zipfile.ZipFile(outer, "w") as file:
        file.writestr("s3/lib/s3.jar", jar.getvalue())
    return outer.getvalue()


class Place:
    """A cluster, a bucket, a plugin and a role, for connectors to work with."""

    def __init__(self, sandbox, name):
        self.sandbox, self.name = sandbox, name
        self.connect, self.kafka = sandbox.client("kafkaconnect"), sandbox.client("kafka")
        self.s3, self.iam = sandbox.client("s3"), sandbox.client("iam")
        self.cluster = sandbox.private("cluster", {"name": name, "region": "us-east-1"})["clusterArn"]
        self.strings = self.kafka.get_bootstrap_brokers(ClusterArn=self.cluster)
        self.servers = self.strings["BootstrapBrokerString"]
        self.bucket = name
        self.s3.create_bucket(Bucket=name)
        self.s3.put_object(Bucket=name, Key="plugin.zip", Body=archive())
        location = {"s3Location": {"bucketArn": f"arn:aws:s3:::{name}", "fileKey": "plugin.zip"}}
        plugin = self.connect.create_custom_plugin(name=name, contentType="ZIP", location=location)
        self.plugin = plugin["customPluginArn"]
        eventually(
            lambda: self.connect.describe_custom_plugin(customPluginArn=self.plugin)["customPluginState"],
            lambda state: state == "ACTIVE",
        )
        self.role = self.make_role(name)
        # Kept: a client that goes away takes its requests with it.
        self.admin = AdminClient({"bootstrap.servers": self.servers})

    def make_role(self, name):
        principal = {"Service": "kafkaconnect.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.allow(name, ["kafka-cluster:*", "s3:*"])
        return arn

    def allow(self, role, actions):
        """Lets a role do these things, and nothing else."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=role, PolicyName="rights", PolicyDocument=document)

    def make_topic(self, topic, partitions=1):
        self.admin.create_topics([NewTopic(topic, partitions, 3)])[topic].result(SECONDS)
        return topic

    def start(self, name, topics, changes=None, role=None):
        """The ARN of a connector that is RUNNING."""
        config = {
            "connector.class": SINK,
            "storage.class": STORAGE,
            "format.class": JSON_FORMAT,
            "s3.bucket.name": self.bucket,
            "s3.region": "us-east-1",
            "topics": topics,
            "flush.size": "2",
            "tasks.max": "3",
            "value.converter": JSON_CONVERTER,
            "value.converter.schemas.enable": "false",
            **(changes or {}),
        }
        vpc = {"subnets": ["subnet-0a", "subnet-0b"], "securityGroups": ["sg-0a"]}
        servers = self.strings["BootstrapBrokerStringSaslIam"]
        request = dict(
            connectorName=name,
            capacity={"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
            connectorConfiguration={key: value for key, value in config.items() if value is not None},
            kafkaCluster={"apacheKafkaCluster": {"bootstrapServers": servers, "vpc": vpc}},
            kafkaClusterClientAuthentication={"authenticationType": "IAM"},
            kafkaClusterEncryptionInTransit={"encryptionType": "TLS"},
            kafkaConnectVersion="3.7.x",
            plugins=[{"customPlugin": {"customPluginArn": self.plugin, "revision": 1}}],
            serviceExecutionRoleArn=role or self.role,
        )
        made = eventually(lambda: self._submit(request), bool)
        assert self.reach(made["connectorArn"], "RUNNING", "FAILED")["connectorState"] == "RUNNING"
        return made["connectorArn"]

    def _submit(self, request):
        """What a request answers; nothing while its role is so new that it can't be assumed."""
        try:
            return self.connect.create_connector(**request)
        except self.connect.exceptions.BadRequestException as error:
            if "cannot be assumed" in str(error):
                return None
            raise

    def reach(self, arn, *states):
        describe = lambda: self.connect.describe_connector(connectorArn=arn)
        return eventually(describe, lambda connector: connector["connectorState"] in states)

    def keys(self, topic, folder="topics"):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{folder}/{topic}/")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def objects(self, topic, count, folder="topics"):
        """The objects of a topic, once there are so many, by their keys without the folders that all have."""
        keys = eventually(lambda: self.keys(topic, folder), lambda keys: len(keys) >= count, SECONDS)
        return {key.removeprefix(f"{folder}/{topic}/"): self.read(key) for key in keys}

    def lines(self, topic):
        return [line for key in self.keys(topic) for line in self.read(key).splitlines()]

    def log(self, connector):
        return "\n".join(self.sandbox.private(f"worker-log?connector={connector}&lines=1000")["lines"])


@pytest.fixture(scope="module")
def place(sandbox, worker_id):
    return Place(sandbox, f"conformance-sink-{worker_id}")


@pytest.fixture
def topic(place, unique):
    return place.make_topic(unique("topic"))


@pytest.fixture
def begin(place, unique):
    """begin(topics, changes) is the name and the ARN of a connector that is RUNNING; it is deleted in the end."""
    begun = []

    def start(topics, changes=None, **more):
        name = unique("sink")
        begun.append(place.start(name, topics, changes, **more))
        return name, begun[-1]

    yield start
    for arn in begun:
        place.reach(arn, "RUNNING", "FAILED", "PAUSED")
        place.connect.delete_connector(connectorArn=arn)


@pytest.fixture(scope="module")
def producer(place):
    producer = Producer({"bootstrap.servers": place.servers, "linger.ms": 5})
    yield producer
    producer.flush(SECONDS)


def send(producer, topic, *values, **more):
    for value in values:
        encoded = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        producer.produce(topic, encoded, **more)
    assert producer.flush(SECONDS) == 0


def test_what_is_posted_to_the_rest_proxy_is_in_objects(place, begin, topic):
    begin(topic)
    proxy = answering(place.sandbox.private("addresses")["rest_proxy"])
    records = [{"value": {"index": number, "title": f"pin {number} é", "rate": 1.0}} for number in range(5)]
    posted = requests.post(
        f"{proxy}/topics/{topic}",
        json={"records": records},
        headers={"Content-Type": "application/vnd.kafka.json.v2+json"},
        timeout=30,
    )
    assert posted.status_code == 200, posted.text
    expected = [json.dumps(record["value"], separators=(",", ":"), ensure_ascii=False) + "\n" for record in records]
    assert place.objects(topic, 2) == {
        f"partition=0/{topic}+0+0000000000.json": "".join(expected[:2]).encode(),
        f"partition=0/{topic}+0+0000000002.json": "".join(expected[2:4]).encode(),
    }
    head = place.s3.head_object(Bucket=place.bucket, Key=place.keys(topic)[0])
    assert head["ContentType"] == "application/octet-stream"
    assert head["ETag"].endswith('-1"')


def test_each_record_of_many_is_in_one_object_and_offsets_are_committed(place, begin, producer, unique):
    topic = place.make_topic(unique("topic"), 3)
    name, _ = begin(topic, {"flush.size": "50"})
    for number in range(3000):
        producer.produce(topic, json.dumps({"n": number}).encode(), partition=number % 3)
    assert producer.flush(SECONDS) == 0
    objects = place.objects(topic, 60)
    assert sorted(objects)[:2] == [f"partition=0/{topic}+0+0000000000.json", f"partition=0/{topic}+0+0000000050.json"]
    numbers = [json.loads(line)["n"] for contents in objects.values() for line in contents.splitlines()]
    assert sorted(numbers) == list(range(3000))
    consumer = Consumer({"bootstrap.servers": place.servers, "group.id": f"connect-{name}"})
    partitions = [TopicPartition(topic, number) for number in range(3)]
    committed = lambda: [partition.offset for partition in consumer.committed(partitions, SECONDS)]
    eventually(committed, lambda offsets: offsets == [1000, 1000, 1000])
    consumer.close()


def test_topics_and_partitions_that_come_later_are_read_too(place, begin, producer, unique):
    prefix = unique("grow")
    first = place.make_topic(f"{prefix}.a")
    begin(None, {"topics.regex": f"{prefix}\\..*", "flush.size": "1"})
    other = place.make_topic(f"{prefix}-other")
    later = place.make_topic(f"{prefix}.b")
    send(producer, other, 0)
    send(producer, later, 1)
    assert list(place.objects(later, 1)) == [f"partition=0/{later}+0+0000000000.json"]
    place.admin.create_partitions([NewPartitions(first, 2)])[first].result(SECONDS)
    grown = lambda: len(place.admin.list_topics(first, SECONDS).topics[first].partitions)
    eventually(grown, lambda partitions: partitions == 2)
    fresh = Producer({"bootstrap.servers": place.servers})
    send(fresh, first, 2, partition=1)
    assert place.objects(first, 1) == {f"partition=1/{first}+1+0000000000.json": b"2\n"}
    assert place.keys(other) == []


def test_the_time_of_records_decides_where_they_go(place, begin, producer, topic):
    changes = {
        "partitioner.class": f"{PARTITIONERS}TimeBasedPartitioner",
        "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
        "partition.duration.ms": "3600000",
        "locale": "en-US",
        "timezone": "Europe/Paris",
        "timestamp.extractor": "RecordField",
        "timestamp.field": "at",
        "topics.dir": "by-time",
        "flush.size": "4",
        "s3.compression.type": "gzip",
    }
    begin(topic, changes)
    times = ["2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z", "2024-03-31T00:45:00", "2024-03-31T02:30:00+02:00"]
    send(producer, topic, *({"at": at} for at in times))
    objects = place.objects(topic, 2, "by-time")
    read = {key: [json.loads(line)["at"] for line in gzip.decompress(body).splitlines()] for key, body in objects.items()}
    # Between the two, clocks went from 2 to 3.
    assert read == {
        f"year=2024/month=03/day=31/hour=01/{topic}+0+0000000000.json.gz": [times[0], times[2], times[3]],
        f"year=2024/month=03/day=31/hour=03/{topic}+0+0000000001.json.gz": [times[1]],
    }


def test_fields_decide_where_records_with_schemas_go(place, begin, producer, topic):
    changes = {
        "partitioner.class": f"{PARTITIONERS}FieldPartitioner",
        "partition.field.name": "country,code",
        "value.converter.schemas.enable": "true",
        "flush.size": "3",
    }
    begin(topic, changes)
    fields = [{"field": "country", "type": "string"}, {"field": "code", "type": "int32"}]
    schema = {"type": "struct", "fields": fields}
    values = [("fr", 1), ("de", 2), ("fr", 1)]
    records = ({"schema": schema, "payload": {"code": code, "country": country}} for country, code in values)
    send(producer, topic, *records)
    assert place.objects(topic, 2) == {
        f"country=fr/code=1/{topic}+0+0000000000.json": b'{"country":"fr","code":1}\n' * 2,
        f"country=de/code=2/{topic}+0+0000000001.json": b'{"country":"de","code":2}\n',
    }


def test_bytes_are_written_as_they_are(place, begin, producer, topic):
    changes = {
        "format.class": BYTES_FORMAT,
        "format.bytearray.extension": ".raw",
        "format.bytearray.separator": "|",
        "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter.schemas.enable": None,
    }
    begin(topic, changes)
    send(producer, topic, b"\x00\xff", b"text")
    assert place.objects(topic, 1) == {f"partition=0/{topic}+0+0000000000.raw": b"\x00\xff|text|"}


def test_a_schedule_writes_what_there_is(place, begin, producer, topic):
    begin(topic, {"flush.size": "1000", "rotate.schedule.interval.ms": "1000", "timezone": "UTC"})
    send(producer, topic, 1)
    assert place.objects(topic, 1) == {f"partition=0/{topic}+0+0000000000.json": b"1\n"}


def test_a_paused_connector_waits_and_a_changed_one_goes_on_as_it_is_told(place, begin, producer, topic):
    _, arn = begin(topic)
    send(producer, topic, 0, 1)
    place.objects(topic, 1)
    place.connect.pause_connector(connectorArn=arn)
    place.reach(arn, "PAUSED")
    send(producer, topic, 2, 3, 4)
    time.sleep(2)
    assert len(place.keys(topic)) == 1
    place.connect.resume_connector(connectorArn=arn)
    assert len(place.objects(topic, 2)) == 2
    connector = place.reach(arn, "RUNNING")
    place.connect.update_connector(
        connectorArn=arn,
        currentVersion=connector["currentVersion"],
        connectorConfiguration={**connector["connectorConfiguration"], "flush.size": "1"},
    )
    place.reach(arn, "UPDATING")
    place.reach(arn, "RUNNING")
    assert place.objects(topic, 3)[f"partition=0/{topic}+0+0000000004.json"] == b"4\n"


def test_records_that_cannot_be_read_go_to_the_topic_for_them(place, begin, producer, topic, unique):
    dead = unique("dead")
    changes = {
        "errors.tolerance": "all",
        "errors.log.enable": "true",
        "errors.deadletterqueue.topic.name": dead,
        "errors.deadletterqueue.context.headers.enable": "true",
        "behavior.on.null.values": "ignore",
        "flush.size": "1",
    }
    name, _ = begin(topic, changes)
    send(producer, topic, b"hello", key="k", headers={"own": b"1"})
    send(producer, topic, None, {"n": 1})
    assert place.objects(topic, 1) == {f"partition=0/{topic}+0+0000000002.json": b'{"n":1}\n'}
    consumer = Consumer({"bootstrap.servers": place.servers, "group.id": dead, "auto.offset.reset": "earliest"})
    consumer.subscribe([dead])
    letters = []
    eventually(lambda: letters.extend(consumer.consume(2, 1)) or letters, lambda letters: len(letters) == 2, SECONDS)
    consumer.close()
    letter, null = letters
    assert (letter.key(), letter.value(), null.value()) == (b"k", b"hello", None)
    headers = {key: value.decode() for key, value in letter.headers()}
    assert headers["own"] == "1"
    assert headers["__connect.errors.topic"] == topic
    assert headers["__connect.errors.stage"] == "VALUE_CONVERTER"
    assert headers["__connect.errors.exception.class.name"] == "org.apache.kafka.connect.errors.DataException"
    assert "Executing stage 'VALUE_CONVERTER'" in place.log(name)


def test_a_record_that_cannot_be_read_fails_a_connector_that_tolerates_nothing(place, begin, producer, topic):
    name, arn = begin(topic)
    send(producer, topic, b"hello")
    why = place.reach(arn, "FAILED")["stateDescription"]
    assert "Converting byte[] to Kafka Connect data failed due to serialization error" in why["message"]
    assert "ERROR" in place.log(name)


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        (["kafka-cluster:*", "s3:ListBucket"], "s3:PutObject"),
        (["kafka-cluster:Connect", "kafka-cluster:*Group", "kafka-cluster:DescribeTopic", "s3:*"], "kafka-cluster:ReadData"),
    ],
)
def test_a_role_that_lost_a_right_fails_its_connector(place, begin, producer, topic, unique, kept, lost):
    role = unique("role")
    name, arn = begin(topic, role=place.make_role(role))
    send(producer, topic, 0, 1)
    place.objects(topic, 1)
    place.allow(role, kept)
    send(producer, topic, 2, 3)
    why = place.reach(arn, "FAILED")["stateDescription"]
    assert why["code"] == "InvalidInput.InsufficientPermissions"
    assert lost in why["message"]
    assert len(place.keys(topic)) == 1
    assert lost in place.log(name)


def test_what_nobody_knows_is_a_warning_and_what_the_sandbox_lacks_is_an_error(place, begin, topic, unique):
    name, _ = begin(topic, {"flush.sizes": "1"})
    warning = f"WARN [{name}|task-0] The configuration 'flush.sizes' was supplied but isn't a known config."
    eventually(lambda: place.log(name), lambda log: warning in log)
    with pytest.raises(AssertionError):
        place.start(unique("sink"), topic, {"store.kafka.keys": "true"})
    failed = place.connect.list_connectors(connectorNamePrefix="sink-")["connectors"]
    failed = [connector for connector in failed if connector["connectorState"] == "FAILED"]
    messages = [place.connect.describe_connector(connectorArn=one["connectorArn"])["stateDescription"]["message"] for one in failed]
    assert any("store.kafka.keys: The sandbox's worker doesn't implement it" in message for message in messages)


@pytest.mark.timeout(180)
def test_a_sandbox_that_is_killed_loses_and_doubles_nothing(tmp_path):
    topic, acknowledged = "killed", set()

    def produce(servers, numbers):
        def told(error, record):
            assert error is None, error
            acknowledged.add(record.value())

        producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "message.timeout.ms": 60_000})
        for number in numbers:
            producer.produce(topic, json.dumps({"n": number}).encode(), on_delivery=told)
            producer.poll(0)
        assert producer.flush(SECONDS) == 0

    with running(tmp_path, "--settle", "200ms", ephemeral=False) as sandbox:
        place = Place(sandbox, "killed-while-it-writes")
        place.make_topic(topic, 2)
        place.start("sink", topic, {"flush.size": "10"})
        produce(place.servers, range(2000))
        servers = place.servers
        sending = threading.Thread(target=produce, args=(servers, range(2000, 6000)))
        sending.start()
        eventually(lambda: place.keys(topic), lambda keys: len(keys) > 20, SECONDS)
        os.kill(sandbox.private("status")["pid"], signal.SIGKILL)
    with running(tmp_path, "--settle", "200ms", ephemeral=False) as sandbox:
        sending.join(SECONDS)
        assert len(acknowledged) == 6000
        s3 = sandbox.client("s3")
        place.s3 = s3
        # What is short of ten records in a partition waits for more.
        lines = eventually(lambda: place.lines(topic), lambda lines: len(lines) > 6000 - 20, SECONDS)
        assert all(count == 1 for count in collections.Counter(lines).values())
        assert set(lines) <= {json.dumps(json.loads(value), separators=(",", ":")).encode() for value in acknowledged}
        assert all(len(place.read(key).splitlines()) == 10 for key in place.keys(topic))
