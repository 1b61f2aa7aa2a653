"""The bucket and the plugin's object, on servers that others wrote."""

import hashlib
import random

import pytest
from botocore.exceptions import ClientError

DROPS_TAGS = pytest.mark.lacks("moto", "drops the tags that CreateBucket is given")


@pytest.fixture
def s3(bench):
    return bench.client("s3")


@pytest.fixture
def source(bench):
    """A folder that is to be the plugin."""
    folder = bench.folder / "plugin"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "a.jar").write_bytes(b"1")
    return folder


def tag(bench, bucket):
    """Gives a bucket the tags of the manifest's pipeline, where the server lost them."""
    if bench.server.name == "moto":
        tags = [{"Key": "pipeline:name", "Value": bench.name}, {"Key": "pipeline:environment", "Value": "test"}]
        bench.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def keys(s3, bucket):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


class TestBucket:
    @DROPS_TAGS
    def test_is_ours_from_the_call_on_that_creates_it(self, bench, s3, unique):
        before = bench.server.inventory()
        name = unique("bucket")
        bench.declare(bucket={"name": name, "on_destroy": "empty"})
        assert bench.planned() == {f"create bucket/{name}"}
        bench.settle()
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        assert (tags["pipeline:name"], tags["pipeline:environment"]) == (bench.name, "test")
        assert len(tags["pipeline:manifest"]) == 64
        assert bench.outputs()["bucket"] == name
        bench.destroy()
        assert bench.server.inventory() == before

    def test_is_emptied_where_that_is_declared(self, bench, s3, unique):
        before = bench.server.inventory()
        name = unique("bucket")
        bench.declare(bucket={"name": name, "on_destroy": "empty"})
        bench.apply()
        tag(bench, name)
        assert not bench.planned()
        for number in range(3):
            s3.put_object(Bucket=name, Key=f"topics/x/partition=0/x+0+{number:010}.json", Body=b"{}")
        s3.put_object(Bucket=name, Key="topics/a b/c%20d&é", Body=b"{}")
        bench.destroy()
        assert bench.server.inventory() == before

    def test_with_objects_is_kept_where_that_is_declared(self, bench, s3, unique):
        name = unique("bucket")
        bench.declare(bucket={"name": name, "on_destroy": "retain"})
        bench.apply()
        tag(bench, name)
        s3.put_object(Bucket=name, Key="kept", Body=b"{}")
        told = bench.run("destroy", "--yes")
        assert "1 object" in told.stdout + told.stderr
        assert keys(s3, name) == ["kept"]
        bench.destroy("--empty-bucket")
        with pytest.raises(ClientError):
            s3.head_bucket(Bucket=name)

    def test_that_is_gone_is_made_again(self, bench, s3, unique):
        name = unique("bucket")
        bench.declare(bucket={"name": name})
        bench.apply()
        s3.delete_bucket(Bucket=name)
        assert bench.planned() == {f"create bucket/{name}"}
        bench.apply()
        tag(bench, name)
        assert not bench.planned()
        bench.destroy()

    def test_of_somebody_else_is_refused_and_left_alone(self, bench, s3, unique):
        name = unique("bucket")
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="theirs", Body=b"{}")
        bench.declare(bucket={"name": name, "on_destroy": "empty"})
        [reason] = bench.refusals()
        assert "it lacks this pipeline's tags" in reason
        bench.destroy()
        assert keys(s3, name) == ["theirs"]

    def test_of_somebody_else_is_used_where_that_is_declared(self, bench, s3, unique):
        name = unique("bucket")
        bench.declare(bucket={"name": name, "create": False})
        [reason] = bench.refusals()
        assert "there is no such bucket" in reason
        s3.create_bucket(Bucket=name)
        assert not bench.planned()
        bench.destroy()
        s3.head_bucket(Bucket=name)


class TestObject:
    @pytest.fixture
    def bucket(self, s3, unique):
        """A bucket that exists without the tool, with something in it."""
        name = unique("bucket")
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="plugins/theirs.zip", Body=b"2")
        return name

    @pytest.fixture
    def declared(self, bench, bucket, source, unique):
        """declared() declares the plugin's object in the bucket; its name."""
        name = unique("plugin")

        def declare():
            plugin = {"name": name, "source": str(source), "prefix": "plugins/", "register": False}
            bench.declare(bucket={"name": bucket, "create": False}, plugin=plugin)

        declare()
        declare.name = name
        return declare

    def test_is_uploaded_once_and_removed(self, bench, s3, bucket, declared):
        assert bench.planned() == {f"create object/{declared.name}"}
        bench.settle()
        [key] = [key for key in keys(s3, bucket) if key != "plugins/theirs.zip"]
        assert key.startswith(f"plugins/{declared.name}-") and key.endswith(".zip")
        before = s3.head_object(Bucket=bucket, Key=key)
        assert before["Metadata"]["pipeline-name"] == bench.name and len(before["Metadata"]["sha256"]) == 64
        bench.apply()
        assert s3.head_object(Bucket=bucket, Key=key)["LastModified"] == before["LastModified"]
        bench.destroy()
        assert keys(s3, bucket) == ["plugins/theirs.zip"]

    def test_of_other_contents_takes_its_place(self, bench, s3, bucket, declared, source):
        bench.settle()
        [old] = [key for key in keys(s3, bucket) if declared.name in key]
        (source / "lib" / "a.jar").write_bytes(b"other")
        assert bench.planned() == {f"create object/{declared.name}", f"delete object/{declared.name}"}
        bench.settle()
        [new] = [key for key in keys(s3, bucket) if declared.name in key]
        assert new != old
        bench.destroy()
        assert keys(s3, bucket) == ["plugins/theirs.zip"]

    def test_that_is_gone_or_was_changed_is_uploaded_again(self, bench, s3, bucket, declared):
        bench.settle()
        [key] = [key for key in keys(s3, bucket) if declared.name in key]
        there = s3.get_object(Bucket=bucket, Key=key)
        contents = there["Body"].read()
        s3.delete_object(Bucket=bucket, Key=key)
        assert bench.planned() == {f"create object/{declared.name}"}
        bench.settle()
        changed = {**there["Metadata"], "sha256": "0" * 64}
        s3.put_object(Bucket=bucket, Key=key, Body=b"changed", Metadata=changed)
        assert bench.changes() == {"sha256", "bytes"}
        bench.settle()
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == contents
        bench.destroy()

    def test_of_somebody_else_is_refused_and_left_alone(self, bench, s3, bucket, declared):
        bench.settle()
        [key] = [key for key in keys(s3, bucket) if declared.name in key]
        s3.put_object(Bucket=bucket, Key=key, Body=b"theirs")
        [reason] = bench.refusals()
        assert "it lacks this pipeline's tags" in reason
        bench.destroy()
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"theirs"

    def test_that_is_big_goes_in_parts(self, bench, s3, bucket, declared, source):
        # What can't be compressed.
        (source / "lib" / "big.jar").write_bytes(random.Random(1).randbytes(18 * 1024 * 1024))
        bench.settle()
        [key] = [key for key in keys(s3, bucket) if declared.name in key]
        there = s3.get_object(Bucket=bucket, Key=key)
        assert "-" in there["ETag"]
        assert hashlib.sha256(there["Body"].read()).hexdigest() == there["Metadata"]["sha256"]
        assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
        bench.destroy()
        assert keys(s3, bucket) == ["plugins/theirs.zip"]


def test_a_bucket_and_its_object_come_and_go_together(bench, s3, source, unique):
    before = bench.server.inventory()
    bucket, plugin = unique("bucket"), unique("plugin")
    bench.declare(
        bucket={"name": bucket, "on_destroy": "retain"},
        plugin={"name": plugin, "source": str(source), "prefix": "plugins/", "register": False},
    )
    assert bench.planned() == {f"create bucket/{bucket}", f"create object/{plugin}"}
    bench.apply()
    tag(bench, bucket)
    assert not bench.planned()
    # The archive goes first, so that the bucket is empty.
    bench.destroy()
    assert bench.server.inventory() == before
