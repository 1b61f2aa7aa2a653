"""setup.sh, as it is run on an EC2 machine: for real, in a folder that it takes for the machine, with stand-ins for the
commands that would change the one it runs on.
"""

import base64
import contextlib
import gzip
import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import sys

import pytest

from client_machine import OWNER, SANDBOX_STAND_IN, SCRIPTS, STAND_INS, SYSTEMS, Machine, as_gpg, as_hex, as_list
from client_machine import free_port, jar_path, kafka_path, mirroring, proxy_path

STEPS = ["java", "kafka", "iam-jar", "rest-proxy", "files", "service"]
FILES = ["client.properties", "profile.sh", "kafka-rest.properties", "kafka-rest.service"]
RESTART = "systemctl restart pipeline-rest-proxy.service"
# SSM keeps so many characters of an output.
SHOWN = 24_000


@pytest.fixture(scope="module")
def mirror():
    with mirroring() as mirror:
        yield mirror


@pytest.fixture
def machine(tmp_path, mirror):
    """machine() is a new one; arguments are those of Machine. Its proxy is stopped at the end."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def new(*arguments, **options):
            folder = tmp_path / f"machine-{next(numbers)}"
            made = Machine(folder, options.pop("mirror", mirror), *arguments, **options)
            stack.callback(made.stop)
            return made

        yield new


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def opt(machine, *path):
    return machine.root.joinpath("opt/pipeline-client", *path)


def restarts(machine):
    return machine.calls().count(RESTART)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id + system.version)
def test_a_fresh_machine_is_set_up_and_a_second_run_has_nothing_to_do(machine, system):
    machine = machine(system)
    assert machine.steps() == STEPS
    assert machine.calls() == []
    printed = machine.run()
    assert printed.splitlines()[-1] == "verdict: ok"
    assert len(printed) < SHOWN
    calls = machine.calls()
    assert [call for call in calls if call.startswith(system.manager) and "install" in call]
    assert calls[-3:] == ["systemctl daemon-reload", "systemctl enable pipeline-rest-proxy.service", RESTART]
    assert machine.topics() == "7.6.1"
    assert machine.state() == {
        "begun": True,
        "owner": OWNER,
        "os": f"{system.id} {system.version}",
        "java": "17.0.10",
        "kafka": "3.7.2",
        "kafka_scala": "2.13",
        "iam_jar": "2.3.0",
        "rest_proxy": "7.6.1",
        "files": {name: sha256(machine.client / name) for name in FILES},
        "service": {"enabled": True, "active": True, "current": True},
        "old": [],
    }
    before = machine.tree()
    assert machine.steps() == []
    printed = machine.run()
    assert printed.count("nothing to do") == len(STEPS)
    assert printed.splitlines()[-1] == "verdict: ok"
    assert machine.calls() == []
    assert machine.tree() == before


def test_who_may_read_what(machine):
    machine = machine()
    machine.run()
    modes = {name: oct(machine.root.joinpath(name).stat().st_mode & 0o777) for name in machine_files()}
    assert modes == machine_files()
    owners = [call for call in machine.calls() if call.startswith("chown root:pipeline-client")]
    assert [call.rsplit("/", 1)[1] for call in owners] == [".client.properties.new", ".kafka-rest.properties.new"]


def machine_files():
    return {
        "etc/pipeline-client/client.properties": "0o640",
        "etc/pipeline-client/kafka-rest.properties": "0o640",
        "etc/profile.d/pipeline-client.sh": "0o644",
        "etc/systemd/system/pipeline-rest-proxy.service": "0o644",
    }


def test_steps_one_by_one_do_what_all_does(machine):
    port = free_port()
    whole, stepwise = machine(port=port), machine(port=port)
    whole.run()
    whole.stop()
    for done, step in enumerate(STEPS):
        assert stepwise.steps() == STEPS[done:]
        assert f"== {step}: " in stepwise.run(step)
    assert stepwise.steps() == []
    assert stepwise.run("self-check").splitlines()[-1] == "verdict: ok"
    assert stepwise.tree() == whole.tree()


def test_the_state_tells_how_far_it_is(machine):
    machine = machine()
    nothing = {name: None for name in ("java", "kafka", "kafka_scala", "iam_jar", "rest_proxy")}
    idle = {"enabled": False, "active": False, "current": False}
    expected = {"begun": False, "owner": None, "os": "amzn 2023", **nothing, "files": {}, "service": idle, "old": []}
    assert machine.state() == expected
    expected |= {"begun": True, "owner": OWNER}
    files = {name: sha256(machine.client / name) for name in FILES}
    for step, news in (
        ("java", {"java": "17.0.10"}),
        ("kafka", {"kafka": "3.7.2", "kafka_scala": "2.13"}),
        ("iam-jar", {"iam_jar": "2.3.0"}),
        ("rest-proxy", {"rest_proxy": "7.6.1"}),
        ("files", {"files": files}),
        ("service", {"service": {"enabled": True, "active": True, "current": True}}),
    ):
        machine.run(step)
        expected |= news
        assert machine.state() == expected
    machine.want(kafka="2.8.1", scala="2.12", port=free_port())
    machine.run("kafka")
    machine.run("files")
    expected |= {"kafka": "2.8.1", "kafka_scala": "2.12", "old": ["kafka_2.13-3.7.2"]}
    expected["files"] = {name: sha256(machine.client / name) for name in FILES}
    expected["service"] = {"enabled": True, "active": True, "current": False}
    assert machine.state() == expected
    machine.run("service")
    assert machine.state() == expected | {"old": [], "service": {**expected["service"], "current": True}}
    machine.stop()
    assert machine.state()["service"] == {"enabled": True, "active": False, "current": True}
    assert machine.steps() == ["service"]


def test_a_changed_port_is_one_file_and_one_restart(machine):
    machine = machine()
    machine.run()
    before, _ = machine.tree(), machine.calls()
    machine.want(port=free_port())
    assert machine.steps() == ["files", "service"]
    assert machine.run().splitlines()[-1] == "verdict: ok"
    calls = machine.calls()
    assert calls[1:] == [RESTART] and calls[0].startswith("chown root:pipeline-client"), calls
    after = machine.tree()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {
        "root/etc/pipeline-client/kafka-rest.properties",
        "root/var/lib/pipeline-client/started",
        "root/var/lib/pipeline-client/written",
    }
    assert machine.topics() == "7.6.1"


def test_the_proxy_is_restarted_for_what_it_runs_with_and_nothing_else(machine):
    machine = machine()
    machine.run()
    machine.calls()
    machine.want(kafka="3.8.1")
    (machine.client / "client.properties").write_text("security.protocol=PLAINTEXT\n")
    assert machine.steps() == ["kafka", "files", "service"]
    machine.run()
    assert restarts(machine) == 0
    machine.want(iam_jar="2.3.2")
    machine.run()
    assert restarts(machine) == 1
    with (machine.client / "kafka-rest.service").open("a") as unit:
        unit.write("# changed\n")
    machine.run()
    assert [call for call in machine.calls() if call.startswith("systemctl")] == ["systemctl daemon-reload", RESTART]
    # The system's own update of Java.
    (machine.has / "java").write_text("java-17-amazon-corretto-headless 17.0.11\n")
    assert machine.steps() == ["service"]
    machine.run()
    assert machine.calls() == [RESTART]


def test_new_versions_take_the_place_of_old_ones(machine):
    machine = machine()
    machine.run()
    machine.want(kafka="2.8.1", scala="2.12", iam_jar="1.1.5", rest_proxy="7.7.0")
    assert machine.steps() == ["kafka", "iam-jar", "rest-proxy", "service"]
    for step in ("kafka", "iam-jar", "rest-proxy"):
        machine.run(step)
    # The proxy still runs from what was there.
    assert machine.topics() == "7.6.1"
    assert opt(machine, "confluent-7.6.1/bin/kafka-rest-start").exists()
    machine.run()
    assert machine.topics() == "7.7.0"
    there = sorted(path.name for path in [*opt(machine).iterdir(), *opt(machine, "lib").iterdir()])
    assert there == [
        "aws-msk-iam-auth-1.1.5-all.jar",
        "aws-msk-iam-auth.jar",
        "confluent",
        "confluent-7.7.0",
        "kafka",
        "kafka_2.12-2.8.1",
        "lib",
    ]
    assert opt(machine, "kafka/config/server.properties").read_text() == "# Kafka 2.8.1\n"
    assert machine.steps() == []


def test_a_proxy_or_a_jar_that_is_no_longer_wanted_goes(machine):
    machine = machine()
    machine.run()
    machine.want(REST_PROXY_VERSION="", REST_PROXY_PORT="", IAM_JAR_VERSION="")
    (machine.client / "kafka-rest.service").unlink()
    (machine.folder / "brokers").write_text("plaintext\n")
    assert machine.steps() == ["iam-jar", "rest-proxy", "service"]
    assert "verdict: FAILED" in machine.run(ends=1)
    (machine.folder / "brokers").unlink()
    state = machine.state()
    assert (state["iam_jar"], state["rest_proxy"]) == (None, None)
    assert sorted(state["files"]) == ["client.properties", "profile.sh"]
    assert state["service"] == {"enabled": False, "active": False, "current": False}
    assert not opt(machine, "confluent-7.6.1").exists()
    assert list(opt(machine, "lib").iterdir()) == []
    assert machine.steps() == []


def test_a_machine_without_a_proxy(machine):
    machine = machine()
    machine.want(REST_PROXY_VERSION="", REST_PROXY_PORT="")
    (machine.client / "kafka-rest.service").unlink()
    (machine.client / "kafka-rest.properties").unlink()
    assert machine.steps() == ["java", "kafka", "iam-jar", "files"]
    assert machine.run().splitlines()[-1] == "verdict: ok"
    assert not [call for call in machine.calls() if call.startswith("systemctl")]
    assert machine.steps() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_killed_anywhere_is_made_good_when_it_is_run_again(machine, step):
    before = machine()
    for earlier in STEPS[: STEPS.index(step)]:
        before.run(earlier)
    undisturbed = before.copy()
    undisturbed.run(step)
    expected = undisturbed.tree()
    undisturbed.stop()
    # Every command that changes something is one that a run is killed at.
    for moment in itertools.count(1):
        tried = before.copy()
        if not tried.run_killed(moment, command=step):
            break
        killed_at = (tried.folder / "killed").read_text()
        recover(tried, step, expected, killed_at)
        # Killed in the midst of these, it has left a part of what they write.
        if killed_at.split()[0] in ("curl", "tar", "cp"):
            tried = before.copy()
            assert tried.run_killed(moment, halfway=True, command=step)
            recover(tried, step, expected, f"halfway {killed_at}")
    tried.stop()
    assert tried.tree() == expected
    assert moment > 4


def recover(machine, step, expected, killed_at):
    # What has its name is whole.
    for whole in ("kafka_2.13-3.7.2/bin/kafka-topics.sh", "confluent-7.6.1/bin/kafka-rest-start"):
        assert opt(machine, whole).exists() or not opt(machine, whole.split("/")[0]).exists(), killed_at
    machine.run(step)
    assert machine.tree() == expected, killed_at
    machine.stop()
    shutil.rmtree(machine.folder)


def test_a_run_of_all_that_is_killed_is_made_good_by_the_next(machine):
    port = free_port()
    undisturbed = machine(port=port)
    undisturbed.run()
    expected = undisturbed.tree()
    undisturbed.stop()
    for moment in itertools.count(1, 10):
        tried = machine(port=port)
        if not tried.run_killed(moment):
            break
        assert tried.run().splitlines()[-1] == "verdict: ok"
        assert tried.tree() == expected, (tried.folder / "killed").read_text()
        assert tried.steps() == []
        tried.stop()
    assert moment > 40
    tried.stop()


def test_a_change_that_is_killed_again_and_again_ends_where_an_undisturbed_one_does(machine):
    port, new_port = free_port(), free_port()
    changes = {"kafka": "2.8.1", "scala": "2.12", "iam_jar": "1.1.5", "rest_proxy": "7.7.0", "port": new_port}
    undisturbed, tried = machine(port=port), machine(port=port)
    undisturbed.run()
    undisturbed.want(**changes)
    undisturbed.run()
    undisturbed.stop()
    tried.run()
    tried.want(**changes)
    # Each run goes on from where the one before was killed.
    kills = next(kill for kill in itertools.count(1) if not tried.run_killed(kill, halfway=kill % 2))
    assert kills > 10
    assert tried.tree() == undisturbed.tree()
    assert tried.topics() == "7.7.0"
    assert tried.steps() == []


def test_removing_that_is_killed_again_and_again_removes_all(machine):
    machine = machine()
    before = machine.tree()
    machine.run()
    for kills in itertools.count(1):
        if not machine.run_killed(kills, command="remove"):
            break
        # Who looks whether it is done must see that it isn't.
        assert machine.state()["begun"] or machine.tree() == before
    assert kills > 5
    assert machine.tree() == before


@pytest.mark.parametrize("step", ["kafka", "iam-jar", "rest-proxy"])
def test_a_download_that_is_not_what_it_must_be_is_refused(machine, step):
    path = {"kafka": kafka_path("2.13", "3.7.2"), "iam-jar": jar_path("2.3.0"), "rest-proxy": proxy_path("7.6.1")}[step]
    with mirroring() as mirror:
        machine = machine(mirror=mirror)
        before = machine.tree()
        right, content = mirror.sum(path), mirror.files[path]
        mirror.files[path] = content + b"tampered with"
        printed = machine.run(step, ends=66)
        assert f"== {step}: FAILED: " in printed.splitlines()[-1]
        assert right in printed and mirror.sum(path) in printed
        assert machine.tree() == before
        assert machine.steps() == STEPS
        assert machine.state()[step.replace("-", "_")] is None
        mirror.files[path] = content
        machine.run()
        # It is refused just so where another version is in use, and that one stays.
        in_use = machine.tree()
        others = {"kafka": {"kafka": "3.8.1"}, "iam-jar": {"iam_jar": "2.3.2"}, "rest-proxy": {"rest_proxy": "7.7.0"}}
        machine.want(**others[step])
        name = {"kafka": "KAFKA", "iam-jar": "IAM_JAR", "rest-proxy": "REST_PROXY"}[step]
        machine.want(**{f"{name}_SUM": "0" * 64})
        assert f"client.checksums.{name.lower()}" in machine.run(ends=66)
        assert machine.tree() == in_use
        assert machine.topics() == "7.6.1"


def test_what_no_checksum_is_known_of_is_refused(machine, mirror):
    machine = machine()
    machine.want(REST_PROXY_SUM_URL="")
    asked = len(mirror.asked)
    printed = machine.run("rest-proxy", ends=65)
    assert "client.checksums.rest_proxy" in printed.splitlines()[-1]
    assert len(mirror.asked) == asked or proxy_path("7.6.1") not in mirror.asked[asked:]
    machine.want(REST_PROXY_SUM=mirror.sum(proxy_path("7.6.1")).upper())
    assert "7.6.1 is in place" in machine.run("rest-proxy")


def test_an_archive_of_something_else_is_refused(machine, mirror):
    machine = machine()
    path = proxy_path("7.6.1")
    machine.want(KAFKA_URL=f"{mirror.url}{path}", KAFKA_SUM=mirror.sum(path))
    assert "has no bin/kafka-broker-api-versions.sh" in machine.run("kafka", ends=66)
    assert machine.state()["kafka"] is None


def several(form):
    """A file with the checksums of several archives."""
    return lambda name, hex: form("another.tgz", "0" * len(hex)) + form(name, hex) + form(f"{name}.asc", "1" * len(hex))


FORMS = {
    "gpg": as_gpg,
    "gpg, of several": several(as_gpg),
    "gpg, on one line": lambda name, hex: f"{name}: {hex.upper()}",
    "gpg, of a long name": lambda name, hex: as_gpg(name, hex).replace(": ", ": \n", 1),
    "list": as_list,
    "list, of several": several(as_list),
    "list, of binary files": lambda name, hex: f"{hex} *{name}\r\n",
    "list, of another name": lambda _name, hex: as_list("build/archive", hex),
    "BSD": lambda name, hex: f"SHA ({name}) = {hex}\n",
    "hex": as_hex,
    "hex, with a newline": lambda _name, hex: f"{hex.upper()}\n",
}


@pytest.mark.parametrize("kind", ["sha1", "sha256", "sha512"])
def test_checksums_are_read_in_every_form_that_publishers_write(tmp_path, kind):
    name, hex = "kafka_2.13-3.7.2.tgz", hashlib.new(kind, b"an archive").hexdigest()
    for number, form in enumerate(FORMS.values()):
        (tmp_path / f"{number:02}").write_bytes(form(name, hex).encode())
    script = f'. {SCRIPTS / "archives.sh"}; for file in {tmp_path}/*; do sum_published "$file" {name}; done'
    printed = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True).stdout.splitlines()
    assert dict(zip(FORMS, printed)) == dict.fromkeys(FORMS, hex)


def test_the_best_checksum_of_a_file_is_used(tmp_path):
    path = tmp_path / "sums"
    path.write_text("".join(as_list("a.tgz", digit * length) for digit, length in (("1", 40), ("2", 128), ("3", 64))))
    script = f'. {SCRIPTS / "archives.sh"}; sum_published {path} a.tgz'
    assert subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True).stdout == "2" * 128 + "\n"


@pytest.mark.parametrize("form", [as_gpg, as_list, as_hex])
def test_archives_are_verified_with_sha1_where_there_is_nothing_better(machine, form):
    with mirroring() as mirror:
        path = jar_path("2.3.0")
        mirror.put(path, mirror.files[path], "sha1", form)
        machine = machine(mirror=mirror)
        assert "its sha1 is what " in machine.run("iam-jar")
        assert machine.state()["iam_jar"] == "2.3.0"


@pytest.mark.parametrize(
    "published",
    ["", "<html>not here</html>", "abc\n", as_gpg("other.jar", "0" * 128) + as_list("another.jar", "1" * 64)],
)
def test_a_checksum_file_that_has_none_is_refused(machine, published):
    with mirroring() as mirror:
        machine = machine(mirror=mirror)
        mirror.files[f"{jar_path('2.3.0')}.sha256"] = published.encode()
        assert "set client.checksums.iam_jar in the manifest" in machine.run("iam-jar", ends=65)


def test_a_password_of_a_mirror_is_not_told(machine, mirror):
    machine = machine()
    secret = mirror.url.replace("//", "//me:secret@")
    machine.want(**{name: value.replace(mirror.url, secret) for name, value in machine.settings.items()})
    assert "secret" not in machine.run()
    machine.want(kafka="3.8.1", KAFKA_URL=f"{secret}/nowhere")
    printed = machine.run(ends=1)
    assert "can't be downloaded" in printed and "secret" not in printed


def test_two_runs_at_once_do_not_meet(machine):
    with mirroring() as mirror:
        machine = machine(mirror=mirror)
        runs = [machine.start("all"), machine.start("all")]
        printed = [run.communicate(timeout=60)[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], printed
        assert sum("another run is at work" in text for text in printed) == 1, printed
        assert len(mirror.asked) == len(set(mirror.asked)) == 6
        assert machine.steps() == []
        assert restarts(machine) == 1


def test_remove_leaves_the_machine_as_it_was(machine):
    machine = machine()
    before = machine.tree()
    machine.run()
    machine.run("remove")
    assert machine.tree() == before
    assert machine.steps() == STEPS
    machine.calls()
    machine.run("remove")
    assert machine.calls() == []
    assert machine.tree() == before


def test_a_machine_is_one_pipelines(machine):
    machine = machine()
    machine.run("kafka")
    before = machine.tree()
    machine.want(OWNER="other (test)")
    for command in ("all", "steps", "check", "files", "self-check", "remove"):
        assert "this machine is set up for the pipeline demo (test)" in machine.run(command, ends=77)
    assert machine.tree() == before
    machine.want(OWNER=OWNER)
    machine.run("remove")
    machine.want(OWNER="other (test)")
    machine.run("files")
    assert machine.state()["owner"] == "other (test)"
    # By hand, without a folder of either.
    (machine.client / "settings.sh").unlink()
    machine.run("remove")
    assert not machine.state()["begun"]


@pytest.mark.parametrize("step", ["java", "kafka", "files"])
def test_what_a_killed_run_has_left_is_told_and_removed(machine, step):
    before = machine()
    nothing = before.tree()
    for moment in itertools.count(1):
        tried = before.copy()
        if not tried.run_killed(moment, command=step):
            break
        killed_at = (tried.folder / "killed").read_text()
        assert tried.state()["begun"] or tried.tree() == nothing, killed_at
        tried.run("remove")
        # What stands in for userdel may have been killed itself.
        (tried.has / "users.new").unlink(missing_ok=True)
        assert (tried.state()["begun"], tried.tree()) == (False, nothing), killed_at
        shutil.rmtree(tried.folder)
    assert moment > 3


SECRETS = r"""
# Pipeline: demo (test), password=hunter2
ssl.keystore.key=-----BEGIN PRIVATE KEY-----\
hunter2\
-----END PRIVATE KEY-----
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="a" password="\"hunter2";
client.sasl.jaas.config = software.amazon.msk.auth.iam.IAMLoginModule required clientSecret="hunter2";
ssl.key.password hunter2
ssl.keystore.password: hunter2
SASL.JAAS.CONFIG=hunter2
basic.auth.user.info=me:hunter2
x.password=\
hunter2
hunter2=
security.protocol = SASL_SSL
"""


def test_of_a_file_that_others_have_written_no_secret_is_told(machine):
    machine = machine()
    machine.run("files")
    observe = machine.client / "observe.sh"
    shutil.copy(SCRIPTS / "observe.sh", observe)
    path = machine.root / "etc/pipeline-client/client.properties"
    jaas = 'software.amazon.msk.auth.iam.IAMLoginModule required awsRoleArn="arn:aws:iam::123456789012:role/r";'
    for text in (SECRETS, f"sasl.jaas.config={jaas}\nssl.truststore.certificates=-----BEGIN\\nabc==\\n"):
        path.write_text(text)
        nowhere = machine.environment(PIPELINE_METADATA="http://127.0.0.1:1")
        said = subprocess.run(["bash", observe], env=nowhere, capture_output=True, text=True, check=True).stdout
        [packed] = [line.split()[2] for line in said.splitlines() if line.startswith("file client.properties ")]
        told = gzip.decompress(base64.b64decode(packed)).decode()
        assert said.splitlines()[-1] == "end"
        if text is SECRETS:
            assert "hunter2" not in told
            assert "basic.auth.user.info=(hidden)\n" in told and "security.protocol=SASL_SSL\n" in told
        else:
            assert told == f"{text}\n"


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id + system.version)
def test_remove_takes_java_away_only_where_it_was_installed_here(machine, system):
    without, having = machine(system), machine(system)
    (having.has / "java").write_text(f"{system.package.format(17)} 17.0.9\n")
    for each in (without, having):
        before = each.tree()
        each.run("java")
        each.run("kafka")
        each.run("remove")
        assert each.tree() == before
    assert [call for call in without.calls() if "install" in call]
    assert having.calls() == []


def test_remove_takes_every_java_away_that_was_installed_here(machine):
    machine = machine()
    machine.want(JAVA_VERSION="11")
    machine.run("java")
    machine.want(JAVA_VERSION="21")
    machine.run("java")
    machine.run("remove")
    removed = [call.split()[-1] for call in machine.calls() if " remove " in call]
    assert removed == [f"java-{version}-amazon-corretto-headless" for version in (11, 21)]


def test_a_port_that_something_else_has_is_told(machine):
    machine = machine()
    with socket.create_server(("127.0.0.1", machine.port)):
        told = machine.run(ends=1)
        assert f"something else listens at port {machine.port}" in told
        assert RESTART not in machine.calls()
    assert machine.run().splitlines()[-1] == "verdict: ok"


def test_remove_keeps_what_others_have_put_there_or_changed(machine):
    machine = machine()
    before = machine.tree()
    machine.run()
    foreign = {
        "opt/pipeline-client/kafka_2.13-3.7.2/bin/client.properties": "mine",
        "opt/pipeline-client/kafka_2.13-3.7.2/config/server.properties": "changed",
        "opt/pipeline-client/lib/another.jar": "mine",
        "opt/pipeline-client/notes": "mine",
        "etc/pipeline-client/client.properties": "changed",
        "etc/pipeline-client/mine.properties": "mine",
        "var/lib/pipeline-client/notes": "mine",
    }
    for name, text in foreign.items():
        (machine.root / name).write_text(text)
    printed = machine.run("remove")
    there = {str(path.relative_to(machine.root)) for path in machine.root.rglob("*") if path.is_file()}
    assert there == {*foreign, "etc/os-release"}
    assert all((machine.root / name).read_text() == text for name, text in foreign.items())
    for name in ("bin/client.properties", "config/server.properties"):
        assert f"kept {opt(machine, 'kafka_2.13-3.7.2', name)}, which someone else has" in printed
    assert "etc/pipeline-client/client.properties, which someone else has written or changed" in printed
    assert {name: text for name, text in machine.tree().items() if name.startswith("has/")} == {
        name: text for name, text in before.items() if name.startswith("has/")
    }
    assert machine.state()["kafka"] is None
    # What was kept is in nobody's way.
    machine.run()
    assert machine.steps() == []
    kept = [path for path in opt(machine).iterdir() if ".kept-" in path.name]
    assert [sorted(path.name for path in folder.rglob("*.properties")) for folder in kept] == [
        ["client.properties", "server.properties"]
    ]


def test_files_that_others_have_put_into_an_old_version_stay_with_it(machine):
    machine = machine()
    machine.run()
    mine = opt(machine, "kafka/bin/client.properties")
    mine.write_text("mine")
    machine.want(kafka="3.8.1")
    assert f"kept {opt(machine, 'kafka_2.13-3.7.2/bin/client.properties')}, which" in machine.run()
    left = [path.name for path in opt(machine, "kafka_2.13-3.7.2").rglob("*") if path.is_file()]
    assert left == ["client.properties"]
    assert machine.steps() == []


def test_drift_is_seen_and_put_right(machine):
    machine = machine()
    machine.run()
    expected = machine.tree()
    (machine.root / "etc/pipeline-client/client.properties").write_text("security.protocol=PLAINTEXT\n")
    opt(machine, "kafka").unlink()
    shutil.rmtree(opt(machine, "confluent-7.6.1/bin"))
    machine.stop()
    assert machine.steps() == ["kafka", "rest-proxy", "files", "service"]
    assert machine.state()["kafka"] is None and machine.state()["rest_proxy"] is None
    machine.run()
    assert machine.tree() == expected
    assert machine.topics() == "7.6.1"


CAUSES = [
    ("SaslAuthenticationException: [1a2b]: Access denied\nTimed out waiting for a node", "kafka-cluster:Connect"),
    ("User: arn:x is not authorized to perform: sts:AssumeRole on resource: arn:y", "may not assume awsRoleArn"),
    ("SdkClientException: Unable to load credentials from any of the providers in the chain", "no AWS credentials"),
    ("TimeoutException: Timed out waiting for a node assignment. Call: listNodes", "security group"),
    ("Connection to node -1 could not be established. Node may not be available.", "security group"),
    ("java.lang.RuntimeException: Request METADATA failed on brokers [b-1.example:9098 (id: -1 rack: null)]", "group"),
    ("SaslAuthenticationException: Host broker.mine does not belong to a valid region.", "MSK's own names"),
    ("Unable to load AWS credentials from any provider\nSaslAuthenticationException: An error", "no AWS credentials"),
    ("Class software.amazon.msk.auth.iam.IAMClientCallbackHandler could not be found.", "jar isn't on the CLASSPATH"),
    ("Couldn't resolve server b-1.example:9098 as DNS resolution failed for b-1.example", "DNS"),
    ("java.lang.UnsupportedClassVersionError: org/apache/kafka has been compiled by", "client.java_version"),
    ("java.lang.OutOfMemoryError: Java heap space", "another protocol"),
    ("something that nobody has heard of", "unknown"),
]


def test_why_no_broker_answers(machine):
    machine = machine()
    for step in ("java", "kafka", "iam-jar", "files"):
        machine.run(step)
    for said, told in CAUSES:
        (machine.folder / "brokers").write_text(said + "\n")
        printed = machine.run("self-check", ends=1)
        assert said in printed
        last = printed.splitlines()[-1]
        assert last.startswith("verdict: FAILED: no broker answers at b-1.example:9098") and told in last, last


def test_why_the_proxy_does_not_answer(machine):
    machine = machine()
    machine.run()
    for said, told in (
        ("ClassNotFoundException: software.amazon.msk.auth.iam.IAMLoginModule", "CLASSPATH"),
        ("java.net.BindException: Address already in use", "something else has the port"),
    ):
        (machine.folder / "journal").write_text("")
        (machine.folder / "broken").write_text("\n".join([said, *(f"\tat line {number}" for number in range(30))]))
        machine.want(port=free_port(), SELF_CHECK_SECONDS="1")
        printed = machine.run(ends=1).splitlines()
        assert "\tat line 29" in printed and said not in printed
        assert printed[-1].startswith("verdict: FAILED: the REST proxy doesn't run; ") and told in printed[-1]
    (machine.folder / "broken").unlink()
    machine.want(SELF_CHECK_SECONDS="5")
    assert machine.steps() == ["service"]
    assert machine.run().splitlines()[-1] == "verdict: ok"
    # It listens elsewhere than it is looked for.
    machine.want(REST_PROXY_PORT=str(free_port()), SELF_CHECK_SECONDS="1")
    assert "verdict: FAILED: the REST proxy runs, but GET http://127.0.0.1:" in machine.run("self-check", ends=1)


def test_the_service_has_a_classpath_of_its_own(machine):
    machine = machine()
    unit = machine.client / "kafka-rest.service"
    lines = unit.read_text().splitlines(keepends=True)
    unit.write_text("".join(line for line in lines if not line.startswith("Environment=CLASSPATH")))
    machine.want(SELF_CHECK_SECONDS="1")
    printed = machine.run(ends=1, CLASSPATH=str(opt(machine, "lib/aws-msk-iam-auth.jar")))
    assert "jar isn't on the CLASSPATH" in printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("release", "fit"),
    [
        ('ID="amzn"\nVERSION_ID="2"', True),
        ("ID=ubuntu\nVERSION_ID=20.04", True),
        ("ID=debian\nVERSION_ID=11", True),
        ("ID=ubuntu\nVERSION_ID=18.04", False),
        ("ID=debian\nVERSION_ID=10", False),
        ("ID=amzn\nVERSION_ID=2018.03", False),
        ("ID=fedora\nVERSION_ID=40", False),
        ("ID=debian", False),
    ],
)
def test_which_systems_are_fit(machine, release, fit):
    machine = machine()
    (machine.root / "etc/os-release").write_text(release + "\n")
    printed = machine.run("check", ends=0 if fit else 69)
    assert ("is fit" in printed) == fit


def test_all_that_a_machine_lacks_is_told_at_once(machine):
    machine = machine()
    (machine.root / "etc/os-release").unlink()
    bare = machine.folder / "bare"
    bare.mkdir()
    for command in ("bash", "dirname", "awk", "df", "cut", "sed", "sha256sum", "readlink", "flock", "rm"):
        (bare / command).symlink_to(shutil.which(command))
    printed = machine.run(ends=69, PATH=f"{machine.folder / 'bin'}:{bare}", WHO="1000")
    for told in ("Amazon Linux 2", "use sudo", "neither curl nor wget", "no tar", "no sha512sum"):
        assert told in printed
    assert machine.state()["os"] is None
    assert not (machine.root / "var/lib/pipeline-client").exists()


def test_wget_will_do_where_there_is_no_curl(machine):
    machine = machine()
    others = machine.folder / "others"
    others.mkdir()
    for command in os.listdir("/usr/bin"):
        if command != "curl":
            (others / command).symlink_to(f"/usr/bin/{command}")
    if not (others / "wget").exists():
        pytest.skip("there is no wget")
    assert machine.run(PATH=f"{machine.folder / 'bin'}:{others}").splitlines()[-1] == "verdict: ok"


def test_which_versions_of_java_a_release_has_is_told(machine):
    debian, amazon = machine(SYSTEMS[3]), machine(SYSTEMS[0])
    debian.want(JAVA_VERSION="11")
    printed = debian.run("java", ends=1)
    assert "apt-get: there is no package openjdk-11-jre-headless" in printed
    assert "openjdk-11-jre-headless can't be installed; debian 12 has: openjdk-17-jre-headless" in printed
    amazon.want(JAVA_VERSION="21")
    printed = amazon.run("java", ends=1)
    assert "amzn 2 has: java-1.8.0-amazon-corretto, java-11-amazon-corretto-headless, java-17-amazon" in printed
    amazon.calls()
    amazon.want(JAVA_VERSION="8")
    assert "1.8.0_402 is in place" in amazon.run("java")
    assert amazon.calls() == [
        "amazon-linux-extras enable corretto8",
        "yum -y install java-1.8.0-amazon-corretto",
    ]
    assert amazon.state()["java"] == "1.8.0_402"
    # A newer one than is asked for will do, and an older one won't.
    amazon.want(JAVA_VERSION="11")
    assert "java" in amazon.steps()
    (amazon.has / "java").write_text("java-17-amazon-corretto-headless 17.0.10\n")
    assert "java" not in amazon.steps()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"JAVA_VERSION": "9"}, "JAVA_VERSION can't be '9'"),
        ({"KAFKA_VERSION": "../3.7.2"}, "KAFKA_VERSION can't be '../3.7.2'"),
        ({"KAFKA_VERSION": ""}, "KAFKA_VERSION can't be ''"),
        ({"KAFKA_SCALA": "2.11"}, "KAFKA_SCALA"),
        ({"REST_PROXY_VERSION": "7/8"}, "REST_PROXY_VERSION"),
        ({"REST_PROXY_PORT": "http"}, "REST_PROXY_PORT"),
        ({"BOOTSTRAP_SERVERS": ""}, "BOOTSTRAP_SERVERS"),
        ({"KAFKA_SUM": "abc"}, "client.checksums.kafka is neither a sha256 nor a sha512"),
        ({"KAFKA_SUM": "0" * 40}, "client.checksums.kafka is neither a sha256 nor a sha512"),
    ],
)
def test_settings_that_can_not_be_followed_are_refused(machine, settings, told):
    machine = machine()
    machine.want(**settings)
    # An environment is nobody's settings.
    assert told in machine.run("kafka", ends=65, KAFKA_VERSION="3.7.2", BOOTSTRAP_SERVERS="b:9098")
    assert not opt(machine, "kafka").exists()


def test_missing_files_and_wrong_usage_are_refused(machine):
    machine = machine()
    assert "usage: " in machine.run("install", ends=64)
    assert "usage: " in machine.run("", ends=64)
    (machine.client / "client.properties").unlink()
    assert "there is no client.properties" in machine.run(ends=65)
    (machine.client / "settings.sh").unlink()
    assert "there is no settings.sh" in machine.run(ends=65)
    # These two need neither.
    assert machine.state()["kafka"] is None
    machine.run("remove")


def test_a_password_that_nobody_has_filled_in_is_told_and_not_installed(machine):
    machine = machine()
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    properties = machine.client / "client.properties"
    properties.write_text(f'sasl.jaas.config={module} username="USER" password="PASSWORD";\n')
    assert "client.properties: write the user and the password in the place of" in machine.run(ends=65)
    assert not opt(machine, "kafka").exists()
    properties.write_text(f'sasl.jaas.config={module} username="me" password="hunter2";\n')
    assert "hunter2" not in machine.run("files")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_login_shell_has_the_jar_and_the_tools(shell):
    script = f'set -eu; . {SCRIPTS / "profile.sh"}; . {SCRIPTS / "profile.sh"}; echo "$CLASSPATH $PATH"'
    jar, tools = "/opt/pipeline-client/lib/aws-msk-iam-auth.jar", "/opt/pipeline-client/kafka/bin"
    for given, expected in ((None, jar), ("/a.jar:/b.jar", f"{jar}:/a.jar:/b.jar"), (f"/a.jar:{jar}", f"/a.jar:{jar}")):
        environment = {"PATH": "/usr/bin:/bin"} | ({} if given is None else {"CLASSPATH": given})
        printed = subprocess.run(["/bin/" + shell, "-c", script], env=environment, capture_output=True, text=True)
        assert printed.stdout == f"{expected} /usr/bin:/bin:{tools}\n", printed


def test_shellcheck_has_nothing_to_say():
    found = shutil.which("shellcheck", path=os.path.dirname(sys.executable)) or shutil.which("shellcheck")
    assert found, "shellcheck is missing: it is in requirements.txt"
    scripts = [*SCRIPTS.glob("*.sh"), *STAND_INS.iterdir(), SANDBOX_STAND_IN]
    said = subprocess.run([found, *scripts], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
    assert not [script.name for script in SCRIPTS.glob("*.sh") if "shellcheck disable" in script.read_text()]
