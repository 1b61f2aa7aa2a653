//! From what was seen to what is declared, with the fewest calls.

use std::time::Duration;

use tokio::time::sleep;

use crate::aws::{Failure, sent};
use crate::engine::{Progress, Result};

use super::RestApi;
use super::seen::Seen;

/// How often it starts again after a conflict, and how long it waits before.
const FRESH_STARTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be made of an API.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aim {
    /// What is declared.
    Declared,
    /// What it was before us; of a shared one.
    WithoutUs,
}

impl RestApi {
    /// Works towards `aim` until it is reached.
    ///
    /// AWS answers a conflict where somebody else changes the same API at that moment, and where a call whose answer
    /// was lost is made again. A fresh look tells what is left to do in both cases.
    pub(super) async fn pursue(&self, aim: Aim, mut seen: Seen, progress: &Progress) -> Result<()> {
        for start in 1..=FRESH_STARTS {
            match self.pursue_once(aim, &seen, progress).await {
                Err(failure) if failure.is("ConflictException") => {
                    progress.note(format!("looking again after {failure}"));
                    sleep(PAUSE * start).await;
                    seen = self.see(seen.id()).await?;
                }
                outcome => return Ok(outcome?),
            }
        }
        Ok(self.pursue_once(aim, &seen, progress).await?)
    }

    async fn pursue_once(&self, aim: Aim, seen: &Seen, progress: &Progress) -> std::result::Result<(), Failure> {
        match aim {
            Aim::Declared => self.converge(seen, progress).await,
            Aim::WithoutUs => self.withdraw(seen, progress).await,
        }
    }

    /// One pass, call by call: AWS refuses changes of one API that overlap.
    async fn converge(&self, seen: &Seen, progress: &Progress) -> std::result::Result<(), Failure> {
        let have = self.parts(seen);
        if have.tag != self.wanted.tag {
            progress.note("marking the shared API");
            self.mark(seen.id()).await?;
        }
        if have.frozen() != self.wanted.frozen() {
            progress.note("putting the proxy in place");
            let proxy = self.proxy_resource(seen).await?;
            self.converge_method(seen, &proxy).await?;
            self.converge_preflight(seen, &proxy).await?;
            self.converge_errors(seen).await?;
        }
        let deployed = self.converge_stage(seen, progress).await?;
        self.converge_keys(seen).await?;
        self.clear_up(seen, &deployed).await
    }

    async fn mark(&self, id: &str) -> std::result::Result<(), Failure> {
        let tags = &self.context.tags;
        let call = self.client().tag_resource().resource_arn(self.arn(id));
        sent(call.tags(tags.shared_key(), tags.shared_value()).send().await).map(drop)
    }
}
