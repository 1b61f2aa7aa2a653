//! What the sandbox remembers: JSON records in named tables, changed in transactions, kept in an append-only journal.
//!
//! A transaction is one line of the journal and one `write`, so that a kill leaves either all of it or none. Opening
//! reads the journal and drops a torn last line; what is mostly about things that have changed since is rewritten.
//!
//! A table whose name begins with `~` is of this process only: it takes part in transactions, but not in the journal.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

type Tables = BTreeMap<String, BTreeMap<String, Value>>;

/// One change, as the journal has it: no value means that the record is gone.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    table: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

struct Inner {
    tables: Tables,
    journal: Option<Journal>,
}

/// The file of all changes.
struct Journal {
    folder: PathBuf,
    file: File,
    /// Bytes of complete lines.
    length: u64,
    /// The same, when it last held no more than the records that there are.
    compact: u64,
    /// Whether half a line may stand behind the complete ones.
    torn: bool,
}

/// A journal that is shorter isn't worth rewriting.
const SHORT: u64 = 1 << 20;

impl Journal {
    /// Appends a line, or nothing: after a disk that was full for a moment, the next line must not follow half a line.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.mend()?;
        if let Err(error) = self.file.write_all(line) {
            self.torn = true;
            self.mend()?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Takes half a line away.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Opens the file of a journal that was replayed.
    fn open(folder: &Path, replayed: &Replayed) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(folder.join(JOURNAL))?;
        let length = replayed.length as u64;
        file.set_len(length)?;
        let records: usize =
            replayed.tables.iter().filter(|(table, _)| is_kept(table)).map(|(_, records)| records.len()).sum();
        // As far as the average tells: writing them to know it would take longer than all the rest of opening.
        let compact = length * records as u64 / (replayed.changes as u64).max(1);
        Ok(Self { folder: folder.to_owned(), file, length, compact, torn: false })
    }

    /// Whether most of it is about what has changed since.
    fn is_long(&self) -> bool {
        self.length > SHORT && self.length > 4 * self.compact
    }

    /// Writes a journal of the records that there are, and puts it in the place of the one that is there.
    fn rewrite(folder: &Path, tables: &Tables) -> io::Result<Self> {
        // Not a random name: what a kill leaves here is in nobody's way. The folder's lock keeps others out.
        let fresh = folder.join("state.jsonl.new");
        File::create(&fresh)?;
        let file = OpenOptions::new().append(true).open(&fresh)?;
        let mut lines = io::BufWriter::new(&file);
        let mut length = 0;
        for (table, records) in tables.iter().filter(|(table, _)| is_kept(table)) {
            for (key, value) in records {
                let entry = Entry { table: table.clone(), key: key.clone(), value: Some(value.clone()) };
                let line = line(&[entry])?;
                lines.write_all(&line)?;
                length += line.len() as u64;
            }
        }
        lines.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, folder.join(JOURNAL))?;
        Ok(Self { folder: folder.to_owned(), file, length, compact: length, torn: false })
    }
}

/// The journal's name in the folder.
const JOURNAL: &str = "state.jsonl";

/// The sandbox's memory.
pub(crate) struct Store {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

impl Store {
    /// A store that nothing outlives.
    pub(crate) fn in_memory() -> Self {
        Self::of(Inner { tables: Tables::new(), journal: None })
    }

    fn of(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(()) }
    }

    /// Rings after each transaction that changed something.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Opens the store of a folder, which must exist.
    ///
    /// # Errors
    /// Where the journal can't be read or written, or one of its complete lines isn't ours.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let bytes = match fs::read(folder.join(JOURNAL)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let replayed = replay(&bytes).map_err(|Unreadable { line, why }| {
            let place = format!("{}, line {line}", folder.join(JOURNAL).display());
            io::Error::new(io::ErrorKind::InvalidData, format!("{place}: expected changes as JSON, got {why}"))
        })?;
        let journal = Journal::open(folder, &replayed)?;
        Ok(Self::of(Inner { tables: replayed.tables, journal: Some(journal) }))
    }

    /// Looks at the tables, alone.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Transaction<'_>) -> R) -> R {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        look(&Transaction { tables: &inner.tables, changed: BTreeMap::new() })
    }

    /// How many records each table has that is kept.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = inner.tables.iter().filter(|(table, records)| is_kept(table) && !records.is_empty());
        kept.map(|(table, records)| (table.clone(), records.len())).collect()
    }

    /// Removes every record for which `keep`, given its table and key, doesn't hold, in one transaction.
    ///
    /// # Errors
    /// Those of writing the journal.
    pub(crate) fn retain(&self, keep: impl Fn(&str, &str) -> bool) -> io::Result<()> {
        self.transact(|transaction| {
            let tables = transaction.tables;
            for (table, records) in tables {
                for key in records.keys().filter(|key| !keep(table, key)) {
                    transaction.delete(table, key);
                }
            }
            Ok(())
        })
    }

    /// Runs `work` on the tables, alone. What it changed is kept where it returns `Ok`, and undone where it doesn't.
    ///
    /// # Errors
    /// Those of `work`, and those of writing the journal.
    pub(crate) fn transact<R, E: From<io::Error>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { tables, journal } = &mut *inner;
        let mut transaction = Transaction { tables, changed: BTreeMap::new() };
        let result = work(&mut transaction)?;
        let changed = transaction.changed;
        if changed.is_empty() {
            return Ok(result);
        }
        let entries: Vec<Entry> =
            changed.into_iter().map(|((table, key), value)| Entry { table, key, value }).collect();
        if let Some(journal) = journal
            && let kept = entries.iter().filter(|entry| is_kept(&entry.table)).collect::<Vec<_>>()
            && !kept.is_empty()
        {
            journal.append(&line(&kept)?)?;
        }
        apply(tables, entries);
        if let Some(journal) = journal
            && journal.is_long()
            // Where that fails, the long one goes on.
            && let Ok(fresh) = Journal::rewrite(&journal.folder, tables)
        {
            *journal = fresh;
        }
        self.changed.send_replace(());
        Ok(result)
    }
}

fn is_kept(table: &str) -> bool {
    !table.starts_with('~')
}

fn line(entries: &[impl Serialize]) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(entries)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn apply(tables: &mut Tables, entries: Vec<Entry>) {
    for Entry { table, key, value } in entries {
        let records = tables.entry(table).or_default();
        match value {
            Some(value) => records.insert(key, value),
            None => records.remove(&key),
        };
    }
}

/// A complete line that isn't one of the journal's.
struct Unreadable {
    /// Counted from 1.
    line: usize,
    why: serde_json::Error,
}

/// What a journal comes to.
struct Replayed {
    tables: Tables,
    /// Bytes of complete lines.
    length: usize,
    /// How many records were put or removed in all.
    changes: usize,
}

fn replay(bytes: &[u8]) -> Result<Replayed, Unreadable> {
    // What follows the last line feed was being written when the process was killed.
    let length = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut replayed = Replayed { tables: Tables::new(), length, changes: 0 };
    let lines = bytes[..length].split(|byte| *byte == b'\n').enumerate();
    for (index, text) in lines.filter(|(_, text)| !text.is_empty()) {
        let entries: Vec<Entry> = serde_json::from_slice(text).map_err(|why| Unreadable { line: index + 1, why })?;
        replayed.changes += entries.len();
        apply(&mut replayed.tables, entries);
    }
    Ok(replayed)
}

/// The tables as they were when the transaction began, with its own changes over them.
pub(crate) struct Transaction<'a> {
    tables: &'a Tables,
    changed: BTreeMap<(String, String), Option<Value>>,
}

impl<'t> Transaction<'t> {
    /// A record, where it exists and has that shape.
    pub(crate) fn get<T: DeserializeOwned>(&self, table: &str, key: &str) -> Option<T> {
        let value = match self.changed.get(&(table.to_owned(), key.to_owned())) {
            Some(changed) => changed.as_ref()?,
            None => self.tables.get(table)?.get(key)?,
        };
        T::deserialize(value).ok()
    }

    /// All records of a table, ordered by key.
    pub(crate) fn list<T: DeserializeOwned>(&self, table: &str) -> Vec<(String, T)> {
        let mut records: BTreeMap<&str, Option<&Value>> =
            self.tables.get(table).into_iter().flatten().map(|(key, value)| (key.as_str(), Some(value))).collect();
        for ((changed, key), value) in &self.changed {
            if changed == table {
                records.insert(key, value.as_ref());
            }
        }
        records.into_iter().filter_map(|(key, value)| Some((key.to_owned(), T::deserialize(value?).ok()?))).collect()
    }

    /// The records of a table whose keys begin with `prefix` and come after `after`, ordered by key.
    pub(crate) fn list_prefix<T: DeserializeOwned>(&self, table: &str, prefix: &str, after: &str) -> Vec<(String, T)> {
        self.scan(table, prefix, after).collect()
    }

    /// The same, each read when it is come to: for who doesn't want them all.
    pub(crate) fn scan<'s, T: DeserializeOwned>(
        &'s self,
        table: &str,
        prefix: &str,
        after: &str,
    ) -> impl Iterator<Item = (String, T)> + use<'s, 't, T> {
        let begins = |key: &str| key.starts_with(prefix);
        let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let mut records: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
        if let Some(kept) = self.tables.get(table) {
            let range = kept.range::<str, _>((from, Bound::Unbounded)).take_while(|(key, _)| begins(key));
            records.extend(range.map(|(key, value)| (key.as_str(), Some(value))));
        }
        for ((changed, key), value) in &self.changed {
            if changed == table && begins(key) && key.as_str() > after {
                records.insert(key, value.as_ref());
            }
        }
        records.into_iter().filter_map(|(key, value)| Some((key.to_owned(), T::deserialize(value?).ok()?)))
    }

    /// Whether a table has a record whose key begins with `prefix`.
    pub(crate) fn has_prefix(&self, table: &str, prefix: &str) -> bool {
        let begins = |key: &str| key.starts_with(prefix);
        let changes = || self.changed.iter().filter(|((changed, key), _)| changed == table && begins(key));
        let is_gone = |key: &str| changes().any(|((_, changed), value)| changed == key && value.is_none());
        changes().any(|(_, value)| value.is_some())
            || self.tables.get(table).is_some_and(|kept| {
                let range = kept.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
                range.take_while(|(key, _)| begins(key)).any(|(key, _)| !is_gone(key))
            })
    }

    /// Adds or replaces a record.
    ///
    /// # Errors
    /// Where it can't be written as JSON.
    pub(crate) fn put<T: Serialize>(&mut self, table: &str, key: &str, record: &T) -> io::Result<()> {
        let value = serde_json::to_value(record)?;
        // What is as it was is no change: neither the journal nor who listens needs to hear of it.
        let key_of = (table.to_owned(), key.to_owned());
        if !self.changed.contains_key(&key_of) && self.tables.get(table).and_then(|it| it.get(key)) == Some(&value) {
            return Ok(());
        }
        self.changed.insert((table.to_owned(), key.to_owned()), Some(value));
        Ok(())
    }

    /// Removes a record, where it exists.
    pub(crate) fn delete(&mut self, table: &str, key: &str) {
        self.changed.insert((table.to_owned(), key.to_owned()), None);
    }
}

#[cfg(test)]
mod tests;
