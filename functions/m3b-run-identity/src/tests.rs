//! The codes that only a defect of our own can raise: the seed's check, with what no valid seed leads to.

use p1_contract::blocker::{Blocker, codes};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::SeedInputs;
use p1_contract::ids::ScenarioRunId;
use serde_json::json;

use crate::evaluate::is_stable;

fn seed() -> SeedInputs {
    serde_json::from_value(json!({
        "digest_profile": "m3b_seed_formula_v1",
        "config_digest": Sha256Hex::of(b"config"),
        "digest_input": {
            "algo": "sha256",
            "oracle_engine_run_id": "0f1e",
            "oracle_required_output_ids": ["events"],
            "oracle_sort_key_by_output_id": {"events": "ts_utc"},
            "oracle_source_namespace": "sample",
            "scenario_mode": "deterministic_hash_v1",
        },
        "oracle_input_manifest_uri": "s3://oracle/manifest",
        "oracle_input_manifest_sha256": Sha256Hex::of(b"manifest"),
        "oracle_input_manifest_entries": [],
        "scenario_fields": ["oracle_input_manifest_uri", "config_digest"],
        "scenario_derivation_mode": "deterministic_hash_v1",
        "canonicalization_mode": "json_sorted_keys_v1",
    }))
    .unwrap()
}

fn found(seed: &SeedInputs, scenario: &ScenarioRunId) -> Vec<Blocker> {
    let mut findings = Vec::new();
    assert_eq!(is_stable(seed, scenario, &mut findings), findings.is_empty());
    codes(&findings)
}

#[test]
fn the_valid_example_is_stable() {
    assert_eq!(found(&seed(), &seed().scenario_run_id().unwrap()), []);
}

#[test]
fn another_scenario_is_b6() {
    let other = ScenarioRunId::from_digest(&Sha256Hex::of(b"other"));
    assert_eq!(found(&seed(), &other), [Blocker::DerivationNotReproducible]);
}

/// A seed that cannot be read back cannot be derived from again either: both say so.
#[test]
fn a_seed_that_does_not_survive_parsing_is_b4() {
    let mut seed = seed();
    seed.oracle_input_manifest_uri = "x".repeat(2 << 20);
    let scenario = seed.scenario_run_id().unwrap();
    assert_eq!(
        found(&seed, &scenario),
        [Blocker::SeedUnstable, Blocker::DerivationNotReproducible]
    );
}
