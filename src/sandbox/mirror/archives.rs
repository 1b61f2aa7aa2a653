//! What is in the archives. Nothing is compressed, so that the bytes depend on nothing but what is written here.

use std::io::{self, Cursor, Write};

use flate2::{Compression, GzBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

const BROKER_VERSIONS: &str = include_str!("kafka-broker-api-versions.sh");
const TOOL: &str = include_str!("kafka-tool.sh");
const REST_START: &str = include_str!("kafka-rest-start");

/// Kafka's own archive.
///
/// # Errors
/// None that memory has.
pub(super) fn kafka(scala: &str, version: &str) -> io::Result<Vec<u8>> {
    let top = format!("kafka_{scala}-{version}");
    let jar = format!("libs/kafka-clients-{version}.jar");
    let properties = format!("# A stand-in for Kafka {version}\n");
    packed(
        &top,
        &[
            ("bin/kafka-broker-api-versions.sh", 0o755, BROKER_VERSIONS),
            ("bin/kafka-console-consumer.sh", 0o755, TOOL),
            ("bin/kafka-console-producer.sh", 0o755, TOOL),
            ("bin/kafka-topics.sh", 0o755, TOOL),
            ("config/server.properties", 0o644, &properties),
            (&jar, 0o644, version),
        ],
    )
}

/// Confluent's community package.
///
/// # Errors
/// None that memory has.
pub(super) fn confluent(version: &str) -> io::Result<Vec<u8>> {
    let top = format!("confluent-{version}");
    let jar = format!("share/java/kafka-rest-lib/kafka-rest-{version}.jar");
    packed(
        &top,
        &[
            ("bin/kafka-rest-start", 0o755, REST_START),
            ("bin/kafka-rest-stop", 0o755, TOOL),
            ("etc/kafka-rest/kafka-rest.properties", 0o644, "#listeners=http://0.0.0.0:8082\n"),
            (&jar, 0o644, version),
        ],
    )
}

/// The MSK IAM jar, which has its dependencies in it.
///
/// # Errors
/// None that memory has.
pub(super) fn iam_jar(version: &str) -> io::Result<Vec<u8>> {
    let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    jar.start_file("META-INF/MANIFEST.MF", options)?;
    write!(
        jar,
        "Manifest-Version: 1.0\r\nImplementation-Title: aws-msk-iam-auth\r\nImplementation-Version: {version}\r\n\r\n"
    )?;
    Ok(jar.finish()?.into_inner())
}

/// Files, each with its mode, in a folder, as `tar -cz` packs them.
fn packed(top: &str, files: &[(&str, u32, &str)]) -> io::Result<Vec<u8>> {
    let mut tar = GzBuilder::new().mtime(0).write(Vec::new(), Compression::none());
    for (name, mode, text) in files {
        tar.write_all(&header(&format!("{top}/{name}"), *mode, text.len()))?;
        tar.write_all(text.as_bytes())?;
        tar.write_all(&vec![0; text.len().next_multiple_of(BLOCK) - text.len()])?;
    }
    tar.write_all(&[0; 2 * BLOCK])?;
    tar.finish()
}

const BLOCK: usize = 512;

/// The header of a file in POSIX's format (<https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>, ustar).
fn header(name: &str, mode: u32, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum counts as blanks in itself.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}
