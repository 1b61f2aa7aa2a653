//! What the sandbox remembers: JSON records in named tables, changed in transactions, kept in an append-only journal.
//!
//! A transaction is one line of the journal and one `write`, so that a kill leaves either all of it or none. Opening
//! reads the journal, drops a torn last line, and rewrites what is left.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    journal: Option<File>,
}

/// The sandbox's memory.
pub(crate) struct Store(Mutex<Inner>);

impl Store {
    /// A store that nothing outlives.
    pub(crate) fn in_memory() -> Self {
        Self(Mutex::new(Inner { tables: Tables::new(), journal: None }))
    }

    /// Opens the store of a folder, which must exist.
    ///
    /// # Errors
    /// Where the journal can't be read or written, or one of its complete lines isn't ours.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("state.jsonl");
        let tables = match fs::read(&path) {
            Ok(bytes) => replay(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Tables::new(),
            Err(error) => return Err(error),
        };
        let mut compact = tempfile::NamedTempFile::new_in(folder)?;
        for (table, records) in &tables {
            for (key, value) in records {
                let entry = Entry { table: table.clone(), key: key.clone(), value: Some(value.clone()) };
                compact.write_all(&line(&[entry])?)?;
            }
        }
        compact.persist(&path).map_err(|error| error.error)?;
        let journal = OpenOptions::new().append(true).open(&path)?;
        Ok(Self(Mutex::new(Inner { tables, journal: Some(journal) })))
    }

    /// Runs `work` on the tables, alone. What it changed is kept where it returns `Ok`, and undone where it doesn't.
    ///
    /// # Errors
    /// Those of `work`, and those of writing the journal.
    pub(crate) fn transact<R, E: From<io::Error>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { tables, journal } = &mut *inner;
        let mut transaction = Transaction { tables, changed: BTreeMap::new() };
        let result = work(&mut transaction)?;
        let changed = transaction.changed;
        if changed.is_empty() {
            return Ok(result);
        }
        let entries: Vec<Entry> =
            changed.into_iter().map(|((table, key), value)| Entry { table, key, value }).collect();
        if let Some(journal) = journal {
            journal.write_all(&line(&entries)?)?;
        }
        apply(tables, entries);
        Ok(result)
    }
}

fn line(entries: &[Entry]) -> io::Result<Vec<u8>> {
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

fn replay(bytes: &[u8]) -> io::Result<Tables> {
    let mut tables = Tables::new();
    // What follows the last line feed was being written when the process was killed.
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for text in bytes[..complete].split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
        apply(&mut tables, serde_json::from_slice(text)?);
    }
    Ok(tables)
}

/// The tables as they were when the transaction began, with its own changes over them.
pub(crate) struct Transaction<'a> {
    tables: &'a Tables,
    changed: BTreeMap<(String, String), Option<Value>>,
}

impl Transaction<'_> {
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

    /// Adds or replaces a record.
    ///
    /// # Errors
    /// Where it can't be written as JSON.
    pub(crate) fn put<T: Serialize>(&mut self, table: &str, key: &str, record: &T) -> io::Result<()> {
        let value = serde_json::to_value(record)?;
        self.changed.insert((table.to_owned(), key.to_owned()), Some(value));
        Ok(())
    }

    /// Removes a record, where it exists.
    pub(crate) fn delete(&mut self, table: &str, key: &str) {
        self.changed.insert((table.to_owned(), key.to_owned()), None);
    }
}
