"""The sandbox, as boto3 meets it.

PIPELINE_TEST_ENDPOINT names a sandbox that is already up; without it one is started from the debug build, in memory
only, on a port of its own, and stopped at the end. Its credentials come from what `sandbox up` prints, or, with a
given endpoint, from the environment, or are the fixed ones.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import uuid

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PIPELINE_TEST_BINARY", ROOT / "target" / "debug" / "pipeline")).resolve()
EXPORT = re.compile(r"^export (\w+)=(.*)$")
KEYS = {
    "AWS_ACCESS_KEY_ID": "PIPELINESANDBOX00000",
    "AWS_SECRET_ACCESS_KEY": "pipeline-sandbox-not-a-secret-0000000000",
    "AWS_REGION": "us-east-1",
}
START_SECONDS = 30


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_up(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while not _accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.exit(f"the sandbox did not come up:\n{log.read_text()}", returncode=1)
        time.sleep(0.05)


@pytest.fixture(scope="session")
def environment():
    """The variables that `pipeline sandbox up` prints, AWS_ENDPOINT_URL among them."""
    given = os.environ.get("PIPELINE_TEST_ENDPOINT")
    if given:
        yield {**{name: os.environ.get(name, value) for name, value in KEYS.items()}, "AWS_ENDPOINT_URL": given}
        return
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: run `cargo build` first, or set PIPELINE_TEST_ENDPOINT", returncode=1)
    with tempfile.TemporaryDirectory(prefix="pipeline-conformance-") as folder, _running(pathlib.Path(folder)) as exports:
        yield {**KEYS, **exports}


@contextlib.contextmanager
def _running(folder):
    """A sandbox of our own; gives what it prints for export."""
    port, log = _free_port(), folder / "log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PIPELINE_"))}
    clean["PIPELINE_SANDBOX_DIR"] = str(folder / "sandbox")
    with log.open("w") as output:
        command = [BINARY, "sandbox", "up", "--ephemeral", "--port", str(port), "--settle", "1s", "--lag", "500ms"]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=clean)
    try:
        _wait_until_up(process, port, log)
        exports = dict(match.groups() for match in map(EXPORT.match, log.read_text().splitlines()) if match)
        yield {**exports, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def client(environment):
    """client("iam") is a boto3 client of the sandbox; client("iam", credentials) one with STS's credentials. Options
    are boto3's: client("kafka", region_name="eu-west-1").
    """

    def make(service, credentials=None, *, config=None, **options):
        keys = credentials or {
            "AccessKeyId": environment["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"],
        }
        # A refusal must reach the test, and not be tried again.
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service,
            **{
                "endpoint_url": environment["AWS_ENDPOINT_URL"],
                "region_name": environment["AWS_REGION"],
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys.get("SessionToken"),
                "config": once.merge(config) if config else once,
                **options,
            },
        )

    return make


@pytest.fixture
def unique():
    """unique("role") is a name that no other test uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"
