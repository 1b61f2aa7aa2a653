//! SCRAM-SHA-512, the server's side (RFC 5802, RFC 7677), as Kafka's `ScramSaslServer` plays it: without channel binding,
//! and without the error messages of the RFC, in whose stead Kafka refuses the login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};
use uuid::Uuid;

/// Kafka's default, and the least that it allows.
const ITERATIONS: u32 = 4096;
const LENGTH: usize = 64;

type Key = [u8; LENGTH];

/// One login, from the client's first message to its final one.
#[derive(Default)]
pub(super) struct Exchange(Option<Box<Challenged>>);

/// What is needed to judge the client's proof.
struct Challenged {
    user: String,
    /// The header of the first message, as the final one has to repeat it.
    header: String,
    nonce: String,
    /// What both sides sign, up to the final message.
    signed: String,
    stored_key: Key,
    server_key: Key,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The nonce, the salt and the iterations.
    Challenge(String),
    /// The user has proved to know the password; the server proves it too.
    Done { user: String, last: String },
}

/// Why a login fails.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Fault {
    /// Whom the client said it was, where it got so far.
    pub(super) user: String,
    why: &'static str,
}

impl Exchange {
    /// Answers the client's next message; `password` knows the users.
    ///
    /// # Errors
    /// Where the message isn't one, the user is unknown or the proof wrong.
    pub(super) fn answer(
        &mut self,
        message: &[u8],
        password: impl Fn(&str) -> Option<String>,
    ) -> Result<Answer, Fault> {
        let message = std::str::from_utf8(message).map_err(|_| fault("", "The message is not UTF-8."))?;
        match self.0.take() {
            None => {
                let (challenged, challenge) =
                    Challenged::by(message, password, &fresh_nonce(), Uuid::new_v4().as_bytes())?;
                self.0 = Some(Box::new(challenged));
                Ok(Answer::Challenge(challenge))
            }
            Some(challenged) => challenged.judge(message),
        }
    }
}

/// Letters and digits only: a comma would end it.
fn fresh_nonce() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn fault(user: &str, why: &'static str) -> Fault {
    Fault { user: user.to_owned(), why }
}

impl Challenged {
    /// Reads `n,,n=user,r=nonce`.
    fn by(
        first: &str,
        password: impl Fn(&str) -> Option<String>,
        nonce: &str,
        salt: &[u8],
    ) -> Result<(Self, String), Fault> {
        let malformed = || fault("", "The client's first message is malformed.");
        let mut parts = first.splitn(3, ',');
        let (Some(binding), Some(authorization), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        if !matches!(binding, "n" | "y") {
            return Err(fault("", "The client wants channel binding, which there is not."));
        }
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|name| name.strip_prefix("n=")).ok_or_else(malformed)?;
        let user = name_of(name).ok_or_else(malformed)?;
        let theirs = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
        let nonce = format!("{}{nonce}", theirs.ok_or_else(malformed)?);
        let asked = authorization.strip_prefix("a=").unwrap_or(authorization);
        if !asked.is_empty() && asked != name {
            return Err(fault(&user, "The client asks to act as somebody else than the user."));
        }
        let password = password(&user)
            .ok_or_else(|| fault(&user, "There is no such user, or the cluster has no secret of it."))?;
        let salted = salted(password.as_bytes(), salt);
        let challenge = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
        let challenged = Self {
            header: format!("{binding},{authorization},"),
            signed: format!("{bare},{challenge}"),
            stored_key: Sha512::digest(hmac(&salted, b"Client Key")).into(),
            server_key: hmac(&salted, b"Server Key"),
            nonce,
            user,
        };
        Ok((challenged, challenge))
    }

    /// Reads `c=biws,r=nonce,p=proof`.
    fn judge(self, last: &str) -> Result<Answer, Fault> {
        let fault = |why| fault(&self.user, why);
        let malformed = || fault("The client's final message is malformed.");
        let (unproved, proof) = last.rsplit_once(",p=").ok_or_else(malformed)?;
        let mut attributes = unproved.split(',');
        let binding = attributes.next().and_then(|binding| binding.strip_prefix("c=")).ok_or_else(malformed)?;
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or_else(malformed)?;
        if STANDARD.decode(binding).ok().as_deref() != Some(self.header.as_bytes()) {
            return Err(fault("The channel binding isn't that of the first message."));
        }
        if nonce != self.nonce {
            return Err(fault("The nonce isn't that of the challenge."));
        }
        let proof: Key = STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or_else(malformed)?;
        let signed = format!("{},{unproved}", self.signed);
        let signature = hmac(&self.stored_key, signed.as_bytes());
        let client_key = xor(proof, &signature);
        // Looks at every byte, whatever the first ones are.
        let differs = xor(Sha512::digest(client_key).into(), &self.stored_key).iter().fold(0, |sum, byte| sum | byte);
        if differs != 0 {
            return Err(fault("The password is wrong."));
        }
        let last = format!("v={}", STANDARD.encode(hmac(&self.server_key, signed.as_bytes())));
        Ok(Answer::Done { user: self.user, last })
    }
}

/// A name as it was before commas and equals signs were replaced. None where there is an `=` that stands for nothing.
fn name_of(escaped: &str) -> Option<String> {
    let name = escaped.replace("=2C", ",").replace("=3D", "\u{0}");
    (!name.is_empty() && !name.contains('=')).then(|| name.replace('\u{0}', "="))
}

/// `Hi` of the RFC: PBKDF2 with one block.
fn salted(password: &[u8], salt: &[u8]) -> Key {
    let mut round = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = round;
    for _ in 1..ITERATIONS {
        round = hmac(password, &round);
        sum = xor(sum, &round);
    }
    sum
}

fn hmac(key: &[u8], message: &[u8]) -> Key {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key) else { return [0; LENGTH] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn xor(mut one: Key, other: &Key) -> Key {
    for (byte, other) in one.iter_mut().zip(other) {
        *byte ^= other;
    }
    one
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn password(user: &str) -> Option<String> {
        (user == "alice,=").then(|| "pencil".to_owned())
    }

    /// The client's final message, and what the server has to say to it.
    fn prove(first_bare: &str, challenge: &str, password: &str, header: &str) -> (String, String) {
        let value = |key: &str| challenge.split(',').find_map(|part| part.strip_prefix(key)).unwrap();
        assert_eq!(value("i="), "4096");
        let salted = salted(password.as_bytes(), &STANDARD.decode(value("s=")).unwrap());
        let unproved = format!("c={},r={}", STANDARD.encode(header), value("r="));
        let signed = format!("{first_bare},{challenge},{unproved}");
        let client_key = hmac(&salted, b"Client Key");
        let signature = hmac(&Sha512::digest(client_key), signed.as_bytes());
        let proof = STANDARD.encode(xor(client_key, &signature));
        let server = hmac(&hmac(&salted, b"Server Key"), signed.as_bytes());
        (format!("{unproved},p={proof}"), format!("v={}", STANDARD.encode(server)))
    }

    const FIRST: &str = "n=alice=2C=3D,r=abc";

    fn challenge(exchange: &mut Exchange, header: &str) -> String {
        let Answer::Challenge(challenge) = exchange.answer(format!("{header}{FIRST}").as_bytes(), password).unwrap()
        else {
            panic!("a challenge comes first")
        };
        challenge
    }

    #[test]
    fn who_knows_the_password_is_let_in_and_can_trust_the_server() {
        for header in ["n,,", "y,,", "n,a=alice=2C=3D,"] {
            let mut exchange = Exchange::default();
            let challenge = challenge(&mut exchange, header);
            assert!(challenge.starts_with("r=abc"), "{challenge}");
            let (last, expected) = prove(FIRST, &challenge, "pencil", header);
            let done = exchange.answer(last.as_bytes(), password).unwrap();
            assert_eq!(done, Answer::Done { user: "alice,=".to_owned(), last: expected });
        }
    }

    #[test]
    fn no_two_exchanges_have_one_challenge() {
        assert_ne!(challenge(&mut Exchange::default(), "n,,"), challenge(&mut Exchange::default(), "n,,"));
    }

    #[test]
    fn a_wrong_password_nonce_or_binding_is_refused() {
        let judge = |change: fn(String) -> String, password_of_client: &str, header: &str| {
            let mut exchange = Exchange::default();
            let challenge = challenge(&mut exchange, "n,,");
            let (last, _) = prove(FIRST, &challenge, password_of_client, header);
            exchange.answer(change(last).as_bytes(), password).unwrap_err()
        };
        let fault = judge(|last| last, "pen", "n,,");
        assert_eq!((fault.user.as_str(), fault.why), ("alice,=", "The password is wrong."));
        assert_eq!(judge(|last| last, "pencil", "y,,").why, "The channel binding isn't that of the first message.");
        assert_eq!(
            judge(|last| last.replace("r=abc", "r=abd"), "pencil", "n,,").why,
            "The nonce isn't that of the challenge."
        );
        let changes: [fn(String) -> String; 3] =
            [|_| String::new(), |last| last.replace(",p=", ",q="), |last| last[..last.len() - 8].to_owned()];
        for change in changes {
            assert_eq!(judge(change, "pencil", "n,,").why, "The client's final message is malformed.");
        }
    }

    #[test]
    fn what_is_no_first_message_is_refused() {
        for (first, why) in [
            ("", "The client's first message is malformed."),
            ("n,,n=alice", "The client's first message is malformed."),
            ("n,,n=alice,r=", "The client's first message is malformed."),
            ("n,,n=,r=abc", "The client's first message is malformed."),
            ("n,,n=a=b,r=abc", "The client's first message is malformed."),
            ("n,,m=x,n=alice,r=abc", "The client's first message is malformed."),
            ("p=tls-unique,,n=alice,r=abc", "The client wants channel binding, which there is not."),
            ("n,a=bob,n=alice,r=abc", "The client asks to act as somebody else than the user."),
            ("n,,n=bob,r=abc", "There is no such user, or the cluster has no secret of it."),
        ] {
            let fault = Exchange::default().answer(first.as_bytes(), password).unwrap_err();
            assert_eq!(fault.why, why, "{first}");
        }
        assert!(Exchange::default().answer(&[0xff], password).is_err());
    }

    #[test]
    fn keys_are_derived_as_pbkdf2_does() {
        // Of Python: `hashlib.pbkdf2_hmac('sha512', b'pencil', bytes([0, 1, 2, 3]), 4096)`.
        let expected = "b60fdbebd21d5a12d2524dac65ae1635b014239c72b12d4ad85e490d019261426473681eb72b460610035080205c2a048b1327366bd938e9f7252acf9cd50f2f";
        assert_eq!(hex::encode(salted(b"pencil", &[0, 1, 2, 3])), expected);
    }
}
