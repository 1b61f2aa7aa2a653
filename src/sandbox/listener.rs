//! The listener: connections, and how they end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use s3s::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long calls that are under way may take to end when the sandbox stops.
const LAST_CALLS: Duration = Duration::from_secs(1);
/// What `accept` may fail with is about one connection, or a shortage of descriptors that passes.
pub(crate) const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(10);

/// Whoever answers what comes over HTTP.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers a request.
    ///
    /// # Errors
    /// Where it is to be left without an answer.
    fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> impl Future<Output = Result<Response<Body>, Unanswered>> + Send;
}

/// A call that is left without an answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The connection is closed.
    #[error("the connection is closed without an answer")]
    Closed,
    /// The connection is reset.
    #[error("the connection is reset without an answer")]
    Reset,
}

/// Serves until `stop` comes.
pub(crate) async fn serve<R>(listener: TcpListener, server: Arc<impl Answer>, stop: impl Future<Output = R>) {
    let mut stop = std::pin::pin!(stop);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.spawn(converse(stream, client, Arc::clone(&server), graceful.watcher()));
                }
                Err(_) => tokio::time::sleep(AFTER_FAILED_ACCEPT).await,
            },
            // Finished tasks are taken out as they end: a long-lived `sandbox up` sees many connections.
            Some(_) = connections.join_next() => {}
            _ = &mut stop => break,
        }
    }
    drop(listener);
    // What hasn't ended by then ends with `connections`.
    let _ = tokio::time::timeout(LAST_CALLS, graceful.shutdown()).await;
}

async fn converse(stream: TcpStream, client: SocketAddr, server: Arc<impl Answer>, watcher: Watcher) {
    // Small requests and replies go back and forth: waiting to fill packets would only cost time.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Resettable { stream, reset: Arc::clone(&reset) };
    let service = service_fn(move |request: Request<Incoming>| {
        let (server, reset) = (Arc::clone(&server), Arc::clone(&reset));
        async move {
            let answer = server.answer(request, client).await;
            if matches!(answer, Err(Unanswered::Reset)) {
                reset.store(true, Ordering::Relaxed);
            }
            answer
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    // A client that goes away in the middle is not an error of ours.
    let _ = watcher.watch(connection).await;
}

/// A connection that is reset, not closed, where that is asked for before it is dropped.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Closing a socket that must not linger sends a RST.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
