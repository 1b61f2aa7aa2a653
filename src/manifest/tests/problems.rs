//! Bad manifests, and exactly what is said of them. A snapshot holds the manifest too, so that it can be read alone.

use super::super::{Overrides, Target};
use super::{HEAD, judged, judged_with};

/// A snapshot of a manifest that starts with [`HEAD`].
macro_rules! told {
    ($name:ident, $text:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(judged(&format!("{HEAD}{}", $text)));
        }
    };
}

#[test]
fn an_empty_manifest() {
    insta::assert_snapshot!(judged("# nothing\n"));
}

#[test]
fn a_manifest_that_is_a_list() {
    insta::assert_snapshot!(judged("- name: x\n"));
}

#[test]
fn a_manifest_without_its_head() {
    insta::assert_snapshot!(judged("nam: demo\nregion: us-east-1\ntarget: azure\n"));
}

#[test]
fn a_head_with_impossible_values() {
    insta::assert_snapshot!(judged(
        "name: 'tab\tbed'\nenvironment: ''\ntarget: AWS\nregion: virginia\naccount: 12345\nttl: 8 hours\n"
    ));
}

told!(syntax_tab, "bucket:\n\tname: x\n");
told!(syntax_colon, "bucket: name: x\n");
told!(syntax_quote, "bucket:\n  name: 'x\n");
told!(syntax_two_documents, "---\nname: other\n");
told!(
    variables_in_flow_collections_want_quotes,
    "variables: { user: x }\nbucket: { name: ${user}-bucket }\ncluster: { name: c }\ntopics: [ { name: ${user} } ]\n"
);
told!(keys_twice, "bucket:\n  name: abc\n  create: true\n  name: abd\nbucket:\n  name: abe\n");
told!(
    merge_keys_and_tags,
    "bucket: { name: !!str abc }\nplugin:\n  <<: { name: x }\n  name: p\n  source: plugins/s3-sink\n"
);

told!(
    keys_unknown,
    "conector:\n  name: x\nbuckets: {}\nbackend: http://x\nbucket:\n  nmae: abc\n  versioning: true\n  on-destroy: empty\n"
);
told!(
    types_wrong,
    "cluster: demo\ntopics:\n  name: x\nbucket:\n  name: [ a ]\n  create: yes\napi:\n  name: x\n  backend:\n  cors: 1\n\
     role:\n  name: r\n  trust: self\nconnector:\n  name: k\n  topics: everything\n  config: flush.size\n"
);
told!(
    keys_missing,
    "topics:\n  - partitions: 3\nbucket: {}\ncluster: { auth: iam }\nrole:\n  name: r\n  trust:\n    - {}\n"
);
told!(choices_made_twice, "cluster:\n  name: c\n  arn: x\napi:\n  id: a\n  name: b\n  backend: client\n");
told!(
    client_with_impossible_values,
    "client:\n  instance: i-1\n  address: http://host:8082\n  kafka_version: 3.8.x\n  java_version: 12\n  \
     iam_jar_version: latest\n  rest_proxy: { version: '7.6', port: 80 }\n  mirror: ftp://mirror\n  \
     checksums: { kafka: abc, jar: def }\n"
);
told!(
    client_versions_that_do_not_go_together,
    "cluster: { name: c }\nclient:\n  kafka_version: 4.1.0\n  java_version: 11\n  iam_jar_version: 2.4.0\n  \
     rest_proxy: { version: 5.1.2 }\n"
);
told!(client_with_a_jar_that_fails, "cluster: { name: c }\nclient: { iam_jar_version: 2.1.0 }\n");
told!(
    client_over_plain_http,
    "cluster: { name: c }\nclient:\n  mirror: http://mirror.example.com\n  rest_proxy: { version: 7.9.0 }\n"
);
told!(client_with_a_secret_mirror, "cluster: { name: c }\nclient:\n  mirror: https://me:word@mirror.example.com\n");
told!(
    client_by_tags,
    "cluster: { name: c }\nclient: { instance: { tag: { Name: kafka, Env: dev } } }\napi: { name: a, backend: client }\n"
);
told!(
    client_with_a_password_to_send,
    "cluster:\n  name: c\n  auth: { scram: arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_k-AbCdEf }\n\
     client: { instance: i-0123456789abcdef0 }\n"
);
#[test]
fn a_client_on_aws() {
    let head = HEAD.replace("sandbox", "aws");
    insta::assert_snapshot!(judged(&format!(
        "{head}cluster: {{ name: c }}\nclient:\n  rest_proxy: {{ version: 7.6.0 }}\n"
    )));
    insta::assert_snapshot!(judged(&format!("{head}cluster: {{ name: c }}\napi: {{ name: a, backend: client }}\n")));
}

told!(auth_in_a_word, "cluster:\n  name: c\n  auth: mtls\n");
told!(
    auth_by_secret,
    "cluster:\n  name: c\n  auth: { scram: arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-AbCdEf }\n  access: public\n"
);
told!(auth_by_certificate, "cluster:\n  name: c\n  auth: { mtls: { cert: none.pem, key: Cargo.toml } }\n");
told!(
    auth_that_connect_has_not,
    "cluster:\n  name: c\n  auth: { mtls: { cert: none.pem, key: none.pem } }\nconnector: { name: k }\n"
);
told!(pretended_versions, "cluster:\n  name: c\n  topics_via: api\n  sandbox: { kafka_version: 2.8.1 }\n");
told!(pretended_nonsense, "cluster:\n  name: c\n  sandbox: { kafka_version: old, serverless: true }\n");
told!(
    serverless_has_no_choice,
    "cluster:\n  name: c\n  auth: tls\n  access: public\n  topics_via: api\n  sandbox: { serverless: true }\n\
     topic_defaults: { replication_factor: 2 }\n\
     topics:\n  - name: a\n    replication_factor: 3\n    config: { segment.ms: 1d, retention.ms: 1d }\n  - name: b\n    config: { max.message.bytes: 9MiB }\n"
);

told!(
    variables_without_a_value,
    "variables:\n  user: x\n  must-be-given:\n  1st: y\n  list: [ a ]\n\
     bucket:\n  name: ${usr}-bucket\nplugin:\n  name: ${nothing_like_it}\n  source: ${env:NOT_SET}/x.zip\n  prefix: a${\n"
);
told!(variables_in_a_circle, "variables:\n  a: ${b}\n  b: x${c}\n  c: ${a}\nbucket:\n  name: ${a}\n");
told!(variables_in_keys_and_of_iam, "bucket:\n  name: abc-${aws:username}\n  ${x}: y\n");

#[test]
fn flags_for_variables_that_are_not_there() {
    let overrides = Overrides {
        variables: vec![("usr".into(), "x".into()), ("zone".into(), "y".into())],
        target: Some(Target::Aws),
        region: Some("here".into()),
        removal: false,
    };
    let text = format!("{HEAD}variables: {{ user: x }}\nbucket: {{ name: '${{user}}-bucket' }}\n");
    insta::assert_snapshot!(judged_with(&text, &overrides, &[]));
}

told!(
    clusters,
    "cluster:\n  arn: arn:aws:kafka:us-west-2:123456789012:cluster/demo/1\n  auth: tls\n  access: public\n"
);
told!(cluster_arns_of_others, "cluster:\n  arn: arn:aws:kafka:us-east-1:12:cluster/demo\n");

told!(
    topics,
    "cluster: { name: -c }\ntopic_defaults: { partitions: 0, config: { retention.ms: soon } }\ntopics:\n\
     \x20 - name: a.b\n    partitions: 0\n  - name: a_b\n    replication_factor: 99\n  - name: a.b\n\
     \x20 - name: a/b\n    partitions: three\n  - name: __consumer_offsets\n    config:\n      cleanup.policy: compacted\n\
     \x20     min.insync.replicas: 4\n      segment.bytes: 1GB\n      retention ms: 1\n"
);
told!(
    topic_settings_unknown,
    "cluster: { name: c }\ntopics:\n  - name: t\n    config: { retention: 7d, max.mesage.bytes: 1MiB }\n"
);

told!(
    storage,
    "bucket:\n  name: My_Bucket\n  create: false\n  on_destroy: empty\nplugin:\n  name: a plugin\n  source: plugins/none.zip\n  sha256: abc\n  prefix: /a//b\n"
);
told!(bucket_of_an_account_namespace, "bucket: { name: demo-123456789012-us-east-1-an }\n");
told!(plugin_without_a_bucket, "plugin: { name: p, source: plugins/s3-sink }\n");
told!(plugin_not_an_archive, "bucket: { name: abc }\nplugin: { name: p, source: plugins/s3-sink/README.md }\n");
told!(plugin_not_pinned, "bucket: { name: abc }\nplugin: { name: p, source: 'https://example.com/x.zip' }\n");
told!(plugin_of_another_scheme, "bucket: { name: abc }\nplugin: { name: p, source: 'ftp://example.com/x.zip' }\n");
told!(plugin_object_without_a_key, "plugin: { name: p, source: 's3://abc' }\n");
told!(
    plugin_checked_though_local,
    "bucket: { name: abc }\nplugin:\n  name: p\n  source: plugins/s3-sink\n  sha256: 8b0e4567ab2b0c15a301033d69980cb17c38c944c001e926e83e313737a641db\n"
);

#[test]
fn aws_takes_no_plain_http_and_no_client_without_one() {
    let text = "name: demo\nenvironment: dev\ntarget: aws\nregion: us-east-1\nbucket: { name: abc }\n\
                plugin: { name: p, source: 'http://example.com/x.zip' }\napi: { name: x, backend: client }\n";
    insta::assert_snapshot!(judged(text));
}

told!(
    worker_configurations,
    "worker_configuration:\n  name: ''\n  properties:\n    bootstrap.servers: x\n    group.id: x\n    sasl.mechanism: x\n    plugin.path: x\n\
     \x20   consumer.max.poll.record: 5\n    key.converter: x\n    offset.flush.interval.ms: often\n"
);

told!(
    roles,
    "role:\n  name: my role\n  trust:\n    - service: kafkaconnect\n    - service: https://ec2\n    - arn: '123456789012'\n    - arn: arn:aws:iam::123456789012:role/*\n\
     \x20   - arn: arn:aws:s3:::abc\n    - arn: me\n    - self: false\n    - service: ec2.amazonaws.com\n    - service: ec2.amazonaws.com\n\
     \x20 managed_policies: [ AdministratorAccess, 'arn:aws:iam::aws:role/x' ]\n"
);
told!(role_that_names_itself, "role:\n  name: r\n  trust: [ { arn: 'arn:aws:iam::123456789012:role/r' } ]\n");
told!(role_that_only_it_could_assume, "role:\n  name: r\n  trust: [ { self: true } ]\n");
told!(
    role_that_exists_keeps_its_policies,
    "role:\n  name: AWSServiceRoleForX\n  create: false\n  managed_policies: [ 'arn:aws:iam::aws:policy/x' ]\n  statements: [ { Effect: Allow, Action: '*', Resource: '*' } ]\n"
);
told!(
    statements,
    "role:\n  name: r\n  trust: [ { service: ec2.amazonaws.com } ]\n  statements:\n    - Effect: allow\n      Action: s3:GetObject\n      Resource: '*'\n\
     \x20   - Effect: Allow\n      Actions: s3:GetObject\n      Principal: '*'\n      Resource: my-bucket\n\
     \x20   - Sid: Pipeline-x\n      Effect: Allow\n      Action: GetObject\n      NotAction: s3:*\n      NotResource: []\n"
);

/// What a connector needs around it.
const AROUND: &str = "cluster: { name: c }\ntopics: [ { name: a.pin }, { name: a.geo } ]\nbucket: { name: abc }\n\
    plugin: { name: p, source: plugins/s3-sink }\nrole: { name: r, trust: [ { service: kafkaconnect.amazonaws.com } ] }\n";

told!(a_connector_alone, "connector:\n  name: k\n");
told!(
    a_connector_whose_role_does_not_trust_it,
    format!("{}connector: {{ name: k, config: {{ flush.size: 1 }} }}\n", AROUND.replace("kafkaconnect", "ec2"))
);
told!(
    what_is_broken_is_not_missing_too,
    "cluster: { nam: c }\ntopics: [ { nme: a } ]\nbuckt: { name: abc }\nplugin: { name: p }\nrole: { name: r, trust: [ { servce: x } ] }\n\
     connector: { name: k, topics: [ b ], config: { flush.size: 1 } }\n"
);
told!(
    capacities,
    format!(
        "{AROUND}connector:\n  name: k\n  kafka_connect_version: 3.6.0\n  capacity: {{ mcu_count: 3, workers: 11 }}\n  config: {{ flush.size: 0, tasks.max: many }}\n"
    )
);
told!(
    autoscalings,
    format!(
        "{AROUND}connector:\n  name: k\n  autoscaling:\n    mcu_count: 5\n    min_workers: 4\n    max_workers: 2\n    scale_in_cpu: 90\n    scale_out_cpu: 80\n    max_tasks: 1\n\
         \x20 capacity: {{ workers: 1 }}\n  config: {{ flush.size: 10, tasks.max: 3 }}\n"
    )
);
told!(
    connector_properties,
    format!(
        "{AROUND}connector:\n  name: k\n  config:\n    topics: a.pin\n    topics.regex: a.*\n    s3.bucket.name: other\n    s3.region: eu-west-1\n    name: other\n\
         \x20   rotate.schedule.interval.ms: 10m\n    errors.deadletterqueue.topic.name: a.geo\n    errors.tolerance: all\n"
    )
);
told!(
    connector_properties_that_are_odd,
    format!(
        "{AROUND}connector:\n  name: k\n  config:\n    flush.size: 1\n    rotate.interval.ms: 10m\n    value.converter.schemas.enable: true\n    errors.deadletterqueue.topic.name: dead\n"
    )
);
told!(
    selections_of_undeclared_topics,
    format!("{AROUND}connector:\n  name: k\n  topics: [ a.pim, zzz, a.geo, a.geo ]\n  config: {{ flush.size: 5 }}\n")
);
told!(
    selections_that_match_nothing,
    format!("{AROUND}connector:\n  name: k\n  topics: {{ regex: 'b\\..*' }}\n  config: {{ flush.size: 5 }}\n")
);
told!(
    selections_that_are_no_regex,
    format!("{AROUND}connector:\n  name: k\n  topics: {{ regex: 'a\\.(?!pin' }}\n  config: {{ flush.size: 5 }}\n")
);
told!(
    selections_with_a_bare_dot,
    format!("{AROUND}connector:\n  name: k\n  topics: {{ regex: 'a.*' }}\n  config: {{ flush.size: 5 }}\n")
);
told!(
    networks_and_logs,
    format!(
        "{AROUND}connector:\n  name: k\n  config: {{ flush.size: 5 }}\n  network:\n    subnets: []\n    security_groups: [ sg-1, sg-12345678, sg-12345678 ]\n\
         \x20 log_delivery:\n    cloudwatch: {{ log_group: a b }}\n    s3: {{ bucket: X }}\n    firehose: {{ delivery_stream: a/b }}\n"
    )
);
told!(logs_to_nowhere, format!("{AROUND}connector:\n  name: k\n  config: {{ flush.size: 5 }}\n  log_delivery: {{}}\n"));

told!(api_stage_with_a_space, "api: { name: x, backend: client, stage: my stage, authorization: open }\n");
told!(api_port, "api: { name: x, backend: 'http://example.com:81' }\n");
told!(api_query, "api: { id: 'A-B', backend: 'http://example.com/?x=1' }\n");
told!(api_scheme, "api: { name: '', backend: 'ec2-198-51-100-7.compute-1.amazonaws.com:8082' }\n");
told!(api_with_a_proxy_already, "api: { name: x, backend: 'http://example.com:8082/{proxy}' }\n");

#[test]
fn an_environment_that_is_no_stage() {
    let text = "name: demo\nenvironment: my place\ntarget: aws\nregion: us-east-1\napi: { name: x, backend: 'http://localhost:8082' }\n";
    insta::assert_snapshot!(judged(text));
}

#[test]
fn a_backend_that_aws_does_not_reach() {
    let text = "name: demo\nenvironment: dev\ntarget: aws\nregion: us-east-1\napi: { name: x, backend: 'http://localhost:8082' }\n";
    insta::assert_snapshot!(judged(text));
}
