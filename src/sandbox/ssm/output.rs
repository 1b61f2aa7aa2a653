//! What is told of what a command printed: the beginning, and that there was more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest standard output and error of GetCommandInvocation, in characters
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html>).
pub(super) const STANDARD_OUTPUT: usize = 24_000;
pub(super) const STANDARD_ERROR: usize = 8_000;
/// The longest output of ListCommandInvocations, both together
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CommandPlugin.html>).
const BOTH: usize = 2_500;

/// What stands at the end of what was cut: these are the agent's own words
/// (<https://github.com/aws/amazon-ssm-agent>).
const CUT: &str = "--output truncated--";
const OUTPUT_CUT: &str = "\n---Output truncated---";
const ERROR_CUT: &str = "\n---Error truncated----";
const ERROR_TITLE: &str = "\n----------ERROR-------\n";

/// A file's beginning, as far as any reply has it: one character more, where there is more. No file is an empty one.
///
/// # Errors
/// Where it can't be read.
pub(super) fn read(path: &Path, longest: usize) -> io::Result<String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    // No character has more than four bytes.
    file.take((longest as u64 + 1) * 4).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).chars().take(longest + 1).collect())
}

/// A text of so many characters at most, with how it is told that it is cut.
pub(super) fn cut(text: &str, longest: usize) -> String {
    cut_with(text, longest, CUT)
}

fn cut_with(text: &str, longest: usize, mark: &str) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(mark.len())).chain(mark.chars()).collect()
}

/// Standard output and error in one. Where they don't fit, each has a half, and what the other one leaves of its own.
pub(super) fn both(output: &str, error: &str) -> String {
    if error.is_empty() {
        return cut_with(output, BOTH, OUTPUT_CUT);
    }
    let room = BOTH - ERROR_TITLE.len();
    let (outputs, errors) = (output.chars().count(), error.chars().count());
    let for_output = room.saturating_sub(errors).max(room / 2);
    let for_error = room.saturating_sub(outputs).max(room - room / 2);
    format!("{}{ERROR_TITLE}{}", cut_with(output, for_output, OUTPUT_CUT), cut_with(error, for_error, ERROR_CUT))
}

/// Standard error with what the agent adds to it where a script failed.
pub(super) fn with_failure(error: &str, why: &str) -> String {
    let gap = if error.is_empty() || error.ends_with('\n') { "" } else { "\n" };
    format!("{error}{gap}failed to run commands: {why}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{BOTH, CUT, both, cut, read, with_failure};

    #[test]
    fn what_is_too_long_ends_with_a_mark_and_has_the_length_that_it_may_have() {
        assert_eq!(cut(&"ä".repeat(30), 30), "ä".repeat(30));
        let told = cut(&"ä".repeat(31), 30);
        assert_eq!(told, format!("{}{CUT}", "ä".repeat(10)));
        assert_eq!(told.chars().count(), 30);
    }

    #[test]
    fn both_fit_together() {
        assert_eq!(both("out\n", ""), "out\n");
        assert_eq!(both("out\n", "err\n"), "out\n\n----------ERROR-------\nerr\n");
        for (output, error) in [(3_000, 0), (3_000, 10), (10, 3_000), (3_000, 3_000), (2_500, 1)] {
            let told = both(&"o".repeat(output), &"e".repeat(error));
            assert_eq!(told.chars().count(), BOTH, "{output} {error}");
            assert_eq!(told.contains("---Output truncated---"), output > 2_000, "{output} {error}");
            assert_eq!(told.contains("---Error truncated---"), error > 2_000, "{output} {error}");
        }
    }

    #[test]
    fn a_failure_is_told_on_a_line_of_its_own() {
        assert_eq!(with_failure("", "exit status 3"), "failed to run commands: exit status 3");
        assert_eq!(with_failure("a\n", "x"), "a\nfailed to run commands: x");
        assert_eq!(with_failure("a", "x"), "a\nfailed to run commands: x");
    }

    #[test]
    fn only_the_beginning_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        assert_eq!(read(&path, 5).unwrap(), "");
        std::fs::write(&path, "äöüäöüäöü").unwrap();
        assert_eq!(read(&path, 5).unwrap(), "äöüäöü");
        std::fs::write(&path, b"a\xff").unwrap();
        assert_eq!(read(&path, 5).unwrap(), "a\u{fffd}");
    }
}
