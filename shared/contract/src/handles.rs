//! Which handles each step reads, and what a reading of the registry said (contract sections 3 and 7).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::Environment;
use crate::registry::{Reading, Registry};
use crate::secrets;
use crate::step::Step;

/// Where the value of a handle comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceClass {
    /// The registry itself.
    RegistryLiteral,
    /// A stack output or the control plane, which the registry must agree with.
    StackOutputOrControlPlane,
    /// The M2 handoff receipt.
    M2HandoffArtifact,
}

/// By what M3.A verified the value of a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerificationMethod {
    /// A stack outputs the same value.
    StackOutput,
    /// AWS was asked about what it names.
    ControlPlane,
    /// Both.
    StackOutputAndControlPlane,
    /// It is the name under which evidence has the field.
    EvidenceFieldName,
    /// It is the ARN of an IAM role or user of this account.
    PrincipalArn,
    /// Nothing but the registry says it.
    RegistryAlone,
    /// It has no value, or one that does not hold.
    NotVerified,
}

/// The name of a handle that is the same in every environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FixedHandle(&'static str);

/// The name of a handle that carries the environment's in upper case, such as `DEV_FULL_BUDGET_ALERT_1_USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvironmentHandle {
    before: &'static str,
    after: &'static str,
}

/// A handle that a step reads. Every name of one stands in this file alone.
///
/// ```
/// use p1_contract::handles::{Handle, ROLE_TERRAFORM_APPLY, S3_EVIDENCE_BUCKET};
/// use p1_contract::ids::Environment;
///
/// let prod = Environment::parse("prod").unwrap();
/// assert_eq!(Handle::Fixed(S3_EVIDENCE_BUCKET).name(&prod), "S3_EVIDENCE_BUCKET");
/// assert_eq!(ROLE_TERRAFORM_APPLY.name(&prod), "ROLE_TERRAFORM_APPLY_PROD");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// One name for all environments.
    Fixed(FixedHandle),
    /// A name for each environment.
    PerEnvironment(EnvironmentHandle),
}

impl FixedHandle {
    const fn handle(self) -> Handle {
        Handle::Fixed(self)
    }

    /// Its name, which needs no environment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl AsRef<str> for FixedHandle {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl std::fmt::Display for FixedHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl From<FixedHandle> for String {
    fn from(handle: FixedHandle) -> String {
        handle.0.to_owned()
    }
}

impl EnvironmentHandle {
    const fn handle(self) -> Handle {
        Handle::PerEnvironment(self)
    }

    /// Its name in the registry of `environment`.
    #[must_use]
    pub fn name(self, environment: &Environment) -> String {
        let environment = environment.as_str().to_ascii_uppercase();
        format!("{}{environment}{}", self.before, self.after)
    }
}

impl Handle {
    /// Its name in the registry of `environment`.
    #[must_use]
    pub fn name(self, environment: &Environment) -> String {
        match self {
            Handle::Fixed(handle) => handle.into(),
            Handle::PerEnvironment(handle) => handle.name(environment),
        }
    }
}

/// The names of `handles` in the registry of `environment`.
#[must_use]
pub fn names(handles: &[Handle], environment: &Environment) -> Vec<String> {
    handles.iter().map(|handle| handle.name(environment)).collect()
}

/// The names of the handles whose values `step` uses, in the registry of `environment`.
#[must_use]
pub fn names_read_by(step: Step, environment: &Environment) -> Vec<String> {
    names(read_by(step), environment)
}

macro_rules! handles {
    ($($name:ident)*) => {
        $(
            #[doc = concat!("The handle `", stringify!($name), "`.")]
            pub const $name: FixedHandle = FixedHandle(stringify!($name));
        )*
    };
}

macro_rules! list {
    ($($handle:expr),* $(,)?) => { [$($handle.handle()),*] };
}

handles! {
    AWS_BILLING_REGION
    AWS_COST_CAPTURE_ENABLED
    BUDGET_CURRENCY
    CONFIG_DIGEST_ALGO
    CONFIG_DIGEST_FIELD
    CORRELATION_REQUIRED_FIELDS
    COST_CAPTURE_SCOPE
    COST_OUTCOME_RECEIPT_REQUIRED_FIELDS
    DAILY_COST_POSTURE_PATH_PATTERN
    DATABRICKS_COST_CAPTURE_DEFER_REASON
    DATABRICKS_COST_CAPTURE_ENABLED
    DATABRICKS_COST_CAPTURE_REENABLE_GATE
    EVIDENCE_RUN_JSON_KEY
    FIELD_CONFIG_DIGEST
    FIELD_PLATFORM_RUN_ID
    FIELD_SCENARIO_RUN_ID
    FIELD_WRITTEN_AT_UTC
    M3H_DATABRICKS_COST_SOURCE_CURRENCY
    M3H_DATABRICKS_COST_SOURCE_MODE
    M3H_DATABRICKS_COST_SOURCE_URI
    ORACLE_ENGINE_RUN_ID
    ORACLE_REQUIRED_OUTPUT_IDS
    ORACLE_SORT_KEY_BY_OUTPUT_ID
    ORACLE_SOURCE_NAMESPACE
    ORACLE_STORE_BUCKET
    PHASE_BUDGET_ENVELOPE_PATH_PATTERN
    PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME
    PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN
    PHASE_COST_OUTCOME_REQUIRED
    PHASE_ENVELOPE_REQUIRED
    REQUIRED_PLATFORM_RUN_ID_ENV_KEY
    ROLE_STEP_FUNCTIONS_ORCHESTRATOR
    RUN_PIN_PATH_PATTERN
    S3_ARTIFACTS_BUCKET
    S3_EVIDENCE_BUCKET
    S3_EVIDENCE_RUN_ROOT_PATTERN
    S3_STREAM_VIEW_MANIFEST_KEY_PATTERN
    S3_STREAM_VIEW_PREFIX_PATTERN
    SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE
    SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS
    SCENARIO_EQUIVALENCE_KEY_INPUT
    SCENARIO_RUN_ID_DERIVATION_MODE
    SFN_PLATFORM_RUN_ORCHESTRATOR_V0
    SR_READY_COMMIT_AUTHORITY
}

const fn per_environment(before: &'static str, after: &'static str) -> EnvironmentHandle {
    EnvironmentHandle { before, after }
}

/// The principal that applies the platform's Terraform.
pub const ROLE_TERRAFORM_APPLY: EnvironmentHandle = per_environment("ROLE_TERRAFORM_APPLY_", "");
/// The month's budget.
pub const MONTHLY_BUDGET_LIMIT_USD: EnvironmentHandle = per_environment("", "_MONTHLY_BUDGET_LIMIT_USD");
/// The amounts at which an alert is due, ascending.
pub const BUDGET_ALERTS_USD: [EnvironmentHandle; 3] = [
    per_environment("", "_BUDGET_ALERT_1_USD"),
    per_environment("", "_BUDGET_ALERT_2_USD"),
    per_environment("", "_BUDGET_ALERT_3_USD"),
];

/// The 17 handles that M3.A requires, in the order of the contract.
pub const REQUIRED: [Handle; 17] = list![
    FIELD_PLATFORM_RUN_ID,
    FIELD_SCENARIO_RUN_ID,
    FIELD_CONFIG_DIGEST,
    CONFIG_DIGEST_ALGO,
    CONFIG_DIGEST_FIELD,
    SCENARIO_EQUIVALENCE_KEY_INPUT,
    SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS,
    SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE,
    SCENARIO_RUN_ID_DERIVATION_MODE,
    S3_EVIDENCE_RUN_ROOT_PATTERN,
    RUN_PIN_PATH_PATTERN,
    EVIDENCE_RUN_JSON_KEY,
    SR_READY_COMMIT_AUTHORITY,
    REQUIRED_PLATFORM_RUN_ID_ENV_KEY,
    ROLE_TERRAFORM_APPLY,
    S3_EVIDENCE_BUCKET,
    SFN_PLATFORM_RUN_ORCHESTRATOR_V0,
];

/// The handles of the digest profile `m3b_seed_formula_v1` and of the scenario derivation.
const DERIVATION: [Handle; 12] = list![
    CONFIG_DIGEST_ALGO,
    SCENARIO_EQUIVALENCE_KEY_INPUT,
    SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS,
    SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE,
    SCENARIO_RUN_ID_DERIVATION_MODE,
    ORACLE_STORE_BUCKET,
    ORACLE_SOURCE_NAMESPACE,
    ORACLE_ENGINE_RUN_ID,
    ORACLE_REQUIRED_OUTPUT_IDS,
    ORACLE_SORT_KEY_BY_OUTPUT_ID,
    S3_STREAM_VIEW_MANIFEST_KEY_PATTERN,
    S3_STREAM_VIEW_PREFIX_PATTERN,
];

const DIGEST: [Handle; 9] = list![
    CONFIG_DIGEST_ALGO,
    CONFIG_DIGEST_FIELD,
    FIELD_CONFIG_DIGEST,
    SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE,
    SCENARIO_RUN_ID_DERIVATION_MODE,
    ORACLE_SOURCE_NAMESPACE,
    ORACLE_ENGINE_RUN_ID,
    ORACLE_REQUIRED_OUTPUT_IDS,
    ORACLE_SORT_KEY_BY_OUTPUT_ID,
];

const ORCHESTRATOR: [Handle; 4] = list![
    SFN_PLATFORM_RUN_ORCHESTRATOR_V0,
    SR_READY_COMMIT_AUTHORITY,
    ROLE_STEP_FUNCTIONS_ORCHESTRATOR,
    REQUIRED_PLATFORM_RUN_ID_ENV_KEY,
];

const PUBLICATION: [Handle; 4] = list![
    FIELD_WRITTEN_AT_UTC,
    S3_EVIDENCE_RUN_ROOT_PATTERN,
    EVIDENCE_RUN_JSON_KEY,
    RUN_PIN_PATH_PATTERN,
];

const HANDOFF: [Handle; 2] = list![REQUIRED_PLATFORM_RUN_ID_ENV_KEY, CORRELATION_REQUIRED_FIELDS];

const COST: [Handle; 22] = list![
    MONTHLY_BUDGET_LIMIT_USD,
    BUDGET_ALERTS_USD[0],
    BUDGET_ALERTS_USD[1],
    BUDGET_ALERTS_USD[2],
    BUDGET_CURRENCY,
    COST_CAPTURE_SCOPE,
    AWS_COST_CAPTURE_ENABLED,
    DATABRICKS_COST_CAPTURE_ENABLED,
    DATABRICKS_COST_CAPTURE_DEFER_REASON,
    DATABRICKS_COST_CAPTURE_REENABLE_GATE,
    M3H_DATABRICKS_COST_SOURCE_MODE,
    M3H_DATABRICKS_COST_SOURCE_URI,
    M3H_DATABRICKS_COST_SOURCE_CURRENCY,
    S3_ARTIFACTS_BUCKET,
    PHASE_BUDGET_ENVELOPE_PATH_PATTERN,
    PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN,
    DAILY_COST_POSTURE_PATH_PATTERN,
    PHASE_COST_OUTCOME_REQUIRED,
    PHASE_ENVELOPE_REQUIRED,
    PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME,
    COST_OUTCOME_RECEIPT_REQUIRED_FIELDS,
    AWS_BILLING_REGION,
];

/// The handles whose values `step` uses. M3.A's decision completeness looks at those of all steps, but that is
/// information; only what a step uses binds a rerun (contract section 6).
#[must_use]
pub const fn read_by(step: Step) -> &'static [Handle] {
    match step {
        Step::HandleClosure => &REQUIRED,
        Step::RunIdentity => &DERIVATION,
        Step::ConfigDigest | Step::RerunDiscipline => &DIGEST,
        Step::OrchestratorReadiness => &ORCHESTRATOR,
        Step::RunPublication => &PUBLICATION,
        Step::M4Handoff => &HANDOFF,
        Step::CostEnvelope => &COST,
        Step::GateRollup | Step::PhaseVerdict => &[],
    }
}

/// The name of every handle that any step reads, in order, once.
#[must_use]
pub fn names_read_by_any(environment: &Environment) -> Vec<String> {
    let all = Step::ALL.into_iter().flat_map(|step| names_read_by(step, environment));
    let all: BTreeSet<String> = all.collect();
    all.into_iter().collect()
}

/// The source class of a required handle.
#[must_use]
pub fn source_class(name: &str) -> SourceClass {
    let outputs: [&str; 2] = [S3_EVIDENCE_BUCKET.0, SFN_PLATFORM_RUN_ORCHESTRATOR_V0.0];
    if outputs.contains(&name) {
        SourceClass::StackOutputOrControlPlane
    } else {
        SourceClass::RegistryLiteral
    }
}

/// What the registry said of one handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HandleStatus {
    /// It has a value.
    Resolved,
    /// It is declared without a usable value.
    Unresolved,
    /// Its value is a placeholder such as `TO_PIN`, or holds one.
    Placeholder,
    /// It is declared with different values.
    Contradiction,
    /// It is not declared.
    Missing,
}

/// One handle as a step saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleFact {
    /// What the registry said.
    pub status: HandleStatus,
    /// The value as JSON (decimals as strings), where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Why it has none, where that needs a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The handles that a step saw, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HandleFacts(pub BTreeMap<String, HandleFact>);

/// Why a handle cannot be used: in words, for a blocker's detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleProblem {
    /// The handle.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl HandleFacts {
    /// Reads the handles of these names from the registry.
    #[must_use]
    pub fn read(registry: &Registry, names: &[String]) -> Self {
        let read = |key: &str| {
            let fact = fact(registry.get(key));
            let note = fact.note.or_else(|| registry.why_missing(key));
            HandleFact { note, ..fact }
        };
        HandleFacts(names.iter().map(|key| (key.clone(), read(key))).collect())
    }

    /// Takes secret material out of the values and the notes.
    pub fn redact(&mut self) {
        for fact in self.0.values_mut() {
            if let Some(value) = &mut fact.value {
                secrets::redact_value(value);
            }
            if let Some(safe) = fact.note.as_deref().and_then(secrets::redact_text) {
                fact.note = Some(safe);
            }
        }
    }

    /// The status of `key`; a key that was not looked at is missing.
    #[must_use]
    pub fn status(&self, key: impl AsRef<str>) -> HandleStatus {
        self.0
            .get(key.as_ref())
            .map_or(HandleStatus::Missing, |fact| fact.status)
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When the handle has none.
    pub fn value(&self, key: impl AsRef<str>) -> Result<&Value, HandleProblem> {
        let key = key.as_ref();
        let problem = |problem: &str| self.wrong(key, problem);
        let fact = self
            .0
            .get(key)
            .ok_or_else(|| problem("is not declared in the registry"))?;
        match (fact.status, &fact.value) {
            (HandleStatus::Resolved, Some(value)) => Ok(value),
            (HandleStatus::Resolved | HandleStatus::Unresolved, _) => {
                Err(problem(fact.note.as_deref().unwrap_or("is declared without a value")))
            }
            (HandleStatus::Placeholder, _) => Err(problem(fact.note.as_deref().unwrap_or("still holds TO_PIN"))),
            (HandleStatus::Contradiction, _) => Err(problem("is declared with different values")),
            (HandleStatus::Missing, _) => Err(match &fact.note {
                Some(note) => problem(&format!("is not declared in the registry: {note}")),
                None => problem("is not declared in the registry"),
            }),
        }
    }

    /// The text value of `key`.
    ///
    /// # Errors
    /// When the handle has none, or one that is empty or not text.
    pub fn text(&self, key: impl AsRef<str>) -> Result<&str, HandleProblem> {
        match self.value(&key)?.as_str() {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(&key, "is not a text")),
        }
    }

    /// The truth value of `key`.
    ///
    /// # Errors
    /// When the handle has none.
    pub fn flag(&self, key: impl AsRef<str>) -> Result<bool, HandleProblem> {
        self.value(&key)?
            .as_bool()
            .ok_or_else(|| self.wrong(&key, "is not true or false"))
    }

    /// The list of texts of `key`.
    ///
    /// # Errors
    /// When the handle has none, or the list is empty, holds something else, or one text twice.
    pub fn texts(&self, key: impl AsRef<str>) -> Result<Vec<String>, HandleProblem> {
        let wrong = || self.wrong(&key, "is not a list of distinct texts");
        let items = self.value(&key)?.as_array().ok_or_else(wrong)?;
        let texts: Vec<String> = items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let distinct: std::collections::BTreeSet<_> = texts.iter().collect();
        if texts.is_empty() || distinct.len() != texts.len() || texts.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(texts)
    }

    /// The handles that do not have in `other` the same reading as here, by name.
    pub fn different<'h>(&'h self, other: &'h HandleFacts) -> impl Iterator<Item = &'h str> {
        let reading = |facts: &'h HandleFacts, key| facts.0.get(key).map(|fact| (fact.status, &fact.value));
        let keys = self.0.keys().map(String::as_str);
        keys.filter(move |key| reading(self, *key) != reading(other, *key))
    }

    /// A problem with the value of `key`.
    #[must_use]
    pub fn wrong(&self, key: impl AsRef<str>, problem: &str) -> HandleProblem {
        HandleProblem {
            key: key.as_ref().to_owned(),
            problem: problem.to_owned(),
        }
    }
}

fn fact(reading: Reading) -> HandleFact {
    let without = |status, note: Option<String>| HandleFact {
        status,
        value: None,
        note,
    };
    match reading {
        Reading::Resolved(value) => HandleFact {
            status: HandleStatus::Resolved,
            value: Some(value.to_json()),
            note: None,
        },
        Reading::Unresolved { reason } => without(HandleStatus::Unresolved, Some(reason)),
        Reading::Placeholder { reason } => without(HandleStatus::Placeholder, Some(reason)),
        Reading::Contradiction { values } => without(
            HandleStatus::Contradiction,
            Some(format!("declared with {} different values", values.len())),
        ),
        Reading::Missing => without(HandleStatus::Missing, None),
    }
}
