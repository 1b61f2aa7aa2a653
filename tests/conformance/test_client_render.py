"""`pipeline client render`, and Apache's own tools with the client.properties that it wrote, as they are: on clusters of
each kind, with the versions that the manifest names.
"""

import dataclasses
import re
import subprocess

import pytest

from apache_kafka import IAM_JARS, NEWEST, NOWHERE, OLDEST, Tools, on_an_instance
from sandbox import BINARY, clean_environment, running
from secure_cluster import SecureCluster, variables

pytestmark = pytest.mark.timeout(600)
MANIFEST = """
name: demo
environment: test
target: sandbox
region: us-east-1
cluster:
  name: demo-cluster
  auth: {auth}
  sandbox: {shape}
client:
  kafka_version: {version}
  iam_jar_version: {jar}
  java_version: {java}
  rest_proxy: {{ port: 8085 }}
"""
# A cluster with ZooKeeper and the course's versions, one in KRaft mode with the tool's own, and a Serverless one.
KINDS = {
    "provisioned": (OLDEST, "{ kafka_version: 2.8.1 }", {"kafka_version": "2.8.1"}, 11),
    "kraft": ("3.8.1", "{ kafka_version: 3.8.x }", {"kafka_version": "3.8.x"}, 17),
    "serverless": (NEWEST, "{ serverless: true }", {"serverless": True}, 17),
}


@dataclasses.dataclass
class Rendered:
    """A folder that was rendered for a cluster of a sandbox that is up."""

    folder: object
    cluster: SecureCluster
    version: str

    def text(self, name):
        return (self.folder / name).read_text()

    def properties(self, name):
        lines = [line for line in self.text(name).splitlines() if not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)

    def servers(self):
        return re.search(r"^BOOTSTRAP_SERVERS='(.*)'$", self.text("settings.sh"), re.MULTILINE).group(1)


def render(sandbox, kind, folder, auth="iam"):
    version, shape, declared, java = KINDS[kind]
    cluster = SecureCluster(sandbox, "demo-cluster", folder, **declared)
    manifest = folder / "demo.yaml"
    manifest.write_text(
        MANIFEST.format(auth=auth, shape=shape, version=version, jar=IAM_JARS[version], java=java)
    )
    out = folder / f"out-{auth}"
    ended = subprocess.run(
        [BINARY, "client", "render", manifest, "--out", out],
        env=clean_environment(PIPELINE_SANDBOX_DIR=str(folder / "sandbox")),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(ended.stdout.split()) == sorted(str(path) for path in out.iterdir())
    return Rendered(out, cluster, version)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.xdist_group(f"render-{kind}")) for kind in KINDS])
def test_apaches_tools_take_the_rendered_properties_as_they_are(kind, tmp_path):
    with running(tmp_path, ephemeral=False) as sandbox, on_an_instance() as instance:
        rendered = render(sandbox, kind, tmp_path)
        # MSK names them in another order each time.
        assert rendered.servers().split(",") == sorted(rendered.cluster.servers("SaslIam").split(","))
        # Who they are stands in the environment; the course's jar asks the machine where it is.
        environment = {**variables(rendered.cluster.owner()), **NOWHERE, **instance}
        tools = Tools(rendered.version, rendered.servers(), rendered.folder / "client.properties", environment)
        tools.topics("--create", "--topic", "demo.pin", "--partitions", "2")
        assert "demo.pin" in tools.topics("--list").stdout.splitlines()
        tools.produce("--topic", "demo.pin", lines=["one", "two"])
        read = tools.consume("--topic", "demo.pin", "--group", "g", "--from-beginning", "--max-messages", "2")
        assert sorted(read.stdout.splitlines()) == ["one", "two"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_proxy_logs_in_as_the_tools_do(kind, tmp_path):
    with running(tmp_path, ephemeral=False) as sandbox:
        for auth in ["iam"] if kind == "serverless" else ["iam", "tls", "plaintext"]:
            rendered = render(sandbox, kind, tmp_path, auth)
            client, proxy = rendered.properties("client.properties"), rendered.properties("kafka-rest.properties")
            assert {f"client.{key}": value for key, value in client.items()}.items() <= proxy.items()
            assert proxy["bootstrap.servers"] == rendered.servers()
            assert proxy["listeners"] == "http://0.0.0.0:8085"
            # The proxy's own version is one that asks no ZooKeeper, whatever the cluster has.
            assert "zookeeper.connect" not in proxy
            assert bool(client) == (auth != "plaintext")
