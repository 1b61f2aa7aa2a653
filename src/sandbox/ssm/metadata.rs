//! The stand-in of a machine's metadata service, IMDSv2 as it is where version 1 is turned off: who asks must have a
//! token (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>).
//!
//! Instances have it at `http://169.254.169.254`; here it is `PIPELINE_METADATA` in the environment of commands.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::instance::Instance;
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::world::{Millis, World, now};

/// Tokens, of this process only.
const TOKENS: &str = "~ssm/tokens";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Six hours.
const LONGEST: u32 = 21_600;

#[derive(Serialize, Deserialize)]
struct Token {
    instance: String,
    expires: Millis,
}

/// Answers a call of the service of an instance, at `ID/latest/…`.
///
/// # Errors
/// 404 for what isn't there, 401 without a token, and those of asking for one.
pub(crate) fn answer(world: &World, call: &Call, path: &str) -> Result<Reply, Refusal> {
    let not_found = || Refusal::new(404, "NotFound", "Not Found");
    let (id, path) = path.split_once('/').ok_or_else(not_found)?;
    let instance = world.store.read(|transaction| Instance::find(transaction, id)).ok_or_else(not_found)?;
    match (call.method.as_str(), path) {
        ("PUT", "latest/api/token") => token(world, &instance, call),
        ("GET", path) => {
            if !is_let_in(world, &instance, call) {
                return Err(Refusal::new(401, "Unauthorized", "Unauthorized"));
            }
            let path = path.strip_prefix("latest/meta-data/").ok_or_else(not_found)?;
            value(&instance, path).map(|text| plain(text, Vec::new())).ok_or_else(not_found)
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "Method Not Allowed")),
    }
}

fn plain(text: String, mut headers: Vec<(&'static str, String)>) -> Reply {
    headers.push(("content-type", "text/plain".to_owned()));
    Reply { status: 200, headers, body: text.into() }
}

fn token(world: &World, instance: &Instance, call: &Call) -> Result<Reply, Refusal> {
    // What a proxy passes on comes from outside.
    if call.header("x-forwarded-for").is_some() {
        return Err(Refusal::new(403, "Forbidden", "Forbidden"));
    }
    let seconds: Option<u32> = call.header(TTL).and_then(|seconds| seconds.parse().ok());
    let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| Refusal::new(400, "BadRequest", "Bad Request"))?;
    let (value, now) = (Uuid::new_v4().simple().to_string(), now());
    let token = Token { instance: instance.id.clone(), expires: now + Millis::from(seconds) * 1000 };
    world.store.transact(|transaction| {
        for (old, _) in transaction.list::<Token>(TOKENS).into_iter().filter(|(_, token)| token.expires <= now) {
            transaction.delete(TOKENS, &old);
        }
        transaction.put(TOKENS, &value, &token)
    })?;
    Ok(plain(value, vec![(TTL, seconds.to_string())]))
}

fn is_let_in(world: &World, instance: &Instance, call: &Call) -> bool {
    let token = call.header(TOKEN).and_then(|token| world.store.read(|it| it.get::<Token>(TOKENS, token)));
    token.is_some_and(|token| token.instance == instance.id && token.expires > now())
}

/// A value of the metadata. What an instance without a public name hasn't got isn't there.
fn value(instance: &Instance, path: &str) -> Option<String> {
    match path {
        "instance-id" => Some(instance.id.clone()),
        "local-hostname" | "hostname" => Some(instance.private_name()),
        "local-ipv4" => Some(instance.private_address().to_string()),
        "public-hostname" => instance.address.clone(),
        "public-ipv4" => instance.public_address().map(|address| address.to_string()),
        "iam/security-credentials" | "iam/security-credentials/" => instance.role.clone(),
        "placement/region" => Some(instance.region.clone()),
        "placement/availability-zone" => Some(format!("{}a", instance.region)),
        "" => {
            let names = ["hostname", "instance-id", "local-hostname", "local-ipv4", "public-hostname", "public-ipv4"];
            let there = names.into_iter().filter(|name| value(instance, name).is_some());
            let profile = instance.role.as_ref().map(|_| "iam/");
            Some(there.chain(profile).chain(["placement/"]).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Instance, value};

    #[test]
    fn what_a_private_machine_has_not_is_not_there() {
        let public = Instance::new("i-01234567", "eu-west-1");
        assert_eq!(value(&public, "public-hostname"), public.address);
        assert_eq!(value(&public, "placement/region").as_deref(), Some("eu-west-1"));
        assert!(value(&public, "").is_some_and(|names| names.contains("public-ipv4")));
        let private = Instance { address: None, ..public };
        assert_eq!((value(&private, "public-hostname"), value(&private, "public-ipv4")), (None, None));
        assert!(value(&private, "").is_some_and(|names| !names.contains("public") && names.contains("local-ipv4")));
        assert_eq!(value(&private, "local-ipv4"), Some(private.private_address().to_string()));
        assert_eq!(value(&private, "iam/security-credentials/"), private.role);
        assert_eq!(value(&Instance { role: None, ..private }, "iam/security-credentials/"), None);
    }
}
