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


def strict(client):
    """The client, failing on every reply that has a member, an enum value or a time that its model doesn't."""

    def check(response_dict, operation_model, **_):
        if response_dict["status_code"] < 300 and response_dict["body"]:
            unknown = _unknown(json.loads(response_dict["body"]), operation_model.output_shape, operation_model.name)
            assert not unknown, unknown

    client.meta.events.register("before-parse", check)
    return client


def _unknown(value, shape, path):
    if shape is None:
        return [path] if value else []
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        if not isinstance(value, dict):
            return [f"{path} is no structure"]
        return [
            found
            for name, inner in value.items()
            for found in (_unknown(inner, members[name], f"{path}.{name}") if name in members else [f"{path}.{name}"])
        ]
    if shape.type_name == "list":
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [found for inner in value for found in _unknown(inner, shape.member, f"{path}[]")]
    if shape.type_name == "map":
        return [found for key, inner in value.items() for found in _unknown(inner, shape.value, f"{path}[{key}]")]
    kinds = {"string": str, "timestamp": str, "integer": int, "long": int, "double": (int, float), "boolean": bool}
    if not isinstance(value, kinds[shape.type_name]):
        return [f"{path} is no {shape.type_name}: {value!r}"]
    if shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path} is none of {shape.enum}: {value!r}"]
    return []
