//! Which topics the connector reads.

use regex::Regex;

use super::super::TopicSelection;
use super::super::nearest::suggestion;
use super::super::problem::Findings;
use super::super::raw;
use super::super::yaml::At;
use super::{Scene, each_once};

/// A selection, and which names it selects.
pub(super) struct Selected<'a> {
    pub(super) selection: TopicSelection,
    declared: Vec<&'a str>,
    /// The regular expression, anchored as the connector matches it.
    regex: Option<Regex>,
}

impl Selected<'_> {
    /// Whether the connector would read a topic of that name.
    pub(super) fn takes(&self, name: &str) -> bool {
        match &self.selection {
            TopicSelection::All => self.declared.contains(&name),
            TopicSelection::List(names) => names.iter().any(|listed| listed == name),
            TopicSelection::Regex(_) => self.regex.as_ref().is_some_and(|regex| regex.is_match(name)),
        }
    }
}

pub(super) fn selection<'a>(raw: &'a raw::Connector, scene: &Scene<'a>, findings: &mut Findings) -> Selected<'a> {
    let topics = scene.raw.topics.as_ref().map(|topics| topics.value.as_slice()).unwrap_or_default();
    let declared: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    // With topics that were left out for their problems, nothing can be said of what is missing.
    let all_known = !scene.is_damaged("topics");
    let (selection, regex) = match raw.topics.as_ref().map(|topics| (&topics.value, topics)) {
        Some((raw::Selection::List(names), list)) => {
            if names.is_empty() && !scene.is_damaged("connector") {
                findings.problem(list.at, "the list is empty; name the topics to read, or use all");
            }
            each_once("topic", names, findings);
            if all_known {
                tell_undeclared(names, &declared, findings);
            }
            (TopicSelection::List(names.iter().map(|name| name.value.clone()).collect()), None)
        }
        Some((raw::Selection::Regex { regex }, _)) => {
            let compiled = match compiled(regex) {
                Ok(compiled) => {
                    if all_known {
                        tell_of_reach(regex, &compiled, &declared, findings);
                    }
                    Some(compiled)
                }
                Err(problem) => {
                    findings.problem(regex.at, problem);
                    None
                }
            };
            (TopicSelection::Regex(regex.value.clone()), compiled)
        }
        Some((raw::Selection::All(_), _)) | None => (TopicSelection::All, None),
    };
    Selected { selection, declared, regex }
}

fn tell_undeclared(names: &[At<String>], declared: &[&str], findings: &mut Findings) {
    for name in names.iter().filter(|name| !declared.contains(&name.as_str())) {
        let advice = if declared.len() <= 10 {
            suggestion(name, declared.iter().copied())
        } else {
            "declare it under topics, or correct its name".to_owned()
        };
        findings.problem(name.at, format!("topic \"{}\" is not declared; {advice}", name.value));
    }
}

/// The regular expression as Kafka Connect uses it: it must match a topic's whole name. Java's and Rust's agree but
/// for lookarounds, back-references and possessive quantifiers, without which topic names can do.
fn compiled(regex: &str) -> Result<Regex, String> {
    // On its own first, so that "a)(b" isn't taken for a group and a half.
    Regex::new(regex).and_then(|_| Regex::new(&format!("^(?:{regex})$"))).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("\"{regex}\" can't be used to select topics: {reason}; write it without")
    })
}

fn tell_of_reach(regex: &At<String>, compiled: &Regex, declared: &[&str], findings: &mut Findings) {
    let taken: Vec<&str> = declared.iter().copied().filter(|name| compiled.is_match(name)).collect();
    if taken.is_empty() && !declared.is_empty() {
        let shown = declared.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let more = if declared.len() > 3 { ", …" } else { "" };
        findings.problem(
            regex.at,
            format!(
                "\"{}\" matches none of the declared topics ({shown}{more}); it must match a whole name: correct it",
                regex.value
            ),
        );
    }
    if let Some(other) = taken.iter().find_map(|name| matched_without_its_dot(name, compiled)) {
        findings.warn(
            regex.at,
            format!(
                "\"{}\" also matches names such as {other}, since an unescaped . is any character; \
                    write \\. for a dot",
                regex.value
            ),
        );
    }
}

/// The name with its first dot made another character, where that matches too.
fn matched_without_its_dot(name: &str, regex: &Regex) -> Option<String> {
    let other = name.replacen('.', "x", 1);
    (other != name && regex.is_match(&other)).then_some(other)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::{compiled, matched_without_its_dot};

    #[test]
    fn a_whole_name_must_match() {
        let regex = compiled(r"0a1b\.(pin|geo)").unwrap();
        assert!(regex.is_match("0a1b.pin"));
        assert!(!regex.is_match("0a1b.pins"));
        assert!(compiled("a)(b").is_err());
        assert!(compiled("(?=a)b").unwrap_err().contains("look-around"));
    }

    #[test]
    fn a_dot_that_is_any_character_is_noticed() {
        assert_eq!(matched_without_its_dot("0a1b.pin", &compiled("0a1b.*").unwrap()).as_deref(), Some("0a1bxpin"));
        assert_eq!(matched_without_its_dot("0a1b.pin", &compiled("0a1b.pin").unwrap()).as_deref(), Some("0a1bxpin"));
        assert_eq!(matched_without_its_dot("0a1b.pin", &compiled(r"0a1b\..*").unwrap()), None);
        assert_eq!(matched_without_its_dot("orders", &compiled("orders.*").unwrap()), None);
    }
}
