//! Which services there are. S3 is not dispatched here: its bodies are streamed.

use super::call::{Call, PathValues, Refusal, Reply};
use super::permission::Permission;
use super::world::World;
use super::{apigateway, connect, iam, kafka, s3, secretsmanager, ssm, sts};

/// The services, as the credential scope of a signature calls them.
pub(crate) const SERVICES: [&str; 8] =
    ["apigateway", "iam", "kafka", "kafkaconnect", "s3", "secretsmanager", "ssm", "sts"];

/// What each service does: everything else is refused as an operation that there isn't.
pub(crate) fn operations() -> [(&'static str, Vec<&'static str>); SERVICES.len()] {
    [
        ("apigateway", apigateway::operations()),
        ("iam", iam::operations()),
        ("kafka", kafka::operations()),
        ("kafkaconnect", connect::operations()),
        ("s3", s3::operations()),
        ("secretsmanager", secretsmanager::operations()),
        ("ssm", ssm::operations()),
        ("sts", sts::operations()),
    ]
}

/// The operation that a call asks for.
pub(crate) fn operation(service: &str, call: &Call) -> Option<(&'static str, PathValues)> {
    match service {
        "apigateway" => apigateway::operation(call),
        "iam" => iam::operation(call),
        "kafka" => kafka::operation(call),
        "kafkaconnect" => connect::operation(call),
        "secretsmanager" => secretsmanager::operation(call),
        "ssm" => ssm::operation(call),
        "sts" => sts::operation(call),
        _ => None,
    }
}

/// Does what an operation asks for.
///
/// # Errors
/// Those of the operation, as AWS has them.
pub(crate) async fn handle(
    world: &World,
    service: &str,
    operation: &str,
    path: &PathValues,
    call: &Call,
) -> Result<Reply, Refusal> {
    match service {
        "apigateway" => apigateway::handle(world, operation, path, call).await,
        "iam" => iam::handle(world, operation, path, call).await,
        "kafka" => kafka::handle(world, operation, path, call).await,
        "kafkaconnect" => connect::handle(world, operation, path, call).await,
        "secretsmanager" => secretsmanager::handle(world, operation, call),
        "ssm" => ssm::handle(world, operation, call),
        "sts" => sts::handle(world, operation, path, call).await,
        other => Err(unknown_service(other)),
    }
}

/// What who calls must be allowed for an operation. STS asks IAM by itself, and S3's calls don't come here.
pub(crate) fn needs(world: &World, service: &str, operation: &str, path: &PathValues, call: &Call) -> Vec<Permission> {
    match service {
        "apigateway" => apigateway::needs(call),
        "iam" => iam::needs(world, operation, call),
        "kafka" => kafka::needs(operation, path, call),
        "kafkaconnect" => connect::needs(operation, path, call),
        "secretsmanager" => secretsmanager::needs(world, operation, call),
        "ssm" => ssm::needs(world, operation, call),
        _ => Vec::new(),
    }
}

/// The refusal of a call to a service that the sandbox hasn't got.
pub(crate) fn unknown_service(service: &str) -> Refusal {
    let services = SERVICES.join(", ");
    Refusal::new(404, "UnknownOperationException", format!("the sandbox has no service {service}; it has {services}"))
}
