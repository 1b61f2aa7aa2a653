"""Other servers that speak AWS's protocols, and the tool at work on them.

Both are started here, listen on the loopback interface, and keep everything in memory. Nothing of this reaches AWS: the
tool is told the endpoint of every service, and has credentials that are none.
"""

import contextlib
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import boto3
from botocore.config import Config

from planning import Pipeline, ran
from sandbox import BINARY, clean_environment

REGION = "us-east-1"
START_SECONDS = 60
NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def _moto(port, _folder):
    return ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], {}


def _ministack(port, folder):
    variables = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "apigateway,iam,s3,sts",
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        # These two have ports of their own, and would be in the way of another one of it.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
    }
    return ["-m", "ministack"], variables


STARTS = {"moto": _moto, "ministack": _ministack}
RESETS = {"moto": "/moto-api/reset", "ministack": "/_ministack/reset"}


class Server:
    """A server that is up."""

    def __init__(self, name, endpoint):
        self.name = name
        self.version = importlib.metadata.version(name)
        self.endpoint = endpoint

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=NOBODY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=NOBODY["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def reset(self):
        """Forgets everything."""
        request = urllib.request.Request(self.endpoint + RESETS[self.name], method="POST")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def inventory(self):
        """Everything that is there of what the tool could have made, sorted."""
        iam, gateway, s3 = self.client("iam"), self.client("apigateway"), self.client("s3")
        pages = lambda client, operation, key: [
            item for page in client.get_paginator(operation).paginate() for item in page.get(key, [])
        ]
        things = [("role", role["RoleName"]) for role in pages(iam, "list_roles", "Roles")]
        things += [
            ("instance profile", profile["InstanceProfileName"])
            for profile in pages(iam, "list_instance_profiles", "InstanceProfiles")
        ]
        for kind, operation in (
            ("API", "get_rest_apis"),
            ("usage plan", "get_usage_plans"),
            ("API key", "get_api_keys"),
        ):
            things += [(kind, item["id"]) for item in pages(gateway, operation, "items")]
        for bucket in s3.list_buckets()["Buckets"]:
            things.append(("bucket", bucket["Name"]))
            listing = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
            things += [("object", item["Key"]) for page in listing for item in page.get("Contents", [])]
        return sorted(things)


@contextlib.contextmanager
def serving(name, folder):
    """The server of that name, with what it writes in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments, variables = STARTS[name](port, folder)
    log = folder / "log"
    environment = clean_environment(**NOBODY, HOME=str(folder), **variables)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_up(process, port, log)
        yield Server(name, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not come up:\n{log.read_text()}")
        time.sleep(0.1)


class Bench(Pipeline):
    """One pipeline on a server: a folder with its manifest, and the tool."""

    def __init__(self, server, folder, name):
        self.server = server
        self.folder = folder
        self.name = name
        self.client = server.client

    def declare(self, **declared):
        """Writes the manifest."""
        manifest = {"name": self.name, "environment": "test", "target": "aws", "region": REGION, **declared}
        # JSON is YAML too.
        (self.folder / "manifest.yaml").write_text(json.dumps(manifest))

    def run(self, verb, *flags, ends=0):
        """Runs the tool, which must end with that code, or with any; gives what it printed."""
        command = [BINARY, verb, "manifest.yaml", "--endpoint-url", self.server.endpoint, *flags]
        environment = clean_environment(**NOBODY, HOME=str(self.folder))
        ended = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=150)
        return ran(ended, verb, ends)

    def refusals(self):
        """Why the manifest can't be applied."""
        plan = json.loads(self.run("plan", "--format", "json", ends=3).stdout)
        return [refusal["reason"] for refusal in plan["refusals"]]

    def destroy(self, *flags):
        """Takes everything down, after which there is nothing to take down."""
        ended = self.run("destroy", "--yes", *flags)
        assert "Nothing to destroy" in self.run("destroy", "--yes", *flags).stderr
        return ended

    def outputs(self):
        return json.loads(self.run("outputs", "--format", "json").stdout)
