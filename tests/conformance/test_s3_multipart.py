"""S3's multipart uploads, through boto3."""

import base64
import concurrent.futures
import hashlib
import io

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from refusals import refused

LOOSE = Config(parameter_validation=False)
MEBIBYTE = 1024 * 1024
# The smallest that is allowed before the last.
PART = bytes(range(256)) * 4 * 1024 * 5
LAST = b"the end"


@pytest.fixture(scope="module")
def s3(client):
    return client("s3", config=LOOSE)


@pytest.fixture
def place(s3, unique):
    """The arguments that name an object in a bucket of its own."""
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    return {"Bucket": bucket, "Key": "topics/x+0+1.bin"}


@pytest.fixture
def upload(s3, place):
    """The arguments that name an upload that has begun."""
    return {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}


def put(s3, upload, number, body, **how):
    tag = s3.upload_part(**upload, PartNumber=number, Body=body, **how)["ETag"]
    return {"PartNumber": number, "ETag": tag}


def complete(s3, upload, parts, **how):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **how)


def tag_of(*parts):
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


def test_parts_become_one_object(s3, place):
    described = {"Metadata": {"sha256": "0123"}, "ContentType": "application/zip"}
    begun = s3.create_multipart_upload(**place, **described)
    assert (begun["Bucket"], begun["Key"]) == (place["Bucket"], place["Key"])
    upload = {**place, "UploadId": begun["UploadId"]}
    # In any order, and one of them twice.
    last = put(s3, upload, 7, LAST)
    put(s3, upload, 2, b"to be replaced")
    first = put(s3, upload, 2, PART)
    with refused("404", 404):
        s3.head_object(**place)
    ended = complete(s3, upload, [first, last])
    assert (ended["Bucket"], ended["Key"], ended["ETag"]) == (place["Bucket"], place["Key"], tag_of(PART, LAST))
    read = s3.get_object(**place)
    assert read["Body"].read() == PART + LAST
    assert (read["ETag"], read["ContentLength"]) == (tag_of(PART, LAST), len(PART + LAST))
    assert {key: read[key] for key in described} == described
    across = s3.get_object(**place, Range=f"bytes={len(PART) - 2}-{len(PART) + 1}")
    assert across["Body"].read() == PART[-2:] + LAST[:2]
    for gone in (s3.list_parts, s3.abort_multipart_upload):
        with refused("NoSuchUpload", 404):
            gone(**upload)


def test_a_transfer_is_many_parts_at_once(s3, place, tmp_path):
    contents = PART * 3 + LAST
    config = TransferConfig(multipart_threshold=MEBIBYTE, multipart_chunksize=5 * MEBIBYTE, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(contents), place["Bucket"], place["Key"], Config=config)
    assert s3.head_object(**place)["ETag"] == tag_of(PART, PART, PART, LAST)
    s3.download_file(place["Bucket"], place["Key"], str(tmp_path / "file"), Config=config)
    assert (tmp_path / "file").read_bytes() == contents


def test_uploads_and_parts_are_listed_in_pages(s3, place):
    keys = ["a", "a", "b+c", "d"]
    begun = [(key, s3.create_multipart_upload(**{**place, "Key": key})["UploadId"]) for key in keys]
    pages = list(
        s3.get_paginator("list_multipart_uploads").paginate(Bucket=place["Bucket"], PaginationConfig={"PageSize": 2})
    )
    listed = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page["Uploads"]]
    assert len(pages) == 2 and listed == sorted(begun)
    under = s3.list_multipart_uploads(Bucket=place["Bucket"], Prefix="b+")["Uploads"]
    assert [entry["Key"] for entry in under] == ["b+c"]
    upload = {**place, "Key": "d", "UploadId": begun[3][1]}
    for number in (3, 1, 2):
        put(s3, upload, number, b"x" * number)
    pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}))
    listed = [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]]
    assert len(pages) == 2 and listed == [(1, 1), (2, 2), (3, 3)]


def test_an_aborted_upload_is_gone(s3, place, upload):
    part = put(s3, upload, 1, LAST)
    assert s3.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=place["Bucket"])
    for late in (
        lambda: put(s3, upload, 2, LAST),
        lambda: complete(s3, upload, [part]),
        lambda: s3.abort_multipart_upload(**upload),
        lambda: s3.list_parts(**upload),
    ):
        with refused("NoSuchUpload", 404, "The specified upload does not exist."):
            late()


def test_an_upload_is_of_one_object(s3, upload):
    with refused("NoSuchUpload", 404):
        s3.upload_part(**{**upload, "Key": "other"}, PartNumber=1, Body=LAST)


@pytest.mark.parametrize("number", [0, 10_001])
def test_parts_have_numbers_from_1_to_10000(s3, upload, number):
    with refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive"):
        put(s3, upload, number, LAST)


def test_a_completion_lists_what_is_there(s3, upload):
    small, last = put(s3, upload, 1, LAST), put(s3, upload, 2, LAST)
    for parts, code in (
        ([], "MalformedXML"),
        ([last, small], "InvalidPartOrder"),
        ([{**last, "PartNumber": 3}], "InvalidPart"),
        ([{**last, "ETag": '"0"'}], "InvalidPart"),
        ([small, last], "EntityTooSmall"),
    ):
        with refused(code, 400):
            complete(s3, upload, parts)
    # Nothing of that has ended it.
    assert complete(s3, upload, [last])["ETag"] == tag_of(LAST)


def test_a_completion_may_have_conditions(s3, place, upload):
    part = put(s3, upload, 1, LAST)
    s3.put_object(**place, Body=b"1")
    with refused("PreconditionFailed", 412):
        complete(s3, upload, [part], IfNoneMatch="*")
    s3.delete_object(**place)
    complete(s3, upload, [part], IfNoneMatch="*")
    assert s3.get_object(**place)["Body"].read() == LAST


def test_parts_are_copied(s3, place, upload):
    source = {**place, "Key": "source+1"}
    s3.put_object(**source, Body=PART + LAST)
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]["ETag"]
    end = f"bytes={len(PART)}-{len(PART) + len(LAST) - 1}"
    ranged = s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange=end)["CopyPartResult"][
        "ETag"
    ]
    complete(s3, upload, [{"PartNumber": 1, "ETag": copied}, {"PartNumber": 2, "ETag": ranged}])
    assert s3.get_object(**place)["Body"].read() == PART + LAST + LAST
    again = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    for wrong in (f"bytes=0-{len(PART + LAST)}", "bytes=1-", "1-2"):
        with refused("InvalidArgument", 400):
            s3.upload_part_copy(**again, PartNumber=1, CopySource=source, CopySourceRange=wrong)
    with refused("PreconditionFailed", 412):
        s3.upload_part_copy(**again, PartNumber=1, CopySource=source, CopySourceIfMatch='"other"')
    with refused("NoSuchKey", 404):
        s3.upload_part_copy(**again, PartNumber=1, CopySource={**place, "Key": "nothing"})


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_checksums_are_of_the_parts_checksums(s3, place, algorithm):
    name = f"Checksum{algorithm}"
    begun = s3.create_multipart_upload(**place, ChecksumAlgorithm=algorithm)
    assert begun["ChecksumAlgorithm"] == algorithm
    upload = {**place, "UploadId": begun["UploadId"]}
    parts = []
    for number, body in enumerate((PART, LAST), 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": answer["ETag"], name: answer[name]})
    with refused("InvalidPart", 400):
        complete(s3, upload, [{**parts[0], name: parts[1][name]}, parts[1]])
    ended = complete(s3, upload, parts)
    assert ended["ChecksumType"] == "COMPOSITE" and ended[name].endswith("-2")
    head = s3.head_object(**place, ChecksumMode="ENABLED")
    assert head[name] == ended[name]
    if algorithm == "SHA256":
        digests = b"".join(hashlib.sha256(body).digest() for body in (PART, LAST))
        assert ended[name] == base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"


def test_a_parts_checksum_is_checked(s3, upload):
    with refused("BadDigest", 400):
        s3.upload_part(**upload, PartNumber=1, Body=LAST, ChecksumSHA256=base64.b64encode(bytes(32)).decode())
    assert "Parts" not in s3.list_parts(**upload)


def test_uploads_of_one_object_do_not_mix(s3, place):
    def run(number):
        upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
        body = str(number).encode() * 10
        complete(s3, upload, [put(s3, upload, 1, body)])
        return body

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(run, range(4)))
    assert s3.get_object(**place)["Body"].read() in bodies
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=place["Bucket"])
