//! M3.H: the cost envelope and its outcome. The registry names the keys of the first three.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::artifact;
use crate::evidence::PHASE_ID;
use crate::ids::{ExecutionArn, PhaseExecutionId, UsdAmount};
use crate::revision::SCHEMA_VERSION;
use crate::step::Step;

/// A proof that the phase's spend is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofArtifact {
    /// The step that publishes it.
    pub step: Step,
    /// The phase execution that published it; none where the step has no closure.
    pub phase_execution_id: Option<PhaseExecutionId>,
    /// The artifact.
    pub name: String,
    /// Whether the step's closure lists it and it is there.
    pub present: bool,
}

/// The budget that the phase runs under. A handle without a usable value is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseBudgetEnvelope {
    /// The monthly limit, USD.
    pub monthly_budget_limit_usd: Option<UsdAmount>,
    /// The alerts, USD, in order.
    pub budget_alerts_usd: Vec<Option<UsdAmount>>,
    /// The budget's currency.
    pub budget_currency: Option<String>,
    /// What cost capture covers.
    pub cost_capture_scope: Option<String>,
    /// What the phase must leave behind for its spend.
    pub expected_proof_artifacts: Vec<ProofArtifact>,
    /// Whether the envelope is valid.
    pub envelope_valid: bool,
}
artifact!(PhaseBudgetEnvelope, "m3h_phase_budget_envelope");

/// What the spend bought. `phase_id` and `phase_execution_id` stand in the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseCostOutcomeReceipt {
    /// First day of the spend window, UTC.
    pub window_start_utc: Option<String>,
    /// Last day of the spend window, UTC.
    pub window_end_utc: Option<String>,
    /// The spend in the window.
    pub spend_amount: Option<UsdAmount>,
    /// Its currency.
    pub spend_currency: Option<String>,
    /// The proof artifacts that are there.
    pub artifacts_emitted: Vec<String>,
    /// The decision that the phase closes, or the risk that it retires.
    pub decision_or_risk_retired: String,
}
artifact!(PhaseCostOutcomeReceipt, "m3h_phase_cost_outcome_receipt");

/// Where the month stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DailyCostPosture {
    /// The day, UTC.
    pub date_utc: String,
    /// Month to date.
    pub spend_amount: Option<UsdAmount>,
    /// Its currency.
    pub spend_currency: Option<String>,
    /// Whether the source calls the amount an estimate.
    pub estimated: Option<bool>,
    /// How many alerts the spend has reached.
    pub alerts_reached: Option<u32>,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(DailyCostPosture, "m3h_daily_cost_posture");

/// One source of cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostSourceReceipt {
    /// `aws` or `databricks`.
    pub source: String,
    /// Whether the registry enables it.
    pub enabled: Option<bool>,
    /// How it is read, or why it is deferred.
    pub mode: String,
    /// What was seen.
    pub detail: String,
    /// Whether the source is usable, or rightly deferred.
    pub pass: bool,
}

/// All sources of cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostSourceReceipts {
    /// The sources.
    pub sources: Vec<CostSourceReceipt>,
}
artifact!(CostSourceReceipts, "m3h_cost_source_receipts");

/// A pinned billing artifact: the input of cost source `billing_artifact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BillingArtifact {
    /// 1.
    pub schema_version: u64,
    /// `p1_billing_artifact`.
    pub artifact: String,
    /// `aws_billing`, or `aws_cost_explorer` for the day's answer of the API.
    pub source: String,
    /// The region that bills.
    pub billing_region: String,
    /// `UnblendedCost`.
    pub metric: String,
    /// First day of the window, UTC.
    pub window_start_utc: String,
    /// The day up to which the window reaches, UTC.
    pub window_end_utc: String,
    /// The spend.
    pub spend_amount: UsdAmount,
    /// Its currency.
    pub spend_currency: String,
    /// Whether the source calls the amount an estimate.
    pub estimated: bool,
}

/// The `artifact` of a [`BillingArtifact`].
pub const BILLING_ARTIFACT: &str = "p1_billing_artifact";

/// Which execution asks Cost Explorer for a day: each call costs money, so an execution asks only once it has claimed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostClaim {
    /// The shape's version.
    pub schema_version: u64,
    /// `p1_cost_claim`.
    pub artifact: String,
    /// `P1`.
    pub phase_id: String,
    /// The P1 execution that asks.
    pub owner: ExecutionArn,
    /// The day, UTC.
    pub date_utc: String,
    /// 1 for the first claim of the day; one more for each whose owner kept no answer.
    pub number: u32,
}

/// The `artifact` of a [`CostClaim`].
pub const COST_CLAIM: &str = "p1_cost_claim";

impl CostClaim {
    /// The claim of this number on the day, by `owner`.
    #[must_use]
    pub fn new(owner: &ExecutionArn, date_utc: String, number: u32) -> Self {
        CostClaim {
            schema_version: SCHEMA_VERSION,
            artifact: COST_CLAIM.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            owner: owner.clone(),
            date_utc,
            number,
        }
    }
}
