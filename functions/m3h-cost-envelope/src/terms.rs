//! The cost handles, read once: budget, flags, and the keys that the registry gives to three artifacts.

use std::collections::BTreeSet;

use p1_contract::artifacts::{CostSourceReceipts, DailyCostPosture, PhaseBudgetEnvelope, PhaseCostOutcomeReceipt};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::{Body, observations_name, summary_name};
use p1_contract::handles::{HandleFacts, HandleProblem};
use p1_contract::ids::{PhaseExecutionId, S3Key, UsdAmount};
use p1_contract::pattern;
use p1_contract::step::Step;
use p1_runtime::{Fault, key_in};

use crate::databricks;

pub(crate) const LIMIT: &str = "DEV_FULL_MONTHLY_BUDGET_LIMIT_USD";
pub(crate) const ALERTS: [&str; 3] = [
    "DEV_FULL_BUDGET_ALERT_1_USD",
    "DEV_FULL_BUDGET_ALERT_2_USD",
    "DEV_FULL_BUDGET_ALERT_3_USD",
];
pub(crate) const CURRENCY: &str = "BUDGET_CURRENCY";
pub(crate) const SCOPE: &str = "COST_CAPTURE_SCOPE";
pub(crate) const AWS_ENABLED: &str = "AWS_COST_CAPTURE_ENABLED";
pub(crate) const DATABRICKS_ENABLED: &str = "DATABRICKS_COST_CAPTURE_ENABLED";
pub(crate) const DATABRICKS_REASON: &str = "DATABRICKS_COST_CAPTURE_DEFER_REASON";
pub(crate) const DATABRICKS_GATE: &str = "DATABRICKS_COST_CAPTURE_REENABLE_GATE";
pub(crate) const RECEIPT_FIELDS: &str = "COST_OUTCOME_RECEIPT_REQUIRED_FIELDS";
pub(crate) const BILLING_REGION: &str = "AWS_BILLING_REGION";

/// Flags that must be true or false. P1 writes envelope and receipt and stops without them, whatever they say.
const FLAGS: [&str; 3] = [
    "PHASE_COST_OUTCOME_REQUIRED",
    "PHASE_ENVELOPE_REQUIRED",
    "PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME",
];

/// The handles that give the keys of artifacts, and whose.
const PATTERNS: [(&str, &str); 3] = [
    ("PHASE_BUDGET_ENVELOPE_PATH_PATTERN", PhaseBudgetEnvelope::NAME),
    ("PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN", PhaseCostOutcomeReceipt::NAME),
    ("DAILY_COST_POSTURE_PATH_PATTERN", DailyCostPosture::NAME),
];

/// The cost handles. One that has no usable value is none, and has its finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) limit: Option<UsdAmount>,
    pub(crate) alerts: [Option<UsdAmount>; 3],
    pub(crate) currency: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) aws_enabled: Option<bool>,
    pub(crate) databricks_enabled: Option<bool>,
    pub(crate) databricks_reason: Option<String>,
    pub(crate) databricks_gate: Option<String>,
    /// Why the enabled Databricks source is not pinned.
    pub(crate) databricks_unpinned: Vec<HandleProblem>,
    pub(crate) receipt_fields: Option<String>,
    pub(crate) billing_region: Option<String>,
    patterns: [Option<String>; 3],
}

/// The keys of the three artifacts that the registry places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) envelope: S3Key,
    pub(crate) receipt: S3Key,
    pub(crate) posture: S3Key,
}

impl Terms {
    /// Reads the handles; every one that is missing or malformed becomes a finding.
    pub(crate) fn read(handles: &HandleFacts, findings: &mut Vec<Finding>) -> Self {
        for flag in FLAGS {
            keep(handles.flag(flag), findings);
        }
        let mut text = |key: &str| keep(handles.text(key).map(str::to_owned), findings);
        let (currency, scope, receipt_fields) = (text(CURRENCY), text(SCOPE), text(RECEIPT_FIELDS));
        let patterns = PATTERNS.map(|(handle, _)| text(handle));
        let databricks_enabled = keep(handles.flag(DATABRICKS_ENABLED), findings);
        let databricks_unpinned = match databricks_enabled {
            Some(true) => databricks::pin(handles).err().unwrap_or_default(),
            _ => Vec::new(),
        };
        Terms {
            limit: keep(amount(handles, LIMIT), findings),
            alerts: ALERTS.map(|key| keep(amount(handles, key), findings)),
            currency,
            scope,
            aws_enabled: keep(handles.flag(AWS_ENABLED), findings),
            databricks_enabled,
            // Required only when the source is deferred, and then by a rule of its own.
            databricks_reason: handles.text(DATABRICKS_REASON).ok().map(str::to_owned),
            databricks_gate: handles.text(DATABRICKS_GATE).ok().map(str::to_owned),
            databricks_unpinned,
            receipt_fields,
            billing_region: keep(billing_region(handles).map(str::to_owned), findings),
            patterns,
        }
    }

    /// The keys of the artifacts in the folder of `phase`. One whose pattern gives no usable key gets its own name
    /// there, so that the evidence of a hold is complete.
    pub(crate) fn keys(&self, phase: &PhaseExecutionId, findings: &mut Vec<Finding>) -> Result<Keys, Fault> {
        let step = Step::CostEnvelope;
        let own = [
            observations_name(step),
            summary_name(step),
            CostSourceReceipts::NAME.to_owned(),
        ];
        let own = own
            .iter()
            .map(|name| key_in(phase, &format!("{name}.json")))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let mut taken = own;
        let mut keys: [Option<S3Key>; 3] = [None, None, None];
        for ((slot, pattern), (handle, _)) in keys.iter_mut().zip(&self.patterns).zip(PATTERNS) {
            let Some(pattern) = pattern else { continue };
            let problem = match pattern::resolve_phase_scoped(pattern, phase) {
                Ok(key) if taken.insert(key.clone()) => {
                    *slot = Some(key);
                    continue;
                }
                Ok(key) => format!("resolves to {key}, which another artifact of this step has"),
                Err(error) => error.to_string(),
            };
            findings.push(Blocker::CostHandleInvalid.on(handle, problem));
        }
        let [envelope, receipt, posture] = keys;
        let [(_, envelope_name), (_, receipt_name), (_, posture_name)] = PATTERNS;
        let mut placed = |key: Option<S3Key>, name: &str| match key {
            Some(key) => Ok(key),
            None => fallback(phase, name, &mut taken),
        };
        Ok(Keys {
            envelope: placed(envelope, envelope_name)?,
            receipt: placed(receipt, receipt_name)?,
            posture: placed(posture, posture_name)?,
        })
    }
}

/// `<name>.json`, or `<name>_2.json` … where the registry gave that key to another artifact.
fn fallback(phase: &PhaseExecutionId, name: &str, taken: &mut BTreeSet<S3Key>) -> Result<S3Key, Fault> {
    let mut key = key_in(phase, &format!("{name}.json"))?;
    let mut number = 1;
    while !taken.insert(key.clone()) {
        number += 1;
        key = key_in(phase, &format!("{name}_{number}.json"))?;
    }
    Ok(key)
}

fn keep<T>(value: Result<T, HandleProblem>, findings: &mut Vec<Finding>) -> Option<T> {
    match value {
        Ok(value) => Some(value),
        Err(HandleProblem { key, problem }) => {
            findings.push(Blocker::CostHandleInvalid.on(key, problem));
            None
        }
    }
}

/// A budget amount: an integer or decimal text, not below zero.
fn amount(handles: &HandleFacts, key: &str) -> Result<UsdAmount, HandleProblem> {
    let value = handles.value(key)?;
    let amount = match (value.as_str(), value.as_i64()) {
        (Some(text), _) => UsdAmount::parse(text).ok(),
        (None, Some(dollars)) => UsdAmount::from_integer(dollars).ok(),
        (None, None) => None,
    };
    match amount {
        Some(amount) if amount.is_negative() => Err(handles.wrong(key, "is below zero")),
        Some(amount) => Ok(amount),
        None => Err(handles.wrong(key, "is not an amount like 300 or 12.50")),
    }
}

/// The region that bills. It becomes part of a host name, so nothing but a region's characters will do.
pub(crate) fn billing_region(handles: &HandleFacts) -> Result<&str, HandleProblem> {
    let region = handles.text(BILLING_REGION)?;
    let is_region = region.len() <= 32
        && region.starts_with(|c: char| c.is_ascii_lowercase())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_region {
        Ok(region)
    } else {
        Err(handles.wrong(BILLING_REGION, "is not the name of a region"))
    }
}
