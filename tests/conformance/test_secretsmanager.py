"""Secrets Manager, through boto3."""

import base64
import datetime
import json
import re
import uuid

import pytest
from botocore.config import Config

import raw
from refusals import refused
from waiting import strict

ACCOUNT = "000000000000"
MARKED = "You can't perform this operation on the secret because it was marked for deletion."
MISSING = "Secrets Manager can't find the specified secret."
# Nobody else writes it, so that one can look for it.
PASSWORD = "hunter2-0a1b2c3d"


@pytest.fixture(scope="module")
def secrets(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("secretsmanager", config=Config(parameter_validation=False)))


@pytest.fixture
def secret(secrets, unique):
    """A secret with a value."""
    name = unique("secret")
    return {"Name": name, **secrets.create_secret(Name=name, SecretString="one")}


def value(secrets, name, **which):
    return secrets.get_secret_value(SecretId=name, **which)["SecretString"]


def stages(secrets, name):
    """The labels by version id."""
    return secrets.describe_secret(SecretId=name).get("VersionIdsToStages", {})


def names(secrets, **filters):
    pages = secrets.get_paginator("list_secrets").paginate(**filters)
    return [one["Name"] for page in pages for one in page["SecretList"]]


def by_name(prefix):
    return [{"Key": "name", "Values": [prefix]}]


def test_a_secret_has_a_value_and_a_description_without_it(secrets, unique):
    name = f"{unique('team')}/db_1+=.@-"
    said = {"Description": "of the db", "KmsKeyId": "alias/mine", "Tags": [{"Key": "a", "Value": "b"}]}
    created = secrets.create_secret(Name=name, SecretString=PASSWORD, **said)
    arn = created["ARN"]
    expected = re.escape(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-")
    assert re.fullmatch(f"{expected}[A-Za-z0-9]{{6}}", arn)
    found = secrets.get_secret_value(SecretId=name)
    assert (found["ARN"], found["Name"], found["VersionId"]) == (arn, name, created["VersionId"])
    assert (found["SecretString"], found["VersionStages"]) == (PASSWORD, ["AWSCURRENT"])
    age = datetime.datetime.now(datetime.UTC) - found["CreatedDate"]
    assert datetime.timedelta(minutes=-1) < age < datetime.timedelta(minutes=1)
    described = secrets.describe_secret(SecretId=arn)
    assert (described["Description"], described["KmsKeyId"]) == ("of the db", "alias/mine")
    assert described["Tags"] == [{"Key": "a", "Value": "b"}] and "DeletedDate" not in described
    assert described["VersionIdsToStages"] == {created["VersionId"]: ["AWSCURRENT"]}
    assert described["LastAccessedDate"].astimezone(datetime.UTC).time() == datetime.time(0)
    assert PASSWORD not in json.dumps(described, default=str)


def test_an_id_is_a_name_an_arn_or_an_arn_without_its_end(secrets, client, secret):
    arn = secret["ARN"]
    for identifier in (secret["Name"], arn, arn[:-7]):
        assert value(secrets, identifier) == "one"
    for identifier in (secret["Name"][:-1], arn[:-1], arn[:-6] + "aaaaaa", arn.replace(ACCOUNT, "123456789012")):
        with refused("ResourceNotFoundException", 400, MISSING):
            value(secrets, identifier)
    elsewhere = client("secretsmanager", region_name="eu-west-1")
    for identifier in (secret["Name"], arn):
        with refused("ResourceNotFoundException", 400, MISSING):
            value(elsewhere, identifier)


def test_a_value_may_be_binary(secrets, unique):
    name = unique("binary")
    secrets.create_secret(Name=name, SecretBinary=b"\x00\xff")
    found = secrets.get_secret_value(SecretId=name)
    assert found["SecretBinary"] == b"\x00\xff" and "SecretString" not in found
    secrets.put_secret_value(SecretId=name, SecretString="text")
    assert value(secrets, name) == "text"


def test_a_new_value_makes_the_old_one_the_previous(secrets, secret):
    name, first = secret["Name"], secret["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="two")
    assert second["VersionStages"] == ["AWSCURRENT"]
    assert value(secrets, name) == "two" and value(secrets, name, VersionStage="AWSPREVIOUS") == "one"
    third = secrets.update_secret(SecretId=name, SecretString="three")["VersionId"]
    assert stages(secrets, name) == {second["VersionId"]: ["AWSPREVIOUS"], third: ["AWSCURRENT"]}
    assert value(secrets, name, VersionId=first) == "one", "a deprecated version is there for a while"
    assert value(secrets, name, VersionId=third, VersionStage="AWSCURRENT") == "three"
    with refused("InvalidRequestException", 400, "not associated"):
        value(secrets, name, VersionId=third, VersionStage="AWSPREVIOUS")
    with refused("ResourceNotFoundException", 400, "staging label: PENDING"):
        value(secrets, name, VersionStage="PENDING")
    with refused("ResourceNotFoundException", 400, "VersionId: "):
        value(secrets, name, VersionId=str(uuid.uuid4()))


def test_labels_can_be_given(secrets, secret):
    name = secret["Name"]
    pending = secrets.put_secret_value(SecretId=name, SecretString="two", VersionStages=["PENDING"])["VersionId"]
    assert stages(secrets, name) == {secret["VersionId"]: ["AWSCURRENT"], pending: ["PENDING"]}
    assert value(secrets, name) == "one" and value(secrets, name, VersionStage="PENDING") == "two"


def test_a_secret_may_be_made_before_its_value(secrets, unique):
    name = unique("empty")
    assert "VersionId" not in secrets.create_secret(Name=name)
    with refused("ResourceNotFoundException", 400, "staging label: AWSCURRENT"):
        value(secrets, name)
    assert not stages(secrets, name)
    secrets.put_secret_value(SecretId=name, SecretString="one", VersionStages=["MINE"])
    assert value(secrets, name) == "one", "the first version is the current one"


def test_a_call_that_comes_twice_does_its_work_once(secrets, unique):
    name, token = unique("twice"), str(uuid.uuid4())
    request = {"Name": name, "SecretString": "one", "ClientRequestToken": token}
    created = secrets.create_secret(**request)
    again = secrets.create_secret(**request)
    assert created["VersionId"] == again["VersionId"] == token and created["ARN"] == again["ARN"]
    for other in ({"SecretString": "two"}, {"ClientRequestToken": str(uuid.uuid4())}):
        with refused("ResourceExistsException", 400, f"the secret {name} already exists."):
            secrets.create_secret(**{**request, **other})
    token = str(uuid.uuid4())
    for _ in range(2):
        secrets.put_secret_value(SecretId=name, SecretString="two", ClientRequestToken=token)
        secrets.update_secret(SecretId=name, SecretString="two", ClientRequestToken=token)
    assert sorted(stages(secrets, name).values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    for operation in (secrets.put_secret_value, secrets.update_secret):
        with refused("ResourceExistsException", 400, "already in use for a version"):
            operation(SecretId=name, SecretString="three", ClientRequestToken=token)
    with refused("InvalidParameterException", 400, "ClientRequestToken"):
        secrets.put_secret_value(SecretId=name, SecretString="three", ClientRequestToken=None)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"Name": ""}, "ValidationException", "Member must have length greater than or equal to 1"),
        ({"Name": "a b"}, "ValidationException", "Invalid name."),
        ({"Name": None}, "ValidationException", "Member must not be null"),
        ({"SecretString": ""}, "ValidationException", "greater than or equal to 1"),
        ({"SecretString": "x" * 65537}, "ValidationException", "less than or equal to 65536"),
        ({"SecretBinary": b"x" * 65537}, "ValidationException", "at most 65536 bytes"),
        ({"SecretString": "a", "SecretBinary": b"a"}, "InvalidParameterException", "both a binary"),
        ({"ClientRequestToken": "short"}, "ValidationException", "greater than or equal to 32"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidParameterException", "reserved"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "InvalidParameterException", "twice"),
        ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "InvalidParameterException", "at most 50"),
        ({"AddReplicaRegions": [{"Region": "eu-west-1"}]}, "InvalidParameterException", "AddReplicaRegions"),
    ],
)
def test_a_wrong_secret_is_refused(secrets, unique, request_, code, message):
    name = unique("wrong")
    request = {key: value for key, value in {"Name": name, **request_}.items() if value is not None}
    with refused(code, 400, message):
        secrets.create_secret(**request)
    with refused("ResourceNotFoundException", 400, MISSING):
        secrets.describe_secret(SecretId=name)


def test_a_refusal_does_not_repeat_the_value(secrets, sandbox, unique):
    for wrong in ({"password": PASSWORD}, [PASSWORD], PASSWORD * 6000):
        with pytest.raises(secrets.exceptions.ClientError) as caught:
            secrets.create_secret(Name=unique("wrong"), SecretString=wrong)
        assert PASSWORD not in str(caught.value)
    body = json.dumps(PASSWORD).encode()
    headers = {"X-Amz-Target": "secretsmanager.CreateSecret", "Content-Type": "application/x-amz-json-1.1"}
    reply = raw.call(sandbox, "secretsmanager", "POST", "/", body=body, headers=headers)
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "SerializationException")
    assert PASSWORD.encode() not in reply.body


def test_a_value_must_be_given_to_put_it(secrets, secret):
    with refused("InvalidRequestException", 400, "either SecretString or SecretBinary"):
        secrets.put_secret_value(SecretId=secret["Name"])
    with refused("InvalidParameterException", 400, "at most 20"):
        labels = [str(number) for number in range(21)]
        secrets.put_secret_value(SecretId=secret["Name"], SecretString="a", VersionStages=labels)


def test_what_is_said_of_a_secret_can_be_changed_without_its_value(secrets, secret):
    name = secret["Name"]
    assert "VersionId" not in secrets.update_secret(SecretId=name, Description="new", KmsKeyId="alias/mine")
    described = secrets.describe_secret(SecretId=name)
    assert (described["Description"], described["KmsKeyId"]) == ("new", "alias/mine")
    assert described["LastChangedDate"] >= described["CreatedDate"]
    secrets.update_secret(SecretId=name, KmsKeyId="")
    described = secrets.describe_secret(SecretId=name)
    assert described["Description"] == "new" and "KmsKeyId" not in described
    assert value(secrets, name) == "one"


def test_a_deleted_secret_can_be_restored_for_a_while(secrets, secret):
    name = secret["Name"]
    with pytest.raises(secrets.exceptions.InvalidParameterException, match="between 7 and 30 days"):
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=6)
    with refused("InvalidParameterException", 400, "in conjunction"):
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
    deleted = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    days = deleted["DeletionDate"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=6, hours=23) < days <= datetime.timedelta(days=7)
    assert (deleted["ARN"], deleted["Name"]) == (secret["ARN"], name)
    for refusing in (
        lambda: value(secrets, name),
        lambda: secrets.put_secret_value(SecretId=name, SecretString="two"),
        lambda: secrets.update_secret(SecretId=name, Description="d"),
        lambda: secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: secrets.untag_resource(SecretId=name, TagKeys=["a"]),
    ):
        with refused("InvalidRequestException", 400, MARKED):
            refusing()
    with refused("InvalidRequestException", 400, "already scheduled for deletion"):
        secrets.create_secret(Name=name, SecretString="two")
    with refused("InvalidRequestException", 400, "already scheduled for deletion"):
        secrets.delete_secret(SecretId=name)
    assert secrets.describe_secret(SecretId=name)["DeletedDate"] == deleted["DeletionDate"]
    assert not names(secrets, Filters=by_name(name))
    assert names(secrets, Filters=by_name(name), IncludePlannedDeletion=True) == [name]
    assert secrets.restore_secret(SecretId=name)["ARN"] == secret["ARN"]
    assert value(secrets, name) == "one" and "DeletedDate" not in secrets.describe_secret(SecretId=name)


def test_by_force_a_secret_is_gone_at_once(secrets, secret, unique):
    name = secret["Name"]
    secrets.delete_secret(SecretId=name)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    for refusing in (secrets.describe_secret, secrets.restore_secret, secrets.delete_secret):
        with refused("ResourceNotFoundException", 400, MISSING):
            refusing(SecretId=name)
    made = secrets.create_secret(Name=name, SecretString="new")
    assert made["ARN"] != secret["ARN"] and value(secrets, name) == "new"
    with refused("ResourceNotFoundException", 400, MISSING):
        value(secrets, secret["ARN"])
    nothing = unique("nothing")
    assert secrets.delete_secret(SecretId=nothing, ForceDeleteWithoutRecovery=True)["Name"] == nothing


def test_tags_are_added_changed_and_removed(secrets, secret):
    name = secret["Name"]

    def tags():
        return {tag["Key"]: tag["Value"] for tag in secrets.describe_secret(SecretId=name).get("Tags", [])}

    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    secrets.tag_resource(SecretId=secret["ARN"], Tags=[{"Key": "b", "Value": "3"}])
    assert tags() == {"a": "1", "b": "3"}
    secrets.untag_resource(SecretId=name, TagKeys=["a", "c"])
    assert tags() == {"b": "3"}
    with refused("InvalidParameterException", 400, "at most 50"):
        secrets.tag_resource(SecretId=name, Tags=[{"Key": str(number), "Value": ""} for number in range(50)])


def test_secrets_are_listed_in_pages_without_their_values(secrets, unique):
    prefix = unique("page")
    made = [f"{prefix}-{letter}" for letter in "cabed"]
    for name in made:
        secrets.create_secret(Name=name, SecretString=PASSWORD, Description=f"About {prefix}")
    paged = {"Filters": by_name(prefix), "PaginationConfig": {"PageSize": 2}}
    assert names(secrets, **paged) == made
    assert names(secrets, SortOrder="desc", **paged) == made[::-1]
    assert names(secrets, SortBy="name", **paged) == sorted(made)
    assert names(secrets, SortBy="name", SortOrder="desc", **paged) == sorted(made)[::-1]
    assert names(secrets, Filters=[{"Key": "description", "Values": [f"about {prefix}"]}]) == made
    first = secrets.list_secrets(Filters=by_name(prefix), MaxResults=2)
    assert len(first["SecretList"]) == 2 and PASSWORD not in json.dumps(first, default=str)
    assert first["SecretList"][0]["SecretVersionsToStages"]
    for token in ("rubbish", first["NextToken"]):
        with refused("InvalidNextTokenException", 400):
            secrets.list_secrets(NextToken=token)
    for wrong in ({"MaxResults": 0}, {"MaxResults": 101}, {"Filters": [{"Key": "colour", "Values": ["red"]}]}):
        with refused("ValidationException", 400):
            secrets.list_secrets(**wrong)


def test_values_are_in_no_record_of_calls_no_log_and_no_status(start, tmp_path):
    calls = tmp_path / "calls.jsonl"
    sandbox = start("--calls", str(calls))
    secrets = sandbox.client("secretsmanager")
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    secrets.create_secret(Name="a", SecretString=PASSWORD)
    secrets.create_secret(Name="b", SecretBinary=PASSWORD.encode())
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == PASSWORD
    with refused("ResourceExistsException", 400):
        secrets.create_secret(Name="a", SecretString=PASSWORD)
    status = sandbox.private("status")
    assert status["counts"]["secrets"] == 2
    log = (sandbox.folder / "log").read_text()
    for text in (calls.read_text(), log, json.dumps(status)):
        assert PASSWORD not in text and encoded not in text
    operations = [json.loads(line)["operation"] for line in calls.read_text().splitlines()]
    assert operations == ["CreateSecret", "CreateSecret", "GetSecretValue", "CreateSecret"]


def test_the_protocol_is_json_1_1(sandbox):
    def send(target, *, content_type="application/x-amz-json-1.1", sign=True):
        headers = {"X-Amz-Target": target, "Content-Type": content_type}
        if sign:
            return raw.call(sandbox, "secretsmanager", "POST", "/", body=b"{}", headers=headers)
        return raw.send(sandbox, "POST", "/", body=b"{}", headers=headers)

    listed = send("secretsmanager.ListSecrets")
    assert listed.status == 200 and listed.headers["Content-Type"] == "application/x-amz-json-1.1"
    for reply, code in (
        (send("secretsmanager.ListSecret"), "UnknownOperationException"),
        (send("secretsmanager.ListSecrets", content_type="application/json"), "UnknownOperationException"),
        (send("secretsmanager.DescribeSecret"), "ValidationException"),
        (send("secretsmanager.ListSecrets", sign=False), "MissingAuthenticationTokenException"),
    ):
        error = json.loads(reply.body)
        assert (reply.status, error["__type"]) == (400, code)
        assert error["Message"] and reply.headers["Content-Type"] == "application/x-amz-json-1.1"


def test_faults_are_told_in_its_words(start):
    faults = [
        flag
        for what in ("ThrottlingException", "503", "404")
        for flag in ("--fault", f"secretsmanager:GetSecretValue:{what}:1")
    ]
    secrets = start(*faults).client("secretsmanager")
    for code, status in (
        ("ThrottlingException", 400),
        ("ServiceUnavailableException", 503),
        ("ResourceNotFoundException", 404),
        ("ResourceNotFoundException", 400),
    ):
        with refused(code, status):
            secrets.get_secret_value(SecretId="a")
