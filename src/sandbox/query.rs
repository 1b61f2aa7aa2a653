//! AWS's Query protocol, which IAM and STS speak: a call is a form, a reply is XML.
//!
//! Lists are numbered keys (`Tags.member.1.Key=…`), and what a value must be like is told in the words of AWS's
//! constraint checks: all violations of one call in one `ValidationError`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::call::{Call, PathValues, Refusal, Reply};

/// The decoded parameters of a call: those of its query and of its form.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a call.
    pub(crate) fn of(call: &Call) -> Self {
        let form = url::form_urlencoded::parse(&call.body).into_owned();
        Self(call.query.iter().cloned().chain(form).collect())
    }

    /// The first value of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether a key is `true`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.text(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The strings of a list, in the order of their numbers.
    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        self.members(key).into_values().flatten().map(|(_, value)| value).collect()
    }

    /// The structures of a list, in the order of their numbers.
    pub(crate) fn records(&self, key: &str) -> Vec<Self> {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.members(key).into_values().map(|fields| Self(fields.into_iter().map(own).collect())).collect()
    }

    /// What stands under `KEY.member.N`, by N; what follows N and a dot names a field.
    fn members(&self, key: &str) -> BTreeMap<u32, Vec<(&str, &str)>> {
        let mut members: BTreeMap<u32, Vec<(&str, &str)>> = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(rest) = name.strip_prefix(key).and_then(|rest| rest.strip_prefix(".member.")) else { continue };
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                members.entry(number).or_default().push((field, value));
            }
        }
        members
    }

    /// Begins to read parameters that must satisfy rules.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { parameters: self, violations: Vec::new(), misfit: None }
    }
}

/// Which of a service's operations a call is for: a form, or a query, with the service's `Version` and an `Action`.
pub(crate) fn action(call: &Call, version: &str) -> Option<String> {
    let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form && call.query("Action").is_none() {
        return None;
    }
    let parameters = Parameters::of(call);
    (parameters.text("Version") == Some(version)).then(|| parameters.text("Action").map(str::to_owned))?
}

/// The operation of a call, among those of a service.
pub(crate) fn operation<H>(
    operations: &[(&'static str, H)],
    call: &Call,
    version: &str,
) -> Option<(&'static str, PathValues)> {
    let action = action(call, version)?;
    operations.iter().find(|(name, _)| *name == action).map(|(name, _)| (*name, PathValues::new()))
}

/// What does an operation.
///
/// # Errors
/// `InvalidAction` where a service hasn't got it.
pub(crate) fn handler<H: Copy>(operations: &[(&'static str, H)], operation: &str, version: &str) -> Result<H, Refusal> {
    operations.iter().find(|(name, _)| *name == operation).map(|(_, handler)| *handler).ok_or_else(|| {
        let message = format!("Could not find operation {operation} for version {version}");
        Refusal::new(400, "InvalidAction", message)
    })
}

/// What one text parameter must be like.
pub(crate) struct Rule {
    /// The smallest number of characters.
    pub(crate) least: usize,
    /// The largest number of characters.
    pub(crate) longest: usize,
    /// Whether its characters, and their order, are right.
    pub(crate) fits: fn(&str) -> bool,
    /// How AWS tells that they aren't.
    pub(crate) misfit: Misfit,
}

/// AWS's two ways to tell that a value has wrong characters.
pub(crate) enum Misfit {
    /// The violation of a regular expression.
    Pattern(&'static str),
    /// A sentence after "The specified value for X is invalid."
    Sentence(&'static str),
}

/// Reads parameters, and collects how they break their rules until [`Reader::finish`].
pub(crate) struct Reader<'a> {
    parameters: &'a Parameters,
    violations: Vec<String>,
    misfit: Option<String>,
}

impl<'a> Reader<'a> {
    /// A text that must be there; empty where it isn't, until `finish` tells so.
    pub(crate) fn required(&mut self, key: &str, rule: &Rule) -> &'a str {
        self.optional(key, rule).unwrap_or_else(|| {
            self.violations.push(format!("Value null at '{}' {CONSTRAINT} Member must not be null", lower_camel(key)));
            ""
        })
    }

    /// A text that may be absent.
    pub(crate) fn optional(&mut self, key: &str, rule: &Rule) -> Option<&'a str> {
        let value = self.parameters.text(key)?;
        self.check(&lower_camel(key), value, rule);
        Some(value)
    }

    /// Holds a value that was read elsewhere against a rule; `place` is its name in messages.
    pub(crate) fn check(&mut self, place: &str, value: &str, rule: &Rule) {
        let length = value.chars().count();
        if length > rule.longest {
            self.violate(place, format_args!("Member must have length less than or equal to {}", rule.longest));
        }
        if length < rule.least {
            self.violate(place, format_args!("Member must have length greater than or equal to {}", rule.least));
        }
        if (rule.fits)(value) {
            return;
        }
        match rule.misfit {
            Misfit::Pattern(pattern) => {
                self.violate(place, format_args!("Member must satisfy regular expression pattern: {pattern}"));
            }
            Misfit::Sentence(sentence) => {
                let message = || format!("The specified value for {place} is invalid. {sentence}");
                self.misfit.get_or_insert_with(message);
            }
        }
    }

    /// A number that may be absent.
    ///
    /// # Errors
    /// `MalformedInput` where it isn't a number; one that is out of range is told by `finish`.
    pub(crate) fn number(&mut self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.parameters.text(key) else { return Ok(None) };
        let number: i64 = text.parse().map_err(|_| Refusal::new(400, "MalformedInput", "Invalid Argument"))?;
        let bound = match number {
            low if low < i64::from(*range.start()) => format!("greater than or equal to {}", range.start()),
            high if high > i64::from(*range.end()) => format!("less than or equal to {}", range.end()),
            _ => return Ok(u32::try_from(number).ok()),
        };
        let place = lower_camel(key);
        self.violations.push(format!("Value '{number}' at '{place}' {CONSTRAINT} Member must have value {bound}"));
        Ok(None)
    }

    /// One of a set of words, that may be absent.
    pub(crate) fn choice(&mut self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let value = self.parameters.text(key)?;
        let word = words.iter().find(|word| **word == value).copied();
        if word.is_none() {
            let set = words.join(", ");
            self.violate(&lower_camel(key), format_args!("Member must satisfy enum value set: [{set}]"));
        }
        word
    }

    fn violate(&mut self, place: &str, constraint: impl Display) {
        self.violations.push(format!("Value at '{place}' {CONSTRAINT} {constraint}"));
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `ValidationError`, naming everything that was wrong.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let message = match (self.violations.len(), self.misfit) {
            (0, None) => return Ok(()),
            (0, Some(misfit)) => misfit,
            (1, _) => format!("1 validation error detected: {}", self.violations.join("; ")),
            (count, _) => format!("{count} validation errors detected: {}", self.violations.join("; ")),
        };
        Err(Refusal::new(400, "ValidationError", message))
    }
}

const CONSTRAINT: &str = "failed to satisfy constraint:";

/// `RoleName` as constraint messages call it: `roleName`.
fn lower_camel(key: &str) -> String {
    let mut rest = key.chars();
    rest.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + rest.as_str())
}

/// The inside of an XML element, while it is written.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element that is written by `fill`.
    pub(crate) fn of(name: &str, fill: impl FnOnce(&mut Self)) -> Self {
        let mut xml = Self::default();
        xml.element(name, fill);
        xml
    }

    /// Adds an element with a text.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        // A bare carriage return would reach the reader as a line feed.
        let escaped = quick_xml::escape::escape(&value).replace('\r', "&#13;");
        self.0 += &format!("<{name}>{escaped}</{name}>");
        self
    }

    /// Adds an element with a text, where there is one.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Adds an element that `fill` writes.
    pub(crate) fn element(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.0 += &format!("<{name}>");
        fill(self);
        self.0 += &format!("</{name}>");
        self
    }

    /// Adds a list, each member written by `fill`.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |list| {
            for item in items {
                list.element("member", |member| fill(member, item));
            }
        })
    }

    /// Adds a list of texts.
    pub(crate) fn texts(&mut self, name: &str, items: impl IntoIterator<Item = impl Display>) -> &mut Self {
        self.element(name, |list| {
            for item in items {
                list.text("member", item);
            }
        })
    }
}

/// The reply of an operation. Those whose model has no output carry no result element at all.
pub(crate) fn reply(operation: &str, namespace: &str, result: Option<Xml>) -> Reply {
    let mut inside = Xml::default();
    if let Some(result) = result {
        inside.element(&format!("{operation}Result"), |xml| xml.0 += &result.0);
    }
    inside.element("ResponseMetadata", |xml| {
        xml.text("RequestId", uuid::Uuid::new_v4());
    });
    Reply::xml(format!("<{operation}Response xmlns=\"{namespace}\">{}</{operation}Response>", inside.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> Call {
        Call {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body: body.to_owned().into(),
            region: "us-east-1".to_owned(),
            caller: String::new(),
        }
    }

    const NAME: Rule = Rule {
        least: 1,
        longest: 4,
        fits: |text| text.chars().all(|c| c.is_ascii_alphanumeric()),
        misfit: Misfit::Sentence("Letters only."),
    };

    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let form = "Tags.member.10.Key=k&Tags.member.2.Key=b%20c&Tags.member.2.Value=&Keys.member.2=y&Keys.member.1=x";
        let parameters = Parameters::of(&call(form));
        assert_eq!(parameters.texts("Keys"), ["x", "y"]);
        let tags = parameters.records("Tags");
        assert_eq!(tags.len(), 2);
        assert_eq!((tags[0].text("Key"), tags[0].text("Value")), (Some("b c"), Some("")));
        assert_eq!((tags[1].text("Key"), tags[1].text("Value")), (Some("k"), None));
    }

    #[test]
    fn an_action_needs_its_services_version() {
        let form = call("Action=GetRole&Version=2010-05-08");
        assert_eq!(action(&form, "2010-05-08").as_deref(), Some("GetRole"));
        assert_eq!(action(&form, "2011-06-15"), None);
        assert_eq!(action(&Call { headers: Vec::new(), ..form }, "2010-05-08"), None);
    }

    #[test]
    fn all_violations_are_told_at_once() {
        let parameters = Parameters::of(&call("RoleName=toolong&Size=9"));
        let mut reader = parameters.reader();
        reader.required("RoleName", &NAME);
        reader.required("PolicyName", &NAME);
        assert_eq!(reader.number("Size", 1..=5).ok().flatten(), None);
        let message = reader.finish().err().map(|refusal| refusal.message);
        let expected = "3 validation errors detected: \
            Value at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 4; \
            Value null at 'policyName' failed to satisfy constraint: Member must not be null; \
            Value '9' at 'size' failed to satisfy constraint: Member must have value less than or equal to 5";
        assert_eq!(message.as_deref(), Some(expected));
    }

    #[test]
    fn a_misfit_is_told_in_the_services_words() {
        let parameters = Parameters::of(&call("RoleName=a+b"));
        let mut reader = parameters.reader();
        reader.required("RoleName", &NAME);
        let message = reader.finish().err().map(|refusal| refusal.message);
        assert_eq!(message.as_deref(), Some("The specified value for roleName is invalid. Letters only."));
    }

    #[test]
    fn texts_are_escaped() {
        let xml = Xml::of("A", |xml| {
            xml.text("B", "<&>\r\n").list("C", [1, 2], |xml, n| {
                xml.text("N", n);
            });
        });
        let expected = "<A><B>&lt;&amp;&gt;&#13;\n</B><C><member><N>1</N></member><member><N>2</N></member></C></A>";
        assert_eq!(xml.0, expected);
    }
}
