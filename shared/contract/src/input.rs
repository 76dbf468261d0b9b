//! What starts an execution: four forms, told apart strictly (contract section 5).
//!
//! Input is untrusted pointers. Here their shapes are held against the deployment; what lies at the end of a pointer
//! is the business of the step that reads it.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use thiserror::Error;

use crate::hash::Sha256Hex;
use crate::ids::{
    BucketName, Environment, PhaseExecutionId, PlatformRunId, S3Key, S3Uri, ScenarioRunId, below_run_control,
};
use crate::parse_error::{ParseError, one_line};
use crate::placeholder::{begins_with, is_placeholder};
use crate::reference::ClosureRef;
use crate::scope::CORRELATION_FIELDS;
use crate::step::Step;

/// The file name of the M2 handoff receipt.
pub const M2_RECEIPT_FILE: &str = "m2j_m3_entry_readiness_receipt.json";

/// The longest text that an input field may hold, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// The longest path of a field that a message shows in full, in bytes.
const MAX_PATH_BYTES: usize = 512;

/// How much a message repeats of what serde says, which repeats what it refuses.
const MAX_REASON_CHARS: usize = 400;

/// An execution input that is none of the four forms, or a field of it that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("execution input: `{field}` {problem}; {remedy}")]
pub struct InputError {
    /// The field, as a path from the top of the input; `.` for the input itself.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// What settled an execution's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionInput {
    /// The upstream phase published its receipt: S3's *Object Created*, through EventBridge.
    #[serde(rename = "m2_event")]
    M2Event {
        /// The receipt.
        receipt: M2Receipt,
        /// S3's sequencer of the event: with bucket and key it names the delivery.
        sequencer: String,
    },
    /// An operator starts from a receipt.
    #[serde(rename = "operator_start")]
    OperatorStart {
        /// The receipt.
        receipt: M2Receipt,
        /// The oracle input manifest, where the operator pins it.
        #[serde(skip_serializing_if = "Option::is_none")]
        oracle_input_manifest: Option<PinnedManifest>,
    },
    /// A held or faulted run goes on.
    #[serde(rename = "rerun")]
    Rerun(Rerun),
    /// A later phase asks whether it may work on a run.
    #[serde(rename = "phase_entry")]
    PhaseEntry(PhaseEntry),
}

/// Where the M2 receipt lies: always in the deployment's evidence bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct M2Receipt {
    /// Its key, `evidence/<environment>/run_control/m2j_<stamp>/m2j_m3_entry_readiness_receipt.json`.
    pub key: S3Key,
    /// Its version, where the input names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// An object that the operator pins as the oracle input manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinnedManifest {
    /// Where it lies; its bucket must be `ORACLE_STORE_BUCKET`, which M3.B checks.
    pub uri: S3Uri,
    /// The hash that its bytes must have.
    pub sha256: Sha256Hex,
}

/// A request to go on with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// The last summary that an ended execution of the run published.
    pub held: HeldSummary,
    /// Run that one state alone, and commit nothing.
    #[serde(default)]
    pub only: bool,
    /// Who resets what, and why.
    pub reset: ResetReceipt,
}

/// A later phase's question whether a run may be worked on: the correlation fields as that phase carries them, flat.
///
/// P1 looks at the two run ids alone. The other fields stand in the evidence and in the answer as they were given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseEntry {
    /// The run.
    pub platform_run_id: PlatformRunId,
    /// The scenario that the run must be of.
    pub scenario_run_id: ScenarioRunId,
    /// The phase that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_id: Option<String>,
    /// The event that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The lane that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_lane: Option<String>,
    /// The trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The summary that a rerun starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldSummary {
    /// Its key below the run-control root.
    pub key: S3Key,
    /// Its version.
    pub version_id: String,
    /// Its hash.
    pub sha256: Sha256Hex,
}

impl HeldSummary {
    /// The step and the phase execution that its key names. Returns `None` if the step is none of M3.A … M3.H.
    #[must_use]
    pub fn place(&self) -> Option<(Step, PhaseExecutionId)> {
        let (id, _) = below_run_control(self.key.as_str())?.split_once('/')?;
        let mut gated = Step::GATED.into_iter();
        let step = gated.find(|step| id.split('_').next() == Some(step.prefix()))?;
        Some((step, PhaseExecutionId::parse(id).ok()?))
    }

    /// The summary as a closure, with this verdict. Returns `None` as [`place`](Self::place) does.
    #[must_use]
    pub fn closure(&self, bucket: &BucketName, overall_pass: bool) -> Option<ClosureRef> {
        let (step, phase_execution_id) = self.place()?;
        Some(ClosureRef {
            step: step.into(),
            phase_execution_id,
            overall_pass,
            bucket: bucket.clone(),
            key: self.key.clone(),
            version_id: Some(self.version_id.clone()),
            sha256: self.sha256.clone(),
        })
    }
}

/// The reset receipt. Its fields are optional here, because an incomplete one is a verdict (`M3G-B5`), not a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetReceipt {
    /// Who resets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reset class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What is reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the receipt was made: an RFC 3339 time in UTC, `2026-11-22T12:17:01Z`. Evidence of revision 1 does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_utc: Option<String>,
    /// Who approved a reset outside the classes, and for which blocker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// What stands for a value that only a person can give, in an input that P1 offers.
pub const TO_FILL: &str = "TO_FILL";

/// Whether a text stands for a value that is still to be filled in: [`TO_FILL`], alone or with a note after it, or a placeholder
/// of the registry's kinds.
#[must_use]
pub fn is_to_fill(text: &str) -> bool {
    is_placeholder(text) || begins_with(text.trim(), TO_FILL)
}

/// The approval of a reset outside the permitted classes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The code of the blocker that the approval is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker: Option<String>,
}

impl ExecutionInput {
    /// Reads an execution input, whose pointers must lie in `evidence_bucket`, below the run control of `environment`.
    ///
    /// # Errors
    /// When it is none of the four forms, has a field that its form does not, or a field of another shape. The
    /// error names the field.
    pub fn parse(value: &Value, environment: &Environment, evidence_bucket: &BucketName) -> Result<Self, InputError> {
        let Value::Object(input) = value else {
            return Err(error(".", "is not a JSON object", FORMS));
        };
        let has = |field: &str| input.contains_key(field);
        let fields = Fields {
            path: ".".to_owned(),
            map: input,
        };
        if has("detail-type") {
            return m2_event(&fields, environment, evidence_bucket);
        }
        bounded(".", value)?;
        if has("m2_handoff") {
            operator_start(&fields, environment)
        } else if has("resume") {
            rerun(&fields, environment)
        } else if has("platform_run_id") || has("scenario_run_id") {
            phase_entry(&fields)
        } else {
            Err(error(".", "is of no known form", FORMS))
        }
    }

    /// The receipt that it names; a rerun and a phase entry name none.
    #[must_use]
    pub fn receipt(&self) -> Option<&M2Receipt> {
        match self {
            ExecutionInput::M2Event { receipt, .. } | ExecutionInput::OperatorStart { receipt, .. } => Some(receipt),
            ExecutionInput::Rerun(_) | ExecutionInput::PhaseEntry(_) => None,
        }
    }

    /// The manifest that an operator pinned, if any.
    #[must_use]
    pub fn pinned_manifest(&self) -> Option<&PinnedManifest> {
        match self {
            ExecutionInput::OperatorStart {
                oracle_input_manifest, ..
            } => oracle_input_manifest.as_ref(),
            ExecutionInput::M2Event { .. } | ExecutionInput::Rerun(_) | ExecutionInput::PhaseEntry(_) => None,
        }
    }

    /// The rerun, if it is one.
    #[must_use]
    pub fn rerun(&self) -> Option<&Rerun> {
        match self {
            ExecutionInput::Rerun(rerun) => Some(rerun),
            _ => None,
        }
    }

    /// The question of a later phase, if it is one.
    #[must_use]
    pub fn phase_entry(&self) -> Option<&PhaseEntry> {
        match self {
            ExecutionInput::PhaseEntry(entry) => Some(entry),
            _ => None,
        }
    }
}

const FORMS: &str = "give S3's Object Created event, {\"m2_handoff\": {\"key\": …}}, {\"resume\": {…}} or a \
    later phase's {\"platform_run_id\": …, \"scenario_run_id\": …}";
const SHAPE: &str = "see the contract's section 5 for the form";

pub(crate) fn error(field: &str, problem: impl Into<String>, remedy: &'static str) -> InputError {
    InputError {
        field: field.to_owned(),
        problem: problem.into(),
        remedy,
    }
}

/// Refuses texts that are longer than any pointer or receipt field needs to be.
fn bounded(path: &str, value: &Value) -> Result<(), InputError> {
    match value {
        Value::String(text) if text.len() > MAX_TEXT_BYTES => Err(error(
            path,
            format!("holds {} bytes of text", text.len()),
            "give at most 1,024 bytes",
        )),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(n, item)| bounded(&join(path, &n.to_string()), item)),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| bounded(&join(path, key), item)),
        _ => Ok(()),
    }
}

/// The path of the field `part` of the object at `path`. Names are the sender's: they are escaped and cut, and those that would not
/// be seen, or taken for two, stand in quotes.
pub(crate) fn join(path: &str, part: &str) -> String {
    if path.len() > MAX_PATH_BYTES {
        return if path.ends_with('…') {
            path.to_owned()
        } else {
            format!("{path}.…")
        };
    }
    let quote = if part.is_empty() || part.contains('.') {
        "\""
    } else {
        ""
    };
    let part: String = part.chars().take(64).flat_map(char::escape_debug).collect();
    let part = format!("{quote}{part}{quote}");
    if path == "." { part } else { format!("{path}.{part}") }
}

/// The path of a field as serde knows it, as messages show paths.
fn path_of(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(".".to_owned(), |path, segment| match segment {
        Segment::Seq { index } => join(&path, &index.to_string()),
        Segment::Map { key } => join(&path, key),
        Segment::Enum { variant } => join(&path, variant),
        Segment::Unknown => path,
    })
}

/// What serde said, fit for a message.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    one_line(&error.to_string(), MAX_REASON_CHARS)
}

/// The fields of an object of the input, and its path.
struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn error(&self, field: &str, problem: impl Into<String>, remedy: &'static str) -> InputError {
        error(&join(&self.path, field), problem, remedy)
    }

    /// Refuses fields that the form does not have.
    fn only(&self, known: &[&str]) -> Result<(), InputError> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.error(key, "is not a field of this form", "leave it out")),
            None => Ok(()),
        }
    }

    fn object(&self, field: &str) -> Result<Self, InputError> {
        match self.map.get(field) {
            Some(Value::Object(map)) => Ok(Fields {
                path: join(&self.path, field),
                map,
            }),
            _ => Err(self.error(field, "is missing or not an object", SHAPE)),
        }
    }

    fn text(&self, field: &str) -> Result<&'a str, InputError> {
        let text = self.map.get(field).and_then(Value::as_str);
        text.ok_or_else(|| self.error(field, "is missing or not a string", SHAPE))
    }

    /// A version id: opaque, but never empty and never with white space or control characters.
    fn version(&self, field: &str) -> Result<String, InputError> {
        let id = self.text(field)?;
        if id.is_empty() || id.len() > MAX_TEXT_BYTES || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(self.error(field, "is not a version id", "give the version id as S3 shows it"));
        }
        Ok(id.to_owned())
    }

    fn digest(&self, field: &str) -> Result<Sha256Hex, InputError> {
        let digest = Sha256Hex::parse(self.text(field)?);
        digest.map_err(|_| self.error(field, "is not a SHA-256", "give 64 lower-case hex digits"))
    }

    /// What `read` gives, where the field is there.
    fn optional<T>(
        &self,
        field: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, InputError>,
    ) -> Result<Option<T>, InputError> {
        self.map.get(field).map(|_| read(self, field)).transpose()
    }

    /// The key of a file in the folder of a phase execution: of `what`, if `is_one` says so of the execution's id and the file.
    fn key(
        &self,
        environment: &Environment,
        is_one: fn(&str, &str) -> bool,
        what: &str,
        remedy: &'static str,
    ) -> Result<S3Key, InputError> {
        let key = self.text("key")?;
        let place = environment.below(key).and_then(|rest| rest.split_once('/'));
        let is_good = place.is_some_and(|(id, file)| is_one(id, file) && PhaseExecutionId::parse(id).is_ok());
        let parsed = S3Key::parse(key).ok().filter(|_| is_good);
        parsed.ok_or_else(|| {
            let problem = format!("is not the key of {what} of the environment {environment}");
            self.error("key", problem, remedy)
        })
    }

    /// `evidence/<environment>/run_control/m2j_<stamp>/m2j_m3_entry_readiness_receipt.json`, and nothing else.
    fn receipt_key(&self, environment: &Environment) -> Result<S3Key, InputError> {
        self.key(
            environment,
            |id, file| id.starts_with("m2j_") && file == M2_RECEIPT_FILE,
            "an M2 receipt",
            "give evidence/<environment>/run_control/m2j_<stamp>/m2j_m3_entry_readiness_receipt.json",
        )
    }

    /// `evidence/<environment>/run_control/m3x_<…>/m3x_execution_summary.json` of one of the steps.
    fn held_key(&self, environment: &Environment) -> Result<S3Key, InputError> {
        let is_summary = |id: &str, file: &str| {
            let prefix = id.split('_').next().unwrap_or_default();
            prefix.starts_with("m3") && file == format!("{prefix}_execution_summary.json")
        };
        self.key(
            environment,
            is_summary,
            "a step's execution summary",
            "give evidence/<environment>/run_control/<phase execution id>/<m3x>_execution_summary.json",
        )
    }
}

/// The envelope and what S3 says in it are AWS's, who adds to both: an archive's replay adds `replay-name`. Only what is used is looked
/// at, and strictly.
fn m2_event(
    input: &Fields<'_>,
    environment: &Environment,
    evidence_bucket: &BucketName,
) -> Result<ExecutionInput, InputError> {
    const REMEDY: &str = "pass S3's Object Created event on unchanged";
    for (field, expected) in [("detail-type", "Object Created"), ("source", "aws.s3")] {
        if input.text(field)? != expected {
            return Err(input.error(field, format!("is not `{expected}`"), REMEDY));
        }
    }
    let detail = input.object("detail")?;
    let envelope = Value::Object(input.map.clone());
    serde_path_to_error::deserialize::<_, EventBridgeEvent<Map<String, Value>>>(envelope).map_err(|e| {
        let problem = format!("is not as EventBridge writes it ({})", reason(e.inner()));
        error(&path_of(e.path()), problem, REMEDY)
    })?;
    let bucket = detail.object("bucket")?;
    if bucket.text("name")? != evidence_bucket.as_str() {
        return Err(bucket.error(
            "name",
            "is not the deployment's evidence bucket",
            "start from a receipt in the deployment's evidence bucket",
        ));
    }
    let object = detail.object("object")?;
    let version_id = match object.map.get("version-id") {
        // A bucket without versions has none.
        Some(Value::Null) => None,
        _ => object.optional("version-id", Fields::version)?,
    };
    let receipt = M2Receipt {
        key: object.receipt_key(environment)?,
        version_id,
    };
    let sequencer = object.text("sequencer")?;
    let is_sequencer =
        (1..=MAX_TEXT_BYTES).contains(&sequencer.len()) && sequencer.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_sequencer {
        return Err(object.error("sequencer", "is not S3's sequencer", REMEDY));
    }
    Ok(ExecutionInput::M2Event {
        receipt,
        sequencer: sequencer.to_owned(),
    })
}

fn operator_start(input: &Fields<'_>, environment: &Environment) -> Result<ExecutionInput, InputError> {
    input.only(&["m2_handoff", "oracle_input_manifest"])?;
    let handoff = input.object("m2_handoff")?;
    handoff.only(&["key", "version_id"])?;
    let receipt = M2Receipt {
        key: handoff.receipt_key(environment)?,
        version_id: handoff.optional("version_id", Fields::version)?,
    };
    let oracle_input_manifest = input.optional("oracle_input_manifest", |input, field| {
        let pinned = input.object(field)?;
        pinned.only(&["uri", "sha256"])?;
        let uri = S3Uri::parse(pinned.text("uri")?)
            .map_err(|e| pinned.error("uri", format!("is not an S3 URI ({e})"), "give s3://bucket/key"))?;
        let sha256 = pinned.digest("sha256")?;
        Ok(PinnedManifest { uri, sha256 })
    })?;
    Ok(ExecutionInput::OperatorStart {
        receipt,
        oracle_input_manifest,
    })
}

fn rerun(input: &Fields<'_>, environment: &Environment) -> Result<ExecutionInput, InputError> {
    input.only(&["resume"])?;
    let resume = input.object("resume")?;
    resume.only(&["held", "only", "reset"])?;
    let held = resume.object("held")?;
    held.only(&["key", "version_id", "sha256"])?;
    let held = HeldSummary {
        key: held.held_key(environment)?,
        version_id: held.version("version_id")?,
        sha256: held.digest("sha256")?,
    };
    let only = match resume.map.get("only") {
        None => false,
        Some(Value::Bool(only)) => *only,
        Some(_) => return Err(resume.error("only", "is not true or false", SHAPE)),
    };
    let reset = Value::Object(resume.object("reset")?.map.clone());
    let reset: ResetReceipt = serde_json::from_value(reset)
        .map_err(|e| resume.error("reset", format!("is no reset receipt ({})", reason(&e)), SHAPE))?;
    Ok(ExecutionInput::Rerun(Rerun { held, only, reset }))
}

/// What Step Functions' own editor puts into the input of a nested execution, so that the console shows which execution started
/// it. It is AWS's, and passed over.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

fn phase_entry(input: &Fields<'_>) -> Result<ExecutionInput, InputError> {
    let known = CORRELATION_FIELDS.into_iter().chain([STARTED_BY]);
    input.only(&known.collect::<Vec<_>>())?;
    let refused = |field: &str, e: ParseError| {
        let problem = format!("is not the id of a run ({e})");
        input.error(field, problem, "give it as run.json has it")
    };
    let (run, scenario) = ("platform_run_id", "scenario_run_id");
    let given = |field: &str| input.optional(field, |input, field| input.text(field).map(str::to_owned));
    Ok(ExecutionInput::PhaseEntry(PhaseEntry {
        platform_run_id: PlatformRunId::parse(input.text(run)?).map_err(|e| refused(run, e))?,
        scenario_run_id: ScenarioRunId::parse(input.text(scenario)?).map_err(|e| refused(scenario, e))?,
        phase_id: given("phase_id")?,
        event_id: given("event_id")?,
        runtime_lane: given("runtime_lane")?,
        trace_id: given("trace_id")?,
    }))
}

#[cfg(test)]
mod tests;
