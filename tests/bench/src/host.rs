//! A minimal Lambda service: function binaries as processes of ours, over a Runtime API of ours.
//!
//! Each function has one queue, from which its processes, Lambda calls them execution environments, take what comes next.
//! They are children of this process, so that what they use is known exactly.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::cpu;
use crate::error::BenchError;
use crate::http::{Body, Broken, Server, answer};

/// How long a process may take to ask for its first event, and a function to answer one: a guard against a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a function ended that gave no result.
#[derive(Debug, Clone)]
struct Failure(String);

#[derive(Debug)]
struct Invocation {
    id: String,
    payload: Bytes,
    reply: oneshot::Sender<Result<Value, Failure>>,
}

#[derive(Debug)]
struct Queue {
    name: String,
    sender: mpsc::UnboundedSender<Invocation>,
    receiver: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Result<Value, Failure>>>>,
    /// Told whenever a process asks for what comes next.
    asked: mpsc::UnboundedSender<Result<(), Failure>>,
    count: AtomicU64,
}

/// A function and its processes. Dropping it ends them.
#[derive(Debug)]
pub struct Function {
    queue: Arc<Queue>,
    server: Server,
    asked: mpsc::UnboundedReceiver<Result<(), Failure>>,
    binary: PathBuf,
    variables: Vec<(String, String)>,
    log: PathBuf,
    processes: Vec<Child>,
}

impl Function {
    /// A function without a process yet. What its processes write goes to a file below `logs`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn new(
        name: &str,
        binary: &Path,
        variables: &[(String, String)],
        logs: &Path,
    ) -> Result<Self, BenchError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (told, asked) = mpsc::unbounded_channel();
        let queue = Arc::new(Queue {
            name: name.to_owned(),
            sender,
            receiver: tokio::sync::Mutex::new(receiver),
            running: Mutex::default(),
            asked: told,
            count: AtomicU64::new(0),
        });
        let kept = Arc::clone(&queue);
        let server = Server::start(move |request| {
            let queue = Arc::clone(&kept);
            async move { runtime_api(&queue, request).await }
        })
        .await?;
        std::fs::create_dir_all(logs).map_err(BenchError::io(format!("create {}", logs.display())))?;
        Ok(Function {
            queue,
            server,
            asked,
            binary: binary.to_path_buf(),
            variables: variables.to_vec(),
            log: logs.join(format!("{name}.log")),
            processes: Vec::new(),
        })
    }

    /// Starts a process, waits until it asks for its first event, and says what CPU time it took until then.
    ///
    /// # Errors
    /// When it cannot be started or ends instead.
    pub async fn start(&mut self) -> Result<Duration, BenchError> {
        let operation = format!("start {}", self.queue.name);
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(BenchError::io(format!("open {}", self.log.display())))?;
        let errors = log
            .try_clone()
            .map_err(BenchError::io(format!("open {}", self.log.display())))?;
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", self.server.authority())
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.queue.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(BenchError::io(&operation))?;
        let pid = child.id().unwrap_or_default();
        let first = tokio::select! {
            asked = self.asked.recv() => asked.unwrap_or_else(|| Err(Failure("the Runtime API ended".to_owned()))),
            ended = child.wait() => Err(Failure(match ended {
                Ok(status) => format!("it ended with {status}"),
                Err(error) => error.to_string(),
            })),
            () = tokio::time::sleep(PATIENCE) => Err(Failure("it asks for no event".to_owned())),
        };
        first.map_err(|failure| BenchError::wrong(operation, self.explain(&failure)))?;
        let used = cpu::of_process(pid)?;
        self.processes.push(child);
        Ok(used)
    }

    /// Ends all of its processes and waits until they are gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(&mut self) -> Result<(), BenchError> {
        for mut child in self.processes.drain(..) {
            child
                .kill()
                .await
                .map_err(BenchError::io(format!("end {}", self.queue.name)))?;
        }
        while self.asked.try_recv().is_ok() {}
        Ok(())
    }

    /// Hands an event to whichever process is free next, and gives its result.
    ///
    /// # Errors
    /// When the function fails, or does not answer.
    pub async fn invoke(&self, payload: &Value) -> Result<Value, BenchError> {
        let operation = || format!("invoke {}", self.queue.name);
        let (reply, replied) = oneshot::channel();
        let number = self.queue.count.fetch_add(1, Ordering::Relaxed);
        let invocation = Invocation {
            id: format!("{number:08x}-0000-4000-8000-000000000000"),
            payload: payload.to_string().into(),
            reply,
        };
        // The receiver lives as long as the queue.
        let _ = self.queue.sender.send(invocation);
        match tokio::time::timeout(PATIENCE, replied).await {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(failure))) => Err(BenchError::wrong(operation(), self.explain(&failure))),
            Ok(Err(_)) => Err(BenchError::wrong(operation(), "the Runtime API ended")),
            Err(_) => Err(BenchError::wrong(
                operation(),
                self.explain(&Failure("it does not answer".to_owned())),
            )),
        }
    }

    /// What its processes have used together since each started.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn cpu(&self) -> Result<Duration, BenchError> {
        self.pids().map(cpu::of_process).sum()
    }

    /// The most memory that any of its processes ever held, in bytes.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn peak_memory(&self) -> Result<u64, BenchError> {
        let peaks: Result<Vec<u64>, BenchError> = self.pids().map(cpu::peak_memory).collect();
        Ok(peaks?.into_iter().max().unwrap_or_default())
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|child| child.id().unwrap_or_default())
    }

    /// The failure, and where more is said.
    fn explain(&self, failure: &Failure) -> String {
        format!("{}; its log is {}", failure.0, self.log.display())
    }
}

async fn runtime_api(queue: &Queue, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
    if request.method() == Method::GET && rest == "invocation/next" {
        return next(queue).await;
    }
    let body = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
    if rest == "init/error" {
        let _ = queue.asked.send(Err(Failure(said(&body))));
        return Ok(answer(202, "{}"));
    }
    let Some((id, end)) = rest.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) else {
        return Ok(answer(404, "{}"));
    };
    let result = match end {
        "response" => serde_json::from_slice(&body).map_err(|error| Failure(format!("its result is no JSON: {error}"))),
        _ => Err(Failure(said(&body))),
    };
    let reply = queue.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    match reply {
        // Who invoked it may have given up.
        Some(reply) => drop(reply.send(result)),
        None => return Ok(answer(404, "{}")),
    }
    Ok(answer(202, "{}"))
}

async fn next(queue: &Queue) -> Result<Response<Body>, Broken> {
    let _ = queue.asked.send(Ok(()));
    let invocation = queue.receiver.lock().await.recv().await.ok_or(Broken)?;
    let mut response = answer(200, invocation.payload);
    let headers = response.headers_mut();
    let deadline = jiff::Timestamp::now().as_millisecond() + 60_000;
    let arn = format!("arn:aws:lambda:eu-west-2:123456789012:function:{}:1", queue.name);
    let named = [
        ("lambda-runtime-aws-request-id", invocation.id.clone()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
    ];
    for (name, value) in named {
        headers.insert(name, HeaderValue::from_str(&value).map_err(|_| Broken)?);
    }
    queue
        .running
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(invocation.id, invocation.reply);
    Ok(response)
}

/// What a function said when it failed.
fn said(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match (value["errorType"].as_str(), value["errorMessage"].as_str()) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}
