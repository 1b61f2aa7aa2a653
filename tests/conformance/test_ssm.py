"""Systems Manager, through boto3: commands that really run, on machines that are folders of the sandbox."""

import datetime
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import uuid

import pytest
from botocore.config import Config

from refusals import refused
from sandbox import ROOT, running
from waiting import eventually, strict

ACCOUNT = "000000000000"
DOCUMENT = "AWS-RunShellScript"
OVER = ("Success", "Failed", "TimedOut", "Cancelled")
SCRIPTS = ROOT / "src" / "client_host"
SYSTEMS = ["amzn2023", "amzn2", "ubuntu", "debian"]


@pytest.fixture(scope="module")
def ssm(client):
    # botocore must not be before the server in finding a request wrong.
    return strict(client("ssm", config=Config(parameter_validation=False)))


@pytest.fixture
def instance(sandbox):
    """instance(os="debian") is a new one, with what the sandbox tells of it."""

    def new(**declared):
        return sandbox.private("instance", {"id": f"i-{uuid.uuid4().hex[:17]}", **declared})

    return new


def send(ssm, instance, *lines, timeout=None, **options):
    """Sends a script to an instance; gives its command's id."""
    parameters = {"commands": list(lines)}
    if timeout:
        parameters["executionTimeout"] = [str(timeout)]
    sent = ssm.send_command(DocumentName=DOCUMENT, InstanceIds=[instance["id"]], Parameters=parameters, **options)
    return sent["Command"]["CommandId"]


def invocation(ssm, command, instance):
    """What became of a command, or None as long as nobody knows of it."""
    try:
        return ssm.get_command_invocation(CommandId=command, InstanceId=instance["id"])
    except ssm.exceptions.InvocationDoesNotExist:
        return None


def ended(ssm, command, instance, seconds=30):
    return eventually(
        lambda: invocation(ssm, command, instance), lambda it: it is not None and it["Status"] in OVER, seconds
    )


def run(ssm, instance, *lines, seconds=30, **options):
    return ended(ssm, send(ssm, instance, *lines, **options), instance, seconds)


def outcome(it):
    return it["Status"], it["StatusDetails"], it["ResponseCode"]


def ids(ssm, *filters, **more):
    filters = [{"Key": key, "Values": values} for key, values in filters]
    pages = ssm.get_paginator("describe_instance_information").paginate(Filters=filters, **more)
    return [one["InstanceId"] for page in pages for one in page["InstanceInformationList"]]


def metadata(endpoint, id, path, method="GET", **headers):
    """The status and the text that the metadata service answers."""
    headers = {f"X-aws-ec2-metadata-{name}".replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{endpoint}/_sandbox/metadata/{id}/latest/{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def token(endpoint, id, seconds="60"):
    return metadata(endpoint, id, "api/token", "PUT", token_ttl_seconds=seconds)


def test_an_instance_is_described_as_its_agent_tells(ssm, instance):
    made = instance(os="ubuntu", role="client", tags={"Name": "kafka"})
    told = ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [made["id"]]}])
    (one,) = told["InstanceInformationList"]
    assert (one["PingStatus"], one["PlatformType"]) == ("Online", "Linux")
    assert (one["PlatformName"], one["PlatformVersion"], one["IamRole"]) == ("Ubuntu", "22.04", "client")
    assert one["IPAddress"].startswith("172.31.") and one["ComputerName"].endswith(".ec2.internal")
    assert re.fullmatch(r"\d+(\.\d+){3}", one["AgentVersion"]) and one["ResourceType"] == "EC2Instance"
    age = datetime.datetime.now(datetime.UTC) - one["LastPingDateTime"]
    assert abs(age) < datetime.timedelta(minutes=1)


def test_who_has_no_agent_no_role_or_another_region_is_not_listed(ssm, client, sandbox, instance, unique):
    name = unique("name")
    tags = {"Name": name}
    there, lost = instance(tags=tags)["id"], instance(tags=tags, ping="ConnectionLost")["id"]
    instance(tags=tags, managed=False)
    without = instance(tags=tags, role=None)
    elsewhere = instance(tags=tags, region="eu-west-1")["id"]
    by_name = ("tag:Name", [name])
    assert sorted(ids(ssm, by_name)) == sorted([there, lost])
    assert ids(ssm, by_name, ("PingStatus", ["ConnectionLost", "Inactive"])) == [lost]
    assert ids(ssm, by_name, ("PingStatus", ["Online"])) == [there]
    assert ids(ssm, ("InstanceIds", [without["id"]])) == []
    assert ids(client("ssm", region_name="eu-west-1"), by_name) == [elsewhere]
    sandbox.private("instance", {"id": without["id"], "role": "client"})
    assert ids(ssm, ("InstanceIds", [without["id"]])) == [without["id"]]
    old = ssm.describe_instance_information(InstanceInformationFilterList=[{"key": "InstanceIds", "valueSet": [there]}])
    assert [one["InstanceId"] for one in old["InstanceInformationList"]] == [there]


def test_instances_are_listed_in_pages(ssm, instance, unique):
    name = unique("page")
    made = sorted(instance(tags={"Name": name})["id"] for _ in range(7))
    by_name = [{"Key": "tag:Name", "Values": [name]}]
    first = ssm.describe_instance_information(Filters=by_name, MaxResults=5)
    assert [one["InstanceId"] for one in first["InstanceInformationList"]] == made[:5]
    assert ids(ssm, ("tag:Name", [name]), PaginationConfig={"PageSize": 5}) == made
    for wrong in ("rubbish", first["NextToken"]):
        with refused("InvalidNextToken", 400):
            ssm.describe_instance_information(NextToken=wrong)
    for wrong in (4, 51):
        with refused("ValidationException", 400):
            ssm.describe_instance_information(MaxResults=wrong)
    with refused("InvalidFilterKey", 400):
        ids(ssm, ("Colour", ["red"]))
    with refused("InvalidInstanceInformationFilterValue", 400):
        ids(ssm, ("PingStatus", ["Up"]))


def test_a_command_runs_in_its_machine_and_tells_how_it_ended(ssm, instance):
    made = instance()
    sent = ssm.send_command(
        DocumentName=DOCUMENT,
        InstanceIds=[made["id"]],
        Comment="a try",
        Parameters={"commands": ["pwd", 'echo "$PIPELINE_ROOT"', "echo lost >&2", "id -u"]},
    )["Command"]
    assert (sent["Status"], sent["StatusDetails"], sent["DocumentVersion"]) == ("Pending", "Pending", "$DEFAULT")
    assert (sent["TargetCount"], sent["CompletedCount"], sent["InstanceIds"]) == (1, 0, [made["id"]])
    assert sent["ExpiresAfter"] - sent["RequestedDateTime"] == datetime.timedelta(hours=2)
    told = ended(ssm, sent["CommandId"], made)
    assert outcome(told) == ("Success", "Success", 0)
    assert told["StandardOutputContent"] == f"{made['root']}/tmp\n{made['root']}\n0\n"
    assert told["StandardErrorContent"] == "lost\n"
    assert (told["Comment"], told["DocumentName"], told["PluginName"]) == ("a try", DOCUMENT, "aws:runShellScript")
    assert re.fullmatch(r"PT[\d.]+S", told["ExecutionElapsedTime"])
    assert told["ExecutionStartDateTime"] <= told["ExecutionEndDateTime"]


def test_an_invocation_does_not_exist_for_the_first_moments(start):
    sandbox = start("--lag", "2s")
    ssm = sandbox.client("ssm")
    made = sandbox.private("instance", {"id": "i-0123456789abcdef0"})
    command = send(ssm, made, "true")
    with refused("InvocationDoesNotExist", 400):
        ssm.get_command_invocation(CommandId=command, InstanceId=made["id"])
    assert ssm.list_command_invocations(CommandId=command)["CommandInvocations"] == []
    assert [one["CommandId"] for one in ssm.list_commands()["Commands"]] == [command]
    assert outcome(ended(ssm, command, made)) == ("Success", "Success", 0)


def test_a_script_that_fails_has_its_code_and_the_agents_words(ssm, instance):
    told = run(ssm, instance(), "echo before; echo why >&2; exit 3; echo after")
    assert outcome(told) == ("Failed", "Failed", 3)
    assert told["StandardOutputContent"] == "before\n"
    assert told["StandardErrorContent"] == "why\nfailed to run commands: exit status 3"


def test_the_last_line_decides_as_in_any_script(ssm, instance):
    assert outcome(run(ssm, instance(), "false", "true"))[2] == 0


def test_the_shell_is_that_of_the_system_unless_the_script_says_so(ssm, instance):
    array = 'a=(1 2); echo "${a[1]}"'
    amazon, debian = instance(), instance(os="debian")
    assert run(ssm, amazon, array)["StandardOutputContent"] == "2\n"
    for made in (amazon, debian):
        assert run(ssm, made, "#!/bin/bash", array)["StandardOutputContent"] == "2\n"
    if os.path.basename(os.path.realpath("/bin/sh")) == "dash":
        assert run(ssm, debian, array)["Status"] == "Failed"


def test_the_environment_is_the_machines_own(ssm, instance):
    made = instance()
    told = run(ssm, made, "env")["StandardOutputContent"]
    names = {line.split("=", 1)[0] for line in told.splitlines()}
    ours = {"MACHINE", "PIPELINE_METADATA", "PIPELINE_ROOT", "PIPELINE_UNITS"}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == ours | {
        *("AWS_SSM_INSTANCE_ID", "AWS_SSM_REGION_NAME", "HOME", "LANG", "PATH")
    }
    told = ssm.send_command(
        DocumentName=DOCUMENT,
        InstanceIds=[made["id"]],
        Parameters={"commands": ["pwd"], "workingDirectory": ["/opt"]},
    )["Command"]["CommandId"]
    assert ended(ssm, told, made)["StandardOutputContent"] == f"{made['root']}/opt\n"


def test_output_is_cut_where_it_is_too_long(ssm, instance):
    made = instance()
    script = "head -c 30000 /dev/zero | tr '\\0' o; head -c 10000 /dev/zero | tr '\\0' e >&2"
    command = send(ssm, made, script)
    told = ended(ssm, command, made)
    output, error = told["StandardOutputContent"], told["StandardErrorContent"]
    assert (len(output), len(error)) == (24000, 8000)
    assert output == "o" * (24000 - 20) + "--output truncated--"
    assert error == "e" * (8000 - 20) + "--output truncated--"
    (one,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    (plugin,) = one["CommandPlugins"]
    assert len(plugin["Output"]) <= 2500 and "---Output truncated---\n----------ERROR-------\n" in plugin["Output"]
    # In full, it is with the machine.
    assert len((pathlib.Path(made["folder"]) / "commands" / command / "stdout").read_text()) == 30000
    exact = run(ssm, made, "head -c 24000 /dev/zero | tr '\\0' o")
    assert exact["StandardOutputContent"] == "o" * 24000


def test_a_script_that_takes_too_long_is_killed_with_all_that_it_started(ssm, instance):
    made = instance()
    mark = f"9{uuid.uuid4().int % 10**8}"
    told = run(ssm, made, "echo begun", f"sleep {mark} & sleep {mark}", timeout=1)
    assert outcome(told) == ("TimedOut", "ExecutionTimedOut", 137)
    assert told["StandardOutputContent"] == "begun\n"
    eventually(lambda: processes(mark), lambda found: not found)


def processes(mark):
    """The processes that have a text in their command lines."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if mark in line and "ps -eo" not in line]


def test_a_command_can_be_cancelled(ssm, instance):
    made, mark = instance(), f"9{uuid.uuid4().int % 10**8}"
    command = send(ssm, made, f"sleep {mark}")
    eventually(lambda: processes(mark), bool)
    assert eventually(lambda: invocation(ssm, command, made), bool)["Status"] == "InProgress"
    (one,) = ssm.list_commands(CommandId=command)["Commands"]
    assert (one["Status"], one["CompletedCount"]) == ("InProgress", 0)
    ssm.cancel_command(CommandId=command)
    assert outcome(ended(ssm, command, made)) == ("Cancelled", "Cancelled", 137)
    eventually(lambda: processes(mark), lambda found: not found)
    ssm.cancel_command(CommandId=command, InstanceIds=[made["id"]])
    assert outcome(ended(ssm, command, made))[0] == "Cancelled"
    with refused("InvalidCommandId", 400):
        ssm.cancel_command(CommandId=str(uuid.uuid4()))
    with refused("InvalidInstanceId", 400):
        ssm.cancel_command(CommandId=command, InstanceIds=["i-0123456789abcdef0"])


def test_unknown_unmanaged_and_offline_instances_are_refused(ssm, instance):
    made = instance()
    for wrong in (
        {"id": f"i-{uuid.uuid4().hex[:17]}"},
        instance(ping="ConnectionLost"),
        instance(managed=False),
        instance(role=None),
        instance(region="eu-west-1"),
    ):
        message = f"Instances [[{wrong['id']}]] not in a valid state for account {ACCOUNT}"
        with refused("InvalidInstanceId", 400, message):
            send(ssm, wrong, "true")
        with refused("InvalidInstanceId", 400, message):
            ssm.send_command(
                DocumentName=DOCUMENT,
                InstanceIds=[made["id"], wrong["id"]],
                Parameters={"commands": ["true"]},
            )
    assert ssm.list_commands(InstanceId=made["id"])["Commands"] == []


def test_targets_are_found_by_their_tags(ssm, sandbox, instance, unique):
    name = unique("name")
    one, other = (instance(tags={"Name": name, "env": env}) for env in ("dev", "prod"))
    lost = instance(tags={"Name": name}, ping="ConnectionLost")

    def to(*targets):
        targets = [{"Key": key, "Values": values} for key, values in targets]
        parameters = {"commands": ["echo $AWS_SSM_INSTANCE_ID"]}
        return ssm.send_command(DocumentName=DOCUMENT, Targets=targets, Parameters=parameters)

    sent = to(("tag:Name", [name]))["Command"]
    assert (sent["TargetCount"], sent["InstanceIds"]) == (3, [])
    for made in (one, other):
        assert ended(ssm, sent["CommandId"], made)["StandardOutputContent"] == f"{made['id']}\n"
    # What is offline gets it when it is back.
    assert invocation(ssm, sent["CommandId"], lost)["Status"] == "Pending"
    (told,) = ssm.list_commands(CommandId=sent["CommandId"])["Commands"]
    assert (told["Status"], told["CompletedCount"]) == ("InProgress", 2)
    sandbox.private("instance", {"id": lost["id"], "ping": "Online"})
    assert ended(ssm, sent["CommandId"], lost)["Status"] == "Success"
    (told,) = ssm.list_commands(CommandId=sent["CommandId"])["Commands"]
    assert (told["Status"], told["CompletedCount"], told["ErrorCount"]) == ("Success", 3, 0)
    assert to(("tag:Name", [name]), ("tag:env", ["prod", "test"]))["Command"]["TargetCount"] == 1
    assert to(("InstanceIds", [one["id"], other["id"]]))["Command"]["TargetCount"] == 2
    nobody = to(("tag:Name", [unique("nobody")]))["Command"]
    (told,) = ssm.list_commands(CommandId=nobody["CommandId"])["Commands"]
    assert (told["TargetCount"], told["StatusDetails"]) == (0, "NoInstancesInTag")


SENT = {"DocumentName": DOCUMENT, "Parameters": {"commands": ["true"]}}
HERE = object()


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"DocumentName": "AWS-RunPowerShellScript"}, "InvalidDocument", "does not exist"),
        ({"DocumentVersion": "7"}, "InvalidDocumentVersion", "7"),
        ({"DocumentName": None}, "ValidationException", "must not be null"),
        ({"InstanceIds": None}, "ValidationException", "Either InstanceIds or Targets"),
        ({"InstanceIds": ["i-1"]}, "ValidationException", "regular expression"),
        ({"InstanceIds": [HERE, HERE]}, "DuplicateInstanceId", "twice"),
        ({"Targets": [{"Key": "tag:a", "Values": ["b"]}]}, "ValidationException", "not both"),
        ({"TimeoutSeconds": 29}, "ValidationException", "greater than or equal to 30"),
        ({"TimeoutSeconds": 2592001}, "ValidationException", "less than or equal to 2592000"),
        ({"Comment": "x" * 101}, "ValidationException", "less than or equal to 100"),
        ({"Parameters": {}}, "InvalidParameters", "commands"),
        ({"Parameters": {"commands": []}}, "InvalidParameters", "commands"),
        ({"Parameters": {"commands": ["true"], "command": ["x"]}}, "InvalidParameters", "command"),
        ({"Parameters": {"commands": ["true"], "executionTimeout": ["0"]}}, "InvalidParameters", "executionTimeout"),
        ({"Parameters": {"commands": ["x" * 65536]}}, "MaxDocumentSizeExceeded", "64 KB"),
    ],
)
def test_a_wrong_command_is_refused(ssm, instance, request_, code, message):
    made = instance()
    request = {**SENT, "InstanceIds": [HERE], **request_}
    request = {name: value for name, value in request.items() if value is not None}
    if "InstanceIds" in request:
        request["InstanceIds"] = [made["id"] if id is HERE else id for id in request["InstanceIds"]]
    with refused(code, 400, message):
        ssm.send_command(**request)
    assert ssm.list_commands(InstanceId=made["id"])["Commands"] == []


def test_a_command_of_64_kilobytes_is_not_too_large(ssm, instance):
    made = instance()
    told = run(ssm, made, f"text='{'x' * 64000}'; echo ${{#text}}")
    assert told["StandardOutputContent"] == "64000\n"


def test_wrong_questions_are_refused(ssm, instance):
    made = instance()
    command = send(ssm, made, "true")
    for wrong in ({"CommandId": str(uuid.uuid4())}, {"InstanceId": "i-0123456789abcdef0"}):
        with refused("InvocationDoesNotExist", 400):
            ssm.get_command_invocation(**{"CommandId": command, "InstanceId": made["id"], **wrong})
    for wrong, code in (
        ({"CommandId": "x" * 36}, "InvalidCommandId"),
        ({"CommandId": "x"}, "ValidationException"),
        ({"InstanceId": "x"}, "ValidationException"),
        ({"PluginName": "aws:runPowerShellScript"}, "InvalidPluginName"),
    ):
        with refused(code, 400):
            ssm.get_command_invocation(**{"CommandId": command, "InstanceId": made["id"], **wrong})
    for list in (ssm.list_commands, ssm.list_command_invocations):
        for wrong, code in (
            ({"NextToken": "rubbish"}, "InvalidNextToken"),
            ({"Filters": [{"key": "Colour", "value": "red"}]}, "InvalidFilterKey"),
            ({"Filters": [{"key": "InvokedAfter", "value": "yesterday"}]}, "ValidationException"),
            ({"MaxResults": 51}, "ValidationException"),
            ({"InstanceId": "x"}, "ValidationException"),
        ):
            with refused(code, 400):
                list(**wrong)


def test_commands_are_listed_the_latest_first_in_pages(ssm, instance):
    made = instance(tags={"Name": "kafka"})
    commands = []
    for code in (0, 0, 1, 0, 2):
        commands.append(send(ssm, made, f"exit {code}", Comment=str(code)))
        time.sleep(0.01)
    for command in commands:
        ended(ssm, command, made)
    mine = {"InstanceId": made["id"]}

    def listed(list, member, **more):
        pages = ssm.get_paginator(list).paginate(**mine, **more)
        return [one["CommandId"] for page in pages for one in page[member]]

    for list, member in (("list_commands", "Commands"), ("list_command_invocations", "CommandInvocations")):
        assert listed(list, member, PaginationConfig={"PageSize": 2}) == commands[::-1]
        failed = [{"key": "Status", "value": "Failed"}]
        assert listed(list, member, Filters=failed) == [commands[4], commands[2]]
        since = [{"key": "InvokedAfter", "value": "2030-01-01T00:00:00Z"}]
        assert listed(list, member, Filters=since) == []
        assert listed(list, member, Filters=[{"key": "ExecutionStage", "value": "Executing"}]) == []
        assert listed(list, member, CommandId=commands[1]) == [commands[1]]
    (one,) = ssm.list_commands(CommandId=commands[2])["Commands"]
    assert (one["Status"], one["CompletedCount"], one["ErrorCount"]) == ("Failed", 1, 1)
    (one,) = ssm.list_command_invocations(CommandId=commands[2])["CommandInvocations"]
    assert (one["InstanceName"], one["Comment"], one["CommandPlugins"]) == ("kafka", "1", [])
    (one,) = ssm.list_command_invocations(CommandId=commands[2], Details=True)["CommandInvocations"]
    (plugin,) = one["CommandPlugins"]
    assert (plugin["Name"], plugin["Status"], plugin["ResponseCode"]) == ("aws:runShellScript", "Failed", 1)
    assert plugin["Output"].strip() == "----------ERROR-------\nfailed to run commands: exit status 1"


def kill(sandbox):
    os.kill(sandbox.private("status")["pid"], signal.SIGKILL)


def test_a_command_under_way_when_the_sandbox_is_killed_has_failed(tmp_path):
    mark = f"9{uuid.uuid4().int % 10**8}"
    with running(tmp_path, ephemeral=False) as sandbox:
        ssm = sandbox.client("ssm")
        made = sandbox.private("instance", {"id": "i-0123456789abcdef0"})
        done = run(ssm, made, "echo done")
        command = send(ssm, made, f"echo begun; sleep {mark}")
        eventually(lambda: processes(mark), bool)
        kill(sandbox)
        eventually(lambda: processes(mark), lambda found: not found)
    with running(tmp_path, ephemeral=False) as sandbox:
        ssm = sandbox.client("ssm")
        # It may come back before anybody has heard of the command.
        assert outcome(ended(ssm, command, made)) == ("Failed", "Undeliverable", -1)
        assert invocation(ssm, done["CommandId"], made)["StandardOutputContent"] == "done\n"
        assert outcome(run(ssm, made, "true"))[0] == "Success"


def test_the_metadata_service_wants_a_token(sandbox, instance):
    made = instance()
    id, at = made["id"], sandbox.endpoint
    status, value = token(at, id)
    assert status == 200
    read = {path: metadata(at, id, f"meta-data/{path}", token=value) for path in ("public-hostname", "instance-id")}
    assert read == {"public-hostname": (200, made["address"]), "instance-id": (200, id)}
    assert metadata(at, id, "meta-data/placement/region", token=value) == (200, "us-east-1")
    assert metadata(at, id, "meta-data/local-ipv4", token=value)[1].startswith("172.31.")
    assert metadata(at, id, "meta-data/nothing", token=value)[0] == 404
    for wrong in ({}, {"token": "rubbish"}):
        assert metadata(at, id, "meta-data/instance-id", **wrong)[0] == 401
    other = instance()["id"]
    assert metadata(at, other, "meta-data/instance-id", token=value)[0] == 401, "it is another one's token"
    for wrong in ("0", "21601", "soon"):
        assert token(at, id, wrong)[0] == 400
    _, brief = token(at, id, "1")
    assert metadata(at, id, "meta-data/instance-id", token=brief)[0] == 200
    eventually(lambda: metadata(at, id, "meta-data/instance-id", token=brief)[0], lambda status: status == 401)


def test_an_address_changes_when_a_machine_is_stopped_and_started(ssm, sandbox, instance):
    made = instance(address="ec2-3-80-1-2.compute-1.amazonaws.com")
    ask = (
        "at=$PIPELINE_METADATA/latest\n"
        'token=$(curl -fsS -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$at/api/token")\n'
        "for each in public-hostname public-ipv4; do\n"
        '    curl -sS -w " %{http_code}\\n" -H "X-aws-ec2-metadata-token: $token" "$at/meta-data/$each"\n'
        "done"
    )
    told = run(ssm, made, ask)["StandardOutputContent"]
    assert told == "ec2-3-80-1-2.compute-1.amazonaws.com 200\n3.80.1.2 200\n"
    sandbox.private("instance", {"id": made["id"], "address": "ec2-3-80-1-3.compute-1.amazonaws.com"})
    assert "ec2-3-80-1-3" in run(ssm, made, ask)["StandardOutputContent"]
    changed = sandbox.private("instance", {"id": made["id"], "address": None})
    assert changed["address"] is None and changed["tags"] == {}
    assert run(ssm, made, ask)["StandardOutputContent"].count(" 404\n") == 2


def test_declarations_are_checked_and_told(sandbox, instance):
    made = instance(tags={"Name": "a"}, os="amzn2")
    told = sandbox.private(f"instance?id={made['id']}")
    assert told == made
    root = pathlib.Path(told["root"])
    assert 'VERSION_ID="2"' in (root / "etc/os-release").read_text()
    assert (root / "etc/systemd/system").is_dir() and root.is_relative_to(told["folder"])
    assert sandbox.private("instance", {"id": made["id"]}) == made
    for wrong in ({"id": "i-1"}, {"id": made["id"], "os": "debian"}, {"id": made["id"], "region": "eu-west-1"}, {}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            sandbox.private("instance", wrong)
        assert caught.value.code == 400, wrong
    with pytest.raises(urllib.error.HTTPError) as caught:
        sandbox.private("instance?id=i-0123456789abcdef9")
    assert caught.value.code == 404


def test_a_reset_forgets_machines_with_what_runs_on_them(start):
    sandbox = start()
    ssm, mark = sandbox.client("ssm"), f"9{uuid.uuid4().int % 10**8}"
    made = sandbox.private("instance", {"id": "i-0123456789abcdef0"})
    send(ssm, made, f"while :; do date >>log; sleep 0.01; done & sleep {mark}")
    eventually(lambda: processes(mark), bool)
    counts = sandbox.private("status")["counts"]
    assert (counts["instances"], counts["commands"]) == (1, 1)
    sandbox.private("reset", {})
    eventually(lambda: processes(mark), lambda found: not found)
    assert not pathlib.Path(made["folder"]).exists()
    assert ssm.describe_instance_information()["InstanceInformationList"] == []


def mirrored(sandbox, path):
    with urllib.request.urlopen(f"{sandbox.endpoint}/_sandbox/mirror/{path}", timeout=30) as reply:
        return reply.read()


def test_the_mirror_has_archives_and_the_checksums_that_their_publishers_have(sandbox):
    kafka = "dist/kafka/3.7.2/kafka_2.13-3.7.2.tgz"
    archive = mirrored(sandbox, kafka)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = {member.name: member.mode for member in tar.getmembers()}
    assert names["kafka_2.13-3.7.2/bin/kafka-broker-api-versions.sh"] == 0o755
    published = mirrored(sandbox, f"{kafka}.sha512").decode()
    name, groups = published.split(":", 1)
    assert name == "kafka_2.13-3.7.2.tgz"
    assert "".join(groups.split()).lower() == hashlib.sha512(archive).hexdigest()
    jar = "software/amazon/msk/aws-msk-iam-auth/2.3.0/aws-msk-iam-auth-2.3.0-all.jar"
    for kind in ("sha1", "sha256"):
        assert mirrored(sandbox, f"{jar}.{kind}").decode() == hashlib.new(kind, mirrored(sandbox, jar)).hexdigest()
    confluent = "archive/7.6/confluent-community-7.6.1.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(mirrored(sandbox, confluent))) as tar:
        assert "confluent-7.6.1/bin/kafka-rest-start" in tar.getnames()
    with pytest.raises(urllib.error.HTTPError) as caught:
        mirrored(sandbox, "dist/kafka/3.7.2/kafka_2.13-3.7.3.tgz")
    assert caught.value.code == 404


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """A machine that setup.sh makes a client of Kafka, over SSM alone."""

    def __init__(self, sandbox, ssm, made, port):
        self.ssm, self.made, self.port = ssm, made, port
        mirror = f"{sandbox.endpoint}/_sandbox/mirror"
        kafka = f"{mirror}/dist/kafka/3.7.2/kafka_2.13-3.7.2.tgz"
        jar = f"{mirror}/software/amazon/msk/aws-msk-iam-auth/2.3.0/aws-msk-iam-auth-2.3.0-all.jar"
        proxy = f"{mirror}/archive/7.6/confluent-community-7.6.1.tar.gz"
        broker = sandbox.endpoint.removeprefix("http://")
        self.settings = {
            "JAVA_VERSION": "17",
            "BOOTSTRAP_SERVERS": broker,
            "REST_PROXY_PORT": str(port),
            "KAFKA_SCALA": "2.13",
            **{"KAFKA_VERSION": "3.7.2", "KAFKA_URL": kafka, "KAFKA_SUM_URL": f"{kafka}.sha512"},
            **{"IAM_JAR_VERSION": "2.3.0", "IAM_JAR_URL": jar, "IAM_JAR_SUM_URL": f"{jar}.sha1"},
            **{"REST_PROXY_VERSION": "7.6.1", "REST_PROXY_URL": proxy, "REST_PROXY_SUM_URL": f"{proxy}.sha256"},
        }

    def write(self):
        """Brings the files to the machine, as many as a command may carry at a time."""
        handler = "software.amazon.msk.auth.iam.IAMClientCallbackHandler"
        files = {script.name: script.read_text() for script in SCRIPTS.glob("*.sh")}
        files["kafka-rest.service"] = (SCRIPTS / "pipeline-rest-proxy.service").read_text()
        files["settings.sh"] = "".join(f"{name}='{value}'\n" for name, value in self.settings.items())
        files["client.properties"] = f"sasl.client.callback.handler.class={handler}\n"
        files["kafka-rest.properties"] = (
            f"listeners=http://0.0.0.0:{self.port}\nclient.sasl.client.callback.handler.class={handler}\n"
        )
        for name, text in files.items():
            lines = ["mkdir -p client", f"printf %s {shlex.quote(text)} >client/{name}"]
            told = run(self.ssm, self.made, *lines)
            assert told["Status"] == "Success", told

    def setup(self, command="all", status="Success"):
        told = run(self.ssm, self.made, f"bash client/setup.sh {command}", seconds=90)
        assert told["Status"] == status, told
        return told["StandardOutputContent"]


@pytest.fixture
def machine(sandbox, ssm, instance):
    if not SCRIPTS.exists():
        pytest.skip("there is no setup.sh")
    made = []

    def new(**declared):
        made.append(Client(sandbox, ssm, instance(**declared), free_port()))
        made[-1].write()
        return made[-1]

    yield new
    for client in made:
        run(ssm, client.made, "systemctl stop pipeline-rest-proxy.service")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_machine_is_set_up_over_ssm_from_the_mirror(sandbox, machine, system):
    client = machine(os=system)
    assert client.setup("steps").split() == ["java", "kafka", "iam-jar", "rest-proxy", "files", "service"]
    assert client.setup().splitlines()[-1] == "verdict: ok"
    assert client.setup("steps") == ""
    state = json.loads(client.setup("state"))
    assert state["service"] == {"enabled": True, "active": True, "current": True}
    told = sandbox.private(f"instance?id={client.made['id']}")
    assert told["units"] == {"pipeline-rest-proxy.service": {"state": "active", "port": client.port}}
    with urllib.request.urlopen(f"http://127.0.0.1:{client.port}/topics", timeout=10) as reply:
        assert isinstance(json.load(reply), list)
    client.setup("remove")
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{client.port}/topics", timeout=10)
    left = [path for path in pathlib.Path(client.made["root"]).joinpath("opt").rglob("*")]
    assert left == []


def test_a_changed_port_is_where_the_proxy_is_after_a_restart(machine):
    client = machine()
    client.setup()
    before, client.port = client.port, free_port()
    client.settings["REST_PROXY_PORT"] = str(client.port)
    client.write()
    assert client.setup("steps").split() == ["files", "service"]
    assert client.setup().splitlines()[-1] == "verdict: ok"
    urllib.request.urlopen(f"http://127.0.0.1:{client.port}/topics", timeout=10).close()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{before}/topics", timeout=10)


def test_a_port_that_is_taken_is_told_before_the_proxy_is_started_and_as_it_tells_it(machine):
    client = machine()
    client.settings["SELF_CHECK_SECONDS"] = "3"
    client.write()
    with socket.create_server(("127.0.0.1", client.port)):
        told = run(client.ssm, client.made, "bash client/setup.sh all", seconds=90)
        assert told["Status"] == "Failed"
        assert f"something else listens at port {client.port}" in told["StandardErrorContent"]
        # Who starts it all the same.
        run(client.ssm, client.made, "systemctl start pipeline-rest-proxy.service")
        printed = client.setup("self-check", status="Failed")
    assert "something else has the port" in printed.splitlines()[-1]
    assert client.setup().splitlines()[-1] == "verdict: ok"


def test_a_proxy_goes_on_when_the_sandbox_comes_back(tmp_path):
    port = free_port()
    unit = "[Service]\nExecStart=/opt/kafka-rest-start /etc/kafka-rest.properties\n"
    lines = [
        "touch $PIPELINE_ROOT/opt/kafka-rest-start $MACHINE/has/java",
        f"echo listeners=http://0.0.0.0:{port} >$PIPELINE_ROOT/etc/kafka-rest.properties",
        f"printf %s {shlex.quote(unit)} >$PIPELINE_ROOT/etc/systemd/system/proxy.service",
        "systemctl start proxy && systemctl is-active proxy; systemctl is-enabled proxy",
        "systemctl show proxy -p ActiveState --value; systemctl start nothing; echo $?",
    ]

    def answers():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/topics", timeout=10).close()
        except OSError:
            return False
        return True

    with running(tmp_path, ephemeral=False) as sandbox:
        made = sandbox.private("instance", {"id": "i-0123456789abcdef0"})
        told = run(sandbox.client("ssm"), made, *lines)
        assert told["StandardOutputContent"] == "active\ndisabled\nactive\n5\n", told
        eventually(answers, bool)
        kill(sandbox)
    assert not answers()
    with running(tmp_path, ephemeral=False) as sandbox:
        eventually(answers, bool)
        ssm = sandbox.client("ssm")
        assert run(ssm, made, "systemctl stop proxy; systemctl is-active proxy")["ResponseCode"] == 3
        eventually(answers, lambda answering: not answering)


def test_api_gateway_reaches_a_machine_by_its_present_address(ssm, client, sandbox, instance):
    port = free_port()
    made = instance(address="ec2-3-80-1-7.compute-1.amazonaws.com")
    unit = "[Service]\nExecStart=/opt/kafka-rest-start /etc/kafka-rest.properties\n"
    told = run(
        ssm,
        made,
        "touch $PIPELINE_ROOT/opt/kafka-rest-start $MACHINE/has/java",
        f"echo listeners=http://0.0.0.0:{port} >$PIPELINE_ROOT/etc/kafka-rest.properties",
        f"printf %s {shlex.quote(unit)} >$PIPELINE_ROOT/etc/systemd/system/proxy.service",
        "systemctl start proxy",
    )
    assert told["Status"] == "Success", told
    apigateway = client("apigateway")
    api = apigateway.create_rest_api(name="machine")["id"]
    root = apigateway.get_resources(restApiId=api)["items"][0]["id"]
    at = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    apigateway.put_method(**at, authorizationType="NONE")
    uri = f"http://{made['address']}:{port}/topics"
    apigateway.put_integration(**at, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
    apigateway.create_deployment(restApiId=api, stageName="dev")
    url = sandbox.private(f"addresses?api={api}")["invoke"][api] + "/dev/"

    def status():
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    eventually(status, lambda found: found == 200)
    sandbox.private("instance", {"id": made["id"], "address": "ec2-3-80-1-8.compute-1.amazonaws.com"})
    eventually(status, lambda found: found in (500, 502, 504))
    run(ssm, made, "systemctl stop proxy")
