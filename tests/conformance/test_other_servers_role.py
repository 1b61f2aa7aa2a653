"""The role, on servers that others wrote."""

import json

import pytest

SERVICE = "kafkaconnect.amazonaws.com"
STATEMENT = {"Sid": "More", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::other/*"}
# What somebody else has in a role that exists already.
THEIRS = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def iam(bench):
    return bench.client("iam")


@pytest.fixture
def user(iam, unique):
    """The ARN of a user that the role may trust."""
    return iam.create_user(UserName=unique("user"))["User"]["Arn"]


@pytest.fixture
def policies(iam, unique):
    """The ARNs of two managed policies. AWS's own are not on these servers unless that is asked for, and slow to come."""
    return [
        iam.create_policy(PolicyName=unique("policy"), PolicyDocument=document(STATEMENT))["Policy"]["Arn"]
        for _ in range(2)
    ]


@pytest.fixture
def role(bench, unique, user, policies):
    """What a manifest declares that has every part of a role."""
    return {
        "name": unique("role"),
        "trust": [{"service": SERVICE}, {"service": "ec2.amazonaws.com"}, {"self": True}, {"arn": user}],
        "managed_policies": policies[:1],
        "statements": [STATEMENT],
    }


def trusted(iam, name):
    """Who the role trusts, by Sid."""
    statements = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return {statement.get("Sid"): statement["Principal"] for statement in statements}


def attached(iam, name):
    return {policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]}


class TestOurOwn:
    def test_comes_as_declared_and_goes_without_a_trace(self, bench, iam, role, user, policies):
        before = bench.server.inventory()
        bench.declare(role=role)
        assert bench.planned() == {f"create role/{role['name']}"}
        bench.settle()
        there = iam.get_role(RoleName=role["name"])["Role"]
        assert bench.outputs()["role_arn"] == there["Arn"]
        tags = {tag["Key"]: tag["Value"] for tag in there["Tags"]}
        assert (tags["pipeline:name"], tags["pipeline:environment"]) == (bench.name, "test")
        principals = trusted(iam, role["name"])
        assert principals["PipelineKafkaConnect"] == {"Service": SERVICE}
        assert principals["PipelineEc2"] == {"Service": "ec2.amazonaws.com"}
        assert principals["PipelineSelf"] == {"AWS": there["Arn"]}
        assert {"AWS": user} in principals.values()
        assert attached(iam, role["name"]) == {policies[0]}
        policy = iam.get_role_policy(RoleName=role["name"], PolicyName="pipeline")["PolicyDocument"]
        assert STATEMENT["Sid"] in [statement["Sid"] for statement in policy["Statement"]]
        profile = iam.get_instance_profile(InstanceProfileName=role["name"])["InstanceProfile"]
        assert [held["RoleName"] for held in profile["Roles"]] == [role["name"]]
        bench.destroy()
        assert bench.server.inventory() == before

    def test_may_trust_one_alone(self, bench, iam, unique):
        name = unique("role")
        bench.declare(role={"name": name, "trust": [{"service": SERVICE}]})
        bench.settle()
        assert list(trusted(iam, name)) == ["PipelineKafkaConnect"]
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            iam.get_instance_profile(InstanceProfileName=name)
        bench.destroy()

    def test_becomes_what_a_changed_manifest_declares(self, bench, iam, role, policies):
        before = bench.server.inventory()
        bench.declare(role=role)
        bench.settle()
        changed = {
            **role,
            "trust": [{"service": SERVICE}],
            "managed_policies": policies[1:],
            "statements": [{**STATEMENT, "Action": ["s3:PutObject"]}],
        }
        bench.declare(role=changed)
        assert bench.planned() == {f"update role/{role['name']}"}
        assert {
            "policy.More",
            "managed_policies",
            "instance_profile",
            "trust.PipelineSelf",
            "trust.PipelineEc2",
        } < bench.changes()
        bench.settle()
        assert list(trusted(iam, role["name"])) == ["PipelineKafkaConnect"]
        assert attached(iam, role["name"]) == {policies[1]}
        bench.destroy()
        assert bench.server.inventory() == before

    def test_equal_documents_in_other_words_are_no_change(self, bench, iam, role):
        bench.declare(role=role)
        bench.settle()
        name = role["name"]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        for statement in trust["Statement"]:
            statement["Action"] = (
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"][0]
            )
        trust["Statement"].reverse()
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust, indent=4))
        policy = iam.get_role_policy(RoleName=name, PolicyName="pipeline")["PolicyDocument"]
        for statement in policy["Statement"]:
            if isinstance(statement["Action"], list):
                statement["Action"].reverse()
        iam.put_role_policy(RoleName=name, PolicyName="pipeline", PolicyDocument=json.dumps(policy, indent=4))
        assert not bench.planned()
        bench.destroy()

    @pytest.mark.parametrize(
        ("drift", "field"),
        [
            (
                lambda iam, name, _: iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(THEIRS)),
                "trust.Theirs",
            ),
            (lambda iam, name, _: iam.delete_role_policy(RoleName=name, PolicyName="pipeline"), "policy.More"),
            (
                lambda iam, name, _: iam.put_role_policy(
                    RoleName=name, PolicyName="pipeline", PolicyDocument=document({**STATEMENT, "Resource": "*"})
                ),
                "policy.More",
            ),
            (
                lambda iam, name, policies: iam.detach_role_policy(RoleName=name, PolicyArn=policies[0]),
                "managed_policies",
            ),
            (
                lambda iam, name, policies: iam.attach_role_policy(RoleName=name, PolicyArn=policies[1]),
                "managed_policies",
            ),
            (
                lambda iam, name, _: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name),
                "instance_profile",
            ),
        ],
        ids=["trust", "policy-gone", "policy-edited", "detached", "attached", "profile-emptied"],
    )
    def test_drift_is_shown_and_repaired(self, bench, iam, role, policies, drift, field):
        before = bench.server.inventory()
        bench.declare(role=role)
        bench.settle()
        drift(iam, role["name"], policies)
        assert field in bench.changes()
        bench.settle()
        assert attached(iam, role["name"]) == {policies[0]}
        bench.destroy()
        assert bench.server.inventory() == before

    def test_that_is_gone_is_made_again(self, bench, iam, unique):
        name = unique("role")
        bench.declare(role={"name": name, "trust": [{"service": SERVICE}]})
        bench.settle()
        iam.delete_role(RoleName=name)
        assert bench.planned() == {f"create role/{name}"}
        bench.settle()
        bench.destroy()

    def test_one_of_somebody_else_is_refused_and_left_alone(self, bench, iam, unique):
        name = unique("role")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(THEIRS))
        bench.declare(role={"name": name, "trust": [{"service": SERVICE}]})
        [reason] = bench.refusals()
        assert "it lacks this pipeline's tags" in reason
        bench.run("apply", "--yes", ends=3)
        bench.destroy()
        assert list(trusted(iam, name)) == ["Theirs"]


class TestSomebodyElses:
    @pytest.fixture
    def name(self, iam, unique):
        """A role that exists without the tool."""
        name = unique("role")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(THEIRS))
        return name

    def test_gets_our_statements_and_loses_them_again(self, bench, iam, name, user):
        before = iam.get_role(RoleName=name)["Role"]
        bench.declare(
            role={"name": name, "create": False, "trust": [{"self": True}, {"service": SERVICE}, {"arn": user}]}
        )
        assert bench.planned() == {f"update role/{name}"}
        bench.settle()
        principals = trusted(iam, name)
        assert principals.pop("Theirs") == THEIRS["Principal"]
        assert all(sid.startswith("Pipeline") for sid in principals)
        wanted = [{"AWS": before["Arn"]}, {"Service": SERVICE}, {"AWS": user}]
        assert sorted(principals.values(), key=str) == sorted(wanted, key=str)
        bench.destroy()
        after = iam.get_role(RoleName=name)["Role"]
        assert after == before

    def test_drift_of_ours_is_repaired_and_theirs_is_none_of_our_business(self, bench, iam, name):
        bench.declare(role={"name": name, "create": False, "trust": [{"self": True}]})
        bench.settle()
        statements = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        [ours] = [statement for statement in statements if statement != THEIRS]
        field = f"trust.{ours['Sid']}"
        theirs = {**THEIRS, "Sid": "Another", "Principal": {"Service": "glue.amazonaws.com"}}
        edited = {**ours, "Effect": "Deny"}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(THEIRS, theirs, edited))
        assert bench.changes() == {field}
        bench.settle()
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(theirs))
        assert bench.changes() == {field}
        bench.settle()
        assert set(trusted(iam, name)) == {"Another", ours["Sid"]}
        bench.destroy()
        assert set(trusted(iam, name)) == {"Another"}

    def test_must_exist(self, bench, unique):
        bench.declare(role={"name": unique("role"), "create": False, "trust": [{"self": True}]})
        [reason] = bench.refusals()
        assert "must exist" in reason
