//! Many questions, one request: whoever is first asks for all that came while the request before was under way.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex as Turn, oneshot};
use tokio::time::{Instant, sleep};

use crate::engine::{Cause, Result};

/// How long the first one waits for others that come at the same time.
const OTHERS: Duration = Duration::from_millis(3);
/// How long it waits at most after a request that took long.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Questions of one kind that are asked together.
#[derive(Debug)]
pub(super) struct Gather<Q, A, E> {
    waiting: Mutex<Vec<Waiting<Q, A, E>>>,
    turn: Turn<Option<Last>>,
}

/// The last request.
#[derive(Clone, Copy, Debug)]
struct Last {
    ended: Instant,
    took: Duration,
}

type Waiting<Q, A, E> = (Q, oneshot::Sender<std::result::Result<A, E>>);

impl<Q, A, E: Into<Cause>> Gather<Q, A, E> {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), turn: Turn::new(None) }
    }

    /// The answer to one question. `ask` is asked for all that wait, and answers each, in order.
    ///
    /// # Errors
    /// The one that the question is answered with.
    pub(super) async fn answer<F>(
        &self,
        question: Q,
        ask: impl FnOnce(Vec<Q>) -> F + Send,
    ) -> Result<std::result::Result<A, E>>
    where
        F: Future<Output = Vec<std::result::Result<A, E>>> + Send,
    {
        let (sender, mut receiver) = oneshot::channel();
        self.lock().push((question, sender));
        let mut last = self.turn.lock().await;
        match receiver.try_recv() {
            Ok(answer) => return Ok(answer),
            Err(TryRecvError::Closed) => return Err("it was asked together with others, and broken off".into()),
            Err(TryRecvError::Empty) => {}
        }
        // So at most half of the time goes into asking, however many there are that ask again and again.
        let rest = last.map_or(Duration::ZERO, |last: Last| last.took.saturating_sub(last.ended.elapsed()));
        sleep(rest.clamp(OTHERS, LONGEST_REST)).await;
        let began = Instant::now();
        let (questions, senders): (Vec<Q>, Vec<_>) = std::mem::take(&mut *self.lock()).into_iter().unzip();
        for (sender, answer) in senders.into_iter().zip(ask(questions).await) {
            // Whoever went away meanwhile doesn't want it.
            let _ = sender.send(answer);
        }
        *last = Some(Last { ended: Instant::now(), took: began.elapsed() });
        receiver.await.map_err(Into::into)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<Q, A, E>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_questions_are_few_requests_and_each_gets_its_own_answer() {
        let (gather, requests) = (Gather::<usize, usize, String>::new(), AtomicUsize::new(0));
        let answers = join_all((0..1000).map(|number| {
            gather.answer(number, |numbers| async {
                requests.fetch_add(1, Ordering::Relaxed);
                numbers.into_iter().map(|n| if n == 7 { Err("seven".to_owned()) } else { Ok(n * 2) }).collect()
            })
        }))
        .await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
        assert_eq!(answers[7], Err("seven".to_owned()));
        assert!((0..1000).filter(|n| *n != 7).all(|n| answers[n] == Ok(n * 2)));
        assert_eq!(requests.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_a_request_is_under_way_is_in_the_next_one() {
        let gather = Gather::<u8, Vec<u8>, String>::new();
        let ask = |all: Vec<u8>| async move {
            sleep(Duration::from_secs(1)).await;
            all.iter().map(|_| Ok(all.clone())).collect()
        };
        let later = |delay, question| {
            let gather = &gather;
            async move {
                sleep(Duration::from_millis(delay)).await;
                gather.answer(question, ask).await.unwrap().unwrap()
            }
        };
        let answers = join_all([later(0, 1), later(500, 2), later(600, 3)]).await;
        assert_eq!(answers, [vec![1], vec![2, 3], vec![2, 3]]);
    }
}
