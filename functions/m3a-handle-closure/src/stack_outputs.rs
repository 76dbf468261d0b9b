//! Stack outputs, as `terraform output -json` writes them (contract section 5).

use p1_contract::ids::{HandleKey, S3Uri};
use p1_contract::secrets::{self, SecretHit};
use p1_contract::strict::{self, Limits};
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::m2_receipt::named;

/// What one document of stack outputs claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackOutputsFact {
    /// Where it lies.
    pub uri: String,
    /// Why it cannot be read, in words; none when it was.
    pub unreadable: Option<String>,
    /// The values that it claims for handles.
    pub claims: Vec<StackClaim>,
}

/// The value that a stack claims for a handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackClaim {
    /// The output.
    pub output: String,
    /// The handle.
    pub handle: String,
    /// The value as text: comparing texts makes `300` and `"300"` the same, as Terraform does.
    pub value: String,
}

/// The end of the name of an output that maps handles to values.
const MATERIALIZATION: &str = "_handle_materialization";

impl StackOutputsFact {
    /// The handles that are claimed.
    pub(crate) fn handles(&self) -> Vec<String> {
        self.claims.iter().map(|claim| claim.handle.clone()).collect()
    }

    pub(crate) fn redact(&mut self) {
        for claim in &mut self.claims {
            let named = serde_json::json!({ claim.handle.clone(): claim.value.clone() });
            if !secrets::scan_value(&named).is_empty() {
                claim.value = secrets::redact_text(&claim.value).unwrap_or_else(|| "[REDACTED]".to_owned());
            }
        }
    }
}

/// Reads one document of stack outputs.
pub(crate) async fn read(ctx: &StepContext<'_>, uri: &S3Uri) -> Result<(StackOutputsFact, Vec<SecretHit>), Fault> {
    let parsed = match ctx.read(&uri.bucket, &uri.key, None, DOCUMENT_LIMIT).await? {
        Read::Found(object) => {
            strict::parse_foreign(&object.bytes, Limits::DOCUMENT).map_err(|e| format!("is not usable JSON: {e}"))
        }
        Read::NotFound => Err("is not there".to_owned()),
        Read::Denied => Err("may not be read".to_owned()),
        Read::TooLarge(bytes) => Err(format!("is {bytes} bytes, the limit is {DOCUMENT_LIMIT}")),
    };
    let (claims, hits, unreadable) = match parsed.and_then(|value| claims(&value)) {
        Ok((claims, hits)) => (claims, hits, None),
        Err(why) => (Vec::new(), Vec::new(), Some(why)),
    };
    Ok((
        StackOutputsFact {
            uri: uri.to_string(),
            unreadable,
            claims,
        },
        named(&format!("stack_outputs {uri} "), hits),
    ))
}

fn claims(document: &Value) -> Result<(Vec<StackClaim>, Vec<SecretHit>), String> {
    let outputs = document.as_object().ok_or("is not a JSON object of outputs")?;
    let (mut claims, mut hits) = (Vec::new(), Vec::new());
    for (output, body) in outputs {
        let body = body
            .as_object()
            .ok_or_else(|| format!("output `{}` is not an object", shown(output)))?;
        match body.get("sensitive") {
            // Never looked at, not even by the scan.
            Some(Value::Bool(true)) => continue,
            None | Some(Value::Bool(false)) => {}
            Some(_) => {
                return Err(format!("output `{}`: `sensitive` is not true or false", shown(output)));
            }
        }
        let value = body
            .get("value")
            .ok_or_else(|| format!("output `{}` has no value", shown(output)))?;
        let named_value = serde_json::json!({ output.clone(): value.clone() });
        hits.extend(secrets::scan_value(&named_value));
        let mut claim = |handle: &str, value: &Value| {
            if HandleKey::parse(handle).is_ok() {
                claims.push(StackClaim {
                    output: output.clone(),
                    handle: handle.to_owned(),
                    value: plain(value),
                });
            }
        };
        match value {
            Value::Object(map) if output.ends_with(MATERIALIZATION) => {
                map.iter().for_each(|(handle, value)| claim(handle, value));
            }
            _ if output.ends_with(MATERIALIZATION) => {
                return Err(format!("output `{}` is not a map by handle", shown(output)));
            }
            value => claim(&output.to_ascii_uppercase(), value),
        }
    }
    Ok((claims, hits))
}

/// An output's name, cut and fit for a message: it is the sender's.
fn shown(output: &str) -> String {
    output.chars().take(64).flat_map(char::escape_debug).collect()
}

/// A value as text: strings bare, all else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::{any_json, any_name};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn claims_follow_the_contract_and_sensitive_outputs_are_never_read() {
        let (claims, hits) = claims(&json!({
            "s3_evidence_bucket": {"sensitive": false, "type": "string", "value": "b"},
            "x_handle_materialization": {"value": {"AWS_REGION": "eu-west-2", "LIMIT": 300}},
            "db_password": {"sensitive": true, "value": "hunter2hunter2"},
            "not-a-handle": {"value": "x"},
        }))
        .unwrap();
        let seen: Vec<_> = claims.iter().map(|c| (c.handle.as_str(), c.value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("S3_EVIDENCE_BUCKET", "b"),
                ("AWS_REGION", "eu-west-2"),
                ("LIMIT", "300")
            ]
        );
        assert!(hits.is_empty());
    }

    #[test]
    fn secrets_in_open_outputs_are_hits() {
        let (_, hits) = claims(&json!({"key": {"value": "AKIAIOSFODNN7EXAMPLE"}})).unwrap();
        assert_eq!(hits.len(), 1);
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            json!([]),
            json!({"a": 1}),
            json!({"a": {}}),
            json!({"a_handle_materialization": {"value": 1}}),
        ] {
            assert!(claims(&bad).is_err(), "{bad}");
        }
    }

    /// Documents that are nearly stack outputs.
    fn any_outputs() -> impl Strategy<Value = Value> {
        let sensitive = prop_oneof![3 => Just(Value::Bool(false)), 1 => Just(Value::Bool(true)), 1 => any_json()];
        let body = prop_oneof![
            6 => (sensitive, any_json()).prop_map(|(sensitive, value)| json!({"sensitive": sensitive, "value": value})),
            6 => any_json().prop_map(|value| json!({ "value": value })),
            1 => any_json(),
        ];
        let name = prop_oneof!["[a-z_]{1,12}", "[a-z]{0,6}_handle_materialization", any_name()];
        prop::collection::btree_map(name, body, 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn any_document_gets_an_answer(document in prop_oneof![1 => any_json(), 4 => any_outputs()]) {
            match claims(&document) {
                Ok((claims, _)) => {
                    for claim in claims {
                        prop_assert!(HandleKey::parse(&claim.handle).is_ok());
                        let body = &document[&claim.output];
                        prop_assert_ne!(body.get("sensitive"), Some(&Value::Bool(true)));
                        let value = if claim.output.ends_with(MATERIALIZATION) { &body["value"][&claim.handle] } else { &body["value"] };
                        prop_assert_eq!(claim.value, plain(value));
                    }
                }
                Err(why) => {
                    prop_assert!(!why.contains(char::is_control) && why.len() < 1000, "{why:?}");
                    prop_assert!(why.contains("output `") || !document.is_object(), "names no output: {why}");
                }
            }
        }

        #[test]
        fn a_sensitive_output_changes_nothing(document in any_outputs(), name in "[a-z_]{1,12}", value in any_json()) {
            let mut with = document.clone();
            with[&name] = json!({"sensitive": true, "value": value});
            let mut without = document;
            without.as_object_mut().unwrap().remove(&name);
            let seen = |result: Result<_, String>| format!("{result:?}");
            prop_assert_eq!(seen(claims(&with)), seen(claims(&without)));
        }

        #[test]
        fn redaction_leaves_no_secret(document in any_outputs(), secret in "AKIA[A-Z2-7]{16}") {
            let mut document = document;
            document["planted"] = json!({ "value": { "deep": [secret] } });
            let Ok((claims, hits)) = claims(&document) else { return Ok(()) };
            prop_assert!(!hits.is_empty());
            let mut fact = StackOutputsFact { uri: "s3://b/k".into(), unreadable: None, claims };
            fact.redact();
            let kept = format!("{fact:?} {hits:?}");
            prop_assert!(!kept.contains(&secret), "{}", kept);
        }
    }
}
