"""S3's buckets: where they are, whose names they may have, their tags, and how they go, through boto3."""

import datetime

import pytest
from botocore.config import Config

import raw
from refusals import refused

# botocore must not be before the server in finding a request wrong, nor go to another region by itself.
LOOSE = Config(parameter_validation=False)
TAGS = [{"Key": "pipeline:name", "Value": "pinterest & co"}, {"Key": "empty", "Value": ""}]


@pytest.fixture(scope="module")
def s3(client):
    return client("s3", config=LOOSE)


@pytest.fixture(scope="module")
def elsewhere(client):
    """S3 as a client of eu-west-1 has it."""
    return client("s3", config=LOOSE, region_name="eu-west-1")


@pytest.fixture
def bucket(s3, unique):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


def located(region):
    return {"LocationConstraint": region}


class TestLife:
    def test_is_created_looked_at_listed_and_deleted(self, s3, unique):
        name = unique("bucket")
        created = s3.create_bucket(Bucket=name)
        assert (created["ResponseMetadata"]["HTTPStatusCode"], created["Location"]) == (200, f"/{name}")
        assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
        assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
        [listed] = [bucket for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] == name]
        age = datetime.datetime.now(datetime.UTC) - listed["CreationDate"]
        assert abs(age) < datetime.timedelta(minutes=1)
        deleted = s3.delete_bucket(Bucket=name)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        with refused("404", 404):
            s3.head_bucket(Bucket=name)
        for call in (
            s3.delete_bucket,
            s3.get_bucket_location,
            s3.get_bucket_tagging,
            s3.list_objects,
            s3.list_objects_v2,
        ):
            with refused("NoSuchBucket", 404, "The specified bucket does not exist"):
                call(Bucket=name)

    def test_is_not_deleted_with_objects_in_it(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="kept/x", Body=b"1")
        with refused("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"):
            s3.delete_bucket(Bucket=bucket)
        assert s3.get_object(Bucket=bucket, Key="kept/x")["Body"].read() == b"1"
        s3.delete_object(Bucket=bucket, Key="kept/x")
        s3.delete_bucket(Bucket=bucket)

    def test_one_of_a_longer_name_does_not_keep_it(self, s3, bucket):
        s3.create_bucket(Bucket=f"{bucket}-2")
        s3.put_object(Bucket=f"{bucket}-2", Key="x", Body=b"")
        s3.delete_bucket(Bucket=bucket)
        assert s3.list_objects_v2(Bucket=f"{bucket}-2")["KeyCount"] == 1

    def test_uploads_that_were_not_completed_go_with_it(self, s3, bucket):
        upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
        s3.upload_part(Bucket=bucket, Key="x", UploadId=upload, PartNumber=1, Body=b"part")
        s3.delete_bucket(Bucket=bucket)
        s3.create_bucket(Bucket=bucket)
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)

    def test_ones_own_may_be_created_again_in_the_first_region_only(self, s3, elsewhere, bucket, unique):
        s3.put_object(Bucket=bucket, Key="x", Body=b"1")
        s3.create_bucket(Bucket=bucket)
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
        name = unique("bucket")
        elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=located("eu-west-1"))
        with refused("BucketAlreadyOwnedByYou", 409):
            elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=located("eu-west-1"))
        with refused("BucketAlreadyOwnedByYou", 409):
            s3.create_bucket(Bucket=name)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["Upper", "ab", "-dash", "dash-", "un_der", "two..dots", "192.168.5.4", "xn--x", "x-s3alias", "x" * 64],
    )
    def test_that_s3_refuses(self, s3, name):
        with refused("InvalidBucketName", 400, "The specified bucket is not valid."):
            s3.create_bucket(Bucket=name)

    @pytest.mark.parametrize("shape", ["{}.with.dots", "0{}", "{}" + "x" * 40])
    def test_that_s3_takes(self, s3, unique, shape):
        name = shape.format(unique("b"))
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="x", Body=b"")
        assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 1


class TestRegions:
    def test_the_first_region_must_not_be_named(self, s3, unique):
        with refused("InvalidLocationConstraint", 400, "The specified location-constraint is not valid"):
            s3.create_bucket(Bucket=unique("bucket"), CreateBucketConfiguration=located("us-east-1"))

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [(None, "The unspecified location constraint"), ("eu-west-2", "The eu-west-2 location constraint")],
    )
    def test_every_other_must_be(self, elsewhere, unique, wanted, message):
        configuration = {"CreateBucketConfiguration": located(wanted)} if wanted else {}
        with refused(
            "IllegalLocationConstraintException", 400, f"{message} is incompatible for the region specific endpoint"
        ):
            elsewhere.create_bucket(Bucket=unique("bucket"), **configuration)

    @pytest.mark.parametrize("constraint", ["eu-west-1", "EU"])
    def test_a_bucket_is_where_it_was_asked_for(self, s3, elsewhere, unique, constraint):
        name = unique("bucket")
        elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=located(constraint))
        assert elsewhere.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
        assert elsewhere.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
        # The one call that finds a bucket from everywhere.
        assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"

    def test_the_first_regions_endpoint_makes_them_everywhere(self, s3, elsewhere, unique):
        name = unique("bucket")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=located("eu-west-1"))
        assert elsewhere.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"

    def test_boto3_is_led_to_the_right_one(self, s3, elsewhere, client, unique):
        name = unique("bucket")
        elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=located("eu-west-1"))
        for region in ("us-east-1", "ap-south-1"):
            fresh = client("s3", region_name=region, config=Config(retries={"total_max_attempts": 3}))
            fresh.put_object(Bucket=name, Key="x", Body=b"from afar")
            assert fresh.get_object(Bucket=name, Key="x")["Body"].read() == b"from afar"

    def test_a_call_of_another_region_is_told_where_to_go(self, sandbox, bucket, elsewhere, unique):
        redirected = raw.call(sandbox, "s3", "GET", f"/{bucket}?list-type=2", region="ap-south-1")
        assert redirected.status == 301 and redirected.headers["x-amz-bucket-region"] == "us-east-1"
        error = redirected.xml()
        assert (error["Code"], error["Region"]) == ("PermanentRedirect", "us-east-1")
        assert error["BucketName"] == bucket and error["Endpoint"] == "s3.us-east-1.amazonaws.com"
        name = unique("bucket")
        elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=located("eu-west-1"))
        malformed = raw.call(sandbox, "s3", "GET", f"/{name}?list-type=2")
        error = malformed.xml()
        assert (malformed.status, error["Code"], error["Region"]) == (400, "AuthorizationHeaderMalformed", "eu-west-1")
        assert "the region 'us-east-1' is wrong; expecting 'eu-west-1'" in error["Message"]


class TestTags:
    def test_are_given_at_creation(self, s3, elsewhere, unique):
        name = unique("bucket")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": TAGS})
        assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == TAGS
        other = unique("bucket")
        elsewhere.create_bucket(Bucket=other, CreateBucketConfiguration={**located("eu-west-1"), "Tags": TAGS})
        assert elsewhere.get_bucket_tagging(Bucket=other)["TagSet"] == TAGS

    def test_are_replaced_and_removed(self, s3, bucket):
        with refused("NoSuchTagSet", 404, "The TagSet does not exist"):
            s3.get_bucket_tagging(Bucket=bucket)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "é", "Value": "1 < 2"}]})
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "é", "Value": "1 < 2"}]
        deleted = s3.delete_bucket_tagging(Bucket=bucket)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
        with refused("NoSuchTagSet", 404):
            s3.get_bucket_tagging(Bucket=bucket)

    @pytest.mark.parametrize(
        ("tags", "code"),
        [
            ([("a", "1"), ("a", "2")], "InvalidTag"),
            ([("aws:a", "1")], "InvalidTag"),
            ([("", "1")], "InvalidTag"),
            ([("k" * 129, "1")], "InvalidTag"),
            ([("a", "v" * 257)], "InvalidTag"),
            ([(str(number), "") for number in range(51)], "BadRequest"),
        ],
    )
    def test_keep_to_s3s_limits(self, s3, bucket, unique, tags, code):
        tags = [{"Key": key, "Value": value} for key, value in tags]
        with refused(code, 400):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        name = unique("bucket")
        with refused(code, 400):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})
        with refused("404", 404):
            s3.head_bucket(Bucket=name)


class TestListing:
    def test_comes_in_pages_by_prefix_and_region(self, s3, elsewhere, unique):
        prefix = unique("page")
        for number in range(3):
            s3.create_bucket(Bucket=f"{prefix}-{number}")
        elsewhere.create_bucket(Bucket=f"{prefix}-3", CreateBucketConfiguration=located("eu-west-1"))
        pages = list(s3.get_paginator("list_buckets").paginate(Prefix=prefix, PaginationConfig={"PageSize": 3}))
        assert [[bucket["Name"][-1] for bucket in page["Buckets"]] for page in pages] == [["0", "1", "2"], ["3"]]
        assert [bucket["BucketRegion"] for page in pages for bucket in page["Buckets"]] == ["us-east-1"] * 3 + [
            "eu-west-1"
        ]
        there = s3.list_buckets(Prefix=prefix, BucketRegion="eu-west-1")["Buckets"]
        assert [bucket["Name"] for bucket in there] == [f"{prefix}-3"]
        with refused("InvalidArgument", 400):
            s3.list_buckets(MaxBuckets=10001)

    def test_tells_no_region_where_it_is_asked_for_as_of_old(self, s3, bucket):
        assert all("BucketRegion" not in listed for listed in s3.list_buckets()["Buckets"])


def test_what_the_sandbox_has_not_is_refused_by_name(s3, bucket):
    s3.put_object(Bucket=bucket, Key="x", Body=b"1")
    for call in (
        lambda: s3.get_bucket_versioning(Bucket=bucket),
        lambda: s3.get_bucket_policy(Bucket=bucket),
        lambda: s3.get_bucket_encryption(Bucket=bucket),
        lambda: s3.get_public_access_block(Bucket=bucket),
        lambda: s3.list_object_versions(Bucket=bucket),
        lambda: s3.get_object_tagging(Bucket=bucket, Key="x"),
        lambda: s3.put_object_acl(Bucket=bucket, Key="x", ACL="private"),
    ):
        with refused("NotImplemented", 501):
            call()
