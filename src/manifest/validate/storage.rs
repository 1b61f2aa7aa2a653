//! The bucket and the plugin's archive.

use std::path::Path;

use url::Url;

use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Bucket, Plugin, PluginSource, Target, raw};
use super::{Scene, names};

/// Where archives are put in the bucket, unless the manifest says otherwise.
const PREFIX: &str = "kafka-connect-s3/";
/// An S3 key has at most 1024 bytes; the rest is for the archive's own name.
const LONGEST_PREFIX: usize = 512;

pub(super) fn bucket(raw: &At<raw::Bucket>, scene: &Scene<'_>, findings: &mut Findings) -> Bucket {
    if let Err(problem) = names::bucket(&raw.name) {
        findings.problem(raw.name.at, problem);
    }
    let create = raw.create.as_ref().is_none_or(|create| create.value);
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html: the end of names in an account's
    // own namespace, in which this tool makes no buckets.
    if create && raw.name.ends_with("-an") {
        findings.problem(
            raw.name.at,
            format!(
                "\"{}\" can't be made: S3 keeps names that end with \"-an\" for account namespaces; \
                    choose another end",
                *raw.name
            ),
        );
    }
    if let Some(choice) = raw.on_destroy.as_ref().filter(|choice| !create && choice.value == "empty") {
        findings.problem(
            choice.at,
            "a bucket with create: false is never emptied or removed; remove on_destroy, or let the tool create it",
        );
    }
    let retain =
        raw.on_destroy.as_ref().map_or(scene.target != Some(Target::Sandbox), |choice| choice.value == "retain");
    Bucket { name: raw.name.value.clone(), create, retain: retain || !create }
}

pub(super) fn plugin(raw: &At<raw::Plugin>, scene: &Scene<'_>, findings: &mut Findings) -> Option<Plugin> {
    if let Err(problem) = names::connect("plugin", &raw.name, names::LONGEST_BEFORE_CONTENT) {
        findings.problem(raw.name.at, problem);
    }
    let prefix = match &raw.prefix {
        Some(prefix) => {
            if let Err(problem) = is_prefix(prefix) {
                findings.problem(prefix.at, problem);
            }
            ended_with_slash(prefix)
        }
        None => PREFIX.to_owned(),
    };
    let checksum = raw.sha256.as_ref().and_then(|sha256| checksum(sha256, findings));
    let source = match source(raw, checksum, scene) {
        Ok(source) => source,
        Err(problem) => {
            findings.problem(raw.source.at, problem);
            return None;
        }
    };
    if let (Some(sha256), false) = (&raw.sha256, matches!(source, PluginSource::Url { .. })) {
        findings.problem(sha256.key_at, "sha256 is for downloads; remove it, or give an https:// source");
    }
    let register = raw.register.as_ref().is_none_or(|register| register.value);
    Some(Plugin { name: raw.name.value.clone(), source, prefix, register })
}

fn ended_with_slash(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

fn is_prefix(prefix: &str) -> Result<(), String> {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if prefix.len() > LONGEST_PREFIX || prefix.chars().any(char::is_control) {
        return Err(format!(
            "a prefix has at most {LONGEST_PREFIX} bytes, and no control characters; shorten or clean it"
        ));
    }
    if !prefix.is_empty() && prefix.strip_suffix('/').unwrap_or(prefix).split('/').any(odd) {
        return Err(format!(
            "\"{prefix}\" would make keys that tools stumble over; \
                expected a prefix such as {PREFIX}, without empty parts, . and .."
        ));
    }
    Ok(())
}

fn checksum(sha256: &At<String>, findings: &mut Findings) -> Option<String> {
    if names::checksum(sha256).is_err() || sha256.len() != 64 {
        findings.problem(
            sha256.at,
            format!("\"{}\" is no SHA-256; expected 64 hexadecimal digits, as sha256sum prints", sha256.value),
        );
        // The source has one; it is not missing too.
        return Some(String::new());
    }
    Some(sha256.to_ascii_lowercase())
}

fn source(raw: &raw::Plugin, checksum: Option<String>, scene: &Scene<'_>) -> Result<PluginSource, String> {
    let text = raw.source.as_str();
    match text.split_once("://") {
        Some(("s3", location)) => object(text, location),
        Some(("https", _)) => download(text, checksum),
        Some(("http", _)) => Err(format!("\"{text}\" could be changed on its way; use https://")),
        Some((scheme, _)) => Err(format!("\"{scheme}://\" is no source; expected a path, https:// or s3://")),
        None => local(text, scene),
    }
}

fn object(text: &str, location: &str) -> Result<PluginSource, String> {
    let (bucket, key) = location.split_once('/').unwrap_or((location, ""));
    names::bucket(bucket)?;
    if !is_archive(Path::new(key)) {
        return Err(format!("\"{text}\" names no ZIP or JAR; expected s3://BUCKET/KEY.zip or s3://BUCKET/KEY.jar"));
    }
    Ok(PluginSource::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn download(text: &str, checksum: Option<String>) -> Result<PluginSource, String> {
    let url = Url::parse(text).map_err(|error| format!("\"{text}\" is no URL: {error}; correct it"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("\"{text}\" has no host; expected https://HOST/PATH"));
    }
    let sha256 =
        checksum.ok_or("a download must be pinned; add sha256: with the checksum that the archive must have")?;
    Ok(PluginSource::Url { url: text.to_owned(), sha256 })
}

fn local(text: &str, scene: &Scene<'_>) -> Result<PluginSource, String> {
    if text.is_empty() {
        return Err("source is empty; expected a path, https:// or s3://".to_owned());
    }
    let folder = scene.folder;
    let path = folder.join(text);
    match path.metadata() {
        // What was made of it is found by its name and tags.
        _ if scene.removal => Ok(PluginSource::File(path)),
        Ok(found) if found.is_dir() => Ok(PluginSource::Folder(path)),
        Ok(_) if is_archive(&path) => Ok(PluginSource::File(path)),
        Ok(_) => Err(format!("\"{text}\" is neither a folder nor a .zip or .jar; give one of these")),
        Err(error) => Err(format!(
            "\"{text}\" can't be read ({error}); a relative path starts at the manifest's folder, {}",
            if folder.as_os_str().is_empty() { Path::new(".").display() } else { folder.display() }
        )),
    }
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip") || end.eq_ignore_ascii_case("jar"))
}
