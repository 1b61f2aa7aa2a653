//! Dates of made-up records.

use time::macros::datetime;
use time::{Duration, PrimitiveDateTime};

const FIRST: PrimitiveDateTime = datetime!(2015-01-01 00:00:00);
/// Ten years.
const SECONDS: u64 = 3653 * 86_400;

/// A moment within ten years, as ISO 8601. `random` is any number at all.
pub(super) fn moment(random: u64) -> String {
    let seconds = (u128::from(random) * u128::from(SECONDS)) >> 64;
    let moment = FIRST + Duration::seconds(seconds as i64);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.as_hms();
    let month = u8::from(month);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_within_ten_years() {
        assert_eq!(moment(0), "2015-01-01T00:00:00");
        assert_eq!(moment(u64::MAX), "2024-12-31T23:59:59");
    }
}
