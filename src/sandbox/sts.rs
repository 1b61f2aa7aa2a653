//! STS: who calls, and temporary credentials.

use super::call::{Call, PathValues, Refusal, Reply};
use super::iam::{self, Assumption, Context};
use super::query::{self, Misfit, Parameters, Reader, Rule, Xml};
use super::signature::{SESSIONS, Session};
use super::world::{ACCOUNT, World, now};

const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// One call of one operation.
struct Request<'a> {
    world: &'a World,
    parameters: Parameters,
    caller: &'a str,
}

type Handler = fn(&Request<'_>) -> Result<Xml, Refusal>;

const OPERATIONS: &[(&str, Handler)] = &[
    ("AssumeRole", assume_role),
    ("GetAccessKeyInfo", access_key_info),
    ("GetCallerIdentity", caller_identity),
    ("GetSessionToken", session_token),
];

/// The operations that there are.
pub(crate) fn operations() -> Vec<&'static str> {
    OPERATIONS.iter().map(|(name, _)| *name).collect()
}

/// The operation of a call, where it is one of STS's.
pub(crate) fn operation(call: &Call) -> Option<(&'static str, PathValues)> {
    query::operation(OPERATIONS, call, VERSION)
}

/// Answers a call.
///
/// # Errors
/// What STS refuses, with its code.
pub(crate) async fn handle(world: &World, operation: &str, _path: &PathValues, call: &Call) -> Result<Reply, Refusal> {
    let handler = query::handler(OPERATIONS, operation, VERSION)?;
    let request = Request { world, parameters: Parameters::of(call), caller: &call.caller };
    handler(&request).map(|result| query::reply(operation, NAMESPACE, Some(result)))
}

fn caller_identity(request: &Request<'_>) -> Result<Xml, Refusal> {
    let mut xml = Xml::default();
    xml.text("Arn", request.caller)
        .text("UserId", iam::user_id(request.world, request.caller))
        .text("Account", ACCOUNT);
    Ok(xml)
}

const KEY_ID: Rule = Rule {
    least: 16,
    longest: 128,
    fits: |text| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
    misfit: Misfit::Pattern("[\\w]*"),
};

fn access_key_info(request: &Request<'_>) -> Result<Xml, Refusal> {
    let mut reader = request.parameters.reader();
    reader.required("AccessKeyId", &KEY_ID);
    reader.finish()?;
    let mut xml = Xml::default();
    xml.text("Account", ACCOUNT);
    Ok(xml)
}

const ROLE_ARN: Rule = Rule { least: 20, longest: 2048, fits: |_| true, misfit: Misfit::Pattern("") };

const SESSION_NAME: Rule = Rule {
    least: 2,
    longest: 64,
    fits: |text| text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)),
    misfit: Misfit::Pattern("[\\w+=,.@-]*"),
};

const EXTERNAL_ID: Rule = Rule {
    least: 2,
    longest: 1224,
    fits: |text| text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c)),
    misfit: Misfit::Pattern("[\\w+=,.@:\\/-]*"),
};

/// The shortest and the longest life of credentials, and that of a role's which another role's session asks for.
const SHORTEST: u32 = 900;
const LONGEST: u32 = 43_200;
const LONGEST_CHAINED: u32 = 3600;
const DEFAULT: u32 = 3600;

/// What a call of `AssumeRole` asks for.
struct Wish<'a> {
    role: &'a str,
    session: &'a str,
    seconds: u32,
    external_id: &'a str,
    tags: usize,
}

impl<'a> Wish<'a> {
    fn of(parameters: &'a Parameters) -> Result<Self, Refusal> {
        let mut reader = parameters.reader();
        let role = reader.required("RoleArn", &ROLE_ARN);
        let session = reader.required("RoleSessionName", &SESSION_NAME);
        let external_id = reader.optional("ExternalId", &EXTERNAL_ID).unwrap_or_default();
        let seconds = seconds(&mut reader, LONGEST)?.unwrap_or(DEFAULT);
        reader.finish()?;
        if !role.starts_with("arn:aws:iam::") || !role.contains(":role/") {
            return Err(validation_error(format!("{role} is invalid")));
        }
        if parameters.text("Policy").is_some() || !parameters.records("PolicyArns").is_empty() {
            let message = "The sandbox does not narrow sessions by session policies: leave out Policy and PolicyArns.";
            return Err(validation_error(message));
        }
        let tags = iam::given_tags(parameters)?.len();
        Ok(Self { role, session, seconds, external_id, tags })
    }
}

fn seconds(reader: &mut Reader<'_>, longest: u32) -> Result<Option<u32>, Refusal> {
    reader.number("DurationSeconds", SHORTEST..=longest)
}

fn validation_error(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationError", message)
}

fn assume_role(request: &Request<'_>) -> Result<Xml, Refusal> {
    let Request { world, parameters, caller } = request;
    let wish = Wish::of(parameters)?;
    let context = Context::default().with("sts:ExternalId", wish.external_id).with("sts:RoleSessionName", wish.session);
    let actions = ["sts:AssumeRole", "sts:TagSession"];
    let needed = if wish.tags > 0 { &actions[..] } else { &actions[..1] };
    for action in needed {
        // A role that doesn't exist, one that doesn't trust the caller, and one that is too new look the same from outside.
        if iam::caller_may_assume(world, caller, wish.role, action, &context) != Assumption::Allowed {
            return Err(denied(caller, action, wish.role));
        }
    }
    let Some((role_id, max_session)) = iam::role_limits(world, wish.role) else {
        return Err(denied(caller, actions[0], wish.role));
    };
    if caller.contains(":assumed-role/") && wish.seconds > LONGEST_CHAINED {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
        return Err(validation_error(message));
    }
    if wish.seconds > max_session {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(validation_error(message));
    }
    let name = wish.role.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{}", wish.session);
    let mut xml = issue(world, &arn, wish.seconds)?;
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", format!("{role_id}:{}", wish.session)).text("Arn", &arn);
    });
    if wish.tags > 0 {
        xml.text("PackedPolicySize", wish.tags);
    }
    Ok(xml)
}

fn denied(caller: &str, action: &str, role: &str) -> Refusal {
    let message = format!("User: {caller} is not authorized to perform: {action} on resource: {role}");
    Refusal::new(403, "AccessDenied", message)
}

fn session_token(request: &Request<'_>) -> Result<Xml, Refusal> {
    let mut reader = request.parameters.reader();
    let asked = seconds(&mut reader, 129_600)?;
    reader.finish()?;
    if request.caller.contains(":assumed-role/") {
        return Err(Refusal::new(403, "AccessDenied", "Cannot call GetSessionToken with session credentials"));
    }
    issue(request.world, request.caller, asked.unwrap_or(LONGEST))
}

/// Makes credentials for a caller, and writes them.
fn issue(world: &World, caller: &str, seconds: u32) -> Result<Xml, Refusal> {
    let key_id = iam::access_key_id();
    let session = Session {
        secret: iam::secret(40),
        token: iam::secret(356),
        caller: caller.to_owned(),
        expires: now() + u64::from(seconds) * 1000,
    };
    world.store.transact(|transaction| {
        // Nobody else would ever remove them.
        for (key, _) in transaction.list::<Session>(SESSIONS).iter().filter(|(_, old)| old.expires < now()) {
            transaction.delete(SESSIONS, key);
        }
        transaction.put(SESSIONS, &key_id, &session)
    })?;
    Ok(Xml::of("Credentials", |xml| {
        xml.text("AccessKeyId", &key_id)
            .text("SecretAccessKey", &session.secret)
            .text("SessionToken", &session.token)
            .text("Expiration", iam::timestamp(session.expires));
    }))
}
