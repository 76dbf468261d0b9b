//! Replays one execution, from its first step through the gates to its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use p1_audit::evidence_set::HISTORY;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{PhaseExecutionId, S3Key};
use p1_contract::request::{Conclusion, Findings, StepInput, StepResult};
use p1_contract::revision;
use p1_contract::secrets::RULES_VERSION;
use p1_contract::settings::{Settings, SettingsFields};
use p1_contract::step::Step;
use p1_runtime::store::Store;
use p1_runtime::{FixedAnswers, Harness, Orchestrator, Request};
use serde_json::{Map, Value};

use super::executions::Execution;
use super::recording::{RecordedSummary, Recording};
use super::steps::{self, Created, Recomputed};
use super::{Difference, ExecutionReport, Missing, Standing, StepReport};
use crate::payload::{self, Owner};

/// The results that all walks share.
#[derive(Default)]
pub(super) struct Walked {
    /// Every key that a step recreated.
    pub(super) made: BTreeSet<S3Key>,
    /// Every closure that a step rests on.
    pub(super) rested_on: BTreeSet<S3Key>,
    reported: BTreeSet<String>,
}

impl Walked {
    /// Whether a step's report already names the key.
    pub(super) fn is_reported(&self, key: &str) -> bool {
        self.reported.contains(key)
    }
}

/// A step that will be replayed.
struct Task<'a> {
    recording: &'a Recording,
    owner: Owner,
    id: PhaseExecutionId,
    observations_key: String,
    summary: Option<RecordedSummary>,
    summary_key: String,
    /// The function's answer in the engine's history.
    recorded_answer: Option<&'a StepResult>,
    /// The function's answer, if it is not a step's result.
    unreadable: Option<&'a str>,
}

/// Replays one execution.
///
/// # Errors
/// Fails if the execution's names are not valid for the functions. The error says why.
pub(super) async fn execution(
    recording: &Recording,
    execution: &Execution,
    walked: &mut Walked,
) -> Result<ExecutionReport, String> {
    let mut report = ExecutionReport {
        execution_arn: execution.arn.to_string(),
        input: execution.source,
        steps: Vec::new(),
    };
    let harness = harness(recording);
    let mut closures = Map::new();
    let mut only = false;
    let mut ran = Vec::new();
    let mut next = Some(execution.first());
    while let Some(owner) = next {
        let task = Task::new(recording, execution, owner);
        let begun = recording.holds(&recording.environment.phase_folder(&task.id));
        if !begun && task.recorded_answer.is_none() && !execution.committed {
            // The execution ended here: it faulted, was stopped, or ran one state alone.
            break;
        }
        ran.push(owner.state());
        let (step, recomputed) = task.replay(execution, &harness, &closures, walked).await;
        walked
            .reported
            .extend(step.missing.iter().map(|missing| missing.subject.clone()));
        report.steps.push(step);
        // The next step uses the recorded evidence, so that every step is judged separately.
        let answer = recomputed.or_else(|| task.recorded_answer.cloned());
        let go_on = task.pass_on(answer.as_ref(), &mut closures);
        only |= answer
            .as_ref()
            .and_then(StepResult::admitted)
            .is_some_and(|admitted| admitted.only);
        let Some(pass) = go_on else {
            let ended = answer.is_some_and(|answer| answer.closure.is_none());
            if let (false, Some(step)) = (ended, report.steps.last_mut()) {
                let why = "without it the steps after this one cannot be replayed";
                step.missing.push(Missing::new(&task.summary_key, why));
                step.standing = Standing::of(!step.differences.is_empty(), true);
            }
            break;
        };
        next = after(owner, pass, only, answer.as_ref());
    }
    if execution.has_account
        && let Some(account) = &recording.account
    {
        order(&account.history, &ran, &mut report);
    }
    Ok(report)
}

/// The next owner after the gate of `owner` (contract section 6).
fn after(owner: Owner, pass: bool, only: bool, answer: Option<&StepResult>) -> Option<Owner> {
    let next = match (owner, pass) {
        (Owner::Admission, true) => return Some(answer?.admitted()?.resume_at.into()),
        (Owner::Admission, false) | (Owner::Entry, _) => return None,
        (Owner::Step(_), _) if only => return None,
        (Owner::Step(step @ (Step::GateRollup | Step::PhaseVerdict)), _) | (Owner::Step(step), true) => step.next(),
        (Owner::Step(_), false) => Some(Step::GateRollup),
    };
    next.map(Owner::Step)
}

/// Checks that the engine ran exactly the Task states that the steps' answers lead to.
fn order(history: &p1_audit::history::History, ran: &[String], report: &mut ExecutionReport) {
    let recorded: Vec<&str> = history.tasks.iter().map(|task| task.state.as_str()).collect();
    // A history without Task states says nothing about their order.
    if recorded.is_empty() || recorded == ran {
        return;
    }
    // The last state may have been entered without closing. A reason that stopped the replay is reported already.
    let stopped = report.steps.last().is_some_and(|step| !step.missing.is_empty());
    if recorded.starts_with(&ran.iter().map(String::as_str).collect::<Vec<_>>())
        && (stopped
            || history.tasks[ran.len()..]
                .iter()
                .all(|task| task.result.is_none() && task.unreadable.is_none()))
    {
        return;
    }
    let (recorded, ran) = (Value::from(recorded), Value::from(ran.to_vec()));
    if let Some(step) = report.steps.last_mut() {
        step.differences
            .push(Difference::of_values("Task states", HISTORY, &recorded, &ran));
        step.standing = Standing::Differs;
    }
}

/// The functions' harness over the recording. It asks no service, because every answer is among the observations.
fn harness(recording: &Recording) -> Harness {
    Harness {
        store: Store::Recorded(recording.store.clone()),
        orchestrator: Orchestrator::Fixed(Arc::new(FixedAnswers::default())),
    }
}

/// The settings of a step, from its observations. Observations of revision 1 hold none. That is enough, because a step that
/// adopts its observations needs only the bucket.
fn settings(recording: &Recording, observations: &[u8]) -> Result<Settings, String> {
    let document: Value = serde_json::from_slice(observations).map_err(|error| error.to_string())?;
    match document.get("settings") {
        Some(settings) => serde_json::from_value(settings.clone()).map_err(|error| format!("`settings`: {error}")),
        None => Settings::try_from(SettingsFields {
            environment: None,
            deployment: "revision-1".to_owned(),
            evidence_bucket: recording.bucket.to_string(),
            registry_uri: format!("s3://{}/not-asked", recording.bucket),
            stack_outputs_uris: String::new(),
            cost_source: "cost_explorer".to_owned(),
            billing_artifact_uri: String::new(),
            signing: "off".to_owned(),
            signing_key: String::new(),
        })
        .map_err(|error| error.to_string()),
    }
}

impl<'a> Task<'a> {
    fn new(recording: &'a Recording, execution: &Execution, owner: Owner) -> Self {
        let id = PhaseExecutionId::derive(owner, execution.stamp, execution.arn.as_str());
        let folder = recording.environment.phase_folder(&id);
        let summary_key = format!("{folder}{}.json", owner.summary_name());
        let account = recording.account.as_ref().filter(|_| execution.has_account);
        let state = owner.state();
        let recorded_task = account.and_then(|account| account.history.tasks.iter().find(|task| task.state == state));
        Task {
            recording,
            owner,
            observations_key: format!("{folder}{}.json", owner.observations_name()),
            summary: recording.summary(owner, &id, &summary_key),
            summary_key,
            recorded_answer: recorded_task.and_then(|task| task.result.as_ref()),
            unreadable: recorded_task.and_then(|task| task.unreadable.as_deref()),
            id,
        }
    }

    fn report(&self, equal: usize, differences: Vec<Difference>, missing: Vec<Missing>) -> StepReport {
        StepReport {
            step: self.owner,
            phase_execution_id: self.id.to_string(),
            standing: Standing::of(!differences.is_empty(), !missing.is_empty()),
            equal,
            differences,
            missing,
        }
    }

    fn differs(&self, recomputed: &str) -> Difference {
        Difference {
            artifact: self.owner.observations_name(),
            key: self.observations_key.clone(),
            pointer: String::new(),
            recorded: None,
            recomputed: Some(p1_audit::text::brief(recomputed, 400)),
        }
    }

    async fn replay(
        &self,
        execution: &Execution,
        harness: &Harness,
        closures: &Map<String, Value>,
        walked: &mut Walked,
    ) -> (StepReport, Option<StepResult>) {
        let stopped =
            |differences: Vec<Difference>, missing: Vec<Missing>| (self.report(0, differences, missing), None);
        let Some(observations) = self.recording.bytes(&self.observations_key) else {
            let why = "the observations are not there: the step cannot be replayed";
            return stopped(Vec::new(), vec![Missing::new(&self.observations_key, why)]);
        };
        if let Some(reason) = self.is_of_another_release() {
            let folder = self.recording.environment.phase_folder(&self.id);
            walked.made.extend(self.recording.keys_in(&folder));
            let listed = self.summary.iter().flat_map(|summary| &summary.body.artifacts);
            walked.made.extend(listed.map(|artifact| artifact.key.clone()));
            return stopped(Vec::new(), vec![Missing::new(&self.observations_key, reason)]);
        }
        let request =
            settings(self.recording, observations).and_then(|settings| self.request(execution, &settings, closures));
        let request = match request {
            Ok(request) => request,
            Err(why) => return stopped(vec![self.differs(&why)], Vec::new()),
        };
        walked
            .rested_on
            .extend(request.input.upstream().into_iter().map(|closure| closure.key));
        let mut ends = self.summary.as_ref().map(RecordedSummary::ends).unwrap_or_default();
        if self.summary.is_none() {
            ends.extend(self.recording.lost(&self.owner.summary_name(), &self.summary_key));
        }
        self.recording.store.note_ends(ends.clone());
        let _ = self.recording.store.take_creations();
        let Recomputed { answer, observed } = steps::recompute(self.owner, harness, &request, observations).await;
        let mut creations = self.recording.store.take_creations();

        let (mut differences, mut absent) = (Vec::new(), Vec::new());
        let Created { listed, recreated } = observed.unwrap_or_else(|why| {
            differences.push(self.differs(&why));
            Created::default()
        });
        let is_listed = |key: &S3Key| listed.iter().any(|artifact| artifact.key == *key);
        let (stored, not_stored): (Vec<_>, Vec<_>) = recreated.into_iter().partition(|made| is_listed(&made.key));
        // The summary comes last, because it names the hashes of all other objects.
        let last = creations.pop_if(|last| last.key.as_str() == self.summary_key);
        creations.extend(stored);
        creations.extend(last);

        // Evidence of earlier releases says only in words that an object could not be stored. The consequences of that are not
        // known.
        let is_untold = |key: &S3Key| {
            let summary = self.summary.as_ref();
            !ends.contains_key(key) && summary.is_some_and(|summary| summary.blames(key))
        };
        let tells_all = !creations.iter().any(|made| is_untold(&made.key));
        let mut equal = 0;
        let mut seen = BTreeSet::new();
        for made in creations {
            if !seen.insert(made.key.clone()) {
                continue;
            }
            walked.made.insert(made.key.clone());
            if made.key.as_str() == self.observations_key {
                continue;
            }
            if is_untold(&made.key) {
                let why = "the summary has a blocker for it, and does not record what became of the write";
                absent.push(Missing::new(made.key.as_str(), why));
                continue;
            }
            if made.key.as_str() == self.summary_key && !tells_all {
                let why = "it cannot be recomputed: what became of a write is not recorded";
                absent.push(Missing::new(&self.summary_key, why));
                continue;
            }
            let failed = ends.get(&made.key).is_some_and(|end| end.stored().is_none());
            match self.recording.store.object(&made.key) {
                Some(object) if object.bytes == made.bytes => equal += 1,
                // The summary says that it was not stored. The object at this key is another writer's.
                _ if failed => {}
                Some(object) => {
                    let key = made.key.as_str();
                    differences.push(Difference::of_bytes(&made.name, key, &object.bytes, &made.bytes));
                }
                None => absent.push(Missing::new(
                    made.key.as_str(),
                    "the step gives it, and it is not there",
                )),
            }
        }
        walked.made.extend(not_stored.into_iter().map(|made| made.key));
        for artifact in listed.iter().filter(|artifact| !seen.contains(&artifact.key)) {
            let key = artifact.key.as_str();
            match self.recording.bytes(key).map(Sha256Hex::of) {
                Some(found) if found != artifact.sha256 => differences.push(Difference {
                    artifact: artifact.name.clone(),
                    key: key.to_owned(),
                    pointer: String::new(),
                    recorded: Some(format!("sha256 {found}")),
                    recomputed: Some(format!("sha256 {}, as the observations list it", artifact.sha256)),
                }),
                _ => {
                    let why = "it was created while observing, and the step does not make it again";
                    absent.push(Missing::new(key, why));
                }
            }
        }
        let answer = match answer {
            // The answer names the hash of the summary, which is then not known.
            Ok(_) if !tells_all => None,
            Ok(answer) => {
                self.hold_answer(&answer, &mut differences);
                Some(answer)
            }
            Err(fault) => {
                if differences.is_empty() && absent.is_empty() {
                    differences.push(self.differs(&fault.to_string()));
                }
                None
            }
        };
        (self.report(equal, differences, absent), answer)
    }

    /// Why this release does not compute the step again, although everything may be there.
    fn is_of_another_release(&self) -> Option<String> {
        let observations = self.recording.document(&self.observations_key)?;
        let revision = revision::of(&observations).filter(|revision| *revision != revision::SCHEMA_VERSION);
        if let Some(revision) = revision {
            return Some(format!(
                "is of revision {revision}: this release computes revision {} alone; replay it with the release that wrote it",
                revision::SCHEMA_VERSION
            ));
        }
        // The rules decide what is redacted and counted, so other rules give other bytes.
        let scan = self.summary.as_ref()?.body.secret_scan.as_ref()?;
        (scan.rules_version < RULES_VERSION).then(|| {
            format!(
                "was scanned for secrets by version {} of the rules: this release has version {RULES_VERSION}; replay it with the \
                 release that wrote it",
                scan.rules_version
            )
        })
    }

    fn request(
        &self,
        execution: &Execution,
        settings: &Settings,
        closures: &Map<String, Value>,
    ) -> Result<Request, String> {
        let start_time = execution.stamp.rfc3339();
        let Execution { arn, input, .. } = execution;
        let payload = payload::payload(self.owner, settings, arn, &start_time, closures, input)?;
        let (input, attempt) = StepInput::parse(payload).map_err(|error| error.to_string())?;
        Ok(Request { input, attempt })
    }

    /// Checks that the recorded answer equals the step's answer. Only the engine knows which version of the function ran, so that
    /// is not compared.
    fn hold_answer(&self, answer: &StepResult, differences: &mut Vec<Difference>) {
        let name = format!("answer of {}", self.owner.id());
        let mut differ = |recorded: &Value, recomputed: &Value| {
            differences.push(Difference::of_values(&name, HISTORY, recorded, recomputed));
        };
        if let Some(unreadable) = self.unreadable {
            let recomputed = format!("the result of {}", self.owner.id());
            differ(&unreadable.into(), &recomputed.into());
        }
        let Some(recorded) = self.recorded_answer else { return };
        let recorded = StepResult {
            function_arn: None,
            ..recorded.clone()
        };
        let mut answer = answer.clone();
        // Releases before did not say these in a result. They are no evidence, and follow from what is.
        if recorded.findings == Findings::default() && recorded.asked.is_none() {
            (answer.findings, answer.asked) = (Findings::default(), None);
        }
        if recorded != answer {
            let value = |result: &StepResult| {
                serde_json::to_value(result).unwrap_or_else(|error| Value::from(format!("cannot be rendered: {error}")))
            };
            differ(&value(&recorded), &value(&answer));
        }
    }

    /// Adds the parts of this step's result that the state machine keeps, from the recorded summary. Returns the step's verdict.
    fn pass_on(&self, answer: Option<&StepResult>, closures: &mut Map<String, Value>) -> Option<bool> {
        if answer.is_some_and(|answer| answer.conclusion == Conclusion::DuplicateDelivery) && self.summary.is_none() {
            return None;
        }
        if self.owner == Owner::Admission {
            // The admission decides which closures the execution goes on with.
            payload::take(closures, answer?).ok()?;
        }
        let lost = answer.and_then(|answer| answer.closure.as_ref());
        let recorded = self.summary.as_ref().map(|summary| &summary.closure).or(lost)?;
        let value = serde_json::to_value(recorded).ok()?;
        closures.insert(self.owner.id().to_owned(), value);
        Some(recorded.overall_pass)
    }
}
