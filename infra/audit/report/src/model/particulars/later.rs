//! Details of M3.F to M3.J, and of the admission of a rerun.

use p1_contract::artifacts::*;
use p1_contract::blocker::Blocker;
use p1_contract::step::Step;

use super::{Particulars, Reader};

pub(super) fn handoff(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(snapshot) = reader.read::<RuntimeScopeBindingSnapshot>() {
        said.check("binding", snapshot.binding_pass, "the run scope can reach a runtime");
        let listed = !reader.summary.codes().contains(&Blocker::CorrelationFieldsInvalid);
        said.check("correlation fields", listed, "the registry lists the contract's");
        said.maybe("variable", snapshot.required_platform_run_id_env_key);
        said.maybe(
            "its value",
            snapshot.required_platform_run_id_env_value.map(|id| id.to_string()),
        );
        said.maybe(
            "correlation fields",
            snapshot.correlation_required_fields.map(|fields| fields.join(", ")),
        );
    }
    if let Some(receipts) = reader.read::<HandoffReferenceReceipts>() {
        for reference in &receipts.references {
            let hash = reference
                .readback_sha256
                .as_ref()
                .map_or("could not be read", |hash| hash.as_str());
            said.check(format!("reference {}", reference.name), reference.matches, hash);
        }
    }
}

pub(super) fn discipline(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(policy) = reader.read::<RerunResetPolicySnapshot>() {
        said.results(&policy.checks);
        said.fact("on drift", &policy.identity_drift_policy);
        said.fact("permitted reset classes", policy.permitted_reset_classes.join(", "));
        said.fact("outside the classes", &policy.fallback_approval_rule);
        said.fact("never done", policy.prohibited_actions.join(", "));
        said.fact("a rerun", yes(policy.rerun));
    }
    if let Some(guard) = reader.read::<ProhibitedMutationGuardReceipts>() {
        let keys = format!(
            "{} keys below {}: one version each, no delete marker",
            guard.keys.len(),
            guard.run_root
        );
        said.check("no destructive mutation", guard.guard_pass, keys);
    }
}

pub(super) fn cost(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(envelope) = reader.read::<PhaseBudgetEnvelope>() {
        said.check(
            "envelope",
            envelope.envelope_valid,
            "alerts ascend and stay within the limit",
        );
    }
    if let Some(receipts) = reader.read::<CostSourceReceipts>() {
        for source in &receipts.sources {
            said.check(format!("cost source {}", source.source), source.pass, &source.detail);
        }
    }
    if let Some(posture) = reader.read::<DailyCostPosture>() {
        said.check(
            "posture",
            posture.overall_pass,
            format!("where the month stands on {}", posture.date_utc),
        );
    }
}

pub(super) fn rollup(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(matrix) = reader.read::<GateRollupMatrix>() {
        said.check("matrix", matrix.complete, "every step has every check");
        for row in &matrix.steps {
            for check in &row.checks {
                said.check(format!("{} {}", row.step, check.check), check.pass, &check.detail);
            }
        }
    }
    if let Some(verdict) = reader.read::<P1Verdict>() {
        said.check(
            "reproducible",
            verdict.reproducible,
            "building the verdict twice gives the same bytes",
        );
        said.fact("adjudication", verdict.verdict.as_str());
        let not_reached: Vec<&str> = verdict.not_reached.iter().map(|step| step.id()).collect();
        said.fact(
            "not reached",
            if not_reached.is_empty() {
                "none".to_owned()
            } else {
                not_reached.join(", ")
            },
        );
    }
}

pub(super) fn verdict(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(phase) = reader.read::<PhaseSummary>() {
        said.fact("verdict", phase.verdict.as_str());
        said.fact(
            "commit",
            match phase.commit {
                CommitPosture::ToBeCommitted => "TO_BE_COMMITTED",
                CommitPosture::NoLedger => "NO_LEDGER",
                CommitPosture::LedgerLost => "LEDGER_LOST",
            },
        );
    }
    if let Some(receipt) = reader.read::<M4EntryReadinessReceipt>() {
        said.fact("gate that is open", &receipt.next_gate);
        said.fact("commit record", receipt.commit.key.as_str());
    }
}

pub(super) fn admission(reader: &mut Reader<'_>, said: &mut Particulars) {
    let Some(receipt) = reader.read::<RerunAdmissionReceipt>() else {
        return;
    };
    said.results(&receipt.checks);
    said.fact("held summary", receipt.held.key.as_str());
    said.maybe("resumes at", receipt.resume_at.map(Step::state_name));
    said.fact("that state alone", yes(receipt.only));
    said.maybe("actor", receipt.reset.actor);
    said.maybe("reason", receipt.reset.reason);
    said.maybe("reset class", receipt.reset.class);
    said.maybe("scope", receipt.reset.scope);
    if let Some(approval) = receipt.reset.approval {
        said.maybe("approved by", approval.who);
        said.maybe("approved for", approval.blocker);
    }
    said.maybe(
        "registry pinned",
        receipt.registry.map(|registry| registry.key.to_string()),
    );
    said.maybe("ledger record", receipt.ledger_sequence.map(|n| n.to_string()));
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
