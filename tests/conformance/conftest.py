"""The sandbox, as boto3 meets it.

Each worker starts one from the debug build, in memory only, on a port of its own, and stops it at the end;
PIPELINE_TEST_ENDPOINT names one that is already up, whose credentials come from the environment, or are the fixed ones.
"""

import json
import os
import pathlib
import tempfile
import uuid

import pytest

from sandbox import BINARY, KEYS, Sandbox, running

pytest_plugins = ["driven"]


@pytest.fixture(scope="session")
def sandbox(record):
    """The worker's sandbox."""
    given = os.environ.get("PIPELINE_TEST_ENDPOINT")
    if given:
        yield Sandbox({**{name: os.environ.get(name, value) for name, value in KEYS.items()}, "AWS_ENDPOINT_URL": given})
        return
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: run `cargo build` first, or set PIPELINE_TEST_ENDPOINT", returncode=1)
    with tempfile.TemporaryDirectory(prefix="pipeline-conformance-") as folder:
        # Long enough to be seen CREATING by a client on a busy machine.
        flags = ["--settle", "1s", "--lag", "500ms", "--calls", str(record.calls)]
        with running(pathlib.Path(folder), *flags) as sandbox:
            record.known.write_text(json.dumps(sandbox.private("operations")))
            yield sandbox


@pytest.fixture(scope="session")
def environment(sandbox):
    """The variables that `pipeline sandbox up` prints, AWS_ENDPOINT_URL among them."""
    return sandbox.exports


@pytest.fixture(scope="session")
def client(sandbox):
    """client("iam") is a boto3 client of the sandbox; client("iam", credentials) one with STS's credentials. Options
    are boto3's: client("kafka", region_name="eu-west-1").
    """
    return sandbox.client


@pytest.fixture
def unique():
    """unique("role") is a name that no other test uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"
