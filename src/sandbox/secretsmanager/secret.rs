//! A secret: its record, its names, and how its versions follow each other.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusals::{exists, marked_for_deletion, not_found};
use super::version::{CURRENT, Content, PREVIOUS, Version};
use crate::sandbox::call::Refusal;
use crate::sandbox::rest_json::Tags;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{ACCOUNT, Millis, now};

/// Secrets by their region and name. The status counts its records.
pub(super) const TABLE: &str = "secretsmanager/secrets";

/// How many versions without labels are kept
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>).
const MOST_VERSIONS: usize = 100;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// A secret. It has no `Debug`, for it holds values.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) created: Millis,
    pub(super) changed: Millis,
    /// The day on which a value of it was last read.
    pub(super) accessed: Option<Millis>,
    pub(super) description: Option<String>,
    /// The key that a caller named for it. None: the one that Secrets Manager has by default.
    pub(super) kms_key: Option<String>,
    pub(super) tags: Tags,
    /// In the order in which they were made.
    pub(super) versions: Vec<Version>,
    /// When it is gone, once it was marked for deletion.
    pub(super) deletion: Option<Millis>,
}

/// The record's key: all of a region begin alike.
fn key(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

/// The ARN of a secret without the characters that make it unique.
pub(super) fn partial_arn(region: &str, name: &str) -> String {
    format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}")
}

/// A new ARN. What follows the name tells it from an earlier secret of that name.
pub(super) fn new_arn(region: &str, name: &str) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let id = Uuid::new_v4();
    let suffix: String = id.as_bytes()[..6].iter().map(|byte| char::from(LETTERS[usize::from(byte % 62)])).collect();
    format!("{}-{suffix}", partial_arn(region, name))
}

impl Secret {
    /// A secret that holds nothing yet.
    pub(super) fn new(region: &str, name: &str) -> Self {
        let now = now();
        Self {
            arn: new_arn(region, name),
            name: name.to_owned(),
            region: region.to_owned(),
            created: now,
            changed: now,
            accessed: None,
            description: None,
            kms_key: None,
            tags: Tags::new(),
            versions: Vec::new(),
            deletion: None,
        }
    }

    /// The secret that an id names: a name, an ARN, or an ARN without its last hyphen and what follows that.
    pub(super) fn lookup(transaction: &Transaction<'_>, region: &str, id: &str) -> Option<Self> {
        let Some(rest) = id.strip_prefix("arn:") else { return Self::named(transaction, region, id) };
        let name = format!("arn:{rest}").strip_prefix(&partial_arn(region, ""))?.to_owned();
        let complete = name.len().checked_sub(7).and_then(|end| name.get(..end));
        let complete = complete.and_then(|name| Self::named(transaction, region, name));
        complete.filter(|secret| secret.arn == id).or_else(|| Self::named(transaction, region, &name))
    }

    fn named(transaction: &Transaction<'_>, region: &str, name: &str) -> Option<Self> {
        transaction.get::<Self>(TABLE, &key(region, name)).filter(Self::is_there)
    }

    /// The secret that an id names, those too that are marked for deletion.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(super) fn find(transaction: &Transaction<'_>, region: &str, id: &str) -> Result<Self, Refusal> {
        Self::lookup(transaction, region, id).ok_or_else(not_found)
    }

    /// The secret that an id names, to be used or changed.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, and `InvalidRequestException` where it is marked for deletion.
    pub(super) fn usable(transaction: &Transaction<'_>, region: &str, id: &str) -> Result<Self, Refusal> {
        let secret = Self::find(transaction, region, id)?;
        if secret.deletion.is_some() { Err(marked_for_deletion()) } else { Ok(secret) }
    }

    /// All secrets of a region, by name.
    pub(super) fn all(transaction: &Transaction<'_>, region: &str) -> Vec<Self> {
        let records = transaction.scan::<Self>(TABLE, &key(region, ""), "");
        records.map(|(_, secret)| secret).filter(Self::is_there).collect()
    }

    fn is_there(&self) -> bool {
        self.deletion.is_none_or(|gone| gone > now())
    }

    /// Keeps the record.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(super) fn put(&self, transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        Ok(transaction.put(TABLE, &key(&self.region, &self.name), self)?)
    }

    /// Removes the record.
    pub(super) fn remove(&self, transaction: &mut Transaction<'_>) {
        transaction.delete(TABLE, &key(&self.region, &self.name));
    }

    /// Whether it is encrypted with a key of the customer's.
    pub(super) fn has_own_key(&self) -> bool {
        self.kms_key.as_ref().is_some_and(|key| !key.ends_with("alias/aws/secretsmanager"))
    }

    /// The version that has a staging label.
    pub(super) fn at_stage(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.iter().any(|label| label == stage))
    }

    /// The version of an id.
    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Notes that a value was read: to the day, as Secrets Manager does.
    pub(super) fn was_read(&mut self) {
        self.accessed = Some(now() / DAY * DAY);
    }

    /// Adds a version. Its labels leave the versions that had them; what was current becomes the previous version.
    /// Asked again with the same id and value, it changes nothing.
    ///
    /// # Errors
    /// `ResourceExistsException` where a version of that id holds something else.
    pub(super) fn add(&mut self, id: &str, content: Content, stages: &[&str]) -> Result<(), Refusal> {
        if let Some(version) = self.version(id) {
            if version.content == content {
                return Ok(());
            }
            return Err(exists(format!(
                "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
                self.arn
            )));
        }
        let mut stages: Vec<String> = stages.iter().map(|stage| (*stage).to_owned()).collect();
        // The first version is the current one, whatever else it is.
        if self.at_stage(CURRENT).is_none() && !stages.iter().any(|stage| stage == CURRENT) {
            stages.push(CURRENT.to_owned());
        }
        let was_current = self.at_stage(CURRENT).map(|version| version.id.clone());
        for stage in &stages {
            self.unlabel(stage);
        }
        if stages.iter().any(|stage| stage == CURRENT)
            && !stages.iter().any(|stage| stage == PREVIOUS)
            && let Some(before) = was_current
        {
            self.unlabel(PREVIOUS);
            let before = self.versions.iter_mut().find(|version| version.id == before);
            before.into_iter().for_each(|version| version.stages.push(PREVIOUS.to_owned()));
        }
        self.changed = now();
        self.versions.push(Version { id: id.to_owned(), created: self.changed, stages, content });
        self.forget_old();
        Ok(())
    }

    fn unlabel(&mut self, stage: &str) {
        for version in &mut self.versions {
            version.stages.retain(|label| label != stage);
        }
    }

    /// Removes the oldest of the versions without labels, where there are too many of these.
    fn forget_old(&mut self) {
        let deprecated = self.versions.iter().filter(|version| version.stages.is_empty()).count();
        let mut surplus = deprecated.saturating_sub(MOST_VERSIONS);
        self.versions.retain(|version| {
            let goes = surplus > 0 && version.stages.is_empty();
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// How replies begin that name it.
    pub(super) fn named_in_reply(&self) -> Value {
        json!({"ARN": self.arn, "Name": self.name})
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{CURRENT, Content, MOST_VERSIONS, PREVIOUS, Secret, now};
    use crate::sandbox::store::Store;

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    fn secret() -> Secret {
        Secret::new("us-east-1", "a/b")
    }

    /// The ids of the versions that have labels, with these.
    fn stages(secret: &Secret) -> Vec<(&str, String)> {
        let labelled = secret.versions.iter().filter(|version| !version.stages.is_empty());
        labelled.map(|version| (version.id.as_str(), version.stages.join(" "))).collect()
    }

    #[test]
    fn the_current_version_becomes_the_previous_one() {
        let mut secret = secret();
        for id in ["1", "2", "3"] {
            secret.add(id, text(id), &[CURRENT]).unwrap();
        }
        assert_eq!(stages(&secret), [("2", PREVIOUS.to_owned()), ("3", CURRENT.to_owned())]);
        assert_eq!(secret.version("1").unwrap().content.text(), Some("1"), "what is deprecated is still there");
    }

    #[test]
    fn other_labels_move_and_leave_the_current_version_alone() {
        let mut secret = secret();
        secret.add("1", text("1"), &["PENDING"]).unwrap();
        assert_eq!(stages(&secret), [("1", format!("PENDING {CURRENT}"))], "the first is the current one");
        secret.add("2", text("2"), &["PENDING"]).unwrap();
        assert_eq!(stages(&secret), [("1", CURRENT.to_owned()), ("2", "PENDING".to_owned())]);
    }

    #[test]
    fn the_same_again_is_no_change_and_something_else_under_its_id_is_refused() {
        let mut secret = secret();
        secret.add("1", text("a"), &[CURRENT]).unwrap();
        secret.add("2", text("b"), &[CURRENT]).unwrap();
        secret.add("1", text("a"), &[CURRENT]).unwrap();
        assert_eq!(secret.at_stage(CURRENT).unwrap().id, "2");
        let refusal = secret.add("1", text("hunter2"), &[CURRENT]).unwrap_err();
        assert_eq!(refusal.code, "ResourceExistsException");
        assert!(!refusal.message.contains("hunter2"));
        assert!(secret.add("1", Content::Binary("a".to_owned()), &[CURRENT]).is_err());
    }

    #[test]
    fn only_so_many_deprecated_versions_are_kept() {
        let mut secret = secret();
        for id in 0..MOST_VERSIONS + 5 {
            secret.add(&id.to_string(), text("x"), &[CURRENT]).unwrap();
        }
        assert_eq!(secret.versions.len(), MOST_VERSIONS + 2);
        assert!(secret.version("2").is_none() && secret.version("3").is_some());
    }

    #[test]
    fn a_secret_is_found_by_its_name_and_by_either_form_of_its_arn() {
        let store = Store::in_memory();
        let secret = secret();
        store.transact(|transaction| secret.put(transaction)).unwrap();
        let found = |region: &str, id: &str| store.read(|it| Secret::lookup(it, region, id).is_some());
        let partial = secret.arn.rsplit_once('-').unwrap().0.to_owned();
        assert_eq!((secret.arn.len(), partial.ends_with(":secret:a/b")), (partial.len() + 7, true));
        for id in ["a/b", &secret.arn, &partial] {
            assert!(found("us-east-1", id) && !found("eu-west-1", id), "{id}");
        }
        let others =
            [format!("{partial}-aaaaa!"), format!("{partial}x"), secret.arn.replace("000", "111"), "a".to_owned()];
        for id in others {
            assert!(!found("us-east-1", &id), "{id}");
        }
    }

    #[test]
    fn a_name_that_ends_like_an_arn_is_a_name() {
        let store = Store::in_memory();
        let (long, short) = (Secret::new("us-east-1", "db-prod01"), Secret::new("us-east-1", "db"));
        store.transact(|transaction| long.put(transaction).and_then(|()| short.put(transaction))).unwrap();
        let partial = long.arn.rsplit_once('-').unwrap().0;
        let found = store.read(|transaction| Secret::lookup(transaction, "us-east-1", partial)).unwrap();
        assert_eq!(found.name, "db-prod01");
    }

    #[test]
    fn a_secret_is_gone_when_its_time_has_come() {
        let store = Store::in_memory();
        let there = |deletion| {
            let secret = Secret { deletion, ..secret() };
            store.transact(|transaction| secret.put(transaction)).unwrap();
            store.read(|it| (Secret::lookup(it, "us-east-1", "a/b").is_some(), Secret::all(it, "us-east-1").len()))
        };
        assert_eq!(there(Some(now() + 60_000)), (true, 1));
        assert_eq!(there(Some(now())), (false, 0));
    }

    #[test]
    fn a_key_is_the_customers_unless_it_is_secrets_managers() {
        let own = |key: Option<&str>| Secret { kms_key: key.map(str::to_owned), ..secret() }.has_own_key();
        assert!(own(Some("alias/mine")) && own(Some("arn:aws:kms:us-east-1:000000000000:key/1")));
        assert!(!own(None) && !own(Some("alias/aws/secretsmanager")));
        assert!(!own(Some("arn:aws:kms:us-east-1:000000000000:alias/aws/secretsmanager")));
    }
}
