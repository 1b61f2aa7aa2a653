"""STS: who calls, and roles that are assumed, through boto3."""

import datetime
import json
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from refusals import refused
from waiting import once_known

# botocore must not pre-empt the server's own validation.
LOOSE = Config(parameter_validation=False)

ACCOUNT = "000000000000"
SANDBOX = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
PATIENCE_SECONDS = 15


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(principal, **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"], **more})


def eventually(attempt):
    """What `attempt` returns once STS has heard of the role."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied" or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


@pytest.fixture(scope="module")
def iam(client):
    return client("iam", config=LOOSE)


@pytest.fixture(scope="module")
def sts(client):
    return client("sts", config=LOOSE)


@pytest.fixture
def make_role(iam, unique):
    """make_role(principal) is a role that trusts it."""

    def make(principal, **more):
        name = unique("role")
        session = more.pop("MaxSessionDuration", 3600)
        return iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trust(principal, **more), MaxSessionDuration=session
        )["Role"]

    return make


def test_the_caller_is_the_sandboxs_user(sts, iam):
    identity = sts.get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (ACCOUNT, SANDBOX)
    assert identity["UserId"] == iam.get_user(UserName="sandbox")["User"]["UserId"]


def test_a_role_is_assumed(client, sts, make_role):
    role = make_role({"AWS": SANDBOX})
    assumed = eventually(
        lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session", Tags=[{"Key": "a", "Value": "b"}])
    )
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/session"
    assert assumed["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:session", "Arn": arn}
    credentials = assumed["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    hour = credentials["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=59) < hour <= datetime.timedelta(minutes=60)
    identity = client("sts", credentials).get_caller_identity()
    assert identity["Arn"] == arn and identity["UserId"] == f"{role['RoleId']}:session"


def test_a_new_role_is_not_assumable_at_once(sts, make_role):
    role = make_role({"AWS": SANDBOX})
    with refused(
        "AccessDenied", 403, f"User: {SANDBOX} is not authorized to perform: sts:AssumeRole on resource: {role['Arn']}"
    ):
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")
    eventually(lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session"))


def test_who_is_not_trusted_is_refused(sts, make_role):
    stranger = make_role({"Service": "ec2.amazonaws.com"})
    guarded = make_role({"AWS": SANDBOX}, Condition={"StringEquals": {"sts:ExternalId": "secret"}})
    eventually(lambda: sts.assume_role(RoleArn=guarded["Arn"], RoleSessionName="session", ExternalId="secret"))
    for denied in (
        {"RoleArn": guarded["Arn"]},
        {"RoleArn": guarded["Arn"], "ExternalId": "guess"},
        {"RoleArn": stranger["Arn"]},
        {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
        {"RoleArn": "arn:aws:iam::123456789012:role/elsewhere"},
    ):
        with refused("AccessDenied", 403, "is not authorized to perform: sts:AssumeRole"):
            sts.assume_role(RoleSessionName="session", **denied)


def test_a_role_that_trusts_itself_can_be_chained(client, sts, iam, make_role):
    role = make_role({"AWS": SANDBOX})
    both = trust({"AWS": [SANDBOX, role["Arn"]]})
    once_known(lambda: iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=both))
    first = eventually(lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="first"))
    chained = client("sts", first["Credentials"])
    second = eventually(lambda: chained.assume_role(RoleArn=role["Arn"], RoleSessionName="second"))
    assert second["AssumedRoleUser"]["Arn"].endswith("/second")
    with refused("ValidationError", 400, "1 hour session limit for roles assumed by role chaining"):
        chained.assume_role(RoleArn=role["Arn"], RoleSessionName="second", DurationSeconds=7200)
    with refused("AccessDenied", 403, "Cannot call GetSessionToken with session credentials"):
        chained.get_session_token()


def test_the_account_leaves_it_to_the_callers_policies(client, sts, iam, make_role):
    target = make_role({"AWS": ACCOUNT})
    role = make_role({"AWS": SANDBOX})
    first = eventually(lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="first"))
    eventually(lambda: sts.assume_role(RoleArn=target["Arn"], RoleSessionName="owner"))
    chained = client("sts", first["Credentials"])
    with refused("AccessDenied", 403):
        chained.assume_role(RoleArn=target["Arn"], RoleSessionName="second")
    allowed = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": target["Arn"]})
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="assume", PolicyDocument=allowed)
    eventually(lambda: chained.assume_role(RoleArn=target["Arn"], RoleSessionName="second"))


def test_durations_are_limited(sts, make_role):
    short = make_role({"AWS": SANDBOX})
    long = make_role({"AWS": SANDBOX}, MaxSessionDuration=7200)
    assumed = eventually(lambda: sts.assume_role(RoleArn=long["Arn"], RoleSessionName="session", DurationSeconds=7200))
    lifetime = assumed["Credentials"]["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert lifetime > datetime.timedelta(minutes=119)
    with refused("ValidationError", 400, "exceeds the MaxSessionDuration set for this role."):
        sts.assume_role(RoleArn=short["Arn"], RoleSessionName="session", DurationSeconds=7200)
    for seconds in (899, 43201):
        with refused("ValidationError", 400, f"Value '{seconds}' at 'durationSeconds' failed to satisfy constraint"):
            sts.assume_role(RoleArn=long["Arn"], RoleSessionName="session", DurationSeconds=seconds)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"RoleSessionName": "a b"}, "Member must satisfy regular expression pattern: [\\w+=,.@-]*"),
        ({"RoleSessionName": "a"}, "Member must have length greater than or equal to 2"),
        ({"RoleArn": "role"}, "Member must have length greater than or equal to 20"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:user/sandbox"}, "is invalid"),
        ({"Policy": document({"Effect": "Allow", "Action": "*", "Resource": "*"})}, "session policies"),
    ],
)
def test_parameters_are_validated(sts, parameters, message):
    with refused("ValidationError", 400, message):
        sts.assume_role(**{"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "session", **parameters})


def test_a_session_token_is_the_callers(client, sts):
    credentials = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert client("sts", credentials).get_caller_identity()["Arn"] == SANDBOX
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == ACCOUNT


def test_a_session_may_do_what_its_role_allows(client, sts, iam, make_role, unique):
    role = make_role({"AWS": SANDBOX})
    name = role["RoleName"]
    credentials = eventually(lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session"))["Credentials"]
    limited = client("iam", credentials)
    message = f"assumed-role/{name}/session is not authorized to perform: iam:GetRole on resource: role {name}"
    with refused("AccessDenied", 403, message):
        limited.get_role(RoleName=name)
    allowed = document(
        {"Effect": "Allow", "Action": "iam:Get*", "Resource": f"arn:aws:iam::{ACCOUNT}:role/${{aws:PrincipalTag/x}}*"}
    )
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=allowed)
    with refused("AccessDenied", 403):
        limited.get_role(RoleName=name)
    iam.tag_role(RoleName=name, Tags=[{"Key": "x", "Value": name[:8]}])
    assert limited.get_role(RoleName=name)["Role"]["Arn"] == role["Arn"]
    with refused("AccessDenied", 403, "iam:DeleteRole"):
        limited.delete_role(RoleName=name)
    with refused(
        "AccessDenied", 403, "iam:GetPolicy on resource: policy arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    ):
        limited.get_policy(PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
