//! The parts that are the same for all ten steps: JSON input, observations first, evaluation, publication, result (architecture:
//! "A step").

use futures_util::future::join_all;
use p1_contract::blocker::{Blocker, Finding, codes};
use p1_contract::canonical;
use p1_contract::evidence::{ExecutionSummary, HOLD, Header, NotStored, RunIds, SecretScan, merge, split};
use p1_contract::ids::PhaseExecutionId;
use p1_contract::observations::{Observations, Written};
use p1_contract::owner::Owner;
use p1_contract::reference::{ArtifactRef, ClosureRef};
use p1_contract::request::{self, Attempt, Conclusion, Findings, StepInput, StepResult};
use p1_contract::secrets::{self, SecretHit};
use p1_contract::step::Step;
use p1_contract::strict::{self, Limits};
use p1_contract::verdict::PhaseVerdict;
use serde::Serialize;

use crate::context::StepContext;
use crate::fault::Fault;
use crate::orchestrator::Orchestrator;
use crate::step::{Artifact, Closed, Content, Evaluation, StepLogic};
use crate::store::{DOCUMENT_LIMIT, Read, Store};

/// The largest result of a Task in bytes. Step Functions refuses larger ones, and its `States.ALL` does not catch that error.
const MAX_RESULT_BYTES: usize = 256 * 1024;

/// The limits of a payload. It contains the execution's input, and Step Functions passes at most 256 KiB.
pub(crate) const PAYLOAD_LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    max_depth: 32,
};

/// The objects that outlive an invocation: the clients.
#[derive(Debug, Clone)]
pub struct Harness {
    /// The evidence store.
    pub store: Store,
    /// Step Functions.
    pub orchestrator: Orchestrator,
}

/// A parsed invocation.
#[derive(Debug, Clone)]
pub struct Request {
    /// The step's input.
    pub input: StepInput,
    /// The attempt that this call is.
    pub attempt: Attempt,
}

/// The outcome of publishing an evaluation's artifacts.
#[derive(Debug, Default)]
struct Published {
    stored: Vec<ArtifactRef>,
    not_stored: Vec<NotStored>,
    /// Findings about secret material, and about objects that could not be stored.
    findings: Vec<Finding>,
    scan: SecretScan,
}

impl Harness {
    /// Reads an invocation's payload.
    ///
    /// # Errors
    /// Returns `InvalidInput` if the payload differs from what the state machine sends.
    pub fn request(&self, payload: &[u8]) -> Result<Request, Fault> {
        let value = strict::parse_foreign(payload, PAYLOAD_LIMITS).map_err(|e| {
            Fault::InvalidInput(format!(
                "payload: is not usable JSON: {e}; see the contract's section 5"
            ))
        })?;
        let (input, attempt) = StepInput::parse(value)?;
        Ok(Request { input, attempt })
    }

    /// What `step` uses on these clients.
    #[must_use]
    pub fn context<'a>(&'a self, input: &'a StepInput, step: Step) -> StepContext<'a> {
        let id = input.phase_execution_id(step);
        StepContext::new(input, &self.store, &self.orchestrator, id)
    }

    /// Runs one step.
    ///
    /// # Errors
    /// Fails if no verdict could be reached.
    pub async fn run<S: StepLogic>(&self, step: &S, request: &Request) -> Result<StepResult, Fault> {
        let input = &request.input;
        if input.mode != S::OWNER.into() {
            let problem =
                "payload: `mode` is not one that this function knows; only M3.G admits reruns, and only M3.J phases";
            return Err(Fault::InvalidInput(problem.to_owned()));
        }
        publishable(input)?;
        let ctx = self.context(input, S::STEP);
        if let Some(result) = step.preempt(&ctx).await? {
            return Ok(result);
        }
        let (stored, observations) = self.observe(step, &ctx).await?;
        let observed: S::Observed = serde_json::from_value(observations.observed.clone())
            .map_err(|e| Fault::internal("read the stored observations", e.to_string()))?;
        let mut evaluation = step.evaluate(input, &observed)?;
        let mut published = self.publish::<S>(&ctx, &mut evaluation, &observations).await?;
        let found = evaluation.findings.iter().filter(|finding| finding.code.is_secret());
        published.scan.hits += found.count() as u64;
        published.findings.append(&mut evaluation.findings);
        let mut created = observations.created;
        created.push(stored);
        created.extend(published.stored);
        let summary = ExecutionSummary::new(
            S::STEP.ready_gate(),
            published.findings,
            created,
            observations.reads,
            input.upstream(),
        )
        .without(published.not_stored)
        .scanned(published.scan);
        let closure = self.close::<S>(&ctx, &evaluation.run, &summary).await?;
        let closed = Closed {
            observed: &observed,
            summary: &summary,
            closure: &closure,
        };
        // What lies beside the evidence is in no recording of it.
        if !self.store.is_recording() {
            step.seal(&ctx, closed).await?;
        }
        let mut result = result(S::OWNER, evaluation, &summary, closure);
        if tells(&result) {
            let mut standing = step.standing(input, &observed)?;
            standing.extend(summary.blockers);
            result.findings = Findings::of(standing);
            if result.conclusion == Conclusion::Refused {
                result.asked = step.asked(input).and_then(request::asked);
            }
        }
        bounded(result)
    }

    /// The observations. If an earlier attempt stored some, they are adopted. Otherwise they are made and stored.
    async fn observe<S: StepLogic>(
        &self,
        step: &S,
        ctx: &StepContext<'_>,
    ) -> Result<(ArtifactRef, Observations), Fault> {
        let name = S::OWNER.observations_name();
        let key = ctx.own_key(&format!("{name}.json"))?;
        let header = Header::new(&name, S::STEP, ctx.phase_execution_id.clone(), &RunIds::default());
        if let Read::Found(object) = self.store.read(ctx.bucket(), &key, None, DOCUMENT_LIMIT).await? {
            let bytes = object.bytes;
            return self.adopt(ctx, &name, &bytes, &header).await;
        }
        let observed = step.observe(ctx).await?;
        let mut observed =
            serde_json::to_value(observed).map_err(|e| Fault::internal("render observations", e.to_string()))?;
        let redactions = secrets::redact_value(&mut observed);
        let observations = Observations {
            reads: ctx.reads(),
            created: ctx.created(),
            redactions,
            settings: Some(ctx.settings().clone()),
            observed,
        };
        let bytes = document(&header, &observations)?;
        // A retry could not read them, so they are not stored.
        if let Some(why) = too_large(&bytes) {
            return Err(Fault::internal(
                format!("store {key}"),
                format!("{why}; give smaller documents"),
            ));
        }
        match self.store.create(ctx.bucket(), &key, &name, &bytes).await {
            Written::Stored(artifact) => Ok((artifact, observations)),
            Written::Occupied { .. } => {
                // Another attempt of this same invocation was faster, so its observations count.
                let Read::Found(object) = self.store.read(ctx.bucket(), &key, None, DOCUMENT_LIMIT).await? else {
                    return Err(Fault::transient(format!("adopt {key}"), "it is not there any more"));
                };
                self.adopt(ctx, &name, &object.bytes, &header).await
            }
            other => Err(Fault::transient(format!("store {key}"), other.describe())),
        }
    }

    async fn adopt(
        &self,
        ctx: &StepContext<'_>,
        name: &str,
        bytes: &[u8],
        header: &Header,
    ) -> Result<(ArtifactRef, Observations), Fault> {
        let key = ctx.own_key(&format!("{name}.json"))?;
        let refused = |why: String| {
            let problem = format!("{why}; somebody else wrote it: keep it, and start a new execution");
            Fault::internal(format!("adopt the observations at {key}"), problem)
        };
        let value = strict::parse_strict(bytes, Limits::DOCUMENT).map_err(|e| refused(e.to_string()))?;
        let document = split::<Observations>(value, name).map_err(|e| refused(e.to_string()))?;
        if document.header.schema_version != header.schema_version {
            return Err(Fault::internal(
                format!("adopt the observations at {key}"),
                "another release of P1 wrote them; keep them, and start a new execution",
            ));
        }
        if &document.header != header {
            return Err(refused("it is of another phase execution".to_owned()));
        }
        let settings = document.body.settings.as_ref();
        if settings.is_some_and(|settings| settings != ctx.settings()) {
            return Err(refused("it was made under other settings of the deployment".to_owned()));
        }
        // The bytes are there already. This call returns version and tag, and cannot write other bytes.
        match self.store.create(ctx.bucket(), &key, name, bytes).await {
            Written::Stored(artifact) => Ok((artifact, document.body)),
            other => Err(Fault::transient(format!("adopt {key}"), other.describe())),
        }
    }

    /// Publishes the artifacts wave by wave. Each is first scanned for secrets.
    async fn publish<S: StepLogic>(
        &self,
        ctx: &StepContext<'_>,
        evaluation: &mut Evaluation,
        observations: &Observations,
    ) -> Result<Published, Fault> {
        let redactions = observations.redactions.iter();
        let mut published = Published {
            findings: redactions.map(|hit| secret_finding::<S>("observations", hit)).collect(),
            scan: SecretScan {
                rules_version: secrets::RULES_VERSION,
                documents: 1,
                strings: secrets::count_strings(&observations.observed),
                hits: observations.redactions.len() as u64,
            },
            ..Published::default()
        };
        for wave in std::mem::take(&mut evaluation.waves) {
            let mut ready = Vec::with_capacity(wave.len());
            for artifact in wave {
                let (bytes, hits) = render(&artifact)?;
                published.scan.documents += 1;
                published.scan.strings += match &artifact.content {
                    Content::Json(value) => secrets::count_strings(value),
                    Content::Markdown(_) => 1,
                };
                published.scan.hits += hits.len() as u64;
                let hits = hits.iter().map(|hit| secret_finding::<S>(&artifact.name, hit));
                published.findings.extend(hits);
                ready.push((artifact, bytes));
            }
            let writes = ready.iter().map(|(artifact, bytes)| self.write(ctx, artifact, bytes));
            for ((artifact, _), written) in ready.iter().zip(join_all(writes).await) {
                if let Written::Stored(artifact) = written {
                    published.stored.push(artifact);
                    continue;
                }
                // A committed advance is the verdict, whatever happens to the artifacts that are published after it. A failure
                // here is therefore no hold; a redrive finishes the work.
                if evaluation.conclusion.committed() == Some(PhaseVerdict::AdvanceToM4) {
                    return Err(unpublished(artifact, &written));
                }
                published.findings.push(publish_finding::<S>(artifact, &written));
                published.not_stored.extend(written.failure().map(|end| NotStored {
                    name: artifact.name.clone(),
                    key: artifact.key.clone(),
                    end,
                }));
            }
        }
        Ok(published)
    }

    /// Creates an artifact. An artifact that would be too large to read again is not written.
    async fn write(&self, ctx: &StepContext<'_>, artifact: &Artifact, bytes: &[u8]) -> Written {
        match too_large(bytes) {
            Some(why) => Written::Refused(why),
            None => {
                let Artifact { name, key, .. } = artifact;
                self.store.create(ctx.bucket(), key, name, bytes).await
            }
        }
    }

    /// Stores the closing summary. Without the summary there is no verdict.
    async fn close<S: StepLogic>(
        &self,
        ctx: &StepContext<'_>,
        run: &RunIds,
        summary: &ExecutionSummary,
    ) -> Result<ClosureRef, Fault> {
        let name = S::OWNER.summary_name();
        let key = ctx.own_key(&format!("{name}.json"))?;
        let header = Header::new(&name, S::STEP, ctx.phase_execution_id.clone(), run);
        let bytes = document(&header, summary)?;
        if let Some(why) = too_large(&bytes) {
            return Err(Fault::internal(format!("publish {key}"), why));
        }
        match self.store.create(ctx.bucket(), &key, &name, &bytes).await {
            Written::Stored(artifact) => {
                let id = ctx.phase_execution_id.clone();
                Ok(ClosureRef::of(artifact, S::OWNER, id, summary.overall_pass))
            }
            other @ Written::Occupied { .. } => {
                let what = other.describe();
                let problem = format!("{what}; keep it, find who wrote it, and start a new execution");
                Err(Fault::internal(format!("publish {key}"), problem))
            }
            other => Err(Fault::transient(format!("publish {key}"), other.describe())),
        }
    }
}

/// Why a document with these bytes is not written: every reader of ours would refuse it. Returns `None` if it can be written.
pub(crate) fn too_large(bytes: &[u8]) -> Option<String> {
    let length = bytes.len() as u64;
    (length > DOCUMENT_LIMIT).then(|| format!("it has {length} bytes, and a document has at most {DOCUMENT_LIMIT}"))
}

/// Refuses an execution whose own identifiers, or whose deployment's settings, look like a secret. They occur in all of its
/// evidence, where they are never redacted, so that they can be read again. At this point nothing was reserved or acquired for
/// it.
fn publishable(input: &StepInput) -> Result<(), Fault> {
    let identifiers = [
        ("context.Execution.Id".to_owned(), input.execution.to_string()),
        ("context.StateMachine.Id".to_owned(), input.state_machine.to_string()),
    ];
    // The names of the settings would mislead the scan, so each value is scanned on its own.
    let settings =
        serde_json::to_value(&input.settings).map_err(|e| Fault::internal("read the settings", e.to_string()))?;
    let settings = settings.as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let settings = settings.map(|(name, value)| (format!("settings.{name}"), text(value)));
    for (field, identifier) in identifiers.into_iter().chain(settings) {
        if let Some(hit) = secrets::scan_value(&serde_json::json!({ "identifier": identifier })).first() {
            return Err(Fault::InvalidInput(format!(
                "payload: `{field}` looks like secret material (rule {}), and would stand in all evidence; give the execution \
                 another name, or the deployment another value",
                hit.rule
            )));
        }
    }
    Ok(())
}

fn document<B: Serialize>(header: &Header, body: &B) -> Result<Vec<u8>, Fault> {
    rendered(&header.artifact, &merge(header, body)?)
}

fn rendered(name: &str, value: &serde_json::Value) -> Result<Vec<u8>, Fault> {
    canonical::to_document(value).map_err(|e| Fault::internal(format!("render {name}"), e.to_string()))
}

/// The redacted bytes of an artifact, and the places of its secrets.
fn render(artifact: &Artifact) -> Result<(Vec<u8>, Vec<SecretHit>), Fault> {
    match &artifact.content {
        Content::Json(value) => {
            let mut value = value.clone();
            let hits = secrets::redact_value(&mut value);
            Ok((rendered(&artifact.name, &value)?, hits))
        }
        Content::Markdown(text) => {
            let hits = secrets::scan_text(&artifact.name, text);
            let safe = secrets::redact_text(text).unwrap_or_else(|| text.clone());
            Ok((safe.into_bytes(), hits))
        }
    }
}

fn secret_finding<S: StepLogic>(subject: &str, hit: &SecretHit) -> Finding {
    let subject = match hit.place.as_str() {
        "" => subject.to_owned(),
        place => format!("{subject} at {place}"),
    };
    Blocker::secret(S::STEP).on(subject, format!("holds secret material: rule {}", hit.rule))
}

fn unpublished(artifact: &Artifact, written: &Written) -> Fault {
    let operation = format!("publish {} after the committed advance", artifact.key);
    match written {
        Written::Occupied { .. } | Written::Altered { .. } => {
            let what = written.describe();
            let problem = format!("{what}; the advance is committed and stands: find who wrote it");
            Fault::internal(operation, problem)
        }
        _ => Fault::transient(operation, written.describe()),
    }
}

fn publish_finding<S: StepLogic>(artifact: &Artifact, written: &Written) -> Finding {
    let code = match written {
        Written::Vanished => Blocker::set_incomplete(S::STEP),
        Written::Altered { .. } if artifact.name == "m4_handoff_pack" => Blocker::HandoffReadback,
        _ => Blocker::publish_failed(S::STEP),
    };
    code.on(artifact.key.as_str(), written.describe())
}

fn result(owner: Owner, evaluation: Evaluation, summary: &ExecutionSummary, closure: ClosureRef) -> StepResult {
    let conclusion = match evaluation.conclusion {
        Conclusion::Admitted(_) | Conclusion::PhaseAdmitted(_) if !summary.overall_pass => Conclusion::Refused,
        Conclusion::Admitted(mut admitted) => {
            admitted.closures.insert(owner, closure.clone());
            Conclusion::Admitted(admitted)
        }
        other => other,
    };
    StepResult {
        step: owner,
        function_arn: None,
        conclusion,
        phase_execution_id: closure.phase_execution_id.clone(),
        overall_pass: summary.overall_pass,
        next_gate: summary.next_gate.clone(),
        blockers: codes(&summary.blockers),
        findings: Findings::default(),
        asked: None,
        closure: Some(closure),
        run: evaluation.run,
    }
}

/// Whether the execution fails with what this step answers, so that its cause tells a person why.
fn tells(result: &StepResult) -> bool {
    match &result.conclusion {
        Conclusion::Refused => true,
        Conclusion::Verdict(concluded) => {
            !(result.overall_pass && concluded.committed && concluded.verdict == PhaseVerdict::AdvanceToM4)
        }
        Conclusion::Closed | Conclusion::DuplicateDelivery | Conclusion::Admitted(_) | Conclusion::PhaseAdmitted(_) => {
            false
        }
    }
}

/// The result for an event that had already started another execution.
#[must_use]
pub fn duplicate_delivery(owner: impl Into<Owner>, id: PhaseExecutionId) -> StepResult {
    StepResult {
        step: owner.into(),
        function_arn: None,
        conclusion: Conclusion::DuplicateDelivery,
        phase_execution_id: id,
        overall_pass: false,
        next_gate: HOLD.to_owned(),
        blockers: Vec::new(),
        findings: Findings::default(),
        asked: None,
        closure: None,
        run: RunIds::default(),
    }
}

fn bounded(result: StepResult) -> Result<StepResult, Fault> {
    let bytes = serde_json::to_vec(&result).map_err(|e| Fault::internal("render the result", e.to_string()))?;
    if bytes.len() > MAX_RESULT_BYTES {
        let problem = format!("it is {} bytes, Step Functions takes {MAX_RESULT_BYTES}", bytes.len());
        return Err(Fault::internal("return the result", problem));
    }
    Ok(result)
}
