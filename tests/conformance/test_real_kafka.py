"""Topics on brokers that are Apache Kafka's own: the tool manages them by the Kafka protocol, for a cluster of the
sandbox whose brokers these are, and Apache's tools change what it made.
"""

import json
import math
import subprocess
import time

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from apache_kafka import NEWEST, OLDEST, VERSIONS, Tools, running_broker
from planning import Pipeline, ran
from sandbox import BINARY, clean_environment, running
from waiting import eventually
from wiretap import tapped

CLUSTER = "elsewhere"
REGION = "us-east-1"
SECONDS = 30
MANY = 1000
# The most that the tool puts into a request.
AT_ONCE = 200
# ZooKeeper takes its time over a thousand topics, and the more where other things go on.
pytestmark = pytest.mark.timeout(600)


class Broker:
    """A broker of Apache's, and the sandbox that has a cluster of it."""

    def __init__(self, version, servers, tap, sandbox):
        self.version, self.servers, self.tap, self.sandbox = version, servers, tap, sandbox
        self.tools = Tools(version, servers)
        self.admin = AdminClient({"bootstrap.servers": servers})
        # The topic API refuses clusters that are as old; there, the tool finds its way to the brokers by itself.
        self.topics_via = "auto" if version == OLDEST else "kafka"
        pretended = {"kafka_version": version} if version == OLDEST else {}
        elsewhere = {"bootstrap_brokers": {"plaintext": servers}}
        sandbox.private("cluster", {"name": CLUSTER, "region": REGION, **elsewhere, **pretended})

    def topics(self, prefix):
        """How many partitions each topic has whose name starts so."""
        topics = self.admin.list_topics(timeout=SECONDS).topics.values()
        return {topic.topic: len(topic.partitions) for topic in topics if topic.topic.startswith(prefix)}

    def config(self, topic):
        """What the topic itself is configured with."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self.admin.describe_configs([resource])[resource].result(SECONDS).values()
        return {entry.name: entry.value for entry in entries if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}

    def configure(self, topic, *arguments):
        """kafka-configs.sh --alter"""
        self.tools.configs("--entity-type", "topics", "--entity-name", topic, "--alter", *arguments)


@pytest.fixture(
    scope="module",
    params=[pytest.param(version, marks=pytest.mark.xdist_group(f"kafka-{version}")) for version in VERSIONS],
)
def broker(request, tmp_path_factory):
    version = request.param
    folder = tmp_path_factory.mktemp(version)
    with (
        tapped() as tap,
        running_broker(version, folder, tap) as servers,
        running(folder, "--settle", "100ms", ephemeral=False) as sandbox,
    ):
        yield Broker(version, servers, tap, sandbox)


class Bench(Pipeline):
    """A pipeline of topics, and the tool."""

    def __init__(self, broker, folder, name):
        self.broker, self.folder, self.name = broker, folder, name

    def declare(self, topics):
        """Writes the manifest: {"pin": {"partitions": 2}} declares a topic of the pipeline's name and .pin."""
        declared = [{"name": f"{self.name}.{name}", "replication_factor": 1, **topic} for name, topic in topics.items()]
        manifest = {
            "name": self.name,
            "environment": "test",
            "target": "sandbox",
            "region": REGION,
            "cluster": {"name": CLUSTER, "auth": "plaintext", "topics_via": self.broker.topics_via},
            "topics": declared,
        }
        # JSON is YAML too.
        (self.folder / "manifest.yaml").write_text(json.dumps(manifest))

    def run(self, verb, *flags, ends=0, seconds=300):
        """Runs the tool, which must end with that code, or with any; gives what it printed."""
        variables = clean_environment(PIPELINE_SANDBOX_DIR=str(self.broker.sandbox.folder / "sandbox"))
        command = [BINARY, verb, "manifest.yaml", *flags]
        ended = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=seconds)
        return ran(ended, verb, ends)

    def destroy(self):
        """Takes everything down, after which there is nothing to take down."""
        self.run("destroy", "--yes")
        assert "Nothing to destroy" in self.run("destroy", "--yes").stderr
        # Without a controller of its own, a broker goes on for a while with what it has been told.
        eventually(lambda: self.broker.topics(self.name), lambda topics: not topics, SECONDS)


@pytest.fixture
def bench(broker, tmp_path, unique):
    return Bench(broker, tmp_path, unique("pipeline"))


def test_topics_come_as_declared_and_go(bench, broker):
    bench.declare(
        {
            "pin": {"partitions": 2, "config": {"retention.ms": "1d", "max.message.bytes": "2MiB"}},
            "user": {"partitions": 1, "config": {"cleanup.policy": "compact,delete"}},
            "geo": {"partitions": 3},
        }
    )
    assert bench.planned() == {f"create topic/{bench.name}.{name}" for name in ("pin", "user", "geo")}
    bench.settle()
    assert broker.topics(bench.name) == {f"{bench.name}.pin": 2, f"{bench.name}.user": 1, f"{bench.name}.geo": 3}
    assert broker.config(f"{bench.name}.pin") == {"retention.ms": "86400000", "max.message.bytes": "2097152"}
    assert broker.config(f"{bench.name}.user") == {"cleanup.policy": "compact,delete"}
    assert broker.config(f"{bench.name}.geo") == {}
    bench.destroy()
    # The names are free at once, also where brokers are slow in deleting.
    bench.settle()
    assert len(broker.topics(bench.name)) == 3
    bench.destroy()


def test_drift_by_apaches_tools_is_shown_and_repaired(bench, broker):
    bench.declare({"pin": {"partitions": 1, "config": {"retention.ms": "1d", "cleanup.policy": "compact"}}})
    bench.settle()
    topic = f"{bench.name}.pin"
    broker.configure(topic, "--add-config", "retention.ms=77,cleanup.policy=[compact,delete],segment.ms=88000")
    assert bench.changes() == {"config.retention.ms", "config.cleanup.policy"}
    bench.settle()
    repaired = {"retention.ms": "86400000", "cleanup.policy": "compact"}
    # What the manifest doesn't declare is none of its business.
    assert broker.config(topic) == {**repaired, "segment.ms": "88000"}
    broker.configure(topic, "--delete-config", "retention.ms,segment.ms")
    assert bench.changes() == {"config.retention.ms"}
    bench.settle()
    assert broker.config(topic) == repaired
    bench.destroy()


def test_partitions_grow_and_never_shrink(bench, broker):
    bench.declare({"pin": {"partitions": 1}, "geo": {"partitions": 1}})
    bench.settle()
    bench.declare({"pin": {"partitions": 4}, "geo": {"partitions": 1}})
    assert bench.planned() == {f"update topic/{bench.name}.pin"} and bench.changes() == {"partitions"}
    bench.settle()
    assert broker.topics(bench.name) == {f"{bench.name}.pin": 4, f"{bench.name}.geo": 1}
    broker.tools.topics("--alter", "--topic", f"{bench.name}.pin", "--partitions", "6")
    refused = json.loads(bench.run("plan", "--format", "json", ends=3).stdout)
    assert "partitions cannot shrink from 6 to 4" in refused["refusals"][0]["reason"]
    bench.run("apply", "--yes", ends=3)
    bench.declare({"pin": {"partitions": 6}, "geo": {"partitions": 1}})
    assert not bench.planned()
    bench.destroy()


def test_a_setting_that_is_declared_no_more_stays_as_it_is(bench, broker):
    bench.declare({"pin": {"partitions": 1, "config": {"retention.ms": "1d", "segment.ms": "1h"}}})
    bench.settle()
    bench.declare({"pin": {"partitions": 1, "config": {"retention.ms": "2d"}}})
    assert bench.changes() == {"config.retention.ms"}
    bench.settle()
    assert broker.config(f"{bench.name}.pin") == {"retention.ms": "172800000", "segment.ms": "3600000"}
    bench.declare({"pin": {"partitions": 1}})
    assert not bench.planned()
    bench.destroy()


def test_one_that_apaches_tools_deleted_is_made_again(bench, broker):
    bench.declare({"pin": {"partitions": 1}, "geo": {"partitions": 1}})
    bench.settle()
    broker.tools.topics("--delete", "--topic", f"{bench.name}.pin")
    eventually(bench.planned, lambda planned: planned == {f"create topic/{bench.name}.pin"}, SECONDS)
    bench.settle()
    assert broker.topics(bench.name).keys() == {f"{bench.name}.pin", f"{bench.name}.geo"}
    bench.destroy()


def test_one_that_is_there_is_taken_as_it_is(bench, broker):
    topic = f"{bench.name}.pin"
    arguments = ["--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=77"]
    broker.tools.topics("--create", "--topic", topic, *arguments)
    bench.declare({"pin": {"partitions": 3, "config": {"retention.ms": "1d"}}})
    assert bench.planned() == {f"update topic/{topic}"}
    assert bench.changes() == {"partitions", "config.retention.ms"}
    bench.settle()
    assert (broker.topics(bench.name), broker.config(topic)) == ({topic: 3}, {"retention.ms": "86400000"})
    bench.destroy()


def test_what_the_broker_refuses_is_told_and_the_rest_is_done(bench, broker):
    bench.declare(
        {
            "pin": {"partitions": 1, "replication_factor": 3},
            "user": {"partitions": 1, "config": {"segment.bytes": "1"}},
            "geo": {"partitions": 1},
        }
    )
    told = bench.run("apply", "--yes", ends=1).stderr
    few = "larger than available brokers: 1" if broker.version == OLDEST else "only 1 broker(s) are registered"
    assert few in told, told
    assert "Invalid value 1 for configuration segment.bytes: Value must be at least" in told, told
    assert broker.topics(bench.name) == {f"{bench.name}.geo": 1}
    bench.declare({"geo": {"partitions": 1}})
    assert not bench.planned()
    bench.declare({"geo": {"partitions": 1, "config": {"segment.bytes": "1"}}})
    told = bench.run("apply", "--yes", ends=1).stderr
    assert "Invalid value 1 for configuration segment.bytes: Value must be at least" in told, told
    bench.declare({"geo": {"partitions": 1}})
    bench.destroy()


def test_the_commands_that_the_tool_prints_do_what_it_would(bench, broker):
    broker.tools.topics("--create", "--topic", f"{bench.name}.pin", "--partitions", "1", "--replication-factor", "1")
    bench.declare(
        {
            "pin": {"partitions": 2, "config": {"cleanup.policy": "compact,delete", "retention.ms": "1d"}},
            "geo": {"partitions": 1, "config": {"retention.ms": "1d"}},
        }
    )
    assert bench.planned() == {f"update topic/{bench.name}.pin", f"create topic/{bench.name}.geo"}
    script = bench.run("plan", "--emit", "kafka-topics").stdout
    variables = broker.tools.installed(bench.folder / "bin")
    ended = subprocess.run(["sh", "-e"], input=script, env=variables, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 0, script + ended.stdout + ended.stderr
    eventually(bench.planned, lambda planned: not planned, SECONDS)
    bench.destroy()


def test_a_thousand_topics_are_few_requests(bench, broker):
    if broker.version not in (OLDEST, NEWEST):
        pytest.skip("the oldest and the newest tell enough, and take their time")
    times, requests = {}, {}

    def timed(name, act):
        before, began = broker.tap.requests.copy(), time.monotonic()
        act()
        times[name] = round(time.monotonic() - began, 1)
        requests[name] = dict(broker.tap.requests - before)

    bench.declare({f"t{number}": {"partitions": 1, "config": {"retention.ms": "1d"}} for number in range(MANY)})
    timed("apply", lambda: bench.run("apply", "--yes"))
    assert len(broker.topics(bench.name)) == MANY
    timed("plan", lambda: bench.run("plan", "--detailed-exitcode"))
    # ZooKeeper's controller takes a minute of both cores for this, and has shown before that it does as it is told.
    if broker.version != OLDEST:
        bench.declare({f"t{number}": {"partitions": 2, "config": {"retention.ms": "2d"}} for number in range(MANY)})
        timed("grow", lambda: bench.run("apply", "--yes"))
    timed("destroy", lambda: bench.run("destroy", "--yes"))
    assert not eventually(lambda: broker.topics(bench.name), lambda topics: not topics, 60)
    print(broker.version, times, requests)
    least = math.ceil(MANY / AT_ONCE)
    # Who comes while a request is under way is in the next one, and a topic is configured as soon as it has grown.
    assert least <= requests["apply"]["CreateTopics"] <= 2 * least, requests
    if broker.version != OLDEST:
        assert least <= requests["grow"]["CreatePartitions"] <= 2 * least, requests
        assert least <= requests["grow"]["IncrementalAlterConfigs"] <= MANY / 10, requests
    assert least <= requests["destroy"]["DeleteTopics"] <= 2 * least, requests
    assert requests["plan"]["Metadata"] <= 10 and requests["plan"]["DescribeConfigs"] <= 10, requests
