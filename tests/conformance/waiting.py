"""Waiting until something is so, and checking that replies have only what botocore's models know."""

import json
import socket
import time
import urllib.parse

from botocore.exceptions import ClientError


def eventually(read, holds, seconds=15):
    """Reads until it holds, and returns what was read; fails with the last reading."""
    deadline = time.monotonic() + seconds
    while True:
        reading = read()
        if holds(reading):
            return reading
        assert time.monotonic() < deadline, reading
        time.sleep(0.05)


def answering(url, seconds=15):
    """The URL of a server, once it takes connections."""
    address = urllib.parse.urlsplit(url)
    eventually(lambda: _connects(address.hostname, address.port), bool, seconds)
    return url


def _connects(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def once_known(call, seconds=15):
    """Makes a call that names a new user or role as principal, until IAM has heard of it; returns the answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except ClientError as error:
            early = "Invalid principal" in error.response["Error"]["Message"] and time.monotonic() < deadline
            if not early:
                raise
        time.sleep(0.05)


KINDS = {
    "string": str,
    "blob": str,
    "timestamp": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "boolean": bool,
}


def strict(client):
    """The client, failing on every reply that has a member, an enum value or a time that its model doesn't."""
    # JSON 1.1 has its times in seconds.
    rpc = client.meta.service_model.metadata["protocol"] == "json"
    kinds = {**KINDS, "timestamp": (int, float)} if rpc else KINDS

    def check(response_dict, operation_model, **_):
        if response_dict["status_code"] < 300 and response_dict["body"]:
            body = json.loads(response_dict["body"])
            unknown = _unknown(body, operation_model.output_shape, operation_model.name, kinds)
            assert not unknown, unknown

    client.meta.events.register("before-parse", check)
    return client


def _unknown(value, shape, path, kinds):
    if shape is None:
        return [path] if value else []
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        if not isinstance(value, dict):
            return [f"{path} is no structure"]
        return [
            found
            for name, inner in value.items()
            for found in (
                _unknown(inner, members[name], f"{path}.{name}", kinds) if name in members else [f"{path}.{name}"]
            )
        ]
    if shape.type_name == "list":
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [found for inner in value for found in _unknown(inner, shape.member, f"{path}[]", kinds)]
    if shape.type_name == "map":
        return [
            found for key, inner in value.items() for found in _unknown(inner, shape.value, f"{path}[{key}]", kinds)
        ]
    if not isinstance(value, kinds[shape.type_name]):
        return [f"{path} is no {shape.type_name}: {value!r}"]
    if shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path} is none of {shape.enum}: {value!r}"]
    return []
