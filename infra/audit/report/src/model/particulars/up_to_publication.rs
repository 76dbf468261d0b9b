//! Details of M3.A to M3.E.

use p1_contract::artifacts::*;
use serde_json::Value;

use super::{Handle, Particulars, Reader, Receipt};
use crate::text::Text;

pub(super) fn handle_closure(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(snapshot) = reader.read::<HandleClosureSnapshot>() {
        for result in &snapshot.verification_results {
            match result.pass {
                Some(pass) => said.check(&result.check, pass, &result.detail),
                // The check neither passed nor failed.
                None => said.fact("not configured", format!("{}: {}", result.check, result.detail)),
            }
        }
        let (required, resolved) = (snapshot.required_handles.len(), snapshot.resolved_handles.len());
        said.fact("required handles resolved", format!("{resolved} of {required}"));
        said.handles = snapshot
            .required_handles
            .iter()
            .map(|name| Handle {
                name: Text::new(name),
                value: snapshot.resolved_handles.get(name).map(shown),
                placeholder: snapshot.placeholder_handles.contains(name),
                source: snapshot.source_class_by_handle.get(name).map(source),
            })
            .collect();
    }
    if let Some(receipts) = reader.read::<HandleCommandReceipts>() {
        said.receipts(&receipts.receipts);
    }
}

fn source(class: &p1_contract::handles::SourceClass) -> &'static str {
    use p1_contract::handles::SourceClass;
    match class {
        SourceClass::RegistryLiteral => "registry literal",
        SourceClass::StackOutputOrControlPlane => "stack output or control plane",
        SourceClass::M2HandoffArtifact => "M2 handoff artifact",
    }
}

pub(super) fn run_identity(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(snapshot) = reader.read::<RunIdGenerationSnapshot>() {
        said.check("format", snapshot.format_check_pass, "the run id has the pinned format");
        let again = snapshot.scenario_derivation_recompute_pass;
        said.check("derivation", again, "deriving the scenario id again gives the same");
        said.fact("candidate", snapshot.candidate_platform_run_id.as_str());
        said.maybe("reserved", snapshot.final_platform_run_id.map(|id| id.to_string()));
        said.fact("candidates that were taken", snapshot.collision_attempts.to_string());
        said.maybe("derivation mode", snapshot.scenario_derivation_mode);
    }
    if let Some(seed) = reader.read::<RunIdentitySeed>() {
        said.fact("pinned at", seed.pinned_at_utc.rfc3339());
        if let Some(inputs) = seed.seed_inputs {
            said.fact("oracle input manifest", &inputs.oracle_input_manifest_uri);
            said.fact("its SHA-256", inputs.oracle_input_manifest_sha256.as_str());
        }
    }
    if let Some(probes) = reader.read::<CollisionProbeReceipts>() {
        said.receipts.extend(probes.probes.iter().map(|probe| Receipt {
            check: "collision".into(),
            operation: "reserve, then list".into(),
            target: probe.candidate_platform_run_id.as_str().into(),
            outcome: Text::new(match probe.outcome {
                ProbeOutcome::Reserved => "RESERVED",
                ProbeOutcome::LedgerTaken => "LEDGER_TAKEN",
                ProbeOutcome::RootOccupied => "ROOT_OCCUPIED",
            }),
        }));
    }
}

pub(super) fn config_digest(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(snapshot) = reader.read::<ConfigDigestSnapshot>() {
        said.check(
            "digest",
            snapshot.digest_match,
            "both computations and M3.B's seed agree",
        );
        said.maybe("canonicalisation", snapshot.canonicalization_mode);
        said.maybe("algorithm", snapshot.digest_algo);
        said.maybe("field", snapshot.digest_field);
    }
    if let Some(receipts) = reader.read::<DigestRecomputeReceipts>() {
        said.fact("digest profile", &receipts.digest_profile);
        said.receipts.extend(receipts.receipts.iter().map(|receipt| Receipt {
            check: "digest".into(),
            operation: Text::new(&receipt.path),
            target: Text::new("digest input"),
            outcome: Text::new(receipt.digest.as_ref().map_or("none", |digest| digest.as_str())),
        }));
    }
}

pub(super) fn orchestrator(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(snapshot) = reader.read::<OrchestratorReadinessSnapshot>() {
        said.check(
            "role",
            snapshot.role_alignment_pass,
            "the machine's role is the registry's",
        );
        said.maybe("state machine", snapshot.resolved_state_machine_arn);
        said.maybe("its role", snapshot.configured_role_arn);
        said.maybe("the registry's role", snapshot.expected_role_arn);
        said.maybe("commit authority", snapshot.sr_ready_commit_authority);
        said.maybe("run-scope variable", snapshot.required_platform_run_id_env_key);
    }
    if let Some(posture) = reader.read::<RunLockPostureSnapshot>() {
        said.check(
            "run lock",
            posture.held_by_this_execution,
            "the ledger's head is this execution's own",
        );
        said.fact("lock", &posture.mechanism);
        said.fact("when it is not ours", &posture.fail_closed_behavior);
    }
    if let Some(receipts) = reader.read::<OrchestratorCommandReceipts>() {
        said.receipts(&receipts.receipts);
    }
}

pub(super) fn publication(reader: &mut Reader<'_>, said: &mut Particulars) {
    if let Some(receipt) = reader.read::<RunJsonWriteReceipt>() {
        said.check(
            "run.json written once",
            receipt.write_once_guard_pass,
            "the key holds these bytes and no others",
        );
        said.maybe("run.json", receipt.resolved_run_json_key.map(|key| key.to_string()));
    }
    if let Some(receipt) = reader.read::<RunHeaderWriteReceipt>() {
        said.check(
            "run header written once",
            receipt.write_once_guard_pass,
            "the key holds these bytes and no others",
        );
        said.maybe("run header", receipt.resolved_run_header_key.map(|key| key.to_string()));
    }
    if let Some(receipts) = reader.read::<IntegrityReadbackReceipts>() {
        said.fact("write-once guard", &receipts.write_once_guard);
        for readback in &receipts.readbacks {
            said.check(
                format!("read back {}", readback.key),
                readback.matches,
                readback.readback_sha256.as_str(),
            );
        }
    }
}

/// A handle's value as text: strings unchanged, everything else as JSON.
fn shown(value: &Value) -> Text {
    match value {
        Value::String(text) => Text::new(text),
        other => Text::new(&other.to_string()),
    }
}
