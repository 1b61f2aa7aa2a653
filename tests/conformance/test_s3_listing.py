"""S3's listings: pages, prefixes, delimiters, and names that are URL-encoded on the wire, through boto3."""

import pytest
from botocore.config import Config

import raw
from refusals import refused

LOOSE = Config(parameter_validation=False)
# What the sink writes: the plus is the character that naive decoding turns into a space.
SINK = [
    f"topics/0a1b.pin/partition={partition}/0a1b.pin+{partition}+{offset:010}.json"
    for partition in (0, 1)
    for offset in (0, 1, 2)
]
ODD = ["a b.json", "c&d=<e>.json", "é/世.json", "f%2Bg.json"]


@pytest.fixture(scope="module")
def s3(client):
    return client("s3", config=LOOSE)


@pytest.fixture(scope="module")
def bucket(s3):
    """The name of a bucket with all the keys."""
    s3.create_bucket(Bucket="conformance-listing")
    for number, key in enumerate([*SINK, *ODD]):
        s3.put_object(Bucket="conformance-listing", Key=key, Body=b"x" * number)
    return "conformance-listing"


def keys(page):
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes(page):
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def in_order(names):
    """As S3 sorts them."""
    return sorted(names, key=str.encode)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
class TestBothVersions:
    def test_names_come_back_as_they_are(self, s3, bucket, operation):
        page = getattr(s3, operation)(Bucket=bucket)
        assert keys(page) == in_order([*SINK, *ODD])
        assert page["IsTruncated"] is False and page["Name"] == bucket and page["MaxKeys"] == 1000
        [first] = [entry for entry in page["Contents"] if entry["Key"] == SINK[1]]
        assert (first["Size"], first["StorageClass"]) == (1, "STANDARD")
        assert first["ETag"] == '"9dd4e461268c8034f5c8564e155c67a6"'

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
    def test_pages_have_every_name_once(self, s3, bucket, operation, size):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}))
        assert [key for page in pages for key in keys(page)] == in_order([*SINK, *ODD])
        assert all(len(keys(page)) == size for page in pages[:-1])
        assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]

    @pytest.mark.parametrize("size", [1, 2, 1000])
    def test_delimiters_make_groups_that_come_once(self, s3, bucket, operation, size):
        paginate = lambda **how: list(
            s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}, **how
            )
        )
        pages = paginate()
        assert sorted(name for page in pages for name in prefixes(page)) == ["topics/", "é/"]
        assert [key for page in pages for key in keys(page)] == in_order(key for key in ODD if "/" not in key)
        pages = paginate(Prefix="topics/0a1b.pin/")
        groups = [name for page in pages for name in prefixes(page)]
        assert groups == ["topics/0a1b.pin/partition=0/", "topics/0a1b.pin/partition=1/"]
        assert [key for page in pages for key in keys(page)] == []

    def test_prefixes_and_delimiters_are_any_text(self, s3, bucket, operation):
        listing = getattr(s3, operation)
        assert keys(listing(Bucket=bucket, Prefix="topics/0a1b.pin/partition=1/0a1b.pin+1+")) == SINK[3:]
        page = listing(Bucket=bucket, Prefix="topics/", Delimiter="+")
        assert prefixes(page) == [f"topics/0a1b.pin/partition={partition}/0a1b.pin+" for partition in (0, 1)]
        assert page["Delimiter"] == "+" and page["Prefix"] == "topics/"
        assert keys(listing(Bucket=bucket, Prefix="nothing")) == []

    def test_a_page_may_be_empty_and_is_never_longer_than_a_thousand(self, s3, bucket, operation):
        listing = getattr(s3, operation)
        none = listing(Bucket=bucket, MaxKeys=0)
        assert (keys(none), none["IsTruncated"]) == ([], False)
        assert listing(Bucket=bucket, MaxKeys=2000)["MaxKeys"] == 1000
        with refused("InvalidArgument", 400):
            listing(Bucket=bucket, MaxKeys=-1)

    def test_the_encoding_must_be_one(self, s3, bucket, operation):
        with refused("InvalidArgument", 400, "Invalid Encoding Method specified in Request"):
            getattr(s3, operation)(Bucket=bucket, EncodingType="base64")


class TestVersionOne:
    def test_begins_after_a_marker(self, s3, bucket):
        page = s3.list_objects(Bucket=bucket, Marker=SINK[2], MaxKeys=2)
        assert keys(page) == SINK[3:5] and page["Marker"] == SINK[2] and "NextMarker" not in page
        grouped = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=4)
        assert grouped["NextMarker"] == "topics/"
        assert all(entry["Owner"]["ID"] for entry in page["Contents"])


class TestVersionTwo:
    def test_begins_after_a_key_and_counts(self, s3, bucket):
        page = s3.list_objects_v2(Bucket=bucket, StartAfter=SINK[2], MaxKeys=2)
        assert keys(page) == SINK[3:5] and (page["KeyCount"], page["StartAfter"]) == (2, SINK[2])
        rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
        assert keys(rest)[0] == SINK[5] and rest["ContinuationToken"] == page["NextContinuationToken"]
        with refused("InvalidArgument", 400, "The continuation token provided is incorrect"):
            s3.list_objects_v2(Bucket=bucket, ContinuationToken="?")

    def test_tells_the_owner_where_asked(self, s3, bucket):
        assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
        assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


# The first has no key of its own in the query.
VERSIONS = {"1": "?max-keys=1000", "2": "?list-type=2"}


class TestOnTheWire:
    @pytest.mark.parametrize("version", ["1", "2"])
    def test_names_are_encoded_where_that_is_asked_for(self, sandbox, bucket, version):
        target = f"/{bucket}{VERSIONS[version]}&prefix=topics&encoding-type=url"
        body = raw.call(sandbox, "s3", "GET", target).body.decode()
        assert "<EncodingType>url</EncodingType>" in body
        assert "<Key>topics/0a1b.pin/partition%3D0/0a1b.pin%2B0%2B0000000000.json</Key>" in body
        odd = raw.call(sandbox, "s3", "GET", f"/{bucket}{VERSIONS[version]}&encoding-type=url").body.decode()
        for key in ("a+b.json", "c%26d%3D%3Ce%3E.json", "f%252Bg.json", "%C3%A9/%E4%B8%96.json"):
            assert f"<Key>{key}</Key>" in odd

    @pytest.mark.parametrize("version", ["1", "2"])
    def test_and_left_alone_where_it_is_not(self, sandbox, bucket, version):
        body = raw.call(sandbox, "s3", "GET", f"/{bucket}{VERSIONS[version]}").body.decode()
        assert "EncodingType" not in body
        for key in (SINK[0], "a b.json", "c&amp;d=&lt;e&gt;.json", "f%2Bg.json", "é/世.json"):
            assert f"<Key>{key}</Key>" in body
