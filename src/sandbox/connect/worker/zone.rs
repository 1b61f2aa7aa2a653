//! Time zones, as Joda-Time knows them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Zone {
    /// The zone of an id such as `UTC`, `Europe/Paris` or `+02:00`. As in Joda-Time, its case counts.
    pub(super) fn named(id: &str) -> Option<Self> {
        if let Some(offset) = offset(id) {
            return Some(Self(TimeZone::fixed(offset)));
        }
        let zone = TimeZone::get(id).ok()?;
        (id == "UTC" || zone.iana_name() == Some(id)).then_some(Self(zone))
    }

    /// What a clock on the wall shows at a moment, in milliseconds since its 1970.
    pub(super) fn local(&self, moment: i64) -> i64 {
        let offset = self.0.to_offset(timestamp(moment));
        moment + i64::from(offset.seconds()) * 1000
    }

    /// The moment at which a clock on the wall shows a time: the first of two, and none that is skipped.
    pub(super) fn moment(&self, local: i64) -> i64 {
        let shown = TimeZone::UTC.to_datetime(timestamp(local));
        self.0.to_ambiguous_timestamp(shown).compatible().map_or(local, Timestamp::as_millisecond)
    }

    /// The date and time at a moment.
    pub(super) fn date(&self, moment: i64) -> DateTime {
        self.0.to_datetime(timestamp(moment))
    }

    /// The offset from UTC at a moment, in minutes.
    pub(super) fn offset(&self, moment: i64) -> i32 {
        self.0.to_offset(timestamp(moment)).seconds() / 60
    }

    /// The abbreviated name that is used at a moment.
    pub(super) fn abbreviation(&self, moment: i64) -> String {
        self.0.to_offset_info(timestamp(moment)).abbreviation().to_owned()
    }

    /// The id, or the offset.
    pub(super) fn id(&self, moment: i64) -> String {
        self.0.iana_name().map_or_else(|| offset_text(self.offset(moment), true), str::to_owned)
    }

    /// The next of the moments that are a period apart, counted from midnight, or the next midnight.
    pub(super) fn next(&self, moment: i64, period: i64) -> i64 {
        // A day has 23 or 25 hours where clocks change.
        let day = self.local(moment).div_euclid(DAY);
        let (midnight, next_midnight) = (self.moment(day * DAY), self.moment((day + 1) * DAY));
        let passed = (moment - midnight) / period;
        (midnight + (passed + 1) * period).min(next_midnight)
    }
}

/// `+01:30`, or `+0130` without the colon.
pub(super) fn offset_text(minutes: i32, colon: bool) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    if colon { format!("{sign}{hours:02}:{minutes:02}") } else { format!("{sign}{hours:02}{minutes:02}") }
}

/// Reads `+01:30`, `-0800` or `+02`.
fn offset(text: &str) -> Option<Offset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replace(':', "");
    let seconds = match digits.len() {
        2 | 4 if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            let hours: i32 = digits[..2].parse().ok()?;
            let minutes: i32 = digits.get(2..4).filter(|minutes| !minutes.is_empty()).map_or(Ok(0), str::parse).ok()?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * 60
        }
        _ => return None,
    };
    Offset::from_seconds(sign * seconds).ok()
}

/// A moment as the library has it; the first that there is where it is out of all bounds.
fn timestamp(moment: i64) -> Timestamp {
    Timestamp::from_millisecond(moment).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Zone;

    /// 13 September 2020, 12:26:40.
    const MOMENT: i64 = 1_600_000_000_000;

    #[test]
    fn zones_are_those_of_joda() {
        for id in ["UTC", "Europe/Paris", "America/Los_Angeles", "+02:00", "-08", "+0530", "GMT", "EST"] {
            assert!(Zone::named(id).is_some(), "{id}");
        }
        for id in ["", "utc", "Mars/Base", "europe/paris", "+25:00", "+1", "02:00"] {
            assert!(Zone::named(id).is_none(), "{id}");
        }
    }

    #[test]
    fn local_times_go_forth_and_back() {
        for (id, hours) in [("UTC", 0), ("Europe/Paris", 2), ("America/Los_Angeles", -7), ("-08:00", -8)] {
            let zone = Zone::named(id).unwrap();
            assert_eq!(zone.local(MOMENT), MOMENT + hours * 3_600_000, "{id}");
            assert_eq!(zone.moment(zone.local(MOMENT)), MOMENT, "{id}");
        }
    }

    #[test]
    fn scheduled_moments_are_counted_from_midnight() {
        let hour = 3_600_000;
        let utc = Zone::named("UTC").unwrap();
        let midnight = MOMENT / (24 * hour) * 24 * hour;
        assert_eq!(utc.next(MOMENT, hour), midnight + 13 * hour);
        assert_eq!(utc.next(midnight, hour), midnight + hour);
        assert_eq!(utc.next(MOMENT, 10 * hour), midnight + 20 * hour);
        assert_eq!(utc.next(midnight + 21 * hour, 10 * hour), midnight + 24 * hour);
        let india = Zone::named("+05:30").unwrap();
        assert_eq!(india.next(MOMENT, hour), midnight + 12 * hour + hour / 2);
    }
}
