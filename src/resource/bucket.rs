//! The bucket that the connector writes to, and that plugin archives are kept in.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier, Tag};
use futures::{StreamExt, TryStreamExt, stream};

use super::Shared;
use crate::aws::wait::{Look, wait_until};
use crate::aws::{Failure, found, sent};
use crate::engine::{
    Address, Change, FieldChange, Fields, Observed, OnChange, OnDestroy, Output, Outputs, Owner, Progress, Removal,
    Resource, Result, State,
};
use crate::manifest;

/// How long a new bucket may take to be seen.
const BUCKET_TIMEOUT: Duration = Duration::from_secs(120);
/// How many DeleteObjects calls, of up to a thousand keys each, are under way at once.
const DELETES_AT_ONCE: usize = 8;
/// The region in which CreateBucket must name no location.
const HOME: &str = "us-east-1";

/// A declared bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    context: Shared,
    declared: manifest::Bucket,
    address: Address,
}

/// The address of a bucket.
pub(crate) fn address(name: &str) -> Address {
    Address::new("bucket", name)
}

impl Bucket {
    pub(crate) fn new(context: Shared, declared: &manifest::Bucket) -> Self {
        Self { address: address(&declared.name), context, declared: declared.clone() }
    }

    fn s3(&self) -> &aws_sdk_s3::Client {
        &self.context.clients.s3
    }

    /// The region that a bucket of our name is in, where there is one.
    async fn region(&self) -> Result<Option<String>> {
        let answer = self.s3().head_bucket().bucket(&self.declared.name).send().await;
        // A bucket of another region answers with a redirect that names it.
        if let Err(error) = &answer
            && let Some(region) = error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region"))
            && region != self.context.clients.region
        {
            return Ok(Some(region.to_owned()));
        }
        match found(answer) {
            Ok(Some(bucket)) => Ok(Some(bucket.bucket_region.unwrap_or_else(|| self.context.clients.region.clone()))),
            Ok(None) => Ok(None),
            Err(failure) if failure.is_denied() => Err(format!(
                "a bucket named {} exists and this caller may not look at it ({failure}): bucket names are shared by \
                 all of AWS; if it is somebody else's, choose another name",
                self.declared.name
            )
            .into()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Whose it is. One in another region can't be used, nor asked for its tags.
    async fn owner(&self, region: &str) -> Result<Owner> {
        let wanted = &self.context.clients.region;
        if region != wanted {
            return Ok(Owner::Foreign(format!(
                "the bucket is in {region}, and the pipeline in {wanted}: the S3 sink needs both in one region; set \
                 `region: {region}`"
            )));
        }
        if !self.declared.create {
            return Ok(Owner::Ours);
        }
        let answer = found(self.s3().get_bucket_tagging().bucket(&self.declared.name).send().await)?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(self.context.tags.owner(tags.iter().map(|tag| (tag.key(), tag.value()))))
    }

    fn state(&self, region: &str) -> State {
        let name = &self.declared.name;
        let arn = format!("arn:{}:s3:::{name}", self.context.clients.partition);
        State {
            fields: Fields::new().with("region", region),
            output: Output::new().with("name", name.as_str()).with("arn", arn),
            label: (self.declared.create && self.declared.retain).then(|| "only if it is empty".to_owned()),
        }
    }

    fn configuration(&self) -> Result<CreateBucketConfiguration> {
        let tags: std::result::Result<Vec<Tag>, _> = self
            .context
            .tags
            .for_creation()
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        let region = self.context.clients.region.as_str();
        let location = (region != HOME).then(|| BucketLocationConstraint::from(region));
        Ok(CreateBucketConfiguration::builder().set_location_constraint(location).set_tags(Some(tags?)).build())
    }

    async fn send_create(&self, progress: &Progress) -> Result<()> {
        let configuration = self.configuration()?;
        let send = || async {
            let call = self.s3().create_bucket().bucket(&self.declared.name);
            Ok(sent(call.create_bucket_configuration(configuration.clone()).send().await))
        };
        // S3 does not take a name again while it is still removing the bucket that had it.
        let judge = |answer: &std::result::Result<_, Failure>| match answer {
            Err(failure) if failure.is("OperationAborted") => Look::Pending("its name is not free yet".to_owned()),
            _ => Look::Settled,
        };
        match wait_until(BUCKET_TIMEOUT, |state| progress.note(state), send, judge).await? {
            Ok(_) => Ok(()),
            // A call whose answer was lost is made again, and then meets its own work.
            Err(failure) if failure.is("BucketAlreadyOwnedByYou") => {
                match self.owner(&self.context.clients.region).await? {
                    Owner::Foreign(why) => {
                        Err(format!("a bucket of that name was made just now, and {why}; plan again").into())
                    }
                    Owner::Ours | Owner::Untaggable => Ok(()),
                }
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Deletes every object, version and delete marker; tells how many went.
    async fn empty(&self, progress: &Progress) -> Result<()> {
        let mut gone = 0;
        loop {
            let batches = self.next_batches().await?;
            if batches.is_empty() {
                return Ok(());
            }
            let deleted: Vec<usize> = stream::iter(batches)
                .map(|batch| self.delete_batch(batch))
                .buffer_unordered(DELETES_AT_ONCE)
                .try_collect()
                .await?;
            gone += deleted.iter().sum::<usize>();
            progress.note(format!("{gone} objects deleted"));
        }
    }

    /// Up to [`DELETES_AT_ONCE`] batches of what is to go next.
    async fn next_batches(&self) -> Result<Vec<Vec<ObjectIdentifier>>> {
        let mut pages = self.s3().list_objects_v2().bucket(&self.declared.name).into_paginator().send();
        let mut batches = Vec::new();
        while batches.len() < DELETES_AT_ONCE
            && let Some(page) = pages.next().await
        {
            let Some(page) = found(page)? else { break };
            let keys: std::result::Result<Vec<_>, _> = page
                .contents()
                .iter()
                .filter_map(|object| object.key())
                .map(|key| ObjectIdentifier::builder().key(key).build())
                .collect();
            batches.extend(Some(keys?).filter(|keys| !keys.is_empty()));
        }
        Ok(batches)
    }

    /// The versions and delete markers that deleting objects leaves in a versioned bucket.
    async fn old_versions(&self) -> Result<Vec<ObjectIdentifier>> {
        let page = sent(self.s3().list_object_versions().bucket(&self.declared.name).send().await)?;
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let ids: std::result::Result<Vec<_>, _> = versions
            .chain(markers)
            .map(|(key, id)| {
                ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(id.map(str::to_owned)).build()
            })
            .collect();
        Ok(ids?)
    }

    async fn delete_batch(&self, batch: Vec<ObjectIdentifier>) -> Result<usize> {
        let count = batch.len();
        let delete = Delete::builder().set_objects(Some(batch)).quiet(true).build()?;
        let answer = sent(self.s3().delete_objects().bucket(&self.declared.name).delete(delete).send().await)?;
        match answer.errors().first() {
            None => Ok(count),
            Some(error) => Err(format!(
                "object {} could not be deleted: {}",
                error.key().unwrap_or_default(),
                error.message().or(error.code()).unwrap_or_default()
            )
            .into()),
        }
    }

    async fn send_delete(&self) -> std::result::Result<(), Failure> {
        found(self.s3().delete_bucket().bucket(&self.declared.name).send().await).map(drop)
    }

    /// How many objects there are: exact up to a page, "more than 1000" beyond.
    async fn count(&self) -> Result<String> {
        let page = sent(self.s3().list_objects_v2().bucket(&self.declared.name).send().await)?;
        let count = page.contents().len();
        Ok(match (page.is_truncated(), count) {
            (Some(true), _) => format!("more than {count} objects"),
            (_, 0) => "old versions of objects".to_owned(),
            (_, 1) => "1 object".to_owned(),
            _ => format!("{count} objects"),
        })
    }
}

#[async_trait]
impl Resource for Bucket {
    fn address(&self) -> &Address {
        &self.address
    }

    fn needs(&self) -> &[Address] {
        &[]
    }

    fn desired(&self, _known: &Outputs) -> Fields {
        Fields::new().with("region", self.context.clients.region.as_str())
    }

    fn on_change(&self, _change: &FieldChange) -> OnChange {
        OnChange::Refuse("a bucket stays in its region; use another bucket name".to_owned())
    }

    fn on_destroy(&self, _state: &State) -> OnDestroy {
        if self.declared.create { OnDestroy::Delete } else { OnDestroy::Ignore }
    }

    fn must_exist(&self) -> Option<String> {
        (!self.declared.create)
            .then(|| "there is no such bucket; make it, correct its name, or set `bucket.create: true`".to_owned())
    }

    async fn read(&self, _known: &Outputs) -> Result<Observed> {
        let Some(region) = self.region().await? else { return Ok(Observed::absent()) };
        let owner = self.owner(&region).await?;
        Ok(Observed::present(self.state(&region), owner))
    }

    async fn create(&self, _known: &Outputs, progress: &Progress) -> Result<State> {
        self.send_create(progress).await?;
        let region = wait_until(
            BUCKET_TIMEOUT,
            |state| progress.note(state),
            || self.region(),
            |seen| if seen.is_some() { Look::Settled } else { Look::Pending("not yet to be seen".to_owned()) },
        )
        .await?;
        Ok(self.state(&region.unwrap_or_default()))
    }

    async fn update(&self, change: &Change, _known: &Outputs, _progress: &Progress) -> Result<State> {
        Ok(change.current.clone())
    }

    async fn delete(&self, _state: &State, progress: &Progress) -> Result<Removal> {
        if !self.declared.retain {
            self.empty(progress).await?;
        }
        match self.send_delete().await {
            Ok(()) => return Ok(Removal::Gone),
            Err(failure) if !failure.is("BucketNotEmpty") => return Err(failure.into()),
            Err(_) if self.declared.retain => {
                let what = self.count().await?;
                return Ok(Removal::Kept(format!("it has {what} (on_destroy: retain); --empty-bucket deletes them")));
            }
            Err(_) => {}
        }
        loop {
            let versions = self.old_versions().await?;
            if versions.is_empty() {
                break;
            }
            self.delete_batch(versions).await?;
        }
        self.send_delete().await?;
        Ok(Removal::Gone)
    }
}
