//! M3.A … M3.D: what a run needs before anything of it is published.

use p1_contract::blocker::Blocker;
use p1_contract::hash::Sha256Hex;
use p1_tests::stage::Stage;
use serde_json::json;

use super::{How, KEY_ID, Row, row};

pub(super) const ROWS: &[Row] = &[
    // M3.A
    row(
        Blocker::HandleMissing,
        "a required handle is not declared",
        How::Registry("`FIELD_SCENARIO_RUN_ID = ", "`FIELD_SCENARIO_RUN_ID_X = "),
    ),
    row(
        Blocker::HandleUnresolved,
        "a required handle is still to pin",
        How::Registry(
            "CONFIG_DIGEST_FIELD = \"config_digest\"",
            "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
        ),
    ),
    row(
        Blocker::M2HandoffNotGreen,
        "there is no receipt",
        How::Input(|_, input| Box::pin(async move { input["m2_handoff"]["key"] = json!(Stage::new_receipt_key()) })),
    ),
    row(
        Blocker::OrchestratorUnavailable,
        "the registry names a machine that is not there",
        How::Registry(
            "`SFN_PLATFORM_RUN_ORCHESTRATOR_V0 = \"",
            "`SFN_PLATFORM_RUN_ORCHESTRATOR_V0 = \"no-",
        ),
    ),
    row(
        Blocker::EvidenceBucketUnfit,
        "the registry names a bucket that is not there",
        How::Outputs(
            || json!({"tag_env_key": {"sensitive": false, "value": "env"}}),
            "`S3_EVIDENCE_BUCKET = \"",
            "`S3_EVIDENCE_BUCKET = \"no-",
        ),
    ),
    row(
        Blocker::HandleContradiction,
        "the stack says another bucket",
        How::Outputs(
            || json!({"s3_evidence_bucket": {"sensitive": false, "value": "another-bucket"}}),
            "",
            "",
        ),
    ),
    row(
        Blocker::HandleClosureNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3a_command_receipts.json"),
    ),
    row(
        Blocker::HandleClosureSecret,
        "the registry holds an access key",
        How::Registry(
            "* `ENV_NAME = \"dev_full\"`",
            "* `ENV_NAME = \"dev_full\"`\n* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`",
        ),
    ),
    // M3.B
    row(
        Blocker::RunIdFormatInvalid,
        "the reserved id is none",
        How::Observed(|seen| seen["reserved"] = json!("platform_yesterday")),
    ),
    row(Blocker::RunIdExhausted, "every id of the second is taken", How::RunIds),
    row(
        Blocker::DerivationContractInvalid,
        "the pinned manifest is in another bucket",
        How::Input(|_, input| {
            Box::pin(async move {
                input["oracle_input_manifest"] =
                    json!({"uri": "s3://foreign-bucket/manifest.json", "sha256": "0".repeat(64)});
            })
        }),
    ),
    row(
        Blocker::RunIdentityNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3b_run_identity_seed.json"),
    ),
    row(
        Blocker::RunIdentitySecret,
        "the pinned manifest's key is an access key",
        How::Input(|stage, input| {
            Box::pin(async move {
                let uri = format!("s3://{}/{KEY_ID}/manifest.json", stage.platform.object_store_bucket());
                stage.put(&uri.parse().unwrap(), b"{}".to_vec()).await;
                input["oracle_input_manifest"] = json!({"uri": uri, "sha256": Sha256Hex::of(b"{}")});
            })
        }),
    ),
    // M3.C
    row(
        Blocker::CanonicalizationUnknown,
        "the mode is unknown",
        How::Registry("\"json_sorted_keys_v1\"", "\"jcs\""),
    ),
    row(
        Blocker::DigestContractInvalid,
        "the digest's field has another name",
        How::Registry(
            "CONFIG_DIGEST_FIELD = \"config_digest\"",
            "CONFIG_DIGEST_FIELD = \"digest\"",
        ),
    ),
    row(
        Blocker::PayloadSecret,
        "the manifest's URI holds an access key",
        How::Observed(|seen| seen["seed"]["oracle_input_manifest_uri"] = json!(format!("s3://bucket/{KEY_ID}/m.json"))),
    ),
    row(
        Blocker::ConfigDigestNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3c_run_config_payload.json"),
    ),
    // M3.D
    row(
        Blocker::OrchestratorHandleInvalid,
        "the commit authority is not allowed",
        How::Registry("\"step_functions_only\"", "\"anyone\""),
    ),
    row(
        Blocker::StateMachineUnavailable,
        "the machine was deleted after M3.A",
        How::Observed(|seen| seen["machine"] = json!("not_found")),
    ),
    row(
        Blocker::RoleMismatch,
        "the registry names another role",
        How::Registry(
            "`ROLE_STEP_FUNCTIONS_ORCHESTRATOR = \"",
            "`ROLE_STEP_FUNCTIONS_ORCHESTRATOR = \"x",
        ),
    ),
    row(
        Blocker::RunLockNotOurs,
        "another execution holds the ledger",
        How::Observed(|seen| {
            let ours = seen["ledger"]["head_holder"].as_str().unwrap().to_owned();
            seen["ledger"]["head_holder"] = json!(format!("{ours}-other"));
        }),
    ),
    row(
        Blocker::RunScopeKeyInvalid,
        "the variable's name is none",
        How::Registry("ENV_KEY = \"REQUIRED_PLATFORM_RUN_ID\"", "ENV_KEY = \"not a name\""),
    ),
    row(
        Blocker::ReadinessNotPublished,
        "an artifact's key is occupied",
        How::Squatter("m3d_command_receipts.json"),
    ),
    row(
        Blocker::ForeignStateMachine,
        "the machine was replaced after M3.A",
        How::Observed(|seen| {
            let ours = seen["machine"]["found"]["arn"].as_str().unwrap().to_owned();
            seen["machine"]["found"]["arn"] = json!(format!("{ours}-other"));
        }),
    ),
];
