"""Apache's own command line tools with the MSK IAM jar, at the sandbox's brokers: the course's steps, with the course's
versions and with the newest. Starting Java takes most of the time, so what belongs together is one test.
"""

import contextlib

import pytest
from confluent_kafka.admin import AdminClient

from apache_kafka import IAM_JARS, NEWEST, NOWHERE, OLDEST, Tools, on_an_instance
from sandbox import running
from secure_cluster import SECONDS, Role, SecureCluster, allow, let_end, variables, wrong
from waiting import eventually

PROPERTIES = """
security.protocol = SASL_SSL
sasl.mechanism = AWS_MSK_IAM
sasl.jaas.config = software.amazon.msk.auth.iam.IAMLoginModule required{options};
sasl.client.callback.handler.class = software.amazon.msk.auth.iam.IAMClientCallbackHandler
ssl.truststore.type = PEM
ssl.truststore.location = {authority}
"""
# On a machine that has other things to do, starting Java ten times takes a while.
pytestmark = pytest.mark.timeout(600)
SHAPES = {OLDEST: {"kafka_version": OLDEST}, NEWEST: {}}


def tools_of(cluster, version, credentials, folder, options="", **more):
    """The tools as the course sets them up, but for who calls, which stands in the environment."""
    properties = folder / "client.properties"
    properties.write_text(PROPERTIES.format(options=options, authority=cluster.authority))
    return Tools(version, cluster.servers("SaslIam"), properties, {**variables(credentials), **NOWHERE, **more})


@pytest.fixture(
    scope="module",
    params=[pytest.param(version, marks=pytest.mark.xdist_group(f"tools-{version}")) for version in (OLDEST, NEWEST)],
)
def version(request):
    return request.param


@pytest.fixture(scope="module")
def instance(version):
    """Variables of the machine that the tools run on."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(on_an_instance()) if IAM_JARS[version] == "1.1.5" else {}


@pytest.fixture(scope="module")
def cluster(sandbox, version, tmp_path_factory):
    name = f"tools-{version.replace('.', '-')}"
    return SecureCluster(sandbox, name, tmp_path_factory.mktemp("tools"), **SHAPES[version])


@pytest.fixture
def tools(cluster, version, tmp_path, instance):
    """tools(credentials) are the tools in their hands."""

    def of(credentials, *options, **more):
        return tools_of(cluster, version, credentials, tmp_path, *options, **instance, **more)

    return of


@pytest.fixture
def role(sandbox, unique):
    """role(statement) is a role that may do so."""
    return lambda *statements: Role(sandbox, unique("tools"), *statements)


def test_the_courses_steps_as_a_role_with_the_courses_policy(cluster, tools, role, unique):
    topic, group = unique("topic"), unique("group")
    mine = tools(role(cluster.everything()).session())
    created = mine.topics("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "3")
    assert f"Created topic {topic}." in created.stdout
    assert topic in mine.topics("--list").stdout.splitlines()
    mine.topics("--alter", "--topic", topic, "--partitions", "4")
    entity = ["--entity-type", "topics", "--entity-name", topic]
    mine.configs(*entity, "--alter", "--add-config", "retention.ms=7777,cleanup.policy=[compact,delete]")
    assert "retention.ms=7777" in mine.configs(*entity, "--describe").stdout
    described = mine.topics("--describe", "--topic", topic).stdout
    assert "PartitionCount: 4" in described and "ReplicationFactor: 3" in described, described
    assert "cleanup.policy=compact,delete" in described, described
    lines = [f"value {number}" for number in range(20)]
    # Its policy is of a compacted topic, whose records have keys.
    keyed = ["--property", "parse.key=true", "--property", "key.separator=|"]
    mine.produce("--topic", topic, *keyed, lines=[f"{number}|{line}" for number, line in enumerate(lines)])
    reading = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", "20"]
    assert sorted(mine.consume(*reading).stdout.splitlines()) == sorted(lines)
    offsets = mine.consumer_groups("--describe", "--group", group).stdout
    # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
    rows = [line.split() for line in offsets.splitlines() if topic in line]
    assert len(rows) == 4 and sum(int(row[3]) for row in rows) == 20 and all(row[5] == "0" for row in rows), offsets
    mine.topics("--delete", "--topic", topic)
    admin = AdminClient({"bootstrap.servers": cluster.servers()})
    eventually(lambda: admin.list_topics(timeout=SECONDS).topics, lambda topics: topic not in topics)


def test_the_sandboxs_own_user_and_what_the_broker_itself_refuses(cluster, tools, unique):
    topic, mine = unique("topic"), tools(cluster.owner())
    mine.topics("--create", "--topic", topic, "--config", "retention.ms=7777")
    again = mine.topics("--create", "--topic", topic, ends=1)
    assert f"TopicExistsException: Topic '{topic}' already exists." in again.stderr
    fewer = mine.topics("--alter", "--topic", topic, "--partitions", "1", ends=1)
    assert "InvalidPartitionsException" in fewer.stderr
    entity = ["--entity-type", "topics", "--entity-name", topic]
    unknown = mine.configs(*entity, "--alter", "--add-config", "no.such=1", ends=1)
    assert "Unknown topic config name: no.such" in unknown.stderr


def test_who_may_not_create_is_told_by_kafkas_name_of_it(cluster, tools, role, unique):
    on = [cluster.arn, cluster.arn_of("topic"), cluster.arn_of("group")]
    statements = [cluster.everything(), allow("CreateTopic", on=on, effect="Deny")]
    ended = tools(role(*statements).session()).topics("--create", "--topic", unique("topic"), ends=1)
    assert "TopicAuthorizationException: Authorization failed." in ended.stderr, ended.stderr


def test_a_wrong_secret_is_refused(cluster, tools):
    ended = tools(wrong(cluster.owner())).topics("--list", ends=1)
    assert "SaslAuthenticationException" in ended.stderr and "]: Access denied" in ended.stderr, ended.stderr


def test_a_session_that_is_over_is_refused(version, instance, tmp_path):
    with running(tmp_path, ephemeral=False) as sandbox:
        cluster = SecureCluster(sandbox, "over", tmp_path, **SHAPES[version])
        credentials = Role(sandbox, "over", cluster.everything()).session()
    let_end(tmp_path, credentials)
    with running(tmp_path, ephemeral=False) as sandbox:
        cluster = SecureCluster(sandbox, "over", tmp_path, **SHAPES[version])
        ended = tools_of(cluster, version, credentials, tmp_path, **instance).topics("--list", ends=1)
    assert "SaslAuthenticationException" in ended.stderr and "]: Session too short" in ended.stderr, ended.stderr


def test_the_jar_assumes_the_role_that_the_courses_properties_name(cluster, tools, role, version):
    """With `awsRoleArn`, as the course writes it; its own jar asks nobody but AWS for the role."""
    if IAM_JARS[version] == "1.1.5":
        pytest.skip("aws-msk-iam-auth 1.1.5 can't be told where STS is")
    assumed = role(cluster.everything())
    assumed.session()
    options = f' awsRoleArn="{assumed.arn}" awsStsRegion="us-east-1"'
    mine = tools(cluster.owner(), options, AWS_ENDPOINT_URL_STS=cluster.sandbox.endpoint)
    mine.topics("--list")
    assumed.may(allow("*", on=cluster.arn, effect="Deny"))
    assert "]: Access denied" in mine.topics("--list", ends=1).stderr
