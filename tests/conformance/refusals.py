"""What the sandbox must refuse, and how."""

import contextlib

import pytest
from botocore.exceptions import ClientError


@contextlib.contextmanager
def refused(code, status, message=None):
    """The block must fail with that error code and HTTP status, and with that text within its message."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), response
    if message is not None:
        assert message in response["Error"]["Message"]
