//! One request: its path values, its body in the operation's shape, and the transaction that it runs in.

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::patch::{self, Patch};
use super::refusal::malformed;
use super::tables::Tables;
use crate::sandbox::call::{Call, PathValues, Refusal};
use crate::sandbox::world::{self, World};

pub(super) struct Request<'a> {
    pub(super) world: &'a World,
    pub(super) call: &'a Call,
    pub(super) path: &'a PathValues,
}

impl Request<'_> {
    /// The value of a `{name}` of the path; empty where the operation's path has none of that name.
    pub(super) fn named(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn api_id(&self) -> &str {
        self.named("restapi_id")
    }

    /// The body in the operation's shape; an empty one is an empty object.
    ///
    /// # Errors
    /// `SerializationException` where a member has another type.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body: &[u8] = if self.call.body.is_empty() { b"{}" } else { &self.call.body };
        serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
    }

    /// The patch operations of an update. `input` is the operation's input shape, as AWS names it in violations.
    pub(super) fn patches(&self, input: &str) -> Result<Vec<Patch>, Refusal> {
        patch::parse(self.body()?, input)?.finish()
    }

    /// Whether a query key is there with the value `true`.
    pub(super) fn asks(&self, key: &str) -> bool {
        self.call.query(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether a list key of the query, such as `embed`, names `value`.
    pub(super) fn embeds(&self, value: &str) -> bool {
        self.call.query_all("embed").iter().any(|given| given.eq_ignore_ascii_case(value))
    }

    /// Runs `work` on the tables, alone; nothing of it stays where it fails.
    pub(super) fn transact<R>(
        &self,
        work: impl FnOnce(&mut Tables<'_, '_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.world.store.transact(|transaction| work(&mut Tables::new(transaction, &self.call.region)))
    }
}

/// A random identifier: lower-case letters and digits.
pub(super) fn random_id(length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut id = String::with_capacity(length);
    while id.len() < length {
        let mut bits = Uuid::new_v4().as_u128();
        // 20 digits of base 36 take 104 of the 122 random bits.
        for _ in 0..20.min(length - id.len()) {
            id.push(char::from(ALPHABET[(bits % 36) as usize]));
            bits /= 36;
        }
    }
    id
}

/// The present, as API Gateway writes timestamps: whole seconds since 1970.
pub(super) fn seconds() -> u64 {
    world::now() / 1000
}
