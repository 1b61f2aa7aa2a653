//! The plugin's archive in S3, under a key that tells its contents. [`Object`] is one that the tool uploads;
//! [`ExistingObject`] one that is there already.
//!
//! Objects say whose they are in their metadata, which are written with the bytes, in one step.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::try_join_all;

use super::Shared;
use super::content_name::{ContentName, Version, sort_out};
use crate::archive::{Archive, ArchiveError, Format, Source};
use crate::aws::found;
use crate::engine::{
    Address, Change, Field, FieldChange, Fields, Observed, OnChange, Output, Outputs, Progress, Removal, Resource,
    Result, State,
};
use crate::manifest::{self, PluginSource};

mod existing;
mod head;
mod upload;

pub(crate) use existing::ExistingObject;

use head::{Head, head};
use upload::Upload;

const MIB: u64 = 1 << 20;

/// The archive of a plugin, with its identity found out; `None` for one that is in S3 already.
///
/// # Errors
/// As [`Archive::prepare`].
pub(crate) async fn prepare(source: &PluginSource) -> std::result::Result<Option<Arc<Archive>>, ArchiveError> {
    let source = match source.clone() {
        PluginSource::File(path) => Source::File(path),
        PluginSource::Folder(path) => Source::Folder(path),
        PluginSource::Url { url, sha256 } => Source::Url { url, sha256 },
        PluginSource::S3 { .. } => return Ok(None),
    };
    Archive::prepare(source).await.map(Arc::new).map(Some)
}

/// What a source is, by its name alone.
pub(super) fn format_of(source: &PluginSource) -> Format {
    match source {
        PluginSource::File(path) => Format::of_name(&path.to_string_lossy()),
        PluginSource::Folder(_) => Format::Zip,
        PluginSource::Url { url, .. } => Format::of_name(url.split(['?', '#']).next().unwrap_or_default()),
        PluginSource::S3 { key, .. } => Format::of_name(key),
    }
}

/// An archive that the tool uploads.
#[derive(Debug)]
pub(crate) struct Object {
    context: Shared,
    address: Address,
    /// The bucket's resource.
    needs: [Address; 1],
    bucket: String,
    prefix: String,
    name: ContentName,
    format: Format,
    archive: Option<Arc<Archive>>,
}

impl Object {
    /// The object of a plugin in the bucket of that address and name. Without its `archive`, as a destroy may be, all
    /// that was ever uploaded are leftovers.
    pub(crate) fn new(
        context: Shared,
        plugin: &manifest::Plugin,
        bucket: (Address, String),
        archive: Option<Arc<Archive>>,
    ) -> Self {
        let (needed, bucket) = bucket;
        Self {
            context,
            address: Address::new("object", &plugin.name),
            needs: [needed],
            bucket,
            prefix: plugin.prefix.clone(),
            name: ContentName::new(&plugin.name, archive.as_ref().map(|archive| archive.sha256())),
            format: format_of(&plugin.source),
            archive,
        }
    }

    /// The key that the contents give it.
    fn key(&self) -> Option<String> {
        self.name.current().map(|name| format!("{}{name}.{}", self.prefix, self.format.extension()))
    }

    /// Whether one of this object's versions has that key.
    fn is_version(&self, key: &str) -> bool {
        let name = key.strip_prefix(&self.prefix).and_then(|name| name.rsplit_once('.'));
        name.is_some_and(|(name, extension)| {
            [Format::Zip, Format::Jar].iter().any(|format| format.extension() == extension)
                && self.name.digits_of(name).is_some()
        })
    }

    /// The keys of all versions that are there, whoever's they are.
    async fn list(&self) -> Result<Vec<String>> {
        let s3 = &self.context.clients.s3;
        let prefix = format!("{}{}", self.prefix, self.name.prefix());
        let pages = s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator();
        let pages = found(pages.send().collect::<std::result::Result<Vec<_>, _>>().await)?.unwrap_or_default();
        let keys = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default()).filter_map(|object| object.key);
        Ok(keys.filter(|key| self.is_version(key)).collect())
    }

    async fn version(&self, key: String) -> Result<Option<Version>> {
        let head = head(&self.context.clients.s3, &self.bucket, &key).await?;
        Ok(head.map(|head| {
            let owner = self.context.tags.owner(head.tags().iter().map(|(key, value)| (key.as_str(), value.as_str())));
            Version { owner, state: self.state(&key, &head), name: key }
        }))
    }

    fn state(&self, key: &str, head: &Head) -> State {
        let sha256 = head.sha256().unwrap_or_default();
        let mut fields = Fields::new().with("key", key).with("sha256", sha256);
        if self.length().is_some() {
            fields.set("bytes", Field::Known(head.length.into()));
        }
        let output = Output::new()
            .with("bucket", self.bucket.as_str())
            .with("key", key)
            .with("sha256", sha256)
            .with("etag", head.etag.as_str());
        State { fields, output, label: Some(key.to_owned()) }
    }

    fn length(&self) -> Option<u64> {
        self.archive.as_ref().and_then(|archive| archive.length())
    }

    async fn upload(&self, progress: &Progress) -> Result<State> {
        let (Some(archive), Some(key)) = (&self.archive, self.key()) else {
            return Err("the archive is not on this machine; check the plugin's source".into());
        };
        let path = archive.path(&tell_download(progress)).await?;
        let s3 = &self.context.clients.s3;
        let metadata = head::metadata(&self.context.tags, archive.sha256());
        let upload = Upload { s3, bucket: &self.bucket, key: &key, metadata, archive, path };
        upload.send(progress).await?;
        let uploaded = head(s3, &self.bucket, &key).await?;
        uploaded
            .map(|head| self.state(&key, &head))
            .ok_or_else(|| "S3 took it, but it is not there; apply again".into())
    }
}

/// Tells `progress` of each whole MiB that has come; there are far more chunks.
fn tell_download(progress: &Progress) -> impl Fn(u64, Option<u64>) + Send + Sync {
    let told = AtomicU64::new(0);
    move |bytes, total| {
        let come = bytes / MIB;
        if told.swap(come, Ordering::Relaxed) != come {
            let of = total.map(|total| format!(" of {}", total.div_ceil(MIB))).unwrap_or_default();
            progress.note(format!("{come}{of} MiB downloaded"));
        }
    }
}

#[async_trait]
impl Resource for Object {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &self.needs
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let sha256 = self.archive.as_ref().map(|archive| archive.sha256());
        let mut fields = Fields::new().with_output("key", self.key().as_deref()).with_output("sha256", sha256);
        if let Some(length) = self.length() {
            fields.set("bytes", Field::Known(length.into()));
        }
        fields
    }

    fn on_change(&self, _: &FieldChange) -> OnChange {
        OnChange::Update
    }

    async fn read(&self, known: &Outputs) -> Result<Observed> {
        if known.of(&self.needs[0]).is_none() {
            return Ok(Observed::absent());
        }
        let keys = self.list().await?;
        let versions = try_join_all(keys.into_iter().map(|key| self.version(key))).await?;
        Ok(sort_out(versions.into_iter().flatten().collect(), self.key().as_deref()))
    }

    async fn create(&self, _: &Outputs, progress: &Progress) -> Result<State> {
        self.upload(progress).await
    }

    /// Puts right what somebody put in its place with our metadata.
    async fn update(&self, _: &Change, _: &Outputs, progress: &Progress) -> Result<State> {
        self.upload(progress).await
    }

    async fn delete(&self, state: &State, _: &Progress) -> Result<Removal> {
        let key = state.output.require("key")?;
        found(self.context.clients.s3.delete_object().bucket(&self.bucket).key(key).send().await)?;
        Ok(Removal::Gone)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_source_s_name_tells_what_it_is() {
        let url = |url: &str| PluginSource::Url { url: url.to_owned(), sha256: String::new() };
        assert_eq!(format_of(&url("https://example.com/sink.jar?version=sink.zip")), Format::Jar);
        assert_eq!(format_of(&url("https://example.com/sink.zip#sink.jar")), Format::Zip);
        assert_eq!(format_of(&PluginSource::Folder("sink.jar".into())), Format::Zip);
        assert_eq!(format_of(&PluginSource::S3 { bucket: "b".to_owned(), key: "x/SINK.JAR".to_owned() }), Format::Jar);
    }

    #[test]
    fn a_download_is_told_once_for_each_mib() {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&notes);
        let progress = Progress::new(move |note| sink.lock().unwrap().push(note));
        let tell = tell_download(&progress);
        for bytes in [1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7, 3 * MIB + 8] {
            tell(bytes, Some(3 * MIB + 8));
        }
        assert_eq!(*notes.lock().unwrap(), ["1 of 4 MiB downloaded", "3 of 4 MiB downloaded"]);
    }
}
