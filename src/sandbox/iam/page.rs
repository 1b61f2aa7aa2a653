//! Lists that come in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sandbox::call::Refusal;
use crate::sandbox::query::{Parameters, Xml};

/// How many items IAM lists where the caller doesn't say.
const DEFAULT_SIZE: u32 = 100;

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    /// The page that a call asks for. A marker names the last item that was seen, so that a listing survives changes
    /// between its pages; so the items must be ordered by their keys.
    ///
    /// # Errors
    /// `ValidationError` for a bad `MaxItems` or `Marker`.
    pub(super) fn of(parameters: &Parameters, items: Vec<(String, T)>) -> Result<Self, Refusal> {
        let mut reader = parameters.reader();
        let size = reader.number("MaxItems", 1..=1000)?.unwrap_or(DEFAULT_SIZE) as usize;
        reader.finish()?;
        let after = parameters.text("Marker").map(decode).transpose()?;
        let mut rest = items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
        let taken: Vec<(String, T)> = rest.by_ref().take(size).collect();
        let marker = rest.peek().and(taken.last()).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        Ok(Self { items: taken.into_iter().map(|(_, item)| item).collect(), marker })
    }

    /// Tells whether there is more, and where it begins.
    pub(super) fn end(marker: Option<&str>, xml: &mut Xml) {
        xml.text("IsTruncated", marker.is_some()).optional("Marker", marker);
    }

    /// The whole list's XML: its items under `name`, each written by `fill`.
    pub(super) fn xml(self, name: &str, fill: impl FnMut(&mut Xml, T)) -> Xml {
        let mut xml = Xml::default();
        xml.list(name, self.items, fill);
        Self::end(self.marker.as_deref(), &mut xml);
        xml
    }
}

impl Page<String> {
    /// The XML of a list of plain texts.
    pub(super) fn texts(self, name: &str) -> Xml {
        let mut xml = Xml::default();
        xml.texts(name, self.items);
        Self::end(self.marker.as_deref(), &mut xml);
        xml
    }
}

fn decode(marker: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Refusal::new(400, "ValidationError", "Invalid Marker."))
}
