//! How clients say who they are, at the listeners that ask by SASL: SaslHandshake and SaslAuthenticate (KIP-43, KIP-152),
//! and again on the same connection before what they showed expires (KIP-368). The order of things, and what ends a
//! connection, is that of `SaslServerAuthenticator`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};

use super::caller::Caller;
use super::{Session, text};
use crate::sandbox::broker::Refused;
use crate::sandbox::kafka::{Listener, scram_password};
use crate::sandbox::world::{Millis, now};

mod msk_iam;
mod scram;

/// Kafka takes no second login within this time of the last.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// A signed document.
    AwsMskIam,
    /// A presigned URL as a token.
    OAuthBearer,
    /// A user's password. MSK has no other form of SCRAM.
    ScramSha512,
}

impl Mechanism {
    /// Those of a listener.
    fn at(listener: Listener) -> &'static [Self] {
        match listener {
            Listener::Plaintext | Listener::Tls | Listener::PublicTls => &[],
            Listener::Scram | Listener::PublicScram => &[Self::ScramSha512],
            Listener::Iam | Listener::PublicIam => &[Self::AwsMskIam, Self::OAuthBearer],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::AwsMskIam => "AWS_MSK_IAM",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// How far a connection is with saying who the client is.
pub(super) struct Login {
    mechanisms: &'static [Mechanism],
    stage: Stage,
    /// Who it is; kept while it is said again.
    known: Option<Known>,
    /// When it was last begun to be said again.
    again: Option<Instant>,
}

enum Stage {
    /// Nothing is under way.
    Quiet,
    /// A mechanism was chosen, and its messages are next.
    Under(Mechanism, scram::Exchange),
    /// It failed: what was answered is the last thing that the client hears.
    Over,
}

struct Known {
    caller: Caller,
    mechanism: Option<Mechanism>,
    until: Option<Millis>,
}

/// What a message of a mechanism comes to.
enum Step {
    /// The client has to answer this.
    Challenge(Bytes),
    /// It is who it says, for as long as that.
    Done { caller: Caller, until: Option<Millis>, reply: Bytes },
}

/// Why somebody isn't let in.
struct Failure {
    /// All that the client is told.
    told: String,
    /// Who it said it was.
    who: String,
    /// What went wrong, with the ARN and the action where a right is missing.
    why: String,
    missing: Option<(String, String)>,
}

impl Login {
    /// A connection at a listener; `caller` is who the listener knows without asking.
    pub(super) fn at(listener: Listener, caller: Caller) -> Self {
        let mechanisms = Mechanism::at(listener);
        let known = mechanisms.is_empty().then_some(Known { caller, mechanism: None, until: None });
        Self { mechanisms, stage: Stage::Quiet, known, again: None }
    }

    /// Who it is.
    pub(super) fn caller(&self) -> Option<&Caller> {
        self.known.as_ref().map(|known| &known.caller)
    }

    /// Whether a request may come now. One that may not ends the connection.
    pub(super) fn admits(&self, key: ApiKey) -> bool {
        match (&self.stage, &self.known) {
            (_, _) if self.mechanisms.is_empty() => true,
            (Stage::Over, _) => false,
            // What comes too early or too late of these two is told so.
            _ if matches!(key, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate) => true,
            (Stage::Quiet, None) => key == ApiKey::ApiVersions,
            (Stage::Quiet, Some(known)) => known.until.is_none_or(|until| now() < until),
            (Stage::Under(..), _) => false,
        }
    }

    /// Whether the connection is to be closed now.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether another login may begin.
    fn may_begin(&self) -> bool {
        let is_early = self.again.is_some_and(|last| last.elapsed() < AGAIN_AFTER);
        match &self.known {
            None => true,
            Some(known) => known.until.is_some() && !is_early,
        }
    }
}

impl Session {
    pub(super) fn sasl_handshake(&mut self, request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
        let login = &mut self.login;
        let refused = |error: ResponseError| SaslHandshakeResponse::default().with_error_code(error.code());
        if !matches!(login.stage, Stage::Quiet) {
            login.stage = Stage::Over;
            return refused(ResponseError::IllegalSaslState);
        }
        if login.mechanisms.is_empty() || !login.may_begin() {
            return refused(ResponseError::IllegalSaslState);
        }
        if login.known.is_some() {
            login.again = Some(Instant::now());
        }
        let mechanisms: Vec<_> = login.mechanisms.iter().map(|mechanism| text(mechanism.name())).collect();
        let chosen = login.mechanisms.iter().find(|mechanism| mechanism.name() == request.mechanism.as_str());
        let Some(chosen) = chosen else {
            login.stage = Stage::Over;
            let why = format!("The listener has no mechanism {}.", request.mechanism.as_str());
            self.note("SaslHandshake", String::new(), why, None);
            return refused(ResponseError::UnsupportedSaslMechanism).with_mechanisms(mechanisms);
        };
        login.stage = Stage::Under(*chosen, scram::Exchange::default());
        SaslHandshakeResponse::default().with_mechanisms(mechanisms)
    }

    pub(super) fn sasl_authenticate(&mut self, request: &SaslAuthenticateRequest) -> SaslAuthenticateResponse {
        let refused = |error: ResponseError, message: &str| {
            SaslAuthenticateResponse::default().with_error_code(error.code()).with_error_message(Some(text(message)))
        };
        let (mechanism, exchange) = match std::mem::replace(&mut self.login.stage, Stage::Quiet) {
            Stage::Under(mechanism, exchange) => (mechanism, exchange),
            stage => {
                // Who hasn't logged in is lost; who has is told, and stays.
                let stays = self.login.known.is_some() && matches!(stage, Stage::Quiet);
                self.login.stage = if stays { Stage::Quiet } else { Stage::Over };
                let message = if stays {
                    "SaslAuthenticate request received after successful authentication"
                } else {
                    "SaslAuthenticate request received before SaslHandshake request"
                };
                return refused(ResponseError::IllegalSaslState, message);
            }
        };
        match self.step(mechanism, exchange, &request.auth_bytes) {
            Ok((Step::Challenge(challenge), exchange)) => {
                self.login.stage = Stage::Under(mechanism, exchange);
                SaslAuthenticateResponse::default().with_auth_bytes(challenge)
            }
            Ok((Step::Done { caller, until, reply }, _)) => {
                self.login.known = Some(Known { caller, mechanism: Some(mechanism), until });
                let lifetime = until.map_or(0, |until| until.saturating_sub(now()));
                SaslAuthenticateResponse::default()
                    .with_auth_bytes(reply)
                    .with_session_lifetime_ms(i64::try_from(lifetime).unwrap_or(i64::MAX))
            }
            Err(Failure { told, who, why, missing }) => {
                self.login.stage = Stage::Over;
                self.note("SaslAuthenticate", who, why, missing);
                refused(ResponseError::SaslAuthenticationFailed, &told)
            }
        }
    }

    /// Passes a message on to its mechanism. Who says it again must be the same as before, by the same mechanism.
    fn step(
        &self,
        mechanism: Mechanism,
        mut exchange: scram::Exchange,
        message: &[u8],
    ) -> Result<(Step, scram::Exchange), Failure> {
        let (world, cluster) = (&*self.world, &self.broker.cluster);
        let before = self.login.known.as_ref();
        if let Some(before) = before.and_then(|known| known.mechanism).filter(|before| *before != mechanism) {
            return Err(Failure::told(format!(
                "SASL mechanism '{}' requested by client is not supported for re-authentication of mechanism '{}'",
                mechanism.name(),
                before.name()
            )));
        }
        let step = match mechanism {
            Mechanism::AwsMskIam => msk_iam::document(world, cluster, message)?,
            Mechanism::OAuthBearer => msk_iam::token(world, cluster, message)?,
            Mechanism::ScramSha512 => {
                let answer = exchange.answer(message, |user| scram_password(world, cluster, user));
                answer.map(Step::from).map_err(|fault| Failure::of_scram(&fault, before.is_some()))?
            }
        };
        match (&step, before) {
            (Step::Done { caller, .. }, Some(Known { caller: before, .. })) if caller != before => {
                Err(Failure::told(format!(
                    "Cannot change principals during re-authentication from {}.{}: {}.{}",
                    before.kind(),
                    before.name(),
                    caller.kind(),
                    caller.name()
                )))
            }
            _ => Ok((step, exchange)),
        }
    }

    /// Remembers a refusal.
    pub(super) fn note(&self, api: &str, who: String, reason: String, missing: Option<(String, String)>) {
        let (action, resource) = missing.unzip();
        let known = || self.login.caller().map(ToString::to_string).unwrap_or_default();
        self.world.journal.note(Refused {
            cluster: self.broker.cluster.name.clone(),
            listener: self.broker.listener.label(),
            principal: if who.is_empty() { known() } else { who },
            api: api.to_owned(),
            resource,
            action,
            reason,
        });
    }
}

impl From<scram::Answer> for Step {
    fn from(answer: scram::Answer) -> Self {
        match answer {
            scram::Answer::Challenge(challenge) => Self::Challenge(challenge.into()),
            scram::Answer::Done { user, last } => {
                Self::Done { caller: Caller::User(user), until: None, reply: last.into() }
            }
        }
    }
}

impl Failure {
    /// One whose reason the client may know.
    fn told(told: String) -> Self {
        Self { why: told.clone(), told, who: String::new(), missing: None }
    }

    /// Kafka doesn't tell clients whether it was the user or the password.
    fn of_scram(fault: &scram::Fault, is_again: bool) -> Self {
        let during = if is_again { "re-authentication" } else { "authentication" };
        let mechanism = Mechanism::ScramSha512.name();
        Self {
            told: format!(
                "Authentication failed during {during} due to invalid credentials with SASL mechanism {mechanism}"
            ),
            who: fault.user.clone(),
            why: fault.to_string(),
            missing: None,
        }
    }
}

#[cfg(test)]
mod tests;
