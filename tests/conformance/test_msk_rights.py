"""What policies of `kafka-cluster:*` let a Kafka client do, by which of Kafka's errors they refuse the rest, and what a
Serverless cluster lets nobody do.
"""

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic, ResourceType
from kafka.admin import KafkaAdminClient
from kafka.errors import BrokerResponseError

from msk_clients import KafkaPythonWithTokens, Librdkafka, configured
from secure_cluster import REGION, SECONDS, Role, SecureCluster, allow
from waiting import eventually


@pytest.fixture(scope="module")
def cluster(sandbox, worker_id, tmp_path_factory):
    return SecureCluster(sandbox, f"rights-{worker_id}", tmp_path_factory.mktemp("rights"))


@pytest.fixture(scope="module")
def role(sandbox, cluster, worker_id):
    """A role whose statements tests give anew."""
    return Role(sandbox, f"rights-{worker_id}", cluster.everything())


@pytest.fixture(scope="module")
def session(role):
    return role.session()


def create(clients, topic, _):
    [future] = clients.admin().create_topics([NewTopic(f"{topic}-new", 1, 3)]).values()
    future.result(SECONDS)


def delete(clients, topic, _):
    clients.admin().delete_topics([topic])[topic].result(SECONDS)


def grow(clients, topic, _):
    clients.admin().create_partitions([NewPartitions(topic, 9)])[topic].result(SECONDS)


def configure(clients, topic, _):
    resource = configured(topic, "retention.ms", "7777")
    clients.admin().incremental_alter_configs([resource])[resource].result(SECONDS)


def describe_config(clients, topic, _):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    clients.admin().describe_configs([resource])[resource].result(SECONDS)


def describe_brokers_config(clients, *_):
    resource = ConfigResource(ResourceType.BROKER, "1")
    clients.admin().describe_configs([resource])[resource].result(SECONDS)


def describe(clients, topic, _):
    error = clients.admin().list_topics(topic, timeout=SECONDS).topics[topic].error
    if error:
        raise KafkaException(error)


def describe_cluster(clients, *_):
    # librdkafka asks for Metadata instead, which needs no right.
    admin = KafkaPythonWithTokens(clients.cluster, clients.token.credentials).client(KafkaAdminClient)
    try:
        admin.describe_cluster()
    except BrokerResponseError as error:
        raise KafkaException(KafkaError(error.errno)) from error
    finally:
        admin.close()


def produce(clients, topic, _, **settings):
    producer, told = clients.producer(**settings), []
    producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
    producer.flush(SECONDS)
    if told[0]:
        raise KafkaException(told[0])


def consume(clients, topic, _):
    consumer = clients.consumer("anybody")
    consumer.assign([TopicPartition(topic, 0, 0)])
    first(consumer)


def join(clients, topic, group):
    consumer = clients.consumer(f"{group}-new")
    consumer.subscribe([topic])
    first(consumer)


def first(consumer):
    """The first record, or the error that is told instead."""
    try:
        record = eventually(lambda: consumer.poll(0.2), bool, SECONDS)
        if record.error():
            raise KafkaException(record.error())
    finally:
        consumer.close()


def describe_group(clients, _, group):
    clients.admin().describe_consumer_groups([group])[group].result(SECONDS)


def delete_group(clients, _, group):
    clients.admin().delete_consumer_groups([group])[group].result(SECONDS)


TOPIC, GROUP, ITSELF = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
# An action, what can't be done without it, and the error that this ends with.
NEEDED = [
    ("CreateTopic", create, TOPIC),
    ("DeleteTopic", delete, TOPIC),
    ("AlterTopic", grow, TOPIC),
    ("AlterTopicDynamicConfiguration", configure, TOPIC),
    ("DescribeTopicDynamicConfiguration", describe_config, TOPIC),
    ("DescribeTopic", describe, TOPIC),
    ("WriteData", produce, TOPIC),
    ("ReadData", consume, TOPIC),
    ("AlterGroup", join, GROUP),
    ("DescribeGroup", describe_group, GROUP),
    ("DeleteGroup", delete_group, GROUP),
    ("DescribeCluster", describe_cluster, ITSELF),
    ("DescribeClusterDynamicConfiguration", describe_brokers_config, ITSELF),
]


class TestRights:
    @pytest.fixture
    def topic(self, cluster, unique):
        """A topic with a record, that the sandbox's user made."""
        name, owner = unique("topic"), Librdkafka(cluster, cluster.owner())
        owner.admin().create_topics([NewTopic(name, 1, 3)])[name].result(SECONDS)
        produce(owner, name, None)
        return name

    @pytest.fixture
    def clients(self, cluster, session):
        return Librdkafka(cluster, session)

    @pytest.fixture
    def group(self, cluster, topic, unique):
        """A group that has read."""
        name = unique("group")
        consumer = Librdkafka(cluster, cluster.owner()).consumer(name)
        consumer.subscribe([topic])
        assert eventually(lambda: consumer.poll(0.2), bool, SECONDS).error() is None
        consumer.commit(asynchronous=False)
        consumer.close()
        return name

    @pytest.mark.parametrize(("action", "attempt", "error"), NEEDED, ids=[action for action, *_ in NEEDED])
    def test_what_a_policy_denies_is_refused(self, cluster, role, clients, topic, group, action, attempt, error):
        role.may(cluster.everything(), allow(action, on="*", effect="Deny"))
        with pytest.raises(KafkaException) as caught:
            attempt(clients, topic, group)
        assert caught.value.args[0].code() == error, caught.value
        refused = cluster.sandbox.private("broker-log")["refused"]
        assert f"kafka-cluster:{action}" in {entry.get("action") for entry in refused}
        # What is allowed again counts from the next request on.
        role.may(cluster.everything())
        attempt(clients, topic, group)

    def test_a_producer_that_may_write_once_may_write_at_all(self, cluster, role, clients, topic):
        """WriteDataIdempotently is asked for by idempotent producers only."""
        role.may(cluster.everything(), allow("WriteDataIdempotently", on="*", effect="Deny"))
        produce(clients, topic, None, **{"enable.idempotence": False})

    def test_topics_that_a_policy_does_not_show_are_not_in_the_list(self, cluster, role, clients, topic, unique):
        other, owner = unique("other"), Librdkafka(cluster, cluster.owner())
        owner.admin().create_topics([NewTopic(other, 1, 3)])[other].result(SECONDS)
        role.may(allow("Connect", on=cluster.arn), allow("*", on=cluster.arn_of("topic", f"{topic}*")))
        admin = clients.admin()
        assert admin.list_topics(timeout=SECONDS).topics.keys() == {topic}
        with pytest.raises(KafkaException) as caught:
            admin.delete_topics([other])[other].result(SECONDS)
        assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        admin.create_topics([NewTopic(f"{topic}-too", 1, 3)])[f"{topic}-too"].result(SECONDS)

    def test_conditions_are_asked(self, cluster, role, clients, topic):
        elsewhere = {"StringNotEquals": {"aws:RequestedRegion": REGION}}
        role.may(cluster.everything(), {**allow("CreateTopic", on="*", effect="Deny"), "Condition": elsewhere})
        create(clients, topic, None)


class TestServerless:
    """https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html"""

    @pytest.fixture(scope="class")
    def admin(self, sandbox, worker_id, tmp_path_factory):
        folder = tmp_path_factory.mktemp("serverless")
        cluster = SecureCluster(sandbox, f"serverless-{worker_id}", folder, serverless=True)
        return Librdkafka(cluster, cluster.owner()).admin()

    @staticmethod
    def code(admin, new):
        try:
            admin.create_topics([new])[new.topic].result(SECONDS)
        except KafkaException as error:
            return error.args[0].code()

    def test_topics_come_and_go(self, admin, unique):
        topic = unique("topic")
        config = {"retention.ms": "7777", "cleanup.policy": "compact"}
        assert self.code(admin, NewTopic(topic, 2, -1, config=config)) is None
        partition = admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions[0]
        assert len(partition.replicas) == 3
        assert self.code(admin, NewTopic(unique("topic"), 2, 3)) is None
        resource = configured(topic, "retention.ms", "8888")
        admin.incremental_alter_configs([resource])[resource].result(SECONDS)
        admin.delete_topics([topic])[topic].result(SECONDS)

    def test_what_cannot_be_chosen_there_is_refused(self, admin, unique):
        topic = unique("topic")
        assert self.code(admin, NewTopic(topic, 1, 2)) == KafkaError.INVALID_REPLICATION_FACTOR
        assert self.code(admin, NewTopic(topic, 1, 3, config={"segment.bytes": "1000000"})) == KafkaError.INVALID_CONFIG
        large = {"max.message.bytes": str(8 * 1024 * 1024 + 1)}
        assert self.code(admin, NewTopic(topic, 1, 3, config=large)) == KafkaError.INVALID_CONFIG
        assert self.code(admin, NewTopic(topic, 1, 3)) is None
        for key, value in (("segment.bytes", "1000000"), ("cleanup.policy", "compact")):
            resource = configured(topic, key, value)
            with pytest.raises(KafkaException) as caught:
                admin.incremental_alter_configs([resource])[resource].result(SECONDS)
            assert caught.value.args[0].code() == KafkaError.INVALID_CONFIG, key
