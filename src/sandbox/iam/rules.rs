//! What IAM's parameters must be like: the lengths and patterns of its model.

use crate::sandbox::query::{Misfit, Rule};

const NAME_SENTENCE: Misfit =
    Misfit::Sentence("It must contain only alphanumeric characters and/or the following: +=,.@_-");
const PATH_SENTENCE: Misfit =
    Misfit::Sentence("It must begin and end with / and contain only alphanumeric characters and/or / characters.");

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| ('\u{21}'..='\u{7e}').contains(&c))
}

/// The name of a role or user.
pub(super) const NAME: Rule = Rule { least: 1, longest: 64, fits: is_name, misfit: NAME_SENTENCE };

/// The name of a policy or instance profile.
pub(super) const LONG_NAME: Rule = Rule { longest: 128, ..NAME };

/// The path of a role, user or instance profile.
pub(super) const PATH: Rule = Rule {
    least: 1,
    longest: 512,
    fits: |text| text == "/" || (text.len() > 2 && text.starts_with('/') && text.ends_with('/') && is_printable(text)),
    misfit: PATH_SENTENCE,
};

/// The path of a policy.
pub(super) const POLICY_PATH: Rule = Rule {
    least: 1,
    longest: 512,
    fits: |text| {
        let inside = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        text == "/"
            || (text.ends_with('/') && inside.is_some_and(|path| path.split('/').all(|p| !p.is_empty() && is_name(p))))
    },
    misfit: PATH_SENTENCE,
};

/// A prefix of paths.
pub(super) const PATH_PREFIX: Rule = Rule {
    least: 1,
    longest: 512,
    fits: |text| text.starts_with('/') && is_printable(text),
    misfit: Misfit::Pattern("\\u002F[\\u0021-\\u007F]*"),
};

/// A policy document.
pub(super) const DOCUMENT: Rule = Rule {
    least: 1,
    longest: 131_072,
    fits: |text| text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')),
    misfit: Misfit::Pattern("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"),
};

/// The description of a role.
pub(super) const DESCRIPTION: Rule = Rule {
    least: 0,
    longest: 1000,
    fits: |text| text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}')),
    misfit: Misfit::Pattern("[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*"),
};

/// The description of a policy.
pub(super) const POLICY_DESCRIPTION: Rule = Rule { fits: |_| true, ..DESCRIPTION };

/// An ARN. What follows its length is told as `InvalidInput`.
pub(super) const ARN: Rule = Rule { least: 20, longest: 2048, fits: |_| true, misfit: Misfit::Pattern("") };

/// The version of a policy: `v3`.
pub(super) const VERSION_ID: Rule = Rule {
    least: 0,
    longest: usize::MAX,
    fits: |text| text.strip_prefix('v').is_some_and(|n| !n.starts_with('0') && n.parse::<u32>().is_ok()),
    misfit: Misfit::Pattern("v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"),
};

fn is_tag_text(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
}

/// The key of a tag.
pub(super) const TAG_KEY: Rule =
    Rule { least: 1, longest: 128, fits: is_tag_text, misfit: Misfit::Pattern("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+") };

/// The value of a tag.
pub(super) const TAG_VALUE: Rule =
    Rule { least: 0, longest: 256, fits: is_tag_text, misfit: Misfit::Pattern("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*") };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for path in ["/", "/a/", "/a/b/"] {
            assert!((PATH.fits)(path) && (POLICY_PATH.fits)(path), "{path}");
        }
        for path in ["", "a", "/a", "a/", "/a b/", "//"] {
            assert!(!(PATH.fits)(path) && !(POLICY_PATH.fits)(path), "{path}");
        }
        assert!((PATH.fits)("/a:b/") && !(POLICY_PATH.fits)("/a:b/"));
    }

    #[test]
    fn names_and_versions() {
        assert!((NAME.fits)("0a1b-ec2_access+role=,.@"));
        assert!(!(NAME.fits)("a/b") && !(NAME.fits)("ä") && !(NAME.fits)("a b"));
        assert!((VERSION_ID.fits)("v12") && !(VERSION_ID.fits)("v0") && !(VERSION_ID.fits)("1"));
    }
}
