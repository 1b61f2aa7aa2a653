//! Fields against fields, written once for all kinds.

use std::collections::BTreeSet;

use super::{Field, FieldChange, Fields};

/// What differs, in key order. A value that is known only after apply differs from everything.
pub fn diff(desired: &Fields, current: &Fields) -> Vec<FieldChange> {
    let keys: BTreeSet<&str> = desired.iter().chain(current.iter()).map(|(key, _)| key).collect();
    keys.into_iter()
        .filter_map(|key| {
            let (from, to) = (current.get(key), desired.get(key));
            (!same(from, to)).then(|| FieldChange { field: key.to_owned(), from: from.cloned(), to: to.cloned() })
        })
        .collect()
}

fn same(from: Option<&Field>, to: Option<&Field>) -> bool {
    match (from, to) {
        (Some(Field::Known(from) | Field::Secret(from)), Some(Field::Known(to) | Field::Secret(to))) => from == to,
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(desired: &Fields, current: &Fields) -> Vec<String> {
        diff(desired, current).into_iter().map(|change| change.field).collect()
    }

    #[test]
    fn equal_fields_do_not_differ() {
        let fields = Fields::new().with("partitions", 3).with("config.retention.ms", "604800000");
        assert_eq!(diff(&fields, &fields.clone()), []);
    }

    #[test]
    fn added_removed_and_changed_fields_differ() {
        let desired = Fields::new().with("a", 1).with("b", 2).with("c", 3);
        let current = Fields::new().with("b", 2).with("c", "3").with("d", 4);
        assert_eq!(changed(&desired, &current), ["a", "c", "d"]);
    }

    #[test]
    fn what_is_known_after_apply_differs_from_what_is_there() {
        let desired = Fields::new().with_output("plugin", None);
        assert_eq!(changed(&desired, &Fields::new().with("plugin", "arn:old")), ["plugin"]);
    }

    #[test]
    fn secrets_are_compared_by_value() {
        let mut desired = Fields::new();
        desired.set("password", Field::Secret("a".into()));
        assert_eq!(changed(&desired, &Fields::new().with("password", "a")), Vec::<String>::new());
        assert_eq!(changed(&desired, &Fields::new().with("password", "b")), ["password"]);
    }
}
