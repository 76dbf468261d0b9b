//! A proxy before S3 that counts requests, and that can make every answer late or let requests through one by one.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio::sync::Semaphore;

use crate::error::BenchError;
use crate::http::{Body, Broken, Server};
use crate::proxy::Upstream;

/// One request to S3 and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `PUT`, `GET`, `HEAD` …
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// When the request had come in.
    pub began: Instant,
    /// When the answer went out.
    pub ended: Instant,
}

#[derive(Debug)]
struct State {
    log: Mutex<Vec<Exchange>>,
    others: AtomicUsize,
    delay_micros: AtomicU64,
    one_by_one: AtomicBool,
    gate: Semaphore,
}

/// The proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Meter {
    server: Server,
    state: Arc<State>,
}

impl Meter {
    /// A meter before `endpoint`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(endpoint: &str) -> Result<Self, BenchError> {
        let state = Arc::new(State {
            log: Mutex::default(),
            others: AtomicUsize::new(0),
            delay_micros: AtomicU64::new(0),
            one_by_one: AtomicBool::new(false),
            gate: Semaphore::new(1),
        });
        let (upstream, kept) = (Upstream::new(endpoint), Arc::clone(&state));
        let server = Server::start(move |request| {
            let (upstream, state) = (upstream.clone(), Arc::clone(&kept));
            async move { pass(&upstream, &state, request).await }
        })
        .await?;
        Ok(Meter { server, state })
    }

    /// Where the meter listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// From now on every answer of S3 comes later by this much.
    pub fn delay(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.state.delay_micros.store(micros, Ordering::Relaxed);
    }

    /// Whether from now on a request waits until the one before it is answered.
    pub fn one_by_one(&self, on: bool) {
        self.state.one_by_one.store(on, Ordering::Relaxed);
    }

    /// The requests to S3 since this was asked last.
    #[must_use]
    pub fn take(&self) -> Vec<Exchange> {
        self.state.others.store(0, Ordering::Relaxed);
        std::mem::take(&mut *self.state.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many requests there were since then, those to other services than S3 among them.
    #[must_use]
    pub fn count(&self) -> usize {
        let log = self.state.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.len() + self.state.others.load(Ordering::Relaxed)
    }
}

async fn pass(upstream: &Upstream, state: &State, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    // Other services are asked by POST, and name their operation in a header or in the body.
    if request.headers().contains_key("x-amz-target")
        || (request.method() == Method::POST && request.uri().path() == "/")
    {
        state.others.fetch_add(1, Ordering::Relaxed);
        return upstream.pass(request).await;
    }
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let turn = match state.one_by_one.load(Ordering::Relaxed) {
        true => Some(state.gate.acquire().await.map_err(|_| Broken)?),
        false => None,
    };
    let answer = upstream.pass(request).await?;
    let delay = Duration::from_micros(state.delay_micros.load(Ordering::Relaxed));
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    drop(turn);
    state.log.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange {
        method,
        path,
        status: answer.status().as_u16(),
        began,
        ended: Instant::now(),
    });
    Ok(answer)
}

/// How many requests had to wait for each other: the longest chain in which each began after the one before it was
/// answered. What was asked at once is one round.
#[must_use]
pub fn rounds(exchanges: &[Exchange]) -> usize {
    let mut spans: Vec<(Instant, Instant)> = exchanges.iter().map(|one| (one.began, one.ended)).collect();
    spans.sort_by_key(|(_, ended)| *ended);
    let mut last = None;
    let mut rounds = 0;
    for (began, ended) in spans {
        if last.is_none_or(|last| began >= last) {
            rounds += 1;
            last = Some(ended);
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchanges(spans: &[(u64, u64)]) -> Vec<Exchange> {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let one = |(began, ended)| Exchange {
            method: Method::GET,
            path: "/b/k".to_owned(),
            status: 200,
            began: at(began),
            ended: at(ended),
        };
        spans.iter().copied().map(one).collect()
    }

    #[test]
    fn what_is_asked_at_once_is_one_round() {
        assert_eq!(rounds(&[]), 0);
        assert_eq!(rounds(&exchanges(&[(0, 30), (1, 31), (2, 40)])), 1);
        assert_eq!(rounds(&exchanges(&[(0, 30), (1, 31), (32, 60), (61, 90)])), 3);
        // A long one beside a chain of three does not add to it.
        assert_eq!(rounds(&exchanges(&[(0, 100), (0, 30), (31, 60), (61, 90)])), 3);
    }
}
