//! Date patterns as `path.format` has them: those of Joda-Time
//! (<https://www.joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormat.html>), in English.

use super::zone::{Zone, offset_text};

/// A pattern that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A letter of the pattern, and how often it stands there.
    Field(char, usize),
}

const FIELDS: &str = "GCYxwyDMdaKhHkmsSeEzZ";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What Joda-Time says of one that it doesn't take.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(letter) = rest.next() {
            if letter == '\'' {
                push(&mut pieces, &quoted(&mut rest));
            } else if letter.is_ascii_alphabetic() {
                let mut count = 1;
                while rest.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if !FIELDS.contains(letter) {
                    return Err(format!("Illegal pattern component: {}", letter.to_string().repeat(count)));
                }
                pieces.push(Piece::Field(letter, count));
            } else {
                push(&mut pieces, &letter.to_string());
            }
        }
        if pieces.is_empty() { Err("Invalid pattern specification".to_owned()) } else { Ok(Self(pieces)) }
    }

    /// Whether it writes names, which are another in every language.
    pub(super) fn has_names(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Field('G' | 'a' | 'E' | 'z', _) => true,
            Piece::Field('M', count) => *count > 2,
            _ => false,
        })
    }

    /// Writes a moment, as a zone has it.
    pub(super) fn format(&self, moment: i64, zone: &Zone) -> String {
        let field = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(letter, count) => field(*letter, *count, moment, zone),
        };
        self.0.iter().map(field).collect()
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// The text up to the closing quote. Two quotes are one, within such a text and outside of it.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    if rest.next_if_eq(&'\'').is_some() {
        return "'".to_owned();
    }
    let mut text = String::new();
    while let Some(letter) = rest.next() {
        if letter != '\'' {
            text.push(letter);
        } else if rest.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            break;
        }
    }
    text
}

fn field(letter: char, count: usize, moment: i64, zone: &Zone) -> String {
    let date = zone.date(moment);
    let padded = |number: i64| format!("{number:0count$}");
    let year = |year: i16| if count == 2 { format!("{:02}", year.rem_euclid(100)) } else { padded(year.into()) };
    let name = |name: &str, short: usize| name.chars().take(if count >= 4 { usize::MAX } else { short }).collect();
    let hour = i64::from(date.hour());
    let or = |hour: i64, midnight: i64| if hour == 0 { midnight } else { hour };
    match letter {
        'G' => "AD".to_owned(),
        'C' => padded(i64::from(date.year()) / 100),
        'Y' | 'y' => year(date.year()),
        'x' => year(date.date().iso_week_date().year()),
        'w' => padded(date.date().iso_week_date().week().into()),
        'e' => padded(date.weekday().to_monday_one_offset().into()),
        'E' => name(&format!("{:?}", date.weekday()), 3),
        'D' => padded(date.day_of_year().into()),
        'M' if count > 2 => name(MONTHS[(date.month() - 1) as usize], 3),
        'M' => padded(date.month().into()),
        'd' => padded(date.day().into()),
        'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'K' => padded(hour % 12),
        'h' => padded(or(hour % 12, 12)),
        'H' => padded(hour),
        'k' => padded(or(hour, 24)),
        'm' => padded(date.minute().into()),
        's' => padded(date.second().into()),
        'S' => {
            let digits = format!("{:09}", date.subsec_nanosecond());
            format!("{digits:0<count$}").chars().take(count).collect()
        }
        'z' => zone.abbreviation(moment),
        _ if count >= 3 => zone.id(moment),
        _ => offset_text(zone.offset(moment), count == 2),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Pattern, Zone};

    /// 13 September 2020, 12:26:40.123, a Sunday.
    const MOMENT: i64 = 1_600_000_000_123;

    #[test]
    fn patterns_are_written_as_joda_does() {
        for (pattern, zone, expected) in [
            ("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", "UTC", "year=2020/month=09/day=13/hour=12"),
            ("YYYY-MM-dd'T'HH:mm:ss.SSS", "America/Los_Angeles", "2020-09-13T05:26:40.123"),
            ("yy M d H m s S SSSSS", "UTC", "20 9 13 12 26 40 1 12300"),
            ("xxxx'W'ww-e D C", "UTC", "2020W37-7 257 20"),
            ("EEE EEEE MMM MMMM", "UTC", "Sun Sunday Sep September"),
            ("h a, K a, k", "Europe/Paris", "2 PM, 2 PM, 14"),
            ("Z ZZ ZZZ z", "Europe/Paris", "+0200 +02:00 Europe/Paris CEST"),
            ("'o''clock' ''yyyy", "UTC", "o'clock '2020"),
        ] {
            let zone = Zone::named(zone).unwrap();
            assert_eq!(Pattern::parse(pattern).unwrap().format(MOMENT, &zone), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told_as_joda_does() {
        assert_eq!(Pattern::parse("'year'=YYYY/month").unwrap_err(), "Illegal pattern component: o");
        assert_eq!(Pattern::parse("uuuu").unwrap_err(), "Illegal pattern component: uuuu");
        assert_eq!(Pattern::parse("").unwrap_err(), "Invalid pattern specification");
    }

    #[test]
    fn names_are_those_of_a_language() {
        assert!(Pattern::parse("MMM").unwrap().has_names());
        assert!(!Pattern::parse("'MMM' MM yyyy HH").unwrap().has_names());
    }
}
