//! A mirror of what a Kafka client installs: stand-ins for the archives of Kafka, of the MSK IAM jar and of Confluent's
//! community package, in any version, at the paths that their publishers have them at, with their checksums as these
//! publish them. They are small, and have what a set-up looks for; a name and a version always make the same bytes.
//!
//! - `dist/kafka/V/kafka_S-V.tgz`, from <https://archive.apache.org/dist/kafka/>; `.sha512`, as gpg prints it
//! - `software/amazon/msk/aws-msk-iam-auth/V/aws-msk-iam-auth-V-all.jar`, from <https://repo1.maven.org/maven2/>; `.sha1`,
//!   `.sha256` and `.sha512`, each the bare hex
//! - `archive/X.Y/confluent-community-X.Y.Z.tar.gz`, from <https://packages.confluent.io/archive/>, which has no checksums:
//!   the mirror has `.sha256` and `.sha512`, as sha256sum prints them

mod archives;

use s3s::crypto::{Checksum, Sha1};
use sha2::{Digest, Sha256, Sha512};

use super::call::{Refusal, Reply};

/// Something that is mirrored.
#[derive(Debug, PartialEq, Eq)]
enum Archive<'a> {
    Kafka { scala: &'a str, version: &'a str },
    IamJar { version: &'a str },
    Confluent { version: &'a str },
}

/// What is asked of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Sha1,
    Sha256,
    Sha512,
}

/// Answers a GET of a path.
///
/// # Errors
/// 404 for what the publisher hasn't got either.
pub(crate) fn answer(path: &str) -> Result<Reply, Refusal> {
    let not_found = || Refusal::new(404, "NotFound", format!("the mirror has no {path}"));
    let (path_of_archive, part) = part_of(path);
    let archive = Archive::at(path_of_archive).ok_or_else(not_found)?;
    let name = path_of_archive.rsplit('/').next().unwrap_or_default();
    let bytes = archive.bytes().map_err(|error| Refusal::new(500, "InternalFailure", error.to_string()))?;
    if part == Part::Whole {
        return Ok(reply("application/octet-stream", bytes));
    }
    let text = archive.sum(part, name, &bytes).ok_or_else(not_found)?;
    Ok(reply("text/plain", text.into_bytes()))
}

fn reply(kind: &str, body: Vec<u8>) -> Reply {
    Reply { status: 200, headers: vec![("content-type", kind.to_owned())], body: body.into() }
}

fn part_of(path: &str) -> (&str, Part) {
    let sums = [(".sha1", Part::Sha1), (".sha256", Part::Sha256), (".sha512", Part::Sha512)];
    let found = sums.into_iter().find_map(|(suffix, part)| Some((path.strip_suffix(suffix)?, part)));
    found.unwrap_or((path, Part::Whole))
}

impl<'a> Archive<'a> {
    fn at(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["dist", "kafka", version, file] => {
                let rest = file.strip_prefix("kafka_")?.strip_suffix(".tgz")?;
                let (scala, named) = rest.split_once('-')?;
                let is_scala = matches!(scala, "2.10" | "2.11" | "2.12" | "2.13");
                (is_scala && named == version && is_version(version)).then_some(Self::Kafka { scala, version })
            }
            ["software", "amazon", "msk", "aws-msk-iam-auth", version, file] => {
                let named = file.strip_prefix("aws-msk-iam-auth-")?.strip_suffix("-all.jar")?;
                (named == version && is_version(version)).then_some(Self::IamJar { version })
            }
            ["archive", line, file] => {
                let version = file.strip_prefix("confluent-community-")?.strip_suffix(".tar.gz")?;
                let (of, _) = version.rsplit_once('.')?;
                (of == line && is_version(version)).then_some(Self::Confluent { version })
            }
            _ => None,
        }
    }

    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Kafka { scala, version } => archives::kafka(scala, version),
            Self::IamJar { version } => archives::iam_jar(version),
            Self::Confluent { version } => archives::confluent(version),
        }
    }

    /// A checksum as the publisher writes it; `None` where it publishes none of that kind.
    fn sum(&self, part: Part, name: &str, bytes: &[u8]) -> Option<String> {
        let hex = match part {
            Part::Whole => return None,
            Part::Sha1 => hex::encode(Sha1::checksum(bytes)),
            Part::Sha256 => hex::encode(Sha256::digest(bytes)),
            Part::Sha512 => hex::encode(Sha512::digest(bytes)),
        };
        match (self, part) {
            (Self::Kafka { .. }, Part::Sha512) => Some(as_gpg(name, &hex)),
            (Self::IamJar { .. }, _) => Some(hex),
            (Self::Confluent { .. }, Part::Sha256 | Part::Sha512) => Some(format!("{hex}  {name}\n")),
            _ => None,
        }
    }
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || ".-".contains(each))
}

/// A checksum as `gpg --print-md SHA512` prints it, which is how Apache has them: groups of eight, four in a line.
fn as_gpg(name: &str, hex: &str) -> String {
    let digits: Vec<char> = hex.to_ascii_uppercase().chars().collect();
    let groups: Vec<String> = digits.chunks(8).map(|group| group.iter().collect()).collect();
    let lines: Vec<String> = groups.chunks(4).map(|line| line.join(" ")).collect();
    format!("{name}: {}\n", lines.join(&format!("\n{}", " ".repeat(name.len() + 2))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::Read;

    use super::{Archive, Part, answer, as_gpg, part_of};

    const JAR: &str = "software/amazon/msk/aws-msk-iam-auth/2.3.0/aws-msk-iam-auth-2.3.0-all.jar";

    fn text(path: &str) -> String {
        String::from_utf8(answer(path).unwrap().body.to_vec()).unwrap()
    }

    #[test]
    fn paths_are_the_publishers_and_must_agree_with_themselves() {
        let kafka = Archive::Kafka { scala: "2.13", version: "3.7.2" };
        assert_eq!(Archive::at("dist/kafka/3.7.2/kafka_2.13-3.7.2.tgz"), Some(kafka));
        assert_eq!(Archive::at(JAR), Some(Archive::IamJar { version: "2.3.0" }));
        let confluent = Archive::Confluent { version: "7.6.1" };
        assert_eq!(Archive::at("archive/7.6/confluent-community-7.6.1.tar.gz"), Some(confluent));
        for wrong in [
            "dist/kafka/3.7.1/kafka_2.13-3.7.2.tgz",
            "dist/kafka/3.7.2/kafka_2.9-3.7.2.tgz",
            "archive/7.7/confluent-community-7.6.1.tar.gz",
            "archive/7.6/confluent-7.6.1.tar.gz",
            "dist/kafka/../kafka_2.13-...tgz",
            "",
        ] {
            assert_eq!(Archive::at(wrong), None, "{wrong}");
            assert_eq!(answer(wrong).unwrap_err().status, 404);
        }
        assert_eq!(part_of("a.tgz.sha512"), ("a.tgz", Part::Sha512));
    }

    #[test]
    fn checksums_are_those_of_the_bytes_in_the_form_of_each_publisher() {
        let (jar, again) = (answer(JAR).unwrap().body, answer(JAR).unwrap().body);
        assert_eq!(jar, again);
        assert_eq!(text(&format!("{JAR}.sha1")).len(), 40);
        let kafka = "dist/kafka/3.7.2/kafka_2.13-3.7.2.tgz";
        assert!(text(&format!("{kafka}.sha512")).starts_with("kafka_2.13-3.7.2.tgz: "));
        assert_eq!(answer(&format!("{kafka}.sha256")).unwrap_err().status, 404, "Apache has none");
        let confluent = text("archive/7.6/confluent-community-7.6.1.tar.gz.sha256");
        assert!(confluent.ends_with("  confluent-community-7.6.1.tar.gz\n"), "{confluent}");
        let gpg = as_gpg("a", &"0a".repeat(64));
        assert_eq!(gpg.lines().count(), 4);
        assert_eq!(gpg.lines().nth(1), Some("   0A0A0A0A 0A0A0A0A 0A0A0A0A 0A0A0A0A"));
    }

    #[test]
    fn archives_are_what_tar_and_zip_read() {
        let kafka = answer("dist/kafka/3.7.2/kafka_2.13-3.7.2.tgz").unwrap().body;
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&kafka[..]).read_to_end(&mut tar).unwrap();
        let names: Vec<&[u8]> =
            tar.chunks(512).filter(|block| &block[257..262] == b"ustar").map(|it| &it[..29]).collect();
        assert!(names.iter().any(|name| name.starts_with(b"kafka_2.13-3.7.2/bin/kafka-to")), "{names:?}");
        let jar = answer(JAR).unwrap().body;
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&jar[..])).unwrap();
        assert!(zip.by_name("META-INF/MANIFEST.MF").is_ok());
    }
}
