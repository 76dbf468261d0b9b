//! M3.E … M3.J: from the run's own evidence to the verdict.

use p1_contract::blocker::Blocker;
use serde_json::{Value, json};

use super::{How, KEY_ID, Row, row};
use crate::blocker_codes::gate;

pub(super) const ROWS: &[Row] = &[
    // M3.E
    row(
        Blocker::PublicationPrerequisite,
        "a closure was changed",
        How::Observed(|seen| {
            seen["facts"]["prerequisites"][2]["problem"] = json!("has other bytes");
            seen["writes"] = Value::Null;
        }),
    ),
    row(
        Blocker::RunKeyUnresolvable,
        "run.json would leave the run's root",
        How::Registry(
            "\"evidence/runs/{platform_run_id}/run.json\"",
            "\"evidence/{platform_run_id}/run.json\"",
        ),
    ),
    row(
        Blocker::RunEvidenceAlreadyExists,
        "somebody wrote run.json while the run was held",
        How::Touched(Blocker::RoleMismatch, |stage, root| {
            Box::pin(async move {
                gate::create(stage, &format!("{root}run.json"), b"{}".to_vec()).await;
            })
        }),
    ),
    row(
        Blocker::RunEvidenceWriteFailed,
        "a receipt's key is occupied",
        How::Squatter("m3e_run_json_write_receipt.json"),
    ),
    row(
        Blocker::RunEvidenceSecret,
        "the orchestrator's role holds an access key",
        How::Observed(|seen| {
            seen["facts"]["orchestrator"]["role_arn"] = json!(format!("arn:aws:iam::123456789012:role/{KEY_ID}"));
            seen["writes"] = Value::Null;
        }),
    ),
    row(
        Blocker::PublicationLedgerLost,
        "another execution took the ledger after M3.D",
        How::Observed(|seen| {
            seen["facts"]["ledger_lost"] = json!("the head of the ledger is another's");
            seen["writes"] = Value::Null;
        }),
    ),
    // M3.F
    row(
        Blocker::HandoffPrerequisite,
        "a closure was changed",
        How::Observed(|seen| seen["sources"][1]["problem"] = json!("has other bytes")),
    ),
    row(
        Blocker::EnvBindingInvalid,
        "the variable's name is none",
        How::Observed(|seen| seen["handles"]["REQUIRED_PLATFORM_RUN_ID_ENV_KEY"]["value"] = json!("not a name")),
    ),
    row(
        Blocker::CorrelationFieldsInvalid,
        "the list lacks a field",
        How::Registry("runtime_lane,trace_id\"", "trace_id\""),
    ),
    row(
        Blocker::HandoffReferenceInvalid,
        "run.json has other bytes",
        How::Observed(|seen| {
            seen["references"][0]["found"] = json!("0".repeat(64));
            seen["references"][0]["outcome"] = json!("has other bytes");
        }),
    ),
    row(
        Blocker::HandoffNotPublished,
        "the pack's key is occupied",
        How::Squatter("m4_handoff_pack.json"),
    ),
    row(
        Blocker::HandoffSecret,
        "the variable's name is an access key",
        How::Observed(|seen| seen["handles"]["REQUIRED_PLATFORM_RUN_ID_ENV_KEY"]["value"] = json!(KEY_ID)),
    ),
    row(
        Blocker::HandoffLedgerLost,
        "another execution took the ledger after M3.E",
        How::Observed(|seen| seen["ledger_lost"] = json!("the head of the ledger is another's")),
    ),
    // M3.G
    row(
        Blocker::RerunPolicyInconsistent,
        "the held summary has another hash",
        How::Refused(Blocker::CostHandleInvalid, |input| {
            input["resume"]["held"]["sha256"] = json!("0".repeat(64));
        }),
    ),
    row(
        Blocker::IdentityDrift,
        "a handle that M3.E has read is another today",
        How::Drifted(
            Blocker::CostHandleInvalid,
            "{platform_run_id}/run_pin/run_header.json",
            "{platform_run_id}/run_pin/header.json",
        ),
    ),
    row(
        Blocker::DestructiveMutation,
        "run.json was deleted before it was written",
        How::Touched(Blocker::ReadinessNotPublished, |stage, root| {
            Box::pin(async move {
                // A delete marker where nothing lies yet: no evidence of the run is touched.
                let request = stage.s3.delete_object().bucket(stage.platform.evidence_bucket());
                request.key(format!("{root}run.json")).send().await.unwrap();
            })
        }),
    ),
    row(
        Blocker::ResetClassNotPermitted,
        "the reset class is no name",
        How::Refused(Blocker::CostHandleInvalid, |input| {
            input["resume"]["reset"]["class"] = json!("Everything!");
        }),
    ),
    row(
        Blocker::ResetReceiptIncomplete,
        "the reset receipt has no actor",
        How::Refused(Blocker::CostHandleInvalid, |input| {
            input["resume"]["reset"]["actor"] = json!(" ");
        }),
    ),
    row(
        Blocker::ResetNotApproved,
        "a reset class of one's own has no approval",
        How::Refused(Blocker::CostHandleInvalid, |input| {
            input["resume"]["reset"]["class"] = json!("factory_reset");
        }),
    ),
    row(
        Blocker::PolicyNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3g_reset_class_matrix.json"),
    ),
    // M3.H
    row(
        Blocker::CostHandleInvalid,
        "the scope is to pin",
        How::Registry("`COST_CAPTURE_SCOPE = \"", "`COST_CAPTURE_SCOPE = \"TO_PIN\"` `x = \""),
    ),
    row(
        Blocker::CostUpstreamNotGreen,
        "the closures that it read are not the chain's",
        How::Observed(|_| {}),
    ),
    row(
        Blocker::BillingSourceUnusable,
        "capture is off",
        How::Registry(
            "`AWS_COST_CAPTURE_ENABLED = true`",
            "`AWS_COST_CAPTURE_ENABLED = false`",
        ),
    ),
    row(
        Blocker::DatabricksSourceInvalid,
        "the second source is enabled and not pinned",
        How::Registry(
            "`DATABRICKS_COST_CAPTURE_ENABLED = false`",
            "`DATABRICKS_COST_CAPTURE_ENABLED = true`",
        ),
    ),
    row(
        Blocker::EnvelopeBreached,
        "the alerts do not rise",
        How::Registry(
            "`DEV_FULL_BUDGET_ALERT_2_USD = 175`",
            "`DEV_FULL_BUDGET_ALERT_2_USD = 100`",
        ),
    ),
    row(
        Blocker::OutcomeReceiptInvalid,
        "the receipt's field list lacks one",
        How::Registry("artifacts_emitted,decision_or_risk_retired\"", "artifacts_emitted\""),
    ),
    row(
        Blocker::CurrencyMismatch,
        "the budget is in another currency",
        How::Registry("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY = \"EUR\"`"),
    ),
    row(
        Blocker::CostNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3h_cost_source_receipts.json"),
    ),
    row(
        Blocker::SpendWithoutProof,
        "the handoff pack is gone",
        How::ResumedObserved(Blocker::CostNotPublished, |seen| {
            let proofs = seen["proofs"].as_array_mut().unwrap();
            let pack = proofs
                .iter_mut()
                .find(|proof| proof["name"] == "m4_handoff_pack")
                .unwrap();
            pack["state"] = json!({"gone": {"key": "m4_handoff_pack.json", "detail": "missing"}});
        }),
    ),
    // M3.I
    row(
        Blocker::RollupArtifactInvalid,
        "an artifact has other bytes",
        How::Observed(|seen| {
            seen["audits"][2]["problems"] = json!([{"subject": "m3c_run_config_payload.json", "detail": "missing"}]);
        }),
    ),
    row(
        Blocker::GateContradicted,
        "a gate let a hold through",
        How::Observed(|seen| seen["audits"][2]["closure"]["overall_pass"] = json!(false)),
    ),
    row(
        Blocker::RollupNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3i_blocker_register.json"),
    ),
    // M3.J
    row(
        Blocker::ChainIncomplete,
        "a closure cannot be read",
        How::Concluded(|seen| {
            let key = seen["facts"]["chain"][3]["closure"]["key"].clone();
            seen["facts"]["chain"][3]["problems"] = json!([{"subject": key, "detail": "missing"}]);
        }),
    ),
    row(
        Blocker::HandoffPackDrifted,
        "M3.F lists no pack",
        How::Concluded(|seen| seen["facts"]["pack"] = json!("not_listed")),
    ),
    row(
        Blocker::VerdictNotPublished,
        "the summary's key is occupied",
        How::Squatter("m3_execution_summary.json"),
    ),
    row(
        Blocker::CommitLedgerLost,
        "another execution wrote the next record first",
        How::Concluded(|seen| seen["commit"] = json!({"lost": "another execution wrote the record first"})),
    ),
];
