//! Unique ids, secrets, ARNs, times and documents as IAM writes them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::sandbox::world::{ACCOUNT, Millis};

const ID_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A new unique id: a prefix that tells the kind (`AROA`, a role) and 17 characters.
pub(super) fn unique(prefix: &str) -> String {
    spell(prefix, &random_bytes(17))
}

/// The unique id of something that is the same in every sandbox.
pub(super) fn fixed(prefix: &str, seed: &str) -> String {
    spell(prefix, &Sha256::digest(seed)[..17])
}

fn spell(prefix: &str, bytes: &[u8]) -> String {
    let letters = bytes.iter().map(|byte| char::from(ID_LETTERS[usize::from(*byte) % ID_LETTERS.len()]));
    prefix.chars().chain(letters).collect()
}

/// A new access key id of temporary credentials.
pub(crate) fn access_key_id() -> String {
    spell("ASIA", &random_bytes(16))
}

/// A new secret of that many characters.
pub(crate) fn secret(length: usize) -> String {
    let letter = |byte: u8| char::from(SECRET_LETTERS[usize::from(byte) % SECRET_LETTERS.len()]);
    random_bytes(length).into_iter().map(letter).collect()
}

/// A UUID has six fixed bits; hashing it leaves none.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bytes.extend_from_slice(&Sha256::digest(uuid::Uuid::new_v4().as_bytes()));
    }
    bytes.truncate(count);
    bytes
}

/// The ARN of something of this account: its kind, its path from slash to slash, and its name.
pub(super) fn arn(kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}{path}{name}")
}

/// The name at the end of an ARN with a path.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// A time in ISO 8601, to the second.
pub(crate) fn timestamp(time: Millis) -> String {
    let seconds = i64::try_from(time / 1000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// RFC 3986's unreserved characters stay as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as IAM returns it: percent-encoded.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_of_awss() {
        assert_eq!(unique("AROA").len(), 21);
        assert_eq!(access_key_id().len(), 20);
        assert_eq!(secret(40).len(), 40);
        assert_ne!(unique("AROA"), unique("AROA"));
        assert_eq!(fixed("ANPA", "x"), fixed("ANPA", "x"));
    }

    #[test]
    fn times_and_documents() {
        assert_eq!(timestamp(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(encoded("{\"a\": \"*é-._~\"}"), "%7B%22a%22%3A%20%22%2A%C3%A9-._~%22%7D");
    }
}
