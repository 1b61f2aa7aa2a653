//! Principals that are neither accounts nor their users and roles: AWS's services, and identity providers.

/// The first labels of the service principals `LABEL.amazonaws.com` that AWS knows; the common ones, not all.
const SERVICES: &[&str] = &[
    "access-analyzer",
    "acm",
    "airflow",
    "airflow-env",
    "amplify",
    "apigateway",
    "appflow",
    "application-autoscaling",
    "apprunner",
    "appsync",
    "athena",
    "autoscaling",
    "backup",
    "batch",
    "bedrock",
    "billingconductor",
    "budgets",
    "cassandra.application-autoscaling",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "codestar",
    "cognito-idp",
    "config",
    "connect",
    "databrew",
    "datapipeline",
    "datasync",
    "dax",
    "delivery.logs",
    "dlm",
    "dms",
    "ds",
    "dynamodb",
    "dynamodb.application-autoscaling",
    "ec2",
    "ec2fleet",
    "ec2scheduled",
    "ecr",
    "ecs",
    "ecs-tasks",
    "ecs.application-autoscaling",
    "edgelambda",
    "eks",
    "eks-fargate-pods",
    "eks-nodegroup",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "elasticloadbalancing",
    "elasticmapreduce",
    "elastictranscoder",
    "emr-serverless",
    "es",
    "events",
    "export.rds",
    "firehose",
    "fis",
    "forecast",
    "fsx",
    "glue",
    "grafana",
    "greengrass",
    "guardduty",
    "iam",
    "imagebuilder",
    "inspector",
    "inspector2",
    "internetmonitor",
    "iot",
    "ivs",
    "kafka",
    "kafkaconnect",
    "kendra",
    "kinesis",
    "kinesisanalytics",
    "kms",
    "lakeformation",
    "lambda",
    "lex",
    "lightsail",
    "logs",
    "macie",
    "mediaconvert",
    "medialive",
    "mgn",
    "monitoring",
    "monitoring.rds",
    "mq",
    "mwaa",
    "neptune",
    "network-firewall",
    "opensearchservice",
    "ops.apigateway",
    "organizations",
    "osis-pipelines",
    "pipes",
    "pods.eks",
    "polly",
    "quicksight",
    "ram",
    "rds",
    "redshift",
    "redshift-serverless",
    "rekognition",
    "replicator.kafka",
    "robomaker",
    "route53",
    "s3",
    "sagemaker",
    "scheduler",
    "secretsmanager",
    "securityhub",
    "securitylake",
    "servicecatalog",
    "servicediscovery",
    "ses",
    "shield",
    "signin",
    "sms",
    "sns",
    "spot",
    "spotfleet",
    "sqs",
    "ssm",
    "ssm-incidents",
    "ssmmessages",
    "sso",
    "states",
    "storagegateway",
    "streams.metrics.cloudwatch",
    "sts",
    "swf",
    "synthetics",
    "tagpolicies.tag",
    "textract",
    "timestream",
    "transcribe",
    "transfer",
    "translate",
    "trustedadvisor",
    "vmie",
    "vpc-flow-logs",
    "vpc-lattice",
    "waf",
    "wafv2",
    "workspaces",
    "xray",
];

/// Whether AWS knows a service principal. Some exist once more per region: `logs.eu-west-1.amazonaws.com`.
pub(super) fn is_known(name: &str) -> bool {
    let label = name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn"));
    let Some(label) = label else { return false };
    let regional = label.rsplit_once('.').filter(|(_, region)| is_region(region)).map(|(service, _)| service);
    SERVICES.contains(&label) || regional.is_some_and(|service| SERVICES.contains(&service))
}

/// `eu-west-1`, `us-gov-east-1`
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    parts.next().is_some_and(|last| !last.is_empty() && last.chars().all(|c| c.is_ascii_digit())) && parts.count() >= 2
}

/// Whether a `Federated` principal has a form that AWS accepts.
pub(super) fn is_identity_provider(name: &str) -> bool {
    const WEB: [&str; 4] =
        ["cognito-identity.amazonaws.com", "accounts.google.com", "graph.facebook.com", "www.amazon.com"];
    let provider = name.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')).map(|(_, kind)| kind);
    WEB.contains(&name)
        || provider.is_some_and(|kind| kind.starts_with("oidc-provider/") || kind.starts_with("saml-provider/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_name_and_by_region() {
        for name in ["kafkaconnect.amazonaws.com", "ec2.amazonaws.com.cn", "logs.us-east-1.amazonaws.com"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["kafkaconnect", "kafkaconect.amazonaws.com", "ec2.us.amazonaws.com", "amazonaws.com", "*"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
