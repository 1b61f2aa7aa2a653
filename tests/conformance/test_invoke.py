"""The invoke URL: calls of deployed APIs, as `requests` and botocore's signer make them, against backends of ours.

What is expected is from API Gateway's developer guide and from responses of the real service that LocalStack's tests
record (https://github.com/localstack/localstack/tree/main/tests/aws/services/apigateway).
"""

import contextlib
import http.server
import json
import re
import socket
import threading
import time

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from waiting import answering, eventually

PROXY = "method.request.path.proxy"
CORS = {
    "Access-Control-Allow-Origin": "'*'",
    "Access-Control-Allow-Methods": "'GET,POST,OPTIONS'",
    "Access-Control-Allow-Headers": "'Content-Type'",
}


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was sent; `/status/N` with that status, `/slow` after a second."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/slow"):
            time.sleep(1)
        status = re.match(r"/status/(\d+)", self.path)
        told = {
            "method": self.command,
            "target": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body.decode(errors="replace"),
            "length": len(body),
        }
        reply = json.dumps(told).encode()
        self.send_response(int(status[1]) if status else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.send_header("X-Backend", "echo")
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Api:
    """An API with `{proxy+}`, as the tool makes one."""

    def __init__(self, sandbox, gateway, name):
        self.sandbox, self.gateway = sandbox, gateway
        created = gateway.create_rest_api(name=name)
        self.id, self.root = created["id"], created["rootResourceId"]
        self.resources = {"/": self.root}

    def resource(self, path):
        parent, _, part = path.rpartition("/")
        if path not in self.resources:
            above = self.resource(parent) if parent else self.root
            made = self.gateway.create_resource(restApiId=self.id, parentId=above, pathPart=part)
            self.resources[path] = made["id"]
        return self.resources[path]

    def method(self, path, verb, *, authorization="NONE", key=False, parameters=None, **integration):
        at = {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}
        parameters = {PROXY: True} if parameters is None and path.endswith("{proxy+}") else parameters or {}
        self.gateway.put_method(
            **at, authorizationType=authorization, apiKeyRequired=key, requestParameters=parameters
        )
        self.gateway.put_integration(**at, **integration)
        return at

    def proxy(self, uri, *, path="/{proxy+}", verb="ANY", mapped=None, timeout=29000, **method):
        mapped = {"integration.request.path.proxy": PROXY} if mapped is None else mapped
        integration = {"type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "uri": uri, "timeoutInMillis": timeout}
        return self.method(path, verb, requestParameters=mapped, **integration, **method)

    def deploy(self, stage="dev", **more):
        self.gateway.create_deployment(restApiId=self.id, stageName=stage, **more)
        return self.url(stage)

    def url(self, stage="dev"):
        base = self.sandbox.private(f"addresses?api={self.id}")["invoke"][self.id]
        return f"{answering(base)}/{stage}"


@pytest.fixture
def api(sandbox, client, unique):
    gateway = client("apigateway")
    made = Api(sandbox, gateway, unique("api"))
    yield made
    with contextlib.suppress(gateway.exceptions.NotFoundException):
        gateway.delete_rest_api(restApiId=made.id)


def get(url, **options):
    return requests.get(url, timeout=30, **options)


def refused(reply, status, message, error_type):
    assert (reply.status_code, reply.json(), reply.headers["x-amzn-errortype"]) == (
        status,
        {"message": message},
        error_type,
    )
    assert reply.headers["Content-Type"] == "application/json"


def header(echoed, name):
    values = [value for key, value in echoed["headers"] if key == name]
    assert len(values) < 2, values
    return values[0] if values else None


def test_a_call_is_passed_on(api, backend):
    api.proxy(f"{backend}/{{proxy}}")
    url = api.deploy()
    reply = requests.post(
        f"{url}/topics/0a1b.pin?a=1&a=2&b=x%20y%2Fz&c",
        data='{"records":[]}',
        headers={"Content-Type": "application/vnd.kafka.json.v2+json", "X-Mine": "yes", "User-Agent": "tester"},
        timeout=30,
    )
    assert reply.status_code == 200
    echoed = reply.json()
    assert (echoed["method"], echoed["body"]) == ("POST", '{"records":[]}')
    assert echoed["target"] == "/topics/0a1b.pin?a=1&a=2&b=x%20y%2Fz&c"
    assert header(echoed, "content-type") == "application/vnd.kafka.json.v2+json"
    assert (header(echoed, "x-mine"), header(echoed, "user-agent")) == ("yes", "tester")
    assert header(echoed, "host") == backend.removeprefix("http://")
    assert header(echoed, "x-forwarded-for") == "127.0.0.1"
    assert header(echoed, "x-forwarded-proto") == "http"
    assert url.startswith(f"http://127.0.0.1:{header(echoed, 'x-forwarded-port')}/")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", header(echoed, "x-amzn-trace-id"))
    assert header(echoed, "x-amzn-apigateway-api-id") == api.id
    assert header(echoed, "connection") in (None, "keep-alive")
    # And back.
    assert (reply.headers["Content-Type"], reply.headers["X-Backend"]) == ("application/json", "echo")
    assert reply.headers["x-amzn-Remapped-Content-Length"] == str(len(reply.content))
    assert reply.headers["x-amzn-Remapped-WWW-Authenticate"] == "Basic"
    assert "WWW-Authenticate" not in reply.headers and "x-amzn-Remapped-Server" in reply.headers
    assert re.fullmatch(r"[0-9a-f-]{36}", reply.headers["x-amzn-RequestId"]) and reply.headers["x-amz-apigw-id"]


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("status", [200, 201, 302, 404, 503])
def test_any_is_every_verb_and_statuses_pass(shared, verb, status):
    reply = requests.request(verb, f"{shared}/status/{status}", allow_redirects=False, timeout=30)
    assert reply.status_code == status
    if verb != "HEAD":
        assert reply.json()["method"] == verb


@pytest.fixture(scope="module")
def shared(sandbox, client, backend):
    """The URL of a deployed API that passes everything on."""
    gateway = client("apigateway")
    made = Api(sandbox, gateway, "conformance-invoke")
    made.proxy(f"{backend}/{{proxy}}")
    yield made.deploy()
    gateway.delete_rest_api(restApiId=made.id)


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ("a%20b", "/a%20b"),
        ("a%2Fb", "/a/b"),
        ("a%25b", "/a%25b"),
        ("%C3%A4", "/%C3%A4"),
        ("a+b:c@d", "/a+b:c@d"),
        ("a/b/", "/a/b"),
        ("a%3Fb", "/a%3Fb"),
    ],
)
def test_paths_are_decoded_and_encoded_again(shared, sent, passed):
    assert get(f"{shared}/{sent}").json()["target"] == passed


def test_the_more_precise_resource_wins(api, backend):
    api.proxy(f"{backend}/greedy/{{proxy}}")
    api.proxy(f"{backend}/fixed", path="/pets", verb="GET", mapped={})
    one = {"integration.request.path.which": "method.request.path.id"}
    declared = {"method.request.path.id": True}
    api.proxy(f"{backend}/one/{{which}}", path="/pets/{id}", verb="GET", mapped=one, parameters=declared)
    url = api.deploy()
    assert get(f"{url}/pets").json()["target"] == "/fixed"
    assert get(f"{url}/pets/7").json()["target"] == "/one/7"
    assert get(f"{url}/pets/7/toys").json()["target"] == "/greedy/pets/7/toys"
    assert requests.post(f"{url}/pets", timeout=30).json()["target"] == "/greedy/pets"


def test_parameters_are_mapped(api, backend):
    declared = {
        PROXY: True,
        "method.request.header.foobar": False,
        "method.request.querystring.q": False,
        "method.request.header.none": False,
    }
    mapped = {
        "integration.request.path.proxy": PROXY,
        "integration.request.path.version": "stageVariables.version",
        "integration.request.header.HeaderVar": "method.request.header.foobar",
        "integration.request.header.Fixed": "'a value'",
        "integration.request.header.None": "method.request.header.none",
        "integration.request.querystring.added": "method.request.querystring.q",
        "integration.request.querystring.stage": "context.stage",
    }
    api.proxy(f"{backend}/{{version}}/{{proxy}}?own=${{stageVariables.version}}", mapped=mapped, parameters=declared)
    url = api.deploy(variables={"version": "v2"})
    echoed = get(f"{url}/x?q=a%26b", headers={"foobar": "mapped", "HeaderVar": "sent"}).json()
    assert echoed["target"] == "/v2/x?own=v2&q=a%26b&added=a%26b&stage=dev"
    assert (header(echoed, "headervar"), header(echoed, "fixed")) == ("mapped", "a value")
    assert header(echoed, "none") is None


def test_only_what_is_deployed_is_live(api, backend):
    at = api.proxy(f"{backend}/old/{{proxy}}")
    url = api.deploy()
    assert get(f"{url}/x").json()["target"] == "/old/x"
    changed = [{"op": "replace", "path": "/uri", "value": f"{backend}/new/{{proxy}}"}]
    api.gateway.update_integration(**at, patchOperations=changed)
    assert get(f"{url}/x").json()["target"] == "/old/x"
    assert api.deploy("other").endswith("/other")
    assert get(f"{url}/x").json()["target"] == "/old/x"
    assert get(f"{api.url('other')}/x").json()["target"] == "/new/x"
    api.deploy()
    assert get(f"{url}/x").json()["target"] == "/new/x"
    api.gateway.delete_stage(restApiId=api.id, stageName="dev")
    refused(get(f"{url}/x"), 403, "Forbidden", "ForbiddenException")


def test_what_is_not_there(api, backend):
    api.proxy(f"{backend}/{{proxy}}", verb="GET")
    url = api.deploy()
    missing = ("Missing Authentication Token", "MissingAuthenticationTokenException")
    refused(requests.post(f"{url}/x", timeout=30), 403, *missing)
    refused(get(url), 403, *missing)
    refused(get(f"{url}/"), 403, *missing)
    base = url.removesuffix("/dev")
    refused(get(f"{base}/prod/x"), 403, "Forbidden", "ForbiddenException")
    refused(get(f"{base}/"), 403, "Forbidden", "ForbiddenException")


def test_the_host_name_leads_to_an_api(api, backend, sandbox):
    api.proxy(f"{backend}/{{proxy}}")
    api.deploy()
    for name in [f"{api.id}.execute-api.us-east-1.amazonaws.com", f"{api.id}.execute-api.localhost.example:4566"]:
        assert get(f"{sandbox.endpoint}/dev/x?y=1", headers={"Host": name}).json()["target"] == "/x?y=1"
    for name in [f"{api.id}.execute-api.eu-west-1.amazonaws.com", "abcdef.execute-api.us-east-1.amazonaws.com"]:
        refused(get(f"{sandbox.endpoint}/dev/x", headers={"Host": name}), 403, "Forbidden", "ForbiddenException")


def test_a_backend_that_does_not_answer(api, backend):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/{{proxy}}"
    internal = "InternalServerErrorException"
    api.proxy(closed)
    api.proxy(f"{backend}/slow", path="/slow", mapped={}, timeout=100)
    # A name of AWS that leads to no address of this machine is never called.
    api.proxy("http://ec2-203-0-113-7.compute-1.amazonaws.com:8082/", path="/aws", mapped={})
    api.proxy("http://no-such-host.invalid/", path="/nowhere", mapped={})
    url = api.deploy()
    refused(get(f"{url}/x"), 504, "Network error communicating with endpoint", internal)
    refused(get(f"{url}/slow"), 504, "Endpoint request timed out", internal)
    refused(get(f"{url}/aws"), 504, "Network error communicating with endpoint", internal)
    refused(get(f"{url}/nowhere"), 500, "Internal server error", internal)


def test_a_body_may_have_ten_megabytes(shared):
    largest = 10 * 1024 * 1024
    reply = requests.post(f"{shared}/x", data=b"x" * (largest - 1), timeout=30)
    # The echo is larger than the body, and a response has the same limit.
    refused(reply, 500, "Internal server error", "InternalServerErrorException")
    assert requests.post(f"{shared}/x", data=b"x" * 1_000_000, timeout=30).json()["length"] == 1_000_000
    with contextlib.suppress(requests.ConnectionError):
        refused(
            requests.post(f"{shared}/x", data=b"x" * (largest + 1), timeout=30),
            413,
            "Request Too Long",
            "RequestTooLargeException",
        )


def preflight(api, path="/{proxy+}"):
    """OPTIONS on a resource, as a mock that grants everything."""
    at = api.method(path, "OPTIONS", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    headers = {f"method.response.header.{name}": False for name in CORS}
    api.gateway.put_method_response(**at, statusCode="200", responseParameters=headers)
    values = {f"method.response.header.{name}": value for name, value in CORS.items()}
    api.gateway.put_integration_response(**at, statusCode="200", responseParameters=values)


def test_cross_origin_requests(api, backend):
    api.proxy(f"{backend}/{{proxy}}", authorization="AWS_IAM")
    preflight(api)
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX"]:
        values = {f"gatewayresponse.header.{name}": value for name, value in CORS.items()}
        api.gateway.put_gateway_response(restApiId=api.id, responseType=kind, responseParameters=values)
    url = api.deploy()
    reply = requests.options(f"{url}/topics/x", headers={"Origin": "http://page.example"}, timeout=30)
    assert (reply.status_code, reply.text) == (200, "")
    for answer in [reply, get(f"{url}/topics/x")]:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,OPTIONS"
    refused(answer, 403, "Missing Authentication Token", "MissingAuthenticationTokenException")


def test_gateway_responses_are_customised(api, backend):
    api.proxy(f"{backend}/{{proxy}}", verb="GET")
    api.gateway.put_gateway_response(
        restApiId=api.id,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={
            "gatewayresponse.header.X-Path": "context.path",
            "gatewayresponse.header.X-Sent": "method.request.header.sent",
        },
        responseTemplates={"application/json": '{"error":$context.error.messageString,"of":"$context.stage"}'},
    )
    url = api.deploy()
    reply = requests.post(f"{url}/x", headers={"sent": "this"}, timeout=30)
    assert (reply.status_code, reply.json()) == (404, {"error": "Missing Authentication Token", "of": "dev"})
    assert (reply.headers["X-Path"], reply.headers["X-Sent"]) == ("/dev/x", "this")


def signed(method, url, credentials, *, data=b"", service="execute-api", region="us-east-1", headers=None):
    request = AWSRequest(method=method, url=url, data=data, headers=headers or {})
    SigV4Auth(credentials, service, region).add_auth(request)
    return requests.request(method, url, data=data, headers=dict(request.headers.items()), timeout=30)


@pytest.fixture
def owner(environment):
    return Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])


def test_signed_calls(api, backend, owner):
    api.proxy(f"{backend}/{{proxy}}", authorization="AWS_IAM")
    url = api.deploy()
    reply = signed("POST", f"{url}/topics/a%20b?x=1&y=%2F", owner, data=b'{"a":1}', headers={"Content-Type": "x/y"})
    assert (reply.status_code, reply.json()["body"]) == (200, '{"a":1}')
    assert reply.json()["target"] == "/topics/a%20b?x=1&y=%2F"
    assert header(reply.json(), "authorization") is None
    refused(get(f"{url}/x"), 403, "Missing Authentication Token", "MissingAuthenticationTokenException")

    def denied(error_type, credentials=owner, **options):
        reply = signed("GET", f"{url}/x", credentials, **options)
        assert (reply.status_code, reply.headers["x-amzn-errortype"]) == (403, error_type), reply.text
        return reply.json()["message"]

    wrong = Credentials(owner.access_key, "not-the-secret")
    assert denied("InvalidSignatureException", wrong).startswith("The request signature we calculated does not match")
    unknown = Credentials("AKIAIOSFODNN7EXAMPLE", "x")
    assert denied("UnrecognizedClientException", unknown) == "The security token included in the request is invalid."
    assert "correct service: 'execute-api'" in denied("InvalidSignatureException", service="s3")
    assert "valid region" in denied("InvalidSignatureException", region="eu-west-1")


def test_roles_may_call_what_their_policies_say(api, backend, client, unique):
    api.proxy(f"{backend}/{{proxy}}", authorization="AWS_IAM")
    url = api.deploy()
    iam, sts = client("iam"), client("sts")
    name = unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allowed = f"arn:aws:execute-api:us-east-1:000000000000:{api.id}/dev/POST/topics/*"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": allowed}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="call", PolicyDocument=document)

    def assume():
        with contextlib.suppress(sts.exceptions.ClientError):
            return sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]

    given = eventually(assume, lambda given: given is not None)
    session = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    try:
        assert signed("POST", f"{url}/topics/x", session, data=b"{}").status_code == 200
        reply = signed("GET", f"{url}/topics/x", session)
        assert (reply.status_code, reply.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
        assert reply.json()["message"] == (
            f"User: arn:aws:sts::000000000000:assumed-role/{name}/session is not authorized to perform: "
            f"execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********0000:{api.id}/dev/GET/topics/x "
            "because no identity-based policy allows the execute-api:Invoke action"
        )
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="call")
        iam.delete_role(RoleName=name)


def test_api_keys(api, backend, unique):
    api.proxy(f"{backend}/{{proxy}}", key=True)
    url = api.deploy()
    stages = [{"apiId": api.id, "stage": "dev"}]
    plan = api.gateway.create_usage_plan(name=unique("plan"), apiStages=stages)["id"]
    key = api.gateway.create_api_key(name=unique("key"), enabled=True)
    try:
        call = lambda value: get(f"{url}/x", headers={"x-api-key": value})
        refused(get(f"{url}/x"), 403, "Forbidden", "ForbiddenException")
        refused(call(key["value"]), 403, "Forbidden", "ForbiddenException")
        api.gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        assert call(key["value"]).status_code == 200
        refused(call(key["value"][:-1]), 403, "Forbidden", "ForbiddenException")
        disabled = [{"op": "replace", "path": "/enabled", "value": "false"}]
        api.gateway.update_api_key(apiKey=key["id"], patchOperations=disabled)
        refused(call(key["value"]), 403, "Forbidden", "ForbiddenException")
    finally:
        api.gateway.delete_api_key(apiKey=key["id"])
        leave = [{"op": "remove", "path": "/apiStages", "value": f"{api.id}:dev"}]
        api.gateway.update_usage_plan(usagePlanId=plan, patchOperations=leave)
        api.gateway.delete_usage_plan(usagePlanId=plan)


def test_what_the_sandbox_has_not_got_is_said(api):
    at = api.method(
        "/mock", "GET", type="MOCK", requestTemplates={"application/json": "#set($a = 1){\"statusCode\": 200}"}
    )
    api.gateway.put_method_response(**at, statusCode="200")
    api.gateway.put_integration_response(**at, statusCode="200")
    reply = get(f"{api.deploy()}/mock")
    assert reply.status_code == 500
    assert reply.json()["message"] == "Internal server error: the sandbox has no #set in mapping templates"


def test_from_a_post_to_a_topic(api, sandbox, client, unique):
    """The whole way of the course's posts: invoke URL, REST proxy, topic."""
    cluster = sandbox.private("cluster", {"name": "conformance-invoke", "region": "us-east-1"})["clusterArn"]
    topic = unique("topic")
    client("kafka").create_topic(ClusterArn=cluster, TopicName=topic, PartitionCount=1, ReplicationFactor=3)
    proxy = answering(sandbox.private("addresses")["rest_proxy"])
    api.proxy(f"{proxy}/{{proxy}}")
    url = api.deploy()
    headers = {"Content-Type": "application/vnd.kafka.json.v2+json"}
    for number in range(3):
        reply = requests.post(
            f"{url}/topics/{topic}", data=json.dumps({"records": [{"value": {"n": number}}]}), headers=headers, timeout=30
        )
        assert reply.json()["offsets"] == [{"partition": 0, "offset": number, "error_code": None, "error": None}]
    reply = requests.post(f"{url}/topics/not-{topic}", data='{"records":[{"value":1}]}', headers=headers, timeout=30)
    assert (reply.status_code, reply.json()) == (404, {"error_code": 40401, "message": "Topic not found."})
