//! The HTTP/1.1 servers of the benchmark and of the end-to-end tests: on a free loopback port, until they are dropped.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::BenchError;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// Why a connection ends without an answer, or in the middle of one.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is given up")
    }
}

impl std::error::Error for Broken {}

/// A body of these bytes.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// An answer of this status and these bytes.
#[must_use]
pub fn answer(status: u16, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(full(bytes));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A server that answers by `handler`. Where that gives [`Broken`], the connection is reset.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start<H, F>(handler: H) -> Result<Self, BenchError>
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<Body>, Broken>> + Send + 'static,
    {
        let bound = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bound.await.map_err(BenchError::io("listen on 127.0.0.1"))?;
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                // A connection that is given up is reset, not closed in good order.
                let _ = stream.set_zero_linger();
                let _ = stream.set_nodelay(true);
                let service = hyper::service::service_fn(handler.clone());
                tokio::spawn(async move {
                    // An error here is a connection that either side has given up.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Server { address, task })
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `http://host:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}
