//! The sample platform: registry, oracle manifests, billing artifact and M2 receipt for a run without options.
//!
//! The files are in `infra/local/sample/` and are compiled into the tool. They hold names in double braces, which are replaced by
//! the names of the platform. The same names give the same bytes, so the same inputs give the same `scenario_run_id` in every
//! run.

use std::collections::BTreeMap;

use jiff::civil::Date;
use p1_contract::canonical::to_document;
use p1_contract::ids::Environment;

/// The handles registry, with its names still in double braces.
pub const REGISTRY: &str = include_str!("../sample/handles.registry.md");
const M2_RECEIPT: &str = include_str!("../sample/m2_receipt.json");
const BILLING: &str = include_str!("../sample/billing.json");
const STREAM_VIEW_MANIFEST: &str = include_str!("../sample/stream_view_manifest.json");

/// The names of a platform that are filled into the sample registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The environment.
    pub environment: Environment,
    /// The 12-digit account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The evidence bucket.
    pub evidence_bucket: String,
    /// The object store's bucket.
    pub object_store_bucket: String,
    /// The artifacts bucket.
    pub artifacts_bucket: String,
    /// The orchestrator's name.
    pub state_machine: String,
    /// The name of the orchestrator's role.
    pub state_machine_role: String,
}

/// The sample registry for a platform with these names.
#[must_use]
pub fn registry(names: &Names) -> Vec<u8> {
    fill(
        REGISTRY,
        &[
            ("environment", names.environment.as_str()),
            ("ENVIRONMENT", &names.environment.as_str().to_ascii_uppercase()),
            ("account", &names.account),
            ("region", &names.region),
            ("evidence_bucket", &names.evidence_bucket),
            ("object_store_bucket", &names.object_store_bucket),
            ("artifacts_bucket", &names.artifacts_bucket),
            ("state_machine", &names.state_machine),
            ("state_machine_role", &names.state_machine_role),
        ],
    )
}

/// A green M2 receipt of the M2 execution that ended at `stamp`, as canonical JSON.
#[must_use]
pub fn m2_receipt(stamp: &str) -> Vec<u8> {
    let filled = fill(M2_RECEIPT, &[("stamp", stamp)]);
    let canonical = serde_json::from_slice(&filled)
        .ok()
        .and_then(|value| to_document(&value).ok());
    canonical.unwrap_or(filled)
}

/// A billing artifact for the month up to `today`.
#[must_use]
pub fn billing(today: Date) -> Vec<u8> {
    fill(
        BILLING,
        &[
            ("month_start", &today.first_of_month().to_string()),
            ("today", &today.to_string()),
        ],
    )
}

/// The stream view manifest of one oracle output. Any value becomes a valid JSON string.
#[must_use]
pub fn stream_view_manifest(namespace: &str, engine_run_id: &str, output_id: &str) -> Vec<u8> {
    let quoted = |text: &str| {
        let json = serde_json::Value::from(text).to_string();
        json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    fill(
        STREAM_VIEW_MANIFEST,
        &[
            ("oracle_source_namespace", &quoted(namespace)),
            ("oracle_engine_run_id", &quoted(engine_run_id)),
            ("output_id", &quoted(output_id)),
        ],
    )
}

/// Replaces each `{{name}}` of the template in one pass, so that a value is never treated as a template itself.
fn fill(template: &str, values: &[(&str, &str)]) -> Vec<u8> {
    let values: BTreeMap<&str, &str> = values.iter().copied().collect();
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let known = after
            .split_once("}}")
            .and_then(|(name, tail)| Some((values.get(name)?, tail)));
        match known {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push_str("{{");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            environment: Environment::parse("prod").unwrap(),
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            evidence_bucket: "e".to_owned(),
            object_store_bucket: "o".to_owned(),
            artifacts_bucket: "a".to_owned(),
            state_machine: "m".to_owned(),
            state_machine_role: "r".to_owned(),
        }
    }

    #[test]
    fn the_registry_is_filled_completely_and_keeps_its_tokens() {
        let text = String::from_utf8(registry(&names())).unwrap();
        assert!(!text.contains("{{"), "{text}");
        assert!(text.contains("arn:aws:iam::111122223333:role/r"));
        assert!(text.contains("`ROLE_TERRAFORM_APPLY_PROD = ") && text.contains("`PROD_BUDGET_ALERT_1_USD = "));
        assert!(text.contains("\"evidence/prod/run_control/{phase_execution_id}/"));
        assert!(text.contains("evidence/runs/{platform_run_id}/run.json"));
        assert!(
            !text
                .lines()
                .any(|line| line.starts_with('*') && line.contains("TO_PIN"))
        );
    }

    #[test]
    fn the_json_files_are_json_whatever_they_are_filled_with() {
        let manifest = stream_view_manifest("a\"b", "{{output_id}}", "x\\\n");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["oracle_source_namespace"], "a\"b");
        assert_eq!(manifest["oracle_engine_run_id"], "{{output_id}}");
        assert_eq!(manifest["output_id"], "x\\\n");

        let bill: serde_json::Value = serde_json::from_slice(&billing(jiff::civil::date(2026, 11, 22))).unwrap();
        assert_eq!(bill["window_start_utc"], "2026-11-01");
        assert_eq!(bill["window_end_utc"], "2026-11-22");

        let receipt: serde_json::Value = serde_json::from_slice(&m2_receipt("20261122T010203Z")).unwrap();
        assert_eq!(receipt["phase_execution_id"], "m2j_20261122T010203Z");
        assert_eq!(receipt["overall_pass"], true);
    }
}
