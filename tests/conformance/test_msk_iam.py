"""Logins with IAM at the sandbox's brokers, by clients and signers that nobody here wrote."""

import datetime
import re
import time

import pytest
from confluent_kafka.admin import NewTopic

from msk_clients import KafkaPython, KafkaPythonWithTokens, Librdkafka
from sandbox import running
from secure_cluster import REGION, SECONDS, Role, SecureCluster, allow, let_end, variables, wrong

REFUSED = re.compile(r"\[[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\]: Access denied")
CLIENTS = [Librdkafka, KafkaPython, KafkaPythonWithTokens]


@pytest.fixture(scope="module")
def cluster(sandbox, worker_id, tmp_path_factory):
    return SecureCluster(sandbox, f"logins-{worker_id}", tmp_path_factory.mktemp("logins"))


@pytest.fixture(scope="module")
def role(sandbox, cluster, worker_id):
    """A role whose statements tests give anew."""
    return Role(sandbox, f"logins-{worker_id}", cluster.everything())


@pytest.fixture(scope="module")
def session(role):
    return role.session()


@pytest.fixture
def login(cluster, monkeypatch):
    """login(Librdkafka, credentials) are clients that log in with them."""

    def clients(kind, credentials, **token):
        for name, value in variables(credentials, token.get("region", REGION)).items():
            monkeypatch.setenv(name, value)
        if "SessionToken" not in credentials:
            monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        return kind(cluster, credentials, **token)

    return clients


every_client = pytest.mark.parametrize("kind", CLIENTS, ids=[kind.name for kind in CLIENTS])


class TestLogin:
    @every_client
    @pytest.mark.parametrize("who", ["user", "role"])
    def test_who_may_do_everything_does(self, cluster, login, role, session, unique, kind, who):
        role.may(cluster.everything())
        credentials = cluster.owner() if who == "user" else session
        login(kind, credentials).go_through(unique("topic"), unique("group"))

    @every_client
    def test_a_wrong_secret_is_refused(self, cluster, login, kind):
        assert REFUSED.search(login(kind, wrong(cluster.owner())).refusal())

    @every_client
    def test_a_key_that_nobody_has_is_refused(self, cluster, login, kind):
        assert REFUSED.search(login(kind, {**cluster.owner(), "AccessKeyId": "AKIA0000000000000000"}).refusal())

    @every_client
    def test_a_session_without_its_token_is_refused(self, login, session, kind):
        bare = {name: value for name, value in session.items() if name != "SessionToken"}
        assert REFUSED.search(login(kind, bare).refusal())

    @every_client
    def test_a_token_for_another_region_is_refused(self, cluster, login, kind):
        assert REFUSED.search(login(kind, cluster.owner(), region="eu-west-1").refusal())

    @every_client
    def test_who_may_not_connect_is_refused(self, cluster, login, role, session, kind):
        role.may(cluster.everything(), allow("Connect", on=cluster.arn, effect="Deny"))
        assert REFUSED.search(login(kind, session).refusal())

    @pytest.mark.parametrize("kind", [Librdkafka, KafkaPythonWithTokens], ids=["librdkafka", "kafka-python-tokens"])
    def test_a_token_of_long_ago_is_refused(self, cluster, login, kind):
        long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
        assert "]: Session too short" in login(kind, cluster.owner(), at=long_ago).refusal()

    @pytest.mark.parametrize("kind", [Librdkafka, KafkaPythonWithTokens], ids=["librdkafka", "kafka-python-tokens"])
    def test_a_token_of_a_while_ago_still_holds(self, cluster, login, unique, kind):
        while_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=13)
        login(kind, cluster.owner(), at=while_ago).go_through(unique("topic"), unique("group"))

    def test_a_token_of_the_future_is_refused(self, cluster, login):
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=20)
        assert REFUSED.search(login(Librdkafka, cluster.owner(), at=soon).refusal())

    def test_why_is_told_to_who_runs_the_sandbox_and_no_secret_with_it(self, cluster, login):
        guess = wrong(cluster.owner())
        login(Librdkafka, guess).refusal()
        told = str(cluster.sandbox.private("broker-log"))
        assert guess["AccessKeyId"] in told and "signature" in told, told
        assert guess["SecretAccessKey"] not in told and cluster.owner()["SecretAccessKey"] not in told


class TestSessionsThatEnd:
    """STS gives sessions of a quarter of an hour at the soonest: these are shortened while the sandbox is down."""

    def test_one_that_is_over_is_refused(self, tmp_path):
        with running(tmp_path, ephemeral=False) as sandbox:
            cluster = SecureCluster(sandbox, "over", tmp_path)
            credentials = Role(sandbox, "over", cluster.everything()).session()
        let_end(tmp_path, credentials)
        with running(tmp_path, ephemeral=False) as sandbox:
            cluster = SecureCluster(sandbox, "over", tmp_path)
            assert "]: Session too short" in Librdkafka(cluster, credentials).refusal()

    def test_a_client_goes_on_that_logs_in_anew_in_time(self, tmp_path, unique):
        """KIP-368"""
        topic = unique("topic")
        with running(tmp_path, ephemeral=False) as sandbox:
            cluster = SecureCluster(sandbox, "short", tmp_path)
            role = Role(sandbox, "short", cluster.everything())
            first, second = role.session("same"), role.session("same")
        let_end(tmp_path, first, seconds=15)
        with running(tmp_path, ephemeral=False) as sandbox:
            cluster = SecureCluster(sandbox, "short", tmp_path)
            clients = Librdkafka(cluster, first)
            clients.token.lasts = 10
            clients.admin().create_topics([NewTopic(topic, 1, 3)])[topic].result(SECONDS)
            producer = clients.producer()
            told, sent = [], 0
            # Whatever token it asks for from now on is of the other session.
            clients.token.credentials = second
            began = time.monotonic()
            while time.monotonic() < began + 20:
                producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
                sent += 1
                producer.poll(0.25)
            assert producer.flush(SECONDS) == 0
            assert told == [None] * sent
