//! What a policy's conditions may ask about a request.

use std::collections::BTreeMap;

/// The condition keys of one request. Keys are compared without case; an empty value counts as none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// With one more value of a key.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
        }
        self
    }

    /// With all that another one has.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        for (key, values) in other.0 {
            self.0.entry(key).or_default().extend(values);
        }
        self
    }

    /// The values of a key; none where the request does not have it.
    pub(super) fn values(&self, key: &str) -> &[String] {
        self.0.get(&key.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}
