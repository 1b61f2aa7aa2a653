//! What the values of Kafka's configurations have to be: the types and validators of its `ConfigDef`, with its messages.

/// What a value has to be.
pub(crate) enum Kind {
    /// An integer of 16 bits.
    Short {
        min: i64,
    },
    /// An integer of 32 bits.
    Int {
        min: i64,
        max: i64,
    },
    /// An integer of 64 bits.
    Long {
        min: i64,
    },
    Double {
        min: f64,
        max: f64,
    },
    Boolean,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Comma-separated, each one of these.
    Each(&'static [&'static str]),
    Any,
}

/// The largest [`Kind::Int`].
pub(crate) const INT: i64 = i32::MAX as i64;

/// The value of a key isn't one, in Kafka's words.
pub(crate) fn invalid(key: &str, value: &str, fault: &str) -> String {
    format!("Invalid value {value} for configuration {key}: {fault}")
}

/// A key that has to be there isn't, in Kafka's words.
pub(crate) fn missing(key: &str) -> String {
    format!("Missing required configuration \"{key}\" which has no default value.")
}

impl Kind {
    /// Holds the value of a key against it.
    ///
    /// # Errors
    /// Kafka's message.
    pub(crate) fn check(&self, key: &str, value: &str) -> Result<(), String> {
        self.fault(value.trim()).map_or(Ok(()), |fault| Err(invalid(key, value, &fault)))
    }

    fn fault(&self, value: &str) -> Option<String> {
        match self {
            Self::Short { min } => number::<i16>(value, "SHORT", |number| range(i64::from(number), *min, INT)),
            Self::Int { min, max } => number::<i32>(value, "INT", |number| range(i64::from(number), *min, *max)),
            Self::Long { min } => number::<i64>(value, "LONG", |number| range(number, *min, i64::MAX)),
            Self::Double { min, max } => number::<f64>(value, "DOUBLE", |number| range(number, *min, *max)),
            Self::Boolean => {
                let is_one = ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word));
                (!is_one).then(|| "Expected value to be either true or false".to_owned())
            }
            Self::OneOf(values) => (!values.contains(&value)).then(|| among("", values)),
            Self::OneOfAnyCase(values) => {
                let is_one = values.iter().any(|word| value.eq_ignore_ascii_case(word));
                (!is_one).then(|| among(" (case insensitive)", values))
            }
            Self::Each(values) => {
                let all = value.split(',').all(|each| values.contains(&each.trim()));
                (!all).then(|| among("", values))
            }
            Self::Any => None,
        }
    }
}

fn number<T: std::str::FromStr>(value: &str, kind: &str, check: impl Fn(T) -> Option<String>) -> Option<String> {
    value.parse().map_or_else(|_| Some(format!("Not a number of type {kind}")), check)
}

fn range<T: PartialOrd + std::fmt::Display>(number: T, min: T, max: T) -> Option<String> {
    if number < min {
        Some(format!("Value must be at least {min}"))
    } else if number > max {
        Some(format!("Value must be no more than {max}"))
    } else {
        None
    }
}

fn among(how: &str, values: &[&str]) -> String {
    format!("String must be one of{how}: {}", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{INT, Kind};

    #[test]
    fn values_are_checked_as_kafka_does() {
        let policies = Kind::Each(&["compact", "delete"]);
        for (kind, value) in [
            (Kind::Long { min: -1 }, "-1"),
            (Kind::Int { min: 1, max: INT }, " 7 "),
            (policies, "compact, delete"),
            (Kind::Boolean, "TRUE"),
            (Kind::OneOfAnyCase(&["NONE", "RESTART"]), "none"),
            (Kind::Double { min: 0.0, max: 1.0 }, "0.5"),
        ] {
            assert_eq!(kind.check("k", value), Ok(()), "{value}");
        }
        for (kind, value, fault) in [
            (Kind::Long { min: -1 }, "-2", "Value must be at least -1"),
            (Kind::Long { min: -1 }, "7d", "Not a number of type LONG"),
            (Kind::Int { min: 0, max: INT }, "3000000000", "Not a number of type INT"),
            (Kind::Int { min: 0, max: 9 }, "10", "Value must be no more than 9"),
            (Kind::Short { min: 1 }, "40000", "Not a number of type SHORT"),
            (Kind::Each(&["compact", "delete"]), "compact,x", "String must be one of: compact, delete"),
            (Kind::OneOf(&["none", "all"]), "some", "String must be one of: none, all"),
            (Kind::OneOf(&["none", "all"]), "ALL", "String must be one of: none, all"),
            (Kind::OneOfAnyCase(&["NONE"]), "x", "String must be one of (case insensitive): NONE"),
            (Kind::Boolean, "1", "Expected value to be either true or false"),
        ] {
            assert_eq!(kind.check("k", value), Err(format!("Invalid value {value} for configuration k: {fault}")));
        }
    }
}
