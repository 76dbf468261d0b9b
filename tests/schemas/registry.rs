//! Every artifact that P1 publishes, with its schema. It stands here because only the tests see all ten functions.

use std::collections::BTreeMap;
use std::path::Path;

use p1_contract::artifacts::*;
use p1_contract::attestation::{
    ENVELOPE_SCHEMA, VERDICT_PREDICATE, VERDICT_STATEMENT_SCHEMA, VSA_PREDICATE, VSA_STATEMENT_SCHEMA,
    VerdictPredicate, VerificationSummary,
};
use p1_contract::evidence::{Body, observations_name, summary_name};
use p1_contract::ledger::{LEDGER_RECORD, LedgerRecord};
use p1_contract::schema;
use p1_contract::step::Step;
use p1_runtime::{ADMISSION_SUMMARY, Observations, StepLogic};
use serde_json::Value;

use crate::project_root;

/// The schema of every artifact, by name.
pub(crate) fn schemas() -> BTreeMap<String, Value> {
    let mut all = All::default();

    all.step::<m3a_handle_closure::HandleClosure>();
    all.document::<HandleClosureSnapshot>(Step::HandleClosure);
    all.document::<HandleBlockerRegister>(Step::HandleClosure);
    all.document::<HandleCommandReceipts>(Step::HandleClosure);
    all.add(EVENT_CLAIM, schema::record::<EventClaim>(EVENT_CLAIM));

    all.step::<m3b_run_identity::RunIdentity>();
    all.document::<RunIdGenerationSnapshot>(Step::RunIdentity);
    all.document::<CollisionProbeReceipts>(Step::RunIdentity);
    all.document::<RunIdentitySeed>(Step::RunIdentity);
    all.add(LEDGER_RECORD, schema::record::<LedgerRecord>(LEDGER_RECORD));

    all.step::<m3c_config_digest::ConfigDigest>();
    all.document::<RunConfigPayload>(Step::ConfigDigest);
    all.document::<ConfigDigestSnapshot>(Step::ConfigDigest);
    all.document::<DigestRecomputeReceipts>(Step::ConfigDigest);

    all.step::<m3d_orchestrator_readiness::OrchestratorReadiness>();
    all.document::<OrchestratorReadinessSnapshot>(Step::OrchestratorReadiness);
    all.document::<RunLockPostureSnapshot>(Step::OrchestratorReadiness);
    all.document::<OrchestratorCommandReceipts>(Step::OrchestratorReadiness);

    all.step::<m3e_run_publication::RunPublication>();
    all.document::<RunRecord>(Step::RunPublication);
    all.document::<RunHeader>(Step::RunPublication);
    all.document::<RunJsonWriteReceipt>(Step::RunPublication);
    all.document::<RunHeaderWriteReceipt>(Step::RunPublication);
    all.document::<IntegrityReadbackReceipts>(Step::RunPublication);

    all.step::<m3f_m4_handoff::M4Handoff>();
    all.document::<M4HandoffPack>(Step::M4Handoff);
    all.document::<RuntimeScopeBindingSnapshot>(Step::M4Handoff);
    all.document::<HandoffReferenceReceipts>(Step::M4Handoff);

    all.step::<m3g_rerun_discipline::RerunDiscipline>();
    all.document::<RerunResetPolicySnapshot>(Step::RerunDiscipline);
    all.document::<ResetClassMatrix>(Step::RerunDiscipline);
    all.document::<ProhibitedMutationGuardReceipts>(Step::RerunDiscipline);

    let admission = m3g_rerun_discipline::Admission;
    all.closing::<m3g_rerun_discipline::Admission>(&admission.observations_name(), ADMISSION_SUMMARY);
    all.document::<RerunAdmissionReceipt>(Step::RerunDiscipline);

    all.step::<m3h_cost_envelope::CostEnvelope>();
    all.document::<PhaseBudgetEnvelope>(Step::CostEnvelope);
    all.document::<PhaseCostOutcomeReceipt>(Step::CostEnvelope);
    all.document::<DailyCostPosture>(Step::CostEnvelope);
    all.document::<CostSourceReceipts>(Step::CostEnvelope);
    all.add(BILLING_ARTIFACT, schema::record::<BillingArtifact>(BILLING_ARTIFACT));
    all.add(COST_CLAIM, schema::record::<CostClaim>(COST_CLAIM));

    all.step::<m3i_gate_rollup::GateRollup>();
    all.document::<GateRollupMatrix>(Step::GateRollup);
    all.document::<RollupBlockerRegister>(Step::GateRollup);
    all.document::<P1Verdict>(Step::GateRollup);

    all.step::<m3j_phase_verdict::PhaseVerdictStep>();
    all.document::<PhaseSummary>(Step::PhaseVerdict);
    all.document::<M4EntryReadinessReceipt>(Step::PhaseVerdict);

    all.add(ENVELOPE_SCHEMA, schema::envelope());
    let name = VERDICT_STATEMENT_SCHEMA;
    all.add(name, schema::statement::<VerdictPredicate>(name, VERDICT_PREDICATE));
    let name = VSA_STATEMENT_SCHEMA;
    all.add(name, schema::statement::<VerificationSummary>(name, VSA_PREDICATE));

    all.0
}

/// The schemas of the sidecars, which are known by their place and predicate and not by an `artifact`.
pub(crate) const OF_SIDECARS: [&str; 3] = [ENVELOPE_SCHEMA, VERDICT_STATEMENT_SCHEMA, VSA_STATEMENT_SCHEMA];

#[derive(Default)]
struct All(BTreeMap<String, Value>);

impl All {
    fn add(&mut self, name: &str, schema: Value) {
        let before = self.0.insert(name.to_owned(), schema);
        assert!(before.is_none(), "{name} stands twice");
    }

    fn document<B: Body>(&mut self, step: Step) {
        self.add(B::NAME, schema::document::<B>(step));
    }

    /// What every step begins and ends with.
    fn step<S: StepLogic>(&mut self) {
        self.closing::<S>(&observations_name(S::STEP), &summary_name(S::STEP));
    }

    fn closing<S: StepLogic>(&mut self, observations: &str, summary: &str) {
        let schema = schema::observations::<Observations<S::Observed>>(observations, S::STEP);
        self.add(observations, schema);
        self.add(summary, schema::summary(summary, S::STEP));
    }
}

/// The names that the sources declare with `artifact!`, the one way to declare an artifact.
pub(crate) fn declared_artifacts() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["shared", "functions"] {
        collect(&project_root().join(folder), &mut names);
    }
    assert!(names.len() > 30, "`artifact!` is not what declares artifacts any more");
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let declarations = text.split("\nartifact!(").skip(1);
            names.extend(declarations.map(|rest| rest.split('"').nth(1).unwrap().to_owned()));
            let by_hand = text.contains("evidence::Body for") && !text.contains("macro_rules! artifact");
            assert!(!by_hand, "{} declares an artifact without `artifact!`", path.display());
        }
    }
}
