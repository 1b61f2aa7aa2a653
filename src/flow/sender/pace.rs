//! So many records a second, evenly.

use std::time::Duration;

use tokio::time::Instant;

/// How much may be made up for after a pause. Without a bound, a minute's trouble would be followed by a flood.
const LAG: Duration = Duration::from_millis(50);

/// Says when the next record may be taken.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time between two records; none where they may come as fast as they can.
    interval: Option<Duration>,
    next: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>, now: Instant) -> Self {
        Self { interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)), next: now }
    }

    /// Whether a record may be taken now; then it is reckoned with.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let Some(interval) = self.interval else { return true };
        if now < self.next {
            return false;
        }
        let earliest = now.checked_sub(LAG).unwrap_or(now);
        self.next = self.next.max(earliest) + interval;
        true
    }

    /// When that will be, where it isn't now.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        (self.interval.is_some() && self.next > now).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many records are taken within a second, if they are asked for every so often.
    fn within_a_second(rate: Option<f64>, every: Duration) -> usize {
        let start = Instant::now();
        let mut pace = Pace::new(rate, start);
        let mut taken = 0;
        let mut passed = Duration::ZERO;
        while passed < Duration::from_secs(1) {
            while taken < 1_000_000 && pace.take(start + passed) {
                taken += 1;
            }
            passed += every;
        }
        taken
    }

    #[test]
    fn a_rate_is_kept_however_seldom_it_is_asked() {
        for every in [1, 7, 20] {
            let every = Duration::from_millis(every);
            // The last time that it is asked is before the second is over.
            assert!((975..=1010).contains(&within_a_second(Some(1000.0), every)), "{every:?}");
            assert!((48_500..=51_000).contains(&within_a_second(Some(50_000.0), every)), "{every:?}");
        }
        assert_eq!(within_a_second(Some(2.0), Duration::from_millis(1)), 2);
        assert_eq!(within_a_second(None, Duration::from_millis(500)), 1_000_000);
    }

    #[test]
    fn a_pause_is_not_followed_by_a_flood() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(100.0), start);
        assert!(pace.take(start));
        let later = start + Duration::from_secs(60);
        let mut taken = 0;
        while pace.take(later) {
            taken += 1;
        }
        assert!((4..=7).contains(&taken), "{taken}");
        assert!(pace.next(later).is_some_and(|next| next <= later + Duration::from_millis(10)));
    }
}
