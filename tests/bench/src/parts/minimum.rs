//! The fewest requests to S3 that a run can do with: two for each object that is created (the PUT, and the read-back), and
//! each read that the contract's section 7 names, once in a step. Where a step relies on what was written before, one list of versions
//! for each place in which its keys lie: a key that was overwritten or deleted since is no evidence. The entry of the scenario
//! index is created too, though no closure lists it. It is for a run that M2's receipt starts, without a rerun.
//!
//! A step's look for observations of an earlier attempt (section 2) is no read of section 7, and so is no part of it.

use p1_contract::step::Step;

/// What a step created and read besides fixed objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// The objects that the step's summary lists, and the summary.
    pub created: usize,
    /// Stack outputs documents of the deployment.
    pub stack_outputs: usize,
    /// Manifests of the oracle.
    pub manifests: usize,
    /// Records of the run's ledger when the step looks.
    pub ledger_records: usize,
    /// The artifacts that the closures of the steps before list, together.
    pub listed: usize,
}

/// The fewest requests of a step.
pub(super) fn requests(step: Step, facts: &Facts) -> usize {
    let unlisted = usize::from(step == Step::PhaseVerdict);
    2 * (facts.created + unlisted) + reads(step, facts)
}

/// The reads that section 7 names for a step.
fn reads(step: Step, facts: &Facts) -> usize {
    // The pinned registry, and M3.A's closure, which pins it.
    let registry = 1;
    let closures = |count: usize| count;
    // The list of its records, and the records.
    let ledger = 1 + facts.ledger_records;
    match step {
        // The latest registry, the stack outputs, the M2 receipt, the bucket's versioning.
        Step::HandleClosure => registry + facts.stack_outputs + 1 + 1,
        // The manifests, the list of the run root, and the history of the ledger's first record.
        Step::RunIdentity => closures(1) + registry + facts.manifests + 1 + 1,
        // M3.A, M3.B; the seed.
        Step::ConfigDigest => closures(2) + registry + 1,
        // M3.A, M3.C.
        Step::OrchestratorReadiness => closures(2) + registry + ledger,
        // M3.A … M3.D; seed and readiness snapshot.
        Step::RunPublication => closures(4) + registry + 2 + ledger,
        // M3.A … M3.E; the seed and the three durable references.
        Step::M4Handoff => closures(5) + registry + 1 + 3 + ledger,
        // M3.B, M3.C, M3.E, M3.F; run.json, header and pack; today's registry; the versions of run.json, header and ledger.
        Step::RerunDiscipline => closures(4) + 3 + registry + 3,
        // M3.A … M3.G, and everything that they list; the billing artifact.
        Step::CostEnvelope => closures(7) + registry + 1 + facts.listed,
        // M3.A … M3.H, and everything that they list.
        Step::GateRollup => closures(8) + facts.listed,
        // M3.A … M3.I; M3.I's register and verdict; the pack; the versions in their nine folders, of the event's claim, of
        // run.json and of the header. Those of the ledger come with its list.
        Step::PhaseVerdict => closures(9) + 2 + 1 + ledger + 9 + 1 + 2,
    }
}
