//! SendCommand and CancelCommand.

use serde_json::{Value, json};
use uuid::Uuid;

use super::command::{COMMANDS, Command, DOCUMENT, Invocation, command_key};
use super::execution;
use super::instance::{Instance, is_id};
use super::parameters::Script;
use super::refusals::{invalid, invalid_parameters, not_valid, refusal};
use crate::sandbox::call::Refusal;
use crate::sandbox::json_rpc::Request;
use crate::sandbox::rest_json::shape::{Member, Shape, TEXT, optional, required};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::now;

const IDS: Shape = Shape::List(&TEXT);
const TARGET: Shape =
    Shape::Object(&[required("Key", Shape::Text { min: 1, max: 163 }), required("Values", Shape::List(&TEXT))]);

const SEND: &[Member] = &[
    required("DocumentName", Shape::Text { min: 3, max: 128 }),
    optional("DocumentVersion", TEXT),
    optional("InstanceIds", IDS),
    optional("Targets", Shape::List(&TARGET)),
    optional("TimeoutSeconds", Shape::Whole { min: 30, max: 2_592_000 }),
    optional("Comment", Shape::Text { min: 0, max: 100 }),
    optional("MaxConcurrency", Shape::Text { min: 1, max: 7 }),
    optional("MaxErrors", Shape::Text { min: 1, max: 7 }),
];

const CANCEL: &[Member] = &[required("CommandId", Shape::Text { min: 36, max: 36 }), optional("InstanceIds", IDS)];

/// How long a command may take to reach an instance when nobody says so, in seconds.
const DEFAULT_TIMEOUT: i64 = 3_600;
/// The most instances that a command can name, and values of a target.
const MOST: usize = 50;
const MOST_TARGETS: usize = 5;
/// The document without and with the rest of its ARN.
const DOCUMENT_ARN: &str = "document/AWS-RunShellScript";

pub(super) fn send(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(SEND)?;
    check_document(request)?;
    let script = Script::of(&request.body["Parameters"])?;
    check_targets(request)?;
    if request.text("OutputS3BucketName").is_some_and(|bucket| !bucket.is_empty()) {
        return Err(refusal(
            "InvalidOutputFolder",
            "The sandbox writes no output to S3: leave out OutputS3BucketName.",
        ));
    }
    let timeout = request.number("TimeoutSeconds").unwrap_or(DEFAULT_TIMEOUT).unsigned_abs();
    let requested = now();
    let text = |member: &str, default: &str| request.text(member).unwrap_or(default).to_owned();
    let command = Command {
        id: Uuid::new_v4().to_string(),
        region: request.region.to_owned(),
        comment: text("Comment", ""),
        document_version: text("DocumentVersion", "$DEFAULT"),
        parameters: request.body["Parameters"].clone(),
        instance_ids: ids(request).into_iter().map(str::to_owned).collect(),
        targets: json!(request.list("Targets")),
        max_concurrency: text("MaxConcurrency", "50"),
        max_errors: text("MaxErrors", "0"),
        requested,
        timeout,
        expires: requested + (timeout + script.timeout.as_secs()) * 1000,
    };
    request.world.store.transact(|transaction| {
        let instances = instances(transaction, request)?;
        let invocations: Vec<Invocation> =
            instances.iter().map(|instance| Invocation::new(&command, &instance.id)).collect();
        for invocation in &invocations {
            invocation.put(transaction)?;
        }
        transaction.put(COMMANDS, &command_key(&command.region, &command.id), &command)?;
        Ok(json!({"Command": command.told(&invocations)}))
    })
}

fn check_document(request: &Request<'_>) -> Result<(), Refusal> {
    let name = request.text("DocumentName").unwrap_or_default();
    let arn = format!("arn:aws:ssm:{}::{DOCUMENT_ARN}", request.region);
    if name != DOCUMENT && name != arn {
        return Err(refusal("InvalidDocument", format!("Document with name {name} does not exist.")));
    }
    match request.text("DocumentVersion") {
        None | Some("$DEFAULT" | "$LATEST" | "1") => Ok(()),
        Some(version) => {
            let message = format!("Document version {version} does not exist for document {DOCUMENT}.");
            Err(refusal("InvalidDocumentVersion", message))
        }
    }
}

fn ids<'a>(request: &'a Request<'_>) -> Vec<&'a str> {
    texts(&request.body["InstanceIds"])
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn check_targets(request: &Request<'_>) -> Result<(), Refusal> {
    let (ids, targets) = (ids(request), request.list("Targets"));
    if ids.is_empty() == targets.is_empty() {
        return Err(invalid("Either InstanceIds or Targets must be specified, and not both."));
    }
    check_ids(&ids)?;
    if targets.len() > MOST_TARGETS {
        return Err(invalid(format!("Targets: at most {MOST_TARGETS}.")));
    }
    for target in targets {
        let (key, values) = (target["Key"].as_str().unwrap_or_default(), texts(&target["Values"]));
        if key != "InstanceIds" && key != "tag-key" && !key.starts_with("tag:") {
            return Err(invalid_parameters(format!(
                "The sandbox has no targets {key}: it has InstanceIds and tag:KEY."
            )));
        }
        if values.is_empty() || values.len() > MOST {
            return Err(invalid(format!("Targets: {key} must have 1 to {MOST} values.")));
        }
    }
    Ok(())
}

fn check_ids(ids: &[&str]) -> Result<(), Refusal> {
    if ids.len() > MOST {
        return Err(invalid(format!("InstanceIds: at most {MOST}.")));
    }
    if let Some(wrong) = ids.iter().find(|id| !is_id(id)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{wrong}' at 'instanceIds' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: (^i-(\\w{{8}}|\\w{{17}})$)|(^mi-\\w{{17}}$)"
        )));
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(refusal("DuplicateInstanceId", format!("{} is named twice.", pair[0]))),
        None => Ok(()),
    }
}

/// The instances that a command is for. Those that are named must be online; those that targets find may come to be so.
fn instances(transaction: &Transaction<'_>, request: &Request<'_>) -> Result<Vec<Instance>, Refusal> {
    let known = Instance::known(transaction, request.region);
    let ids = ids(request);
    if ids.is_empty() {
        return Ok(known.into_iter().filter(|instance| is_target(instance, request.list("Targets"))).collect());
    }
    let online: Vec<Instance> =
        known.into_iter().filter(|instance| instance.is_online() && ids.contains(&instance.id.as_str())).collect();
    let missing: Vec<&str> = ids.into_iter().filter(|id| !online.iter().any(|instance| instance.id == *id)).collect();
    if missing.is_empty() { Ok(online) } else { Err(not_valid(&missing)) }
}

/// Whether all targets mean an instance.
pub(super) fn is_target(instance: &Instance, targets: &[Value]) -> bool {
    targets.iter().all(|target| {
        let (key, values) = (target["Key"].as_str().unwrap_or_default(), texts(&target["Values"]));
        match key.strip_prefix("tag:") {
            Some(tag) => instance.tags.get(tag).is_some_and(|value| values.contains(&value.as_str())),
            None if key == "tag-key" => values.iter().any(|tag| instance.tags.contains_key(*tag)),
            None => values.contains(&instance.id.as_str()),
        }
    })
}

pub(super) fn cancel(request: &Request<'_>) -> Result<Value, Refusal> {
    request.check(CANCEL)?;
    let id = request.text("CommandId").unwrap_or_default();
    let named = ids(request);
    check_ids(&named)?;
    request.world.store.transact(|transaction| {
        if Command::find(transaction, request.region, id).is_none() {
            return Err(refusal("InvalidCommandId", format!("There is no command {id}.")));
        }
        let invocations = Invocation::of(transaction, id);
        let is_of_it = |id: &str| invocations.iter().any(|each| each.instance == id);
        let strangers: Vec<&str> = named.iter().copied().filter(|id| !is_of_it(id)).collect();
        if !strangers.is_empty() {
            return Err(not_valid(&strangers));
        }
        for invocation in invocations {
            if named.is_empty() || named.contains(&invocation.instance.as_str()) {
                execution::cancel(transaction, invocation)?;
            }
        }
        Ok(json!({}))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Instance, check_ids, is_target};

    #[test]
    fn all_targets_must_hold_with_any_of_their_values() {
        let mut instance = Instance::new("i-01234567", "us-east-1");
        instance.tags.insert("Name".to_owned(), "kafka".to_owned());
        instance.tags.insert("env".to_owned(), "dev".to_owned());
        let (name, env) =
            (json!({"Key": "tag:Name", "Values": ["a", "kafka"]}), json!({"Key": "tag:env", "Values": ["prod"]}));
        assert!(is_target(&instance, std::slice::from_ref(&name)));
        assert!(!is_target(&instance, &[name.clone(), env]));
        assert!(is_target(&instance, &[name, json!({"Key": "tag-key", "Values": ["env"]})]));
        assert!(is_target(&instance, &[json!({"Key": "InstanceIds", "Values": ["i-01234567"]})]));
        assert!(!is_target(&instance, &[json!({"Key": "tag:name", "Values": ["kafka"]})]), "keys know their case");
    }

    #[test]
    fn ids_have_their_form_and_come_once() {
        let code = |ids: &[&str]| check_ids(ids).err().map(|refusal| refusal.code);
        assert_eq!(code(&["i-01234567", "i-76543210"]), None);
        assert_eq!(code(&["i-0123"]).as_deref(), Some("ValidationException"));
        assert_eq!(code(&["i-01234567", "i-01234567"]).as_deref(), Some("DuplicateInstanceId"));
        let many: Vec<String> = (0..51).map(|number| format!("i-{number:08}")).collect();
        assert_eq!(code(&many.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(), Some("ValidationException"));
    }
}
