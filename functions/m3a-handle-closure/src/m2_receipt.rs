//! The M2 handoff receipt: somebody else's document, of which only what decides is kept.

use p1_contract::secrets::{self, SecretHit};
use p1_contract::strict::{self, Limits};
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the receipt says; `None` where it does not have the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct M2ReceiptFact {
    /// Where it lies.
    pub key: String,
    /// Why it cannot be read, in words; none when it was.
    pub unreadable: Option<String>,
    /// Whether `overall_pass` or `m3_entry_ready` is true.
    pub declares_green: bool,
    /// Whether `blockers` is absent or an empty list.
    pub no_open_blockers: bool,
    /// Whether `phase_execution_id` is absent or begins with `m2j_`.
    pub of_m2j: bool,
    /// Whether `next_gate` is absent or ends in `M3_READY`.
    pub gate_is_m3: bool,
}

impl M2ReceiptFact {
    /// Why the receipt does not let M3 start; empty when it does.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        if let Some(why) = &self.unreadable {
            return vec![why.clone()];
        }
        let all = [
            (
                self.declares_green,
                "neither `overall_pass` nor `m3_entry_ready` is true",
            ),
            (self.no_open_blockers, "`blockers` is not an empty list"),
            (self.of_m2j, "`phase_execution_id` does not begin with m2j_"),
            (self.gate_is_m3, "`next_gate` does not end in M3_READY"),
        ];
        all.into_iter()
            .filter(|(holds, _)| !holds)
            .map(|(_, why)| why.to_owned())
            .collect()
    }
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
    let (fact, hits) = match parsed {
        Ok(value) => {
            let hits = named("m2_receipt", secrets::scan_value(&value));
            (facts(receipt.key.as_str(), &value), hits)
        }
        Err(why) => (unreadable(receipt.key.as_str(), why), Vec::new()),
    };
    Ok(Some((fact, hits)))
}

/// Names the document in the place of each hit.
pub(crate) fn named(document: &str, hits: Vec<SecretHit>) -> Vec<SecretHit> {
    hits.into_iter()
        .map(|hit| SecretHit {
            place: format!("{document}{}", hit.place),
            ..hit
        })
        .collect()
}

fn unreadable(key: &str, why: String) -> M2ReceiptFact {
    M2ReceiptFact {
        key: key.to_owned(),
        unreadable: Some(why),
        declares_green: false,
        no_open_blockers: false,
        of_m2j: false,
        gate_is_m3: false,
    }
}

fn facts(key: &str, receipt: &Value) -> M2ReceiptFact {
    if !receipt.is_object() {
        return unreadable(key, "is not a JSON object".to_owned());
    }
    let is_true = |field: &str| receipt.get(field) == Some(&Value::Bool(true));
    let text = |field: &str, holds: fn(&str) -> bool| match receipt.get(field) {
        None => true,
        Some(value) => value.as_str().is_some_and(holds),
    };
    M2ReceiptFact {
        key: key.to_owned(),
        unreadable: None,
        declares_green: is_true("overall_pass") || is_true("m3_entry_ready"),
        no_open_blockers: match receipt.get("blockers") {
            None => true,
            Some(blockers) => blockers.as_array().is_some_and(Vec::is_empty),
        },
        of_m2j: text("phase_execution_id", |id| id.starts_with("m2j_")),
        gate_is_m3: text("next_gate", |gate| gate.ends_with("M3_READY")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::any_json;
    use proptest::prelude::*;
    use serde_json::json;

    fn objections(receipt: &Value) -> usize {
        facts("key", receipt).objections().len()
    }

    #[test]
    fn green_receipts_pass_and_each_objection_stands_alone() {
        let green =
            json!({"overall_pass": true, "blockers": [], "phase_execution_id": "m2j_1", "next_gate": "M3_READY"});
        assert_eq!(objections(&green), 0);
        assert_eq!(objections(&json!({"m3_entry_ready": true})), 0);
        for (field, bad) in [
            ("overall_pass", json!(false)),
            ("overall_pass", json!("true")),
            ("blockers", json!(["M2J-B1"])),
            ("blockers", json!("none")),
            ("phase_execution_id", json!("m3a_1")),
            ("next_gate", json!("HOLD")),
        ] {
            let mut receipt = green.clone();
            receipt[field] = bad;
            assert_eq!(objections(&receipt), 1, "{receipt}");
        }
        assert_eq!(objections(&json!([1])), 1);
    }

    const DECIDES: [&str; 5] = [
        "overall_pass",
        "m3_entry_ready",
        "blockers",
        "phase_execution_id",
        "next_gate",
    ];

    fn any_receipt() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            4 => Just(json!(true)),
            2 => Just(json!([])),
            2 => Just(json!("m2j_20260223T061612Z")),
            2 => Just(json!("M3_READY")),
            1 => any_json(),
        ];
        prop::collection::btree_map(prop::sample::select(&DECIDES[..]), value, 0..5)
            .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    /// The contract's sentence on the receipt, in other words than the code's.
    fn is_green(receipt: &Value) -> bool {
        let absent_or = |field: &str, holds: &dyn Fn(&Value) -> bool| receipt.get(field).is_none_or(holds);
        receipt.is_object()
            && (receipt["overall_pass"] == json!(true) || receipt["m3_entry_ready"] == json!(true))
            && absent_or("blockers", &|blockers| *blockers == json!([]))
            && absent_or(
                "phase_execution_id",
                &|id| matches!(id, Value::String(id) if id.starts_with("m2j_")),
            )
            && absent_or(
                "next_gate",
                &|gate| matches!(gate, Value::String(gate) if gate.ends_with("M3_READY")),
            )
    }

    proptest! {
        #[test]
        fn any_receipt_gets_an_answer_and_only_green_ones_pass(receipt in prop_oneof![1 => any_json(), 4 => any_receipt()]) {
            let fact = facts("key", &receipt);
            prop_assert_eq!(fact.objections().is_empty(), is_green(&receipt));
            // Nothing of somebody else's document is kept but the answers.
            prop_assert!(serde_json::to_string(&fact).unwrap().len() < 300);
        }

        #[test]
        fn a_field_that_decides_nothing_decides_nothing(receipt in any_receipt(), value in any_json()) {
            let mut more = receipt.clone();
            more["note"] = value;
            prop_assert_eq!(facts("key", &more), facts("key", &receipt));
        }
    }
}
