"""Requests that no client would send: signed by botocore's signers, changed after that or not, and sent as they are."""

import dataclasses
import http.client
import urllib.parse
import xml.etree.ElementTree

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclasses.dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def xml(self):
        """The body's elements by their names without namespace, of which the last counts."""
        root = xml.etree.ElementTree.fromstring(self.body)
        return {element.tag.rpartition("}")[2]: element.text for element in root.iter()}


def sign(sandbox, service, method, target, *, body=b"", headers=None, region="us-east-1", keys=None, trailer=False):
    """The headers of a signed request; with a trailer, S3's body is left out of the signature."""
    exports = sandbox.exports
    key_id, secret, token = keys or (exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"], None)
    request = AWSRequest(method=method, url=sandbox.endpoint + target, data=body, headers=headers or {})
    if trailer:
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(key_id, secret, token), service, region).add_auth(request)
    return dict(request.headers.items())


def send(sandbox, method, target, *, body=b"", headers=None, timeout=30):
    """Sends a request as it is."""
    address = urllib.parse.urlsplit(sandbox.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


def call(sandbox, service, method, target, *, body=b"", headers=None, **options):
    """Signs a request, and sends it."""
    signed = sign(sandbox, service, method, target, body=body, headers=headers, **options)
    return send(sandbox, method, target, body=body, headers=signed)
