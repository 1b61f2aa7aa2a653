"""The faults that a sandbox is told to inject, each on sandboxes of their own."""

import concurrent.futures
import http.client
import json
import subprocess
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

import raw
from refusals import refused
from sandbox import BINARY, ROOT, clean_environment
from waiting import eventually

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "kafkaconnect.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


def tool(folder, *arguments):
    """Runs the tool on the sandbox of a folder."""
    variables = clean_environment(PIPELINE_SANDBOX_DIR=str(folder / "sandbox"))
    return subprocess.run([BINARY, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=120)


class TestFaults:
    @pytest.mark.parametrize(
        ("service", "operation", "call", "codes"),
        [
            (
                "kafka",
                "ListClustersV2",
                lambda client: client.list_clusters_v2(),
                {
                    403: "AccessDeniedException",
                    404: "NotFoundException",
                    409: "ConflictException",
                    429: "TooManyRequestsException",
                    500: "InternalServerErrorException",
                    503: "ServiceUnavailableException",
                    400: "BadRequestException",
                },
            ),
            (
                "iam",
                "ListRoles",
                lambda client: client.list_roles(),
                {
                    403: "AccessDenied",
                    404: "NoSuchEntity",
                    409: "EntityAlreadyExists",
                    429: "Throttling",
                    500: "InternalFailure",
                    503: "ServiceUnavailable",
                    400: "ValidationError",
                },
            ),
            (
                "s3",
                "ListBuckets",
                lambda client: client.list_buckets(),
                {
                    403: "AccessDenied",
                    404: "NoSuchKey",
                    409: "OperationAborted",
                    429: "SlowDown",
                    500: "InternalError",
                    503: "SlowDown",
                    400: "InvalidRequest",
                },
            ),
        ],
    )
    def test_of_a_status_have_the_services_code(self, start, service, operation, call, codes):
        flags = [flag for status in codes for flag in ("--fault", f"{service}:{operation}:{status}:1")]
        client = start(*flags).client(service)
        for status, code in codes.items():
            with refused(code, status, "a fault that the sandbox was told to inject"):
                call(client)
        call(client)

    @pytest.mark.parametrize(
        ("service", "operation", "call", "code", "status"),
        [
            (
                "kafkaconnect",
                "ListConnectors",
                lambda client: client.list_connectors(),
                "TooManyRequestsException",
                429,
            ),
            ("apigateway", "GetRestApis", lambda client: client.get_rest_apis(), "LimitExceededException", 429),
            ("sts", "GetCallerIdentity", lambda client: client.get_caller_identity(), "Throttling", 400),
            ("iam", "ListUsers", lambda client: client.list_users(), "ServiceFailure", 500),
            ("s3", "ListBuckets", lambda client: client.list_buckets(), "SlowDown", 503),
        ],
    )
    def test_of_a_code_have_the_status_that_goes_with_it(self, start, service, operation, call, code, status):
        client = start("--fault", f"{service}:{operation}:{code}:1").client(service)
        with refused(code, status):
            call(client)
        call(client)

    def test_strike_as_often_as_they_are_told_and_where(self, start):
        sandbox = start("--fault", "iam:GetRole:503:2", "--fault", "iam:GetRole:Throttling:1")
        iam = sandbox.client("iam")
        iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
        for code in ("ServiceUnavailable", "ServiceUnavailable", "Throttling"):
            iam.list_roles()
            with refused(code, 503 if code == "ServiceUnavailable" else 400):
                iam.get_role(RoleName="role")
        iam.get_role(RoleName="role")

    def test_come_before_anything_is_done(self, start):
        iam = start("--fault", "iam:CreateRole:500:1").client("iam")
        with refused("InternalFailure", 500):
            iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
        assert iam.list_roles()["Roles"] == []

    def test_come_after_the_signature_was_checked(self, start):
        sandbox = start("--fault", "iam:ListRoles:500:1")
        stranger = sandbox.client("iam", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"})
        with refused("InvalidClientTokenId", 403):
            stranger.list_roles()
        with refused("InternalFailure", 500):
            sandbox.client("iam").list_roles()

    def test_are_what_clients_try_again_after(self, start):
        sandbox = start(
            "--fault", "s3:PutObject:503:1", "--fault", "s3:PutObject:reset:1", "--fault", "s3:PutObject:500:1"
        )
        s3 = sandbox.client("s3", config=Config(retries={"total_max_attempts": 5, "mode": "standard"}))
        s3.create_bucket(Bucket="bucket")
        put = s3.put_object(Bucket="bucket", Key="x", Body=b"1")
        assert put["ResponseMetadata"]["RetryAttempts"] == 3
        assert s3.get_object(Bucket="bucket", Key="x")["Body"].read() == b"1"

    def test_drop_the_connection(self, start):
        sandbox = start("--fault", "iam:ListRoles:reset:2", "--fault", "s3:PutObject:reset:1")
        iam, s3 = sandbox.client("iam"), sandbox.client("s3")
        with pytest.raises(ConnectionClosedError):
            iam.list_roles()
        # As a load balancer that dies does it, and not by a goodbye.
        with pytest.raises(ConnectionResetError):
            unanswered(sandbox, "iam", timeout=10)
        iam.list_roles()
        s3.create_bucket(Bucket="bucket")
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket="bucket", Key="x", Body=bytes(1000))
        assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0

    def test_leave_a_call_unanswered_for_longer_than_clients_wait_or_for_ever(self, start):
        sandbox = start("--fault", "iam:ListRoles:timeout:1", "--fault", "iam:ListRoles:hang:1")

        def seconds_until_closed(_):
            begun = time.monotonic()
            try:
                unanswered(sandbox, "iam", timeout=40)
            except TimeoutError:
                return None
            except http.client.RemoteDisconnected:
                return time.monotonic() - begun

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(seconds_until_closed, range(2)))
        [closed] = [end for end in ends if end is not None]
        assert 35 <= closed < 39 and None in ends

    @pytest.mark.parametrize("what", ["timeout", "hang"])
    def test_run_into_the_clients_own_time_limit(self, start, what):
        sandbox = start("--fault", f"s3:ListBuckets:{what}:1")
        s3 = sandbox.client("s3", config=Config(read_timeout=1))
        with pytest.raises(ReadTimeoutError):
            s3.list_buckets()
        s3.list_buckets()

    def test_roll_an_update_back_in_silence(self, start):
        fault = "kafkaconnect:UpdateConnector:rollback:1"
        sandbox = start("--settle", "500ms", "--lag", "0s", "--fault", fault, ephemeral=False)
        applied = tool(sandbox.folder, "apply", str(ROOT / "manifests" / "dev.yaml"), "--yes")
        assert applied.returncode == 0, applied.stderr
        connect = sandbox.client("kafkaconnect")
        [listed] = connect.list_connectors()["connectors"]
        arn = {"connectorArn": listed["connectorArn"]}

        def update(**changes):
            there = connect.describe_connector(**arn)
            configuration = {**there["connectorConfiguration"], **changes}
            updated = connect.update_connector(
                **arn, currentVersion=there["currentVersion"], connectorConfiguration=configuration
            )
            operation = {"connectorOperationArn": updated["connectorOperationArn"]}
            ended = eventually(
                lambda: connect.describe_connector_operation(**operation),
                lambda operation: operation["connectorOperationState"].endswith(("_COMPLETE", "_FAILED")),
            )
            return ended["connectorOperationState"], connect.describe_connector(**arn)

        state, connector = update(**{"flush.size": "7"})
        assert (state, connector["connectorState"]) == ("ROLLBACK_COMPLETE", "RUNNING")
        assert connector["connectorConfiguration"]["flush.size"] == "1"
        state, connector = update(**{"flush.size": "7"})
        assert state == "UPDATE_COMPLETE" and connector["connectorConfiguration"]["flush.size"] == "7"

    @pytest.mark.parametrize(
        "fault", ["iam:GetRole:500", "sqs:SendMessage:500:1", "iam:GetRole:200:1", "iam:GetRole:500:0"]
    )
    def test_that_are_none_are_wrong_usage(self, tmp_path, fault):
        ended = tool(tmp_path, "sandbox", "up", "--port", "0", "--fault", fault)
        assert ended.returncode == 64 and f'"{fault}" is not a fault' in ended.stderr


def unanswered(sandbox, service, timeout):
    """Makes a signed call on a connection of its own, and waits for the answer that is not to come."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"Action=ListRoles&Version=2010-05-08"
    headers = raw.sign(sandbox, service, "POST", "/", body=body, headers=form)
    return raw.send(sandbox, "POST", "/", body=body, headers=headers, timeout=timeout)
