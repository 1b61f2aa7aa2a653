"""The listeners that speak TLS besides that of IAM: anybody's, that of certificates and that of passwords, with clients
that nobody here wrote.
"""

import contextlib
import datetime
import json
import socket
import ssl
import struct
import time

import kafka
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kafka.admin import KafkaAdminClient

from msk_clients import Librdkafka, login_failure
from secure_cluster import SECONDS, SecureCluster, wrong
from waiting import eventually

NETWORK = {"ClientSubnets": ["subnet-0a", "subnet-0b", "subnet-0c"], "InstanceType": "kafka.m7g.large"}
AUTHORITY = "arn:aws:acm-pca:us-east-1:000000000000:certificate-authority/01234567-89ab-cdef-0123-456789abcdef"
KEY = "arn:aws:kms:us-east-1:000000000000:key/01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture(scope="module")
def cluster(sandbox, worker_id, tmp_path_factory):
    return SecureCluster(sandbox, f"listeners-{worker_id}", tmp_path_factory.mktemp("listeners"))


def go_through(settings, topic):
    """Makes a topic, writes to it, reads it and deletes it, as librdkafka with these settings."""
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, 1, 3)])[topic].result(SECONDS)
    producer, told = Producer(settings), []
    producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
    assert producer.flush(SECONDS) == 0 and told == [None]
    consumer = Consumer({**settings, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    assert eventually(lambda: consumer.poll(0.2), bool, SECONDS).value() == b"x"
    consumer.close()
    admin.delete_topics([topic])[topic].result(SECONDS)


def address(cluster, listener="Tls"):
    host, port = cluster.servers(listener).split(",")[0].split(":")
    return host, int(port)


def connected(*of):
    """A connection to the address; brokers of a cluster that was made a moment ago may need another one to listen."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return socket.create_connection(address(*of), SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def answer(connection):
    """What a broker says to ApiVersions of version 0; empty where it says nothing."""
    request = struct.pack(">hhih", 18, 0, 7, -1)
    connection.settimeout(SECONDS)
    connection.sendall(struct.pack(">i", len(request)) + request)
    return connection.recv(1000)


class TestTls:
    @staticmethod
    def settings(cluster, **more):
        return {
            "bootstrap.servers": cluster.servers("Tls"),
            "security.protocol": "SSL",
            "ssl.ca.location": str(cluster.authority),
            **more,
        }

    def test_who_knows_the_authority_is_at_home(self, cluster, unique):
        go_through(self.settings(cluster), unique("topic"))

    def test_kafka_python_is_too(self, cluster, unique):
        settings = {"security_protocol": "SSL", "ssl_cafile": str(cluster.authority)}
        admin = KafkaAdminClient(bootstrap_servers=cluster.servers("Tls").split(","), **settings)
        topic = unique("topic")
        admin.create_topics([kafka.admin.NewTopic(topic, 1, 3)])
        assert topic in admin.list_topics()
        admin.close()

    @pytest.mark.parametrize("listener", ["Tls", "SaslIam", "SaslScram"])
    def test_a_client_that_does_not_know_the_authority_goes_away(self, cluster, listener):
        with connected(cluster, listener) as connection:
            with pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(connection, server_hostname="127.0.0.1")

    def test_librdkafka_without_the_authority_says_so(self, cluster):
        settings = self.settings(cluster)
        del settings["ssl.ca.location"]
        assert "certificate verify failed" in login_failure(settings)

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
    @pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
    def test_its_certificate_is_of_this_machine(self, cluster, version, name):
        context = ssl.create_default_context(cafile=cluster.authority)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version.replace(".", "_")]
        with connected(cluster) as connection:
            with context.wrap_socket(connection, server_hostname=name) as secure:
                assert secure.version() == version

    def test_its_certificate_is_of_no_other_machine(self, cluster):
        context = ssl.create_default_context(cafile=cluster.authority)
        with connected(cluster) as connection:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(connection, server_hostname="b-1.kafka.us-east-1.amazonaws.com")

    def test_older_versions_are_not_spoken(self, cluster):
        context = ssl.create_default_context(cafile=cluster.authority)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with connected(cluster) as connection:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_hostname="127.0.0.1")

    def test_plain_words_end_the_connection(self, cluster):
        with connected(cluster) as connection:
            told = b""
            with contextlib.suppress(ConnectionResetError):
                told = answer(connection)
        # At most TLS's own word that this was none: an alert.
        assert told == b"" or told[0] == 21, told

    def test_a_greeting_of_tls_ends_a_plain_connection(self, cluster):
        context = ssl.create_default_context(cafile=cluster.authority)
        with connected(cluster, "") as connection:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(connection, server_hostname="127.0.0.1")


class TestPublic:
    @pytest.fixture(scope="class")
    def public(self, sandbox, worker_id, tmp_path_factory):
        return SecureCluster(sandbox, f"public-{worker_id}", tmp_path_factory.mktemp("public"), access="public")

    @pytest.mark.parametrize("listener", ["SaslIam", "PublicSaslIam"])
    def test_both_doors_lead_to_the_same_topics(self, public, unique, listener):
        settings = Librdkafka(public, public.owner()).settings()
        go_through({**settings, "bootstrap.servers": public.servers(listener)}, unique("topic"))

    def test_there_is_no_other_public_door_than_those_with_a_login(self, sandbox, public):
        strings = sandbox.client("kafka").get_bootstrap_brokers(ClusterArn=public.arn)
        assert "BootstrapBrokerString" not in strings
        doors = {name for name in strings if name.startswith("BootstrapBrokerStringPublic")}
        assert doors == {f"BootstrapBrokerStringPublic{way}" for way in ("SaslIam", "SaslScram", "Tls")}

    def test_a_wrong_secret_is_refused_there_too(self, public):
        settings = Librdkafka(public, wrong(public.owner())).settings()
        assert "Access denied" in login_failure({**settings, "bootstrap.servers": public.servers("PublicSaslIam")})


class TestCertificates:
    @pytest.fixture(scope="class")
    def strict(self, sandbox, worker_id, tmp_path_factory):
        """A cluster whose clients must show a certificate."""
        name = f"certificates-{worker_id}"
        security = {
            "ClientAuthentication": {
                "Tls": {"CertificateAuthorityArnList": [AUTHORITY], "Enabled": True},
                "Unauthenticated": {"Enabled": False},
            },
            "EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True}},
        }
        msk = sandbox.client("kafka")
        shape = {"KafkaVersion": "3.8.x", "NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": NETWORK}
        arn = msk.create_cluster_v2(ClusterName=name, Provisioned={**shape, **security})["ClusterArn"]
        state = lambda: msk.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["State"]
        eventually(state, lambda state: state == "ACTIVE", SECONDS)
        return SecureCluster(sandbox, name, tmp_path_factory.mktemp("certificates"))

    @pytest.fixture
    def settings(self, tmp_path):
        """settings(cluster, certificate, key) are those of a client that shows it."""

        def written(cluster, certificate, key):
            (tmp_path / "certificate.pem").write_text(certificate)
            (tmp_path / "key.pem").write_text(key)
            mine = {
                "ssl.certificate.location": str(tmp_path / "certificate.pem"),
                "ssl.key.location": str(tmp_path / "key.pem"),
            }
            return TestTls.settings(cluster, **mine)

        return written

    @pytest.mark.parametrize("which", ["cluster", "strict"])
    def test_who_has_one_is_let_in(self, request, sandbox, settings, unique, which):
        issued = sandbox.private("client-certificate", {"common_name": "producer"})
        cluster = request.getfixturevalue(which)
        go_through(settings(cluster, issued["certificate"], issued["key"]), unique("topic"))

    @pytest.mark.parametrize(
        ("which", "shown", "is_let_in"),
        [
            ("cluster", "none", True),
            ("cluster", "issued", True),
            ("cluster", "self-made", False),
            ("strict", "none", False),
            ("strict", "issued", True),
            ("strict", "self-made", False),
        ],
    )
    def test_only_those_of_the_authority_count(self, request, sandbox, tmp_path, which, shown, is_let_in):
        """librdkafka doesn't show a certificate that it knows to be none for the broker; OpenSSL does."""
        cluster = request.getfixturevalue(which)
        context = ssl.create_default_context(cafile=cluster.authority)
        if shown != "none":
            issued = sandbox.private("client-certificate", {"common_name": "producer"})
            (tmp_path / "pem").write_text("".join(self_made() if shown == "self-made" else issued.values()))
            context.load_cert_chain(tmp_path / "pem")
        with connected(cluster) as connection:
            with context.wrap_socket(connection, server_hostname="127.0.0.1") as secure:
                # In TLS 1.3, a server that doesn't like what it was shown says so after the handshake.
                refusal = contextlib.nullcontext() if is_let_in else pytest.raises((ssl.SSLError, ConnectionError))
                with refusal:
                    assert answer(secure)

    def test_a_certificate_says_whose_it_is(self, sandbox):
        issued = sandbox.private("client-certificate", {"common_name": "producer"})
        certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
        assert certificate.subject.rfc4514_string() == "CN=producer"
        assert "PRIVATE KEY" in issued["key"] and "PRIVATE KEY" not in issued["certificate"]


def self_made():
    """A certificate that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "producer")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    pem = serialization.Encoding.PEM
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(pem).decode(), text.decode()


class TestPasswords:
    @pytest.fixture
    def secret(self, sandbox, cluster, unique):
        """secret("user", "password") is the ARN of one that the cluster knows."""
        with contextlib.ExitStack() as later:

            def associated(user, password):
                value = json.dumps({"username": user, "password": password})
                manager, msk = sandbox.client("secretsmanager"), sandbox.client("kafka")
                arn = manager.create_secret(Name=unique("AmazonMSK_secret"), SecretString=value, KmsKeyId=KEY)["ARN"]
                answer = msk.batch_associate_scram_secret(ClusterArn=cluster.arn, SecretArnList=[arn])
                assert not answer.get("UnprocessedScramSecrets"), answer
                later.callback(forget, msk, cluster, arn)
                return arn

            yield associated

    @staticmethod
    def settings(cluster, user, password, mechanism="SCRAM-SHA-512"):
        return {
            "bootstrap.servers": cluster.servers("SaslScram"),
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": mechanism,
            "sasl.username": user,
            "sasl.password": password,
            "ssl.ca.location": str(cluster.authority),
        }

    def test_who_knows_one_is_let_in(self, cluster, secret, unique):
        user = unique("user")
        secret(user, "a password, with = and ü")
        go_through(self.settings(cluster, user, "a password, with = and ü"), unique("topic"))

    def test_kafka_python_is_too(self, cluster, secret, unique):
        user = unique("user")
        secret(user, "password")
        admin = KafkaAdminClient(
            bootstrap_servers=cluster.servers("SaslScram").split(","),
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=user,
            sasl_plain_password="password",
            ssl_cafile=str(cluster.authority),
        )
        assert admin.list_topics() is not None
        admin.close()

    def test_a_wrong_one_an_unknown_user_and_weaker_mechanisms_are_refused(self, cluster, secret, unique):
        user = unique("user")
        secret(user, "password")
        told = "invalid credentials with SASL mechanism SCRAM-SHA-512"
        assert told in login_failure(self.settings(cluster, user, "another"))
        assert told in login_failure(self.settings(cluster, "nobody", "password"))
        for mechanism in ("SCRAM-SHA-256", "PLAIN"):
            assert "SCRAM-SHA-512" in login_failure(self.settings(cluster, user, "password", mechanism))

    def test_a_secret_that_is_changed_or_taken_away_counts(self, sandbox, cluster, secret, unique):
        user = unique("user")
        arn = secret(user, "old")
        value = json.dumps({"username": user, "password": "new"})
        sandbox.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=value)
        old, new = (self.settings(cluster, user, password) for password in ("old", "new"))
        eventually(lambda: AdminClient(new).list_topics(timeout=SECONDS).brokers, bool)
        assert login_failure(old)
        msk = sandbox.client("kafka")
        msk.batch_disassociate_scram_secret(ClusterArn=cluster.arn, SecretArnList=[arn])
        assert login_failure(new)


def forget(msk, cluster, arn):
    with contextlib.suppress(ClientError):
        msk.batch_disassociate_scram_secret(ClusterArn=cluster.arn, SecretArnList=[arn])
