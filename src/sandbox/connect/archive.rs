//! What is in a plugin's file: its Java classes, and for which Java each is.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};

use zip::ZipArchive;

/// A JAR in a ZIP that unpacks to more than this isn't looked into: no connector is that large, but a bomb is.
const LARGEST_JAR: u64 = 512 * 1024 * 1024;

/// Classes by name, each with the major version of its class file; 0 where that can't be read.
pub(super) type Classes = BTreeMap<String, u16>;

/// All top-level classes in a JAR, or in a ZIP and the JARs within it.
///
/// # Errors
/// Why the bytes aren't such an archive.
pub(super) fn classes(file: &[u8]) -> Result<Classes, String> {
    let mut archive = open(Cursor::new(file))?;
    let mut classes = own_classes(&mut archive);
    for index in 0..archive.len() {
        let Ok(entry) = archive.by_index(index) else { continue };
        if !entry.name().ends_with(".jar") || entry.size() > LARGEST_JAR {
            continue;
        }
        let mut jar = Vec::new();
        entry.take(LARGEST_JAR).read_to_end(&mut jar).map_err(|error| error.to_string())?;
        // A JAR that isn't one harms nothing until a class of it is wanted, which is then not found.
        if let Ok(mut jar) = open(Cursor::new(jar)) {
            classes.extend(own_classes(&mut jar));
        }
    }
    Ok(classes)
}

fn open<R: Read + Seek>(reader: R) -> Result<ZipArchive<R>, String> {
    ZipArchive::new(reader).map_err(|error| error.to_string())
}

fn own_classes<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Classes {
    let class_name = |file: &str| {
        // A class within a class can't be configured by name, and there are many.
        let name = file.strip_suffix(".class").filter(|name| !name.contains('$') && !name.starts_with("META-INF/"))?;
        Some(name.replace('/', "."))
    };
    let named: Vec<(usize, String)> =
        (0..archive.len()).filter_map(|index| Some((index, class_name(archive.name_for_index(index)?)?))).collect();
    named.into_iter().map(|(index, name)| (name, version(archive, index).unwrap_or(0))).collect()
}

/// The major version of a class file, which follows its magic number and its minor version.
fn version<R: Read + Seek>(archive: &mut ZipArchive<R>, index: usize) -> Option<u16> {
    let mut start = [0; 8];
    archive.by_index(index).ok()?.read_exact(&mut start).ok()?;
    let [0xCA, 0xFE, 0xBA, 0xBE, _, _, high, low] = start else { return None };
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Classes, classes};
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const JAVA_17: &[u8] = &[0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 61, 0];

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
        let jar = archive(&[
            ("io/x/Sink.class", JAVA_17),
            ("io/x/Sink$Task.class", JAVA_17),
            ("io/x/Broken.class", b"no class"),
            ("META-INF/versions/9/Y.class", JAVA_17),
        ]);
        let expected = Classes::from([("io.x.Sink".to_owned(), 61), ("io.x.Broken".to_owned(), 0)]);
        assert_eq!(classes(&jar).unwrap(), expected);
        let zip = archive(&[("plugin/lib/a.jar", &jar), ("plugin/lib/broken.jar", b"no"), ("plugin/README", b"")]);
        assert_eq!(classes(&zip).unwrap(), expected);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(classes(b"hello").is_err());
        assert!(classes(b"").is_err());
    }
}
