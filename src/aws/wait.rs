//! Waiting until a thing has settled.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The first pause between two looks. AWS's own states rarely last less.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause: a connector takes minutes, and five seconds more do not matter then.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How much longer each pause is than the one before: so a wait lasts at most that much longer than what it waits for.
const GROWTH: f32 = 1.25;

/// What a look at a thing says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is as it should be.
    Settled,
    /// It is on its way; the state that it is in.
    Pending(String),
    /// It will never be; why.
    Failed(String),
}

/// A wait that ended badly.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The thing reached a state that it does not leave.
    #[error("{0}")]
    Failed(String),
    /// The time was up.
    #[error("still {state} after {}; it may yet get there: look at it in AWS, then apply again", minutes(*.limit))]
    TimedOut {
        /// The last state that was seen.
        state: String,
        /// How long it was waited for.
        limit: Duration,
    },
}

fn minutes(limit: Duration) -> String {
    match limit.as_secs() {
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

/// Reads until `judge` is content with what was read, and returns that. Each pending state is told to `tell`.
///
/// # Errors
/// Those of `read`; [`WaitError`] where the thing failed, or `limit` has passed.
pub async fn wait_until<T, R, F>(
    limit: Duration,
    mut tell: impl FnMut(&str) + Send,
    mut read: R,
    judge: impl Fn(&T) -> Look + Send,
) -> Result<T, Box<dyn Error + Send + Sync>>
where
    T: Send,
    R: FnMut() -> F + Send,
    F: Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send,
{
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let seen = read().await?;
        let state = match judge(&seen) {
            Look::Settled => return Ok(seen),
            Look::Failed(why) => return Err(WaitError::Failed(why).into()),
            Look::Pending(state) => state,
        };
        if Instant::now() + pause > deadline {
            return Err(WaitError::TimedOut { state, limit }.into());
        }
        tell(&state);
        sleep(pause).await;
        pause = pause.mul_f32(GROWTH).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn count(seen: &AtomicU32) -> impl FnMut() -> std::future::Ready<Result<u32, Box<dyn Error + Send + Sync>>> {
        move || std::future::ready(Ok(seen.fetch_add(1, Ordering::Relaxed)))
    }

    #[tokio::test(start_paused = true)]
    async fn returns_what_was_read_once_it_has_settled() {
        let reads = AtomicU32::new(0);
        let mut told = Vec::new();
        let seen = wait_until(
            Duration::from_secs(60),
            |state| told.push(state.to_owned()),
            count(&reads),
            |n| if *n == 2 { Look::Settled } else { Look::Pending(format!("STATE {n}")) },
        )
        .await;
        assert_eq!(seen.unwrap(), 2);
        assert_eq!(told, ["STATE 0", "STATE 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_at_once_on_a_state_that_is_final() {
        let reads = AtomicU32::new(0);
        let error = wait_until(Duration::from_secs(60), |_| {}, count(&reads), |_| Look::Failed("FAILED: no".into()))
            .await
            .unwrap_err();
        assert_eq!((error.to_string().as_str(), reads.load(Ordering::Relaxed)), ("FAILED: no", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_in_time_and_tells_the_last_state() {
        let reads = AtomicU32::new(0);
        let error = wait_until(Duration::from_secs(300), |_| {}, count(&reads), |_| Look::Pending("CREATING".into()))
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("still CREATING after 5 minutes"), "{error}");
    }
}
