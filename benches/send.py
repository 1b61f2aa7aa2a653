"""How fast records get through the sandbox: a loop of requests, one record a post, and `pipeline send`."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ["PIPELINE_BENCH_BINARY"]).resolve()
HEADERS = {"Content-Type": "application/vnd.kafka.json.v2+json"}
START_SECONDS = 60
MEMORY_LIMIT = 150
LEAST_RATIO = 20


def manifest(folder):
    """manifests/dev.yaml with objects of many records, and topics that take records without keys."""
    text = (ROOT / "manifests" / "dev.yaml").read_text()
    for before, after in [
        ("flush.size: 1 ", "flush.size: 100000 "),
        ("cleanup.policy: compact", "cleanup.policy: delete "),
        ("plugins/s3-sink", f"{ROOT}/manifests/plugins/s3-sink"),
    ]:
        if before not in text:
            raise SystemExit(f"manifests/dev.yaml has no {before!r} any more; correct {__file__}")
        text = text.replace(before, after)
    path = folder / "bench.yaml"
    path.write_text(text)
    return path


class Tool:
    """The tool, on a sandbox of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = manifest(folder)
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PIPELINE_"))}
        self.environment = {**mine, "PIPELINE_SANDBOX_DIR": str(folder / "sandbox")}

    def start(self, *arguments, **options):
        command = [BINARY, *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **options)

    def run(self, *arguments):
        """What a command that succeeds prints, and the most memory that it took, in MB."""
        with (self.folder / "output").open("w+") as output:
            process = self.start(*arguments, stdout=output)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read()
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, arguments))} ended with {process.returncode}: {text}")
        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return text, usage.ru_maxrss * unit / 1e6

    @contextlib.contextmanager
    def sandbox(self):
        log = self.folder / "sandbox.log"
        flags = ["--port", "0", "--settle", "100ms", "--lag", "0s"]
        with log.open("w") as output:
            process = self.start("sandbox", "up", self.manifest, *flags, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not re.search(r"^export AWS_ENDPOINT_URL=", log.read_text(), re.MULTILINE):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the sandbox did not come up:\n{log.read_text()}")
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def rows(index):
    """A row of each table, as the course's script has them."""
    now = datetime.datetime(2018, 3, 28, 9, 15, 42)
    yield "pin", {
        "index": index,
        "unique_id": f"{random.getrandbits(128):032x}",
        "title": "12 simple ideas for home-decor",
        "description": "The ideas that we like best this season: simple, bright and easy to make.",
        "poster_name": "Grace Evans",
        "follower_count": "124k",
        "tag_list": "home-decor,summer,wood,easy",
        "is_image_or_video": "image",
        "image_src": "https://images.example.com/originals/0123456789abcdef.jpg",
        "downloaded": 1,
        "save_location": "Local save in /data/home-decor",
        "category": "home-decor",
    }
    yield "geo", {
        "ind": index,
        "timestamp": now.isoformat(),
        "latitude": -35.9115,
        "longitude": 3.5902,
        "country": "Ghana",
    }
    yield "user", {
        "ind": index,
        "first_name": "Maya",
        "last_name": "Quist",
        "age": 36,
        "date_joined": now.isoformat(),
    }


def loop(url, user, seconds):
    """Posts one record after the other, and says how many it was, and how long it took."""
    begun = time.monotonic()
    count = 0
    for index in range(1, sys.maxsize):
        for kind, row in rows(index):
            payload = json.dumps({"records": [{"value": row}]})
            response = requests.request("POST", f"{url}/topics/{user}.{kind}", headers=HEADERS, data=payload)
            if response.status_code != 200 or response.json()["offsets"][0]["error_code"] is not None:
                raise SystemExit(f"a post was refused: {response.status_code} {response.text}")
            count += 1
        elapsed = time.monotonic() - begun
        if elapsed >= seconds:
            return count, elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="how long the loop runs")
    parser.add_argument("--counts", type=lambda text: [int(part) for part in text.split(",")], default=[100_000, 1_000_000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(pathlib.Path(folder))
        with tool.sandbox():
            measure(tool, arguments)


def measure(tool, arguments):
    tool.run("apply", tool.manifest, "--yes", "--quiet")
    outputs = json.loads(tool.run("outputs", tool.manifest, "--format", "json")[0])
    user = outputs["topic_arns"][0].rsplit("/", 1)[1].rsplit(".", 1)[0]
    count, elapsed = loop(outputs["invoke_url"], user, arguments.seconds)
    baseline = count / elapsed
    print(f"{'':24}{'records':>10}{'seconds':>10}{'records/s':>12}{'ratio':>8}{'peak MB':>9}{'p50 ms':>8}{'p99 ms':>8}")
    print(f"{'requests, one by one':24}{count:>10}{elapsed:>10.1f}{baseline:>12.0f}{1:>8}")
    fine = True
    for count in arguments.counts:
        text, memory = tool.run("send", tool.manifest, "--count", str(count), "--seed", "1", "--format", "json", "--quiet")
        summary = json.loads(text)
        if summary["acknowledged"] != count:
            raise SystemExit(f"not all records were acknowledged: {text}")
        ratio = summary["records_per_second"] / baseline
        latency = summary["latency_ms"]
        print(
            f"{'pipeline send':24}{count:>10}{summary['seconds']:>10.1f}{summary['records_per_second']:>12.0f}"
            f"{ratio:>8.1f}{memory:>9.0f}{latency['p50']:>8.1f}{latency['p99']:>8.1f}"
        )
        fine = fine and ratio >= LEAST_RATIO and memory < MEMORY_LIMIT
    print(f"expected: at least {LEAST_RATIO} times the loop's rate, less than {MEMORY_LIMIT} MB: {'yes' if fine else 'NO'}")
    if not fine:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
