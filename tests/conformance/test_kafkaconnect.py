"""MSK Connect: plugins, worker configurations, connectors and operations on them, through boto3."""

import base64
import io
import json
import urllib.request
import uuid
import zipfile

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from refusals import refused
from waiting import eventually, strict

ACCOUNT = "000000000000"
SINK = "io.confluent.connect.s3.S3SinkConnector"
STORAGE = "io.confluent.connect.s3.storage.S3Storage"
FORMAT = "io.confluent.connect.s3.format.json.JsonFormat"
PARTITIONER = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
TOPICS = ("0a1b.pin", "0a1b.geo")
WORKER = {
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
}
FIXED = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}}


def archive(*classes):
    """A ZIP with a JAR that has these classes."""
    jar, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(jar, "w") as file:
        for name in classes:
            file.writestr(name.replace(".", "/") + ".class", b"\xca\xfe\xba\xbe")
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("confluentinc-kafka-connect-s3/lib/s3.jar", jar.getvalue())
    return outer.getvalue()


def properties(**changes):
    values = {**WORKER, **changes}
    text = "".join(f"{key.replace('__', '.')}={value}\n" for key, value in values.items())
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def connect(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("kafkaconnect", config=Config(parameter_validation=False)))


@pytest.fixture(scope="module")
def kafka(client):
    return client("kafka")


@pytest.fixture(scope="module")
def iam(client):
    return client("iam")


@pytest.fixture(scope="module")
def cluster(environment, kafka):
    """The ARN of a cluster with the topics."""
    body = json.dumps({"region": "us-east-1", "name": "conformance-connect"}).encode()
    request = urllib.request.Request(f"{environment['AWS_ENDPOINT_URL']}/_sandbox/cluster", body, method="POST")
    with urllib.request.urlopen(request) as reply:
        arn = json.load(reply)["clusterArn"]
    for topic in TOPICS:
        try:
            kafka.create_topic(ClusterArn=arn, TopicName=topic, PartitionCount=3, ReplicationFactor=3)
        except kafka.exceptions.TopicExistsException:
            pass
    return arn


@pytest.fixture(scope="module")
def bucket(client):
    """A bucket with a plugin's file."""
    s3 = client("s3")
    name = "conformance-connect-bucket"
    s3.create_bucket(Bucket=name)
    s3.put_object(
        Bucket=name, Key="plugin.zip", Body=archive(SINK, STORAGE, FORMAT, PARTITIONER, "io.x.OtherSinkConnector")
    )
    s3.put_object(Bucket=name, Key="broken.zip", Body=b"not an archive")
    return name


def location(bucket, key="plugin.zip"):
    return {"s3Location": {"bucketArn": f"arn:aws:s3:::{bucket}", "fileKey": key}}


def plugin_state(connect, arn):
    return connect.describe_custom_plugin(customPluginArn=arn)


@pytest.fixture(scope="module")
def plugin(connect, bucket):
    """The ARN of a plugin that is ACTIVE."""
    return new_plugin(connect, bucket, "conformance-plugin")


def new_plugin(connect, bucket, name):
    created = connect.create_custom_plugin(name=name, contentType="ZIP", location=location(bucket))
    arn = created["customPluginArn"]
    eventually(lambda: plugin_state(connect, arn), lambda plugin: plugin["customPluginState"] == "ACTIVE")
    return arn


@pytest.fixture(scope="module")
def make_role(iam, cluster, bucket):
    """make_role(…) is the ARN of a new role; what it grants and trusts may be changed."""

    def create(service="kafkaconnect.amazonaws.com", condition=None, deny=()):
        name = f"role-{uuid.uuid4().hex[:12]}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if condition:
            trust["Condition"] = condition
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        inside = cluster.replace(":cluster/", ":{}/")
        groups = [inside.format("group") + "/connect-*", inside.format("group") + "/__amazon_msk_connect_*"]
        topics = [inside.format("topic") + "/0a1b.*", inside.format("topic") + "/__amazon_msk_connect_*"]
        statements = [
            {"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": [cluster, *groups, *topics]},
            {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]},
        ]
        statements += [{"Effect": "Deny", "Action": action, "Resource": "*"} for action in deny]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
        return arn

    return create


@pytest.fixture(scope="module")
def role(make_role):
    """The ARN of a role that does for all connectors that work."""
    return make_role()


@pytest.fixture
def request_for(kafka, cluster, bucket, plugin, role, unique):
    """request_for(…) is a CreateConnector request that works, but for the changes."""

    def build(configuration=None, **changes):
        config = {
            "connector.class": SINK,
            "storage.class": STORAGE,
            "format.class": FORMAT,
            "partitioner.class": PARTITIONER,
            "s3.bucket.name": bucket,
            "s3.region": "us-east-1",
            "topics": ",".join(TOPICS),
            "flush.size": "1",
            "tasks.max": "3",
            **WORKER,
            **(configuration or {}),
        }
        brokers = kafka.get_bootstrap_brokers(ClusterArn=cluster)["BootstrapBrokerStringSaslIam"]
        vpc = {"subnets": ["subnet-0a", "subnet-0b"], "securityGroups": ["sg-0a"]}
        request = {
            "connectorName": unique("connector"),
            "capacity": FIXED,
            "connectorConfiguration": {key: value for key, value in config.items() if value is not None},
            "kafkaCluster": {"apacheKafkaCluster": {"bootstrapServers": brokers, "vpc": vpc}},
            "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
            "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
            "kafkaConnectVersion": "3.7.x",
            "plugins": [{"customPlugin": {"customPluginArn": plugin, "revision": 1}}],
            "serviceExecutionRoleArn": role,
            **changes,
        }
        return {key: value for key, value in request.items() if value is not None}

    return build


@pytest.fixture
def submit(connect):
    """submit(request) is CreateConnector, tried again while the role is too new to be assumed; deleted at the end."""
    arns = []

    def create(request):
        def attempt():
            try:
                return connect.create_connector(**request)
            except ClientError as error:
                if "cannot be assumed" in error.response["Error"]["Message"]:
                    return None
                raise

        created = eventually(attempt, lambda created: created)
        arns.append(created["connectorArn"])
        return created

    yield create
    for arn in arns:
        remove(connect, arn)


def remove(connect, arn):
    busy = ("CREATING", "UPDATING", "RESTARTING", "PAUSING", "RESUMING")
    try:
        eventually(lambda: describe(connect, arn), lambda found: found["connectorState"] not in busy)
        if describe(connect, arn)["connectorState"] != "DELETING":
            connect.delete_connector(connectorArn=arn)
    except connect.exceptions.NotFoundException:
        pass


def describe(connect, arn):
    return connect.describe_connector(connectorArn=arn)


def settled(connect, arn):
    busy = ("CREATING", "UPDATING", "RESTARTING", "PAUSING", "RESUMING")
    return eventually(lambda: describe(connect, arn), lambda found: found["connectorState"] not in busy)


def ended(connect, arn):
    """The operation, once it has ended."""
    return eventually(
        lambda: connect.describe_connector_operation(connectorOperationArn=arn), lambda found: "endTime" in found
    )


@pytest.fixture
def running(connect, request_for, submit):
    """A connector that is RUNNING, described."""
    arn = submit(request_for(tags={"pipeline:name": "x"}))["connectorArn"]
    connector = settled(connect, arn)
    assert connector["connectorState"] == "RUNNING", connector
    return connector


def update(connect, connector, **changes):
    return connect.update_connector(
        connectorArn=connector["connectorArn"], currentVersion=connector["currentVersion"], **changes
    )


# Plugins


def test_a_plugin_comes_is_listed_and_goes(connect, bucket, unique):
    name = unique("plugin")
    created = connect.create_custom_plugin(
        name=name, contentType="ZIP", location=location(bucket), description="d", tags={"pipeline:name": "x"}
    )
    arn = created["customPluginArn"]
    assert (created["customPluginState"], created["revision"], created["name"]) == ("CREATING", 1, name)
    assert arn.startswith(f"arn:aws:kafkaconnect:us-east-1:{ACCOUNT}:custom-plugin/{name}/")
    assert "latestRevision" not in plugin_state(connect, arn)
    with refused("ConflictException", 409):
        connect.create_custom_plugin(name=name, contentType="ZIP", location=location(bucket))
    with refused("BadRequestException", 400, "CREATING"):
        connect.delete_custom_plugin(customPluginArn=arn)
    found = eventually(lambda: plugin_state(connect, arn), lambda plugin: plugin["customPluginState"] == "ACTIVE")
    revision = found["latestRevision"]
    assert revision["location"] == location(bucket) and revision["fileDescription"]["fileSize"] > 100
    assert [one["customPluginArn"] for one in connect.list_custom_plugins(namePrefix=name)["customPlugins"]] == [arn]
    assert connect.list_tags_for_resource(resourceArn=arn)["tags"] == {"pipeline:name": "x"}
    assert connect.delete_custom_plugin(customPluginArn=arn)["customPluginState"] == "DELETING"
    with refused("ConflictException", 409):
        connect.create_custom_plugin(name=name, contentType="ZIP", location=location(bucket))
    with pytest.raises(connect.exceptions.NotFoundException):
        eventually(lambda: plugin_state(connect, arn), lambda _: False)
    assert not connect.list_custom_plugins(namePrefix=name)["customPlugins"]


@pytest.mark.parametrize("key", ["no-such-object.zip", "broken.zip"])
def test_a_plugin_whose_file_is_no_good_fails_later_and_says_why(connect, bucket, unique, key):
    arn = connect.create_custom_plugin(name=unique("p"), contentType="ZIP", location=location(bucket, key))[
        "customPluginArn"
    ]
    found = eventually(lambda: plugin_state(connect, arn), lambda plugin: plugin["customPluginState"] != "CREATING")
    assert found["customPluginState"] == "CREATE_FAILED" and key in found["stateDescription"]["message"]
    assert "latestRevision" not in found
    connect.delete_custom_plugin(customPluginArn=arn)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a b"},
        {"name": "x" * 129},
        {"contentType": "RAR"},
        {"location": {"s3Location": {"bucketArn": "bucket", "fileKey": "k"}}},
        {"location": {}},
        {"tags": {"aws:x": "1"}},
    ],
)
def test_a_wrong_plugin_is_refused(connect, bucket, unique, change):
    with refused("BadRequestException", 400):
        connect.create_custom_plugin(
            **{"name": unique("p"), "contentType": "ZIP", "location": location(bucket), **change}
        )


def test_what_is_not_there_is_not_found_and_what_is_no_arn_is_refused(connect, plugin):
    with refused("NotFoundException", 404):
        connect.describe_custom_plugin(customPluginArn=plugin + "9")
    for arn in ("nonsense", plugin.replace(ACCOUNT, "123456789012"), plugin.replace(":custom-plugin/", ":connector/")):
        with refused("BadRequestException", 400):
            connect.describe_custom_plugin(customPluginArn=arn)


def test_lists_come_in_pages(connect, bucket, unique):
    prefix = unique("page")
    for number in range(5):
        connect.create_worker_configuration(name=f"{prefix}-{number}", propertiesFileContent=properties())
    pages = connect.get_paginator("list_worker_configurations").paginate(
        namePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    pages = list(pages)
    names = [one["name"] for page in pages for one in page["workerConfigurations"]]
    assert (len(pages), names) == (3, [f"{prefix}-{number}" for number in range(5)])
    token = pages[0]["nextToken"]
    for wrong in ({"nextToken": "rubbish"}, {"nextToken": token}, {"maxResults": 0}, {"maxResults": 101}):
        with refused("BadRequestException", 400):
            connect.list_custom_plugins(**wrong)
    for page in pages:
        for one in page["workerConfigurations"]:
            connect.delete_worker_configuration(workerConfigurationArn=one["workerConfigurationArn"])


# Worker configurations


def test_a_worker_configuration_comes_is_listed_and_goes(connect, unique):
    name, content = unique("worker"), properties()
    created = connect.create_worker_configuration(
        name=name, propertiesFileContent=content, description="d", tags={"a": "b"}
    )
    arn = created["workerConfigurationArn"]
    assert created["workerConfigurationState"] == "ACTIVE"
    with refused("ConflictException", 409):
        connect.create_worker_configuration(name=name, propertiesFileContent=content)
    found = connect.describe_worker_configuration(workerConfigurationArn=arn)
    assert (found["latestRevision"]["propertiesFileContent"], found["latestRevision"]["revision"]) == (content, 1)
    connect.tag_resource(resourceArn=arn, tags={"c": "d"})
    connect.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert connect.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    assert connect.delete_worker_configuration(workerConfigurationArn=arn)["workerConfigurationState"] == "DELETING"
    with pytest.raises(connect.exceptions.NotFoundException):
        eventually(lambda: connect.describe_worker_configuration(workerConfigurationArn=arn), lambda _: False)


@pytest.mark.parametrize(
    "content",
    [
        "key.converter=a",
        base64.b64encode(b"key.converter=a").decode(),
        properties(group__id="x"),
        properties(sasl__mechanism="x"),
        properties(bootstrap__servers="x"),
        properties(plugin__path="x"),
        properties(consumer__group__id="x"),
    ],
)
def test_a_wrong_worker_configuration_is_refused(connect, unique, content):
    with refused("BadRequestException", 400, "propertiesFileContent"):
        connect.create_worker_configuration(name=unique("w"), propertiesFileContent=content)


# Connectors


def test_a_connector_comes_is_listed_and_goes(connect, request_for, submit, plugin):
    logs = {"workerLogDelivery": {"cloudWatchLogs": {"enabled": True, "logGroup": "g"}}}
    request = request_for(tags={"pipeline:name": "x"}, connectorDescription="d", logDelivery=logs)
    created = submit(request)
    arn, name = created["connectorArn"], created["connectorName"]
    assert created["connectorState"] == "CREATING"
    assert arn.startswith(f"arn:aws:kafkaconnect:us-east-1:{ACCOUNT}:connector/{name}/")
    with refused("ConflictException", 409):
        connect.create_connector(**request)
    for call in (
        lambda: connect.delete_connector(connectorArn=arn),
        lambda: update(connect, describe(connect, arn), connectorConfiguration=request["connectorConfiguration"]),
        lambda: connect.restart_connector(connectorArn=arn),
    ):
        with refused("BadRequestException", 400, "CREATING"):
            call()
    connector = settled(connect, arn)
    assert connector["connectorState"] == "RUNNING" and "stateDescription" not in connector, connector
    for member in (
        "capacity",
        "connectorConfiguration",
        "kafkaCluster",
        "logDelivery",
        "plugins",
        "serviceExecutionRoleArn",
    ):
        assert connector[member] == request[member], member
    listed = connect.list_connectors(connectorNamePrefix=name)["connectors"]
    assert [one["connectorArn"] for one in listed] == [arn] and "connectorConfiguration" not in listed[0]
    assert connect.list_tags_for_resource(resourceArn=arn)["tags"] == {"pipeline:name": "x"}

    with refused("BadRequestException", 400, "in use"):
        connect.delete_custom_plugin(customPluginArn=plugin)
    with refused("BadRequestException", 400, "currentVersion"):
        connect.delete_connector(connectorArn=arn, currentVersion="K0")
    deleted = connect.delete_connector(connectorArn=arn, currentVersion=connector["currentVersion"])
    assert deleted["connectorState"] == "DELETING"
    with refused("ConflictException", 409):
        connect.create_connector(**request)
    with refused("BadRequestException", 400, "DELETING"):
        connect.delete_connector(connectorArn=arn)
    with pytest.raises(connect.exceptions.NotFoundException):
        eventually(lambda: describe(connect, arn), lambda _: False)
    again = submit(request)["connectorArn"]
    assert again != arn and settled(connect, again)["connectorState"] == "RUNNING"


def vpc(**changes):
    def change(request):
        request["kafkaCluster"]["apacheKafkaCluster"]["vpc"].update(changes)

    return change


def replaced(**changes):
    return lambda request: request.update(changes)


def fixed(mcus, workers):
    return {"provisionedCapacity": {"mcuCount": mcus, "workerCount": workers}}


def scaling(low=1, high=2, cpu_in=20, cpu_out=80, **more):
    return {
        "autoScaling": {
            "mcuCount": 1,
            "minWorkerCount": low,
            "maxWorkerCount": high,
            "scaleInPolicy": {"cpuUtilizationPercentage": cpu_in},
            "scaleOutPolicy": {"cpuUtilizationPercentage": cpu_out},
            **more,
        }
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(connectorName="a b"), "connectorName"),
        (replaced(capacity={}), "exactly one"),
        (replaced(capacity={**fixed(1, 1), **scaling()}), "exactly one"),
        (replaced(capacity=fixed(3, 1)), "1, 2, 4 and 8"),
        (replaced(capacity=fixed(9, 1)), "less than or equal to 8"),
        (replaced(capacity=fixed(1, 0)), "workerCount"),
        (replaced(capacity=fixed(1, 11)), "workerCount"),
        (replaced(capacity=scaling(low=3)), "minWorkerCount"),
        (replaced(capacity=scaling(cpu_in=0)), "greater than or equal to 1"),
        (replaced(capacity=scaling(cpu_in=80)), "scaleInPolicy"),
        (replaced(capacity=scaling(maxAutoscalingTaskCount=1)), "maxAutoscalingTaskCount"),
        (replaced(kafkaConnectVersion="3.7.1"), "2.7.1 and 3.7.x"),
        (replaced(plugins=[]), "exactly one custom plugin"),
        (replaced(kafkaClusterClientAuthentication={"authenticationType": "SCRAM"}), "enum"),
        (replaced(kafkaClusterEncryptionInTransit={"encryptionType": "PLAINTEXT"}), "TLS"),
        (replaced(connectorConfiguration={"tasks.max": "1"}), "connector.class"),
        (replaced(connectorConfiguration={"connector.class": 1}), "map of strings"),
        (replaced(logDelivery={"workerLogDelivery": {"cloudWatchLogs": {"enabled": True}}}), "logGroup"),
        (replaced(serviceExecutionRoleArn="role"), "serviceExecutionRoleArn"),
        (replaced(serviceExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody"), "doesn't exist"),
        (
            replaced(
                serviceExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/kafkaconnect.amazonaws.com/AWSServiceRoleForKafkaConnect"
            ),
            "service linked role",
        ),
        (vpc(subnets=[]), "subnets"),
        (vpc(securityGroups=[]), "securityGroups"),
        (vpc(subnets=["vpc-1"]), "subnets"),
    ],
)
def test_a_wrong_connector_is_refused_at_once(connect, request_for, change, message):
    request = request_for()
    change(request)
    with refused("BadRequestException", 400, message):
        connect.create_connector(**request)


def test_every_missing_member_is_named(connect):
    with pytest.raises(ClientError) as caught:
        connect.create_connector(connectorName="x")
    message = caught.value.response["Error"]["Message"]
    assert "8 validation errors" in message and "'serviceExecutionRoleArn'" in message


def test_a_role_that_is_too_new_is_refused_at_once(connect, request_for, make_role):
    with refused("BadRequestException", 400, "cannot be assumed"):
        connect.create_connector(**request_for(serviceExecutionRoleArn=make_role()))


def test_what_a_connector_uses_must_be_there(connect, request_for, plugin, bucket, submit, unique):
    missing = [{"customPlugin": {"customPluginArn": plugin + "9", "revision": 1}}]
    submit_errors = [(missing, "NotFoundException", 404)]
    submit_errors += [([{"customPlugin": {"customPluginArn": plugin, "revision": 2}}], "NotFoundException", 404)]
    request = request_for()
    submit(request)
    for plugins, code, status in submit_errors:
        with refused(code, status):
            connect.create_connector(**{**request, "connectorName": unique("c"), "plugins": plugins})
    worker = {"workerConfigurationArn": plugin.replace("custom-plugin", "worker-configuration"), "revision": 1}
    with refused("NotFoundException", 404):
        connect.create_connector(**{**request, "connectorName": unique("c"), "workerConfiguration": worker})
    new = connect.create_custom_plugin(name=unique("p"), contentType="ZIP", location=location(bucket))[
        "customPluginArn"
    ]
    plugins = [{"customPlugin": {"customPluginArn": new, "revision": 1}}]
    with refused("BadRequestException", 400, "must be ACTIVE"):
        connect.create_connector(**{**request, "connectorName": unique("c"), "plugins": plugins})


SICK = [
    ({"connector.class": "io.x.NoSuchConnector"}, "Failed to find any class that implements Connector"),
    ({"topics": None}, "Must configure one of topics or topics.regex"),
    ({"topics.regex": "0a1b\\..*"}, "mutually exclusive"),
    ({"topics": "0a1b.pin,0a1b.nothing"}, "no topic 0a1b.nothing"),
    ({"topics": None, "topics.regex": "nobody\\..*"}, "matches no topic"),
    ({"topics": None, "topics.regex": "0a1b"}, "matches no topic"),
    ({"topics": None, "topics.regex": "("}, "invalid regular expression"),
    ({"s3.bucket.name": None}, 'Missing required configuration "s3.bucket.name"'),
    ({"s3.bucket.name": "no-such-bucket-at-all"}, "Non-existent S3 bucket"),
    ({"s3.region": "eu-west-1"}, "is in the region us-east-1"),
    ({"flush.size": None}, 'Missing required configuration "flush.size"'),
    ({"flush.size": "many"}, "Not a number of type INT"),
    ({"flush.size": "0"}, "Value must be at least 1"),
    ({"tasks.max": "0"}, "Value must be at least 1"),
    ({"tasks.max": "x"}, "Not a number of type INT"),
    ({"format.class": "io.x.NoFormat"}, "Class io.x.NoFormat could not be found"),
    ({"storage.class": "io.x.NoStorage"}, "Class io.x.NoStorage could not be found"),
    ({"partitioner.class": "io.x.NoPartitioner"}, "Class io.x.NoPartitioner could not be found"),
    ({"value.converter": "io.x.NoConverter"}, "Class io.x.NoConverter could not be found"),
    ({"errors.deadletterqueue.topic.name": "0a1b.pin"}, "DLQ topic"),
    ({"rotate.schedule.interval.ms": "60000"}, "timezone"),
]


@pytest.mark.parametrize(("configuration", "message"), SICK)
def test_a_connector_with_a_bad_configuration_fails_and_says_why(connect, request_for, submit, configuration, message):
    connector = settled(connect, submit(request_for(configuration))["connectorArn"])
    assert connector["connectorState"] == "FAILED"
    description = connector["stateDescription"]
    assert description["code"] == "InvalidInput.InvalidConnectorConfiguration"
    assert message in description["message"]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("kafka-cluster:Connect", ":cluster/"),
        ("kafka-cluster:ReadData", "/__amazon_msk_connect_"),
        ("kafka-cluster:AlterGroup", "/__amazon_msk_connect_"),
        ("s3:PutObject", "/topics/"),
        ("s3:ListBucket", "conformance-connect-bucket"),
        ("s3:AbortMultipartUpload", "/topics/"),
    ],
)
def test_a_connector_whose_role_grants_too_little_fails(connect, request_for, submit, make_role, action, resource):
    connector = settled(connect, submit(request_for(serviceExecutionRoleArn=make_role(deny=[action])))["connectorArn"])
    assert connector["connectorState"] == "FAILED"
    message = connector["stateDescription"]["message"]
    assert action in message and resource in message


def test_a_connector_that_may_not_read_one_of_its_topics_fails(connect, kafka, cluster, request_for, submit):
    try:
        kafka.create_topic(ClusterArn=cluster, TopicName="other.pin", PartitionCount=1, ReplicationFactor=1)
    except kafka.exceptions.TopicExistsException:
        pass
    connector = settled(connect, submit(request_for({"topics": "0a1b.pin,other.pin"}))["connectorArn"])
    assert connector["connectorState"] == "FAILED"
    assert "/other.pin" in connector["stateDescription"]["message"]


def test_a_role_that_does_not_trust_msk_connect_fails(connect, request_for, submit, make_role):
    source = f"arn:aws:kafkaconnect:us-east-1:{ACCOUNT}:connector/"
    wrong = [
        {"service": "ec2.amazonaws.com"},
        {"condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
        {"condition": {"ArnLike": {"aws:SourceArn": f"{source}somebody-else/*"}}},
    ]
    for trust in wrong:
        connector = settled(connect, submit(request_for(serviceExecutionRoleArn=make_role(**trust)))["connectorArn"])
        assert connector["connectorState"] == "FAILED"
        assert "can't assume" in connector["stateDescription"]["message"]
    right = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"{source}connector-*/*"}}
    connector = settled(
        connect, submit(request_for(serviceExecutionRoleArn=make_role(condition=right)))["connectorArn"]
    )
    assert connector["connectorState"] == "RUNNING", connector


def test_bootstrap_servers_must_be_those_of_a_listener_that_fits(connect, kafka, cluster, request_for, submit):
    brokers = kafka.get_bootstrap_brokers(ClusterArn=cluster)

    def create(servers, authentication, encryption):
        request = request_for(
            kafkaClusterClientAuthentication={"authenticationType": authentication},
            kafkaClusterEncryptionInTransit={"encryptionType": encryption},
        )
        request["kafkaCluster"]["apacheKafkaCluster"]["bootstrapServers"] = servers
        return settled(connect, submit(request)["connectorArn"])

    for servers in ("127.0.0.1:1", brokers["BootstrapBrokerString"]):
        connector = create(servers, "IAM", "TLS")
        assert connector["connectorState"] == "FAILED"
        assert "bootstrap servers" in connector["stateDescription"]["message"]
    assert create(brokers["BootstrapBrokerString"], "NONE", "PLAINTEXT")["connectorState"] == "RUNNING"
    assert create(brokers["BootstrapBrokerStringTls"].split(",")[1], "NONE", "TLS")["connectorState"] == "RUNNING"


def test_a_regex_that_matches_whole_names_runs(connect, request_for, submit):
    request = request_for({"topics": None, "topics.regex": "0a1b\\.(pin|geo)"})
    assert settled(connect, submit(request)["connectorArn"])["connectorState"] == "RUNNING"


def test_another_sink_is_not_measured_by_the_s3_sinks_rules(connect, request_for, submit):
    request = request_for({"connector.class": "io.x.OtherSinkConnector", "s3.bucket.name": None, "flush.size": None})
    assert settled(connect, submit(request)["connectorArn"])["connectorState"] == "RUNNING"


def test_a_failed_connector_can_only_be_deleted(connect, request_for, submit):
    connector = settled(connect, submit(request_for({"flush.size": "x"}))["connectorArn"])
    with refused("BadRequestException", 400, "FAILED"):
        update(connect, connector, capacity=fixed(2, 1))
    with refused("ConflictException", 409, "FAILED"):
        connect.pause_connector(connectorArn=connector["connectorArn"])
    connect.delete_connector(connectorArn=connector["connectorArn"])


# Updates


def test_a_configuration_is_updated(connect, running):
    target = {**running["connectorConfiguration"], "flush.size": "100"}
    answered = update(connect, running, connectorConfiguration=target)
    assert answered["connectorState"] == "UPDATING"
    arn = running["connectorArn"]
    meanwhile = describe(connect, arn)
    assert meanwhile["connectorState"] == "UPDATING"
    assert meanwhile["connectorConfiguration"] == running["connectorConfiguration"]
    with refused("BadRequestException", 400, "UPDATING"):
        update(connect, meanwhile, capacity=fixed(2, 1))
    with refused("BadRequestException", 400, "UPDATING"):
        connect.delete_connector(connectorArn=arn)
    operation = ended(connect, answered["connectorOperationArn"])
    assert operation["connectorOperationState"] == "UPDATE_COMPLETE"
    assert operation["connectorOperationType"] == "UPDATE_CONNECTOR_CONFIGURATION"
    assert operation["originConnectorConfiguration"] == running["connectorConfiguration"]
    assert operation["targetConnectorConfiguration"] == target
    assert {step["stepState"] for step in operation["operationSteps"]} == {"COMPLETED"}
    connector = settled(connect, arn)
    assert (connector["connectorState"], connector["connectorConfiguration"]) == ("RUNNING", target)
    assert connector["currentVersion"] != running["currentVersion"]
    with refused("BadRequestException", 400, "currentVersion"):
        update(connect, running, capacity=fixed(2, 1))


def test_worker_settings_are_updated(connect, running, bucket, unique):
    worker = connect.create_worker_configuration(name=unique("w"), propertiesFileContent=properties())
    used = {"workerConfigurationArn": worker["workerConfigurationArn"], "revision": 1}
    other = new_plugin(connect, bucket, unique("plugin"))
    plugins = [{"customPlugin": {"customPluginArn": other, "revision": 1}}]
    arn, connector = running["connectorArn"], running
    for change in (
        {"capacity": fixed(2, 2)},
        {"capacity": scaling(maxAutoscalingTaskCount=4)},
        {"workerConfiguration": used},
        {"plugins": plugins},
    ):
        operation = ended(connect, update(connect, connector, **change)["connectorOperationArn"])
        assert operation["connectorOperationState"] == "UPDATE_COMPLETE", operation
        assert operation["connectorOperationType"] == "UPDATE_WORKER_SETTING"
        ((member, value),) = change.items()
        assert operation["targetWorkerSetting"][member] == value
        connector = settled(connect, arn)
        assert connector[member] == value
    with refused("BadRequestException", 400, "in use"):
        connect.delete_worker_configuration(workerConfigurationArn=used["workerConfigurationArn"])
    ended(connect, update(connect, connector, useDefaultWorkerConfiguration=True)["connectorOperationArn"])
    connector = settled(connect, arn)
    assert "workerConfiguration" not in connector
    connect.delete_worker_configuration(workerConfigurationArn=used["workerConfigurationArn"])
    operations = connect.list_connector_operations(connectorArn=arn)["connectorOperations"]
    times = [one["creationTime"] for one in operations]
    assert len(operations) == 5 and times == sorted(times, reverse=True)
    page = connect.list_connector_operations(connectorArn=arn, maxResults=3)
    assert (
        len(connect.list_connector_operations(connectorArn=arn, nextToken=page["nextToken"])["connectorOperations"])
        == 2
    )


def test_wrong_updates_are_refused(connect, running):
    config = running["connectorConfiguration"]
    for changes, message in (
        ({}, "Specify what to update"),
        ({"capacity": FIXED}, "present capacity"),
        ({"capacity": fixed(2, 1), "connectorConfiguration": config}, "not both"),
        ({"plugins": running["plugins"], "connectorConfiguration": config}, "not both"),
        ({"connectorConfiguration": {**config, "connector.class": "io.x.OtherSinkConnector"}}, "can't be changed"),
        ({"capacity": {"autoScaling": {"mcuCount": 1, "minWorkerCount": 1, "maxWorkerCount": 2}}}, "scaleInPolicy"),
    ):
        with refused("BadRequestException", 400, message):
            update(connect, running, **changes)
    with refused("BadRequestException", 400, "currentVersion"):
        connect.update_connector(connectorArn=running["connectorArn"], currentVersion="K0", capacity=fixed(2, 1))
    with refused("NotFoundException", 404):
        connect.update_connector(connectorArn=running["connectorArn"] + "9", currentVersion="K0", capacity=fixed(2, 1))
    assert describe(connect, running["connectorArn"])["currentVersion"] == running["currentVersion"]


@pytest.mark.parametrize(("change", "message"), [one for one in SICK if "connector.class" not in one[0]][:4])
def test_a_bad_update_is_rolled_back_in_silence(connect, running, change, message):
    config = {**running["connectorConfiguration"], **change}
    target = {key: value for key, value in config.items() if value is not None}
    arn = update(connect, running, connectorConfiguration=target)["connectorOperationArn"]
    states = []

    def read():
        operation = connect.describe_connector_operation(connectorOperationArn=arn)
        states.append(operation["connectorOperationState"])
        return operation

    operation = eventually(read, lambda found: "endTime" in found)
    assert list(dict.fromkeys(states))[-3:] == ["UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
    assert message in operation["errorInfo"]["message"]
    steps = {step["stepType"]: step["stepState"] for step in operation["operationSteps"]}
    assert (steps["VALIDATE_UPDATE"], steps["FINALIZE_UPDATE"]) == ("FAILED", "CANCELLED")
    connector = settled(connect, running["connectorArn"])
    assert connector["connectorState"] == "RUNNING" and "stateDescription" not in connector
    assert connector["connectorConfiguration"] == running["connectorConfiguration"]


def test_an_update_that_skips_the_health_checks_stays(connect, running):
    target = {**running["connectorConfiguration"], "topics": "0a1b.nothing"}
    changed = update(connect, running, connectorConfiguration=target, skipHealthValidation=True)
    assert ended(connect, changed["connectorOperationArn"])["connectorOperationState"] == "UPDATE_COMPLETE"
    assert settled(connect, running["connectorArn"])["connectorConfiguration"] == target


def test_a_connector_is_paused_resumed_and_restarted(connect, running):
    arn = running["connectorArn"]
    with refused("ConflictException", 409):
        connect.resume_connector(connectorArn=arn)
    paused = connect.pause_connector(connectorArn=arn)
    assert describe(connect, arn)["connectorState"] == "PAUSING"
    assert ended(connect, paused["connectorOperationArn"])["connectorOperationState"] == "PAUSE_COMPLETE"
    connector = describe(connect, arn)
    assert connector["connectorState"] == "PAUSED"
    with refused("BadRequestException", 400, "skipHealthValidation"):
        update(connect, connector, capacity=fixed(2, 1))
    ended(connect, update(connect, connector, capacity=fixed(2, 1), skipHealthValidation=True)["connectorOperationArn"])
    connector = describe(connect, arn)
    assert (connector["connectorState"], connector["capacity"]) == ("PAUSED", fixed(2, 1))
    for call, state in ((connect.resume_connector, "RESUME_COMPLETE"), (connect.restart_connector, "RESTART_COMPLETE")):
        operation = ended(connect, call(connectorArn=arn)["connectorOperationArn"])
        assert operation["connectorOperationState"] == state
        assert describe(connect, arn)["connectorState"] == "RUNNING"


def test_later_changes_of_the_plugins_object_change_nothing(client, connect, bucket, unique, request_for, submit):
    s3, key = client("s3"), unique("object")
    s3.put_object(Bucket=bucket, Key=key, Body=archive(SINK, STORAGE, FORMAT, PARTITIONER))
    arn = connect.create_custom_plugin(name=unique("p"), contentType="ZIP", location=location(bucket, key))[
        "customPluginArn"
    ]
    s3.delete_object(Bucket=bucket, Key=key)
    eventually(lambda: plugin_state(connect, arn), lambda plugin: plugin["customPluginState"] == "ACTIVE")
    request = request_for(plugins=[{"customPlugin": {"customPluginArn": arn, "revision": 1}}])
    assert settled(connect, submit(request)["connectorArn"])["connectorState"] == "RUNNING"


def test_quotas_are_told_by_name(connect, bucket, request_for, submit, unique):
    prefix, arns = unique("quota"), []
    with pytest.raises(connect.exceptions.TooManyRequestsException) as caught:
        for number in range(101):
            created = connect.create_worker_configuration(name=f"{prefix}-{number}", propertiesFileContent=properties())
            arns.append(created["workerConfigurationArn"])
    assert "Maximum worker configurations" in str(caught.value)
    for arn in arns:
        connect.delete_worker_configuration(workerConfigurationArn=arn)
    request = request_for(capacity=fixed(1, 10))
    with pytest.raises(connect.exceptions.TooManyRequestsException) as caught:
        for _ in range(7):
            submit({**request, "connectorName": unique("connector")})
    assert "Maximum connect workers" in str(caught.value)
