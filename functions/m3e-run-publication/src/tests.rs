//! The code that only a defect of our own can raise: run evidence that contradicts itself.

use p1_contract::blocker::Blocker;
use serde_json::{Value, json};

use crate::Planned;
use crate::evaluate::disagreement;
use crate::plan::Plan;

fn planned(key: &str, document: &Value) -> Planned {
    Planned {
        key: key.parse().unwrap(),
        bytes: serde_json::to_vec(document).unwrap(),
        secrets: Vec::new(),
    }
}

fn found(header: &Value) -> Option<Blocker> {
    let record = json!({"platform_run_id": "p", "scenario_run_id": "s", "config_digest": "c"});
    let plan = Plan {
        run_json: planned("evidence/runs/p/run.json", &record),
        run_header: planned("evidence/runs/p/run_pin/run_header.json", header),
    };
    disagreement(&plan).map(|finding| finding.code)
}

#[test]
fn two_triplets_are_b6() {
    let same = json!({"platform_run_id": "p", "scenario_run_id": "s", "config_digest": "c"});
    assert_eq!(found(&same), None);
    for field in ["platform_run_id", "scenario_run_id", "config_digest"] {
        let mut other = same.clone();
        other[field] = json!("other");
        assert_eq!(found(&other), Some(Blocker::RunEvidenceDisagrees), "{field}");
        other[field] = Value::Null;
        assert_eq!(found(&other), Some(Blocker::RunEvidenceDisagrees), "{field}");
    }
}
