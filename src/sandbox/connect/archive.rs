//! What is in a plugin's file: the names of its Java classes.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};

use zip::ZipArchive;

/// A JAR in a ZIP that unpacks to more than this isn't looked into: no connector is that large, but a bomb is.
const LARGEST_JAR: u64 = 512 * 1024 * 1024;

/// The names of all top-level classes in a JAR, or in a ZIP and the JARs within it.
///
/// # Errors
/// Why the bytes aren't such an archive.
pub(super) fn classes(file: &[u8]) -> Result<BTreeSet<String>, String> {
    let mut archive = open(Cursor::new(file))?;
    let mut classes = class_names(&archive);
    for index in 0..archive.len() {
        let Ok(entry) = archive.by_index(index) else { continue };
        if !entry.name().ends_with(".jar") || entry.size() > LARGEST_JAR {
            continue;
        }
        let mut jar = Vec::new();
        entry.take(LARGEST_JAR).read_to_end(&mut jar).map_err(|error| error.to_string())?;
        // A JAR that isn't one harms nothing until a class of it is wanted, which is then not found.
        if let Ok(jar) = open(Cursor::new(jar)) {
            classes.extend(class_names(&jar));
        }
    }
    Ok(classes)
}

fn open<R: Read + Seek>(reader: R) -> Result<ZipArchive<R>, String> {
    ZipArchive::new(reader).map_err(|error| error.to_string())
}

fn class_names<R: Read + Seek>(archive: &ZipArchive<R>) -> BTreeSet<String> {
    archive
        .file_names()
        .filter_map(|name| name.strip_suffix(".class"))
        // A class within a class can't be configured by name, and there are many.
        .filter(|name| !name.contains('$') && !name.starts_with("META-INF/"))
        .map(|name| name.replace('/', "."))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::classes;
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn classes_are_found_in_jars_and_in_jars_within_zips() {
        let jar =
            archive(&[("io/x/Sink.class", b""), ("io/x/Sink$Task.class", b""), ("META-INF/versions/9/Y.class", b"")]);
        let found: Vec<String> = classes(&jar).unwrap().into_iter().collect();
        assert_eq!(found, ["io.x.Sink"]);
        let zip = archive(&[("plugin/lib/a.jar", &jar), ("plugin/lib/broken.jar", b"no"), ("plugin/README", b"")]);
        assert!(classes(&zip).unwrap().contains("io.x.Sink"));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(classes(b"hello").is_err());
        assert!(classes(b"").is_err());
    }
}
