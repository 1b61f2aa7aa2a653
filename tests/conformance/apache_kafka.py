"""Apache Kafka itself: brokers of several versions on this machine, and the command line tools that come with them.

The jars are those that `apache/fetch` got. A broker is a single node, in plaintext on the loopback interface. Nothing
of this reaches AWS: the MSK IAM jar signs with the credentials that it finds in its environment, and looks no further.
"""

import contextlib
import dataclasses
import http.server
import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import threading
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sandbox import ROOT, clean_environment
from secure_cluster import REGION

OLDEST, NEWEST = "2.8.1", "4.4.0"
VERSIONS = [OLDEST, "3.8.1", NEWEST]
# The course's jar goes with the course's Kafka, and the one that the tool installs unless told otherwise with such a Kafka.
IAM_JARS = {"2.8.1": "1.1.5", "3.8.1": "2.3.2", "4.4.0": "2.4.0"}
MAINS = {
    "2.8.1": {
        "topics": "kafka.admin.TopicCommand",
        "configs": "kafka.admin.ConfigCommand",
        "console-producer": "kafka.tools.ConsoleProducer",
        "console-consumer": "kafka.tools.ConsoleConsumer",
        "consumer-groups": "kafka.admin.ConsumerGroupCommand",
    },
    "3.8.1": {
        "topics": "org.apache.kafka.tools.TopicCommand",
        "configs": "kafka.admin.ConfigCommand",
        "console-producer": "kafka.tools.ConsoleProducer",
        "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    },
    "4.4.0": {
        "topics": "org.apache.kafka.tools.TopicCommand",
        "configs": "org.apache.kafka.tools.ConfigCommand",
        "console-producer": "org.apache.kafka.tools.ConsoleProducer",
        "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    },
}
HERE = pathlib.Path(__file__).resolve().parent / "apache"
JARS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "apache"
LOG4J = [
    f"-Dlog4j.configuration=file:{HERE / 'log4j.properties'}",
    f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
]
# For programs of seconds: the quick compiler is enough, and more threads would only be in each other's way.
QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", *LOG4J]
# Runs Java until it ends or the other end of standard input is closed, as it also is when whoever runs the tests is
# killed. Nobody reads its data again, so it needs no time to put them in order.
WHILE_WATCHED = """
exec 3<&0
java "$@" </dev/null 3<&- &
java=$!
(cat <&3; kill -9 $java) >/dev/null 2>&1 &
wait $java
"""
# The jar knows its way to AWS; where it should go astray, it must not get there.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
START_SECONDS = 150
TOOL_SECONDS = 120

SERVER = """
log.dirs={folder}/data
advertised.listeners=PLAINTEXT://127.0.0.1:{told_port},INTERNAL://127.0.0.1:{internal_port}
# What a broker has to say to itself is not for a wiretap.
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
# A thousand topics would map gigabytes else.
log.index.size.max.bytes=65536
"""
WITH_ZOOKEEPER = """
broker.id=1
listeners=PLAINTEXT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal_port}
zookeeper.connect=127.0.0.1:{other_port}
zookeeper.connection.timeout.ms=30000
"""
WITH_KRAFT = """
node.id=1
process.roles=broker,controller
listeners=PLAINTEXT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal_port},CONTROLLER://127.0.0.1:{other_port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{other_port}
"""
ZOOKEEPER = """
dataDir={folder}/zookeeper
clientPort={other_port}
clientPortAddress=127.0.0.1
admin.enableServer=false
"""
# Any will do, as the brokers of two tests never meet.
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


def classpath(*names):
    """What `apache/fetch` got. Without it the test is skipped, or fails where PIPELINE_TEST_JAVA says `required`."""
    missing = [name for name in names if not (JARS / name / "pom.xml").exists()]
    if shutil.which("java") and not missing:
        return os.pathsep.join(f"{JARS / name / 'libs'}/*" for name in names)
    reason = f"there is no {' and no '.join(missing or ['java'])}: tests/conformance/apache/fetch tells why"
    if os.environ.get("PIPELINE_TEST_JAVA") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running_broker(version, folder, tap=None):
    """The address of a broker that answers, whose data and log are in the folder; with a wiretap, its address."""
    jars = classpath(f"kafka-{version}")
    port, internal_port, other_port = _free_ports(3)
    if tap:
        tap.broker = port
    told_port = tap.port if tap else port
    places = {"folder": folder, "port": port, "told_port": told_port}
    places |= {"internal_port": internal_port, "other_port": other_port}
    old = version.startswith("2.")
    properties = folder / "server.properties"
    properties.write_text((SERVER + (WITH_ZOOKEEPER if old else WITH_KRAFT)).format(**places))
    with contextlib.ExitStack() as processes:
        start = lambda log, memory, *command: processes.enter_context(_jvm(jars, folder / log, memory, *command))
        if old:
            settings = folder / "zookeeper.properties"
            settings.write_text(ZOOKEEPER.format(**places))
            flags = ["-Dzookeeper.jmx.log4j.disable=true"]
            start("zookeeper.log", "128m", *flags, "org.apache.zookeeper.server.quorum.QuorumPeerMain", settings)
        else:
            format = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", properties]
            assert start("format.log", "128m", *format).wait(START_SECONDS) == 0, (folder / "format.log").read_text()
        address = f"127.0.0.1:{told_port}"
        broker = start("broker.log", "512m", "kafka.Kafka", properties)
        _wait_until_up(broker, address, folder / "broker.log")
        yield address


def _free_ports(count):
    with contextlib.ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in found]


@contextlib.contextmanager
def _jvm(jars, log, memory, *command):
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-c", WHILE_WATCHED, "sh", f"-Xmx{memory}", *QUICK, "-cp", jars, *map(str, command)],
            cwd=log.parent,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()


def _wait_until_up(process, address, log):
    """Waits until the broker tells of itself: it takes connections some time before it is registered."""
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0, "reconnect.backoff.max.ms": 200})
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(KafkaException):
            if admin.list_topics(timeout=1).brokers:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not come up:\n{log.read_text()}")
        time.sleep(0.1)


class Metadata(http.server.BaseHTTPRequestHandler):
    """What an EC2 instance is told of itself, as far as it is told here: its region."""

    def do_PUT(self):
        self.answer("token" if self.path == "/latest/api/token" else None)

    def do_GET(self):
        is_known = self.path == "/latest/dynamic/instance-identity/document"
        self.answer(json.dumps({"region": REGION}) if is_known else None)

    def answer(self, text):
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def on_an_instance():
    """The variables with which AWS's libraries believe that they run on one. The course's jar asks nobody else for the
    region, where a broker's name doesn't have it.
    """
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield {"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint, "AWS_EC2_METADATA_DISABLED": "false"}
        server.shutdown()


@dataclasses.dataclass
class Tools:
    """The command line tools of one version, as somebody has set them up."""

    version: str
    servers: str
    properties: pathlib.Path | None = None
    """The client's settings, as for --command-config."""
    environment: dict = dataclasses.field(default_factory=dict)
    """Variables, such as those with credentials."""

    def topics(self, *arguments, **options):
        """kafka-topics.sh, and the others likewise."""
        return self.run("topics", *self._settings("--command-config"), *arguments, **options)

    def configs(self, *arguments, **options):
        return self.run("configs", *self._settings("--command-config"), *arguments, **options)

    def consumer_groups(self, *arguments, **options):
        # Five seconds, without that.
        patience = ["--timeout", TOOL_SECONDS * 1000]
        return self.run("consumer-groups", *self._settings("--command-config"), *patience, *arguments, **options)

    def produce(self, *arguments, lines, **options):
        text = "".join(f"{line}\n" for line in lines)
        settings = self._settings("--command-config" if self.version == NEWEST else "--producer.config")
        return self.run("console-producer", *settings, *arguments, input=text, **options)

    def consume(self, *arguments, **options):
        settings = self._settings("--command-config" if self.version == NEWEST else "--consumer.config")
        return self.run("console-consumer", *settings, *arguments, **options)

    def _settings(self, flag):
        return [flag, self.properties] if self.properties else []

    def run(self, tool, *arguments, input=None, ends=0):
        """Runs a tool, which must end with that code, or with any; gives how it ended and what it printed."""
        ended = subprocess.run(
            [*self._command(tool), "--bootstrap-server", self.servers, *map(str, arguments)],
            env=clean_environment(**self.environment),
            input=input,
            stdin=None if input else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
        )
        told = f"{tool} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert ends is None or ended.returncode == ends, told
        return ended

    def _command(self, tool):
        # As a client's CLASSPATH has it, whether a listener asks for IAM or not.
        jars = classpath(f"kafka-{self.version}", f"aws-msk-iam-auth-{IAM_JARS[self.version]}")
        return ["java", "-Xmx256m", *QUICK, "-cp", jars, MAINS[self.version][tool]]

    def installed(self, folder):
        """The variables with which a shell finds the tools by their scripts' names, in a folder that is made."""
        folder.mkdir()
        for tool in MAINS[self.version]:
            script = folder / f"kafka-{tool}.sh"
            script.write_text(f'#!/bin/sh\nexec {shlex.join(self._command(tool))} "$@"\n')
            script.chmod(0o755)
        return clean_environment(**{**self.environment, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})
