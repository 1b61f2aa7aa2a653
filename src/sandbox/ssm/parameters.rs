//! The parameters of `AWS-RunShellScript`
//! (<https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/documents-command-ssm-plugin-reference.html>).

use std::time::Duration;

use serde_json::Value;

use super::refusals::{invalid_parameters, refusal};
use crate::sandbox::call::Refusal;

/// The names of the document's parameters.
const NAMES: [&str; 3] = ["commands", "workingDirectory", "executionTimeout"];
/// The longest that a script may be allowed to run: two days.
const LONGEST: u64 = 172_800;
/// How long it may run when nobody says so.
const DEFAULT_TIMEOUT: u64 = 3_600;
/// Parameters count to a document's size.
const LARGEST: usize = 64 << 10;

/// What a command runs.
pub(super) struct Script {
    pub(super) text: String,
    /// Where it begins, if somebody says so.
    pub(super) directory: Option<String>,
    /// How long it may run.
    pub(super) timeout: Duration,
}

impl Script {
    /// The script that parameters are about. No refusal repeats what a command says.
    ///
    /// # Errors
    /// `InvalidParameters`, and `MaxDocumentSizeExceeded`.
    pub(super) fn of(parameters: &Value) -> Result<Self, Refusal> {
        let size = parameters.to_string().len();
        if size > LARGEST {
            return Err(refusal("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB."));
        }
        if let Some(name) = parameters
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .find(|name| !NAMES.contains(&name.as_str()))
        {
            return Err(invalid_parameters(format!(
                "Parameters [{name}] are not supported by the document, which has {}.",
                NAMES.join(", ")
            )));
        }
        let lines = texts(parameters, "commands")?;
        if lines.is_empty() {
            return Err(invalid_parameters("The parameter commands must have at least one line."));
        }
        let directory = one(parameters, "workingDirectory")?.filter(|directory| !directory.is_empty());
        let timeout = match one(parameters, "executionTimeout")? {
            None => DEFAULT_TIMEOUT,
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
                seconds.filter(|_| !text.starts_with(['0', '+'])).ok_or_else(|| {
                    invalid_parameters(format!(
                        "The parameter executionTimeout must be a number of seconds from 1 to {LONGEST}."
                    ))
                })?
            }
        };
        let text = lines.join("\n") + "\n";
        Ok(Self { text, directory: directory.map(str::to_owned), timeout: Duration::from_secs(timeout) })
    }

    /// The program and its options that run it: what its first line says, or else `shell`.
    pub(super) fn interpreter<'a>(&'a self, shell: &[&'a str]) -> Vec<&'a str> {
        let first = self.text.lines().next().unwrap_or_default();
        match first.strip_prefix("#!").map(str::trim) {
            Some(named) if !named.is_empty() => {
                // All that follows the program is one word, as the kernel has it.
                let (program, option) = named.split_once([' ', '\t']).unwrap_or((named, ""));
                [program, option.trim()].into_iter().filter(|word| !word.is_empty()).collect()
            }
            _ => shell.to_vec(),
        }
    }
}

/// A parameter, which is a list of texts.
fn texts<'a>(parameters: &'a Value, name: &str) -> Result<Vec<&'a str>, Refusal> {
    let wrong = || invalid_parameters(format!("The parameter {name} must be a list of texts."));
    match &parameters[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(|value| value.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

/// A parameter that is one text.
fn one<'a>(parameters: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    match texts(parameters, name)?[..] {
        [] => Ok(None),
        [text] => Ok(Some(text)),
        _ => Err(invalid_parameters(format!("The parameter {name} must be one text."))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Script;

    fn why(parameters: &Value) -> String {
        Script::of(parameters).err().map(|refusal| refusal.to_string()).unwrap_or_default()
    }

    #[test]
    fn commands_are_the_lines_of_a_script() {
        let all = json!({"commands": ["a", "b\nc"], "workingDirectory": ["/opt"], "executionTimeout": ["7"]});
        let Ok(script) = Script::of(&all) else { panic!("it is a script") };
        assert_eq!((script.text.as_str(), script.directory.as_deref()), ("a\nb\nc\n", Some("/opt")));
        assert_eq!(script.timeout.as_secs(), 7);
        let Ok(script) = Script::of(&json!({"commands": ["a"], "workingDirectory": [""]})) else { panic!("it is too") };
        assert_eq!((script.directory, script.timeout.as_secs()), (None, 3600));
    }

    #[test]
    fn what_the_document_does_not_have_is_refused_and_not_repeated() {
        for (parameters, told) in [
            (Value::Null, "at least one line"),
            (json!({"commands": []}), "at least one line"),
            (json!({"commands": "hunter2"}), "list of texts"),
            (json!({"commands": ["hunter2"], "command": ["x"]}), "Parameters [command] are not supported"),
            (json!({"commands": ["hunter2"], "workingDirectory": ["a", "b"]}), "must be one text"),
            (json!({"commands": ["hunter2"], "executionTimeout": ["0"]}), "from 1 to 172800"),
            (json!({"commands": ["hunter2"], "executionTimeout": ["172801"]}), "from 1 to 172800"),
            (json!({"commands": ["hunter2"], "executionTimeout": ["soon"]}), "from 1 to 172800"),
        ] {
            let why = why(&parameters);
            assert!(why.starts_with("InvalidParameters: ") && why.contains(told) && !why.contains("hunter2"), "{why}");
        }
        assert!(why(&json!({"commands": ["x".repeat(65_537)]})).starts_with("MaxDocumentSizeExceeded"));
    }

    #[test]
    fn a_script_may_say_what_interprets_it() {
        let words = |text: &str| {
            let Ok(script) = Script::of(&json!({"commands": [text]})) else { panic!("{text}") };
            script.interpreter(&["sh"]).join("|")
        };
        assert_eq!(words("echo"), "sh");
        assert_eq!(words("#!/bin/bash"), "/bin/bash");
        assert_eq!(words("#! /usr/bin/env  bash -e\necho"), "/usr/bin/env|bash -e");
        assert_eq!(words("#!\necho"), "sh");
    }
}
