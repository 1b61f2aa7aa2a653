//! Whether an archive has the Java classes that a connector names, and whether its workers can load them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;
use zip::ZipArchive;
use zip::result::ZipError;

/// Classes that Kafka Connect brings along; plugins needn't have them.
const BROUGHT_ALONG: &str = "org.apache.kafka.";
/// What Kafka Connect lets users leave out of the simple names of classes.
const LEFT_OUT: [&str; 3] = ["", "Connector", "Converter"];
/// Class files of Java N have the version N + 44 (JVM specification, table 4.1-A).
const BEFORE_JAVA_1: u16 = 44;
const CLASS_FILE: [u8; 4] = [0xCA, 0xFE, 0xBA, 0xBE];

/// How many bytes one JAR may unpack to. The largest that are in use, bundles of AWS's SDK, have 600 MB.
const LARGEST_JAR: u64 = 1 << 30;
/// How many bytes all JARs together may unpack to. What has more is made to fill disks.
const LARGEST_ARCHIVE: u64 = 1 << 32;
/// A JAR up to this size is unpacked in memory.
const IN_MEMORY: usize = 32 << 20;

const MOST_SUGGESTIONS: usize = 3;
/// How alike two simple names must be for one to be suggested for the other.
const ALIKE: f64 = 0.85;

/// Why an archive does not do.
#[derive(Debug, thiserror::Error)]
pub enum ClassError {
    /// It can't be read.
    #[error("cannot read {}; check the plugin's source", .path.display())]
    Unreadable {
        /// Which archive.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It, or a JAR in it, is broken.
    #[error("{name} is not a whole ZIP or JAR; get the plugin's archive again")]
    Broken {
        /// The archive, or an entry of it.
        name: String,
        /// Why.
        source: ZipError,
    },
    /// It unpacks to more than a plugin can have.
    #[error(
        "{name} unpacks to more than {limit} bytes, which no connector plugin does; get the plugin's archive again"
    )]
    TooLarge {
        /// An entry of it.
        name: String,
        /// How many are allowed.
        limit: u64,
    },
    /// Classes are missing, or can't be loaded.
    #[error("{}", list(.0))]
    Unfit(Vec<Finding>),
}

/// What is wrong with one class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// It isn't there.
    #[error("the plugin's archive has no class {class}{}; correct the name, or use another archive", suggest(.nearest))]
    Missing {
        /// Its name.
        class: String,
        /// Classes with like names that are there.
        nearest: Vec<String>,
    },
    /// It is for a later Java.
    #[error(
        "{class} in the plugin's archive needs Java {java}, but the workers have Java {max_java}; use a later Kafka Connect version, or a plugin that was built for Java {max_java}"
    )]
    TooNew {
        /// Its name.
        class: String,
        /// The Java that it was compiled for.
        java: u16,
        /// The Java that it must run on.
        max_java: u16,
    },
    /// It isn't one.
    #[error("{class} in the plugin's archive is not a Java class file; get the archive again")]
    NotAClass {
        /// Its name.
        class: String,
    },
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn suggest(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; it has {}", nearest.join(", ")) }
}

/// Checks that a ZIP or JAR has the `wanted` classes, in itself or in its JARs, and that Java `max_java` (11, 17) can
/// load them. Classes that Kafka Connect brings along are not looked for. A name without a package is an alias, which
/// may stand for one of those: it is checked where it is found, and passed over where it isn't.
///
/// Reads files; blocks.
///
/// # Errors
/// Where the archive can't be read or unpacks to too much; [`ClassError::Unfit`] with everything that is wrong.
pub fn check_classes(archive: &Path, wanted: &[&str], max_java: u16) -> Result<(), ClassError> {
    let mut search = Search::new(wanted);
    if search.is_over() {
        return Ok(());
    }
    let file = File::open(archive).map_err(|source| ClassError::Unreadable { path: archive.to_owned(), source })?;
    let name = archive.display().to_string();
    let mut outer = open(BufReader::new(file), &name)?;
    if is_jar(&name) {
        search.look_into(&mut outer, &name, Place::Jar)?;
        return search.verdict(max_java);
    }
    search.look_into(&mut outer, &name, Place::Unpacked)?;
    let mut jars: Vec<String> = outer.file_names().filter(|name| is_jar(name)).map(str::to_owned).collect();
    jars.sort();
    let mut allowed = LARGEST_ARCHIVE;
    for name in jars {
        if search.is_over() {
            break;
        }
        let (jar, length) = unpack(&mut outer, &name, allowed.min(LARGEST_JAR))?;
        allowed -= length;
        search.look_into(&mut open(jar, &name)?, &name, Place::Jar)?;
    }
    search.verdict(max_java)
}

fn is_jar(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jar"))
}

fn open<R: Read + Seek>(reader: R, name: &str) -> Result<ZipArchive<R>, ClassError> {
    ZipArchive::new(reader).map_err(|source| ClassError::Broken { name: name.to_owned(), source })
}

/// An entry, unpacked, and how many bytes that gave. What the archive says of its size may be a lie.
fn unpack<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    limit: u64,
) -> Result<(SpooledTempFile, u64), ClassError> {
    let broken = |source| ClassError::Broken { name: name.to_owned(), source };
    let entry = archive.by_name(name).map_err(broken)?;
    let mut unpacked = SpooledTempFile::new(IN_MEMORY);
    let length = io::copy(&mut entry.take(limit + 1), &mut unpacked).map_err(|error| broken(error.into()))?;
    if length > limit {
        return Err(ClassError::TooLarge { name: name.to_owned(), limit });
    }
    unpacked.flush().and_then(|()| unpacked.rewind()).map_err(|error| broken(error.into()))?;
    Ok((unpacked, length))
}

/// Where classes are loaded from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A folder of any depth, once the archive is unpacked.
    Unpacked,
    /// A JAR, from its top.
    Jar,
}

struct Search<'a> {
    /// The first bytes of each wanted class's file, once it is found.
    wanted: BTreeMap<&'a str, Option<Vec<u8>>>,
    /// All classes that were seen, in case that one is missing.
    seen: Vec<String>,
}

impl<'a> Search<'a> {
    fn new(wanted: &[&'a str]) -> Self {
        let others = wanted.iter().filter(|name| !name.starts_with(BROUGHT_ALONG));
        Self { wanted: others.map(|name| (*name, None)).collect(), seen: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.wanted.values().all(Option::is_some)
    }

    /// Looks for what is still wanted in one archive, but not in the archives in it.
    fn look_into<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        name: &str,
        place: Place,
    ) -> Result<(), ClassError> {
        let entries: Vec<String> =
            archive.file_names().filter(|name| name.ends_with(".class")).map(str::to_owned).collect();
        for entry in entries {
            let class = entry.trim_end_matches(".class").replace('/', ".");
            for (_, start) in
                self.wanted.iter_mut().filter(|(wanted, start)| start.is_none() && is(&class, wanted, place))
            {
                let read = start_of(archive, &entry);
                *start = Some(read.map_err(|source| ClassError::Broken { name: name.to_owned(), source })?);
            }
            self.seen.push(class);
        }
        Ok(())
    }

    fn verdict(self, max_java: u16) -> Result<(), ClassError> {
        let judge = |(class, start): (&&str, &Option<Vec<u8>>)| match start {
            Some(start) => judge(class, start, max_java),
            None if class.contains('.') => {
                Some(Finding::Missing { class: (*class).to_owned(), nearest: nearest(class, &self.seen) })
            }
            None => None,
        };
        let findings: Vec<Finding> = self.wanted.iter().filter_map(judge).collect();
        if findings.is_empty() { Ok(()) } else { Err(ClassError::Unfit(findings)) }
    }
}

/// Whether the class of a file, found in that place, is the wanted one.
fn is(class: &str, wanted: &str, place: Place) -> bool {
    if !wanted.contains('.') {
        return LEFT_OUT.iter().any(|end| simple(class).strip_suffix(end) == Some(wanted));
    }
    match class.strip_suffix(wanted) {
        Some("") => true,
        Some(folder) => place == Place::Unpacked && folder.ends_with('.'),
        None => false,
    }
}

fn simple(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// The mark and the version of a class file.
fn start_of<R: Read + Seek>(archive: &mut ZipArchive<R>, entry: &str) -> Result<Vec<u8>, ZipError> {
    let mut start = Vec::new();
    archive.by_name(entry)?.take(8).read_to_end(&mut start)?;
    Ok(start)
}

fn judge(class: &str, start: &[u8], max_java: u16) -> Option<Finding> {
    let class = class.to_owned();
    let major = match start {
        [a, b, c, d, _, _, high, low] if [*a, *b, *c, *d] == CLASS_FILE => u16::from_be_bytes([*high, *low]),
        _ => return Some(Finding::NotAClass { class }),
    };
    let java = major.saturating_sub(BEFORE_JAVA_1);
    (java > max_java).then_some(Finding::TooNew { class, java, max_java })
}

/// The classes whose names are most like that of a missing one.
fn nearest(missing: &str, seen: &[String]) -> Vec<String> {
    let likeness = |class: &str| strsim::jaro_winkler(&simple(class).to_lowercase(), &simple(missing).to_lowercase());
    let mut alike: Vec<(f64, &String)> = seen
        .iter()
        .filter(|class| missing.contains('$') || !class.contains('$'))
        .map(|class| (likeness(class), class))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(one, first), (other, second)| other.total_cmp(one).then_with(|| first.cmp(second)));
    alike.dedup_by_key(|(_, class)| *class);
    alike.into_iter().take(MOST_SUGGESTIONS).map(|(_, class)| class.clone()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::Cursor;

    use tempfile::TempPath;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const SINK: &str = "io.confluent.connect.s3.S3SinkConnector";

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn class(java: u16) -> Vec<u8> {
        [&CLASS_FILE[..], &[0, 0], &(java + BEFORE_JAVA_1).to_be_bytes(), b"and so on"].concat()
    }

    fn file(bytes: &[u8]) -> TempPath {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file.into_temp_path()
    }

    fn sink_jar(java: u16) -> Vec<u8> {
        zip(&[
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0"),
            ("io/confluent/connect/s3/S3SinkConnector.class", &class(java)),
            ("io/confluent/connect/s3/S3SinkConnector$Inner.class", &class(java)),
            ("io/confluent/connect/s3/S3SinkTask.class", &class(java)),
        ])
    }

    fn findings(bytes: &[u8], wanted: &[&str], max_java: u16) -> Vec<Finding> {
        match check_classes(&file(bytes), wanted, max_java) {
            Ok(()) => Vec::new(),
            Err(ClassError::Unfit(findings)) => findings,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_class_is_found_in_a_jar_in_a_jar_within_a_zip_and_in_a_folder() {
        let jar = sink_jar(11);
        assert_eq!(findings(&jar, &[SINK], 11), []);
        let zipped = zip(&[("confluent-10.5/doc/README.md", b""), ("confluent-10.5/lib/s3.JAR", &jar)]);
        assert_eq!(findings(&zipped, &[SINK], 11), []);
        let folder = zip(&[("sink-1.0/io/confluent/connect/s3/S3SinkConnector.class", &class(8))]);
        assert_eq!(findings(&folder, &[SINK], 11), []);
    }

    #[test]
    fn a_jar_s_folders_are_packages() {
        let inside = zip(&[("old/io/confluent/connect/s3/S3SinkConnector.class", &class(8))]);
        assert_eq!(findings(&zip(&[("a.jar", &inside)]), &[SINK], 17).len(), 1);
    }

    #[test]
    fn a_missing_class_is_told_with_the_nearest_ones() {
        let found = findings(&zip(&[("lib/s3.jar", &sink_jar(11))]), &["io.confluent.connect.S3SinkConector"], 17);
        assert_eq!(found.len(), 1);
        let text = found[0].to_string();
        assert!(
            text.contains(
                "no class io.confluent.connect.S3SinkConector; it has io.confluent.connect.s3.S3SinkConnector"
            ),
            "{text}"
        );
        assert!(!text.contains("Inner"), "{text}");
    }

    #[test]
    fn a_class_for_a_later_java_is_told() {
        let expected = Finding::TooNew { class: SINK.to_owned(), java: 17, max_java: 11 };
        assert_eq!(findings(&sink_jar(17), &[SINK, SINK], 11), [expected]);
        assert_eq!(findings(&sink_jar(17), &[SINK], 17), []);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let jar = zip(&[("a/B.class", &class(21)), ("a/C.class", b"text")]);
        let found = findings(&jar, &["a.B", "a.C", "x.Y"], 17);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[1], Finding::NotAClass { class: "a.C".to_owned() });
    }

    #[test]
    fn kafka_connect_s_own_classes_and_unknown_aliases_pass() {
        let wanted = ["org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "S3Sink"];
        assert_eq!(findings(&sink_jar(11), &wanted, 11), []);
        assert_eq!(findings(&sink_jar(17), &wanted, 11).len(), 1, "an alias that is there is checked");
    }

    #[test]
    fn a_jar_that_unpacks_to_too_much_is_refused() {
        let bomb = zip(&[("a.jar", &vec![0; 3 << 20])]);
        assert!(bomb.len() < 1 << 16);
        let mut archive = open(Cursor::new(bomb), "bomb").unwrap();
        let error = unpack(&mut archive, "a.jar", 1 << 20).unwrap_err();
        assert!(matches!(error, ClassError::TooLarge { limit: 0x10_0000, .. }), "{error}");
        assert_eq!(unpack(&mut archive, "a.jar", 3 << 20).unwrap().1, 3 << 20);
    }

    #[test]
    fn broken_archives_are_told_by_name() {
        let error = check_classes(&file(&zip(&[("lib/s3.jar", b"no jar")])), &[SINK], 17).unwrap_err();
        assert!(matches!(&error, ClassError::Broken { name, .. } if name == "lib/s3.jar"), "{error}");
        let whole = sink_jar(11);
        let error = check_classes(&file(&whole[..whole.len() - 30]), &[SINK], 17).unwrap_err();
        assert!(matches!(error, ClassError::Broken { .. }), "{error}");
    }
}
