"""IAM: roles, policies, instance profiles and users, through boto3."""

import datetime
import json

import pytest
from botocore.config import Config

from refusals import refused
from waiting import once_known

# botocore must not pre-empt the server's own validation.
LOOSE = Config(parameter_validation=False)

ACCOUNT = "000000000000"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonMSKReadOnlyAccess"
CONNECT = {"Service": "kafkaconnect.amazonaws.com"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def identity(action="s3:GetObject", resource="arn:aws:s3:::bucket/*", **more):
    return document({"Effect": "Allow", "Action": action, "Resource": resource, **more})


@pytest.fixture(scope="module")
def iam(client):
    return client("iam", config=LOOSE)


@pytest.fixture
def role(iam, unique):
    """A role that nothing is attached to."""
    name = unique("role")
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(CONNECT))["Role"]


@pytest.fixture
def policy(iam, unique):
    """A managed policy of the account."""
    return iam.create_policy(PolicyName=unique("policy"), PolicyDocument=identity())["Policy"]


@pytest.fixture
def profile(iam, unique):
    """An instance profile without a role."""
    return iam.create_instance_profile(InstanceProfileName=unique("profile"))["InstanceProfile"]


class TestRole:
    def test_is_created_read_and_deleted(self, iam, unique):
        name = unique("role")
        created = iam.create_role(
            RoleName=name,
            Path="/pipelines/dev/",
            Description="a <role> & more\r\n",
            MaxSessionDuration=7200,
            AssumeRolePolicyDocument=trust(CONNECT),
            PermissionsBoundary=READ_ONLY,
            Tags=[{"Key": "pipeline:name", "Value": "pinterest"}, {"Key": "empty", "Value": ""}],
        )["Role"]
        assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/pipelines/dev/{name}"
        assert created["RoleId"].startswith("AROA") and len(created["RoleId"]) == 21
        read = iam.get_role(RoleName=name)["Role"]
        assert read == created
        assert read["Path"] == "/pipelines/dev/"
        assert read["Description"] == "a <role> & more\r\n"
        assert read["MaxSessionDuration"] == 7200
        assert read["AssumeRolePolicyDocument"] == json.loads(trust(CONNECT))
        assert read["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
        assert read["Tags"] == [{"Key": "pipeline:name", "Value": "pinterest"}, {"Key": "empty", "Value": ""}]
        assert abs(read["CreateDate"] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
        iam.delete_role(RoleName=name)
        with refused("NoSuchEntity", 404, f"The role with name {name} cannot be found."):
            iam.get_role(RoleName=name)
        with refused("NoSuchEntity", 404):
            iam.delete_role(RoleName=name)

    def test_documents_are_percent_encoded_on_the_wire(self, client, role):
        iam = client("iam")
        bodies = []
        iam.meta.events.register("before-parse.iam.GetRole", lambda response_dict, **_: bodies.append(response_dict))
        iam.get_role(RoleName=role["RoleName"])
        wire = bodies[0]["body"].decode()
        assert "<AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C" in wire
        assert 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"' in wire

    def test_names_are_taken_whatever_their_case(self, iam, role):
        name = role["RoleName"]
        for taken in (name, name.upper()):
            with refused("EntityAlreadyExists", 409, f"Role with name {taken} already exists."):
                iam.create_role(RoleName=taken, AssumeRolePolicyDocument=trust(CONNECT))
        with refused("NoSuchEntity", 404):
            iam.get_role(RoleName=name.upper())

    def test_is_updated(self, iam, role):
        name = role["RoleName"]
        iam.update_role(RoleName=name, Description="changed", MaxSessionDuration=43200)
        iam.update_role(RoleName=name)
        read = iam.get_role(RoleName=name)["Role"]
        assert (read["Description"], read["MaxSessionDuration"]) == ("changed", 43200)
        assert iam.update_role_description(RoleName=name, Description="again")["Role"]["Description"] == "again"
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=READ_ONLY)
        assert "PermissionsBoundary" in iam.get_role(RoleName=name)["Role"]
        iam.delete_role_permissions_boundary(RoleName=name)
        assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]

    def test_trust_policy_is_replaced(self, iam, role):
        changed = trust({"Service": "ec2.amazonaws.com"})
        iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=changed)
        read = iam.get_role(RoleName=role["RoleName"])["Role"]
        assert read["AssumeRolePolicyDocument"] == json.loads(changed)
        with refused("NoSuchEntity", 404):
            iam.update_assume_role_policy(RoleName="nobody", PolicyDocument=changed)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            (
                {"RoleName": "a" * 65},
                "1 validation error detected: Value at 'roleName' failed to satisfy constraint: "
                "Member must have length less than or equal to 64",
            ),
            (
                {"RoleName": "a/b"},
                "The specified value for roleName is invalid. It must contain only alphanumeric characters "
                "and/or the following: +=,.@_-",
            ),
            ({"RoleName": None}, "Value null at 'roleName' failed to satisfy constraint: Member must not be null"),
            ({"Path": "pipelines"}, "The specified value for path is invalid. It must begin and end with /"),
            ({"MaxSessionDuration": 60}, "Value '60' at 'maxSessionDuration' failed to satisfy constraint"),
            ({"Description": "x" * 1001, "MaxSessionDuration": 60}, "2 validation errors detected"),
            ({"AssumeRolePolicyDocument": "{\u4e16}"}, "Member must satisfy regular expression pattern"),
        ],
    )
    def test_parameters_are_validated(self, iam, unique, parameters, message):
        valid = {"RoleName": unique("role"), "AssumeRolePolicyDocument": trust(CONNECT)}
        given = {key: value for key, value in {**valid, **parameters}.items() if value is not None}
        with refused("ValidationError", 400, message):
            iam.create_role(**given)

    def test_boundary_must_exist(self, iam, unique):
        with refused("NoSuchEntity", 404, "does not exist or is not attachable"):
            iam.create_role(
                RoleName=unique("role"),
                AssumeRolePolicyDocument=trust(CONNECT),
                PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/nothing",
            )

    def test_delete_conflicts_in_turn(self, iam, role, profile):
        name = role["RoleName"]
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=identity())
        iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
        held = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": name}
        iam.add_role_to_instance_profile(**held)
        with refused("DeleteConflict", 409, "must remove roles from instance profile first."):
            iam.delete_role(RoleName=name)
        iam.remove_role_from_instance_profile(**held)
        with refused("DeleteConflict", 409, "Cannot delete entity, must detach all policies first."):
            iam.delete_role(RoleName=name)
        iam.detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
        with refused("DeleteConflict", 409, "Cannot delete entity, must delete policies first."):
            iam.delete_role(RoleName=name)
        iam.delete_role_policy(RoleName=name, PolicyName="inline")
        iam.delete_role(RoleName=name)

    def test_are_listed_in_pages(self, iam, unique):
        path = f"/{unique('page')}/"
        names = sorted(unique("role") for _ in range(7))
        for name in names:
            iam.create_role(
                RoleName=name, Path=path, AssumeRolePolicyDocument=trust(CONNECT), Tags=[{"Key": "k", "Value": "v"}]
            )
        first = iam.list_roles(PathPrefix=path, MaxItems=3)
        assert first["IsTruncated"] and len(first["Roles"]) == 3
        # A change between two pages neither hides nor doubles the others.
        iam.delete_role(RoleName=first["Roles"][2]["RoleName"])
        second = iam.list_roles(PathPrefix=path, MaxItems=4, Marker=first["Marker"])
        assert not second["IsTruncated"] and "Marker" not in second
        assert [role["RoleName"] for role in first["Roles"] + second["Roles"]] == names
        assert all("Tags" not in role for role in second["Roles"]), "lists leave tags out"
        paginator = iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 1})
        assert sum(len(page["Roles"]) for page in paginator) == 6
        for size in (0, 1001):
            with refused("ValidationError", 400, "at 'maxItems' failed to satisfy constraint"):
                iam.list_roles(MaxItems=size)
        with refused("ValidationError", 400, "Invalid Marker"):
            iam.list_roles(Marker="not a marker")


class TestTrustPolicy:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "This policy contains invalid Json"),
            ('{"Version": "2020-01-01", "Statement": []}', "Syntax errors in policy."),
            ('{"Version": "2012-10-17"}', "Syntax errors in policy."),
            (trust(CONNECT, Colour="red"), "Syntax errors in policy."),
            (trust(CONNECT, Effect="allow"), "Syntax errors in policy."),
            (trust(CONNECT, Resource="*"), "Has prohibited field Resource"),
            (trust(CONNECT, action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
            (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
            (trust({"Service": "kafkaconect.amazonaws.com"}), '"SERVICE":"kafkaconect.amazonaws.com"'),
            (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}), f'"AWS":"arn:aws:iam::{ACCOUNT}:user/nobody"'),
            (trust({"AWS": "arn:aws:iam::123456789012:role/*"}), '"AWS":"arn:aws:iam::123456789012:role/*"'),
            (trust({"AWS": "somebody"}), 'Invalid principal in policy: "AWS":"somebody"'),
        ],
    )
    def test_malformed_documents_are_refused(self, iam, unique, role, text, message):
        with refused("MalformedPolicyDocument", 400, message):
            iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=text)
        with refused("MalformedPolicyDocument", 400, message):
            iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=text)

    def test_a_role_can_trust_itself_only_once_it_exists(self, iam, unique):
        name = unique("role")
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        itself = trust({"AWS": arn})
        with refused("MalformedPolicyDocument", 400, f'Invalid principal in policy: "AWS":"{arn}"'):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=itself)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(CONNECT))
        with refused("MalformedPolicyDocument", 400, "Invalid principal in policy"):
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=itself)
        once_known(lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=itself))
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(itself)

    def test_other_accounts_are_not_asked(self, iam, unique):
        foreign = ["arn:aws:iam::123456789012:role/any", "arn:aws:iam::123456789012:user/a/b"]
        created = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust({"AWS": foreign}))["Role"]
        assert created["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": foreign}

    def test_principals_come_back_in_iams_form(self, iam, unique):
        first, second = "arn:aws:iam::123456789012:user/a", "arn:aws:iam::123456789012:user/b"
        given = {"AWS": [second, "123456789012", first, second], "Service": ["ec2.amazonaws.com"]}
        created = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust(given))["Role"]
        assert created["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
            "AWS": ["arn:aws:iam::123456789012:root", first, second],
            "Service": "ec2.amazonaws.com",
        }

    @pytest.mark.parametrize("kind", ["user", "role"])
    def test_a_principal_that_was_made_again_is_another_one(self, iam, unique, kind):
        name, trusting = unique(kind), unique("role")

        def make():
            if kind == "user":
                return iam.create_user(UserName=name)["User"]
            return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(CONNECT))["Role"]

        def principal():
            read = iam.get_role(RoleName=trusting)["Role"]["AssumeRolePolicyDocument"]
            return read["Statement"][0]["Principal"]["AWS"]

        first = make()
        identifier = first["UserId" if kind == "user" else "RoleId"]
        once_known(lambda: iam.create_role(RoleName=trusting, AssumeRolePolicyDocument=trust({"AWS": first["Arn"]})))
        assert principal() == first["Arn"]
        (iam.delete_user(UserName=name) if kind == "user" else iam.delete_role(RoleName=name))
        assert principal() == identifier
        second = make()
        assert second["Arn"] == first["Arn"]
        assert principal() == identifier
        with refused("MalformedPolicyDocument", 400, f'Invalid principal in policy: "AWS":"{identifier}"'):
            iam.update_assume_role_policy(RoleName=trusting, PolicyDocument=trust({"AWS": identifier}))
        anew = trust({"AWS": second["Arn"]})
        once_known(lambda: iam.update_assume_role_policy(RoleName=trusting, PolicyDocument=anew))
        assert principal() == second["Arn"]

    def test_has_a_quota_that_ignores_white_space(self, iam, unique):
        sized = lambda length: trust({**CONNECT, "AWS": "1" * 12}, Condition={"StringLike": {"aws:x": "x" * length}})
        iam.create_role(
            RoleName=unique("role"), AssumeRolePolicyDocument=json.dumps(json.loads(sized(1800)), indent=40)
        )
        with refused("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048"):
            iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=sized(2048))


class TestRoleTags:
    def test_are_added_replaced_listed_and_removed(self, iam, role):
        name = role["RoleName"]
        iam.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        iam.tag_role(RoleName=name, Tags=[{"Key": "A", "Value": "3"}])
        page = iam.list_role_tags(RoleName=name, MaxItems=1)
        assert page["IsTruncated"] and page["Tags"] == [{"Key": "A", "Value": "3"}]
        rest = iam.list_role_tags(RoleName=name, Marker=page["Marker"])
        assert rest["Tags"] == [{"Key": "b", "Value": "2"}] and not rest["IsTruncated"]
        iam.untag_role(RoleName=name, TagKeys=["a", "unknown"])
        assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "b", "Value": "2"}]

    def test_are_limited(self, iam, role, unique):
        many = [{"Key": f"k{index}", "Value": ""} for index in range(51)]
        with refused("ValidationError", 400, "at 'tags' failed to satisfy constraint"):
            iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust(CONNECT), Tags=many)
        iam.tag_role(RoleName=role["RoleName"], Tags=many[:50])
        with refused("LimitExceeded", 409, "The number of tags has reached the maximum limit."):
            iam.tag_role(RoleName=role["RoleName"], Tags=many[50:])

    @pytest.mark.parametrize(
        ("tags", "code", "message"),
        [
            ([("a", "1"), ("A", "2")], "InvalidInput", "Duplicate tag keys found."),
            ([("aws:x", "1")], "InvalidInput", "reserved"),
            ([("k" * 129, "")], "ValidationError", "'tags.1.member.key' failed to satisfy constraint"),
            ([("a", ""), ("b", "v" * 257)], "ValidationError", "'tags.2.member.value' failed to satisfy constraint"),
            ([("a!", "")], "ValidationError", "Member must satisfy regular expression pattern"),
        ],
    )
    def test_are_validated(self, iam, role, unique, tags, code, message):
        tags = [{"Key": key, "Value": value} for key, value in tags]
        with refused(code, 400, message):
            iam.tag_role(RoleName=role["RoleName"], Tags=tags)
        with refused(code, 400, message):
            iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust(CONNECT), Tags=tags)


class TestInlinePolicies:
    def test_are_put_read_listed_and_deleted(self, iam, role):
        name = role["RoleName"]
        for policy in ("b", "a"):
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=identity())
        replaced = identity(action=["s3:PutObject"], resource="*")
        iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=replaced)
        read = iam.get_role_policy(RoleName=name, PolicyName="a")
        assert (read["RoleName"], read["PolicyName"]) == (name, "a")
        assert read["PolicyDocument"] == json.loads(replaced)
        page = iam.list_role_policies(RoleName=name, MaxItems=1)
        assert page["PolicyNames"] == ["a"] and page["IsTruncated"]
        assert iam.list_role_policies(RoleName=name, Marker=page["Marker"])["PolicyNames"] == ["b"]
        iam.delete_role_policy(RoleName=name, PolicyName="a")
        for gone in (iam.get_role_policy, iam.delete_role_policy):
            with refused("NoSuchEntity", 404, "The role policy with name a cannot be found."):
                gone(RoleName=name, PolicyName="a")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("not json", "Syntax errors in policy."),
            ('{"Statement": []}', "Policy document must be version 2012-10-17 or greater."),
            (identity(Principal={"AWS": "*"}), "Policy document should not specify a principal."),
            (document({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
            (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
            (identity(action="GetObject"), "must be prefaced by a vendor"),
            (identity(resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
            (identity(Condition={"StringIs": {"aws:x": "y"}}), "Invalid Condition type : StringIs."),
            (document({"Sid": "A"}, {"Sid": "A"}), "Statement IDs (SID) in a single policy must be unique."),
        ],
    )
    def test_malformed_documents_are_refused(self, iam, role, unique, text, message):
        with refused("MalformedPolicyDocument", 400, message):
            iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=text)
        with refused("MalformedPolicyDocument", 400, message):
            iam.create_policy(PolicyName=unique("policy"), PolicyDocument=text)

    def test_share_a_quota(self, iam, role):
        name = role["RoleName"]
        large = identity(resource=[f"arn:aws:s3:::{index:060}" for index in range(60)])
        for policy in ("a", "b"):
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=large)
        with refused("LimitExceeded", 409, f"Maximum policy size of 10240 bytes exceeded for role {name}"):
            iam.put_role_policy(RoleName=name, PolicyName="c", PolicyDocument=large)
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["a", "b"]


class TestManagedPolicies:
    def test_are_created_read_and_deleted(self, iam, unique):
        name = unique("policy")
        created = iam.create_policy(
            PolicyName=name,
            Path="/pipelines/",
            Description="what it is for",
            PolicyDocument=identity(),
            Tags=[{"Key": "a", "Value": "b"}],
        )["Policy"]
        arn = created["Arn"]
        assert arn == f"arn:aws:iam::{ACCOUNT}:policy/pipelines/{name}"
        read = iam.get_policy(PolicyArn=arn)["Policy"]
        assert read == created
        assert (read["DefaultVersionId"], read["AttachmentCount"], read["IsAttachable"]) == ("v1", 0, True)
        assert read["Tags"] == [{"Key": "a", "Value": "b"}] and read["PolicyId"].startswith("ANPA")
        with refused("EntityAlreadyExists", 409, f"A policy called {name} already exists."):
            iam.create_policy(PolicyName=name, PolicyDocument=identity())
        iam.delete_policy(PolicyArn=arn)
        for gone in (iam.get_policy, iam.delete_policy):
            with refused("NoSuchEntity", 404, f"Policy {arn} was not found."):
                gone(PolicyArn=arn)

    def test_have_versions(self, iam, policy):
        arn = policy["Arn"]
        second = identity(action="s3:PutObject")
        created = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second)["PolicyVersion"]
        assert (created["VersionId"], created["IsDefaultVersion"]) == ("v2", False)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=identity(), SetAsDefault=True)
        assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
        read = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
        assert read["IsDefaultVersion"] and read["Document"] == json.loads(second)
        versions = iam.list_policy_versions(PolicyArn=arn, MaxItems=2)
        assert [version["VersionId"] for version in versions["Versions"]] == ["v3", "v2"]
        rest = iam.list_policy_versions(PolicyArn=arn, Marker=versions["Marker"])
        assert [version["VersionId"] for version in rest["Versions"]] == ["v1"]
        with refused("DeleteConflict", 409, "Cannot delete the default version of a policy."):
            iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        with refused("DeleteConflict", 409, "This policy has more than one version."):
            iam.delete_policy(PolicyArn=arn)
        for _ in range(2):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=identity())
        with refused("LimitExceeded", 409, "A managed policy can have up to 5 versions."):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=identity())
        for version in ("v1", "v3", "v4", "v5"):
            iam.delete_policy_version(PolicyArn=arn, VersionId=version)
        assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=identity())["PolicyVersion"]["VersionId"] == "v6"
        with refused("NoSuchEntity", 404):
            iam.get_policy_version(PolicyArn=arn, VersionId="v1")
        with refused("ValidationError", 400):
            iam.get_policy_version(PolicyArn=arn, VersionId="1")

    def test_are_attached_and_detached(self, iam, role, policy):
        name, arn = role["RoleName"], policy["Arn"]
        for attached in (arn, arn, READ_ONLY):
            iam.attach_role_policy(RoleName=name, PolicyArn=attached)
        listed = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        assert {"PolicyName": "AmazonMSKReadOnlyAccess", "PolicyArn": READ_ONLY} in listed and len(listed) == 2
        assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
        entities = iam.list_entities_for_policy(PolicyArn=arn)
        assert entities["PolicyRoles"] == [{"RoleName": name, "RoleId": role["RoleId"]}]
        assert entities["PolicyUsers"] == [] and entities["PolicyGroups"] == []
        with refused("DeleteConflict", 409, "Cannot delete a policy attached to entities."):
            iam.delete_policy(PolicyArn=arn)
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        with refused("NoSuchEntity", 404, f"Policy {arn} was not found."):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)
        with refused("NoSuchEntity", 404, f"Policy {arn} does not exist or is not attachable."):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        with refused("InvalidInput", 400, "is not valid"):
            iam.attach_role_policy(RoleName=name, PolicyArn="AmazonMSKReadOnlyAccess")

    def test_have_quotas(self, iam, role, unique):
        large = identity(resource=[f"arn:aws:s3:::{index:060}" for index in range(100)])
        with refused("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144"):
            iam.create_policy(PolicyName=unique("policy"), PolicyDocument=large)
        for index in range(11):
            arn = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=identity())["Policy"]["Arn"]
            if index < 10:
                iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
                continue
            with refused("LimitExceeded", 409, "Cannot exceed quota for PoliciesPerRole: 10"):
                iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)

    @pytest.mark.parametrize(
        "name",
        [
            "AmazonMSKReadOnlyAccess",
            "AmazonS3ReadOnlyAccess",
            "AmazonSSMManagedInstanceCore",
            "CloudWatchAgentServerPolicy",
        ],
    )
    def test_of_aws_exist_and_are_awss(self, iam, name):
        arn = f"arn:aws:iam::aws:policy/{name}"
        read = iam.get_policy(PolicyArn=arn)["Policy"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=read["DefaultVersionId"])["PolicyVersion"]
        assert version["IsDefaultVersion"] and version["Document"]["Statement"]
        with refused("AccessDenied", 403, "is not authorized to perform: iam:DeletePolicy on resource: policy"):
            iam.delete_policy(PolicyArn=arn)

    def test_are_listed_by_scope_and_use(self, iam, role, policy):
        every = lambda **filters: {
            listed["Arn"]
            for page in iam.get_paginator("list_policies").paginate(**filters)
            for listed in page["Policies"]
        }
        assert READ_ONLY in every(Scope="AWS") and policy["Arn"] not in every(Scope="AWS")
        assert READ_ONLY not in every(Scope="Local") and policy["Arn"] in every(Scope="Local")
        assert {READ_ONLY, policy["Arn"]} <= every()
        assert policy["Arn"] not in every(OnlyAttached=True)
        iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=policy["Arn"])
        assert policy["Arn"] in every(OnlyAttached=True)
        assert policy["Arn"] not in every(PolicyUsageFilter="PermissionsBoundary")
        with refused("ValidationError", 400, "Member must satisfy enum value set"):
            iam.list_policies(Scope="Mine")

    def test_have_tags(self, iam, policy):
        arn = policy["Arn"]
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "1"}])
        assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
        iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
        assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == []


class TestInstanceProfiles:
    def test_hold_one_role(self, iam, role, profile, unique):
        name = profile["InstanceProfileName"]
        assert profile["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}" and profile["Roles"] == []
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        read = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        assert [held["Arn"] for held in read["Roles"]] == [role["Arn"]]
        assert read["Roles"][0]["AssumeRolePolicyDocument"] == json.loads(trust(CONNECT))
        other = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust(CONNECT))["Role"]["RoleName"]
        with refused("LimitExceeded", 409, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"):
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=other)
        listed = iam.list_instance_profiles_for_role(RoleName=role["RoleName"])["InstanceProfiles"]
        assert [held["InstanceProfileName"] for held in listed] == [name]
        assert iam.list_instance_profiles_for_role(RoleName=other)["InstanceProfiles"] == []
        with refused("NoSuchEntity", 404):
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=other)
        with refused("DeleteConflict", 409, "must remove roles from instance profile first."):
            iam.delete_instance_profile(InstanceProfileName=name)
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=name)
        for gone in (iam.get_instance_profile, iam.delete_instance_profile):
            with refused("NoSuchEntity", 404, f"Instance Profile {name} cannot be found."):
                gone(InstanceProfileName=name)

    def test_are_listed_and_tagged(self, iam, unique):
        path = f"/{unique('page')}/"
        for _ in range(3):
            tags = [{"Key": "a", "Value": "1"}]
            created = iam.create_instance_profile(InstanceProfileName=unique("profile"), Path=path, Tags=tags)
        name = created["InstanceProfile"]["InstanceProfileName"]
        assert created["InstanceProfile"]["Tags"] == tags
        with refused("EntityAlreadyExists", 409, f"Instance Profile {name} already exists."):
            iam.create_instance_profile(InstanceProfileName=name)
        pages = list(
            iam.get_paginator("list_instance_profiles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2})
        )
        assert [len(page["InstanceProfiles"]) for page in pages] == [2, 1]
        iam.tag_instance_profile(InstanceProfileName=name, Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_instance_profile(InstanceProfileName=name, TagKeys=["a"])
        assert iam.list_instance_profile_tags(InstanceProfileName=name)["Tags"] == [{"Key": "b", "Value": "2"}]


class TestUsers:
    def test_are_created_read_listed_and_deleted(self, iam, unique):
        name = unique("user")
        created = iam.create_user(UserName=name, Path="/people/", Tags=[{"Key": "a", "Value": "1"}])["User"]
        assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/people/{name}" and created["UserId"].startswith("AIDA")
        assert iam.get_user(UserName=name)["User"] == created
        assert name in [user["UserName"] for user in iam.list_users(PathPrefix="/people/")["Users"]]
        with refused("EntityAlreadyExists", 409, f"User with name {name} already exists."):
            iam.create_user(UserName=name)
        iam.delete_user(UserName=name)
        with refused("NoSuchEntity", 404, f"The user with name {name} cannot be found."):
            iam.get_user(UserName=name)

    def test_the_caller_is_one(self, iam, unique):
        caller = iam.get_user()["User"]
        assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/sandbox"
        iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust({"AWS": caller["Arn"]}))
        with refused("DeleteConflict", 409):
            iam.delete_user(UserName="sandbox")


class TestServiceLinkedRoles:
    def test_are_awss_alone(self, iam):
        created = iam.create_service_linked_role(AWSServiceName="kafkaconnect.amazonaws.com")["Role"]
        name = created["RoleName"]
        assert created["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/kafkaconnect.amazonaws.com/")
        for change in (
            lambda: iam.delete_role(RoleName=name),
            lambda: iam.update_role(RoleName=name, Description="mine"),
            lambda: iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY),
            lambda: iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=identity()),
            lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust(CONNECT)),
        ):
            with refused("UnmodifiableEntity", 400, "is only modifiable by AWS"):
                change()
        with refused("InvalidInput", 400, "has been taken in this account"):
            iam.create_service_linked_role(AWSServiceName="kafkaconnect.amazonaws.com")
        task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
        assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
        with refused("NoSuchEntity", 404):
            iam.get_role(RoleName=name)

    def test_their_path_is_reserved(self, iam, unique):
        with refused("UnmodifiableEntity", 400):
            iam.create_role(
                RoleName=unique("role"),
                Path="/aws-service-role/kafka.amazonaws.com/",
                AssumeRolePolicyDocument=trust({"Service": "kafka.amazonaws.com"}),
            )
