"""The sandbox, as boto3 meets it.

Each worker starts one from the debug build, in memory only, on a port of its own, and stops it at the end;
PIPELINE_TEST_ENDPOINT names one that is already up, whose credentials come from the environment, or are the fixed ones.
"""

import contextlib
import itertools
import json
import os
import pathlib
import tempfile
import uuid

import pytest

from sandbox import BINARY, KEYS, Sandbox, running
from servers import STARTS, Bench, serving

pytest_plugins = ["driven"]


@pytest.fixture(scope="session")
def sandbox(record):
    """The worker's sandbox."""
    given = os.environ.get("PIPELINE_TEST_ENDPOINT")
    if given:
        yield Sandbox(
            {**{name: os.environ.get(name, value) for name, value in KEYS.items()}, "AWS_ENDPOINT_URL": given}
        )
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
def start(tmp_path):
    """start("--lag", "1s") is a sandbox with these flags; `environment` adds variables."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def new(*flags, **options):
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            return stack.enter_context(running(folder, *flags, **options))

        yield new


@pytest.fixture
def unique():
    """unique("role") is a name that no other test uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in STARTS])
def server(request, tmp_path_factory):
    """Another server that the tool is tried on: each of them in turn."""
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def bench(request, server, tmp_path, unique):
    """A pipeline of its own on the server. A test that is marked with what the server lacks must fail there."""
    lacks = [mark for mark in request.node.iter_markers("lacks") if mark.args[0] == server.name]
    for lack in lacks:
        reason = f"{server.name} {server.version} {lack.args[1]}"
        failing = pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError, **lack.kwargs)
        request.applymarker(failing)
    yield Bench(server, tmp_path, unique("pipeline"))
    if lacks:
        # What is broken now is nothing to the next test.
        server.reset()
