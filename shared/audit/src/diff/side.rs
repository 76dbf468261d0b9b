//! One of the two runs: its ids and the facts that determine them, as its evidence states them.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::artifacts::{PhaseSummary, RunIdentitySeed};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::{Body, Document, ExecutionSummary, RunIds, split};
use p1_contract::handles::{self, HandleFact, HandleFacts};
use p1_contract::identity::SeedInputs;
use p1_contract::ids::{Environment, S3Key, Stamp, below_run_control};
use p1_contract::observations::{Observations, admission, handle_closure};
use p1_contract::owner::Owner;
use p1_contract::reference::{ClosureRef, ObjectRef};
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::evidence_set::EvidenceSet;
use crate::lineage::{Kind, Lineage};
use crate::verify::{self, Report};

/// A run, as its evidence directory states it.
pub(super) struct Side {
    environment: Environment,
    /// The result of `verify` on the directory.
    pub(super) report: Report,
    pub(super) phase: Option<Document<PhaseSummary>>,
    pub(super) seed: Option<SeedInputs>,
    pub(super) pinned_at: Option<Stamp>,
    /// The handles that steps read: as M3.A read them, and as the admission of a rerun pinned them for later steps.
    pub(super) handles: HandleFacts,
    /// The steps that closed with a pass.
    pub(super) passed: BTreeSet<Step>,
    /// The owners of the closures: the steps that ran, and the admission.
    pub(super) ran: BTreeSet<Owner>,
    /// Each object that a step read from outside the evidence, with the owner that read it.
    pub(super) inputs: Vec<(Owner, ObjectRef)>,
    documents: BTreeMap<String, Value>,
}

/// The closures of an execution that ran one state alone: that state's, and those that it rests on.
fn of_one_state(lineage: &Lineage<'_>) -> Option<Vec<ClosureRef>> {
    let last = lineage.ended_with().filter(|_| lineage.kind == Kind::SingleState)?;
    let summary = lineage.set().summary(last.key.as_str(), "summary").ok()?;
    Some(summary.body.upstream.into_iter().chain([last]).collect())
}

/// The files of a directory, and the closures that name them.
struct Evidence<'s> {
    set: &'s EvidenceSet,
    summaries: BTreeMap<Owner, ExecutionSummary>,
}

impl Side {
    /// Reads the evidence. The result of `verify` does not matter here.
    pub(super) fn read(set: &EvidenceSet) -> Self {
        let report = verify::verify(set, &[]);
        let lineage = Lineage::of(set);
        let phase = lineage.verdict().map(|verdict| verdict.summary);
        let mut evidence = Evidence {
            set,
            summaries: BTreeMap::new(),
        };
        let mut passed = BTreeSet::new();
        let of_phase = || phase.iter().flat_map(|phase| phase.body.closures.clone()).collect();
        for closure in of_one_state(&lineage).unwrap_or_else(of_phase) {
            let Ok(summary) = set.summary(closure.key.as_str(), "summary") else {
                continue;
            };
            passed.extend(closure.step.as_step().filter(|_| closure.overall_pass));
            evidence.summaries.insert(closure.step, summary.body);
        }
        let seed = evidence.artifact::<RunIdentitySeed>(Step::RunIdentity.into());
        Side {
            pinned_at: seed.as_ref().map(|seed| seed.pinned_at_utc),
            seed: seed.and_then(|seed| seed.seed_inputs),
            handles: evidence.handles(),
            inputs: evidence.inputs(),
            ran: evidence.summaries.keys().copied().collect(),
            documents: evidence.documents(),
            environment: set.environment(),
            phase,
            passed,
            report,
        }
    }

    /// Whether `step` reads the handle of this name.
    pub(super) fn reads(&self, step: Step, name: &str) -> bool {
        handles::names_read_by(step, &self.environment)
            .iter()
            .any(|key| key == name)
    }

    /// The run's ids.
    pub(super) fn run(&self) -> &RunIds {
        &self.report.run
    }

    /// A field of a step's artifact. Returns `None` if there is no such artifact or field, or if the field is null.
    pub(super) fn field(&self, artifact: &str, field: &str) -> Option<&Value> {
        self.documents
            .get(artifact)?
            .get(field)
            .filter(|value| !value.is_null())
    }

    /// Whether a step of the run published an artifact.
    pub(super) fn publishes(&self, artifact: &str) -> bool {
        self.documents.contains_key(artifact)
    }

    /// What the evidence records about a handle.
    pub(super) fn handle(&self, key: &str) -> Option<&HandleFact> {
        self.handles.0.get(key)
    }

    /// The codes of the blockers that are still unresolved.
    pub(super) fn codes(&self) -> Vec<Blocker> {
        let blockers = self.phase.iter().flat_map(|phase| &phase.body.unresolved_blockers);
        let codes: BTreeSet<Blocker> = blockers.map(|blocker| blocker.code).collect();
        codes.into_iter().collect()
    }

    /// M3.I's adjudication.
    pub(super) fn adjudication(&self) -> Option<RollupVerdict> {
        self.phase.as_ref()?.body.adjudication
    }
}

impl Evidence<'_> {
    fn key(&self, owner: Owner, name: &str) -> Option<&S3Key> {
        self.summaries.get(&owner)?.artifact(name).map(|artifact| &artifact.key)
    }

    fn artifact<B: Body>(&self, owner: Owner) -> Option<B> {
        let document = self.set.document::<B>(self.key(owner, B::NAME)?.as_str());
        document.ok().map(|document| document.body)
    }

    fn observed<O: DeserializeOwned>(&self, owner: Owner) -> Option<O> {
        let name = owner.observations_name();
        let value = self.set.value(self.key(owner, &name)?.as_str()).ok()?;
        split::<Observations<O>>(value, &name)
            .ok()
            .map(|document| document.body.observed)
    }

    /// The handles as M3.A read them. A mended handle has the value that the admission pinned.
    fn handles(&self) -> HandleFacts {
        let first: Option<handle_closure::Observed> = self.observed(Owner::Step(Step::HandleClosure));
        let mut handles = first.map(|observed| observed.handles).unwrap_or_default();
        let admitted: Option<admission::Observed> = self.observed(Owner::Admission);
        if let Some(registry) = admitted.as_ref().and_then(|admitted| admitted.facts.registry.found()) {
            handles.0.extend(registry.handles.0.clone());
        }
        handles
    }

    /// Every object that a step read and no step wrote. Each object occurs once, with the first step that read it.
    fn inputs(&self) -> Vec<(Owner, ObjectRef)> {
        let mut inputs: Vec<(Owner, ObjectRef)> = Vec::new();
        for (&owner, summary) in &self.summaries {
            for input in &summary.inputs {
                let folder = below_run_control(input.key.as_str());
                let is_evidence = input.key.as_str().starts_with("evidence/runs/")
                    || folder.is_some_and(|folder| !folder.starts_with("m2"));
                if !is_evidence && !inputs.iter().any(|(_, known)| known == input) {
                    inputs.push((owner, input.clone()));
                }
            }
        }
        inputs
    }

    fn documents(&self) -> BTreeMap<String, Value> {
        let artifacts = self.summaries.values().flat_map(|summary| &summary.artifacts);
        artifacts
            .filter_map(|artifact| Some((artifact.name.clone(), self.set.value(artifact.key.as_str()).ok()?)))
            .collect()
    }
}
