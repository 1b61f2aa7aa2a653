"""Sandboxes: processes of the tool that are started with flags, say where they listen, and are stopped."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PIPELINE_TEST_BINARY", ROOT / "target" / "debug" / "pipeline")).resolve()
KEYS = {
    "AWS_ACCESS_KEY_ID": "PIPELINESANDBOX00000",
    "AWS_SECRET_ACCESS_KEY": "pipeline-sandbox-not-a-secret-0000000000",
    "AWS_REGION": "us-east-1",
}
EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)
START_SECONDS = 30


def clean_environment(**more):
    """Nothing of who runs the tests: no credentials, no region, no settings of the tool."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PIPELINE_"))}
    return {**mine, **more}


class Sandbox:
    """A sandbox that is up."""

    def __init__(self, exports, folder=None):
        self.exports = {**KEYS, **exports}
        self.endpoint = self.exports["AWS_ENDPOINT_URL"]
        self.folder = folder

    def client(self, service, credentials=None, *, config=None, **options):
        """A boto3 client. Options are boto3's; credentials are as STS gives them, else the sandbox's own."""
        keys = credentials or {
            "AccessKeyId": self.exports["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": self.exports["AWS_SECRET_ACCESS_KEY"],
        }
        # A refusal must reach the test, and not be tried again.
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service,
            **{
                "endpoint_url": self.endpoint,
                "region_name": self.exports["AWS_REGION"],
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys.get("SessionToken"),
                "config": once.merge(config) if config else once,
                **options,
            },
        )

    def private(self, call, body=None):
        """What a call of the sandbox's own answers; with a body it is a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_sandbox/{call}", data)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)


@contextlib.contextmanager
def running(folder, *flags, environment=None, ephemeral=True):
    """A sandbox with these flags and variables, whose data, unless it has none, is in `folder / "sandbox"`."""
    log = folder / "log"
    command = [BINARY, "sandbox", "up", "--port", "0", *(["--ephemeral"] if ephemeral else []), *flags]
    variables = clean_environment(PIPELINE_SANDBOX_DIR=str(folder / "sandbox"), **(environment or {}))
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=variables)
    try:
        yield Sandbox(_exports(process, log), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _exports(process, log):
    """What it prints for export, which it does once it listens."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        ended = process.poll() is not None
        exports = dict(EXPORT.findall(log.read_text()))
        if "AWS_ENDPOINT_URL" in exports:
            return exports
        if ended or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox did not come up:\n{log.read_text()}")
        time.sleep(0.02)


def calls(path):
    """The calls that a sandbox recorded in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
