"""A machine that is to become a Kafka client: a folder that setup.sh takes for the root, stand-ins for the commands
that would change the machine the tests run on, and a mirror on the loopback interface that has what is to be installed.
"""

import contextlib
import copy
import dataclasses
import gzip
import hashlib
import http.server
import io
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.request

from sandbox import ROOT

SCRIPTS = ROOT / "src" / "client_host"
STAND_INS = pathlib.Path(__file__).resolve().parent / "machine"
SANDBOX_STAND_IN = SCRIPTS.parent / "sandbox" / "ssm" / "stand-ins" / "stand-in"
# Commands that are stood in for as on the sandbox's machines, and those that a test's machine has of its own.
COMMANDS = [
    *("id", "java", "useradd", "userdel", "chown", "amazon-linux-extras", "yum", "dnf", "apt-get"),
    *("rpm", "dpkg", "apt-cache"),
]
OWN_COMMANDS = ["sleep", "journalctl", "systemctl"]
# What setup.sh changes something by, and what those who stand in for the machine do.
CHANGING = ["curl", "tar", "mv", "ln", "rm", "mkdir", "cp", "chmod", "find", "xargs", "rmdir", "chown", "useradd"]
CHANGING += ["userdel", "systemctl", "yum", "dnf", "apt-get", "timeout"]
SERVERS = "b-1.example:9098,b-2.example:9098"
RUN_SECONDS = 50


@dataclasses.dataclass(frozen=True)
class System:
    """A system that a machine runs, and how it gives Java."""

    id: str
    version: str
    manager: str
    package: str
    """The name of a package; {} is a version."""
    versions: tuple

    @property
    def offers(self):
        """A line for each package: its name, and the version of Java in it."""
        names = {version: self.package.format(version) for version in self.versions}
        if self.manager != "apt-get" and 8 in names:
            names[8] = "java-1.8.0-amazon-corretto"
        full = {8: "1.8.0_402", 11: "11.0.22", 17: "17.0.10", 21: "21.0.2"}
        return "".join(f"{name} {full[version]}\n" for version, name in names.items())


OWNER = "demo (test)"
CORRETTO = "java-{}-amazon-corretto-headless"
OPENJDK = "openjdk-{}-jre-headless"
SYSTEMS = [
    System("amzn", "2", "yum", CORRETTO, (8, 11, 17)),
    System("amzn", "2023", "dnf", CORRETTO, (8, 11, 17, 21)),
    System("ubuntu", "22.04", "apt-get", OPENJDK, (8, 11, 17, 21)),
    System("debian", "12", "apt-get", OPENJDK, (17,)),
]

# What the archives have in them are small scripts. They find what they need as the real ones do: the brokers' answer
# depends on the jar that CLASSPATH names, the proxy listens where its properties say.
BROKERS = """#!/bin/sh
echo "$0 $*" >"$MACHINE/asked"
if [ -e "$MACHINE/brokers" ]; then cat "$MACHINE/brokers"; exit 1; fi
[ -e "$CLASSPATH" ] || { echo "No LoginModule found for software.amazon.msk.auth.iam.IAMLoginModule"; exit 1; }
[ "$3" = --command-config ] && [ -e "$4" ] || exit 1
for broker in 1 2 3; do
    echo "b-$broker.example:9098 (id: $broker rack: use1-az$broker) -> ("
    echo "	Produce(0): 0 to 9 [usable: 9]"
    echo ")"
done
"""
PROXY = """#!/bin/sh
echo "started $0 $1"
[ -e "$CLASSPATH" ] || { echo "ClassNotFoundException: software.amazon.msk.auth.iam.IAMLoginModule"; exit 1; }
[ ! -e "$MACHINE/broken" ] || { cat "$MACHINE/broken"; exit 1; }
exec PYTHON -I -S -c '
import re, socket, sys
port = int(re.search("listeners=http://0.0.0.0:([0-9]+)", open(sys.argv[1]).read()).group(1))
body = b"VERSION"
with socket.create_server(("127.0.0.1", port)) as listening:
    while True:
        connection, _ = listening.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
        connection.close()
' "$1"
"""


def packed(top, files):
    """A .tar.gz of files in a folder. The same files make the same bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, (text, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(text.encode()), mode
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)


def kafka(scala, version):
    files = {
        "bin/kafka-broker-api-versions.sh": (BROKERS, 0o755),
        "bin/kafka-topics.sh": ("#!/bin/sh\n", 0o755),
        "config/server.properties": (f"# Kafka {version}\n", 0o644),
        f"libs/kafka-clients-{version}.jar": (version, 0o644),
    }
    return packed(f"kafka_{scala}-{version}", files)


def rest_proxy(version):
    start = PROXY.replace("PYTHON", shlex.quote(sys.executable)).replace("VERSION", version)
    files = {
        "bin/kafka-rest-start": (start, 0o755),
        "etc/kafka-rest/kafka-rest.properties": ("", 0o644),
        f"share/java/kafka-rest/kafka-rest-{version}.jar": (version, 0o644),
    }
    return packed(f"confluent-{version}", files)


def as_gpg(name, hex):
    """As Apache publishes it: `gpg --print-md SHA512`."""
    groups = [hex[start : start + 8].upper() for start in range(0, len(hex), 8)]
    lines = [" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]
    indent = "\n" + " " * (len(name) + 2)
    return f"{name}: {indent.join(lines)}\n"


def as_list(name, hex):
    """As sha256sum prints it."""
    return f"{hex}  {name}\n"


def as_hex(_name, hex):
    """As Maven Central has it: without a newline."""
    return hex


def kafka_path(scala, version):
    return f"/kafka/{version}/kafka_{scala}-{version}.tgz"


def jar_path(version):
    return f"/maven/{version}/aws-msk-iam-auth-{version}-all.jar"


def proxy_path(version):
    return f"/archive/confluent-community-{version}.tar.gz"


class Mirror:
    """Serves what it was given, and counts what it is asked for."""

    def __init__(self):
        self.files, self.kinds, self.asked = {}, {}, []
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.asked.append(self.path)
                found = mirror.files.get(self.path)
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, path, content, kind="sha512", form=as_gpg):
        """Has a file, and its checksum in a file beside it."""
        self.files[path], self.kinds[path] = content, kind
        self.files[f"{path}.{kind}"] = form(path.rsplit("/", 1)[1], self.sum(path)).encode()

    def sum(self, path):
        return hashlib.new(self.kinds[path], self.files[path]).hexdigest()

    def fill(self):
        """Has what the tests install, with checksums as their publishers have them."""
        for scala, version in (("2.13", "3.7.2"), ("2.13", "3.8.1"), ("2.12", "2.8.1")):
            self.put(kafka_path(scala, version), kafka(scala, version))
        for version in ("2.3.0", "2.3.2", "1.1.5"):
            self.put(jar_path(version), f"jar {version}".encode(), "sha256", as_hex)
        for version in ("7.6.1", "7.7.0"):
            self.put(proxy_path(version), rest_proxy(version), "sha256", as_list)


@contextlib.contextmanager
def mirroring():
    mirror = Mirror()
    mirror.fill()
    thread = threading.Thread(target=mirror.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        mirror.server.shutdown()
        mirror.server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """A machine, at first as its system made it."""

    def __init__(self, folder, mirror, system=SYSTEMS[1], port=None):
        self.folder, self.mirror, self.system = folder, mirror, system
        self.root, self.has, self.client = folder / "root", folder / "has", folder / "client"
        for path in ("etc/profile.d", "etc/systemd/system", "opt", "var/lib"):
            (self.root / path).mkdir(parents=True)
        for path in (self.has, self.client, folder / "bin", folder / "killers"):
            path.mkdir()
        (self.root / "etc/os-release").write_text(f'NAME="A system"\nID="{system.id}"\nVERSION_ID="{system.version}"\n')
        (folder / "offers").write_text(system.offers)
        (folder / "journal").write_text("")
        (self.has / "manager").write_text(system.manager)
        (self.has / "users").write_text("root\n")
        for commands, stand_in in ((COMMANDS, SANDBOX_STAND_IN), (OWN_COMMANDS, STAND_INS / "stand-in")):
            for command in commands:
                (folder / "bin" / command).symlink_to(stand_in)
        for command in CHANGING:
            (folder / "killers" / command).symlink_to(STAND_INS / "killer")
        for script in ("setup.sh", "archives.sh", "report.sh", "profile.sh"):
            shutil.copy(SCRIPTS / script, self.client / script)
        shutil.copy(SCRIPTS / "pipeline-rest-proxy.service", self.client / "kafka-rest.service")
        self.settings = {"OWNER": OWNER, "JAVA_VERSION": "17", "BOOTSTRAP_SERVERS": SERVERS, "SELF_CHECK_SECONDS": "5"}
        self.port = port or free_port()
        self.want(kafka="3.7.2", iam_jar="2.3.0", rest_proxy="7.6.1", port=self.port)

    def copy(self):
        """Another one that is as this one is now. Only one of them can have its proxy run."""
        other = copy.copy(self)
        other.folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder.parent))
        shutil.copytree(self.folder, other.folder, symlinks=True, dirs_exist_ok=True)
        other.root, other.has, other.client = (other.folder / name for name in ("root", "has", "client"))
        return other

    def want(self, kafka=None, scala="2.13", iam_jar=None, rest_proxy=None, port=None, **settings):
        """Writes the files as the tool would: with these versions, and else what was wanted before."""
        if kafka:
            self._archive("KAFKA", kafka, kafka_path(scala, kafka), KAFKA_SCALA=scala)
        if iam_jar:
            self._archive("IAM_JAR", iam_jar, jar_path(iam_jar))
        if rest_proxy:
            self._archive("REST_PROXY", rest_proxy, proxy_path(rest_proxy))
        self.port = port or self.port
        self.settings |= {"REST_PROXY_PORT": str(self.port), **settings}
        lines = "".join(f"{name}='{value}'\n" for name, value in self.settings.items())
        (self.client / "settings.sh").write_text(lines)
        (self.client / "client.properties").write_text("security.protocol=SASL_SSL\n")
        (self.client / "kafka-rest.properties").write_text(f"listeners=http://0.0.0.0:{self.port}\n")

    def _archive(self, setting, version, path, **more):
        kind = self.mirror.kinds[path]
        self.settings |= {f"{setting}_VERSION": version, f"{setting}_URL": f"{self.mirror.url}{path}", **more}
        self.settings |= {f"{setting}_SUM": "", f"{setting}_SUM_URL": f"{self.mirror.url}{path}.{kind}"}

    def environment(self, **more):
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return {"PATH": path, "MACHINE": str(self.folder), "PIPELINE_ROOT": str(self.root), **more}

    def start(self, command, **variables):
        """Starts setup.sh, in a group of processes of its own."""
        return subprocess.Popen(
            ["/bin/bash", self.client / "setup.sh", command],
            cwd="/",
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command="all", ends=0, **variables):
        """Runs setup.sh, which must end with that code, or with any; gives what it printed."""
        process = self.start(command, **variables)
        try:
            printed, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{command} doesn't end\n{process.communicate()[0]}") from None
        assert ends is None or process.returncode == ends, f"{command} ended with {process.returncode}\n{printed}"
        return printed

    def run_killed(self, at, halfway=False, command="all"):
        """Runs setup.sh, and kills it at that one of the commands that change something; false where it has ended
        before it came to that.
        """
        (self.folder / "count").write_text("0\n")
        (self.folder / "killed").unlink(missing_ok=True)
        path = f"{self.folder / 'killers'}:{self.environment()['PATH']}"
        self.run(command, ends=None, PATH=path, KILL_AT=str(at), KILL_HALFWAY="yes" if halfway else "")
        return (self.folder / "killed").exists()

    def steps(self):
        return self.run("steps").split()

    def state(self):
        printed = self.run("state")
        assert printed.count("\n") == 1, printed
        return json.loads(printed)

    def calls(self):
        """The calls of commands that would have changed the machine, since this was last asked."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def tree(self):
        """Everything that the machine has on its disk, and what its commands know of it."""
        found = {}
        for path in [*self.root.rglob("*"), *self.has.rglob("*")]:
            if path.name in ("pid", "manager"):
                continue
            name = str(path.relative_to(self.folder))
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_dir():
                found[name] = f"{path.stat().st_mode:o}"
            else:
                found[name] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        return found

    def topics(self):
        """What the proxy answers: its version."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/topics", timeout=5) as answer:
            return answer.read().decode()

    def stop(self):
        """Ends the proxy."""
        if (self.has / "pid").exists():
            subprocess.run([self.folder / "bin/systemctl", "stop"], env=self.environment(), check=True)
