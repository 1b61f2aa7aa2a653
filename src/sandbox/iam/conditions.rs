//! The condition operators of policies.
//!
//! Rules: AWS's "IAM JSON policy elements: Condition operators" and "Multivalued context keys".

use std::net::IpAddr;

use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use super::context::Context;
use super::wildcard::{Case, Pattern};

/// One line of a `Condition` element.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// `ForAnyValue:StringNotLikeIfExists`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    quantifier: Option<Quantifier>,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Text(Case),
    Like,
    Number(Order),
    Date(Order),
    Bool,
    Address,
    Arn,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Operator {
    /// An operator by its name; `None` where AWS has none of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |rest| (rest, true));
        let (comparison, negated) = comparison(name)?;
        // Whether a key exists is the whole question of Null.
        let sensible = comparison != Comparison::Null || (quantifier.is_none() && !if_exists);
        sensible.then_some(Self { quantifier, comparison, negated, if_exists })
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    let found = match name {
        "StringEquals" | "BinaryEquals" => (Comparison::Text(Case::Matters), false),
        "StringNotEquals" => (Comparison::Text(Case::Matters), true),
        "StringEqualsIgnoreCase" => (Comparison::Text(Case::Ignored), false),
        "StringNotEqualsIgnoreCase" => (Comparison::Text(Case::Ignored), true),
        "StringLike" => (Comparison::Like, false),
        "StringNotLike" => (Comparison::Like, true),
        "Bool" => (Comparison::Bool, false),
        "IpAddress" => (Comparison::Address, false),
        "NotIpAddress" => (Comparison::Address, true),
        // AWS: ArnEquals and ArnLike behave identically.
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Null" => (Comparison::Null, false),
        _ => return ordered(name),
    };
    Some(found)
}

fn ordered(name: &str) -> Option<(Comparison, bool)> {
    let (kind, order): (fn(Order) -> Comparison, &str) = match (name.strip_prefix("Numeric"), name.strip_prefix("Date"))
    {
        (Some(order), _) => (Comparison::Number, order),
        (_, Some(order)) => (Comparison::Date, order),
        _ => return None,
    };
    let (order, negated) = match order {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    };
    Some((kind(order), negated))
}

impl Condition {
    /// Whether a request meets it.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let Operator { quantifier, comparison, negated, if_exists } = self.operator;
        let actual = context.values(&self.key);
        if comparison == Comparison::Null {
            return self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case("true") == actual.is_empty());
        }
        if actual.is_empty() {
            return match quantifier {
                Some(Quantifier::All) => true,
                Some(Quantifier::Any) => if_exists,
                None => if_exists || negated,
            };
        }
        let fits = |value: &String| {
            let equal = self.values.iter().any(|wanted| compare(comparison, wanted, value, context));
            equal != negated
        };
        match quantifier {
            Some(Quantifier::All) => actual.iter().all(fits),
            Some(Quantifier::Any) => actual.iter().any(fits),
            None if negated => actual.iter().all(fits),
            None => actual.iter().any(fits),
        }
    }
}

fn compare(comparison: Comparison, wanted: &str, actual: &str, context: &Context) -> bool {
    let pattern = || Pattern::new(wanted, context);
    match comparison {
        // Its variables are filled in, but its wildcards are ordinary characters.
        Comparison::Text(case) => {
            Pattern::new(&literal(wanted), context).is_some_and(|text| text.matches(actual, case))
        }
        Comparison::Like => pattern().is_some_and(|pattern| pattern.matches(actual, Case::Matters)),
        Comparison::Arn => pattern().is_some_and(|pattern| pattern.matches_arn(actual)),
        Comparison::Bool => wanted.eq_ignore_ascii_case(actual),
        Comparison::Number(order) => both(actual, wanted, |text| text.parse::<f64>().ok(), order),
        Comparison::Date(order) => both(actual, wanted, instant, order),
        Comparison::Address => contains(wanted, actual),
        Comparison::Null => false,
    }
}

/// A text as a pattern that matches nothing else; `${…}` keeps its meaning.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '?', '$']) {
        let (before, from) = rest.split_at(at);
        pattern += before;
        let variable = from.strip_prefix("${").and_then(|inside| inside.find('}')).map(|end| end + "${}".len());
        let (piece, after) = from.split_at(variable.unwrap_or(1));
        match variable {
            Some(_) => pattern += piece,
            None => pattern += &format!("${{{piece}}}"),
        }
        rest = after;
    }
    pattern + rest
}

fn both<T: PartialOrd>(actual: &str, wanted: &str, read: impl Fn(&str) -> Option<T>, order: Order) -> bool {
    read(actual).zip(read(wanted)).is_some_and(|(actual, wanted)| order.holds(&actual, &wanted))
}

/// A date and time, a date, or seconds since 1970.
fn instant(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let day = time::macros::format_description!("[year]-[month]-[day]");
    let midnight = || Some(Date::parse(text, day).ok()?.midnight().assume_utc());
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(midnight)
}

/// Whether an address is in a range: `203.0.113.0/24`, `2001:db8::/32`, or one address.
fn contains(range: &str, address: &str) -> bool {
    let (base, length) = range.split_once('/').map_or((range, None), |(base, length)| (base, Some(length)));
    let (Ok(base), Ok(address)) = (base.parse::<IpAddr>(), address.parse::<IpAddr>()) else { return false };
    let (base, address, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (u128::from(base.to_bits()), u128::from(address.to_bits()), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let Ok(length) = length.map_or(Ok(width), str::parse::<u32>) else { return false };
    let Some(ignored) = width.checked_sub(length) else { return false };
    // A shift by the whole width of the number would overflow; the range is then everything.
    base.checked_shr(ignored) == address.checked_shr(ignored)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn holds(operator: &str, key: &str, values: &[&str], context: &Context) -> bool {
        let operator = Operator::parse(operator).unwrap();
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Condition { operator, key: key.to_owned(), values }.holds(context)
    }

    #[test]
    fn every_operator_compares_its_own_way() {
        let context = Context::default()
            .with("aws:SourceAccount", "000000000000")
            .with("aws:SourceArn", "arn:aws:kafkaconnect:us-east-1:000000000000:connector/c/uuid")
            .with("aws:MultiFactorAuthAge", "300")
            .with("aws:CurrentTime", "2026-11-23T12:00:00Z")
            .with("aws:SecureTransport", "true")
            .with("aws:SourceIp", "203.0.113.7")
            .with("s3:prefix", "a*");
        for (operator, key, value, expected) in [
            ("StringEquals", "aws:sourceaccount", "000000000000", true),
            ("StringEquals", "s3:prefix", "a*", true),
            ("StringEquals", "s3:prefix", "*", false),
            ("StringEquals", "s3:prefix", "a${*}", true),
            ("StringNotEquals", "s3:prefix", "b", true),
            ("StringEqualsIgnoreCase", "s3:prefix", "A*", true),
            ("StringNotEqualsIgnoreCase", "s3:prefix", "A*", false),
            ("StringLike", "aws:SourceAccount", "0000*", true),
            ("StringLike", "aws:SourceAccount", "${aws:SourceAccount}", true),
            ("StringNotLike", "aws:SourceAccount", "0000*", false),
            ("ArnLike", "aws:SourceArn", "arn:aws:kafkaconnect:*:000000000000:connector/c/*", true),
            ("ArnEquals", "aws:SourceArn", "arn:aws:kafkaconnect:*:*:connector/d/*", false),
            ("ArnNotLike", "aws:SourceArn", "arn:aws:kafkaconnect:*:*:connector/d/*", true),
            ("NumericLessThan", "aws:MultiFactorAuthAge", "301", true),
            ("NumericGreaterThanEquals", "aws:MultiFactorAuthAge", "301", false),
            ("NumericNotEquals", "aws:MultiFactorAuthAge", "300.0", false),
            ("DateGreaterThan", "aws:CurrentTime", "2026-11-23", true),
            ("DateLessThan", "aws:CurrentTime", "2026-11-23T12:00:00Z", false),
            ("Bool", "aws:SecureTransport", "True", true),
            ("IpAddress", "aws:SourceIp", "203.0.113.0/24", true),
            ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", false),
            ("IpAddress", "aws:SourceIp", "0.0.0.0/0", true),
            ("IpAddress", "aws:SourceIp", "2001:db8::/0", false),
            ("Null", "aws:SourceIp", "false", true),
            ("Null", "aws:TokenIssueTime", "true", true),
        ] {
            assert_eq!(holds(operator, key, &[value], &context), expected, "{operator} {key} {value}");
        }
    }

    #[test]
    fn an_absent_key_fails_unless_the_operator_says_otherwise() {
        let context = Context::default();
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringEqualsIfExists", true),
            ("StringNotEquals", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("Bool", false),
        ] {
            assert_eq!(holds(operator, "aws:TagKeys", &["a"], &context), expected, "{operator}");
        }
    }

    #[test]
    fn sets_are_quantified() {
        let context = Context::default().with("aws:TagKeys", "a").with("aws:TagKeys", "b");
        assert!(holds("ForAllValues:StringEquals", "aws:TagKeys", &["a", "b", "c"], &context));
        assert!(!holds("ForAllValues:StringEquals", "aws:TagKeys", &["a"], &context));
        assert!(holds("ForAnyValue:StringEquals", "aws:TagKeys", &["a"], &context));
        assert!(!holds("ForAnyValue:StringEquals", "aws:TagKeys", &["c"], &context));
        assert!(holds("ForAnyValue:StringNotEquals", "aws:TagKeys", &["a"], &context));
        assert!(!holds("StringNotEquals", "aws:TagKeys", &["a"], &context));
    }

    #[test]
    fn unknown_operators_are_none() {
        for name in ["", "Equals", "StringEqual", "stringequals", "NumericLike", "ForEach:StringEquals", "NullIfExists"]
        {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
