//! Good manifests, and what they become.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::super::load::parse;
use super::super::{
    Access, Api, ApiReference, Auth, Authorization, Backend, Bucket, Capacity, Cluster, ClusterReference, Connector,
    LogDelivery, Network, Overrides, Plugin, PluginSource, Role, Target, Topic, TopicSelection, TopicsVia, Trust,
    WorkerConfiguration,
};
use super::{HEAD, WHOLE, folder, read, read_with};

fn settings(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn given(variables: &[(&str, &str)]) -> Overrides {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Overrides { variables, ..Overrides::default() }
}

#[test]
fn the_least_is_a_name_a_place_and_nothing_in_it() {
    let manifest = read(HEAD).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.environment.as_str()), ("demo", "dev"));
    assert_eq!((manifest.target, manifest.region.as_str()), (Target::Sandbox, "us-east-1"));
    assert_eq!((manifest.topics.len(), manifest.bucket, manifest.api), (0, None, None));
}

#[test]
fn topics_have_their_own_or_the_defaults() {
    let manifest = read(WHOLE).unwrap();
    assert_eq!(manifest.ttl, Some(Duration::from_secs(8 * 3600)));
    let reference = ClusterReference::Name("demo-cluster".into());
    assert_eq!(
        manifest.cluster,
        Some(Cluster {
            reference,
            auth: Auth::Iam,
            access: Access::Private,
            topics_via: TopicsVia::Auto,
            pretended: None,
        })
    );
    assert_eq!(
        manifest.topics,
        [
            Topic {
                name: "0a1b.pin".into(),
                partitions: 3,
                replication_factor: 3,
                config: settings(&[("retention.ms", "604800000")]),
                retain: false,
            },
            Topic {
                name: "0a1b.geo".into(),
                partitions: 6,
                replication_factor: 2,
                config: settings(&[
                    ("cleanup.policy", "compact"),
                    ("retention.ms", "604800000"),
                    ("segment.bytes", "1073741824"),
                ]),
                retain: true,
            },
        ]
    );
}

#[test]
fn storage_is_found_beside_the_manifest() {
    let manifest = read(WHOLE).unwrap();
    assert_eq!(manifest.bucket, Some(Bucket { name: "user-0a1b-bucket".into(), create: true, retain: false }));
    assert_eq!(
        manifest.plugin,
        Some(Plugin {
            name: "0a1b-plugin".into(),
            source: PluginSource::Folder(folder().join("plugins/s3-sink")),
            prefix: "plugins/".into(),
            register: true,
        })
    );
    assert_eq!(
        manifest.worker_configuration,
        Some(WorkerConfiguration {
            name: "worker".into(),
            properties: settings(&[
                ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
                ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
                ("value.converter.schemas.enable", "false"),
            ]),
        })
    );
}

#[test]
fn a_role_keeps_its_statements_in_iams_spelling() {
    assert_eq!(
        read(WHOLE).unwrap().role,
        Some(Role {
            name: "0a1b-role".into(),
            create: true,
            trust: vec![
                Trust::Service("kafkaconnect.amazonaws.com".into()),
                Trust::Service("ec2.amazonaws.com".into()),
                Trust::Itself,
                Trust::Arn("arn:aws:iam::123456789012:user/0a1b".into()),
            ],
            managed_policies: vec!["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore".into()],
            statements: vec![json!({
                "Sid": "ReadSecrets",
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": ["arn:aws:secretsmanager:*:*:secret:${aws:username}/*", "*"],
                "Condition": { "StringEquals": { "aws:SourceAccount": "012345678901" } },
            })],
        })
    );
}

#[test]
fn a_connectors_properties_stay_as_they_are_written() {
    assert_eq!(
        read(WHOLE).unwrap().connector,
        Some(Connector {
            name: "0a1b-connector".into(),
            kafka_connect_version: "3.7.x".into(),
            capacity: Capacity::Provisioned { mcu_count: 2, workers: 3 },
            topics: TopicSelection::Regex(r"0a1b\.(pin|geo)".into()),
            config: settings(&[
                ("flush.size", "10"),
                ("on", "true"),
                ("ratio", "1.0"),
                ("rotate.schedule.interval.ms", "600000"),
                ("tasks.max", "3"),
                ("timezone", "UTC"),
            ]),
            network: Some(Network {
                subnets: vec!["subnet-0123456789abcdef0".into()],
                security_groups: vec!["sg-12345678".into()],
            }),
            log_delivery: Some(LogDelivery {
                cloudwatch: Some("/msk/demo".into()),
                s3: Some(("demo-logs".into(), Some("connect/".into()))),
                firehose: Some("demo".into()),
            }),
        })
    );
}

#[test]
fn a_backend_has_no_slash_at_its_end() {
    assert_eq!(
        read(WHOLE).unwrap().api,
        Some(Api {
            reference: ApiReference::Name("0a1b".into()),
            backend: Backend::Url("http://ec2-198-51-100-7.compute-1.amazonaws.com:8082".into()),
            stage: "prod".into(),
            cors: true,
            authorization: Authorization::AwsIam,
        })
    );
}

#[test]
fn what_is_left_out_depends_on_the_target() {
    let text = "name: demo\nenvironment: live\ncluster: { name: c, auth: plaintext }\ntopics: [ { name: t } ]\n\
                bucket: { name: demo-bucket }\nplugin: { name: p, source: s3://demo-plugins/sink.zip }\n\
                role: { name: r, trust: [ { service: kafkaconnect.amazonaws.com } ] }\n\
                connector: { name: k, autoscaling: { max_workers: 4 }, config: { flush.size: 100 } }\n\
                api: { id: a1b2c3d4e5, backend: 'https://proxy.example.com' }\n";
    let on = |target| Overrides { target: Some(target), region: Some("eu-west-1".into()), ..Overrides::default() };
    let aws = read_with(text, &on(Target::Aws), &[]).unwrap();
    let sandbox = read_with(text, &on(Target::Sandbox), &[]).unwrap();
    assert_eq!((aws.target, aws.region.as_str()), (Target::Aws, "eu-west-1"));
    assert!(aws.topics[0].retain && !sandbox.topics[0].retain);
    assert_eq!((aws.topics[0].partitions, aws.topics[0].replication_factor), (1, 3));
    assert!(aws.bucket.unwrap().retain && !sandbox.bucket.unwrap().retain);
    let plugin = aws.plugin.unwrap();
    assert_eq!(plugin.source, PluginSource::S3 { bucket: "demo-plugins".into(), key: "sink.zip".into() });
    assert_eq!(plugin.prefix, "kafka-connect-s3/");
    let connector = aws.connector.unwrap();
    assert_eq!(connector.topics, TopicSelection::All);
    assert_eq!(
        connector.capacity,
        Capacity::Autoscaling {
            mcu_count: 1,
            min_workers: 1,
            max_workers: 4,
            scale_in_cpu: 20,
            scale_out_cpu: 80,
            max_tasks: None
        }
    );
    let api = aws.api.unwrap();
    assert_eq!((api.stage.as_str(), api.cors, api.authorization), ("live", false, Authorization::None));
    assert_eq!(api.reference, ApiReference::Id("a1b2c3d4e5".into()));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text =
        format!("{HEAD}variables: {{ user: file, other: '${{user}}-x' }}\nbucket: {{ name: '${{other}}-bucket' }}\n");
    let name = |flags: &[(&str, &str)], environment: &[(&str, &str)]| {
        read_with(&text, &given(flags), environment).unwrap().bucket.unwrap().name
    };
    assert_eq!(name(&[], &[]), "file-x-bucket");
    assert_eq!(name(&[], &[("PIPELINE_VAR_USER", "env")]), "env-x-bucket");
    assert_eq!(name(&[("user", "flag")], &[("PIPELINE_VAR_USER", "env")]), "flag-x-bucket");
    assert_eq!(name(&[("user", "first"), ("user", "last")], &[]), "last-x-bucket");
}

#[test]
fn a_variables_text_is_not_read_as_yaml_again() {
    let text = format!(
        "{HEAD}variables: {{ user: 12e4, count: '4' }}\ncluster: {{ name: c }}\n\
         topics: [ {{ name: \"${{user}}\", partitions: \"${{count}}\", config: {{ flush.messages: \"${{env:N}}\" }} }} ]\n"
    );
    let topic = read_with(&text, &Overrides::default(), &[("N", "0x10")]).unwrap().topics.remove(0);
    assert_eq!((topic.name.as_str(), topic.partitions), ("12e4", 4));
    assert_eq!(topic.config, settings(&[("flush.messages", "0x10")]));
}

#[test]
fn aliases_repeat_what_their_anchor_marks() {
    let text = format!(
        "{HEAD}cluster: {{ name: c }}\ntopics:\n  - name: a\n    config: &c {{ retention.ms: 1d }}\n  - name: b\n    config: *c\n"
    );
    let topics = read(&text).unwrap().topics;
    assert_eq!(topics[0].config, topics[1].config);
}

#[test]
fn the_digest_is_of_what_is_declared_and_not_of_how() {
    let digest = |text: &str| read(text).unwrap().digest;
    let whole = digest(WHOLE);
    assert_eq!(whole.len(), 64);
    let commented = WHOLE.replace("bucket:\n", "# a comment\nbucket:\n");
    assert_eq!(digest(&commented), whole);
    assert_eq!(digest(&WHOLE.replace("${user}", "0a1b")), whole);
    assert_eq!(digest(&WHOLE.replace("retention.ms: 7d", "retention.ms: 604800000")), whole);
    assert_eq!(digest(&WHOLE.replace("name: worker\n", "name: 'worker'\n")), whole);
    assert_eq!(digest(&WHOLE.replace("bucket:\n", "bucket:\n  create: true\n")), whole);
    let (head, role) = WHOLE.split_once("role:\n").unwrap();
    let (role, rest) = role.split_once("connector:\n").unwrap();
    assert_eq!(digest(&format!("role:\n{role}{head}connector:\n{rest}")), whole);
    assert_ne!(digest(&WHOLE.replace("partitions: 6", "partitions: 7")), whole);
    assert_ne!(digest(&WHOLE.replace("plugins/s3-sink", "plugins")), whole);
}

#[test]
fn the_digest_does_not_know_the_folder() {
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(elsewhere.path().join("plugins/s3-sink")).unwrap();
    let moved = parse(&elsewhere.path().join("other.yaml"), WHOLE, &Overrides::default(), &|_| None).unwrap();
    assert_eq!(moved.digest, read(WHOLE).unwrap().digest);
    assert_ne!(moved.plugin, read(WHOLE).unwrap().plugin);
    assert_eq!(moved.path, Path::new(&elsewhere.path().join("other.yaml")));
}

#[test]
fn a_thousand_topics_are_read_in_a_moment() {
    let topics: String =
        (0..1_000).map(|n| format!("  - name: t{n}.events\n    partitions: {}\n", n % 9 + 1)).collect();
    let text = format!(
        "{HEAD}cluster: {{ name: c }}\ntopic_defaults: {{ config: {{ retention.ms: 1d }} }}\ntopics:\n{topics}"
    );
    let start = std::time::Instant::now();
    assert_eq!(read(&text).unwrap().topics.len(), 1_000);
    // Some hundredths of a second; the bound only catches work that grows with the square.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
