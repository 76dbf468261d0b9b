//! What must be true of an execution that a row has stopped.

use p1_contract::step::Step;
use p1_tests::stage::{Ended, Stage};
use serde_json::{Value, json};

use super::rows::Row;

fn codes(blockers: &Value) -> Vec<String> {
    let mut codes: Vec<String> = blockers
        .as_array()
        .unwrap()
        .iter()
        .map(|blocker| {
            blocker["code"]
                .as_str()
                .or(blocker.as_str())
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    codes.dedup();
    codes
}

/// Held with exactly the row's code, and with all evidence of it.
pub(crate) async fn held(stage: &Stage, row: &Row, ended: &Ended) {
    let (code, what) = (row.code, format!("{} {}: {ended:?}", row.code, row.what));
    assert_eq!(
        (ended.error.as_str(), ended.exit_status()),
        ("M3.Hold", p1::ExitStatus::Hold),
        "{what}"
    );
    let outcome = ended.outcome();
    assert_eq!(
        (&outcome["outcome"], &outcome["verdict"], &outcome["blockers"]),
        (&json!("VERDICT"), &json!("HOLD_M3"), &json!([code.code()])),
        "{what}"
    );

    let (answers, _) = stage.answers(&ended.arn).await;
    let answer = |step: Step| answers.iter().find(|answer| answer["step"] == step.id());
    let blocked = answer(code.step()).unwrap_or_else(|| panic!("{what}: the step did not run"));
    assert_eq!(blocked["blockers"], json!([code.code()]), "{what}");
    let summary = stage.json(blocked["closure"]["key"].as_str().unwrap()).await;
    assert_eq!(
        (
            codes(&summary["blockers"]),
            &summary["overall_pass"],
            &summary["next_gate"]
        ),
        (vec![code.code().to_owned()], &json!(false), &json!("HOLD")),
        "{what}"
    );
    for artifact in summary["artifacts"].as_array().unwrap() {
        // What a row makes up as observed is not there.
        if artifact["key"].as_str().unwrap().contains("/run_control/") {
            stage.get(artifact["key"].as_str().unwrap()).await;
        }
    }

    let gate = [Step::GateRollup, Step::PhaseVerdict].map(|step| {
        let answer = answer(step).unwrap_or_else(|| panic!("{what}: {step} did not run"));
        answer["closure"]["key"].as_str().unwrap().to_owned()
    });
    for key in &gate {
        assert!(stage.json(key).await["blockers"].is_array(), "{what}");
    }
    expect_states(stage, row, &gate[0], &what).await;

    let folder = gate[1].rsplit_once('/').unwrap().0;
    let keys = stage.keys(&format!("{folder}/")).await;
    assert!(
        keys.iter().all(|key| !key.contains("m4_entry_readiness_receipt")),
        "{what}: {keys:?}"
    );
    assert_eq!(
        keys.iter().filter(|key| key.ends_with(".md")).count(),
        3,
        "{what}: {keys:?}"
    );
    // The rows of M3.J concern this very document.
    if code.step() != Step::PhaseVerdict {
        let phase = stage.json(&format!("{folder}/m3_execution_summary.json")).await;
        assert_eq!(
            (&phase["verdict"], codes(&phase["unresolved_blockers"])),
            (&json!("HOLD_M3"), vec![code.code().to_owned()])
        );
        let reached = if phase["platform_run_id"].is_string() && phase["commit"] == "TO_BE_COMMITTED" {
            json!(true)
        } else {
            json!(false)
        };
        assert_eq!(answer(Step::PhaseVerdict).unwrap()["committed"], reached, "{what}");
    }
}

/// The rollup shows green steps, the held one, and none after it.
async fn expect_states(stage: &Stage, row: &Row, rollup: &str, what: &str) {
    let step = row.code.step();
    let folder = rollup.rsplit_once('/').unwrap().0;
    let matrix = stage.json(&format!("{folder}/m3i_gate_rollup_matrix.json")).await;
    for state in matrix["steps"].as_array().unwrap() {
        let of = Step::from_id(state["step"].as_str().unwrap()).unwrap();
        let expected = match of.cmp(&step) {
            std::cmp::Ordering::Less => "GREEN",
            std::cmp::Ordering::Equal => "HELD",
            std::cmp::Ordering::Greater => "NOT_REACHED",
        };
        // M3.I's own blockers are about one of these rows.
        let own = step == Step::GateRollup && state["state"] == "HELD";
        assert!(own || state["state"] == expected, "{what}: {state}");
    }
}

/// A later phase refused with exactly the row's code: evidence of it, and no verdict.
pub(crate) async fn entry_refused(stage: &Stage, row: &Row, ended: &Ended) {
    let what = format!("{} {}: {ended:?}", row.code, row.what);
    assert_eq!(
        (ended.error.as_str(), ended.exit_status()),
        ("M3.EntryRefused", p1::ExitStatus::Hold),
        "{what}"
    );
    let outcome = ended.outcome();
    assert_eq!(
        (&outcome["outcome"], &outcome["blockers"]),
        (&json!("ENTRY_REFUSED"), &json!([row.code.code()])),
        "{what}"
    );
    let (answers, scheduled) = stage.answers(&ended.arn).await;
    assert_eq!((answers.len(), scheduled), (1, 1), "{what}");
    let key = outcome["closure"]["key"].as_str().unwrap();
    assert_eq!(codes(&stage.json(key).await["blockers"]), [row.code.code()], "{what}");
    let receipt = stage.json(&key.replace("m3j_entry_summary", "m3j_phase_entry")).await;
    assert_eq!(
        (&receipt["admitted"], &receipt["environment"]),
        (&json!(false), &json!({})),
        "{what}"
    );
}

/// Refused at admission with exactly the row's code: evidence of it, no verdict, nothing in the ledger.
pub(crate) async fn refused(stage: &Stage, row: &Row, ended: &Ended) {
    let what = format!("{} {}: {ended:?}", row.code, row.what);
    assert_eq!(ended.error, "M3.RerunRefused", "{what}");
    let outcome = ended.outcome();
    assert_eq!(
        (&outcome["outcome"], &outcome["blockers"]),
        (&json!("RERUN_REFUSED"), &json!([row.code.code()])),
        "{what}"
    );
    assert!(outcome["verdict"].is_null(), "{what}");
    let (answers, scheduled) = stage.answers(&ended.arn).await;
    assert_eq!((answers.len(), scheduled), (1, 1), "{what}");
    let key = outcome["closure"]["key"].as_str().unwrap();
    assert_eq!(codes(&stage.json(key).await["blockers"]), [row.code.code()], "{what}");
    let receipt = stage
        .json(&key.replace("m3g_admission_summary", "m3g_admission_receipt"))
        .await;
    assert_eq!(
        (&receipt["admitted"], &receipt["ledger_sequence"]),
        (&json!(false), &Value::Null),
        "{what}"
    );
}
