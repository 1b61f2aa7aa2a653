//! Lists that come in pages.

use crate::sandbox::call::Refusal;
use crate::sandbox::pages;
use crate::sandbox::query::{Parameters, Xml};

/// How many items are listed where the caller doesn't say. IAM's model says 100, and that IAM may return fewer although
/// there are more: here it does, so that nobody forgets to ask for the rest.
const DEFAULT_SIZE: u32 = 10;

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
        let invalid = || Refusal::new(400, "ValidationError", "Invalid Marker.");
        let after = parameters.text("Marker").map(|marker| pages::text_of(marker).ok_or_else(invalid)).transpose()?;
        let (items, last) = pages::cut(items, after.as_deref(), size);
        Ok(Self { items, marker: last.map(pages::token) })
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
