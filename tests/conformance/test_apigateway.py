"""API Gateway's control plane, driven by boto3: what AWS answers, and what it refuses.

Replies are parsed by botocore with the service's own model, so a member that is misnamed is a member that is missing.
"""

import json
import re

import pytest
from botocore.exceptions import ClientError

BACKEND = "http://backend.example:8082/{proxy}"
PROXY = "method.request.path.proxy"
ORIGIN = "method.response.header.Access-Control-Allow-Origin"


@pytest.fixture
def gateway(client):
    return client("apigateway")


@pytest.fixture
def api(gateway):
    created = gateway.create_rest_api(name="pins")
    yield created["id"]
    try:
        gateway.delete_rest_api(restApiId=created["id"])
    except gateway.exceptions.NotFoundException:
        pass


@pytest.fixture
def root(gateway, api):
    return gateway.get_rest_api(restApiId=api)["rootResourceId"]


@pytest.fixture
def proxy(gateway, api, root):
    """The arguments that name the method ANY of `/{proxy+}`, which has an integration."""
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "ANY"}
    gateway.put_method(**method, authorizationType="NONE", requestParameters={PROXY: True})
    gateway.put_integration(**method, **http_proxy())
    return method


def http_proxy(**changes):
    return {
        "type": "HTTP_PROXY",
        "integrationHttpMethod": "ANY",
        "uri": BACKEND,
        "requestParameters": {"integration.request.path.proxy": PROXY},
    } | changes


def patch(op, path, value=None):
    return [{"op": op, "path": path} | ({} if value is None else {"value": value})]


def body(reply):
    reply.pop("ResponseMetadata")
    return reply


def status(reply):
    return reply["ResponseMetadata"]["HTTPStatusCode"]


class Refusal:
    """What a refused call was refused with."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, "it was not refused"
        if not issubclass(kind, ClientError):
            return False
        self.code, self.message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        self.status = status(error.response)
        return True


def refused(code, message, call, **arguments):
    with Refusal() as refusal:
        call(**arguments)
    assert (refusal.code, refusal.status) == (code, STATUS[code])
    assert message in refusal.message


STATUS = {
    "BadRequestException": 400,
    "ValidationException": 400,
    "SerializationException": 400,
    "NotFoundException": 404,
    "ConflictException": 409,
    "LimitExceededException": 429,
}


# APIs


def test_an_api_is_made_with_its_root_resource(gateway):
    created = gateway.create_rest_api(name="pins", description="all pins", tags={"pipeline:name": "p"})
    assert status(created) == 201
    assert re.fullmatch("[a-z0-9]{10}", created["id"])
    assert created["apiKeySource"] == "HEADER"
    assert created["disableExecuteApiEndpoint"] is False
    assert created["endpointConfiguration"] == {"types": ["EDGE"], "ipAddressType": "ipv4"}
    assert created["tags"] == {"pipeline:name": "p"}
    assert body(gateway.get_rest_api(restApiId=created["id"])) == body(created)
    resources = gateway.get_resources(restApiId=created["id"])["items"]
    assert resources == [{"id": created["rootResourceId"], "path": "/"}]
    assert status(gateway.delete_rest_api(restApiId=created["id"])) == 202
    refused("NotFoundException", "Invalid API identifier specified", gateway.get_rest_api, restApiId=created["id"])
    refused("NotFoundException", "Invalid API identifier specified", gateway.delete_rest_api, restApiId=created["id"])


def test_names_are_not_unique(gateway, api):
    other = gateway.create_rest_api(name="pins")["id"]
    assert other != api
    pages = gateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 1})
    found = [item["id"] for page in pages for item in page["items"] if item["name"] == "pins"]
    assert {api, other} <= set(found) and len(found) == len(set(found))
    gateway.delete_rest_api(restApiId=other)


def test_what_an_api_may_be(gateway):
    create = gateway.create_rest_api
    refused("BadRequestException", "Description cannot be an empty string", create, name="x", description="")
    refused("BadRequestException", "minimum compression size", create, name="x", minimumCompressionSize=-1)
    endpoint = "endpointConfiguration"
    refused("ValidationException", "PRIVATE, EDGE, REGIONAL", create, name="x", **{endpoint: {"types": ["NEAR"]}})
    both = {"types": ["EDGE", "REGIONAL"]}
    refused("BadRequestException", "multiple Endpoint Types", create, name="x", **{endpoint: both})
    refused("BadRequestException", "cannot be both DISABLED", create, name="x", **{endpoint: {"types": []}})
    private = {"types": ["PRIVATE"], "ipAddressType": "ipv4"}
    refused("BadRequestException", "Only dualstack", create, name="x", **{endpoint: private})
    refused("BadRequestException", "aws:", create, name="x", tags={"aws:x": "y"})
    refused("BadRequestException", "50", create, name="x", tags={str(number): "" for number in range(51)})


def test_an_api_is_updated_by_patches(gateway, api):
    update = lambda *patches: gateway.update_rest_api(restApiId=api, patchOperations=sum(patches, []))
    changed = update(
        patch("replace", "/name", "boards"),
        patch("replace", "/description", "boards, not pins"),
        patch("add", "/binaryMediaTypes/image~1png"),
        patch("add", "/binaryMediaTypes/image~1jpeg"),
        patch("replace", "/endpointConfiguration/types/EDGE", "REGIONAL"),
    )
    assert (changed["name"], changed["description"]) == ("boards", "boards, not pins")
    assert changed["binaryMediaTypes"] == ["image/png", "image/jpeg"]
    assert changed["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert changed["tags"] == {}
    changed = update(patch("replace", "/binaryMediaTypes/image~1png", "image/gif"), patch("remove", "/description"))
    assert changed["binaryMediaTypes"] == ["image/jpeg", "image/gif"]
    assert "description" not in changed

    for path in ["/id", "/binaryMediaTypes", "/name/x", "/"]:
        with Refusal() as refusal:
            update(patch("replace", "/name", "half"), patch("replace", path, "x"))
        assert (refusal.code, refusal.message) == ("BadRequestException", f"Invalid patch path {path}")
    with Refusal() as refusal:
        update(patch("add", "/minimumCompressionSize", "10"))
    assert refusal.message == "Invalid patch operation specified. Must be one of: [replace]"
    # botocore checks no enums, so that a wrong operation reaches the service.
    with Refusal() as refusal:
        update(patch("change", "/name", "x"))
    assert refusal.code == "ValidationException"
    assert "updateRestApiInput.patchOperations.1.member.op" in refusal.message
    assert gateway.get_rest_api(restApiId=api)["name"] == "boards"


def test_a_region_sees_its_own_things(client, gateway, api):
    elsewhere = client("apigateway", region_name="eu-west-1")
    assert api not in [item["id"] for item in elsewhere.get_rest_apis(limit=500)["items"]]
    refused("NotFoundException", "Invalid API identifier specified", elsewhere.get_rest_api, restApiId=api)
    refused("NotFoundException", "", elsewhere.get_stage, restApiId=api, stageName="dev")


def test_the_account_has_its_limits(gateway):
    account = gateway.get_account()
    assert account["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}


# Resources


def test_a_parent_has_one_variable_child(gateway, api, root):
    create = lambda parent, part: gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)
    parent = create(root, "parent")
    assert status(parent) == 201
    assert (parent["path"], parent["pathPart"], parent["parentId"]) == ("/parent", "parent", root)
    child = create(parent["id"], "{child}")["id"]
    assert create(child, "{proxy+}")["path"] == "/parent/{child}/{proxy+}"
    greedy = create(root, "{proxy+}")["id"]
    cases = [
        (root, "parent", "ConflictException", "Another resource with the same parent already has this name: parent"),
        (
            root,
            "{proxy+}",
            "ConflictException",
            "Another resource with the same parent already has this name: {proxy+}",
        ),
        (root, "{id}", "BadRequestException", "A sibling ({proxy+}) of this resource already has a variable path part"),
        (
            greedy,
            "x",
            "BadRequestException",
            "Cannot create a child of a resource with a greedy path variable: {proxy+}",
        ),
        (root, "a/b", "BadRequestException", "Resource's path part only allow"),
        (root, "{open", "BadRequestException", "Resource's path part only allow"),
        ("nothing", "x", "NotFoundException", "Invalid Resource identifier specified"),
    ]
    for at, part, code, message in cases:
        refused(code, message, gateway.create_resource, restApiId=api, parentId=at, pathPart=part)
    paths = [resource["path"] for resource in gateway.get_resources(restApiId=api)["items"]]
    assert paths == ["/", "/parent", "/parent/{child}", "/parent/{child}/{proxy+}", "/{proxy+}"]


def test_resources_come_in_pages_of_25(gateway, api, root):
    for number in range(30):
        gateway.create_resource(restApiId=api, parentId=root, pathPart=f"p{number:02}")
    first = gateway.get_resources(restApiId=api)
    assert len(first["items"]) == 25
    second = gateway.get_resources(restApiId=api, position=first["position"])
    assert len(second["items"]) == 6 and "position" not in second
    assert len({resource["id"] for resource in first["items"] + second["items"]}) == 31
    refused("BadRequestException", "position", gateway.get_resources, restApiId=api, position="!")


def test_resources_are_moved_renamed_and_removed(gateway, api, root):
    create = lambda parent, part: gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    pets = create(root, "pets")
    sub = create(pets, "sub")
    below = create(sub, "pets")
    update = gateway.update_resource
    renamed = update(restApiId=api, resourceId=pets, patchOperations=patch("replace", "/pathPart", "dogs"))
    assert renamed["path"] == "/dogs"
    assert gateway.get_resource(restApiId=api, resourceId=below)["path"] == "/dogs/sub/pets"
    update(restApiId=api, resourceId=pets, patchOperations=patch("replace", "/pathPart", "pets"))

    def fails(code, message, resource, operations):
        refused(code, message, update, restApiId=api, resourceId=resource, patchOperations=operations)

    taken = "Another resource with the same parent already has this name: pets"
    fails("ConflictException", taken, below, patch("replace", "/parentId", root))
    fails("BadRequestException", "Resources cannot be cyclical.", sub, patch("replace", "/parentId", below))
    fails("NotFoundException", "Invalid Resource identifier specified", sub, patch("replace", "/parentId", "nothing"))
    must_be = "Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"
    fails("BadRequestException", must_be, sub, patch("replace", "/x", "y"))
    fails("BadRequestException", "Please choose supported operations", sub, patch("remove", "/pathPart"))
    fails("BadRequestException", "Root resource cannot update its pathPart.", root, patch("replace", "/pathPart", "x"))

    assert status(gateway.delete_resource(restApiId=api, resourceId=pets)) == 202
    assert [item["path"] for item in gateway.get_resources(restApiId=api)["items"]] == ["/"]
    absent = "Invalid Resource identifier specified"
    refused("NotFoundException", absent, gateway.delete_resource, restApiId=api, resourceId=below)
    refused("BadRequestException", "Root resource", gateway.delete_resource, restApiId=api, resourceId=root)


# Methods


def test_a_method_lives_on_a_resource(gateway, api, root):
    method = {"restApiId": api, "resourceId": root, "httpMethod": "ANY"}
    put = gateway.put_method(**method, authorizationType="NONE")
    assert status(put) == 201
    assert body(put) == {"httpMethod": "ANY", "authorizationType": "NONE", "apiKeyRequired": False}
    exists = "Method already exists for this resource"
    refused("ConflictException", exists, gateway.put_method, **method, authorizationType="NONE")
    assert gateway.get_resource(restApiId=api, resourceId=root)["resourceMethods"] == {"ANY": {}}
    embedded = gateway.get_resources(restApiId=api, embed=["methods"])["items"][0]["resourceMethods"]["ANY"]
    assert embedded["authorizationType"] == "NONE"
    assert status(gateway.delete_method(**method)) == 204
    refused("NotFoundException", "Invalid Method identifier specified", gateway.get_method, **method)
    refused("NotFoundException", "Invalid Method identifier specified", gateway.delete_method, **method)


def test_what_a_method_may_be(gateway, api, root):
    def fails(code, message, **changes):
        arguments = {"restApiId": api, "resourceId": root, "httpMethod": "GET", "authorizationType": "NONE"}
        refused(code, message, gateway.put_method, **arguments | changes)

    fails("NotFoundException", "Invalid Resource identifier specified", resourceId="nothing")
    fails("NotFoundException", "Invalid Resource identifier specified", restApiId="nothing")
    fails("BadRequestException", "Invalid HttpMethod specified. Valid options are GET,PUT,", httpMethod="FETCH")
    fails("BadRequestException", "requires a valid authorizer", authorizationType="CUSTOM")
    fails("BadRequestException", "Invalid authorization type", authorizationType="SOME")
    fails("BadRequestException", "Invalid Request Validator identifier specified", requestValidatorId="nothing")
    fails("BadRequestException", "Invalid model identifier specified: Pin", requestModels={"application/json": "Pin"})
    same = {"method.request.querystring.a": True, "method.request.header.a": False}
    fails("BadRequestException", "Parameter names must be unique", requestParameters=same)
    fails("BadRequestException", "Invalid mapping expression", requestParameters={"request.path.a": True})
    fails("BadRequestException", "Parameter name should match", requestParameters={"method.request.header.a[]": True})


def test_a_method_is_updated_by_patches(gateway, api, root):
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    update = lambda *patches: gateway.update_method(**method, patchOperations=sum(patches, []))
    parameter = "/requestParameters/method.request.querystring.q"
    changed = update(
        patch("replace", "/authorizationType", "AWS_IAM"),
        patch("replace", "/apiKeyRequired", "false"),
        patch("add", parameter, "true"),
        patch("add", "/requestModels/application~1json", "Empty"),
    )
    assert body(changed) == {
        "httpMethod": "GET",
        "authorizationType": "AWS_IAM",
        "apiKeyRequired": False,
        "requestParameters": {"method.request.querystring.q": True},
        "requestModels": {"application/json": "Empty"},
    }
    changed = update(patch("remove", parameter), patch("remove", "/requestModels/application~1json"))
    assert "requestParameters" not in changed and "requestModels" not in changed
    cases = [
        ("remove", parameter, None, "NotFoundException", "Invalid parameter name specified"),
        ("replace", "/requestModels/a~1b", "Empty", "NotFoundException", "Content-Type specified was not found"),
        ("add", "/requestParameters", "x", "BadRequestException", "Invalid patch path /requestParameters"),
        ("replace", "/httpMethod", "POST", "BadRequestException", "Invalid patch path /httpMethod"),
        ("remove", "/operationName", None, "BadRequestException", "Must be one of: [replace]"),
        ("replace", "/authorizationType", "CUSTOM", "BadRequestException", "requires a valid authorizer"),
    ]
    for op, path, value, code, message in cases:
        refused(code, message, gateway.update_method, **method, patchOperations=patch(op, path, value))


def test_method_responses(gateway, proxy):
    put = gateway.put_method_response(**proxy, statusCode="200", responseParameters={ORIGIN: True}, responseModels={})
    assert status(put) == 201
    assert body(put) == {"statusCode": "200", "responseParameters": {ORIGIN: True}, "responseModels": {}}
    refused("ConflictException", "Response already exists", gateway.put_method_response, **proxy, statusCode="200")
    refused("ValidationException", r"[1-5]\d\d", gateway.put_method_response, **proxy, statusCode="20")
    wrong = {"responseParameters": {"response.header.x": True}}
    refused("BadRequestException", "Invalid mapping", gateway.put_method_response, **proxy, statusCode="201", **wrong)
    operations = patch("remove", f"/responseParameters/{ORIGIN}")
    changed = gateway.update_method_response(**proxy, statusCode="200", patchOperations=operations)
    assert status(changed) == 201 and "responseParameters" not in changed
    absent = {"statusCode": "200", "patchOperations": operations}
    refused("NotFoundException", "Invalid parameter name specified", gateway.update_method_response, **proxy, **absent)
    assert body(gateway.get_method_response(**proxy, statusCode="200")) == body(changed)
    assert gateway.get_method(**proxy)["methodResponses"]["200"]["statusCode"] == "200"
    assert status(gateway.delete_method_response(**proxy, statusCode="200")) == 204
    code = "Invalid Response status code specified"
    refused("NotFoundException", code, gateway.get_method_response, **proxy, statusCode="200")
    refused("NotFoundException", code, gateway.delete_method_response, **proxy, statusCode="200")


# Integrations


def test_an_integration_has_its_defaults(gateway, proxy):
    put = gateway.put_integration(**proxy, **http_proxy())
    assert status(put) == 201
    expected = {
        "type": "HTTP_PROXY",
        "httpMethod": "ANY",
        "uri": BACKEND,
        "connectionType": "INTERNET",
        "requestParameters": {"integration.request.path.proxy": PROXY},
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": proxy["resourceId"],
        "cacheKeyParameters": [],
    }
    assert body(put) == expected
    assert body(gateway.get_integration(**proxy)) == expected
    assert gateway.get_method(**proxy)["methodIntegration"] == expected
    templates = {"application/json": '{"statusCode": 200}'}
    mock = gateway.put_integration(**proxy, type="MOCK", requestTemplates=templates)
    assert mock["requestTemplates"] == templates and "uri" not in mock and "httpMethod" not in mock


def test_what_an_integration_may_be(gateway, proxy):
    def fails(code, message, **changes):
        arguments = proxy | http_proxy(**changes)
        arguments = {name: value for name, value in arguments.items() if value is not None}
        refused(code, message, gateway.put_integration, **arguments)

    fails("NotFoundException", "Invalid Method identifier specified", httpMethod="GET")
    fails("NotFoundException", "Invalid Resource identifier specified", resourceId="nothing")
    fails("ValidationException", "HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS", type="PROXY")
    fails("BadRequestException", "HttpMethod must be non-empty", integrationHttpMethod=None)
    fails("BadRequestException", "Invalid HttpMethod specified", integrationHttpMethod="FETCH")
    endpoint = "Invalid HTTP endpoint specified for URI"
    for uri in [None, "backend.example/{proxy}", "ftp://backend.example", "http://backend.example:81/", "http:///x"]:
        fails("BadRequestException", endpoint, uri=uri)
    for timeout in [49, 29001]:
        fails("BadRequestException", "Timeout should be between 50 ms and 29000 ms", timeoutInMillis=timeout)
    fails("BadRequestException", "passthrough behavior", passthroughBehavior="SOMETIMES")
    fails("BadRequestException", "Invalid ARN", type="AWS", uri="http://backend.example")
    fails("BadRequestException", "Invalid content type specified: json", requestTemplates={"json": "{}"})
    fails("BadRequestException", "cache key parameter", cacheKeyParameters=["method.request.header.A"])


@pytest.mark.parametrize(
    ("target", "source", "error"),
    [
        ("integration.request.header.A", "method.request.header.A", "parameter specified: method.request.header.A"),
        ("integration.request.header.A", "plain", "specified: plain"),
        ("integration.request.header.A", "'a',b", "specified: 'a',b"),
        ("integration.request.header.A", '"*"', 'specified: "*"'),
        ("request.header.A", "'a'", "parameter specified: request.header.A"),
    ],
)
def test_what_is_not_a_mapping(gateway, proxy, target, source, error):
    parameters = {"integration.request.path.proxy": PROXY, target: source}
    message = "Invalid mapping expression specified: Validation Result: warnings : [], errors : ["
    message += f"Invalid mapping expression {error}]"
    arguments = proxy | http_proxy(requestParameters=parameters)
    refused("BadRequestException", message, gateway.put_integration, **arguments)


@pytest.mark.parametrize("source", ["'fixed'", "context.requestId", "stageVariables.a", "method.request.body.x", PROXY])
def test_what_is_a_mapping(gateway, proxy, source):
    parameters = {"integration.request.header.A": source}
    assert (
        gateway.put_integration(**proxy | http_proxy(requestParameters=parameters))["requestParameters"] == parameters
    )


def test_an_integration_is_updated_by_patches(gateway, proxy):
    update = lambda *patches: gateway.update_integration(**proxy, patchOperations=sum(patches, []))
    changed = update(
        patch("replace", "/uri", "https://other.example/{proxy}"),
        patch("replace", "/timeoutInMillis", "1000"),
        patch("add", "/requestParameters/integration.request.header.A", "'a'"),
        patch("add", "/requestTemplates/application~1json", "{}"),
    )
    assert (changed["uri"], changed["timeoutInMillis"]) == ("https://other.example/{proxy}", 1000)
    assert changed["requestParameters"]["integration.request.header.A"] == "'a'"
    assert changed["requestTemplates"] == {"application/json": "{}"}
    cases = [
        ("replace", "/uri", "nowhere", "BadRequestException", "Invalid HTTP endpoint specified for URI"),
        ("replace", "/timeoutInMillis", "1", "BadRequestException", "Timeout should be between"),
        ("replace", "/nonsense", "x", "BadRequestException", "Invalid patch path /nonsense"),
        ("add", "/uri", "http://a.example", "BadRequestException", "Must be one of: [replace]"),
        ("remove", "/requestTemplates/text~1xml", None, "NotFoundException", "Content-Type specified was not found"),
        ("replace", "/requestParameters/integration.request.header.B", "'b'", "NotFoundException", "parameter name"),
    ]
    for op, path, value, code, message in cases:
        with Refusal() as refusal:
            update(patch("replace", "/timeoutInMillis", "2000"), patch(op, path, value))
        assert refusal.code == code and message in refusal.message
    assert gateway.get_integration(**proxy)["timeoutInMillis"] == 1000
    assert status(gateway.delete_integration(**proxy)) == 204
    absent = "Invalid Integration identifier specified"
    refused("NotFoundException", absent, gateway.get_integration, **proxy)
    refused("NotFoundException", absent, gateway.delete_integration, **proxy)
    refused("NotFoundException", absent, gateway.put_integration_response, **proxy, statusCode="200")


def test_integration_responses(gateway, proxy):
    mapping = {"responseParameters": {ORIGIN: "'*'"}}
    put = gateway.put_integration_response
    none = "errors : [No method response exists for method.]"
    refused("BadRequestException", none, put, **proxy, statusCode="200", **mapping)
    gateway.put_method_response(**proxy, statusCode="200")
    unknown = f"Invalid mapping expression parameter specified: {ORIGIN}"
    refused("BadRequestException", unknown, put, **proxy, statusCode="200", **mapping)
    operations = patch("add", f"/responseParameters/{ORIGIN}", "true")
    gateway.update_method_response(**proxy, statusCode="200", patchOperations=operations)
    unquoted = {"responseParameters": {ORIGIN: "*"}}
    refused(
        "BadRequestException", "Invalid mapping expression specified: *", put, **proxy, statusCode="200", **unquoted
    )
    refused("ValidationException", "regular expression", put, **proxy, statusCode="wrong", **mapping)

    done = put(
        **proxy, statusCode="200", selectionPattern=r"2\d\d", responseTemplates={"application/json": ""}, **mapping
    )
    assert status(done) == 201
    assert body(done) == {
        "statusCode": "200",
        "selectionPattern": r"2\d\d",
        "responseParameters": {ORIGIN: "'*'"},
        "responseTemplates": {"application/json": None},
    }
    again = put(**proxy, statusCode="200", selectionPattern="")
    assert body(again) == {"statusCode": "200", "selectionPattern": ""}
    operations = patch("replace", "/selectionPattern", "x") + patch("add", f"/responseParameters/{ORIGIN}", "'b'")
    changed = gateway.update_integration_response(**proxy, statusCode="200", patchOperations=operations)
    assert status(changed) == 200 and changed["responseParameters"] == {ORIGIN: "'b'"}
    assert body(gateway.get_integration_response(**proxy, statusCode="200")) == body(changed)
    assert gateway.get_integration(**proxy)["integrationResponses"]["200"]["selectionPattern"] == "x"
    code = "Invalid Response status code specified"
    refused("NotFoundException", code, gateway.get_integration_response, **proxy, statusCode="404")
    assert status(gateway.delete_integration_response(**proxy, statusCode="200")) == 204
    refused("NotFoundException", code, gateway.delete_integration_response, **proxy, statusCode="200")


# Gateway responses


def test_gateway_responses(gateway, api):
    listed = gateway.get_gateway_responses(restApiId=api)["items"]
    assert len(listed) == 21 and all(response["defaultResponse"] for response in listed)
    header = {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
    put = gateway.put_gateway_response(restApiId=api, responseType="DEFAULT_4XX", responseParameters=header)
    assert status(put) == 201
    template = {"application/json": '{"message":$context.error.messageString}'}
    expected = {"responseType": "DEFAULT_4XX", "responseParameters": header, "responseTemplates": template}
    assert body(put) == expected | {"defaultResponse": False}
    inherited = gateway.get_gateway_response(restApiId=api, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert (inherited["statusCode"], inherited["responseParameters"]) == ("403", header)
    assert inherited["defaultResponse"] is True
    operations = patch("replace", "/statusCode", "444")
    arguments = {"restApiId": api, "responseType": "THROTTLED", "patchOperations": operations}
    assert gateway.update_gateway_response(**arguments)["statusCode"] == "444"

    def fails(code, message, **operation):
        arguments = {"restApiId": api, "responseType": "DEFAULT_4XX", "patchOperations": [operation]}
        refused(code, message, gateway.update_gateway_response, **arguments)

    fails("BadRequestException", "Invalid patch path /statusCode", op="add", path="/statusCode", value="500")
    fails("BadRequestException", "Invalid patch path null", op="add", value="x")
    fails("BadRequestException", "null or empty value in responseTemplates", op="add", path="/responseTemplates/a~1b")
    absent = {"op": "replace", "path": "/responseParameters/gatewayresponse.header.B", "value": "'x'"}
    fails("NotFoundException", "Invalid parameter name specified", **absent)
    unquoted = {"gatewayresponse.header.A": "*"}
    arguments = {"restApiId": api, "responseType": "DEFAULT_5XX", "responseParameters": unquoted}
    refused("BadRequestException", "specified: *", gateway.put_gateway_response, **arguments)
    refused("ValidationException", "enum", gateway.get_gateway_response, restApiId=api, responseType="FAKE")

    assert status(gateway.delete_gateway_response(restApiId=api, responseType="DEFAULT_4XX")) == 202
    undefined = "Gateway response type not defined on api"
    arguments = {"restApiId": api, "responseType": "DEFAULT_4XX"}
    refused("NotFoundException", undefined, gateway.delete_gateway_response, **arguments)


# Deployments and stages


def test_a_deployment_needs_methods_with_integrations(gateway, api, root):
    refused("BadRequestException", "doesn't contain any methods", gateway.create_deployment, restApiId=api)
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    refused("BadRequestException", "No integration defined for method", gateway.create_deployment, restApiId=api)
    refused("NotFoundException", "Invalid API identifier", gateway.create_deployment, restApiId="nothing")


def test_a_deployment_keeps_what_was_deployed(gateway, api, root, proxy):
    first = gateway.create_deployment(restApiId=api, stageName="dev", description="hash 1")
    assert status(first) == 201 and first["description"] == "hash 1"
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="AWS_IAM")
    gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    second = gateway.create_deployment(restApiId=api)
    summary = lambda of: gateway.get_deployment(restApiId=api, deploymentId=of["id"], embed=["apisummary"])[
        "apiSummary"
    ]
    any_proxy = {"/{proxy+}": {"ANY": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    assert summary(first) == any_proxy
    assert summary(second) == any_proxy | {"/": {"GET": {"authorizationType": "AWS_IAM", "apiKeyRequired": False}}}
    assert "apiSummary" not in gateway.get_deployment(restApiId=api, deploymentId=first["id"])
    listed = [deployment["id"] for deployment in gateway.get_deployments(restApiId=api)["items"]]
    assert sorted(listed) == sorted([first["id"], second["id"]])

    in_use = "Active stages pointing to this deployment must be moved or deleted"
    delete = gateway.delete_deployment
    refused("BadRequestException", in_use, delete, restApiId=api, deploymentId=first["id"])
    move = patch("replace", "/deploymentId", second["id"])
    gateway.update_stage(restApiId=api, stageName="dev", patchOperations=move)
    assert status(delete(restApiId=api, deploymentId=first["id"])) == 202
    gone = "Invalid Deployment identifier specified"
    refused("NotFoundException", gone, gateway.get_deployment, restApiId=api, deploymentId=first["id"])
    arguments = {"restApiId": api, "deploymentId": second["id"]}
    described = gateway.update_deployment(**arguments, patchOperations=patch("replace", "/description", "two"))
    assert described["description"] == "two"
    only = "specified for op 'replace'. Must be one of: [/description]"
    operations = patch("replace", "/id", "x")
    refused("BadRequestException", only, gateway.update_deployment, **arguments, patchOperations=operations)


def test_deploying_to_a_stage_again_moves_it(gateway, api, proxy):
    gateway.create_deployment(restApiId=api, stageName="dev", stageDescription="first", variables={"a": "b"})
    second = gateway.create_deployment(restApiId=api, stageName="dev")["id"]
    stage = gateway.get_stage(restApiId=api, stageName="dev")
    assert (stage["deploymentId"], stage["description"], stage["variables"]) == (second, "first", {"a": "b"})


def test_a_stage_is_made_once(gateway, api, proxy):
    deployment = gateway.create_deployment(restApiId=api)["id"]
    create = lambda name, **more: gateway.create_stage(restApiId=api, stageName=name, deploymentId=deployment, **more)
    stage = create("dev", tags={"a": "b"})
    assert status(stage) == 201
    made = body(stage)
    made.pop("createdDate"), made.pop("lastUpdatedDate")
    assert made == {
        "deploymentId": deployment,
        "stageName": "dev",
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": False,
        "tags": {"a": "b"},
    }

    def fails(code, message, name, **changes):
        arguments = {"restApiId": api, "stageName": name, "deploymentId": deployment} | changes
        refused(code, message, gateway.create_stage, **arguments)

    fails("ConflictException", "Stage already exists", "dev")
    fails("BadRequestException", "Stage name only allows", "a b")
    fails("BadRequestException", "Stage name", "x" * 129)
    fails("BadRequestException", "Deployment id does not exist", "other", deploymentId="nothing")
    fails("BadRequestException", "Invalid stage variable value", "other", variables={"a": ""})
    fails("NotFoundException", "Invalid API identifier", "other", restApiId="nothing")
    for number in range(9):
        create(f"stage_{number}")
    fails("LimitExceededException", "Maximum number of stages", "eleventh")
    names = [stage["stageName"] for stage in gateway.get_stages(restApiId=api)["item"]]
    assert names == ["dev"] + [f"stage_{number}" for number in range(9)]
    assert len(gateway.get_stages(restApiId=api, deploymentId=deployment)["item"]) == 10
    assert gateway.get_stages(restApiId=api, deploymentId="nothing")["item"] == []
    assert status(gateway.delete_stage(restApiId=api, stageName="dev")) == 202
    refused("NotFoundException", "Invalid stage identifier", gateway.get_stage, restApiId=api, stageName="dev")
    refused("NotFoundException", "Invalid stage identifier", gateway.delete_stage, restApiId=api, stageName="dev")


def test_a_stage_is_updated_by_patches(gateway, api, proxy):
    gateway.create_deployment(restApiId=api, stageName="dev")
    stage = {"restApiId": api, "stageName": "dev"}
    update = lambda *patches: gateway.update_stage(**stage, patchOperations=sum(patches, []))
    changed = update(
        patch("replace", "/description", "the stage"),
        patch("replace", "/variables/backend", "example.com"),
        patch("replace", "/*/*/throttling/burstLimit", "123"),
        patch("replace", "/~1{proxy+}/ANY/metrics/enabled", "true"),
        patch("replace", "/tracingEnabled", "true"),
    )
    assert (changed["description"], changed["tracingEnabled"]) == ("the stage", True)
    assert changed["variables"] == {"backend": "example.com"}
    assert changed["methodSettings"]["*/*"] == {
        "metricsEnabled": False,
        "dataTraceEnabled": False,
        "throttlingBurstLimit": 123,
        "throttlingRateLimit": 10000.0,
        "cachingEnabled": False,
        "cacheTtlInSeconds": 300,
        "cacheDataEncrypted": False,
        "requireAuthorizationForCacheControl": True,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    }
    assert changed["methodSettings"]["~1{proxy+}/ANY"]["metricsEnabled"] is True
    changed = update(patch("remove", "/variables/backend"), patch("remove", "/*/*"))
    assert "variables" not in changed and list(changed["methodSettings"]) == ["~1{proxy+}/ANY"]
    cases = [
        ("replace", "/stageName", "x", "Invalid method setting path: /stageName. Must be one of: [/deploymentId"),
        ("replace", "/tags/a", "x", "Invalid method setting path: /tags/a"),
        ("replace", "/deploymentId", "nothing", "Deployment id does not exist"),
        ("replace", "/*/*/logging/loglevel", "INFO", "CloudWatch Logs role ARN must be set in account settings"),
        ("remove", "/*/*", None, "Cannot remove method setting"),
        ("replace", "/*/*/throttling/burstLimit", "many", "send a number"),
    ]
    for op, path, value, message in cases:
        operations = patch(op, path, value)
        refused("BadRequestException", message, gateway.update_stage, **stage, patchOperations=operations)


# Keys and usage plans


def test_api_keys(gateway):
    created = gateway.create_api_key(name="pins-key", description="for pins", tags={"a": "b"})
    assert status(created) == 201
    assert created["enabled"] is False and len(created["value"]) >= 20 and created["stageKeys"] == []
    key = created["id"]
    assert "value" not in gateway.get_api_key(apiKey=key)
    assert gateway.get_api_key(apiKey=key, includeValue=True)["value"] == created["value"]
    listed = gateway.get_api_keys(nameQuery="pins-", includeValues=True)["items"]
    assert [item["value"] for item in listed if item["id"] == key] == [created["value"]]
    assert gateway.get_api_keys(nameQuery="ins-")["items"] == []
    enabled = gateway.update_api_key(apiKey=key, patchOperations=patch("replace", "/enabled", "true"))
    assert enabled["enabled"] is True and enabled["tags"] == {"a": "b"} and "value" not in enabled
    operations = patch("replace", "/value", "x" * 20)
    refused("BadRequestException", "Must be one of", gateway.update_api_key, apiKey=key, patchOperations=operations)
    refused("BadRequestException", "at least 20 characters", gateway.create_api_key, name="x", value="short")
    refused("ConflictException", "API Key already exists", gateway.create_api_key, value=created["value"])
    assert status(gateway.delete_api_key(apiKey=key)) == 202
    refused("NotFoundException", "Invalid API Key identifier specified", gateway.get_api_key, apiKey=key)


def test_usage_plans(gateway, api, proxy):
    gateway.create_deployment(restApiId=api, stageName="dev")
    stages = [{"apiId": api, "stage": "dev"}]
    quota = {"limit": 10, "offset": 0, "period": "DAY"}
    throttle = {"burstLimit": 1, "rateLimit": 2.0}
    created = gateway.create_usage_plan(name="pins", apiStages=stages, quota=quota, throttle=throttle)
    assert status(created) == 201
    plan = created["id"]
    expected = {"id": plan, "name": "pins", "apiStages": stages, "quota": quota, "throttle": throttle}
    assert body(created) == expected
    assert body(gateway.get_usage_plan(usagePlanId=plan)) == expected | {"tags": {}}
    create = gateway.create_usage_plan
    absent = [{"apiId": api, "stage": "prod"}]
    refused("NotFoundException", f"API Stage not found: {api}:prod", create, name="x", apiStages=absent)
    wrong = quota | {"offset": 1}
    refused("BadRequestException", "quota offset must be zero in the DAY period", create, name="x", quota=wrong)

    key = gateway.create_api_key(name="k", enabled=True)
    added = gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    assert status(added) == 201
    assert body(added) == {"id": key["id"], "type": "API_KEY", "value": key["value"], "name": "k"}
    assert gateway.get_usage_plan_key(usagePlanId=plan, keyId=key["id"])["value"] == key["value"]
    add = gateway.create_usage_plan_key
    refused("ConflictException", "", add, usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    refused("NotFoundException", "Invalid API Key", add, usagePlanId=plan, keyId="nothing", keyType="API_KEY")
    assert [item["id"] for item in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]] == [key["id"]]
    assert [item["id"] for item in gateway.get_usage_plans(keyId=key["id"])["items"]] == [plan]
    other = create(name="other", apiStages=stages)["id"]
    refused("ConflictException", "", add, usagePlanId=other, keyId=key["id"], keyType="API_KEY")

    delete = gateway.delete_usage_plan
    message = f"Cannot delete Usage Plan {plan} because there are API Stages associated with it, including {api}:dev"
    refused("BadRequestException", message, delete, usagePlanId=plan)
    operations = patch("replace", "/throttle/burstLimit", "7") + patch("remove", "/apiStages", f"{api}:dev")
    changed = gateway.update_usage_plan(usagePlanId=plan, patchOperations=operations)
    assert changed["throttle"]["burstLimit"] == 7 and changed["apiStages"] == []
    update = gateway.update_usage_plan
    operations = patch("remove", "/apiStages", f"{api}:dev")
    refused("NotFoundException", "API Stage not found", update, usagePlanId=plan, patchOperations=operations)
    operations = patch("remove", f"/apiStages/{api}:dev")
    refused("BadRequestException", "Must be one of: [/apiStages", update, usagePlanId=plan, patchOperations=operations)
    operations = patch("add", "/apiStages", f"{api}:dev")
    update(usagePlanId=other, patchOperations=patch("remove", "/apiStages", f"{api}:dev"))
    assert update(usagePlanId=plan, patchOperations=operations)["apiStages"] == stages

    # A stage that goes leaves its plans.
    gateway.delete_stage(restApiId=api, stageName="dev")
    assert gateway.get_usage_plan(usagePlanId=plan)["apiStages"] == []
    assert status(gateway.delete_usage_plan_key(usagePlanId=plan, keyId=key["id"])) == 202
    refused("NotFoundException", "", gateway.get_usage_plan_key, usagePlanId=plan, keyId=key["id"])
    assert status(delete(usagePlanId=plan)) == 202
    delete(usagePlanId=other)
    refused("NotFoundException", "Invalid Usage Plan ID specified", gateway.get_usage_plan, usagePlanId=plan)
    gateway.delete_api_key(apiKey=key["id"])


# Tags


def test_everything_that_has_an_arn_is_tagged(gateway, api, proxy):
    gateway.create_deployment(restApiId=api, stageName="dev")
    key, plan = gateway.create_api_key()["id"], gateway.create_usage_plan(name="p")["id"]
    region = gateway.meta.region_name
    paths = [f"/restapis/{api}", f"/restapis/{api}/stages/dev", f"/apikeys/{key}", f"/usageplans/{plan}"]
    for path in paths:
        arn = f"arn:aws:apigateway:{region}::{path}"
        assert status(gateway.tag_resource(resourceArn=arn, tags={"pipeline:name": "p", "b": "c"})) == 204
        assert gateway.get_tags(resourceArn=arn)["tags"] == {"pipeline:name": "p", "b": "c"}
        assert status(gateway.untag_resource(resourceArn=arn, tagKeys=["b", "not there"])) == 204
        assert gateway.get_tags(resourceArn=arn)["tags"] == {"pipeline:name": "p"}
        refused("BadRequestException", "aws:", gateway.tag_resource, resourceArn=arn, tags={"aws:a": "b"})
    assert gateway.get_rest_api(restApiId=api)["tags"] == {"pipeline:name": "p"}
    absent = f"arn:aws:apigateway:{region}::/restapis/nothing"
    refused("NotFoundException", "Invalid API identifier", gateway.get_tags, resourceArn=absent)
    refused("BadRequestException", "ARN", gateway.get_tags, resourceArn="arn:aws:s3:::bucket")
    gateway.delete_api_key(apiKey=key)
    gateway.delete_usage_plan(usagePlanId=plan)


def test_an_api_goes_with_all_that_it_has(gateway, api, proxy):
    gateway.create_deployment(restApiId=api, stageName="dev")
    plan = gateway.create_usage_plan(name="p", apiStages=[{"apiId": api, "stage": "dev"}])["id"]
    gateway.delete_rest_api(restApiId=api)
    refused("NotFoundException", "Invalid API identifier", gateway.get_resources, restApiId=api)
    refused("NotFoundException", "Invalid API identifier", gateway.get_stages, restApiId=api)
    refused("NotFoundException", "Invalid Resource identifier", gateway.get_method, **proxy)
    assert gateway.get_usage_plan(usagePlanId=plan)["apiStages"] == []
    gateway.delete_usage_plan(usagePlanId=plan)


def test_a_policy_comes_back_escaped(gateway):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    created = gateway.create_rest_api(name="x", policy=policy)
    assert json.loads(json.loads(f'"{created["policy"]}"')) == json.loads(policy)
    refused("BadRequestException", "Invalid policy document", gateway.create_rest_api, name="x", policy="{")
    gateway.delete_rest_api(restApiId=created["id"])


def test_a_body_of_another_shape_is_refused(client, gateway, api, proxy):
    # botocore checks types before it sends: the request is changed on its way out.
    def spoil(request, **_):
        request.data = json.dumps({"type": "MOCK", "requestParameters": {"integration.request.header.A": True}})

    loose = client("apigateway")
    loose.meta.events.register("before-sign.apigateway.PutIntegration", spoil)
    with Refusal() as refusal:
        loose.put_integration(**proxy, type="MOCK")
    assert refusal.code == "SerializationException"
