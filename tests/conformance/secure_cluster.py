"""Clusters of the sandbox at the listeners that ask who somebody is, and who they are asked about: the sandbox's user,
sessions of roles, and sessions that are over.
"""

import json
import os
import time
import urllib.request

from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
REGION = "us-east-1"
USER = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
SECONDS = 30


def allow(*actions, on, effect="Allow"):
    """A statement; `on` is one ARN or several."""
    return {"Effect": effect, "Action": [f"kafka-cluster:{action}" for action in actions], "Resource": on}


class Role:
    """A role that the sandbox's user may assume, and its statements, which can be given anew."""

    def __init__(self, sandbox, name, *statements):
        self.name = name
        self._iam, self._sts = sandbox.client("iam"), sandbox.client("sts")
        statement = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.arn = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.may(*statements)

    def may(self, *statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_role_policy(RoleName=self.name, PolicyName="brokers", PolicyDocument=document)

    def session(self, name="session"):
        """Credentials, as STS gives them; a new role isn't assumable at once."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return self._sts.assume_role(RoleArn=self.arn, RoleSessionName=name)["Credentials"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied" or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


class SecureCluster:
    """A cluster that is there, and what its clients need to know of it."""

    def __init__(self, sandbox, name, folder, **shape):
        self.sandbox = sandbox
        self.arn = sandbox.private("cluster", {"name": name, "region": REGION, **shape})["clusterArn"]
        self.authority = folder / f"{name}.pem"
        with urllib.request.urlopen(f"{sandbox.endpoint}/_sandbox/authority", timeout=SECONDS) as reply:
            self.authority.write_bytes(reply.read())

    def servers(self, listener=""):
        """The bootstrap string of a listener: "SaslIam", "SaslScram", "Tls"; that of the plaintext one has no name."""
        strings = self.sandbox.client("kafka").get_bootstrap_brokers(ClusterArn=self.arn)
        return strings[f"BootstrapBrokerString{listener}"]

    def arn_of(self, kind, name="*"):
        """The ARN of a topic, group or transactional-id of the cluster."""
        return f"{self.arn.replace(':cluster/', f':{kind}/', 1)}/{name}"

    def everything(self):
        """The course's statement: all actions on the cluster, its topics and its groups."""
        return allow("*", on=[self.arn, self.arn_of("topic"), self.arn_of("group"), self.arn_of("transactional-id")])

    def owner(self):
        """The credentials of the sandbox's own user, who may do everything."""
        exports = self.sandbox.exports
        return {"AccessKeyId": exports["AWS_ACCESS_KEY_ID"], "SecretAccessKey": exports["AWS_SECRET_ACCESS_KEY"]}


def variables(credentials, region=REGION):
    """The environment in which AWS's libraries find these credentials, and no others."""
    token = credentials.get("SessionToken")
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        **({"AWS_SESSION_TOKEN": token} if token else {}),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def wrong(credentials):
    """The same key with another secret."""
    return {**credentials, "SecretAccessKey": "not-the-secret-of-this-key-00000000000000"}


def let_end(folder, credentials, seconds=-1):
    """Makes a session end in as many seconds from now, which STS does in a quarter of an hour at the soonest: in the
    memory of a sandbox that is not up, and whose folder this is.
    """
    journal = folder / "sandbox" / "state.jsonl"
    entries = [entry for line in journal.read_text().splitlines() for entry in json.loads(line)]
    [*_, entry] = [entry for entry in entries if entry["key"] == credentials["AccessKeyId"]]
    entry["value"]["expires"] = int((time.time() + seconds) * 1000)
    with journal.open("a") as lines:
        lines.write(json.dumps([entry]) + "\n")
