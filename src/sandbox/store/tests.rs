//! Transactions, and what a kill leaves of them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn put(store: &Store, table: &str, key: &str, value: u32) {
    store.transact(|transaction| transaction.put(table, key, &value)).unwrap();
}

fn all(store: &Store, table: &str) -> Vec<(String, u32)> {
    store.read(|transaction| transaction.list(table))
}

fn journal(folder: &Path) -> String {
    fs::read_to_string(folder.join("state.jsonl")).unwrap()
}

#[test]
fn what_was_changed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    put(&store, "topics", "a", 1);
    put(&store, "topics", "b", 2);
    put(&store, "topics", "a", 3);
    store
        .transact(|transaction| {
            transaction.delete("topics", "b");
            Ok::<_, io::Error>(())
        })
        .unwrap();
    drop(store);
    assert_eq!(all(&Store::open(folder.path()).unwrap(), "topics"), [("a".to_owned(), 3)]);
}

#[test]
fn a_torn_last_line_is_dropped_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    put(&Store::open(folder.path()).unwrap(), "topics", "a", 1);
    let path = folder.path().join("state.jsonl");
    let whole = fs::read(&path).unwrap();
    for cut in 1..whole.len() {
        let mut torn = whole.clone();
        torn.extend_from_slice(&whole[..cut]);
        fs::write(&path, &torn).unwrap();
        let store = Store::open(folder.path()).unwrap();
        put(&store, "topics", "b", 2);
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(all(&store, "topics"), [("a".to_owned(), 1), ("b".to_owned(), 2)], "cut at {cut}");
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_transaction_is_one_line_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store
        .transact(|transaction| {
            transaction.put("topics", "a", &1)?;
            transaction.put("clusters", "b", &2)
        })
        .unwrap();
    assert_eq!(journal(folder.path()).lines().count(), 1);
}

#[test]
fn a_complete_line_that_is_not_ours_is_an_error_that_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.jsonl");
    let text = "[{\"table\":\"t\",\"key\":\"a\",\"value\":1}]\nhello\n[{\"table\":\"t\",\"key\":\"b\"}]\n";
    fs::write(&file, text).unwrap();
    let error = Store::open(folder.path()).err().unwrap();
    let expected = format!("{}, line 2: expected changes as JSON, got ", file.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "it is left for who repairs it");
}

#[test]
fn a_journal_that_can_not_be_rewritten_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("state.jsonl.new");
    std::os::unix::fs::symlink("/dev/full", &fresh).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let large = "x".repeat(100_000);
    for round in 0..30 {
        store.transact(|transaction| transaction.put("topics", "a", &format!("{round}{large}"))).unwrap();
    }
    assert!(journal(folder.path()).len() > 2 * SHORT as usize);
    drop(store);
    fs::remove_file(&fresh).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let last: Option<String> = store.read(|transaction| transaction.get("topics", "a"));
    assert_eq!(last, Some(format!("29{large}")));
    put(&store, "topics", "b", 1);
    assert!(journal(folder.path()).len() < 2 * SHORT as usize, "it was long when it was opened");
}

#[test]
fn half_a_line_is_taken_away_before_the_next_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.jsonl");
    let append = |path: &Path| OpenOptions::new().append(true).open(path).unwrap();
    fs::write(&path, "[]\n").unwrap();
    let full = append(Path::new("/dev/full"));
    let mut journal = Journal { folder: folder.path().to_owned(), file: full, length: 3, compact: 3, torn: false };
    for _ in 0..2 {
        assert!(journal.append(b"[1]\n").is_err());
        assert!(journal.torn && journal.length == 3);
    }
    // There is room again, but half of the line had been written.
    fs::write(&path, "[]\n[1").unwrap();
    journal.file = append(&path);
    journal.append(b"[2]\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "[]\n[2]\n");
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    put(&store, "topics", "a", 1);
    let failed: io::Result<()> = store.transact(|transaction| {
        transaction.put("topics", "a", &2)?;
        transaction.put("topics", "b", &2)?;
        assert_eq!(transaction.get::<u32>("topics", "a"), Some(2), "it sees its own changes");
        Err(io::Error::other("no"))
    });
    assert!(failed.is_err());
    assert_eq!(all(&store, "topics"), [("a".to_owned(), 1)]);
    drop(store);
    assert_eq!(all(&Store::open(folder.path()).unwrap(), "topics"), [("a".to_owned(), 1)]);
}

#[test]
fn a_table_of_this_process_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    put(&store, "~faults", "0", 1);
    assert_eq!(all(&store, "~faults"), [("0".to_owned(), 1)]);
    assert_eq!(journal(folder.path()), "");
    assert!(store.counts().is_empty());
    drop(store);
    assert!(all(&Store::open(folder.path()).unwrap(), "~faults").is_empty());
}

#[test]
fn a_prefix_is_listed_in_order_with_the_transaction_own_changes() {
    let store = Store::in_memory();
    for (key, value) in [("a/1", 1), ("b/1", 2), ("b/2", 3), ("b/3", 4), ("c/1", 5)] {
        put(&store, "objects", key, value);
    }
    let keys = |after: &str| {
        store
            .transact(|transaction| {
                transaction.delete("objects", "b/2");
                transaction.put("objects", "b/4", &6)?;
                let listed = transaction.list_prefix::<u32>("objects", "b/", after);
                Ok::<_, io::Error>(listed.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
            })
            .unwrap()
    };
    assert_eq!(keys(""), ["b/1", "b/3", "b/4"]);
    assert_eq!(keys("b/1"), ["b/3", "b/4"]);
    store
        .transact(|transaction| {
            assert!(transaction.has_prefix("objects", "a/"));
            transaction.delete("objects", "a/1");
            assert!(!transaction.has_prefix("objects", "a/"));
            transaction.put("objects", "d/1", &1)?;
            assert!(transaction.has_prefix("objects", "d/"));
            Ok::<_, io::Error>(())
        })
        .unwrap();
}

#[test]
fn a_long_journal_is_rewritten_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let large = "x".repeat(100_000);
    for round in 0..30 {
        store.transact(|transaction| transaction.put("topics", "a", &format!("{round}{large}"))).unwrap();
    }
    put(&store, "topics", "b", 1);
    assert!(journal(folder.path()).len() < 2 * SHORT as usize);
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    let last: String = store.read(|transaction| transaction.get("topics", "a")).unwrap();
    assert_eq!(last, format!("29{large}"));
    assert_eq!(store.read(|transaction| transaction.get("topics", "b")), Some(1));
}

#[test]
fn retain_removes_the_rest_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    put(&store, "topics", "a", 1);
    put(&store, "ports", "rest-proxy", 2);
    store.retain(|table, _| table == "ports").unwrap();
    assert_eq!(store.counts(), BTreeMap::from([("ports".to_owned(), 1)]));
    drop(store);
    assert!(all(&Store::open(folder.path()).unwrap(), "topics").is_empty());
}
