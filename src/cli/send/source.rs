//! What is sent, and to which topics: as the command line asks, and the manifest declares.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use super::{InputFormat, Send};
use crate::cli::failure::Failure;
use crate::flow::records::{Form, Generated, Input, Kind, Rows, Source};
use crate::manifest::{Manifest, Topic, suggestion};

/// How many records are made up where nobody says how many.
const USUAL_COUNT: u64 = 100;

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Made-up records.
    Generated {
        /// The kinds, each with its topic.
        to: Vec<Destination>,
        seed: u64,
        count: Option<u64>,
    },
    /// Rows.
    Rows { input: Input, form: Form, key: Option<String>, topic: String, count: Option<u64> },
}

/// Where made-up records of a kind go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    kind: Kind,
    topic: String,
    /// Whether they have their index as key.
    keyed: bool,
}

impl Chosen {
    pub(super) fn of(asked: &Send, manifest: &Manifest) -> Result<Self, Failure> {
        if let Some(topic) = &asked.topic {
            check_declared(topic, manifest)?;
        }
        match &asked.file {
            Some(path) => Self::rows(asked, path, manifest),
            None => Self::generated(asked, manifest),
        }
    }

    fn rows(asked: &Send, path: &Path, manifest: &Manifest) -> Result<Self, Failure> {
        let topic = match (&asked.topic, manifest.topics.as_slice()) {
            (Some(topic), _) => topic.clone(),
            (None, [only]) => only.name.clone(),
            (None, topics) => {
                let known: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
                let known = if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) };
                return Err(Failure::Usage(format!("--file needs --topic, which names where its rows go{known}")));
            }
        };
        if asked.key.is_none()
            && manifest.topics.iter().any(|declared| declared.name == topic && is_compacted(declared))
        {
            return Err(Failure::Usage(format!(
                "topic/{topic} is compacted, and Kafka refuses records without a key there; add --key FIELD"
            )));
        }
        let form = match (asked.input_format, path.extension().and_then(|extension| extension.to_str())) {
            (Some(InputFormat::Jsonl), _) | (None, Some("jsonl" | "ndjson")) => Form::JsonLines,
            (Some(InputFormat::Csv), _) | (None, Some("csv")) => Form::Csv { text: asked.text },
            (None, _) if is_stdin(path) => Form::JsonLines,
            (None, _) => {
                return Err(Failure::Usage(format!(
                    "the name {} does not tell how its rows are written; add --input-format jsonl or csv",
                    path.display()
                )));
            }
        };
        let input = if is_stdin(path) { Input::Stdin } else { Input::File(path.to_owned()) };
        Ok(Self::Rows { input, form, key: asked.key.clone(), topic, count: asked.count })
    }

    fn generated(asked: &Send, manifest: &Manifest) -> Result<Self, Failure> {
        let mut kinds: Vec<Kind> = asked.generate.iter().copied().map(Kind::from).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let pairs = match (&asked.topic, kinds.as_slice()) {
            (Some(topic), []) => vec![(kind_of(topic).unwrap_or(Kind::Pin), topic.clone())],
            (Some(topic), [kind]) => vec![(*kind, topic.clone())],
            (Some(_), _) => {
                return Err(Failure::Usage("--topic takes records of one kind; name one with --generate".to_owned()));
            }
            (None, []) => every_topic(&manifest.topics)?,
            (None, kinds) => kinds
                .iter()
                .map(|kind| Ok((*kind, topic_for(*kind, kinds, manifest)?)))
                .collect::<Result<_, Failure>>()?,
        };
        if let Some(field) = &asked.key
            && let Some((kind, _)) = pairs.iter().find(|_| !matches!(field.as_str(), "index" | "ind"))
        {
            return Err(Failure::Usage(format!(
                "made-up records have only their index as key; add --key {}",
                kind.index()
            )));
        }
        let keyed = |topic: &str| {
            asked.key.is_some()
                || manifest.topics.iter().any(|declared| declared.name == topic && is_compacted(declared))
        };
        let to = pairs.into_iter().map(|(kind, topic)| Destination { keyed: keyed(&topic), kind, topic }).collect();
        let unbounded = asked.duration.is_some();
        Ok(Self::Generated {
            to,
            // Any number will do, as long as it is told.
            seed: asked.seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32),
            count: asked.count.or((!unbounded).then_some(USUAL_COUNT)),
        })
    }

    /// The topics, in the order of the source's lanes.
    pub(super) fn topics(&self) -> Vec<String> {
        match self {
            Self::Generated { to, .. } => to.iter().map(|to| to.topic.clone()).collect(),
            Self::Rows { topic, .. } => vec![topic.clone()],
        }
    }

    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Generated { count, .. } | Self::Rows { count, .. } => *count,
        }
    }

    /// The seed of made-up records.
    pub(super) fn seed(&self) -> Option<u64> {
        match self {
            Self::Generated { seed, .. } => Some(*seed),
            Self::Rows { .. } => None,
        }
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<Source, Failure> {
        match self {
            Self::Generated { to, seed, .. } => {
                Ok(Source::Generated(Generated::new(to.iter().map(|to| (to.kind, to.keyed)), *seed)))
            }
            Self::Rows { input, form, key, .. } => {
                let rows = Rows::open(input, form.clone(), key.clone());
                Ok(Source::Rows(rows.map_err(|error| format!("cannot read {}: {error}", name(input)))?))
            }
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { to, seed, count } => {
                let to: Vec<String> = to.iter().map(|to| format!("{} to {}", to.kind.name(), to.topic)).collect();
                let count = match count {
                    Some(1) => "1 record".to_owned(),
                    Some(count) => format!("{count} records"),
                    None => "records".to_owned(),
                };
                write!(formatter, "making up {count}, seed {seed}: {}", to.join(", "))
            }
            Self::Rows { input, topic, .. } => write!(formatter, "sending the rows of {} to {topic}", name(input)),
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn name(input: &Input) -> String {
    match input {
        Input::File(path) => path.display().to_string(),
        Input::Stdin => "standard input".to_owned(),
    }
}

/// A topic that the manifest doesn't declare is a slip. Where it declares none, it says nothing of topics.
fn check_declared(topic: &str, manifest: &Manifest) -> Result<(), Failure> {
    let names = || manifest.topics.iter().map(|declared| declared.name.as_str());
    if manifest.topics.is_empty() || names().any(|name| name == topic) {
        return Ok(());
    }
    let known: Vec<&str> = names().collect();
    Err(Failure::Usage(format!("the manifest declares no topic {topic}; {}", suggestion(topic, known.iter().copied()))))
}

/// Kafka takes no record without a key into such a topic.
fn is_compacted(topic: &Topic) -> bool {
    let policy = topic.config.get("cleanup.policy").map(String::as_str).unwrap_or_default();
    policy.split(',').any(|policy| policy.trim() == "compact")
}

/// The kind that the last part of a topic's name tells.
fn kind_of(topic: &str) -> Option<Kind> {
    let last = topic.rsplit('.').next()?;
    Kind::ALL.into_iter().find(|kind| kind.name() == last)
}

fn every_topic(topics: &[Topic]) -> Result<Vec<(Kind, String)>, Failure> {
    match topics {
        [] => Err(Failure::Usage("the manifest declares no topics; name one with --topic".to_owned())),
        [only] => Ok(vec![(kind_of(&only.name).unwrap_or(Kind::Pin), only.name.clone())]),
        topics => topics
            .iter()
            .map(|topic| {
                let kind = kind_of(&topic.name).ok_or_else(|| {
                    Failure::Usage(format!(
                        "topic/{} does not tell by .pin, .geo or .user at its end which records are for it; name topic \
                         and kind: --topic {} --generate pin",
                        topic.name, topic.name
                    ))
                })?;
                Ok((kind, topic.name.clone()))
            })
            .collect(),
    }
}

/// The one topic of a kind.
fn topic_for(kind: Kind, kinds: &[Kind], manifest: &Manifest) -> Result<String, Failure> {
    let of_kind: Vec<&str> =
        manifest.topics.iter().map(|topic| topic.name.as_str()).filter(|topic| kind_of(topic) == Some(kind)).collect();
    match (of_kind.as_slice(), manifest.topics.as_slice(), kinds) {
        ([one], _, _) => Ok((*one).to_owned()),
        ([], [only], [_]) => Ok(only.name.clone()),
        (several, _, _) => {
            let why = if several.is_empty() {
                "no declared topic's name ends".to_owned()
            } else {
                format!("the names of {} end", several.join(" and "))
            };
            Err(Failure::Usage(format!("{why} in .{}; name the topic with --topic", kind.name())))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::manifest::{Overrides, load};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        send: Send,
    }

    /// What `pipeline send m.yaml` with these arguments sends, with a manifest of these topics; or why it doesn't.
    fn chosen(topics: &str, arguments: &[&str]) -> Result<Chosen, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.yaml");
        let head = "name: a\nenvironment: dev\ntarget: sandbox\nregion: us-east-1\ncluster: { name: c }\n";
        std::fs::write(&path, format!("{head}{topics}")).unwrap();
        let manifest = load(&path, &Overrides::default()).unwrap();
        let line =
            Line::try_parse_from(["send", "m.yaml"].iter().chain(arguments)).map_err(|error| error.to_string())?;
        Chosen::of(&line.send, &manifest).map_err(|failure| match failure {
            Failure::Usage(text) => text,
            other => format!("{other:?}"),
        })
    }

    const THREE: &str =
        "topics: [ { name: u.pin }, { name: u.geo }, { name: u.user, config: { cleanup.policy: compact } } ]";
    const ONE: &str = "topics: [ { name: orders } ]";
    const TWO: &str = "topics: [ { name: orders }, { name: u.pin } ]";
    const NONE: &str = "topics: []";

    fn told(topics: &str, arguments: &[&str]) -> String {
        chosen(topics, arguments).unwrap().to_string()
    }

    fn refused(topics: &str, arguments: &[&str]) -> String {
        chosen(topics, arguments).unwrap_err()
    }

    #[test]
    fn without_more_each_topic_gets_a_hundred_of_its_own_kind() {
        assert_eq!(
            told(THREE, &["--seed", "7"]),
            "making up 100 records, seed 7: pin to u.pin, geo to u.geo, user to u.user"
        );
        assert_eq!(told(ONE, &["--seed", "7", "--count", "3"]), "making up 3 records, seed 7: pin to orders");
        assert_eq!(told(ONE, &["--seed", "7", "--duration", "3s"]), "making up records, seed 7: pin to orders");
        assert!(refused(TWO, &[]).contains("topic/orders does not tell by .pin, .geo or .user"));
        assert!(refused(NONE, &[]).contains("name one with --topic"));
    }

    #[test]
    fn kinds_and_topics_can_be_named() {
        let of = |topics, arguments: &[&str]| told(topics, &[&["--seed", "1", "--count", "1"], arguments].concat());
        assert_eq!(of(THREE, &["--generate", "user,geo"]), "making up 1 record, seed 1: geo to u.geo, user to u.user");
        assert_eq!(of(TWO, &["--topic", "orders", "--generate", "user"]), "making up 1 record, seed 1: user to orders");
        assert_eq!(of(THREE, &["--topic", "u.geo"]), "making up 1 record, seed 1: geo to u.geo");
        assert_eq!(of(NONE, &["--topic", "any.user"]), "making up 1 record, seed 1: user to any.user");
        assert_eq!(of(ONE, &["--generate", "geo"]), "making up 1 record, seed 1: geo to orders");
        assert!(refused(THREE, &["--topic", "u.pin", "--generate", "pin,geo"]).contains("one kind"));
        assert!(refused(TWO, &["--generate", "geo"]).contains("no declared topic's name ends in .geo"));
        let twice = "topics: [ { name: a.pin }, { name: b.pin } ]";
        assert!(refused(twice, &["--generate", "pin"]).contains("a.pin and b.pin end in .pin; name the topic"));
    }

    #[test]
    fn a_topic_that_is_not_declared_is_a_slip() {
        assert_eq!(
            refused(THREE, &["--topic", "u.pim"]),
            "the manifest declares no topic u.pim; did you mean \"u.pin\"?"
        );
    }

    #[test]
    fn compacted_topics_get_keys() {
        let keyed = |arguments: &[&str]| match chosen(THREE, arguments).unwrap() {
            Chosen::Generated { to, .. } => to.into_iter().map(|to| to.keyed).collect::<Vec<_>>(),
            Chosen::Rows { .. } => Vec::new(),
        };
        assert_eq!(keyed(&[]), [false, false, true]);
        assert_eq!(keyed(&["--key", "index"]), [true, true, true]);
        assert!(refused(THREE, &["--key", "age"]).contains("only their index as key; add --key index"));
        let refusal = refused(THREE, &["--file", "a.csv", "--topic", "u.user"]);
        assert!(refusal.contains("u.user is compacted") && refusal.contains("--key FIELD"), "{refusal}");
        chosen(THREE, &["--file", "a.csv", "--topic", "u.user", "--key", "ind"]).unwrap();
    }

    #[test]
    fn the_form_of_rows_is_told_by_name_or_flag() {
        let form = |arguments: &[&str]| match chosen(ONE, arguments).unwrap() {
            Chosen::Rows { form, input, topic, .. } => (form, input, topic),
            other => panic!("{other:?}"),
        };
        let file = |name: &str| Input::File(name.into());
        assert_eq!(form(&["--file", "a.jsonl"]), (Form::JsonLines, file("a.jsonl"), "orders".to_owned()));
        assert_eq!(form(&["--file", "a.csv", "--text"]).0, Form::Csv { text: true });
        assert_eq!(form(&["--file", "a.txt", "--input-format", "csv"]).0, Form::Csv { text: false });
        assert_eq!(form(&["--file", "-"]), (Form::JsonLines, Input::Stdin, "orders".to_owned()));
        assert!(refused(ONE, &["--file", "a.txt"]).contains("add --input-format jsonl or csv"));
        assert!(refused(THREE, &["--file", "a.csv"]).contains("--file needs --topic"));
        assert!(refused(ONE, &["--file", "a.csv", "--generate", "pin"]).contains("cannot be used with"));
    }
}
