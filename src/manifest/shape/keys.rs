//! Every key of a manifest.

use super::{Key, Record, Shape};
use Shape::{Duration, Either, Flag, Integer, List, Map, Text, Texts};

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: true, about }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: false, about }
}

const fn word(words: &'static [&'static str]) -> Shape {
    Shape::Word(words)
}

const fn record(keys: &'static [Key]) -> Record {
    Record { keys, one_of: &[] }
}

/// The whole manifest. `variables` stands here for the suggestions: its values are taken before the rest is checked.
pub(super) static MANIFEST: Record = record(&[
    required("name", Text, "with the environment, identifies the pipeline"),
    required("environment", Text, "with the name, identifies the pipeline"),
    required("target", word(&["sandbox", "aws"]), "sandbox, the embedded local AWS, or aws"),
    required("region", Text, "the AWS region, such as us-east-1"),
    optional("account", Text, "the only account that may be touched"),
    optional("ttl", Duration, "how long after its making a thing may be swept"),
    optional("variables", Map(&Text), "values for ${name} in this manifest"),
    optional("cluster", Shape::Record(&CLUSTER), "an existing MSK cluster"),
    optional("topic_defaults", Shape::Record(&TOPIC_DEFAULTS), "what topics have that do not say otherwise"),
    optional("topics", List(&Shape::Record(&TOPIC)), "the topics"),
    optional("bucket", Shape::Record(&BUCKET), "the bucket that the connector writes to"),
    optional("plugin", Shape::Record(&PLUGIN), "the connector plugin"),
    optional("worker_configuration", Shape::Record(&WORKER_CONFIGURATION), "how Kafka Connect's workers work"),
    optional("role", Shape::Record(&ROLE), "the IAM role of the connector and the clients"),
    optional("connector", Shape::Record(&CONNECTOR), "the S3 sink connector"),
    optional("api", Shape::Record(&API), "the API Gateway proxy"),
    optional("client", Shape::Record(&CLIENT), "the EC2 Kafka client and REST proxy"),
]);

static CLUSTER: Record = Record {
    keys: &[
        optional("name", Text, "the cluster's name"),
        optional("arn", Text, "the cluster's ARN"),
        optional(
            "auth",
            Either(&[word(&["iam", "tls", "plaintext"]), Shape::Record(&AUTH)]),
            "how clients authenticate",
        ),
        optional("access", word(&["private", "public"]), "which listeners clients use"),
        optional("topics_via", word(&["auto", "api", "kafka"]), "how topics are managed"),
        optional("sandbox", Shape::Record(&PRETENDED), "what the sandbox pretends that the cluster is"),
    ],
    one_of: &["name", "arn"],
};

static AUTH: Record = Record {
    keys: &[
        optional("scram", Text, "the ARN of a secret with a user and a password"),
        optional("mtls", Shape::Record(&CERTIFICATE), "a client certificate and its key"),
    ],
    one_of: &["scram", "mtls"],
};

static CERTIFICATE: Record = record(&[
    required("cert", Text, "the file of the certificate, in PEM"),
    required("key", Text, "the file of its private key, in PEM"),
]);

static PRETENDED: Record = Record {
    keys: &[
        optional("kafka_version", Text, "the Kafka version of a provisioned cluster"),
        optional("serverless", Flag, "whether it is Serverless"),
    ],
    one_of: &["kafka_version", "serverless"],
};

static TOPIC_DEFAULTS: Record = record(&[
    optional("partitions", Integer, "how many partitions"),
    optional("replication_factor", Integer, "how many replicas each partition has"),
    optional("config", Map(&Text), "Kafka's topic settings"),
]);

static TOPIC: Record = record(&[
    required("name", Text, "the topic's name"),
    optional("partitions", Integer, "how many partitions"),
    optional("replication_factor", Integer, "how many replicas each partition has"),
    optional("config", Map(&Text), "Kafka's topic settings"),
    optional("on_destroy", word(&["retain", "delete"]), "whether destroy leaves it"),
]);

static BUCKET: Record = record(&[
    required("name", Text, "the bucket's name"),
    optional("create", Flag, "false where it exists already"),
    optional("on_destroy", word(&["retain", "empty"]), "whether destroy empties it"),
]);

static PLUGIN: Record = record(&[
    required("name", Text, "what its versions are called"),
    required("source", Text, "a ZIP, a JAR, a folder, an https URL with sha256, or s3://BUCKET/KEY"),
    optional("sha256", Text, "the checksum that a download must have"),
    optional("prefix", Text, "what the archive's key in the bucket starts with"),
    optional("register", Flag, "whether MSK Connect gets it as a custom plugin; false: the archive is only uploaded"),
]);

static WORKER_CONFIGURATION: Record = record(&[
    required("name", Text, "what its versions are called"),
    required("properties", Map(&Text), "Kafka Connect's worker properties"),
]);

static ROLE: Record = record(&[
    required("name", Text, "the role's name"),
    optional("create", Flag, "false where it exists already"),
    optional("trust", List(&Shape::Record(&TRUST)), "who may assume it"),
    optional("managed_policies", List(&Text), "ARNs of managed policies"),
    optional("statements", List(&Shape::Record(&STATEMENT)), "policy statements on top of the generated ones"),
]);

static TRUST: Record = Record {
    keys: &[
        optional("service", Text, "an AWS service, such as ec2.amazonaws.com"),
        optional("self", Flag, "the role itself"),
        optional("arn", Text, "a user, a role or an account"),
    ],
    one_of: &["service", "self", "arn"],
};

/// A statement of an identity's policy
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>). There is no Principal in
/// these: it is whoever has the policy.
static STATEMENT: Record = record(&[
    optional("Sid", Text, "the statement's id"),
    required("Effect", word(&["Allow", "Deny"]), "Allow or Deny"),
    optional("Action", Texts, "what is allowed or denied"),
    optional("NotAction", Texts, "all but this is allowed or denied"),
    optional("Resource", Texts, "on what"),
    optional("NotResource", Texts, "on all but this"),
    optional("Condition", Map(&Map(&Texts)), "when"),
]);

static CONNECTOR: Record = record(&[
    required("name", Text, "the connector's name; its consumer group is connect-NAME"),
    optional("kafka_connect_version", word(&["2.7.1", "3.7.x"]), "which Kafka Connect runs it"),
    optional("capacity", Shape::Record(&CAPACITY), "a fixed number of workers"),
    optional("autoscaling", Shape::Record(&AUTOSCALING), "as many workers as the load asks for"),
    optional(
        "topics",
        Either(&[word(&["all"]), List(&Text), Shape::Record(&SELECTION)]),
        "all, a list, or { regex: … }",
    ),
    optional("config", Map(&Text), "connector properties, on top of the S3 sink's for JSON"),
    optional("network", Shape::Record(&NETWORK), "where its workers run, if not in the cluster's network"),
    optional("log_delivery", Shape::Record(&LOG_DELIVERY), "where its workers' logs go"),
]);

static CAPACITY: Record = record(&[
    optional("mcu_count", Integer, "MSK Connect units a worker: 1, 2, 4 or 8"),
    optional("workers", Integer, "how many workers, 1 to 10"),
]);

static AUTOSCALING: Record = record(&[
    optional("mcu_count", Integer, "MSK Connect units a worker: 1, 2, 4 or 8"),
    optional("min_workers", Integer, "the fewest workers"),
    required("max_workers", Integer, "the most workers"),
    optional("scale_in_cpu", Integer, "CPU percentage below which workers are removed"),
    optional("scale_out_cpu", Integer, "CPU percentage above which workers are added"),
    optional("max_tasks", Integer, "the most tasks"),
]);

static SELECTION: Record =
    record(&[required("regex", Text, "a Java regular expression that whole topic names must match")]);

static NETWORK: Record = record(&[
    required("subnets", List(&Text), "subnet ids"),
    required("security_groups", List(&Text), "security group ids"),
]);

static LOG_DELIVERY: Record = record(&[
    optional("cloudwatch", Shape::Record(&CLOUDWATCH), "a CloudWatch Logs log group"),
    optional("s3", Shape::Record(&LOG_BUCKET), "a bucket"),
    optional("firehose", Shape::Record(&FIREHOSE), "a Firehose delivery stream"),
]);

static CLOUDWATCH: Record = record(&[required("log_group", Text, "the log group's name")]);

static LOG_BUCKET: Record = record(&[
    required("bucket", Text, "the bucket's name"),
    optional("prefix", Text, "what the keys of the logs start with"),
]);

static FIREHOSE: Record = record(&[required("delivery_stream", Text, "the delivery stream's name")]);

static API: Record = Record {
    keys: &[
        optional("name", Text, "the name of an API of this pipeline's own"),
        optional("id", Text, "the id of an existing API"),
        required("backend", Text, "the REST proxy's base URL, or client"),
        optional("stage", Text, "the stage's name; the environment's where absent"),
        optional("cors", Flag, "whether browsers on other origins may post"),
        optional("authorization", word(&["none", "aws_iam", "api_key"]), "who may post"),
    ],
    one_of: &["name", "id"],
};

static CLIENT: Record = record(&[
    optional("instance", Either(&[Text, Shape::Record(&INSTANCE)]), "the EC2 instance that is set up"),
    optional("address", Text, "its public name or address, where it is not to be asked"),
    optional("kafka_version", Text, "the version of Kafka's tools"),
    optional("java_version", Integer, "the least version of Java: 8, 11, 17 or 21"),
    optional("iam_jar_version", Text, "the version of aws-msk-iam-auth"),
    optional("rest_proxy", Shape::Record(&REST_PROXY), "Confluent's REST proxy"),
    optional("mirror", Text, "where archives come from in their publishers' place"),
    optional("checksums", Shape::Record(&CHECKSUMS), "what archives must be"),
]);

static INSTANCE: Record = record(&[required("tag", Map(&Text), "a tag that this instance alone has")]);

static REST_PROXY: Record = record(&[
    optional("version", Text, "the version of Confluent's community package"),
    optional("port", Integer, "where it listens"),
]);

static CHECKSUMS: Record = record(&[
    optional("kafka", Text, "sha256 or sha512 of Kafka's archive"),
    optional("iam_jar", Text, "sha256 or sha512 of the MSK IAM jar"),
    optional("rest_proxy", Text, "sha256 or sha512 of Confluent's archive"),
]);
