"""Kafka clients that nobody here wrote, as they log in to MSK with IAM: librdkafka by OAUTHBEARER, with tokens of AWS's
signer; kafka-python by its own AWS_MSK_IAM, and with such tokens too.
"""

import datetime
import logging
import time
from unittest import mock

import botocore.session
import kafka
import pytest
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.credentials import CredentialProvider, Credentials
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError
from kafka.net.sasl.oauth import AbstractTokenProvider

from secure_cluster import REGION, SECONDS
from waiting import eventually


def configured(topic, key, value):
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])


class Given(CredentialProvider):
    """Credentials for AWS's signer."""

    METHOD = CANONICAL_NAME = "given"

    def __init__(self, credentials):
        super().__init__(botocore.session.Session())
        self.credentials = credentials

    def load(self):
        return Credentials(
            self.credentials["AccessKeyId"], self.credentials["SecretAccessKey"], self.credentials.get("SessionToken")
        )


def signed(credentials, region=REGION, at=None):
    """A token of AWS's signer and when it expires, in milliseconds; one that was signed then, if that is given."""
    now = (at or datetime.datetime.now(datetime.UTC)).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", lambda: now):
        return MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(region, Given(credentials))


class Token(AbstractTokenProvider):
    """Tokens of AWS's signer, made when they are asked for, with the credentials of then."""

    def __init__(self, credentials, **signing):
        self.credentials, self.signing = credentials, signing
        self.lasts = 600
        """For how many seconds librdkafka keeps one; it is the broker that is to find one too old."""

    def token(self):
        """As kafka-python asks."""
        return signed(self.credentials, **self.signing)[0]

    def lasting(self, _settings):
        """As librdkafka asks."""
        return self.token(), time.time() + self.lasts


class Librdkafka:
    """confluent-kafka's clients of a cluster, with tokens of AWS's signer."""

    name = "librdkafka"

    def __init__(self, cluster, credentials, **signing):
        self.cluster, self.token = cluster, Token(credentials, **signing)
        # Kept: a client that goes away takes its requests with it.
        self._admin = None

    def settings(self, **more):
        return {
            "bootstrap.servers": self.cluster.servers("SaslIam"),
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "oauth_cb": self.token.lasting,
            "ssl.ca.location": str(self.cluster.authority),
            **more,
        }

    def admin(self):
        if self._admin is None:
            self._admin = AdminClient(self.settings())
        return self._admin

    def producer(self, **more):
        return Producer(self.settings(**{"message.timeout.ms": SECONDS * 1000, **more}))

    def consumer(self, group):
        earliest = {"auto.offset.reset": "earliest", "enable.auto.commit": False}
        return Consumer(self.settings(**{"group.id": group, **earliest}))

    def refusal(self):
        """Why a login is refused."""
        return login_failure(self.settings())

    def go_through(self, topic, group):
        """All that a client does to a topic, and with it."""
        admin = self.admin()
        admin.create_topics([NewTopic(topic, 2, 3)])[topic].result(SECONDS)
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result(SECONDS)
        resource = configured(topic, "retention.ms", "7777")
        admin.incremental_alter_configs([resource])[resource].result(SECONDS)
        assert admin.describe_configs([resource])[resource].result(SECONDS)["retention.ms"].value == "7777"
        producer, told = self.producer(**{"enable.idempotence": True}), []
        for number in range(20):
            producer.produce(topic, str(number), on_delivery=lambda error, _: told.append(error))
        assert producer.flush(SECONDS) == 0 and told == [None] * 20
        consumer = self.consumer(group)
        consumer.subscribe([topic])
        records = [record for record in consumer.consume(20, SECONDS) if not record.error()]
        assert sorted(int(record.value()) for record in records) == list(range(20))
        consumer.commit(asynchronous=False)
        consumer.close()
        described = admin.describe_consumer_groups([group])[group].result(SECONDS)
        assert described.state.name == "EMPTY"
        admin.delete_consumer_groups([group])[group].result(SECONDS)
        admin.delete_topics([topic])[topic].result(SECONDS)


def login_failure(settings):
    """Why librdkafka isn't let in with these settings."""
    told = []
    admin = AdminClient({**settings, "error_cb": told.append, "log_level": 0})

    def failures():
        admin.poll(0.1)
        return [error.str() for error in told if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)]

    failure = eventually(failures, bool, SECONDS)[0]
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=0.5)
    return failure


class KafkaPython:
    """kafka-python's clients of a cluster, with its own AWS_MSK_IAM."""

    name = "kafka-python"

    def __init__(self, cluster, credentials, region=REGION, at=None):
        self.cluster, self.credentials, self.region, self.at = cluster, credentials, region, at

    def settings(self):
        # It asks botocore, which asks the environment, whenever it connects.
        return {"sasl_mechanism": "AWS_MSK_IAM"}

    def client(self, kind, *arguments, **more):
        return kind(
            *arguments,
            bootstrap_servers=self.cluster.servers("SaslIam").split(","),
            security_protocol="SASL_SSL",
            ssl_cafile=str(self.cluster.authority),
            **self.settings(),
            **more,
        )

    def refusal(self):
        """Why a login is refused. It tells only its log, and tries again for as long as it may."""
        told = []
        watch = logging.Handler(logging.WARNING)
        watch.emit = lambda record: told.append(record.getMessage())
        log = logging.getLogger("kafka.net.manager")
        log.addHandler(watch)
        try:
            with pytest.raises(KafkaTimeoutError):
                self.client(KafkaAdminClient, bootstrap_timeout_ms=3000)
        finally:
            log.removeHandler(watch)
        return next(text for text in told if "SaslAuthenticationFailedError" in text)

    def go_through(self, topic, group):
        """All that a client does to a topic, and with it."""
        admin = self.client(KafkaAdminClient)
        admin.create_topics([kafka.admin.NewTopic(topic, 2, 3)])
        producer = self.client(kafka.KafkaProducer, acks="all")
        for number in range(20):
            producer.send(topic, str(number).encode())
        producer.flush()
        producer.close()
        patience = {"consumer_timeout_ms": SECONDS * 1000, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
        consumer = self.client(kafka.KafkaConsumer, topic, group_id=group, **patience)
        assert sorted(int(next(consumer).value) for _ in range(20)) == list(range(20))
        consumer.commit()
        consumer.close()
        admin.delete_topics([topic])
        admin.close()


class KafkaPythonWithTokens(KafkaPython):
    """The same with OAUTHBEARER."""

    name = "kafka-python-tokens"

    def settings(self):
        token = Token(self.credentials, region=self.region, at=self.at)
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": token}
