//! `manifests/course.yaml`: a bucket, a role and an API that exist already, and belong to somebody else.

use aws_sdk_apigateway::types::IntegrationType;
use pipeline::aws::clients::Clients;
use serde_json::{Value, json};

use crate::bench::{Bench, Run, mutations, steps};
use crate::client::{Checksums, free_port};

const ROLE: &str = "0a1b2c3d4e5f-ec2-access-role";
const MACHINE: &str = "i-0123456789abcdef0";
const BUCKET: &str = "user-0a1b2c3d4e5f-bucket";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["kafkaconnect.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#;
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kafka-cluster:*","s3:*"],"Resource":"*"}]}"#;

/// What the course's staff made: returns the API's id.
async fn provided(clients: &Clients) -> String {
    clients.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    clients.iam.create_role().role_name(ROLE).assume_role_policy_document(TRUST).send().await.unwrap();
    let policy = clients.iam.put_role_policy().role_name(ROLE).policy_name("course").policy_document(POLICY);
    policy.send().await.unwrap();
    let api = clients.apigateway.create_rest_api().name("0a1b2c3d4e5f").send().await.unwrap();
    let id = api.id().unwrap().to_owned();
    let root = api.root_resource_id().unwrap();
    let health = clients.apigateway.create_resource().rest_api_id(&id).parent_id(root).path_part("health");
    let health = health.send().await.unwrap().id.unwrap();
    let method = clients.apigateway.put_method().rest_api_id(&id).resource_id(&health).http_method("GET");
    method.authorization_type("NONE").send().await.unwrap();
    let integration = clients.apigateway.put_integration().rest_api_id(&id).resource_id(&health).http_method("GET");
    integration.r#type(IntegrationType::Mock).send().await.unwrap();
    clients.apigateway.create_deployment().rest_api_id(&id).stage_name("staff").send().await.unwrap();
    id
}

/// The API's resources, stages and tags, without what changes by itself.
async fn picture(clients: &Clients, id: &str) -> (Vec<String>, Vec<String>, usize) {
    let resources = clients.apigateway.get_resources().rest_api_id(id).send().await.unwrap();
    let mut paths: Vec<String> = resources.items().iter().filter_map(|resource| resource.path.clone()).collect();
    paths.sort();
    let stages = clients.apigateway.get_stages().rest_api_id(id).send().await.unwrap();
    let stages =
        stages.item().iter().map(|stage| format!("{:?} {:?}", stage.stage_name, stage.deployment_id)).collect();
    let api = clients.apigateway.get_rest_api().rest_api_id(id).send().await.unwrap();
    (paths, stages, api.tags.unwrap_or_default().len())
}

async fn trust(clients: &Clients) -> Value {
    let role = clients.iam.get_role().role_name(ROLE).send().await.unwrap();
    let document = role.role().unwrap().assume_role_policy_document().unwrap();
    serde_json::from_str(&percent_encoding::percent_decode_str(document).decode_utf8().unwrap()).unwrap()
}

#[tokio::test]
async fn what_exists_is_used_marked_and_given_back_as_it_was() {
    let bench = Bench::new();
    bench.dev(&[]);
    bench.plan_json(); // The sandbox learns of the cluster.
    let clients = bench.clients().await;
    let id = provided(&clients).await;
    let (before, trusted) = (picture(&clients, &id).await, trust(&clients).await);
    // Its machine is one of the sandbox, whose own archives it takes.
    bench.private("instance", &json!({"id": MACHINE, "role": ROLE})).await;
    let sums = Checksums::of(&bench, "2.8.1", "1.1.5", "7.2.0").await;
    let port = free_port();
    let course = Bench::example("course.yaml").replace("port: 8082", &format!("port: {port}"));
    let pinned = format!(
        "  mirror: {}\n  checksums:\n    kafka: {}\n    iam_jar: {}\n    # ",
        sums.mirror, sums.kafka, sums.iam_jar
    );
    assert!(course.contains("  checksums: "));
    bench.write("course.yaml", &course.replace("  checksums: ", &pinned));
    let installed = |path: &str| {
        std::fs::read_to_string(bench.path("sandbox/instances").join(MACHINE).join("root").join(path)).unwrap()
    };
    let run = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.args(["--endpoint-url", &bench.endpoint, "--var", &format!("api={id}")]);
        command.args(["--var", &format!("rest_proxy_sha256={}", sums.rest_proxy)]);
        command
            .env("AWS_ACCESS_KEY_ID", pipeline::sandbox::ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", pipeline::sandbox::SECRET_ACCESS_KEY);
        Run::of(command.output().unwrap())
    };

    let plan = run(&["plan", "course.yaml", "--format", "json"]).ended(0).json();
    assert!(steps(&plan).contains(&format!("create client/{MACHINE}")), "{plan}");
    assert!(steps(&plan).contains(&format!("update role/{ROLE}")), "{plan}");
    assert!(steps(&plan).contains(&format!("update rest_api/{id}")), "{plan}");
    let applied = run(&["apply", "course.yaml", "--yes"]).ended(0);
    assert!(applied.stdout.contains(&format!("https://{id}.execute-api.us-east-1.amazonaws.com/test")), "{applied:?}");
    run(&["plan", "course.yaml", "--detailed-exitcode"]).ended(0);
    let properties = installed("etc/pipeline-client/client.properties");
    let lines: Vec<&str> = properties.lines().filter(|line| !line.starts_with('#')).collect();
    let jaas = format!(
        "sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required \
         awsRoleArn=\"arn:aws:iam::000000000000:role/{ROLE}\";"
    );
    let handler = "sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler";
    assert_eq!(lines, ["security.protocol=SASL_SSL", "sasl.mechanism=AWS_MSK_IAM", &jaas, handler]);
    let proxy = installed("etc/pipeline-client/kafka-rest.properties");
    assert!(lines.iter().all(|line| proxy.contains(&format!("\nclient.{line}\n"))), "{proxy}");
    let (paths, stages, _) = picture(&clients, &id).await;
    assert_eq!(paths, ["/", "/health", "/{proxy+}"]);
    assert_eq!(stages.len(), 2);
    assert!(trust(&clients).await.to_string().contains(&format!("role/{ROLE}")));

    let destroyed = run(&["destroy", "course.yaml", "--yes", "--delete-topics"]).ended(0);
    assert!(
        destroyed.stderr.contains(&format!("- role/{ROLE} (only this pipeline's trust statements)")),
        "{}",
        destroyed.stderr
    );
    assert_eq!(picture(&clients, &id).await, before, "{destroyed:?}");
    assert_eq!(trust(&clients).await, trusted);
    assert!(clients.s3.head_bucket().bucket(BUCKET).send().await.is_ok());
    assert_eq!(clients.s3.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents().len(), 0);
    let calls = bench.calls().len();
    let again = run(&["destroy", "course.yaml", "--yes", "--delete-topics"]).ended(0);
    assert!(again.stderr.contains("Nothing to destroy."), "{}", again.stderr);
    // The machine is asked what it has.
    assert_eq!(mutations(&bench.calls()[calls..]), ["SendCommand"]);
    assert!(!bench.path("sandbox/instances").join(MACHINE).join("root/opt/pipeline-client").exists());
}
