//! Follows an execution to its end and returns the engine's history of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_sfn::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_sfn::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sfn::error::BoxError;
use p1_audit::history::{Ending, History};
use serde_json::Value;

use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::exit::CliError;

/// The longest time without a new event. A step's time-out is far below it.
const SILENCE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The largest number of events on one page.
const PAGE: i32 = 1000;

/// An execution that has ended.
#[derive(Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Every event, as the engine returned it.
    pub events: Vec<Value>,
    /// The history that was read from the events.
    pub history: History,
    /// How it ended.
    pub ending: Ending,
}

/// Shows the steps as they pass, until the execution ends.
///
/// # Errors
/// Returns a fault if the engine does not answer, or if no event happens for too long.
pub async fn follow(target: &Target, arn: &str, screen: &Screen) -> Result<Execution, CliError> {
    let pause = if target.is_local {
        Duration::from_millis(200)
    } else {
        Duration::from_secs(1)
    };
    let mut seen = 0;
    let mut last_news = Instant::now();
    // The first waits are short, so that a short execution is noticed sooner.
    let mut wait = pause / 4;
    loop {
        let events = events(target, arn).await?;
        if events.len() > seen {
            seen = events.len();
            last_news = Instant::now();
        }
        let history = History::read(&events);
        screen.steps(&history);
        if let Some(ending) = history.ending.clone() {
            let name = arn.rsplit(':').next().unwrap_or(arn).to_owned();
            return Ok(Execution {
                arn: arn.to_owned(),
                name,
                events,
                history,
                ending,
            });
        }
        if last_news.elapsed() > SILENCE_LIMIT {
            return Err(CliError::fault(format!(
                "execution {arn} has shown no new event for {} minutes; look at it in Step Functions and stop it if it hangs",
                SILENCE_LIMIT.as_secs() / 60
            )));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(pause);
    }
}

/// Returns all pages of the history. Each event is the JSON of the answer, because the SDK's types drop unknown fields and cannot
/// be written as JSON again.
async fn events(target: &Target, arn: &str) -> Result<Vec<Value>, CliError> {
    let mut events = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let body = AnswerBody::default();
        let request = target
            .sfn
            .get_execution_history()
            .execution_arn(arn)
            .max_results(PAGE)
            .set_next_token(token);
        let page = request.customize().interceptor(body.clone()).send().await;
        let page = page.map_err(|error| CliError::failed(&format!("read the history of execution {arn}"), &error))?;
        let answer: Value = serde_json::from_slice(&body.take())
            .map_err(|error| CliError::failed(&format!("read the history of execution {arn}"), &error))?;
        if let Value::Object(mut answer) = answer
            && let Some(Value::Array(items)) = answer.remove("events")
        {
            events.extend(items);
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(events);
        }
    }
}

/// Keeps the bytes of an answer.
#[derive(Debug, Clone, Default)]
struct AnswerBody(Arc<Mutex<Vec<u8>>>);

impl AnswerBody {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for AnswerBody {
    fn name(&self) -> &'static str {
        "AnswerBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            bytes.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }
}
