//! Who may do what: the questions that the other services ask IAM.

use super::context::Context;
use super::documents::{Document, Kind};
use super::entities::{Role, SANDBOX_USER_ID, User, account_root};
use super::evaluation::{Identity, Question, Verdict, verdict};
use super::policies::Policy;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, World, now};

/// Whether a role can be assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assumption {
    /// It can.
    Allowed,
    /// There is no role of that ARN.
    NoSuchRole,
    /// Its trust policy doesn't allow it.
    NotTrusted,
    /// Its trust policy allows it, but is so new that nobody has heard of it yet.
    NotYet,
}

/// Why something isn't allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// A policy forbids it.
    Explicit,
    /// No policy allows it.
    Implicit,
    /// Policies allow it, but the permissions boundary doesn't.
    OutsideBoundary,
}

impl Denial {
    /// The end of AWS's sentence about it.
    pub(crate) fn why(self, action: &str) -> String {
        match self {
            Self::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
            Self::Implicit => format!("because no identity-based policy allows the {action} action"),
            Self::OutsideBoundary => format!("because no permissions boundary allows the {action} action"),
        }
    }
}

/// Whether the policies of a role allow an action: inline and managed ones, within the permissions boundary. False for
/// a role that doesn't exist.
pub(crate) fn role_allows(world: &World, role_arn: &str, action: &str, resource: &str) -> bool {
    look(world, |transaction| {
        let role = Role::by_arn(transaction, role_arn)?;
        Some(granted(transaction, &role, action, resource, &about(&role)).is_ok())
    })
    .unwrap_or(false)
}

/// The first of some resources that the policies of a role don't let it do something to, with one look at the policies
/// for all of them.
pub(crate) fn first_denied<'r>(
    world: &World,
    role_arn: &str,
    action: &str,
    resources: &'r [String],
) -> Option<&'r String> {
    let denied = look(world, |transaction| {
        let role = Role::by_arn(transaction, role_arn)?;
        let (policies, context) = (Policies::of(transaction, &role), about(&role));
        Some(resources.iter().find(|resource| policies.grant(action, resource, &context).is_err()))
    });
    denied.unwrap_or(resources.first())
}

/// Why a caller may not do something; `None` for one who may. `asked` has the condition keys of the request.
pub(crate) fn denial(world: &World, caller: &str, action: &str, resource: &str, asked: &Context) -> Option<Denial> {
    Grants::of(world, caller, asked).denial(action, resource)
}

/// What a caller may do, as the policies are at one moment: for a request that is about many resources. The sandbox's own
/// user may do everything; the session of a role may do what the role's policies allow; nobody else may do anything.
pub(crate) enum Grants {
    /// Everything.
    All,
    /// What policies allow, in the context of one request.
    Some(Policies, Context),
    /// Nothing.
    None,
}

impl Grants {
    /// Looks at the policies of a caller; `asked` has the condition keys of the request.
    pub(crate) fn of(world: &World, caller: &str, asked: &Context) -> Self {
        if is_owner(caller) {
            return Self::All;
        }
        let found = look(world, |transaction| {
            let (role, session) = session(transaction, caller)?;
            let context = asked.clone().and(about(&role)).with("aws:userid", &format!("{}:{session}", role.id));
            Some((Policies::of(transaction, &role), context))
        });
        found.map_or(Self::None, |(policies, context)| Self::Some(policies, context))
    }

    /// Why the caller may not do something; `None` for one who may.
    pub(crate) fn denial(&self, action: &str, resource: &str) -> Option<Denial> {
        match self {
            Self::All => None,
            Self::Some(policies, context) => policies.grant(action, resource, context).err(),
            Self::None => Some(Denial::Implicit),
        }
    }
}

/// Whether a service may assume a role on behalf of something of an account, both as the condition keys
/// `aws:SourceArn` and `aws:SourceAccount` tell; an empty text leaves a key out.
pub(crate) fn service_may_assume(
    world: &World,
    role_arn: &str,
    service: &str,
    source_account: &str,
    source_arn: &str,
) -> Assumption {
    let who = [Identity::Service(service.to_owned())];
    let context = Context::default()
        .with("aws:SourceAccount", source_account)
        .with("aws:SourceArn", source_arn)
        .with("aws:PrincipalIsAWSService", "true")
        .with("aws:PrincipalServiceName", service);
    look(world, |transaction| {
        let role = Role::by_arn(transaction, role_arn)?;
        let question = Question { action: "sts:AssumeRole", resource: role_arn, who: &who, context: &context };
        Some(assumption(&role, |trust| verdict([trust], &question)))
    })
    .unwrap_or(Assumption::NoSuchRole)
}

/// Whether a caller of this account may assume a role, or tag the session; `context` has what the request tells.
pub(crate) fn caller_may_assume(
    world: &World,
    caller: &str,
    role_arn: &str,
    action: &str,
    context: &Context,
) -> Assumption {
    look(world, |transaction| {
        let role = Role::by_arn(transaction, role_arn)?;
        let Some(asking) = Asking::of(transaction, caller, action, role_arn, context) else {
            return Some(Assumption::NotTrusted);
        };
        Some(assumption(&role, |trust| asking.verdict(trust, action, role_arn)))
    })
    .unwrap_or(Assumption::NoSuchRole)
}

/// The unique id of a caller as `GetCallerIdentity` tells it.
pub(crate) fn user_id(world: &World, caller: &str) -> String {
    let id = look(world, |transaction| match session(transaction, caller) {
        Some((role, session)) => Some(format!("{}:{session}", role.id)),
        None => Some(User::lookup(transaction, super::identifiers::name_of(caller))?.id),
    });
    id.unwrap_or_else(|| SANDBOX_USER_ID.to_owned())
}

/// The unique id of a role, and for how many seconds it may be assumed.
pub(crate) fn role_limits(world: &World, role_arn: &str) -> Option<(String, u32)> {
    look(world, |transaction| Role::by_arn(transaction, role_arn).map(|role| (role.id, role.max_session)))
}

fn look<R>(world: &World, work: impl FnOnce(&Transaction<'_>) -> Option<R>) -> Option<R> {
    world.store.read(work)
}

/// Whether a caller may do everything: the sandbox's own user, and the account itself.
pub(crate) fn is_owner(caller: &str) -> bool {
    caller == User::sandbox().arn || caller == account_root()
}

/// The role and the name of a session, where the caller is one.
fn session<'a>(transaction: &Transaction<'_>, caller: &'a str) -> Option<(Role, &'a str)> {
    let rest = caller.strip_prefix("arn:aws:sts::")?.strip_prefix(ACCOUNT)?.strip_prefix(":assumed-role/")?;
    let (role, session) = rest.split_once('/')?;
    Some((Role::lookup(transaction, role)?, session))
}

/// What is known of a role as the one that asks.
fn about(role: &Role) -> Context {
    let context = Context::default()
        .with("aws:PrincipalArn", &role.arn)
        .with("aws:PrincipalAccount", ACCOUNT)
        .with("aws:PrincipalType", "AssumedRole")
        .with("aws:PrincipalIsAWSService", "false")
        .with("aws:CurrentTime", &super::identifiers::timestamp(now()))
        .with("aws:EpochTime", &(now() / 1000).to_string());
    role.tags.iter().fold(context, |context, tag| context.with(&format!("aws:PrincipalTag/{}", tag.key), &tag.value))
}

/// What the policies of a role say.
fn granted(
    transaction: &Transaction<'_>,
    role: &Role,
    action: &str,
    resource: &str,
    context: &Context,
) -> Result<(), Denial> {
    Policies::of(transaction, role).grant(action, resource, context)
}

/// The policies of a role. A permissions boundary allows nothing by itself, but what it doesn't allow isn't.
pub(crate) struct Policies {
    own: Vec<Document>,
    /// The inner one is missing where the boundary's policy is gone, which then allows nothing.
    boundary: Option<Option<Document>>,
}

impl Policies {
    fn of(transaction: &Transaction<'_>, role: &Role) -> Self {
        let managed = |arn: &String| Policy::lookup(transaction, arn)?.document().map(str::to_owned);
        let read = |text: String| Document::parse(&text, Kind::Identity).ok();
        let own = role.inline.values().cloned().chain(role.attached.iter().filter_map(managed)).filter_map(read);
        let boundary = role.boundary.as_ref().map(|boundary| managed(boundary).and_then(read));
        Self { own: own.collect(), boundary }
    }

    fn grant(&self, action: &str, resource: &str, context: &Context) -> Result<(), Denial> {
        let question = Question { action, resource, who: &[], context };
        let own = verdict(&self.own, &question);
        let within = self.boundary.as_ref().map_or(Verdict::Allowed, |boundary| verdict(boundary, &question));
        match (own, within) {
            (Verdict::Denied, _) | (_, Verdict::Denied) => Err(Denial::Explicit),
            (Verdict::Silent, _) => Err(Denial::Implicit),
            (Verdict::Allowed, Verdict::Silent) => Err(Denial::OutsideBoundary),
            (Verdict::Allowed, Verdict::Allowed) => Ok(()),
        }
    }
}

/// What the trust policies of a role, the one that counts now and the one that will, make of a question.
fn assumption(role: &Role, ask: impl Fn(&Document) -> Verdict) -> Assumption {
    let says = |text: &String| Document::parse(text, Kind::Trust).map_or(Verdict::Silent, |trust| ask(&trust));
    let is_settled = now() >= role.usable_at;
    let new = says(&role.trust) == Verdict::Allowed;
    let before = role.trust_before.as_ref().map(says) == Some(Verdict::Allowed);
    match (is_settled, before, new) {
        (true, _, true) | (false, true, _) => Assumption::Allowed,
        (false, false, true) => Assumption::NotYet,
        (_, _, false) => Assumption::NotTrusted,
    }
}

/// Somebody of this account who wants to assume a role.
struct Asking {
    /// Those names that a trust policy can allow without a policy of the caller's own.
    direct: Vec<Identity>,
    /// What the caller's own policies say.
    own: Result<(), Denial>,
    context: Context,
}

impl Asking {
    fn of(
        transaction: &Transaction<'_>,
        caller: &str,
        action: &str,
        role_arn: &str,
        context: &Context,
    ) -> Option<Self> {
        if is_owner(caller) {
            let context = context.clone().with("aws:PrincipalArn", caller).with("aws:PrincipalAccount", ACCOUNT);
            let direct = vec![Identity::Aws(SANDBOX_USER_ID.to_owned())];
            return Some(Self { direct, own: Ok(()), context });
        }
        let (role, session) = session(transaction, caller)?;
        let own = granted(transaction, &role, action, role_arn, &about(&role));
        let context = context.clone().with("aws:PrincipalArn", &role.arn).with("aws:PrincipalAccount", ACCOUNT);
        let direct = vec![Identity::Aws(format!("{}:{session}", role.id)), Identity::Aws(role.id)];
        Some(Self { direct, own, context })
    }

    /// Within one account, a trust policy that names the caller is enough; one that names the account leaves it to the
    /// caller's own policies.
    fn verdict(&self, trust: &Document, action: &str, resource: &str) -> Verdict {
        let mut all = self.direct.clone();
        all.push(Identity::Aws(account_root()));
        let ask = |who: &[Identity]| verdict([trust], &Question { action, resource, who, context: &self.context });
        match (ask(&self.direct), ask(&all), self.own) {
            (Verdict::Denied, _, _) | (_, Verdict::Denied, _) | (_, _, Err(Denial::Explicit)) => Verdict::Denied,
            (Verdict::Allowed, _, _) | (_, Verdict::Allowed, Ok(())) => Verdict::Allowed,
            _ => Verdict::Silent,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
