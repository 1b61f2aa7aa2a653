"""The sandbox's knobs, each on sandboxes of their own: latency, settling, lag, throttling, and the record of calls."""

import base64
import concurrent.futures
import contextlib
import datetime
import subprocess
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from refusals import refused
from sandbox import BINARY, calls, clean_environment
from waiting import eventually


def seconds_of(call):
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


class TestLatency:
    def test_is_added_to_every_call(self, start):
        slow = start("--latency", "300ms")
        for service, call in (
            ("iam", lambda client: client.list_roles()),
            ("kafka", lambda client: client.list_clusters_v2()),
            ("s3", lambda client: client.list_buckets()),
        ):
            client = slow.client(service)
            assert seconds_of(lambda: call(client)) >= 0.3

    def test_is_none_where_none_is_wanted(self, start):
        iam = start().client("iam")
        # The fastest of several: a busy machine may be slow once.
        assert min(seconds_of(iam.list_roles) for _ in range(10)) < 0.2

    def test_comes_before_a_refusal_too(self, start):
        iam = start("--latency", "300ms").client("iam", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"})

        def call():
            with refused("InvalidClientTokenId", 403):
                iam.list_roles()

        assert seconds_of(call) >= 0.3


@pytest.fixture
def configuration_of(unique):
    """Makes a worker configuration and deletes it: what takes time of that is its end."""

    def make(connect):
        content = base64.b64encode(b"key.converter=a\nvalue.converter=b\n").decode()
        arn = connect.create_worker_configuration(name=unique("w"), propertiesFileContent=content)
        return arn["workerConfigurationArn"]

    return make


class TestSettling:
    def test_takes_as_long_as_it_is_told(self, start, configuration_of):
        connect = start("--settle", "1500ms").client("kafkaconnect")
        arn = configuration_of(connect)
        begun = time.monotonic()
        assert connect.delete_worker_configuration(workerConfigurationArn=arn)["workerConfigurationState"] == "DELETING"
        with pytest.raises(connect.exceptions.NotFoundException):
            eventually(lambda: connect.describe_worker_configuration(workerConfigurationArn=arn), lambda _: False)
        assert time.monotonic() - begun >= 1.5

    def test_takes_no_time_where_that_is_wanted(self, start, configuration_of):
        connect = start("--settle", "0s").client("kafkaconnect")
        arn = configuration_of(connect)
        connect.delete_worker_configuration(workerConfigurationArn=arn)
        with refused("NotFoundException", 404):
            connect.describe_worker_configuration(workerConfigurationArn=arn)


class TestLag:
    @staticmethod
    def created(sandbox):
        """MSK, and the arguments that name a topic that was created just now."""
        arn = sandbox.private("cluster", {"name": "cluster", "region": "us-east-1"})["clusterArn"]
        kafka = sandbox.client("kafka")
        topic = {"ClusterArn": arn, "TopicName": "topic"}
        kafka.create_topic(**topic, PartitionCount=3, ReplicationFactor=3)
        return kafka, topic

    def test_keeps_changes_from_being_shown(self, start):
        kafka, topic = self.created(start("--lag", "3s", "--settle", "0s"))
        begun = time.monotonic()
        with refused("NotFoundException", 404):
            kafka.describe_topic(**topic)
        assert kafka.list_topics(ClusterArn=topic["ClusterArn"])["Topics"] == []

        def described():
            with contextlib.suppress(kafka.exceptions.NotFoundException):
                return kafka.describe_topic(**topic)["PartitionCount"]

        eventually(described, lambda partitions: partitions == 3)
        assert time.monotonic() - begun >= 2.5
        kafka.update_topic(**topic, PartitionCount=4)
        assert described() == 3
        eventually(described, lambda partitions: partitions == 4)

    def test_is_none_where_none_is_wanted(self, start):
        kafka, topic = self.created(start("--lag", "0s", "--settle", "0s"))
        assert kafka.describe_topic(**topic)["PartitionCount"] == 3
        kafka.update_topic(**topic, PartitionCount=4)
        assert kafka.describe_topic(**topic)["PartitionCount"] == 4


class TestThrottling:
    def test_enforces_api_gateways_rates(self, start):
        gateway = start("--throttle").client("apigateway")
        regional = {"endpointConfiguration": {"types": ["REGIONAL"]}}
        api = gateway.create_rest_api(name="first", **regional)["id"]
        with refused("TooManyRequestsException", 429):
            gateway.create_rest_api(name="second", **regional)
        time.sleep(3.2)
        other = gateway.create_rest_api(name="second", **regional)["id"]
        gateway.delete_rest_api(restApiId=other)
        with refused("TooManyRequestsException", 429):
            gateway.delete_rest_api(restApiId=api)
        assert gateway.get_rest_api(restApiId=api)["name"] == "first"

    def test_enforces_the_rate_of_all_calls_together(self, start):
        gateway = start("--throttle").client("apigateway", config=Config(max_pool_connections=20))

        def status(_):
            try:
                return gateway.get_account()["ResponseMetadata"]["HTTPStatusCode"]
            except gateway.exceptions.TooManyRequestsException as error:
                return error.response["ResponseMetadata"]["HTTPStatusCode"]

        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(status, range(200)))
        # A burst of 40, and ten more in each second that this took.
        let_in = statuses.count(200)
        assert 40 <= let_in <= 41 + 10 * (time.monotonic() - begun)
        assert statuses.count(429) == 200 - let_in

    def test_is_off_unless_it_is_wanted(self, start):
        gateway = start().client("apigateway")
        for _ in range(60):
            gateway.get_account()
        for name in ("one", "two"):
            gateway.delete_rest_api(restApiId=gateway.create_rest_api(name=name)["id"])


class TestRecord:
    def test_has_a_line_for_each_call(self, start, tmp_path):
        file = tmp_path / "calls.jsonl"
        sandbox = start("--calls", str(file), "--latency", "20ms")
        before = datetime.datetime.now(datetime.UTC)
        iam, s3, kafka = sandbox.client("iam"), sandbox.client("s3"), sandbox.client("kafka")
        iam.list_roles()
        with refused("NoSuchEntity", 404):
            iam.get_role(RoleName="nobody")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="a/b", Body=b"1")
        kafka.list_clusters_v2()
        sandbox.private("status")
        after = datetime.datetime.now(datetime.UTC)
        recorded = calls(file)
        assert [(call["service"], call["operation"], call["status"]) for call in recorded] == [
            ("iam", "ListRoles", 200),
            ("iam", "GetRole", 404),
            ("s3", "CreateBucket", 200),
            ("s3", "PutObject", 200),
            ("kafka", "ListClustersV2", 200),
        ]
        for call in recorded:
            assert set(call) == {"time", "service", "operation", "status", "duration_ms"}
            assert 20 <= call["duration_ms"] < 30_000
        times = [datetime.datetime.fromisoformat(call["time"]) for call in recorded]
        millisecond = datetime.timedelta(milliseconds=1)
        assert times == sorted(times) and before - millisecond <= times[0] and times[-1] <= after

    def test_has_what_was_refused_unknown_and_left_unanswered(self, start, tmp_path):
        file = tmp_path / "calls.jsonl"
        flags = ["--fault", "iam:ListRoles:reset:1", "--fault", "iam:ListUsers:503:1"]
        sandbox = start("--calls", str(file), *flags)
        iam = sandbox.client("iam")
        with pytest.raises(ConnectionClosedError):
            iam.list_roles()
        with refused("ServiceUnavailable", 503):
            iam.list_users()
        with refused("InvalidAction", 400):
            iam.list_groups()
        stranger = sandbox.client("iam", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"})
        with refused("InvalidClientTokenId", 403):
            stranger.list_roles()
        with refused("NotImplemented", 501):
            sandbox.client("s3").get_bucket_policy(Bucket=made(sandbox, "bucket"))
        assert [(call["operation"], call["status"]) for call in calls(file)] == [
            ("ListRoles", 0),
            ("ListUsers", 503),
            ("-", 400),
            ("ListRoles", 403),
            ("CreateBucket", 200),
            ("GetBucketPolicy", 501),
        ]

    def test_is_continued_by_the_next_sandbox(self, start, tmp_path):
        file = tmp_path / "calls.jsonl"
        for _ in range(2):
            start("--calls", str(file)).client("iam").list_roles()
        assert len(calls(file)) == 2

    def test_lines_of_calls_at_the_same_time_do_not_mix(self, start, tmp_path):
        file = tmp_path / "calls.jsonl"
        iam = start("--calls", str(file)).client("iam", config=Config(max_pool_connections=16))
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: iam.list_roles(), range(200)))
        assert len(calls(file)) == 200


def made(sandbox, bucket):
    sandbox.client("s3").create_bucket(Bucket=bucket)
    return bucket


class TestVariables:
    def test_set_every_knob(self, start, tmp_path, configuration_of):
        file = tmp_path / "calls.jsonl"
        variables = {
            "PIPELINE_SANDBOX_LATENCY": "300ms",
            "PIPELINE_SANDBOX_SETTLE": "0s",
            "PIPELINE_SANDBOX_LAG": "0s",
            "PIPELINE_SANDBOX_THROTTLE": "true",
            "PIPELINE_SANDBOX_FAULT": "iam:ListRoles:503:1,iam:ListUsers:Throttling:1",
            "PIPELINE_SANDBOX_CALLS": str(file),
        }
        sandbox = start(environment=variables)
        iam = sandbox.client("iam")
        with refused("ServiceUnavailable", 503):
            iam.list_roles()
        with refused("Throttling", 400):
            iam.list_users()
        assert seconds_of(iam.list_roles) >= 0.3
        kafka, topic = TestLag.created(sandbox)
        assert kafka.describe_topic(**topic)["PartitionCount"] == 3
        connect = sandbox.client("kafkaconnect")
        arn = configuration_of(connect)
        connect.delete_worker_configuration(workerConfigurationArn=arn)
        with refused("NotFoundException", 404):
            connect.describe_worker_configuration(workerConfigurationArn=arn)
        gateway = sandbox.client("apigateway")
        gateway.create_rest_api(name="first")
        with refused("TooManyRequestsException", 429):
            gateway.create_rest_api(name="second")
        assert [call["operation"] for call in calls(file)][:3] == ["ListRoles", "ListUsers", "ListRoles"]

    def test_give_way_to_flags(self, start):
        iam = start("--latency", "0s", environment={"PIPELINE_SANDBOX_LATENCY": "5s"}).client("iam")
        assert seconds_of(iam.list_roles) < 4

    def test_that_are_wrong_are_named(self, tmp_path):
        variables = clean_environment(PIPELINE_SANDBOX_DIR=str(tmp_path), PIPELINE_SANDBOX_LAG="soon")
        ended = subprocess.run(
            [BINARY, "sandbox", "up", "--port", "0"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ended.returncode == 64 and "PIPELINE_SANDBOX_LAG" in ended.stderr
