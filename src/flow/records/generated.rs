//! Made-up records of the three tables: what a user posted, where, and who it was.
//!
//! The same seed gives the same bytes, in every version and on every machine: the generator is one of a fixed
//! definition, and what is drawn from it is worked out here.

use std::io::Write;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use super::dates::moment;
use super::words::{ADJECTIVES, CATEGORIES, COUNTRIES, FIRST_NAMES, LAST_NAMES, NOUNS, TAGS};
use super::{Lanes, Taken};

/// More bytes than a record has.
const LONGEST: usize = 1024;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What was posted.
    Pin,
    /// Where it was posted.
    Geo,
    /// Who posted it.
    User,
}

impl Kind {
    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 3] = [Self::Pin, Self::Geo, Self::User];

    /// Its name, which is also the last part of the name of its topic.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Geo => "geo",
            Self::User => "user",
        }
    }

    /// The field that says which records of the three tables belong together.
    pub fn index(self) -> &'static str {
        match self {
            Self::Pin => "index",
            Self::Geo | Self::User => "ind",
        }
    }
}

/// Records that are made up as they are asked for: of each index one of every kind, then the next index.
#[derive(Debug)]
pub struct Generated {
    makers: Vec<Maker>,
    /// The index of the next record.
    index: u64,
    /// Which kind is next.
    next: usize,
}

/// Makes the records of one kind.
#[derive(Debug)]
struct Maker {
    kind: Kind,
    random: Pcg64,
    /// Whether records have their index as key.
    keyed: bool,
}

impl Generated {
    /// Records of these kinds, each with whether they have keys; the place of a kind is that of its lane.
    pub fn new(kinds: impl IntoIterator<Item = (Kind, bool)>, seed: u64) -> Self {
        // A stream of its own for each kind: what one is does not depend on which others there are.
        let random = |kind| Pcg64::new(u128::from(seed), kind as u128);
        let makers = kinds.into_iter().map(|(kind, keyed)| Maker { kind, random: random(kind), keyed }).collect();
        Self { makers, index: 1, next: 0 }
    }

    pub(super) fn take(&mut self, lanes: &mut Lanes) -> Taken {
        let (lane, index) = (self.next, self.index);
        let Some(Maker { kind, random, keyed }) = self.makers.get_mut(lane) else { return Taken::End };
        let key = keyed.then(|| index.to_string());
        lanes.write(lane, index, key.as_ref().map(String::as_bytes), LONGEST, |body| write(*kind, index, random, body));
        self.next += 1;
        if self.next == self.makers.len() {
            self.next = 0;
            self.index += 1;
        }
        Taken::Record(index)
    }
}

fn write(kind: Kind, index: u64, random: &mut Pcg64, body: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = match kind {
        Kind::Pin => pin(index, random, body),
        Kind::Geo => geo(index, random, body),
        Kind::User => user(index, random, body),
    };
}

/// A number below `end`.
fn below(random: &mut Pcg64, end: u64) -> u64 {
    let wide = u128::from(random.next_u64()) * u128::from(end);
    (wide >> 64) as u64
}

fn one<T: Copy>(random: &mut Pcg64, of: &[T]) -> T {
    of[below(random, of.len() as u64) as usize]
}

fn pin(index: u64, random: &mut Pcg64, body: &mut Vec<u8>) -> std::io::Result<()> {
    let (high, low) = (random.next_u64(), random.next_u64());
    // A random UUID, RFC 9562: version 4, variant 2.
    write!(
        body,
        r#"{{"index":{index},"unique_id":"{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}","#,
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff,
    )?;
    let category = one(random, &CATEGORIES);
    let (adjective, noun) = (one(random, &ADJECTIVES), one(random, &NOUNS));
    let number = 3 + below(random, 48);
    write!(body, r#""title":"{number} {adjective} {noun} for {category}","#)?;
    let why = one(random, &ADJECTIVES);
    write!(body, r#""description":"The {noun} that we like best this season: {adjective}, {why} and easy to make.","#)?;
    write!(body, r#""poster_name":"{} {}","#, one(random, &FIRST_NAMES), one(random, &LAST_NAMES))?;
    let followers = 1 + below(random, 999);
    write!(body, r#""follower_count":"{followers}{}","#, one(random, &["", "k", "k", "M"]))?;
    write!(body, r#""tag_list":"{category},{},{},{}","#, one(random, &TAGS), one(random, &TAGS), one(random, &TAGS))?;
    let medium = one(random, &["image", "image", "image", "video"]);
    write!(body, r#""is_image_or_video":"{medium}","#)?;
    let extension = if medium == "video" { "mp4" } else { "jpg" };
    write!(body, r#""image_src":"https://images.example.com/originals/{:016x}.{extension}","#, random.next_u64())?;
    write!(
        body,
        r#""downloaded":{},"save_location":"Local save in /data/{category}","category":"{category}"}}"#,
        below(random, 2)
    )
}

fn geo(index: u64, random: &mut Pcg64, body: &mut Vec<u8>) -> std::io::Result<()> {
    let timestamp = moment(random.next_u64());
    let (country, latitude, longitude) = one(random, &COUNTRIES);
    let mut near = |degrees: i64| {
        // Ten-thousandths of a degree, at most one degree away.
        let value = degrees * 10_000 + below(random, 20_001) as i64 - 10_000;
        format!("{}{}.{:04}", if value < 0 { "-" } else { "" }, value.abs() / 10_000, value.abs() % 10_000)
    };
    let (latitude, longitude) = (near(latitude), near(longitude));
    write!(
        body,
        r#"{{"ind":{index},"timestamp":"{timestamp}","latitude":{latitude},"longitude":{longitude},"country":"{country}"}}"#
    )
}

fn user(index: u64, random: &mut Pcg64, body: &mut Vec<u8>) -> std::io::Result<()> {
    let (first, last) = (one(random, &FIRST_NAMES), one(random, &LAST_NAMES));
    let age = 18 + below(random, 63);
    let joined = moment(random.next_u64());
    write!(
        body,
        r#"{{"ind":{index},"first_name":"{first}","last_name":"{last}","age":{age},"date_joined":"{joined}"}}"#
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::flow::lanes::Limits;

    /// The bodies that the kinds' lanes get, after so many records.
    fn bodies(kinds: &[Kind], seed: u64, count: usize) -> Vec<Vec<u8>> {
        let limits = Limits { records: usize::MAX, bytes: usize::MAX, linger: Duration::ZERO };
        let mut lanes = Lanes::new(kinds.iter().map(|kind| kind.name().to_owned()), limits);
        let mut generated = Generated::new(kinds.iter().map(|kind| (*kind, false)), seed);
        for _ in 0..count {
            assert!(matches!(generated.take(&mut lanes), Taken::Record(_)));
        }
        lanes.close_all();
        std::iter::from_fn(|| lanes.next_ready()).map(|(_, batch)| batch.close().0).collect()
    }

    fn values(body: &[u8]) -> Vec<Value> {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["records"].as_array().unwrap().iter().map(|record| record["value"].clone()).collect()
    }

    #[test]
    fn a_seed_means_the_same_bytes_for_ever() {
        let all = bodies(&Kind::ALL, 7, 300);
        assert_eq!(all, bodies(&Kind::ALL, 7, 300));
        assert_ne!(all, bodies(&Kind::ALL, 8, 300));
        assert_eq!(all[1], bodies(&[Kind::Geo], 7, 100)[0], "a kind does not depend on the others");
        let sum = Sha256::digest(all.concat());
        assert_eq!(hex::encode(sum), "2b4e24680290c672ebf7a6e94d611ea1ae1e202c16c5966890c1694aaa452cd0");
    }

    #[test]
    fn records_of_one_index_belong_together_and_have_their_fields() {
        let [pins, geos, users] = bodies(&Kind::ALL, 1, 3000).try_into().unwrap();
        let (pins, geos, users) = (values(&pins), values(&geos), values(&users));
        assert_eq!((pins.len(), geos.len(), users.len()), (1000, 1000, 1000));
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        let expected = "index unique_id title description poster_name follower_count tag_list is_image_or_video \
                        image_src downloaded save_location category";
        assert_eq!(keys(&pins[0]), expected);
        assert_eq!(keys(&geos[0]), "ind timestamp latitude longitude country");
        assert_eq!(keys(&users[0]), "ind first_name last_name age date_joined");
        let mut ids = std::collections::BTreeSet::new();
        for (number, ((pin, geo), user)) in (1..).zip(pins.iter().zip(&geos).zip(&users)) {
            assert_eq!([&pin["index"], &geo["ind"], &user["ind"]], [number, number, number]);
            assert!((18..=80).contains(&user["age"].as_u64().unwrap()));
            let (latitude, longitude) = (geo["latitude"].as_f64().unwrap(), geo["longitude"].as_f64().unwrap());
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{geo}");
            let id = pin["unique_id"].as_str().unwrap();
            assert!(id.len() == 36 && &id[14..15] == "4" && "89ab".contains(&id[19..20]), "{id}");
            assert!(ids.insert(id.to_owned()));
            for date in [&geo["timestamp"], &user["date_joined"]] {
                let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
                time::PrimitiveDateTime::parse(date.as_str().unwrap(), format).unwrap();
            }
        }
    }

    #[test]
    fn no_record_is_longer_than_is_reckoned_with() {
        for kind in Kind::ALL {
            let longest = values(&bodies(&[kind], 3, 5000)[0]).iter().map(|value| value.to_string().len()).max();
            assert!(longest < Some(LONGEST));
        }
    }
}
