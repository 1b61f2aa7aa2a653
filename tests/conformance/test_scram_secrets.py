"""MSK: the secrets of clients that log in with SASL/SCRAM, through boto3."""

import json

import pytest
from botocore.config import Config

from refusals import refused
from waiting import strict

CREDENTIALS = json.dumps({"username": "alice", "password": "hunter2"})


@pytest.fixture(scope="module")
def kafka(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("kafka", config=Config(parameter_validation=False)))


@pytest.fixture
def cluster(sandbox, unique):
    """The ARN of a declared cluster of the test's own."""
    return sandbox.private("cluster", {"name": unique("scram"), "region": "us-east-1"})["clusterArn"]


@pytest.fixture
def secret(client, unique):
    """secret() is the ARN of a new secret that a cluster can use; what is given of it is otherwise."""

    def make(prefix="AmazonMSK_", region="us-east-1", **request):
        request = {"KmsKeyId": "alias/mine", "SecretString": CREDENTIALS, **request}
        request = {key: value for key, value in request.items() if value is not None}
        secrets = client("secretsmanager", region_name=region)
        return secrets.create_secret(Name=unique(prefix), **request)["ARN"]

    return make


def listed(kafka, cluster, **pages):
    pages = kafka.get_paginator("list_scram_secrets").paginate(ClusterArn=cluster, PaginationConfig=pages)
    return [arn for page in pages for arn in page["SecretArnList"]]


def test_secrets_are_associated_listed_and_disassociated(kafka, cluster, secret):
    arns = sorted(secret() for _ in range(5))
    answer = kafka.batch_associate_scram_secret(ClusterArn=cluster, SecretArnList=arns)
    assert (answer["ClusterArn"], answer["UnprocessedScramSecrets"]) == (cluster, [])
    assert listed(kafka, cluster) == listed(kafka, cluster, PageSize=2) == arns
    assert not kafka.batch_associate_scram_secret(ClusterArn=cluster, SecretArnList=arns[:1])["UnprocessedScramSecrets"]
    answer = kafka.batch_disassociate_scram_secret(ClusterArn=cluster, SecretArnList=arns[1:])
    assert answer["UnprocessedScramSecrets"] == [] and listed(kafka, cluster) == arns[:1]
    answer = kafka.batch_disassociate_scram_secret(ClusterArn=cluster, SecretArnList=arns[:2])
    [fault] = answer["UnprocessedScramSecrets"]
    assert fault["SecretArn"] == arns[1] and "isn't associated" in fault["ErrorMessage"]
    assert not listed(kafka, cluster)


def test_what_a_cluster_cannot_use_is_left_unprocessed(kafka, cluster, secret):
    good = secret()
    wrong = {
        secret(prefix="Kafka_"): "Secret names must have the prefix 'AmazonMSK_'",
        secret(KmsKeyId=None): "encrypted with the default key",
        secret(KmsKeyId="alias/aws/secretsmanager"): "encrypted with the default key",
        secret(SecretString="alice:hunter2"): "isn't what Amazon MSK expects",
        secret(SecretString='{"username": "alice"}'): "isn't what Amazon MSK expects",
        secret(SecretString=None): "isn't what Amazon MSK expects",
        secret(SecretString=None, SecretBinary=CREDENTIALS.encode()): "isn't what Amazon MSK expects",
        secret(region="eu-west-1"): "the account and the Region of the cluster",
        good[:-6] + "aaaaaa": "Amazon MSK wasn't able to access the provided secret.",
    }
    arns = [*wrong, good]
    faults = kafka.batch_associate_scram_secret(ClusterArn=cluster, SecretArnList=arns)["UnprocessedScramSecrets"]
    assert [fault["SecretArn"] for fault in faults] == list(wrong)
    for fault in faults:
        assert fault["ErrorCode"] == "InvalidSecretArn" and wrong[fault["SecretArn"]] in fault["ErrorMessage"]
        assert "hunter2" not in fault["ErrorMessage"]
    assert listed(kafka, cluster) == [good]


def test_a_call_names_one_to_ten_secrets(kafka, cluster, secret):
    for operation in (kafka.batch_associate_scram_secret, kafka.batch_disassociate_scram_secret):
        for arns in ([], [secret()] * 11, None, [1]):
            with refused("BadRequestException", 400):
                operation(ClusterArn=cluster, SecretArnList=arns)
    assert not listed(kafka, cluster)


def test_only_clusters_with_scram_have_secrets(kafka, sandbox, cluster, secret, unique):
    serverless = sandbox.private("cluster", {"name": unique("c"), "region": "us-east-1", "serverless": True})
    network = {"ClientSubnets": ["subnet-0a", "subnet-0b"], "InstanceType": "kafka.m7g.large"}
    without = kafka.create_cluster_v2(
        ClusterName=unique("without"),
        Provisioned={"KafkaVersion": "3.8.x", "NumberOfBrokerNodes": 2, "BrokerNodeGroupInfo": network},
    )["ClusterArn"]
    with refused("BadRequestException", 400, "it is CREATING"):
        kafka.batch_associate_scram_secret(ClusterArn=without, SecretArnList=[secret()])
    sandbox.private("cluster", {"arn": without, "region": "us-east-1"})
    with refused("BadRequestException", 400, "SASL/SCRAM"):
        kafka.batch_associate_scram_secret(ClusterArn=without, SecretArnList=[secret()])
    assert not listed(kafka, without)
    with refused("BadRequestException", 400, "serverless"):
        kafka.batch_associate_scram_secret(ClusterArn=serverless["clusterArn"], SecretArnList=[secret()])
    with refused("BadRequestException", 400, "serverless"):
        kafka.list_scram_secrets(ClusterArn=serverless["clusterArn"])
    with refused("NotFoundException", 404):
        kafka.list_scram_secrets(ClusterArn=cluster[:-2] + "99")


def test_the_associations_go_with_their_cluster(kafka, sandbox, cluster, secret):
    kafka.batch_associate_scram_secret(ClusterArn=cluster, SecretArnList=[secret()])
    kafka.delete_cluster(ClusterArn=cluster)
    sandbox.private("cluster", {"arn": cluster, "region": "us-east-1"})
    assert not listed(kafka, cluster)
