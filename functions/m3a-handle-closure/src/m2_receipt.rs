//! The M2 handoff receipt: somebody else's document, of which only what decides is kept.

use p1_contract::observations::handle_closure::M2ReceiptFact;
use p1_contract::secrets::{self, SecretHit};
use p1_contract::strict::{self, Limits};
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};
use serde_json::Value;

/// What a receipt may say of its verdict, each where it is there.
const VERDICTS: [&str; 3] = ["ADVANCE", "PASS", "GREEN"];

/// Why the receipt does not let M3 start; empty when it does.
pub(crate) fn objections(receipt: &M2ReceiptFact) -> Vec<String> {
    if let Some(why) = &receipt.unreadable {
        return vec![why.clone()];
    }
    let all = [
        (
            receipt.declares_green,
            "`overall_pass` and `m3_entry_ready` are not both true where they are there, or neither is there",
        ),
        (
            receipt.no_open_blockers,
            "`blockers` or `unresolved_blockers` is not an empty list",
        ),
        (
            receipt.counts_no_blockers,
            "`blocker_count` or `phase_blocker_count` is not the number 0",
        ),
        (
            receipt.verdict_is_green,
            "`verdict` does not begin with ADVANCE, PASS or GREEN",
        ),
        (
            receipt.of_m2j,
            "`phase_execution_id` is not the name of the folder that the receipt lies in",
        ),
        (receipt.gate_is_m3, "`next_gate` does not end in M3_READY"),
    ];
    all.into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, why)| why.to_owned())
        .collect()
}

/// Reads the receipt that the input names.
pub(crate) async fn read(ctx: &StepContext<'_>) -> Result<Option<(M2ReceiptFact, Vec<SecretHit>)>, Fault> {
    let Some(receipt) = ctx.input.input.receipt() else {
        return Ok(None);
    };
    let read = ctx
        .read(
            ctx.bucket(),
            &receipt.key,
            receipt.version_id.as_deref(),
            DOCUMENT_LIMIT,
        )
        .await?;
    let parsed = match read {
        Read::Found(object) => {
            strict::parse_foreign(&object.bytes, Limits::DOCUMENT).map_err(|e| format!("is not usable JSON: {e}"))
        }
        Read::NotFound => Err("is not there".to_owned()),
        Read::Denied => Err("may not be read".to_owned()),
        Read::TooLarge(bytes) => Err(format!("is {bytes} bytes, the limit is {DOCUMENT_LIMIT}")),
    };
    let key = receipt.key.as_str();
    Ok(Some(match parsed {
        Ok(value) => (
            facts(key, &value),
            secrets::named("m2_receipt", secrets::scan_value(&value)),
        ),
        Err(why) => (unreadable(key, why), Vec::new()),
    }))
}

fn unreadable(key: &str, why: String) -> M2ReceiptFact {
    M2ReceiptFact {
        key: key.to_owned(),
        unreadable: Some(why),
        declares_green: false,
        no_open_blockers: false,
        counts_no_blockers: false,
        verdict_is_green: false,
        of_m2j: false,
        gate_is_m3: false,
    }
}

/// Each field's type is strict: `"true"`, `null` for a list and `0.0` for a count are not green.
fn facts(key: &str, receipt: &Value) -> M2ReceiptFact {
    if !receipt.is_object() {
        return unreadable(key, "is not a JSON object".to_owned());
    }
    let absent_or =
        |fields: [&str; 2], holds: fn(&Value) -> bool| fields.iter().all(|field| receipt.get(*field).is_none_or(holds));
    let text = |field: &str, holds: &dyn Fn(&str) -> bool| match receipt.get(field) {
        None => true,
        Some(value) => value.as_str().is_some_and(holds),
    };
    let flags = ["overall_pass", "m3_entry_ready"];
    let folder = key.rsplit('/').nth(1);
    M2ReceiptFact {
        key: key.to_owned(),
        unreadable: None,
        declares_green: flags.iter().any(|flag| receipt.get(*flag).is_some())
            && absent_or(flags, |flag| *flag == Value::Bool(true)),
        no_open_blockers: absent_or(["blockers", "unresolved_blockers"], |list| {
            list.as_array().is_some_and(Vec::is_empty)
        }),
        counts_no_blockers: absent_or(["blocker_count", "phase_blocker_count"], |count| {
            count.as_u64() == Some(0)
        }),
        verdict_is_green: text("verdict", &|verdict| {
            VERDICTS.iter().any(|start| verdict.starts_with(start))
        }),
        of_m2j: text("phase_execution_id", &|id| Some(id) == folder),
        gate_is_m3: text("next_gate", &|gate| gate.ends_with("M3_READY")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::hostile::any_json;
    use proptest::prelude::*;
    use serde_json::json;

    const KEY: &str = "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json";
    const FOLDER: &str = "m2j_20260223T061612Z";

    fn objections(receipt: &Value) -> usize {
        super::objections(&facts(KEY, receipt)).len()
    }

    fn green() -> Value {
        json!({
            "overall_pass": true, "m3_entry_ready": true, "blockers": [], "unresolved_blockers": [], "blocker_count": 0,
            "phase_blocker_count": 0, "verdict": "ADVANCE_TO_M3", "phase_execution_id": FOLDER, "next_gate": "M3_READY",
        })
    }

    #[test]
    fn green_receipts_pass() {
        assert_eq!(objections(&green()), 0);
        for receipt in [
            json!({"m3_entry_ready": true}),
            json!({"overall_pass": true}),
            json!({"overall_pass": true, "verdict": "PASS"}),
            json!({"overall_pass": true, "verdict": "GREEN_WITH_NOTES", "next_gate": "P1_M3_READY"}),
        ] {
            assert_eq!(objections(&receipt), 0, "{receipt}");
        }
    }

    #[test]
    fn each_objection_outweighs_all_that_is_green() {
        for (field, bad) in [
            (
                "overall_pass",
                vec![json!(false), json!("true"), json!(1), json!(null), json!([])],
            ),
            (
                "m3_entry_ready",
                vec![json!(false), json!("true"), json!(1), json!(null), json!({})],
            ),
            (
                "blockers",
                vec![
                    json!(["M2J-B1"]),
                    json!("none"),
                    json!(null),
                    json!({}),
                    json!(0),
                    json!([null]),
                ],
            ),
            (
                "unresolved_blockers",
                vec![json!([{"code": "M2J-B1"}]), json!(""), json!(null), json!(false)],
            ),
            (
                "blocker_count",
                vec![
                    json!(3),
                    json!("0"),
                    json!(null),
                    json!(false),
                    json!(-1),
                    json!(0.5),
                    json!([]),
                ],
            ),
            (
                "phase_blocker_count",
                vec![json!(1), json!("0"), json!(null), json!(false), json!({})],
            ),
            (
                "verdict",
                vec![
                    json!("HOLD"),
                    json!("NO_ADVANCE"),
                    json!("advance"),
                    json!(""),
                    json!(true),
                    json!(null),
                ],
            ),
            (
                "phase_execution_id",
                vec![
                    json!("m2j_19990101T000000Z"),
                    json!("m3a_1"),
                    json!(""),
                    json!(null),
                    json!(1),
                ],
            ),
            (
                "next_gate",
                vec![
                    json!("HOLD"),
                    json!("M3_READY_NOT"),
                    json!(""),
                    json!(null),
                    json!(true),
                ],
            ),
        ] {
            for value in bad {
                let mut receipt = green();
                receipt[field] = value;
                assert_eq!(objections(&receipt), 1, "{receipt}");
            }
        }
        assert_eq!(objections(&json!({})), 1);
        assert_eq!(objections(&json!([1])), 1);
        // Green and red at once, as a phase that was held writes it.
        let held = json!({
            "overall_pass": false, "m3_entry_ready": true, "blocker_count": 3, "verdict": "HOLD", "phase_execution_id": "m2j_19990101T000000Z",
        });
        assert_eq!(objections(&held), 4);
    }

    #[test]
    fn evidence_of_revision_1_is_read() {
        let stored = json!({
            "key": KEY, "unreadable": null, "declares_green": true, "no_open_blockers": true, "of_m2j": true, "gate_is_m3": true,
        });
        let fact: M2ReceiptFact = serde_json::from_value(stored).unwrap();
        assert_eq!(super::objections(&fact), [""; 0]);
    }

    fn any_receipt() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            4 => Just(json!(true)),
            2 => Just(json!([])),
            2 => Just(json!(0)),
            2 => Just(json!(FOLDER)),
            2 => Just(json!("M3_READY")),
            2 => Just(json!("ADVANCE_TO_M3")),
            1 => any_json(),
        ];
        let fields: Vec<String> = green().as_object().unwrap().keys().cloned().collect();
        prop::collection::btree_map(prop::sample::select(fields), value, 0..6)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    /// The contract's sentence on the receipt, in other words than the code's.
    fn is_green(receipt: &Value) -> bool {
        let Some(fields) = receipt.as_object() else {
            return false;
        };
        let begins = |text: &str| text.starts_with("ADVANCE") || text.starts_with("PASS") || text.starts_with("GREEN");
        let all_green = fields.iter().all(|(field, value)| match (field.as_str(), value) {
            ("overall_pass" | "m3_entry_ready", value) => *value == json!(true),
            ("blockers" | "unresolved_blockers", value) => *value == json!([]),
            ("blocker_count" | "phase_blocker_count", value) => *value == json!(0),
            ("verdict", Value::String(text)) => begins(text),
            ("next_gate", Value::String(text)) => text.ends_with("M3_READY"),
            ("phase_execution_id", Value::String(text)) => text == FOLDER,
            ("verdict" | "next_gate" | "phase_execution_id", _) => false,
            _ => true,
        });
        all_green && (receipt["overall_pass"] == json!(true) || receipt["m3_entry_ready"] == json!(true))
    }

    proptest! {
        #[test]
        fn any_receipt_gets_an_answer_and_only_green_ones_pass(receipt in prop_oneof![1 => any_json(), 4 => any_receipt()]) {
            let fact = facts(KEY, &receipt);
            prop_assert_eq!(super::objections(&fact).is_empty(), is_green(&receipt));
            // Nothing of somebody else's document is kept but the answers.
            prop_assert!(serde_json::to_string(&fact).unwrap().len() < 400);
        }

        #[test]
        fn a_field_that_decides_nothing_decides_nothing(receipt in any_receipt(), value in any_json()) {
            let mut more = receipt.clone();
            more["note"] = value;
            prop_assert_eq!(facts(KEY, &more), facts(KEY, &receipt));
        }
    }
}
