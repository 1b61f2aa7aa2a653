"""What `pipeline send` says it sent is in the topics, as kafka-python reads them: also where the sandbox is killed meanwhile."""

import collections
import contextlib
import json
import subprocess
import time

import kafka

from sandbox import BINARY, EXPORT, ROOT, clean_environment
from waiting import eventually

USER = "0a1b2c3d4e5f"
INDEX = {f"{USER}.pin": "index", f"{USER}.geo": "ind", f"{USER}.user": "ind"}
COUNT = 45_000
KILLS = 2


class Tool:
    """The tool, in a folder with a manifest and a sandbox."""

    def __init__(self, folder):
        self.folder = folder
        self.variables = clean_environment(PIPELINE_SANDBOX_DIR=str(folder / "sandbox"))
        text = (ROOT / "manifests" / "dev.yaml").read_text()
        # Objects of single records would take most of the time.
        text = text.replace("flush.size: 1 ", "flush.size: 5000 ")
        self.manifest = folder / "dev.yaml"
        self.manifest.write_text(text.replace("plugins/s3-sink", str(ROOT / "manifests" / "plugins" / "s3-sink")))

    def start(self, *arguments, **options):
        return subprocess.Popen([BINARY, *map(str, arguments)], cwd=self.folder, env=self.variables, **options)

    def run(self, *arguments):
        with self.start(*arguments, stdout=subprocess.PIPE) as process:
            text, _ = process.communicate(timeout=120)
        assert process.returncode == 0, text
        return text

    def up(self):
        """The sandbox's process, once it listens."""
        log = self.folder / "log"
        with log.open("w") as output:
            flags = ["--port", "0", "--settle", "200ms", "--lag", "100ms"]
            process = self.start("sandbox", "up", *flags, stdout=output, stderr=subprocess.STDOUT)
        eventually(lambda: EXPORT.findall(log.read_text()), bool, seconds=30)
        return process


@contextlib.contextmanager
def ended(process):
    try:
        yield
    finally:
        process.kill()
        process.wait()


def times(servers, topic):
    """How often each index is in a topic."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=servers.split(","), enable_auto_commit=False)
    places = [kafka.TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    left = sum(consumer.end_offsets(places).values())
    found = collections.Counter()
    deadline = time.monotonic() + 60
    while left > 0:
        assert time.monotonic() < deadline, f"{left} records of {topic} did not come"
        for records in consumer.poll(1000).values():
            found.update(json.loads(record.value)[INDEX[topic]] for record in records)
            left -= len(records)
    consumer.close()
    return found


def test_a_sandbox_that_is_killed_loses_nothing_and_what_is_there_twice_was_told(tmp_path):
    tool = Tool(tmp_path)
    sandbox = tool.up()
    try:
        tool.run("apply", tool.manifest, "--yes", "--quiet")
        options = ["--count", COUNT, "--rate", COUNT / 6, "--batch", 100, "--format", "json"]
        sender = tool.start("send", tool.manifest, *options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with ended(sender):
            for _ in range(KILLS):
                time.sleep(2)
                assert sender.poll() is None, "it ended before the sandbox was killed"
                sandbox.kill()
                sandbox.wait()
                time.sleep(0.5)
                sandbox = tool.up()
            text, _ = sender.communicate(timeout=120)
        summary = json.loads(text)
        assert (sender.returncode, summary["acknowledged"], summary["failed"]) == (0, COUNT, 0), summary
        assert summary["retries"] > 0, summary
        servers = json.loads(tool.run("outputs", tool.manifest, "--format", "json"))["bootstrap_brokers_plaintext"]
        for told in summary["topics"]:
            topic, count = told["topic"], told["acknowledged"]
            found = times(servers, topic)
            assert sorted(found) == list(range(1, count + 1)), topic
            ranges = [entry for entry in summary["retried_after_unknown_outcome"] if entry["topic"] == topic]
            doubtful = {index for entry in ranges for index in range(entry["first"], entry["last"] + 1)}
            assert sum(entry["count"] for entry in ranges) == len(doubtful)
            assert {index for index, count in found.items() if count > 1} <= doubtful, topic
    finally:
        sandbox.kill()
        sandbox.wait()
