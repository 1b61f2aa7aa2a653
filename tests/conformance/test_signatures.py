"""Who calls: requests that are unsigned, signed wrongly, too old or changed on the way, in each protocol's words."""

import contextlib
import datetime
import json

import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.config import Config

import raw
from refusals import refused

# A call of each service that changes nothing and needs nothing.
CALLS = {
    "apigateway": lambda client: client.get_rest_apis(),
    "iam": lambda client: client.list_roles(),
    "kafka": lambda client: client.list_clusters_v2(),
    "kafkaconnect": lambda client: client.list_connectors(),
    "s3": lambda client: client.list_buckets(),
    "sts": lambda client: client.get_caller_identity(),
}
FAMILY = {"apigateway": "json", "iam": "query", "kafka": "json", "kafkaconnect": "json", "s3": "s3", "sts": "query"}
SERVICES = pytest.mark.parametrize("service", CALLS)

UNSIGNED_CALL = {
    "json": ("MissingAuthenticationTokenException", 403),
    "query": ("MissingAuthenticationToken", 403),
    "s3": ("AccessDenied", 403),
}
MISMATCH = {
    "json": ("InvalidSignatureException", 403),
    "query": ("SignatureDoesNotMatch", 403),
    "s3": ("SignatureDoesNotMatch", 403),
}
UNKNOWN_KEY = {
    "json": ("UnrecognizedClientException", 403),
    "query": ("InvalidClientTokenId", 403),
    "s3": ("InvalidAccessKeyId", 403),
}
UNKNOWN_TOKEN = {
    "json": ("UnrecognizedClientException", 403),
    "query": ("InvalidClientTokenId", 403),
    "s3": ("InvalidToken", 400),
}
SKEWED = {
    "json": ("InvalidSignatureException", 403),
    "query": ("SignatureDoesNotMatch", 403),
    "s3": ("RequestTimeTooSkewed", 403),
}
INCOMPLETE = {
    "json": ("IncompleteSignatureException", 400),
    "query": ("IncompleteSignature", 400),
    "s3": ("AuthorizationHeaderMalformed", 400),
}
SCOPE = {
    "json": ("InvalidSignatureException", 403),
    "query": ("SignatureDoesNotMatch", 403),
    "s3": ("AuthorizationHeaderMalformed", 400),
}


def told(client, service, how, message=None):
    """Makes the service's call, which must be refused as its family of services does it."""
    code, status = how[FAMILY[service]]
    with refused(code, status, message):
        CALLS[service](client)


def keys(sandbox, **changes):
    mine = {
        "AccessKeyId": sandbox.exports["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": sandbox.exports["AWS_SECRET_ACCESS_KEY"],
    }
    return {**mine, **changes}


@contextlib.contextmanager
def clock_off_by(**amount):
    """The signers' clock."""
    real = botocore.auth.get_current_datetime
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: real() + datetime.timedelta(**amount))
        yield


def changed(client, change):
    """The client, whose signed requests are changed on their way."""
    client.meta.events.register_first("before-send", lambda request, **_: change(request))
    return client


@SERVICES
class TestEveryService:
    def test_lets_in_who_signs_right(self, client, service):
        assert CALLS[service](client(service))["ResponseMetadata"]["HTTPStatusCode"] == 200

    def test_refuses_who_does_not_sign(self, client, service):
        told(client(service, config=Config(signature_version=UNSIGNED)), service, UNSIGNED_CALL)

    def test_refuses_a_wrong_secret(self, client, sandbox, service):
        guess = client(service, keys(sandbox, SecretAccessKey="guess"))
        told(guess, service, MISMATCH, "The request signature we calculated does not match the signature you provided.")

    def test_refuses_a_key_that_nobody_has(self, client, sandbox, service):
        told(client(service, keys(sandbox, AccessKeyId="AKIAIOSFODNN7EXAMPLE")), service, UNKNOWN_KEY)

    def test_refuses_a_token_that_is_not_the_keys(self, client, sandbox, service):
        told(client(service, keys(sandbox, SessionToken="token")), service, UNKNOWN_TOKEN)
        session = client("sts").get_session_token()["Credentials"]
        assert CALLS[service](client(service, session))
        told(client(service, {**session, "SessionToken": session["SessionToken"] + "x"}), service, UNKNOWN_TOKEN)
        told(client(service, {**session, "SessionToken": None}), service, UNKNOWN_TOKEN)

    @pytest.mark.parametrize(
        ("minutes", "message"), [(-20, "Signature expired: "), (20, "Signature not yet current: ")]
    )
    def test_refuses_a_clock_that_is_wrong(self, client, service, minutes, message):
        with clock_off_by(minutes=minutes):
            told(client(service), service, SKEWED, message if FAMILY[service] != "s3" else "too large")

    @pytest.mark.parametrize("minutes", [-4, 4])
    def test_lets_clocks_differ_a_little(self, client, service, minutes):
        with clock_off_by(minutes=minutes):
            CALLS[service](client(service))

    def test_refuses_a_header_that_was_changed(self, client, service):
        def change(request):
            request.headers["x-amz-date"] = request.headers["x-amz-date"][:-3].decode() + "99Z"

        def set_date_a_second_later(request):
            date = datetime.datetime.strptime(request.headers["x-amz-date"].decode(), "%Y%m%dT%H%M%SZ")
            request.headers["x-amz-date"] = (date + datetime.timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")

        told(changed(client(service), set_date_a_second_later), service, MISMATCH)
        told(changed(client(service), change), service, INCOMPLETE)

    def test_refuses_a_query_that_was_changed(self, client, service):
        def change(request):
            request.url += ("&" if "?" in request.url else "?") + "added=1"

        told(changed(client(service), change), service, MISMATCH)

    def test_refuses_a_signature_that_is_not_whole(self, client, service):
        def without(part):
            def change(request):
                fields = request.headers["Authorization"].decode().removeprefix("AWS4-HMAC-SHA256 ").split(", ")
                request.headers["Authorization"] = "AWS4-HMAC-SHA256 " + ", ".join(
                    field for field in fields if not field.startswith(part)
                )

            return change

        for part in ("Credential", "SignedHeaders", "Signature"):
            told(
                changed(client(service), without(part)),
                service,
                INCOMPLETE,
                f"Authorization header requires '{part}' parameter.",
            )

    def test_refuses_a_scope_that_is_none(self, client, service):
        def replaced(old, new):
            def change(request):
                request.headers["Authorization"] = request.headers["Authorization"].decode().replace(old, new)

            return change

        told(
            changed(client(service), replaced("/aws4_request", "")),
            service,
            SCOPE,
            "exactly 5 slash-delimited elements",
        )
        day = datetime.datetime.now(datetime.UTC).strftime("/%Y%m%d/")
        told(
            changed(client(service), replaced(day, "/19990101/")),
            service,
            SCOPE,
            "Date in Credential scope does not match",
        )


class TestBodies:
    @pytest.mark.parametrize("service", ["iam", "sts"])
    def test_of_forms_are_signed(self, client, service):
        def change(request):
            request.body += "&Marker=x"
            request.headers["Content-Length"] = str(len(request.body))

        told(changed(client(service), change), service, MISMATCH)

    def test_of_json_are_signed(self, client, unique):
        def change(request):
            request.body = request.body.replace(b"first", b"other")

        gateway, name = changed(client("apigateway"), change), unique("api")
        with refused("InvalidSignatureException", 403):
            gateway.create_rest_api(name=name, description="first")
        pages = client("apigateway").get_paginator("get_rest_apis").paginate()
        assert name not in [api["name"] for page in pages for api in page["items"]]


class TestS3Alone:
    """Which has rules of its own for what must be signed."""

    def test_wants_its_headers_signed(self, client):
        def change(request):
            request.headers["x-amz-meta-slipped-in"] = "1"

        with refused("AccessDenied", 403, "There were headers present in the request which were not signed"):
            CALLS["s3"](changed(client("s3"), change))

    def test_wants_to_know_what_the_body_hashes_to(self, sandbox):
        headers = raw.sign(sandbox, "s3", "GET", "/")
        without = {name: value for name, value in headers.items() if name.lower() != "x-amz-content-sha256"}
        reply = raw.send(sandbox, "GET", "/", headers=without)
        assert (reply.status, reply.xml()["Code"]) == (400, "InvalidRequest")
        assert "x-amz-content-sha256" in reply.xml()["Message"]

    @pytest.mark.parametrize("minutes", [-10, 10])
    def test_lets_clocks_differ_more(self, client, minutes):
        with clock_off_by(minutes=minutes):
            CALLS["s3"](client("s3"))

    def test_refuses_the_signatures_of_old(self, client):
        with refused("InvalidRequest", 400, "Please use AWS4-HMAC-SHA256."):
            CALLS["s3"](client("s3", config=Config(signature_version="s3")))

    def test_a_refused_body_is_read_to_its_end(self, client, sandbox):
        guess = client("s3", keys(sandbox, SecretAccessKey="guess"))
        with refused("SignatureDoesNotMatch", 403):
            guess.put_object(Bucket="conformance-signatures", Key="x", Body=bytes(5_000_000))


class TestPresignedCalls:
    def test_are_let_in(self, sandbox, client):
        url = client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
        reply = raw.send(sandbox, "GET", url.removeprefix(sandbox.endpoint))
        assert (reply.status, reply.xml()["Arn"]) == (200, "arn:aws:iam::000000000000:user/sandbox")

    def test_end(self, sandbox, client):
        with clock_off_by(seconds=-120):
            url = client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        reply = raw.send(sandbox, "GET", url.removeprefix(sandbox.endpoint))
        assert (reply.status, reply.xml()["Code"], reply.xml()["Message"]) == (
            403,
            "SignatureDoesNotMatch",
            "Signature expired",
        )


class TestErrorsOnTheWire:
    def test_of_json_services(self, sandbox):
        for target in ("/v1/connectors", "/restapis", "/api/v2/clusters"):
            reply = raw.send(sandbox, "GET", target)
            assert (reply.status, reply.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
            assert json.loads(reply.body) == {"message": "Missing Authentication Token"}
            assert reply.headers["content-type"] == "application/json" and reply.headers["x-amzn-requestid"]

    @pytest.mark.parametrize(("service", "version"), [("iam", "2010-05-08"), ("sts", "2011-06-15")])
    def test_of_query_services(self, sandbox, service, version):
        form = {"content-type": "application/x-www-form-urlencoded"}
        body = f"Action=Nothing&Version={version}".encode()
        reply = raw.call(sandbox, service, "POST", "/", body=body, headers=form)
        error = reply.xml()
        assert (reply.status, error["Type"], error["Code"]) == (400, "Sender", "InvalidAction")
        assert f'<ErrorResponse xmlns="https://{service}.amazonaws.com/doc/{version}/">' in reply.body.decode()
        assert error["RequestId"] == reply.headers["x-amzn-requestid"]

    def test_of_s3(self, sandbox):
        reply = raw.send(sandbox, "GET", "/bucket/key")
        error = reply.xml()
        assert (reply.status, error["Code"], error["Message"]) == (403, "AccessDenied", "Access Denied")
        assert (
            reply.headers["x-amz-request-id"] == error["RequestId"]
            and reply.headers["content-type"] == "application/xml"
        )

    def test_of_services_that_the_sandbox_has_not(self, client):
        with refused("UnknownOperationException", 404, "the sandbox has no service lambda"):
            client("lambda").list_functions()
