//! Durations and sizes as people write them: `7d`, `90s`, `1GiB`.

use std::time::Duration;

/// Milliseconds in each unit of time.
const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes in each unit of size. Kafka's own sizes are powers of two, so there is no `GB` to mistake for a `GiB`.
const SIZES: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`. A bare `0` needs no unit.
///
/// # Errors
/// Where the text is something else, or too long to count in milliseconds: what is wrong and what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    amount(text, &TIMES).map(Duration::from_millis).ok_or_else(|| {
        format!("\"{text}\" is not a duration; expected a whole number and a unit: 500ms, 90s, 15m, 8h or 7d")
    })
}

/// The milliseconds that a Kafka setting whose name ends in `.ms` takes, from a bare number (`-1` is Kafka's "no
/// limit") or a duration.
pub(super) fn milliseconds(text: &str) -> Result<String, String> {
    quantity(text, &TIMES).ok_or_else(|| {
        format!(
            "\"{text}\" is not a time; \
            expected milliseconds, or a duration such as 90s, 8h or 7d"
        )
    })
}

/// The bytes that a Kafka setting whose name ends in `.bytes` takes, from a bare number or a size.
pub(super) fn bytes(text: &str) -> Result<String, String> {
    quantity(text, &SIZES)
        .ok_or_else(|| format!("\"{text}\" is not a size; expected bytes, or a size such as 64KiB, 512MiB or 1GiB"))
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<String> {
    if text.parse::<i64>().is_ok_and(|number| number >= -1) {
        return Some(text.trim_start_matches('+').to_owned());
    }
    // Kafka's longs are signed.
    amount(text, units).filter(|number| i64::try_from(*number).is_ok()).map(|number| number.to_string())
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, milliseconds, parse_duration};

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_duration("8h"), Ok(Duration::from_secs(28_800)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "7", "d", "-1s", "1.5h", "7 days", "99999999999999999999d", "18446744073709551615d", "7d\u{e9}"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn kafkas_numbers_stay_as_they_are_and_units_are_counted() {
        assert_eq!(milliseconds("604800000").as_deref(), Ok("604800000"));
        assert_eq!(milliseconds("-1").as_deref(), Ok("-1"));
        assert_eq!(milliseconds("7d").as_deref(), Ok("604800000"));
        assert_eq!(bytes("1GiB").as_deref(), Ok("1073741824"));
        assert!(bytes("1GB").is_err());
        assert!(bytes("-2").is_err());
        assert!(milliseconds("12e4").is_err());
        assert!(bytes("16777216TiB").is_err());
    }
}
