//! Checks that the evidence is of one environment: the one that its keys name, and the one that its steps went by. All steps of one
//! execution went by the same settings.

use std::collections::BTreeMap;

use p1_contract::ids::{Environment, below_run_control};
use serde_json::{Map, Value};

use super::shape::Documents;
use crate::evidence_set::EvidenceSet;
use crate::findings::Findings;

/// Checks the keys, and the settings in every step's observations. Settings of revision 1 name no environment and are of the default.
pub(super) fn check(set: &EvidenceSet, documents: &Documents, findings: &mut Findings) {
    let environments = set.environments();
    if environments.len() > 1 {
        let names: Vec<&str> = environments.iter().map(Environment::as_str).collect();
        let why = format!("holds keys of more than one environment: {}", names.join(", "));
        findings.tampered("evidence/", why);
    }
    let mut by_start: BTreeMap<&str, &Map<String, Value>> = BTreeMap::new();
    for (key, document) in documents {
        let Some(settings) = document.get("settings").and_then(|settings| settings.as_object()) else {
            continue;
        };
        let default = Environment::default();
        let named = settings
            .get("environment")
            .map_or(Some(default.as_str()), |name| name.as_str());
        let own = Environment::of_key(key).map(|(environment, _)| environment);
        if own.as_ref().map(Environment::as_str) != named {
            findings.tampered(
                key,
                "lies in the run control of another environment than its settings name",
            );
        }
        // `m3a_<start>_<identity>`: all steps of an execution have its start.
        let start = below_run_control(key).and_then(|rest| rest.split('_').nth(1));
        if start.is_some_and(|start| *by_start.entry(start).or_insert(settings) != settings) {
            findings.tampered(key, "has other settings than another step of its execution");
        }
    }
}
