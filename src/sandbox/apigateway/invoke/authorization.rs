//! Whether a call may be made: signatures with IAM's policies, and API keys with usage plans.
//!
//! What is said to whom follows
//! <https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden>.

use super::super::live;
use super::exchange::Exchange;
use super::refusal::Refusal;
use crate::sandbox::permission::{self, Permission};
use crate::sandbox::protocol::Protocol;
use crate::sandbox::signature::{Head, Payload, Problem, Signature};
use crate::sandbox::world::{ACCOUNT, World};

/// # Errors
/// Where the call isn't signed for this API by somebody who may make it.
pub(super) fn check_signature(world: &World, exchange: &mut Exchange<'_>) -> Result<(), Refusal> {
    let head = Head::of(exchange.parts);
    let signature = Signature::of(&head).map_err(|problem| refusal(&problem))?;
    if signature.service != "execute-api" {
        let message = "Credential should be scoped to correct service: 'execute-api'. ";
        return Err(refusal(&Problem::Scope(message.to_owned())));
    }
    if signature.region != exchange.stage.region {
        let message = format!("Credential should be scoped to a valid region, not '{}'. ", signature.region);
        return Err(refusal(&Problem::Scope(message)));
    }
    let verified = signature.verify(&head, Payload::Read(&exchange.body), &world.store);
    let caller = verified.map_err(|problem| refusal(&problem))?;
    let region = &exchange.stage.region;
    let needed = || {
        let invoked = exchange.invoked();
        let shown = format!("arn:aws:execute-api:{region}:********{}:{invoked}", &ACCOUNT[ACCOUNT.len() - 4..]);
        let permission =
            Permission::new("execute-api:Invoke", format!("arn:aws:execute-api:{region}:{ACCOUNT}:{invoked}"));
        vec![permission.shown_as(shown).given("aws:SourceIp", &exchange.client.ip().to_string())]
    };
    permission::check(world, &caller, region, needed)
        .map_err(|message| Refusal::new("ACCESS_DENIED", 403, "AccessDeniedException", message))?;
    exchange.caller = Some(caller);
    Ok(())
}

fn refusal(problem: &Problem) -> Refusal {
    // The words are those of all services that speak JSON; the types are API Gateway's own.
    let words = Protocol::RestJson.refusal(problem);
    let (kind, error_type) = match problem {
        Problem::Unsigned | Problem::Outdated | Problem::NoPayloadHash => return Refusal::missing_token(),
        Problem::UnknownKey | Problem::UnknownToken => ("ACCESS_DENIED", "UnrecognizedClientException"),
        Problem::ExpiredToken => ("EXPIRED_TOKEN", "ExpiredTokenException"),
        Problem::Incomplete(_) => ("INVALID_SIGNATURE", "IncompleteSignatureException"),
        Problem::Scope(_)
        | Problem::Skewed(_)
        | Problem::ExpiredUrl
        | Problem::HeadersNotSigned(_)
        | Problem::Mismatch => ("INVALID_SIGNATURE", "InvalidSignatureException"),
    };
    Refusal::new(kind, 403, error_type, words.message)
}

/// # Errors
/// Where the call brings no key that a usage plan of the stage has.
pub(super) fn check_api_key(world: &World, exchange: &Exchange<'_>) -> Result<(), Refusal> {
    let key = exchange.header("x-api-key").filter(|key| !key.is_empty());
    let may = key.is_some_and(|key| live::may_call(world, exchange.api_id, exchange.stage_name, key));
    if may { Ok(()) } else { Err(Refusal::invalid_api_key()) }
}
