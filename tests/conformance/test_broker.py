"""The sandbox's brokers, as Kafka clients meet them: librdkafka (confluent-kafka) and kafka-python."""

import base64
import json
import os
import signal
import threading
import time

import kafka
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from kafka.admin import KafkaAdminClient

from sandbox import running
from waiting import eventually

SECONDS = 30


class Cluster:
    """A cluster that is there, its bootstrap string and its topics as MSK's API has them."""

    def __init__(self, sandbox, name):
        self.msk = sandbox.client("kafka")
        self.arn = sandbox.private("cluster", {"name": name, "region": "us-east-1"})["clusterArn"]
        strings = self.msk.get_bootstrap_brokers(ClusterArn=self.arn)
        self.servers = strings["BootstrapBrokerString"]
        # Kept: a client that goes away takes its requests with it.
        self._admin = AdminClient({"bootstrap.servers": self.servers})

    def admin(self):
        return self._admin

    def producer(self, **settings):
        return Producer({"bootstrap.servers": self.servers, "linger.ms": 5, **settings})

    def consumer(self, group, **settings):
        return Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                **settings,
            }
        )

    def create(self, topic, partitions=3, config=None):
        new = NewTopic(topic, partitions, 3, config=config or {})
        self.admin().create_topics([new])[topic].result(SECONDS)
        return topic

    def shown(self, topic):
        """The topic as MSK's API shows it; None where it doesn't."""
        try:
            return self.msk.describe_topic(ClusterArn=self.arn, TopicName=topic)
        except self.msk.exceptions.NotFoundException:
            return None


@pytest.fixture(scope="module")
def cluster(sandbox, worker_id):
    return Cluster(sandbox, f"brokers-{worker_id}")


def read(consumer, count, seconds=SECONDS):
    """The next records, as many as that."""
    records, deadline = [], time.monotonic() + seconds
    while len(records) < count:
        record = consumer.poll(0.2)
        assert time.monotonic() < deadline, f"{len(records)} of {count}"
        if record is None:
            continue
        assert not record.error(), record.error()
        records.append(record)
    return records


def send(producer, topic, values, **more):
    """Produces values, and returns where each went."""
    places = {}

    def told(error, record):
        assert error is None, error
        places[record.value()] = (record.partition(), record.offset())

    for value in values:
        producer.produce(topic, value, on_delivery=told, **more)
        producer.poll(0)
    assert producer.flush(SECONDS) == 0
    return places


def test_three_brokers_share_the_partitions(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=6)
    metadata = cluster.admin().list_topics(timeout=SECONDS)
    assert sorted(metadata.brokers) == [1, 2, 3]
    ports = {int(server.rsplit(":")[-1]) for server in cluster.servers.split(",")}
    assert {broker.port for broker in metadata.brokers.values()} == ports
    partitions = metadata.topics[topic].partitions
    assert [partitions[index].leader for index in range(6)] == [1, 2, 3, 1, 2, 3]
    assert all(len(partition.isrs) == 3 for partition in partitions.values())


def test_a_topic_of_msks_api_is_there_for_kafka_clients_with_its_configuration(cluster, unique):
    topic = unique("topic")
    configs = base64.b64encode(json.dumps({"retention.ms": "12345"}).encode()).decode()
    cluster.msk.create_topic(
        ClusterArn=cluster.arn, TopicName=topic, PartitionCount=4, ReplicationFactor=2, Configs=configs
    )
    metadata = cluster.admin().list_topics(topic, timeout=SECONDS).topics[topic]
    assert len(metadata.partitions) == 4
    assert len(metadata.partitions[0].replicas) == 2
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = cluster.admin().describe_configs([resource])[resource].result(SECONDS)
    assert (config["retention.ms"].value, config["retention.ms"].is_default) == ("12345", False)
    assert (config["cleanup.policy"].value, config["cleanup.policy"].is_default) == ("delete", True)


def test_a_topic_of_a_kafka_client_shows_up_in_msks_api(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=2, config={"retention.ms": "777"})
    shown = eventually(lambda: cluster.shown(topic), bool)
    assert (shown["PartitionCount"], shown["ReplicationFactor"], shown["Status"]) == (2, 3, "ACTIVE")
    assert "777" in base64.b64decode(shown["Configs"]).decode()
    listed = cluster.msk.list_topics(ClusterArn=cluster.arn, TopicNameFilter=topic)["Topics"]
    assert [each["TopicName"] for each in listed] == [topic]
    cluster.admin().delete_topics([topic])[topic].result(SECONDS)
    eventually(lambda: cluster.shown(topic), lambda shown: shown is None)


def test_what_kafka_refuses_is_refused(cluster, unique):
    admin = cluster.admin()
    topic = cluster.create(unique("topic"))

    def refusal(new):
        with pytest.raises(KafkaException) as error:
            admin.create_topics([new])[new.topic].result(SECONDS)
        return error.value.args[0].code()

    assert refusal(NewTopic(topic, 1, 1)) == KafkaError.TOPIC_ALREADY_EXISTS
    assert refusal(NewTopic("no/name", 1, 1)) == KafkaError.TOPIC_EXCEPTION
    assert refusal(NewTopic(unique("topic"), 1, 4)) == KafkaError.INVALID_REPLICATION_FACTOR
    assert refusal(NewTopic(unique("topic"), 1, 1, config={"no.such": "1"})) == KafkaError.INVALID_CONFIG
    assert refusal(NewTopic(unique("topic"), 0, 1)) == KafkaError.INVALID_PARTITIONS


def test_a_trial_run_creates_nothing(cluster, unique):
    topic = unique("topic")
    cluster.admin().create_topics([NewTopic(topic, 1, 1)], validate_only=True)[topic].result(SECONDS)
    assert topic not in cluster.admin().list_topics(timeout=SECONDS).topics


def test_configurations_are_changed_one_by_one(cluster, unique):
    topic = cluster.create(unique("topic"), config={"retention.ms": "1", "segment.bytes": "1000000"})
    admin = cluster.admin()

    def alter(*entries):
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=list(entries))
        admin.incremental_alter_configs([resource])[resource].result(SECONDS)

    alter(ConfigEntry("retention.ms", "2", incremental_operation=AlterConfigOpType.SET))
    alter(ConfigEntry("segment.bytes", None, incremental_operation=AlterConfigOpType.DELETE))
    alter(ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND))
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = admin.describe_configs([resource])[resource].result(SECONDS)
    assert config["retention.ms"].value == "2"
    assert config["segment.bytes"].is_default
    assert config["cleanup.policy"].value == "delete,compact"
    with pytest.raises(KafkaException):
        alter(ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_out_as_they_went_in(cluster, unique, codec):
    topic = cluster.create(unique("topic"), partitions=1)
    producer = cluster.producer(**{"compression.type": codec})
    producer.produce(topic, b"value", b"key", headers=[("h", b"1"), ("n", None)], timestamp=1700000000000)
    producer.produce(topic, None, b"tombstone")
    large = os.urandom(500_000)
    producer.produce(topic, large)
    assert producer.flush(SECONDS) == 0
    consumer = cluster.consumer(unique("group"))
    consumer.subscribe([topic])
    first, second, third = read(consumer, 3)
    consumer.close()
    assert (first.value(), first.key(), first.offset()) == (b"value", b"key", 0)
    assert first.headers() == [("h", b"1"), ("n", None)]
    assert first.timestamp()[1] == 1700000000000
    assert (second.value(), second.key(), third.value()) == (None, b"tombstone", large)


def test_a_batch_that_is_too_large_is_refused_and_a_topic_may_take_larger_ones(cluster, unique):
    small = cluster.create(unique("topic"), partitions=1)
    large = cluster.create(unique("topic"), partitions=1, config={"max.message.bytes": "4000000"})
    producer = cluster.producer(**{"message.max.bytes": 5_000_000})
    told = []
    for topic in (small, large):
        producer.produce(topic, os.urandom(3_000_000), on_delivery=lambda error, record: told.append(error))
        producer.flush(SECONDS)
    assert [error and error.code() for error in told] == [KafkaError.MSG_SIZE_TOO_LARGE, None]
    consumer = cluster.consumer(unique("group"))
    consumer.subscribe([large])
    assert len(read(consumer, 1)[0].value()) == 3_000_000
    consumer.close()


def test_a_compacted_topic_takes_no_record_without_a_key(cluster, unique):
    topic = cluster.create(unique("topic"), config={"cleanup.policy": "compact"})
    producer, told = cluster.producer(), []
    for key in (None, b"key"):
        producer.produce(topic, b"value", key, on_delivery=lambda error, record: told.append(error))
        producer.flush(SECONDS)
    assert [error and error.code() for error in told] == [KafkaError.INVALID_RECORD, None]


def test_an_idempotent_producer_keeps_order_and_doubles_nothing(cluster, unique):
    topic = cluster.create(unique("topic"))
    producer = cluster.producer(**{"enable.idempotence": True})
    values = [str(number).encode() for number in range(3000)]
    places = send(producer, topic, values)
    assert len(set(places.values())) == 3000
    consumer = cluster.consumer(unique("group"))
    consumer.subscribe([topic])
    records = read(consumer, 3000)
    consumer.close()
    assert sorted(int(record.value()) for record in records) == list(range(3000))


def test_a_topic_that_is_not_there_is_told_at_once(cluster, unique):
    producer, told = cluster.producer(**{"topic.metadata.propagation.max.ms": 500}), []
    began = time.monotonic()
    producer.produce(unique("topic"), b"value", on_delivery=lambda error, record: told.append(error))
    producer.flush(SECONDS)
    assert told[0].code() in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("door", ["msk", "kafka"])
def test_a_topic_that_grows_keeps_its_records_and_offsets(cluster, unique, door):
    topic, group = cluster.create(unique("topic"), partitions=2), unique("group")
    producer = cluster.producer()
    before = send(producer, topic, [f"old-{number}".encode() for number in range(200)])
    consumer = cluster.consumer(group)
    consumer.subscribe([topic])
    read(consumer, 120)
    consumer.commit(asynchronous=False)
    consumer.close()
    held = committed(cluster, group, topic, 2)
    assert sum(offset for offset in held.values() if offset > 0) == 120
    if door == "kafka":
        cluster.admin().create_partitions([NewPartitions(topic, 5)])[topic].result(SECONDS)
    else:
        eventually(lambda: cluster.shown(topic), bool)
        cluster.msk.update_topic(ClusterArn=cluster.arn, TopicName=topic, PartitionCount=5)
    partitions = lambda: len(cluster.admin().list_topics(topic, timeout=SECONDS).topics[topic].partitions)
    eventually(partitions, lambda count: count == 5)
    eventually(lambda: cluster.shown(topic), lambda shown: shown and shown["PartitionCount"] == 5)
    assert committed(cluster, group, topic, 2) == held
    producer = cluster.producer()
    after = {}
    for partition in range(5):
        after |= send(producer, topic, [f"new-{partition}".encode()], partition=partition)
    consumer = cluster.consumer(group)
    consumer.subscribe([topic])
    rest = read(consumer, 85)
    consumer.close()
    everything = {record.value(): (record.partition(), record.offset()) for record in rest}
    assert len(everything) == 85
    assert all({**before, **after}[value] == place for value, place in everything.items())
    assert {partition for partition, _ in everything.values()} == set(range(5))


def committed(cluster, group, topic, partitions):
    """How far a group has come, by partition."""
    consumer = cluster.consumer(group)
    places = consumer.committed([TopicPartition(topic, index) for index in range(partitions)], SECONDS)
    consumer.close()
    return {place.partition: place.offset for place in places}


def test_partitions_only_grow(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=3)
    for count in (3, 2):
        with pytest.raises(KafkaException) as error:
            cluster.admin().create_partitions([NewPartitions(topic, count)])[topic].result(SECONDS)
        assert error.value.args[0].code() == KafkaError.INVALID_PARTITIONS


def test_offsets_are_found_by_time(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=1)
    producer = cluster.producer()
    for number in range(5):
        producer.produce(topic, b"x", timestamp=1_700_000_000_000 + number * 1000)
    producer.flush(SECONDS)
    place = TopicPartition(topic, 0)

    def offset(spec):
        return cluster.admin().list_offsets({place: spec})[place].result(SECONDS).offset

    assert [offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())] == [0, 5]
    assert offset(OffsetSpec.for_timestamp(1_700_000_002_500)) == 3
    assert offset(OffsetSpec.max_timestamp()) == 4


def test_a_reader_beyond_the_end_starts_anew_as_it_asked_to(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=1)
    send(cluster.producer(), topic, [b"a", b"b"])
    consumer = cluster.consumer(unique("group"))
    consumer.assign([TopicPartition(topic, 0, 1000)])
    assert [record.value() for record in read(consumer, 2)] == [b"a", b"b"]
    consumer.close()


def test_a_waiting_reader_gets_a_record_at_once(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=1)
    consumer = cluster.consumer(unique("group"), **{"fetch.wait.max.ms": 10_000})
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert consumer.poll(2) is None
    sent = []

    def later():
        sent.append(time.monotonic())
        send(cluster.producer(), topic, [b"x"])

    threading.Timer(0.5, later).start()
    read(consumer, 1)
    assert time.monotonic() - sent[0] < 5
    consumer.close()


def test_two_members_share_and_one_takes_over(cluster, unique):
    topic, group = cluster.create(unique("topic"), partitions=4), unique("group")
    first, second = cluster.consumer(group), cluster.consumer(group)
    for consumer in (first, second):
        consumer.subscribe([topic])

    def share():
        for consumer in (first, second):
            consumer.poll(0.1)
        return len(first.assignment()), len(second.assignment())

    eventually(share, lambda counts: counts == (2, 2), seconds=SECONDS)
    described = cluster.admin().describe_consumer_groups([group])[group].result(SECONDS)
    assert (described.state.name, len(described.members)) == ("STABLE", 2)
    listed = cluster.admin().list_consumer_groups().result(SECONDS)
    assert group in [each.group_id for each in listed.valid]
    second.close()

    def alone():
        first.poll(0.1)
        return len(first.assignment())

    eventually(alone, lambda count: count == 4, seconds=SECONDS)
    with pytest.raises(KafkaException):
        cluster.admin().delete_consumer_groups([group])[group].result(SECONDS)
    first.close()
    send(cluster.producer(), topic, [b"x"])
    consumer = cluster.consumer(group)
    consumer.subscribe([topic])
    read(consumer, 1)
    consumer.commit(asynchronous=False)
    consumer.close()
    assert cluster.admin().describe_consumer_groups([group])[group].result(SECONDS).state.name == "EMPTY"
    cluster.admin().delete_consumer_groups([group])[group].result(SECONDS)
    assert set(committed(cluster, group, topic, 4).values()) == {-1001}


def test_a_topic_that_is_made_again_is_empty(cluster, unique):
    topic = cluster.create(unique("topic"), partitions=1)
    group = unique("group")
    send(cluster.producer(), topic, [b"old"])
    consumer = cluster.consumer(group)
    consumer.subscribe([topic])
    read(consumer, 1)
    consumer.commit(asynchronous=False)
    consumer.close()
    cluster.admin().delete_topics([topic])[topic].result(SECONDS)
    cluster.create(topic, partitions=1)
    assert send(cluster.producer(), topic, [b"new"]) == {b"new": (0, 0)}
    consumer = cluster.consumer(group)
    consumer.subscribe([topic])
    assert [record.value() for record in read(consumer, 1)] == [b"new"]
    consumer.close()


def test_kafka_python_produces_consumes_and_administers(cluster, unique):
    topic, group = unique("topic"), unique("group")
    servers = cluster.servers.split(",")
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([kafka.admin.NewTopic(topic, 3, 3)])
    producer = kafka.KafkaProducer(bootstrap_servers=servers, acks="all", compression_type="gzip")
    for number in range(100):
        producer.send(topic, key=str(number).encode(), value=f"value {number}".encode())
    producer.flush()
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=SECONDS * 1000,
    )
    records = [next(consumer) for _ in range(100)]
    assert {record.value for record in records} == {f"value {number}".encode() for number in range(100)}
    consumer.commit()
    consumer.close()
    offsets = cluster.admin().list_offsets(
        {TopicPartition(topic, index): OffsetSpec.latest() for index in range(3)}
    )
    ends = {place.partition: future.result(SECONDS).offset for place, future in offsets.items()}
    assert committed(cluster, group, topic, 3) == ends
    admin.delete_topics([topic])
    producer.close()
    admin.close()


def test_everything_acknowledged_outlives_a_kill(tmp_path, unique):
    """Topics, records, committed offsets and sequences of an idempotent producer."""
    topic, group = unique("topic"), unique("group")
    acknowledged = {}
    with running(tmp_path, "--settle", "200ms", ephemeral=False) as sandbox:
        cluster = Cluster(sandbox, "killed")
        cluster.create(topic)
        producer = cluster.producer(**{"enable.idempotence": True, "message.timeout.ms": 60_000})

        def told(error, record):
            assert error is None, error
            acknowledged[record.value()] = (record.partition(), record.offset())

        def produce(numbers):
            for number in numbers:
                producer.produce(topic, str(number).encode(), on_delivery=told)
                producer.poll(0)

        produce(range(2000))
        producer.flush(SECONDS)
        consumer = cluster.consumer(group)
        consumer.subscribe([topic])
        read(consumer, 500)
        consumer.commit(asynchronous=False)
        consumer.close()
        held = committed(cluster, group, topic, 3)
        produce(range(2000, 6000))
        os.kill(sandbox.private("status")["pid"], signal.SIGKILL)
        produce(range(6000, 7000))
    with running(tmp_path, "--settle", "200ms", ephemeral=False):
        # The same producer goes on: its brokers are where they were.
        assert producer.flush(60) == 0
        assert len(acknowledged) == 7000
        assert committed(cluster, group, topic, 3) == held
        consumer = cluster.consumer(unique("group"))
        consumer.subscribe([topic])
        records = read(consumer, 7000)
        assert {record.value(): (record.partition(), record.offset()) for record in records} == acknowledged
        assert consumer.poll(1) is None
        consumer.close()
