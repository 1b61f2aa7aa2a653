//! Dates in records, as `RecordField` reads them: what Joda-Time's `ISODateTimeFormat.dateTimeParser()` takes.

use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::TimeZone;

use super::zone::Zone;

/// The moment that a text names, in UTC where it names no zone.
pub(super) fn moment(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let shows_date = !date.is_empty() || time.is_none();
    let (time, zone) = match time {
        None => (Time::midnight(), None),
        Some(time) => {
            let split = time.find(['Z', '+', '-']).unwrap_or(time.len());
            let zone = Some(&time[split..]).filter(|zone| !zone.is_empty());
            (time_of(&time[..split])?, zone)
        }
    };
    let date = if shows_date { date_of(date)? } else { Date::new(1970, 1, 1).ok()? };
    let shown = DateTime::from_parts(date, time);
    let local = TimeZone::UTC.to_timestamp(shown).ok()?.as_millisecond();
    match zone {
        None | Some("Z") => Some(local),
        Some(offset) => Some(Zone::named(offset)?.moment(local)),
    }
}

/// A date by month and day, by week and day, or by the day of the year.
fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year: i16 = number(parts.next()?, 4)?;
    let parts: Vec<&str> = parts.collect();
    let week = |week: &str, day: i8| {
        let week = number(week.strip_prefix('W')?, 2)?;
        ISOWeekDate::new(year, week, Weekday::from_monday_one_offset(day).ok()?).ok().map(ISOWeekDate::date)
    };
    match parts[..] {
        [] => Date::new(year, 1, 1).ok(),
        [first] if first.starts_with('W') => week(first, 1),
        [first, day] if first.starts_with('W') => week(first, number(day, 1)?),
        [day] if day.len() == 3 => Date::new(year, 1, 1).ok()?.with().day_of_year(number(day, 3)?).build().ok(),
        [month] => Date::new(year, number(month, 2)?, 1).ok(),
        [month, day] => Date::new(year, number(month, 2)?, number(day, 2)?).ok(),
        _ => None,
    }
}

/// Hours, then perhaps minutes and seconds; the last of them may have a fraction.
fn time_of(text: &str) -> Option<Time> {
    const UNITS: [i64; 3] = [3_600_000_000_000, 60_000_000_000, 1_000_000_000];
    let (whole, fraction) = text.split_once(['.', ',']).map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let parts: Vec<i64> = whole.split(':').map(|part| number(part, 2)).collect::<Option<_>>()?;
    let unit = *UNITS.get(parts.len().checked_sub(1)?)?;
    let most = [23, 59, 59];
    if parts.iter().zip(most).any(|(part, most)| *part > most) {
        return None;
    }
    let mut nanoseconds: i64 = parts.iter().zip(UNITS).map(|(part, unit)| part * unit).sum();
    if let Some(fraction) = fraction {
        if fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let part: f64 = format!("0.{fraction}").parse().ok()?;
        nanoseconds += (part * unit as f64).round() as i64;
    }
    let (seconds, rest) = (nanoseconds / UNITS[2], nanoseconds % UNITS[2]);
    Time::new((seconds / 3600) as i8, (seconds / 60 % 60) as i8, (seconds % 60) as i8, rest as i32).ok()
}

/// A number of up to so many digits.
fn number<N: std::str::FromStr>(text: &str, digits: usize) -> Option<N> {
    let fits = (1..=digits).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn iso_dates_are_read() {
        const MOMENT: i64 = 1_600_000_000_000;
        for (text, expected) in [
            ("2020-09-13T12:26:40", MOMENT),
            ("2020-09-13T12:26:40Z", MOMENT),
            ("2020-09-13T12:26:40.123Z", MOMENT + 123),
            ("2020-09-13T14:26:40,5+02:00", MOMENT + 500),
            ("2020-09-13T04:26:40-0800", MOMENT),
            ("2020-09-13T12:26", MOMENT - 40_000),
            ("2020-257T12:26:40", MOMENT),
            ("2020-W37-7T12:26:40", MOMENT),
            ("2020-09-13", MOMENT - 44_800_000),
            ("2020-09", MOMENT - 44_800_000 - 12 * 86_400_000),
            ("2020-9-13T12.5", MOMENT - 44_800_000 + 45_000_000),
            ("T00:00:01Z", 1000),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_iso_date_is_none() {
        for text in ["", "2020-09-13 12:26:40", "13/09/2020", "2020-13-01", "2020-09-13T25:00", "2020-09-13T12:26:40x"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
