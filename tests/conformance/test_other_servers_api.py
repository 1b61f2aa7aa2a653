"""The REST API, on servers that others wrote."""

import pytest

BACKEND = "http://backend.example:8082"
STAGE = "dev"
ORIGIN = "Access-Control-Allow-Origin"

NO_UPDATE_OF_METHODS = pytest.mark.lacks("moto", "has no UpdateMethod")
# It takes the tool long to give up, and once is enough to see.
NOR_HERE = pytest.mark.lacks("moto", "has no UpdateMethod", run=False)
TEXT_FOR_BOOLEANS = pytest.mark.lacks("ministack", "answers with a text where a patch set a boolean")


@pytest.fixture
def gateway(bench):
    return bench.client("apigateway")


@pytest.fixture
def api(bench, unique):
    """What a manifest declares of an API."""
    return {"name": unique("api"), "backend": BACKEND, "stage": STAGE, "cors": True, "authorization": "none"}


def patch(op, path, value=None):
    return [{"op": op, "path": path} | ({} if value is None else {"value": value})]


def methods(gateway, api):
    """The methods of /{proxy+}, with all that is in them, and the arguments that name the resource."""
    items = gateway.get_resources(restApiId=api, embed=["methods"], limit=500)["items"]
    [proxy] = [item for item in items if item["path"] == "/{proxy+}"]
    return proxy["resourceMethods"], {"restApiId": api, "resourceId": proxy["id"]}


def served(gateway, api):
    """The deployment that the stage serves."""
    return gateway.get_stage(restApiId=api, stageName=STAGE)["deploymentId"]


def deployments(gateway, api):
    return {deployment["id"] for deployment in gateway.get_deployments(restApiId=api)["items"]}


def point_elsewhere(gateway, name):
    """Passes requests to another backend."""
    parameters = {"integration.request.path.proxy": "method.request.path.proxy"}
    uri = "http://else.example:1024/{proxy}"
    gateway.put_integration(
        **name,
        httpMethod="ANY",
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri=uri,
        requestParameters=parameters,
        timeoutInMillis=29_000,
    )


def close(gateway, name):
    """Lets only those call who are allowed to."""
    gateway.delete_method(**name, httpMethod="ANY")
    parameters = {"method.request.path.proxy": True}
    gateway.put_method(**name, httpMethod="ANY", authorizationType="AWS_IAM", requestParameters=parameters)


class TestOurOwn:
    @pytest.mark.parametrize("cors", [True, False], ids=["cors", "no-cors"])
    @pytest.mark.parametrize("authorization", ["none", "aws_iam", "api_key"])
    def test_comes_as_declared_and_goes_without_a_trace(self, bench, gateway, api, authorization, cors):
        before = bench.server.inventory()
        bench.declare(api={**api, "authorization": authorization, "cors": cors})
        assert bench.planned() == {f"create rest_api/{api['name']}"}
        bench.settle()
        outputs = bench.outputs()
        there = gateway.get_rest_api(restApiId=outputs["api_id"])
        assert there["name"] == api["name"]
        assert (there["tags"]["pipeline:name"], there["tags"]["pipeline:environment"]) == (bench.name, "test")
        assert outputs["invoke_url"] == f"https://{there['id']}.execute-api.us-east-1.amazonaws.com/{STAGE}"
        found, _ = methods(gateway, there["id"])
        assert set(found) == ({"ANY", "OPTIONS"} if cors else {"ANY"})
        assert found["ANY"]["authorizationType"] == ("AWS_IAM" if authorization == "aws_iam" else "NONE")
        assert found["ANY"].get("apiKeyRequired", False) == (authorization == "api_key")
        assert found["ANY"]["methodIntegration"]["uri"] == f"{BACKEND}/{{proxy}}"
        if cors:
            headers = found["OPTIONS"]["methodIntegration"]["integrationResponses"]["200"]["responseParameters"]
            assert headers[f"method.response.header.{ORIGIN}"] == "'*'"
        assert deployments(gateway, there["id"]) == {served(gateway, there["id"])}
        bench.destroy()
        assert bench.server.inventory() == before

    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({"backend": "http://other.example:8082"}, {"integration.uri", "deployment"}),
            ({"cors": False}, {"cors.preflight", "cors.allow_origin", "cors.DEFAULT_4XX", "deployment"}),
            pytest.param({"authorization": "aws_iam"}, {"method.ANY.authorization", "deployment"}, marks=NOR_HERE),
            pytest.param(
                {"authorization": "api_key"},
                {"method.ANY.api_key_required", "api_key", "usage_plan.stages", "deployment"},
                marks=[NOR_HERE, TEXT_FOR_BOOLEANS],
            ),
            ({"stage": "prod"}, {"stage"}),
        ],
        ids=["backend", "cors", "aws_iam", "api_key", "stage"],
    )
    def test_becomes_what_a_changed_manifest_declares(self, bench, gateway, api, changes, fields):
        before = bench.server.inventory()
        bench.declare(api=api)
        bench.settle()
        id = bench.outputs()["api_id"]
        old = served(gateway, id)
        bench.declare(api={**api, **changes})
        assert bench.changes() >= fields
        bench.settle()
        assert bench.outputs()["api_id"] == id
        stages = {stage["stageName"]: stage["deploymentId"] for stage in gateway.get_stages(restApiId=id)["item"]}
        [deployment] = deployments(gateway, id)
        assert stages == {changes.get("stage", STAGE): deployment}
        assert (deployment == old) == ("stage" in changes)
        bench.declare(api=api)
        bench.settle()
        bench.destroy()
        assert bench.server.inventory() == before

    @pytest.mark.parametrize(
        ("change", "fields"),
        [
            (point_elsewhere, {"integration.uri"}),
            pytest.param(close, {"method.ANY.authorization"}, marks=NO_UPDATE_OF_METHODS),
            (
                lambda gateway, name: gateway.delete_method(**name, httpMethod="ANY"),
                {"method.ANY.authorization", "integration.uri"},
            ),
            (lambda gateway, name: gateway.delete_method(**name, httpMethod="OPTIONS"), {"cors.preflight"}),
            (
                lambda gateway, name: gateway.put_integration_response(
                    **name,
                    httpMethod="OPTIONS",
                    statusCode="200",
                    responseParameters={f"method.response.header.{ORIGIN}": "'https://one.example'"},
                ),
                {"cors.allow_origin"},
            ),
            (lambda gateway, name: gateway.delete_resource(**name), {"integration.uri", "cors.preflight"}),
            (
                lambda gateway, name: gateway.delete_gateway_response(
                    restApiId=name["restApiId"], responseType="DEFAULT_4XX"
                ),
                {"cors.DEFAULT_4XX"},
            ),
        ],
        ids=["integration", "authorization", "method", "preflight", "header", "resource", "gateway-response"],
    )
    def test_drift_is_shown_and_repaired(self, bench, gateway, api, change, fields):
        before = bench.server.inventory()
        bench.declare(api=api)
        bench.settle()
        id = bench.outputs()["api_id"]
        _, name = methods(gateway, id)
        change(gateway, name)
        assert bench.changes() >= fields
        bench.settle()
        found, _ = methods(gateway, id)
        assert found["ANY"]["methodIntegration"]["uri"] == f"{BACKEND}/{{proxy}}"
        bench.destroy()
        assert bench.server.inventory() == before

    def test_a_deployment_of_somebody_else_is_replaced(self, bench, gateway, api):
        bench.declare(api=api)
        bench.settle()
        id = bench.outputs()["api_id"]
        gateway.create_deployment(restApiId=id, stageName=STAGE, description="by hand")
        assert bench.changes() == {"deployment"}
        bench.settle()
        assert gateway.get_deployment(restApiId=id, deploymentId=served(gateway, id)).get("description") != "by hand"
        bench.destroy()

    def test_a_stage_that_is_gone_is_made_again(self, bench, gateway, api):
        bench.declare(api=api)
        bench.settle()
        id = bench.outputs()["api_id"]
        gateway.delete_stage(restApiId=id, stageName=STAGE)
        assert bench.changes() >= {"stage"}
        bench.settle()
        assert served(gateway, id)
        bench.destroy()

    def test_one_that_is_gone_is_made_again(self, bench, gateway, api):
        bench.declare(api=api)
        bench.settle()
        id = bench.outputs()["api_id"]
        gateway.delete_rest_api(restApiId=id)
        assert bench.planned() == {f"create rest_api/{api['name']}"}
        bench.settle()
        assert bench.outputs()["api_id"] != id
        bench.destroy()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            pytest.param(
                lambda gateway, key, plan, stage: gateway.update_api_key(
                    apiKey=key, patchOperations=patch("replace", "/enabled", "false")
                ),
                "api_key",
                marks=TEXT_FOR_BOOLEANS,
            ),
            (lambda gateway, key, plan, stage: gateway.delete_api_key(apiKey=key), "api_key"),
            (lambda gateway, key, plan, stage: gateway.delete_usage_plan_key(usagePlanId=plan, keyId=key), "api_key"),
            pytest.param(
                lambda gateway, key, plan, stage: gateway.update_usage_plan(
                    usagePlanId=plan, patchOperations=patch("remove", "/apiStages", stage)
                ),
                "usage_plan.stages",
                marks=pytest.mark.lacks("ministack", "puts a text in the place of a usage plan's stages"),
            ),
        ],
        ids=["disabled", "gone", "unlinked", "uncovered"],
    )
    def test_drift_of_its_key_is_shown_and_repaired(self, bench, gateway, api, change, field):
        before = bench.server.inventory()
        bench.declare(api={**api, "authorization": "api_key"})
        bench.settle()
        id = bench.outputs()["api_id"]
        [key] = [key["id"] for key in gateway.get_api_keys(nameQuery=api["name"])["items"]]
        [plan] = [plan["id"] for plan in gateway.get_usage_plans()["items"] if plan["name"] == api["name"]]
        change(gateway, key, plan, f"{id}:{STAGE}")
        assert field in bench.changes()
        bench.settle()
        bench.destroy()
        assert bench.server.inventory() == before

    def test_one_of_somebody_else_with_its_name_is_left_alone(self, bench, gateway, api):
        theirs = gateway.create_rest_api(name=api["name"])["id"]
        bench.declare(api=api)
        [reason] = bench.refusals()
        assert theirs in reason
        bench.destroy()
        assert gateway.get_rest_api(restApiId=theirs)["name"] == api["name"]


class TestSomebodyElses:
    @pytest.fixture
    def make(self, gateway, unique):
        """make({"a": "b"}) is the id of an API with these tags that exists without the tool, with a resource and a stage."""

        def api(tags):
            id = gateway.create_rest_api(name=unique("theirs"), tags={"owner": "them", **tags})["id"]
            [root] = gateway.get_resources(restApiId=id)["items"]
            resource = gateway.create_resource(restApiId=id, parentId=root["id"], pathPart="health")["id"]
            method = {"restApiId": id, "resourceId": resource, "httpMethod": "GET"}
            gateway.put_method(**method, authorizationType="NONE")
            gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
            gateway.put_method_response(**method, statusCode="200")
            gateway.put_integration_response(**method, statusCode="200")
            gateway.create_deployment(restApiId=id, stageName="theirs", description="theirs")
            return id

        return api

    @pytest.fixture
    def theirs(self, make):
        return make({})

    @pytest.fixture
    def marked(self, bench, make):
        """One that has our mark, and nothing else of ours yet: a run was killed."""
        return make({f"pipeline:{bench.name}:test": "0" * 64})

    @staticmethod
    def contents(gateway, id):
        """All that is in an API."""
        resources = gateway.get_resources(restApiId=id, embed=["methods"], limit=500)["items"]
        stages = gateway.get_stages(restApiId=id)["item"]
        return {
            "tags": gateway.get_rest_api(restApiId=id).get("tags"),
            "resources": sorted(resources, key=lambda resource: resource["path"]),
            "stages": {stage["stageName"]: stage["deploymentId"] for stage in stages},
            "deployments": deployments(gateway, id),
            "errors": [
                error["responseType"]
                for error in gateway.get_gateway_responses(restApiId=id).get("items", [])
                if not error.get("defaultResponse")
            ],
        }

    @pytest.mark.lacks("moto", "tags no APIs that exist already")
    @pytest.mark.lacks("ministack", "shows an API without the tags that TagResource gave it")
    def test_is_marked_before_anything_and_loses_the_mark_again(self, bench, gateway, theirs):
        before, inventory = self.contents(gateway, theirs), bench.server.inventory()
        bench.declare(api={"id": theirs, "backend": BACKEND, "stage": STAGE, "cors": True})
        assert bench.planned() == {f"update rest_api/{theirs}"}
        bench.settle()
        assert self.contents(gateway, theirs)["tags"].keys() == {"owner", f"pipeline:{bench.name}:test"}
        bench.destroy()
        assert self.contents(gateway, theirs) == before
        assert bench.server.inventory() == inventory

    @pytest.mark.parametrize("authorization", ["none", "aws_iam", "api_key"])
    def test_gets_our_part_and_loses_it_again(self, bench, gateway, marked, authorization):
        before, inventory = self.contents(gateway, marked), bench.server.inventory()
        bench.declare(
            api={"id": marked, "backend": BACKEND, "stage": STAGE, "cors": True, "authorization": authorization}
        )
        assert bench.planned() == {f"update rest_api/{marked}"}
        bench.settle()
        there = self.contents(gateway, marked)
        assert [resource["path"] for resource in there["resources"]] == ["/", "/health", "/{proxy+}"]
        assert there["stages"].keys() == {"theirs", STAGE} and there["stages"]["theirs"] == before["stages"]["theirs"]
        assert there["errors"] == ["DEFAULT_4XX", "DEFAULT_5XX"]
        assert bench.outputs()["api_id"] == marked
        bench.run("destroy", "--yes")
        after = self.contents(gateway, marked)
        before.pop("tags"), after.pop("tags")
        assert after == before
        assert bench.server.inventory() == inventory

    def test_drift_of_ours_is_repaired_and_theirs_is_none_of_our_business(self, bench, gateway, marked):
        bench.declare(api={"id": marked, "backend": BACKEND, "stage": STAGE, "cors": True})
        bench.settle()
        point_elsewhere(gateway, methods(gateway, marked)[1])
        assert "integration.uri" in bench.changes()
        bench.settle()
        gateway.create_deployment(restApiId=marked, stageName="another")
        assert not bench.planned()
        bench.run("destroy", "--yes")
        assert self.contents(gateway, marked)["stages"].keys() == {"theirs", "another"}

    def test_with_a_proxy_or_a_stage_of_its_own_is_refused(self, bench, gateway, theirs):
        declared = {"id": theirs, "backend": BACKEND, "stage": "theirs"}
        bench.declare(api=declared)
        [reason] = bench.refusals()
        assert "it has a stage theirs that is not this pipeline's" in reason
        root = next(item["id"] for item in gateway.get_resources(restApiId=theirs)["items"] if item["path"] == "/")
        gateway.create_resource(restApiId=theirs, parentId=root, pathPart="{proxy+}")
        bench.declare(api={**declared, "stage": STAGE})
        [reason] = bench.refusals()
        assert "it has a resource /{proxy+} that is not this pipeline's" in reason
        before = self.contents(gateway, theirs)
        bench.destroy()
        assert self.contents(gateway, theirs) == before

    def test_must_exist(self, bench):
        bench.declare(api={"id": "a1b2c3d4e5", "backend": BACKEND, "stage": STAGE})
        [reason] = bench.refusals()
        assert "there is no REST API a1b2c3d4e5" in reason
