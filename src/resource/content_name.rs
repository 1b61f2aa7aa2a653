//! Things whose AWS name ends in what they hold: `NAME-<first 12 digits of a SHA-256>`. They can't be changed; other
//! contents are another thing, made beside the old one, which is a leftover from then on.

use std::future::Future;

use futures::future::{try_join, try_join_all};

use super::Context;
use crate::aws::{Failure, found};
use crate::engine::{Observed, Owner, Result, State};

/// How many hex digits of the SHA-256 a name has: enough that no two contents of one name ever meet.
const DIGITS: usize = 12;

/// The names of one thing's versions.
#[derive(Clone, Debug)]
pub(super) struct ContentName {
    prefix: String,
    digits: Option<String>,
}

impl ContentName {
    /// The names of `name`, whose contents have that SHA-256 in hex; `None` where that isn't known, and then every
    /// version that is there is a leftover.
    pub(super) fn new(name: &str, sha256: Option<&str>) -> Self {
        let digits = sha256.map(|digest| digest.get(..DIGITS).unwrap_or(digest).to_owned());
        Self { prefix: format!("{name}-"), digits }
    }

    /// What all versions' names start with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What stands for the contents.
    pub(super) fn digits(&self) -> Option<&str> {
        self.digits.as_deref()
    }

    /// The wanted version's name.
    pub(super) fn current(&self) -> Option<String> {
        self.digits.as_ref().map(|digits| format!("{}{digits}", self.prefix))
    }

    /// The part of a version's name that stands for its contents; `None` for another thing's name.
    pub(super) fn digits_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        name.strip_prefix(&self.prefix).filter(|end| end.len() == DIGITS && end.bytes().all(is_digit))
    }
}

/// A version that is there.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) state: State,
}

/// What was found, given all versions that are there and the name of the wanted one. Somebody else's versions with
/// other contents are none of our business.
pub(super) fn sort_out(versions: Vec<Version>, wanted: Option<&str>) -> Observed {
    let mut observed = Observed::absent();
    for version in versions {
        if Some(version.name.as_str()) == wanted {
            observed.current = Some(version.state);
            observed.owner = version.owner;
        } else if version.owner == Owner::Ours {
            observed.leftovers.push(version.state);
        }
    }
    observed.leftovers.sort_by(|one, other| one.label.cmp(&other.label));
    observed
}

/// MSK Connect did not delete a thing.
#[derive(Debug, thiserror::Error)]
#[error(
    "MSK Connect keeps it: {0}; if a connector still uses it, delete that connector or let it use another, then try again"
)]
pub(super) struct InUse(pub(super) Failure);

/// A thing of MSK Connect, as its list calls tell it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    name: String,
    arn: String,
}

impl Listed {
    /// A thing that has both; AWS gives both.
    pub(super) fn new(name: Option<String>, arn: Option<String>) -> Option<Self> {
        Some(Self { name: name?, arn: arn? })
    }
}

/// What is there of a thing of MSK Connect, given everything whose name starts like it, and how one is described.
pub(super) async fn observe<F, D>(
    context: &Context,
    name: &ContentName,
    listed: Vec<Listed>,
    describe: F,
) -> Result<Observed>
where
    F: Fn(String) -> D,
    D: Future<Output = Result<Option<State>>>,
{
    let versions = listed.into_iter().filter(|thing| name.digits_of(&thing.name).is_some()).map(|thing| {
        let described = describe(thing.arn.clone());
        async move {
            let (owner, state) = try_join(owner(context, &thing.arn), described).await?;
            // It may have gone since it was listed.
            Result::Ok(owner.zip(state).map(|(owner, state)| Version { name: thing.name, owner, state }))
        }
    });
    let versions = try_join_all(versions).await?.into_iter().flatten().collect();
    Ok(sort_out(versions, name.current().as_deref()))
}

/// The ARN of the thing whose name a creating call found in use. A call whose answer was lost is made again, and then
/// meets its own work.
pub(super) async fn already_made(
    context: &Context,
    name: &str,
    listed: Vec<Listed>,
    conflict: Failure,
) -> Result<String> {
    let Some(thing) = listed.into_iter().find(|thing| thing.name == name) else {
        return Err(conflict.into());
    };
    match owner(context, &thing.arn).await? {
        Some(Owner::Ours) => Ok(thing.arn),
        Some(Owner::Foreign(why)) => {
            Err(format!("{name} exists, and {why}; choose another name, or delete what has this one").into())
        }
        _ => Err(conflict.into()),
    }
}

async fn owner(context: &Context, arn: &str) -> Result<Option<Owner>> {
    let tags = found(context.clients.connect.list_tags_for_resource().resource_arn(arn).send().await)?;
    Ok(tags.map(|answer| {
        let tags = answer.tags.unwrap_or_default();
        context.tags.owner(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Fields, Output};

    const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn version(name: &str, owner: Owner) -> Version {
        let state = State { fields: Fields::new(), output: Output::new(), label: Some(name.to_owned()) };
        Version { name: name.to_owned(), owner, state }
    }

    #[test]
    fn a_version_is_the_name_and_twelve_digits() {
        let name = ContentName::new("sink", Some(SHA256));
        assert_eq!(name.current().as_deref(), Some("sink-0123456789ab"));
        assert_eq!(name.digits_of("sink-aaaaaaaaaaaa"), Some("aaaaaaaaaaaa"));
        for other in
            ["sink", "sink-", "sink-aaaaaaaaaaa", "sink-aaaaaaaaaaaaa", "sink-AAAAAAAAAAAA", "sink-two-aaaaaaaaaaaa"]
        {
            assert_eq!(name.digits_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_long_name_or_a_short_digest_is_no_panic() {
        let name = ContentName::new(&"é".repeat(200), Some("0é"));
        assert!(name.current().is_some_and(|name| name.ends_with("-0é")));
    }

    #[test]
    fn what_is_ours_and_not_wanted_is_a_leftover() {
        let foreign = || Owner::Foreign("it lacks tags".to_owned());
        let versions = || {
            let ours = [version("n-2", Owner::Ours), version("n-1", Owner::Ours)];
            [ours.into(), vec![version("n-3", foreign())]].into_iter().flatten().collect()
        };
        let labels = |observed: &Observed| -> Vec<_> {
            observed.leftovers.iter().map(|state| state.label.clone().unwrap_or_default()).collect()
        };
        let observed = sort_out(versions(), Some("n-2"));
        assert_eq!(observed.current.as_ref().and_then(|state| state.label.as_deref()), Some("n-2"));
        assert_eq!(labels(&observed), ["n-1"]);
        let observed = sort_out(versions(), Some("n-3"));
        assert_eq!((observed.owner.clone(), labels(&observed).len()), (foreign(), 2));
        let observed = sort_out(versions(), None);
        assert!(observed.current.is_none());
        assert_eq!(labels(&observed), ["n-1", "n-2"]);
    }
}
