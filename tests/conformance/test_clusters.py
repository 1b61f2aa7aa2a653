"""The shapes that clusters are declared in, and what MSK's API makes of clusters that are there, through boto3."""

import json
import urllib.error

import pytest
from botocore.config import Config

from refusals import refused
from waiting import eventually, strict

PUBLIC = {"PublicAccess": {"Type": "SERVICE_PROVIDED_EIPS"}}
PRIVATE_STRINGS = {"BootstrapBrokerStringTls", "BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"}
PUBLIC_STRINGS = {
    "BootstrapBrokerStringPublicTls",
    "BootstrapBrokerStringPublicSaslScram",
    "BootstrapBrokerStringPublicSaslIam",
}
TOPIC_OPERATIONS = {
    "list_topics": {},
    "create_topic": {"TopicName": "t", "PartitionCount": 1, "ReplicationFactor": 1},
    "describe_topic": {"TopicName": "t"},
    "describe_topic_partitions": {"TopicName": "t"},
    "update_topic": {"TopicName": "t", "PartitionCount": 2},
    "delete_topic": {"TopicName": "t"},
}


@pytest.fixture(scope="module")
def kafka(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("kafka", config=Config(parameter_validation=False)))


@pytest.fixture
def declare(sandbox, unique):
    """declare(serverless=True) is the ARN of a cluster of the test's own, in that shape now."""
    name = unique("shape")

    def declared(**shape):
        return sandbox.private("cluster", {"name": name, "region": "us-east-1", **shape})["clusterArn"]

    return declared


def refusal(declare, **shape):
    """The status and the message of what is refused."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        declare(**shape)
    return caught.value.code, json.load(caught.value)["message"]


def provisioned(kafka, arn):
    info = kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]
    return {"State": info["State"], "CurrentVersion": info["CurrentVersion"], **info["Provisioned"]}


def strings(kafka, arn):
    """The brokers of each listener. MSK names them in another order each time."""
    told = kafka.get_bootstrap_brokers(ClusterArn=arn)
    return {name: ",".join(sorted(text.split(","))) for name, text in told.items() if name != "ResponseMetadata"}


def update(kafka, operation, arn, **changes):
    """Updates the present version of a cluster, and waits."""
    version = provisioned(kafka, arn)["CurrentVersion"]
    answer = getattr(kafka, operation)(ClusterArn=arn, CurrentVersion=version, **changes)
    assert answer["ClusterArn"] == arn
    assert answer["ClusterOperationArn"].startswith(arn.replace(":cluster/", ":cluster-operation/"))
    eventually(lambda: provisioned(kafka, arn), lambda info: info["State"] == "ACTIVE")


def test_a_declared_cluster_takes_another_version_on_and_keeps_its_topics(declare, kafka):
    arn = declare()
    kafka.create_topic(ClusterArn=arn, TopicName="kept", PartitionCount=1, ReplicationFactor=1)
    assert declare(kafka_version="2.8.1") == arn
    info = provisioned(kafka, arn)
    assert info["CurrentBrokerSoftwareInfo"]["KafkaVersion"] == "2.8.1" and info["ZookeeperConnectString"]
    assert declare() == arn and provisioned(kafka, arn) == info
    offered = {one["Version"] for one in kafka.list_kafka_versions()["KafkaVersions"] if one["Status"] == "ACTIVE"}
    assert {"2.8.1", "3.6.0", "3.8.x"} <= offered
    for version in sorted(offered):
        assert declare(kafka_version=version) == arn
    declare(kafka_version="3.8.x")
    eventually(lambda: kafka.list_topics(ClusterArn=arn)["Topics"], lambda topics: topics)
    status, message = refusal(declare, kafka_version="3.8.0")
    assert status == 400 and "the nearest that it offers is 3.8.x" in message


@pytest.mark.parametrize("operation", TOPIC_OPERATIONS)
@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ({"serverless": True}, "Serverless"),
        ({"kafka_version": "3.5.1"}, "3.6.0 or later"),
        ({"kafka_version": "2.8.1"}, "2.8.1"),
    ],
)
def test_the_topic_api_is_for_provisioned_clusters_from_3_6_on(declare, kafka, operation, shape, sentence):
    arn = declare(**shape)
    with refused("BadRequestException", 400, sentence):
        getattr(kafka, operation)(ClusterArn=arn, **TOPIC_OPERATIONS[operation])


def test_a_declared_public_cluster_has_public_brokers_and_none_without_authentication(declare, kafka):
    arn = declare(access="public")
    info = provisioned(kafka, arn)
    assert info["BrokerNodeGroupInfo"]["ConnectivityInfo"]["PublicAccess"] == {"Type": "SERVICE_PROVIDED_EIPS"}
    assert info["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": "TLS", "InCluster": True}
    assert info["ClientAuthentication"]["Unauthenticated"] == {"Enabled": False}
    assert info["ClientAuthentication"]["Tls"]["CertificateAuthorityArnList"]
    told = strings(kafka, arn)
    assert set(told) == PRIVATE_STRINGS | PUBLIC_STRINGS
    addresses = [address for text in told.values() for address in text.split(",")]
    assert len(set(addresses)) == 18 and all(address.startswith("127.0.0.1:") for address in addresses)
    assert declare() == arn and strings(kafka, arn) == told
    assert declare(access="private") == arn and set(strings(kafka, arn)) == PRIVATE_STRINGS


def test_a_declared_cluster_stays_provisioned_or_serverless(declare, kafka):
    arn = declare(serverless=True)
    assert kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["ClusterType"] == "SERVERLESS"
    assert declare() == arn == declare(serverless=True)
    for shape in ({"serverless": False}, {"kafka_version": "3.8.x"}, {"access": "public"}):
        status, message = refusal(declare, **shape)
        assert status == 409 and "`pipeline sandbox reset`" in message and "another name" in message
    for shape in ({"kafka_version": "3.8.x"}, {"access": "public"}, {"bootstrap_brokers": {"iam": "localhost:9098"}}):
        status, message = refusal(declare, serverless=True, **shape)
        assert status == 400 and "doesn't go with serverless" in message
    for shape in ({"colour": "red"}, {"access": "open"}, {"bootstrap_brokers": {"smtp": "localhost:25"}}):
        assert refusal(declare, **shape)[0] == 400


def test_brokers_elsewhere_are_told_as_they_were_declared(declare, kafka):
    arn = declare()
    own = strings(kafka, arn)
    elsewhere = {"plaintext": "127.0.0.1:19092,127.0.0.1:19093", "public_scram": "broker.example:9196"}
    declare(bootstrap_brokers=elsewhere)
    told = {
        "BootstrapBrokerString": elsewhere["plaintext"],
        "BootstrapBrokerStringPublicSaslScram": elsewhere["public_scram"],
    }
    assert strings(kafka, arn) == told
    declare(kafka_version="2.8.1")
    assert strings(kafka, arn) == told, "what isn't said stays"
    assert refusal(declare, bootstrap_brokers={"plaintext": "nowhere"})[0] == 400
    declare(bootstrap_brokers={})
    assert strings(kafka, arn) == own


def test_public_access_is_turned_on_and_off_by_the_api_too(declare, kafka):
    arn = declare()
    version = provisioned(kafka, arn)["CurrentVersion"]
    with refused("BadRequestException", 400, "unauthenticated access to be turned off"):
        kafka.update_connectivity(ClusterArn=arn, CurrentVersion=version, ConnectivityInfo=PUBLIC)
    update(
        kafka,
        "update_security",
        arn,
        ClientAuthentication={"Unauthenticated": {"Enabled": False}},
        EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "TLS"}},
    )
    assert provisioned(kafka, arn)["CurrentVersion"] != version
    assert set(strings(kafka, arn)) == PRIVATE_STRINGS
    update(kafka, "update_connectivity", arn, ConnectivityInfo=PUBLIC)
    assert set(strings(kafka, arn)) == PRIVATE_STRINGS | PUBLIC_STRINGS
    public = provisioned(kafka, arn)
    assert declare(access="public") == arn and provisioned(kafka, arn) == public, "the declaration says the same"
    for open_to_all in (
        {"ClientAuthentication": {"Unauthenticated": {"Enabled": True}}},
        {"EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT"}}},
    ):
        with refused("BadRequestException", 400, "Public access needs"):
            update(kafka, "update_security", arn, **open_to_all)
    update(kafka, "update_connectivity", arn, ConnectivityInfo={"PublicAccess": {"Type": "DISABLED"}})
    assert set(strings(kafka, arn)) == PRIVATE_STRINGS


def test_a_cluster_that_is_updated_is_as_before_until_that_is_done(declare, kafka):
    arn = declare()
    before = provisioned(kafka, arn)
    told = strings(kafka, arn)
    off = {"Sasl": {"Scram": {"Enabled": False}}}
    request = {"ClusterArn": arn, "CurrentVersion": before["CurrentVersion"], "ClientAuthentication": off}
    kafka.update_security(**request)
    during = provisioned(kafka, arn)
    assert during == {**before, "State": "UPDATING"} and strings(kafka, arn) == told
    for refusing in (
        lambda: kafka.update_security(**request),
        lambda: kafka.delete_cluster(ClusterArn=arn),
    ):
        with refused("BadRequestException", 400, "while it is UPDATING"):
            refusing()
    after = eventually(lambda: provisioned(kafka, arn), lambda info: info["State"] == "ACTIVE")
    assert after["ClientAuthentication"]["Sasl"] == {"Iam": {"Enabled": True}, "Scram": {"Enabled": False}}
    assert set(told) - set(strings(kafka, arn)) == {"BootstrapBrokerStringSaslScram"}
    with refused("BadRequestException", 400, "doesn't match the cluster's current version"):
        kafka.update_security(**request)
    with refused("BadRequestException", 400, "doesn't change"):
        kafka.update_security(**{**request, "CurrentVersion": after["CurrentVersion"]})


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ("update_security", {"EncryptionInfo": {"EncryptionInTransit": {"InCluster": False}}}),
        ("update_security", {"EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "PLAINTEXT"}}}),
        ("update_security", {"EncryptionInfo": {"EncryptionAtRest": {"DataVolumeKMSKeyId": "alias/mine"}}}),
        ("update_security", {"ClientAuthentication": {"Unauthenticated": {"Enabled": "no"}}}),
        (
            "update_security",
            {
                "ClientAuthentication": {
                    "Sasl": {"Scram": {"Enabled": False}, "Iam": {"Enabled": False}},
                    "Tls": {"Enabled": False},
                    "Unauthenticated": {"Enabled": False},
                }
            },
        ),
        ("update_connectivity", {}),
        ("update_connectivity", {"ConnectivityInfo": {"PublicAccess": {"Type": "EVERYBODY"}}}),
    ],
)
def test_a_wrong_update_is_refused_and_changes_nothing(declare, kafka, operation, changes):
    arn = declare()
    before = provisioned(kafka, arn)
    with refused("BadRequestException", 400):
        getattr(kafka, operation)(ClusterArn=arn, CurrentVersion=before["CurrentVersion"], **changes)
    with refused("BadRequestException", 400, "Member must not be null"):
        getattr(kafka, operation)(ClusterArn=arn, **changes)
    assert provisioned(kafka, arn) == before


def test_a_serverless_cluster_is_not_updated(declare, kafka):
    arn = declare(serverless=True)
    version = kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["CurrentVersion"]
    for operation, changes in (
        (kafka.update_connectivity, {"ConnectivityInfo": PUBLIC}),
        (kafka.update_security, {"ClientAuthentication": {"Unauthenticated": {"Enabled": True}}}),
    ):
        with refused("BadRequestException", 400, "serverless"):
            operation(ClusterArn=arn, CurrentVersion=version, **changes)
