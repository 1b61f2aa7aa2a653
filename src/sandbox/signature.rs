//! Who calls: AWS Signature Version 4, in the `Authorization` header or in a presigned URL's query.
//!
//! The rules are those of AWS's "Signature Version 4 for API requests"; what is wrong is told as a [`Problem`], which
//! each protocol words in its own way.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::store::Store;
use super::world::{Millis, now};

mod canonical;

pub(crate) use canonical::{Head, decode_query};

/// The access key that every sandbox knows. Not a secret: it opens nothing but a server on the loopback interface.
pub const ACCESS_KEY_ID: &str = "PIPELINESANDBOX00000";
/// The secret of [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "pipeline-sandbox-not-a-secret-0000000000";

/// Who calls with [`ACCESS_KEY_ID`].
pub(crate) const CALLER: &str = "arn:aws:iam::000000000000:user/sandbox";

/// The table of temporary credentials: access key id to [`Session`]. STS fills it.
pub(crate) const SESSIONS: &str = "sts/sessions";

/// Temporary credentials, as STS issued them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The secret access key.
    pub(crate) secret: String,
    /// The session token, which must come with every call.
    pub(crate) token: String,
    /// The ARN that calls: `arn:aws:sts::000000000000:assumed-role/ROLE/SESSION`.
    pub(crate) caller: String,
    /// When they stop working.
    pub(crate) expires: Millis,
}

/// Why a call isn't let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It isn't signed.
    Unsigned,
    /// It is signed as AWS did it before Signature Version 4.
    Outdated,
    /// S3 isn't told what the body hashes to.
    NoPayloadHash,
    /// The signature lacks parts, or has some that make no sense; the text says which.
    Incomplete(String),
    /// The credential scope isn't one, or not that of the request's date.
    Scope(String),
    /// Nobody has that access key, or the session token isn't the key's.
    UnknownKey,
    /// The session token isn't that of the key.
    UnknownToken,
    /// The temporary credentials have expired.
    ExpiredToken,
    /// The request's date is too far from the present; the text says how far.
    Skewed(String),
    /// The time for which a URL was presigned is over.
    ExpiredUrl,
    /// Headers of AWS's own came with the request and weren't signed.
    HeadersNotSigned(String),
    /// The signature isn't that of this request with this key.
    Mismatch,
}

/// A request's signature, not yet verified.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) region: String,
    /// The service as it is signed for: `kafkaconnect`.
    pub(crate) service: String,
    key_id: String,
    /// When it was signed: `20260131T235959Z`.
    date: String,
    signed_headers: Vec<String>,
    signature: String,
    token: Option<String>,
    /// Seconds for which a presigned URL holds; no URL where there is none.
    presigned_for: Option<i64>,
}

/// How the canonical request names the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    /// The body was read: it is hashed.
    Read(&'a [u8]),
    /// S3 says what it is in a header, and who reads the body checks it then.
    Declared(&'a str),
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clocks of AWS and its clients may be apart.
const SKEW: Duration = Duration::minutes(5);
/// The same for S3.
const S3_SKEW: Duration = Duration::minutes(15);
/// AWS presigns for a week at most.
const LONGEST_PRESIGNED: i64 = 604_800;

impl Signature {
    /// Reads a request's signature.
    ///
    /// # Errors
    /// Where there is none, and where it isn't whole.
    pub(crate) fn of(head: &Head) -> Result<Self, Problem> {
        if let Some(header) = head.header("authorization") {
            if header.starts_with("AWS ") { Err(Problem::Outdated) } else { Self::of_header(head, header) }
        } else if head.query("AWSAccessKeyId").is_some() {
            Err(Problem::Outdated)
        } else if head.query("X-Amz-Algorithm").is_some() {
            Self::of_query(head)
        } else {
            Err(Problem::Unsigned)
        }
    }

    fn of_header(head: &Head, header: &str) -> Result<Self, Problem> {
        let Some(fields) = header.strip_prefix(ALGORITHM) else {
            return Err(Problem::Incomplete(format!("Authorization header requires the algorithm {ALGORITHM}.")));
        };
        let field = |name: &str| {
            let mut pairs = fields.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).filter(|value| !value.is_empty())
        };
        let missing = |what: &str| format!("Authorization header requires '{what}' parameter. ");
        let date = head.header("x-amz-date").map(str::to_owned);
        match (field("Credential"), field("SignedHeaders"), field("Signature"), date) {
            (Some(credential), Some(signed), Some(signature), Some(date)) => {
                let token = head.header("x-amz-security-token").map(str::to_owned);
                Self::new(&credential, &signed, signature, date, token, None)
            }
            (credential, signed, signature, date) => {
                let mut problem = String::new();
                if credential.is_none() {
                    problem += &missing("Credential");
                }
                if signature.is_none() {
                    problem += &missing("Signature");
                }
                if signed.is_none() {
                    problem += &missing("SignedHeaders");
                }
                if date.is_none() {
                    problem += "Authorization header requires existence of a 'X-Amz-Date' header. ";
                }
                Err(Problem::Incomplete(
                    problem + "Authorization=" + header.split_whitespace().next().unwrap_or_default(),
                ))
            }
        }
    }

    fn of_query(head: &Head) -> Result<Self, Problem> {
        let need = |name: &str| {
            let value = head.query(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Problem::Incomplete(format!("AWS query-string parameters must include '{name}'.")))
        };
        if need("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Problem::Incomplete(format!("X-Amz-Algorithm only supports \"{ALGORITHM}\"")));
        }
        let expires = match head.query("X-Amz-Expires") {
            Some(text) => {
                text.parse().ok().filter(|seconds| (0..=LONGEST_PRESIGNED).contains(seconds)).ok_or_else(|| {
                    Problem::Incomplete(format!(
                        "X-Amz-Expires must be a number from 0 to {LONGEST_PRESIGNED}, got {text}"
                    ))
                })?
            }
            // Only S3 asks for it.
            None => SKEW.whole_seconds(),
        };
        let token = head.query("X-Amz-Security-Token").map(str::to_owned);
        Self::new(
            need("X-Amz-Credential")?,
            need("X-Amz-SignedHeaders")?,
            need("X-Amz-Signature")?.to_owned(),
            need("X-Amz-Date")?.to_owned(),
            token,
            Some(expires),
        )
    }

    fn new(
        credential: &str,
        signed_headers: &str,
        signature: String,
        date: String,
        token: Option<String>,
        presigned_for: Option<i64>,
    ) -> Result<Self, Problem> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, day, region, service, "aws4_request"] = parts[..] else {
            return Err(Problem::Scope(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got '{credential}'"
            )));
        };
        if parse_date(&date).is_none() {
            return Err(Problem::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )));
        }
        if !date.starts_with(day) || day.len() != 8 {
            return Err(Problem::Scope(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{}', from '{date}'.",
                &date[..8]
            )));
        }
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_ascii_lowercase).collect();
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(Problem::Incomplete(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
            ));
        }
        Ok(Self {
            region: region.to_owned(),
            service: service.to_owned(),
            key_id: key_id.to_owned(),
            date,
            signed_headers,
            signature,
            token,
            presigned_for,
        })
    }

    /// The access key that it was signed with, as it says.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether it is of these headers and no others.
    pub(crate) fn is_of_headers(&self, names: &[&str]) -> bool {
        self.signed_headers == names
    }

    /// For how many seconds a presigned URL holds, and when that is over; none where it is none.
    pub(crate) fn presigned(&self) -> Option<(i64, Millis)> {
        let seconds = self.presigned_for?;
        let end = parse_date(&self.date)? + Duration::seconds(seconds);
        Some((seconds, Millis::try_from(end.unix_timestamp()).ok()? * 1000))
    }

    /// When the credentials that it was signed with expire; never for a key that isn't temporary.
    pub(crate) fn credentials_end(&self, store: &Store) -> Option<Millis> {
        store.read(|transaction| transaction.get::<Session>(SESSIONS, &self.key_id)).map(|session| session.expires)
    }

    /// The ARN of who signed.
    ///
    /// # Errors
    /// Where nobody of ours did, or not this, or not now.
    pub(crate) fn verify(&self, head: &Head, payload: Payload<'_>, store: &Store) -> Result<String, Problem> {
        self.verify_at(head, payload, store, OffsetDateTime::now_utc())
    }

    fn verify_at(
        &self,
        head: &Head,
        payload: Payload<'_>,
        store: &Store,
        present: OffsetDateTime,
    ) -> Result<String, Problem> {
        let (secret, caller) = self.credentials(store)?;
        self.check_date(present)?;
        let payload = match (payload, self.presigned_for) {
            (Payload::Declared(_), Some(_)) => "UNSIGNED-PAYLOAD".to_owned(),
            (Payload::Declared(""), None) => return Err(Problem::NoPayloadHash),
            (Payload::Declared(hash), None) => {
                self.check_signed_headers(head)?;
                hash.to_owned()
            }
            (Payload::Read(body), _) => hex::encode(Sha256::digest(body)),
        };
        if self.is_of(head, &payload, &secret) { Ok(caller) } else { Err(Problem::Mismatch) }
    }

    fn credentials(&self, store: &Store) -> Result<(String, String), Problem> {
        if self.key_id == ACCESS_KEY_ID {
            return match &self.token {
                None => Ok((SECRET_ACCESS_KEY.to_owned(), CALLER.to_owned())),
                Some(_) => Err(Problem::UnknownToken),
            };
        }
        let session: Session =
            store.read(|transaction| transaction.get(SESSIONS, &self.key_id)).ok_or(Problem::UnknownKey)?;
        if self.token.as_deref() != Some(&session.token) {
            return Err(Problem::UnknownToken);
        }
        if session.expires <= now() {
            return Err(Problem::ExpiredToken);
        }
        Ok((session.secret, session.caller))
    }

    fn check_date(&self, present: OffsetDateTime) -> Result<(), Problem> {
        let date = parse_date(&self.date).ok_or(Problem::Mismatch)?;
        let skew = if self.service == "s3" { S3_SKEW } else { SKEW };
        let minutes = skew.whole_minutes();
        let shown = |time: OffsetDateTime| time.format(BASIC).unwrap_or_default();
        if date - present > skew {
            return Err(Problem::Skewed(format!(
                "Signature not yet current: {} is still later than {} ({} + {minutes} min.)",
                self.date,
                shown(present + skew),
                shown(present)
            )));
        }
        match self.presigned_for {
            Some(seconds) if present > date + Duration::seconds(seconds) => Err(Problem::ExpiredUrl),
            None if present - date > skew => Err(Problem::Skewed(format!(
                "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
                self.date,
                shown(present - skew),
                shown(present)
            ))),
            _ => Ok(()),
        }
    }

    /// S3 wants all headers of AWS's own signed, so that nobody on the way can add one.
    fn check_signed_headers(&self, head: &Head) -> Result<(), Problem> {
        let ours = head.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-amz-"));
        let unsigned: Vec<&str> = ours.filter(|name| !self.signed_headers.contains(name)).map(String::as_str).collect();
        if unsigned.is_empty() { Ok(()) } else { Err(Problem::HeadersNotSigned(unsigned.join(", "))) }
    }

    /// Whether it is the signature of this request with this secret.
    fn is_of(&self, head: &Head, payload: &str, secret: &str) -> bool {
        let presigned = self.presigned_for.is_some();
        canonical::paths(&self.service, &head.path)
            .iter()
            .any(|path| self.matches(&canonical::request(head, path, &self.signed_headers, presigned, payload), secret))
    }

    /// Compares in constant time, as one does with secrets.
    fn matches(&self, canonical_request: &str, secret: &str) -> bool {
        let scope = format!("{}/{}/{}/aws4_request", &self.date[..8], self.region, self.service);
        let hash = hex::encode(Sha256::digest(canonical_request));
        let string_to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", self.date);
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [&self.date[..8], &self.region, &self.service, "aws4_request"] {
            let Some(mac) = hmac(&key, part) else { return false };
            key = mac.finalize().into_bytes().to_vec();
        }
        match (hmac(&key, &string_to_sign), hex::decode(&self.signature)) {
            (Some(mac), Ok(signature)) => mac.verify_slice(&signature).is_ok(),
            _ => false,
        }
    }
}

/// The secret of an access key, for who verifies the chunks of a streamed body.
pub(crate) fn secret(store: &Store, key_id: &str) -> Option<String> {
    if key_id == ACCESS_KEY_ID {
        return Some(SECRET_ACCESS_KEY.to_owned());
    }
    store.read(|transaction| transaction.get::<Session>(SESSIONS, key_id)).map(|session| session.secret)
}

fn hmac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

const BASIC: &[time::format_description::BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

fn parse_date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, BASIC).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests;
