//! A request's body, lent to S3 and given back with what S3 did not read.
//!
//! A call that is refused leaves its body unread, and a server that closes a connection on which something is still
//! coming in breaks it under the client, which then never sees the refusal.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// The body, as S3 gets it.
pub(super) struct Lent {
    body: Option<Incoming>,
    back: Option<Sender<Incoming>>,
}

/// Where the body comes back to.
pub(super) struct Lender(Receiver<Incoming>);

/// Lends a body.
pub(super) fn lend(body: Incoming) -> (Lent, Lender) {
    let (back, returned) = channel();
    (Lent { body: Some(body), back: Some(back) }, Lender(returned))
}

impl Lender {
    /// Reads what is left of the body, and forgets it.
    pub(super) async fn drain(mut self) {
        if let Ok(mut body) = self.0.try_recv() {
            while let Some(Ok(_)) = body.frame().await {}
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it where the call was given up.
            let _ = back.send(body);
        }
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }
}
