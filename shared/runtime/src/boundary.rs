//! The boundary of an invocation, the same for all ten functions. It parses the payload, runs the step, and logs and counts the
//! outcome once. Every failure inside becomes a [`Fault`], including a panic.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use p1_contract::ids::{DeploymentName, ExecutionArn};
use p1_contract::owner::Owner;
use p1_contract::request::{Attempt, Mode, StepResult};
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_contract::strict;

use crate::fault::Fault;
use crate::harness::{Harness, PAYLOAD_LIMITS, Request};
use crate::metrics::{self, Document, Ending, Invocation};

/// The answer to an invocation, and its metrics for CloudWatch.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The result.
    pub(crate) result: Result<StepResult, Fault>,
    /// The metrics. Empty if the payload does not name its deployment.
    pub(crate) metrics: Vec<Document>,
}

/// The facts of an invocation that are known however it ends.
struct Known {
    owner: Owner,
    deployment: Option<DeploymentName>,
    execution: Option<ExecutionArn>,
    attempt: Option<Attempt>,
}

impl Known {
    fn note(&mut self, request: &Request) {
        match request.input.mode {
            Mode::Step => {}
            Mode::Admission => self.owner = Owner::Admission,
            Mode::Entry => self.owner = Owner::Entry,
        }
        self.deployment = Some(request.input.settings.deployment.clone());
        self.execution = Some(request.input.execution.clone());
        self.attempt = Some(request.attempt.clone());
    }
}

/// Answers an invocation of the function of `step`. `handler` runs after the payload is parsed.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness measures for log and metrics; times never reach evidence"
)]
pub(crate) async fn answer<H, F>(harness: &Harness, step: Step, request_id: &str, payload: &[u8], handler: H) -> Answer
where
    H: FnOnce(Request) -> F,
    F: Future<Output = Result<StepResult, Fault>>,
{
    let begun = Instant::now();
    let mut known = Known {
        owner: step.into(),
        deployment: None,
        execution: None,
        attempt: None,
    };
    let work = async {
        let request = harness
            .request(payload)
            .inspect_err(|_| known.deployment = deployment_named_in(payload))?;
        known.note(&request);
        handler(request).await
    };
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let result = outcome.unwrap_or_else(|panic| Err(panicked(&*panic)));
    let duration_ms = millis(begun.elapsed());
    log(&known, request_id, &result, duration_ms);
    let ended_ms = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, millis);
    let metrics = known.deployment.as_ref().map(|deployment| {
        let invocation = Invocation {
            deployment,
            request_id,
            execution: known.execution.as_ref(),
            ended_ms,
        };
        let ending = match &result {
            Ok(result) => Ending::Answered { result, duration_ms },
            Err(fault) => Ending::Faulted {
                owner: known.owner,
                fault: fault.name(),
            },
        };
        metrics::documents(&invocation, &ending)
    });
    Answer {
        result,
        metrics: metrics.unwrap_or_default(),
    }
}

/// The deployment that an otherwise unusable payload names, so that its fault is counted too.
fn deployment_named_in(payload: &[u8]) -> Option<DeploymentName> {
    let payload = strict::parse_foreign(payload, PAYLOAD_LIMITS).ok()?;
    DeploymentName::parse(payload.pointer("/settings/deployment")?.as_str()?).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The fault for a panic. It is a defect, so a retry would end the same way.
fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let problem = format!(
        "it panicked: {}; keep the log and the payload, and report the defect",
        text.unwrap_or("without a message")
    );
    Fault::internal("run the step", problem)
}

/// Writes the one log line of an outcome, with the fields that correlate it.
fn log(known: &Known, request_id: &str, result: &Result<StepResult, Fault>, duration_ms: u64) {
    let execution_arn = known.execution.as_ref().map(tracing::field::display);
    let retry_count = known.attempt.as_ref().map(|attempt| attempt.retry_count);
    let redrive_count = known.attempt.as_ref().map(|attempt| attempt.redrive_count);
    match result {
        Ok(result) => {
            let codes: Vec<_> = result.blockers.iter().map(|blocker| blocker.code()).collect();
            tracing::info!(
                step = result.step.id(),
                execution_arn,
                phase_execution_id = %result.phase_execution_id,
                platform_run_id = result.run.platform_run_id.as_ref().map(tracing::field::display),
                overall_pass = result.overall_pass,
                blockers = codes.join(","),
                retry_count,
                redrive_count,
                duration_ms,
                request_id,
                "{} closed: {}",
                result.step,
                result.next_gate,
            );
        }
        Err(fault) => {
            let message = fault.to_string();
            let safe = secrets::redact_text(&message).unwrap_or(message);
            tracing::error!(
                step = known.owner.id(),
                execution_arn,
                fault = fault.name(),
                retry_count,
                redrive_count,
                duration_ms,
                request_id,
                "{safe}",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::harness::duplicate_delivery;
    use crate::testing::TestExecution;

    fn payload(mode: &str) -> Vec<u8> {
        let mut payload = TestExecution::default().payload(Step::RerunDiscipline);
        payload["mode"] = json!(mode);
        payload.to_string().into_bytes()
    }

    /// The fault's name, and the one metrics document that counts it.
    async fn faulted(answer: Answer) -> (&'static str, String, Value) {
        let fault = answer.result.unwrap_err();
        let [document] = answer.metrics.as_slice() else {
            panic!("{:?}", answer.metrics)
        };
        (fault.name(), fault.to_string(), serde_json::to_value(document).unwrap())
    }

    async fn run(payload: &[u8], work: impl Future<Output = Result<StepResult, Fault>>) -> Answer {
        answer(
            &TestExecution::default().harness(),
            Step::RerunDiscipline,
            "r-1",
            payload,
            |_| work,
        )
        .await
    }

    #[tokio::test]
    async fn a_payload_that_cannot_be_read_is_a_fault_that_counts() {
        let unreachable = async { panic!("it was not to be run") };
        let mut payload: Value = serde_json::from_slice(&payload("STEP")).unwrap();
        payload["settings"]["cost_source"] = json!("guess");
        let (name, message, document) = faulted(run(payload.to_string().as_bytes(), unreachable).await).await;
        assert_eq!(name, "InvalidInput", "{message}");
        assert!(message.contains("settings.cost_source"), "{message}");
        assert_eq!(
            (&document["Faults"], &document["Step"], &document["fault"]),
            (&json!(1), &json!("M3.G"), &json!("InvalidInput"))
        );
        assert_eq!(document.get("execution_arn"), None);
        assert_eq!(document["request_id"], "r-1");
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_that_counts() {
        for (work, text) in [
            (futures_util::future::lazy(|_| panic!("a {}", "b")).boxed(), "a b"),
            (futures_util::future::lazy(|_| panic!("c")).boxed(), "c"),
        ] {
            let (name, message, document) = faulted(run(&payload("STEP"), work).await).await;
            assert_eq!(name, "Internal");
            assert!(message.contains(&format!("it panicked: {text};")), "{message}");
            assert_eq!((&document["Faults"], &document["Step"]), (&json!(1), &json!("M3.G")));
            assert_eq!(document["execution_arn"], TestExecution::default().arn.as_str());
        }
    }

    #[tokio::test]
    async fn a_fault_of_the_admission_is_the_admissions() {
        let fault = async { Err(Fault::transient("ask", "no answer")) };
        let (name, _, document) = faulted(run(&payload("ADMISSION"), fault).await).await;
        assert_eq!((name, &document["Step"]), ("Transient", &json!("ADMISSION")));
    }

    #[tokio::test]
    async fn a_result_is_counted_with_the_time_that_it_ended() {
        let id = TestExecution::default().phase_execution_id(Step::HandleClosure);
        let result = duplicate_delivery(Step::HandleClosure, id);
        let answer = run(&payload("STEP"), async { Ok(result.clone()) }).await;
        assert_eq!(answer.result.unwrap(), result);
        let document = serde_json::to_value(&answer.metrics[0]).unwrap();
        assert_eq!(document["Duplicates"], 1);
        // The time is in milliseconds of this century, not in seconds.
        assert!(document["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    }

    #[tokio::test]
    async fn a_payload_that_names_no_deployment_is_a_fault_that_nothing_counts() {
        for payload in [&b"{"[..], b"{}", br#"{"settings": {"deployment": "a b"}}"#] {
            let answer = run(payload, async { panic!("it was not to be run") }).await;
            assert_eq!(answer.result.unwrap_err().name(), "InvalidInput");
            assert!(answer.metrics.is_empty());
        }
    }
}
