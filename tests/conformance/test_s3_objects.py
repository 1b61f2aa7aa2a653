"""S3's objects: put, read, copied and deleted, under conditions and with checksums, through boto3."""

import base64
import concurrent.futures
import datetime
import hashlib
import time
import urllib.error
import urllib.request

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import raw
from refusals import refused

# botocore must not be before the server in finding a request wrong, nor sign with what is of old.
LOOSE = Config(parameter_validation=False, signature_version="s3v4")
DIGITS = b"123456789"
# The check values of the algorithms' definitions, which are those of DIGITS.
SUMS = {
    "CRC32": bytes.fromhex("cbf43926"),
    "CRC32C": bytes.fromhex("e3069283"),
    "CRC64NVME": bytes.fromhex("ae8b14860a799888"),
    "SHA1": hashlib.sha1(DIGITS).digest(),
    "SHA256": hashlib.sha256(DIGITS).digest(),
}
AWKWARD = [
    "topics/0a1b.pin/partition=0/0a1b.pin+0+0000000000.json",
    "a b/c%20d%2Bé世",
    "x//y/./../z",
    "/leading",
    "trailing/",
    "<&>\"'\t!*()~",
    "?query=1&more#fragment",
    "k" * 1024,
]


@pytest.fixture(scope="module")
def s3(client):
    return client("s3", config=LOOSE)


@pytest.fixture(scope="module")
def shared(s3):
    """The name of a bucket that all tests put objects into."""
    s3.create_bucket(Bucket="conformance-objects")
    return "conformance-objects"


@pytest.fixture
def place(shared, unique):
    """The arguments that name an object that isn't there."""
    return {"Bucket": shared, "Key": unique("object")}


def sum_of(algorithm):
    return base64.b64encode(SUMS[algorithm]).decode()


def etag(contents):
    return f'"{hashlib.md5(contents).hexdigest()}"'


def contents(s3, place, **how):
    return s3.get_object(**place, **how)["Body"].read()


class TestContents:
    def test_come_back_as_they_were_put(self, s3, place):
        described = {
            "Metadata": {"sha256": "0123", "plain": "1 2"},
            "ContentType": "application/zip",
            "ContentEncoding": "identity",
            "ContentDisposition": "attachment",
            "ContentLanguage": "en",
            "CacheControl": "no-cache",
        }
        put = s3.put_object(**place, Body=DIGITS, **described)
        assert put["ETag"] == etag(DIGITS)
        read = s3.get_object(**place)
        head = s3.head_object(**place)
        assert read["Body"].read() == DIGITS
        for reply in (read, head):
            assert {key: reply[key] for key in described} == described
            assert (reply["ETag"], reply["ContentLength"], reply["AcceptRanges"]) == (etag(DIGITS), 9, "bytes")
            assert abs(reply["LastModified"] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)

    def test_are_replaced(self, s3, place):
        s3.put_object(**place, Body=b"long and old", Metadata={"a": "1"}, ContentType="text/plain")
        s3.put_object(**place, Body=b"new")
        read = s3.get_object(**place)
        assert (read["Body"].read(), read["Metadata"], read["ContentType"]) == (b"new", {}, "binary/octet-stream")

    def test_may_be_empty_or_large(self, s3, place):
        s3.put_object(**place, Body=b"")
        assert contents(s3, place) == b"" and s3.head_object(**place)["ContentLength"] == 0
        large = bytes(range(256)) * 4 * 1024 * 20
        s3.put_object(**place, Body=large)
        assert contents(s3, place) == large

    @pytest.mark.parametrize("key", AWKWARD)
    def test_have_keys_of_any_characters(self, s3, unique, key):
        bucket = unique("bucket")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert contents(s3, {"Bucket": bucket, "Key": key}) == key.encode()
        for listed in (s3.list_objects, s3.list_objects_v2):
            assert [entry["Key"] for entry in listed(Bucket=bucket)["Contents"]] == [key]
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
        assert [entry["Key"] for entry in deleted["Deleted"]] == [key, "copy"]
        s3.delete_bucket(Bucket=bucket)

    def test_keys_are_no_paths(self, s3, place):
        under = {**place, "Key": f"{place['Key']}/under"}
        s3.put_object(**under, Body=b"2")
        s3.put_object(**place, Body=b"1")
        assert (contents(s3, place), contents(s3, under)) == (b"1", b"2")
        s3.delete_object(**place)
        assert contents(s3, under) == b"2"

    def test_a_key_has_a_longest_length(self, s3, shared):
        with refused("KeyTooLongError", 400):
            s3.put_object(Bucket=shared, Key="k" * 1025, Body=b"")

    def test_that_are_not_there_are_refused(self, s3, place):
        with refused("NoSuchKey", 404, "The specified key does not exist."):
            s3.get_object(**place)
        with refused("404", 404):
            s3.head_object(**place)
        nowhere = {"Bucket": "no-such-bucket-at-all", "Key": "x"}
        for call in (s3.get_object, s3.delete_object, lambda **where: s3.put_object(**where, Body=b"x")):
            with refused("NoSuchBucket", 404):
                call(**nowhere)


class TestRanges:
    @pytest.mark.parametrize(
        ("range", "part", "told"),
        [
            ("bytes=0-3", b"1234", "bytes 0-3/9"),
            ("bytes=5-", b"6789", "bytes 5-8/9"),
            ("bytes=-2", b"89", "bytes 7-8/9"),
            ("bytes=8-100", b"9", "bytes 8-8/9"),
        ],
    )
    def test_are_read(self, s3, place, range, part, told):
        s3.put_object(**place, Body=DIGITS)
        read = s3.get_object(**place, Range=range)
        assert (read["Body"].read(), read["ContentRange"], read["ContentLength"]) == (part, told, len(part))
        assert read["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert s3.head_object(**place, Range=range)["ContentRange"] == told

    def test_beyond_the_end_are_refused(self, s3, place):
        s3.put_object(**place, Body=DIGITS)
        with refused("InvalidRange", 416, "The requested range is not satisfiable"):
            s3.get_object(**place, Range="bytes=9-")


class TestConditions:
    def test_of_reads(self, s3, place):
        s3.put_object(**place, Body=DIGITS)
        hour = datetime.timedelta(hours=1)
        now = datetime.datetime.now(datetime.UTC)
        assert contents(s3, place, IfMatch=etag(DIGITS), IfUnmodifiedSince=now - hour) == DIGITS
        assert contents(s3, place, IfNoneMatch='"other"', IfModifiedSince=now + hour) == DIGITS
        for failing in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": now - hour}):
            with refused("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"):
                s3.get_object(**place, **failing)
        for same in ({"IfNoneMatch": etag(DIGITS)}, {"IfModifiedSince": now + hour}):
            with refused("304", 304):
                s3.get_object(**place, **same)

    def test_of_writes(self, s3, place):
        with refused("NoSuchKey", 404):
            s3.put_object(**place, Body=b"2", IfMatch=etag(b"1"))
        s3.put_object(**place, Body=b"1", IfNoneMatch="*")
        with refused("PreconditionFailed", 412):
            s3.put_object(**place, Body=b"2", IfNoneMatch="*")
        with refused("PreconditionFailed", 412):
            s3.put_object(**place, Body=b"2", IfMatch=etag(b"0"))
        assert contents(s3, place) == b"1"
        s3.put_object(**place, Body=b"2", IfMatch=etag(b"1"))
        assert contents(s3, place) == b"2"
        with refused("NotImplemented", 501):
            s3.put_object(**place, Body=b"3", IfNoneMatch=etag(b"1"))

    def test_of_deletes(self, s3, place):
        s3.put_object(**place, Body=b"1")
        with refused("PreconditionFailed", 412):
            s3.delete_object(**place, IfMatch=etag(b"0"))
        s3.delete_object(**place, IfMatch=etag(b"1"))
        with refused("404", 404):
            s3.head_object(**place)

    def test_let_one_of_many_writers_win(self, s3, place):
        def write(number):
            try:
                s3.put_object(**place, Body=str(number).encode(), IfNoneMatch="*")
            except ClientError as error:
                return error.response["Error"]["Code"]
            return str(number).encode()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(write, range(8)))
        assert ends.count("PreconditionFailed") == 7
        assert contents(s3, place) in ends


class TestCopies:
    def test_take_contents_and_metadata_along(self, s3, place, unique):
        s3.put_object(**place, Body=DIGITS, Metadata={"a": "1"}, ContentType="text/plain")
        bucket = unique("bucket")
        s3.create_bucket(Bucket=bucket)
        copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=place)
        assert copied["CopyObjectResult"]["ETag"] == etag(DIGITS)
        s3.delete_object(**place)
        read = s3.get_object(Bucket=bucket, Key="copy")
        assert (read["Body"].read(), read["Metadata"], read["ContentType"]) == (DIGITS, {"a": "1"}, "text/plain")

    def test_take_others_where_they_are_replaced(self, s3, place):
        s3.put_object(**place, Body=DIGITS, Metadata={"a": "1"}, ContentType="text/plain")
        with refused("InvalidRequest", 400, "trying to copy an object to itself without changing"):
            s3.copy_object(**place, CopySource=place)
        s3.copy_object(**place, CopySource=place, MetadataDirective="REPLACE", Metadata={"b": "2"})
        read = s3.get_object(**place)
        assert (read["Body"].read(), read["Metadata"]) == (DIGITS, {"b": "2"})

    def test_have_conditions(self, s3, place):
        s3.put_object(**place, Body=DIGITS)
        copy = {**place, "Key": place["Key"] + "-copy", "CopySource": place}
        for failing in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": etag(DIGITS)}):
            with refused("PreconditionFailed", 412):
                s3.copy_object(**copy, **failing)
        s3.copy_object(**copy, CopySourceIfMatch=etag(DIGITS))

    def test_of_nothing_are_refused(self, s3, place):
        target = {**place, "Key": place["Key"] + "-copy"}
        with refused("NoSuchKey", 404):
            s3.copy_object(**target, CopySource=place)
        with refused("NoSuchBucket", 404):
            s3.copy_object(**target, CopySource={"Bucket": "no-such-bucket-at-all", "Key": "x"})


class TestDeleting:
    def test_what_is_not_there_is_no_error(self, s3, place):
        assert s3.delete_object(**place)["ResponseMetadata"]["HTTPStatusCode"] == 204

    def test_several_at_once(self, s3, place):
        bucket, stem = place["Bucket"], place["Key"]
        for number in range(3):
            s3.put_object(Bucket=bucket, Key=f"{stem}-{number}", Body=str(number).encode())
        objects = [
            {"Key": f"{stem}-0"},
            {"Key": f"{stem}-1", "ETag": etag(b"other")},
            {"Key": f"{stem}-nothing"},
        ]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        assert [entry["Key"] for entry in answer["Deleted"]] == [f"{stem}-0", f"{stem}-nothing"]
        [error] = answer["Errors"]
        assert (error["Key"], error["Code"]) == (f"{stem}-1", "PreconditionFailed")
        quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"{stem}-2"}], "Quiet": True})
        assert "Deleted" not in quiet and "Errors" not in quiet
        left = s3.list_objects_v2(Bucket=bucket, Prefix=stem)
        assert [entry["Key"] for entry in left["Contents"]] == [f"{stem}-1"]

    @pytest.mark.parametrize("count", [0, 1001])
    def test_not_none_and_not_too_many(self, s3, shared, count):
        with refused("MalformedXML", 400):
            s3.delete_objects(Bucket=shared, Delete={"Objects": [{"Key": str(number)} for number in range(count)]})


class TestChecksums:
    @pytest.mark.parametrize("algorithm", SUMS)
    def test_are_checked_and_kept(self, s3, place, algorithm):
        name = f"Checksum{algorithm}"
        put = s3.put_object(**place, Body=DIGITS, **{name: sum_of(algorithm)})
        assert put[name] == sum_of(algorithm)
        head = s3.head_object(**place, ChecksumMode="ENABLED")
        assert (head[name], head["ChecksumType"]) == (sum_of(algorithm), "FULL_OBJECT")
        assert name not in s3.head_object(**place)
        [listed] = s3.list_objects_v2(Bucket=place["Bucket"], Prefix=place["Key"])["Contents"]
        assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")
        wrong = base64.b64encode(bytes(len(SUMS[algorithm]))).decode()
        with refused("BadDigest", 400, f"The {algorithm} you specified did not match the calculated checksum."):
            s3.put_object(**place, Body=b"other", **{name: wrong})
        assert contents(s3, place) == DIGITS

    @pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
    def test_are_made_by_the_client(self, s3, place, algorithm):
        s3.put_object(**place, Body=DIGITS, ChecksumAlgorithm=algorithm)
        # boto3 verifies it while it reads.
        read = s3.get_object(**place, ChecksumMode="ENABLED")
        assert read[f"Checksum{algorithm}"] == sum_of(algorithm) and read["Body"].read() == DIGITS

    def test_of_md5(self, s3, place):
        md5 = lambda contents: base64.b64encode(hashlib.md5(contents).digest()).decode()
        s3.put_object(**place, Body=DIGITS, ContentMD5=md5(DIGITS))
        with refused("BadDigest", 400, "The Content-MD5 you specified did not match what we received."):
            s3.put_object(**place, Body=b"other", ContentMD5=md5(DIGITS))
        with refused("InvalidDigest", 400, "The Content-MD5 you specified was invalid."):
            s3.put_object(**place, Body=b"other", ContentMD5="none")
        assert contents(s3, place) == DIGITS

    def test_in_a_trailer(self, sandbox, s3, place):
        put_with_trailer(sandbox, place, DIGITS, sum_of("CRC32C"), 200)
        head = s3.head_object(**place, ChecksumMode="ENABLED")
        assert head["ChecksumCRC32C"] == sum_of("CRC32C") and contents(s3, place) == DIGITS
        reply = put_with_trailer(sandbox, place, b"987654321", sum_of("CRC32C"), 400)
        assert reply.xml()["Code"] == "BadDigest"
        assert contents(s3, place) == DIGITS

    def test_of_the_body_that_is_signed(self, sandbox, s3, place):
        target = f"/{place['Bucket']}/{place['Key']}"
        signed = raw.sign(sandbox, "s3", "PUT", target, body=DIGITS)
        reply = raw.send(sandbox, "PUT", target, body=b"987654321", headers=signed)
        assert (reply.status, reply.xml()["Code"]) == (400, "XAmzContentSHA256Mismatch")
        with refused("404", 404):
            s3.head_object(**place)


def put_with_trailer(sandbox, place, contents, checksum, status):
    """Puts an object as SDKs stream one: in chunks, with its checksum after them."""
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(contents)),
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32c:%s\r\n\r\n" % (len(contents), contents, checksum.encode())
    target = f"/{place['Bucket']}/{place['Key']}"
    reply = raw.call(sandbox, "s3", "PUT", target, body=body, headers=headers, trailer=True)
    assert reply.status == status, reply.body
    return reply


class TestPresignedUrls:
    def test_let_anybody_read_and_write(self, s3, place):
        put = s3.generate_presigned_url("put_object", Params={**place, "ContentType": "text/plain"})
        request = urllib.request.Request(put, DIGITS, {"Content-Type": "text/plain"}, method="PUT")
        with urllib.request.urlopen(request) as reply:
            assert (reply.status, reply.headers["ETag"]) == (200, etag(DIGITS))
        get = s3.generate_presigned_url("get_object", Params={**place, "Range": "bytes=0-2"})
        with urllib.request.urlopen(urllib.request.Request(get, headers={"Range": "bytes=0-2"})) as reply:
            assert reply.read() == b"123"

    def test_hold_for_what_they_were_made_for_alone(self, s3, place):
        s3.put_object(**place, Body=DIGITS)
        url = s3.generate_presigned_url("get_object", Params=place)
        assert answered(url) == (200, None)
        assert answered(url, method="DELETE") == (403, "SignatureDoesNotMatch")
        assert answered(url.replace(place["Key"], "other")) == (403, "SignatureDoesNotMatch")
        assert answered(url + "&versionId=1") == (403, "SignatureDoesNotMatch")
        assert answered(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200")) == (403, "SignatureDoesNotMatch")

    def test_end(self, s3, place):
        s3.put_object(**place, Body=DIGITS)
        url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=1)
        # Dates are whole seconds, so the second begins up to one before now.
        time.sleep(2.1)
        assert answered(url) == (403, "AccessDenied")
        too_long = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=604_801)
        assert answered(too_long)[0] == 400

    def test_of_who_has_no_key_are_refused(self, client, place):
        wrong = client("s3", {"AccessKeyId": "PIPELINESANDBOX00000", "SecretAccessKey": "guess"}, config=LOOSE)
        assert answered(wrong.generate_presigned_url("get_object", Params=place)) == (403, "SignatureDoesNotMatch")
        nobody = client("s3", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "guess"}, config=LOOSE)
        assert answered(nobody.generate_presigned_url("get_object", Params=place)) == (403, "InvalidAccessKeyId")


def answered(url, method="GET"):
    """The status, and the error's code, of a request by URL alone."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as reply:
            return reply.status, None
    except urllib.error.HTTPError as error:
        return error.code, raw.Reply(error.code, error.headers, error.read()).xml()["Code"]
