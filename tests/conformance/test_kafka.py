"""MSK: clusters, brokers and topics, through boto3."""

import base64
import concurrent.futures
import json
import time
import urllib.request

import pytest
from botocore.config import Config

from refusals import refused
from waiting import eventually, strict

ACCOUNT = "000000000000"
NETWORK = {"ClientSubnets": ["subnet-0a", "subnet-0b", "subnet-0c"], "InstanceType": "kafka.m7g.large"}
PROVISIONED = {"KafkaVersion": "3.8.x", "NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": NETWORK}
SERVERLESS = {"VpcConfigs": [{"SubnetIds": ["subnet-0a", "subnet-0b"]}]}


def declare(environment, **cluster):
    body = json.dumps({"region": "us-east-1", **cluster}).encode()
    request = urllib.request.Request(f"{environment['AWS_ENDPOINT_URL']}/_sandbox/cluster", body, method="POST")
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


@pytest.fixture(scope="module")
def kafka(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("kafka", config=Config(parameter_validation=False)))


@pytest.fixture(scope="module")
def cluster(environment):
    """The ARN of a declared cluster."""
    return declare(environment, name="conformance-kafka")["clusterArn"]


@pytest.fixture
def make(kafka, unique):
    """make(Provisioned=…) is the ARN of a new cluster, which is ACTIVE."""

    def create(**request):
        arn = kafka.create_cluster_v2(ClusterName=unique("cluster"), **request)["ClusterArn"]
        eventually(lambda: state(kafka, arn), lambda state: state == "ACTIVE")
        return arn

    return create


@pytest.fixture
def topic(kafka, cluster, unique):
    """The name of a topic of three partitions that is ACTIVE."""
    name = unique("topic")
    kafka.create_topic(ClusterArn=cluster, TopicName=name, PartitionCount=3, ReplicationFactor=3)
    settled(kafka, cluster, name)
    return name


def state(kafka, arn):
    return kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["State"]


def configs(**values):
    return base64.b64encode(
        json.dumps({key.replace("_", "."): value for key, value in values.items()}).encode()
    ).decode()


def read_configs(text):
    text = base64.b64decode(text).decode()
    if text.startswith("{"):
        return json.loads(text)
    return dict(line.split("=", 1) for line in text.splitlines())


def found(kafka, cluster, name):
    """The topic, or None where it isn't shown."""
    try:
        return kafka.describe_topic(ClusterArn=cluster, TopicName=name)
    except kafka.exceptions.NotFoundException:
        return None


def settled(kafka, cluster, name, **expected):
    def holds(topic):
        return topic and topic["Status"] == "ACTIVE" and all(topic[key] == value for key, value in expected.items())

    return eventually(lambda: found(kafka, cluster, name), holds)


def test_a_declared_cluster_is_active_at_once_and_stays_as_it_is(environment, kafka, unique):
    name = unique("declared")
    info = declare(environment, name=name)
    assert info["state"] == "ACTIVE" and info["clusterArn"].startswith(
        f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/{name}/"
    )
    assert declare(environment, name=name) == info
    assert declare(environment, arn=info["clusterArn"]) == info
    described = kafka.describe_cluster_v2(ClusterArn=info["clusterArn"])["ClusterInfo"]
    provisioned = described["Provisioned"]
    assert (provisioned["NumberOfBrokerNodes"], provisioned["CurrentBrokerSoftwareInfo"]["KafkaVersion"]) == (
        3,
        "3.8.x",
    )
    assert len(provisioned["BrokerNodeGroupInfo"]["ClientSubnets"]) == 3
    assert provisioned["BrokerNodeGroupInfo"]["SecurityGroups"] and "ZookeeperConnectString" not in provisioned
    older = kafka.describe_cluster(ClusterArn=info["clusterArn"])["ClusterInfo"]
    assert older["ClusterName"] == name and older["NumberOfBrokerNodes"] == 3
    kafka.delete_cluster(ClusterArn=info["clusterArn"])
    assert declare(environment, name=name)["state"] == "ACTIVE"


def test_a_declared_arn_is_taken_as_it_is(environment, kafka, unique):
    arn = f"arn:aws:kafka:eu-west-1:{ACCOUNT}:cluster/{unique('mine')}/01234567-89ab-cdef-0123-456789abcdef-7"
    assert declare(environment, arn=arn)["clusterArn"] == arn
    with pytest.raises(urllib.error.HTTPError):
        declare(environment, arn=arn.replace(ACCOUNT, "123456789012"))
    with pytest.raises(urllib.error.HTTPError):
        declare(environment, arn=arn.replace("01234567", "11234567"))


def test_a_declared_cluster_has_brokers_on_this_machine(kafka, cluster):
    brokers = kafka.get_bootstrap_brokers(ClusterArn=cluster)
    brokers.pop("ResponseMetadata")
    assert set(brokers) == {
        "BootstrapBrokerString",
        "BootstrapBrokerStringTls",
        "BootstrapBrokerStringSaslScram",
        "BootstrapBrokerStringSaslIam",
    }
    addresses = [address for string in brokers.values() for address in string.split(",")]
    assert len(set(addresses)) == 12 and all(address.startswith("127.0.0.1:") for address in addresses)
    again = kafka.get_bootstrap_brokers(ClusterArn=cluster)
    again.pop("ResponseMetadata")
    assert {name: set(string.split(",")) for name, string in again.items()} == {
        name: set(string.split(",")) for name, string in brokers.items()
    }


def test_brokers_are_named_in_another_order_each_time(kafka, cluster):
    def first(_):
        return kafka.get_bootstrap_brokers(ClusterArn=cluster)["BootstrapBrokerString"].split(",")[0]

    assert len(set(map(first, range(50)))) == 3


def test_nodes_are_listed_in_pages_with_what_keeps_the_metadata(kafka, cluster):
    nodes = kafka.get_paginator("list_nodes").paginate(ClusterArn=cluster, PaginationConfig={"PageSize": 2})
    nodes = nodes.build_full_result()["NodeInfoList"]
    brokers = [node["BrokerNodeInfo"]["BrokerId"] for node in nodes if node.get("NodeType") == "BROKER"]
    assert brokers == [1, 2, 3] and sum("ControllerNodeInfo" in node for node in nodes) == 3


def test_a_cluster_takes_time_to_come_and_to_go(kafka, unique):
    name = unique("cluster")
    created = kafka.create_cluster_v2(ClusterName=name, Provisioned=PROVISIONED, Tags={"a": "b"})
    arn = created["ClusterArn"]
    assert (created["State"], created["ClusterType"]) == ("CREATING", "PROVISIONED")
    with refused("ConflictException", 409):
        kafka.create_cluster_v2(ClusterName=name, Provisioned=PROVISIONED)
    with refused("BadRequestException", 400):
        kafka.delete_cluster(ClusterArn=arn)
    with refused("ConflictException", 409):
        kafka.get_bootstrap_brokers(ClusterArn=arn)
    with refused("ClusterConnectivityException", 409):
        kafka.create_topic(ClusterArn=arn, TopicName="t", PartitionCount=1, ReplicationFactor=1)
    eventually(lambda: state(kafka, arn), lambda state: state == "ACTIVE")
    with refused("BadRequestException", 400):
        kafka.delete_cluster(ClusterArn=arn, CurrentVersion="K0")
    version = kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["CurrentVersion"]
    assert kafka.delete_cluster(ClusterArn=arn, CurrentVersion=version)["State"] == "DELETING"

    def names():
        return [one["ClusterName"] for one in kafka.list_clusters_v2(ClusterNameFilter=name)["ClusterInfoList"]]

    assert names() == [name]
    eventually(names, lambda names: not names)
    with refused("NotFoundException", 404):
        kafka.describe_cluster_v2(ClusterArn=arn)


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"ClusterName": "a_b"}, "clusterName"),
        ({"ClusterName": ""}, "clusterName"),
        ({"ClusterName": "x" * 65}, "clusterName"),
        ({"Provisioned": None}, "provisioned"),
        ({"Serverless": SERVERLESS}, "provisioned"),
        ({"Provisioned": {**PROVISIONED, "KafkaVersion": "3.8.0"}}, "kafkaVersion"),
        ({"Provisioned": {**PROVISIONED, "NumberOfBrokerNodes": 4}}, "numberOfBrokerNodes"),
        ({"Provisioned": {**PROVISIONED, "NumberOfBrokerNodes": 16}}, "provisioned.numberOfBrokerNodes"),
        (
            {"Provisioned": {**PROVISIONED, "BrokerNodeGroupInfo": {**NETWORK, "ClientSubnets": ["subnet-0a"]}}},
            "clientSubnets",
        ),
        (
            {"Provisioned": {**PROVISIONED, "BrokerNodeGroupInfo": {**NETWORK, "InstanceType": "m7g.large"}}},
            "instanceType",
        ),
        (
            {
                "Provisioned": {
                    **PROVISIONED,
                    "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
                    "EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "PLAINTEXT"}},
                }
            },
            "clientBroker",
        ),
    ],
)
def test_a_wrong_cluster_is_refused_with_its_parameter(kafka, unique, change, parameter):
    request = {"ClusterName": unique("c"), "Provisioned": PROVISIONED, **change}
    request = {key: value for key, value in request.items() if value is not None}
    with pytest.raises(kafka.exceptions.BadRequestException) as caught:
        kafka.create_cluster_v2(**request)
    assert caught.value.response["InvalidParameter"] == parameter


@pytest.mark.parametrize(
    ("authentication", "in_transit", "listeners"),
    [
        (None, None, {"BootstrapBrokerStringTls"}),
        (None, "TLS_PLAINTEXT", {"BootstrapBrokerString", "BootstrapBrokerStringTls"}),
        (None, "PLAINTEXT", {"BootstrapBrokerString"}),
        ({"Sasl": {"Iam": {"Enabled": True}}}, "TLS", {"BootstrapBrokerStringSaslIam"}),
        ({"Sasl": {"Scram": {"Enabled": True}}}, "TLS", {"BootstrapBrokerStringSaslScram"}),
    ],
)
def test_only_the_listeners_of_the_authentication_are_told(kafka, make, authentication, in_transit, listeners):
    request = dict(PROVISIONED)
    if authentication:
        request["ClientAuthentication"] = authentication
    if in_transit:
        request["EncryptionInfo"] = {"EncryptionInTransit": {"ClientBroker": in_transit}}
    brokers = kafka.get_bootstrap_brokers(ClusterArn=make(Provisioned=request))
    assert set(brokers) - {"ResponseMetadata"} == listeners


def test_an_old_cluster_has_zookeeper_and_no_topic_api(kafka, make):
    arn = make(Provisioned={**PROVISIONED, "KafkaVersion": "2.8.1"})
    assert ":2181" in kafka.describe_cluster(ClusterArn=arn)["ClusterInfo"]["ZookeeperConnectString"]
    for call in (
        lambda: kafka.list_topics(ClusterArn=arn),
        lambda: kafka.create_topic(ClusterArn=arn, TopicName="t", PartitionCount=1, ReplicationFactor=1),
    ):
        with refused("BadRequestException", 400, "3.6.0 or later"):
            call()


def test_a_serverless_cluster_has_iam_only_and_no_topic_api(kafka, make):
    arn = make(Serverless=SERVERLESS)
    assert kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["ClusterType"] == "SERVERLESS"
    brokers = kafka.get_bootstrap_brokers(ClusterArn=arn)
    assert set(brokers) - {"ResponseMetadata"} == {"BootstrapBrokerStringSaslIam"}
    with refused("BadRequestException", 400):
        kafka.describe_cluster(ClusterArn=arn)
    with refused("BadRequestException", 400, "Serverless"):
        kafka.list_topics(ClusterArn=arn)
    name = arn.split("/")[1]
    assert not kafka.list_clusters(ClusterNameFilter=name)["ClusterInfoList"]
    assert kafka.list_clusters_v2(ClusterNameFilter=name, ClusterTypeFilter="SERVERLESS")["ClusterInfoList"]
    assert not kafka.list_clusters_v2(ClusterNameFilter=name, ClusterTypeFilter="PROVISIONED")["ClusterInfoList"]


def test_clusters_are_listed_in_pages(environment, kafka, unique):
    prefix = unique("page")
    for number in range(5):
        declare(environment, name=f"{prefix}-{number}")
    for operation in ("list_clusters", "list_clusters_v2"):
        pages = list(
            kafka.get_paginator(operation).paginate(ClusterNameFilter=prefix, PaginationConfig={"PageSize": 2})
        )
        names = [one["ClusterName"] for page in pages for one in page["ClusterInfoList"]]
        assert (len(pages), names) == (3, [f"{prefix}-{number}" for number in range(5)])
    with refused("BadRequestException", 400):
        kafka.list_clusters_v2(NextToken="rubbish")
    token = kafka.list_clusters_v2(ClusterNameFilter=prefix, MaxResults=1)["NextToken"]
    with refused("BadRequestException", 400):
        kafka.list_clusters(ClusterNameFilter=prefix, NextToken=token)
    with refused("BadRequestException", 400):
        kafka.list_clusters_v2(MaxResults=101)


def test_kafka_versions_are_listed(kafka):
    versions = {one["Version"]: one["Status"] for one in kafka.list_kafka_versions()["KafkaVersions"]}
    assert versions["3.8.x"] == "ACTIVE" and "DEPRECATED" in versions.values()


def test_clusters_have_tags(kafka, make):
    arn = make(Provisioned=PROVISIONED, Tags={"a": "1", "b": "2"})
    kafka.tag_resource(ResourceArn=arn, Tags={"b": "3", "c": "ä/="})
    kafka.untag_resource(ResourceArn=arn, TagKeys=["a", "x"])
    assert kafka.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"b": "3", "c": "ä/="}
    assert kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["Tags"] == {"b": "3", "c": "ä/="}
    with refused("BadRequestException", 400, "reserved"):
        kafka.tag_resource(ResourceArn=arn, Tags={"aws:x": "1"})


def test_arns_that_are_none_and_clusters_that_are_not_there(kafka, cluster):
    for arn in ("nonsense", cluster.replace(ACCOUNT, "123456789012")):
        with refused("BadRequestException", 400):
            kafka.describe_cluster_v2(ClusterArn=arn)
    with refused("NotFoundException", 404):
        kafka.list_topics(ClusterArn=cluster[:-2] + "99")


def test_a_topic_comes_changes_and_goes(kafka, cluster, unique):
    name = unique("0a1b.pin")
    where = {"ClusterArn": cluster, "TopicName": name}
    created = kafka.create_topic(**where, PartitionCount=3, ReplicationFactor=2, Configs=configs(retention_ms="1000"))
    assert created["Status"] == "CREATING"
    assert created["TopicArn"] == cluster.replace(":cluster/", ":topic/") + f"/{name}"
    assert found(kafka, cluster, name) is None, "what is shown lags"
    with refused("TopicExistsException", 409):
        kafka.create_topic(**where, PartitionCount=3, ReplicationFactor=2)
    topic = settled(kafka, cluster, name)
    assert (topic["PartitionCount"], topic["ReplicationFactor"]) == (3, 2)
    assert read_configs(topic["Configs"])["retention.ms"] == "1000"

    assert kafka.update_topic(**where, PartitionCount=5)["Status"] == "UPDATING"
    assert found(kafka, cluster, name)["PartitionCount"] == 3, "what is shown lags"
    with refused("ReassignmentInProgressException", 409):
        kafka.update_topic(**where, PartitionCount=6)
    settled(kafka, cluster, name, PartitionCount=5)
    kafka.update_topic(**where, Configs=configs(cleanup_policy="compact"))
    topic = eventually(
        lambda: found(kafka, cluster, name),
        lambda topic: topic["Status"] == "ACTIVE" and read_configs(topic["Configs"])["cleanup.policy"] == "compact",
    )
    assert read_configs(topic["Configs"])["retention.ms"] == "1000", "what an update doesn't name stays"

    assert kafka.delete_topic(**where)["Status"] == "DELETING"
    assert found(kafka, cluster, name)["Status"] == "ACTIVE", "what is shown lags"
    for again in (lambda: kafka.delete_topic(**where), lambda: kafka.update_topic(**where, PartitionCount=9)):
        with refused("UnknownTopicOrPartitionException", 404):
            again()
    with refused("TopicExistsException", 409):
        kafka.create_topic(**where, PartitionCount=1, ReplicationFactor=1)
    states = set()
    eventually(lambda: found(kafka, cluster, name), lambda topic: topic is None or states.add(topic["Status"]))
    assert "DELETING" in states
    kafka.create_topic(**where, PartitionCount=1, ReplicationFactor=1)
    settled(kafka, cluster, name, PartitionCount=1)


def test_both_formats_of_configs_occur_and_the_server_adds_to_them(kafka, cluster, unique):
    texts = []
    for suffix in ("a", "bb"):
        name = unique("t") + suffix
        kafka.create_topic(ClusterArn=cluster, TopicName=name, PartitionCount=1, ReplicationFactor=1)
        text = settled(kafka, cluster, name)["Configs"]
        assert read_configs(text)["cleanup.policy"] == "delete"
        texts.append(base64.b64decode(text).decode())
    assert sorted(text.startswith("{") for text in texts) == [False, True]


@pytest.mark.parametrize(
    ("change", "code", "parameter"),
    [
        ({"TopicName": "a b"}, "BadRequestException", "topicName"),
        ({"TopicName": "x" * 250}, "BadRequestException", "topicName"),
        ({"PartitionCount": 0}, "BadRequestException", "partitionCount"),
        ({"PartitionCount": "3"}, "BadRequestException", "partitionCount"),
        ({"ReplicationFactor": None}, "BadRequestException", "replicationFactor"),
        ({"ReplicationFactor": 4}, "KafkaRequestException", "replicationFactor"),
        ({"Configs": "{}"}, "BadRequestException", "configs"),
        ({"Configs": base64.b64encode(b"retention.ms=1").decode()}, "BadRequestException", "configs"),
        ({"Configs": configs(retention_mss="1")}, "KafkaRequestException", "configs"),
        ({"Configs": configs(retention_ms="a week")}, "KafkaRequestException", "configs"),
        ({"Configs": configs(cleanup_policy="shred")}, "KafkaRequestException", "configs"),
    ],
)
def test_a_wrong_topic_is_refused_with_its_parameter(kafka, cluster, unique, change, code, parameter):
    request = {"TopicName": unique("t"), "PartitionCount": 1, "ReplicationFactor": 1, **change}
    request = {key: value for key, value in request.items() if value is not None}
    with pytest.raises(kafka.exceptions.ClientError) as caught:
        kafka.create_topic(ClusterArn=cluster, **request)
    response = caught.value.response
    assert (response["Error"]["Code"], response["InvalidParameter"]) == (code, parameter)


def test_names_that_metrics_would_mix_up_collide(kafka, cluster, unique):
    name = unique("t")
    kafka.create_topic(ClusterArn=cluster, TopicName=f"{name}.a", PartitionCount=1, ReplicationFactor=1)
    with refused("KafkaRequestException", 400, "collides"):
        kafka.create_topic(ClusterArn=cluster, TopicName=f"{name}_a", PartitionCount=1, ReplicationFactor=1)
    assert found(kafka, cluster, f"{name}_a") is None


def test_wrong_updates_are_refused(kafka, cluster, topic):
    where = {"ClusterArn": cluster, "TopicName": topic}
    with refused("BadRequestException", 400, "not both"):
        kafka.update_topic(**where, PartitionCount=4, Configs=configs(retention_ms="1"))
    with refused("BadRequestException", 400):
        kafka.update_topic(**where)
    with refused("KafkaRequestException", 400, "already has 3"):
        kafka.update_topic(**where, PartitionCount=3)
    with refused("KafkaRequestException", 400, "would not be an increase"):
        kafka.update_topic(**where, PartitionCount=2)
    with refused("KafkaRequestException", 400, "Unknown topic config name"):
        kafka.update_topic(**where, Configs=configs(x="1"))
    for operation in (kafka.delete_topic, lambda **rest: kafka.update_topic(**rest, PartitionCount=2)):
        with refused("UnknownTopicOrPartitionException", 404):
            operation(ClusterArn=cluster, TopicName="no-such-topic")
    with refused("NotFoundException", 404):
        kafka.describe_topic(ClusterArn=cluster, TopicName="no-such-topic")


def test_partitions_are_told_in_pages(kafka, cluster, unique):
    name = unique("t")
    kafka.create_topic(ClusterArn=cluster, TopicName=name, PartitionCount=60, ReplicationFactor=2)
    settled(kafka, cluster, name)
    partitions, token = [], {}
    while token is not None:
        page = kafka.describe_topic_partitions(ClusterArn=cluster, TopicName=name, MaxResults=25, **token)
        partitions += page["Partitions"]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert [one["Partition"] for one in partitions] == list(range(60))
    for one in partitions:
        assert one["Leader"] in one["Isr"] == one["Replicas"] and len(set(one["Replicas"])) == 2
        assert set(one["Replicas"]) <= {1, 2, 3}


def test_topics_are_listed_by_prefix_in_pages(environment, kafka, unique):
    cluster = declare(environment, name=unique("many"))["clusterArn"]
    names = [f"user{number % 3}.topic-{number:03}" for number in range(120)]

    def create(name):
        kafka.create_topic(ClusterArn=cluster, TopicName=name, PartitionCount=2, ReplicationFactor=3)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(create, names))

    def listed(**filters):
        pages = kafka.get_paginator("list_topics").paginate(ClusterArn=cluster, **filters)
        return [one for page in pages for one in page["Topics"]]

    everything = eventually(listed, lambda topics: len(topics) == 120)
    assert [one["TopicName"] for one in everything] == sorted(names)
    assert {(one["PartitionCount"], one["ReplicationFactor"]) for one in everything} == {(2, 3)}
    assert len(kafka.list_topics(ClusterArn=cluster)["Topics"]) == 50, "pages are small unless one asks for more"
    user = listed(TopicNameFilter="user1.", PaginationConfig={"PageSize": 7})
    assert [one["TopicName"] for one in user] == sorted(name for name in names if name.startswith("user1."))
    for wrong in ({"NextToken": "rubbish"}, {"MaxResults": 0}, {"MaxResults": 101}):
        with refused("BadRequestException", 400):
            kafka.list_topics(ClusterArn=cluster, **wrong)


def test_a_thousand_topics_are_described_quickly(environment, kafka, unique):
    cluster = declare(environment, name=unique("thousand"))["clusterArn"]
    names = [f"t{number:04}" for number in range(1000)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:

        def create(name):
            kafka.create_topic(ClusterArn=cluster, TopicName=name, PartitionCount=3, ReplicationFactor=3)

        def describe(name):
            return settled(kafka, cluster, name)["PartitionCount"]

        begun = time.monotonic()
        list(pool.map(create, names))
        assert set(pool.map(describe, names)) == {3}
    assert time.monotonic() - begun < 60
