//! A proxy between a step and S3 that fails one call of a step in one way, and passes all others through.
//!
//! It counts *calls*: the attempts of the SDK at one call carry one invocation id. Requests are signed for the proxy's
//! own address; the engine does not check signatures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use p1_bench::http::{Body, Broken, Server, full};
use p1_bench::proxy::Upstream;

/// How long an answer is withheld: longer than an impatient client waits for one.
const LATE: Duration = Duration::from_millis(700);

/// How long a client has to read the half of a body that it gets.
const BEFORE_BREAK: Duration = Duration::from_millis(20);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// The request is carried out, and its answer lost.
    AnswerLost,
    /// The connection is reset before the request is carried out.
    Reset,
    /// 409: somebody else is writing the key.
    Conflict,
    /// 503: slow down.
    Unavailable,
    /// 403.
    Refused,
    /// The request is carried out, and its answer comes after the time-out.
    Late,
    /// 200, created; and nothing is written.
    Unwritten,
    /// The answer breaks off in the middle of its body.
    BreaksOff,
}

/// Which attempts at a call it befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The first: the SDK tries again.
    Once,
    /// Each: the SDK gives up.
    Always,
}

/// One fault: what befalls the n-th write, or the n-th call that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) write: bool,
    pub(crate) call: usize,
    pub(crate) wrong: Wrong,
    pub(crate) scope: Scope,
}

#[derive(Debug, Default)]
struct Traffic {
    plan: Option<Plan>,
    writes: usize,
    reads: usize,
    /// The number of each call among those of its kind.
    numbers: HashMap<String, usize>,
    struck: Option<String>,
}

/// A running proxy; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    traffic: Arc<Mutex<Traffic>>,
    server: Server,
}

impl Proxy {
    /// A proxy in front of `endpoint`, on a free port.
    pub(crate) async fn before(endpoint: &str) -> Proxy {
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let faulty = Faulty {
            upstream: Upstream::new(endpoint),
            traffic: Arc::clone(&traffic),
        };
        let server = Server::start(move |request| {
            let faulty = faulty.clone();
            async move { faulty.answer(request).await }
        });
        Proxy {
            traffic,
            server: server.await.unwrap(),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Counts anew, with this fault to come.
    pub(crate) fn plan(&self, plan: Option<Plan>) {
        *self.traffic.lock().unwrap() = Traffic {
            plan,
            ..Traffic::default()
        };
    }

    /// The call that the fault has befallen since then.
    pub(crate) fn struck(&self) -> Option<String> {
        self.traffic.lock().unwrap().struck.clone()
    }
}

#[derive(Debug, Clone)]
struct Faulty {
    upstream: Upstream,
    traffic: Arc<Mutex<Traffic>>,
}

impl Faulty {
    /// What befalls this attempt, if anything does.
    fn fault(&self, request: &Request<Incoming>) -> Option<Wrong> {
        let mut traffic = self.traffic.lock().unwrap();
        let invocation = request.headers()["amz-sdk-invocation-id"].to_str().unwrap().to_owned();
        let write = request.method() == Method::PUT;
        let known = traffic.numbers.get(&invocation).copied();
        let number = known.unwrap_or(if write { traffic.writes } else { traffic.reads });
        if known.is_none() {
            traffic.numbers.insert(invocation, number);
            *(if write { &mut traffic.writes } else { &mut traffic.reads }) += 1;
        }
        let plan = traffic.plan?;
        if plan.write != write || plan.call != number || (known.is_some() && plan.scope == Scope::Once) {
            return None;
        }
        traffic.struck = Some(format!("{} {}", request.method(), request.uri()));
        Some(plan.wrong)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        match self.fault(&request) {
            None => self.upstream.pass(request).await,
            Some(Wrong::Reset) => Err(Broken),
            Some(Wrong::AnswerLost) => {
                self.upstream.pass(request).await?;
                Err(Broken)
            }
            Some(Wrong::Late) => {
                let answer = self.upstream.pass(request).await;
                tokio::time::sleep(LATE).await;
                answer
            }
            Some(Wrong::BreaksOff) => Ok(break_off(self.upstream.pass(request).await?).await),
            Some(Wrong::Conflict) => Ok(refusal(409, "ConditionalRequestConflict")),
            Some(Wrong::Unavailable) => Ok(refusal(503, "ServiceUnavailable")),
            Some(Wrong::Refused) => Ok(refusal(403, "AccessDenied")),
            Some(Wrong::Unwritten) => Ok(Response::builder()
                .header("etag", "\"00000000000000000000000000000000\"")
                .header("x-amz-version-id", "00000000-0000-4000-8000-000000000000")
                .body(full(Bytes::new()))
                .unwrap()),
        }
    }
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(full(Bytes::from(body)))
        .unwrap()
}

/// The same head, which promises all of the body, and half of the body.
async fn break_off(answer: Response<Body>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    head.headers.remove("transfer-encoding");
    head.headers.insert("content-length", bytes.len().into());
    let half = bytes.slice(..bytes.len() / 2);
    let begun = stream::once(async { Ok(Frame::data(half)) });
    // The client has the half before the connection is reset, which would take it back.
    let broken = stream::once(async {
        tokio::time::sleep(BEFORE_BREAK).await;
        Err(Broken)
    });
    let body = StreamBody::new(begun.chain(broken)).boxed_unsync();
    Response::from_parts(head, body)
}
