"""A plugin of pytest: with --every-operation, the session fails unless each operation that the sandbox has was called,
by whichever worker, and answered with success.
"""

import dataclasses
import json
import pathlib
import shutil
import tempfile

import pytest

from sandbox import calls

FOLDER = pytest.StashKey[pathlib.Path]()
MISSING = pytest.StashKey[list]()


@dataclasses.dataclass
class Record:
    """Where a worker's sandbox records."""

    calls: pathlib.Path
    """The calls that it answered, a line each."""
    known: pathlib.Path
    """The operations that it has, by service."""


def pytest_addoption(parser):
    told = "fail unless every operation of the sandbox was called with success"
    parser.addoption("--every-operation", action="store_true", help=told)


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        config.stash[FOLDER] = pathlib.Path(config.workerinput["record"])
    else:
        config.stash[FOLDER] = pathlib.Path(tempfile.mkdtemp(prefix="pipeline-conformance-calls-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["record"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def record(request):
    """Where this worker's sandbox records."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "alone")
    folder = request.config.stash[FOLDER]
    return Record(calls=folder / f"{worker}.jsonl", known=folder / f"{worker}.json")


def pytest_sessionfinish(session):
    config = session.config
    if hasattr(config, "workerinput") or not config.option.every_operation:
        return
    config.stash[MISSING] = missing = _missing(config.stash[FOLDER])
    if missing and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    missing = config.stash.get(MISSING, None)
    if missing:
        terminalreporter.section("operations that no test called with success", red=True)
        terminalreporter.write_line("\n".join(missing))


def _missing(folder):
    known = {f"{service} {name}" for file in folder.glob("*.json") for service, names in _load(file) for name in names}
    if not known:
        return ["all: no sandbox told which operations it has"]
    recorded = [call for file in folder.glob("*.jsonl") for call in calls(file)]
    return sorted(
        known - {f"{call['service']} {call['operation']}" for call in recorded if 200 <= call["status"] < 300}
    )


def _load(file):
    return json.loads(file.read_text()).items()
