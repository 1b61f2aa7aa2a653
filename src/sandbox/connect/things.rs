//! What plugins, worker configurations and connectors have in common: an ARN, a name that is theirs alone in a region,
//! tags, and a time after which they are gone.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::PAGE_SIZE;
use super::arn::{self, Kind};
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::rest_json::pages::Page;
use crate::sandbox::rest_json::{Tags, not_found};
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{Millis, World, now};

/// A record of a table, by its ARN.
pub(super) trait Thing: Serialize + DeserializeOwned {
    const TABLE: &'static str;
    const KIND: Kind;
    type State;

    fn name(&self) -> &str;

    fn region(&self) -> &str;

    /// The state at a moment; `None` once it is gone.
    fn state(&self, now: Millis) -> Option<Self::State>;

    fn tags(&mut self) -> &mut Tags;
}

/// What is answered where nothing has an ARN.
pub(super) fn missing(kind: Kind, arn: &str) -> Refusal {
    not_found(format!("The {} {arn} doesn't exist.", kind.noun()))
}

/// The one with an ARN, and its state.
pub(super) fn find<T: Thing>(transaction: &Transaction<'_>, arn: &str) -> Result<(T, T::State), Refusal> {
    arn::check(arn, T::KIND)?;
    let found: Option<T> = transaction.get(T::TABLE, arn);
    let there = found.and_then(|thing| thing.state(now()).map(|state| (thing, state)));
    there.ok_or_else(|| missing(T::KIND, arn))
}

/// Those of a region that are there, ordered by name, with their states.
pub(super) fn all<T: Thing>(transaction: &Transaction<'_>, region: &str) -> Vec<(T, T::State)> {
    let now = now();
    let things = transaction.list::<T>(T::TABLE).into_iter().map(|(_, thing)| thing);
    let there = things.filter(|thing| thing.region() == region);
    let mut there: Vec<_> = there.filter_map(|thing| thing.state(now).map(|state| (thing, state))).collect();
    there.sort_by(|(one, _), (other, _)| one.name().cmp(other.name()));
    there
}

/// Removes those that were deleted and are gone, and tells their ARNs.
pub(super) fn sweep<T: Thing>(transaction: &mut Transaction<'_>) -> Vec<String> {
    let now = now();
    let things = transaction.list::<T>(T::TABLE).into_iter();
    let gone: Vec<String> = things.filter(|(_, thing)| thing.state(now).is_none()).map(|(arn, _)| arn).collect();
    gone.iter().for_each(|arn| transaction.delete(T::TABLE, arn));
    gone
}

/// Answers a listing, whose names may be filtered by the query's `filter`, with each shown as `show` does.
pub(super) fn list<T: Thing>(
    world: &World,
    call: &Call,
    filter: &str,
    members: &str,
    show: impl Fn(&T, T::State) -> Option<Value>,
) -> Result<Reply, Refusal> {
    let prefix = call.query(filter).unwrap_or_default();
    let page = Page::of(call, format!("{} {} {prefix}", T::TABLE, call.region), PAGE_SIZE)?;
    let things = world.store.read(|transaction| all::<T>(transaction, &call.region));
    let wanted = things.into_iter().filter(|(thing, _)| thing.name().starts_with(prefix));
    let entries = wanted.filter_map(|(thing, state)| Some((thing.name().to_owned(), show(&thing, state)?)));
    Ok(Reply::json(&page.reply(members, entries)))
}
