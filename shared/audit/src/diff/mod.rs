//! What differs between two runs, and whether that forced a new one.
//!
//! The three ids say what a run is. `config_digest` is computed from the digest input, `scenario_run_id` from the scenario
//! equivalence key, and both of these from handles and manifests. `platform_run_id` is minted anew for every start. A difference
//! is therefore judged by where it comes from. Other differences force no new run; an example is a mended handle that only later
//! steps read.

mod identity;
mod side;

use std::collections::BTreeSet;

use p1_contract::artifacts::{M4HandoffPack, P1Verdict, PhaseBudgetEnvelope, PhaseCostOutcomeReceipt, RunRecord};
use p1_contract::evidence::Body;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;
use serde::Serialize;
use serde_json::{Value, json};
use side::Side;

use crate::evidence_set::EvidenceSet;
use crate::lineage::What;
use crate::text;
use crate::verify::Standing as Verified;

const CONFIG_DIGEST: &str = "config_digest";
/// The number of characters of a value that are shown.
const SHOWN: usize = 200;

/// Whether two runs have the same identity inputs. The exit status of `cargo p1 diff` says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Digest input and scenario equivalence key are the same.
    Same,
    /// Digest input or scenario equivalence key differs.
    Differs,
    /// A run was held before its identity was derived, or the evidence of its identity is lost.
    Unknown,
}

/// What the comparison says of one of the two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFacts {
    /// The result of `verify` on the directory.
    pub standing: Verified,
    /// What the execution is that the directory is of. The comparison is about its run.
    pub execution: What,
    /// The number of findings.
    pub findings: usize,
    /// The verdict that counts.
    pub verdict: Option<String>,
    /// The id of the run.
    pub platform_run_id: Option<String>,
    /// The id of the scenario.
    pub scenario_run_id: Option<String>,
    /// The digest of the run's configuration.
    pub config_digest: Option<String>,
}

/// A difference between the two runs. Values are shortened JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The thing that differs: a JSON pointer, a handle, or a field.
    pub what: String,
    /// The value in the first run. `None` if the first run has no value.
    pub a: Option<String>,
    /// The value in the second run. `None` if the second run has no value.
    pub b: Option<String>,
    /// Where the difference comes from: handles that differ, or an explanation in words.
    pub from: Vec<String>,
}

/// How one of the three ids compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdChange {
    /// `platform_run_id`, `scenario_run_id` or `config_digest`.
    pub id: &'static str,
    /// Whether both runs have this id with the same value.
    pub same: bool,
    /// The differences that make this id differ.
    pub through: Vec<Change>,
}

/// A handle that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandleChange {
    /// The handle.
    pub handle: String,
    /// Its value as the first run's steps read it.
    pub a: Option<String>,
    /// Its value as the second run's steps read it.
    pub b: Option<String>,
    /// The steps that read it.
    pub read_by: Vec<Step>,
    /// The ids that differ because of it.
    pub identity: Vec<&'static str>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the identity inputs are the same.
    pub standing: Standing,
    /// Whether the differences forced the second run to be a new run. `None` if that is not known.
    pub new_run_forced: Option<bool>,
    /// The reason, in words.
    pub why: String,
    /// The first run.
    pub a: RunFacts,
    /// The second run.
    pub b: RunFacts,
    /// The three ids.
    pub ids: Vec<IdChange>,
    /// The handles that differ.
    pub handles: Vec<HandleChange>,
    /// The other differences. They force no new run.
    pub others: Vec<Change>,
}

/// Compares two runs by their evidence. The result of `verify` does not matter here.
///
/// ```
/// use p1_audit::diff::{Standing, diff};
/// use p1_audit::EvidenceSet;
///
/// let nothing = EvidenceSet::from_mirror([], []);
/// assert_eq!(diff(&nothing, &nothing).standing, Standing::Unknown, "no identity was derived");
/// ```
#[must_use]
pub fn diff(a: &EvidenceSet, b: &EvidenceSet) -> Report {
    let (a, b) = (Side::read(a), Side::read(b));
    let ids = identity::ids(&a, &b);
    let standing = identity::standing(&a, &b);
    let handles = changed_handles(&a, &b, &ids);
    let (new_run_forced, why) = forced(&a, &b, standing, &handles);
    Report {
        standing,
        new_run_forced,
        why,
        others: others(&a, &b),
        a: facts(&a),
        b: facts(&b),
        ids,
        handles,
    }
}

fn facts(side: &Side) -> RunFacts {
    let run = side.run();
    RunFacts {
        standing: side.report.standing,
        execution: side.report.execution.clone(),
        findings: side.report.findings.len(),
        verdict: side.report.verdict.clone(),
        platform_run_id: run.platform_run_id.as_ref().map(ToString::to_string),
        scenario_run_id: run.scenario_run_id.as_ref().map(ToString::to_string),
        config_digest: run.config_digest.as_ref().map(ToString::to_string),
    }
}

/// A value, shortened and safe to print.
fn shown(value: &Value) -> String {
    text::brief(&value.to_string(), SHOWN)
}

/// The change of one value. Returns `None` if both runs have the same value.
fn change(what: &str, a: Option<&Value>, b: Option<&Value>, from: Vec<String>) -> Option<Change> {
    (a != b).then(|| Change {
        what: text::clean(what),
        a: a.map(shown),
        b: b.map(shown),
        from,
    })
}

/// The change of what `value` gives for each of the two runs.
fn compared(
    what: &str,
    (a, b): (&Side, &Side),
    value: impl Fn(&Side) -> Option<Value>,
    from: Vec<String>,
) -> Option<Change> {
    change(what, value(a).as_ref(), value(b).as_ref(), from)
}

/// A handle's value. If the handle has no value, its status in the registry.
fn handle_value(side: &Side, key: &str) -> Option<Value> {
    let fact = side.handle(key)?;
    let value = fact.value.clone();
    Some(value.unwrap_or_else(|| json!({"status": fact.status})))
}

fn changed_handles(a: &Side, b: &Side, ids: &[IdChange]) -> Vec<HandleChange> {
    let keys: BTreeSet<&String> = a.handles.0.keys().chain(b.handles.0.keys()).collect();
    let changed = keys.into_iter().filter_map(|key| {
        let change = compared(key, (a, b), |side| handle_value(side, key), Vec::new())?;
        let comes_from = |id: &str, origin: &str| {
            let mut through = ids
                .iter()
                .filter(|known| known.id == id)
                .flat_map(|known| &known.through);
            through.any(|change| change.from.iter().any(|from| from == origin))
        };
        // The registry decides whether the digest is a part of the scenario equivalence key.
        let through = |id: &&IdChange| {
            comes_from(id.id, key) || comes_from(id.id, CONFIG_DIGEST) && comes_from(CONFIG_DIGEST, key)
        };
        Some(HandleChange {
            read_by: Step::ALL
                .into_iter()
                .filter(|step| a.reads(*step, key) || b.reads(*step, key))
                .collect(),
            identity: ids.iter().filter(through).map(|id| id.id).collect(),
            handle: change.what,
            a: change.a,
            b: change.b,
        })
    });
    changed.collect()
}

/// Whether the second run had to be a new run, given the first one (contract section 6).
fn forced(a: &Side, b: &Side, standing: Standing, changed: &[HandleChange]) -> (Option<bool>, String) {
    let say = |forced: bool, why: &str| (Some(forced), why.to_owned());
    let run = &a.run().platform_run_id;
    if run.is_some() && *run == b.run().platform_run_id {
        return say(
            false,
            "it is one run: the one goes on with the other, under the same id",
        );
    }
    let next = Step::GATED.into_iter().find(|step| !a.passed.contains(step));
    if a.phase.is_some() && next.is_some_and(|step| step <= Step::RunIdentity) {
        return say(
            true,
            "the first run was held at M3.A or M3.B, and such a run is started anew",
        );
    }
    match standing {
        Standing::Differs => {
            return say(
                true,
                "the identity inputs differ: another configuration or scenario is another run, and no rerun may smuggle it in (M3G-B2)",
            );
        }
        Standing::Unknown => {
            let why = "the identity inputs of one run are not known: it was held before they were derived, or its evidence is lost";
            return (None, why.to_owned());
        }
        Standing::Same => {}
    }
    let Some(phase) = &a.phase else {
        return (None, "the first run has no verdict".to_owned());
    };
    if phase.body.overall_pass {
        let why = "the first run advanced, and nothing follows a committed advance; nothing that differs asked for a second one";
        return say(false, why);
    }
    if a.adjudication() == Some(RollupVerdict::NoGoResetRequired) {
        return say(
            true,
            "the first run is a no-go: after NO_GO_RESET_REQUIRED only a new start is offered",
        );
    }
    let bound: Vec<&str> = changed
        .iter()
        .filter(|change| change.read_by.iter().any(|step| a.passed.contains(step)))
        .map(|change| change.handle.as_str())
        .collect();
    if !bound.is_empty() {
        let why = format!(
            "a step that the first run had closed rests on what differs, so that a rerun is refused (M3G-B2): {}",
            bound.join(", ")
        );
        return (Some(true), why);
    }
    let at = next.map_or_else(|| "M3.I".to_owned(), |step| step.to_string());
    let why = format!(
        "the first run was held at {at}, and what differs only that step and later ones read; it could have been resumed"
    );
    (Some(false), why)
}

/// Artifacts with the fields that are compared. These fields say what a run does; they are no part of its identity.
const FIELDS: [(&str, &[&str]); 5] = [
    (RunRecord::NAME, &["orchestrator"]),
    (
        M4HandoffPack::NAME,
        &["required_platform_run_id_env_key", "correlation_required_fields"],
    ),
    (
        PhaseBudgetEnvelope::NAME,
        &[
            "monthly_budget_limit_usd",
            "budget_alerts_usd",
            "budget_currency",
            "cost_capture_scope",
            "envelope_valid",
        ],
    ),
    (
        PhaseCostOutcomeReceipt::NAME,
        &["window_start_utc", "spend_amount", "spend_currency"],
    ),
    (P1Verdict::NAME, &["verdict", "not_reached"]),
];

fn others(a: &Side, b: &Side) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |what: &str, value: &dyn Fn(&Side) -> Option<Value>| {
        changes.extend(compared(what, (a, b), value, Vec::new()));
    };
    note("unresolved blockers", &|side| {
        side.phase.as_ref().map(|_| json!(side.codes()))
    });
    for (artifact, fields) in FIELDS {
        if a.publishes(artifact) != b.publishes(artifact) {
            note(artifact, &|side| side.publishes(artifact).then(|| json!("published")));
            continue;
        }
        for field in fields {
            let value = |side: &Side| side.field(artifact, field).cloned();
            note(&format!("{artifact}/{field}"), &value);
        }
    }
    // A place counts if its bytes differ, or if a step read it in only one of the two runs.
    let places: BTreeSet<(String, String)> = [(a, b), (b, a)]
        .into_iter()
        .flat_map(|(side, other)| side.inputs.iter().filter(|(owner, _)| other.ran.contains(owner)))
        .map(|(_, input)| (input.bucket.to_string(), input.key.to_string()))
        .collect();
    for (bucket, key) in places {
        let hashes = |side: &Side| -> Option<Value> {
            let inputs = side.inputs.iter().map(|(_, input)| input);
            let of_place = inputs.filter(|input| input.bucket.as_str() == bucket && input.key.as_str() == key);
            let hashes: BTreeSet<_> = of_place.map(|input| input.sha256.as_str()).collect();
            (!hashes.is_empty()).then(|| json!(hashes))
        };
        note(&format!("input s3://{bucket}/{key}"), &hashes);
    }
    changes
}
